"""What planning says of work orders: who goes and when, who is left out and why, its runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.orm import Session

from marketplace.kernel.ids import new_id
from marketplace.orders.models import Assignment, DispatchRun, LeftOut
from marketplace.orders.service import chunks

ASSIGNMENT = Assignment.__table__


def assignments(session: Session, ids: Iterable[str]) -> dict[str, list[Row[Any]]]:
    """Return the assignments of work orders by work order, each crew in order of caregiver id."""
    found: dict[str, list[Row[Any]]] = {}
    for part in chunks(ids):
        for row in session.execute(
            select(ASSIGNMENT)
            .where(ASSIGNMENT.c.work_order_id.in_(part))
            .order_by(ASSIGNMENT.c.work_order_id, ASSIGNMENT.c.caregiver_id)
        ):
            found.setdefault(row.work_order_id, []).append(row)
    return found


def caregiver_day(
    session: Session, caregiver_id: str, from_at: datetime, to_at: datetime
) -> list[Row[Any]]:
    """Return a caregiver's assignments that touch the span, in order of their start."""
    a = ASSIGNMENT.c
    return list(
        session.execute(
            select(ASSIGNMENT)
            .where(a.caregiver_id == caregiver_id, a.starts_at < to_at, a.ends_at > from_at)
            .order_by(a.starts_at)
        )
    )


def booked(
    session: Session, caregiver_ids: Collection[str], from_at: datetime, to_at: datetime
) -> list[Row[Any]]:
    """Return the assignments of caregivers that touch the span, by caregiver and start."""
    a = ASSIGNMENT.c
    found: list[Row[Any]] = []
    for part in chunks(sorted(caregiver_ids)):
        found += session.execute(
            select(ASSIGNMENT)
            .where(a.caregiver_id.in_(part), a.starts_at < to_at, a.ends_at > from_at)
            .order_by(a.caregiver_id, a.starts_at, a.work_order_id)
        )
    return found


def booked_by_others(
    session: Session, from_at: datetime, to_at: datetime, *, known: Collection[str]
) -> dict[str, list[tuple[datetime, datetime]]]:
    """Return by caregiver the spans taken in a time by work orders that are not among ``known``."""
    a = ASSIGNMENT.c
    found: dict[str, list[tuple[datetime, datetime]]] = {}
    for row in session.execute(
        select(a.work_order_id, a.caregiver_id, a.starts_at, a.ends_at).where(
            a.starts_at < to_at, a.ends_at > from_at
        )
    ):
        if row.work_order_id not in known:
            found.setdefault(row.caregiver_id, []).append((row.starts_at, row.ends_at))
    return found


def drop_assignments(session: Session, ids: Iterable[str]) -> None:
    """Take the caregivers off work orders."""
    for part in chunks(ids):
        session.execute(delete(ASSIGNMENT).where(ASSIGNMENT.c.work_order_id.in_(part)))


def add_assignments(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Give work orders their caregivers and times."""
    if rows:
        session.execute(ASSIGNMENT.insert(), [{"id": new_id(), **r} for r in rows])


def set_locked(session: Session, work_order_id: str, *, locked: bool) -> None:
    """Let planning leave a work order's people and time alone, or move them again."""
    session.execute(
        update(ASSIGNMENT).where(ASSIGNMENT.c.work_order_id == work_order_id).values(locked=locked)
    )


def put_left_out(session: Session, run_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Say why work orders have nobody, in place of what an earlier run said of them."""
    forget_left_out(session, [r["work_order_id"] for r in rows])
    if rows:
        session.execute(
            LeftOut.__table__.insert(),  # type: ignore[attr-defined]
            [{"run_id": run_id, **r} for r in rows],
        )


def forget_left_out(session: Session, ids: Iterable[str]) -> None:
    """Forget why work orders had nobody: they have somebody now, or need nobody."""
    for part in chunks(ids):
        session.execute(delete(LeftOut).where(LeftOut.work_order_id.in_(part)))


def add_run(session: Session, **values: Any) -> str:
    """Add a planning run; return its id."""
    run_id = new_id()
    session.execute(
        DispatchRun.__table__.insert().values(id=run_id, **values)  # type: ignore[attr-defined]
    )
    return run_id


def latest_run(session: Session, on: date) -> DispatchRun | None:
    """Return the latest finished planning of a day."""
    statement = (
        select(DispatchRun)
        .where(DispatchRun.day == on, DispatchRun.finished_at.is_not(None))
        .order_by(DispatchRun.started_at.desc(), DispatchRun.id.desc())
        .limit(1)
    )
    return session.scalars(statement.execution_options(populate_existing=True)).first()


def keep_bound(session: Session, run_id: str, bound: dict[str, Any]) -> dict[str, Any]:
    """Keep a proven bound with its run where none as high is kept; return the one that is.

    ``bound``: ``value`` and ``cost`` in the plan's cost, ``relaxed`` what the proof leaves aside.
    """
    table = DispatchRun.__table__
    row = session.execute(
        select(table.c.totals).where(table.c.id == run_id).with_for_update()
    ).one()
    kept: dict[str, Any] | None = row.totals.get("bound")
    if kept is not None and kept["value"] >= bound["value"]:
        return kept
    session.execute(
        update(table)  # type: ignore[arg-type]
        .where(table.c.id == run_id)
        .values(totals={**row.totals, "bound": bound})
    )
    return bound
