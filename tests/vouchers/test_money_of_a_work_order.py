"""Hold, capture, release, reverse on both databases."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError, IntegrityError

from marketplace.elders.facts import facts_of
from marketplace.elders.models import Elder
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import WrongState
from marketplace.vouchers import expected, service
from marketplace.vouchers.ledger import shard_of
from marketplace.vouchers.models import Entitlement, LedgerAccount, LedgerTransfer
from marketplace.vouchers.splits import fund_account
from marketplace.vouchers.verify import verify
from marketplace.workflows.lapse import lapse
from tests.builders import (
    DISTRICT,
    NOW,
    TODAY,
    a_caregiver,
    a_hold,
    a_poor_elder,
    a_service,
    a_vendor,
    a_visit,
    a_work_order,
    an_assessment,
    an_elder,
    granted,
)
from tests.counting import Statements

ELSEWHERE = "321203"


@pytest.fixture
def poor_elder(session):
    """An elder of 80 with low income and moderate disability, granted for November."""
    with transaction(session):
        a_poor_elder(session)
    return "E1"


def left(session, account_id):
    a = LedgerAccount
    return session.scalar(
        select(a.credits_posted - a.debits_posted - a.debits_pending).where(a.id == account_id)
    )


def proven(session):
    session.rollback()
    verdict = verify(session.connection())
    session.rollback()
    return [str(f) for f in verdict.findings]


def visit_of(session, work_order_id="W1"):
    from marketplace.orders.models import WorkOrder

    return a_visit(
        session, id=f"X-{work_order_id}", work_order=session.get(WorkOrder, work_order_id)
    ).id


def test_a_hold_takes_from_each_purse_and_leaves_the_rest(session, poor_elder):
    with transaction(session):
        version = a_service(session, price_fen=28_000)
        receipt = a_hold(session, version=version)
    assert [(s.programme_code, s.fen) for s in receipt.shares] == [
        ("GP-A2", 2_500),
        ("LV", 10_000),
        ("NV", 7_750),
        ("OWN", 7_750),
    ]
    assert left(session, "ent:GP:E1:2026-11") == 1_140
    assert left(session, "ent:LV:E1:2026-11") == 0
    assert left(session, "ent:NV:E1:2026-11") == 72_250
    assert proven(session) == []


def test_a_repeated_hold_returns_the_first_answer(session, poor_elder):
    with transaction(session):
        version = a_service(session)
        first = a_hold(session, version=version)
        quote = service.quote(
            session,
            elder_id="E1",
            service_version=version,
            on=TODAY,
            district_code=DISTRICT,
        )
    with transaction(session):
        again = service.hold(session, work_order_id="W1", elder_id="E1", quote=quote, at=NOW)
    assert again == first
    assert left(session, "ent:GP:E1:2026-11") == 1_140


def test_a_capture_pays_the_vendor_what_was_held(session, poor_elder):
    with transaction(session):
        a_hold(session, version=a_service(session, price_fen=28_000))
        visit = visit_of(session)
    with transaction(session):
        receipt = service.capture(
            session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=NOW
        )
    assert receipt.fen_by_programme == {"GP-A2": 2_500, "LV": 10_000, "NV": 7_750, "OWN": 7_750}
    assert session.get(LedgerAccount, "due:V1:GP-A2").credits_posted == 2_500
    assert session.get(LedgerAccount, "owed:E1").debits_posted == 7_750
    assert proven(session) == []


def test_a_repeated_capture_returns_the_first_answer_and_moves_nothing(session, poor_elder):
    with transaction(session):
        a_hold(session)
        visit = visit_of(session)
    answers = []
    for _ in range(2):
        with transaction(session):
            answers.append(
                service.capture(session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=NOW)
            )
    assert answers[0] == answers[1]
    assert proven(session) == []


def test_who_moves_to_another_district_keeps_the_hours_of_the_month(session, ports, clock):
    """And the money behind them is of the district that granted them, never of its new neighbours."""
    with transaction(session):
        an_elder(session)
        # Of one shard with the first, so that their hours would lie in one fund.
        neighbour = next(f"N{n}" for n in range(99) if shard_of(f"N{n}") == shard_of("E1"))
        an_elder(session, neighbour, district_code=ELSEWHERE)
        a_vendor(session)
        a_caregiver(session)
        for district in (DISTRICT, ELSEWHERE):
            granted(session, district=district)
        session.get_one(Elder, "E1").district_code = ELSEWHERE
        version = a_service(session)
        for n, elder in enumerate(("E1", "E1", neighbour, neighbour)):
            a_work_order(session, f"W{n}", elder, version, district_code=ELSEWHERE)
            quote = service.quote(
                session,
                elder_id=elder,
                service_version=version,
                on=TODAY,
                district_code=ELSEWHERE,
            )
            receipt = service.hold(
                session, work_order_id=f"W{n}", elder_id=elder, quote=quote, at=NOW
            )
            assert [(s.programme_code, s.fen) for s in receipt.shares] == [
                ("GP-C", 2_500),
                ("OWN", 3_500),
            ]
        visit = visit_of(session, "W0")
        service.capture(session, work_order_id="W0", visit_id=visit, vendor_id="V1", at=NOW)
        service.release(session, work_order_id="W1", at=NOW, reason="cancelled")
    clock.at = NOW + timedelta(days=20)
    lapse(session, ports)
    assert left(session, fund_account("GP-C", DISTRICT, "2026-11", "E1")) == 0
    assert left(session, f"budget:GP-C:{DISTRICT}:2026") == 60_000_000_000 - 2_500
    assert proven(session) == []


def test_half_the_time_of_a_large_home_costs_half(session, poor_elder):
    with transaction(session):
        windows = a_service(session, "ZJ005", unit="平方米", price_fen=500, subsidised=False)
        a_hold(session, version=windows, quantity=20)
        visit = visit_of(session)
    with transaction(session):
        receipt = service.capture(
            session,
            work_order_id="W1",
            visit_id=visit,
            vendor_id="V1",
            at=NOW,
            minutes_delivered=30,
        )
    assert receipt.fen_by_programme == {"OWN": 5_000}
    assert proven(session) == []


def test_a_second_visit_cannot_capture_the_same_work_order(session, poor_elder):
    with transaction(session):
        a_caregiver(session, id="C2")
        a_hold(session)
        visit = visit_of(session)
        from marketplace.orders.models import WorkOrder

        other = a_visit(
            session, id="X2", work_order=session.get(WorkOrder, "W1"), caregiver_id="C2"
        ).id
    with transaction(session):
        service.capture(session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=NOW)
    with pytest.raises(WrongState), transaction(session):
        service.capture(session, work_order_id="W1", visit_id=other, vendor_id="V1", at=NOW)


def test_one_visit_cannot_capture_two_work_orders(session, poor_elder):
    with transaction(session):
        version = a_service(session)
        a_hold(session, id="W1", version=version)
        a_hold(session, id="W2", version=version)
        visit = visit_of(session)
    with transaction(session):
        service.capture(session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=NOW)
    with pytest.raises(IntegrityError), transaction(session):
        service.capture(session, work_order_id="W2", visit_id=visit, vendor_id="V1", at=NOW)
    assert proven(session) == []


@pytest.mark.parametrize(
    ("served", "price_fen", "used_min"), [(60, 4_000, 60), (50, 3_333, 60), (40, 2_666, 45)]
)
def test_a_shortened_visit_is_paid_in_part_and_the_rest_is_free_again(
    session, poor_elder, served, price_fen, used_min
):
    """Minutes in the programme's blocks of 15: fifty of 120 are paid as sixty."""
    with transaction(session):
        a_hold(session, version=a_service(session, price_fen=8_000, duration_min=120))
        visit = visit_of(session)
    with transaction(session):
        receipt = service.capture(
            session,
            work_order_id="W1",
            visit_id=visit,
            vendor_id="V1",
            at=NOW,
            minutes_delivered=served,
        )
    assert receipt.price_fen == price_fen
    assert left(session, "ent:GP:E1:2026-11") == 1_200 - used_min
    assert proven(session) == []


def test_the_national_voucher_pays_its_rate_of_what_was_served(session):
    with transaction(session):
        an_elder(session, hukou_local=False)
        an_assessment(session, level=2)
        a_vendor(session)
        a_caregiver(session)
        granted(session)
        a_hold(session, version=a_service(session, price_fen=8_000))
        visit = visit_of(session)
        held = {s.programme_code: s.fen for s in service.shares_of(session, "W1")}
    assert held == {"NV": 4_000, "OWN": 4_000}
    with transaction(session):
        receipt = service.capture(
            session,
            work_order_id="W1",
            visit_id=visit,
            vendor_id="V1",
            at=NOW,
            minutes_delivered=30,
        )
    assert receipt.fen_by_programme == {"NV": 2_000, "OWN": 2_000}
    assert proven(session) == []


def test_a_release_gives_all_back(session, poor_elder):
    with transaction(session):
        a_hold(session, version=a_service(session, price_fen=28_000))
    for _ in range(2):
        with transaction(session):
            receipt = service.release(session, work_order_id="W1", at=NOW, reason="cancelled")
        assert receipt.released_fen == 28_000
    assert left(session, "ent:GP:E1:2026-11") == 1_200
    assert left(session, "ent:LV:E1:2026-11") == 10_000
    assert proven(session) == []


def test_a_captured_work_order_cannot_be_released(session, poor_elder):
    with transaction(session):
        a_hold(session)
        visit = visit_of(session)
        service.capture(session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=NOW)
    with pytest.raises(WrongState), transaction(session):
        service.release(session, work_order_id="W1", at=NOW, reason="cancelled")


def test_after_a_release_the_work_order_may_be_held_anew(session, poor_elder):
    with transaction(session):
        version = a_service(session)
        a_hold(session, version=version)
        service.release(session, work_order_id="W1", at=NOW, reason="rescheduled")
        quote = service.quote(
            session, elder_id="E1", service_version=version, on=TODAY, district_code=DISTRICT
        )
        receipt = service.hold(session, work_order_id="W1", elder_id="E1", quote=quote, at=NOW)
    assert (receipt.state, receipt.revision) == ("held", 2)
    assert proven(session) == []


def test_a_late_cancellation_costs_a_fifth_of_the_own_share(session, poor_elder):
    with transaction(session):
        a_hold(session, version=a_service(session, price_fen=28_000))
        receipt = service.capture_fee(
            session, work_order_id="W1", vendor_id="V1", at=NOW, kind="late_cancel"
        )
    assert receipt.fee_fen == 1_550
    assert session.get(LedgerAccount, "due:V1:OWN").credits_posted == 1_550
    assert proven(session) == []


def test_a_closed_door_costs_the_travel_twice_a_month_at_most(session, poor_elder):
    fees = []
    for n in range(3):
        with transaction(session):
            version = a_service(session, valid_from=date(2026, 1, 1) + timedelta(days=n))
            a_hold(session, id=f"W{n}", version=version)
            fees.append(
                service.capture_fee(
                    session, work_order_id=f"W{n}", vendor_id="V1", at=NOW, kind="no_access"
                ).fee_fen
            )
    assert fees == [1_000, 1_000, 0]
    assert left(session, "ent:GP:E1:2026-11") == 1_200


def test_a_reversal_mirrors_every_entry_and_returns_the_voucher(session, poor_elder):
    with transaction(session):
        a_hold(session, version=a_service(session, price_fen=28_000))
        visit = visit_of(session)
        service.capture(session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=NOW)
    for _ in range(2):
        with transaction(session):
            receipt = service.reverse(
                session, work_order_id="W1", at=NOW, reason="invalidated", actor="bureau-1"
            )
        assert receipt.reversed_fen == 28_000
        assert receipt.replacements == ()
    assert left(session, "ent:LV:E1:2026-11") == 10_000
    due = session.get(LedgerAccount, "due:V1:LV")
    assert due.credits_posted == due.debits_posted == 10_000
    assert proven(session) == []


def test_what_returns_after_its_month_becomes_a_grant_of_thirty_days(session, poor_elder):
    with transaction(session):
        a_hold(session, version=a_service(session, price_fen=28_000))
        visit = visit_of(session)
        service.capture(session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=NOW)
    later = NOW + timedelta(days=30)
    with transaction(session):
        receipt = service.reverse(
            session, work_order_id="W1", at=later, reason="invalidated", actor="bureau-1"
        )
    # The hours and the national voucher ended with November; the local voucher still runs.
    assert receipt.replacements == ("ent:GP:E1:2026-11:1", "ent:NV:E1:2026-11:1")
    row = session.get(Entitlement, "ent:GP:E1:2026-11:1")
    assert (row.granted, row.ends_on) == (60, date(2027, 1, 22))
    assert left(session, "ent:GP:E1:2026-11:1") == 60
    assert proven(session) == []


def test_what_came_from_two_grants_of_one_month_returns_to_two(session, poor_elder):
    december, february = NOW + timedelta(days=20), NOW + timedelta(days=80)
    with transaction(session):
        hour = a_service(session, price_fen=2_500)
        long = a_service(session, "HL010", price_fen=5_000, duration_min=120)
        for n, version in enumerate((hour, hour)):
            a_hold(session, id=f"W{n}", version=version)
            visit = visit_of(session, f"W{n}")
            service.capture(session, work_order_id=f"W{n}", visit_id=visit, vendor_id="V1", at=NOW)
        for n in range(2):
            service.reverse(session, work_order_id=f"W{n}", at=december, reason="x", actor="b")
        on = december.date()
        a_work_order(session, id="W9", version=long, visit_on=on)
        quote = service.quote(
            session, elder_id="E1", service_version=long, on=on, district_code=DISTRICT
        )
        service.hold(session, work_order_id="W9", elder_id="E1", quote=quote, at=december)
        visit = visit_of(session, "W9")
        service.capture(session, work_order_id="W9", visit_id=visit, vendor_id="V1", at=december)
    with transaction(session):
        receipt = service.reverse(session, work_order_id="W9", at=february, reason="x", actor="b")
    assert receipt.replacements == ("ent:GP:E1:2026-11:3", "ent:GP:E1:2026-11:4")
    assert [left(session, r) for r in receipt.replacements] == [60, 60]
    assert proven(session) == []


def test_a_replacement_can_be_used(session, poor_elder):
    with transaction(session):
        version = a_service(session, price_fen=2_500)
        a_hold(session, version=version)
        visit = visit_of(session)
        service.capture(session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=NOW)
        service.reverse(
            session, work_order_id="W1", at=NOW + timedelta(days=20), reason="x", actor="b"
        )
        on = date(2026, 12, 14)
        a_work_order(session, id="W2", version=version, visit_on=on)
        quote = service.quote(
            session, elder_id="E1", service_version=version, on=on, district_code=DISTRICT
        )
        assert [(s.account_id, s.minutes) for s in quote.shares] == [("ent:GP:E1:2026-11:1", 60)]
        service.hold(session, work_order_id="W2", elder_id="E1", quote=quote, at=NOW)
    assert proven(session) == []


def test_no_capture_after_the_third_day_of_the_next_month(session, poor_elder):
    with transaction(session):
        a_hold(session)
        visit = visit_of(session)
    late = NOW + timedelta(days=11)
    with pytest.raises(service.CaptureTooLate), transaction(session):
        service.capture(session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=late)
    with transaction(session):
        service.capture(
            session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=late, decided_late=True
        )


def test_no_more_than_two_subsidised_meals_a_day(session, poor_elder):
    with transaction(session):
        lunch = a_service(
            session, "ZC002", unit="餐", price_fen=1_000, mode="site", duration_min=40
        )
        paid = []
        for n in range(3):
            receipt = a_hold(session, id=f"W{n}", version=lunch)
            paid.append([(s.programme_code, s.fen) for s in receipt.shares])
        next_day = a_hold(session, id="W9", version=lunch, visit_on=TODAY + timedelta(days=1))
    # A poor elder gets 5 yuan a meal; local vouchers pay whole tens only.
    assert paid[0] == [("MEAL", 500), ("OWN", 500)]
    assert paid[1] == [("MEAL", 500), ("OWN", 500)]
    assert paid[2] == [("LV", 1_000)]
    assert next_day.shares[0].programme_code == "MEAL"
    assert proven(session) == []


def test_two_quotes_of_one_list_do_not_spend_one_balance_twice(session, poor_elder):
    with transaction(session):
        version = a_service(session, price_fen=28_000)
        requests = [service.QuoteRequest("E1", version, TODAY, DISTRICT) for _ in range(2)]
        quotes = service.quote_many(session, requests)
        for n in range(2):
            a_work_order(session, id=f"W{n}", version=version)
        service.hold_many(
            session,
            [service.HoldRequest(f"W{n}", "E1", q) for n, q in enumerate(quotes)],
            at=NOW,
        )
    assert sum(s.fen for q in quotes for s in q.shares if s.programme_code == "LV") == 10_000
    assert proven(session) == []


def test_two_meals_of_one_list_open_their_day_with_its_whole_amount(session, poor_elder):
    with transaction(session):
        lunch = a_service(
            session, "ZC002", unit="餐", price_fen=1_000, mode="site", duration_min=40
        )
        requests = [service.QuoteRequest("E1", lunch, TODAY, DISTRICT) for _ in range(2)]
        quotes = service.quote_many(session, requests)
        for n in range(2):
            a_work_order(session, id=f"W{n}", version=lunch)
        receipts = service.hold_many(
            session,
            [service.HoldRequest(f"W{n}", "E1", q) for n, q in enumerate(quotes)],
            at=NOW,
        )
    assert [r.shares[0].programme_code for r in receipts] == ["MEAL", "MEAL"]
    assert left(session, f"day:MEAL:E1:{TODAY.isoformat()}") == 0
    assert proven(session) == []


def test_a_stale_quote_is_refused_with_what_is_left(session, poor_elder):
    with transaction(session):
        version = a_service(session, price_fen=28_000)
        stale = service.quote(
            session, elder_id="E1", service_version=version, on=TODAY, district_code=DISTRICT
        )
        a_hold(session, id="W1", version=version)
        a_work_order(session, id="W2", version=version)
    with pytest.raises(service.EntitlementTooSmall) as refusal, transaction(session):
        service.hold(session, work_order_id="W2", elder_id="E1", quote=stale, at=NOW)
    assert refusal.value.facts["needed_fen"] == 10_000
    assert refusal.value.facts["free_fen"] == 0
    assert refusal.value.facts["period"] == "2026-11"
    assert proven(session) == []


def test_a_month_not_yet_granted_is_promised_and_held_at_its_release(session, poor_elder):
    december = date(2026, 12, 7)
    with transaction(session):
        receipt = a_hold(session, version=a_service(session, price_fen=5_000), visit_on=december)
    assert receipt.state == "expected"
    assert [(s.programme_code, s.fen) for s in receipt.shares[:1]] == [("GP-A2", 2_500)]
    assert proven(session) == []
    with transaction(session):
        granted(session, Period(2026, 12))
        done = expected.hold_expected(
            session, period=Period(2026, 12), district_code=DISTRICT, at=NOW
        )
    assert (done.held, done.requoted) == (1, ())
    assert left(session, "ent:GP:E1:2026-12") == 1_140
    assert proven(session) == []


def test_promises_of_a_future_month_are_deducted_from_one_another(session, poor_elder):
    with transaction(session):
        version = a_service(session, price_fen=50_000, duration_min=1_200)
        for n in range(2):
            receipt = a_hold(session, id=f"W{n}", version=version, visit_on=date(2026, 12, 7 + n))
    assert "GP-A2" not in [s.programme_code for s in receipt.shares]


def test_a_meal_reversed_after_its_day_returns_to_the_month(session, poor_elder):
    with transaction(session):
        lunch = a_service(
            session, "ZC002", unit="餐", price_fen=1_000, mode="site", duration_min=40
        )
        a_hold(session, version=lunch)
        visit = visit_of(session)
        service.capture(session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=NOW)
        before = left(session, "ent:MEAL:E1:2026-11")
        service.reverse(
            session, work_order_id="W1", at=NOW + timedelta(days=2), reason="x", actor="b"
        )
    assert left(session, "ent:MEAL:E1:2026-11") == before + 500
    assert proven(session) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_transfer SET amount = amount + 1",
        "DELETE FROM ledger_transfer",
        "UPDATE price_share SET fen = fen + 1",
        "DELETE FROM price_share",
        "UPDATE entitlement SET granted = granted + 1",
        "DELETE FROM redemption",
        "UPDATE ledger_account SET kind = 'bank', guarded = (1 = 0)",
        "DELETE FROM ledger_account",
        "UPDATE price_split SET elder_id = 'E2'",
    ],
)
def test_the_database_refuses_to_change_what_was_written(session, poor_elder, statement):
    with transaction(session):
        a_hold(session)
        visit = visit_of(session)
        service.capture(session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=NOW)
    with pytest.raises(DatabaseError, match=r"never changed|refused"):
        session.execute(text(statement))
    session.rollback()
    assert proven(session) == []


def test_no_balance_falls_below_zero_whatever_the_code_does(session, poor_elder):
    with pytest.raises(IntegrityError):
        session.execute(
            text("UPDATE ledger_account SET debits_posted = 999999 WHERE kind = 'entitlement'")
        )
    session.rollback()


def test_a_hold_can_be_resolved_only_once(session, poor_elder):
    with transaction(session):
        a_hold(session)
        visit = visit_of(session)
        service.capture(session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=NOW)
    row = session.scalars(select(LedgerTransfer).where(LedgerTransfer.kind == "post")).first()
    with pytest.raises(IntegrityError):
        session.execute(
            text(
                "INSERT INTO ledger_transfer (id, kind, code, unit, debit_account, credit_account,"
                " amount, pending_id, work_order_id, period, at) VALUES ('twice', 'void', 'x',"
                " 'fen', :d, :c, 1, :p, 'W1', '2026-11', '2026-11-23 00:00:00')"
            ),
            {"d": row.debit_account, "c": row.credit_account, "p": row.pending_id},
        )
    session.rollback()


def test_a_hold_costs_a_constant_number_of_statements(session, poor_elder):
    counts = []
    for n in range(3):
        with transaction(session):
            version = a_service(session, "ZJ00" + str(n), price_fen=9_000)
            a_work_order(session, id=f"W{n}", version=version)
            quote = service.quote(
                session, elder_id="E1", service_version=version, on=TODAY, district_code=DISTRICT
            )
            visit = visit_of(session, f"W{n}")
            with Statements(session.get_bind()) as held:
                service.hold(session, work_order_id=f"W{n}", elder_id="E1", quote=quote, at=NOW)
            with Statements(session.get_bind()) as captured:
                service.capture(
                    session, work_order_id=f"W{n}", visit_id=visit, vendor_id="V1", at=NOW
                )
            counts.append((held.count, captured.count))
    first, *later = counts
    assert len(set(later)) == 1
    # The vendor's first money of a payer opens its account there: one statement more, once.
    assert first == (later[0][0], later[0][1] + 1)
    assert later[0][0] <= 9
    assert later[0][1] <= 6


def test_facts_carry_their_source(session, poor_elder):
    facts = facts_of(session, ["E1"], TODAY)["E1"]
    assert facts["level"].value == 2
    assert facts["level"].source == "assessment of 2026-03-01"
