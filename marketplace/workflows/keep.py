"""Keep what was seen on the board, all or nothing, and lock a visit against planning.

What is kept names the version of every visit that it was worked out from; a visit that moved since is
refused, and so is a day that the independent checker finds broken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.errors import BadInput, DomainError
from marketplace.kernel.ports import Ports
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.models import DispatchRun
from marketplace.orders.states import State
from marketplace.workflows import policy, subjects
from marketplace.workflows.day_part import read_part
from marketplace.workflows.policy import Action
from marketplace.workflows.seats import Seat, crews_of, write_seats
from marketplace.workflows.step import run_step
from vendors import caregivers


class MoveBreaksRule(DomainError):
    """The checker found the day of a caregiver broken. Facts: ``caregiver_id``, ``rule``."""

    kind = "conflict"


class VisitMoved(DomainError):
    """A visit changed since the board was drawn. Facts: ``work_order_id``."""

    kind = "conflict"


@dataclass(frozen=True, slots=True)
class KeepRequest:
    """Changes that were seen, on one day; ``lock`` names visits that planning is to leave alone."""

    day: date
    seats: list[Seat]
    lock: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Kept:
    """The visits that changed, and those among them that have nobody now."""

    work_order_ids: list[str]
    without: list[str]

    @property
    def kept(self) -> list[str]:
        """Return the visits that have somebody."""
        return [i for i in self.work_order_ids if i not in self.without]


def keep_changes(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: KeepRequest
) -> Kept:
    """Write changes that were seen before, all or none.

    Raises ``VisitMoved`` where a visit changed since, and ``MoveBreaksRule`` where the day of one of
    its people would break a rule.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="keep_changes",
        request=request,
        answer=Kept,
        run=lambda at: keep_within(session, actor, request, at),
    )


def keep_within(session: Session, actor: Actor, request: KeepRequest, at: datetime) -> Kept:
    """Write changes inside the caller's transaction; see ``keep_changes``."""
    ids = [s.work_order_id for s in request.seats]
    if not ids:
        raise BadInput(field="seats", value=[], expected="at least one change")
    caregivers.lock(session, sorted(crews_of(request.seats)))
    orders.locked_for_change(session, ids)
    rows = orders.work_orders(session, ids)
    for seat in request.seats:
        row = rows.get(seat.work_order_id)
        if row is None or row.version != seat.version or row.visit_on != request.day:
            raise VisitMoved(work_order_id=seat.work_order_id)
        policy.require(actor, Action.ASSIGN_BY_HAND, subjects.about_work_order(session, actor, row))
        if seat.caregiver_ids and len(set(seat.caregiver_ids)) != row.crew:
            raise BadInput(field="seats", value=seat.caregiver_ids, expected=f"{row.crew} people")
    write_seats(
        session,
        actor,
        request.day,
        request.seats,
        at=at,
        reason="by_hand",
        locked=frozenset(request.lock),
    )
    _check(session, request, at)
    without = [s.work_order_id for s in request.seats if not s.caregiver_ids]
    say_left_out(session, request.day, without)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="keep_changes",
        subject_kind="day",
        subject_id=request.day.isoformat(),
        work_orders=len(ids),
        without=len(without),
        first=ids[0],
    )
    return Kept(ids, without)


def _check(session: Session, request: KeepRequest, at: datetime) -> None:
    """Raise where somebody's day, as it was just written, breaks a rule."""
    people = crews_of(request.seats)
    part = read_part(session, request.day, now=at, people=people.keys())
    for who in sorted(people):
        if who not in part.people:
            raise MoveBreaksRule(caregiver_id=who, rule="shift")
        if who in part.aside:
            raise MoveBreaksRule(caregiver_id=who, rule=part.aside[who])


def say_left_out(session: Session, day: date, without: Sequence[str]) -> None:
    """Put visits that lost their people on the list of those without anybody."""
    run_id = session.scalar(
        select(DispatchRun.id)
        .where(DispatchRun.day == day)
        .order_by(DispatchRun.started_at.desc())
        .limit(1)
    )
    if run_id is not None and without:
        rows = [
            {"work_order_id": i, "reason": "no_room", "remaining": {}, "would_help": []}
            for i in without
        ]
        plans.put_left_out(session, run_id, rows)


@dataclass(frozen=True, slots=True)
class LockRequest:
    """A planned visit that planning is to leave alone, or to move again."""

    work_order_id: str
    locked: bool


@dataclass(frozen=True, slots=True)
class Locked:
    """The visit after the step."""

    work_order_id: str
    locked: bool


def lock_visit(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: LockRequest
) -> Locked:
    """Lock a planned visit's people and time, or let planning move them again."""
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="lock_visit",
        request=request,
        answer=Locked,
        run=lambda at: _lock(session, actor, request, at),
    )


def _lock(session: Session, actor: Actor, request: LockRequest, at: datetime) -> Locked:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.ASSIGN_BY_HAND, subjects.about_work_order(session, actor, row))
    orders.move(
        session,
        row.id,
        expected=State.ASSIGNED,
        to=State.ASSIGNED,
        at=at,
        actor=actor,
        reason="locked" if request.locked else "unlocked",
    )
    plans.set_locked(session, row.id, locked=request.locked)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="lock_visit",
        subject_kind="work_order",
        subject_id=row.id,
        locked=request.locked,
    )
    return Locked(row.id, request.locked)
