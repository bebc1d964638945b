"""Windows, deadlines, fees and contraindications."""

from datetime import date, timedelta

import pytest

from marketplace.kernel.clock import instant_of
from marketplace.kernel.errors import BadInput
from marketplace.orders import rules
from marketplace.orders.rules import Meal, Screening, Window

DAY = date(2026, 11, 24)
NOW = instant_of(date(2026, 11, 23), 9 * 3600)
MORNING = Window(9 * 3600, 11 * 3600)


def check(window=MORNING, on=DAY, time_class="flexible_day", unit="次", now=NOW):
    rules.check_window(window, visit_on=on, now=now, time_class=time_class, unit=unit)


def test_a_window_of_tomorrow_is_fine():
    check()


@pytest.mark.parametrize("window", [Window(5, 5), Window(9, 3), Window(-1, 40_000)])
def test_a_window_needs_a_start_before_its_end(window):
    with pytest.raises(BadInput):
        check(window)


def test_a_day_service_does_not_begin_at_night_and_an_emergency_does():
    night = Window(22 * 3600, 23 * 3600)
    with pytest.raises(BadInput):
        check(night)
    check(night, time_class="emergency")
    check(night, unit="晚")


def test_a_window_that_has_ended_is_refused_and_one_that_is_open_is_not():
    with pytest.raises(rules.WindowPassed):
        check(on=date(2026, 11, 23), window=Window(7 * 3600, 9 * 3600))
    check(on=date(2026, 11, 23), window=Window(7 * 3600, 9 * 3600 + 1))


def deadline(hour, on=DAY, time_class="flexible_day", window=MORNING):
    now = instant_of(date(2026, 11, 23), int(hour * 3600))
    made = rules.offer_deadline(now=now, visit_on=on, window=window, time_class=time_class)
    return made - now


def test_vendors_have_thirty_minutes_by_day_ten_on_the_day_and_two_in_an_emergency():
    same_day = date(2026, 11, 23)
    assert deadline(9) == timedelta(minutes=30)
    assert deadline(9, on=same_day) == timedelta(minutes=10)
    assert deadline(9, on=same_day, time_class="emergency") == timedelta(minutes=2)


def test_what_is_offered_at_night_is_answered_in_the_morning():
    assert deadline(22, on=date(2026, 11, 25)) == timedelta(hours=10, minutes=30)
    assert deadline(6) == timedelta(hours=2, minutes=30)


def test_no_deadline_lies_after_the_window():
    late = deadline(10.9, on=date(2026, 11, 23), window=MORNING)
    assert late == timedelta(minutes=6)


@pytest.mark.parametrize("hours", [2, 4])
def test_cancelling_is_free_until_the_hours_before(hours):
    start = instant_of(DAY, 9 * 3600)
    last = start - timedelta(hours=hours)
    assert not rules.is_late_cancel(now=last, starts_at=start, hours=hours)
    assert rules.is_late_cancel(now=last + timedelta(seconds=1), starts_at=start, hours=hours)


def bath(**changed):
    facts = {
        "category_code": "ZY",
        "skill_code": "BATH",
        "mode": "home",
        "crew": 2,
        "service_s": 3600,
        "window": Window(34_200, 39_600),
        "level": 3,
    }
    return Screening(**{**facts, **changed})


def test_two_people_bathe_a_disabled_elder():
    rules.screen(bath())
    rules.screen(bath(crew=1, level=1))
    with pytest.raises(rules.Contraindicated) as refused:
        rules.screen(bath(crew=1, level=2))
    assert refused.value.facts["rule"] == "bath_needs_two_people"


def test_nobody_is_bathed_within_an_hour_after_a_meal():
    lunch = Meal(Window(38_400, 42_600))
    rules.screen(bath(window=Window(34_200, 39_600), meals=(lunch,)))
    rules.screen(bath(window=Window(43_000, 50_000), meals=(lunch,)))
    with pytest.raises(rules.Contraindicated) as refused:
        rules.screen(bath(window=Window(40_000, 46_000), meals=(lunch,)))
    assert refused.value.facts["rule"] == "bath_after_meal"


def test_an_emergency_is_never_missed_for_a_cleaning():
    urgent = rules.priority_of(time_class="emergency", category_code="JJ", level=None)
    plain = rules.priority_of(time_class="flexible_day", category_code="ZJ", level=1)
    meal = rules.priority_of(time_class="meal_window", category_code="ZC", level=3)
    assert (urgent, meal, plain) == (9, 4, 1)
