"""Taking a time that was proposed, for a new order or for a visit that is moved.

The dispatcher is asked once more, under locks on those who would go: a time that went to somebody else
meanwhile is refused and nothing is kept. What is taken is held: the crew stands on the work order,
locked, while their vendor answers the offer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from dispatch import Task
from dispatch.live import Answer
from marketplace.elders import access
from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import instant_of, local
from marketplace.kernel.errors import BadInput, DomainError
from marketplace.kernel.ports import Ports
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.rules import Window
from marketplace.orders.states import State
from marketplace.workflows import policy, subjects
from marketplace.workflows.cancel import Rescheduled, reschedule_within
from marketplace.workflows.day_part import Part
from marketplace.workflows.offer import make_offers
from marketplace.workflows.place import OrderRequest, Placed, place_within
from marketplace.workflows.policy import Action
from marketplace.workflows.seats import Seat, write_seats
from marketplace.workflows.slots import GRACE_S, NEW, Fits, Question, SlotQuery
from marketplace.workflows.step import run_step
from vendors import caregivers


class SlotGone(DomainError):
    """The time was taken meanwhile, or nobody can come then. Facts: ``on``, ``start_s``."""

    kind = "conflict"


@dataclass(frozen=True, slots=True)
class SlotRequest:
    """An order and the time and the people that were proposed for it."""

    order: OrderRequest
    start_s: int
    caregiver_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MoveRequest:
    """A visit, and the time and the people that were proposed for it instead."""

    work_order_id: str
    on: date
    start_s: int
    caregiver_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Held:
    """A crew that can come: the part of the day that it was worked out from, and what makes room."""

    on: date
    start_s: int
    crew: list[str]
    part: Part
    task: Task
    answer: Answer

    @property
    def vendor_id(self) -> str:
        """Return whose people they are."""
        return self.part.people[self.crew[0]].facts.vendor_id


def take_slot(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: SlotRequest
) -> Placed:
    """Place the order for the time that was proposed and hold the people for it.

    Raises ``SlotGone`` when they cannot come then any more, and what placing raises; in both cases
    nothing is kept.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="take_slot",
        request=request,
        answer=Placed,
        run=lambda at: _take(session, actor, request, at),
    )


def _take(session: Session, actor: Actor, request: SlotRequest, at: datetime) -> Placed:
    asked_for = replace(
        request.order,
        window_start_s=request.start_s,
        window_end_s=request.start_s + GRACE_S,
        rrule=None,
    )
    elder = access.facts(session, asked_for.elder_id, on=local(at).date())
    policy.require(actor, Action.PLACE_ORDER, subjects.about_elder(session, actor, elder))
    on = asked_for.starts_on
    query = SlotQuery(elder.id, asked_for.service_code, asked_for.quantity, asked_for.vendor_id, on)
    asked = Question.of(session, query, elder, at)
    crew = sorted(set(request.caregiver_ids))
    # Whoever is to go is locked first: of two that take the same hour the second finds it taken.
    caregivers.lock(session, crew)
    held = _held(asked, on, request.start_s, crew)
    placed = place_within(session, actor, asked_for, at)
    made = placed.work_orders[0].work_order_id
    state = _seat(session, made, held, at=at, actor=actor)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="take_slot",
        subject_kind="work_order",
        subject_id=made,
        caregivers=crew,
        start_s=request.start_s,
    )
    first = replace(placed.work_orders[0], state=state)
    return replace(placed, work_orders=[first, *placed.work_orders[1:]])


def move_to_slot(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: MoveRequest
) -> Rescheduled:
    """Move a visit to a time that was proposed and hold the people for it.

    Raises ``SlotGone`` when they cannot come then any more, and what moving raises; in both cases the
    visit stays as it was.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="move_to_slot",
        request=request,
        answer=Rescheduled,
        run=lambda at: _move(session, actor, request, at),
    )


def _move(session: Session, actor: Actor, request: MoveRequest, at: datetime) -> Rescheduled:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.RESCHEDULE, subjects.about_work_order(session, actor, row))
    elder = access.facts(session, row.elder_id, on=local(at).date())
    chosen = orders.order(session, row.order_id).vendor_id
    query = SlotQuery(elder.id, row.service_code, row.quantity, chosen, request.on)
    asked = Question.of(session, query, elder, at)
    crew = sorted(set(request.caregiver_ids))
    caregivers.lock(session, sorted({*crew, *_going(session, row.id)}))
    # The old visit goes first: its own helper and its own hour may be those of the new one.
    window = Window(request.start_s, request.start_s + GRACE_S)
    moved = reschedule_within(session, actor, row, request.on, window, at)
    held = _held(asked, request.on, request.start_s, crew, made=moved.new_work_order_id)
    state = _seat(session, moved.new_work_order_id, held, at=at, actor=actor)
    return replace(moved, state=state)


def _going(session: Session, work_order_id: str) -> list[str]:
    crew = plans.assignments(session, [work_order_id]).get(work_order_id, [])
    return [a.caregiver_id for a in crew]


def _held(
    asked: Question, on: date, start_s: int, crew: Sequence[str], *, made: str | None = None
) -> _Held:
    """Return the crew with its day asked afresh; raises ``SlotGone`` where it cannot come.

    ``made``: the work order that the time is for, where it stands already.
    """
    if len(crew) != asked.version.caregivers:
        raise BadInput(
            field="caregiver_ids", value=crew, expected=f"{asked.version.caregivers} caregivers"
        )
    part = asked.part(on, only=crew)
    here = all(c in part.live.problem.caregiver_index for c in crew)
    if not here or not Fits(asked, on, but=made)(start_s):
        raise SlotGone(on=on.isoformat(), start_s=start_s)
    task = asked.task(part.places[asked.elder.id], part, ((start_s, start_s + GRACE_S),))
    answer = part.live.insert(task, start_s=start_s, caregivers=crew)
    if not answer.placed or part.now_s > start_s:
        raise SlotGone(on=on.isoformat(), start_s=start_s)
    return _Held(on, start_s, list(crew), part, task, answer)


def _seat(session: Session, work_order_id: str, held: _Held, *, at: datetime, actor: Actor) -> str:
    """Put the crew on the work order, make room for it, and ask its vendor; return the state."""
    state = _ask_vendor(session, work_order_id, held.vendor_id, at=at, actor=actor)
    plans.add_assignments(
        session,
        [
            {
                "work_order_id": work_order_id,
                "caregiver_id": c,
                "run_id": None,
                "starts_at": instant_of(held.on, held.start_s),
                "ends_at": instant_of(held.on, held.start_s + held.task.service_s),
                "locked": True,
            }
            for c in held.crew
        ],
    )
    room = [
        Seat(c.task, held.part.rows[c.task].version, list(c.to_caregivers), c.to_start_s)
        for c in held.answer.changes
        if c.task != NEW
    ]
    write_seats(session, actor, held.on, room, at=at, reason="made_room")
    return state


def _ask_vendor(
    session: Session, work_order_id: str, vendor_id: str, *, at: datetime, actor: Actor
) -> str:
    """Offer the held visit to the vendor of those who are to go, unless it has the offer already."""
    row: Any = orders.work_order(session, work_order_id)
    if row.state == State.POOLED.value:
        row = orders.move(
            session,
            work_order_id,
            expected=State.POOLED,
            to=State.OFFERED,
            at=at,
            actor=actor,
            reason="slot_taken",
            vendor_id=vendor_id,
        )
        make_offers(session, [(row, vendor_id)], at=at)
    return str(row.state)
