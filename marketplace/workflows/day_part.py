"""A part of a day as it stands in the database, ready for the dispatcher's live questions.

Some caregivers and all that they do: read afresh for each question, in a handful of statements, so
that no answer is older than the database and no memory must be told of a change. What a latest run
planned beside the visits (meals fetched, a rest already begun) is taken from its stored plan, which
never changes. Somebody whose day does not hold by the checker (a visit set by hand where no way was
counted) is put aside: nothing is proposed for them until a person has looked.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from dispatch import Caregiver, Fixed, Load, Places, Plan, Problem, Route, Stop, Task, TravelModel
from dispatch.check import check_routes
from dispatch.cost import totals_of
from dispatch.live import LiveDay
from dispatch.live import warm_up as live_warm_up
from dispatch.plan import Engine
from dispatch.travel import Travel
from marketplace.elders import refusals
from marketplace.kernel.clock import instant_of, local, second_of
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.models import DispatchRun
from marketplace.orders.states import State
from marketplace.workflows.day_problem import (
    BEGUN,
    CIRCLE_S,
    NOTICE_S,
    PLANNED,
    PlaceBook,
    caregiver_of,
    is_open,
    load_of,
)
from vendors import registry, roster
from vendors import rules as vendor_rules
from vendors.models import Site
from vendors.roster import OnShift, Span
from vendors.rules import VendorFacts, Work

WITHIN_M = (CIRCLE_S - TravelModel().stop_s) * TravelModel().speed_mps / TravelModel().detour * 1.02
"""Metres as the crow flies beyond which no base reaches a home, two per cent too many."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where a visit that is asked about would be; ``row`` is its work order where it has one."""

    elder_id: str
    lat: float
    lng: float
    row: Row[Any] | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Some caregivers' day. ``now_s``: nothing new begins before, 0 on a day to come.

    ``rows``: the work orders in it by id; ``people``: who is on shift; ``aside``: caregiver -> the
    rule that their day breaks as it stands; ``partial``: visits of a crew of which not all are here;
    ``refused``: elder -> caregivers here whom the elder does not want.
    """

    day: date
    now_s: int
    live: LiveDay
    rows: dict[str, Row[Any]]
    people: dict[str, OnShift]
    aside: dict[str, str]
    partial: frozenset[str]
    places: Mapping[str, int] = field(default_factory=dict)
    loads: Mapping[str, Load] = field(default_factory=dict)
    refused: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def load_of(self, work_order_id: str) -> Load | None:
        """Return what a meal fetches where; nothing for other visits."""
        return self.loads.get(work_order_id)


def read_part(
    session: Session,
    day: date,
    *,
    now: datetime,
    people: Collection[str],
    unserved: Sequence[Row[Any]] = (),
    homes: Sequence[Home] = (),
    skill: str | None = None,
    most: int | None = None,
    kitchens: Mapping[str, Site] | None = None,
) -> Part:
    """Read what these caregivers do on a day, and beside it work orders that nobody serves yet.

    ``homes`` become places of the problem, so that a task there can be asked about. ``skill`` keeps
    those who have it, ``most`` so many of them; ``kitchens`` are the open ones where they are known.
    """
    there = roster.on_day(session, day, only=people)
    skilled = [p for p in there if skill is None or skill in p.facts.skills]
    on_shift = {p.facts.id: p for p in skilled[:most]}
    read = _Reader(session, day, now, on_shift, kitchens)
    read.visits(on_shift.keys() if skill is not None else people)
    read.unserved(unserved)
    loads = {}
    for home in homes:
        read.book.number("home", home.elder_id, home.lat, home.lng)
        if home.row is not None and (load := read.load(home.row)) is not None:
            loads[home.row.id] = load
    read.read_refusals(h.elder_id for h in homes)
    numbers = {h.elder_id: read.book.number("home", h.elder_id, h.lat, h.lng) for h in homes}
    return read.part(numbers, loads)


def warm_up() -> None:
    """Load the dispatcher's compiled code, so that the first question of a process is a quick one."""
    live_warm_up()


def open_kitchens(session: Session, vendors: Mapping[str, VendorFacts]) -> dict[str, Site]:
    """Return the sites that may be used, by id: what meals are fetched from."""
    facts = dict(vendors)
    return {i: site for i, site in registry.sites(session).items() if is_open(site, facts)}


def notice_of(day: date, now: datetime) -> int:
    """Return the second of the day before which nobody is sent anywhere new; 0 on a day to come."""
    return second_of(day, now) + NOTICE_S if local(now).date() >= day else 0


class _Reader:
    def __init__(
        self,
        session: Session,
        day: date,
        now: datetime,
        people: dict[str, OnShift],
        kitchens: Mapping[str, Site] | None,
    ) -> None:
        self.session, self.day, self.people = session, day, people
        self.now_s = notice_of(day, now)
        self.book = PlaceBook()
        self.rows: dict[str, Row[Any]] = {}
        self.crews: dict[str, list[Row[Any]]] = {}
        self.own: dict[str, list[str]] = defaultdict(list)
        self.busy: dict[str, list[Span]] = defaultdict(list)
        self.tasks: dict[str, Task] = {}
        self.extra: dict[str, Task] = {}
        self.aside: dict[str, str] = {}
        self.refused: dict[str, frozenset[str]] = {}
        self._kitchens = None if kitchens is None else dict(kitchens)

    # --- reading ---------------------------------------------------------------------------------

    def visits(self, people: Collection[str]) -> None:
        """Read the assignments of the day, and whole crews of those that are stops of a route."""
        begins, ends = instant_of(self.day, 0), instant_of(self.day, 36 * 3600)
        booked = plans.booked(self.session, list(people), begins, ends)
        found = orders.work_orders(self.session, {a.work_order_id for a in booked})
        crews = plans.assignments(self.session, [i for i, row in found.items() if row.crew > 1])
        for a in booked:
            row = found[a.work_order_id]
            if not _is_of_the_day(row, self.day):
                span = (second_of(self.day, a.starts_at), second_of(self.day, a.ends_at))
                self.busy[a.caregiver_id].append(span)
                continue
            crew = crews.get(row.id, [a])
            if State(row.state) is State.OFFERED and len(crew) < row.crew:
                continue
            self.rows[row.id], self.crews[row.id] = row, crew
            self.own[a.caregiver_id].append(row.id)
        self.read_refusals(row.elder_id for row in self.rows.values())
        for row in self.rows.values():
            self.tasks[row.id] = self._task(row, self.crews[row.id])

    def read_refusals(self, elder_ids: Iterable[str]) -> None:
        """Note whom elders do not want, of those who are here."""
        found = refusals.refused_by(self.session, elder_ids)
        self.refused |= {e: who & self.people.keys() for e, who in found.items()}

    def unserved(self, rows: Sequence[Row[Any]]) -> None:
        """Add work orders without anybody; those whose window has passed cannot be served."""
        facts = registry.vendor_facts(self.session) if rows else {}
        if rows:
            self.read_refusals(row.elder_id for row in rows)
        for row in rows:
            window = (max(row.window_start_s, self.now_s), row.window_end_s)
            if row.id in self.rows or window[0] > window[1]:
                continue
            for_all = row.state == State.POOLED.value
            work = Work(row.category_code, row.skill_code, row.district_code, row.visit_on)
            barred = {v.id for v in facts.values() if vendor_rules.why_not(v, work)}
            forbidden = {p for p, who in self.people.items() if who.facts.vendor_id in barred}
            self.rows[row.id] = row
            self.extra[row.id] = Task(
                id=row.id,
                place=self._home(row),
                service_s=row.service_s,
                windows=(window,),
                skills=frozenset({row.skill_code}),
                crew=row.crew,
                vendors=None if for_all else frozenset({row.vendor_id}),
                preferred=self._preferred(row),
                forbidden=self.refused.get(row.elder_id, frozenset())
                | (frozenset(forbidden) if for_all else frozenset()),
                priority=row.priority,
                load=self.load(row),
            )

    def _task(self, row: Row[Any], crew: Sequence[Row[Any]]) -> Task:
        start_s = second_of(self.day, min(a.starts_at for a in crew))
        state = State(row.state)
        stands = state in BEGUN or state is State.OFFERED or any(a.locked for a in crew)
        begins = min(row.window_start_s, start_s) if state in BEGUN else row.window_start_s
        ends = max(row.window_end_s, start_s) if state in BEGUN else row.window_end_s
        # An open visit may move, but not to before the notice that its caregiver needs.
        begins = max(begins, min(self.now_s, start_s)) if not stands else begins
        names = tuple(sorted(a.caregiver_id for a in crew))
        return Task(
            id=row.id,
            place=self._home(row),
            service_s=row.service_s,
            windows=((begins, max(begins, ends)),),
            skills=frozenset({row.skill_code}),
            crew=row.crew,
            vendors=None if row.vendor_id is None else frozenset({row.vendor_id}),
            preferred=self._preferred(row),
            # Who goes already stays until somebody decides; nobody refused is sent anew.
            forbidden=self.refused.get(row.elder_id, frozenset()) - set(names),
            priority=row.priority,
            load=self.load(row),
            fixed=Fixed(caregivers=names, start_s=start_s) if stands else None,
        )

    def _home(self, row: Row[Any]) -> int:
        return self.book.number("home", row.elder_id, row.lat, row.lng)

    def _preferred(self, row: Row[Any]) -> frozenset[str]:
        return frozenset({row.preferred_caregiver_id} & self.people.keys())

    def load(self, row: Row[Any]) -> Load | None:
        """Return what a meal fetches where; nothing for other visits."""
        if row.skill_code != "MEAL":
            return None
        if self._kitchens is None:
            self._kitchens = open_kitchens(self.session, registry.vendor_facts(self.session))
        return load_of(row, self.book, self._kitchens)

    # --- the plan --------------------------------------------------------------------------------

    def part(self, homes: dict[str, int], loads: dict[str, Load]) -> Part:
        """Return the part: those whose day holds, with their routes."""
        planned = planned_routes(self.session, self.day)
        people = {
            p: caregiver_of(who, self.busy.get(p, []), self.book) for p, who in self.people.items()
        }
        places = Places(coordinates=np.array(self.book.spots, dtype=np.float64).reshape(-1, 2))
        travel = Travel(places, TravelModel())
        routes: dict[str, list[Route]] = {}
        for p, person in people.items():
            mine, wrong = self._held(person, planned.get(p, ()), places, travel)
            if wrong is None:
                routes[p] = mine
            else:
                self.aside[p] = wrong
        good = [person for p, person in people.items() if p in routes]
        tasks, partial = self._whole(routes.keys())
        problem = Problem(
            day=self.day.isoformat(),
            places=places,
            travel=TravelModel(),
            circle_s=CIRCLE_S,
            caregivers=tuple(good),
            tasks=(*tasks, *self.extra.values()),
        )
        return Part(
            day=self.day,
            now_s=self.now_s,
            live=LiveDay(problem, _plan(problem, routes), now_s=self.now_s),
            rows=self.rows,
            people=self.people,
            aside=self.aside,
            partial=partial,
            places=homes,
            loads=loads,
            refused=self.refused,
        )

    def _whole(self, here: Collection[str]) -> tuple[list[Task], frozenset[str]]:
        """Return the tasks with a crew of those who are here; others of a crew stay as they are."""
        tasks, partial = [], set()
        for i, task in self.tasks.items():
            crew = [a.caregiver_id for a in self.crews[i]]
            present = sorted(c for c in crew if c in here)
            if not present:
                continue
            if len(present) < len(crew):
                task = self._as_of(task, present)
                partial.add(i)
            tasks.append(task)
        return tasks, frozenset(partial)

    def _as_of(self, task: Task, crew: list[str]) -> Task:
        start_s = second_of(self.day, min(a.starts_at for a in self.crews[task.id]))
        return _with_crew(task, crew, start_s)

    def _held(
        self,
        person: Caregiver,
        planned: Sequence[Mapping[str, Any]],
        places: Places,
        travel: Travel,
    ) -> tuple[list[Route], str | None]:
        """Return the caregiver's routes and the rule that they break, if any; a rest is found room."""
        stops = self._stops(person, planned)
        routes = self._routes(person, stops, travel)
        wrong = self._violation(person, routes, places, travel)
        if wrong != "rest" or person.rest is None:
            return routes, wrong
        for number, stop in enumerate(stops):
            begins = max(stop.end_s, person.rest.start_s)
            ends = begins + person.rest.lasts_s
            if stop.kind == "rest" or ends > person.rest.end_s:
                continue
            rested = [
                *stops[: number + 1],
                _Event("rest", begins, ends, None),
                *stops[number + 1 :],
            ]
            tried = self._routes(person, rested, travel)
            if self._violation(person, tried, places, travel) is None:
                return tried, None
        return routes, wrong

    def _routes(self, person: Caregiver, stops: Sequence[_Event], travel: Travel) -> list[Route]:
        """Return the routes that serve what the caregiver has, timed anew, one for each shift."""
        by_shift: dict[int, list[_Event]] = defaultdict(list)
        for stop in stops:
            number = _shift_of(person, stop)
            by_shift[number].append(stop)
        found = []
        for number, some in sorted(by_shift.items()):
            if any(s.kind == "task" for s in some):
                found.append(_timed(person, number, some, travel))
        return found

    def _stops(self, person: Caregiver, planned: Sequence[Mapping[str, Any]]) -> list[_Event]:
        mine = {i: self.tasks[i] for i in self.own.get(person.id, ())}
        events = [self._visit(i, person.id) for i in mine]
        for route in planned:
            for stop in route["stops"]:
                if stop["kind"] == "rest" and stop["start_s"] < self.now_s:
                    events.append(_Event("rest", stop["start_s"], stop["end_s"], None))
        events += self._fetches(mine, planned, events)
        # At one second a fetching comes before the visit that needs it.
        return sorted(events, key=lambda e: (e.start_s, e.end_s, e.kind != "load", e.task or ""))

    def _visit(self, work_order_id: str, caregiver_id: str) -> _Event:
        a = next(x for x in self.crews[work_order_id] if x.caregiver_id == caregiver_id)
        task = self.tasks[work_order_id]
        start_s = second_of(self.day, a.starts_at)
        return _Event("task", start_s, start_s + task.service_s, task.place, work_order_id)

    def _fetches(
        self,
        mine: dict[str, Task],
        planned: Sequence[Mapping[str, Any]],
        visits: Sequence[_Event],
    ) -> list[_Event]:
        """Return the stops at kitchens: those planned, each with the meals still served from it."""
        meals = sorted((v.start_s, v.task or "") for v in visits if v.task and mine[v.task].load)
        if not meals:
            return []
        loads = sorted(s["start_s"] for r in planned for s in r["stops"] if s["kind"] == "load")
        carried: dict[tuple[int, int], int] = defaultdict(int)
        for start_s, i in meals:
            load = mine[i].load
            before = [s for s in loads if load.ready_s <= s <= start_s]
            # A meal given by hand may have no fetching; then the checker puts the caregiver aside.
            if before:
                carried[(before[-1], load.place)] += load.units
        return [
            _Event("load", at, at, place, units=units) for (at, place), units in carried.items()
        ]

    def _violation(
        self, person: Caregiver, routes: Sequence[Route], places: Places, travel: Travel
    ) -> str | None:
        tasks = []
        for route in routes:
            for stop in route.stops:
                if stop.task is not None:
                    tasks.append(_with_crew(self.tasks[stop.task], [person.id], stop.start_s))
        small = Problem(
            day=self.day.isoformat(),
            places=places,
            travel=TravelModel(),
            circle_s=CIRCLE_S,
            caregivers=(person,),
            tasks=tuple(tasks),
        )
        wrong = check_routes(small, routes, travel=travel)
        missing = len(self.own.get(person.id, ())) - len(tasks)
        if wrong:
            return wrong[0].rule
        return "shift" if missing else None


@dataclass(frozen=True, slots=True)
class _Event:
    """A stop before it has its way: seconds of the day; ``place`` is None where a rest is taken."""

    kind: str
    start_s: int
    end_s: int
    place: int | None
    task: str | None = None
    units: int | None = None


def _is_of_the_day(row: Row[Any], day: date) -> bool:
    return row.is_stop and row.visit_on == day and State(row.state) in (*PLANNED, *BEGUN)


def _with_crew(task: Task, crew: list[str], start_s: int) -> Task:
    return Task(
        id=task.id,
        place=task.place,
        service_s=task.service_s,
        windows=task.windows,
        skills=task.skills,
        crew=len(crew),
        vendors=task.vendors,
        preferred=task.preferred,
        priority=task.priority,
        load=task.load,
        fixed=Fixed(caregivers=tuple(crew), start_s=start_s),
    )


def _shift_of(person: Caregiver, stop: _Event) -> int:
    """Return the shift that holds the stop, else the last that began before it, else the first."""
    for number, (begins, ends) in enumerate(person.shifts):
        if begins <= stop.start_s and stop.end_s <= ends:
            return number
    earlier = [n for n, (begins, _) in enumerate(person.shifts) if begins <= stop.start_s]
    return earlier[-1] if earlier else 0


def _timed(person: Caregiver, number: int, events: Sequence[_Event], travel: Travel) -> Route:
    """Return a route through the events at their times; whether it holds is the checker's to say."""
    at, free, way = person.base, None, 0
    stops = []
    depart = 0
    for event in events:
        place = at if event.place is None else event.place
        leg = travel.between(at, place)
        if free is None:
            depart = max(0, event.start_s - leg)
            free = depart
        arrive = free + leg
        way += leg
        stops.append(
            Stop(
                kind=event.kind,
                place=place,
                arrive_s=arrive,
                start_s=event.start_s,
                end_s=event.end_s,
                task=event.task,
                units=event.units,
            )
        )
        at, free = place, event.end_s
    back = travel.between(at, person.base)
    return Route(
        caregiver=person.id,
        shift=number,
        depart_s=depart,
        return_s=(free or 0) + back,
        travel_s=way + back,
        stops=tuple(stops),
    )


def _plan(problem: Problem, routes: Mapping[str, list[Route]]) -> Plan:
    listed = [route for p in problem.caregivers for route in routes[p.id]]
    return Plan(
        problem_sha256=problem.sha256 or "part",
        seed=0,
        engine=Engine(version="live", seconds=0.0),
        routes=tuple(listed),
        unassigned=(),
        totals=totals_of(problem, listed),
    )


def planned_routes(session: Session, day: date) -> Mapping[str, list[dict[str, Any]]]:
    """Return by caregiver the routes of the day's latest run, as the contract's JSON."""
    run_id = session.scalar(
        select(DispatchRun.id)
        .where(
            DispatchRun.day == day,
            DispatchRun.finished_at.is_not(None),
            DispatchRun.plan.is_not(None),
        )
        .order_by(DispatchRun.started_at.desc())
        .limit(1)
    )
    if run_id is None:
        return {}
    return _RUNS.routes(session, run_id)


class _RunBook:
    """The routes of the latest runs asked for: a run's plan never changes once it is written."""

    MOST = 4

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Mapping[str, list[dict[str, Any]]]] = {}

    def routes(self, session: Session, run_id: str) -> Mapping[str, list[dict[str, Any]]]:
        """Return by caregiver the routes of a run, read once a process."""
        with self._lock:
            if run_id in self._known:
                return self._known[run_id]
        blob = session.scalar(select(DispatchRun.plan).where(DispatchRun.id == run_id))
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for route in json.loads(gzip.decompress(blob))["routes"] if blob else ():
            found[route["caregiver"]].append(route)
        with self._lock:
            self._known[run_id] = found
            while len(self._known) > self.MOST:
                self._known.pop(next(iter(self._known)))
        return found


_RUNS = _RunBook()
