"""Evidence: trust, fence, slot and the home's code."""

from datetime import UTC, datetime, timedelta

import pytest

from marketplace.kernel.crypto import Vault
from marketplace.kernel.errors import BadInput
from marketplace.visits import homecode, rules
from marketplace.visits.rules import Method, Point

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
HOME = Point(32.49, 119.91)
VAULT = Vault({"k1": b"d" * 40})


def north(m):
    return Point(32.49 + m / 110_900, 119.91)


@pytest.mark.parametrize(
    ("m", "accuracy", "fence", "inside"),
    [
        (190, 0, 200, True),
        (230, 0, 200, False),
        (230, 50, 200, True),
        (340, 1_000, 200, True),
        (400, 1_000, 200, False),
        (490, 0, 500, True),
    ],
)
def test_the_fence_is_widened_by_accuracy_up_to_150_metres(m, accuracy, fence, inside):
    out = rules.outside_fence_m(home=HOME, at=north(m), accuracy_m=accuracy, fence_m=fence)
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


def slot(minutes):
    opens, closes = NOW, NOW + timedelta(hours=1)
    return rules.check_slot(at=NOW + timedelta(minutes=minutes), opens_at=opens, closes_at=closes)


def test_half_an_hour_early_or_late_is_in_the_slot():
    assert (slot(-30), slot(90)) == (0, 0)


def test_earlier_is_refused_and_later_is_recorded():
    with pytest.raises(rules.TooEarly):
        slot(-31)
    assert slot(100) == 10


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
