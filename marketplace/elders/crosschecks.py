"""Runs and lines of other authorities' lists, and the visits that they speak against."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from marketplace.elders import history
from marketplace.elders.models import CrossCheckFlag, CrossCheckLine, CrossCheckRun, Elder
from marketplace.kernel.ids import new_id


def _insert(session: Session, model: Any) -> Any:
    engine = session.get_bind().dialect.name
    return (postgresql.insert if engine == "postgresql" else sqlite.insert)(model)


def begin_run(
    session: Session, run_id: str, *, feed: str, file: str, by: str, at: datetime
) -> None:
    """Note that a list is being read."""
    session.execute(
        CrossCheckRun.__table__.insert().values(  # type: ignore[attr-defined]
            id=run_id,
            feed=feed,
            file=file,
            by_account=by,
            at=at,
            applied=0,
            unchanged=0,
            unknown=0,
            refused=0,
        )
    )


def end_run(session: Session, run_id: str, **counts: int) -> None:
    """Note what came of a list."""
    session.execute(update(CrossCheckRun).where(CrossCheckRun.id == run_id).values(**counts))


def take_line(
    session: Session,
    *,
    feed: str,
    row_sha256: str,
    run_id: str,
    elder_id: str | None,
    at: datetime,
) -> bool:
    """Take a line; return whether it is new. A line of an unknown person is looked at again later."""
    if elder_id is None:
        return True
    taken = session.execute(
        _insert(session, CrossCheckLine)
        .values(
            feed=feed,
            row_sha256=row_sha256,
            run_id=run_id,
            elder_id=elder_id,
            at=at,
        )
        .on_conflict_do_nothing()
        .returning(CrossCheckLine.feed)
    ).first()
    return taken is not None


def elder_of(session: Session, id_number_index: str) -> str | None:
    """Return whose identity number a keyed hash is of."""
    return session.scalar(select(Elder.id).where(Elder.id_number_index == id_number_index))


def special_of(session: Session, elder_id: str, on: date) -> tuple[str, ...]:
    """Return an elder's programme groups on a day."""
    known = history.as_of(session, [elder_id], on).get(elder_id, {}).get("special")
    text = (
        known.value if known else session.scalar(select(Elder.special).where(Elder.id == elder_id))
    )
    return tuple(t for t in (text or "").split(",") if t)


def flag(
    session: Session, *, work_order_id: str, elder_id: str, kind: str, run_id: str, at: datetime
) -> bool:
    """Flag a visit; return whether it is new."""
    added = session.execute(
        _insert(session, CrossCheckFlag)
        .values(
            id=new_id(),
            work_order_id=work_order_id,
            elder_id=elder_id,
            kind=kind,
            run_id=run_id,
            at=at,
        )
        .on_conflict_do_nothing()
        .returning(CrossCheckFlag.id)
    ).first()
    return added is not None


def flagged(session: Session, work_order_ids: Collection[str]) -> set[str]:
    """Return which of these visits another authority's list speaks against."""
    ids, found = sorted(work_order_ids), set()
    for start in range(0, len(ids), 2000):
        found |= set(
            session.scalars(
                select(CrossCheckFlag.work_order_id).where(
                    CrossCheckFlag.work_order_id.in_(ids[start : start + 2000])
                )
            )
        )
    return found
