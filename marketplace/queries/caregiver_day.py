"""A caregiver's day: the stops in their order, with what must be known at each door."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.elders.models import Elder
from marketplace.orders.models import Assignment, Order, WorkOrder
from marketplace.orders.states import State
from marketplace.queries.today import GONE
from marketplace.visits.models import Visit
from marketplace.visits.rules import photo_is_asked, photo_is_forbidden
from vendors.models import Caregiver, Vendor


@dataclass(frozen=True, slots=True)
class StopView:
    """One visit of the day. ``photo``: ``asked``, ``forbidden`` or empty.

    ``visit_id`` and ``check_in_at`` once the caregiver has checked in.
    """

    work_order_id: str
    state: str
    starts_at: datetime
    ends_at: datetime
    elder_id: str
    elder_name: str
    address: str
    door_notes: str
    lat: float
    lng: float
    service_zh: str
    service_en: str
    service_s: int
    category_code: str
    photo: str
    crew: int
    note: str
    visit_id: str | None
    check_in_at: datetime | None
    check_out_at: datetime | None

    @property
    def is_over(self) -> bool:
        """Return whether nothing is left to do here."""
        return self.check_out_at is not None or self.state not in (State.ASSIGNED, State.IN_SERVICE)


@dataclass(frozen=True, slots=True)
class Worker:
    """Who works, for whom, and whom to ring when something is wrong."""

    name: str
    vendor: str
    vendor_phone: str


def worker(session: Session, caregiver_id: str) -> Worker | None:
    """Return the caregiver and the vendor's telephone: one statement."""
    row = session.execute(
        select(Caregiver.name, Vendor.name, Vendor.phone)
        .join(Vendor, Vendor.id == Caregiver.vendor_id)
        .where(Caregiver.id == caregiver_id)
    ).first()
    return Worker(*row) if row else None


def stops(session: Session, caregiver_id: str, *, day: date) -> list[StopView]:
    """Return the day's stops in their order: one statement."""
    rows = session.execute(
        select(WorkOrder, Assignment, Elder, ServiceVersion, Order.note, Visit)
        .join(Assignment, Assignment.work_order_id == WorkOrder.id)
        .join(Elder, Elder.id == WorkOrder.elder_id)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .join(Order, Order.id == WorkOrder.order_id)
        .outerjoin(
            Visit,
            (Visit.work_order_id == WorkOrder.id) & (Visit.caregiver_id == Assignment.caregiver_id),
        )
        .where(
            Assignment.caregiver_id == caregiver_id,
            WorkOrder.visit_on == day,
            WorkOrder.state.not_in([*GONE, State.POOLED, State.OFFERED, State.ACCEPTED]),
        )
        .order_by(Assignment.starts_at, WorkOrder.id)
    )
    return [
        StopView(
            work_order_id=work.id,
            state=work.state,
            starts_at=given.starts_at,
            ends_at=given.ends_at,
            elder_id=elder.id,
            elder_name=elder.name,
            address=elder.address,
            door_notes=elder.door_notes,
            lat=work.lat,
            lng=work.lng,
            service_zh=version.name_zh,
            service_en=version.name_en,
            service_s=work.service_s,
            category_code=work.category_code,
            photo=_photo(work.category_code, work.skill_code),
            crew=work.crew,
            note=note,
            visit_id=visit.id if visit else None,
            check_in_at=visit.check_in_at if visit else None,
            check_out_at=visit.check_out_at if visit else None,
        )
        for work, given, elder, version, note, visit in rows
    ]


def _photo(category_code: str, skill_code: str) -> str:
    if photo_is_forbidden(category_code, skill_code):
        return "forbidden"
    return "asked" if photo_is_asked(category_code, skill_code) else ""
