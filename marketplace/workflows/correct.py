"""A vendor adds what speaks for a visit whose money is held; nothing that was recorded is changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.errors import BadInput, WrongState
from marketplace.kernel.ports import Ports
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.visits import service as visits
from marketplace.visits.rules import Method
from marketplace.visits.service import NewEvidence
from marketplace.workflows import policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.step import run_step

KINDS = (Method.PAPER, Method.LANDLINE, Method.MANUAL)
"""What a desk can add: a signed sheet, a call from the elder's telephone, its own word."""


@dataclass(frozen=True, slots=True)
class ProofRequest:
    """What is added to a held visit. ``evidence_id`` is the page's own, so that twice is once."""

    work_order_id: str
    evidence_id: str
    method: str
    note: str


@dataclass(frozen=True, slots=True)
class ProofAdded:
    """The visit that the proof belongs to; a person decides on it."""

    work_order_id: str
    visit_id: str


def add_proof(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: ProofRequest
) -> ProofAdded:
    """Add a proof to a visit that waits for a decision; what was recorded before stays as it is."""
    if request.method not in [m.value for m in KINDS]:
        raise BadInput(field="method", value=request.method, expected=[m.value for m in KINDS])
    if not request.note.strip():
        raise BadInput(field="note", value=request.note, expected="what the proof is")
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="add_proof",
        request=request,
        answer=ProofAdded,
        run=lambda at: _add(session, actor, request, at),
    )


def _add(session: Session, actor: Actor, request: ProofRequest, at: datetime) -> ProofAdded:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.ADD_PROOF, subjects.about_work_order(session, actor, row))
    made = visits.of_work_order(session, row.id)
    if State(row.state) is not State.DISPUTED or not made:
        raise WrongState(id=row.id, state=row.state, expected=[State.DISPUTED.value])
    visits.add_evidence(
        session,
        made[0].id,
        NewEvidence(
            id=request.evidence_id,
            kind="correction",
            method=request.method,
            at_device=at,
            received_at=at,
            by_account=actor.user_id,
            note=request.note.strip()[:200],
        ),
    )
    audit.record(
        session,
        at=at,
        actor=actor,
        action="add_proof",
        subject_kind="work_order",
        subject_id=row.id,
        method=request.method,
    )
    return ProofAdded(row.id, made[0].id)
