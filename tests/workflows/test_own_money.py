"""What elders pay themselves is booked once, goes back by the way it came, and never goes missing."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from marketplace.adapters.payments import FilePayments
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import BadInput, NotAllowed, NotFound
from marketplace.kernel.ports import DeliveryFailed, OutsideRefused
from marketplace.orders.models import WorkOrder
from marketplace.vouchers.models import LedgerAccount, LedgerTransfer
from marketplace.workflows.ledger import verify_ledger
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
from tests.builders import DISTRICT, a_hold, a_service, a_vendor
from tests.workflows.test_settlement import BUREAU, VENDOR, close, november, sign_all

HOTLINE = Actor("u-hotline", Role.HOTLINE)
__all__ = ["november"]


def billed(session, ports, key="bill-1"):
    return bill_family(session, ports, HOTLINE, key=key, request=BillRequest("E1"))


def count(session, code):
    found = session.scalar(
        select(func.count()).select_from(LedgerTransfer).where(LedgerTransfer.code == code)
    )
    session.rollback()
    return found


def proven(session):
    session.rollback()
    return [str(f) for f in verify_ledger(session).findings if not str(f).startswith("grant_run")]


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


def due(session, vendor, code="OWN"):
    account = session.get(LedgerAccount, f"due:{vendor}:{code}", populate_existing=True)
    found = account.credits_posted - account.debits_posted
    session.rollback()
    return found


def test_what_a_family_paid_reaches_the_vendor_with_its_statement(session, ports, november):
    bill = billed(session, ports)
    ports.payments.pay(bill.bill_id)
    collect(session, ports)
    close(session, ports)
    assert due(session, "V1") == bill.fen
    assert sign_all(session, ports).paid_fen == 13_500 + bill.fen
    assert due(session, "V1") == 0
    bank = session.get(LedgerAccount, f"bank:{DISTRICT}", populate_existing=True)
    assert bank.credits_posted - bank.debits_posted == 13_500
    assert proven(session) == []


def test_what_no_family_paid_yet_is_not_paid_by_the_bureau(session, ports, november):
    owed = owed_fen(session, "E1")
    take_cash(session, ports, VENDOR, key="c", request=CashRequest("W1", 2_000))
    close(session, ports)
    assert sign_all(session, ports).paid_fen == 13_500
    assert due(session, "V1") == owed - 2_000


def test_cash_at_the_door_is_for_the_services_of_that_vendor_only(session, ports, november):
    with transaction(session):
        a_vendor(session, "V2")
        a_hold(session, id="Z1", version=a_service(session, "ZJ009"), vendor_id="V2")
        session.get(WorkOrder, "Z1").state = "accepted"
    other = Actor("vendor-2", Role.VENDOR, vendor_id="V2")
    with pytest.raises(BadInput):
        take_cash(session, ports, other, key="c", request=CashRequest("Z1", 1))
    assert take_cash(session, ports, VENDOR, key="c", request=CashRequest("W1", 1)).fen == 1
