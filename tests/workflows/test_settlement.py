"""A month closes once, correctly, whatever happens around it."""

from __future__ import annotations

import io
import itertools
import os
import signal
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from openpyxl import load_workbook
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import DatabaseError

from marketplace.elders import crosschecks
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import NotAllowed, NotFound, WrongState
from marketplace.orders.models import WorkOrder
from marketplace.queries.statements import document, held_rows, statements
from marketplace.settlement.checks import NoticeRuns, SampleOpen
from marketplace.settlement.export import to_csv, to_html, to_xlsx
from marketplace.settlement.models import Statement, StatementLine
from marketplace.settlement.service import holdback_id, statement_id
from marketplace.settlement.verify import verify as settlement_verify
from marketplace.visits.models import Visit
from marketplace.vouchers.models import LedgerAccount
from marketplace.workflows.confirm import ResolveRequest, resolve
from marketplace.workflows.holdback import release_holdback, score_holdback
from marketplace.workflows.policy import Action, scope
from marketplace.workflows.reverse import ReverseRequest, reverse
from marketplace.workflows.sampling import record_check, sample_of
from marketplace.workflows.settle import PeriodOpen, close_month
from marketplace.workflows.statements import answer_held, sign_statement
from tests.builders import (
    DISTRICT,
    NOVEMBER,
    NOW,
    a_captured_visit,
    a_service,
    a_vendor,
)
from tests.processes import alone
from tests.workflows.months import (
    BUREAU,
    BUREAU_2,
    BUREAUS,
    DECEMBER,
    DECEMBER_2,
    JANUARY,
    Q4,
    ST,
    STREET,
    VENDOR,
    bank,
    check_all,
    close,
    close_quarter,
    due,
    proven,
    served_in,
    settle,
    sign_all,
    take_back,
)


def test_what_matches_becomes_the_vendors_statement(session, ports, november):
    closed = close(session, ports)
    assert (closed.statements, closed.lines, closed.held) == (1, 3, 1)
    row = statements(session, scope(VENDOR, Action.SEE_STATEMENT))[0]
    kinds = session.execute(
        select(StatementLine.kind, StatementLine.work_order_id, StatementLine.total_fen)
    ).all()
    assert {tuple(k) for k in kinds} == {
        ("visit", "W1", 28_000),
        ("visit", "W2", 28_000),
        ("fee", "W4", 2_550),
    }
    assert row.total_fen == 58_550
    assert session.get(WorkOrder, "W1").state == "settled"


def test_what_does_not_match_is_held_and_the_vendor_can_answer(session, ports, november):
    close(session, ports)
    held = held_rows(session, scope(VENDOR, Action.SEE_STATEMENT))
    assert [(h.work_order_id, h.reason) for h in held] == [("W3", "disputed")]
    answer_held(
        session,
        ports,
        VENDOR,
        run_id=held[0].run_id,
        work_order_id="W3",
        text="家属签字在附件",
    )
    assert held_rows(session, scope(VENDOR, Action.SEE_STATEMENT))[0].answer == "家属签字在附件"


def test_no_vendor_answers_in_the_name_of_another(session, ports, november):
    close(session, ports)
    [held] = held_rows(session, scope(VENDOR, Action.SEE_STATEMENT))
    other = Actor("vendor-2", Role.VENDOR, vendor_id="V2")
    with pytest.raises(NotFound):
        answer_held(
            session, ports, other, run_id=held.run_id, work_order_id="W3", text="我们不要这笔钱"
        )
    assert held_rows(session, scope(VENDOR, Action.SEE_STATEMENT))[0].answer is None


def test_a_second_closing_answers_as_the_first_and_changes_nothing(session, ports, november):
    first = close(session, ports)
    before = to_csv(document(session, ST))
    second = close(session, ports)
    assert second.sha256 == first.sha256
    assert second.closed_before
    assert to_csv(document(session, ST)) == before


def test_a_month_that_runs_cannot_be_closed(session, ports, november, clock):
    clock.at = NOW
    with pytest.raises(PeriodOpen):
        close(session, ports)


def test_only_civil_affairs_of_the_district_closes_its_month(session, ports, november):
    with pytest.raises(NotAllowed):
        close_month(session, ports, VENDOR, period=NOVEMBER, district_code=DISTRICT)


def test_a_statement_is_signed_in_order_by_four_persons_and_paid_once(session, ports, november):
    close(session, ports)
    with pytest.raises(WrongState):
        sign_statement(session, ports, BUREAU, statement_id=ST, step="county_approved")
    done = sign_all(session, ports)
    # GP 5,000 and LV 10,000 less a tenth; the national voucher and own money are not ours to pay.
    assert done.paid_fen == 13_500
    again = sign_statement(session, ports, BUREAU_2, statement_id=ST, step="released")
    assert again == done
    assert session.get(LedgerAccount, f"bank:{DISTRICT}").credits_posted == 13_500
    assert proven(session) == []


def test_who_approved_a_statement_does_not_release_it(session, ports, november):
    close(session, ports)
    sign_all(session, ports, until="county_approved")
    ports.clock.advance(days=3)
    with pytest.raises(NotAllowed):
        sign_statement(session, ports, BUREAU, statement_id=ST, step="released")


def street_checked(session, ports):
    close(session, ports)
    sign_all(session, ports, until="street_checked")


def test_the_county_approves_only_what_it_sampled(session, ports, november):
    close(session, ports)
    assert sample_of(session, ST) == []
    sign_statement(session, ports, VENDOR, statement_id=ST, step="vendor_confirmed")
    sign_statement(session, ports, STREET, statement_id=ST, step="street_checked")
    drawn = sample_of(session, ST)
    assert sorted(s.way for s in drawn) == ["call", "field"]
    assert {s.work_order_id for s in drawn} <= {"W1", "W2"}
    with pytest.raises(SampleOpen):
        sign_statement(session, ports, BUREAU, statement_id=ST, step="county_approved")
    check_all(session, ports)
    check_all(session, ports)
    assert sample_of(session, ST) == [replace(s, outcome="confirmed") for s in drawn]
    done = sign_statement(session, ports, BUREAU, statement_id=ST, step="county_approved")
    assert done.step == "county_approved"


def test_a_doubtful_visit_is_reversed_before_the_county_approves(session, ports, november):
    street_checked(session, ports)
    check_all(session, ports, outcome="doubtful")
    doubtful = sorted({s.work_order_id for s in sample_of(session, ST)})
    with pytest.raises(SampleOpen) as refused:
        sign_statement(session, ports, BUREAU, statement_id=ST, step="county_approved")
    assert refused.value.facts["doubtful"] == doubtful
    for n, work_order_id in enumerate(doubtful):
        request = ReverseRequest(work_order_id, "invalidated", "抽查老人否认上门")
        reverse(session, ports, BUREAU, key=f"r{n}", request=request)
    sign_statement(session, ports, BUREAU, statement_id=ST, step="county_approved")


def test_a_line_that_was_not_drawn_takes_no_result(session, ports, november):
    street_checked(session, ports)
    with pytest.raises(NotFound):
        record_check(
            session, ports, BUREAU, statement_id=ST, number=3, way="call", outcome="confirmed"
        )


def flag(session, work_order_id):
    """Let a list of deaths speak against a visit that was paid for already."""
    with transaction(session):
        crosschecks.flag(
            session,
            work_order_id=work_order_id,
            elder_id="E1",
            kind="visit_after_death",
            run_id="R",
            at=NOW,
        )


def test_what_a_list_speaks_against_is_looked_at_before_it_is_paid(session, ports, november):
    street_checked(session, ports)
    drawn = sample_of(session, ST)
    check_all(session, ports)
    for i in ("W1", "W2"):
        flag(session, i)
    added = set(sample_of(session, ST)) - {replace(s, outcome="confirmed") for s in drawn}
    assert {s.way for s in added} == {"field"}
    assert {s.work_order_id for s in sample_of(session, ST) if s.way == "field"} == {"W1", "W2"}
    with pytest.raises(SampleOpen):
        sign_statement(session, ports, BUREAU, statement_id=ST, step="county_approved")
    check_all(session, ports)
    sign_statement(session, ports, BUREAU, statement_id=ST, step="county_approved")


def test_a_list_that_comes_after_the_approval_still_stops_the_payment(session, ports, november):
    street_checked(session, ports)
    check_all(session, ports)
    sign_statement(session, ports, BUREAU, statement_id=ST, step="county_approved")
    ports.clock.advance(days=3)
    for i in ("W1", "W2"):
        flag(session, i)
    with pytest.raises(SampleOpen):
        sign_statement(session, ports, BUREAU_2, statement_id=ST, step="released")
    check_all(session, ports)
    assert sign_statement(session, ports, BUREAU_2, statement_id=ST, step="released").paid_fen > 0


def test_a_blocked_visit_that_a_person_decided_to_pay_reaches_the_vendor(session, ports, november):
    """Else the elder's purse is debited and nobody is ever paid."""
    session.get(Visit, "X-W3").verdict = "blocked"
    session.commit()
    request = ResolveRequest("W3", "pay", "邻居作证, 服务做完")
    resolve(session, ports, BUREAU, key="r", request=request)
    closed = close(session, ports)
    assert (closed.lines, closed.held) == (4, 0)


def test_payment_waits_for_the_public_notice(session, ports, november, clock):
    street_checked(session, ports)
    check_all(session, ports)
    sign_statement(session, ports, BUREAU, statement_id=ST, step="county_approved")
    clock.advance(days=2)
    with pytest.raises(NoticeRuns):
        sign_statement(session, ports, BUREAU_2, statement_id=ST, step="released")
    clock.advance(days=1)
    assert sign_statement(session, ports, BUREAU_2, statement_id=ST, step="released").paid_fen > 0


def test_a_holdback_waits_until_all_of_its_quarter_is_paid(session, ports, november, clock):
    close(session, ports)
    clock.at = datetime(2027, 1, 5, 1, 0, tzinfo=UTC)
    for missing in ("2026-10, 2026-12", ST):
        with pytest.raises(WrongState) as refused:
            score_holdback(session, ports, BUREAU, **Q4, score=96, reason="回访满意率")
        assert missing in refused.value.facts["state"]
        close_quarter(session, ports)
    sign_all(session, ports)
    assert score_holdback(session, ports, BUREAU, **Q4, score=96, reason="x").held_fen == 1_500
    with pytest.raises(WrongState):
        # Another score is no repeat: whoever gives it must not be told that it counts.
        score_holdback(session, ports, BUREAU, **Q4, score=60, reason="x")


@pytest.mark.parametrize(
    ("score", "paid", "kept"), [(96, 1_500, 0), (90, 750, 750), (60, 0, 1_500)]
)
def test_a_quarters_holdback_is_paid_by_its_score(
    session, ports, november, clock, score, paid, kept
):
    close(session, ports)
    sign_all(session, ports)
    with pytest.raises(WrongState):
        score_holdback(session, ports, BUREAU, **Q4, score=score, reason="回访满意率")
    clock.at = datetime(2027, 1, 5, 1, 0, tzinfo=UTC)
    close_quarter(session, ports)
    scored = score_holdback(session, ports, BUREAU, **Q4, score=score, reason="回访满意率")
    assert (scored.held_fen, scored.paid_fen, scored.is_released) == (1_500, paid, False)
    with pytest.raises(NotAllowed):
        release_holdback(session, ports, BUREAU, **Q4)
    done = release_holdback(session, ports, BUREAU_2, **Q4)
    assert (done.paid_fen, done.kept_fen, done.is_released) == (paid, kept, True)
    assert release_holdback(session, ports, BUREAU_2, **Q4) == done
    assert session.get(LedgerAccount, f"bank:{DISTRICT}").credits_posted == 13_500 + paid
    for code in ("GP-A2", "LV"):
        due = session.get(LedgerAccount, f"due:V1:{code}")
        assert due.credits_posted == due.debits_posted
    assert proven(session) == []


def test_a_reversal_after_the_closing_is_a_negative_line_of_the_next_month(
    session, ports, november, clock
):
    close(session, ports)
    sign_all(session, ports)
    reverse(
        session,
        ports,
        BUREAU,
        key="r1",
        request=ReverseRequest("W1", "invalidated", "回访老人否认上门"),
    )
    clock.at = datetime(2027, 1, 2, 1, 0, tzinfo=UTC)
    closed = close(session, ports, Period(2026, 12))
    assert (closed.lines, closed.total_fen) == (1, -28_000)
    line = session.scalars(select(StatementLine).where(StatementLine.kind == "reversal")).one()
    assert (line.work_order_id, line.origin_period) == ("W1", "2026-11")
    assert line.by_programme == {"GP-A2": -2_500, "LV": -10_000, "NV": -7_750, "OWN": -7_750}
    assert proven(session) == []


def test_a_clawback_greater_than_a_month_is_taken_from_the_next(session, ports, november, clock):
    assert settle(session, ports, NOVEMBER).paid_fen == 13_500
    clock.at = datetime(2026, 12, 20, 1, 0, tzinfo=UTC)
    take_back(session, ports, "W1", "W2")
    served_in(session, DECEMBER, "D1")
    clock.at = datetime(2027, 1, 2, 1, 0, tzinfo=UTC)
    # Taken back: GP 5,000 and LV 10,000; earned: GP 2,500 and LV 7,000.
    assert settle(session, ports, DECEMBER).paid_fen == 0
    assert bank(session) == 13_500
    clock.at = datetime(2027, 1, 20, 1, 0, tzinfo=UTC)
    served_in(session, JANUARY, "J1", "J2")
    clock.at = datetime(2027, 2, 2, 1, 0, tzinfo=UTC)
    row = settle(session, ports, JANUARY)
    earned = {
        c: session.get(Statement, f"ST-2027-01-{DISTRICT}-V1").by_programme[c] for c in BUREAUS
    }
    assert row.paid_fen == sum(earned.values()) * 9 // 10 - 5_500
    again = sign_statement(
        session, ports, BUREAU_2, statement_id=f"ST-2027-01-{DISTRICT}-V1", step="released"
    )
    assert again == row
    # What is left in the vendor's favour is the holdback of November and January, to the fen.
    assert sum(due(session, c) for c in BUREAUS) == 1_500 + sum(earned.values()) // 10
    assert [str(f) for f in settlement_verify(session.connection())] == []
    session.rollback()
    assert proven(session) == []


def test_what_was_reversed_before_the_closing_is_on_no_statement(session, ports, november):
    reverse(session, ports, BUREAU, key="r1", request=ReverseRequest("W1", "service_fault", "漏做"))
    closed = close(session, ports)
    assert closed.lines == 2
    assert session.get(WorkOrder, "W1").state == "invalidated"


def test_the_sheets_are_the_same_bytes_again(session, ports, november):
    close(session, ports)
    doc = document(session, ST)
    for make in (to_csv, to_xlsx, to_html):
        assert make(doc) == make(document(session, ST))
    assert to_csv(doc).decode("utf-8-sig").startswith("结算单号,ST-2026-11-321204-V1")
    assert "壹佰叁拾伍元整" in to_html(doc).decode()


PROGRAMMES = ("GP", "LV", "NV", "政府购买", "养老服务券", "消费补贴")


def test_a_vendors_copy_names_no_programme(session, ports, november):
    close(session, ports)
    full, copy = document(session, ST), document(session, ST, for_vendor=True)
    assert {c for line in full.lines for c in line.by_programme} > {"GP-A2", "LV", "NV"}
    sums = ("total_fen", "payable_fen", "outside_fen", "own_fen", "holdback_fen", "sha256")
    assert [getattr(copy, s) for s in sums] == [getattr(full, s) for s in sums]
    assert [line.total_fen for line in copy.lines] == [line.total_fen for line in full.lines]
    assert [line.by_programme["OWN"] for line in copy.lines] == [
        line.by_programme["OWN"] for line in full.lines
    ]
    for make in (to_csv, to_html):
        assert any(p in make(full).decode() for p in PROGRAMMES)
        lines = make(copy).decode().replace(copy.sha256, "")
        assert [p for p in PROGRAMMES if p in lines] == []
    cells = [
        str(cell)
        for sheet in load_workbook(io.BytesIO(to_xlsx(copy))).worksheets
        for row in sheet.iter_rows(values_only=True)
        for cell in row
        if cell is not None and cell != copy.sha256
    ]
    assert [p for p in PROGRAMMES if any(p in cell for cell in cells)] == []
    assert "财政支付（元）" in cells


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE statement SET total_fen = 0, payable_fen = 0, outside_fen = 0, own_fen = 0",
        "DELETE FROM statement_line",
        "UPDATE settlement_run SET lines = 0",
        "DELETE FROM settlement_held",
    ],
)
def test_the_database_refuses_to_change_a_closing(session, ports, november, statement):
    close(session, ports)
    with pytest.raises(DatabaseError, match=r"never changed|refused"):
        session.execute(text(statement))
    session.rollback()


def close_and_be_killed(session, ports, statements):
    left = itertools.count(statements - 1, -1)

    @event.listens_for(session.get_bind(), "after_cursor_execute")
    def count(*_):
        if not next(left):
            os.kill(os.getpid(), signal.SIGKILL)

    close(session, ports)


def test_a_close_that_is_killed_wrote_nothing_and_can_be_repeated(
    session, ports, november, database_url, tmp_path
):
    session.rollback()
    for statements_before_the_kill in (3, 8, 14):
        ended = alone(
            close_and_be_killed, database_url, tmp_path, DECEMBER_2, statements_before_the_kill
        )
        assert ended == -signal.SIGKILL
        assert session.scalar(select(func.count()).select_from(StatementLine)) == 0
        assert proven(session) == []
    close(session, ports)
    assert session.scalar(select(func.count()).select_from(StatementLine)) > 0
    assert proven(session) == []


LONG = "V-0193b6a0-7c1e-7e2b-9a55-d1f0"
"""Two vendors' numbers that begin alike far beyond what a statement's number has room for."""


def test_vendors_whose_long_numbers_begin_alike_have_statements_of_their_own(
    session, ports, november
):
    with transaction(session):
        version = a_service(session, "ZJ002", price_fen=3_000)
        for n in ("1", "2"):
            vendor, id = a_vendor(session, f"{LONG}{n}", uscc=f"uscc-{n}").id, f"L{n}"
            a_captured_visit(session, id, version, vendor_id=vendor)
    assert close(session, ports).statements == 3
    ids = session.scalars(select(Statement.id).order_by(Statement.id)).all()
    assert len(set(ids)) == 3
    assert ST in ids
    assert {statement_id("2026-11", DISTRICT, f"{LONG}{n}") for n in "12"} < set(ids)
    assert max(map(len, ids)) <= 40
    assert proven(session) == []


def test_no_name_made_of_long_numbers_is_another_ones():
    made = {holdback_id("2026Q4", DISTRICT, f"{LONG}{n}{'x' * m}") for n in "12" for m in range(9)}
    assert len(made) == 18
    assert holdback_id("2026Q4", DISTRICT, "V1") == f"2026Q4/{DISTRICT}/V1"
