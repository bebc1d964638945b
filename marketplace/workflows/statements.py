"""A statement's way: the vendor confirms, the street checks, the county approves, a second releases."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.settlement import rules
from marketplace.settlement import service as settlement
from marketplace.settlement.models import STEPS, Statement
from marketplace.vouchers import payouts, programmes
from marketplace.workflows import sampling
from marketplace.workflows.policy import About, Action, require

ACTIONS = {
    "vendor_confirmed": Action.CONFIRM_STATEMENT,
    "street_checked": Action.CHECK_STATEMENT,
    "county_approved": Action.APPROVE_STATEMENT,
    "released": Action.APPROVE_STATEMENT,
}


@dataclass(frozen=True, slots=True)
class Signed:
    """How far a statement has come, and what its release paid."""

    statement_id: str
    step: str
    paid_fen: int


def sign_statement(
    session: Session, ports: Ports, actor: Actor, *, statement_id: str, step: str, note: str = ""
) -> Signed:
    """Sign one step of a statement; the last one pays the vendor. Repeating it changes nothing.

    Raises ``WrongState`` out of order and ``NotAllowed`` where one person would sign twice. The county
    approves once its sample is checked (``SampleOpen``), and the release waits for the end of the public
    notice (``NoticeRuns``).
    """
    if step not in STEPS:
        raise BadInput(field="step", value=step, expected=list(STEPS))
    with transaction(session):
        row = settlement.statement(session, statement_id)
        # Two persons: the signatures themselves refuse one hand twice, and know a repeat.
        require(
            actor,
            ACTIONS[step],
            About(
                kind="statement",
                id=row.id,
                vendor_id=row.vendor_id,
                district_code=row.district_code,
            ),
        )
        at = ports.clock.now()
        if step == "county_approved":
            sampling.require_checked(session, row)
        elif step == "released":
            sampling.require_notice_over(session, row, at)
        fresh = settlement.sign(session, statement_id, step=step, at=at, actor=actor, note=note)
        paid = _payable(row) if step == "released" else {}
        if fresh:
            if step == "released":
                payouts.pay_vendor(
                    session,
                    statement_id=row.id,
                    vendor_id=row.vendor_id,
                    district_code=row.district_code,
                    period=row.period,
                    by_programme=paid,
                    at=at,
                )
                outbox.post(
                    session,
                    due_at=at,
                    channel="screen",
                    recipient_kind="vendor",
                    recipient_id=row.vendor_id,
                    template="statement.released",
                    about=row.id,
                    fen=sum(paid.values()),
                )
            audit.record(
                session,
                at=at,
                actor=actor,
                action="sign_statement",
                subject_kind="statement",
                subject_id=row.id,
                reason=note[:200] or None,
                step=step,
                sha256=row.sha256,
                paid_fen=sum(paid.values()),
            )
        return Signed(statement_id, settlement.step_of(session, statement_id), sum(paid.values()))


def _payable(row: Statement) -> dict[str, int]:
    """Return what the bureau pays now of each payer: its part less the holdback.

    Where reversals outweigh the month nothing is paid: the vendor gets a demand note instead.
    """
    percent = programmes.settings_on(Period.parse(row.period).last).holdback_percent
    parts = {
        code: fen - rules.holdback_of(fen, percent)
        for code, fen in row.by_programme.items()
        if rules.is_bureau(code)
    }
    return parts if sum(parts.values()) > 0 else {}


def answer_held(
    session: Session,
    ports: Ports,
    actor: Actor,
    *,
    run_id: str,
    work_order_id: str,
    text: str,
) -> None:
    """Let a vendor answer why its own held work order should be paid."""
    if not text.strip():
        raise BadInput(field="text", value=text, expected="what the vendor has to say")
    with transaction(session):
        row = settlement.held(session, run=run_id, work_order_id=work_order_id)
        require(
            actor,
            Action.CONFIRM_STATEMENT,
            About(kind="settlement_held", id=work_order_id, vendor_id=row.vendor_id),
        )
        at = ports.clock.now()
        settlement.answer_held(
            session, run=run_id, work_order_id=work_order_id, text=text, at=at, by=actor.user_id
        )
        audit.record(
            session,
            at=at,
            actor=actor,
            action="answer_held",
            subject_kind="work_order",
            subject_id=work_order_id,
            run_id=run_id,
            text_sha256=rules.text_sha256(text[:500]),
        )
