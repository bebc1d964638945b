"""Each anti-fraud rule: the clean visit passes all of them, and each has one that it catches."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from marketplace.visits import fraud
from marketplace.visits.fraud import Other, Photo, VisitFacts
from marketplace.visits.rules import Point, verdict_of

NINE = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
HOME = Point(32.49, 119.91)


def at(minutes):
    return NINE + timedelta(minutes=minutes)


def other(start, end, **changed):
    facts = {
        "work_order_id": "w2",
        "caregiver_id": "C1",
        "vendor_id": "V1",
        "category_code": "HL",
        "began_at": at(start),
        "ended_at": at(end),
        "at": HOME,
    }
    return Other(**{**facts, **changed})


CLEAN = VisitFacts(
    work_order_id="w1",
    caregiver_id="C1",
    vendor_id="V1",
    category_code="HL",
    mode="home",
    time_class="appointment",
    began_at=at(0),
    ended_at=at(60),
    ends_by=at(90),
    standard_min=60,
    at=HOME,
    price_fen=4_000,
    guide_price_fen=4_000,
    government_paid=True,
    by_caregiver=(other(-90, -30), other(75, 120)),
    by_elder=(other(-90, -30, caregiver_id="C2"),),
    caregivers_of_device=frozenset({"C1"}),
    devices_of_caregiver=frozenset({"D1"}),
    same_spot=1,
    photos=(Photo(0xFFFF0000FFFF0000, at(1), at(2)),),
    earlier_photos=(0x0000FFFF0000FFFF,),
)

FAR = Point(32.60, 119.91)  # some 12 km north

CAUGHT = {
    "F01": ("block", {"by_caregiver": (other(59, 120),)}),
    "F02": ("hold", {"by_caregiver": (other(70, 120, at=FAR),)}),
    "F03": ("hold", {"outside_fence_m": 1}),
    "F04": ("hold", {"ended_at": at(47)}),
    "F05": ("trim", {"ended_at": at(121), "by_caregiver": ()}),
    "F06": ("hold", {"caregivers_of_device": frozenset({"C1", "C2"})}),
    "F07": ("hold", {"earlier_photos": (0xFFFF0000FFFF001F,)}),
    "F09": ("block", {"elder_is_served": False}),
    "F10": ("hold", {"by_elder": (other(30, 90, caregiver_id="C2", category_code="ZY"),)}),
    "F11": ("hold", {"by_caregiver": (other(-600, -55),)}),
    "F13": ("hold", {"began_at": at(12 * 60), "ended_at": at(13 * 60), "ends_by": at(800)}),
    "F14": ("review", {"phone_shared_by": 5}),
    "F15": ("block", {"is_kin": True}),
    "F16": ("block", {"needed_skill": "BATH"}),
    "F19": ("trim", {"price_fen": 4_001}),
    "F20": ("hold", {"same_spot": 5}),
    "F21": ("hold", {"crew": 2}),
    "F22": ("block", {"elder_denies": True}),
    "F23": ("review", {"assessed_by_vendor": True}),
    "F24": ("trim", {"by_elder": (other(0, 60, category_code="ZJ"),)}),
}


def test_the_hours_of_the_day_before_are_no_part_of_a_day():
    yesterday = tuple(other(n * 60 - 24 * 60, n * 60 + 60 - 24 * 60) for n in range(8))
    today = tuple(other(n * 60, n * 60 + 60) for n in range(-4, 0))
    found = fraud.judge(replace(CLEAN, by_caregiver=yesterday + today))
    assert [f.rule for f in found] == []


def test_a_clean_visit_is_clean():
    assert fraud.judge(CLEAN) == []


def test_every_rule_has_a_case_that_it_catches():
    assert {r.__name__[:3].upper() for r in fraud.RULES} == set(CAUGHT)


@pytest.mark.parametrize("rule", sorted(CAUGHT))
def test_the_rule_catches_its_case_and_no_other_rule_does(rule):
    action, changed = CAUGHT[rule]
    found = fraud.judge(replace(CLEAN, **changed))
    assert [(f.rule, f.action) for f in found] == [(rule, action)]


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("F01", {"by_caregiver": (other(60, 120),)}),
        ("F01", {"mode": "site", "by_caregiver": (other(30, 90, mode="site"),)}),
        ("F02", {"by_caregiver": (other(80, 120, at=FAR),)}),
        ("F04", {"ended_at": at(48)}),
        ("F04", {"standard_min": 5, "ended_at": at(3)}),
        ("F05", {"ended_at": at(120), "by_caregiver": ()}),
        ("F07", {"earlier_photos": (0xFFFF0000FFFF003F,)}),
        ("F10", {"by_elder": (other(30, 90, caregiver_id="C2", category_code="ZJ"),)}),
        ("F13", {"began_at": at(12 * 60), "ended_at": at(13 * 60), "time_class": "emergency"}),
        ("F15", {"is_kin": True, "kin_is_approved": True}),
        ("F15", {"is_kin": True, "government_paid": False}),
        ("F20", {"same_spot": 4}),
        ("F21", {"crew": 2, "checked_in": 2}),
    ],
)
def test_the_rule_stops_where_its_limit_lies(rule, changed):
    assert rule not in {f.rule for f in fraud.judge(replace(CLEAN, **changed))}


def test_less_than_half_of_the_time_is_not_paid():
    found = fraud.judge(replace(CLEAN, ended_at=at(29)))
    assert [(f.rule, f.action) for f in found] == [("F04", "block")]


def test_a_photo_taken_at_another_time_is_held():
    found = fraud.judge(replace(CLEAN, photos=(Photo(1, at(-9), at(2)),)))
    assert [f.rule for f in found] == ["F07"]


def test_a_check_out_that_was_forgotten_is_trimmed():
    found = fraud.judge(replace(CLEAN, standard_min=200, ended_at=at(331), by_caregiver=()))
    assert [f.rule for f in found] == ["F05"]


def test_one_block_outweighs_and_a_review_pays():
    assert verdict_of(["review", "trim"]) == "verified"
    assert verdict_of(["hold", "trim"]) == "held"
    assert verdict_of(["hold", "block"]) == "blocked"
    assert verdict_of([]) == "verified"
