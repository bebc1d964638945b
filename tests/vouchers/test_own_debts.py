"""An elder's own money reaches whoever served, the oldest charge first, and no fen twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.vouchers.own_debts import Move, Reckoned, reckon


def charge(id, fen, vendor="V1"):
    return Move(id, "charge", fen, vendor)


def test_a_payment_settles_the_oldest_charge_first_whoever_served():
    stands = reckon([charge("a", 500), charge("b", 300, "V2"), Move("p", "paid", 600)])
    assert stands == Reckoned(open={"V2": 200}, settled={("V1", ""): 500, ("V2", ""): 100})


def test_what_is_paid_ahead_settles_the_next_charge():
    assert reckon([Move("p", "paid", 600), charge("a", 500)]).settled == {("V1", ""): 500}


def test_cash_is_the_vendors_own_and_the_bank_passes_nothing_on():
    assert reckon([charge("a", 500), Move("c", "cash", 500, "V1")]) == Reckoned()


def test_a_later_charge_takes_nothing_from_who_was_paid_for():
    moves = [charge("a", 500, "V2"), Move("p", "paid", 500), charge("b", 900)]
    assert reckon(moves) == Reckoned(open={"V1": 900}, settled={("V2", ""): 500})


def test_a_charge_taken_back_frees_what_was_paid_for_the_others():
    moves = [charge("a", 500), Move("p", "paid", 500), charge("b", 300, "V2")]
    back = Move("r", "back", 500, "V1", of="a")
    assert reckon([*moves, back]) == Reckoned(settled={("V2", ""): 300}, credit=200)
    assert reckon([*moves, back, Move("f", "refund", 200)]) == Reckoned(settled={("V2", ""): 300})


def test_a_charge_that_nobody_paid_is_only_gone():
    assert reckon([charge("a", 500), Move("r", "back", 500, "V1", of="a")]) == Reckoned()


def test_a_charge_taken_back_that_is_not_there_is_wrong_and_frees_nothing():
    moves = [Move("p", "paid", 100), Move("r", "back", 500, "V1", of="a")]
    assert reckon(moves) == Reckoned(credit=100, wrong=["r"])


def test_cash_settles_nobody_elses_charge_and_stays_for_a_later_one():
    moves = [charge("a", 100), charge("b", 400, "V2"), Move("c", "cash", 500, "V1")]
    assert reckon(moves) == Reckoned(open={"V2": 400})
    assert reckon([*moves, charge("d", 450)]) == Reckoned(open={"V1": 50, "V2": 400})


def taken_back(*more):
    """Cash for a visit of V1 that was taken back since."""
    return [
        charge("a", 500),
        Move("c", "cash", 500, "V1"),
        Move("r", "back", 500, "V1", "a"),
        *more,
    ]


def test_cash_of_a_charge_taken_back_is_the_elders_and_the_vendors_debt():
    stands = reckon(taken_back())
    assert stands == Reckoned(settled={("V1", ""): -500}, back={"V1": 500}, credit=500)
    assert stands.most_to_hand_back("V1") == 500
    assert stands.most_to_hand_back("V2") == 0


def test_cash_of_a_charge_taken_back_pays_the_next_one_whoever_serves():
    stands = reckon(taken_back(charge("b", 400, "V2")))
    assert stands.settled == {("V1", ""): -500, ("V2", ""): 400}
    # The vendor may hand back what the elder has not used since; the rest it owes the bank.
    assert (stands.credit, stands.most_to_hand_back("V1")) == (100, 100)
    assert reckon(taken_back(charge("b", 500))) == Reckoned(back={"V1": 500})


def test_cash_handed_back_is_nobodys_debt_any_more():
    assert reckon(taken_back(Move("h", "handed", 500, "V1"))) == Reckoned()
    assert reckon(taken_back(Move("f", "refund", 500))).settled == {("V1", ""): -500}


@pytest.mark.parametrize(
    "move",
    [
        Move("x", "handed", 501, "V1"),
        Move("x", "handed", 1, "V2"),
        Move("x", "refund", 501),
    ],
)
def test_what_gives_back_more_than_was_there_is_named(move):
    assert reckon(taken_back(move)).wrong == ["x"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["charge", "cash", "paid", "back", "handed", "refund"]),
            st.sampled_from(["V1", "V2", "V3"]),
            st.integers(min_value=1, max_value=900),
        ),
        max_size=25,
    )
)
def test_every_fen_of_own_money_is_a_vendors_or_the_elders(steps):
    moves, charges = [], {}
    sums = {"cash": {}, "handed": {}, "paid": 0, "refund": 0}
    for n, (kind, vendor, fen) in enumerate(steps):
        stands = reckon(moves)
        if kind == "charge":
            charges[f"m{n}"] = (vendor, fen)
            moves.append(Move(f"m{n}", "charge", fen, vendor))
        elif kind == "back" and charges:
            of = min(charges)
            who, back = charges.pop(of)
            moves.append(Move(f"m{n}", "back", back, who, of=of))
        elif kind in ("cash", "paid"):
            moves.append(Move(f"m{n}", kind, fen, vendor if kind == "cash" else ""))
        elif kind in ("handed", "refund"):
            most = stands.credit if kind == "refund" else stands.most_to_hand_back(vendor)
            if fen := min(fen, most):
                moves.append(Move(f"m{n}", kind, fen, vendor if kind == "handed" else ""))
    for m in moves:
        if m.kind in ("cash", "handed"):
            sums[m.kind][m.vendor_id] = sums[m.kind].get(m.vendor_id, 0) + m.fen
        elif m.kind in ("paid", "refund"):
            sums[m.kind] += m.fen
    stands = reckon(moves)
    assert stands.wrong == []
    assert stands.credit >= 0
    # What the bank got is passed on or the elder's; what it gives out for cash, vendors owe it.
    assert sum(stands.settled.values()) + stands.credit == sums["paid"] - sums["refund"]
    if stands.credit:
        assert not stands.open, "an elder has money to the good while a charge is open"
    for vendor in ("V1", "V2", "V3"):
        charged = sum(fen for who, fen in charges.values() if who == vendor)
        kept = sums["cash"].get(vendor, 0) - sums["handed"].get(vendor, 0)
        got = kept + stands.settled.get((vendor, ""), 0) + stands.open.get(vendor, 0)
        # Cash ahead of its charge is the only thing that a vendor holds and has not earned.
        assert got >= charged
        if got > charged:
            assert not stands.open.get(vendor, 0)
