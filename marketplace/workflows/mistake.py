"""A caregiver's mistake: told by the one who made it, decided by another, the first record kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import local
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.visits import corrections
from marketplace.visits import service as visits
from marketplace.visits.rules import Method
from marketplace.visits.service import NewEvidence
from marketplace.workflows import judge, policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.step import run_step
from marketplace.workflows.visit import close

LONGEST = timedelta(hours=24)
ASK_WITHIN = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class MistakeRequest:
    """Which visit, what its times really were, and why; ``correction_id`` is the phone's."""

    correction_id: str
    visit_id: str
    says_in_at: datetime
    says_out_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class MistakeTold:
    """The correction as it waits; the visit is as it was."""

    correction_id: str
    visit_id: str
    state: str


def report_mistake(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: MistakeRequest
) -> MistakeTold:
    """Say what a visit's times really were; nothing changes until a person has decided.

    Raises ``BadInput`` naming the field, ``CorrectionWaits`` where one waits already.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="report_mistake",
        request=request,
        answer=MistakeTold,
        run=lambda at: _report(session, actor, request, at),
    )


def _report(session: Session, actor: Actor, request: MistakeRequest, at: datetime) -> MistakeTold:
    visit = visits.get(session, request.visit_id)
    row = orders.work_order(session, visit.work_order_id)
    policy.require(actor, Action.REPORT_MISTAKE, subjects.about_work_order(session, actor, row))
    if visit.caregiver_id != actor.caregiver_id:
        raise BadInput(field="visit_id", value=visit.id, expected="a visit of your own")
    if not request.reason.strip():
        raise BadInput(field="reason", value="", expected="what happened")
    if local(request.says_in_at).date() not in (
        visit.visit_on, visit.visit_on + timedelta(days=1)
    ):  # fmt: skip
        raise BadInput(
            field="says_in_at", value=request.says_in_at.isoformat(), expected=str(visit.visit_on)
        )
    lasted = request.says_out_at - request.says_in_at
    if not timedelta() < lasted <= LONGEST or request.says_out_at > at:
        raise BadInput(
            field="says_out_at",
            value=request.says_out_at.isoformat(),
            expected="after the beginning, not in the future",
        )
    if at - visit.check_in_at > ASK_WITHIN:
        raise BadInput(field="visit_id", value=visit.id, expected="a visit of the last seven days")
    is_new = corrections.ask(
        session,
        {
            "id": request.correction_id,
            "visit_id": visit.id,
            "work_order_id": row.id,
            "caregiver_id": visit.caregiver_id,
            "was_in_at": visit.check_in_at,
            "was_out_at": visit.check_out_at,
            "says_in_at": request.says_in_at,
            "says_out_at": request.says_out_at,
            "reason": request.reason.strip()[:200],
            "state": "asked",
            "asked_at": at,
            "asked_by": actor.user_id,
            "decision": "",
        },
    )
    if is_new:
        audit.record(
            session,
            at=at,
            actor=actor,
            action="report_mistake",
            subject_kind="work_order",
            subject_id=row.id,
            visit_id=visit.id,
            correction_id=request.correction_id,
        )
    return MistakeTold(request.correction_id, visit.id, "asked")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideRequest:
    """Whether a correction holds, and why."""

    correction_id: str
    approve: bool
    note: str


@dataclass(frozen=True, slots=True)
class Decided:
    """The correction's end, and the visit's work order after it."""

    correction_id: str
    state: str
    work_order_id: str
    work_order_state: str
    verdict: str


def decide_correction(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: DecideRequest
) -> Decided:
    """Approve or refuse a correction. Approved: the times become the said ones and are judged anew.

    Money that was taken stays as it is: a visit whose hold was captured is not corrected here.
    """
    if not request.note.strip():
        raise BadInput(field="note", value="", expected="why it is decided so")
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="decide_correction",
        request=request,
        answer=Decided,
        run=lambda at: _decide(session, actor, request, at),
    )


def _decide(session: Session, actor: Actor, request: DecideRequest, at: datetime) -> Decided:
    asked = corrections.get(session, request.correction_id)
    orders.locked_for_change(session, [asked.work_order_id])
    row = orders.work_order(session, asked.work_order_id)
    about = subjects.about_work_order(session, actor, row)
    policy.require(actor, Action.DECIDE_CORRECTION, about)
    still_open = State(row.state) in (State.IN_SERVICE, State.DONE, State.DISPUTED)
    if request.approve and not still_open:
        raise BadInput(
            field="approve", value=row.state, expected="a visit whose money is not taken yet"
        )
    to = "approved" if request.approve else "refused"
    corrections.decide(session, asked.id, to=to, note=request.note.strip(), at=at, by=actor.user_id)
    visits.add_evidence(
        session,
        asked.visit_id,
        NewEvidence(
            id=f"{asked.id}/{to}"[:40],
            kind="correction",
            method=Method.MANUAL.value,
            at_device=at,
            received_at=at,
            by_account=actor.user_id,
            note=asked.reason,
            facts={
                "state": to,
                "was": [t.isoformat() if t else None for t in (asked.was_in_at, asked.was_out_at)],
                "says": [asked.says_in_at.isoformat(), asked.says_out_at.isoformat()],
            },
        ),
    )
    if request.approve:
        corrections.set_times(
            session, asked.visit_id, in_at=asked.says_in_at, out_at=asked.says_out_at
        )
        crew = visits.of_work_order(session, row.id)
        if State(row.state) is not State.IN_SERVICE:
            _judge_again(session, row, at=at, actor=actor)
        elif len(crew) >= row.crew and all(v.check_out_at is not None for v in crew):
            close(session, row, at=at, actor=actor)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="decide_correction",
        subject_kind="work_order",
        subject_id=row.id,
        correction_id=asked.id,
        approved=request.approve,
    )
    return Decided(
        asked.id,
        to,
        row.id,
        orders.work_order(session, row.id).state,
        visits.get(session, asked.visit_id).verdict,
    )


def _judge_again(session: Session, row: Row[Any], *, at: datetime, actor: Actor) -> None:
    """Judge a visit by its new times; what the rules now doubt is not confirmed by silence."""
    asked = judge.asks_for_a_person(judge.judge_work_order(session, row))
    if asked and State(row.state) is State.DONE:
        orders.move(
            session,
            row.id,
            expected=State.DONE,
            to=State.DISPUTED,
            at=at,
            actor=actor,
            reason=",".join(asked),
        )
