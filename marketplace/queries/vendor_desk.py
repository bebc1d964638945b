"""A vendor's desk: its day, the offers that wait for an answer, its people and their certificates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import case, func, select, true
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.kernel.actor import Scope
from marketplace.kernel.clock import Period, instant_of
from marketplace.orders.models import Assignment, LeftOut, WorkOrder
from marketplace.orders.states import State
from marketplace.queries.reach import work_orders_in
from marketplace.queries.today import FINISHED, GONE
from vendors.models import Caregiver, Certificate, JobOffer, Shift, Vendor, VendorLicence

SOON = timedelta(days=30)
"""Certificates that end within this time are shown."""


@dataclass(frozen=True, slots=True)
class OfferView:
    """An open offer. Until it is accepted the place is known to the town only; nobody's name is."""

    id: str
    work_order_id: str
    visit_on: date
    window_start_s: int
    window_end_s: int
    service_zh: str
    service_en: str
    service_s: int
    crew: int
    skill_code: str
    price_fen: int
    district_code: str
    town_code: str | None
    deadline_at: datetime


@dataclass(frozen=True, slots=True)
class CertificateView:
    """A skill certificate or a licence that has ended or ends soon. ``person`` is empty for a licence."""

    person: str
    kind: str
    until: date


@dataclass(frozen=True, slots=True)
class VendorDay:
    """The vendor's day in numbers, and its fair share of the month (0 to 1)."""

    name: str
    orders: int
    finished: int
    nobody: int
    on_duty: int
    share: float
    fair_share: float | None
    month_orders: int
    skipped: int


def open_offers(session: Session, vendor_id: str, *, now: datetime) -> list[OfferView]:
    """Return the offers that the vendor may still answer, by day and time: one statement."""
    rows = session.execute(
        select(JobOffer, WorkOrder, ServiceVersion.name_zh, ServiceVersion.name_en)
        .join(WorkOrder, WorkOrder.id == JobOffer.work_order_id)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .where(
            JobOffer.vendor_id == vendor_id,
            JobOffer.state == "open",
            JobOffer.offer_deadline_at >= now,
        )
        .order_by(WorkOrder.visit_on, WorkOrder.window_start_s, JobOffer.id)
        .limit(200)
    )
    return [
        OfferView(
            id=offer.id,
            work_order_id=work.id,
            visit_on=work.visit_on,
            window_start_s=work.window_start_s,
            window_end_s=work.window_end_s,
            service_zh=zh,
            service_en=en,
            service_s=work.service_s,
            crew=work.crew,
            skill_code=work.skill_code,
            price_fen=work.price_fen,
            district_code=work.district_code,
            town_code=work.town_code,
            deadline_at=offer.offer_deadline_at,
        )
        for offer, work, zh, en in rows
    ]


def vendor_day(session: Session, vendor_id: str, *, day: date) -> VendorDay:
    """Return the vendor's day and month in four statements."""
    vendor = session.get_one(Vendor, vendor_id)
    orders, finished, nobody = session.execute(
        select(
            func.count(),
            func.sum(case((WorkOrder.state.in_(FINISHED), 1), else_=0)),
            func.sum(case((LeftOut.work_order_id.is_not(None), 1), else_=0)),
        )
        .outerjoin(
            LeftOut,
            (LeftOut.work_order_id == WorkOrder.id) & (WorkOrder.state == State.ACCEPTED),
        )
        .where(
            WorkOrder.vendor_id == vendor_id,
            WorkOrder.visit_on == day,
            WorkOrder.state.not_in(GONE),
        )
    ).one()
    on_duty = session.scalar(
        select(func.count(func.distinct(Shift.caregiver_id)))
        .join(Caregiver, Caregiver.id == Shift.caregiver_id)
        .where(Caregiver.vendor_id == vendor_id, Shift.works_on == day)
    )
    month = Period.of(day)
    mine, everybody = session.execute(
        select(
            func.sum(case((WorkOrder.vendor_id == vendor_id, 1), else_=0)),
            func.count(),
        ).where(
            WorkOrder.visit_on.between(month.first, month.last),
            WorkOrder.vendor_id.is_not(None),
            WorkOrder.state.not_in(GONE),
        )
    ).one()
    skipped = session.scalar(
        select(func.count()).where(
            JobOffer.vendor_id == vendor_id,
            JobOffer.state.in_(["declined", "expired"]),
        )
    )
    return VendorDay(
        name=vendor.name,
        orders=orders,
        finished=int(finished or 0),
        nobody=int(nobody or 0),
        on_duty=on_duty or 0,
        share=int(mine or 0) / everybody if everybody else 0.0,
        fair_share=vendor.open_share,
        month_orders=int(mine or 0),
        skipped=skipped or 0,
    )


@dataclass(frozen=True, slots=True)
class VendorException:
    """What the coordinator takes first: late, unserved, or a door that stayed shut."""

    kind: str
    work_order_id: str
    service_zh: str
    service_en: str
    caregiver: str | None
    district_code: str
    due_at: datetime
    reason: str | None = None


def exceptions(
    session: Session, vendor_id: str, *, day: date, now: datetime, scope: Scope | None = None
) -> list[VendorException]:
    """Return today's exceptions of the vendor, the earliest first: one statement.

    ``scope`` narrows them to the area of a reader who is not the vendor.
    """
    late = (WorkOrder.state == State.ASSIGNED) & (
        Assignment.starts_at < now - timedelta(minutes=15)
    )
    unserved = (WorkOrder.state == State.ACCEPTED) & LeftOut.work_order_id.is_not(None)
    rows = session.execute(
        select(
            WorkOrder,
            LeftOut.reason,
            Assignment.starts_at,
            Caregiver.name,
            ServiceVersion.name_zh,
            ServiceVersion.name_en,
        )
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .outerjoin(LeftOut, LeftOut.work_order_id == WorkOrder.id)
        .outerjoin(Assignment, Assignment.work_order_id == WorkOrder.id)
        .outerjoin(Caregiver, Caregiver.id == Assignment.caregiver_id)
        .where(
            WorkOrder.vendor_id == vendor_id,
            WorkOrder.visit_on == day,
            late | unserved | WorkOrder.state.in_([State.NO_ACCESS, State.NO_SHOW]),
            work_orders_in(scope) if scope is not None else true(),
        )
        .order_by(WorkOrder.window_start_s, WorkOrder.id)
        .limit(30)
    )
    found = []
    for work, reason, starts_at, caregiver, zh, en in rows:
        kind = {State.NO_ACCESS: "shut_door", State.NO_SHOW: "nobody_goes"}.get(
            State(work.state), "not_arrived" if work.state == State.ASSIGNED else "nobody_goes"
        )
        found.append(
            VendorException(
                kind=kind,
                work_order_id=work.id,
                service_zh=zh,
                service_en=en,
                caregiver=caregiver,
                district_code=work.district_code,
                due_at=(
                    starts_at + timedelta(minutes=15)
                    if kind == "not_arrived"
                    else instant_of(day, work.window_end_s)
                ),
                reason=reason,
            )
        )
    return found


def certificates(session: Session, vendor_id: str, *, day: date) -> list[CertificateView]:
    """Return what has ended or ends within 30 days, the earliest first: two statements."""
    held = (
        select(
            Caregiver.name,
            Certificate.skill_code,
            func.max(Certificate.valid_until).label("until"),
        )
        .join(Caregiver, Caregiver.id == Certificate.caregiver_id)
        .where(Caregiver.vendor_id == vendor_id, Caregiver.status == "active")
        .group_by(Caregiver.id, Caregiver.name, Certificate.skill_code)
        .having(func.max(Certificate.valid_until) <= day + SOON)
        .order_by(func.max(Certificate.valid_until))
        .limit(12)
    )
    licences = (
        select(VendorLicence.kind, func.max(VendorLicence.valid_until))
        .where(VendorLicence.vendor_id == vendor_id)
        .group_by(VendorLicence.kind)
    )
    found = [CertificateView(name, skill, until) for name, skill, until in session.execute(held)]
    found += [CertificateView("", kind, until) for kind, until in session.execute(licences)]
    return sorted(found, key=lambda c: (c.until, c.person))
