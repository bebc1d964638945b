"""What time does by itself: offers expire, silence confirms, plans go on, messages leave, days end.

Each part commits by itself, may be killed and run again, and is safe with two running at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from marketplace.elders import history
from marketplace.kernel import audit
from marketplace.kernel.actor import SYSTEM
from marketplace.kernel.clock import local
from marketplace.kernel.db import transaction
from marketplace.kernel.ids import new_id
from marketplace.kernel.outbox import OutboxMessage
from marketplace.kernel.ports import DeliveryFailed, Ports
from marketplace.orders import listed, plans
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.vouchers import service as vouchers
from marketplace.workflows import accept, confirm, follow_up, own_money, recur
from marketplace.workflows.lapse import lapse
from marketplace.workflows.ledger import seal_ledger
from marketplace.workflows.offer import Market, offer_next
from marketplace.workflows.outside import tell_outside_payers
from marketplace.workflows.step import run_step
from marketplace.workflows.suspend import move_suspended
from marketplace.workflows.visit import close
from vendors import offers

MOST_ATTEMPTS = 8
BATCH = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """What one round of upkeep did."""

    offers_expired: int
    work_orders_made: int
    offered: int
    confirmed: int
    capture_refused: int
    days_ended: int
    left_open: int
    delivered: int
    failed: int
    sealed: int
    moved: int = 0
    follow_ups: int = 0


def upkeep(
    session: Session, ports: Ports, *, after_each: Callable[[str, int], None] | None = None
) -> Kept:
    """Do everything that is due now; ``after_each`` is told each part's name and count."""

    def did(name: str, count: int) -> int:
        if after_each is not None:
            after_each(name, count)
        return count

    did("turn_facts", turn_facts(session, ports))
    expired = did("expire_offers", _until_done(lambda: accept.expire_offers(session, ports), 500))
    made = did("generate", recur.generate(session, ports).work_orders)
    moved = did("move_suspended", move_suspended(session, ports))
    asked = did("ask_for_pooled", ask_for_pooled(session, ports))
    confirmed = refused = 0
    while True:
        batch = confirm.auto_confirm(session, ports, limit=BATCH)
        confirmed += batch.confirmed
        refused += len(batch.refused)
        if batch.confirmed + len(batch.refused) == 0:
            break
    did("auto_confirm", confirmed)
    ended = did("end_days", _until_done(lambda: end_days(session, ports).count, BATCH))
    left_open = did("close_left_open", close_left_open(session, ports).count)
    delivered, failed = deliver(session, ports)
    did("deliver", delivered)
    owed = follow_up.find_due(session, ports)
    did("follow_ups", owed.call_backs + owed.welfare)
    did("tell_outside_payers", tell_outside_payers(session, ports).taken)
    did("collect_payments", own_money.collect(session, ports).booked)
    did("lapse", lapse(session, ports).entitlements)
    sealed = did("seal", sum(s.transfers for s in seal_ledger(session, ports)))
    return Kept(
        offers_expired=expired,
        work_orders_made=made,
        offered=asked,
        confirmed=confirmed,
        capture_refused=refused,
        days_ended=ended,
        left_open=left_open,
        delivered=delivered,
        failed=failed,
        sealed=sealed,
        moved=moved,
        follow_ups=owed.call_backs + owed.welfare,
    )


def _until_done(step: Callable[[], int], batch: int) -> int:
    total = 0
    while (done := step()) > 0:
        total += done
        if done < batch:
            break
    return total


@dataclass(frozen=True, slots=True)
class Count:
    """How many things a part changed."""

    count: int


@dataclass(frozen=True, slots=True)
class _Nothing:
    ids: list[str] = field(default_factory=list)


def _system_step(session: Session, ports: Ports, name: str, run: Any) -> Count:
    return run_step(
        session,
        ports,
        SYSTEM,
        key=f"{name}/{new_id()}",
        command=name,
        request=_Nothing(),
        answer=Count,
        run=run,
    )


def ask_for_pooled(session: Session, ports: Ports) -> int:
    """Offer pooled work orders that no day's plan picks up to the best vendor; return how many.

    Those that nobody may be asked for stay pooled, the hotline was told once.
    """
    today = local(ports.clock.now()).date()
    until = today + timedelta(days=recur.HORIZON_DAYS)
    after: tuple[date, str] | None = None
    offered = 0
    while True:
        with transaction(session):
            waiting = listed.pooled_outside_plans(session, today, until, after=after, limit=BATCH)
        if not waiting:
            return offered
        ids = [row.id for row in waiting]
        offered += _system_step(
            session, ports, "ask_for_pooled", lambda at, ids=ids: _ask(session, ids, at)
        ).count
        after = (waiting[-1].visit_on, waiting[-1].id)


def _ask(session: Session, ids: list[str], at: datetime) -> Count:
    market = Market(session)
    mine = orders.locked_for_change(session, ids, skip_locked=True)
    offered = 0
    for work_order_id, seen in sorted(mine.items()):
        if State(seen.state) is State.POOLED:
            row = orders.work_order(session, work_order_id)
            vendor_id = offer_next(session, row, at=at, actor=SYSTEM, market=market)
            offered += vendor_id is not None
            if vendor_id is not None:
                market.took(row.visit_on, vendor_id)
    _note(session, "ask_for_pooled", offered, at)
    return Count(offered)


def turn_facts(session: Session, ports: Ports) -> int:
    """Let the register follow the facts of elders whose day has come; return how many changed."""
    with transaction(session):
        at = ports.clock.now()
        changed = history.turn(session, local(at).date(), at=at)
        if changed:
            audit.record(
                session,
                at=at,
                actor=SYSTEM,
                action="turn_facts",
                subject_kind="elder",
                subject_id="*",
                count=changed,
            )
    return changed


def end_days(session: Session, ports: Ports) -> Count:
    """Expire work orders whose day passed unserved, a batch at a time, and give their money back."""
    return _system_step(session, ports, "end_days", lambda at: _end_days(session, at))


def _end_days(session: Session, at: datetime) -> Count:
    # A night service may begin until 08:00 of the next morning, so a day ends a day later.
    before = local(at).date() - timedelta(days=1)
    due = listed.unserved_before(session, before, limit=BATCH)
    mine = orders.locked_for_change(session, due, skip_locked=True)
    by_state: dict[str, list[str]] = {}
    for row in mine.values():
        by_state.setdefault(row.state, []).append(row.id)
    waiting = (State.POOLED, State.OFFERED, State.ACCEPTED, State.ASSIGNED, State.NO_SHOW)
    ended: set[str] = set()
    for state in waiting:
        ended |= orders.move_many(
            session,
            by_state.get(state.value, []),
            expected=state,
            to=State.EXPIRED,
            at=at,
            actor=SYSTEM,
            reason="day_passed",
        )
    offers.close(session, ended, at=at, reason="day_passed")
    vouchers.release_many(session, sorted(ended), at=at, reason="day_passed", expire=True)
    plans.forget_left_out(session, ended)
    _note(session, "end_days", len(ended), at)
    return Count(len(ended))


def close_left_open(session: Session, ports: Ports) -> Count:
    """End services that nobody checked out of: a person looks at what was begun and not ended."""
    return _system_step(session, ports, "close_left_open", lambda at: _close_left_open(session, at))


def _close_left_open(session: Session, at: datetime) -> Count:
    before = local(at).date() - timedelta(days=1)
    due = listed.in_service_before(session, before, limit=BATCH)
    mine = orders.locked_for_change(session, due, skip_locked=True)
    closed = 0
    for work_order_id, seen in sorted(mine.items()):
        if State(seen.state) is State.IN_SERVICE:
            close(session, orders.work_order(session, work_order_id), at=at, actor=SYSTEM)
            closed += 1
    _note(session, "close_left_open", closed, at)
    return Count(closed)


def _note(session: Session, action: str, count: int, at: datetime) -> None:
    if count:
        audit.record(
            session,
            at=at,
            actor=SYSTEM,
            action=action,
            subject_kind="work_order",
            subject_id="*",
            count=count,
        )


def deliver(session: Session, ports: Ports, *, limit: int = BATCH) -> tuple[int, int]:
    """Send what is due in the outbox; return how many went and how many failed this time.

    A message is claimed by moving its due time before it is sent, so that two senders do not send it
    twice; a failed one comes back later and later, eight times in all.
    """
    sent = failed = 0
    for message_id in _due_messages(session, ports, limit):
        claimed = _claim(session, ports, message_id)
        if claimed is None:
            continue
        try:
            _send(ports, claimed)
        except DeliveryFailed as error:
            _mark(session, message_id, last_error=str(error)[:200])
            failed += 1
        else:
            _mark(session, message_id, delivered_at=ports.clock.now(), last_error=None)
            sent += 1
    return sent, failed


# Files and calls of another authority leave by their own adapter, statements by settlement.
_OURS = ("sms", "voice", "screen")


def _due_messages(session: Session, ports: Ports, limit: int) -> list[str]:
    m = OutboxMessage
    with transaction(session):
        return list(
            session.scalars(
                select(m.id)
                .where(
                    m.delivered_at.is_(None),
                    m.due_at <= ports.clock.now(),
                    m.attempts < MOST_ATTEMPTS,
                    m.channel.in_(_OURS),
                )
                .order_by(m.due_at, m.id)
                .limit(limit)
            )
        )


def _claim(session: Session, ports: Ports, message_id: str) -> dict[str, Any] | None:
    m = OutboxMessage.__table__.c
    now = ports.clock.now()
    with transaction(session):
        row = session.execute(
            select(m.attempts).where(m.id == message_id, m.delivered_at.is_(None), m.due_at <= now)
        ).first()
        if row is None:
            return None
        claimed = session.execute(
            update(OutboxMessage.__table__)  # type: ignore[arg-type]
            .where(m.id == message_id, m.attempts == row.attempts, m.delivered_at.is_(None))
            .values(attempts=row.attempts + 1, due_at=now + timedelta(minutes=2**row.attempts))
            .returning(m.id, m.channel, m.recipient_kind, m.recipient_id, m.template, m["values"])
        ).first()
        return None if claimed is None else dict(claimed._mapping)


@retry(
    retry=retry_if_exception_type(DeliveryFailed),
    stop=stop_after_attempt(2),
    wait=wait_exponential(multiplier=0.05, max=0.2),
    reraise=True,
)
def _send(ports: Ports, message: dict[str, Any]) -> None:
    if message["channel"] == "screen":
        ports.live.publish(
            f"{message['recipient_kind']}/{message['recipient_id']}",
            {"template": message["template"], **message["values"]},
        )
        return
    ports.notifier.send(
        channel=message["channel"],
        to=f"{message['recipient_kind']}/{message['recipient_id']}",
        text=ports.wording.text(message["template"], message["values"]),
        message_id=message["id"],
    )


def _mark(session: Session, message_id: str, **values: Any) -> None:
    with transaction(session):
        session.execute(
            update(OutboxMessage).where(OutboxMessage.id == message_id).values(**values)
        )
