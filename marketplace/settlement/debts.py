"""The two steps by which a vendor's debt is given up, and the statements below zero that wait."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel.errors import NotFound, WrongState
from marketplace.settlement.models import STEPS, Statement, StatementSignature, WriteOffStep


def second_step(first: WriteOffStep, *, reason: str, at: datetime, by: str) -> WriteOffStep:
    """Return the step that gives up what was proposed, not written yet."""
    return WriteOffStep(
        id=first.id,
        number=2,
        previous=first.number,
        vendor_id=first.vendor_id,
        district_code=first.district_code,
        fen=first.fen,
        reason=reason,
        at=at,
        by=by,
    )


def first_step(session: Session, id: str) -> WriteOffStep:
    """Return what was proposed; raises ``NotFound``."""
    row = session.get(WriteOffStep, (id, 1))
    if row is None:
        raise NotFound(kind="write_off", id=id)
    return row


def refuse_twice(session: Session, id: str) -> None:
    """Raise ``WrongState`` where a write-off was done."""
    if session.get(WriteOffStep, (id, 2), populate_existing=True) is not None:
        raise WrongState(id=id, state="written off", expected=["proposed"])


def proposed(
    session: Session, vendor_ids: Collection[str]
) -> dict[tuple[str, str], dict[str, int]]:
    """Return by vendor and district the write-offs that wait for a second person, with their fen."""
    s, done = WriteOffStep, select(WriteOffStep.id).where(WriteOffStep.number == 2)
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in session.execute(
        select(s.vendor_id, s.district_code, s.id, s.fen)
        .where(s.vendor_id.in_(vendor_ids), s.number == 1, s.id.not_in(done))
        .order_by(s.at, s.id)
    ):
        found.setdefault((row.vendor_id, row.district_code), {})[row.id] = row.fen
    return found


def waiting(session: Session, vendor_ids: Collection[str]) -> dict[tuple[str, str], list[str]]:
    """Return by vendor and district the statements below zero that nobody has released yet."""
    signed = StatementSignature
    is_released = (
        select(signed.statement_id)
        .where(signed.statement_id == Statement.id, signed.number == len(STEPS))
        .exists()
    )
    found: dict[tuple[str, str], list[str]] = {}
    for row in session.execute(
        select(Statement.vendor_id, Statement.district_code, Statement.id)
        .where(Statement.vendor_id.in_(vendor_ids), Statement.payable_fen < 0, ~is_released)
        .order_by(Statement.id)
    ):
        found.setdefault((row.vendor_id, row.district_code), []).append(row.id)
    return found
