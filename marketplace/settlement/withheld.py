"""What a release does not pay because it was taken back before, and what that makes of the sums.

A statement never changes. So a visit that is reversed between the closing and the release is noted beside
it: its line is not paid, and its negative line of a later month takes nothing away again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, insert, select
from sqlalchemy.orm import Session, aliased

from marketplace.settlement import rules
from marketplace.settlement.models import (
    STEPS,
    Statement,
    StatementLine,
    StatementSignature,
    WithheldLine,
)


def withhold(
    session: Session, statement_id: str, work_orders: Collection[str], *, at: datetime
) -> list[int]:
    """Note the visits of a statement that were taken back before its release; return their lines.

    Left out is what a released statement took away already.
    """
    taken, signature = aliased(StatementLine), StatementSignature
    deducted = (
        select(taken.number)
        .join(signature, signature.statement_id == taken.statement_id)
        .where(
            taken.work_order_id == StatementLine.work_order_id,
            taken.kind == "reversal",
            signature.number == len(STEPS),
        )
        .exists()
    )
    rows = session.execute(
        select(StatementLine.number, StatementLine.work_order_id)
        .where(
            StatementLine.statement_id == statement_id,
            StatementLine.kind == "visit",
            StatementLine.work_order_id.in_(work_orders),
            ~deducted,
        )
        .order_by(StatementLine.number)
    ).all()
    if rows:
        session.execute(
            insert(WithheldLine),
            [
                {"statement_id": statement_id, "number": number, "work_order_id": of, "at": at}
                for number, of in rows
            ],
        )
    return [row.number for row in rows]


def lines(session: Session, statement_id: str) -> set[int]:
    """Return the numbers of a statement's lines that its release did not pay."""
    of = select(WithheldLine.number).where(WithheldLine.statement_id == statement_id)
    return set(session.scalars(of))


def corrections(
    connection: Session | Connection, statement_ids: Collection[str] | None = None
) -> dict[str, dict[str, int]]:
    """Return by statement what its payers' parts change by (fen): less for a visit that is withheld, as
    much again for the line that reverses it. ``None`` asks for every statement."""
    query = select(StatementLine.statement_id, StatementLine.by_programme).join(
        WithheldLine, WithheldLine.work_order_id == StatementLine.work_order_id
    )
    if statement_ids is not None:
        query = query.where(StatementLine.statement_id.in_(statement_ids))
    found: dict[str, dict[str, int]] = {}
    for statement_id, by_programme in connection.execute(query):
        of = found.setdefault(statement_id, {})
        for code, fen in by_programme.items():
            of[code] = of.get(code, 0) - fen
    return found


def bureau_parts(
    by_programme: Mapping[str, int], correction: Mapping[str, int] | None
) -> dict[str, int]:
    """Return what the bureau owes of each payer, or is owed, of a statement as it is paid. Pure."""
    more = correction or {}
    codes = sorted(c for c in by_programme.keys() | more.keys() if rules.is_bureau(c))
    return {c: by_programme.get(c, 0) + more.get(c, 0) for c in codes}


def parts_of(session: Session, rows: Collection[Statement]) -> dict[str, dict[str, int]]:
    """Return the bureau's parts of statements as they are paid."""
    ids = [s.id for s in rows]
    corrected: dict[str, dict[str, int]] = {}
    for start in range(0, len(ids), 2000):
        corrected |= corrections(session, ids[start : start + 2000])
    return {s.id: bureau_parts(s.by_programme, corrected.get(s.id)) for s in rows}
