"""Each monthly rule: one month that is free, one that is found, at the very threshold."""

from functools import partial

import pytest

from marketplace.visits import fraud_month, limits
from marketplace.visits.fraud_month import CaregiverMonth, ElderQuarter, VendorMonth

LIMITS = limits.latest()
f08_by_hand = partial(fraud_month.f08_by_hand, limits=LIMITS)
f12_too_even = partial(fraud_month.f12_too_even, limits=LIMITS)
f17_at_the_end = partial(fraud_month.f17_at_the_end, limits=LIMITS)
f18_one_item = partial(fraud_month.f18_one_item, limits=LIMITS)
judge_month = partial(fraud_month.judge_month, limits=LIMITS)


def vendor(**changed):
    values = {"visits": 100, "by_hand": 0, "redemptions": 100, "fen": 10_000, "late_fen": 0}
    return VendorMonth("V1", **(values | changed))


@pytest.mark.parametrize(("by_hand", "is_found"), [(5, False), (6, True)])
def test_more_than_five_percent_by_hand_is_audited(by_hand, is_found):
    found = f08_by_hand(vendor(by_hand=by_hand))
    assert (found is not None) is is_found
    assert found is None or (found.rule, found.action) == ("F08", "audit")


def test_a_vendor_without_visits_is_free():
    assert f08_by_hand(vendor(visits=0)) is None


@pytest.mark.parametrize(("late_fen", "is_found"), [(3_500, False), (3_501, True)])
def test_more_than_a_third_at_the_months_end_is_audited(late_fen, is_found):
    assert (f17_at_the_end(vendor(late_fen=late_fen)) is not None) is is_found


def test_a_handful_of_vouchers_is_no_pattern():
    assert f17_at_the_end(vendor(redemptions=19, late_fen=10_000)) is None


def caregiver(lengths, standard=60):
    return CaregiverMonth("C1", "ZJ001", standard, tuple(lengths))


def test_twenty_visits_within_two_minutes_are_reviewed_and_nineteen_are_not():
    even = [3_600 + n * 6 for n in range(20)]
    found = f12_too_even(caregiver([*even, 4_500, 2_900]))
    assert found is not None
    assert found.facts == {"service_code": "ZJ001", "alike": 20, "visits": 22}
    assert f12_too_even(caregiver(even[:19])) is None


def test_two_minutes_apart_is_apart_enough():
    assert f12_too_even(caregiver([3_600] * 19 + [3_720])) is None


def test_handing_a_meal_over_takes_as_long_every_time():
    assert f12_too_even(caregiver([240] * 50, standard=5)) is None


def quarter(*months):
    return ElderQuarter("E1", {f"2026-{9 + n:02d}": m for n, m in enumerate(months)})


ONE, OTHER = {("V1", "ZJ001"): 100}, {("V2", "ZJ001"): 100}


def test_three_months_of_one_vendor_and_one_item_are_reviewed():
    found = f18_one_item(quarter(ONE, ONE, ONE))
    assert found is not None
    assert found.facts == {"vendor_id": "V1", "service_code": "ZJ001", "fen": 300}


@pytest.mark.parametrize(
    "months", [(ONE, ONE), (ONE, ONE, OTHER), (ONE, ONE | OTHER, ONE), (ONE, {}, ONE)]
)
def test_a_month_without_or_another_vendor_is_free(months):
    assert f18_one_item(quarter(*months)) is None


def test_the_month_names_what_it_found_by_rule():
    found = judge_month(
        [vendor(by_hand=50, late_fen=9_000)], [caregiver([3_600] * 20)], [quarter(ONE, ONE, ONE)]
    )
    assert [(f.rule, f.subject_id) for f in found] == [
        ("F08", "V1"),
        ("F12", "C1"),
        ("F17", "V1"),
        ("F18", "E1"),
    ]
