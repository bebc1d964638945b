"""Making a held split again where an outside payer gives less than it had confirmed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel.clock import Period, local
from marketplace.kernel.errors import WrongState
from marketplace.vouchers.expected import Sold
from marketplace.vouchers.holds import hold
from marketplace.vouchers.ledger import Entry, lock
from marketplace.vouchers.models import Entitlement, LedgerAccount, LedgerTransfer, PriceSplit
from marketplace.vouchers.programmes import OWN
from marketplace.vouchers.quotes import Quote, QuoteRequest, quote_again
from marketplace.vouchers.releases import tell_voids, voids
from marketplace.vouchers.splits import held_of, move_split, share_rows


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


def lock_purses(session: Session, elder_id: str) -> None:
    """Keep an elder's purses from changing until the transaction ends.

    They are the first accounts of any movement of the elder's money by their ids, so that whoever takes
    more after them waits for nobody who waits for them.
    """
    a = LedgerAccount
    mine = select(a.id).where(a.elder_id == elder_id, a.kind.in_(["day", "entitlement"]))
    lock(session, session.scalars(mine).all())


def requote(
    session: Session, *, row: PriceSplit, account_id: str, left_fen: int, at: datetime
) -> Requoted:
    """Release a split, bring our mirror of the outside purse down to ``left_fen``, and hold anew.

    What the outside payer does not give falls to the next payers, own money last. Other holds on the
    same purse stay: each is told to the payer by itself.

    All of it is one movement, so that accounts change in the order in which every other step changes
    them. What it was worked out from is guarded by the accounts: raises ``EntitlementTooSmall`` where
    somebody was faster; the caller's transaction ends, and it may be tried again behind ``lock_purses``.
    """
    before = {s.programme_code: s.fen for s in share_rows(session, row.work_order_id, row.revision)}
    if move_split(session, row.work_order_id, to="released", since="held") is None:
        raise WrongState(id=row.work_order_id, state=row.state, expected=["held"])
    held = held_of(session, [row.work_order_id])[row.work_order_id]
    ended = voids(row, held, reason="outside_refused")
    freed: dict[str, int] = {}
    for h in held:
        purse = h.minutes or h.fen
        freed[purse.debit] = freed.get(purse.debit, 0) + purse.amount
    elsewhere = _mirror(session, account_id, freed.get(account_id, 0) - max(left_fen, 0), at)
    spent = sum(e.amount for e in elsewhere)
    freed[account_id] = freed.get(account_id, 0) - spent
    again = hold(
        session,
        work_order_id=row.work_order_id,
        elder_id=row.elder_id,
        quote=_quote_again(session, row, freed),
        at=at,
        after=[*ended, *elsewhere],
    )
    tell_voids(session, ended, held, at)
    return Requoted(
        work_order_id=row.work_order_id,
        elder_id=row.elder_id,
        own_before_fen=before.get(OWN, 0),
        own_after_fen=again.own_fen,
        spent_elsewhere_fen=spent,
    )


def _mirror(session: Session, account_id: str, more: int, at: datetime) -> list[Entry]:
    """Return the move back to the outside payer of what our mirror of its purse has more than it.

    ``more``: what the purse is about to get, less what the payer says is left.
    """
    a = LedgerAccount
    free = session.scalar(
        select(a.credits_posted - a.debits_posted - a.debits_pending).where(a.id == account_id)
    )
    entitlement = session.get_one(Entitlement, account_id)
    spent = (free or 0) + more
    if spent <= 0:
        return []
    times = len(
        session.scalars(
            select(LedgerTransfer.id).where(
                LedgerTransfer.debit_account == account_id,
                LedgerTransfer.code == "spent_elsewhere",
            )
        ).all()
    )
    return [
        Entry(
            id=f"elsewhere/{account_id}/{times + 1}",
            kind="direct",
            code="spent_elsewhere",
            unit="fen",
            debit=account_id,
            credit=f"outside:{entitlement.programme_code}:{entitlement.district_code}",
            amount=spent,
            period=str(Period.of(local(at).date())),
        )
    ]


def _quote_again(session: Session, row: PriceSplit, freed: dict[str, int]) -> Quote:
    sold = dict(row.sold)
    quantity = sold.pop("quantity")
    request = QuoteRequest(
        elder_id=row.elder_id,
        service_version=Sold(**sold),
        on=row.use_on,
        district_code=row.district_code,
        quantity=quantity,
    )
    return quote_again(session, request, freed=freed)
