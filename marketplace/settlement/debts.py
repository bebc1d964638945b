"""The two steps by which a vendor's debt is given up."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel.errors import NotFound, WrongState
from marketplace.settlement.models import WriteOffStep


def step(
    *,
    id: str,
    number: int,
    vendor_id: str,
    district_code: str,
    fen: int,
    reason: str,
    at: datetime,
    by: str,
) -> WriteOffStep:
    """Return a step that is not written yet; the second names the first."""
    return WriteOffStep(
        id=id,
        number=number,
        previous=number - 1 or None,
        vendor_id=vendor_id,
        district_code=district_code,
        fen=fen,
        reason=reason[:200],
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


def proposed(session: Session, vendor_id: str, district_code: str) -> dict[str, int]:
    """Return the write-offs that wait for a second person, with their fen."""
    s, done = WriteOffStep, select(WriteOffStep.id).where(WriteOffStep.number == 2)
    rows = session.execute(
        select(s.id, s.fen)
        .where(
            s.vendor_id == vendor_id,
            s.district_code == district_code,
            s.number == 1,
            s.id.not_in(done),
        )
        .order_by(s.at, s.id)
    )
    return {row.id: row.fen for row in rows}
