"""What elders pay themselves is booked once, goes back by the way it came, and never goes missing."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import func, select

from marketplace.adapters.payments import FilePayments
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.audit import AuditEvent
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import BadInput, NotAllowed, NotFound
from marketplace.kernel.ports import DeliveryFailed, OutsideRefused
from marketplace.orders.models import WorkOrder
from marketplace.queries.messages import said_to
from marketplace.queries.statements import document
from marketplace.settlement.export import to_csv
from marketplace.vouchers import payouts, service
from marketplace.vouchers.models import LedgerAccount, LedgerTransfer
from marketplace.workflows.own_money import (
    BillRequest,
    CashRequest,
    Collected,
    bill_family,
    collect,
    owed_fen,
    take_cash,
)
from marketplace.workflows.reverse import ReverseRequest, reverse
from tests.builders import (
    DISTRICT,
    NOVEMBER,
    NOW,
    a_confirmed_visit,
    a_hold,
    a_service,
    a_vendor,
    an_elder,
)
from tests.workflows.months import (
    BUREAU,
    DECEMBER,
    DECEMBERS,
    FEBRUARY_2,
    JANUARY,
    JANUARY_2,
    VENDOR,
    close,
    due,
    proven,
    serve_own,
    settle,
    sign_all,
    take_back,
)
from tests.workflows.overlap import at_once
from vendors.models import Vendor

HOTLINE = Actor("u-hotline", Role.HOTLINE)


def billed(session, ports, key="bill-1"):
    return bill_family(session, ports, HOTLINE, key=key, request=BillRequest("E1"))


def count(session, code):
    found = session.scalar(
        select(func.count()).select_from(LedgerTransfer).where(LedgerTransfer.code == code)
    )
    session.rollback()
    return found


def test_cash_at_the_door_lessens_what_elder_owes_and_vendor_is_due(session, ports, november):
    owed = owed_fen(session, "E1")
    assert owed > 2_000
    request = CashRequest("W1", 2_000)
    paid = take_cash(session, ports, VENDOR, key="cash-1", request=request)
    assert take_cash(session, ports, VENDOR, key="cash-1", request=request) == paid
    assert paid.owed_fen == owed_fen(session, "E1") == owed - 2_000
    assert session.get(LedgerAccount, "due:V1:OWN").debits_posted == 2_000
    assert proven(session) == []


def test_nobody_takes_more_than_is_owed_nor_for_anothers_visit(session, ports, november):
    owed = owed_fen(session, "E1")
    with pytest.raises(BadInput):
        take_cash(session, ports, VENDOR, key="c", request=CashRequest("W1", owed + 1))
    other = Actor("vendor-2", Role.VENDOR, vendor_id="V2")
    with pytest.raises(NotFound):
        take_cash(session, ports, other, key="c", request=CashRequest("W1", 1))
    with pytest.raises(NotAllowed):
        take_cash(session, ports, BUREAU, key="c", request=CashRequest("W1", 1))


def test_a_family_pays_a_bill_and_it_is_booked_once(session, ports, november):
    owed = owed_fen(session, "E1")
    bill = billed(session, ports)
    assert billed(session, ports) == bill
    assert (bill.fen, bill.code) == (owed, f"nuanju-pay:{bill.bill_id}")
    assert collect(session, ports).booked == 0
    ports.payments.pay(bill.bill_id)
    assert collect(session, ports).booked == 1
    assert collect(session, ports).booked == 0
    assert owed_fen(session, "E1") == 0
    assert session.get(LedgerAccount, f"bank:{DISTRICT}").debits_posted == owed
    with pytest.raises(BadInput):
        billed(session, ports, key="bill-2")
    assert proven(session) == []


def test_a_payment_that_was_booked_and_not_acknowledged_is_not_booked_again(
    session, ports, november, monkeypatch
):
    bill = billed(session, ports)
    ports.payments.pay(bill.bill_id)
    monkeypatch.setattr(FilePayments, "acknowledge", lambda *_: None)
    assert [collect(session, ports).booked for _ in range(2)] == [1, 0]
    assert count(session, "family_account") == 1


def test_a_payment_for_an_unknown_elder_is_kept_aside_and_named_and_the_others_are_booked(
    session, ports, november, clock
):
    owed = owed_fen(session, "E1")
    bill = billed(session, ports)
    for bill_id, elder_id in (("A-1", "E404"), ("Z-1", "E404")):
        # Before and after the good one, in the order in which the provider tells them.
        ports.payments.ask(bill_id=bill_id, elder_id=elder_id, fen=700)
        ports.payments.pay(bill_id)
    ports.payments.pay(bill.bill_id)
    assert collect(session, ports) == Collected(1, 0, ("A-1", "Z-1"))
    assert (owed_fen(session, "E1"), count(session, "family_account")) == (0, 1)
    assert session.get(LedgerAccount, f"bank:{DISTRICT}").debits_posted == owed
    assert collect(session, ports) == Collected(0, 0, ("A-1", "Z-1"))
    told = said_to(session, [("district", None)], at=clock.now())
    named = [m.values for m in told if m.template == "payment_aside"]
    assert sorted((v["bill_id"], v["elder_id"], v["fen"], v["why"]) for v in named) == [
        ("A-1", "E404", 700, "not_found"),
        ("Z-1", "E404", 700, "not_found"),
    ]
    assert said_to(session, [("district", DISTRICT)], at=clock.now()) == []
    kept = session.scalars(
        select(AuditEvent.subject_id).where(AuditEvent.action == "payment_aside")
    )
    assert sorted(kept) == ["A-1", "Z-1"]
    assert proven(session) == []


def test_a_payment_kept_aside_is_booked_when_the_register_knows_the_elder(session, ports, november):
    ports.payments.ask(bill_id="A-1", elder_id="E404", fen=700)
    ports.payments.pay("A-1")
    assert collect(session, ports).aside == ("A-1",)
    with transaction(session):
        an_elder(session, "E404")
    assert collect(session, ports).booked == 1
    # Nothing is owed by this elder, so that the money goes back at once.
    assert count(session, "own_refund") == 1
    assert collect(session, ports) == Collected(0, 0)
    assert proven(session) == []


def test_own_money_of_a_reversed_visit_goes_back_by_the_way_it_came(session, ports, november):
    bill = billed(session, ports)
    ports.payments.pay(bill.bill_id)
    collect(session, ports)
    request = ReverseRequest("W1", "service_fault", "漏做")
    reverse(session, ports, BUREAU, key="r1", request=request)
    over = -owed_fen(session, "E1")
    assert over > 0
    assert collect(session, ports).refunded == 1
    assert collect(session, ports).refunded == 0
    assert owed_fen(session, "E1") == 0
    assert count(session, "own_refund") == 1
    # The provider keeps the same sum and refuses more than was paid.
    with pytest.raises(OutsideRefused):
        ports.payments.refund(refund_id="x", bill_id=bill.bill_id, fen=bill.fen - over + 1)
    assert proven(session) == []


def overpaid(session, ports):
    """A bill that was paid, and a visit of it that was taken back since."""
    bill = billed(session, ports)
    ports.payments.pay(bill.bill_id)
    collect(session, ports)
    reverse(session, ports, BUREAU, key="r1", request=ReverseRequest("W1", "service_fault", "漏做"))
    return bill


def down(*_, **__):
    raise DeliveryFailed("timeout")


def test_a_refund_outlives_an_outage_of_the_provider(session, ports, november, clock, monkeypatch):
    bill = overpaid(session, ports)
    with monkeypatch.context() as patched:
        patched.setattr(FilePayments, "refund", down)
        for _ in range(20):
            collect(session, ports)
            clock.advance(days=1)
    collect(session, ports)
    with pytest.raises(OutsideRefused):
        ports.payments.refund(refund_id="x", bill_id=bill.bill_id, fen=bill.fen)
    assert count(session, "own_refund") == 1


def test_a_provider_that_is_away_stops_nothing_else(session, ports, november, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(FilePayments, "received", down)
        assert collect(session, ports) == Collected(0, 0)
    bill = billed(session, ports)
    ports.payments.pay(bill.bill_id)
    with monkeypatch.context() as patched:
        patched.setattr(FilePayments, "acknowledge", down)
        collect(session, ports)
    assert collect(session, ports).booked == 0
    assert (count(session, "family_account"), owed_fen(session, "E1")) == (1, 0)


def captured(session):
    service.capture(session, work_order_id="Y1", visit_id="X-Y1", vendor_id="V1", at=NOW)


def family_pays(session, payment_id="B-late"):
    payouts.record_payment(
        session,
        payment_id=payment_id,
        elder_id="E1",
        district_code=DISTRICT,
        vendor_id=None,
        fen=100,
        method="family_account",
        period="2026-12",
        at=NOW,
    )


@pytest.mark.parametrize(("vendor_id", "other"), [("V1", captured), (None, family_pays)])
def test_giving_back_and_what_moves_the_same_money_never_wait_for_each_other(
    session, ports, november, database_url, monkeypatch, vendor_id, other
):
    with transaction(session):
        serve_own(session, "Y0")
        version = a_service(session, "SG001", price_fen=1_000, subsidised=False)
        a_hold(session, id="Y1", version=version, vendor_id="V1")
        a_confirmed_visit(session, "Y1")
        family_pays(session, "B-early")
    request = CashRequest("Y0", owed_fen(session, "E1"))
    take_cash(session, ports, VENDOR, key="cash", request=request)
    take_back(session, ports, "Y0")
    session.rollback()
    began, reckon = threading.Event(), payouts.reckoned

    def reckon_slowly(*of):
        began.set()
        time.sleep(0.7)
        return reckon(*of)

    def give(s):
        with transaction(s):
            return payouts.give_back(
                s,
                entry_id="cash_back/x" if vendor_id else "refund/desk/x",
                elder_id="E1",
                vendor_id=vendor_id,
                fen=100,
                period="2026-12",
                at=NOW,
                work_order_id="Y0" if vendor_id else None,
            )

    def meanwhile(s):
        began.wait(timeout=10)
        with transaction(s):
            other(s)

    monkeypatch.setattr(payouts, "reckoned", reckon_slowly)
    left, _ = at_once(database_url, give, meanwhile)
    assert left > 0


def test_what_a_family_paid_reaches_the_vendor_with_its_statement(session, ports, november):
    bill = billed(session, ports)
    ports.payments.pay(bill.bill_id)
    collect(session, ports)
    close(session, ports)
    assert due(session) == bill.fen
    assert sign_all(session, ports).paid_fen == 13_500 + bill.fen
    assert due(session) == 0
    bank = session.get(LedgerAccount, f"bank:{DISTRICT}", populate_existing=True)
    assert bank.credits_posted - bank.debits_posted == 13_500
    assert proven(session) == []


def test_what_no_family_paid_yet_is_not_paid_by_the_bureau(session, ports, november):
    owed = owed_fen(session, "E1")
    take_cash(session, ports, VENDOR, key="c", request=CashRequest("W1", 2_000))
    close(session, ports)
    assert sign_all(session, ports).paid_fen == 13_500
    assert due(session) == owed - 2_000


def test_cash_at_the_door_is_for_the_services_of_that_vendor_only(session, ports, november):
    with transaction(session):
        a_vendor(session, "V2")
        a_hold(session, id="Z1", version=a_service(session, "ZJ009"), vendor_id="V2")
        session.get(WorkOrder, "Z1").state = "accepted"
    other = Actor("vendor-2", Role.VENDOR, vendor_id="V2")
    with pytest.raises(BadInput):
        take_cash(session, ports, other, key="c", request=CashRequest("Z1", 1))
    assert take_cash(session, ports, VENDOR, key="c", request=CashRequest("W1", 1)).fen == 1


@pytest.fixture
def paid_late(session, ports, november, clock):
    """The family pays when November is released and the vendor has left; return what it paid."""
    settle(session, ports, NOVEMBER)
    with transaction(session):
        session.get(Vendor, "V1").status = "left"
    paid = owed_fen(session, "E1")
    bill = billed(session, ports)
    ports.payments.pay(bill.bill_id)
    assert collect(session, ports).booked == 1
    clock.at = JANUARY_2
    return paid


def test_what_a_family_pays_after_the_vendor_left_reaches_it(session, ports, paid_late, clock):
    done = close(session, ports, DECEMBER)
    assert (done.statements, done.lines, done.total_fen) == (1, 0, 0)
    by = {"vendor_confirmed": Actor("bureau-3", Role.BUREAU, district_code=DISTRICT)}
    assert sign_all(session, ports, DECEMBERS, note="已电话告知", **by).paid_fen == paid_late
    assert due(session) == 0
    assert "代转家属支付" in to_csv(document(session, DECEMBERS)).decode()
    assert proven(session) == []
    # Once it was passed on, nothing waits: there is no further statement.
    clock.at = FEBRUARY_2
    assert close(session, ports, JANUARY).statements == 0


def test_a_vendor_whose_statement_is_on_its_way_gets_no_second_one(
    session, ports, paid_late, clock
):
    close(session, ports, DECEMBER)
    clock.at = FEBRUARY_2
    assert close(session, ports, JANUARY).statements == 0
