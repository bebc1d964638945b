"""An explanation in words: for an elder, a vendor or an auditor; in English or Chinese.

An elder reads who comes, or what could be done together; no costs and no filters. A vendor reads
what its own people could do. An auditor reads everything that decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from dispatch.plan import Unassigned, WouldHelp

if TYPE_CHECKING:
    from dispatch.explain import Alternative, Difference, Explanation

Language = Literal["en", "zh"]
Audience = Literal["elder", "vendor", "auditor"]

_BINDING = {
    "skill": ("lacks a skill that the visit needs", "没有这项服务需要的技能"),
    "forbidden": ("is not wanted for this visit", "被排除在这次服务之外"),
    "fixed": ("is not the one settled for this visit", "不是这次服务已确定的人员"),
    "vendor": ("is of a vendor that was not asked for", "所属服务商未被选择"),
    "circle": ("lives too far outside the service circle", "驻点在服务圈之外"),
    "shift": ("has no shift that the visit fits into", "班次时间容纳不下"),
    "work": ("would work longer than allowed", "会超过每日工时上限"),
    "rest": ("would lose the rest that is due", "会失去应有的休息"),
    "capacity": ("has no room for the load", "车上装不下"),
    "load": ("cannot bring the load in time", "来不及按时送到"),
    "window": ("is busy at the times asked for", "在约定时间段内已有安排"),
    "others": ("could come only if other visits moved far", "只有大幅调整其他服务才能前往"),
    "crew": ("has nobody to go with at the same time", "同一时间没有人可以同行"),
    "room": ("has no room left in the day", "当天没有空档"),
}
_REASON = {
    "no_skill": ("nobody has all the skills that it needs", "没有人具备所需的全部技能"),
    "all_forbidden": ("everybody who could go is excluded by name", "能去的人都被指名排除"),
    "vendor_has_nobody": (
        "the vendors asked for have nobody who could",
        "所选服务商没有合适的人员",
    ),
    "no_caregiver_in_circle": (
        "nobody suitable starts within the service circle",
        "服务圈内没有合适的护理员",
    ),
    "outside_all_shifts": ("no shift has time for it", "没有班次能容纳这个时间"),
    "no_crew": ("no two could come at the same time", "没有两名护理员能同时到达"),
    "load_too_late": ("what is to be brought comes too late", "要送的东西来不及"),
    "no_room": ("everybody suitable is busy then", "合适的护理员在该时间都已排满"),
}
_TOO_DEAR = (
    "somebody could come, but only at a cost beyond what is set for it",
    "有人可以前往，但代价超过了设定的上限",
)
_NOT_YET = (
    "somebody could come; it has not been put into the plan yet",
    "有人可以前往，只是还没有排入计划",
)
_FILTER = {
    "skill": ("have the skills", "具备技能"),
    "allowed": ("may go", "未被排除"),
    "vendor": ("are of a vendor asked for", "属于所选服务商"),
    "circle": ("start within the circle", "在服务圈内"),
    "shift": ("have a shift for it", "班次合适"),
    "insertion": ("have room in the day", "当天有空档"),
}
_CHANGES_FOR: dict[str, frozenset[str]] = {
    "elder": frozenset({"window", "vendor", "forbidden"}),
    "vendor": frozenset({"window", "shift", "skill", "capacity", "ready_s", "extra_caregiver"}),
}


def sentences(why: Explanation, *, language: Language, audience: Audience) -> list[str]:
    """Return the explanation as sentences, the most important one first."""
    if why.unassigned is not None:
        return _left_out(why, why.unassigned, language, audience)
    return _served(why, language, audience)


def _pick(language: Language, english: str, chinese: str) -> str:
    return english if language == "en" else chinese


def _time(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"


def _span(window: list[int]) -> str:
    return f"{_time(window[0])}–{_time(window[1])}"


def _names(names: tuple[str, ...], language: Language) -> str:
    return _pick(language, " and ", "、").join(names)


# --- served --------------------------------------------------------------------------------------


def _served(why: Explanation, language: Language, audience: Audience) -> list[str]:
    crew, start = _names(why.caregivers, language), _time(why.start_s or 0)
    lines = [
        _pick(
            language,
            f"{crew} will come at {start}.",
            f"护理员{crew}将于{start}上门。",
        )
    ]
    can = [each for each in why.alternatives if each.binding is None]
    cannot = [each for each in why.alternatives if each.binding is not None]
    if audience == "elder":
        return lines + _for_elder(why, can, cannot, language)
    if audience == "auditor":
        lines.append(_counts(why.counts, language))
    if why.added is not None:
        lines.append(
            _pick(
                language,
                f"The visit adds {_difference(why.added, language)} to the plan.",
                f"这次服务给计划增加{_difference(why.added, language)}。",
            )
        )
    lines += [_alternative(each, language) for each in can]
    lines += [_refusal(each, language) for each in cannot]
    if not can and not cannot:
        lines.append(_pick(language, "Nobody else could come.", "没有其他人可以前往。"))
    return lines


def _for_elder(
    why: Explanation,
    can: list[Alternative],
    cannot: list[Alternative],
    language: Language,
) -> list[str]:
    lines = []
    usual = [each for each in cannot if set(each.caregivers) & why.task.preferred]
    if why.task.preferred and set(why.caregivers) <= why.task.preferred:
        lines.append(
            _pick(language, "This is the caregiver you asked for.", "这是您指定的护理员。")
        )
    for each in usual:
        name = _names(each.caregivers, language)
        english, chinese = _BINDING[each.binding or "room"]
        lines.append(
            _pick(
                language,
                f"Your usual caregiver {name} cannot come: {name} {english}.",
                f"您常用的护理员{name}这次来不了：{chinese}。",
            )
        )
    if can:
        minutes = max(0, round((can[0].added.travel if can[0].added else 0) / 60))
        lines.append(
            _pick(
                language,
                f"The next best would travel {minutes} minutes more.",
                f"换成其他人，路上要多花{minutes}分钟。",
            )
        )
    return lines


def _difference(added: Difference, language: Language) -> str:
    terms = [
        _pick(language, f"travel {added.travel:+,}", f"路程{added.travel:+,}"),
    ]
    if added.unpreferred:
        terms.append(
            _pick(
                language,
                f"not preferred {added.unpreferred:+,}",
                f"非常用护理员{added.unpreferred:+,}",
            )
        )
    if added.vendor_share:
        terms.append(
            _pick(
                language, f"fair share {added.vendor_share:+,}", f"公平份额{added.vendor_share:+,}"
            )
        )
    total = _pick(language, f"{added.total:+,} in all", f"合计{added.total:+,}")
    return _pick(language, f"{total} ({', '.join(terms)})", f"{total}（{'，'.join(terms)}）")


def _alternative(each: Alternative, language: Language) -> str:
    name, start = _names(each.caregivers, language), _time(each.start_s or 0)
    cost = _difference(each.added, language) if each.added else ""
    return _pick(
        language,
        f"{name} could come at {start}: {cost} against the plan.",
        f"{name}可在{start}上门：与现计划相比{cost}。",
    )


def _refusal(each: Alternative, language: Language) -> str:
    name = _names(each.caregivers, language)
    english, chinese = _BINDING[each.binding or "room"]
    return _pick(language, f"{name} {english}.", f"{name}：{chinese}。")


def _counts(counts: tuple[tuple[str, int], ...], language: Language) -> str:
    parts = [
        _pick(language, f"{n} {_FILTER[key][0]}", f"{_FILTER[key][1]}{n}人") for key, n in counts
    ]
    return _pick(
        language,
        f"Of all caregivers {', of them '.join(parts)}.",
        f"全部护理员中：{'，其中'.join(parts)}。",
    )


# --- left out ------------------------------------------------------------------------------------


def _left_out(
    why: Explanation, left: Unassigned, language: Language, audience: Audience
) -> list[str]:
    english, chinese = _reason(why, left)
    opening = ("We could not arrange this visit", "很抱歉，这次上门没有安排成")
    if audience != "elder":
        opening = (
            f"Task {left.task} is left out ({left.reason})",
            f"任务{left.task}未派（{left.reason}）",
        )
    lines = [_pick(language, f"{opening[0]}: {english}.", f"{opening[1]}：{chinese}。")]
    if audience == "auditor":
        shown = (*why.counts, ("insertion", left.remaining.insertion))
        lines.append(_counts(shown, language))
    kinds = _CHANGES_FOR.get(audience)
    helping = [each for each in left.would_help if kinds is None or each.change in kinds]
    lines += [_help(each, language) for each in helping]
    if not helping:
        lines.append(
            _pick(
                language,
                "No single change of this kind would make room for it."
                if audience != "elder"
                else "Please call the service line; we will look for another way together.",
                "没有单独一项这类调整可以安排下来。"
                if audience != "elder"
                else "请拨打服务热线，我们一起想别的办法。",
            )
        )
    elif audience == "auditor":
        lines.append(
            _pick(
                language,
                "Each of these changes was tried by itself on this plan.",
                "以上每项调整均已在本计划上单独试算。",
            )
        )
    if audience == "auditor":
        lines += [
            _alternative(each, language) if each.binding is None else _refusal(each, language)
            for each in why.alternatives
        ]
    return lines


def _reason(why: Explanation, left: Unassigned) -> tuple[str, str]:
    """Return why it is left out; not that all are busy where somebody could come after all."""
    can = [each.added.total for each in why.alternatives if each.added is not None]
    if left.reason == "no_room" and can:
        return _TOO_DEAR if min(can) >= why.worth else _NOT_YET
    return _REASON[left.reason]


def _help(each: WouldHelp, language: Language) -> str:
    who = each.caregiver or ""
    texts = {
        "window": lambda: (
            f"If it may start {_span(each.to)} instead of {_span(each.from_)}, {who} can come.",
            f"如果开始时间由{_span(each.from_)}放宽到{_span(each.to)}，{who}可以上门。",
        ),
        "vendor": lambda: (
            f"If {_added(each)} may come as well, {who} can take it.",
            f"如果也可由服务商{_added(each)}上门，{who}可以承接。",
        ),
        "forbidden": lambda: (
            f"If {who} is accepted after all, {who} can come.",
            f"如果愿意接受{who}，{who}可以上门。",
        ),
        "circle_s": lambda: (
            f"With a circle of {each.to} s instead of {each.from_} s, {who} can come.",
            f"如果服务圈由{each.from_}秒放宽到{each.to}秒，{who}可以上门。",
        ),
        "shift": lambda: (
            f"If the shift of {who} is {_span(each.to)} instead of {_span(each.from_)}, {who} can come.",
            f"如果{who}的班次由{_span(each.from_)}改为{_span(each.to)}，可以承接。",
        ),
        "capacity": lambda: (
            f"If {who} can carry {each.to} units instead of {each.from_}, {who} can bring it.",
            f"如果{who}的装载量由{each.from_}份增加到{each.to}份，可以送达。",
        ),
        "ready_s": lambda: (
            f"If the load is ready at {_time(each.to)} instead of {_time(each.from_)}, {who} can bring it.",
            f"如果出餐时间由{_time(each.from_)}提前到{_time(each.to)}，{who}可以送达。",
        ),
        "skill": lambda: (
            f"If {who} is qualified for {_added(each)}, {who} can come.",
            f"如果{who}取得{_added(each)}资质，可以上门。",
        ),
        "extra_caregiver": lambda: (
            f"With one more caregiver of {each.to['vendor']} ({_skills(each)}) it can be served.",
            f"如果服务商{each.to['vendor']}增加一名护理员（{_skills(each)}），可以安排。",
        ),
    }
    english, chinese = texts[each.change]()
    return _pick(language, english, chinese)


def _added(each: WouldHelp) -> str:
    before: list[Any] = each.from_ or []
    return ", ".join(str(item) for item in each.to if item not in before)


def _skills(each: WouldHelp) -> str:
    return ", ".join(each.to["skills"]) or "-"
