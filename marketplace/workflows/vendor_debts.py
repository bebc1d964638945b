"""What vendors owe the bank: carried from month to month, repaid, set off, or given up by two persons.

A vendor that earns is deducted with its next release. One that has left the market earns nothing more:
its debt stays to be seen here until it is repaid or written off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import Period, local
from marketplace.kernel.db import wait_for_turn
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.settlement import checks, debts, withheld
from marketplace.settlement.models import Statement, WriteOffStep
from marketplace.vouchers import own_debts, payouts, repayments
from marketplace.vouchers.models import PriceSplit, Redemption
from marketplace.vouchers.repayments import OF_FAMILIES, REPAYMENT, WRITE_OFF
from marketplace.workflows.policy import About, Action, require, scope
from marketplace.workflows.step import run_step
from vendors.models import Vendor


@dataclass(frozen=True, slots=True)
class Carried:
    """A vendor's released statements in a district: ``due`` is what of each payer's part stands after
    withholding and repayments, ``paid`` which were paid. ``own_fen``: families' money to be passed on,
    less than nothing where it is owed back."""

    due: Mapping[str, Mapping[str, int]]
    paid: frozenset[str]
    own_fen: int

    @property
    def unpaid(self) -> dict[str, Mapping[str, int]]:
        """Return the parts of the statements that wait for a better month, the oldest first."""
        return {i: of for i, of in self.due.items() if i not in self.paid}

    @property
    def debt_fen(self) -> int:
        """Return what the vendor owes the bank; 0 where it is owed something."""
        rest = sum(fen for of in self.unpaid.values() for fen in of.values())
        return max(-(rest + min(self.own_fen, 0)), 0)


def carried(session: Session, vendor_id: str, district_code: str, *, lock: bool = False) -> Carried:
    """Return how a vendor stands with a district's bank; ``lock`` makes a second payment wait."""
    released = checks.released(session, vendor_id, district_code, lock=lock)
    if lock:
        # A vendor without a statement has no row to lock.
        wait_for_turn(session, f"debts/{district_code}/{vendor_id}")
    back = repayments.settled(session, [vendor_id])
    own = own_debts.to_pass_on(session, vendor_id=vendor_id, district_code=district_code)
    own += sum(back.get((vendor_id, f"{OF_FAMILIES}/{district_code}"), {}).values())
    return _stands(session, released, back, own)


def _stands(
    session: Session,
    released: Sequence[Statement],
    back: Mapping[tuple[str, str], Mapping[str, int]],
    own_fen: int,
) -> Carried:
    parts = withheld.parts_of(session, released)
    due = {}
    for s in released:
        of, more = parts[s.id], back.get((s.vendor_id, s.id), {})
        due[s.id] = {c: of.get(c, 0) + more.get(c, 0) for c in sorted(of.keys() | more.keys())}
    paid = payouts.paid_out(session, {i: [*of] for i, of in due.items()})
    return Carried(due, frozenset(paid), own_fen)


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
    found = [_debt(session, *row) for row in session.execute(query).all()]
    return sorted(
        (d for d in found if d.debt_fen or d.repaid_fen or (d.waiting and d.status == "left")),
        key=lambda d: (-d.debt_fen, d.vendor_id, d.district_code),
    )


def _debt(session: Session, vendor_id: str, district_code: str, name: str, status: str) -> Debt:
    stands = carried(session, vendor_id, district_code)
    below = session.scalars(
        select(Statement.id)
        .where(
            Statement.vendor_id == vendor_id,
            Statement.district_code == district_code,
            Statement.payable_fen < 0,
            Statement.id.not_in(list(stands.due)),
        )
        .order_by(Statement.id)
    )
    of_district = {*stands.due, f"{OF_FAMILIES}/{district_code}"}
    back = repayments.settled(session, [vendor_id])
    return Debt(
        vendor_id=vendor_id,
        vendor_name=name,
        status=status,
        district_code=district_code,
        debt_fen=stands.debt_fen,
        own_fen=max(-stands.own_fen, 0) if stands.debt_fen else 0,
        repaid_fen=sum(sum(of.values()) for (_, i), of in back.items() if i in of_district),
        statements=sorted(stands.unpaid),
        waiting=list(below),
        proposed=debts.proposed(session, vendor_id, district_code),
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
    """Book a vendor's repayment; raises ``BadInput`` for more than it owes."""
    if not request.receipt.strip():
        raise BadInput(field="receipt", value="", expected="the bank's number of the payment")

    def run(at: datetime) -> Settled:
        require(actor, Action.APPROVE_STATEMENT, _about(request.vendor_id, request.district_code))
        return set_off(
            session,
            actor,
            vendor_id=request.vendor_id,
            district_code=request.district_code,
            fen=request.fen,
            reason=request.receipt.strip(),
            at=at,
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
    *,
    vendor_id: str,
    district_code: str,
    fen: int,
    reason: str,
    at: datetime,
) -> Settled:
    """Book money of a vendor that is at the bank against its debt; in the caller's transaction."""
    named = new_id()
    left = _settle(session, REPAYMENT, named, vendor_id, district_code, fen, at)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="repay_debt",
        subject_kind="vendor",
        subject_id=vendor_id,
        reason=reason[:200],
        repayment_id=named,
        district_code=district_code,
        fen=fen,
    )
    return Settled(named, vendor_id, district_code, fen, left)


def _settle(
    session: Session,
    code: str,
    named: str,
    vendor_id: str,
    district_code: str,
    fen: int,
    at: datetime,
) -> int:
    """Move what settles a debt; return what is left of it. Raises ``BadInput`` beyond the debt."""
    stands = carried(session, vendor_id, district_code, lock=True)
    if not 0 < fen <= stands.debt_fen:
        raise BadInput(field="fen", value=fen, expected=f"1 to {stands.debt_fen}")
    repayments.settle(
        session,
        code=code,
        id=named,
        vendor_id=vendor_id,
        district_code=district_code,
        parts=repayments.parts_to_settle(fen, stands.unpaid, stands.own_fen),
        period=str(Period.of(local(at).date())),
        at=at,
    )
    return stands.debt_fen - fen


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
    _need_reason(request.reason)

    def run(at: datetime) -> Settled:
        require(actor, Action.APPROVE_STATEMENT, _about(request.vendor_id, request.district_code))
        stands = carried(session, request.vendor_id, request.district_code, lock=True)
        if not 0 < request.fen <= stands.debt_fen:
            raise BadInput(field="fen", value=request.fen, expected=f"1 to {stands.debt_fen}")
        step = debts.step(
            id=new_id(),
            number=1,
            vendor_id=request.vendor_id,
            district_code=request.district_code,
            fen=request.fen,
            reason=request.reason.strip(),
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
    _need_reason(request.reason)

    def run(at: datetime) -> Settled:
        first = debts.first_step(session, request.write_off_id)
        about = _about(first.vendor_id, first.district_code, entered_by=first.by)
        require(actor, Action.APPROVE_STATEMENT, about)
        step = debts.step(
            id=first.id,
            number=2,
            vendor_id=first.vendor_id,
            district_code=first.district_code,
            fen=first.fen,
            reason=request.reason.strip(),
            at=at,
            by=actor.user_id,
        )
        carried(session, first.vendor_id, first.district_code, lock=True)
        debts.refuse_twice(session, first.id)
        left = _settle(
            session, WRITE_OFF, first.id, first.vendor_id, first.district_code, first.fen, at
        )
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


def _need_reason(reason: str) -> None:
    if not reason.strip():
        raise BadInput(field="reason", value="", expected="why, in 1 to 200 characters")


def _about(vendor_id: str, district_code: str, entered_by: str | None = None) -> About:
    return About(
        kind="vendor_debt",
        id=vendor_id,
        vendor_id=vendor_id,
        district_code=district_code,
        entered_by=entered_by,
    )
