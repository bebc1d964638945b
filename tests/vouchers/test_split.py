"""The split of a price: every test vector of the rules by name, and what must hold for any price."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.kernel.facts import Fact
from marketplace.vouchers import programmes
from marketplace.vouchers.eligibility import decide
from marketplace.vouchers.split import OWN, Balance, Bought, Manner, Share, split, trimmed

ORDER = ("LTCI", "GP", "TQ", "ADAPT", "MEAL", "BED", "LV", "NV", "CHAR")
HOME = Bought("ZY008", "ZY", "次", "home", True, 60, 1)
END = date(2026, 11, 30)


def lv(left_fen: int) -> Balance:
    return Balance("LV", "LV", "voucher", left_fen, "ent:LV:E1:2026-11", END, step_fen=1000)


def nv(left_fen: int = 80_000, percent: int = 50) -> Balance:
    return Balance("NV", "NV", "rate", left_fen, "ent:NV:E1:2026-11", END, percent=percent)


def gp(left_min: int, rate: int = 2500) -> Balance:
    return Balance(
        "GP-A2",
        "GP",
        "in_kind",
        left_min,
        "ent:GP:E1:2026-11",
        END,
        rate_fen_per_hour=rate,
        block_min=15,
    )


def ltci(left_min: int) -> Balance:
    return Balance(
        "LTCI",
        "LTCI",
        "in_kind",
        left_min,
        "ent:LTCI:E1:2026-11",
        END,
        rate_fen_per_hour=4500,
        block_min=15,
    )


def meal(per_item_fen: int, left_fen: int = 12_400) -> Balance:
    return Balance(
        "MEAL", "MEAL", "item", left_fen, "day:MEAL:E1:d", END, per_item_fen=per_item_fen
    )


def paid(price_fen, balances, bought=HOME, order=ORDER):
    return {s.programme_code: s.fen for s in split(price_fen, bought, balances, order)}


def test_vector_local_voucher_first():
    assert paid(28_000, [lv(10_000), nv()]) == {"LV": 10_000, "NV": 9_000, OWN: 9_000}


def test_vector_national_voucher_first():
    order = ("LTCI", "GP", "TQ", "ADAPT", "MEAL", "BED", "NV", "LV", "CHAR")
    assert paid(28_000, [lv(10_000), nv()], order=order) == {
        "NV": 14_000,
        "LV": 10_000,
        OWN: 4_000,
    }


def test_vector_cap_of_the_national_voucher():
    left, own, given_fen = 80_000, 0, 0
    for _ in range(8):
        shares = paid(28_000, [nv(left)])
        left -= shares.get("NV", 0)
        given_fen += shares.get("NV", 0)
        own += shares[OWN]
    assert (given_fen, own, left) == (80_000, 144_000, 0)


def test_vector_rounding_goes_to_own_money():
    assert paid(3_505, [nv()]) == {"NV": 1_752, OWN: 1_753}


def test_vector_meal_of_ten_yuan():
    lunch = Bought("ZC002", "ZC", "餐", "site", True, 40, 1)
    assert paid(1_000, [meal(200)], lunch) == {"MEAL": 200, OWN: 800}


def test_vector_day_care():
    day_care = Bought("HL028", "HL", "天", "site", True, 480, 1)
    assert paid(6_000, [nv(percent=40)], day_care) == {"NV": 2_400, OWN: 3_600}


def test_vector_insurance_before_the_national_voucher():
    listed = Bought("HL010", "HL", "次", "home", True, 180, 1)
    assert paid(18_000, [ltci(1_800), nv()], listed) == {"LTCI": 13_500, "NV": 2_250, OWN: 2_250}


def test_vector_level_one_has_no_national_voucher():
    terms = programmes.terms_of("NV", date(2026, 11, 23))
    facts = {"age": 72, "level": 1, "income_class": "ordinary", "special": frozenset()}
    decision = decide(terms, {name: Fact(value, "test") for name, value in facts.items()})
    assert decision.entitled is False
    assert (decision.deciding.fact, decision.deciding.found) == ("level", "1")
    assert paid(28_000, []) == {OWN: 28_000}


VECTORS = (
    "local_voucher_first",
    "national_voucher_first",
    "cap_of_the_national_voucher",
    "rounding_goes_to_own_money",
    "meal_of_ten_yuan",
    "day_care",
    "level_one_has_no_national_voucher",
    "insurance_before_the_national_voucher",
)
"""The rules' worked examples, in the order in which they are told."""


def test_every_vector_of_the_rules_is_here_by_name():
    named = {n.removeprefix("test_vector_") for n in globals() if n.startswith("test_vector_")}
    assert named == set(VECTORS)
    assert len(VECTORS) == 8


def test_hours_pay_the_contract_rate_and_the_elder_the_difference():
    assert paid(4_000, [gp(1_200)]) == {"GP-A2": 2_500, OWN: 1_500}


def test_hours_never_pay_more_than_the_price():
    assert paid(300, [gp(1_200)], Bought("ZL001", "ZL", "次", "remote", True, 15, 1)) == {
        "GP-A2": 300
    }


def test_minutes_are_used_in_blocks_of_fifteen():
    shares = split(2_000, Bought("YL001", "YL", "次", "home", True, 20, 1), [gp(1_200)], ORDER)
    assert shares[0].minutes == 30
    assert shares[0].fen == 1_250


def test_one_service_minute_is_paid_by_one_in_kind_payer():
    long = Bought("HL022", "HL", "次", "home", True, 240, 1)
    shares = split(13_000, long, [ltci(180), gp(1_200, rate=2500)], ORDER)
    assert [(s.programme_code, s.minutes, s.fen) for s in shares] == [("LTCI", 180, 13_000)]


def test_the_rest_of_the_minutes_falls_to_the_next_in_kind_payer():
    long = Bought("HL022", "HL", "次", "home", True, 240, 1)
    shares = split(20_000, long, [ltci(180), gp(1_200)], ORDER)
    assert [(s.programme_code, s.minutes, s.fen) for s in shares] == [
        ("LTCI", 180, 13_500),
        ("GP-A2", 60, 2_500),
        (OWN, 0, 4_000),
    ]


def test_a_local_voucher_pays_in_steps_of_ten_yuan():
    assert paid(3_505, [lv(10_000)]) == {"LV": 3_000, OWN: 505}


def test_of_two_vouchers_the_one_that_ends_first_pays_first():
    old = Balance("LV", "LV", "voucher", 4_000, "ent:LV:E1:2026-10", END, step_fen=1000)
    new = Balance(
        "LV", "LV", "voucher", 10_000, "ent:LV:E1:2026-11", date(2026, 12, 31), step_fen=1000
    )
    shares = split(6_000, HOME, [new, old], ORDER)
    assert [(s.account_id, s.fen) for s in shares] == [
        ("ent:LV:E1:2026-10", 4_000),
        ("ent:LV:E1:2026-11", 2_000),
    ]


def test_without_any_programme_the_elder_pays_all():
    assert paid(4_500, []) == {OWN: 4_500}


def test_a_free_service_has_no_shares():
    assert split(0, HOME, [gp(60), lv(1_000)], ORDER) == ()


def test_a_negative_price_is_refused():
    with pytest.raises(ValueError, match="-1"):
        split(-1, HOME, [], ORDER)


amounts = st.integers(min_value=0, max_value=200_000)
minutes = st.integers(min_value=0, max_value=3_000)
wallets = st.builds(
    lambda a, b, c, d, e, f, g: [
        ltci(a),
        gp(b),
        lv(c),
        nv(d, percent=f),
        meal(300, e),
        Balance("CHAR", "CHAR", "purse", g, "ent:CHAR:E1:2026-11", END),
        Balance("ADAPT", "ADAPT", "item", e, "ent:ADAPT:E1:2026-11", END),
    ],
    minutes,
    minutes,
    amounts,
    amounts,
    amounts,
    st.integers(min_value=0, max_value=100),
    amounts,
)
services = st.builds(
    lambda m, n: Bought("ZY008", "ZY", "次", "home", True, m, n),
    st.integers(min_value=1, max_value=600),
    st.integers(min_value=1, max_value=3),
)


@given(price=st.integers(min_value=0, max_value=1_000_000), wallet=wallets, bought=services)
def test_shares_sum_to_the_price_and_no_balance_is_overdrawn(price, wallet, bought):
    shares = split(price, bought, wallet, ORDER)
    by_account = {b.account_id: b for b in wallet}
    assert sum(s.fen for s in shares) == price
    assert all(s.fen > 0 for s in shares)
    for s in shares:
        if s.programme_code != OWN:
            balance = by_account[s.account_id]
            assert (s.minutes if balance.kind == "in_kind" else s.fen) <= balance.left
            if balance.kind == "in_kind":
                assert s.fen <= s.minutes * balance.rate_fen_per_hour // 60
            if balance.kind == "voucher":
                assert s.fen % balance.step_fen == 0


@given(price=st.integers(min_value=0, max_value=1_000_000), wallet=wallets, bought=services)
def test_in_kind_payers_together_pay_no_minute_twice(price, wallet, bought):
    used = sum(s.minutes for s in split(price, bought, wallet, ORDER))
    # Only the last block may reach past the service's own minutes.
    assert used < bought.minutes + 15 + 15


@given(
    price=st.integers(min_value=0, max_value=1_000_000),
    wallet=wallets,
    bought=services,
    delivered=st.integers(min_value=0, max_value=700),
)
def test_a_shortened_visit_costs_its_part_and_no_payer_more_than_held(
    price, wallet, bought, delivered
):
    shares = split(price, bought, wallet, ORDER)
    kept = trimmed(shares, price_fen=price, planned_min=bought.minutes, delivered_min=delivered)
    held = {s.account_id: s for s in shares}
    wanted = price if delivered >= bought.minutes else price * delivered // bought.minutes
    assert sum(s.fen for s in kept) == wanted
    assert all(s.fen <= held[s.account_id].fen for s in kept)
    assert all(s.minutes <= held[s.account_id].minutes for s in kept)


def test_a_shortened_visit_is_paid_by_the_national_voucher_at_its_rate():
    """Half of 280 yuan: the voucher's half of it is 70, not all of its hold of 140."""
    held = (Share("NV", 14_000, 0, "nv"), Share("OWN", 14_000, 0, "own"))
    kept = trimmed(
        held, price_fen=28_000, planned_min=60, delivered_min=30, manners={"nv": Manner(percent=50)}
    )
    assert [(s.programme_code, s.fen) for s in kept] == [("NV", 7_000), ("OWN", 7_000)]


@given(
    price=st.integers(min_value=0, max_value=1_000_000),
    wallet=wallets,
    bought=services,
    delivered=st.integers(min_value=0, max_value=700),
)
def test_no_payer_of_a_rate_gives_more_than_its_part_of_a_shortened_visit(
    price, wallet, bought, delivered
):
    shares = split(price, bought, wallet, ORDER)
    manners = manners_of(wallet)
    kept = trimmed(
        shares,
        price_fen=price,
        planned_min=bought.minutes,
        delivered_min=delivered,
        manners=manners,
    )
    held = {s.account_id: s for s in shares}
    wanted = price if delivered >= bought.minutes else price * delivered // bought.minutes
    assert sum(s.fen for s in kept) == wanted
    assert all(s.fen <= held[s.account_id].fen for s in kept)
    rates = {a: m.percent for a, m in manners.items() if m.percent is not None}
    assert all(s.fen <= wanted * rates.get(s.account_id, 100) // 100 for s in kept)


def manners_of(wallet):
    return {
        b.account_id: Manner(b.block_min, b.step_fen, b.percent if b.kind == "rate" else None)
        for b in wallet
    }


@pytest.mark.parametrize(("block", "minutes", "fen"), [(15, 15, 625), (30, 30, 1_250)])
def test_a_shortened_visit_uses_minutes_in_the_blocks_of_its_programme(block, minutes, fen):
    """Ten of forty minutes at 25 yuan an hour, price 50: due are 12.50."""
    held = (Share("GP-A2", 2_500, 60, "gp", rate_fen_per_hour=2_500), Share(OWN, 2_500, 0, ""))
    kept = trimmed(
        held,
        price_fen=5_000,
        planned_min=40,
        delivered_min=10,
        manners={"gp": Manner(block_min=block)},
    )
    assert (kept[0].minutes, kept[0].fen) == (minutes, fen)
    assert sum(s.fen for s in kept) == 1_250


def test_a_shortened_visit_keeps_the_steps_of_a_voucher_that_gives_no_change():
    """Fifty of sixty minutes of 85 yuan are 70.83: seven steps of ten, and 0.83 from own money."""
    held = (Share("LV", 8_000, 0, "lv"), Share(OWN, 500, 0, ""))
    manners = {"lv": Manner(step_fen=1_000)}
    kept = trimmed(held, price_fen=8_500, planned_min=60, delivered_min=50, manners=manners)
    assert [(s.programme_code, s.fen) for s in kept] == [("LV", 7_000), (OWN, 83)]


def test_a_voucher_gives_part_of_a_step_where_nobody_else_held_the_rest():
    """The elder is never asked for money that she did not agree to."""
    held = (Share("LV", 8_000, 0, "lv"),)
    manners = {"lv": Manner(step_fen=1_000)}
    kept = trimmed(held, price_fen=8_000, planned_min=60, delivered_min=50, manners=manners)
    assert [(s.programme_code, s.fen) for s in kept] == [("LV", 6_666)]


@given(
    price=st.integers(min_value=0, max_value=1_000_000),
    wallet=wallets,
    bought=services,
    delivered=st.integers(min_value=0, max_value=700),
)
def test_a_voucher_leaves_its_steps_only_when_all_others_give_what_they_held(
    price, wallet, bought, delivered
):
    shares = split(price, bought, wallet, ORDER)
    manners = manners_of(wallet)
    kept = {
        s.account_id: s.fen
        for s in trimmed(
            shares,
            price_fen=price,
            planned_min=bought.minutes,
            delivered_min=delivered,
            manners=manners,
        )
    }
    off = [a for a, fen in kept.items() if a and fen % manners[a].step_fen]
    if off:
        free = [
            s
            for s in shares
            if not s.minutes and (not s.account_id or manners[s.account_id] == Manner())
        ]
        assert all(kept.get(s.account_id, 0) == s.fen for s in free)
