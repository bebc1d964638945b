"""One work order as a page: what, when, who, who pays, and everything that happened to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.elders.models import Elder
from marketplace.kernel.errors import NotFound
from marketplace.orders.models import Assignment, LeftOut, Order, WorkOrder, WorkOrderEvent
from marketplace.queries.papers import is_unread
from marketplace.visits.models import Evidence, Visit
from marketplace.vouchers.models import PriceShare, PriceSplit
from vendors.models import Caregiver, Vendor


@dataclass(frozen=True, slots=True)
class EventLine:
    """One move of the work order."""

    at: datetime
    to_state: str
    role: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class ShareLine:
    """One payer's part."""

    programme_code: str
    fen: int
    minutes: int


@dataclass(frozen=True, slots=True)
class ProofLine:
    """One piece of evidence of the visit."""

    at: datetime
    kind: str
    method: str
    offline: bool
    facts: dict[str, Any]
    id: str = ""


@dataclass(frozen=True, slots=True)
class WorkPage:
    """All that the page may show; the page leaves out what its reader may not see."""

    id: str
    order_id: str
    elder_id: str
    elder_name: str
    address: str
    district_code: str
    on: date
    window_start_s: int
    window_end_s: int
    state: str
    service_code: str
    category_code: str
    service_zh: str
    service_en: str
    service_s: int
    crew: int
    price_fen: int
    vendor: str | None
    caregivers: tuple[str, ...]
    starts_at: datetime | None
    channel: str
    authority: str
    placed_at: datetime
    rrule: str | None
    note: str
    left_out: str | None
    money_state: str | None
    shares: list[ShareLine]
    events: list[EventLine]
    proofs: list[ProofLine]
    verdict: str | None


def work_page(session: Session, work_order_id: str) -> WorkPage:
    """Return one work order in five statements; raises ``NotFound``."""
    row = session.execute(
        select(WorkOrder, Order, Elder, ServiceVersion, Vendor.name, LeftOut.reason, PriceSplit)
        .join(Order, Order.id == WorkOrder.order_id)
        .join(Elder, Elder.id == WorkOrder.elder_id)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .outerjoin(Vendor, Vendor.id == WorkOrder.vendor_id)
        .outerjoin(LeftOut, LeftOut.work_order_id == WorkOrder.id)
        .outerjoin(PriceSplit, PriceSplit.work_order_id == WorkOrder.id)
        .where(WorkOrder.id == work_order_id)
    ).first()
    if row is None:
        raise NotFound(kind="work_order", id=work_order_id)
    work, order, elder, version, vendor, left_out, split = row
    crew = session.execute(
        select(Caregiver.name, Assignment.starts_at)
        .join(Assignment, Assignment.caregiver_id == Caregiver.id)
        .where(Assignment.work_order_id == work.id)
        .order_by(Caregiver.id)
    ).all()
    shares = session.scalars(
        select(PriceShare)
        .where(
            PriceShare.work_order_id == work.id,
            PriceShare.revision == (split.revision if split else 0),
        )
        .order_by(PriceShare.position)
    )
    events = session.scalars(
        select(WorkOrderEvent)
        .where(WorkOrderEvent.work_order_id == work.id)
        .order_by(WorkOrderEvent.id)
    )
    proofs = session.execute(
        select(Evidence, Visit.verdict)
        .join(Visit, Visit.id == Evidence.visit_id)
        .where(Visit.work_order_id == work.id)
        .order_by(Evidence.received_at, Evidence.id)
    ).all()
    return WorkPage(
        id=work.id,
        order_id=order.id,
        elder_id=elder.id,
        elder_name=elder.name,
        address=elder.address,
        district_code=work.district_code,
        on=work.visit_on,
        window_start_s=work.window_start_s,
        window_end_s=work.window_end_s,
        state=work.state,
        service_code=work.service_code,
        category_code=work.category_code,
        service_zh=version.name_zh,
        service_en=version.name_en,
        service_s=work.service_s,
        crew=work.crew,
        price_fen=work.price_fen,
        vendor=vendor,
        caregivers=tuple(name for name, _ in crew),
        starts_at=min((at for _, at in crew), default=None),
        channel=order.channel,
        authority=order.authority,
        placed_at=order.placed_at,
        rrule=order.rrule,
        note=order.note,
        left_out=left_out,
        money_state=split.state if split else None,
        shares=[ShareLine(s.programme_code, s.fen, s.minutes) for s in shares],
        events=[EventLine(e.at, e.to_state, e.role, e.reason) for e in events],
        proofs=[
            ProofLine(e.at_device, e.kind, e.method, e.offline, e.facts, e.id)
            for e, _ in proofs
            if not is_unread(work.state, e.method)
        ],
        verdict=proofs[-1][1] if proofs else None,
    )
