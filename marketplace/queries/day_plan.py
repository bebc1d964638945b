"""A day's plan for screens: its run, what was left out and why, points and routes for the map."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.elders.models import Elder
from marketplace.kernel.actor import Scope
from marketplace.orders.models import Assignment, DispatchRun, LeftOut, WorkOrder
from marketplace.orders.states import State
from marketplace.queries.reach import nobody_goes, work_orders_in
from marketplace.queries.today import GONE
from vendors.models import Caregiver, Site, Vendor


@dataclass(frozen=True, slots=True)
class RunView:
    """The latest planning of a day. ``violations`` is the independent checker's count.

    ``could_save`` is the part of the cost that a better plan could save at most, where that was
    proven; ``relaxed`` names what the proof leaves aside.
    """

    id: str
    started_at: datetime
    seconds: float
    tasks: int
    assigned: int
    violations: int
    travel_s: int | None
    could_save: float | None
    relaxed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeftOutLine:
    """A work order without anybody. ``remaining``: how many caregivers each rule left, in order."""

    work_order_id: str
    service_zh: str
    service_en: str
    elder_name: str
    district_code: str
    town_code: str | None
    window_start_s: int
    window_end_s: int
    vendor_name: str | None
    reason: str
    remaining: dict[str, Any]
    would_help: list[Any]
    lat: float
    lng: float


@dataclass(frozen=True, slots=True)
class Choice:
    """A vendor or caregiver to filter by, with the number of its stops."""

    id: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class DayPlan:
    """What the plan page shows. ``reasons`` counts all that was left out, ``left_out`` is a page of it."""

    day: date
    run: RunView | None
    states: dict[str, int]
    reasons: dict[str, int]
    left_out: list[LeftOutLine]
    vendors: list[Choice]


def day_plan(
    session: Session,
    scope: Scope,
    *,
    day: date,
    district: str | None = None,
    reason: str | None = None,
    offset: int = 0,
    limit: int = 50,
) -> DayPlan:
    """Return a day's plan in five statements. ``district`` and ``reason`` narrow what is listed."""
    here = [WorkOrder.visit_on == day, work_orders_in(scope)]
    if district:
        here.append(WorkOrder.district_code == district)
    run = session.scalars(
        select(DispatchRun)
        .where(DispatchRun.day == day, DispatchRun.finished_at.is_not(None))
        .order_by(DispatchRun.started_at.desc())
        .limit(1)
    ).first()
    states = dict(
        session.execute(
            select(WorkOrder.state, func.count()).where(*here).group_by(WorkOrder.state)
        ).all()
    )
    open_left = [*here, WorkOrder.state.in_([State.POOLED, State.ACCEPTED, State.OFFERED])]
    reasons = dict(
        session.execute(
            select(LeftOut.reason, func.count())
            .join(WorkOrder, WorkOrder.id == LeftOut.work_order_id)
            .where(*open_left)
            .group_by(LeftOut.reason)
            .order_by(func.count().desc())
        ).all()
    )
    if reason:
        open_left.append(LeftOut.reason == reason)
    lines = session.execute(
        select(
            WorkOrder,
            LeftOut,
            Elder.name,
            ServiceVersion.name_zh,
            ServiceVersion.name_en,
            Vendor.name,
        )
        .join(LeftOut, LeftOut.work_order_id == WorkOrder.id)
        .join(Elder, Elder.id == WorkOrder.elder_id)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .outerjoin(Vendor, Vendor.id == WorkOrder.vendor_id)
        .where(*open_left)
        .order_by(WorkOrder.window_start_s, WorkOrder.id)
        .offset(offset)
        .limit(limit)
    )
    vendors = session.execute(
        select(Vendor.id, Vendor.name, func.count())
        .join(WorkOrder, WorkOrder.vendor_id == Vendor.id)
        .where(*here, WorkOrder.state.not_in(GONE))
        .group_by(Vendor.id, Vendor.name)
        .order_by(func.count().desc(), Vendor.id)
    )
    return DayPlan(
        day=day,
        run=_run(run),
        states=states,
        reasons=reasons,
        left_out=[_line(*row) for row in lines],
        vendors=[Choice(*row) for row in vendors],
    )


def _run(run: DispatchRun | None) -> RunView | None:
    if run is None:
        return None
    bound = run.totals.get("bound")
    could_save = None
    if bound is not None:
        could_save = (bound["cost"] - bound["value"]) / bound["cost"] if bound["cost"] else 0.0
    return RunView(
        id=run.id,
        started_at=run.started_at,
        seconds=run.seconds,
        tasks=run.tasks,
        assigned=run.assigned,
        violations=run.violations,
        travel_s=run.totals.get("travel_s"),
        could_save=could_save,
        relaxed=tuple(bound["relaxed"]) if bound is not None else (),
    )


def _line(
    work: WorkOrder, left: LeftOut, elder: str, zh: str, en: str, vendor: str | None
) -> LeftOutLine:
    return LeftOutLine(
        work_order_id=work.id,
        service_zh=zh,
        service_en=en,
        elder_name=elder,
        district_code=work.district_code,
        town_code=work.town_code,
        window_start_s=work.window_start_s,
        window_end_s=work.window_end_s,
        vendor_name=vendor,
        reason=left.reason,
        remaining=left.remaining,
        would_help=left.would_help,
        lat=work.lat,
        lng=work.lng,
    )


@dataclass(frozen=True, slots=True)
class MapPoint:
    """One visit on the map: 0 planned, 1 running, 2 finished, 3 nobody goes."""

    lat: float
    lng: float
    kind: int


@dataclass(frozen=True, slots=True)
class MapRoute:
    """One caregiver's day: from the base through the stops in their order and back."""

    caregiver_id: str
    name: str
    base: tuple[float, float]
    stops: list[tuple[float, float]]


def map_points(
    session: Session,
    scope: Scope,
    *,
    day: date,
    district: str | None = None,
    vendor: str | None = None,
) -> list[MapPoint]:
    """Return a point for each visit of the day, without ids or names: one statement."""
    limits = [WorkOrder.visit_on == day, WorkOrder.state.not_in(GONE), work_orders_in(scope)]
    if district:
        limits.append(WorkOrder.district_code == district)
    if vendor:
        limits.append(WorkOrder.vendor_id == vendor)
    rows = session.execute(
        select(WorkOrder.lat, WorkOrder.lng, WorkOrder.state, case((nobody_goes(), 1), else_=0))
        .outerjoin(LeftOut, LeftOut.work_order_id == WorkOrder.id)
        .where(*limits)
    )
    return [MapPoint(lat, lng, _kind(state, bool(nobody))) for lat, lng, state, nobody in rows]


def _kind(state: str, nobody: bool) -> int:
    if state in (State.DONE, State.CONFIRMED, State.SETTLED, State.DISPUTED):
        return 2
    if state == State.IN_SERVICE:
        return 1
    return 3 if nobody else 0


def map_routes(
    session: Session, scope: Scope, *, day: date, vendor: str, most: int = 60
) -> list[MapRoute]:
    """Return one vendor's routes of the day, the longest first, at most ``most``: one statement."""
    rows = session.execute(
        select(
            Assignment.caregiver_id,
            Caregiver.name,
            Site.lat,
            Site.lng,
            WorkOrder.lat,
            WorkOrder.lng,
        )
        .join(WorkOrder, WorkOrder.id == Assignment.work_order_id)
        .join(Caregiver, Caregiver.id == Assignment.caregiver_id)
        .join(Site, Site.id == Caregiver.base_site_id)
        .where(
            WorkOrder.visit_on == day,
            Caregiver.vendor_id == vendor,
            WorkOrder.state.not_in(GONE),
            work_orders_in(scope),
        )
        .order_by(Assignment.caregiver_id, Assignment.starts_at)
    )
    routes: dict[str, MapRoute] = {}
    for caregiver_id, name, base_lat, base_lng, lat, lng in rows:
        route = routes.setdefault(
            caregiver_id, MapRoute(caregiver_id, name, (base_lat, base_lng), [])
        )
        route.stops.append((lat, lng))
    return sorted(routes.values(), key=lambda r: -len(r.stops))[:most]
