"""The dispatcher's board: why this one, and what a change would cost.

Looking writes nothing and asks the dispatcher about the part of the day that is concerned.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

import dispatch
from dispatch import Plan, Task
from dispatch.explain import Alternative, explain
from dispatch.io import unassigned_to_json
from dispatch.live import LiveDay
from dispatch.offers import Offer
from marketplace.kernel.actor import Actor
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.models import WorkOrder
from marketplace.orders.states import State
from marketplace.workflows import policy, subjects
from marketplace.workflows.day_part import WITHIN_M, Home, Part, read_part
from marketplace.workflows.policy import About, Action
from marketplace.workflows.seats import Seat
from vendors import caregivers, roster
from vendors.models import Caregiver

MOST_ALTERNATIVES = 5
MOST_FILLED = 12
"""So many visits without anybody are tried at one asking, the most urgent first."""

FILL_S = 6.0
"""Seconds after which no further visit is tried."""

OTHERS_MAY_CHANGE = 3
"""Other visits that may change for one that has nobody."""


@dataclass(frozen=True, slots=True)
class Person:
    """A caregiver as the board names one."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Other:
    """Who else could come and for what more, or the rule that keeps them from it (``binding``)."""

    people: tuple[Person, ...]
    start_s: int | None
    travel_s: int
    strangers: int
    binding: str | None


@dataclass(frozen=True, slots=True)
class Why:
    """Why a visit has whom it has, or nobody.

    ``counts``: caregivers near the home that each rule leaves, in order. ``others``: who could come
    instead, the cheapest first, then who could not and by which rule. ``would_help`` are changes of
    one fact each that were tried. ``travel_s``: what the visit adds to its caregivers' way.
    """

    work_order_id: str
    day: date
    people: tuple[Person, ...]
    start_s: int | None
    travel_s: int
    strangers: int
    counts: dict[str, int]
    others: tuple[Other, ...]
    reason: str | None
    would_help: tuple[dict[str, Any], ...]
    aside: tuple[Person, ...] = ()


@dataclass(frozen=True, slots=True)
class Shift:
    """One visit before and after: who and when; nobody and ``None`` where it has nobody."""

    work_order_id: str
    version: int
    before: tuple[Person, ...]
    before_s: int | None
    after: tuple[Person, ...]
    after_s: int | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What would change, shown before it is kept. Costs are against the plan as it stands.

    ``why_not`` names the rule where it cannot be done; then nothing else is filled. ``lost`` are
    visits that would have nobody, ``left`` those without anybody for whom no way was found.
    """

    day: date
    changes: tuple[Shift, ...] = ()
    subjects: frozenset[str] = frozenset()
    travel_s: int = 0
    strangers: int = 0
    lost: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    why_not: str | None = None

    @property
    def seats(self) -> list[Seat]:
        """Return the changes as the step that keeps them takes them."""
        return [
            Seat(c.work_order_id, c.version, [p.id for p in c.after], c.after_s)
            for c in self.changes
        ]

    @property
    def others(self) -> tuple[Shift, ...]:
        """Return the changes of visits that were not asked about."""
        return tuple(c for c in self.changes if c.work_order_id not in self.subjects)


def why(session: Session, ports: Ports, actor: Actor, work_order_id: str) -> Why:
    """Return why a visit has whom it has, who else could come at what cost, or why nobody can."""
    row, crew = _seen(session, actor, work_order_id, Action.SEE_PLAN)
    near = roster.near(
        session,
        lat=row.lat,
        lng=row.lng,
        within_m=WITHIN_M,
        vendor_id=row.vendor_id,
        also=[*crew, *filter(None, [row.preferred_caregiver_id])],
    )
    part = read_part(
        session,
        row.visit_on,
        now=ports.clock.now(),
        people=near,
        unserved=[] if crew else [row],
    )
    names = _names(session, part.people.keys() | set(crew))
    aside = tuple(names[p] for p in sorted(part.aside))
    if row.id not in part.live.problem.task_index:
        people = tuple(names[c] for c in crew if c in names)
        return Why(row.id, row.visit_on, people, None, 0, 0, {}, (), None, (), aside)
    found = explain(part.live.problem, part.live.plan, row.id, most=MOST_ALTERNATIVES)
    return Why(
        work_order_id=row.id,
        day=row.visit_on,
        people=tuple(names[c] for c in found.caregivers),
        start_s=found.start_s,
        travel_s=found.added.travel if found.added else 0,
        strangers=_strangers(found.added.unpreferred if found.added else 0),
        counts=dict(found.counts),
        others=tuple(_other(a, names) for a in found.alternatives if a.caregivers),
        reason=found.unassigned.reason if found.unassigned else None,
        would_help=tuple(
            unassigned_to_json(found.unassigned)["would_help"] if found.unassigned else ()
        ),
        aside=aside,
    )


def _strangers(cost: int) -> int:
    return round(cost / dispatch.Weights().unpreferred)


def _other(a: Alternative, names: Mapping[str, Person]) -> Other:
    return Other(
        people=tuple(names[c] for c in a.caregivers),
        start_s=a.start_s,
        travel_s=a.added.travel if a.added else 0,
        strangers=_strangers(a.added.unpreferred) if a.added else 0,
        binding=a.binding,
    )


def preview_move(
    session: Session,
    ports: Ports,
    actor: Actor,
    *,
    work_order_id: str,
    caregiver_ids: Sequence[str],
    start_s: int | None = None,
) -> Preview:
    """Return what sending these people, at or near that time, would cost; nothing is written."""
    row, crew = _seen(session, actor, work_order_id, Action.ASSIGN_BY_HAND)
    wanted = sorted(set(caregiver_ids))
    if len(wanted) != row.crew:
        raise BadInput(field="who", value=wanted, expected=f"{row.crew} caregivers")
    home = Home(row.elder_id, row.lat, row.lng, row)
    part = read_part(
        session, row.visit_on, now=ports.clock.now(), people={*crew, *wanted}, homes=[home]
    )
    day = row.visit_on
    if State(row.state) not in (State.ACCEPTED, State.ASSIGNED):
        is_waiting = State(row.state) in (State.POOLED, State.OFFERED)
        return Preview(day, why_not="not_accepted" if is_waiting else "begun")
    for who in wanted:
        if who not in part.people or who in part.aside:
            return Preview(day, why_not="aside" if who in part.aside else "shift")
    task = _asked(row, part, wanted)
    freed = _freed(part, row.id)
    if freed is None or task is None:
        return Preview(day, why_not="window" if task is None else "begun")
    chosen = _nearest(freed.feasible_starts(task), start_s)
    if chosen is None:
        return Preview(day, why_not=_binding(freed, task, wanted))
    answer = freed.insert(task, start_s=chosen, caregivers=wanted)
    if not answer.placed:
        return Preview(day, why_not="room")
    return _preview(session, part, answer.plan, {row.id}, rows={row.id: row})


def _asked(row: Row[Any], part: Part, wanted: Collection[str]) -> Task | None:
    """Return the visit as a task that only these people may take, or nothing once it is too late."""
    window = (max(row.window_start_s, part.now_s), row.window_end_s)
    if window[0] > window[1]:
        return None
    return Task(
        id=row.id,
        place=part.places[row.elder_id],
        service_s=row.service_s,
        windows=(window,),
        skills=frozenset({row.skill_code}),
        crew=row.crew,
        vendors=frozenset({row.vendor_id}),
        preferred=frozenset({row.preferred_caregiver_id} & part.people.keys()),
        forbidden=frozenset(part.people.keys() - set(wanted))
        | part.refused.get(row.elder_id, frozenset()),
        priority=row.priority,
        load=part.load_of(row.id),
    )


def _freed(part: Part, work_order_id: str) -> LiveDay | None:
    """Return the day without the visit; nothing where it has begun."""
    if work_order_id not in part.live.problem.task_index:
        return part.live
    try:
        return part.live.take(part.live.cancel(work_order_id))
    except dispatch.BadInput:
        return None


def _nearest(offers: Iterable[Offer], start_s: int | None) -> int | None:
    """Return the start nearest to the one asked for, the earliest where none is."""
    best: int | None = None
    for offer in offers:
        if start_s is None:
            return offer.from_s
        at = min(max(start_s, offer.from_s), offer.to_s)
        if best is None or abs(at - start_s) < abs(best - start_s):
            best = at
    return best


def _binding(day: LiveDay, task: Task, wanted: Collection[str]) -> str:
    """Return the rule that keeps these people from the visit."""
    # The dispatcher says of the usual ones in any case what keeps them away.
    refused = task.forbidden & set(wanted)
    open_task = replace(task, forbidden=refused, preferred=frozenset(wanted))
    tasks = (*(t for t in day.problem.tasks if t.id != task.id), open_task)
    problem = replace(day.problem, tasks=tasks, sha256=None)
    found = explain(problem, day.plan, task.id, most=len(problem.caregivers))
    for other in found.alternatives:
        if set(other.caregivers) & set(wanted) and other.binding:
            return other.binding
    return "room"


def preview_fill(
    session: Session, ports: Ports, actor: Actor, *, day: date, vendor_id: str
) -> Preview:
    """Return how visits of a vendor's day that have nobody could be served with the least change."""
    policy.require(actor, Action.ASSIGN_BY_HAND, _about_vendor(actor, vendor_id))
    waiting = [r for r in _without_anybody(session, day, vendor_id) if _is_theirs(actor, r)]
    part = read_part(
        session,
        day,
        now=ports.clock.now(),
        people=_people_of(session, vendor_id),
        unserved=waiting,
    )
    live, until = part.live, time.monotonic() + FILL_S
    left = []
    urgent = sorted(waiting, key=lambda row: (-row.priority, row.window_end_s, row.id))
    for n, row in enumerate(urgent):
        if n >= MOST_FILLED or time.monotonic() > until or row.id not in live.problem.task_index:
            left.append(row.id)
            continue
        answer = live.insert(live.problem.task(row.id), change_budget=OTHERS_MAY_CHANGE)
        touches = {c.task for c in answer.changes} & part.partial
        if answer.placed and not answer.lost and not touches:
            live = live.take(answer)
        else:
            left.append(row.id)
    asked = {row.id for row in waiting}
    return _preview(session, part, live.plan, asked, rows=part.rows, left=tuple(left))


def preview_absence(
    session: Session, ports: Ports, actor: Actor, *, caregiver_id: str, day: date
) -> Preview:
    """Return who could take over what a caregiver still has to do on a day, with least change."""
    person = caregivers.facts(session, caregiver_id, on=day)
    policy.require(actor, Action.ASSIGN_BY_HAND, _about_vendor(actor, person.vendor_id))
    part = read_part(
        session, day, now=ports.clock.now(), people=_people_of(session, person.vendor_id)
    )
    if caregiver_id in part.aside:
        return Preview(day, why_not="aside")
    if caregiver_id not in part.live.problem.caregiver_index:
        return Preview(day)
    own = _still_to_do(part, caregiver_id)
    answer = part.live.repair(caregiver_id, change_budget=len(own) * OTHERS_MAY_CHANGE)
    return _preview(session, part, answer.plan, own, rows=part.rows)


def _still_to_do(part: Part, caregiver_id: str) -> set[str]:
    return {
        stop.task
        for route in part.live.plan.routes
        if route.caregiver == caregiver_id
        for stop in route.stops
        if stop.task is not None and stop.start_s >= part.now_s
    }


def _preview(
    session: Session,
    part: Part,
    after: Plan,
    asked: Collection[str],
    *,
    rows: Mapping[str, Row[Any]],
    left: tuple[str, ...] = (),
) -> Preview:
    known = {**part.rows, **rows}
    old, new = _seats_of(part.live.plan), _seats_of(after)
    changed = sorted(i for i in {*old, *new} if old.get(i) != new.get(i) and i not in part.partial)
    people = {p for i in changed for side in (old, new) for p in side.get(i, ((), None))[0]}
    names = _names(session, people)
    changes = tuple(
        Shift(
            work_order_id=i,
            version=known[i].version,
            before=tuple(names[p] for p in old.get(i, ((), None))[0]),
            before_s=old.get(i, ((), None))[1],
            after=tuple(names[p] for p in new.get(i, ((), None))[0]),
            after_s=new.get(i, ((), None))[1],
        )
        for i in changed
    )
    was, will = part.live.plan.totals.by_term, after.totals.by_term
    return Preview(
        day=part.day,
        changes=tuple(
            sorted(changes, key=lambda c: (c.work_order_id not in asked, c.after_s or 0))
        ),
        subjects=frozenset(asked),
        travel_s=will.travel - was.travel,
        strangers=_strangers(will.unpreferred - was.unpreferred),
        lost=tuple(c.work_order_id for c in changes if c.before and not c.after),
        left=left,
    )


_Seat = tuple[tuple[str, ...], int | None]


def _seats_of(plan: Plan) -> dict[str, _Seat]:
    found: dict[str, _Seat] = {}
    for route in plan.routes:
        for stop in route.stops:
            if stop.task is not None:
                others = found.get(stop.task, ((), None))[0]
                found[stop.task] = (tuple(sorted((*others, route.caregiver))), stop.start_s)
    return found


def _seen(
    session: Session, actor: Actor, work_order_id: str, action: Action
) -> tuple[Row[Any], list[str]]:
    row = orders.work_order(session, work_order_id)
    policy.require(actor, action, subjects.about_work_order(session, actor, row))
    crew = plans.assignments(session, [row.id]).get(row.id, [])
    return row, [a.caregiver_id for a in crew]


def _about_vendor(actor: Actor, vendor_id: str) -> About:
    """Return the vendor as an object: civil affairs of a district reach the vendors that serve there."""
    return About(
        kind="vendor", id=vendor_id, vendor_id=vendor_id, district_code=actor.district_code
    )


def _is_theirs(actor: Actor, row: Row[Any]) -> bool:
    """Say whether a vendor's visit lies where the actor may send somebody."""
    own = policy.district_of(actor)
    return own is None or row.district_code == own


def _people_of(session: Session, vendor_id: str) -> list[str]:
    return list(
        session.scalars(
            select(Caregiver.id)
            .where(Caregiver.vendor_id == vendor_id, Caregiver.status == "active")
            .order_by(Caregiver.id)
        )
    )


def _without_anybody(session: Session, day: date, vendor_id: str) -> list[Row[Any]]:
    w = WorkOrder.__table__.c
    rows = session.execute(
        select(WorkOrder.__table__)
        .where(
            w.visit_on == day,
            w.vendor_id == vendor_id,
            w.is_stop,
            w.state == State.ACCEPTED.value,
        )
        .order_by(w.window_start_s, w.id)
    ).all()
    crews = plans.assignments(session, [r.id for r in rows])
    return [r for r in rows if r.id not in crews]


def _names(session: Session, ids: Iterable[str]) -> dict[str, Person]:
    rows = session.execute(select(Caregiver.id, Caregiver.name).where(Caregiver.id.in_(list(ids))))
    return {i: Person(i, name) for i, name in rows}
