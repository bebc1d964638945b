"""Tell outside payers what we held, captured, released and refunded, and compare the books."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import SYSTEM
from marketplace.kernel.db import transaction
from marketplace.kernel.outbox import OutboxMessage
from marketplace.kernel.ports import DeliveryFailed, OutsidePayer, OutsideRefused, Ports
from marketplace.vouchers.ledger import EntitlementTooSmall
from marketplace.vouchers.models import LedgerTransfer, PriceSplit
from marketplace.vouchers.requotes import Requoted, lock_purses, refused_split, requote

MOST_REFUSALS = 8
"""How often a payer may say no to one message before only a person goes on with it."""

UNREACHED_FOR = timedelta(minutes=5)
"""How long a message rests whose payer could not be reached; it never gives up."""


@dataclass(frozen=True, slots=True)
class Told:
    """How many messages an outside payer took, refused (a person must look) or must get again.

    ``requoted``: work orders whose refused hold was split anew; their elders were told.
    """

    taken: int
    refused: int
    again: int
    requoted: tuple[str, ...] = ()


def tell_outside_payers(session: Session, ports: Ports, *, limit: int = 200) -> Told:
    """Deliver what is due, oldest first. The call is made with no transaction open; repeating a
    message is harmless, because the outside system knows it by its hold.

    A payer that cannot be reached is left alone until the next round, and its messages wait for it
    however long it is away; one that nobody speaks for here keeps nobody else's waiting. A no is asked
    again later and later, eight times, since what it lacks may only be late.

    A refused hold is no dead end: the outside purse is asked again, and the work order is split anew
    by what it has left. Only what was captured meanwhile stays for a person.
    """
    taken = refused = again = 0
    requoted: list[str] = []
    unreached: set[str] = set()
    for message_id, payer_code, template, values, attempts in _due(session, ports, limit):
        if payer_code in unreached:
            continue
        payer, error = ports.outside[payer_code], None
        try:
            try:
                _tell(session, payer, template.removeprefix("outside."), values)
            except OutsideRefused as refusal:
                error = str(refusal)[:200]
                if template == "outside.hold":
                    anew = _split_anew(session, ports, payer, message_id, values, error)
                    if anew is not None:
                        requoted.append(anew.work_order_id)
                        continue
        except DeliveryFailed as failure:
            unreached.add(payer_code)
            again += 1
            put_off(session, ports.clock.now(), message_id, str(failure)[:200])
            continue
        taken, refused = taken + (error is None), refused + (error is not None)
        note(session, ports.clock.now(), message_id, attempts + 1, error)
    return Told(taken, refused, again, tuple(requoted))


def _due(session: Session, ports: Ports, limit: int) -> list[Any]:
    """Return the messages that are due to payers who can be spoken to, oldest first."""
    m = OutboxMessage
    session.rollback()
    rows = session.execute(
        select(m.id, m.recipient_id, m.template, m.values, m.attempts)
        .where(
            m.channel == "bureau",
            m.template.like("outside.%"),
            m.recipient_id.in_(sorted(ports.outside)),
            m.delivered_at.is_(None),
            m.due_at <= ports.clock.now(),
            m.attempts < MOST_REFUSALS,
        )
        .order_by(m.due_at, m.id)
        .limit(limit)
    ).all()
    session.rollback()
    return list(rows)


def _tell(session: Session, payer: OutsidePayer, verb: str, values: dict[str, Any]) -> None:
    hold_id, fen = str(values["hold_id"]), int(values["fen"])
    # A refund names the capture that it takes back; both go by the hold's name outside.
    hold_id = "hold/" + hold_id.split("/", 1)[1]
    match verb:
        case "hold":
            person, period = _whose(session, values)
            payer.hold(hold_id=hold_id, person_id=person, period=period, fen=fen)
        case "capture":
            payer.capture(hold_id=hold_id, fen=fen)
        case "release":
            payer.release(hold_id=hold_id)
        case "refund":
            payer.refund(hold_id=hold_id, fen=fen)
        case _:
            raise ValueError(verb)


def _whose(session: Session, values: dict[str, Any]) -> tuple[str, str]:
    """Return person and month of a hold: an entitlement's are in its name, a fund is of no one person."""
    account_id = str(values["account_id"])
    if account_id.startswith("ent:"):
        _, _, person, period = account_id.split(":")[:4]
        return person, period
    row = session.execute(
        select(PriceSplit.elder_id, PriceSplit.period).where(
            PriceSplit.work_order_id == values["work_order_id"]
        )
    ).one()
    session.rollback()
    return row.elder_id, row.period


def _split_anew(
    session: Session,
    ports: Ports,
    payer: OutsidePayer,
    message_id: str,
    values: dict[str, Any],
    error: str,
) -> Requoted | None:
    """Split a work order anew whose hold was refused; ``None`` where its money has moved on or the
    payer does not say what is left."""
    hold_id, account_id = str(values["hold_id"]), str(values["account_id"])
    if not account_id.startswith("ent:"):
        return None
    _, _, person, period = account_id.split(":")[:4]
    try:
        voucher = payer.quote([person], period).get(person)
    except OutsideRefused:
        return None
    left_fen = voucher.left_fen if voucher else 0
    try:
        return _requote(session, ports, message_id, hold_id, left_fen, error)
    except EntitlementTooSmall:
        # Another step of the same elder was faster: now nobody is, until this one ends.
        return _requote(session, ports, message_id, hold_id, left_fen, error, alone=True)


def _requote(
    session: Session,
    ports: Ports,
    message_id: str,
    hold_id: str,
    left_fen: int,
    error: str,
    *,
    alone: bool = False,
) -> Requoted | None:
    with transaction(session):
        at = ports.clock.now()
        found = refused_split(session, hold_id)
        if found is None:
            return None
        row, held_on = found
        if alone:
            lock_purses(session, row.elder_id)
        done = requote(session, row=row, account_id=held_on, left_fen=left_fen, at=at)
        # The outside system never took this hold, so it need not hear of its end.
        ended = "void/" + hold_id.removeprefix("hold/")
        m = OutboxMessage
        session.execute(
            update(m)
            .where(
                m.delivered_at.is_(None),
                (m.id == message_id)
                | m.dedup_key.startswith(f"{ended}/outside.release/", autoescape=True),
            )
            .values(delivered_at=at, last_error=error)
            .execution_options(synchronize_session=False)
        )
        outbox.post(
            session,
            due_at=at,
            channel="sms",
            recipient_kind="elder",
            recipient_id=done.elder_id,
            template="money.requoted",
            about=hold_id,
            day=row.use_on.isoformat(),
            work_order_id=done.work_order_id,
            own_before_fen=done.own_before_fen,
            own_after_fen=done.own_after_fen,
        )
        audit.record(
            session,
            at=at,
            actor=SYSTEM,
            action="requote",
            subject_kind="work_order",
            subject_id=done.work_order_id,
            reason=error,
            own_before_fen=done.own_before_fen,
            own_after_fen=done.own_after_fen,
            spent_elsewhere_fen=done.spent_elsewhere_fen,
        )
        return done


def note(session: Session, at: datetime, message_id: str, attempts: int, error: str | None) -> None:
    """Note that a message was taken, or refused and when it is told again."""
    with transaction(session):
        values: dict[str, Any] = {"attempts": attempts, "last_error": error}
        if error is None:
            values["delivered_at"] = at
        else:
            values["due_at"] = at + timedelta(minutes=2 ** (attempts - 1))
        _update(session, message_id, **values)
        if error is not None:
            audit.record(
                session,
                at=at,
                actor=SYSTEM,
                action="outside_refused",
                subject_kind="outbox_message",
                subject_id=message_id,
                reason=error,
            )


def put_off(session: Session, at: datetime, message_id: str, error: str) -> None:
    """Note that a payer could not be reached; that is no refusal, and is not counted as one."""
    with transaction(session):
        _update(session, message_id, due_at=at + UNREACHED_FOR, last_error=error)


def _update(session: Session, message_id: str, **values: Any) -> None:
    session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == message_id, OutboxMessage.delivered_at.is_(None))
        .values(**values)
        .execution_options(synchronize_session=False)
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """A hold on which our ledger and the outside payer disagree: (state, fen) of each."""

    hold_id: str
    ours: tuple[str, int] | None
    theirs: tuple[str, int] | None


def reconcile(session: Session, ports: Ports, *, payer_code: str, period: str) -> list[Difference]:
    """Return where the books differ for a month; empty where they agree.

    A hold that we released and they never took is no difference.
    """
    theirs = ports.outside[payer_code].reconcile(period)
    ours = {
        hold_id: state
        for hold_id, state in _ours(session, payer_code, period).items()
        if state[0] != "released" or hold_id in theirs
    }
    return [
        Difference(hold_id, ours.get(hold_id), theirs.get(hold_id))
        for hold_id in sorted(set(ours) | set(theirs))
        if ours.get(hold_id) != theirs.get(hold_id)
    ]


def _ours(session: Session, payer_code: str, period: str) -> dict[str, tuple[str, int]]:
    hold, end, mirror = (aliased(LedgerTransfer) for _ in range(3))
    rows = session.execute(
        select(hold.id, hold.amount, end.kind, end.amount, mirror.id)
        .outerjoin(end, end.pending_id == hold.id)
        .outerjoin(mirror, mirror.reverses_id == end.id)
        .where(
            hold.kind == "pending",
            hold.code == payer_code,
            hold.unit == "fen",
            hold.period == period,
        )
    )
    found: dict[str, tuple[str, int]] = {}
    for hold_id, amount, kind, captured, reversed_by in rows:
        if kind is None:
            found[hold_id] = ("held", amount)
        elif kind != "post":
            found[hold_id] = ("released", 0)
        elif reversed_by is None:
            found[hold_id] = ("captured", captured)
        else:
            found[hold_id] = ("refunded", 0)
    return found
