"""What every redemption without a smartphone does: the crew, the visit, its evidence, the answer.

Each makes the same visit, evidence and work-order moves as a check-in and a check-out at the door,
and is judged by the same rules. What cannot be verified keeps the hold and goes to a person with the
reason; nothing of it is captured by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor
from marketplace.kernel.errors import BadInput, WrongState
from marketplace.kernel.ids import new_id
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.visits import rules
from marketplace.visits import service as visits
from marketplace.visits.rules import Method
from marketplace.visits.service import NewEvidence
from marketplace.vouchers import service as vouchers
from marketplace.workflows import judge
from vendors import caregivers
from vendors.rules import CaregiverCannotServe

LATEST = timedelta(days=3)
"""A call or a paper about a visit comes within three days of it."""

WAITS = frozenset({State.ACCEPTED.value, State.ASSIGNED.value, State.IN_SERVICE.value})


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What redeeming did. ``why``: empty, or the reason for which a person has to look.

    ``state`` is the work order's: ``in_service`` after the first of two readings, ``confirmed`` with
    ``captured_fen`` when the hold is captured, ``disputed`` when it is kept.
    """

    work_order_id: str | None
    elder_id: str | None
    state: str
    captured_fen: int = 0
    why: str = ""
    findings: list[str] = field(default_factory=list)


def checked_crew(session: Session, row: Row[Any], named: Sequence[str], at: datetime) -> list[str]:
    """Return who served, in order; raises for a wrong number, another vendor's or an unplanned one."""
    crew = sorted(set(named))
    if len(crew) != row.crew:
        raise BadInput(field="caregiver_ids", value=list(named), expected=f"{row.crew} caregivers")
    planned = {a.caregiver_id for a in plans.assignments(session, [row.id]).get(row.id, [])}
    for caregiver_id in crew:
        person = caregivers.facts(session, caregiver_id, on=row.visit_on)
        why = None
        if person.vendor_id != row.vendor_id:
            why = "vendor"
        elif person.status != "active":
            why = "left"
        elif row.is_stop and caregiver_id not in planned:
            why = "not_planned"
        if why is not None:
            raise CaregiverCannotServe(field="caregiver_ids", caregiver_id=caregiver_id, why=why)
    return crew


def begin(
    session: Session,
    row: Row[Any],
    crew: Sequence[str],
    *,
    began_at: datetime,
    place: Any,
    at: datetime,
    actor: Actor,
) -> None:
    """Begin the visit of each of the crew; an accepted service at a site gets its people here."""
    if State(row.state) is State.ACCEPTED:
        ends = began_at + timedelta(seconds=row.service_s)
        plans.add_assignments(
            session,
            [
                {
                    "work_order_id": row.id,
                    "caregiver_id": c,
                    "run_id": None,
                    "starts_at": began_at,
                    "ends_at": ends,
                    "locked": True,
                }
                for c in crew
            ],
        )
        orders.move(session, row.id, expected=State.ACCEPTED, to=State.ASSIGNED, at=at, actor=actor)
    orders.move(session, row.id, expected=State.ASSIGNED, to=State.IN_SERVICE, at=at, actor=actor)
    for caregiver_id in crew:
        visits.begin(
            session,
            visit_id=new_id(),
            work_order=row,
            caregiver_id=caregiver_id,
            check_in_at=began_at,
            lat=place.lat,
            lng=place.lng,
        )


def end(session: Session, work_order_id: str, ended_at: datetime) -> None:
    """End the visit of each of the crew."""
    for v in visits.of_work_order(session, work_order_id):
        visits.end(session, v.id, check_out_at=max(ended_at, v.check_in_at))


def add_proof(
    session: Session,
    work_order_id: str,
    kind: str,
    evidence_id: str,
    proof: dict[str, Any],
    actor: Actor,
    *,
    said_at: datetime | None = None,
) -> None:
    """Add one piece of evidence for each of the crew, with the method's trust."""
    method = Method(proof["method"])
    facts = {"trust": rules.trust(method, offline=False), **proof["facts"]}
    for n, v in enumerate(visits.of_work_order(session, work_order_id)):
        visits.add_evidence(
            session,
            v.id,
            NewEvidence(
                id=evidence_id if n == 0 else new_id(),
                kind=kind,
                method=method.value,
                at_device=said_at or proof["at"],
                received_at=proof["at"],
                by_account=actor.user_id,
                note=proof["note"],
                facts=facts,
            ),
        )


def answered(
    session: Session, row: Row[Any], actor: Actor, at: datetime, action: str, why: str = ""
) -> Redeemed:
    """Record the step and say what came of it; what is held goes to a person with the reason."""
    now = orders.work_order(session, row.id)
    crew = visits.of_work_order(session, row.id)
    found = sorted({f["rule"] for v in crew for f in v.findings if f["action"] != "review"})
    captured = now.price_fen if now.state == State.CONFIRMED.value else 0
    if captured:
        captured = sum(
            e.amount
            for e in vouchers.entries_of(session, row.id)
            if e.kind == "post" and e.unit == "fen"
        )
    if now.state == State.DISPUTED.value:
        why = why or ",".join(found)
        _ask_a_person(session, row, why, at)
    audit.record(
        session,
        at=at,
        actor=actor,
        action=action,
        subject_kind="work_order",
        subject_id=row.id,
        state=now.state,
        findings=found,
        fen=captured,
    )
    return Redeemed(row.id, row.elder_id, now.state, captured, why, found)


def _ask_a_person(session: Session, row: Row[Any], why: str, at: datetime) -> None:
    outbox.post(
        session,
        due_at=at,
        channel="screen",
        **outbox.office(town_code=row.town_code, district_code=row.district_code),
        template="visit_not_verified",
        about=row.id,
        day=row.visit_on.isoformat(),
        work_order_id=row.id,
        why=why,
    )


def check_times(row: Row[Any], began: datetime, ended: datetime, at: datetime) -> None:
    """Refuse times that cannot be, are too old, or lie outside the visit's slot."""
    if row.state not in WAITS:
        raise WrongState(id=row.id, state=row.state, expected=sorted(WAITS))
    if not began < ended <= at + rules.CLOCK_SKEW:
        raise BadInput(
            field="ended_at", value=ended.isoformat(), expected="after the beginning, not ahead"
        )
    if at - began > LATEST:
        raise BadInput(field="began_at", value=began.isoformat(), expected="of the last three days")
    judge.check_slot(row, began)


def record_whole(
    session: Session,
    row: Row[Any],
    crew: Sequence[str],
    began: datetime,
    ended: datetime,
    proof: dict[str, Any],
    actor: Actor,
    at: datetime,
) -> None:
    """Write a visit that is told afterwards; one that was begun at the door only gets its end."""
    if not visits.of_work_order(session, row.id):
        begin(session, row, crew, began_at=began, place=row, at=at, actor=actor)
        add_proof(session, row.id, "check_in", new_id(), proof, actor, said_at=began)
    end(session, row.id, ended)
    add_proof(session, row.id, "check_out", new_id(), proof, actor, said_at=ended)
