"""Orders that go on: which dates are made, whose they are, when they end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from marketplace.orders.service import ORDER, WORK_ORDER, chunks
from marketplace.orders.states import OPEN


def due_orders(session: Session, *, until: date, limit: int) -> list[Row[Any]]:
    """Return recurring orders whose work orders are not made up to ``until``, locked.

    A generator that runs at the same time on PostgreSQL takes others.
    """
    c = ORDER.c
    return list(
        session.execute(
            select(ORDER)
            .where(
                c.state == "active",
                c.rrule.is_not(None),
                c.starts_on <= until,
                (c.generated_until.is_(None)) | (c.generated_until < until),
            )
            .order_by(c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )


def set_generated(session: Session, ids: Iterable[str], until: date) -> None:
    """Note up to which date the work orders of orders are made."""
    for part in chunks(ids):
        session.execute(update(ORDER).where(ORDER.c.id.in_(part)).values(generated_until=until))


def starts_of_order(session: Session, order_id: str) -> frozenset[tuple[date, int]]:
    """Return day and window start of every work order that an order ever had: each is taken once."""
    rows = session.execute(
        select(WORK_ORDER.c.visit_on, WORK_ORDER.c.window_start_s).where(
            WORK_ORDER.c.order_id == order_id
        )
    )
    return frozenset((on, start_s) for on, start_s in rows)


def make_again(session: Session, elder_id: str, *, after: date) -> None:
    """Have the dates of an elder's recurring orders looked at again that lie after a day."""
    c = ORDER.c
    session.execute(
        update(ORDER)
        .where(c.elder_id == elder_id, c.state == "active", c.generated_until > after)
        .values(generated_until=after)
    )


def let_stand(
    session: Session, work_order_ids: Iterable[str], *, vendor_id: str, at: datetime
) -> None:
    """Let a vendor's yes stand for the whole plan of recurring orders that named it."""
    for part in chunks(sorted(work_order_ids)):
        mine = select(WORK_ORDER.c.order_id).where(WORK_ORDER.c.id.in_(part))
        session.execute(
            update(ORDER)
            .where(
                ORDER.c.id.in_(mine),
                ORDER.c.rrule.is_not(None),
                ORDER.c.vendor_id == vendor_id,
                ORDER.c.standing_since.is_(None),
            )
            .values(standing_since=at)
        )


def open_to_any_vendor(session: Session, vendor_id: str) -> int:
    """Let orders that named a vendor be served by any; return how many those were.

    Later dates of a recurring order are then made as pooled ones.
    """
    c = ORDER.c
    opened = session.execute(
        update(ORDER)
        .where(c.vendor_id == vendor_id, c.state != "ended")
        .values(vendor_id=None, caregiver_id=None, standing_since=None)
    )
    return int(opened.rowcount)  # type: ignore[attr-defined]


def forget_preference(session: Session, elder_id: str, caregiver_id: str) -> None:
    """Forget that an elder's orders and visits to come asked for a caregiver."""
    session.execute(
        update(ORDER)
        .where(ORDER.c.elder_id == elder_id, ORDER.c.caregiver_id == caregiver_id)
        .values(caregiver_id=None)
    )
    c = WORK_ORDER.c
    session.execute(
        update(WORK_ORDER)
        .where(
            c.elder_id == elder_id,
            c.preferred_caregiver_id == caregiver_id,
            c.state.in_(sorted(s.value for s in OPEN)),
        )
        .values(preferred_caregiver_id=None, version=c.version + 1)
    )


def end_all(session: Session, elder_id: str, *, last_on: date) -> list[str]:
    """End every order of an elder that goes on; return which those were."""
    c = ORDER.c
    return list(
        session.scalars(
            update(ORDER)
            .where(c.elder_id == elder_id, c.state != "ended", c.rrule.is_not(None))
            .values(state="ended", ends_on=last_on)
            .returning(c.id)
        )
    )
