"""Proving the closings: every hash computed again, every line held against the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, select, text

from marketplace.kernel.audit import events_of
from marketplace.kernel.findings import LIMIT, NOBODY, Finding, both_ways, first, missing
from marketplace.kernel.immutable import broken_guards
from marketplace.settlement import rules, verify_debts, verify_paid
from marketplace.settlement.models import (
    STEPS,
    HeldAnswer,
    SampleResult,
    SettlementHeld,
    SettlementRun,
    Statement,
    StatementLine,
    StatementSignature,
)
from marketplace.settlement.service import head_of_row, line_of_row

FROZEN = (
    "settlement_run",
    "statement",
    "statement_line",
    "settlement_held",
    "held_answer",
    "statement_signature",
    "sample_result",
    "withheld_line",
    "holdback_step",
    "write_off_step",
)


# A line's fen by payer must be what the ledger captured, took back or charged for its work order.
_LINES_AND_LEDGER = """
SELECT l.statement_id, l.number, l.work_order_id FROM statement_line l LEFT JOIN (
  SELECT work_order_id, CASE kind WHEN 'post' THEN 'visit' WHEN 'reversal' THEN 'reversal'
         ELSE 'fee' END AS kind,
         SUM(CASE WHEN kind = 'reversal' THEN -amount ELSE amount END) AS fen
  FROM ledger_transfer
  WHERE unit = 'fen' AND (kind IN ('post', 'reversal') OR code = 'fee')
  GROUP BY 1, 2
) t ON t.work_order_id = l.work_order_id AND t.kind = l.kind
WHERE COALESCE(t.fen, 0) <> l.total_fen
ORDER BY l.statement_id, l.number LIMIT :most
"""


def verify(
    connection: Connection, *, progress: Callable[[str, int], None] | None = None
) -> list[Finding]:
    """Return what is wrong with the closings; empty where all is right."""
    say = progress or (lambda _check, _rows: None)
    findings = list(broken_guards(connection, FROZEN))
    for name, check in (
        ("statements", _statements),
        ("lines without a statement", _orphans),
        ("lines and the ledger", _lines_and_ledger),
        ("closings", _runs),
        ("signatures", _signatures),
        ("payouts", verify_paid.payouts),
        ("withheld lines", verify_paid.withheld_lines),
        ("write-offs", verify_debts.write_offs),
        ("samples", _samples),
        ("holdbacks", verify_paid.holdbacks),
        ("answers", _answers),
    ):
        say(name, 0)
        findings.extend(first(check(connection)))
    return findings


def _lines(connection: Connection, statement_id: str) -> list[Any]:
    return list(
        connection.execute(
            select(StatementLine.__table__)
            .where(StatementLine.statement_id == statement_id)
            .order_by(StatementLine.number)
        )
    )


def _statements(connection: Connection) -> Iterator[Finding]:
    for row in connection.execute(select(Statement.__table__).order_by(Statement.id)).all():
        yield from _statement(connection, row)


def _lines_and_ledger(connection: Connection) -> Iterator[Finding]:
    for row in connection.execute(text(_LINES_AND_LEDGER), {"most": LIMIT}):
        rule = "the ledger says another sum"
        yield Finding("statement_line", f"{row[0]}/{row[1]}", rule, row[2])


def _statement(connection: Connection, row: Any) -> Iterator[Finding]:
    rows = _lines(connection, row.id)
    lines = [line_of_row(r) for r in rows]
    head = head_of_row(row)
    for number, (r, line) in enumerate(zip(rows, lines, strict=True), start=1):
        if r.number != number:
            yield Finding("statement_line", f"{row.id}/{number}", "it is missing")
            return
        if r.total_fen != line.total_fen:
            yield Finding("statement_line", f"{row.id}/{number}", "its total is not its payers'")
    summed = rules.total(lines, holdback_percent=0)
    sums = (summed.total_fen, summed.payable_fen, summed.outside_fen, summed.own_fen)
    stored = (row.total_fen, row.payable_fen, row.outside_fen, row.own_fen)
    if sums != stored or summed.by_programme != row.by_programme or len(lines) != row.lines:
        yield Finding("statement", row.id, "its totals are not its lines'", f"{stored}, {sums}")
    if rules.content_sha256(head, lines) != row.sha256:
        yield Finding("statement", row.id, "its content is not what was hashed")


def _orphans(connection: Connection) -> Iterator[Finding]:
    for row in connection.execute(
        select(StatementLine.statement_id, StatementLine.number)
        .outerjoin(Statement, Statement.id == StatementLine.statement_id)
        .where(Statement.id.is_(None))
        .order_by(StatementLine.statement_id, StatementLine.number)
        .limit(LIMIT)
    ):
        yield Finding("statement_line", f"{row[0]}/{row[1]}", "its statement is missing")
    for statement_id in connection.scalars(
        select(Statement.id)
        .outerjoin(SettlementRun, SettlementRun.id == Statement.run_id)
        .where(SettlementRun.id.is_(None))
        .order_by(Statement.id)
        .limit(LIMIT)
    ):
        yield Finding("statement", statement_id, "its closing is missing")


def _runs(connection: Connection) -> Iterator[Finding]:
    """Hold each closing against its statements, what it held back and what was recorded of it."""
    shas: dict[str, list[tuple[str, str]]] = {}
    for run_id, vendor_id, sha256 in connection.execute(
        select(Statement.run_id, Statement.vendor_id, Statement.sha256)
    ):
        shas.setdefault(run_id, []).append((vendor_id, sha256))
    events = events_of(connection, "close_period")
    seen = set()
    for run in connection.execute(select(SettlementRun.__table__).order_by(SettlementRun.id)).all():
        seen.add(run.id)
        held = connection.execute(
            select(
                SettlementHeld.work_order_id,
                SettlementHeld.reason,
                SettlementHeld.vendor_id,
                SettlementHeld.facts,
            ).where(SettlementHeld.run_id == run.id)
        ).all()
        # Hashed in the order of the vendors' numbers, whatever a database's collation makes of them.
        of_run = [sha for _, sha in sorted(shas.get(run.id, []))]
        ordered = sorted((tuple(h) for h in held), key=itemgetter(0))
        if run.sha256 not in rules.run_hashes(of_run, ordered):
            yield Finding("settlement_run", run.id, "its statements or what it held back changed")
        witness = [
            e
            for e in events.get(run.id, [])
            if e.facts
            == {
                "statements": run.statements,
                "lines": run.lines,
                "held": run.held,
                "total_fen": run.total_fen,
                "sha256": run.sha256,
            }
            and (e.actor_id, e.at) == (run.closed_by, run.closed_at)
        ]
        if (run.statements, run.held) != (len(of_run), len(held)) or not witness:
            yield Finding("settlement_run", run.id, "it is not the closing that was recorded")
    yield from missing("settlement_run", events.keys() - seen)
    for row in connection.execute(
        select(SettlementHeld.run_id, SettlementHeld.work_order_id)
        .outerjoin(SettlementRun, SettlementRun.id == SettlementHeld.run_id)
        .where(SettlementRun.id.is_(None))
        .order_by(SettlementHeld.run_id, SettlementHeld.work_order_id)
        .limit(LIMIT)
    ):
        yield Finding("settlement_held", f"{row[0]}/{row[1]}", "its closing is missing")


def _signatures(connection: Connection) -> Iterator[Finding]:
    said = events_of(connection, "sign_statement")
    signed: set[tuple[str, str]] = set()
    for row in connection.execute(
        select(StatementSignature.__table__, Statement.sha256)
        .outerjoin(Statement, Statement.id == StatementSignature.statement_id)
        .order_by(StatementSignature.statement_id, StatementSignature.number)
    ):
        where = f"{row.statement_id}/{row.number}"
        signed.add((row.statement_id, row.step))
        if row.content_sha256 != row.sha256:
            yield Finding("statement_signature", where, "it stands under another content")
        signature = (row.by, row.role, row.at, row.step, row.note or None)
        if (row.step,) != STEPS[row.number - 1 : row.number] or not any(
            (e.actor_id, e.role, e.at, e.facts.get("step"), e.reason) == signature
            for e in said.get(row.statement_id, [])
        ):
            yield Finding("statement_signature", where, NOBODY)
    recorded = {(of, e.facts.get("step")) for of, events in said.items() for e in events}
    yield from missing("statement_signature", (f"{of}/{step}" for of, step in recorded - signed))


def _samples(connection: Connection) -> Iterator[Finding]:
    """Hold the results of samples against what was recorded of them, both ways."""
    recorded = {
        (of, e.facts["number"], e.facts["way"], e.facts["outcome"], e.at, e.actor_id, e.reason)
        for of, events in events_of(connection, "check_sample").items()
        for e in events
    }
    written = {
        (r.statement_id, r.number, r.way, r.outcome, r.at, r.by, r.note or None)
        for r in connection.execute(select(SampleResult.__table__))
    }
    yield from both_ways("sample_result", written=written, recorded=recorded, called_by=3)


def _answers(connection: Connection) -> Iterator[Finding]:
    events = events_of(connection, "answer_held")
    count: dict[str, int] = {}
    for row in connection.execute(select(HeldAnswer.__table__).order_by(HeldAnswer.id)):
        count[row.work_order_id] = count.get(row.work_order_id, 0) + 1
        if not any(
            (e.actor_id, e.at, e.facts.get("text_sha256")) == (row.by, row.at, row.text_sha256)
            for e in events.get(row.work_order_id, [])
        ):
            yield Finding("held_answer", row.id, NOBODY)
        elif rules.text_sha256(row.text) != row.text_sha256:
            yield Finding("held_answer", row.id, "its text changed")
    for work_order_id, of in sorted(events.items()):
        if count.get(work_order_id, 0) != len(of):
            yield Finding(
                "held_answer", work_order_id, "there are not the answers that were recorded"
            )
