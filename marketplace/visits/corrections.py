"""Ask for a visit's times to be corrected, and decide it; what was recorded first is never lost."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from marketplace.kernel.errors import Conflict, NotFound, WrongState
from marketplace.visits.models import Correction, Visit

CORRECTION = Correction.__table__
VISIT = Visit.__table__


class CorrectionWaits(Conflict):
    """Another correction of this visit waits for its decision. Facts: ``id``."""


def ask(session: Session, values: dict[str, Any]) -> bool:
    """Add a correction by its client's id; return whether it is new. Raises ``CorrectionWaits``."""
    waiting = session.scalar(
        select(CORRECTION.c.id).where(
            CORRECTION.c.visit_id == values["visit_id"],
            CORRECTION.c.state == "asked",
            CORRECTION.c.id != values["id"],
        )
    )
    if waiting is not None:
        raise CorrectionWaits(id=waiting)
    engine = session.get_bind().dialect.name
    insert = postgresql.insert if engine == "postgresql" else sqlite.insert
    added = session.execute(
        insert(CORRECTION).values(**values).on_conflict_do_nothing().returning(CORRECTION.c.id)
    ).first()
    return added is not None


def get(session: Session, correction_id: str) -> Row[Any]:
    """Return a correction's row; raises ``NotFound``."""
    row = session.execute(select(CORRECTION).where(CORRECTION.c.id == correction_id)).first()
    if row is None:
        raise NotFound(kind="correction", id=correction_id)
    return row


def decide(
    session: Session, correction_id: str, *, to: str, note: str, at: datetime, by: str
) -> None:
    """Decide a correction that waits; raises ``WrongState`` where somebody was first."""
    done = session.execute(
        update(CORRECTION)
        .where(CORRECTION.c.id == correction_id, CORRECTION.c.state == "asked")
        .values(state=to, decision=note[:200], decided_at=at, decided_by=by)
    )
    if done.rowcount != 1:  # type: ignore[attr-defined]
        raise WrongState(id=correction_id, state="decided", expected=["asked"])


def set_times(session: Session, visit_id: str, *, in_at: datetime, out_at: datetime) -> None:
    """Write a visit's times as decided; its evidence keeps what the phone said."""
    session.execute(
        update(VISIT).where(VISIT.c.id == visit_id).values(check_in_at=in_at, check_out_at=out_at)
    )
