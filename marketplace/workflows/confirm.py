"""The elder's word on a visit: confirmed and captured, disputed and kept, decided by a person."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.elders import consents
from marketplace.kernel import audit
from marketplace.kernel.actor import SYSTEM, Actor, Role
from marketplace.kernel.errors import BadInput, Conflict
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.orders import listed
from marketplace.orders import service as orders
from marketplace.orders.rules import AUTO_CONFIRM_AFTER
from marketplace.orders.states import State
from marketplace.visits import homecode
from marketplace.visits import service as visits
from marketplace.visits.rules import CodeWrong
from marketplace.vouchers import service as vouchers
from marketplace.workflows import judge, policy, subjects
from marketplace.workflows.payers import merged, sees_payers
from marketplace.workflows.policy import Action
from marketplace.workflows.step import run_step


class VisitNotEnded(Conflict):
    """Nobody checked out: without its end a visit is on no statement, so nothing is paid for it. Its
    times can be corrected first. Facts: ``id``."""


METHODS: dict[Role, tuple[str, ...]] = {
    Role.ELDER: ("tap", "pin"),
    Role.FAMILY: ("tap",),
    Role.HOTLINE: ("voice", "pin"),
    Role.COMMUNITY: ("worker", "pin"),
    Role.SYSTEM: ("auto",),
}
"""How each role may confirm. ``pin`` is the home's rotating code, read out by the elder."""


@dataclass(frozen=True, slots=True)
class ConfirmRequest:
    """Which work order and how it is confirmed; ``reference`` is the recording or the visit."""

    work_order_id: str
    method: str
    pin: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The state and what was captured for the vendor."""

    work_order_id: str
    state: str
    visit_id: str
    captured_fen: int
    fen_by_programme: dict[str, int] = field(default_factory=dict)


def confirm(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: ConfirmRequest
) -> Confirmed:
    """Confirm a visit: the hold is captured, keyed by the work order, for the vendor that served."""
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="confirm",
        request=request,
        answer=Confirmed,
        run=lambda at: _confirm(session, ports, actor, request, at),
    )


def _confirm(
    session: Session, ports: Ports, actor: Actor, request: ConfirmRequest, at: datetime
) -> Confirmed:
    row = orders.work_order(session, request.work_order_id)
    about = subjects.about_work_order(session, actor, row)
    policy.require(actor, Action.CONFIRM, about)
    _check_method(session, ports, actor, row, request, at)
    answer = settle_visit(session, row.id, since=State.DONE, at=at, actor=actor)
    if not sees_payers(actor, about.powers):
        answer = replace(answer, fen_by_programme=merged(answer.fen_by_programme))
    audit.record(
        session,
        at=at,
        actor=actor,
        action="confirm",
        subject_kind="work_order",
        subject_id=row.id,
        reason=request.reference,
        method=request.method,
        fen=answer.captured_fen,
    )
    return answer


def _check_method(
    session: Session,
    ports: Ports,
    actor: Actor,
    row: Row[Any],
    request: ConfirmRequest,
    at: datetime,
) -> None:
    allowed = METHODS.get(actor.role, ())
    if request.method not in allowed:
        raise BadInput(field="method", value=request.method, expected=list(allowed))
    if request.method in ("voice", "worker") and not request.reference:
        raise BadInput(
            field="reference", value=None, expected="the id of the recording or of the visit"
        )
    if request.method == "voice" and consents.is_withdrawn(
        session, row.elder_id, "hotline_recording"
    ):
        raise BadInput(field="method", value="voice", expected=["pin"])
    if request.method == "pin" and not homecode.is_code(
        ports.vault, row.elder_id, request.pin or "", at
    ):
        raise CodeWrong(field="pin", expected="the six digits that the home shows now")


def settle_visit(
    session: Session,
    work_order_id: str,
    *,
    since: State,
    at: datetime,
    actor: Actor,
    reason: str | None = None,
    minutes: int | None = None,
    decided_late: bool = False,
) -> Confirmed:
    """Move a work order to ``confirmed`` and capture its hold, once, for its first visit that ended.

    ``minutes``: what is paid of the standard where that is less than all. Raises ``VisitNotEnded``.
    """
    row = orders.move(
        session,
        work_order_id,
        expected=since,
        to=State.CONFIRMED,
        at=at,
        actor=actor,
        reason=reason,
    )
    ended = [v for v in visits.of_work_order(session, work_order_id) if v.check_out_at is not None]
    if not ended:
        raise VisitNotEnded(id=work_order_id)
    visit = ended[0]
    receipt = vouchers.capture(
        session,
        work_order_id=row.id,
        visit_id=visit.id,
        vendor_id=row.vendor_id,
        at=at,
        minutes_delivered=minutes,
        decided_late=decided_late,
    )
    return Confirmed(row.id, row.state, visit.id, receipt.price_fen, dict(receipt.fen_by_programme))


NOT_DUE = (
    VisitNotEnded,
    vouchers.CaptureTooLate,
    vouchers.HoldGone,
    vouchers.HoldMissing,
    vouchers.PackageNotDelivered,
)
"""Why a hold cannot be captured now: the visit has no end, its month is over, its grant has not come
yet, or a package lacks the month's other visits."""


def settle_if_due(
    session: Session, work_order_id: str, *, at: datetime, actor: Actor, reason: str
) -> bool:
    """Confirm and capture a visit that is done; ``False``, with nothing changed, where it must wait."""
    try:
        with session.begin_nested():
            settle_visit(
                session, work_order_id, since=State.DONE, at=at, actor=actor, reason=reason
            )
    except NOT_DUE:
        return False
    return True


@dataclass(frozen=True, slots=True)
class DisputeRequest:
    """Which work order, what is wrong, and whether the elder says that nobody came."""

    work_order_id: str
    reason: str
    nobody_came: bool = False


@dataclass(frozen=True, slots=True)
class Disputed:
    """The work order's state; the hold is kept."""

    work_order_id: str
    state: str


def dispute(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: DisputeRequest
) -> Disputed:
    """Dispute a visit that is done: nothing is paid until a person has decided."""
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="dispute",
        request=request,
        answer=Disputed,
        run=lambda at: _dispute(session, actor, request, at),
    )


def _dispute(session: Session, actor: Actor, request: DisputeRequest, at: datetime) -> Disputed:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.DISPUTE, subjects.about_work_order(session, actor, row))
    state = hold_for_a_person(
        session, row, request.reason, nobody_came=request.nobody_came, actor=actor, at=at
    )
    audit.record(
        session,
        at=at,
        actor=actor,
        action="dispute",
        subject_kind="work_order",
        subject_id=row.id,
        nobody_came=request.nobody_came,
    )
    return Disputed(row.id, state)


def hold_for_a_person(
    session: Session,
    row: Row[Any],
    reason: str,
    *,
    nobody_came: bool,
    actor: Actor,
    at: datetime,
) -> str:
    """Keep the money of a visit that is done until a person has decided; return its state."""
    moved = orders.move(
        session,
        row.id,
        expected=State.DONE,
        to=State.DISPUTED,
        at=at,
        actor=actor,
        reason=reason[:200],
    )
    if nobody_came:
        judge.judge_work_order(session, row, elder_denies=True)
    state: str = moved.state
    return state


OUTCOMES = ("pay", "pay_part", "void")


@dataclass(frozen=True, slots=True)
class ResolveRequest:
    """A person's decision on a dispute, with its reason; ``minutes`` for ``pay_part``."""

    work_order_id: str
    outcome: str
    reason: str
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """The state after the decision, and what was captured or released."""

    work_order_id: str
    state: str
    captured_fen: int
    released_fen: int


def resolve(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: ResolveRequest
) -> Resolved:
    """Decide a dispute: pay all, pay a part of the standard minutes, or void the visit."""
    if request.outcome not in OUTCOMES:
        raise BadInput(field="outcome", value=request.outcome, expected=list(OUTCOMES))
    if (request.outcome == "pay_part") != (request.minutes is not None):
        raise BadInput(field="minutes", value=request.minutes, expected="with pay_part only")
    if not request.reason.strip():
        raise BadInput(field="reason", value=request.reason, expected="why it is decided so")
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="resolve",
        request=request,
        answer=Resolved,
        run=lambda at: _resolve(session, actor, request, at),
    )


def _resolve(session: Session, actor: Actor, request: ResolveRequest, at: datetime) -> Resolved:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.RESOLVE, subjects.about_work_order(session, actor, row))
    if request.outcome == "void":
        moved = orders.move(
            session,
            row.id,
            expected=State.DISPUTED,
            to=State.INVALIDATED,
            at=at,
            actor=actor,
            reason=request.reason[:200],
        )
        released = vouchers.release(session, work_order_id=row.id, at=at, reason="invalidated")
        answer = Resolved(row.id, moved.state, 0, released.released_fen)
    else:
        if request.minutes is not None and not 1 <= request.minutes <= row.service_s // 60:
            raise BadInput(
                field="minutes", value=request.minutes, expected=f"1 to {row.service_s // 60}"
            )
        paid = settle_visit(
            session,
            row.id,
            since=State.DISPUTED,
            at=at,
            actor=actor,
            reason=request.reason[:200],
            minutes=request.minutes,
            decided_late=True,
        )
        answer = Resolved(row.id, paid.state, paid.captured_fen, row.price_fen - paid.captured_fen)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="resolve",
        subject_kind="work_order",
        subject_id=row.id,
        reason=request.reason[:200],
        outcome=request.outcome,
        captured_fen=answer.captured_fen,
    )
    return answer


@dataclass(frozen=True, slots=True)
class _Limit:
    limit: int


@dataclass(frozen=True, slots=True)
class AutoConfirmed:
    """How many silent work orders were confirmed, and which could not be captured."""

    confirmed: int
    refused: list[str] = field(default_factory=list)


def auto_confirm(session: Session, ports: Ports, *, limit: int = 200) -> AutoConfirmed:
    """Confirm what was done 48 hours ago and nobody disputed; safe with two running at once."""
    return run_step(
        session,
        ports,
        SYSTEM,
        key=f"auto_confirm/{new_id()}",
        command="auto_confirm",
        request=_Limit(limit),
        answer=AutoConfirmed,
        run=lambda at: _auto_confirm(session, limit, at),
    )


def _auto_confirm(session: Session, limit: int, at: datetime) -> AutoConfirmed:
    silent = listed.done_before(session, at - AUTO_CONFIRM_AFTER, limit=limit)
    mine = orders.locked_for_change(session, silent, skip_locked=True)
    refused: list[str] = []
    confirmed = 0
    for work_order_id, row in mine.items():
        if State(row.state) is not State.DONE:
            continue
        if settle_if_due(session, work_order_id, at=at, actor=SYSTEM, reason="auto"):
            confirmed += 1
            continue
        # A person decides, the others go on.
        orders.move(
            session,
            work_order_id,
            expected=State.DONE,
            to=State.DISPUTED,
            at=at,
            actor=SYSTEM,
            reason="capture_refused",
        )
        refused.append(work_order_id)
    if mine:
        audit.record(
            session,
            at=at,
            actor=SYSTEM,
            action="auto_confirm",
            subject_kind="work_order",
            subject_id="*",
            confirmed=confirmed,
            refused=len(refused),
        )
    return AutoConfirmed(confirmed, refused)
