"""Vendors taken off the market and let back in; what became of each of their work orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from marketplace.kernel.errors import NotFound, WrongState
from marketplace.kernel.ids import new_id
from vendors.models import Suspension, SuspensionMove, Vendor

SUSPENSION = Suspension.__table__
MOVE = SuspensionMove.__table__


@dataclass(frozen=True, slots=True)
class Move:
    """What became of one work order; ``why`` only where it is stuck."""

    work_order_id: str
    elder_id: str
    visit_on: date
    outcome: str
    why: str = ""
    to_vendor_id: str | None = None


def suspend(session: Session, vendor_id: str, *, at: datetime, by: str, reason: str) -> str:
    """Take a vendor off the market; return the suspension's id.

    One that a list made suspended or let leave still has its visits; it keeps having left. Raises
    ``NotFound`` or ``WrongState``: of two that come at once the guarded UPDATE lets one through.
    """
    taken = session.execute(
        update(Vendor)
        .where(Vendor.id == vendor_id, Vendor.status == "active")
        .values(status="suspended", updated_at=at)
        .returning(Vendor.id)
    ).first()
    if taken is None and not _only_by_a_list(session, vendor_id, at):
        raise WrongState(id=vendor_id, state=status(session, vendor_id), expected=["active"])
    suspension_id = new_id()
    session.execute(
        SUSPENSION.insert().values(  # type: ignore[attr-defined]
            id=suspension_id, vendor_id=vendor_id, reason=reason, suspended_by=by, at=at, plans=0
        )
    )
    return suspension_id


def _only_by_a_list(session: Session, vendor_id: str, at: datetime) -> bool:
    """Say whether a vendor, locked from here on, is off the market without a suspension."""
    found = session.execute(
        update(Vendor)
        .where(Vendor.id == vendor_id, Vendor.status != "active")
        .values(updated_at=at)
        .returning(Vendor.id)
    ).first()
    return found is not None and open_of(session, vendor_id) is None


def status(session: Session, vendor_id: str) -> str:
    """Return a vendor's status; raises ``NotFound``."""
    found = session.scalar(select(Vendor.status).where(Vendor.id == vendor_id))
    if found is None:
        raise NotFound(kind="vendor", id=vendor_id)
    return found


def reinstate(session: Session, vendor_id: str, *, at: datetime, by: str, reason: str) -> str:
    """Lift a vendor's open suspension; return its id. Raises ``NotFound`` or ``WrongState``."""
    lifted = session.scalar(
        update(Suspension)
        .where(Suspension.vendor_id == vendor_id, Suspension.lifted_at.is_(None))
        .values(lifted_at=at, lifted_by=by, lift_reason=reason)
        .returning(Suspension.id)
    )
    if lifted is None:
        raise WrongState(id=vendor_id, state=status(session, vendor_id), expected=["suspended"])
    session.execute(
        update(Vendor)
        .where(Vendor.id == vendor_id, Vendor.status == "suspended")
        .values(status="active", updated_at=at)
    )
    return lifted


def get(session: Session, suspension_id: str) -> Row[Any]:
    """Return a suspension's row; raises ``NotFound``."""
    row = session.execute(select(SUSPENSION).where(SUSPENSION.c.id == suspension_id)).first()
    if row is None:
        raise NotFound(kind="suspension", id=suspension_id)
    return row


def open_of(session: Session, vendor_id: str) -> Row[Any] | None:
    """Return a vendor's suspension that is not lifted."""
    return session.execute(
        select(SUSPENSION).where(
            SUSPENSION.c.vendor_id == vendor_id, SUSPENSION.c.lifted_at.is_(None)
        )
    ).first()


def in_force(session: Session) -> list[Row[Any]]:
    """Return the suspensions that are not lifted, the oldest first."""
    return list(
        session.execute(
            select(SUSPENSION)
            .where(SUSPENSION.c.lifted_at.is_(None))
            .order_by(SUSPENSION.c.at, SUSPENSION.c.id)
        )
    )


def note(session: Session, suspension_id: str, **values: Any) -> None:
    """Note how many plans were opened, or that every work order has been looked at."""
    session.execute(update(Suspension).where(Suspension.id == suspension_id).values(**values))


def add_moves(session: Session, suspension_id: str, moves: Sequence[Move], *, at: datetime) -> None:
    """Write what became of work orders."""
    if moves:
        session.execute(
            MOVE.insert(),  # type: ignore[attr-defined]
            [
                {
                    "suspension_id": suspension_id,
                    "work_order_id": m.work_order_id,
                    "elder_id": m.elder_id,
                    "visit_on": m.visit_on,
                    "outcome": m.outcome,
                    "why": m.why,
                    "to_vendor_id": m.to_vendor_id,
                    "at": at,
                }
                for m in moves
            ],
        )


def moves_of(session: Session, suspension_id: str) -> list[Row[Any]]:
    """Return what became of a suspended vendor's work orders, by day and id."""
    return list(
        session.execute(
            select(MOVE)
            .where(MOVE.c.suspension_id == suspension_id)
            .order_by(MOVE.c.visit_on, MOVE.c.work_order_id)
        )
    )
