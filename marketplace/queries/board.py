"""The dispatcher's board: one vendor's people of a day, a page at a time, and who has nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, case, exists, func, select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.elders.models import Elder
from marketplace.kernel.actor import Scope
from marketplace.kernel.clock import instant_of, second_of
from marketplace.orders.models import Assignment, LeftOut, WorkOrder
from marketplace.orders.states import State
from marketplace.queries.reach import nobody_goes, work_orders_in
from marketplace.queries.today import FINISHED, GONE
from vendors.models import Caregiver, Leave, Shift, Vendor

PAGE = 12
"""People on one page: what one looks at without scrolling, and never a city of bars."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Bar:
    """One visit in a caregiver's row, in seconds of the day. ``kind``: done, live, planned, asked."""

    work_order_id: str
    start_s: int
    end_s: int
    service_zh: str
    service_en: str
    kind: str
    locked: bool
    crew: int


@dataclass(frozen=True, slots=True)
class Row:
    """One caregiver's day."""

    caregiver_id: str
    name: str
    shifts: tuple[Span, ...]
    leave: tuple[Span, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class VendorChoice:
    """A vendor of the day: its visits, and how many of them have nobody."""

    id: str
    name: str
    visits: int
    nobody: int


@dataclass(frozen=True, slots=True)
class Board:
    """A page of a vendor's people. ``people`` counts all of them under the same filter."""

    rows: tuple[Row, ...]
    people: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A visit without anybody. ``reason`` is the dispatcher's, where a run has looked at it."""

    work_order_id: str
    service_zh: str
    service_en: str
    window_start_s: int
    window_end_s: int
    district_code: str
    town_code: str | None
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class VisitFacts:
    """What the board says of one visit."""

    work_order_id: str
    vendor_id: str | None
    service_zh: str
    service_en: str
    window_start_s: int
    window_end_s: int
    service_s: int
    crew: int
    state: str
    district_code: str
    elder_name: str
    locked: bool


def vendors_of(
    session: Session, scope: Scope, *, day: date, district: str | None, town: str | None
) -> list[VendorChoice]:
    """Return the vendors with visits of the day in reach, those with most unserved first."""
    nobody = func.sum(case((nobody_goes(), 1), else_=0))
    rows = session.execute(
        select(Vendor.id, Vendor.name, func.count(), nobody)
        .join(WorkOrder, WorkOrder.vendor_id == Vendor.id)
        .outerjoin(LeftOut, LeftOut.work_order_id == WorkOrder.id)
        .where(
            WorkOrder.visit_on == day,
            WorkOrder.is_stop,
            WorkOrder.state.not_in(GONE),
            work_orders_in(scope),
            *_area(district, town),
        )
        .group_by(Vendor.id, Vendor.name)
        .order_by(nobody.desc(), func.count().desc(), Vendor.id)
    )
    return [VendorChoice(i, name, visits, int(n or 0)) for i, name, visits, n in rows]


def _area(district: str | None, town: str | None) -> list:  # type: ignore[type-arg]
    limits = []
    if district:
        limits.append(WorkOrder.district_code == district)
    if town:
        limits.append(WorkOrder.town_code == town)
    return limits


def towns_of(session: Session, scope: Scope, *, day: date, vendor_id: str) -> list[str]:
    """Return the towns and streets in which a vendor has visits on a day, in order of code."""
    return list(
        session.scalars(
            select(WorkOrder.town_code)
            .where(
                WorkOrder.visit_on == day,
                WorkOrder.vendor_id == vendor_id,
                WorkOrder.town_code.is_not(None),
                work_orders_in(scope),
            )
            .distinct()
            .order_by(WorkOrder.town_code)
        )
    )


def board(
    session: Session,
    *,
    day: date,
    vendor_id: str,
    town: str | None = None,
    only: str | None = None,
    offset: int = 0,
    limit: int = PAGE,
) -> Board:
    """Return a page of the vendor's people who work on the day: five statements.

    ``town`` keeps those with a visit there, ``only`` one caregiver.
    """
    begins, ends = instant_of(day, 0), instant_of(day, 30 * 3600)
    works = exists().where(Shift.caregiver_id == Caregiver.id, Shift.works_on == day)
    goes = exists().where(
        Assignment.caregiver_id == Caregiver.id,
        Assignment.starts_at < ends,
        Assignment.ends_at > begins,
    )
    wanted = [Caregiver.vendor_id == vendor_id, Caregiver.status == "active", works | goes]
    if town:
        there = (
            select(Assignment.caregiver_id)
            .join(WorkOrder, WorkOrder.id == Assignment.work_order_id)
            .where(WorkOrder.visit_on == day, WorkOrder.town_code == town)
        )
        wanted.append(Caregiver.id.in_(there))
    if only:
        wanted.append(Caregiver.id == only)
    people = session.scalar(select(func.count()).select_from(Caregiver).where(*wanted)) or 0
    shown = session.execute(
        select(Caregiver.id, Caregiver.name)
        .where(*wanted)
        .order_by(Caregiver.id)
        .offset(offset)
        .limit(limit)
    ).all()
    ids = [i for i, _ in shown]
    shifts, leave = _times(session, ids, day)
    bars = _bars(session, ids, day)
    rows = tuple(
        Row(i, name, tuple(shifts[i]), tuple(leave[i]), tuple(bars[i])) for i, name in shown
    )
    return Board(rows, people)


def _times(
    session: Session, ids: list[str], day: date
) -> tuple[dict[str, list[Span]], dict[str, list[Span]]]:
    shifts: dict[str, list[Span]] = defaultdict(list)
    for who, starts_s, ends_s in session.execute(
        select(Shift.caregiver_id, Shift.starts_s, Shift.ends_s)
        .where(Shift.works_on == day, Shift.caregiver_id.in_(ids))
        .order_by(Shift.starts_s)
    ):
        shifts[who].append((starts_s, ends_s))
    leave: dict[str, list[Span]] = defaultdict(list)
    begins, ends = instant_of(day, 0), instant_of(day, 86_400)
    for who, from_at, to_at in session.execute(
        select(Leave.caregiver_id, Leave.from_at, Leave.to_at).where(
            Leave.caregiver_id.in_(ids), Leave.from_at < ends, Leave.to_at > begins
        )
    ):
        leave[who].append((max(0, second_of(day, from_at)), min(86_400, second_of(day, to_at))))
    return shifts, leave


def _bars(session: Session, ids: list[str], day: date) -> dict[str, list[Bar]]:
    begins, ends = instant_of(day, 0), instant_of(day, 30 * 3600)
    found: dict[str, list[Bar]] = defaultdict(list)
    for a, work, zh, en in session.execute(
        select(Assignment, WorkOrder, ServiceVersion.name_zh, ServiceVersion.name_en)
        .join(WorkOrder, WorkOrder.id == Assignment.work_order_id)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .where(
            Assignment.caregiver_id.in_(ids),
            Assignment.starts_at < ends,
            Assignment.ends_at > begins,
            WorkOrder.state.not_in([*GONE, State.NO_SHOW]),
        )
        .order_by(Assignment.starts_at, WorkOrder.id)
    ):
        found[a.caregiver_id].append(
            Bar(
                work_order_id=work.id,
                start_s=second_of(day, a.starts_at),
                end_s=second_of(day, a.ends_at),
                service_zh=zh,
                service_en=en,
                kind=_kind(State(work.state)),
                locked=a.locked,
                crew=work.crew,
            )
        )
    return found


def _kind(state: State) -> str:
    if state in FINISHED or state is State.NO_ACCESS:
        return "done"
    if state is State.IN_SERVICE:
        return "live"
    return "asked" if state is State.OFFERED else "planned"


def waiting(
    session: Session,
    scope: Scope,
    *,
    day: date,
    vendor_id: str,
    town: str | None = None,
    limit: int = 20,
) -> tuple[list[Waiting], int]:
    """Return the vendor's visits in reach without anybody, the earliest first, and how many."""
    limits = [
        WorkOrder.visit_on == day,
        WorkOrder.vendor_id == vendor_id,
        WorkOrder.is_stop,
        WorkOrder.state == State.ACCEPTED,
        ~exists().where(Assignment.work_order_id == WorkOrder.id),
        work_orders_in(scope),
        *_area(None, town),
    ]
    return _waiting(session, limits, limit)


def pooled(
    session: Session,
    scope: Scope,
    *,
    day: date,
    district: str | None,
    town: str | None = None,
    limit: int = 8,
) -> tuple[list[Waiting], int]:
    """Return the stops of a day in reach that no vendor has, the earliest first, and how many."""
    limits = [
        WorkOrder.visit_on == day,
        WorkOrder.is_stop,
        WorkOrder.state == State.POOLED,
        work_orders_in(scope),
        *_area(district, town),
    ]
    return _waiting(session, limits, limit)


def _waiting(
    session: Session, limits: list[ColumnElement[bool]], limit: int
) -> tuple[list[Waiting], int]:
    count = session.scalar(select(func.count()).select_from(WorkOrder).where(*limits)) or 0
    rows = session.execute(
        select(WorkOrder, LeftOut.reason, ServiceVersion.name_zh, ServiceVersion.name_en)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .outerjoin(LeftOut, LeftOut.work_order_id == WorkOrder.id)
        .where(*limits)
        .order_by(WorkOrder.window_end_s, WorkOrder.id)
        .limit(limit)
    )
    found = [
        Waiting(
            w.id, zh, en, w.window_start_s, w.window_end_s, w.district_code, w.town_code, w.state, r
        )
        for w, r, zh, en in rows
    ]
    return found, count


def visits(session: Session, ids: Collection[str]) -> dict[str, VisitFacts]:
    """Return what the board says of visits, by id: one statement."""
    locked = func.max(case((Assignment.locked, 1), else_=0))
    rows = session.execute(
        select(WorkOrder, ServiceVersion.name_zh, ServiceVersion.name_en, Elder.name, locked)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .join(Elder, Elder.id == WorkOrder.elder_id)
        .outerjoin(Assignment, Assignment.work_order_id == WorkOrder.id)
        .where(WorkOrder.id.in_(list(ids)))
        .group_by(WorkOrder.id, ServiceVersion.name_zh, ServiceVersion.name_en, Elder.name)
    )
    return {
        w.id: VisitFacts(
            work_order_id=w.id,
            vendor_id=w.vendor_id,
            service_zh=zh,
            service_en=en,
            window_start_s=w.window_start_s,
            window_end_s=w.window_end_s,
            service_s=w.service_s,
            crew=w.crew,
            state=w.state,
            district_code=w.district_code,
            elder_name=elder,
            locked=bool(is_locked),
        )
        for w, zh, en, elder, is_locked in rows
    }


def people_of(session: Session, *, day: date, vendor_id: str) -> list[tuple[str, str]]:
    """Return id and name of the vendor's people with a shift on the day, by name."""
    return [
        (i, name)
        for i, name in session.execute(
            select(Caregiver.id, Caregiver.name)
            .where(
                Caregiver.vendor_id == vendor_id,
                Caregiver.status == "active",
                exists().where(Shift.caregiver_id == Caregiver.id, Shift.works_on == day),
            )
            .order_by(Caregiver.name, Caregiver.id)
        )
    ]


def caregiver_names(session: Session, ids: Collection[str]) -> dict[str, str]:
    """Return names by caregiver id."""
    rows = session.execute(select(Caregiver.id, Caregiver.name).where(Caregiver.id.in_(list(ids))))
    return dict(rows.all())


def vendors_of_people(session: Session, ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return id and name of each caregiver's vendor."""
    rows = session.execute(
        select(Caregiver.id, Vendor.id, Vendor.name)
        .join(Vendor, Vendor.id == Caregiver.vendor_id)
        .where(Caregiver.id.in_(list(ids)))
    )
    return {who: (vendor_id, name) for who, vendor_id, name in rows}


def now_second(day: date, now: datetime) -> int | None:
    """Return the present second of the day, ``None`` on another day."""
    second = second_of(day, now)
    return second if 0 <= second < 86_400 else None
