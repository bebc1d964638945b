"""Windows, answer times, cancellation and contraindications of a work order. Pure.

All seconds count from local midnight of the visit's day; window ends are inclusive and bound the
start of service.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from marketplace.kernel.clock import instant_of, local
from marketplace.kernel.errors import BadInput, DomainError

DAY_S = 86_400
LATEST_WINDOW_END_S = DAY_S + 8 * 3600
"""A night service may begin until 08:00 of the next day."""

DAY_SERVICES_FROM_S, DAY_SERVICES_TO_S = 6 * 3600, 21 * 3600
MOST_DAYS_AHEAD = 180
MOST_QUANTITY = 100
NIGHT_UNITS = frozenset({"晚", "班", "天", "月"})

MOST_OFFERS = 3
AUTO_CONFIRM_AFTER = timedelta(hours=48)
BATH_AFTER_MEAL_S = 3600
NO_SHOW_AFTER = timedelta(minutes=30)
NO_SHOW_POINTS = 2
VENDOR_CANCEL_POINTS = 1


class WindowPassed(BadInput):
    """The window has ended already. Facts: ``visit_on``, ``window_end_s``."""


class ElderNotServed(DomainError):
    """The elder is away, has moved or died. Facts: ``elder_id``, ``status``."""


class Contraindicated(DomainError):
    """The service is unsafe for this elder at this time. Facts: ``rule``, ``cure``."""


@dataclass(frozen=True, slots=True)
class Window:
    """When service may begin, in seconds from local midnight, both ends included."""

    start_s: int
    end_s: int


def check_window(
    window: Window, *, visit_on: date, now: datetime, time_class: str, unit: str
) -> None:
    """Raise ``BadInput`` or ``WindowPassed`` when no visit may be planned in the window.

    Day-type services begin between 06:00 and 21:00 (rule F13 holds others back later); emergencies
    and what is billed by shift, night, day or month may begin at any time.
    """
    if not 0 <= window.start_s < window.end_s <= LATEST_WINDOW_END_S:
        raise BadInput(
            field="window_end_s",
            value=[window.start_s, window.end_s],
            expected=f"0 <= start < end <= {LATEST_WINDOW_END_S}",
        )
    by_day = time_class != "emergency" and unit not in NIGHT_UNITS
    if by_day and not (window.start_s >= DAY_SERVICES_FROM_S and window.end_s <= DAY_SERVICES_TO_S):
        raise BadInput(
            field="window_start_s",
            value=[window.start_s, window.end_s],
            expected="a day service begins between 06:00 and 21:00",
        )
    if instant_of(visit_on, window.end_s) <= now:
        raise WindowPassed(
            field="visit_on", visit_on=visit_on.isoformat(), window_end_s=window.end_s
        )
    if visit_on > local(now).date() + timedelta(days=MOST_DAYS_AHEAD):
        raise BadInput(
            field="visit_on",
            value=visit_on.isoformat(),
            expected=f"at most {MOST_DAYS_AHEAD} days ahead",
        )


def offer_minutes(*, now: datetime, visit_on: date, time_class: str) -> int:
    """Return how many minutes a vendor has to answer: 30, on the day itself 10, in an emergency 2."""
    if time_class == "emergency":
        return 2
    return 10 if local(now).date() >= visit_on else 30


def offer_deadline(*, now: datetime, visit_on: date, window: Window, time_class: str) -> datetime:
    """Return until when a vendor may answer an offer made at ``now``.

    Ordinary minutes run from 08:00 to 20:00; what is offered at night is answered in the morning.
    No deadline lies after the end of the window.
    """
    minutes = offer_minutes(now=now, visit_on=visit_on, time_class=time_class)
    begins = now
    wall = local(now)
    if minutes == 30 and not 8 <= wall.hour < 20:
        day = wall.date() + timedelta(days=1 if wall.hour >= 20 else 0)
        begins = instant_of(day, 8 * 3600)
    deadline = begins + timedelta(minutes=minutes)
    return min(deadline, max(instant_of(visit_on, window.end_s), now)).astimezone(UTC)


def is_late_cancel(*, now: datetime, starts_at: datetime, hours: int) -> bool:
    """Say whether a cancellation costs a fee: less than ``hours`` are left before the start."""
    return starts_at - now < timedelta(hours=hours)


@dataclass(frozen=True, slots=True)
class Meal:
    """A meal on the same day: the window in which it is brought."""

    window: Window


@dataclass(frozen=True, slots=True)
class Screening:
    """What the contraindication rules look at. ``level``: final ability level 0-4 or ``None``."""

    category_code: str
    skill_code: str
    mode: str
    crew: int
    service_s: int
    window: Window
    level: int | None
    meals: tuple[Meal, ...] = ()


def screen(case: Screening) -> None:
    """Raise ``Contraindicated`` with the rule and its cure; return when the visit may be planned."""
    for hook in SCREENING_HOOKS:
        hook(case)


def _two_people_bathe_a_disabled_elder(case: Screening) -> None:
    """From ability level 2 on a bath needs two people (bathing rules)."""
    if case.skill_code == "BATH" and case.crew < 2 and (case.level or 0) >= 2:
        raise Contraindicated(
            field="service_code", rule="bath_needs_two_people", cure="choose a two-person bath"
        )


def _no_bath_within_an_hour_after_a_meal(case: Screening) -> None:
    if case.skill_code != "BATH" or not case.meals:
        return
    if not any(_bath_fits(case, at) for at in _candidate_starts(case)):
        raise Contraindicated(
            field="window_start_s",
            rule="bath_after_meal",
            cure="begin an hour or more after the meal, or end before it",
        )


def _candidate_starts(case: Screening) -> Iterable[int]:
    yield case.window.start_s
    for meal in case.meals:
        after = meal.window.end_s + BATH_AFTER_MEAL_S
        if case.window.start_s <= after <= case.window.end_s:
            yield after


def _bath_fits(case: Screening, at: int) -> bool:
    return all(
        at >= m.window.end_s + BATH_AFTER_MEAL_S or at + case.service_s <= m.window.start_s
        for m in case.meals
    )


SCREENING_HOOKS = (_two_people_bathe_a_disabled_elder, _no_bath_within_an_hour_after_a_meal)
"""Each looks at one case and raises; a programme of a city adds its own here."""


def priority_of(*, time_class: str, category_code: str, level: int | None) -> int:
    """Return the dispatcher's priority, 1 ordinary to 9 must not be missed.

    Emergencies 9, meals and medical escorts 3 (a missed one cannot be made up), elders of ability
    level 3 and worse one more.
    """
    if time_class == "emergency":
        return 9
    base = 3 if time_class == "meal_window" or category_code == "YL" else 1
    return base + (1 if (level or 0) >= 3 else 0)


def waits_for_plan(*, is_stop: bool, time_class: str) -> bool:
    """Say whether the day's plan will choose who goes: a stop that is no emergency."""
    return is_stop and time_class != "emergency"
