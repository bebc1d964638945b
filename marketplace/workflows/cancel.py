"""Call a visit off, move it to another time, give it back, or report that nobody came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.catalogue import service as catalogue
from marketplace.elders import access
from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import instant_of, local
from marketplace.kernel.errors import Conflict
from marketplace.kernel.ports import Ports
from marketplace.orders import plans, rules
from marketplace.orders import service as orders
from marketplace.orders.rules import Window
from marketplace.orders.states import OPEN, State
from marketplace.vouchers import programmes
from marketplace.vouchers import service as vouchers
from marketplace.workflows import materialise, policy, subjects
from marketplace.workflows.materialise import Due, Plan
from marketplace.workflows.offer import back_to_pool, offer_next
from marketplace.workflows.policy import Action
from marketplace.workflows.step import run_step
from vendors import offers, registry


class TooSoon(Conflict):
    """The visit may still come in time. Facts: ``not_before``."""


class DateTaken(Conflict):
    """The order has a visit in that window already. Facts: ``visit_on``."""


@dataclass(frozen=True, slots=True)
class CancelTerms:
    """What calling off now would cost: nothing, or a part of the own money within so many hours."""

    is_free: bool
    hours: int
    percent_of_own: int


def cancel_terms(starts_at: datetime, at: datetime) -> CancelTerms:
    """Return the terms of calling off at ``at`` a visit that begins at ``starts_at``."""
    settings = programmes.settings_on(local(starts_at).date())
    hours = settings.late_cancel_hours
    return CancelTerms(
        is_free=not rules.is_late_cancel(now=at, starts_at=starts_at, hours=hours),
        hours=hours,
        percent_of_own=settings.late_cancel_percent_of_own,
    )


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Which work order, and why."""

    work_order_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The state after it, the fee kept of own money, and what went back to programmes and elder.

    A vendor's cancellation gives the work order back: the state is then ``offered`` or ``pooled``.
    """

    work_order_id: str
    state: str
    fee_fen: int
    released_fen: int
    next_vendor_id: str | None = None


def cancel(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: CancelRequest
) -> Cancelled:
    """Call off a visit that has not begun; free two hours ahead, else a part of own money is kept."""
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="cancel",
        request=request,
        answer=Cancelled,
        run=lambda at: _cancel(session, actor, request, at),
    )


def _cancel(session: Session, actor: Actor, request: CancelRequest, at: datetime) -> Cancelled:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.CANCEL, subjects.about_work_order(session, actor, row))
    if actor.role is Role.VENDOR:
        answer = _give_back(session, row, actor=actor, at=at)
    else:
        answer = call_off(session, row, request.reason or "cancelled", actor=actor, at=at)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="cancel",
        subject_kind="work_order",
        subject_id=row.id,
        reason=request.reason[:200],
        fee_fen=answer.fee_fen,
        released_fen=answer.released_fen,
    )
    return answer


def starts_at(session: Session, row: Row[Any]) -> datetime:
    """Return when the visit is planned to begin: as assigned, else when its window opens."""
    crew = plans.assignments(session, [row.id]).get(row.id, [])
    if crew:
        return min(a.starts_at for a in crew)
    return instant_of(row.visit_on, row.window_start_s)


def call_off(
    session: Session,
    row: Row[Any],
    reason: str,
    *,
    actor: Actor,
    at: datetime,
    is_free: bool = False,
) -> Cancelled:
    """Call a visit off that has not begun and release its hold, less the fee of a late word."""
    begins = starts_at(session, row)
    moved = orders.move(
        session,
        row.id,
        expected=OPEN | {State.NO_SHOW},
        to=State.CANCELLED,
        at=at,
        actor=actor,
        reason=reason[:200],
    )
    offers.close(session, [row.id], at=at, reason="cancelled")
    plans.drop_assignments(session, [row.id])
    plans.forget_left_out(session, [row.id])
    # A vendor that had taken the visit on is paid for its late loss; nobody else has lost anything.
    taken_on = row.state in (State.ACCEPTED.value, State.ASSIGNED.value)
    if not is_free and taken_on and not cancel_terms(begins, at).is_free:
        released = vouchers.capture_fee(
            session, work_order_id=row.id, vendor_id=row.vendor_id, at=at, kind="late_cancel"
        )
    else:
        released = vouchers.release(session, work_order_id=row.id, at=at, reason="cancelled")
    if taken_on:
        outbox.post(
            session,
            due_at=at,
            channel="screen",
            recipient_kind="vendor",
            recipient_id=row.vendor_id,
            template="visit_cancelled",
            about=row.id,
            day=row.visit_on.isoformat(),
            work_order_id=row.id,
        )
    return Cancelled(row.id, moved.state, released.fee_fen, released.released_fen)


def _give_back(session: Session, row: Row[Any], *, actor: Actor, at: datetime) -> Cancelled:
    """Let a vendor give a visit back: it loses credit and the next best is asked."""
    pooled = back_to_pool(session, row.id, at=at, actor=actor, reason="vendor_cancelled")
    registry.take_credit(session, actor.vendor_id or "", rules.VENDOR_CANCEL_POINTS)
    next_vendor = offer_next(session, pooled, at=at, actor=actor)
    state = orders.work_order(session, row.id).state
    return Cancelled(row.id, state, 0, 0, next_vendor)


@dataclass(frozen=True, slots=True)
class RescheduleRequest:
    """Which work order, and its new day and window (seconds from local midnight)."""

    work_order_id: str
    visit_on: date
    window_start_s: int
    window_end_s: int


@dataclass(frozen=True, slots=True)
class Rescheduled:
    """The work order that was called off and the one made in its place."""

    work_order_id: str
    new_work_order_id: str
    state: str


def reschedule(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: RescheduleRequest
) -> Rescheduled:
    """Move a visit: the old work order is called off, a new one of the same order is made and held.

    Two hours ahead it is free; later the fee of a late cancellation is due for the old one.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="reschedule",
        request=request,
        answer=Rescheduled,
        run=lambda at: _reschedule(session, actor, request, at),
    )


def _reschedule(
    session: Session, actor: Actor, request: RescheduleRequest, at: datetime
) -> Rescheduled:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.RESCHEDULE, subjects.about_work_order(session, actor, row))
    window = Window(request.window_start_s, request.window_end_s)
    return reschedule_within(session, actor, row, request.visit_on, window, at)


def reschedule_within(
    session: Session, actor: Actor, row: Row[Any], visit_on: date, window: Window, at: datetime
) -> Rescheduled:
    """Move a visit inside the caller's transaction; see ``reschedule``."""
    version = catalogue.version_in_force(session, row.service_code, visit_on)
    rules.check_window(
        window,
        visit_on=visit_on,
        now=at,
        time_class=version.time_class,
        unit=version.unit,
    )
    today = local(at).date()
    elder = access.facts(session, row.elder_id, on=today)
    if not elder.is_served(visit_on, row.service_code):
        raise rules.ElderNotServed(field="visit_on", elder_id=elder.id, status=elder.status)
    called_off = call_off(session, row, "rescheduled", actor=actor, at=at)
    order = orders.order(session, row.order_id)
    plan = Plan(
        order_id=row.order_id,
        elder_id=row.elder_id,
        service_code=row.service_code,
        window=window,
        quantity=row.quantity,
        vendor_id=order.vendor_id,
        caregiver_id=order.caregiver_id,
        site_id=row.site_id,
        standing=False,
        is_moved=True,
    )
    due = [Due(plan, visit_on)]
    facts = materialise.read_facts(session, due, today=today)
    made = materialise.make(session, due, at=at, actor=actor, facts=facts)
    if not made:
        raise DateTaken(field="visit_on", visit_on=visit_on.isoformat())
    audit.record(
        session,
        at=at,
        actor=actor,
        action="reschedule",
        subject_kind="work_order",
        subject_id=row.id,
        new_work_order_id=made[0].work_order_id,
        fee_fen=called_off.fee_fen,
    )
    return Rescheduled(row.id, made[0].work_order_id, made[0].state)


@dataclass(frozen=True, slots=True)
class NoShowRequest:
    """Which work order nobody came to."""

    work_order_id: str


@dataclass(frozen=True, slots=True)
class NoShow:
    """The work order's state after another was asked, and which vendor that is."""

    work_order_id: str
    state: str
    next_vendor_id: str | None


def report_no_show(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: NoShowRequest
) -> NoShow:
    """Note that no caregiver came: the vendor loses credit, the next best is asked at once.

    Not before the slot with its half hour has passed; then the elder is first in line.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="report_no_show",
        request=request,
        answer=NoShow,
        run=lambda at: _no_show(session, actor, request, at),
    )


def _no_show(session: Session, actor: Actor, request: NoShowRequest, at: datetime) -> NoShow:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.REPORT_NO_SHOW, subjects.about_work_order(session, actor, row))
    not_before = instant_of(row.visit_on, row.window_end_s) + rules.NO_SHOW_AFTER
    if at < not_before:
        raise TooSoon(not_before=not_before.isoformat())
    vendor_id = row.vendor_id
    orders.move(session, row.id, expected=State.ASSIGNED, to=State.NO_SHOW, at=at, actor=actor)
    pooled = back_to_pool(session, row.id, at=at, actor=actor, reason="first_in_line")
    registry.take_credit(session, vendor_id, rules.NO_SHOW_POINTS)
    next_vendor = offer_next(session, pooled, at=at, actor=actor)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="report_no_show",
        subject_kind="work_order",
        subject_id=row.id,
        vendor_id=vendor_id,
        next_vendor_id=next_vendor,
    )
    return NoShow(row.id, orders.work_order(session, row.id).state, next_vendor)
