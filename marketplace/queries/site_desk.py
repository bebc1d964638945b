"""A site's desk: where a vendor serves, who serves there, what was read there today. Never what it pays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.elders.models import Elder
from marketplace.kernel.audit import AuditEvent
from marketplace.kernel.clock import instant_of
from marketplace.orders.models import WorkOrder
from vendors.models import Caregiver, Site

MOST = 10
"""Readings that stand below the field."""


@dataclass(frozen=True, slots=True)
class Place:
    """A site of the vendor."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the vendor who can serve. ``is_here``: based at this site."""

    id: str
    name: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Booking:
    """What was booked and for whom. ``quantity``: how many, two meals for a couple."""

    elder_name: str
    service_zh: str
    service_en: str
    quantity: int


@dataclass(frozen=True, slots=True)
class ReadingView:
    """One reading. ``booking`` and ``state`` where it was taken, else ``why`` it was refused."""

    at: datetime
    booking: Booking | None
    state: str
    why: str


def sites_of(session: Session, vendor_id: str) -> list[Place]:
    """Return a vendor's sites by name: one statement."""
    rows = session.execute(
        select(Site.id, Site.name).where(Site.vendor_id == vendor_id).order_by(Site.name, Site.id)
    )
    return [Place(*row) for row in rows]


def people(session: Session, vendor_id: str, site_id: str | None) -> list[Person]:
    """Return who of a vendor can serve, those based at the site first: one statement."""
    rows = session.execute(
        select(Caregiver.id, Caregiver.name, Caregiver.base_site_id)
        .where(Caregiver.vendor_id == vendor_id, Caregiver.status == "active")
        .order_by(Caregiver.name, Caregiver.id)
    )
    found = [Person(row.id, row.name, row.base_site_id == site_id) for row in rows]
    return sorted(found, key=lambda p: not p.is_here)


def booking(session: Session, work_order_id: str, *, vendor_id: str) -> Booking | None:
    """Return what a vendor's work order is and whose: one statement."""
    row = session.execute(
        select(Elder.name, ServiceVersion.name_zh, ServiceVersion.name_en, WorkOrder.quantity)
        .select_from(WorkOrder)
        .join(Elder, Elder.id == WorkOrder.elder_id)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .where(WorkOrder.id == work_order_id, WorkOrder.vendor_id == vendor_id)
    ).first()
    return Booking(*row) if row else None


def readings(session: Session, site_id: str, *, vendor_id: str, day: date) -> list[ReadingView]:
    """Return the last readings of a day at a vendor's site, the newest first: two statements.

    A refused one names nobody: a card that proves nothing does not say whose it is.
    """
    taken = session.execute(
        select(
            AuditEvent.id,
            AuditEvent.at,
            AuditEvent.facts,
            Elder.name,
            ServiceVersion.name_zh,
            ServiceVersion.name_en,
            WorkOrder.quantity,
        )
        .select_from(WorkOrder)
        .join(AuditEvent, AuditEvent.subject_id == WorkOrder.id)
        .join(Elder, Elder.id == WorkOrder.elder_id)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .where(
            WorkOrder.vendor_id == vendor_id,
            WorkOrder.visit_on == day,
            WorkOrder.site_id == site_id,
            AuditEvent.action == "read_at_site",
        )
        .order_by(AuditEvent.at.desc(), AuditEvent.id.desc())
        .limit(MOST)
    ).all()
    refused = session.execute(
        select(AuditEvent.id, AuditEvent.at, AuditEvent.reason)
        .where(
            AuditEvent.at >= instant_of(day, 0),
            AuditEvent.action == "card_refused",
            AuditEvent.facts["site_id"].as_string() == site_id,
        )
        .order_by(AuditEvent.at.desc(), AuditEvent.id.desc())
        .limit(MOST)
    ).all()
    found = [
        (
            row.at,
            row.id,
            ReadingView(
                row.at,
                Booking(row.name, row.name_zh, row.name_en, row.quantity),
                row.facts["state"],
                "",
            ),
        )
        for row in taken
    ]
    found += [(row.at, row.id, ReadingView(row.at, None, "", row.reason or "")) for row in refused]
    return [view for _, _, view in sorted(found, key=lambda f: f[:2], reverse=True)[:MOST]]
