"""Give a visit a caregiver by hand, or another than planned."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.elders import refusals
from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import instant_of
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.workflows import policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.seats import Seat, write_seats
from marketplace.workflows.step import run_step
from vendors import caregivers
from vendors.rules import CaregiverCannotServe


@dataclass(frozen=True, slots=True)
class SubstituteRequest:
    """Who goes (the whole crew) and when it starts, in seconds from local midnight of the day."""

    work_order_id: str
    caregiver_ids: list[str]
    start_s: int


@dataclass(frozen=True, slots=True)
class Substituted:
    """The work order's crew after the step; it is locked, so that planning leaves it alone."""

    work_order_id: str
    state: str
    caregiver_ids: list[str] = field(default_factory=list)


def substitute(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: SubstituteRequest
) -> Substituted:
    """Send named caregivers at a named time.

    Raises ``CaregiverCannotServe`` with the reason: another vendor's, without the skill, or busy.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="substitute",
        request=request,
        answer=Substituted,
        run=lambda at: _substitute(session, actor, request, at),
    )


def _substitute(
    session: Session, actor: Actor, request: SubstituteRequest, at: datetime
) -> Substituted:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.ASSIGN_BY_HAND, subjects.about_work_order(session, actor, row))
    crew = sorted(set(request.caregiver_ids))
    if len(crew) != row.crew:
        raise BadInput(
            field="caregiver_ids", value=request.caregiver_ids, expected=f"{row.crew} caregivers"
        )
    if not row.window_start_s <= request.start_s <= row.window_end_s:
        raise BadInput(
            field="start_s",
            value=request.start_s,
            expected=f"{row.window_start_s} to {row.window_end_s}",
        )
    starts = instant_of(row.visit_on, request.start_s)
    ends = starts + timedelta(seconds=row.service_s)
    # The people's rows are locked first, so that two hands cannot book one person at once.
    caregivers.lock(session, crew)
    for caregiver_id in crew:
        _check(session, row, caregiver_id, starts, ends)
    seat = Seat(row.id, row.version, crew, request.start_s)
    write_seats(
        session, actor, row.visit_on, [seat], at=at, reason="by_hand", locked=frozenset([row.id])
    )
    audit.record(
        session,
        at=at,
        actor=actor,
        action="substitute",
        subject_kind="work_order",
        subject_id=row.id,
        caregivers=crew,
    )
    return Substituted(row.id, State.ASSIGNED.value, crew)


def _check(
    session: Session, row: Row[Any], caregiver_id: str, starts: datetime, ends: datetime
) -> None:
    person = caregivers.facts(session, caregiver_id, on=row.visit_on)
    why = None
    if person.vendor_id != row.vendor_id:
        why = "vendor"
    elif person.status != "active":
        why = "left"
    elif row.skill_code not in person.skills:
        why = "skill"
    elif caregiver_id in refusals.refused_by(session, [row.elder_id]).get(row.elder_id, ()):
        why = "refused"
    elif any(
        a.work_order_id != row.id for a in plans.caregiver_day(session, caregiver_id, starts, ends)
    ):
        why = "busy"
    if why is not None:
        raise CaregiverCannotServe(field="caregiver_ids", caregiver_id=caregiver_id, why=why)
