"""A helper does not come, or says that they cannot: somebody else goes, now, and all are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.kernel import audit
from marketplace.kernel.actor import SYSTEM, Actor
from marketplace.kernel.clock import instant_of, second_of
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.workflows import policy, subjects
from marketplace.workflows.advise import Substitute, substitutes_for
from marketplace.workflows.cancel import TooSoon
from marketplace.workflows.moved import tell
from marketplace.workflows.offer import back_to_pool, offer_next
from marketplace.workflows.policy import Action
from marketplace.workflows.seats import Seat, write_seats
from marketplace.workflows.step import run_step
from vendors import caregivers
from vendors.rules import CaregiverCannotServe

LATE_AFTER = timedelta(minutes=15)
"""A helper who has not checked in this long after the planned start counts as missing."""

LATEST_AFTER_S = 3600
"""How long after its window a repaired visit may still begin, with the elder's yes on the telephone."""

WITHDRAW_REASONS = ("ill", "late", "vehicle", "family", "unsafe", "other")
AT_ONCE_S = 7200
"""A visit that begins within two hours is repaired by itself; later ones are the vendor's to give."""


@dataclass(frozen=True, slots=True)
class RepairRequest:
    """Which visit, who goes instead and when; nobody named asks the next vendor."""

    work_order_id: str
    caregiver_id: str | None = None
    start_s: int | None = None


@dataclass(frozen=True, slots=True)
class Repaired:
    """The visit after the step: its state, who goes at what time, or which vendor is asked."""

    work_order_id: str
    state: str
    caregiver_id: str | None = None
    starts_at: datetime | None = None
    next_vendor_id: str | None = None


def repairs(session: Session, ports: Ports, actor: Actor, work_order_id: str) -> list[Substitute]:
    """Return who could still go to a visit whose helper is missing, the best first; reads only."""
    row = orders.work_order(session, work_order_id)
    policy.require(actor, Action.REPAIR, subjects.about_work_order(session, actor, row))
    return _who_could(session, row, ports.clock.now())


def _who_could(session: Session, row: Row[Any], at: datetime) -> list[Substitute]:
    if row.crew != 1 or row.vendor_id is None:
        return []
    window = (
        max(second_of(row.visit_on, at), row.window_start_s),
        row.window_end_s + LATEST_AFTER_S,
    )
    return substitutes_for(session, row, row.vendor_id, most=3, window=window)


def repair(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: RepairRequest
) -> Repaired:
    """Send somebody else to a visit whose helper is missing, and tell elder, vendor and both helpers.

    Raises ``TooSoon`` within a quarter of an hour after the planned start.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="repair",
        request=request,
        answer=Repaired,
        run=lambda at: _repair(session, actor, request, at),
    )


def _repair(session: Session, actor: Actor, request: RepairRequest, at: datetime) -> Repaired:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.REPAIR, subjects.about_work_order(session, actor, row))
    crew = plans.assignments(session, [row.id]).get(row.id, [])
    begins = min((a.starts_at for a in crew), default=instant_of(row.visit_on, row.window_start_s))
    if at < begins + LATE_AFTER:
        raise TooSoon(not_before=(begins + LATE_AFTER).isoformat())
    if request.caregiver_id is None:
        pooled = back_to_pool(session, row.id, at=at, actor=actor, reason="helper_missing")
        next_vendor = offer_next(session, pooled, at=at, actor=actor)
        state = orders.work_order(session, row.id).state
        answer = Repaired(row.id, state, next_vendor_id=next_vendor)
    else:
        answer = _send(session, row, request.caregiver_id, request.start_s, actor=actor, at=at)
    _tell(session, row, [a.caregiver_id for a in crew], answer, at=at)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="repair",
        subject_kind="work_order",
        subject_id=row.id,
        was=[a.caregiver_id for a in crew],
        caregiver_id=answer.caregiver_id,
        next_vendor_id=answer.next_vendor_id,
    )
    return answer


def _send(
    session: Session,
    row: Row[Any],
    caregiver_id: str,
    start_s: int | None,
    *,
    actor: Actor,
    at: datetime,
) -> Repaired:
    """Put one named person on the visit; raises ``CaregiverCannotServe`` where they cannot go now."""
    caregivers.lock(session, [caregiver_id])
    found = next((s for s in _who_could(session, row, at) if s.caregiver_id == caregiver_id), None)
    if found is None:
        raise CaregiverCannotServe(field="caregiver_id", caregiver_id=caregiver_id, why="busy")
    if start_s is not None and start_s > row.window_end_s + LATEST_AFTER_S:
        raise BadInput(
            field="start_s", value=start_s, expected=f"up to {row.window_end_s + LATEST_AFTER_S}"
        )
    begins_s = max(found.start_s, start_s or 0)
    seat = Seat(row.id, row.version, [caregiver_id], begins_s)
    write_seats(
        session,
        actor,
        row.visit_on,
        [seat],
        at=at,
        reason="repaired",
        locked=frozenset([row.id]),
        to_vendor="visit_repaired",
    )
    return Repaired(row.id, State.ASSIGNED.value, caregiver_id, instant_of(row.visit_on, begins_s))


def _tell(
    session: Session, row: Row[Any], was: list[str], answer: Repaired, *, at: datetime
) -> None:
    """Tell the elder by message, the vendor and the helpers on their screens."""
    told = [("sms", "elder", row.elder_id, "helper_changed")]
    told += [("screen", "caregiver", c, "stop_taken_over") for c in was]
    if row.vendor_id is not None:
        told.append(("screen", "vendor", row.vendor_id, "visit_repaired"))
    if answer.caregiver_id is not None:
        told.append(("screen", "caregiver", answer.caregiver_id, "stop_added"))
    tell(session, row, told, at=at)


@dataclass(frozen=True, slots=True)
class WithdrawRequest:
    """Which visit a caregiver cannot make, and why (one of ``WITHDRAW_REASONS``)."""

    work_order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The visit after it: its state, and who goes instead where somebody was found at once."""

    work_order_id: str
    state: str
    caregiver_id: str | None = None


def withdraw(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: WithdrawRequest
) -> Withdrawn:
    """Take a caregiver off a visit that has not begun; said early it costs nothing.

    One that begins within two hours gets the best substitute at once; else it stands first among the
    vendor's exceptions.
    """
    if request.reason not in WITHDRAW_REASONS:
        raise BadInput(field="reason", value=request.reason, expected=list(WITHDRAW_REASONS))
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="withdraw",
        request=request,
        answer=Withdrawn,
        run=lambda at: _withdraw(session, actor, request, at),
    )


def _withdraw(session: Session, actor: Actor, request: WithdrawRequest, at: datetime) -> Withdrawn:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.WITHDRAW, subjects.about_work_order(session, actor, row))
    crew = [a.caregiver_id for a in plans.assignments(session, [row.id]).get(row.id, [])]
    could = [s for s in _who_could(session, row, at) if s.caregiver_id not in crew]
    nobody = Seat(row.id, row.version, [], None)
    write_seats(
        session,
        actor,
        row.visit_on,
        [nobody],
        at=at,
        reason=f"withdrawn:{request.reason}",
        to_vendor=None,
    )
    row = orders.work_order(session, row.id)
    answer = Withdrawn(row.id, row.state)
    soon = instant_of(row.visit_on, row.window_start_s) - at <= timedelta(seconds=AT_ONCE_S)
    if soon and could:
        sent = _send(session, row, could[0].caregiver_id, None, actor=SYSTEM, at=at)
        _tell(session, row, [], sent, at=at)
        answer = Withdrawn(row.id, sent.state, sent.caregiver_id)
    else:
        told = [("vendor", row.vendor_id), ("role", "hotline")]
        tell(session, row, [("screen", kind, who, "nobody_goes") for kind, who in told], at=at)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="withdraw",
        subject_kind="work_order",
        subject_id=row.id,
        reason=request.reason,
        caregiver_id=answer.caregiver_id,
    )
    return answer
