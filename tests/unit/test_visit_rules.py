"""Evidence: trust, fence, slot and the home's code."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from marketplace.kernel.crypto import Vault
from marketplace.kernel.errors import BadInput
from marketplace.visits import homecode, limits, rules
from marketplace.visits.rules import Method, Point

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
HOME = Point(32.49, 119.91)
LIMITS = limits.latest()
URBAN, RURAL = "321202001", "321281105"
VAULT = Vault({"k1": b"d" * 40})


def north(m):
    return Point(32.49 + m / 110_900, 119.91)


@pytest.mark.parametrize(
    ("m", "accuracy", "town", "inside"),
    [
        (190, 0, URBAN, True),
        (230, 0, URBAN, False),
        (230, 50, URBAN, True),
        (340, 1_000, URBAN, True),
        (400, 1_000, URBAN, False),
        (490, 0, RURAL, True),
        (490, 0, None, True),
        (530, 0, RURAL, False),
    ],
)
def test_the_fence_is_widened_by_accuracy_up_to_150_metres(m, accuracy, town, inside):
    out = rules.outside_fence_m(
        home=HOME, at=north(m), accuracy_m=accuracy, town_code=town, limits=LIMITS
    )
    assert (out == 0) is inside


def test_a_tag_of_the_home_is_trusted_most_and_a_correction_least():
    assert [rules.trust(m, offline=False) for m in Method] == [5, 5, 5, 4, 4, 3, 2, 1]


def test_what_is_sent_late_is_trusted_less_but_a_code_keeps_its_worth():
    assert rules.trust(Method.GPS_PHOTO, offline=True) == 2
    assert rules.trust(Method.HOME_CODE, offline=True) == 5


def evidence(**changed):
    facts = {
        "method": Method.GPS,
        "at_device": NOW,
        "received_at": NOW,
        "offline": False,
        "has_place": True,
        "note": "",
    }
    rules.check_evidence(**{**facts, **changed})


def test_plain_evidence_passes():
    evidence()
    evidence(at_device=NOW - timedelta(days=2), offline=True)
    evidence(method=Method.MANUAL, note="phone was empty", at_device=NOW - timedelta(hours=2))


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("at_device", {"at_device": NOW + timedelta(minutes=6)}),
        ("at_device", {"at_device": NOW - timedelta(minutes=6)}),
        ("at_device", {"at_device": NOW - timedelta(days=4), "offline": True}),
        ("lat", {"has_place": False}),
        ("note", {"method": Method.MANUAL, "note": " "}),
    ],
)
def test_evidence_that_cannot_be_is_refused_by_field(field, changed):
    with pytest.raises(BadInput) as refused:
        evidence(**changed)
    assert refused.value.field == field


def slot(minutes, terms=LIMITS):
    opens, closes = NOW, NOW + timedelta(hours=1)
    at = NOW + timedelta(minutes=minutes)
    return rules.check_slot(at=at, opens_at=opens, closes_at=closes, limits=terms)


def test_half_an_hour_early_or_late_is_in_the_slot():
    assert (slot(-30), slot(90)) == (0, 0)


def test_earlier_is_refused_and_later_is_recorded():
    with pytest.raises(rules.TooEarly):
        slot(-31)
    assert slot(100) == 10


def test_how_early_and_late_is_a_value_of_the_file():
    terms = replace(LIMITS, early_min=10, late_min=0)
    with pytest.raises(rules.TooEarly):
        slot(-11, terms)
    assert (slot(-10, terms), slot(60, terms), slot(61, terms)) == (0, 0, 1)


def test_no_more_than_the_standard_is_paid():
    assert rules.payable_minutes(actual_min=75, standard_min=60) == 60
    assert rules.payable_minutes(actual_min=50, standard_min=60) == 50


def test_the_home_code_is_taken_now_and_as_qr_and_not_tomorrow():
    shown = homecode.code_of(VAULT, "E1", NOW)
    assert len(shown.code) == 6
    assert homecode.is_code(VAULT, "E1", shown.code, NOW)
    assert homecode.is_code(VAULT, "E1", shown.qr, NOW + timedelta(minutes=4))
    assert not homecode.is_code(VAULT, "E1", shown.code, NOW + timedelta(days=1))


def test_another_home_has_another_code():
    shown = homecode.code_of(VAULT, "E1", NOW)
    assert not homecode.is_code(VAULT, "E2", shown.code, NOW)
    assert not homecode.is_code(VAULT, "E2", shown.qr, NOW)


@pytest.mark.parametrize("text", ["", "12345", "abcdef", "NUANJU:HOME:E1:", "１２３４５６"])
def test_what_is_no_code_is_no_code(text):
    assert not homecode.is_code(VAULT, "E1", text, NOW)
