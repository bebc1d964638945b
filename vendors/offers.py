"""Job offers: made, accepted by one, declined, expired, closed. Each answer is one guarded UPDATE."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from marketplace.kernel.errors import Conflict, NotFound, WrongState
from marketplace.kernel.ids import new_id
from vendors.models import JobOffer

OFFER = JobOffer.__table__
_CHUNK = 2_000


class OfferExpired(Conflict):
    """The deadline has passed. Facts: ``id``, ``offer_deadline_at``."""


@dataclass(frozen=True, slots=True)
class NewOffer:
    """One work order for one vendor until a deadline; ``state`` is ``accepted`` under a standing yes."""

    work_order_id: str
    vendor_id: str
    offer_deadline_at: datetime
    round: int = 1
    state: str = "open"


def make(session: Session, offers: Sequence[NewOffer], *, at: datetime) -> list[str]:
    """Add offers; return their ids in the same order."""
    rows = [
        {
            "id": new_id(),
            "work_order_id": o.work_order_id,
            "vendor_id": o.vendor_id,
            "round": o.round,
            "state": o.state,
            "offered_at": at,
            "offer_deadline_at": o.offer_deadline_at,
            "answered_at": at if o.state == "accepted" else None,
            "reason": "standing" if o.state == "accepted" else None,
        }
        for o in offers
    ]
    if rows:
        session.execute(OFFER.insert(), rows)
    return [r["id"] for r in rows]


def get(session: Session, offer_id: str) -> Row[Any]:
    """Return an offer's row; raises ``NotFound``."""
    row = session.execute(select(OFFER).where(OFFER.c.id == offer_id)).first()
    if row is None:
        raise NotFound(kind="job_offer", id=offer_id)
    return row


def accept(session: Session, offer_id: str, *, at: datetime) -> Row[Any]:
    """Accept an open offer in time; raises ``OfferExpired`` or ``WrongState`` when it is too late.

    Of several offers of one work order the unique index lets one be accepted; the caller also moves
    the work order, whose state only one of them can change.
    """
    row = session.execute(
        update(OFFER)
        .where(OFFER.c.id == offer_id, OFFER.c.state == "open", OFFER.c.offer_deadline_at >= at)
        .values(state="accepted", answered_at=at)
        .returning(*OFFER.c)
    ).first()
    return row if row is not None else _refuse(session, offer_id, at)


def get_many(session: Session, offer_ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Return offers by id; unknown ids are missing."""
    ids = list(offer_ids)
    found: dict[str, Row[Any]] = {}
    for i in range(0, len(ids), _CHUNK):
        for row in session.execute(select(OFFER).where(OFFER.c.id.in_(ids[i : i + _CHUNK]))):
            found[row.id] = row
    return found


def accept_many(session: Session, offer_ids: Iterable[str], *, at: datetime) -> list[Row[Any]]:
    """Accept those of the offers that are open and in time; return them. See ``accept``."""
    ids = list(offer_ids)
    taken: list[Row[Any]] = []
    for i in range(0, len(ids), _CHUNK):
        taken += session.execute(
            update(OFFER)
            .where(
                OFFER.c.id.in_(ids[i : i + _CHUNK]),
                OFFER.c.state == "open",
                OFFER.c.offer_deadline_at >= at,
            )
            .values(state="accepted", answered_at=at)
            .returning(*OFFER.c)
        ).all()
    return taken


def decline(session: Session, offer_id: str, *, at: datetime, reason: str) -> Row[Any]:
    """Decline an open offer with a reason; raises as ``accept`` does."""
    row = session.execute(
        update(OFFER)
        .where(OFFER.c.id == offer_id, OFFER.c.state == "open", OFFER.c.offer_deadline_at >= at)
        .values(state="declined", answered_at=at, reason=reason)
        .returning(*OFFER.c)
    ).first()
    return row if row is not None else _refuse(session, offer_id, at)


def _refuse(session: Session, offer_id: str, at: datetime) -> Row[Any]:
    offer = get(session, offer_id)
    if offer.state == "open":
        raise OfferExpired(id=offer_id, offer_deadline_at=offer.offer_deadline_at.isoformat())
    raise WrongState(id=offer_id, state=offer.state, expected=["open"])


def close(session: Session, work_order_ids: Iterable[str], *, at: datetime, reason: str) -> int:
    """Close what is still open of work orders; return how many offers that were."""
    ids = list(work_order_ids)
    closed = 0
    for i in range(0, len(ids), _CHUNK):
        closed += session.execute(
            update(OFFER)
            .where(OFFER.c.work_order_id.in_(ids[i : i + _CHUNK]), OFFER.c.state == "open")
            .values(state="closed", answered_at=at, reason=reason)
        ).rowcount  # type: ignore[attr-defined]
    return closed


def withdraw(session: Session, work_order_id: str, *, at: datetime, reason: str) -> None:
    """Take back an acceptance, so that another vendor may accept."""
    session.execute(
        update(OFFER)
        .where(OFFER.c.work_order_id == work_order_id, OFFER.c.state.in_(["open", "accepted"]))
        .values(state="closed", answered_at=at, reason=reason)
    )


def open_of_vendor(session: Session, vendor_id: str) -> list[str]:
    """Return the work orders of which a vendor holds an open offer."""
    return list(
        session.scalars(
            select(OFFER.c.work_order_id)
            .where(OFFER.c.vendor_id == vendor_id, OFFER.c.state == "open")
            .distinct()
        )
    )


def close_of_vendor(
    session: Session, work_order_id: str, vendor_id: str, *, at: datetime, reason: str
) -> None:
    """Close one vendor's open offer of a work order; the others' stay open."""
    session.execute(
        update(OFFER)
        .where(
            OFFER.c.work_order_id == work_order_id,
            OFFER.c.vendor_id == vendor_id,
            OFFER.c.state == "open",
        )
        .values(state="closed", answered_at=at, reason=reason)
    )


def due(session: Session, *, now: datetime, limit: int) -> list[Row[Any]]:
    """Return open offers whose deadline has passed, the longest first."""
    return list(
        session.execute(
            select(OFFER)
            .where(OFFER.c.state == "open", OFFER.c.offer_deadline_at < now)
            .order_by(OFFER.c.offer_deadline_at, OFFER.c.id)
            .limit(limit)
        )
    )


def expire(session: Session, offer_ids: Iterable[str], *, now: datetime) -> list[Row[Any]]:
    """Expire those of the offers that are still open and due; return them."""
    return list(
        session.execute(
            update(OFFER)
            .where(
                OFFER.c.id.in_(list(offer_ids)),
                OFFER.c.state == "open",
                OFFER.c.offer_deadline_at < now,
            )
            .values(state="expired", answered_at=now, reason="deadline")
            .returning(*OFFER.c)
        )
    )


def of_work_order(session: Session, work_order_id: str) -> list[Row[Any]]:
    """Return all offers of a work order, oldest first."""
    return list(
        session.execute(
            select(OFFER)
            .where(OFFER.c.work_order_id == work_order_id)
            .order_by(OFFER.c.offered_at, OFFER.c.id)
        )
    )


def asked(session: Session, work_order_ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return by work order which vendors were asked and the state of their latest offer."""
    ids = list(work_order_ids)
    found: dict[str, dict[str, str]] = {}
    for i in range(0, len(ids), _CHUNK):
        for row in session.execute(
            select(OFFER.c.work_order_id, OFFER.c.vendor_id, OFFER.c.state)
            .where(OFFER.c.work_order_id.in_(ids[i : i + _CHUNK]))
            .order_by(OFFER.c.round, OFFER.c.offered_at)
        ):
            found.setdefault(row.work_order_id, {})[row.vendor_id] = row.state
    return found


def rounds(session: Session, work_order_ids: Iterable[str]) -> dict[str, int]:
    """Return the number of the latest round of offers of each work order that has had one."""
    ids = list(work_order_ids)
    found: dict[str, int] = {}
    for i in range(0, len(ids), _CHUNK):
        found |= dict(
            session.execute(
                select(OFFER.c.work_order_id, func.max(OFFER.c.round))
                .where(OFFER.c.work_order_id.in_(ids[i : i + _CHUNK]))
                .group_by(OFFER.c.work_order_id)
            ).all()
        )
    return found


def open_exists(session: Session, work_order_id: str) -> bool:
    """Say whether some vendor may still accept."""
    return (
        session.scalar(
            select(OFFER.c.id)
            .where(OFFER.c.work_order_id == work_order_id, OFFER.c.state == "open")
            .limit(1)
        )
        is not None
    )
