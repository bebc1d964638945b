"""Dates of recurring orders."""

import random
from datetime import date, datetime, timedelta

import pytest
from dateutil.rrule import rrulestr

from marketplace.kernel.errors import BadInput
from marketplace.orders import recurrence
from marketplace.orders.recurrence import (
    HORIZON_DAYS,
    Recurrence,
    _keep_short_months,
    check_rule,
    dates,
    holiday_name,
    preview,
)


def served(plan, after, count=10):
    return [o.on for o in preview(plan, after=after, count=count) if o.holiday is None]


def test_a_weekly_plan_shows_its_next_ten_dates():
    plan = Recurrence("FREQ=WEEKLY;BYDAY=MO,TH", date(2026, 11, 23))
    found = served(plan, date(2026, 11, 22))
    assert len(found) == 10
    assert found[:3] == [date(2026, 11, 23), date(2026, 11, 26), date(2026, 11, 30)]


def test_a_fortnightly_plan_counts_its_weeks_from_its_start():
    plan = Recurrence("FREQ=WEEKLY;INTERVAL=2;BYDAY=WE", date(2026, 11, 4))
    assert served(plan, date(2026, 11, 20), 2) == [date(2026, 12, 2), date(2026, 12, 16)]


def test_national_day_is_skipped_and_said():
    plan = Recurrence("FREQ=DAILY", date(2026, 9, 30), skip_holidays=True)
    shown = preview(plan, after=date(2026, 9, 29), count=2)
    assert shown[0].on == date(2026, 9, 30)
    assert [o.holiday for o in shown[1:-1]] == ["National Day"] * (len(shown) - 2)
    assert shown[-1].on == date(2026, 10, 8)


def test_a_make_up_working_day_is_served():
    # 10 October 2026 is a Saturday on which the State Council lets people work.
    assert holiday_name(date(2026, 10, 10)) is None


def test_an_ordinary_weekend_is_no_holiday():
    assert holiday_name(date(2026, 11, 28)) is None


def test_beyond_the_announced_calendar_statutory_days_still_count():
    assert holiday_name(date(2027, 10, 1)) == "National Day"
    assert holiday_name(date(2027, 10, 20)) is None


def test_a_monthly_plan_of_the_31st_falls_on_the_last_day_of_short_months():
    plan = Recurrence("FREQ=MONTHLY", date(2027, 1, 31))
    assert served(plan, date(2027, 1, 1), 4) == [
        date(2027, 1, 31),
        date(2027, 2, 28),
        date(2027, 3, 31),
        date(2027, 4, 30),
    ]


def test_a_monthly_plan_reaches_29_february_in_a_leap_year():
    plan = Recurrence("FREQ=MONTHLY;BYMONTHDAY=30", date(2028, 1, 30))
    assert served(plan, date(2028, 1, 30), 2) == [date(2028, 2, 29), date(2028, 3, 30)]


def test_a_yearly_plan_of_29_february_is_kept_in_common_years():
    plan = Recurrence("FREQ=YEARLY", date(2028, 2, 29))
    assert served(plan, date(2028, 2, 29), 2) == [date(2029, 2, 28), date(2030, 2, 28)]


def test_a_plan_ends():
    plan = Recurrence("FREQ=DAILY", date(2026, 11, 23), ends_on=date(2026, 11, 25))
    assert served(plan, date(2026, 11, 22)) == [date(2026, 11, d) for d in (23, 24, 25)]


def test_dates_are_open_at_the_left_and_closed_at_the_right():
    plan = Recurrence("FREQ=DAILY", date(2026, 11, 1))
    assert dates(plan, after=date(2026, 11, 23), until=date(2026, 11, 25)) == [
        date(2026, 11, 24),
        date(2026, 11, 25),
    ]


def test_a_rule_that_never_comes_ends_at_once():
    plan = Recurrence("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", date(2026, 1, 1))
    assert served(plan, date(2026, 1, 1)) == []


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "WEEKLY",
        "FREQ=SECONDLY",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;UNTIL=20270101",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=MONTHLY;BYMONTHDAY=99",
        "FREQ=DAILY;BYHOUR=3",
    ],
)
def test_a_rule_that_is_no_plan_is_refused_by_field(rule):
    with pytest.raises(BadInput) as refused:
        check_rule(rule)
    assert refused.value.field == "rrule"


def test_a_rule_is_kept_in_one_spelling():
    assert check_rule("rrule:byday=MO;freq=weekly") == "FREQ=WEEKLY;BYDAY=MO"


def rules(rng: random.Random):
    """A rule of our grammar with parts drawn at random, many of which never come."""
    while True:
        parts = [f"FREQ={rng.choice(['DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'])}"]
        if rng.random() < 0.4:
            parts.append(f"INTERVAL={rng.choice([1, 2, 3, 4, 7, 12])}")
        if rng.random() < 0.4:
            days = rng.sample(["MO", "TU", "WE", "TH", "FR", "SA", "SU"], rng.choice([1, 2]))
            parts.append(
                "BYDAY=" + ",".join(rng.choice(["", "", "1", "+2", "5", "-1"]) + d for d in days)
            )
        for name, least, most in (("BYMONTHDAY", 1, 31), ("BYMONTH", 1, 12), ("BYSETPOS", 1, 6)):
            if rng.random() < 0.3:
                drawn = [rng.randint(least, most) for _ in range(rng.choice([1, 2]))]
                if name != "BYMONTH" and rng.random() < 0.3:
                    drawn = [-n for n in drawn]
                parts.append(f"{name}={','.join(map(str, drawn))}")
        if rng.random() < 0.2:
            parts.append(f"COUNT={rng.randint(1, 20)}")
        yield check_rule(";".join(parts))


def test_the_dates_are_those_of_dateutil_which_would_search_to_the_year_9999():
    rng = random.Random(7)
    some = 0
    for rule, _ in zip(rules(rng), range(100), strict=False):
        # Never the 29th to 31st: those are ours, not the RFC's.
        starts_on = date(2026, 1, 1) + timedelta(days=rng.randint(0, 700))
        starts_on = starts_on.replace(day=min(starts_on.day, 28))
        text = _keep_short_months(rule, starts_on)
        until = starts_on + timedelta(days=600)
        begin = datetime(starts_on.year, starts_on.month, starts_on.day)
        # Of the same days, 19 x 400 years on, where their search ends soon.
        shifted = rrulestr(text, dtstart=begin.replace(year=begin.year + 7_600))
        last = datetime(until.year + 7_600, until.month, min(until.day, 28))
        wanted = []
        for t in shifted:
            if t > last:
                break
            wanted.append(date(t.year - 7_600, t.month, t.day))
        ours = dates(
            Recurrence(rule, starts_on),
            after=starts_on - timedelta(days=1),
            until=date(until.year, until.month, min(until.day, 28)),
        )
        assert ours == wanted, (rule, starts_on)
        some += bool(ours)
    assert 35 < some < 100


def test_a_rule_that_never_comes_is_looked_at_up_to_the_horizon_and_no_further(monkeypatch):
    looked_at = []
    fits = recurrence._Chosen._fits
    monkeypatch.setattr(
        recurrence._Chosen, "_fits", lambda self, day: looked_at.append(day) or fits(self, day)
    )
    start = date(2026, 11, 23)
    for rule in ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;INTERVAL=7;BYDAY=TU"):
        looked_at.clear()
        assert preview(Recurrence(rule, start), after=start) == []
        assert 0 < len(looked_at) <= HORIZON_DAYS + 1
        assert max(looked_at) <= start + timedelta(days=HORIZON_DAYS)
        looked_at.clear()
        ends = Recurrence(rule, start, ends_on=start + timedelta(days=9))
        assert preview(ends, after=start) == []
        assert len(looked_at) <= 10
