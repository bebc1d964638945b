"""A vendor keeps its roster: leave and shifts, and what becomes of visits that no longer fit.

A visit whose caregiver is away, or whose time no shift holds any more, loses its people in the same
step and stands among those without anybody, so that no visit is left to somebody who will not come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import instant_of, local, second_of
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.workflows import policy
from marketplace.workflows.keep import KeepRequest, keep_within, say_left_out
from marketplace.workflows.policy import About, Action
from marketplace.workflows.seats import Seat, write_seats
from marketplace.workflows.step import run_step
from vendors import caregivers, roster

REASONS = ("illness", "leave", "training", "other")
MOST_DAYS = 60
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class LeaveRequest:
    """A caregiver's absence, and who takes over: the changes that the board showed for ``day``.

    Visits in the time that no change names lose their people.
    """

    caregiver_id: str
    from_at: datetime
    to_at: datetime
    reason: str
    day: date | None = None
    seats: list[Seat] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LeaveWritten:
    """The leave, the visits that others took over, and those that have nobody now."""

    leave_id: str
    handed_over: list[str]
    freed: list[str]


def write_leave(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: LeaveRequest
) -> LeaveWritten:
    """Write an absence and hand its visits over or free them, all or nothing.

    Raises ``VisitMoved`` or ``MoveBreaksRule`` where what the board showed holds no more.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="write_leave",
        request=request,
        answer=LeaveWritten,
        run=lambda at: _leave(session, actor, request, at),
    )


def _leave(session: Session, actor: Actor, request: LeaveRequest, at: datetime) -> LeaveWritten:
    _require(session, actor, request.caregiver_id, at)
    if request.reason not in REASONS:
        raise BadInput(field="reason", value=request.reason, expected=list(REASONS))
    if not request.from_at < request.to_at <= request.from_at + timedelta(days=MOST_DAYS):
        raise BadInput(
            field="to_at",
            value=request.to_at.isoformat(),
            expected=f"after the beginning, at most {MOST_DAYS} days",
        )
    caregivers.lock(session, [request.caregiver_id])
    leave_id = roster.add_leave(
        session,
        caregiver_id=request.caregiver_id,
        from_at=request.from_at,
        to_at=request.to_at,
        reason=request.reason,
    )
    handed: list[str] = []
    if request.seats and request.day is not None:
        handed = keep_within(session, actor, KeepRequest(request.day, request.seats), at).kept
    booked = plans.booked(session, [request.caregiver_id], request.from_at, request.to_at)
    freed = _free(session, actor, {a.work_order_id for a in booked if a.ends_at > at}, at)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="write_leave",
        subject_kind="caregiver",
        subject_id=request.caregiver_id,
        reason=request.reason,
        handed_over=len(handed),
        freed=len(freed),
    )
    return LeaveWritten(leave_id, handed, freed)


@dataclass(frozen=True, slots=True)
class EndLeaveRequest:
    """A leave that is taken back."""

    leave_id: str


@dataclass(frozen=True, slots=True)
class LeaveEnded:
    """Whose leave was taken back."""

    caregiver_id: str


def end_leave(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: EndLeaveRequest
) -> LeaveEnded:
    """Take a leave back: the caregiver is there again, visits that went to others stay with them."""
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="end_leave",
        request=request,
        answer=LeaveEnded,
        run=lambda at: _end_leave(session, actor, request, at),
    )


def _end_leave(
    session: Session, actor: Actor, request: EndLeaveRequest, at: datetime
) -> LeaveEnded:
    row = roster.leave(session, request.leave_id)
    caregiver_id = row.caregiver_id
    _require(session, actor, caregiver_id, at)
    roster.drop_leave(session, request.leave_id)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="end_leave",
        subject_kind="caregiver",
        subject_id=caregiver_id,
    )
    return LeaveEnded(caregiver_id)


@dataclass(frozen=True, slots=True)
class DayShifts:
    """All the shifts of one day, as pairs of seconds from local midnight."""

    on: date
    shifts: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class WeekRequest:
    """A caregiver's shifts of some days; days that are not named stay as they are."""

    caregiver_id: str
    days: list[DayShifts]


@dataclass(frozen=True, slots=True)
class WeekWritten:
    """The days that changed, and visits that have nobody now."""

    changed: list[date]
    freed: list[str]


def write_week(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: WeekRequest
) -> WeekWritten:
    """Write a caregiver's shifts, and free the visits that no shift holds any more.

    Raises ``BadInput`` for a day that has passed and for shifts that overlap.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="write_week",
        request=request,
        answer=WeekWritten,
        run=lambda at: _week(session, actor, request, at),
    )


def _week(session: Session, actor: Actor, request: WeekRequest, at: datetime) -> WeekWritten:
    _require(session, actor, request.caregiver_id, at)
    caregivers.lock(session, [request.caregiver_id])
    changed, freed = [], []
    for given in request.days:
        check_shifts(given, today=local(at).date())
        spans = sorted(given.shifts)
        if spans == roster.shifts_of(session, request.caregiver_id, given.on):
            continue
        roster.put_shifts(session, request.caregiver_id, given.on, spans)
        changed.append(given.on)
        freed += _free_outside(session, actor, request.caregiver_id, given.on, spans, at)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="write_week",
        subject_kind="caregiver",
        subject_id=request.caregiver_id,
        changed=len(changed),
        freed=len(freed),
    )
    return WeekWritten(changed, freed)


def check_shifts(given: DayShifts, *, today: date) -> None:
    """Raise ``BadInput`` for a day gone by, a shift that ends before it begins, or two that overlap."""
    if given.on < today:
        raise BadInput(field="on", value=given.on.isoformat(), expected="today or later")
    free_from = 0
    for starts_s, ends_s in sorted(given.shifts):
        if not free_from <= starts_s < ends_s <= DAY_S:
            raise BadInput(
                field="shifts",
                value=[starts_s, ends_s],
                expected="each ends after it begins, by midnight, and none overlaps another",
            )
        free_from = ends_s


def _free_outside(
    session: Session,
    actor: Actor,
    caregiver_id: str,
    on: date,
    shifts: Sequence[tuple[int, int]],
    at: datetime,
) -> list[str]:
    booked = plans.booked(session, [caregiver_id], instant_of(on, 0), instant_of(on, DAY_S))
    lost = {
        a.work_order_id
        for a in booked
        if not any(
            begins <= second_of(on, a.starts_at) and second_of(on, a.ends_at) <= ends
            for begins, ends in shifts
        )
    }
    return _free(session, actor, lost, at)


def _free(session: Session, actor: Actor, ids: Iterable[str], at: datetime) -> list[str]:
    """Take the people off visits that are planned but not begun; return which had some."""
    rows = orders.work_orders(session, ids)
    planned = [r for r in rows.values() if State(r.state) is State.ASSIGNED]
    by_day: dict[date, list[Row[Any]]] = {}
    for row in planned:
        by_day.setdefault(row.visit_on, []).append(row)
    for day, some in by_day.items():
        seats = [Seat(r.id, r.version, [], None) for r in some]
        write_seats(session, actor, day, seats, at=at, reason="absent")
        say_left_out(session, day, [r.id for r in some if r.is_stop])
    # What is only asked of the vendor yet goes back to the plan, which finds somebody else.
    asked = [r.id for r in rows.values() if State(r.state) is State.OFFERED]
    plans.drop_assignments(session, asked)
    return sorted([r.id for r in planned] + asked)


def _require(session: Session, actor: Actor, caregiver_id: str, at: datetime) -> None:
    person = caregivers.facts(session, caregiver_id, on=local(at).date())
    about = About(kind="caregiver", id=caregiver_id, vendor_id=person.vendor_id)
    policy.require(actor, Action.EDIT_ROSTER, about)
