"""The dates of a recurring order: RFC 5545 rules, the Chinese calendar, short months. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import chinese_calendar
import holidays
from dateutil.rrule import rrule, rrulestr

from marketplace.kernel.errors import BadInput

HORIZON_DAYS = 800
"""How far ahead a rule is looked at: two years and a 29 February."""

_KEYS = frozenset({"FREQ", "INTERVAL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "COUNT"})
_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One date of a rule; ``holiday`` names the public holiday on which it is left out."""

    on: date
    holiday: str | None = None


@dataclass(frozen=True, slots=True)
class Recurrence:
    """When an order repeats. ``rule`` is an RFC 5545 rule without DTSTART and UNTIL."""

    rule: str
    starts_on: date
    ends_on: date | None = None
    skip_holidays: bool = False


def check_rule(rule: str) -> str:
    """Return the rule in its canonical spelling; raises ``BadInput`` with what would be right."""
    text = rule.strip().upper().removeprefix("RRULE:")
    parts: dict[str, str] = {}
    for part in text.split(";"):
        key, found, value = part.partition("=")
        if not found or key not in _KEYS or key in parts or not value:
            raise _bad(rule, f"parts of {', '.join(sorted(_KEYS))}, each once")
        parts[key] = value
    if parts.get("FREQ") not in _FREQUENCIES:
        raise _bad(rule, f"FREQ= one of {', '.join(sorted(_FREQUENCIES))}")
    for key, most in (("INTERVAL", 366), ("COUNT", 1000)):
        if key in parts and not (parts[key].isdigit() and 1 <= int(parts[key]) <= most):
            raise _bad(rule, f"{key}= 1 to {most}")
    if "BYDAY" in parts and not re.fullmatch(
        r"([+-]?[1-5])?(MO|TU|WE|TH|FR|SA|SU)(,([+-]?[1-5])?(MO|TU|WE|TH|FR|SA|SU))*",
        parts["BYDAY"],
    ):
        raise _bad(rule, "BYDAY= days such as MO,TH or 1MO")
    for key, most in (("BYMONTHDAY", 31), ("BYMONTH", 12), ("BYSETPOS", 366)):
        for number in parts.get(key, "1").split(","):
            if not re.fullmatch(r"[+-]?\d{1,3}", number) or not 1 <= abs(int(number)) <= most:
                raise _bad(rule, f"{key}= numbers of 1 to {most}")
    canonical = ";".join(f"{k}={parts[k]}" for k in sorted(parts, key=_order))
    try:
        rrulestr(canonical, dtstart=_midnight(date(2026, 1, 1)))
    except (ValueError, TypeError, OverflowError) as exc:
        raise _bad(rule, "a rule such as FREQ=WEEKLY;BYDAY=MO,TH") from exc
    return canonical


def _order(key: str) -> tuple[bool, str]:
    return key != "FREQ", key


def _bad(rule: str, expected: str) -> BadInput:
    return BadInput(field="rrule", value=rule[:200], expected=expected)


def holiday_name(day: date) -> str | None:
    """Return the English name of the public holiday on a day, or ``None``.

    The State Council's calendar, with its moved days, up to the last year that has been announced;
    beyond it the statutory days only.
    """
    try:
        is_off, name = chinese_calendar.get_holiday_detail(day)
    except NotImplementedError:
        return _statutory(day.year).get(day)
    return name if is_off else None


@lru_cache(maxsize=8)
def _statutory(year: int) -> dict[date, str]:
    return dict(holidays.country_holidays("CN", years=year, language="en_US").items())


def occurrences(
    plan: Recurrence, *, after: date, until: date | None = None
) -> Iterator[Occurrence]:
    """Yield the rule's dates later than ``after``, in order, holidays marked, none past ``until``.

    A monthly plan that begins on the 29th to 31st falls on the last day of a shorter month, and a
    yearly one of 29 February on the 28th: an elder who is bathed "every month" is not left out.
    """
    last = after + timedelta(days=HORIZON_DAYS)
    for bound in (plan.ends_on, until):
        last = min(last, bound) if bound else last
    if last < plan.starts_on:
        return
    for at in _rule(plan, last):
        on = at.date()
        if on > after:
            yield Occurrence(on, holiday_name(on) if plan.skip_holidays else None)


def _rule(plan: Recurrence, last: date) -> rrule:
    text = _keep_short_months(plan.rule, plan.starts_on)
    return rrulestr(text, dtstart=_midnight(plan.starts_on)).replace(until=_midnight(last))


def _midnight(day: date) -> datetime:
    # Whole days only: the zone is of no account, and UTC has no gaps in it.
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _keep_short_months(rule: str, starts_on: date) -> str:
    """Let a plan of the 29th to 31st fall on the last day of a shorter month."""
    parts = dict(p.split("=") for p in rule.split(";"))
    if parts.keys() & {"BYDAY", "BYSETPOS"}:
        return rule
    monthly = parts["FREQ"] == "MONTHLY"
    yearly = parts["FREQ"] == "YEARLY" and "BYMONTH" not in parts and "BYMONTHDAY" not in parts
    day_text = parts.get("BYMONTHDAY", str(starts_on.day))
    if not (monthly or yearly) or not day_text.isdigit() or int(day_text) <= 28:
        return rule
    days = ",".join(str(d) for d in range(28, int(day_text) + 1))
    kept = {**parts, "BYMONTHDAY": days, "BYSETPOS": "-1"}
    if yearly:
        kept["BYMONTH"] = str(starts_on.month)
    return ";".join(f"{k}={v}" for k, v in kept.items())


def dates(plan: Recurrence, *, after: date, until: date) -> list[date]:
    """Return the dates to serve in (``after``, ``until``], holidays left out where the plan says so."""
    return [o.on for o in occurrences(plan, after=after, until=until) if o.holiday is None]


def preview(plan: Recurrence, *, after: date, count: int = 10) -> list[Occurrence]:
    """Return the next dates up to the ``count``-th served one, with the holidays skipped between."""
    shown: list[Occurrence] = []
    served = 0
    for each in occurrences(plan, after=after):
        shown.append(each)
        served += each.holiday is None
        if served == count:
            break
    return shown
