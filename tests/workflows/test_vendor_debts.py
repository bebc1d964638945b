"""What a vendor owes is seen until it is repaid, set off or given up by two persons; never lost."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import Period, instant_of
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import BadInput, NotAllowed, NotFound, NumberTaken, WrongState
from marketplace.settlement import debts
from marketplace.settlement import service as settlement
from marketplace.settlement.models import Statement
from marketplace.settlement.verify import verify as settlement_verify
from marketplace.vouchers import ledger, payouts, repayments
from marketplace.vouchers.ledger import Entry
from marketplace.vouchers.models import LedgerAccount
from marketplace.vouchers.payouts import HoldbackPart
from marketplace.workflows import vendor_debts
from marketplace.workflows.cash_back import DeskRefundRequest, refund_at_desk
from marketplace.workflows.holdback import release_holdback, score_holdback
from marketplace.workflows.own_money import CashRequest, owed_fen, take_cash
from marketplace.workflows.statements import sign_statement
from marketplace.workflows.vendor_debts import (
    RepayRequest,
    Settled,
    WriteOffDecision,
    WriteOffRequest,
    debts_of,
    propose_write_off,
    repay,
    write_off,
)
from marketplace.workflows.vendor_standing import carried, standings
from tests.builders import (
    DISTRICT,
    NOVEMBER,
    a_captured_visit,
    a_caregiver,
    a_service,
    a_vendor,
    an_assessment,
    an_elder,
    granted,
)
from tests.counting import Statements
from tests.workflows.months import (
    BUREAU,
    BUREAU_2,
    BUREAUS,
    DECEMBER,
    DECEMBERS,
    FEBRUARY_2,
    JANUARY,
    JANUARY_2,
    Q4,
    SIGNERS,
    ST,
    VENDOR,
    bank,
    close,
    close_quarter,
    due,
    paid_at_door,
    proven,
    served_in,
    settle,
    sign_all,
    take_back,
)
from tests.workflows.overlap import at_once, overlapping
from vendors.models import Caregiver, Vendor

BUREAU_3 = Actor("bureau-3", Role.BUREAU, district_code=DISTRICT)
FAR = Actor("bureau-far", Role.BUREAU, district_code="321202")
AUDITOR = Actor("auditor-1", Role.AUDITOR, district_code=DISTRICT)


def leave(session):
    with transaction(session):
        session.get(Vendor, "V1").status = "left"


def sign_for_who_left(session, ports):
    """Sign the December of a vendor that is not there any more: civil affairs stands in for it."""
    by = {"vendor_confirmed": BUREAU, "county_approved": BUREAU_2, "released": BUREAU_3}
    return sign_all(session, ports, DECEMBERS, note="催款通知书 2027-3, 挂号信", **by)


@pytest.fixture
def left(session, ports, november, clock):
    """Paid for November, then both visits were taken back; December's statement is below zero, and the
    vendor left the market. It owes GP 5,000 and LV 10,000."""
    assert settle(session, ports, NOVEMBER).paid_fen == 13_500
    take_back(session, ports, "W1", "W2")
    leave(session)
    clock.at = JANUARY_2
    close(session, ports, DECEMBER)


@pytest.fixture
def owing(session, ports, left):
    assert sign_for_who_left(session, ports).paid_fen == 0


def owed(session, actor=BUREAU):
    return sum(d.debt_fen for d in debts_of(session, actor))


def pay_back(session, ports, fen, key="r", actor=BUREAU, district=DISTRICT, receipt=None):
    request = RepayRequest("V1", district, fen, receipt or f"银行回单 {key}")
    return repay(session, ports, actor, key=key, request=request)


def proposed(session, ports, fen, actor=BUREAU, key="p"):
    request = WriteOffRequest("V1", DISTRICT, fen, "法院终结执行")
    return propose_write_off(session, ports, actor, key=key, request=request)


def given_up(session, ports, id, actor=BUREAU_2, key="w"):
    return write_off(session, ports, actor, key=key, request=WriteOffDecision(id, "已核对裁定书"))


def test_the_debt_of_a_vendor_that_left_is_a_receivable(session, ports, owing):
    [debt] = debts_of(session, AUDITOR)
    assert (debt.vendor_id, debt.status, debt.debt_fen) == ("V1", "left", 15_000)
    assert (debt.statements, debt.waiting, debt.repaid_fen) == ([DECEMBERS], [], 0)
    assert debts_of(session, FAR) == []
    assert [d.debt_fen for d in debts_of(session, VENDOR)] == [15_000]
    with pytest.raises(NotAllowed):
        debts_of(session, Actor("u-elder", Role.ELDER, elder_ids=frozenset({"E1"})))


def test_a_statement_that_nobody_confirms_is_named_and_civil_affairs_stands_in(
    session, ports, left
):
    [debt] = debts_of(session, BUREAU)
    assert (debt.debt_fen, debt.waiting) == (0, [DECEMBERS])
    with pytest.raises(BadInput):
        sign_statement(session, ports, BUREAU, statement_id=DECEMBERS, step="vendor_confirmed")
    sign_for_who_left(session, ports)
    assert owed(session) == 15_000


def test_civil_affairs_confirms_for_nobody_who_is_still_there(session, ports, november):
    close(session, ports)
    with pytest.raises(NotAllowed):
        sign_statement(session, ports, BUREAU, statement_id=ST, step="vendor_confirmed", note="x")


def test_a_debt_is_repaid_in_parts_and_never_beyond_it(session, ports, owing):
    first = pay_back(session, ports, 6_000)
    assert (first.fen, first.debt_fen) == (6_000, 9_000)
    assert pay_back(session, ports, 6_000) == first
    with pytest.raises(BadInput) as refused:
        pay_back(session, ports, 9_001, key="more")
    assert refused.value.facts["expected"] == "1 to 9000"
    assert pay_back(session, ports, 9_000, key="rest").debt_fen == 0
    assert bank(session) == 13_500 - 15_000
    [debt] = debts_of(session, BUREAU)
    assert (debt.debt_fen, debt.repaid_fen) == (0, 15_000)
    # What is left is what was held back of November.
    assert sum(due(session, c) for c in BUREAUS) == 1_500
    assert proven(session) == []


def test_one_payment_of_the_bank_is_booked_once_whatever_key_it_comes_with(session, ports, owing):
    before = owed(session)
    pay_back(session, ports, 100, key="a", receipt="回单 77")
    with pytest.raises(NumberTaken):
        pay_back(session, ports, 100, key="b", receipt="回单77 ")
    assert owed(session) == before - 100


def test_only_civil_affairs_of_the_district_books_a_repayment(session, ports, owing):
    with pytest.raises(NotAllowed):
        pay_back(session, ports, 1, actor=VENDOR)
    with pytest.raises(NotFound):
        pay_back(session, ports, 1, actor=FAR)
    with pytest.raises(BadInput):
        repay(session, ports, BUREAU, key="k", request=RepayRequest("V1", DISTRICT, 1, " "))
    with pytest.raises(BadInput):
        pay_back(session, ports, 0)


def test_what_was_repaid_is_not_deducted_when_the_vendor_earns_again(
    session, ports, november, clock
):
    settle(session, ports, NOVEMBER)
    take_back(session, ports, "W1", "W2")
    clock.at = JANUARY_2
    settle(session, ports, DECEMBER)
    pay_back(session, ports, 4_000)
    served_in(session, JANUARY, "J1", "J2", "J3")
    clock.at = FEBRUARY_2
    done = settle(session, ports, JANUARY)
    row = session.get(Statement, f"ST-2027-01-{DISTRICT}-V1")
    earned = sum(row.by_programme.get(c, 0) for c in BUREAUS)
    assert done.paid_fen == earned - row.holdback_fen - 11_000 > 0
    assert sum(due(session, c) for c in BUREAUS) == 1_500 + row.holdback_fen
    assert bank(session) == 13_500 - 4_000 + done.paid_fen
    assert owed(session) == 0
    assert proven(session) == []


def test_the_quarters_holdback_is_set_off_against_the_debt(session, ports, owing, clock):
    clock.at = datetime(2027, 1, 20, 1, 0, tzinfo=UTC)
    close_quarter(session, ports)
    score_holdback(session, ports, BUREAU, **Q4, score=96, reason="回访满意率")
    release_holdback(session, ports, BUREAU_2, **Q4)
    assert owed(session) == 15_000 - 1_500
    assert bank(session) == 13_500
    assert release_holdback(session, ports, BUREAU_2, **Q4).is_released
    assert owed(session) == 13_500
    assert proven(session) == []


def test_a_holdback_that_is_set_off_and_a_visits_money_never_wait_for_each_other(
    session, ports, owing, database_url
):
    session.rollback()
    month = {"vendor_id": "V1", "district_code": DISTRICT, "period": "2027-01", "at": JANUARY_2}
    began = threading.Event()

    def paid(s):
        held = HoldbackPart(ST, "2026-11", "LV", 1_000, 1_000)
        with transaction(s):
            payouts.settle_holdback(s, quarter="2026Q4", parts=[held], **month)
            began.set()
            time.sleep(0.7)
            part = (DECEMBERS, "GP-A2", 1_000)
            repayments.settle(s, code="repayment", id="r", parts=[part], **month)

    def moved(s):
        # As a visit's capture does: several of a vendor's accounts in one posting.
        began.wait(timeout=10)
        entry = Entry("x", "direct", "x", "fen", "due:V1:GP-A2", "due:V1:LV", 1, "2027-01")
        with transaction(s):
            ledger.post(s, [entry], at=JANUARY_2)

    at_once(database_url, paid, moved)
    assert due(session, "LV") == 1_000 - 1_000 - 10_000 + 1


def test_a_debt_is_given_up_by_two_persons_with_their_reasons(session, ports, owing):
    pay_back(session, ports, 5_000)
    asked = proposed(session, ports, 10_000)
    assert (asked.fen, asked.debt_fen) == (10_000, 10_000)
    assert debts_of(session, BUREAU)[0].proposed == {asked.id: 10_000}
    with pytest.raises(NotAllowed):
        given_up(session, ports, asked.id, actor=BUREAU)
    with pytest.raises(NotAllowed):
        given_up(session, ports, asked.id, actor=VENDOR)
    with pytest.raises(NotFound):
        given_up(session, ports, asked.id, actor=FAR)
    done = given_up(session, ports, asked.id)
    assert given_up(session, ports, asked.id) == done
    assert done.debt_fen == owed(session) == 0
    with pytest.raises(WrongState):
        given_up(session, ports, asked.id, actor=BUREAU_3, key="again")
    treasury = session.get(LedgerAccount, f"treasury:{DISTRICT}", populate_existing=True)
    assert treasury.debits_posted >= 10_000
    assert bank(session) == 13_500 - 5_000
    assert proven(session) == []


def test_no_more_is_given_up_than_is_owed_by_then(session, ports, owing):
    with pytest.raises(BadInput):
        proposed(session, ports, 15_001)
    request = WriteOffRequest("V1", DISTRICT, 5, " ")
    with pytest.raises(BadInput):
        propose_write_off(session, ports, BUREAU, key="n", request=request)
    asked = proposed(session, ports, 15_000)
    pay_back(session, ports, 1)
    with pytest.raises(BadInput):
        given_up(session, ports, asked.id)
    assert owed(session) == 14_999
    assert proven(session) == []


def test_two_who_give_one_debt_up_at_once_do_it_once(session, ports, owing, database_url):
    asked = proposed(session, ports, 7_000)
    session.rollback()

    def at_once(s):
        return given_up(s, ports, asked.id, actor=BUREAU_3, key="second")

    def held(s):
        # The second reads what was proposed and waits for the vendor's statements.
        stands = vendor_debts.carried(s, "V1", DISTRICT, lock=True)
        step = debts.first_step(s, asked.id)
        at = ports.clock.now()
        vendor_debts._settle(s, stands, "write_off", step.id, step.fen, at)
        second = debts.second_step(step, reason=step.reason, at=at, by="bureau-2")
        return vendor_debts._take(s, BUREAU_2, second, "write_off_debt", 0)

    first, second = overlapping(database_url, held, at_once)
    assert isinstance(first, Settled)
    assert isinstance(second, WrongState), second
    assert owed(session) == 8_000
    assert proven(session) == []


def test_own_money_that_a_vendor_owes_is_a_receivable_too(session, ports, november, clock):
    fen = paid_at_door(session, ports)
    settle(session, ports, NOVEMBER)
    take_back(session, ports, "Y1")
    leave(session)
    refund_at_desk(session, ports, BUREAU_2, key="d", request=DeskRefundRequest("E1", fen, "R-1"))
    [debt] = debts_of(session, BUREAU)
    assert (debt.debt_fen, debt.own_fen) == (fen, fen)
    assert pay_back(session, ports, fen).debt_fen == 0
    assert bank(session) == 13_500
    [debt] = debts_of(session, BUREAU)
    assert (debt.debt_fen, debt.own_fen, debt.repaid_fen) == (0, 0, fen)
    assert proven(session) == []


def each_owes(session, ports, clock, month, numbers):
    """Each vendor serves an elder of its own, who pays in cash; then all of it is taken back, and the next
    month's statements are released below zero."""
    vendors = [Actor(f"u-V{n}", Role.VENDOR, vendor_id=f"V{n}") for n in numbers]
    on = month.first.replace(day=23)
    clock.at = instant_of(on, 12 * 3600)
    with transaction(session):
        for n in numbers:
            an_elder(session, f"E{n}", income_class="dibao")
            an_assessment(session, f"E{n}", level=2)
            a_vendor(session, f"V{n}")
        if session.get(Caregiver, "C1") is None:
            a_caregiver(session)
        granted(session, month)
        version = a_service(session, f"ZJ{month.month:03d}", price_fen=28_000)
        for n in numbers:
            of = {"vendor_id": f"V{n}", "elder_id": f"E{n}", "visit_on": on, "at": clock.at}
            a_captured_visit(session, f"W{n}", version, **of)
    for n, vendor in zip(numbers, vendors, strict=True):
        request = CashRequest(f"W{n}", owed_fen(session, f"E{n}"))
        take_cash(session, ports, vendor, key=f"cash-{n}", request=request)
    after = Period.of(month.last + timedelta(days=1))
    clock.at = instant_of(after.first, 12 * 3600)
    close(session, ports, month)
    take_back(session, ports, *(f"W{n}" for n in numbers))
    clock.at = instant_of(after.last + timedelta(days=1), 12 * 3600)
    close(session, ports, after)
    with transaction(session):
        for n in numbers:
            for step, actor in SIGNERS.items():
                number = f"ST-{after}-{DISTRICT}-V{n}"
                settlement.sign(session, number, step=step, at=clock.at, actor=actor)


def test_six_vendors_are_read_in_as_many_statements_as_two(session, ports, clock):
    def read():
        session.rollback()
        with Statements(session.get_bind()) as asked:
            found = debts_of(session, BUREAU)
        assert all(d.debt_fen > d.own_fen > 0 for d in found)
        for d in found:
            alone = carried(session, d.vendor_id, d.district_code)
            assert (d.debt_fen, d.statements) == (alone.debt_fen, sorted(alone.unpaid))
        return [d.vendor_id for d in found], asked.sent

    each_owes(session, ports, clock, NOVEMBER, [1, 2])
    two, first = read()
    each_owes(session, ports, clock, JANUARY, [3, 4, 5, 6])
    six, then = read()
    assert (two, sorted(six)) == (["V1", "V2"], ["V1", "V2", "V3", "V4", "V5", "V6"])
    assert len(then) == len(first) <= 15, then


def test_a_vendor_stands_with_each_district_apart(session, ports, owing):
    pay_back(session, ports, 1_000)
    with transaction(session):
        a_vendor(session, "V2")
    here, far, other = ("V1", DISTRICT), ("V1", "321202"), ("V2", DISTRICT)
    stands = standings(session, [here, far, other])
    assert [stands[of].debt_fen for of in (here, far, other)] == [14_000, 0, 0]
    assert [stands[of].repaid_fen for of in (here, far, other)] == [1_000, 0, 0]
    assert standings(session, [far, ("V2", DISTRICT)])[far].due == {}


MADE_UP = [
    ("repayment/x/{st}/LV", "repayment", f"bank:{DISTRICT}", "due:V1:LV"),
    ("write_off/x/{st}/LV", "write_off", f"bank:{DISTRICT}", "due:V1:LV"),
    ("repayment/x/own/OWN", "repayment", f"bank:{DISTRICT}", "due:V1:OWN"),
]


@pytest.mark.parametrize(("id", "code", "debit", "credit"), MADE_UP)
def test_a_repayment_that_nobody_booked_is_found(session, ports, owing, id, code, debit, credit):
    session.execute(
        text(
            "INSERT INTO ledger_transfer (serial, id, kind, code, unit, debit_account,"
            " credit_account, amount, period, at) VALUES (99999, :id, 'direct', :code, 'fen', :d,"
            " :c, 7, '2027-01', '2027-01-06 00:00:00')"
        ),
        {"id": id.format(st=DECEMBERS), "code": code, "d": debit, "c": credit},
    )
    found = [f for f in settlement_verify(session.connection()) if f.table == "ledger_transfer"]
    session.rollback()
    assert f"{code}/x" in [f.row for f in found]
