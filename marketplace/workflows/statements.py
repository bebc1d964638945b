"""A statement's way: the vendor confirms, the street checks, the county approves, a second releases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.settlement import checks, rules, withheld
from marketplace.settlement import service as settlement
from marketplace.settlement.models import STEPS, Statement, StatementLine
from marketplace.vouchers import payouts, programmes
from marketplace.vouchers.models import PriceSplit
from marketplace.vouchers.programmes import OWN
from marketplace.workflows import sampling
from marketplace.workflows.policy import About, Action, require
from marketplace.workflows.vendor_standing import Carried, carried, lock_vendor
from vendors.models import Vendor

ACTIONS = {
    "vendor_confirmed": Action.CONFIRM_STATEMENT,
    "street_checked": Action.CHECK_STATEMENT,
    "county_approved": Action.APPROVE_STATEMENT,
    "released": Action.APPROVE_STATEMENT,
}

FORMS = ("csv", "xlsx", "html", "pdf")
"""How a statement can be taken away."""


@dataclass(frozen=True, slots=True)
class Signed:
    """How far a statement has come, and what its release paid, with what was left of earlier ones."""

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
            _action(session, actor, row, step, note),
            About(
                kind="statement",
                id=row.id,
                vendor_id=row.vendor_id,
                district_code=row.district_code,
            ),
        )
        at = ports.clock.now()
        if step in ("county_approved", "released"):
            # Asked again at the release: a list may have spoken against a visit since.
            sampling.require_checked(session, row)
        if step == "released":
            sampling.require_notice_over(session, row, at)
            # Before the signature, which holds its own statement: whoever locks the vendor waits for
            # nobody who waits for him. The first of two takes a reversed visit off.
            lock_vendor(session, row.vendor_id, row.district_code)
        fresh = settlement.sign(session, statement_id, step=step, at=at, actor=actor, note=note)
        paid = 0
        more: dict[str, Any] = {}
        if step == "released":
            paid, more = _release(session, row, at) if fresh else (_paid_before(session, row), {})
        if fresh:
            if step == "released":
                outbox.post(
                    session,
                    due_at=at,
                    channel="screen",
                    recipient_kind="vendor",
                    recipient_id=row.vendor_id,
                    template="statement.released",
                    about=row.id,
                    fen=paid,
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
                paid_fen=paid,
                **more,
            )
        return Signed(statement_id, settlement.step_of(session, statement_id), paid)


def _action(session: Session, actor: Actor, row: Statement, step: str, note: str) -> Action:
    """Return what a step asks for: civil affairs confirms in place of a vendor that has left the market.

    It says in ``note`` how the vendor was told (the demand note); three others still have to sign.
    """
    if step != "vendor_confirmed" or actor.role is not Role.BUREAU:
        return ACTIONS[step]
    if session.get_one(Vendor, row.vendor_id).status != "left":
        return ACTIONS[step]
    if not note.strip():
        raise BadInput(field="note", value="", expected="how the vendor that left was told")
    return Action.APPROVE_STATEMENT


def _release(session: Session, row: Statement, at: datetime) -> tuple[int, dict[str, Any]]:
    """Pay a statement of a vendor that is locked; return the fen that leave the bank, and what the
    audit keeps of it."""
    off = _withhold(session, row, at)
    stands = carried(session, row.vendor_id, row.district_code)
    net = _net(row, stands.due[row.id])
    # What of it waits for the quarter's quality score.
    kept = sum(stands.due[row.id].values()) - sum(net.values())
    return _pay(session, row, stands, net, at), {"withheld": off, "holdback_fen": kept}


def _pay(
    session: Session, row: Statement, stands: Carried, net: Mapping[str, int], at: datetime
) -> int:
    """Pay a released statement with what earlier ones left unpaid, and pass on what families paid.

    What was taken back since the month was closed is not paid at all (``withheld``). Returns the fen
    that leave the bank.
    Where reversals outweigh the vendor's months nothing is paid, nothing is held back, and the rest
    is deducted from what it earns next: no month is paid in full while another is owed back.
    """
    parts = {**stands.unpaid, row.id: net}
    own = stands.own_fen
    mine = {OWN: own} if own else {}
    # What families are owed back is the vendor's debt like any other; what they paid is its own.
    together = sum(fen for of in parts.values() for fen in of.values()) + min(own, 0)
    if together >= 0:
        parts[row.id] = {**parts[row.id], **mine}
    else:
        parts = {row.id: mine if own > 0 else {}}
    return payouts.pay_vendor(
        session,
        parts,
        vendor_id=row.vendor_id,
        district_code=row.district_code,
        period=row.period,
        at=at,
    )


def _paid_before(session: Session, row: Statement) -> int:
    """Return what the release of a statement paid, whichever statements it paid."""
    vendor = (row.vendor_id, row.district_code)
    due = withheld.parts_of(session, checks.released(session, [vendor])[vendor])
    paid = payouts.paid_out(session, {i: [*of, OWN] for i, of in due.items()})
    if row.id not in paid:
        return 0
    at = paid[row.id].at
    signed = {s.step: s.at for s in settlement.signatures(session, row.id)}
    if signed["released"] != at:
        return 0
    return sum(sum(p.by_programme.values()) for p in paid.values() if p.at == at)


def _withhold(session: Session, row: Statement, at: datetime) -> list[int]:
    """Note which visits of a statement were taken back since its month was closed; return their lines."""
    split = PriceSplit
    since = session.scalars(
        select(split.work_order_id)
        .join(StatementLine, StatementLine.work_order_id == split.work_order_id)
        .where(
            StatementLine.statement_id == row.id,
            StatementLine.kind == "visit",
            split.state == "reversed",
        )
    )
    return withheld.withhold(session, row.id, since.all(), at=at)


def _net(row: Statement, due: Mapping[str, int]) -> dict[str, int]:
    """Return what the bureau pays now of each payer: its part less the holdback."""
    percent = programmes.settings_on(Period.parse(row.period).last).holdback_percent
    return {code: fen - rules.holdback_of(fen, percent) for code, fen in due.items()}


def see_statement(session: Session, actor: Actor, statement_id: str) -> bool:
    """Return whether the reader gets the vendor's copy, which names no programme.

    Raises ``NotFound`` where the statement lies outside the reader's reach.
    """
    _see(session, actor, statement_id)
    return actor.role is Role.VENDOR


def take_statement(
    session: Session, ports: Ports, actor: Actor, *, statement_id: str, form: str
) -> bool:
    """Record that somebody takes a statement away as a file; return as ``see_statement``."""
    if form not in FORMS:
        raise BadInput(field="format", value=form, expected=list(FORMS))
    with transaction(session):
        row = _see(session, actor, statement_id)
        audit.record(
            session,
            at=ports.clock.now(),
            actor=actor,
            action="take_statement",
            subject_kind="statement",
            subject_id=row.id,
            format=form,
            sha256=row.sha256,
        )
    return actor.role is Role.VENDOR


def _see(session: Session, actor: Actor, statement_id: str) -> Statement:
    row = settlement.statement(session, statement_id)
    require(
        actor,
        Action.SEE_STATEMENT,
        About(
            kind="statement", id=row.id, vendor_id=row.vendor_id, district_code=row.district_code
        ),
    )
    return row


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
