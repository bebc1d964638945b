"""Paper records of visits, typed in by two people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from marketplace.kernel.errors import Conflict, WrongState
from marketplace.visits.models import PaperSlip

SLIP = PaperSlip.__table__


class SlipUsed(Conflict):
    """The paper's number stands for another visit. Facts: ``slip_no``."""


def of_work_order(session: Session, work_order_id: str) -> Row[Any] | None:
    """Return a work order's paper, ``None`` where nobody typed one in."""
    return session.execute(select(SLIP).where(SLIP.c.work_order_id == work_order_id)).first()


def enter_first(
    session: Session,
    work_order_id: str,
    *,
    slip_no: str,
    typed: dict[str, Any],
    by: str,
    at: datetime,
) -> None:
    """Keep what the first person read. Raises ``SlipUsed``: one paper pays for one visit."""
    engine = session.get_bind().dialect.name
    insert = postgresql.insert if engine == "postgresql" else sqlite.insert
    added = session.execute(
        insert(SLIP)  # type: ignore[arg-type]
        .values(
            work_order_id=work_order_id,
            slip_no=slip_no,
            state="first",
            first=typed,
            first_by=by,
            first_at=at,
            fields=[],
        )
        .on_conflict_do_nothing()
        .returning(SLIP.c.work_order_id)
    ).first()
    if added is None:
        raise SlipUsed(field="slip_no", slip_no=slip_no)


def enter_second(
    session: Session, slip: Row[Any], *, typed: dict[str, Any], by: str, at: datetime
) -> list[str]:
    """Keep what the second person read; return the fields in which the two differ."""
    differs = sorted(k for k, v in typed.items() if slip.first.get(k) != v)
    kept = session.execute(
        update(PaperSlip)
        .where(PaperSlip.work_order_id == slip.work_order_id, PaperSlip.state == "first")
        .values(
            state="differs" if differs else "same",
            second=typed,
            second_by=by,
            second_at=at,
            fields=differs,
        )
    )
    if kept.rowcount != 1:  # type: ignore[attr-defined]
        raise WrongState(id=slip.work_order_id, state="entered twice", expected=["entered once"])
    return differs
