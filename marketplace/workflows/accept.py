"""A vendor answers an offer: the first yes has it, a no or a silence asks the next best."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.kernel import audit
from marketplace.kernel.actor import SYSTEM, Actor
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.workflows import policy
from marketplace.workflows.offer import Market, offer_next
from marketplace.workflows.policy import About, Action
from marketplace.workflows.step import run_step
from vendors import offers, registry
from vendors.rules import VendorCannotServe

DECLINE_REASONS = (
    "no_capacity",
    "too_far",
    "no_skill",
    "licence",
    "elder_asked_for_another",
    "price",
    "other",
)


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """An offer and, for a no, the reason (one of ``DECLINE_REASONS``)."""

    offer_id: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The offer's and the work order's state after the answer; who is asked next after a no."""

    offer_id: str
    offer_state: str
    work_order_id: str
    work_order_state: str
    next_vendor_id: str | None = None


def accept_offer(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: AnswerRequest
) -> Answered:
    """Accept an offer: the work order is the vendor's, other offers of it are closed.

    Where the dispatcher chose a caregiver already, the work order is assigned at once. Raises
    ``OfferExpired`` or ``WrongState`` when the vendor comes too late.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="accept_offer",
        request=request,
        answer=Answered,
        run=lambda at: _accept(session, actor, request, at),
    )


def _require(actor: Actor, offer: Row[Any]) -> None:
    policy.require(
        actor,
        Action.ANSWER_OFFER,
        About(kind="job_offer", id=offer.id, vendor_id=offer.vendor_id),
    )


def _accept(session: Session, actor: Actor, request: AnswerRequest, at: datetime) -> Answered:
    offer = offers.get(session, request.offer_id)
    _require(actor, offer)
    # The work order's row is taken first and by all: of two that accept at once the second waits here.
    orders.locked_for_change(session, [offer.work_order_id])
    offer = offers.accept(session, request.offer_id, at=at)
    if registry.vendor_facts(session, only=[offer.vendor_id])[offer.vendor_id].status != "active":
        raise VendorCannotServe(vendor_id=offer.vendor_id, why="suspended")
    row = orders.move(
        session,
        offer.work_order_id,
        expected=State.OFFERED,
        to=State.ACCEPTED,
        at=at,
        actor=actor,
        vendor_id=offer.vendor_id,
    )
    offers.close(session, [row.id], at=at, reason="another_vendor")
    row = take_on(session, row, at=at, actor=actor)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="accept_offer",
        subject_kind="work_order",
        subject_id=row.id,
        vendor_id=offer.vendor_id,
    )
    return Answered(offer.id, offer.state, row.id, row.state)


def take_on(session: Session, row: Row[Any], *, at: datetime, actor: Actor) -> Row[Any]:
    """Let an accepted work order have the caregivers that the dispatcher chose for its vendor.

    The first acceptance of a recurring order with a named vendor is a yes to the whole plan.
    """
    order = orders.order(session, row.order_id)
    if order.rrule is not None and order.vendor_id == row.vendor_id and not order.standing_since:
        orders.set_order(session, order.id, standing_since=at)
    crew = plans.assignments(session, [row.id]).get(row.id, [])
    if not crew:
        return row
    return orders.move(
        session,
        row.id,
        expected=State.ACCEPTED,
        to=State.ASSIGNED,
        at=at,
        actor=actor,
        reason="as_planned",
    )


def decline_offer(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: AnswerRequest
) -> Answered:
    """Decline an offer with a reason; the next best vendor is asked at once."""
    if request.reason not in DECLINE_REASONS:
        raise BadInput(field="reason", value=request.reason, expected=list(DECLINE_REASONS))
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="decline_offer",
        request=request,
        answer=Answered,
        run=lambda at: _decline(session, actor, request, at),
    )


def _decline(session: Session, actor: Actor, request: AnswerRequest, at: datetime) -> Answered:
    found = offers.get(session, request.offer_id)
    _require(actor, found)
    orders.locked_for_change(session, [found.work_order_id])
    offer = offers.decline(session, request.offer_id, at=at, reason=request.reason or "other")
    next_vendor = ask_next(session, offer.work_order_id, at=at, actor=actor, reason="declined")
    row = orders.work_order(session, offer.work_order_id)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="decline_offer",
        subject_kind="work_order",
        subject_id=row.id,
        reason=request.reason,
        vendor_id=offer.vendor_id,
        next_vendor_id=next_vendor,
    )
    return Answered(offer.id, offer.state, row.id, row.state, next_vendor)


def ask_next(
    session: Session,
    work_order_id: str,
    *,
    at: datetime,
    actor: Actor,
    reason: str,
    market: Market | None = None,
) -> str | None:
    """Ask the next best vendor once nobody else may still accept; return which."""
    if offers.open_exists(session, work_order_id):
        return None
    row = orders.work_order(session, work_order_id)
    if State(row.state) is not State.OFFERED:
        return None
    plans.drop_assignments(session, [row.id])
    pooled = orders.move(
        session,
        row.id,
        expected=State.OFFERED,
        to=State.POOLED,
        at=at,
        actor=actor,
        reason=reason,
        vendor_id=None,
        preferred_caregiver_id=None if row.vendor_named else row.preferred_caregiver_id,
        vendor_named=False,
    )
    return offer_next(session, pooled, at=at, actor=actor, market=market)


def expire_offers(session: Session, ports: Ports, *, limit: int = 500) -> int:
    """Expire offers whose deadline has passed and ask the next best; return how many expired.

    Safe with two running at once: each takes offers that the other does not hold.
    """
    from_step = run_step(
        session,
        ports,
        SYSTEM,
        key=f"expire_offers/{new_id()}",
        command="expire_offers",
        request=_Limit(limit),
        answer=_Count,
        run=lambda at: _expire(session, limit, at),
    )
    return from_step.count


@dataclass(frozen=True, slots=True)
class _Limit:
    limit: int


@dataclass(frozen=True, slots=True)
class _Count:
    count: int


def _expire(session: Session, limit: int, at: datetime) -> _Count:
    due = offers.due(session, now=at, limit=limit)
    # Work orders are locked before their offers everywhere, so that no two steps wait on each other.
    mine = orders.locked_for_change(session, {o.work_order_id for o in due}, skip_locked=True)
    expired = offers.expire(session, [o.id for o in due if o.work_order_id in mine], now=at)
    market = Market(session)
    for offer in expired:
        ask_next(session, offer.work_order_id, at=at, actor=SYSTEM, reason="expired", market=market)
    if expired:
        audit.record(
            session,
            at=at,
            actor=SYSTEM,
            action="expire_offers",
            subject_kind="job_offer",
            subject_id="*",
            count=len(expired),
        )
    return _Count(len(expired))
