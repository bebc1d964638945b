"""What was taken back between the closing and the release is not paid, and not taken back twice."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from marketplace.queries.statements import document
from marketplace.settlement.export import to_csv, to_html
from marketplace.settlement.models import Statement, StatementLine, WithheldLine
from marketplace.workflows import statements
from marketplace.workflows.holdback import release_holdback, score_holdback
from marketplace.workflows.statements import sign_statement
from tests.builders import DISTRICT, NOVEMBER
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
    ST,
    bank,
    close,
    due,
    proven,
    served_in,
    settle,
    sign_all,
    take_back,
)
from tests.workflows.overlap import at_once


def withheld(session):
    return [
        tuple(r) for r in session.execute(select(WithheldLine.statement_id, WithheldLine.number))
    ]


def approved(session, ports, statement=ST):
    """Sign up to the county's approval; the public notice is over."""
    sign_all(session, ports, statement, until="county_approved")
    ports.clock.advance(days=3)


def release(session, ports, statement=ST):
    return sign_statement(session, ports, BUREAU_2, statement_id=statement, step="released")


def number_of(session, work_order_id, kind="visit"):
    return session.scalar(
        select(StatementLine.number).where(
            StatementLine.work_order_id == work_order_id, StatementLine.kind == kind
        )
    )


def test_a_visit_taken_back_before_the_release_is_not_paid(session, ports, november):
    close(session, ports)
    approved(session, ports)
    take_back(session, ports, "W1")
    # Both visits are GP 5,000 and LV 10,000; the second one alone is GP 2,500.
    done = release(session, ports)
    assert done.paid_fen == 2_250
    assert release(session, ports) == done
    assert withheld(session) == [(ST, number_of(session, "W1"))]
    assert bank(session) == 2_250
    assert (due(session, "GP-A2"), due(session, "LV")) == (250, 0)
    assert proven(session) == []


def test_what_was_not_paid_is_not_taken_back_in_the_next_month(session, ports, november, clock):
    close(session, ports)
    approved(session, ports)
    take_back(session, ports, "W1")
    release(session, ports)
    served_in(session, DECEMBER, "D1")
    clock.at = JANUARY_2
    done = settle(session, ports, DECEMBER)
    row = session.get(Statement, DECEMBERS)
    assert number_of(session, "W1", "reversal")
    # D1 is GP 2,500 and LV 7,000: paid as if the reversed visit had never been on a statement.
    assert row.payable_fen == 9_500 - 12_500
    assert done.paid_fen == 9_500 * 9 // 10
    assert [due(session, c) for c in BUREAUS] == [250 + 250, 700]
    assert proven(session) == []


def test_the_holdback_of_a_quarter_knows_what_was_not_paid(session, ports, november, clock):
    close(session, ports)
    approved(session, ports)
    take_back(session, ports, "W1")
    release(session, ports)
    clock.at = datetime(2027, 1, 5, 1, 0, tzinfo=UTC)
    for month in (10, 12):
        close(session, ports, NOVEMBER.__class__(2026, month))
    sign_all(session, ports, DECEMBERS)
    assert score_holdback(session, ports, BUREAU, **Q4, score=96, reason="x").held_fen == 250
    release_holdback(session, ports, BUREAU_2, **Q4)
    assert [due(session, c) for c in BUREAUS] == [0, 0]
    assert proven(session) == []


def test_a_statement_of_which_all_was_taken_back_pays_nothing(session, ports, november):
    close(session, ports)
    approved(session, ports)
    take_back(session, ports, "W1", "W2")
    assert release(session, ports).paid_fen == 0
    assert release(session, ports).paid_fen == 0
    assert [due(session, c) for c in BUREAUS] == [0, 0]
    assert proven(session) == []


@pytest.mark.parametrize("december_first", [True, False])
def test_in_whatever_order_two_months_are_released_a_visit_is_taken_back_once(
    session, ports, november, clock, december_first
):
    close(session, ports)
    approved(session, ports)
    take_back(session, ports, "W1")
    served_in(session, DECEMBER, "D1", "D2")
    clock.at = JANUARY_2
    close(session, ports, DECEMBER)
    approved(session, ports, DECEMBERS)
    order = [DECEMBERS, ST] if december_first else [ST, DECEMBERS]
    paid = sum(release(session, ports, s).paid_fen for s in order)
    assert len(withheld(session)) == (0 if december_first else 1)
    session.expire_all()
    rest = sum(due(session, c) for c in BUREAUS)
    # November's other visit and December's two, whatever of it still waits for the quality score.
    lines = session.scalars(
        select(StatementLine).where(StatementLine.work_order_id.in_(["W2", "D1", "D2"]))
    )
    assert paid + rest == sum(x.by_programme.get(c, 0) for x in lines for c in BUREAUS)
    assert bank(session) == paid
    assert proven(session) == []


def test_of_two_months_released_at_once_none_waits_for_the_other_for_ever(
    session, ports, november, clock, database_url, monkeypatch
):
    close(session, ports)
    approved(session, ports)
    served_in(session, DECEMBER, "D1")
    clock.at = JANUARY_2
    close(session, ports, DECEMBER)
    approved(session, ports, DECEMBERS)
    session.rollback()
    both, lock = threading.Barrier(2), statements.lock_vendor

    def lock_together(*of):
        # SQLite lets only one of them come so far.
        with suppress(threading.BrokenBarrierError):
            both.wait(timeout=1)
        return lock(*of)

    monkeypatch.setattr(statements, "lock_vendor", lock_together)
    done = at_once(
        database_url, lambda s: release(s, ports), lambda s: release(s, ports, DECEMBERS)
    )
    assert bank(session) == sum(d.paid_fen for d in done) == 13_500 + 9_500 * 9 // 10
    assert proven(session) == []


def test_all_that_a_release_pays_is_one_posting(session, ports, november, clock):
    settle(session, ports, NOVEMBER)
    take_back(session, ports, "W1")
    clock.at = JANUARY_2
    assert settle(session, ports, DECEMBER).paid_fen == 0
    served_in(session, JANUARY, "J1", "J2", "J3")
    clock.at = FEBRUARY_2
    close(session, ports, JANUARY)
    january = f"ST-2027-01-{DISTRICT}-V1"
    approved(session, ports, january)
    with Statements(session.get_bind()) as asked:
        assert release(session, ports, january).paid_fen > 0
    # December is deducted with it. Each posting takes its accounts in one order; two would not.
    assert sum(s.startswith("UPDATE ledger_account") for s in asked.sent) == 1
    assert proven(session) == []


def test_a_reversal_after_the_release_is_taken_back_as_before(session, ports, november, clock):
    settle(session, ports, NOVEMBER)
    take_back(session, ports, "W1")
    clock.at = JANUARY_2
    assert settle(session, ports, DECEMBER).paid_fen == 0
    assert withheld(session) == []
    served_in(session, JANUARY, "J1", "J2")
    clock.at = FEBRUARY_2
    settle(session, ports, JANUARY)
    assert proven(session) == []


def test_the_sheet_says_what_was_not_paid_and_why(session, ports, november):
    close(session, ports)
    before = to_csv(document(session, ST))
    assert "放款前" not in before.decode("utf-8-sig")
    approved(session, ports)
    take_back(session, ports, "W1")
    release(session, ports)
    for make in (to_csv, to_html):
        sheet = make(document(session, ST)).decode()
        assert "服务（放款前已冲回，不付）" in sheet
        assert "-125.00" in sheet
        assert "22.50" in sheet
        assert make(document(session, ST)) == make(document(session, ST))
