"""Own money of a visit that was taken back: cash handed back at the door, or over the office's counter.

What a family account paid goes back by itself (``own_money.collect``); what is not given back lessens the
elder's next charge, whoever serves. The vendor who took the cash is deducted unless it hands it back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from marketplace.elders import access
from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import Period, local
from marketplace.kernel.commands import once_for_number
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.orders import listed
from marketplace.orders import service as orders
from marketplace.vouchers import payouts
from marketplace.workflows import policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.step import run_step


@dataclass(frozen=True, slots=True)
class CashBackRequest:
    """Cash that was handed back at the door, in fen; the work order is the one that was taken back."""

    work_order_id: str
    fen: int


@dataclass(frozen=True, slots=True)
class DeskRefundRequest:
    """Own money given back over the counter, in fen; ``receipt`` is the number of the signed paper."""

    elder_id: str
    fen: int
    receipt: str


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What was given back, and what the elder still has to the good, in fen."""

    elder_id: str
    fen: int
    credit_fen: int


def return_cash(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: CashBackRequest
) -> GivenBack:
    """Book cash that the vendor handed back; the elder is told. Nothing is deducted for it any more.

    Raises ``BadInput`` for more than the elder has to the good, or than this vendor took.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="return_cash",
        request=request,
        answer=GivenBack,
        run=lambda at: _return_cash(session, actor, request, at),
    )


def _return_cash(
    session: Session, actor: Actor, request: CashBackRequest, at: datetime
) -> GivenBack:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.TAKE_CASH, subjects.about_work_order(session, actor, row))
    if row.vendor_id is None:
        raise BadInput(field="work_order_id", value=row.id, expected="a visit that somebody served")
    return _give(
        session, actor, at, "return_cash", row.elder_id, request.fen, f"cash_back/{new_id()}",
        subject=("work_order", row.id), vendor_id=row.vendor_id, work_order_id=row.id,
    )  # fmt: skip


def refund_at_desk(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: DeskRefundRequest
) -> GivenBack:
    """Book own money that civil affairs gave back over the counter, out of the district's bank.

    For families that paid in cash where the vendor hands nothing back. Raises ``BadInput`` for more than
    the elder has to the good, ``NumberTaken`` for a receipt that was booked before, ``SecondPersonNeeded``
    where the same person took a visit of this elder back: nobody frees money and gives it out.
    """
    if not request.receipt.strip():
        raise BadInput(field="receipt", value="", expected="the number of the signed receipt")
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="refund_at_desk",
        request=request,
        answer=GivenBack,
        run=lambda at: _refund_at_desk(session, actor, request, at),
    )


def _refund_at_desk(
    session: Session, actor: Actor, request: DeskRefundRequest, at: datetime
) -> GivenBack:
    elder = access.facts(session, request.elder_id, on=local(at).date())
    about = subjects.about_elder(session, actor, elder)
    if listed.has_taken_back(session, actor.user_id, elder.id):
        about = replace(about, entered_by=actor.user_id)
    policy.require(actor, Action.CORRECT_MONEY, about)
    of = f"refund_at_desk/{elder.district_code}"
    once_for_number(session, of=of, number=request.receipt, field="receipt", at=at)
    return _give(
        session, actor, at, "refund_at_desk", elder.id, request.fen, f"{payouts.DESK}{new_id()}",
        subject=("elder", elder.id), reason=request.receipt.strip()[:200],
        district_code=elder.district_code,
    )  # fmt: skip


def _give(
    session: Session,
    actor: Actor,
    at: datetime,
    action: str,
    elder_id: str,
    fen: int,
    entry_id: str,
    *,
    subject: tuple[str, str],
    reason: str | None = None,
    vendor_id: str | None = None,
    work_order_id: str | None = None,
    district_code: str = "",
) -> GivenBack:
    left = payouts.give_back(
        session,
        entry_id=entry_id,
        elder_id=elder_id,
        vendor_id=vendor_id,
        fen=fen,
        period=str(Period.of(local(at).date())),
        at=at,
        work_order_id=work_order_id,
        district_code=district_code,
    )
    told: dict[str, Any] = {"fen": fen, "work_order_id": work_order_id or ""}
    outbox.post(
        session,
        due_at=at,
        channel="sms",
        recipient_kind="elder",
        recipient_id=elder_id,
        template="money.given_back",
        about=entry_id,
        **told,
    )
    audit.record(
        session,
        at=at,
        actor=actor,
        action=action,
        subject_kind=subject[0],
        subject_id=subject[1],
        reason=reason,
        entry=entry_id,
        fen=fen,
    )
    return GivenBack(elder_id, fen, left)
