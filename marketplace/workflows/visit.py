"""A caregiver checks in and out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor
from marketplace.kernel.errors import BadInput, WrongState
from marketplace.kernel.ports import Ports
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.visits import rules
from marketplace.visits import service as visits
from marketplace.visits.rules import Method
from marketplace.workflows import confirm, judge, policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.shown import (
    Shown,
    card_facts,
    checked,
    consented,
    new_evidence,
    service_facts,
    who_came,
)
from marketplace.workflows.step import run_step


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInRequest:
    """Where, who and how. ``visit_id`` is the phone's. ``caregiver_id`` only for a vendor's correction."""

    work_order_id: str
    visit_id: str
    shown: Shown
    caregiver_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutRequest:
    """Which visit ends, and how that is shown."""

    visit_id: str
    shown: Shown


@dataclass(frozen=True, slots=True)
class VisitState:
    """A visit after the step: the six facts stand in its work order and these fields."""

    visit_id: str
    work_order_id: str
    caregiver_id: str
    state: str
    check_in_at: datetime
    check_out_at: datetime | None
    verdict: str
    findings: list[dict[str, Any]] = field(default_factory=list)


def check_in(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: CheckInRequest
) -> VisitState:
    """Begin a visit on evidence; of a crew the first check-in begins the work order's service.

    Raises ``TooEarly`` before the slot, ``CodeWrong`` for another home's code, ``BadInput`` for
    evidence that cannot be. Outside the fence or late is recorded and looked at, never turned away.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="check_in",
        request=request,
        answer=VisitState,
        run=lambda at: _check_in(session, ports, actor, request, at),
    )


def _check_in(
    session: Session, ports: Ports, actor: Actor, request: CheckInRequest, at: datetime
) -> VisitState:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.CHECK_IN, subjects.about_work_order(session, actor, row))
    orders.locked_for_change(session, [row.id])
    row = orders.work_order(session, row.id)
    caregiver_id = who_came(actor, request.caregiver_id, request.shown)
    crew = plans.assignments(session, [row.id]).get(row.id, [])
    if caregiver_id not in {a.caregiver_id for a in crew}:
        raise BadInput(field="caregiver_id", value=caregiver_id, expected="one of the crew")
    shown = checked(ports, row, consented(session, row, request.shown), at)
    visit, is_new = visits.begin(
        session,
        visit_id=request.visit_id,
        work_order=row,
        caregiver_id=caregiver_id,
        check_in_at=shown.at_device,
        lat=shown.lat,
        lng=shown.lng,
    )
    if is_new:
        _begin_service(session, row, shown, at=at, actor=actor)
    card = card_facts(session, ports, row, shown, at)
    visits.add_evidence(
        session,
        visit.id,
        new_evidence("check_in", shown, actor, at, service_facts(shown, **card)),
    )
    audit.record(
        session,
        at=at,
        actor=actor,
        action="check_in",
        subject_kind="work_order",
        subject_id=row.id,
        visit_id=visit.id,
        method=shown.method,
    )
    return state_of(session, visit.id)


def _begin_service(
    session: Session, row: Row[Any], shown: Shown, *, at: datetime, actor: Actor
) -> None:
    judge.check_slot(row, shown.at_device)
    if State(row.state) is State.ASSIGNED:
        orders.move(
            session, row.id, expected=State.ASSIGNED, to=State.IN_SERVICE, at=at, actor=actor
        )
    elif State(row.state) is not State.IN_SERVICE:
        raise WrongState(id=row.id, state=row.state, expected=["assigned", "in_service"])


def check_out(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: CheckOutRequest
) -> VisitState:
    """End a visit on evidence; when the whole crew is out, judge it.

    Verified: the work order is ``done`` and waits for the elder's word. Held or blocked: it is
    ``disputed``, the money stays held, a person decides.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="check_out",
        request=request,
        answer=VisitState,
        run=lambda at: _check_out(session, ports, actor, request, at),
    )


def _check_out(
    session: Session, ports: Ports, actor: Actor, request: CheckOutRequest, at: datetime
) -> VisitState:
    visit = visits.get(session, request.visit_id)
    row = orders.work_order(session, visit.work_order_id)
    policy.require(actor, Action.CHECK_OUT, subjects.about_work_order(session, actor, row))
    who_came(actor, visit.caregiver_id, request.shown)
    orders.locked_for_change(session, [row.id])
    shown = checked(ports, row, consented(session, row, request.shown), at)
    if shown.at_device < visit.check_in_at:
        raise BadInput(
            field="at_device", value=shown.at_device.isoformat(), expected="not before the check-in"
        )
    is_first = visits.end(session, visit.id, check_out_at=shown.at_device)
    card = card_facts(session, ports, row, shown, at)
    visits.add_evidence(
        session,
        visit.id,
        new_evidence("check_out", shown, actor, at, service_facts(shown, **card)),
    )
    if is_first:
        _finish(session, row.id, at=at, actor=actor)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="check_out",
        subject_kind="work_order",
        subject_id=row.id,
        visit_id=visit.id,
        method=shown.method,
    )
    return state_of(session, visit.id)


def _finish(session: Session, work_order_id: str, *, at: datetime, actor: Actor) -> None:
    """Judge a work order whose whole crew is out."""
    row = orders.work_order(session, work_order_id)
    crew = visits.of_work_order(session, work_order_id)
    if len(crew) < row.crew or any(v.check_out_at is None for v in crew):
        return
    close(session, row, at=at, actor=actor)


def close(session: Session, row: Row[Any], *, at: datetime, actor: Actor) -> None:
    """End a service with what the rules say of it: ``done``, or ``disputed`` where they ask a person.

    Where the elder showed a card at the end, that is the elder's word and the hold is captured.
    """
    said = judge.judge_work_order(session, row)
    orders.move(session, row.id, expected=State.IN_SERVICE, to=State.DONE, at=at, actor=actor)
    asked = judge.asks_for_a_person(said)
    if asked:
        orders.move(
            session,
            row.id,
            expected=State.DONE,
            to=State.DISPUTED,
            at=at,
            actor=actor,
            reason=",".join(asked),
        )
        return
    if _card_was_shown(session, row.id) and confirm.settle_if_due(
        session, row.id, at=at, actor=actor, reason="card"
    ):
        return
    outbox.post(
        session,
        due_at=at,
        channel="sms",
        recipient_kind="elder",
        recipient_id=row.elder_id,
        template="please_confirm",
        about=row.id,
        day=row.visit_on.isoformat(),
        work_order_id=row.id,
    )


def _card_was_shown(session: Session, work_order_id: str) -> bool:
    """Say whether every member of the crew left on a card that is the elder's."""
    crew = visits.of_work_order(session, work_order_id)
    return all(
        any(
            e.kind == "check_out"
            and e.method == Method.CARD.value
            and e.facts.get("card") == rules.CARD_OK
            for e in visits.evidence_of(session, v.id)
        )
        for v in crew
    )


def state_of(session: Session, visit_id: str) -> VisitState:
    """Return a visit as it stands after a step."""
    visit = visits.get(session, visit_id)
    return VisitState(
        visit_id=visit.id,
        work_order_id=visit.work_order_id,
        caregiver_id=visit.caregiver_id,
        state=orders.work_order(session, visit.work_order_id).state,
        check_in_at=visit.check_in_at,
        check_out_at=visit.check_out_at,
        verdict=visit.verdict,
        findings=list(visit.findings),
    )
