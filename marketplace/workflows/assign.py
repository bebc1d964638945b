"""Plan a day: read, solve with no transaction open, write only what is unchanged since.

A pooled work order is offered to the vendor of the caregiver chosen. It stays ``offered`` with a
tentative assignment, which becomes ``assigned`` when that vendor accepts and is dropped when it
declines or is silent. Killed at any moment nothing is half written: one transaction writes all.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from sqlalchemy import Row
from sqlalchemy.orm import Session

import dispatch
from dispatch import Plan, Problem
from dispatch.io import plan_to_json, problem_bytes
from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import instant_of
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import DomainError
from marketplace.kernel.ports import DESKS, Ports
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.workflows import policy
from marketplace.workflows.day_problem import Day, read_day
from marketplace.workflows.offer import make_offers
from marketplace.workflows.policy import Action
from marketplace.workflows.step import answered, run_step
from vendors import offers, roster


class PlanBroken(DomainError):
    """The checker found a broken rule, so nothing was written. Facts: ``violations``."""

    kind = "conflict"


class Solver(Protocol):
    """What ``dispatch.solve`` is."""

    def __call__(
        self,
        problem: Problem,
        *,
        seconds: float,
        seed: int,
        workers: int,
        progress: Callable[[Any], None] | None = None,
    ) -> Plan: ...


@dataclass(frozen=True, slots=True)
class AssignRequest:
    """Which day, for how many seconds, from which seed, with how many workers."""

    day: date
    seconds: float = 60.0
    seed: int = 1
    workers: int = 2


@dataclass(frozen=True, slots=True)
class DayPlanned:
    """What the run did. ``by_reason`` counts who is left out; ``changed_meanwhile`` was not touched.

    ``offered``: pooled ones, now offered to the chosen caregiver's vendor. ``passed``: not planned
    because their window has passed.
    """

    run_id: str
    day: date
    tasks: int
    assigned: int
    offered: int
    unchanged: int
    left_out: int
    changed_meanwhile: int
    passed: int
    violations: int
    travel_s: int
    cost: int
    solver_seconds: float
    by_reason: dict[str, int] = field(default_factory=dict)


def export_day(session: Session, ports: Ports, actor: Actor, *, day: date) -> bytes:
    """Return the day's problem as the contract's JSON, to be replayed by any solver."""
    policy.require(actor, Action.PLAN_DAY)
    return problem_bytes(_read(session, ports, day).problem)


def assign_day(
    session: Session,
    ports: Ports,
    actor: Actor,
    *,
    key: str,
    request: AssignRequest,
    progress: Callable[[Any], None] | None = None,
    solve: Solver | None = None,
) -> DayPlanned:
    """Plan a day and write its assignments, offers and reasons. See the module for how.

    Raises ``PlanBroken`` when the independent checker objects; then nothing was written. ``solve``
    takes the place of ``dispatch.solve``.
    """
    policy.require(actor, Action.PLAN_DAY)
    first = answered(
        session,
        key=key,
        actor=actor,
        command="assign_day",
        request=request,
        answer=DayPlanned,
    )
    if first is not None:
        return first
    started_at = ports.clock.now()
    day = _read(session, ports, request.day)
    plan = (solve or dispatch.solve)(
        day.problem,
        seconds=request.seconds,
        seed=request.seed,
        workers=request.workers,
        progress=progress,
    )
    violations = dispatch.check(day.problem, plan)
    if violations:
        raise PlanBroken(violations=[str(v) for v in violations[:20]], count=len(violations))
    answer = run_step(
        session,
        ports,
        actor,
        key=key,
        command="assign_day",
        request=request,
        answer=DayPlanned,
        run=lambda at: _write(session, actor, request, day, plan, started_at, at),
    )
    # Told after the commit, from whatever process planned: open screens fetch the plan at once.
    ports.live.publish(DESKS, {"changed": True})
    return answer


def _read(session: Session, ports: Ports, on: date) -> Day:
    """Read the day in one snapshot and end the read: nothing stays open while the solver works."""
    with transaction(session):
        return read_day(session, on, now=ports.clock.now())


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Who goes when to one work order, as the plan says."""

    caregivers: tuple[str, ...]
    start_s: int


def _chosen(plan: Plan) -> dict[str, _Chosen]:
    crew: dict[str, list[str]] = defaultdict(list)
    start: dict[str, int] = {}
    for route in plan.routes:
        for stop in route.stops:
            if stop.kind == "task" and stop.task is not None:
                crew[stop.task].append(route.caregiver)
                start[stop.task] = stop.start_s
    return {t: _Chosen(tuple(sorted(c)), start[t]) for t, c in crew.items()}


def _write(
    session: Session,
    actor: Actor,
    request: AssignRequest,
    day: Day,
    plan: Plan,
    started_at: datetime,
    at: datetime,
) -> DayPlanned:
    chosen = _chosen(plan)
    now = orders.locked_for_change(session, day.rows)
    fresh = {i for i, row in day.rows.items() if i in now and now[i].version == row.version}
    fresh -= _whose_people_changed(session, day, chosen)
    movable = {i: day.rows[i] for i in sorted(fresh - day.fixed)}
    run_id = plans.add_run(
        session,
        day=request.day,
        started_at=started_at,
        finished_at=at,
        state="done",
        seed=request.seed,
        seconds=plan.engine.seconds,
        tasks=plan.totals.tasks,
        assigned=plan.totals.assigned,
        violations=0,
        totals=plan_to_json(plan)["totals"],
        problem=gzip.compress(problem_bytes(day.problem), mtime=0),
        plan=gzip.compress(json.dumps(plan_to_json(plan), ensure_ascii=False).encode(), mtime=0),
    )
    placed = {i: (row, chosen[i]) for i, row in movable.items() if i in chosen}
    moved = {i: p for i, p in placed.items() if not _is_as_before(day, i, p[1])}
    offered = _write_placed(session, day, moved, run_id, at=at, actor=actor)
    left = _write_left_out(session, day, plan, movable, run_id, at=at, actor=actor)
    plans.forget_left_out(session, placed)
    answer = DayPlanned(
        run_id=run_id,
        day=request.day,
        tasks=plan.totals.tasks,
        assigned=len(moved) - offered,
        offered=offered,
        unchanged=len(day.fixed & set(chosen)) + len(placed) - len(moved),
        left_out=len(left),
        changed_meanwhile=len(day.rows) - len(fresh),
        passed=len(day.expired),
        violations=0,
        travel_s=plan.totals.travel_s,
        cost=plan.totals.cost,
        solver_seconds=round(plan.engine.seconds, 3),
        by_reason=dict(sorted(Counter(left.values()).items())),
    )
    audit.record(
        session,
        at=at,
        actor=actor,
        action="assign_day",
        subject_kind="dispatch_run",
        subject_id=run_id,
        day=request.day.isoformat(),
        tasks=answer.tasks,
        assigned=answer.assigned,
        offered=answer.offered,
        left_out=answer.left_out,
    )
    return answer


def _is_as_before(day: Day, work_order_id: str, chosen: _Chosen) -> bool:
    """Say whether an assigned work order keeps the very caregivers and time it has."""
    row = day.rows[work_order_id]
    crew = day.crews.get(work_order_id, [])
    if State(row.state) is not State.ASSIGNED or not crew:
        return False
    start = instant_of(day.day, chosen.start_s)
    same_people = tuple(sorted(a.caregiver_id for a in crew)) == chosen.caregivers
    return same_people and all(a.starts_at == start for a in crew)


def _whose_people_changed(session: Session, day: Day, chosen: dict[str, _Chosen]) -> set[str]:
    """Return work orders whose chosen caregivers fell ill, left, or were booked while we solved."""
    now = {p.facts.id: p for p in roster.on_day(session, day.day)}
    gone = {c for c, person in day.shifts.items() if now.get(c) != person}
    begins, ends = instant_of(day.day, 0), instant_of(day.day, 36 * 3600)
    booked = plans.booked_by_others(session, begins, ends, known=set(day.rows))
    hit: set[str] = set()
    for work_order_id, who in chosen.items():
        row = day.rows[work_order_id]
        start = instant_of(day.day, who.start_s)
        end = instant_of(day.day, who.start_s + row.service_s)
        if any(c in gone for c in who.caregivers) or any(
            a < end and b > start for c in who.caregivers for a, b in booked.get(c, ())
        ):
            hit.add(work_order_id)
    return hit


def _write_placed(
    session: Session,
    day: Day,
    moved: dict[str, tuple[Row[Any], _Chosen]],
    run_id: str,
    *,
    at: datetime,
    actor: Actor,
) -> int:
    """Write who goes when; return how many were offered because they were pooled."""
    by_state: dict[str, list[str]] = defaultdict(list)
    pooled: dict[str, list[str]] = defaultdict(list)
    for work_order_id, (row, who) in moved.items():
        if row.state == State.POOLED.value:
            pooled[day.shifts[who.caregivers[0]].facts.vendor_id].append(work_order_id)
        else:
            by_state[row.state].append(work_order_id)
    plans.drop_assignments(session, by_state[State.ASSIGNED.value])
    for state in (State.ACCEPTED, State.ASSIGNED):
        orders.move_many(
            session,
            by_state[state.value],
            expected=state,
            to=State.ASSIGNED,
            at=at,
            actor=actor,
            reason="planned",
        )
    asked: list[tuple[Any, str]] = []
    for vendor_id, ids in sorted(pooled.items()):
        orders.move_many(
            session,
            ids,
            expected=State.POOLED,
            to=State.OFFERED,
            at=at,
            actor=actor,
            reason="planned",
            vendor_id=vendor_id,
        )
        asked += [(moved[i][0], vendor_id) for i in ids]
    _offer(session, asked, at)
    plans.add_assignments(session, _assignments(day, moved, run_id))
    return len(asked)


def _offer(session: Session, asked: Sequence[tuple[Any, str]], at: datetime) -> None:
    rounds = offers.rounds(session, [row.id for row, _ in asked])
    make_offers(session, asked, at=at, rounds=rounds)


def _assignments(
    day: Day, moved: dict[str, tuple[Row[Any], _Chosen]], run_id: str
) -> list[dict[str, Any]]:
    return [
        {
            "work_order_id": work_order_id,
            "caregiver_id": caregiver_id,
            "run_id": run_id,
            "starts_at": instant_of(day.day, who.start_s),
            "ends_at": instant_of(day.day, who.start_s + row.service_s),
            "locked": False,
        }
        for work_order_id, (row, who) in moved.items()
        for caregiver_id in who.caregivers
    ]


def _write_left_out(
    session: Session,
    day: Day,
    plan: Plan,
    movable: dict[str, Row[Any]],
    run_id: str,
    *,
    at: datetime,
    actor: Actor,
) -> dict[str, str]:
    """Write why work orders have nobody; return the reasons. One that had somebody is free again."""
    listed = {u["task"]: u for u in plan_to_json(plan)["unassigned"] if u["task"] in movable}
    lost = [i for i in listed if movable[i].state == State.ASSIGNED.value]
    plans.drop_assignments(session, lost)
    orders.move_many(
        session,
        lost,
        expected=State.ASSIGNED,
        to=State.ACCEPTED,
        at=at,
        actor=actor,
        reason="left_out",
    )
    plans.put_left_out(
        session,
        run_id,
        [
            {
                "work_order_id": i,
                "reason": u["reason"],
                "remaining": u["remaining"],
                "would_help": u["would_help"],
            }
            for i, u in listed.items()
        ],
    )
    return {i: u["reason"] for i, u in listed.items()}
