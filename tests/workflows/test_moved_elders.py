"""An elder who moves to another district: each district settles its own services, and no fen stays behind."""

from __future__ import annotations

from datetime import date

import pytest

from marketplace.elders.facts import facts_of
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.db import transaction
from marketplace.orders.models import WorkOrder
from marketplace.queries.statements import document
from marketplace.settlement.service import statement_id
from marketplace.vouchers import service
from marketplace.vouchers.models import LedgerAccount
from marketplace.workflows.cash_back import DeskRefundRequest, refund_at_desk
from marketplace.workflows.own_money import CashRequest, collect, owed_fen, take_cash
from marketplace.workflows.reverse import ReverseRequest, reverse
from marketplace.workflows.sampling import record_check, sample_of
from marketplace.workflows.settle import close_month
from marketplace.workflows.statements import sign_statement
from marketplace.workflows.vendor_debts import debts_of
from tests.builders import (
    DISTRICT,
    NOVEMBER,
    NOW,
    a_caregiver,
    a_service,
    a_vendor,
    a_visit,
    a_work_order,
    an_elder,
    granted,
)
from tests.workflows.test_own_money import billed
from tests.workflows.test_settlement import DECEMBER_2, proven

NEW = "321202"
OWN_FEN, NET_FEN = 25_500, 2_250
"""Of each visit: what the elder pays, and what the bureau pays less its holdback."""


def bureau(district, n=1):
    return Actor(f"bureau-{district}-{n}", Role.BUREAU, district_code=district)


def serve(session, id, version, district, vendor_id, day):
    a_work_order(
        session,
        id=id,
        version=version,
        vendor_id=vendor_id,
        district_code=district,
        visit_on=day,
        state="confirmed",
    )
    quote = service.quote(
        session,
        elder_id="E1",
        service_version=version,
        on=day,
        district_code=district,
        facts=facts_of(session, ["E1"], day)["E1"],
    )
    service.hold(session, work_order_id=id, elder_id="E1", quote=quote, at=NOW)
    visit = a_visit(session, id=f"X-{id}", work_order=session.get(WorkOrder, id))
    service.capture(session, work_order_id=id, visit_id=visit.id, vendor_id=vendor_id, at=NOW)


@pytest.fixture
def moved(session, clock):
    """Served by V1 where the elder lived until then, by V2 where she lives now and V1 does not work."""
    with transaction(session):
        an_elder(session, district_code=NEW)
        for vendor_id in ("V1", "V2"):
            a_vendor(session, vendor_id)
        a_caregiver(session)
        for district in (DISTRICT, NEW):
            granted(session, district=district)
        version = a_service(session, price_fen=28_000)
        serve(session, "W1", version, DISTRICT, "V1", date(2026, 11, 23))
        serve(session, "W2", version, NEW, "V2", date(2026, 11, 24))
    clock.at = DECEMBER_2
    assert owed_fen(session, "E1") == 2 * OWN_FEN


def release(session, ports, district, vendor_id):
    """Close November of a district; sign the vendor's statement and pay it; return the fen paid."""
    close_month(session, ports, bureau(district), period=NOVEMBER, district_code=district)
    statement = statement_id("2026-11", district, vendor_id)
    for actor, step in (
        (Actor(vendor_id, Role.VENDOR, vendor_id=vendor_id), "vendor_confirmed"),
        (Actor(f"street-{district}", Role.STREET, district_code=district), "street_checked"),
        (bureau(district), "county_approved"),
        (bureau(district, 2), "released"),
    ):
        if step == "county_approved":
            for s in sample_of(session, statement):
                record_check(
                    session, ports, actor, statement_id=statement, number=s.number, way=s.way,
                    outcome="confirmed", note="回访",
                )  # fmt: skip
        elif step == "released":
            ports.clock.advance(days=3)
        done = sign_statement(session, ports, actor, statement_id=statement, step=step)
    return done.paid_fen


def test_what_the_family_pays_reaches_the_vendor_of_each_district(session, ports, moved):
    bill = billed(session, ports)
    ports.payments.pay(bill.bill_id)
    assert collect(session, ports).booked == 1
    assert release(session, ports, NEW, "V2") == NET_FEN + OWN_FEN
    assert release(session, ports, DISTRICT, "V1") == NET_FEN + OWN_FEN
    for vendor_id in ("V1", "V2"):
        due = session.get(LedgerAccount, f"due:{vendor_id}:OWN")
        assert due.debits_posted == due.credits_posted == OWN_FEN
    assert proven(session) == []


def test_cash_of_a_visit_taken_back_is_owed_where_the_visit_was(session, ports, moved, clock):
    clock.at = NOW
    for n, id in ((1, "W1"), (2, "W2")):
        vendor = Actor(f"v{n}", Role.VENDOR, vendor_id=f"V{n}")
        take_cash(session, ports, vendor, key="c", request=CashRequest(id, OWN_FEN))
    clock.at = DECEMBER_2
    close_month(session, ports, bureau(NEW), period=NOVEMBER, district_code=NEW)
    taken_back = ReverseRequest("W2", "service_fault", "漏做")
    reverse(session, ports, bureau(NEW), key="r", request=taken_back)
    request = DeskRefundRequest("E1", OWN_FEN, "收据 1")
    refund_at_desk(session, ports, bureau(NEW, 2), key="d", request=request)
    assert session.get(LedgerAccount, f"bank:{NEW}").credits_posted == OWN_FEN
    assert release(session, ports, NEW, "V2") == 0
    [debt] = debts_of(session, bureau(NEW))
    assert (debt.vendor_id, debt.debt_fen, debt.own_fen) == ("V2", OWN_FEN, OWN_FEN)
    assert debts_of(session, bureau(DISTRICT)) == []
    [row] = document(session, statement_id("2026-11", NEW, "V2")).cash
    assert (row.work_order_id, row.elder_id, row.fen) == ("W2", "E1", OWN_FEN)
    assert release(session, ports, DISTRICT, "V1") == NET_FEN
    assert proven(session) == []
