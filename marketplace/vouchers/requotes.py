"""Making a held split again where an outside payer gives less than it had confirmed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel.clock import Period, local
from marketplace.vouchers.expected import Sold
from marketplace.vouchers.holds import hold
from marketplace.vouchers.ledger import Entry, post
from marketplace.vouchers.models import Entitlement, LedgerAccount, LedgerTransfer, PriceSplit
from marketplace.vouchers.programmes import OWN
from marketplace.vouchers.quotes import quote
from marketplace.vouchers.receipts import HoldReceipt
from marketplace.vouchers.releases import release
from marketplace.vouchers.splits import share_rows


@dataclass(frozen=True, slots=True)
class Requoted:
    """A work order that was split anew: own money before and after, in fen; ``elder_id`` is told."""

    work_order_id: str
    elder_id: str
    own_before_fen: int
    own_after_fen: int
    spent_elsewhere_fen: int


def refused_split(session: Session, hold_id: str) -> tuple[PriceSplit, str] | None:
    """Return the split and the entitlement that a pending transfer holds, while it is still held."""
    pending = session.execute(
        select(LedgerTransfer.work_order_id, LedgerTransfer.debit_account).where(
            LedgerTransfer.id == hold_id, LedgerTransfer.kind == "pending"
        )
    ).first()
    if pending is None:
        return None
    row = session.scalars(
        select(PriceSplit)
        .where(PriceSplit.work_order_id == pending.work_order_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    resolved = session.scalar(select(LedgerTransfer.id).where(LedgerTransfer.pending_id == hold_id))
    if row.state != "held" or resolved is not None:
        return None
    return row, pending.debit_account


def requote(
    session: Session, *, row: PriceSplit, account_id: str, left_fen: int, at: datetime
) -> Requoted:
    """Release a split, bring our mirror of the outside purse down to ``left_fen``, and hold anew.

    What the outside payer does not give falls to the next payers, own money last. Other holds on the
    same purse stay: each is told to the payer by itself.
    """
    before = {s.programme_code: s.fen for s in share_rows(session, row.work_order_id, row.revision)}
    release(session, work_order_id=row.work_order_id, at=at, reason="outside_refused")
    spent = _mirror(session, account_id, left_fen, at)
    again = _hold_again(session, row, at)
    return Requoted(
        work_order_id=row.work_order_id,
        elder_id=row.elder_id,
        own_before_fen=before.get(OWN, 0),
        own_after_fen=again.own_fen,
        spent_elsewhere_fen=spent,
    )


def _mirror(session: Session, account_id: str, left_fen: int, at: datetime) -> int:
    """Give back to the outside payer what our mirror of its purse has more than it; return how much."""
    a = LedgerAccount
    free = session.scalar(
        select(a.credits_posted - a.debits_posted - a.debits_pending)
        .where(a.id == account_id)
        .with_for_update()
    )
    entitlement = session.get_one(Entitlement, account_id)
    spent = max((free or 0) - max(left_fen, 0), 0)
    if not spent:
        return 0
    times = len(
        session.scalars(
            select(LedgerTransfer.id).where(
                LedgerTransfer.debit_account == account_id,
                LedgerTransfer.code == "spent_elsewhere",
            )
        ).all()
    )
    entry = Entry(
        id=f"elsewhere/{account_id}/{times + 1}",
        kind="direct",
        code="spent_elsewhere",
        unit="fen",
        debit=account_id,
        credit=f"outside:{entitlement.programme_code}:{entitlement.district_code}",
        amount=spent,
        period=str(Period.of(local(at).date())),
    )
    post(session, [entry], at=at)
    return spent


def _hold_again(session: Session, row: PriceSplit, at: datetime) -> HoldReceipt:
    sold = dict(row.sold)
    quantity = sold.pop("quantity")
    anew = quote(
        session,
        elder_id=row.elder_id,
        service_version=Sold(**sold),
        on=row.use_on,
        district_code=row.district_code,
        quantity=quantity,
    )
    return hold(session, work_order_id=row.work_order_id, elder_id=row.elder_id, quote=anew, at=at)
