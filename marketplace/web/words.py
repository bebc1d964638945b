"""The words of codes: states, roles, programmes, reasons and errors. Sentences live here only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from marketplace.kernel.errors import DomainError
from marketplace.web.formats import clock, is_chinese, minutes, yuan

STATES: dict[str, tuple[str, str, Any]] = {
    "pooled": ("", "idle", _l("Waits for a vendor")),
    "offered": ("info", "route", _l("Offered")),
    "accepted": ("info", "check", _l("Accepted")),
    "assigned": ("info", "route", _l("Planned")),
    "in_service": ("info", "run", _l("Being served")),
    "done": ("wait", "wait", _l("Waits for confirmation")),
    "confirmed": ("ok", "ok", _l("Completed")),
    "disputed": ("stop", "alert", _l("Held for checking")),
    "settled": ("ok", "ok", _l("Settled")),
    "cancelled": ("", "idle", _l("Cancelled")),
    "no_access": ("wait", "home", _l("Nobody opened")),
    "no_show": ("stop", "stop", _l("Helper did not come")),
    "expired": ("", "idle", _l("Lapsed")),
    "invalidated": ("stop", "stop", _l("Voided")),
}
"""State -> tone, icon, word. One word each, no synonyms."""

ROLES: dict[str, Any] = {
    "elder": _l("Elder"),
    "family": _l("Family"),
    "hotline": _l("Hotline operator"),
    "community": _l("Community worker"),
    "vendor": _l("Vendor"),
    "caregiver": _l("Caregiver"),
    "street": _l("Street office"),
    "bureau": _l("Civil affairs"),
    "auditor": _l("Auditor"),
}

LEFT_OUT: dict[str, Any] = {
    "no_skill": _l("Nobody on duty has the skill"),
    "no_caregiver_in_circle": _l("Nobody with the skill is within 15 minutes"),
    "vendor_has_nobody": _l("The chosen vendor has nobody for it"),
    "all_forbidden": _l("The elder refused all who could go"),
    "outside_all_shifts": _l("Outside everybody's shift"),
    "no_crew": _l("Two are needed, only one is free"),
    "load_too_late": _l("The meals are ready too late"),
    "no_room": _l("All who could go are full"),
}
"""Reason of an order left out -> sentence."""

BINDINGS: dict[str, Any] = {
    "skill": _l("lacks the skill"),
    "forbidden": _l("the elder refused"),
    "fixed": _l("the visit is settled on somebody"),
    "vendor": _l("of another vendor"),
    "circle": _l("based more than 15 minutes away"),
    "shift": _l("not on shift then"),
    "work": _l("would work too long"),
    "rest": _l("would lose the rest that is due"),
    "capacity": _l("cannot carry more meals"),
    "load": _l("would bring the meal too late"),
    "window": _l("is busy at the time agreed"),
    "others": _l("only if other visits moved far"),
    "crew": _l("nobody to go with at that time"),
    "room": _l("has no room in the day"),
    "aside": _l("has a day that a change by hand has broken; mend it first"),
    "begun": _l("The visit has begun."),
    "not_accepted": _l("No vendor has accepted the visit yet."),
}
"""The rule that keeps somebody from a visit -> words."""

FILTERS_LEFT: dict[str, Any] = {
    "skill": _l("%(num)s have the skill"),
    "allowed": _l("%(num)s not refused"),
    "vendor": _l("%(num)s of the vendor"),
    "circle": _l("%(num)s within 15 minutes"),
    "shift": _l("%(num)s on shift"),
    "insertion": _l("%(num)s with room"),
}
"""The dispatcher's filters in their order -> how many caregivers each leaves."""

CHANGES: dict[str, Any] = {
    "window": _l("another time"),
    "skill": _l("train one for the skill"),
    "vendor": _l("let another vendor go"),
    "circle_s": _l("let somebody come from farther"),
    "shift": _l("lengthen a shift"),
    "forbidden": _l("ask the elder about a refused helper"),
    "capacity": _l("carry more meals"),
    "ready_s": _l("cook earlier"),
    "extra_caregiver": _l("one more helper"),
}
"""The one change that would place an order left out."""


RELAXED: dict[str, Any] = {
    "crews": _l("that two come at the same time"),
    "hold": _l("waiting with a meal on board"),
    "loads": _l("what is fetched and carried"),
    "work": _l("the daily limit of some"),
    "rest": _l("some rests"),
    "vendor shares": _l("part of the vendors' fair shares"),
}
"""What the proof of a bound leaves aside; the keys stand before the colon in the engine's names."""


def relaxed_words(names: Iterable[str]) -> str:
    """Return what a proof leaves aside, in words, each once."""
    keys = dict.fromkeys(name.partition(":")[0] for name in names)
    return ("、" if is_chinese() else ", ").join(str(RELAXED.get(key, key)) for key in keys)


def remaining_words(remaining: dict[str, Any]) -> str:
    """Return how many caregivers each filter left, up to the one that left none."""
    parts = []
    for name, words in FILTERS_LEFT.items():
        if name not in remaining:
            continue
        parts.append(str(words) % {"num": remaining[name]})
        if not remaining[name]:
            break
    return ("，" if is_chinese() else ", ").join(parts)


def help_words(change: dict[str, Any]) -> str:
    """Return what one change would be, with its new time where it moves the time."""
    name = change.get("change", "")
    words = str(CHANGES.get(name, name))
    to = change.get("to")
    if name in ("window", "shift") and isinstance(to, list | tuple) and len(to) == 2:
        return f"{words} {clock(int(to[0]))}–{clock(int(to[1]))}"
    return words


DECLINE_REASONS: dict[str, Any] = {
    "no_capacity": _l("No one is free"),
    "too_far": _l("Too far"),
    "no_skill": _l("Nobody has the skill"),
    "licence": _l("Our licence does not cover it"),
    "elder_asked_for_another": _l("The elder asked for another vendor"),
    "price": _l("The price does not cover the cost"),
    "other": _l("Another reason"),
}
"""Why a vendor says no; the codes are the workflow's."""

LEAVE_REASONS: dict[str, Any] = {
    "illness": _l("Ill"),
    "leave": _l("On leave"),
    "training": _l("Training"),
    "other": _l("Another reason"),
}
"""Why somebody is away; the codes are the workflow's."""

PASSED_REASONS: dict[str, Any] = {
    "declined": _l("You declined it"),
    "expired": _l("You did not answer in time"),
    "suspended": _l("You were suspended"),
    "category": _l("This kind of service is not registered for you"),
    "district": _l("This district is not registered for you"),
    "licence": _l("The licence for it was missing or had ended"),
    "no_skill": _l("None of your people on duty had the skill"),
    "no_caregiver_in_circle": _l("None of your people was within 15 minutes"),
    "outside_all_shifts": _l("None of your people near was on shift then"),
    "cheaper_elsewhere": _l("Another helper was nearer, known to the elder, or freer then"),
    "below_share": _l("Another vendor was further below its share"),
}
"""Why an order went to another vendor."""

HELD_RULES: dict[str, Any] = {
    "F01": _l("Overlaps another visit of the same helper"),
    "F02": _l("Too far from the visit before for the time between"),
    "F03": _l("The place shown is not the home"),
    "F04": _l("Shorter than the service takes"),
    "F05": _l("Longer than the service takes"),
    "F06": _l("One telephone checked in for two people"),
    "F07": _l("The photo was used before or is of another time"),
    "F09": _l("The elder was not at home in that time"),
    "F10": _l("The elder had another service at the same time"),
    "F11": _l("More work than one person does in a day"),
    "F13": _l("At night"),
    "F14": _l("One telephone stands for many elders"),
    "F15": _l("Helper and elder are kin"),
    "F16": _l("The certificate was missing"),
    "F19": _l("Above the guide price"),
    "F20": _l("The place may have been made up by the telephone"),
    "F21": _l("One of two helpers did not check in"),
    "F22": _l("The elder says that nobody came"),
    "F23": _l("Assessed by the vendor itself"),
    "F24": _l("One visit split into several"),
    "CARD": _l("The card shown is not in order"),
    "PHONE": _l("The call did not come from the elder's telephone"),
    "PAPER": _l("The two who entered the paper read different things"),
    "LATE": _l("Began after the time agreed"),
}
"""The rule of verification that spoke -> what it saw."""

STATEMENT_STEPS: dict[str, Any] = {
    "issued": _l("waits for your signature"),
    "vendor_confirmed": _l("with the street office"),
    "street_checked": _l("with civil affairs"),
    "county_approved": _l("waits to be paid"),
    "released": _l("paid"),
}
"""How far a statement has come."""

SKILLS: dict[str, Any] = {
    "MEAL": _l("Health certificate"),
    "COOK": _l("Cook"),
    "GEN": _l("Home helper"),
    "CARE5": _l("Carer, grade five"),
    "CARE4": _l("Carer, grade four"),
    "CARE3": _l("Carer, grade three"),
    "BATH": _l("Bath training"),
    "NURSE": _l("Nurse"),
    "DOC": _l("Doctor"),
    "TCM": _l("Chinese medicine"),
    "PHARM": _l("Pharmacist"),
    "REHAB": _l("Rehabilitation"),
    "NUTR": _l("Nutrition"),
    "PSY": _l("Counselling"),
    "SW": _l("Social worker"),
    "COMP": _l("Companion"),
    "EDU": _l("Teacher"),
    "LAW": _l("Legal advice"),
    "CALL": _l("Call agent"),
    "ESCORT": _l("Escort"),
    "DRIVER": _l("Driver"),
    "TECH": _l("Devices"),
    "FIT": _l("Fitter"),
    "ELEC": _l("Electrician"),
    "PLUMB": _l("Plumber"),
    "GAS": _l("Gas fitter"),
    "APPL": _l("Appliances"),
    "PEST": _l("Pest control"),
    "LOCK": _l("Locksmith"),
    "BARBER": _l("Barber"),
    "PEDI": _l("Foot care"),
    "ASSESS": _l("Assessor"),
}
"""Skill code -> its name; a licence stands under its own Chinese name."""


def skill_word(code: str) -> str:
    """Return the name of a skill, or the text itself for a licence."""
    return str(SKILLS.get(code, code))


CATEGORY_ICONS = {
    "ZC": "meal",
    "ZY": "bath",
    "ZJ": "clean",
    "YL": "medical",
    "ZX": "walk",
    "JJ": "alert",
    "ZL": "chat",
    "DB": "basket",
    "HL": "users",
    "KF": "good",
    "SG": "home",
}
"""Category code -> icon."""

TASKS: dict[str, list[Any]] = {
    "ZC": [_l("Hand the meal to the person"), _l("Say by when it must be eaten")],
    "ZY": [
        _l("Blood pressure and temperature before the bath"),
        _l("Water at 38 to 40 degrees"),
        _l("Look at the skin, say what is new"),
        _l("Floor dry, elder dressed and warm"),
    ],
    "ZJ": [
        _l("Floors swept and mopped"),
        _l("Bathroom mat rinsed"),
        _l("Stove wiped clean"),
        _l("Look at the pill box: taken today?"),
    ],
    "": [
        _l("Did what was ordered"),
        _l("Look at the pill box: taken today?"),
        _l("Say when the next visit is"),
    ],
}
"""Category code -> what is ticked off at the door; the empty code is for all others."""

WITHDRAW_WORDS: dict[str, Any] = {
    "ill": _l("I am ill or hurt"),
    "late": _l("I am stuck at the home before"),
    "vehicle": _l("bicycle or car broken"),
    "family": _l("something at home"),
    "unsafe": _l("it is not safe there"),
    "other": _l("another reason"),
}
"""Why a caregiver cannot make a visit; the codes are the workflow's."""

RULES: dict[str, Any] = {
    "F01": _l("two visits at one time"),
    "F02": _l("two homes too far apart for the time between"),
    "F03": _l("checked in away from the home"),
    "F04": _l("much shorter than the standard"),
    "F05": _l("longer than the standard, paid up to it"),
    "F06": _l("the phone belongs to another"),
    "F07": _l("the photo was seen before"),
    "F09": _l("the elder was away by the register"),
    "F10": _l("the elder had another visit then"),
    "F11": _l("more hours than a day has"),
    "F13": _l("in the middle of the night"),
    "F15": _l("a relative without approval"),
    "F16": _l("the certificate was missing"),
    "F19": _l("dearer than the guide price, trimmed to it"),
    "F20": _l("the same spot to the metre again and again"),
    "F21": _l("one of two did not check in"),
    "F22": _l("the elder says that nobody came"),
    "F24": _l("the same service twice"),
}
"""Rule of the checks -> what it found, as a fact and not a verdict."""


def rule_word(code: str) -> str:
    """Return what a rule found, or its number."""
    return str(RULES.get(code, code))


FACTS: dict[str, Any] = {
    "age": _l("age"),
    "hukou_local": _l("household registered here"),
    "at_home": _l("lives at home"),
    "income_class": _l("income class"),
    "lives_alone": _l("lives alone"),
    "special": _l("special group"),
    "level": _l("ability level"),
    "status": _l("state in the register"),
    "address": _l("address"),
}
"""Fact of an elder that programmes ask for -> its name."""

FACT_VALUES: dict[str, Any] = {
    "yes": _l("yes"),
    "no": _l("no"),
    "True": _l("yes"),
    "False": _l("no"),
    "Y": _l("yes"),
    "N": _l("no"),
    "?": _l("not known"),
    "none": _l("none"),
    "tekun": _l("destitute"),
    "dibao": _l("minimum living allowance"),
    "dibao_edge": _l("just above the allowance"),
    "low": _l("low income"),
    "ordinary": _l("ordinary"),
    "tefu": _l("family-planning hardship"),
    "youfu": _l("veterans and families"),
    "severe_disability": _l("severe disability"),
    "jizhong": _l("central care grant"),
    "tisheng": _l("upgrade programme"),
    "ltci": _l("care insurance in payment"),
    "tekun_agreement": _l("care agreement for the destitute"),
    "bed": _l("care bed at home"),
    "active": _l("in the register"),
    "away": _l("away"),
    "moved": _l("moved away"),
    "dead": _l("deceased"),
}

WANTED: dict[str, Any] = {
    "at_least": _l("%(value)s or more"),
    "at_most": _l("%(value)s or less"),
    "is": _l("must be: %(value)s"),
    "is_not": _l("must not be: %(value)s"),
    "one_of": _l("one of: %(value)s"),
    "has_any": _l("any of: %(value)s"),
    "has_none": _l("none of: %(value)s"),
}
"""Test of a rule -> how it is said."""


def wanted_words(text: str) -> str:
    """Return a rule's test in words: ``at_least 60`` -> 60 or more."""
    operator, _space, value = text.partition(" ")
    if operator not in WANTED:
        return text
    return str(WANTED[operator]) % {"value": fact_value(value)}


def cause_word(code: str) -> str:
    """Return what would change an elder's rights: another ability level, a birthday, an end."""
    if code.startswith("level_"):
        return _("ability level %(level)s", level=code.removeprefix("level_"))
    return str(CAUSES.get(code, code))


CAUSES: dict[str, Any] = {
    "birthday": _l("birthday"),
    "no_assessment": _l("the assessment ends"),
}


def fact_value(text: str) -> str:
    """Return a fact's value in words where it is a code."""
    codes = text.split(", ") if ", " in text else text.split(",")
    parts = [str(FACT_VALUES.get(p, p)) for p in codes]
    return ("、" if is_chinese() else ", ").join(parts)


PAPERS: dict[str, Any] = {
    "ability_assessment": _l("an ability assessment"),
    "income_statement": _l("the income statement"),
    "household_register": _l("the household register"),
    "identity_card": _l("the identity card"),
    "community_statement": _l("a statement of the community"),
    "group_certificate": _l("the certificate of the group"),
    "discharge_paper": _l("the discharge paper"),
}
"""What a person brings when a fact is not on file."""

STEP_WORDS: dict[str, Any] = {
    "issued": _l("Issued"),
    "vendor_confirmed": _l("Confirmed by the vendor"),
    "street_checked": _l("Checked by the street"),
    "county_approved": _l("Approved by the county"),
    "released": _l("Released and paid"),
}
"""How far a statement has come."""

HELD_REASONS: dict[str, Any] = {
    "visit_missing": _l("no visit stands behind it"),
    "elder_differs": _l("the visit was at another elder's"),
    "vendor_differs": _l("another vendor made the visit"),
    "amount_differs": _l("the sums differ"),
    "visit_not_verified": _l("the visit is held for checking"),
    "not_confirmed": _l("nobody has confirmed it yet"),
    "still_in_service": _l("the visit is not checked out"),
    "disputed": _l("a person has not decided yet"),
}
"""Why a closing left a work order out; codes without a word stand as they are."""

PURPOSES: dict[str, tuple[Any, Any]] = {
    "service": (_l("Being served"), _l("without it nothing new is ordered")),
    "family_view": (_l("Relatives may look in"), _l("without it they see nothing")),
    "photo": (_l("Photos of the work"), _l("without it none is kept")),
    "hotline_recording": (
        _l("A recorded call counts as a word"),
        _l("without it a call confirms nothing"),
    ),
    "kin_care": (_l("A relative may be paid for care"), _l("civil affairs must agree too")),
}
"""Purpose of a consent -> its name, and what ends without it."""

FILE_PARTS: dict[str, Any] = {
    "file": _l("the file"),
    "visit": _l("a visit"),
    "money": _l("vouchers and money"),
    "photo": _l("a photo"),
    "as_of": _l("the file of an earlier day"),
    "id_number": _l("the identity number in full"),
}
"""Part of a file that somebody looked at -> words."""

MOVE_OUTCOMES: dict[str, Any] = {
    "offered": _l("offered to another vendor"),
    "pooled": _l("left to the day's plan"),
    "stuck": _l("could not be moved"),
}
"""What became of a suspended vendor's visit."""

NOT_MOVED: dict[str, Any] = {
    "in_service": _l("it has begun"),
    "window_passed": _l("its time has passed"),
    "its_site": _l("it is given at the vendor's own place"),
    "asked_enough": _l("enough vendors were asked"),
    "no_vendor": _l("no other vendor is there"),
    "capacity": _l("the others are full"),
    "credit": _l("the others have too little credit"),
    "asked_already": _l("the others were asked already"),
    "licence": _l("the others lack the licence"),
    "district": _l("no other vendor serves the district"),
    "category": _l("no other vendor offers the service"),
    "suspended": _l("the others are suspended"),
}
"""Why a visit stayed where it was; codes without a word stand as they are."""

LINE_KINDS: dict[str, Any] = {
    "visit": _l("Service"),
    "fee": _l("Fee"),
    "reversal": _l("Taken back"),
}
"""What a line of a statement is."""

OWN_MONEY = _l("Own money")
"""What the elder pays, to everybody but the elder."""

UNITS: dict[str, Any] = {
    "餐": _l("meal"),
    "次": _l("visit"),
    "小时": _l("hour"),
    "天": _l("day"),
    "月": _l("month"),
    "班": _l("shift"),
    "晚": _l("night"),
    "件": _l("piece"),
    "平方米": _l("square metre"),
    "米": _l("metre"),
    "套": _l("set"),
    "份": _l("portion"),
    "户": _l("home"),
    "项": _l("item"),
}

PAYERS: dict[str, tuple[str, Any]] = {
    "OWN": ("own", _l("You pay")),
    "government": ("gov", _l("The government pays")),
    "LV": ("local", _l("Care voucher")),
    "MEAL": ("local", _l("Meal subsidy")),
    "NV": ("nation", _l("National voucher")),
    "GP": ("gov", _l("Government hours")),
    "LTCI": ("gov", _l("Care insurance")),
    "TQ": ("gov", _l("Care agreement")),
    "ADAPT": ("gov", _l("Home adaptation grant")),
    "BED": ("gov", _l("Care bed grant")),
    "CHAR": ("gift", _l("Charity purse")),
    "TB": ("gift", _l("Mutual-help hours")),
}
"""Programme (or its class) -> colour of the payer and its short name."""


def programme_word(code: str) -> str:
    """Return the short name of a programme."""
    known = PAYERS.get(code) or PAYERS.get(code.partition("-")[0])
    return str(known[1]) if known else code


MOVEMENTS: dict[str, Any] = {
    "granted": _l("granted"),
    "own_money": _l("your own money, put in"),
    "gift": _l("a gift"),
    "given_back": _l("came back"),
    "used": _l("used"),
    "held": _l("held for a visit to come"),
    "lapsed": _l("lapsed at its end"),
    "given_away": _l("given to a relative"),
    "for_a_day": _l("set aside for one day"),
    "other": _l("corrected"),
}
"""What a movement of a purse is -> word."""


@dataclass(frozen=True, slots=True)
class PayLine:
    """One payer as the split shows it; own money comes last."""

    payer: str
    word: str
    fen: int
    note: str


def pay_lines(
    shares: Iterable[Any], left_after: Mapping[str, int], *, own: Any = None
) -> list[PayLine]:
    """Return who pays what, in the order of the split, with what remains where that is known.

    ``own``: what own money is called where the reader is not the elder.
    """
    to_elder = own is None
    own = programme_word("OWN") if to_elder else str(own)
    lines = []
    for share in shares:
        code = share.programme_code
        colour = (PAYERS.get(code) or PAYERS.get(code.partition("-")[0]) or ("gov", ""))[0]
        note = ""
        if share.minutes:
            note = _("%(span)s of your hours", span=minutes(share.minutes))
            if not to_elder:
                note = _("%(span)s of hours", span=minutes(share.minutes))
        elif code in left_after:
            note = _("%(sum)s left after it", sum=yuan(left_after[code]))
        elif code == "OWN":
            note = _("paid after the visit")
        word = own if code == "OWN" else programme_word(code)
        lines.append(PayLine(colour, word, share.fen, note))
    if lines and lines[-1].payer != "own":
        lines.append(PayLine("own", own, 0, ""))
    return lines


def unit_word(unit: str) -> str:
    """Return a billing unit in the reader's language."""
    return unit if is_chinese() else str(UNITS.get(unit, unit))


ACCOUNTS: dict[str, Any] = {
    "treasury": _l("Treasury"),
    "budget": _l("Budget"),
    "fund": _l("Fund behind the hours"),
    "mint": _l("Hours granted"),
    "outside": _l("Outside payer"),
    "entitlement": _l("The elder's grant"),
    "ent": _l("The elder's grant"),
    "day": _l("The day's part of a grant"),
    "owed": _l("The elder's own money"),
    "promised": _l("Held for who serves"),
    "served": _l("Hours given"),
    "due": _l("Due to the vendor"),
    "bank": _l("Bank"),
    "gift": _l("Charity"),
}
"""First part of a ledger account's id -> what it stands for."""


def account_word(account: str) -> str:
    """Return what a ledger account stands for, with its programme where it names one."""
    kind, _colon, rest = account.partition(":")
    parts = [p for p in rest.split(":") if p in PAYERS or p.partition("-")[0] in PAYERS]
    word = str(ACCOUNTS.get(kind, kind))
    programmes = [programme_word(p) for p in parts if p != "OWN"]
    return f"{word} · {programmes[0]}" if programmes else word


ENTRY_KINDS: dict[str, Any] = {
    "pending": _l("Held"),
    "post": _l("Taken"),
    "void": _l("Given back"),
    "expire": _l("Lapsed in the ledger"),
    "direct": _l("Moved"),
    "reversal": _l("Reversed"),
}

CHECKS: dict[str, Any] = {
    "shares_make_the_price": _l("The shares add up to the price"),
    "resolved_once": _l("Each hold was resolved once"),
    "not_more_than_the_price": _l("No more was taken than the price"),
    "line_adds_up": _l("The line adds up to its total"),
    "no_overlap": _l("The helper was nowhere else meanwhile"),
}

MONEY_STATES: dict[str, Any] = {
    "expected": _l("Promised: held when the month's grants are out."),
    "held": _l("Held: nothing is taken before the visit."),
    "captured": _l("Taken after the visit."),
    "released": _l("Given back."),
    "reversed": _l("Taken back and corrected."),
}

CALL_REASONS: dict[str, Any] = {
    "first_visit": _l("first visit"),
    "bath": _l("a bath"),
    "emergency": _l("an emergency"),
    "nobody_confirmed": _l("nobody confirmed it, no photo"),
    "sample": _l("one in ten"),
    "silent": _l("80, alone, silent for a week"),
    "shut_door": _l("did not open the door"),
    "shut_twice": _l("did not open twice in a row"),
    "looked_in": _l("somebody was sent: what did they find?"),
    "denied": _l("says that nobody came"),
    "not_satisfied": _l("not satisfied"),
    "asked": _l("asked to be rung back"),
    "papers": _l("something is missing for a programme"),
    "quality": _l("work not done well"),
    "late": _l("late or did not come"),
    "attitude": _l("manners"),
    "money": _l("money"),
    "safety": _l("hurt or in danger"),
    "theft": _l("something is missing"),
    "other": _l("something else"),
}
"""Why a call is owed -> words."""

COMPLAINTS: dict[str, Any] = {
    code: CALL_REASONS[code]
    for code in ("quality", "late", "attitude", "money", "safety", "theft", "other")
}
"""What may be complained of; the codes are the workflow's."""

POWERS: dict[str, Any] = {
    "see_visits": _l("see who comes and when"),
    "order": _l("order for the parent"),
    "cancel": _l("change and cancel"),
    "see_money": _l("see vouchers and bills"),
}
"""What a parent may allow a child."""

CALLER_FIELDS: dict[str, Any] = {
    "phone": _l("That number does not fit, or is known under this name already."),
    "name": _l("Write the whole name, as on the identity card."),
    "address": _l("Begin with district, town and community; choose one of the list."),
    "born_year": _l("Four digits, for example 1942."),
    "consent": _l("Read the sentence out and tick it when the caller says yes."),
}
"""Field of a new caller -> what would fit."""

PAPER_READ: dict[str, Any] = {
    "slip_no": _l("the slip's number"),
    "caregiver_ids": _l("who came"),
    "began_at": _l("the beginning"),
    "ended_at": _l("the end"),
    "signed_by": _l("who signed"),
}
"""What is read on a paper slip -> its name where two readings differ."""

PAPER_PROBLEMS: dict[str, Any] = {
    "slip_no": _l("Type the number that is printed on the slip: letters, digits, dot and dash."),
    "caregiver_ids": _l("Choose each helper who came, nobody twice."),
    "began_at": _l(
        "Write the beginning as 9:30. A slip is entered within three days of the visit."
    ),
    "ended_at": _l("Write the end as 10:30, after the beginning and not ahead of now."),
    "signed_by": _l("Choose who signed the slip."),
    "too_early": _l(
        "The beginning lies more than 30 minutes before the time agreed. Look at the slip again."
    ),
    "caregiver_cannot_serve": _l("This helper was not planned for the visit or has left."),
}
"""Field of a slip, or code of its refusal -> what would fit."""

SIGNERS: dict[str, Any] = {
    "elder": _l("the elder"),
    "family": _l("a relative"),
    "mark": _l("the elder's fingerprint or seal"),
}
"""Who signed a paper slip."""

CHANNELS: dict[str, Any] = {
    "plan": _l("from the standing plan"),
    "hotline": _l("by the hotline"),
    "web": _l("on the web"),
    "community": _l("by the community"),
    "app": _l("on the phone"),
    "terminal": _l("at a terminal"),
    "sos": _l("by the alarm button"),
    "site": _l("at the centre"),
    "import": _l("from the bureau's register"),
    "api": _l("by another system"),
}

PROOFS: dict[str, Any] = {
    "check_in": _l("Checked in"),
    "check_out": _l("Checked out"),
    "photo": _l("Photo"),
    "correction": _l("Correction"),
}

METHODS: dict[str, Any] = {
    "home_code": _l("with the home's code"),
    "card": _l("with the card"),
    "nfc": _l("with the door tag"),
    "gps": _l("by place"),
    "gps_photo": _l("by place and photo"),
    "landline": _l("from the home's telephone"),
    "paper": _l("on paper"),
    "manual": _l("by hand"),
}


def proof_word(kind: str, method: str) -> str:
    """Return one piece of evidence in words: checked in with the home's code."""
    return f"{PROOFS.get(kind, kind)}{'，' if is_chinese() else ' '}{METHODS.get(method, method)}"


_NOTHING_MOVED = _l("Nothing was redeemed. 12349 has been told and rings you; you may ring first.")

CARD_REFUSED: dict[str, tuple[Any, Any]] = {
    "revoked": (_l("This card was taken out of use"), _NOTHING_MOVED),
    "expired": (_l("This card or sheet has run out"), _NOTHING_MOVED),
    "used": (
        _l("This code was used before"),
        _l("Nothing was redeemed. Read the next code of the sheet; none left: ring 12349."),
    ),
    "nothing_booked": (
        _l("Nothing is booked here today on this card"),
        _l("Nothing was redeemed. Ask where and when it was ordered, or ring 12349."),
    ),
    "already_taken": (
        _l("Already taken today"),
        _l("Nothing was paid twice. Hand out no second one; if it was not taken, ring 12349."),
    ),
    "just_begun": (
        _l("Read a moment ago, it has begun"),
        _l("Read the card again when the service ends."),
    ),
    "card_unknown": (
        _l("Nobody was given this card or code"),
        _l("Nothing was redeemed. Read it once more, or type what is printed on it."),
    ),
    "misread": (
        _l("One digit of the code is wrong"),
        _l("Nothing was redeemed. Type the ten digits once more as they are printed."),
    ),
    "crew": (
        _l("Another number of helpers serves this"),
        _l("Nothing was redeemed. Name the second helper, or leave that empty, and read it again."),
    ),
    "caregiver_cannot_serve": (
        _l("The helper chosen here cannot serve this"),
        _l("Nothing was redeemed. Choose another helper above and read it again."),
    ),
    "": (
        _l("Not redeemed"),
        _l("Nothing was redeemed. Try once more, or ring 12349."),
    ),
}
"""Why a card read at a site moved nothing -> what is said in large, and what to do."""


def card_word(why: str) -> str:
    """Return why a card was refused at a site, in short."""
    return str(CARD_REFUSED.get(why, CARD_REFUSED[""])[0])


ERRORS: dict[str, Any] = {
    "not_found": _l("There is no such thing, or it is not yours to see."),
    "not_allowed": _l("Your role does not allow this."),
    "second_person_needed": _l(
        "You entered this yourself. A second person does this step: hand it to a colleague."
    ),
    "conflict": _l("Somebody else changed this first. Load the page again."),
    "wrong_state": _l("This order has moved on in the meantime. Load the page again."),
    "key_reused": _l("This was sent before with other content. Load the page again."),
    "window_passed": _l("That time has passed. Choose a later one."),
    "elder_not_served": _l("The register says that the elder is away. Ring 12349."),
    "contraindicated": _l("That would not be safe at that time. Choose another time or service."),
    "vendor_cannot_serve": _l("This vendor cannot serve it. Let the platform choose."),
    "caregiver_cannot_serve": _l("This helper cannot serve it. Let the platform choose."),
    "site_needed": _l("Choose at which centre."),
    "no_dates": _l("The rule gives no date ahead."),
    "service_not_in_force": _l("This service is not offered on that day."),
    "move_breaks_rule": _l(
        "The checker found that this would break a rule of somebody's day. Nothing was changed."
    ),
    "visit_moved": _l(
        "Somebody else changed one of these visits meanwhile. Nothing was changed; look again."
    ),
    "slot_gone": _l(
        "That time has just gone to somebody else. Here are the times that are free now."
    ),
    "offer_expired": _l("The time to answer has passed; another vendor has been asked."),
    "entitlement_too_small": _l("Somebody used the voucher a moment ago. Look at the price again."),
    "budget_too_small": _l(
        "The programme's money for this year is used up. Look at the price again."
    ),
    "code_wrong": _l("These six digits are not this home's. Ask again, they change."),
    "card_taken": _l("This card is bound already. Take it out of use first."),
    "card_unknown": _l("Nobody was given this card or code. Read it once more."),
    "slip_used": _l("This paper's number stands for another visit."),
    "too_early": _l("It is too early to check in. From 30 minutes before the visit on it works."),
    "too_soon": _l("The helper may still come. Report it half an hour after the latest start."),
    "wait_at_the_door": _l("Wait ten minutes at the door, then report that nobody opened."),
    "date_taken": _l("On that day it is ordered already."),
    "capture_too_late": _l("That month's money is closed; it goes into a correction."),
    "catalogue_file_bad": _l("The catalogue's file has a bad row; nothing was published."),
    "catalogue_unsound": _l("The catalogue did not pass its check; nothing was published."),
    "changed_meanwhile": _l("Orders moved while the month was closing. Close it again."),
    "hold_gone": _l("What was held has been taken or given back already."),
    "hold_missing": _l("The month's grants are not out, so nothing is held yet."),
    "id_taken": _l("This number stands for something else. Load the page again."),
    "period_open": _l("The month has not ended yet."),
    "sample_open": _l("Check every sampled visit first, and reverse the doubtful ones."),
    "notice_runs": _l("The public notice has not ended yet. Release it afterwards."),
    "not_sealed": _l("The ledger is not sealed that far yet. Seal it, then try again."),
    "no_printer": _l("This machine cannot print PDF. Use the printable page."),
    "unknown_programme": _l("No such programme is in force on that day."),
    "plan_broken": _l("The checker found a broken rule, so the plan was not written."),
    "not_entitled": _l("The programme's rules do not cover this person."),
    "granted_before": _l("This home had the grant already; its years are not over."),
    "hours_capped": _l("One person may not keep more hours than that."),
    "no_hours": _l("There are no hours to give."),
    "package_not_delivered": _l(
        "The month's package had too few visits; it is not paid without a person's decision."
    ),
    "change_refused": _l("The programme's file cannot be taken: %(problem)s"),
    "change_outdated": _l("The programme changed since this was proposed. Propose it again."),
    "outside_away": _l(
        "The outside payer %(programme_code)s cannot be asked now. Nothing was granted; try again later."
    ),
    "preview_outdated": _l("Facts changed since the preview. Look at it again."),
    "register_changed": _l("Somebody wrote the same register meanwhile. Load the file again."),
    "sign_in_refused": _l("Name, password or code does not fit."),
    "second_factor_missing": _l(
        "This account needs a code from an app. Sign in once in a browser and set it up there."
    ),
    "version_is_published": _l("A published version does not change; give the change a new date."),
    "photo_forbidden": _l("Nobody is photographed while being washed or cared for."),
    "correction_waits": _l("A correction of this visit waits for its decision already."),
    "link_code_wrong": _l("This code is not good: mistyped, used, or older than half an hour."),
    "already_linked": _l("This account is linked to this elder already."),
    "bad_input": _l("One answer does not fit. Look at the marked line."),
}
"""Error code -> sentence. Facts of the error may be named as ``%(fact)s``."""

_UNKNOWN = _l("This could not be done. Nothing was changed, no money and no voucher was moved.")


def error_sentence(error: DomainError) -> str:
    """Return the sentence for a refusal, with its facts filled in."""
    sentence = str(ERRORS.get(error.code, _UNKNOWN))
    try:
        return sentence % error.facts if "%(" in sentence else sentence
    except (KeyError, TypeError, ValueError):
        return str(_UNKNOWN)
