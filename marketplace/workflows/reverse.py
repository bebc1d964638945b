"""Take back a capture that was wrong: mirror the money, invalidate the work order, tell both sides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import local
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.orders import listed
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.vouchers import programmes
from marketplace.vouchers import service as vouchers
from marketplace.workflows import subjects
from marketplace.workflows.policy import Action, require
from marketplace.workflows.step import run_step

REASONS = ("service_fault", "invalidated", "fraud", "death", "hospital", "wrong_eligibility")


@dataclass(frozen=True, slots=True)
class ReverseRequest:
    """Which work order, why, and what a person found."""

    work_order_id: str
    reason: str
    finding: str


@dataclass(frozen=True, slots=True)
class Reversed:
    """What went back; ``replacements`` are grants in place of such that have ended."""

    work_order_id: str
    state: str
    reversed_fen: int
    replacements: list[str]


def reverse(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: ReverseRequest
) -> Reversed:
    """Reverse a captured work order. The vendor's next statement gets a negative line."""
    if request.reason not in REASONS:
        raise BadInput(field="reason", value=request.reason, expected=list(REASONS))
    if not request.finding.strip():
        raise BadInput(field="finding", value=request.finding, expected="what was found, by whom")
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="reverse",
        request=request,
        answer=Reversed,
        run=lambda at: _reverse(session, actor, request, at),
    )


def _reverse(session: Session, actor: Actor, request: ReverseRequest, at: datetime) -> Reversed:
    row = orders.work_order(session, request.work_order_id)
    require(actor, Action.CORRECT_MONEY, subjects.about_work_order(session, actor, row))
    moved = orders.move(
        session,
        row.id,
        expected={State.CONFIRMED, State.SETTLED},
        to=State.INVALIDATED,
        at=at,
        actor=actor,
        reason=request.reason,
    )
    receipt = vouchers.reverse(
        session, work_order_id=row.id, at=at, reason=request.reason, actor=actor.user_id
    )
    for kind, recipient in (("elder", row.elder_id), ("vendor", row.vendor_id)):
        outbox.post(
            session,
            due_at=at,
            channel="screen" if kind == "vendor" else "sms",
            recipient_kind=kind,
            recipient_id=recipient,
            template="money.reversed",
            about=row.id,
            day=row.visit_on.isoformat(),
            fen=receipt.reversed_fen,
        )
    if request.reason == "fraud":
        _tell_of_frauds(session, row, at)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="reverse",
        subject_kind="work_order",
        subject_id=row.id,
        reason=request.finding[:200],
        cause=request.reason,
        fen=receipt.reversed_fen,
        replacements=list(receipt.replacements),
    )
    return Reversed(row.id, moved.state, receipt.reversed_fen, list(receipt.replacements))


def _tell_of_frauds(session: Session, row: Row[Any], at: datetime) -> None:
    """Ask the vendor's bureau to suspend it, once its frauds are as many or as dear as the settings say.

    A person does it, with one action: nobody is taken off the market by a count alone.
    """
    found = listed.invalidated(session, row.vendor_id, reason="fraud")
    fen = vouchers.reversed_fen(session, found)
    settings = programmes.settings_on(local(at).date())
    if len(found) < settings.frauds_to_suspend and fen < settings.fraud_fen_to_suspend:
        return
    outbox.post(
        session,
        due_at=at,
        channel="screen",
        **outbox.office(district_code=row.district_code),
        template="vendor_frauds",
        about=f"{row.vendor_id}/{len(found)}",
        vendor_id=row.vendor_id,
        num=len(found),
        fen=fen,
    )
