"""Write and read statements. Nothing here changes a row once written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select
from sqlalchemy.orm import Session

from marketplace.kernel.actor import Actor
from marketplace.kernel.errors import NotFound, SecondPersonNeeded, WrongState
from marketplace.kernel.ids import joined_id
from marketplace.settlement import rules
from marketplace.settlement.models import (
    STEPS,
    HeldAnswer,
    SettlementHeld,
    SettlementRun,
    Statement,
    StatementLine,
    StatementSignature,
)
from marketplace.settlement.rules import Line


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed month of one district."""

    run_id: str
    period: str
    district_code: str
    statements: int
    lines: int
    held: int
    total_fen: int
    sha256: str
    closed_before: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A work order that was not settled, with its reason."""

    work_order_id: str
    vendor_id: str | None
    reason: str
    facts: Mapping[str, Any]


def run_id(period: str, district_code: str) -> str:
    """Return the id of a month's closing in a district."""
    return f"SR-{period}-{district_code}"


def statement_id(period: str, district_code: str, vendor_id: str) -> str:
    """Return the id of a vendor's statement."""
    return joined_id("ST", period, district_code, vendor_id)


def holdback_id(quarter: str, district_code: str, vendor_id: str) -> str:
    """Return by what a vendor's quarter is named in messages and audit events."""
    return joined_id(quarter, district_code, vendor_id, by="/")


def closed_run(session: Session, period: str, district_code: str) -> Closed | None:
    """Return the closing of a month where there is one."""
    run = session.get(SettlementRun, run_id(period, district_code))
    if run is None:
        return None
    return Closed(
        run.id,
        run.period,
        run.district_code,
        run.statements,
        run.lines,
        run.held,
        run.total_fen,
        run.sha256,
        closed_before=True,
    )


def lined(session: Session, work_order_ids: Sequence[str]) -> set[tuple[str, str]]:
    """Return (work order, kind) of the lines that any statement has of these work orders."""
    found: set[tuple[str, str]] = set()
    for start in range(0, len(work_order_ids), 2000):
        rows = session.execute(
            select(StatementLine.work_order_id, StatementLine.kind).where(
                StatementLine.work_order_id.in_(work_order_ids[start : start + 2000])
            )
        )
        found.update((row[0], row[1]) for row in rows)
    return found


def head_of(
    *,
    statement: str,
    period: str,
    vendor_id: str,
    vendor_name: str,
    district_code: str,
    totals: rules.Totals,
    lines: int,
) -> tuple[object, ...]:
    """Return the head of a statement as it is hashed."""
    return (
        statement,
        period,
        vendor_id,
        vendor_name,
        district_code,
        lines,
        totals.total_fen,
        totals.payable_fen,
        totals.outside_fen,
        totals.own_fen,
        totals.holdback_fen,
    )


def head_of_row(row: Statement) -> tuple[object, ...]:
    """Return the head of a written statement as it was hashed."""
    return head_of(
        statement=row.id,
        period=row.period,
        vendor_id=row.vendor_id,
        vendor_name=row.vendor_name,
        district_code=row.district_code,
        totals=rules.Totals(
            row.total_fen,
            row.payable_fen,
            row.outside_fen,
            row.own_fen,
            row.holdback_fen,
            row.by_programme,
        ),
        lines=row.lines,
    )


def line_of_row(row: StatementLine | Row[Any]) -> Line:
    """Return a written statement's line as it was hashed."""
    return Line(
        kind=row.kind,
        work_order_id=row.work_order_id,
        visit_id=row.visit_id,
        elder_id=row.elder_id,
        service_code=row.service_code,
        visit_on=row.visit_on,
        origin_period=row.origin_period,
        minutes=row.minutes,
        by_programme=row.by_programme,
    )


def write_run(
    session: Session,
    *,
    period: str,
    district_code: str,
    lines: Mapping[str, Sequence[Line]],
    vendor_names: Mapping[str, str],
    held: Sequence[Held],
    holdback_percent: int,
    at: datetime,
    by: str,
) -> Closed:
    """Write a month's closing of one district: statements by vendor id, their lines, what was held."""
    statements, rows, shas = [], [], []
    total = count = 0
    for vendor_id in sorted(lines):
        of_vendor = sorted(lines[vendor_id], key=lambda x: (x.visit_on, x.work_order_id, x.kind))
        totals = rules.total(of_vendor, holdback_percent=holdback_percent)
        number = statement_id(period, district_code, vendor_id)
        head = head_of(
            statement=number,
            period=period,
            vendor_id=vendor_id,
            vendor_name=vendor_names[vendor_id],
            district_code=district_code,
            totals=totals,
            lines=len(of_vendor),
        )
        sha = rules.content_sha256(head, of_vendor)
        shas.append(sha)
        total += totals.total_fen
        count += len(of_vendor)
        statements.append(
            {
                "id": number,
                "run_id": run_id(period, district_code),
                "period": period,
                "vendor_id": vendor_id,
                "vendor_name": vendor_names[vendor_id],
                "district_code": district_code,
                "lines": len(of_vendor),
                "total_fen": totals.total_fen,
                "payable_fen": totals.payable_fen,
                "outside_fen": totals.outside_fen,
                "own_fen": totals.own_fen,
                "holdback_fen": totals.holdback_fen,
                "by_programme": totals.by_programme,
                "sha256": sha,
            }
        )
        rows.extend(_line_rows(number, of_vendor))
    ordered = sorted(held, key=lambda h: h.work_order_id)
    sha = rules.run_sha256(
        shas, [(h.work_order_id, h.reason, h.vendor_id, h.facts) for h in ordered]
    )
    closed = Closed(
        run_id(period, district_code),
        period,
        district_code,
        len(statements),
        count,
        len(held),
        total,
        sha,
    )
    session.execute(
        insert(SettlementRun),
        [
            {
                "id": closed.run_id,
                "period": period,
                "district_code": district_code,
                "closed_at": at,
                "closed_by": by,
                "statements": closed.statements,
                "lines": closed.lines,
                "held": closed.held,
                "total_fen": total,
                "sha256": sha,
            }
        ],
    )
    if statements:
        session.execute(insert(Statement), statements)
    for start in range(0, len(rows), 5000):
        session.execute(insert(StatementLine.__table__), rows[start : start + 5000])  # type: ignore[arg-type]
    if ordered:
        session.execute(
            insert(SettlementHeld),
            [
                {
                    "run_id": closed.run_id,
                    "work_order_id": h.work_order_id,
                    "vendor_id": h.vendor_id,
                    "reason": h.reason,
                    "facts": dict(h.facts),
                }
                for h in ordered
            ],
        )
    return closed


def _line_rows(number: str, lines: Sequence[Line]) -> Iterator[dict[str, Any]]:
    for n, line in enumerate(lines, start=1):
        yield {
            "statement_id": number,
            "number": n,
            "kind": line.kind,
            "work_order_id": line.work_order_id,
            "visit_id": line.visit_id,
            "elder_id": line.elder_id,
            "service_code": line.service_code,
            "visit_on": line.visit_on,
            "origin_period": line.origin_period,
            "minutes": line.minutes,
            "total_fen": line.total_fen,
            "by_programme": dict(line.by_programme),
        }


def statement(session: Session, number: str) -> Statement:
    """Return a statement; raises ``NotFound``."""
    row = session.get(Statement, number)
    if row is None:
        raise NotFound(kind="statement", id=number)
    return row


def lines_of(session: Session, number: str) -> list[Line]:
    """Return a statement's lines in their order."""
    rows = session.scalars(
        select(StatementLine)
        .where(StatementLine.statement_id == number)
        .order_by(StatementLine.number)
        .execution_options(yield_per=5000)
    )
    return [line_of_row(r) for r in rows]


def signatures(session: Session, number: str) -> list[StatementSignature]:
    """Return what was signed on a statement, in order."""
    return list(
        session.scalars(
            select(StatementSignature)
            .where(StatementSignature.statement_id == number)
            .order_by(StatementSignature.number)
        )
    )


def step_of(session: Session, number: str) -> str:
    """Return how far a statement has come: ``issued`` or its last signature."""
    last = session.scalar(
        select(func.max(StatementSignature.number)).where(StatementSignature.statement_id == number)
    )
    return STEPS[last - 1] if last else "issued"


def sign(
    session: Session, number: str, *, step: str, at: datetime, actor: Actor, note: str = ""
) -> bool:
    """Put a signature under a statement; return ``False`` where this person gave it before.

    Raises ``WrongState`` out of order, ``SecondPersonNeeded`` where one person would sign two steps. The
    primary key lets one of two that sign at once through.
    """
    row = statement(session, number)
    done = signatures(session, number)
    wanted = STEPS.index(step) + 1
    if len(done) >= wanted:
        if done[wanted - 1].by == actor.user_id:
            return False
        raise WrongState(id=number, state=done[-1].step, expected=_before(wanted))
    if len(done) < wanted - 1:
        raise WrongState(
            id=number, state=done[-1].step if done else "issued", expected=_before(wanted)
        )
    if any(s.by == actor.user_id for s in done):
        raise SecondPersonNeeded(action=step, role=actor.role.value)
    session.execute(
        insert(StatementSignature),
        [
            {
                "statement_id": number,
                "number": wanted,
                "previous": wanted - 1 if wanted > 1 else None,
                "step": step,
                "at": at,
                "by": actor.user_id,
                "role": actor.role.value,
                "note": note[:200],
                "content_sha256": row.sha256,
            }
        ],
    )
    return True


def _before(wanted: int) -> list[str]:
    return [STEPS[wanted - 2] if wanted > 1 else "issued"]


def held(session: Session, *, run: str, work_order_id: str) -> SettlementHeld:
    """Return what a closing held back; raises ``NotFound``."""
    row = session.get(SettlementHeld, (run, work_order_id))
    if row is None:
        raise NotFound(kind="settlement_held", id=work_order_id)
    return row


def answer_held(
    session: Session, *, run: str, work_order_id: str, text: str, at: datetime, by: str
) -> None:
    """Add a vendor's answer to a work order that a closing held back."""
    kept = text[:500]
    session.add(
        HeldAnswer(
            run_id=run,
            work_order_id=work_order_id,
            at=at,
            by=by,
            text=kept,
            text_sha256=rules.text_sha256(kept),
        )
    )
