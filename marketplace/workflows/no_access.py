"""Nobody opens: the visit ends at the door, and somebody looks after the elder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from marketplace.elders import follow_ups
from marketplace.elders.follow_ups import NewFollowUp
from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.orders import listed, plans
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.visits import rules
from marketplace.visits import service as visits
from marketplace.vouchers import service as vouchers
from marketplace.workflows import policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.shown import Shown, checked, new_evidence, service_facts
from marketplace.workflows.step import run_step

NO_ACCESS_WAIT = timedelta(minutes=10)
LOOK_WITHIN = timedelta(minutes=30)
"""After a shut door the hotline rings and, if need be, sends somebody within this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAccessRequest:
    """Nobody opened. ``visit_id`` and ``shown`` prove that the caregiver was there."""

    work_order_id: str
    visit_id: str
    shown: Shown


@dataclass(frozen=True, slots=True)
class NoAccess:
    """The work order ended at a closed door; ``fee_fen`` of own money pays the way."""

    work_order_id: str
    state: str
    fee_fen: int
    welfare_check: bool


def report_no_access(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: NoAccessRequest
) -> NoAccess:
    """End a work order at a closed door: the hold is released, the vendor gets the way's fee.

    The second time in a row the hotline is asked to look after the elder at once: who does not open
    may lie on the floor.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="report_no_access",
        request=request,
        answer=NoAccess,
        run=lambda at: _no_access(session, ports, actor, request, at),
    )


def _no_access(
    session: Session, ports: Ports, actor: Actor, request: NoAccessRequest, at: datetime
) -> NoAccess:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.REPORT_NO_ACCESS, subjects.about_work_order(session, actor, row))
    shown = checked(ports, row, request.shown, at)
    if shown.lat is None:
        raise BadInput(field="lat", value=None, expected="the position at the door")
    begins = min(a.starts_at for a in plans.assignments(session, [row.id])[row.id])
    if shown.at_device < begins + NO_ACCESS_WAIT:
        raise rules.WaitAtTheDoor(
            field="at_device", earliest_at=(begins + NO_ACCESS_WAIT).astimezone(UTC).isoformat()
        )
    before = listed.last_ended(session, row.elder_id, row.visit_on)
    again = before is not None and before.state == State.NO_ACCESS.value
    moved = orders.move(
        session,
        row.id,
        expected={State.ASSIGNED, State.IN_SERVICE},
        to=State.NO_ACCESS,
        at=at,
        actor=actor,
    )
    visit, _ = visits.begin(
        session,
        visit_id=request.visit_id,
        work_order=row,
        caregiver_id=actor.caregiver_id or "",
        check_in_at=shown.at_device,
        lat=shown.lat,
        lng=shown.lng,
    )
    visits.add_evidence(
        session, visit.id, new_evidence("no_access", shown, actor, at, service_facts(shown))
    )
    visits.end(session, visit.id, check_out_at=shown.at_device)
    released = vouchers.capture_fee(
        session, work_order_id=row.id, vendor_id=row.vendor_id, at=at, kind="no_access"
    )
    for template in ("no_access", "welfare_check") if again else ("no_access",):
        outbox.post(
            session,
            due_at=at,
            channel="screen",
            **outbox.HOTLINE,
            template=template,
            about=row.id,
            day=row.visit_on.isoformat(),
            elder_id=row.elder_id,
            work_order_id=row.id,
        )
    reason = "shut_twice" if again else "shut_door"
    check = NewFollowUp(
        kind="welfare",
        dedup_key=f"{reason}/{row.id}",
        elder_id=row.elder_id,
        work_order_id=row.id,
        reason=reason,
        due_at=at + LOOK_WITHIN,
    )
    follow_ups.open_one(session, check, at=at, by=actor.user_id)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="report_no_access",
        subject_kind="work_order",
        subject_id=row.id,
        fee_fen=released.fee_fen,
        welfare_check=again,
    )
    return NoAccess(row.id, moved.state, released.fee_fen, again)
