"""Proving the closings: every hash computed again, every line held against the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, select, text

from marketplace.kernel.audit import events_of
from marketplace.kernel.db import Instant
from marketplace.kernel.findings import NOBODY, Finding, both_ways, missing
from marketplace.kernel.immutable import broken_guards
from marketplace.settlement import rules, verify_debts, withheld
from marketplace.settlement.models import (
    STEPS,
    HeldAnswer,
    HoldbackStep,
    SampleResult,
    SettlementHeld,
    SettlementRun,
    Statement,
    StatementLine,
    StatementSignature,
    WithheldLine,
)
from marketplace.settlement.service import head_of_row, holdback_id, line_of_row

LIMIT = 20

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


_OWN_MONEY = """
SELECT SUM(amount) FROM ledger_transfer
WHERE credit_account = :due AND unit = 'fen' AND (kind = 'post' OR code = 'fee')
"""


def verify(
    connection: Connection, *, progress: Callable[[str, int], None] | None = None
) -> list[Finding]:
    """Return what is wrong with the closings; empty where all is right."""
    say = progress or (lambda _check, _rows: None)
    findings = list(broken_guards(connection, FROZEN))
    say("statements", 0)
    shas: dict[str, list[tuple[str, str]]] = {}
    for row in connection.execute(select(Statement.__table__).order_by(Statement.id)).all():
        findings.extend(_statement(connection, row))
        shas.setdefault(row.run_id, []).append((row.vendor_id, row.sha256))
    findings.extend(_orphans(connection))
    for row in connection.execute(text(_LINES_AND_LEDGER), {"most": LIMIT}):
        findings.append(
            Finding("statement_line", f"{row[0]}/{row[1]}", "the ledger says another sum", row[2])
        )
    findings.extend(_runs(connection, shas))
    findings.extend(_signatures(connection))
    findings.extend(_payouts(connection))
    findings.extend(_withheld(connection))
    findings.extend(verify_debts.steps(connection))
    findings.extend(_samples(connection))
    findings.extend(_holdbacks(connection))
    findings.extend(_answers(connection))
    findings.extend(_seals(connection))
    findings.extend(_grant_runs(connection))
    return findings


def _lines(connection: Connection, statement_id: str) -> list[Any]:
    return list(
        connection.execute(
            select(StatementLine.__table__)
            .where(StatementLine.statement_id == statement_id)
            .order_by(StatementLine.number)
        )
    )


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
        .limit(LIMIT)
    ):
        yield Finding("statement_line", f"{row[0]}/{row[1]}", "its statement is missing")
    for row in connection.execute(
        select(Statement.id)
        .outerjoin(SettlementRun, SettlementRun.id == Statement.run_id)
        .where(SettlementRun.id.is_(None))
        .limit(LIMIT)
    ):
        yield Finding("statement", row[0], "its closing is missing")


def _runs(connection: Connection, shas: dict[str, list[tuple[str, str]]]) -> Iterator[Finding]:
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


def _payouts(connection: Connection) -> Iterator[Finding]:
    """Hold what was paid out against the releases: each once, its sum, its vendor, its bank."""
    released = set(
        connection.scalars(
            select(StatementSignature.statement_id).where(StatementSignature.step == "released")
        )
    )
    statements = {s.id: s for s in connection.execute(select(Statement.__table__))}
    paid: dict[str, dict[str, int]] = {}
    passed: dict[str, int] = {}
    for row in connection.execute(
        text(
            "SELECT id, amount, debit_account, credit_account FROM ledger_transfer"
            " WHERE code = 'payout' ORDER BY serial"
        )
    ):
        _, statement_id, code = row.id.split("/")
        s = statements.get(statement_id)
        if s is None or statement_id not in released:
            yield Finding("ledger_transfer", row.id, "it pays a statement that nobody released")
            continue
        due, bank = f"due:{s.vendor_id}:{code}", f"bank:{s.district_code}"
        if {row.debit_account, row.credit_account} != {due, bank}:
            yield Finding(
                "ledger_transfer", row.id, "it pays somebody else than its statement says"
            )
        sign = 1 if row.debit_account == due else -1
        if code == rules.OWN:
            passed[due] = passed.get(due, 0) + sign * row.amount
        else:
            paid.setdefault(statement_id, {})[code] = sign * row.amount
    corrected = withheld.corrections(connection)
    back, wrong = verify_debts.settled(connection, statements)
    yield from wrong
    kept = {
        of: e.facts["holdback_fen"]
        for of, events in events_of(connection, "sign_statement").items()
        for e in events
        if "holdback_fen" in e.facts
    }
    unpaid: dict[tuple[str, str], int] = {}
    for statement_id in sorted(released & set(statements)):
        s = statements[statement_id]
        parts = withheld.bureau_parts(s.by_programme, corrected.get(s.id))
        for code, fen in back.get(s.id, {}).items():
            if fen > max(-parts.get(code, 0), 0):
                yield Finding("statement", s.id, "more of it was repaid than was owed", code)
            parts[code] = parts.get(code, 0) + fen
        holdback = kept.get(s.id, s.holdback_fen)
        if statement_id in paid and not _is_paid_as_said(parts, holdback, paid[statement_id]):
            yield Finding("statement", s.id, "another sum was paid", f"{paid[statement_id]}")
        elif statement_id not in paid:
            whose = (s.vendor_id, s.district_code)
            unpaid[whose] = unpaid.get(whose, 0) + sum(parts.values()) - holdback
    for (vendor_id, district), fen in sorted(unpaid.items()):
        if fen > 0:
            yield Finding("statement", f"{vendor_id}/{district}", "what was released is not paid")
    for due, fen in sorted(passed.items()):
        if fen > int(connection.scalar(text(_OWN_MONEY), {"due": due}) or 0):
            yield Finding("ledger_account", due, "more own money was passed on than it earned")


def _is_paid_as_said(parts: dict[str, int], holdback_fen: int, paid: dict[str, int]) -> bool:
    """Say whether each payer's part was paid, all of it or all less the statement's holdback."""
    kept = {c: parts.get(c, 0) - paid.get(c, 0) for c in parts.keys() | paid.keys()}
    at_all = all(0 <= kept[c] < max(parts.get(c, 0), 1) for c in kept)
    return at_all and sum(kept.values()) in (0, holdback_fen)


_NOT_REVERSED = """
SELECT w.statement_id, w.number FROM withheld_line w
LEFT JOIN statement_line l ON l.statement_id = w.statement_id AND l.number = w.number
LEFT JOIN price_split s ON s.work_order_id = w.work_order_id
WHERE l.kind IS NULL OR l.kind <> 'visit' OR l.work_order_id <> w.work_order_id
   OR s.state IS NULL OR s.state <> 'reversed'
ORDER BY 1, 2 LIMIT :most
"""


def _withheld(connection: Connection) -> Iterator[Finding]:
    """Hold the lines that were not paid against what each release recorded, both ways."""
    recorded = {
        (of, number, e.at)
        for of, events in events_of(connection, "sign_statement").items()
        for e in events
        for number in e.facts.get("withheld", ())
    }
    written = {
        (r.statement_id, r.number, r.at) for r in connection.execute(select(WithheldLine.__table__))
    }
    yield from both_ways("withheld_line", written=written, recorded=recorded, called_by=2)
    for row in connection.execute(text(_NOT_REVERSED), {"most": LIMIT}):
        yield Finding("withheld_line", f"{row[0]}/{row[1]}", "its visit was not taken back")


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


def _holdbacks(connection: Connection) -> Iterator[Finding]:
    """Hold the steps of holdbacks against what was recorded and what was paid for them."""
    recorded = {
        (of, number, *(e.facts[k] for k in ("score", "percent", "paid_fen", "kept_fen")),
         e.at, e.actor_id, e.reason)
        for number, action in ((1, "score_holdback"), (2, "release_holdback"))
        for of, events in events_of(connection, action).items()
        for e in events
    }  # fmt: skip
    written, released = set(), {}
    for r in connection.execute(select(HoldbackStep.__table__)):
        subject = holdback_id(r.quarter, r.district_code, r.vendor_id)
        said = (subject, r.number, r.score, r.percent, r.paid_fen, r.kept_fen, r.at, r.by)
        written.add((*said, r.reason or None))
        expected = (None, 1)[r.number - 1 : r.number]
        if expected != (r.previous,):
            yield Finding("holdback_step", f"{subject}/{r.number}", "it is out of order")
        if r.number == 2:
            whose = (r.quarter, r.vendor_id, r.district_code)
            released[whose] = {"paid": r.paid_fen, "kept": r.kept_fen}
    yield from both_ways("holdback_step", written=written, recorded=recorded, called_by=2)
    owners = {
        row.id: (row.vendor_id, row.district_code)
        for row in connection.execute(
            select(Statement.id, Statement.vendor_id, Statement.district_code)
        )
    }
    moved: dict[tuple[str, ...], dict[str, int]] = {}
    for row in connection.execute(
        text(
            "SELECT id, amount FROM ledger_transfer"
            " WHERE code IN ('holdback_paid', 'holdback_kept')"
        )
    ):
        _, quarter, verb, statement_id, _ = row.id.split("/")
        whose = (quarter, *owners.get(statement_id, ()))
        if whose not in released:
            yield Finding("ledger_transfer", row.id, "it pays a holdback that nobody released")
            continue
        sums = moved.setdefault(whose, {"paid": 0, "kept": 0})
        sums[verb] = sums.get(verb, 0) + row.amount
    for whose, said in sorted(released.items()):
        if moved.get(whose, {"paid": 0, "kept": 0}) != said:
            yield Finding("holdback_step", "/".join(whose), "another sum was paid", f"{said}")


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


def _seals(connection: Connection) -> Iterator[Finding]:
    rows = connection.execute(text("SELECT id, sha256 FROM ledger_seal")).all()
    seals = {str(row[0]): row[1] for row in rows}
    for number, of in sorted(events_of(connection, "seal_ledger").items()):
        if seals.get(number) != of[0].facts.get("sha256"):
            yield Finding("ledger_seal", number, "it is not the seal that was recorded")


def _grant_runs(connection: Connection) -> Iterator[Finding]:
    """Hold the grant runs against what was recorded of them and against what they granted."""
    previews = events_of(connection, "preview_grants")
    releases = events_of(connection, "release_grants")
    granted = {
        row[0]: int(row[1])
        for row in connection.execute(
            text("SELECT grant_run_id, COUNT(*) FROM entitlement GROUP BY grant_run_id")
        )
    }
    rows = connection.execute(
        text(
            "SELECT id, period, district_code, state, previewed_by, previewed_at, released_by,"
            " released_at, new, minutes, fen, preview_sha256 FROM grant_run ORDER BY id"
        ).columns(previewed_at=Instant, released_at=Instant)
    ).all()
    for run in rows:
        facts = {
            "period": run.period,
            "district_code": run.district_code,
            "new": run.new,
            "minutes": run.minutes,
            "fen": run.fen,
            "sha256": run.preview_sha256,
        }
        by = [e for e in previews.get(run.id, []) if e.facts == facts]
        released = [(e.actor_id, e.at) for e in releases.get(run.id, [])]
        if not by or (by[0].actor_id, by[0].at) != (run.previewed_by, run.previewed_at):
            yield Finding("grant_run", run.id, "it is not the preview that was recorded")
        elif (run.state == "released") != bool(released) or (
            released and released[0] != (run.released_by, run.released_at)
        ):
            yield Finding("grant_run", run.id, "its release is not the one that was recorded")
        elif run.state == "released" and granted.get(run.id, 0) != run.new:
            yield Finding("grant_run", run.id, "it did not grant what it says")
    yield from missing("grant_run", previews.keys() - {run.id for run in rows})
