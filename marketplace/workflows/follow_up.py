"""What the hotline owes by telephone: call-backs on visits, welfare checks, complaints, ring-backs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, exists, func, select
from sqlalchemy.orm import Session

from marketplace.elders import access, follow_ups
from marketplace.elders.follow_ups import Ending, NewFollowUp
from marketplace.elders.models import Elder, FollowUp
from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import SYSTEM, Actor
from marketplace.kernel.clock import instant_of, local, today
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.orders import service as orders
from marketplace.orders.models import Order, WorkOrder, WorkOrderEvent
from marketplace.orders.states import State
from marketplace.visits.models import Evidence, Visit
from marketplace.workflows import confirm, policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.step import run_step

RESULTS: dict[str, tuple[str, ...]] = {
    "call_back": ("answered", "no_answer"),
    "welfare": ("well", "needs_help", "sent_somebody", "no_answer"),
    "complaint": ("settled", "passed_on", "no_answer"),
    "ring_back": ("settled", "no_answer"),
}
"""Kind -> how a call may end. ``no_answer`` leaves it waiting until its last try."""

QUESTIONS = ("came", "on_time", "all_done", "score")
"""What a call-back asks: three times yes or no, and how satisfied from 1 to 5."""

TRY_AGAIN = {
    "call_back": timedelta(hours=2),
    "welfare": timedelta(minutes=15),
    "complaint": timedelta(hours=1),
    "ring_back": timedelta(minutes=30),
}
MOST_TRIES = 3
LOOKED_IN_WITHIN = timedelta(hours=1)
CONTACT_WITHIN = timedelta(hours=24)
DAY_ENDS_S = 17 * 3600
SILENT_DAYS = 7
OLD_YEARS = 80
WELFARE_A_DAY = 60
"""Silent elders rung a day, the longest silent first: what a hotline's desk can do."""

ALWAYS_RUNG = frozenset({"ZY", "JJ"})
"""Baths and emergencies are always asked about; of the rest one in ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRequest:
    """How one call ended. ``answers``: ``came``, ``on_time``, ``all_done`` (yes/no), ``score`` 1-5."""

    follow_up_id: str
    result: str
    note: str = ""
    answers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Followed:
    """The call after the step: its result (empty while it waits) and what else was opened."""

    follow_up_id: str
    result: str
    due_at: datetime | None
    opened: str | None = None


def record_result(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: ResultRequest
) -> Followed:
    """Write how a call ended and do what follows from it.

    A satisfied elder confirms the visit; one who denies it or is not satisfied keeps its money held
    and opens a complaint; somebody sent to a door is asked about again within the hour. Raises
    ``SecondPersonNeeded`` for answers about a visit that the caller ordered.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="record_result",
        request=request,
        answer=Followed,
        run=lambda at: _record(session, actor, request, at),
    )


def _record(session: Session, actor: Actor, request: ResultRequest, at: datetime) -> Followed:
    row = follow_ups.get(session, request.follow_up_id)
    elder = access.facts(session, row.elder_id, on=local(at).date())
    about = subjects.about_elder(session, actor, elder)
    policy.require(actor, Action.FOLLOW_UP, about)
    if request.result not in RESULTS[row.kind]:
        raise BadInput(field="result", value=request.result, expected=list(RESULTS[row.kind]))
    if request.result == "answered":
        ordered_by = _ordered_by(session, row.work_order_id)
        policy.require(actor, Action.FOLLOW_UP, replace(about, entered_by=ordered_by))
    answers = _checked(request.answers) if request.result == "answered" else {}
    opened = None
    if request.result == "no_answer" and row.attempts + 1 < MOST_TRIES:
        due_at = at + TRY_AGAIN[row.kind]
        follow_ups.try_later(session, row.id, due_at=due_at, attempts=row.attempts)
        answer = Followed(row.id, "", due_at)
    else:
        result = _verdict(answers) if request.result == "answered" else request.result
        ending = Ending(result=result, note=request.note, answers=answers)
        follow_ups.finish(session, row.id, ending, at=at, by=actor.user_id)
        opened = _consequence(session, row, result, request.note, actor=actor, at=at)
        answer = Followed(row.id, result, None, opened)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="record_result",
        subject_kind="follow_up",
        subject_id=row.id,
        kind=row.kind,
        result=answer.result or "no_answer",
        opened=opened,
    )
    return answer


def _ordered_by(session: Session, work_order_id: str | None) -> str | None:
    """Return who ordered a visit: whoever did takes no answers about it, else one moves the money alone."""
    if work_order_id is None:
        return None
    order_id = orders.work_order(session, work_order_id).order_id
    return orders.order(session, order_id).placed_by


def _checked(answers: dict[str, Any]) -> dict[str, Any]:
    """Return the four answers; raises ``BadInput`` naming the one that is missing."""
    checked: dict[str, Any] = {}
    for name in QUESTIONS[:3]:
        if answers.get(name) not in (True, False):
            raise BadInput(field=name, value=answers.get(name), expected=[True, False])
        checked[name] = answers[name]
    score = answers.get("score")
    if not isinstance(score, int) or isinstance(score, bool) or not 1 <= score <= 5:
        raise BadInput(field="score", value=score, expected="1 to 5")
    return {**checked, "score": score}


def _verdict(answers: dict[str, Any]) -> str:
    if not answers["came"]:
        return "denied"
    return "satisfied" if answers["score"] >= 3 and answers["all_done"] else "not_satisfied"


def _consequence(
    session: Session, row: Row[Any], result: str, note: str, *, actor: Actor, at: datetime
) -> str | None:
    """Do what a result asks for; return the kind of call that it opened."""
    if result == "satisfied":
        _confirm(session, row, actor=actor, at=at)
    if result in ("denied", "not_satisfied"):
        keep_held(session, row.work_order_id, result, actor=actor, at=at)
        return _open(session, row, "complaint", result, note, due_at=at + CONTACT_WITHIN, at=at)
    if row.kind == "welfare" and result in ("sent_somebody", "no_answer"):
        # A door that stays shut and a telephone that rings on are never an end: somebody looks in.
        return _open(
            session, row, "welfare", "looked_in", note, due_at=at + LOOKED_IN_WITHIN, at=at
        )
    if result == "needs_help":
        outbox.post(
            session,
            due_at=at,
            channel="sms",
            recipient_kind="family",
            recipient_id=row.elder_id,
            template="needs_help",
            about=row.id,
            elder_id=row.elder_id,
        )
    return None


def _open(
    session: Session,
    row: Row[Any],
    kind: str,
    reason: str,
    note: str,
    *,
    due_at: datetime,
    at: datetime,
) -> str:
    new = NewFollowUp(
        kind=kind,
        dedup_key=f"{kind}/{row.id}",
        elder_id=row.elder_id,
        work_order_id=row.work_order_id,
        reason=reason,
        note=note,
        due_at=due_at,
    )
    follow_ups.open_one(session, new, at=at, by=row.id)
    return kind


def _confirm(session: Session, row: Row[Any], *, actor: Actor, at: datetime) -> None:
    """Take the elder's word as the confirmation of a visit that still waits for one."""
    if row.work_order_id is None:
        return
    work = orders.work_order(session, row.work_order_id)
    if State(work.state) is not State.DONE:
        return
    try:
        with session.begin_nested():
            confirm.settle_visit(
                session, work.id, since=State.DONE, at=at, actor=actor, reason=f"call:{row.id}"
            )
    except confirm.NOT_DUE:
        # It cannot be captured now: the answer is kept, a person sees to the money.
        keep_held(session, work.id, "capture_refused", actor=actor, at=at)


def keep_held(
    session: Session, work_order_id: str | None, reason: str, *, actor: Actor, at: datetime
) -> bool:
    """Dispute a visit that waits for its confirmation; return whether there was one."""
    if work_order_id is None:
        return False
    row = orders.work_order(session, work_order_id)
    if State(row.state) is not State.DONE:
        return False
    confirm.hold_for_a_person(
        session, row, reason, nobody_came=reason == "denied", actor=actor, at=at
    )
    return True


@dataclass(frozen=True, slots=True)
class _Nothing:
    ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Found:
    """How many calls were opened: on visits, and on elders who have been silent."""

    call_backs: int
    welfare: int


def find_due(session: Session, ports: Ports) -> Found:
    """Open the calls that visits and silence ask for; a second run opens none again."""
    return run_step(
        session,
        ports,
        SYSTEM,
        key=f"find_due/{new_id()}",
        command="find_due",
        request=_Nothing(),
        answer=Found,
        run=lambda at: _find(session, ports, at),
    )


def _find(session: Session, ports: Ports, at: datetime) -> Found:
    day = today(ports.clock)
    due = instant_of(day if local(at).hour < 12 else day + timedelta(days=1), DAY_ENDS_S)
    back = follow_ups.open_many(session, _call_backs(session, day, due), at=at, by=SYSTEM.user_id)
    silent = follow_ups.open_many(session, _silent(session, day, at), at=at, by=SYSTEM.user_id)
    if back or silent:
        audit.record(
            session,
            at=at,
            actor=SYSTEM,
            action="find_due",
            subject_kind="follow_up",
            subject_id="*",
            call_backs=back,
            welfare=silent,
        )
    return Found(back, silent)


def _call_backs(session: Session, day: date, due_at: datetime) -> Iterator[NewFollowUp]:
    """Yield call-backs on visits of yesterday and today: first ones, baths, doubtful ones, one in ten."""
    earlier = (
        select(func.count())
        .where(Visit.elder_id == WorkOrder.elder_id, Visit.visit_on < WorkOrder.visit_on)
        .correlate(WorkOrder)
        .scalar_subquery()
    )
    by_itself = exists().where(
        WorkOrderEvent.work_order_id == WorkOrder.id,
        WorkOrderEvent.to_state == State.CONFIRMED.value,
        WorkOrderEvent.reason == "auto",
    )
    pictured = exists().where(
        Evidence.kind == "photo",
        Evidence.visit_id == Visit.id,
        Visit.work_order_id == WorkOrder.id,
    )
    rows = session.execute(
        select(
            WorkOrder.id,
            WorkOrder.elder_id,
            WorkOrder.category_code,
            (earlier == 0).label("is_first"),
            by_itself.label("by_itself"),
            pictured.label("pictured"),
        ).where(
            WorkOrder.visit_on.between(day - timedelta(days=1), day),
            WorkOrder.state.in_([State.DONE.value, State.CONFIRMED.value]),
            ~exists().where(FollowUp.work_order_id == WorkOrder.id, FollowUp.kind == "call_back"),
        )
    )
    for row in rows:
        reason = _why_ring(row)
        if reason is not None:
            yield NewFollowUp(
                kind="call_back",
                dedup_key=f"call_back/{row.id}",
                elder_id=row.elder_id,
                work_order_id=row.id,
                reason=reason,
                due_at=due_at,
            )


def _why_ring(row: Row[Any]) -> str | None:
    if row.is_first:
        return "first_visit"
    if row.category_code in ALWAYS_RUNG:
        return "bath" if row.category_code == "ZY" else "emergency"
    if row.by_itself and not row.pictured:
        return "nobody_confirmed"
    lot = int.from_bytes(hashlib.sha256(row.id.encode()).digest()[:4], "big")
    return "sample" if lot % 10 == 0 else None


def _silent(session: Session, day: date, at: datetime) -> Iterator[NewFollowUp]:
    """Yield who is 80, lives alone and was neither seen nor heard for a week, the longest first."""
    room = WELFARE_A_DAY - follow_ups.made_since(session, "welfare", "silent", instant_of(day, 0))
    if room <= 0:
        return
    since = day - timedelta(days=SILENT_DAYS)
    heard_since = instant_of(since, 0)
    born_by = day.replace(year=day.year - OLD_YEARS, day=min(day.day, 28))
    last_seen = select(func.max(Visit.visit_on)).where(Visit.elder_id == Elder.id).scalar_subquery()
    rows = session.execute(
        select(Elder.id, last_seen.label("seen"))
        .where(
            Elder.status == "active",
            Elder.lives_alone.is_(True),
            Elder.born_on <= born_by,
            ~exists().where(Visit.elder_id == Elder.id, Visit.visit_on >= since),
            ~exists().where(Order.elder_id == Elder.id, Order.placed_at >= heard_since),
            ~exists().where(
                FollowUp.elder_id == Elder.id,
                (FollowUp.result == "") | (FollowUp.done_at >= heard_since),
            ),
        )
        .order_by(func.coalesce(last_seen, date(1900, 1, 1)), Elder.id)
        .limit(room)
    )
    week = day.isocalendar()
    for elder_id, _seen in rows:
        yield NewFollowUp(
            kind="welfare",
            dedup_key=f"welfare/{elder_id}/{week.year}-{week.week:02d}",
            elder_id=elder_id,
            reason="silent",
            due_at=max(at, instant_of(day, DAY_ENDS_S)),
        )
