"""Prove how far a day's plan can be from the best: a lower bound, kept with the run it is about.

Like planning it reads, works with no transaction open, and writes. A bound only ever rises: a
shorter proof never takes the place of a better one.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

import dispatch
from dispatch import Plan, Problem, plan_from_json, problem_from_json
from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import NotFound
from marketplace.kernel.ports import DESKS, Ports
from marketplace.orders import plans
from marketplace.workflows import policy
from marketplace.workflows.policy import Action
from marketplace.workflows.step import answered, run_step


@dataclass(frozen=True, slots=True)
class ProveRequest:
    """Which day, for how many seconds, with how many workers."""

    day: date
    seconds: float = 60.0
    workers: int = 2


@dataclass(frozen=True, slots=True)
class DayProven:
    """No plan of the run's problem costs less than ``bound``; ``cost`` is what its plan costs.

    ``relaxed``: the rules that the proof leaves aside, as ``dispatch.bound`` names them. The bound
    is the best one kept, which an earlier proof may have found.
    """

    run_id: str
    day: date
    bound: int
    cost: int
    relaxed: tuple[str, ...]
    seconds: float

    @property
    def gap(self) -> float:
        """The part of the plan's cost that a better plan could save at most."""
        return (self.cost - self.bound) / self.cost if self.cost else 0.0


def prove_day(
    session: Session,
    ports: Ports,
    actor: Actor,
    *,
    key: str,
    request: ProveRequest,
    progress: Callable[[str], None] | None = None,
) -> DayProven:
    """Compute a lower bound for the latest plan of a day and keep it with the plan.

    Raises ``NotFound`` where the day has not been planned.
    """
    policy.require(actor, Action.PLAN_DAY)
    first = answered(
        session, key=key, actor=actor, command="prove_day", request=request, answer=DayProven
    )
    if first is not None:
        return first
    run_id, problem, plan = _read(session, request.day)
    found = dispatch.lower_bound(
        problem, plan, seconds=request.seconds, workers=request.workers, progress=progress
    )
    bound = {
        "value": found.value,
        "cost": plan.totals.cost,
        "relaxed": list(found.relaxations),
        "seconds": round(found.seconds, 1),
    }
    answer = run_step(
        session,
        ports,
        actor,
        key=key,
        command="prove_day",
        request=request,
        answer=DayProven,
        run=lambda at: _write(session, actor, request.day, run_id, bound, at),
    )
    ports.live.publish(DESKS, {"changed": True})
    return answer


def _read(session: Session, day: date) -> tuple[str, Problem, Plan]:
    """Return the latest run of the day, the problem it solved and its plan, and end the read."""
    with transaction(session):
        run = plans.latest_run(session, day)
        if run is None or run.problem is None or run.plan is None:
            raise NotFound(field="day", day=day.isoformat())
        run_id, problem, plan = run.id, run.problem, run.plan
    return (
        run_id,
        problem_from_json(json.loads(gzip.decompress(problem))),
        plan_from_json(json.loads(gzip.decompress(plan))),
    )


def _write(
    session: Session, actor: Actor, day: date, run_id: str, bound: dict[str, Any], at: datetime
) -> DayProven:
    kept = plans.keep_bound(session, run_id, bound)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="prove_day",
        subject_kind="dispatch_run",
        subject_id=run_id,
        day=day.isoformat(),
        bound=bound["value"],
        cost=bound["cost"],
    )
    return DayProven(
        run_id=run_id,
        day=day,
        bound=kept["value"],
        cost=kept["cost"],
        relaxed=tuple(kept["relaxed"]),
        seconds=kept["seconds"],
    )
