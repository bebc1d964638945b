"""What vendors owe the bank: carried from month to month, repaid, set off, or given up by two persons.

A vendor that earns is deducted with its next release. One that has left the market earns nothing more:
its debt stays to be seen here until it is repaid or written off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import Period, local
from marketplace.kernel.commands import once_for_number
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.settlement import debts
from marketplace.settlement.models import WriteOffStep
from marketplace.vouchers import repayments
from marketplace.vouchers.models import PriceSplit, Redemption
from marketplace.vouchers.repayments import REPAYMENT, WRITE_OFF
from marketplace.workflows.policy import About, Action, require, scope
from marketplace.workflows.step import run_step
from marketplace.workflows.vendor_standing import Carried, carried, standings
from vendors.models import Vendor


@dataclass(frozen=True, slots=True)
class Debt:
    """A receivable: what a vendor owes a district's bank, of it own money of families, and what came in.

    ``statements``: the released ones that are carried; ``waiting``: issued below zero, not released yet.
    ``proposed``: write-offs that wait for a second person, with their fen.
    """

    vendor_id: str
    vendor_name: str
    status: str
    district_code: str
    debt_fen: int
    own_fen: int
    repaid_fen: int
    statements: list[str]
    waiting: list[str]
    proposed: dict[str, int] = field(default_factory=dict)


def debts_of(session: Session, actor: Actor) -> list[Debt]:
    """Return what vendors owe, within the actor's reach: the greatest debt first."""
    reach = scope(actor, Action.SEE_STATEMENT)
    # Nobody owes anything of whom nothing was ever taken back.
    query = (
        select(Redemption.vendor_id, PriceSplit.district_code, Vendor.name, Vendor.status)
        .join(PriceSplit, PriceSplit.work_order_id == Redemption.work_order_id)
        .join(Vendor, Vendor.id == Redemption.vendor_id)
        .where(PriceSplit.state == "reversed")
        .distinct()
    )
    if not reach.everything:
        if reach.vendor_id:
            query = query.where(Redemption.vendor_id == reach.vendor_id)
        if reach.district_code:
            query = query.where(PriceSplit.district_code == reach.district_code)
    rows = session.execute(query).all()
    vendor_ids = {row.vendor_id for row in rows}
    stands = standings(session, [(row.vendor_id, row.district_code) for row in rows])
    waiting, proposed = debts.waiting(session, vendor_ids), debts.proposed(session, vendor_ids)
    found = []
    for row in rows:
        of = (row.vendor_id, row.district_code)
        found.append(_debt(row, stands[of], waiting.get(of, []), proposed.get(of, {})))
    return sorted(
        (d for d in found if d.debt_fen or d.repaid_fen or (d.waiting and d.status == "left")),
        key=lambda d: (-d.debt_fen, d.vendor_id, d.district_code),
    )


def _debt(row: Row[Any], stands: Carried, waiting: list[str], proposed: dict[str, int]) -> Debt:
    return Debt(
        vendor_id=row.vendor_id,
        vendor_name=row.name,
        status=row.status,
        district_code=row.district_code,
        debt_fen=stands.debt_fen,
        own_fen=max(-stands.own_fen, 0) if stands.debt_fen else 0,
        repaid_fen=stands.repaid_fen,
        statements=sorted(stands.unpaid),
        waiting=waiting,
        proposed=proposed,
    )


@dataclass(frozen=True, slots=True)
class RepayRequest:
    """Money of a vendor that came in at a district's bank, in fen, and the bank's number of it."""

    vendor_id: str
    district_code: str
    fen: int
    receipt: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What was booked, and what the vendor still owes, in fen; ``id`` names it in ledger and audit."""

    id: str
    vendor_id: str
    district_code: str
    fen: int
    debt_fen: int


def repay(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: RepayRequest
) -> Settled:
    """Book a vendor's repayment, once for the bank's number of it.

    Raises ``BadInput`` for more than it owes, ``NumberTaken`` for a number that was booked before.
    """
    if not request.receipt.strip():
        raise BadInput(field="receipt", value="", expected="the bank's number of the payment")

    def run(at: datetime) -> Settled:
        require(actor, Action.APPROVE_STATEMENT, _about(request.vendor_id, request.district_code))
        stands = carried(session, request.vendor_id, request.district_code, lock=True)
        of = f"repay_debt/{request.district_code}"
        once_for_number(session, of=of, number=request.receipt, field="receipt", at=at)
        return set_off(
            session, actor, stands, fen=request.fen, reason=request.receipt.strip(), at=at
        )

    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="repay_debt",
        request=request,
        answer=Settled,
        run=run,
    )


def set_off(
    session: Session,
    actor: Actor,
    stands: Carried,
    *,
    fen: int,
    reason: str,
    at: datetime,
) -> Settled:
    """Book money of a vendor that is at the bank against its debt; in the caller's transaction, which
    has locked the vendor and read how it ``stands``."""
    named = new_id()
    left = _settle(session, stands, REPAYMENT, named, fen, at)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="repay_debt",
        subject_kind="vendor",
        subject_id=stands.vendor_id,
        reason=reason[:200],
        repayment_id=named,
        district_code=stands.district_code,
        fen=fen,
    )
    return Settled(named, stands.vendor_id, stands.district_code, fen, left)


def _settle(
    session: Session, stands: Carried, code: str, named: str, fen: int, at: datetime
) -> int:
    """Move what settles a debt; return what is left of it. Raises ``BadInput`` beyond the debt."""
    _check_owed(stands, fen)
    repayments.settle(
        session,
        code=code,
        id=named,
        vendor_id=stands.vendor_id,
        district_code=stands.district_code,
        parts=repayments.parts_to_settle(fen, stands.unpaid, stands.own_fen),
        period=str(Period.of(local(at).date())),
        at=at,
    )
    return stands.debt_fen - fen


def _check_owed(stands: Carried, fen: int) -> None:
    if not 0 < fen <= stands.debt_fen:
        raise BadInput(field="fen", value=fen, expected=f"1 to {stands.debt_fen}")


@dataclass(frozen=True, slots=True)
class WriteOffRequest:
    """Propose to give up a part of what a vendor owes, in fen, and why."""

    vendor_id: str
    district_code: str
    fen: int
    reason: str


@dataclass(frozen=True, slots=True)
class WriteOffDecision:
    """Give up what was proposed; only a second person may, with a reason of its own."""

    write_off_id: str
    reason: str


def propose_write_off(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: WriteOffRequest
) -> Settled:
    """Propose to write a debt off; nothing moves yet. Raises ``BadInput`` for more than is owed."""
    reason = _needed_reason(request.reason)

    def run(at: datetime) -> Settled:
        require(actor, Action.APPROVE_STATEMENT, _about(request.vendor_id, request.district_code))
        stands = carried(session, request.vendor_id, request.district_code, lock=True)
        _check_owed(stands, request.fen)
        step = WriteOffStep(
            id=new_id(),
            number=1,
            vendor_id=request.vendor_id,
            district_code=request.district_code,
            fen=request.fen,
            reason=reason,
            at=at,
            by=actor.user_id,
        )
        return _take(session, actor, step, "propose_write_off", stands.debt_fen)

    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="propose_write_off",
        request=request,
        answer=Settled,
        run=run,
    )


def write_off(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: WriteOffDecision
) -> Settled:
    """Give up a vendor's debt as it was proposed: the treasury bears it.

    Raises ``NotAllowed`` for whoever proposed it, ``WrongState`` where it was done, ``BadInput`` where
    the vendor owes less by now.
    """
    reason = _needed_reason(request.reason)

    def run(at: datetime) -> Settled:
        first = debts.first_step(session, request.write_off_id)
        about = _about(first.vendor_id, first.district_code, entered_by=first.by)
        require(actor, Action.APPROVE_STATEMENT, about)
        step = debts.second_step(first, reason=reason, at=at, by=actor.user_id)
        stands = carried(session, first.vendor_id, first.district_code, lock=True)
        debts.refuse_twice(session, first.id)
        left = _settle(session, stands, WRITE_OFF, first.id, first.fen, at)
        return _take(session, actor, step, "write_off_debt", left)

    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="write_off_debt",
        request=request,
        answer=Settled,
        run=run,
    )


def _take(
    session: Session, actor: Actor, step: WriteOffStep, action: str, debt_fen: int
) -> Settled:
    session.add(step)
    session.flush()
    audit.record(
        session,
        at=step.at,
        actor=actor,
        action=action,
        subject_kind="write_off",
        subject_id=step.id,
        reason=step.reason,
        vendor_id=step.vendor_id,
        district_code=step.district_code,
        fen=step.fen,
    )
    return Settled(step.id, step.vendor_id, step.district_code, step.fen, debt_fen)


def _needed_reason(reason: str) -> str:
    if not reason.strip():
        raise BadInput(field="reason", value="", expected="why, in 1 to 200 characters")
    return reason.strip()[:200]


def _about(vendor_id: str, district_code: str, entered_by: str | None = None) -> About:
    return About(
        kind="vendor_debt",
        id=vendor_id,
        vendor_id=vendor_id,
        district_code=district_code,
        entered_by=entered_by,
    )
