"""Take a complaint or the wish to be rung back: a category, the words, the visit, and a clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from marketplace.elders import access, follow_ups
from marketplace.elders.follow_ups import NewFollowUp
from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import local
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ids import joined_id
from marketplace.kernel.ports import Ports
from marketplace.orders import service as orders
from marketplace.workflows import follow_up, policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.step import run_step

CATEGORIES = ("quality", "late", "attitude", "money", "safety", "theft", "other")
"""What may be complained of. Safety and theft are due within the hour, the rest within a day."""

URGENT = frozenset({"safety", "theft"})
URGENT_WITHIN = timedelta(hours=1)
RING_REASONS = ("asked", "papers")
RING_BACK_WITHIN = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintRequest:
    """Of what, in whose words, and of which visit where there is one."""

    elder_id: str
    category: str
    text: str = ""
    work_order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Complained:
    """When somebody must have rung, and whether the visit's money is kept held."""

    elder_id: str
    contact_by: datetime
    money_is_held: bool


def complain(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: ComplaintRequest
) -> Complained:
    """Take a complaint: the hotline owes a call, and a visit that waits for its word is not paid."""
    if request.category not in CATEGORIES:
        raise BadInput(field="category", value=request.category, expected=list(CATEGORIES))
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="complain",
        request=request,
        answer=Complained,
        run=lambda at: _complain(session, actor, request, key, at),
    )


def _complain(
    session: Session, actor: Actor, request: ComplaintRequest, key: str, at: datetime
) -> Complained:
    elder = access.facts(session, request.elder_id, on=local(at).date())
    policy.require(actor, Action.COMPLAIN, subjects.about_elder(session, actor, elder))
    held = False
    if request.work_order_id is not None:
        row = orders.work_order(session, request.work_order_id)
        if row.elder_id != elder.id:
            raise BadInput(
                field="work_order_id", value=row.id, expected="a visit of this very elder"
            )
        held = follow_up.keep_held(session, row.id, request.category, actor=actor, at=at)
        if row.vendor_id is not None:
            outbox.post(
                session,
                due_at=at,
                channel="screen",
                recipient_kind="vendor",
                recipient_id=row.vendor_id,
                template="complaint",
                about=joined_id(row.id, key, by="/"),
                day=row.visit_on.isoformat(),
                work_order_id=row.id,
                category=request.category,
            )
    contact_by = at + (URGENT_WITHIN if request.category in URGENT else follow_up.CONTACT_WITHIN)
    new = NewFollowUp(
        kind="complaint",
        dedup_key=joined_id("complaint", actor.user_id, key, by="/"),
        elder_id=elder.id,
        work_order_id=request.work_order_id,
        reason=request.category,
        note=request.text,
        due_at=contact_by,
    )
    follow_ups.open_one(session, new, at=at, by=actor.user_id)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="complain",
        subject_kind="elder",
        subject_id=elder.id,
        category=request.category,
        work_order_id=request.work_order_id,
        money_is_held=held,
    )
    return Complained(elder.id, contact_by, held)


@dataclass(frozen=True, slots=True, kw_only=True)
class RingBackRequest:
    """Whom to ring and about what; ``papers``: something is missing for a programme."""

    elder_id: str
    text: str = ""
    reason: str = "asked"


@dataclass(frozen=True, slots=True)
class RingBack:
    """When the call is due."""

    elder_id: str
    due_at: datetime


def ask_ring_back(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: RingBackRequest
) -> RingBack:
    """Put a call into the hotline's list, due within half an hour."""
    if request.reason not in RING_REASONS:
        raise BadInput(field="reason", value=request.reason, expected=list(RING_REASONS))
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="ask_ring_back",
        request=request,
        answer=RingBack,
        run=lambda at: _ring_back(session, actor, request, key, at),
    )


def _ring_back(
    session: Session, actor: Actor, request: RingBackRequest, key: str, at: datetime
) -> RingBack:
    elder = access.facts(session, request.elder_id, on=local(at).date())
    policy.require(actor, Action.ASK_RING_BACK, subjects.about_elder(session, actor, elder))
    new = NewFollowUp(
        kind="ring_back",
        dedup_key=joined_id("ring_back", actor.user_id, key, by="/"),
        elder_id=elder.id,
        reason=request.reason,
        note=request.text,
        due_at=at + RING_BACK_WITHIN,
    )
    follow_ups.open_one(session, new, at=at, by=actor.user_id)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="ask_ring_back",
        subject_kind="elder",
        subject_id=elder.id,
    )
    return RingBack(elder.id, new.due_at)
