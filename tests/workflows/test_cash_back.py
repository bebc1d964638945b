"""Cash for a visit that was taken back finds its way back, whoever served and whoever pays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import (
    BadInput,
    NotAllowed,
    NotFound,
    NumberTaken,
    SecondPersonNeeded,
)
from marketplace.kernel.outbox import OutboxMessage
from marketplace.queries.bill import OwnMoney, bill
from marketplace.queries.statements import document
from marketplace.settlement.export import to_csv, to_html, to_xlsx
from marketplace.vouchers import payouts, verify_own
from marketplace.vouchers.models import LedgerTransfer
from marketplace.workflows.cash_back import (
    CashBackRequest,
    DeskRefundRequest,
    refund_at_desk,
    return_cash,
)
from marketplace.workflows.own_money import CashRequest, collect, owed_fen, take_cash
from tests.builders import DISTRICT, NOVEMBER, NOW, a_vendor
from tests.workflows.months import (
    BUREAU,
    BUREAU_2,
    DECEMBER,
    ST,
    VENDOR,
    bank,
    close,
    due,
    paid_at_door,
    proven,
    serve_own,
    served_in,
    settle,
    sign_all,
    take_back,
)
from tests.workflows.overlap import overlapping
from tests.workflows.test_own_money import HOTLINE, billed


def handed(session, ports, fen, key="back", actor=VENDOR, work_order_id="Y1"):
    request = CashBackRequest(work_order_id, fen)
    return return_cash(session, ports, actor, key=key, request=request)


def at_desk(session, ports, fen, key="desk", actor=BUREAU_2, receipt=None):
    request = DeskRefundRequest("E1", fen, receipt or f"收据 {key}")
    return refund_at_desk(session, ports, actor, key=key, request=request)


def paid_off(session, ports):
    """Everything is paid in cash at the door; then one visit is taken back. Returns its cash."""
    fen = paid_at_door(session, ports)
    assert owed_fen(session, "E1") == 0
    take_back(session, ports, "Y1")
    return fen


def test_the_vendor_hands_cash_back_and_is_not_deducted_for_it(session, ports, november):
    fen = paid_off(session, ports)
    assert owed_fen(session, "E1") == -fen
    done = handed(session, ports, fen)
    assert (done.fen, done.credit_fen) == (fen, 0)
    assert handed(session, ports, fen) == done
    assert (owed_fen(session, "E1"), due(session)) == (0, 0)
    entry = session.scalars(select(LedgerTransfer).where(LedgerTransfer.code == "cash_back")).one()
    assert (entry.work_order_id, entry.amount) == ("Y1", fen)
    told = select(OutboxMessage).where(OutboxMessage.template == "money.given_back")
    assert session.scalars(told).one().recipient_id == "E1"
    close(session, ports)
    assert sign_all(session, ports).paid_fen == 13_500
    assert proven(session) == []


def test_nobody_hands_back_more_than_was_taken_nor_for_another_vendor(session, ports, november):
    take_cash(session, ports, VENDOR, key="c", request=CashRequest("W1", 2_000))
    with pytest.raises(BadInput):
        handed(session, ports, 1, work_order_id="W1")
    take_back(session, ports, "W1")
    # What the elder still owes for the other visit takes the cash up.
    assert owed_fen(session, "E1") > 0
    with pytest.raises(BadInput):
        handed(session, ports, 1, key="b2", work_order_id="W1")
    other = Actor("vendor-2", Role.VENDOR, vendor_id="V2")
    with pytest.raises(NotFound):
        handed(session, ports, 1, actor=other, work_order_id="W1")
    with pytest.raises(NotAllowed):
        handed(session, ports, 1, actor=BUREAU, work_order_id="W1")


def test_two_hands_give_one_sum_back_once(session, ports, november, database_url):
    fen = paid_off(session, ports)
    session.rollback()
    first, second = overlapping(
        database_url,
        lambda s: session_give(s, fen),
        lambda s: handed(s, ports, fen, key="second"),
    )
    assert first == 0
    assert isinstance(second, BadInput), second
    assert owed_fen(session, "E1") == 0


def session_give(session, fen):
    return payouts.give_back(
        session,
        entry_id="cash_back/first",
        elder_id="E1",
        vendor_id="V1",
        fen=fen,
        period="2026-12",
        at=NOW,
        work_order_id="Y1",
    )


def test_cash_that_was_not_handed_back_is_deducted_from_the_vendor(session, ports, november):
    fen = paid_off(session, ports)
    close(session, ports)
    done = sign_all(session, ports)
    assert done.paid_fen == 13_500 - fen
    assert due(session) == 0
    # The elder has it to the good with the bank and gets it over the counter.
    at_desk(session, ports, 1, key="first")
    with pytest.raises(NumberTaken):
        at_desk(session, ports, 1, key="another", receipt="收据 first")
    left = at_desk(session, ports, fen - 1)
    assert (left.credit_fen, owed_fen(session, "E1")) == (0, 0)
    assert at_desk(session, ports, fen - 1) == left
    assert bank(session) == 13_500
    with pytest.raises(BadInput):
        at_desk(session, ports, 1, key="more")
    with pytest.raises(BadInput):
        handed(session, ports, 1, key="late")
    assert proven(session) == []


def test_only_civil_affairs_of_the_district_gives_out_of_the_bank(session, ports, november):
    fen = paid_off(session, ports)
    for actor in (VENDOR, HOTLINE):
        with pytest.raises(NotAllowed):
            at_desk(session, ports, fen, actor=actor)
    with pytest.raises(NotFound):
        at_desk(session, ports, fen, actor=Actor("far", Role.BUREAU, district_code="321202"))
    request = DeskRefundRequest("E1", fen, " ")
    with pytest.raises(BadInput):
        refund_at_desk(session, ports, BUREAU, key="k", request=request)


def test_whoever_took_a_visit_back_gives_no_money_of_it_over_the_counter(session, ports, november):
    fen = paid_off(session, ports)
    with pytest.raises(SecondPersonNeeded):
        at_desk(session, ports, fen, actor=BUREAU)
    assert at_desk(session, ports, fen).credit_fen == 0
    assert bank(session) == fen
    assert proven(session) == []


def test_what_the_elder_has_to_the_good_pays_another_vendor(session, ports, november):
    fen = paid_off(session, ports)
    with transaction(session):
        a_vendor(session, "V2")
        own = serve_own(session, "Z1", vendor="V2", price_fen=fen + 500, day=28)
    assert owed_fen(session, "E1") == own - fen
    close(session, ports)
    assert sign_all(session, ports).paid_fen == 13_500 - fen
    other = Actor("vendor-2", Role.VENDOR, vendor_id="V2")
    theirs = f"ST-2026-11-{DISTRICT}-V2"
    second = sign_all(session, ports, theirs, vendor_confirmed=other)
    assert second.paid_fen == fen
    assert (due(session), due(session, vendor="V2")) == (0, own - fen)
    assert proven(session) == []


def test_a_family_with_an_account_gets_cash_back_there_too(session, ports, november):
    first = billed(session, ports)
    ports.payments.pay(first.bill_id)
    collect(session, ports)
    with transaction(session):
        fen = serve_own(session)
    assert owed_fen(session, "E1") == fen
    take_cash(session, ports, VENDOR, key="c", request=CashRequest("Y1", fen))
    take_back(session, ports, "Y1")
    assert collect(session, ports).refunded == 1
    assert owed_fen(session, "E1") == 0
    close(session, ports)
    assert sign_all(session, ports).paid_fen == 13_500 + first.fen - fen
    assert due(session) == 0
    assert proven(session) == []


def test_a_visit_taken_back_after_its_payment_is_given_back_too(session, ports, november, clock):
    fen = paid_at_door(session, ports)
    close(session, ports)
    assert sign_all(session, ports).paid_fen == 13_500
    take_back(session, ports, "Y1")
    assert handed(session, ports, fen).credit_fen == 0
    served_in(session, DECEMBER, "D1")
    clock.at = datetime(2027, 1, 2, 1, 0, tzinfo=UTC)
    settle(session, ports, DECEMBER)
    assert proven(session) == []


def test_the_bill_says_what_was_paid_given_back_and_is_to_the_good(session, ports, november):
    before = owed_fen(session, "E1")
    fen = paid_off(session, ports)
    taken = before + fen
    month = bill(session, "E1", period=DECEMBER)
    assert month.given == OwnMoney(cash_fen=taken, credit_fen=fen)
    handed(session, ports, fen - 100)
    month = bill(session, "E1", period=DECEMBER)
    assert month.given == OwnMoney(cash_fen=taken, returned_fen=fen - 100, credit_fen=100)
    assert bill(session, "E1", period=NOVEMBER).given == OwnMoney(credit_fen=100)
    assert bill(session, "E1", period=NOVEMBER).corrected == 1


def test_the_vendors_statement_lists_the_cash_of_its_month(session, ports, november, clock):
    clock.at = datetime(2026, 11, 28, 1, 0, tzinfo=UTC)
    fen = paid_off(session, ports)
    handed(session, ports, fen - 100)
    clock.at = datetime(2026, 12, 2, 1, 0, tzinfo=UTC)
    close(session, ports)
    sign_all(session, ports)
    doc = document(session, ST, for_vendor=True)
    assert [(c.code, c.work_order_id) for c in doc.cash] == [
        ("cash_at_door", "Y1"),
        ("cash_back", "Y1"),
    ]
    assert doc.own_passed_fen == -100
    for make in (to_csv, to_html):
        sheet = make(doc).decode()
        assert "退现金" in sheet
        assert "扣回应退自付款（元）" in sheet
    assert to_xlsx(doc) == to_xlsx(document(session, ST, for_vendor=True))


INSERTED = (
    "INSERT INTO ledger_transfer (serial, id, kind, code, unit, debit_account, credit_account,"
    " amount, period, at) VALUES (99999, '{id}', 'direct', '{code}', 'fen', 'owed:E1', '{to}',"
    " 7, '2026-12', '2026-12-02 00:00:00')"
)


@pytest.mark.parametrize(
    ("id", "code", "to"),
    [
        ("cash_back/x", "cash_back", "due:V1:OWN"),
        ("refund/desk/x", "own_refund", f"bank:{DISTRICT}"),
    ],
)
def test_what_nobody_gave_back_is_found(session, ports, november, id, code, to):
    fen = paid_off(session, ports)
    handed(session, ports, fen)
    close(session, ports)
    sign_all(session, ports)
    session.execute(text(INSERTED.format(id=id, code=code, to=to)))
    session.flush()
    found = [(f.row, f.rule) for f in verify_own.verify(session.connection())]
    session.rollback()
    assert found == [(id, "it gives back more than was there"), (id, "nobody recorded it")]
