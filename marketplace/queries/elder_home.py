"""What an elder, the family and the hotline see of one elder: who comes, what is left, what is usual."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.elders.models import Elder, FamilyLink
from marketplace.kernel.errors import NotFound
from marketplace.orders.models import Assignment, Order, WorkOrder
from marketplace.orders.states import State
from marketplace.visits.models import Visit
from marketplace.vouchers.models import Entitlement, LedgerAccount
from vendors.models import Caregiver, Site, Vendor

TO_COME = (State.POOLED, State.OFFERED, State.ACCEPTED, State.ASSIGNED, State.IN_SERVICE)
USUAL_DAYS = 45
"""How far back orders count as usual."""


@dataclass(frozen=True, slots=True)
class ElderView:
    """The elder behind a desk's card. Screens mask the name where their rules say so."""

    id: str
    name: str
    gender: str
    born_on: date
    address: str
    district_code: str
    lives_alone: bool
    door_notes: str
    status: str


@dataclass(frozen=True, slots=True)
class Contact:
    """A relative or neighbour who may be asked, and what the elder allowed them."""

    name: str
    relation: str
    powers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VisitLine:
    """One dated visit. ``starts_at`` is the planned start once somebody is assigned."""

    id: str
    on: date
    window_start_s: int
    window_end_s: int
    state: str
    service_code: str
    category_code: str
    service_zh: str
    service_en: str
    price_fen: int
    vendor: str | None
    caregivers: tuple[str, ...]
    starts_at: datetime | None
    familiar: bool


@dataclass(frozen=True, slots=True)
class BalanceLine:
    """What is left of one grant, in fen or minutes, and its last day."""

    programme_code: str
    unit: str
    left: int
    granted: int
    ends_on: date


@dataclass(frozen=True, slots=True)
class UsualOrder:
    """A service that the elder has again and again, at its usual time."""

    service_code: str
    category_code: str
    service_zh: str
    service_en: str
    window_start_s: int
    window_end_s: int
    times: int
    vendor_id: str | None
    caregiver_id: str | None
    site_id: str | None
    note: str


@dataclass(frozen=True, slots=True)
class SiteChoice:
    """A place where a site service may be had."""

    id: str
    name: str


def elder(session: Session, elder_id: str) -> ElderView:
    """Return one elder; raises ``NotFound``."""
    row = session.get(Elder, elder_id)
    if row is None:
        raise NotFound(kind="elder", id=elder_id)
    return ElderView(
        id=row.id,
        name=row.name,
        gender=row.gender,
        born_on=row.born_on,
        address=row.address,
        district_code=row.district_code,
        lives_alone=row.lives_alone,
        door_notes=row.door_notes,
        status=row.status,
    )


def elders(session: Session, ids: Iterable[str]) -> list[ElderView]:
    """Return several elders, in the order of their ids: one statement."""
    rows = session.scalars(select(Elder).where(Elder.id.in_(list(ids))).order_by(Elder.id))
    return [
        ElderView(
            r.id,
            r.name,
            r.gender,
            r.born_on,
            r.address,
            r.district_code,
            r.lives_alone,
            r.door_notes,
            r.status,
        )
        for r in rows
    ]


def contacts(session: Session, elder_id: str) -> list[Contact]:
    """Return the relatives bound to the elder: one statement."""
    rows = session.scalars(
        select(FamilyLink).where(FamilyLink.elder_id == elder_id, FamilyLink.ended_at.is_(None))
    )
    return [Contact(r.name, r.relation, tuple(r.powers.split(","))) for r in rows]


@dataclass(frozen=True, slots=True)
class FamilyView:
    """A relative who may look in, since when, and what the elder allowed."""

    id: str
    name: str
    relation: str
    powers: tuple[str, ...]
    since: datetime | None


def family_links(session: Session, elder_id: str) -> list[FamilyView]:
    """Return the relatives with an account who are linked now: one statement."""
    rows = session.scalars(
        select(FamilyLink)
        .where(
            FamilyLink.elder_id == elder_id,
            FamilyLink.account_id.is_not(None),
            FamilyLink.ended_at.is_(None),
        )
        .order_by(FamilyLink.confirmed_at)
    )
    return [
        FamilyView(
            r.id,
            r.name,
            r.relation,
            tuple(p for p in r.powers.split(",") if p),
            r.confirmed_at,
        )
        for r in rows
    ]


@dataclass(frozen=True, slots=True)
class WindowOf:
    """Whose a work order is, its day, and its window in seconds from local midnight."""

    elder_id: str
    on: date
    start_s: int
    end_s: int


def window_of(session: Session, work_order_id: str) -> WindowOf:
    """Return when a work order is due; raises ``NotFound``."""
    row = session.get(WorkOrder, work_order_id)
    if row is None:
        raise NotFound(kind="work_order", id=work_order_id)
    return WindowOf(row.elder_id, row.visit_on, row.window_start_s, row.window_end_s)


def elder_of(session: Session, work_order_id: str) -> str:
    """Return whose work order it is; raises ``NotFound``."""
    row = session.get(WorkOrder, work_order_id)
    if row is None:
        raise NotFound(kind="work_order", id=work_order_id)
    return row.elder_id


def visits(
    session: Session, elder_id: str, *, since: date, until: date, limit: int = 40
) -> list[VisitLine]:
    """Return the elder's visits of a span of days, the earliest first: three statements."""
    rows = session.execute(
        select(WorkOrder, ServiceVersion.name_zh, ServiceVersion.name_en, Vendor.name)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .outerjoin(Vendor, Vendor.id == WorkOrder.vendor_id)
        .where(WorkOrder.elder_id == elder_id, WorkOrder.visit_on.between(since, until))
        .order_by(WorkOrder.visit_on, WorkOrder.window_start_s, WorkOrder.id)
        .limit(limit)
    ).all()
    crews = _crews(session, [w.id for w, *_ in rows])
    known = _known_faces(session, elder_id)
    return [
        VisitLine(
            id=w.id,
            on=w.visit_on,
            window_start_s=w.window_start_s,
            window_end_s=w.window_end_s,
            state=w.state,
            service_code=w.service_code,
            category_code=w.category_code,
            service_zh=zh,
            service_en=en,
            price_fen=w.price_fen,
            vendor=vendor,
            caregivers=tuple(name for _, name, _ in crews.get(w.id, ())),
            starts_at=min((at for _, _, at in crews.get(w.id, ())), default=None),
            familiar=any(c in known for c, _, _ in crews.get(w.id, ())),
        )
        for w, zh, en, vendor in rows
    ]


def _crews(session: Session, ids: list[str]) -> dict[str, list[tuple[str, str, datetime]]]:
    crews: dict[str, list[tuple[str, str, datetime]]] = {}
    for work_order_id, caregiver_id, name, starts_at in session.execute(
        select(
            Assignment.work_order_id, Assignment.caregiver_id, Caregiver.name, Assignment.starts_at
        )
        .join(Caregiver, Caregiver.id == Assignment.caregiver_id)
        .where(Assignment.work_order_id.in_(ids))
        .order_by(Assignment.caregiver_id)
    ):
        crews.setdefault(work_order_id, []).append((caregiver_id, name, starts_at))
    return crews


def _known_faces(session: Session, elder_id: str) -> set[str]:
    """Return the caregivers who have been in this home before."""
    return set(
        session.scalars(select(Visit.caregiver_id).where(Visit.elder_id == elder_id).distinct())
    )


def next_visit(lines: list[VisitLine], *, today: date, second: int) -> VisitLine | None:
    """Return the visit that is running or comes next, of lines in their order."""
    for line in lines:
        ahead = line.on > today or (line.on == today and line.window_end_s >= second)
        if line.state in TO_COME and (ahead or line.state == State.IN_SERVICE):
            return line
    return None


def balances(session: Session, elder_id: str, *, day: date) -> list[BalanceLine]:
    """Return what is left of the grants in force, by programme: one statement."""
    rows = session.execute(
        select(Entitlement, LedgerAccount)
        .join(LedgerAccount, LedgerAccount.id == Entitlement.account_id)
        .where(
            Entitlement.elder_id == elder_id,
            Entitlement.valid_from <= day,
            Entitlement.ends_on >= day,
        )
        .order_by(Entitlement.ends_on, Entitlement.programme_code)
    )
    return [
        BalanceLine(
            programme_code=grant.programme_code,
            unit=grant.unit,
            left=account.credits_posted - account.debits_posted - account.debits_pending,
            granted=grant.granted,
            ends_on=grant.ends_on,
        )
        for grant, account in rows
    ]


def usual_orders(session: Session, elder_id: str, *, day: date, limit: int = 3) -> list[UsualOrder]:
    """Return what the elder had most often lately, at its latest time: two statements."""
    counted = session.execute(
        select(Order.service_code, func.count(), func.max(Order.id))
        .join(WorkOrder, WorkOrder.order_id == Order.id)
        .where(
            Order.elder_id == elder_id,
            WorkOrder.visit_on.between(day - timedelta(days=USUAL_DAYS), day + timedelta(days=7)),
            WorkOrder.state.not_in([State.CANCELLED, State.INVALIDATED]),
        )
        .group_by(Order.service_code)
        .order_by(func.count().desc(), Order.service_code)
        .limit(limit)
    ).all()
    times = {order_id: n for _, n, order_id in counted}
    newest = (
        select(ServiceVersion.service_code, func.max(ServiceVersion.valid_from).label("since"))
        .where(ServiceVersion.valid_from <= day)
        .group_by(ServiceVersion.service_code)
        .subquery()
    )
    rows = session.execute(
        select(Order, ServiceVersion.name_zh, ServiceVersion.name_en)
        .join(newest, newest.c.service_code == Order.service_code)
        .join(
            ServiceVersion,
            (ServiceVersion.service_code == newest.c.service_code)
            & (ServiceVersion.valid_from == newest.c.since),
        )
        .where(Order.id.in_(times), ServiceVersion.withdrawn.is_(False))
    )
    found = [
        UsualOrder(
            service_code=order.service_code,
            category_code=order.service_code[:2],
            service_zh=zh,
            service_en=en,
            window_start_s=order.window_start_s,
            window_end_s=order.window_end_s,
            times=times[order.id],
            vendor_id=order.vendor_id,
            caregiver_id=order.caregiver_id,
            site_id=order.site_id,
            note=order.note,
        )
        for order, zh, en in rows
    ]
    return sorted(found, key=lambda u: (-u.times, u.service_code))


def sites_near(session: Session, district_code: str, *, limit: int = 12) -> list[SiteChoice]:
    """Return places of the elder's district where a service may be had: one statement."""
    rows = session.execute(
        select(Site.id, Site.name)
        .where(Site.district_code == district_code)
        .order_by(Site.name)
        .limit(limit)
    )
    return [SiteChoice(*r) for r in rows]
