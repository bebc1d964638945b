"""A day's work orders and roster as a problem of the dispatch contract. Reads, decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from dispatch import Caregiver, Fixed, Load, Places, Problem, Rest, Task, TravelModel
from marketplace.elders import refusals
from marketplace.kernel.clock import instant_of, local, second_of
from marketplace.orders import plans
from marketplace.orders.models import WorkOrder
from marketplace.orders.states import State
from vendors import offers, registry, roster
from vendors import rules as vendor_rules
from vendors.models import Site
from vendors.roster import OnShift, Span
from vendors.rules import VendorFacts, Work

CIRCLE_S = 900
"""The 15-minute circle."""

MEAL_HOLD_S = 3_600
"""A hot meal is on the way for at most an hour, box closed to door."""

LUNCH_FROM_S, LUNCH_TO_S = 34_200, 50_400
READY_BEFORE_S = 1_800
"""Breakfast and dinner leave the kitchen half an hour before they are due."""

NOTICE_S = 900
"""Nobody is sent anywhere within a quarter of an hour from now."""

EARTH_M = 6_371_000.0

PLANNED = (State.POOLED, State.OFFERED, State.ACCEPTED, State.ASSIGNED)
BEGUN = (State.IN_SERVICE, State.DONE, State.DISPUTED, State.CONFIRMED, State.SETTLED)


@dataclass(frozen=True, slots=True)
class Day:
    """What was read of a day, and the problem that it makes.

    ``rows``: work orders in the problem by id. ``fixed``: those whose caregivers and time stand.
    ``expired``: not begun, but the window has passed. ``shifts``: the roster by caregiver.
    """

    day: date
    problem: Problem
    rows: dict[str, Row[Any]]
    crews: dict[str, list[Row[Any]]]
    fixed: frozenset[str]
    expired: tuple[str, ...]
    shifts: dict[str, OnShift] = field(default_factory=dict)


class PlaceBook:
    """Numbers of places: one a home, one a site, since two homes at one spot are two stops."""

    def __init__(self) -> None:
        self.spots: list[tuple[float, float]] = []
        self._number: dict[tuple[str, str], int] = {}

    def number(self, kind: str, id_: str, lat: float, lng: float) -> int:
        if (kind, id_) not in self._number:
            self._number[(kind, id_)] = len(self.spots)
            self.spots.append((lat, lng))
        return self._number[(kind, id_)]


def read_day(session: Session, day: date, *, now: datetime) -> Day:
    """Read a day's stops and roster and return its problem; the caller ends the read.

    Pooled work orders are open to any vendor that may serve them; accepted and assigned ones belong
    to theirs. Whom an elder refuses is forbidden for that elder's tasks. What was begun, locked by
    hand or is offered with a caregiver stands as fixed.
    """
    rows = _rows(session, day)
    crews = plans.assignments(session, [r.id for r in rows])
    people = roster.on_day(session, day)
    vendors = registry.vendor_facts(session)
    sites = {s.id: s for s in registry.sites(session).values() if is_open(s, vendors)}
    asked = offers.asked(session, [r.id for r in rows if r.state == State.POOLED.value])
    book = PlaceBook()
    busy = _busy_elsewhere(session, day, {r.id for r in rows})
    caregivers = [caregiver_of(p, busy.get(p.facts.id, []), book) for p in people]
    barred = _Barred(people, vendors, asked)
    refused = refusals.refused_by(session, (r.elder_id for r in rows))
    on_shift = barred.on_shift
    notice = second_of(day, now) + NOTICE_S if local(now).date() >= day else 0
    tasks: list[Task] = []
    used: dict[str, Row[Any]] = {}
    fixed: set[str] = set()
    expired: list[str] = []
    for row in rows:
        stands = _stands(row, crews.get(row.id, []))
        if row.state == State.OFFERED.value and not stands:
            continue
        window = (max(row.window_start_s, notice), row.window_end_s)
        if stands:
            window = (row.window_start_s, row.window_end_s)
        elif window[0] > window[1]:
            expired.append(row.id)
            continue
        used[row.id] = row
        if stands:
            fixed.add(row.id)
        tasks.append(
            _task(
                row,
                window,
                crews.get(row.id, []) if stands else [],
                book,
                sites,
                barred,
                refused.get(row.elder_id, frozenset()) & on_shift,
            )
        )
    problem = Problem(
        day=day.isoformat(),
        places=Places(coordinates=np.array(book.spots, dtype=np.float64).reshape(-1, 2)),
        travel=TravelModel(),
        circle_s=CIRCLE_S,
        caregivers=tuple(caregivers),
        tasks=tuple(tasks),
        vendor_share=_shares(vendors.values()),
    )
    return Day(
        day=day,
        problem=problem,
        rows=used,
        crews=crews,
        fixed=frozenset(fixed),
        expired=tuple(expired),
        shifts={p.facts.id: p for p in people},
    )


def _rows(session: Session, day: date) -> list[Row[Any]]:
    c = WorkOrder.__table__.c
    states = [s.value for s in (*PLANNED, *BEGUN)]
    return list(
        session.execute(
            select(WorkOrder.__table__)
            .where(c.visit_on == day, c.is_stop, c.state.in_(states))
            .order_by(c.id)
        )
    )


def _stands(row: Row[Any], crew: Sequence[Row[Any]]) -> bool:
    """Say whether a work order's caregivers and time are settled: begun, locked, or being asked."""
    if len(crew) < row.crew:
        return False
    state = State(row.state)
    return state in BEGUN or state is State.OFFERED or any(a.locked for a in crew)


def _busy_elsewhere(session: Session, day: date, stops: set[str]) -> dict[str, list[Span]]:
    """Return when caregivers are booked for what is no stop of this day's routes."""
    begins, ends = instant_of(day, 0), instant_of(day, 36 * 3600)
    return {
        caregiver_id: [(second_of(day, a), second_of(day, b)) for a, b in spans]
        for caregiver_id, spans in plans.booked_by_others(
            session, begins, ends, known=stops
        ).items()
    }


def caregiver_of(person: OnShift, busy: Sequence[Span], book: PlaceBook) -> Caregiver:
    """Return a caregiver as the dispatcher sees one, without the time booked elsewhere."""
    f = person.facts
    return Caregiver(
        id=f.id,
        vendor=f.vendor_id,
        base=book.number("site", f.base_site_id, *person.base),
        skills=f.skills,
        shifts=roster.without(person.shifts, busy),
        max_work_s=f.max_work_s,
        rest=_rest(f.rest),
        capacity=f.meal_capacity,
    )


def _rest(rest: tuple[int, int, int] | None) -> Rest | None:
    return None if rest is None else Rest(*rest)


def _task(
    row: Row[Any],
    window: tuple[int, int],
    crew: Sequence[Row[Any]],
    book: PlaceBook,
    sites: dict[str, Site],
    barred: _Barred,
    refused: frozenset[str],
) -> Task:
    is_open = row.state == State.POOLED.value
    vendor_id = row.vendor_id
    preferred = {row.preferred_caregiver_id} & barred.on_shift
    return Task(
        id=row.id,
        place=book.number("home", row.elder_id, row.lat, row.lng),
        service_s=row.service_s,
        windows=(window,),
        skills=frozenset({row.skill_code}),
        crew=row.crew,
        vendors=None if is_open else frozenset({vendor_id}),
        preferred=frozenset(p for p in preferred if p) - refused,
        forbidden=(barred.of(row) if is_open else frozenset()) | (frozenset() if crew else refused),
        priority=row.priority,
        load=load_of(row, book, sites),
        fixed=_fixed(row, crew),
    )


def _fixed(row: Row[Any], crew: Sequence[Row[Any]]) -> Fixed | None:
    if not crew:
        return None
    start_s = second_of(row.visit_on, min(a.starts_at for a in crew))
    return Fixed(caregivers=tuple(sorted(a.caregiver_id for a in crew)), start_s=start_s)


def load_of(row: Row[Any], book: PlaceBook, sites: dict[str, Site]) -> Load | None:
    """Return what a delivered meal fetches where: at the kitchen named if open, else the nearest."""
    if row.skill_code != "MEAL" or row.crew != 1:
        return None
    named = sites.get(row.site_id) if row.site_id else None
    kitchen = named or _nearest_kitchen(row, sites)
    if kitchen is None:
        return None
    at_noon = LUNCH_FROM_S <= row.window_start_s <= LUNCH_TO_S
    ready = row.window_start_s - READY_BEFORE_S
    if at_noon and kitchen.meals_ready_s is not None:
        ready = min(kitchen.meals_ready_s, row.window_end_s)
    return Load(
        place=book.number("site", kitchen.id, kitchen.lat, kitchen.lng),
        units=row.quantity,
        ready_s=max(0, ready),
        hold_s=MEAL_HOLD_S,
    )


def is_open(site: Site, vendors: dict[str, VendorFacts]) -> bool:
    """Say whether a site may be used: a suspended vendor's kitchen cooks for nobody."""
    return site.vendor_id is None or vendors[site.vendor_id].status == "active"


def _nearest_kitchen(row: Row[Any], sites: dict[str, Site]) -> Site | None:
    kitchens = [s for s in sites.values() if s.kind == "meal"]
    own = [s for s in kitchens if s.vendor_id == row.vendor_id]
    return min(
        own or kitchens,
        key=lambda s: ((s.lat - row.lat) ** 2 + (0.85 * (s.lng - row.lng)) ** 2, s.id),
        default=None,
    )


class _Barred:
    """Who must not be sent to an open work order though skill and distance would allow it.

    Their vendor lacks the category, the district or the licence, or has refused it already. Only
    those near enough are named, so that a city's file stays small.
    """

    def __init__(
        self,
        people: Sequence[OnShift],
        vendors: dict[str, VendorFacts],
        asked: dict[str, dict[str, str]],
    ) -> None:
        self._people = people
        self._vendors = vendors
        self._asked = asked
        self._bases = np.radians(
            np.array([p.base for p in people], dtype=np.float64).reshape(-1, 2)
        )
        self._known: dict[tuple[str, str, str, date], np.ndarray] = {}
        self.on_shift = {p.facts.id for p in people}
        model = TravelModel()
        reach = (CIRCLE_S - model.stop_s) * model.speed_mps / model.detour
        # A little wider than the circle: the sphere and the ellipsoid differ by half a percent.
        self._reach_m = reach * 1.02

    def of(self, row: Row[Any]) -> frozenset[str]:
        """Return the caregivers who are barred from one open work order."""
        if not self._people:
            return frozenset()
        near = self._near(row.lat, row.lng)
        refused = set(self._asked.get(row.id, ()))
        hit = near & self._ineligible(row)
        named = {self._people[i].facts.id for i in np.flatnonzero(hit)}
        if refused:
            named |= {
                self._people[i].facts.id
                for i in np.flatnonzero(near)
                if self._people[i].facts.vendor_id in refused
            }
        return frozenset(named)

    def _near(self, lat: float, lng: float) -> np.ndarray:
        a, b = np.radians(lat), np.radians(lng)
        dlat = (self._bases[:, 0] - a) / 2
        dlng = (self._bases[:, 1] - b) / 2
        h = np.sin(dlat) ** 2 + np.cos(a) * np.cos(self._bases[:, 0]) * np.sin(dlng) ** 2
        return np.asarray(2 * EARTH_M * np.arcsin(np.sqrt(h)) <= self._reach_m)

    def _ineligible(self, row: Row[Any]) -> np.ndarray:
        key = (row.category_code, row.skill_code, row.district_code, row.visit_on)
        if key not in self._known:
            work = Work(*key)
            bad = {
                v.id
                for v in self._vendors.values()
                if vendor_rules.why_not(v, work) or v.credit < vendor_rules.LOWEST_CREDIT
            }
            self._known[key] = np.array(
                [
                    p.facts.vendor_id in bad and row.skill_code in p.facts.skills
                    for p in self._people
                ],
                dtype=bool,
            )
        return self._known[key]


def _shares(vendors: Iterable[VendorFacts]) -> dict[str, float] | None:
    shares = {v.id: v.open_share for v in vendors if v.status == "active" and v.open_share}
    return {k: min(1.0, float(s)) for k, s in sorted(shares.items())} or None
