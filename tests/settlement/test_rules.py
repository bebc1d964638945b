"""Matching, totals and words of a statement."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from marketplace.settlement.rules import Facts, Line, match, total, yuan_in_words

AGREED = Facts(
    work_order_id="W1",
    state="confirmed",
    order_vendor_id="V1",
    order_elder_id="E1",
    visit_work_order_id="W1",
    visit_verdict="verified",
    visit_elder_id="E1",
    has_all_times=True,
    redeemed_by="V1",
    redeemed_fen=6_000,
    ledger_fen=6_000,
    price_fen=6_000,
)


def test_what_agrees_in_order_visit_and_ledger_is_settled():
    assert match(AGREED) is None


def test_a_visit_that_a_person_confirmed_is_settled_though_a_rule_held_it():
    assert match(replace(AGREED, visit_verdict="held")) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"visit_work_order_id": None}, "visit_missing"),
        ({"visit_work_order_id": "W2"}, "visit_missing"),
        ({"has_all_times": False}, "visit_missing"),
        ({"visit_elder_id": "E2"}, "elder_differs"),
        ({"order_vendor_id": "V2"}, "vendor_differs"),
        ({"ledger_fen": 5_999}, "amount_differs"),
        ({"redeemed_fen": 6_001, "ledger_fen": 6_001}, "amount_differs"),
        ({"visit_verdict": "blocked"}, "visit_not_verified"),
        ({"state": "disputed"}, "not_confirmed"),
    ],
)
def test_what_differs_is_held_with_its_reason(change, reason):
    assert match(replace(AGREED, **change)) == reason


def line(**by_programme: int) -> Line:
    return Line("visit", "W", "X", "E", "ZJ001", date(2026, 11, 2), "2026-11", 60, by_programme)


def test_totals_part_the_bureau_outside_payers_and_own_money():
    sums = total([line(LV=1_000, NV=500, OWN=300), line(LV=-200)], holdback_percent=10)
    assert (sums.total_fen, sums.payable_fen, sums.outside_fen, sums.own_fen) == (
        1_600,
        800,
        500,
        300,
    )
    assert sums.holdback_fen == 80


@pytest.mark.parametrize(
    ("fen", "words"),
    [
        (0, "零元整"),
        (1, "壹分"),
        (10, "壹角整"),
        (105, "壹元零伍分"),
        (1_00, "壹元整"),
        (10_50, "壹拾元零伍角整"),
        (1_680_32, "壹仟陆佰捌拾元零叁角贰分"),
        (107_000_53, "壹拾万柒仟元零伍角叁分"),
        (16_409_02, "壹万陆仟肆佰零玖元零贰分"),
        (325_04, "叁佰贰拾伍元零肆分"),
        (1_409_50, "壹仟肆佰零玖元伍角整"),
        (6_007_14, "陆仟零柒元壹角肆分"),
        (100_000_000_00, "壹亿元整"),
        (100_010_001_00, "壹亿零壹万零壹元整"),
        (10_000_00, "壹万元整"),
        (10_010_00, "壹万零壹拾元整"),
        (-5_00, "负伍元整"),
    ],
)
def test_amounts_are_written_in_words_as_on_a_bank_bill(fen, words):
    assert yuan_in_words(fen) == words
