"""What elders pay themselves: cash at the door, the family account, and what is given back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.elders import access
from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import SYSTEM, Actor
from marketplace.kernel.clock import Period, local, today
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import BadInput, DomainError, NotFound
from marketplace.kernel.ids import new_id
from marketplace.kernel.outbox import OutboxMessage
from marketplace.kernel.ports import (
    DeliveryFailed,
    OutsideRefused,
    PaymentProvider,
    PaymentReceived,
    Ports,
)
from marketplace.orders import service as orders
from marketplace.vouchers import payouts
from marketplace.vouchers.models import LedgerAccount, LedgerTransfer
from marketplace.vouchers.programmes import OWN
from marketplace.vouchers.splits import due_account, owed_account
from marketplace.workflows import policy, subjects
from marketplace.workflows.outside import MOST_REFUSALS, note, put_off
from marketplace.workflows.policy import Action
from marketplace.workflows.step import run_step


@dataclass(frozen=True, slots=True)
class CashRequest:
    """Cash that an elder gave at the door of one visit, in fen."""

    work_order_id: str
    fen: int


@dataclass(frozen=True, slots=True)
class BillRequest:
    """Ask a family to pay what the elder owes now."""

    elder_id: str


@dataclass(frozen=True, slots=True)
class Paid:
    """What an elder owes after a payment, in fen; negative where the elder has paid too much."""

    elder_id: str
    fen: int
    owed_fen: int


@dataclass(frozen=True, slots=True)
class Billed:
    """A bill and the code by which the family pays it."""

    bill_id: str
    elder_id: str
    fen: int
    code: str


@dataclass(frozen=True, slots=True)
class Collected:
    """How many payments of the provider were booked, and how many refunds were ordered.

    ``aside``: the bills of payments that could not be booked; a person was told of each.
    """

    booked: int
    refunded: int
    aside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PaymentAside:
    """The bill of a payment that waits for a person."""

    bill_id: str


WHOLE_CITY = "city"
"""The office of what belongs to no district: the bureau of the whole city reads it."""


def owed_fen(session: Session, elder_id: str) -> int:
    """Return what an elder owes of own money: captured and charged, less paid. Holds do not count."""
    a = LedgerAccount
    found = session.scalar(
        select(a.debits_posted - a.credits_posted).where(a.id == owed_account(elder_id))
    )
    return int(found or 0)


def take_cash(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: CashRequest
) -> Paid:
    """Book cash given at the door: the elder owes less, the vendor is due less.

    Raises ``BadInput`` for more than the elder owes for this vendor's services.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="take_cash",
        request=request,
        answer=Paid,
        run=lambda at: _take_cash(session, actor, key, request, at),
    )


def _take_cash(
    session: Session, actor: Actor, key: str, request: CashRequest, at: datetime
) -> Paid:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.TAKE_CASH, subjects.about_work_order(session, actor, row))
    vendor_id = row.vendor_id or ""
    _, stands = payouts.lock_owed(session, row.elder_id, due_account(vendor_id, OWN))
    most = stands.open.get(vendor_id, 0)
    # Cash stays with the vendor: never more than the elder owes for its own services.
    if not 0 < request.fen <= most:
        raise BadInput(field="fen", value=request.fen, expected=f"1 to {most}")
    owed = owed_fen(session, row.elder_id)
    payouts.record_payment(
        session,
        payment_id=f"cash/{new_id()}",
        elder_id=row.elder_id,
        district_code=row.district_code,
        vendor_id=row.vendor_id,
        fen=request.fen,
        method="cash_at_door",
        period=str(Period.of(local(at).date())),
        at=at,
        work_order_id=row.id,
    )
    audit.record(
        session,
        at=at,
        actor=actor,
        action="take_cash",
        subject_kind="work_order",
        subject_id=row.id,
        fen=request.fen,
    )
    return Paid(row.elder_id, request.fen, owed - request.fen)


def bill_family(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: BillRequest
) -> Billed:
    """Ask the provider for what the elder owes now; a repeat gets the first bill.

    Raises ``BadInput`` where nothing is owed. The provider is told outside any transaction and knows a
    repeat by the bill's id.
    """
    billed = run_step(
        session,
        ports,
        actor,
        key=key,
        command="bill_family",
        request=request,
        answer=Billed,
        run=lambda at: _bill(session, actor, request, at),
    )
    code = _provider(ports).ask(bill_id=billed.bill_id, elder_id=billed.elder_id, fen=billed.fen)
    return Billed(billed.bill_id, billed.elder_id, billed.fen, code)


def _bill(session: Session, actor: Actor, request: BillRequest, at: datetime) -> Billed:
    elder = access.facts(session, request.elder_id, on=local(at).date())
    policy.require(actor, Action.BILL_FAMILY, subjects.about_elder(session, actor, elder))
    owed = owed_fen(session, elder.id)
    if owed <= 0:
        raise BadInput(field="elder_id", value=elder.id, expected="an elder who owes own money")
    bill_id = f"B-{new_id()}"[:40]
    audit.record(
        session,
        at=at,
        actor=actor,
        action="bill_family",
        subject_kind="elder",
        subject_id=elder.id,
        bill_id=bill_id,
        fen=owed,
    )
    return Billed(bill_id, elder.id, owed, "")


def _provider(ports: Ports) -> PaymentProvider:
    if ports.payments is None:
        raise BadInput(field="payments", value=None, expected="a payment provider (settings)")
    return ports.payments


def collect(session: Session, ports: Ports) -> Collected:
    """Book what families paid since, each once, and give back what elders paid too much.

    A payment that cannot be booked, such as for an elder whom the register does not know, stops no
    other: the city's bureau is told of it each month, and every round tries it again.
    Safe to kill and to run twice at once: a payment is known by its bill, a refund by its entry. A
    provider that cannot be reached is asked again the next time; what it is owed word of waits.
    """
    if ports.payments is None:
        return Collected(0, 0)
    try:
        booked, aside = _book(session, ports, ports.payments)
    except DeliveryFailed:
        return Collected(0, 0)
    given = _give_back(session, ports)
    _tell_refunds(session, ports, ports.payments)
    return Collected(booked, given, aside)


def _book(session: Session, ports: Ports, provider: PaymentProvider) -> tuple[int, tuple[str, ...]]:
    booked, aside = 0, []
    for payment in provider.received():
        try:
            booked += _book_one(session, ports, payment)
        except (NotFound, BadInput) as refusal:
            # Not acknowledged: the provider names it again, and once it can be booked it is.
            _set_aside(session, ports, payment, refusal)
            aside.append(payment.bill_id)
            continue
        provider.acknowledge(payment.bill_id)
    return booked, tuple(aside)


def _book_one(session: Session, ports: Ports, payment: PaymentReceived) -> bool:
    """Book one payment; ``False`` where it is in the books. Raises ``NotFound``, ``BadInput``."""
    with transaction(session):
        at = ports.clock.now()
        district = access.facts(session, payment.elder_id, on=today(ports.clock)).district_code
        fresh = payouts.record_payment(
            session,
            payment_id=payment.bill_id,
            elder_id=payment.elder_id,
            district_code=district,
            vendor_id=None,
            fen=payment.fen,
            method="family_account",
            period=str(Period.of(today(ports.clock))),
            at=at,
        )
        if fresh:
            audit.record(
                session,
                at=at,
                actor=SYSTEM,
                action="collect_payment",
                subject_kind="elder",
                subject_id=payment.elder_id,
                bill_id=payment.bill_id,
                fen=payment.fen,
            )
    return fresh


def _set_aside(
    session: Session, ports: Ports, payment: PaymentReceived, refusal: DomainError
) -> None:
    """Tell the city's bureau of a payment that cannot be booked, once a month while it waits."""
    period = Period.of(today(ports.clock))
    run_step(
        session,
        ports,
        SYSTEM,
        key=f"payment_aside/{period}/{payment.bill_id[:200]}",
        command="payment_aside",
        request=PaymentAside(payment.bill_id),
        answer=PaymentAside,
        run=lambda at: _name_it(session, payment, refusal, period, at),
    )


def _name_it(
    session: Session, payment: PaymentReceived, refusal: DomainError, period: Period, at: datetime
) -> PaymentAside:
    outbox.post(
        session,
        due_at=at,
        channel="screen",
        **outbox.office(district_code=WHOLE_CITY),
        template="payment_aside",
        about=f"{payment.bill_id[:80]}/{period}",
        bill_id=payment.bill_id,
        elder_id=payment.elder_id,
        fen=payment.fen,
        why=refusal.code,
    )
    audit.record(
        session,
        at=at,
        actor=SYSTEM,
        action="payment_aside",
        subject_kind="bill",
        subject_id=payment.bill_id[:40],
        reason=refusal.code,
        elder_id=payment.elder_id,
        fen=payment.fen,
    )
    return PaymentAside(payment.bill_id)


def _give_back(session: Session, ports: Ports) -> int:
    """Refund to the family account, newest bill first, what elders paid beyond what they owe.

    The entry and the word to the provider are one transaction: neither is ever without the other.
    """
    given = 0
    for elder_id in _overpaid(session):
        with transaction(session):
            at = ports.clock.now()
            refunds = payouts.plan_refunds(
                session,
                elder_id=elder_id,
                period=str(Period.of(today(ports.clock))),
                at=at,
            )
            for refund in refunds:
                outbox.post(
                    session,
                    due_at=at,
                    channel="bureau",
                    recipient_kind="system",
                    recipient_id="payments",
                    template=payouts.OWN_REFUND,
                    about=refund.entry_id,
                    refund_id=refund.entry_id,
                    bill_id=refund.bill_id,
                    fen=refund.fen,
                )
                audit.record(
                    session,
                    at=at,
                    actor=SYSTEM,
                    action="refund_payment",
                    subject_kind="elder",
                    subject_id=elder_id,
                    bill_id=refund.bill_id,
                    fen=refund.fen,
                )
        given += len(refunds)
    return given


def _tell_refunds(session: Session, ports: Ports, provider: PaymentProvider) -> None:
    """Tell the provider of refunds until it takes them; it knows a repeat by the entry's name."""
    m = OutboxMessage
    due = session.execute(
        select(m.id, m.values, m.attempts)
        .where(
            m.channel == "bureau",
            m.template == payouts.OWN_REFUND,
            m.delivered_at.is_(None),
            m.due_at <= ports.clock.now(),
            m.attempts < MOST_REFUSALS,
        )
        .order_by(m.due_at, m.id)
        .limit(200)
    ).all()
    session.rollback()
    for message_id, values, attempts in due:
        error = None
        try:
            provider.refund(**values)
        except DeliveryFailed as failure:
            put_off(session, ports.clock.now(), message_id, str(failure)[:200])
            return
        except OutsideRefused as refusal:
            error = str(refusal)[:200]
        note(session, ports.clock.now(), message_id, attempts + 1, error)


def _overpaid(session: Session) -> list[str]:
    a = LedgerAccount
    found = list(
        session.scalars(
            select(a.elder_id)
            .where(
                a.kind == "owed",
                a.credits_posted > a.debits_posted,
                a.id.in_(
                    select(LedgerTransfer.credit_account).where(
                        LedgerTransfer.code == "family_account"
                    )
                ),
            )
            .order_by(a.elder_id)
            .limit(500)
        )
    )
    session.rollback()
    return [e for e in found if e is not None]
