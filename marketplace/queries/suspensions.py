"""A vendor's suspensions and what became of each of its visits, for screens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.elders.models import Elder
from marketplace.orders.models import WorkOrder
from vendors.models import Suspension, SuspensionMove
from vendors.registry import vendor_names

__all__ = ["MoveView", "SuspensionView", "elder_names", "suspensions_of", "vendor_names"]


@dataclass(frozen=True, slots=True)
class MoveView:
    """What became of one visit, and where it stands now."""

    work_order_id: str
    elder_id: str
    service_code: str
    service_zh: str
    service_en: str
    visit_on: date
    outcome: str
    why: str
    to_vendor_id: str | None
    state_now: str
    vendor_now: str | None


@dataclass(frozen=True, slots=True)
class SuspensionView:
    """One suspension. ``is_moving``: some visits have not been looked at yet."""

    suspension_id: str
    vendor_id: str
    reason: str
    suspended_by: str
    at: datetime
    plans: int
    is_moving: bool
    lifted_at: datetime | None
    lifted_by: str | None
    lift_reason: str | None
    moves: list[MoveView] = field(default_factory=list)


def suspensions_of(session: Session, vendor_id: str, *, limit: int = 20) -> list[SuspensionView]:
    """Return a vendor's latest suspensions, the newest first; those not moved lead each list."""
    rows = session.execute(
        select(Suspension.__table__)
        .where(Suspension.vendor_id == vendor_id)
        .order_by(Suspension.at.desc(), Suspension.id.desc())
        .limit(limit)
    ).all()
    return [
        SuspensionView(
            suspension_id=r.id,
            vendor_id=r.vendor_id,
            reason=r.reason,
            suspended_by=r.suspended_by,
            at=r.at,
            plans=r.plans,
            is_moving=r.moved_at is None and r.lifted_at is None,
            lifted_at=r.lifted_at,
            lifted_by=r.lifted_by,
            lift_reason=r.lift_reason,
            moves=_moves(session, r.id),
        )
        for r in rows
    ]


def elder_names(session: Session, elder_ids: Iterable[str]) -> dict[str, str]:
    """Return the full names of elders by id; screens show them masked."""
    rows = session.execute(select(Elder.id, Elder.name).where(Elder.id.in_(set(elder_ids))))
    return {row[0]: row[1] for row in rows}


def _moves(session: Session, suspension_id: str) -> list[MoveView]:
    m, w = SuspensionMove.__table__.c, WorkOrder.__table__.c
    rows = session.execute(
        select(
            m.work_order_id,
            m.elder_id,
            w.service_code,
            ServiceVersion.name_zh.label("service_zh"),
            ServiceVersion.name_en.label("service_en"),
            m.visit_on,
            m.outcome,
            m.why,
            m.to_vendor_id,
            w.state.label("state_now"),
            w.vendor_id.label("vendor_now"),
        )
        .join(WorkOrder, w.id == m.work_order_id)
        .join(ServiceVersion, ServiceVersion.id == w.service_version_id)
        .where(m.suspension_id == suspension_id)
        .order_by(m.outcome != "stuck", m.visit_on, m.work_order_id)
    )
    return [MoveView(**r._mapping) for r in rows]
