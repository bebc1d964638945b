"""The dates of a recurring order: RFC 5545 rules, the Chinese calendar, short months. Pure."""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import chinese_calendar
import holidays
from dateutil.rrule import rrulestr

from marketplace.kernel.errors import BadInput

HORIZON_DAYS = 800
"""How far ahead a rule is looked at: two years and a 29 February."""

_KEYS = frozenset({"FREQ", "INTERVAL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "COUNT"})
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
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
    A rule that never comes yields nothing, as soon as the days up to the horizon are looked at.
    """
    last = after + timedelta(days=HORIZON_DAYS)
    for bound in (plan.ends_on, until):
        last = min(last, bound) if bound else last
    if last < plan.starts_on:
        return
    for on in _days(plan, last):
        if on > after:
            yield Occurrence(on, holiday_name(on) if plan.skip_holidays else None)


def _days(plan: Recurrence, last: date) -> Iterator[date]:
    """Yield the rule's dates up to ``last``, in order, and look no further than that.

    ``dateutil`` gives the same dates but searches for one that never comes up to the year 9999.
    """
    parts = dict(p.split("=") for p in _keep_short_months(plan.rule, plan.starts_on).split(";"))
    chosen = _Chosen.of(parts, plan.starts_on)
    left = int(parts["COUNT"]) if "COUNT" in parts else None
    for period in _periods(parts["FREQ"], int(parts.get("INTERVAL", 1)), plan.starts_on, last):
        for day in chosen.among(period):
            if day > last or left == 0:
                return
            if day >= plan.starts_on:
                left = None if left is None else left - 1
                yield day


def _periods(freq: str, every: int, first: date, last: date) -> Iterator[list[date]]:
    """Yield the days of each period that a rule looks at: whole months and years, weeks from Monday.

    The first week begins with the first day itself, as RFC 5545 counts it.
    """
    at = first
    while at <= last:
        if freq == "YEARLY":
            begins, ends = date(at.year, 1, 1), date(at.year, 12, 31)
        elif freq == "MONTHLY":
            begins, ends = at.replace(day=1), at.replace(day=monthrange(at.year, at.month)[1])
        else:
            begins = at
            ends = at + timedelta(days=6 - at.weekday()) if freq == "WEEKLY" else at
        yield [begins + timedelta(days=n) for n in range((ends - begins).days + 1)]
        try:
            at = _following(freq, every, at)
        except (ValueError, OverflowError):
            return  # The calendar ends before the rule does.


def _following(freq: str, every: int, at: date) -> date:
    """Return the first day of the next period; raises past the year 9999."""
    if freq == "YEARLY":
        return date(at.year + every, 1, 1)
    if freq == "MONTHLY":
        months = at.year * 12 + at.month - 1 + every
        return date(months // 12, months % 12 + 1, 1)
    if freq == "WEEKLY":
        return at + timedelta(days=7 * every - at.weekday())
    return at + timedelta(days=every)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Which days of a period a rule takes: the parts of its ``BY...``, empty where it says nothing.

    ``nth``: weekdays counted in the month, or in the year where ``in_year``; (0, -1) is the last Monday.
    """

    months: frozenset[int]
    monthdays: frozenset[int]
    weekdays: frozenset[int]
    nth: frozenset[tuple[int, int]]
    in_year: bool
    positions: tuple[int, ...]

    @classmethod
    def of(cls, parts: Mapping[str, str], starts_on: date) -> _Chosen:
        """Read the parts; what a rule leaves open is as on its first day."""
        freq = parts["FREQ"]
        months, monthdays = (_numbers(parts, k) for k in ("BYMONTH", "BYMONTHDAY"))
        days = [_weekday(d) for d in parts["BYDAY"].split(",")] if "BYDAY" in parts else []
        # Only months and years have a first or last Monday; in weeks and days it is any Monday.
        counts = freq in ("MONTHLY", "YEARLY")
        weekdays = frozenset(d for d, n in days if n == 0 or not counts)
        nth = frozenset((d, n) for d, n in days if n != 0 and counts)
        if not days and not monthdays:
            if freq == "WEEKLY":
                weekdays = frozenset({starts_on.weekday()})
            elif counts:
                monthdays = frozenset({starts_on.day})
                if freq == "YEARLY":
                    months = months or frozenset({starts_on.month})
        in_year = freq == "YEARLY" and not months
        positions = tuple(_numbers(parts, "BYSETPOS"))
        return cls(months, monthdays, weekdays, nth, in_year, positions)

    def among(self, period: list[date]) -> list[date]:
        """Return the days of a period that the rule takes, in order."""
        fit = [day for day in period if self._fits(day)]
        if not self.positions:
            return fit
        places = {p - 1 if p > 0 else len(fit) + p for p in self.positions}
        return [fit[p] for p in sorted(places) if 0 <= p < len(fit)]

    def _fits(self, day: date) -> bool:
        if self.months and day.month not in self.months:
            return False
        if self.weekdays and day.weekday() not in self.weekdays:
            return False
        length = monthrange(day.year, day.month)[1]
        if self.monthdays and not self.monthdays & {day.day, day.day - length - 1}:
            return False
        if not self.nth:
            return True
        number = day.timetuple().tm_yday if self.in_year else day.day
        of = 365 + isleap(day.year) if self.in_year else length
        found = {(number - 1) // 7 + 1, -((of - number) // 7 + 1)}
        return any((day.weekday(), n) in self.nth for n in found)


def _numbers(parts: Mapping[str, str], key: str) -> frozenset[int]:
    return frozenset(int(n) for n in parts[key].split(",")) if key in parts else frozenset()


def _weekday(text: str) -> tuple[int, int]:
    """Return weekday (Monday 0) and which of them: ``-1FR`` -> (4, -1), ``MO`` -> (0, 0)."""
    return _WEEKDAYS.index(text[-2:]), int(text[:-2] or 0)


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
