"""An elder's own money reaches whoever served, the oldest charge first, and no fen twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from marketplace.vouchers.own_debts import Move, Reckoned, reckon


def charge(id, fen, vendor="V1"):
    return Move(id, "charge", fen, vendor)


def test_a_payment_settles_the_oldest_charge_first_whoever_served():
    stands = reckon([charge("a", 500), charge("b", 300, "V2"), Move("p", "paid", 600)])
    assert stands == Reckoned(open={"V2": 200}, settled={"V1": 500, "V2": 100})


def test_what_is_paid_ahead_settles_the_next_charge():
    assert reckon([Move("p", "paid", 600), charge("a", 500)]).settled == {"V1": 500}


def test_cash_is_the_vendors_own_and_the_bank_passes_nothing_on():
    assert reckon([charge("a", 500), Move("c", "cash", 500, "V1")]) == Reckoned()


def test_a_later_charge_takes_nothing_from_who_was_paid_for():
    moves = [charge("a", 500, "V2"), Move("p", "paid", 500), charge("b", 900)]
    assert reckon(moves) == Reckoned(open={"V1": 900}, settled={"V2": 500})


def test_a_charge_taken_back_frees_what_was_paid_for_the_others():
    moves = [charge("a", 500), Move("p", "paid", 500), charge("b", 300, "V2")]
    back = Move("r", "back", 500, "V1", of="a")
    assert reckon([*moves, back]) == Reckoned(settled={"V2": 300})
    assert reckon([*moves, back, Move("f", "refund", 200)]).settled == {"V2": 300}


def test_a_charge_that_nobody_paid_is_only_gone():
    assert reckon([charge("a", 500), Move("r", "back", 500, "V1", of="a")]) == Reckoned()


def test_cash_settles_nobody_elses_charge_and_stays_for_a_later_one():
    moves = [charge("a", 100), charge("b", 400, "V2"), Move("c", "cash", 500, "V1")]
    assert reckon(moves) == Reckoned(open={"V2": 400})
    assert reckon([*moves, charge("d", 450)]) == Reckoned(open={"V1": 50, "V2": 400})


def test_cash_of_a_charge_taken_back_is_no_money_of_the_bank():
    moves = [charge("a", 500), charge("b", 500, "V2"), Move("c", "cash", 500, "V1")]
    assert reckon([*moves, Move("r", "back", 500, "V1", of="a")]) == Reckoned(open={"V2": 500})


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["charge", "cash", "paid", "back"]),
            st.sampled_from(["V1", "V2", "V3"]),
            st.integers(min_value=1, max_value=900),
        ),
        max_size=25,
    )
)
def test_what_is_settled_is_what_came_in_and_never_more(steps):
    moves, charges = [], {}
    for n, (kind, vendor, fen) in enumerate(steps):
        if kind == "charge":
            charges[f"m{n}"] = (vendor, fen)
            moves.append(Move(f"m{n}", "charge", fen, vendor))
        elif kind == "back" and charges:
            of = min(charges)
            who, back = charges.pop(of)
            moves.append(Move(f"m{n}", "back", back, who, of=of))
        elif kind in ("cash", "paid"):
            moves.append(Move(f"m{n}", kind, fen, vendor if kind == "cash" else ""))
    stands = reckon(moves)
    paid = sum(m.fen for m in moves if m.kind == "paid")
    assert 0 <= sum(stands.settled.values()) <= paid
    assert all(fen >= 0 for fen in stands.settled.values())
    if sum(stands.settled.values()) < paid:
        assert not stands.open, "the bank holds money while a charge is open"
    for vendor in ("V1", "V2", "V3"):
        charged = sum(fen for who, fen in charges.values() if who == vendor)
        cash = sum(m.fen for m in moves if m.kind == "cash" and m.vendor_id == vendor)
        left = stands.open.get(vendor, 0) + stands.settled.get(vendor, 0)
        assert max(charged - cash, 0) <= left <= charged
