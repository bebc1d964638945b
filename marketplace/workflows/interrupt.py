"""A visit that has to be broken off: the money stays held until a person has decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.visits import service as visits
from marketplace.workflows import judge, policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.shown import Shown, checked, new_evidence, service_facts, who_came
from marketplace.workflows.step import run_step
from marketplace.workflows.visit import VisitState, state_of

INTERRUPT_REASONS = ("illness", "refused", "contraindicated", "danger", "called_away")


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptRequest:
    """Why a visit had to stop (one of ``INTERRUPT_REASONS``), shown as a check-out is."""

    visit_id: str
    reason: str
    shown: Shown


def interrupt(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: InterruptRequest
) -> VisitState:
    """Break a visit off; the money stays held until a person has decided what is due."""
    if request.reason not in INTERRUPT_REASONS:
        raise BadInput(field="reason", value=request.reason, expected=list(INTERRUPT_REASONS))
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="interrupt",
        request=request,
        answer=VisitState,
        run=lambda at: _interrupt(session, ports, actor, request, at),
    )


def _interrupt(
    session: Session, ports: Ports, actor: Actor, request: InterruptRequest, at: datetime
) -> VisitState:
    visit = visits.get(session, request.visit_id)
    row = orders.work_order(session, visit.work_order_id)
    policy.require(actor, Action.INTERRUPT, subjects.about_work_order(session, actor, row))
    who_came(actor, visit.caregiver_id, request.shown)
    shown = checked(ports, row, request.shown, at)
    orders.move(
        session,
        row.id,
        expected=State.IN_SERVICE,
        to=State.DISPUTED,
        at=at,
        actor=actor,
        reason=f"interrupted:{request.reason}",
    )
    for each in visits.of_work_order(session, row.id):
        visits.end(session, each.id, check_out_at=max(shown.at_device, each.check_in_at))
    visits.add_evidence(
        session, visit.id, new_evidence("interrupt", shown, actor, at, service_facts(shown))
    )
    judge.judge_work_order(session, row)
    outbox.post(
        session,
        due_at=at,
        channel="screen",
        **outbox.HOTLINE,
        template="visit_interrupted",
        about=row.id,
        day=row.visit_on.isoformat(),
        work_order_id=row.id,
        reason=request.reason,
    )
    audit.record(
        session,
        at=at,
        actor=actor,
        action="interrupt",
        subject_kind="work_order",
        subject_id=row.id,
        reason=request.reason,
        visit_id=visit.id,
    )
    return state_of(session, visit.id)
