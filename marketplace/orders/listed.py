"""Lists of work orders: of an elder, of a vendor, of a day, and what time has run out for."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from marketplace.orders.models import WorkOrder
from marketplace.orders.models import WorkOrderEvent as Event
from marketplace.orders.service import WORK_ORDER
from marketplace.orders.states import State


def elder_day(session: Session, elder_id: str, on: date) -> list[Row[Any]]:
    """Return an elder's work orders of a day that are not called off."""
    c = WORK_ORDER.c
    dropped = (State.CANCELLED.value, State.EXPIRED.value, State.INVALIDATED.value)
    return list(
        session.execute(
            select(WORK_ORDER)
            .where(c.elder_id == elder_id, c.visit_on == on, c.state.not_in(dropped))
            .order_by(c.window_start_s)
        )
    )


def of_elder_between(
    session: Session, elder_id: str, first: date, last: date | None, *, states: Collection[State]
) -> list[Row[Any]]:
    """Return an elder's work orders of some states between two days, both included, by day."""
    c = WORK_ORDER.c
    wanted = [
        c.elder_id == elder_id,
        c.visit_on >= first,
        c.state.in_(sorted(s.value for s in states)),
    ]
    if last is not None:
        wanted.append(c.visit_on <= last)
    return list(session.execute(select(WORK_ORDER).where(*wanted).order_by(c.visit_on, c.id)))


def last_ended(session: Session, elder_id: str, before: date) -> Row[Any] | None:
    """Return the elder's latest work order up to a day that ended in a visit or a closed door."""
    c = WORK_ORDER.c
    ended = (State.DONE, State.CONFIRMED, State.DISPUTED, State.SETTLED, State.NO_ACCESS)
    return session.execute(
        select(WORK_ORDER)
        .where(
            c.elder_id == elder_id,
            c.visit_on <= before,
            c.state.in_([s.value for s in ended]),
        )
        .order_by(c.visit_on.desc(), c.window_start_s.desc())
        .limit(1)
    ).first()


def in_hand_of(session: Session, vendor_id: str, *, since: date) -> list[Row[Any]]:
    """Return a vendor's work orders from a day on that are offered to it, its own, or being served."""
    c = WORK_ORDER.c
    states = (State.OFFERED, State.ACCEPTED, State.ASSIGNED, State.IN_SERVICE)
    return list(
        session.execute(
            select(WORK_ORDER)
            .where(
                c.vendor_id == vendor_id,
                c.visit_on >= since,
                c.state.in_([s.value for s in states]),
            )
            .order_by(c.elder_id, c.visit_on, c.id)
        )
    )


def invalidated(session: Session, vendor_id: str, *, reason: str) -> list[str]:
    """Return a vendor's work orders whose money was taken back for a reason."""
    w, e = WorkOrder, Event
    return list(
        session.scalars(
            select(w.id)
            .join(e, e.work_order_id == w.id)
            .where(
                w.vendor_id == vendor_id,
                w.state == State.INVALIDATED.value,
                e.to_state == State.INVALIDATED.value,
                e.reason == reason,
            )
            .order_by(w.id)
        )
    )


def has_taken_back(session: Session, user_id: str, elder_id: str) -> bool:
    """Say whether a user has taken a paid visit of an elder back."""
    c = WORK_ORDER.c
    found = (
        select(Event.id)
        .join(WorkOrder, c.id == Event.work_order_id)
        .where(c.elder_id == elder_id, Event.actor_id == user_id)
        .where(Event.to_state == State.INVALIDATED.value)
    )
    return session.scalar(found.limit(1)) is not None


def day_load(session: Session, on: date) -> dict[str, int]:
    """Return how many work orders of a day each vendor has, planned or begun or waiting for it."""
    c = WORK_ORDER.c
    dropped = (State.CANCELLED.value, State.EXPIRED.value, State.NO_SHOW.value)
    return dict(
        session.execute(
            select(c.vendor_id, func.count())
            .where(c.visit_on == on, c.vendor_id.is_not(None), c.state.not_in(dropped))
            .group_by(c.vendor_id)
        ).all()
    )


def open_load(session: Session, on: date) -> dict[str | None, int]:
    """Return how many work orders that named no vendor each vendor got on a day (``None``: nobody)."""
    c = WORK_ORDER.c
    dropped = (State.CANCELLED.value, State.EXPIRED.value)
    return dict(
        session.execute(
            select(c.vendor_id, func.count())
            .where(c.visit_on == on, c.vendor_named.is_(False), c.state.not_in(dropped))
            .group_by(c.vendor_id)
        ).all()
    )


def done_before(session: Session, instant: datetime, *, limit: int) -> list[str]:
    """Return work orders that were done by an instant and are still not confirmed, oldest first."""
    w, e = WORK_ORDER.c, Event.__table__.c
    return list(
        session.scalars(
            select(w.id)
            .join(Event, e.work_order_id == w.id)
            .where(w.state == State.DONE.value, e.to_state == State.DONE.value, e.at <= instant)
            .group_by(w.id)
            .order_by(func.min(e.at), w.id)
            .limit(limit)
        )
    )


def unserved_before(session: Session, on: date, *, limit: int) -> list[str]:
    """Return work orders of days before ``on`` that were never begun, oldest first."""
    w = WORK_ORDER.c
    waiting = (State.POOLED, State.OFFERED, State.ACCEPTED, State.ASSIGNED, State.NO_SHOW)
    return list(
        session.scalars(
            select(w.id)
            .where(w.visit_on < on, w.state.in_([s.value for s in waiting]))
            .order_by(w.visit_on, w.id)
            .limit(limit)
        )
    )


def in_service_before(session: Session, on: date, *, limit: int) -> list[str]:
    """Return work orders of days before ``on`` whose visit was begun and never ended."""
    w = WORK_ORDER.c
    return list(
        session.scalars(
            select(w.id)
            .where(w.visit_on < on, w.state == State.IN_SERVICE.value)
            .order_by(w.visit_on, w.id)
            .limit(limit)
        )
    )


def pooled_outside_plans(
    session: Session,
    first: date,
    last: date,
    *,
    after: tuple[date, str] | None,
    limit: int,
) -> list[Row[Any]]:
    """Return day and id of pooled work orders that wait for no day's plan, in that order."""
    w = WORK_ORDER.c
    wanted = [
        w.state == State.POOLED.value,
        w.visit_on.between(first, last),
        w.is_stop.is_(False) | (w.time_class == "emergency"),
    ]
    if after is not None:
        wanted.append((w.visit_on > after[0]) | ((w.visit_on == after[0]) & (w.id > after[1])))
    return list(
        session.execute(
            select(w.visit_on, w.id).where(*wanted).order_by(w.visit_on, w.id).limit(limit)
        )
    )
