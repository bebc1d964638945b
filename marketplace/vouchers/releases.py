"""Giving holds back, with the fees of late cancellation and of a closed door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from marketplace.kernel.errors import NotFound, WrongState
from marketplace.vouchers import programmes
from marketplace.vouchers.ledger import (
    Account,
    Entry,
    open_accounts,
    post,
)
from marketplace.vouchers.models import (
    AccountKind,
    LedgerTransfer,
    PriceSplit,
)
from marketplace.vouchers.programmes import OWN
from marketplace.vouchers.receipts import (
    ReleaseReceipt,
)
from marketplace.vouchers.splits import (
    Held,
    Split,
    due_vendor,
    held_of,
    move_split,
    owed_account,
    share_rows,
    state_of,
    tell_outside,
)


def release(
    session: Session,
    *,
    work_order_id: str,
    at: datetime,
    reason: str,
    keep_fee_fen: int = 0,
    vendor_id: str | None = None,
    expire: bool = False,
) -> ReleaseReceipt:
    """Give a hold back; ``keep_fee_fen`` of own money goes to ``vendor_id``.

    ``reason`` is a stable code that the transfers keep (at most 16 characters). ``expire`` marks a
    hold that lapsed by itself. Repeating it returns the first answer; raises ``WrongState`` where the
    money was captured.
    """
    moved = move_split(session, work_order_id, to="released", since="held")
    if moved is None:
        return _released_unheld(session, work_order_id)
    held = held_of(session, [work_order_id])[work_order_id]
    entries = voids(moved, held, reason=reason, expire=expire)
    accounts: list[Account] = []
    if keep_fee_fen and vendor_id:
        entries.append(_fee(moved, vendor_id, keep_fee_fen, accounts))
    open_accounts(session, accounts)
    post(session, entries, at=at)
    tell_voids(session, entries, held, at)
    return ReleaseReceipt(
        work_order_id=work_order_id,
        state="released",
        released_fen=sum(h.share.fen for h in held),
        fee_fen=keep_fee_fen if vendor_id else 0,
    )


def release_many(
    session: Session,
    work_order_ids: Sequence[str],
    *,
    at: datetime,
    reason: str,
    expire: bool = False,
) -> list[ReleaseReceipt]:
    """Give many holds back in one grouped set of updates; those already released are left alone."""
    moved = []
    for work_order_id in sorted(work_order_ids):
        row = move_split(session, work_order_id, to="released", since="held")
        if row is None:
            _released_unheld(session, work_order_id)
        else:
            moved.append(row)
    held = held_of(session, [m.work_order_id for m in moved])
    entries: list[Entry] = []
    receipts = []
    for row in moved:
        of_row = held[row.work_order_id]
        entries.extend(voids(row, of_row, reason=reason, expire=expire))
        receipts.append(
            ReleaseReceipt(row.work_order_id, "released", sum(h.share.fen for h in of_row), 0)
        )
    post(session, entries, at=at)
    payers = {h.fen.debit: h.share.programme_code for of in held.values() for h in of}
    for e in entries:
        tell_outside(session, replace(e, code=payers.get(e.debit, e.code)), "release", at)
    return receipts


def tell_voids(
    session: Session, entries: Sequence[Entry], held: Sequence[Held], at: datetime
) -> None:
    """Tell the outside payers which of their holds ended."""
    payers = {h.fen.debit: h.share.programme_code for h in held}
    for e in entries:
        if e.resolves:
            tell_outside(session, replace(e, code=payers.get(e.debit, "")), "release", at)


def voids(
    split_row: Split, held: Sequence[Held], *, reason: str, expire: bool = False
) -> list[Entry]:
    """Return the transfers that end the holds of a work order."""
    kind = "expire" if expire else "void"
    return [
        Entry(
            id=f"{kind}/{p.id.removeprefix('hold/')}",
            kind=kind,
            code=reason[:16],
            unit=p.unit,
            debit=p.debit,
            credit=p.credit,
            amount=p.amount,
            period=split_row.period,
            resolves=p,
            work_order_id=split_row.work_order_id,
        )
        for h in held
        for p in (h.fen, h.minutes)
        if p
    ]


def _released_unheld(session: Session, work_order_id: str) -> ReleaseReceipt:
    """Release what was only expected, or answer a repeat."""
    if move_split(session, work_order_id, to="released", since="expected") is not None:
        return ReleaseReceipt(work_order_id, "released", 0, 0)
    state = state_of(session, work_order_id)
    if state != "released":
        raise WrongState(id=work_order_id, state=state, expected=["held"])
    fee = session.scalar(
        select(LedgerTransfer.amount).where(LedgerTransfer.id == f"fee/{work_order_id}")
    )
    freed = session.scalars(
        select(LedgerTransfer.amount).where(
            LedgerTransfer.work_order_id == work_order_id,
            LedgerTransfer.kind.in_(["void", "expire"]),
            LedgerTransfer.unit == "fen",
        )
    )
    return ReleaseReceipt(work_order_id, "released", sum(freed), fee or 0)


def _fee(split_row: Split, vendor_id: str, fen: int, accounts: list[Account]) -> Entry:
    owed = owed_account(split_row.elder_id)
    due = due_vendor(vendor_id, OWN)
    accounts.append(due)
    accounts.append(
        Account(
            id=owed,
            kind=AccountKind.OWED,
            unit="fen",
            programme_code=OWN,
            elder_id=split_row.elder_id,
            district_code=split_row.district_code,
        )
    )
    return Entry(
        id=f"fee/{split_row.work_order_id}",
        kind="direct",
        code="fee",
        unit="fen",
        debit=owed,
        credit=due.id,
        amount=fen,
        period=split_row.period,
        work_order_id=split_row.work_order_id,
    )


def capture_fee(
    session: Session, *, work_order_id: str, vendor_id: str, at: datetime, kind: str
) -> ReleaseReceipt:
    """Release a hold and charge the fee of ``late_cancel`` or ``no_access`` in own money.

    Late: a percentage of the own share. No access: the vendor's travel, at most so often a month for
    one elder; never from a voucher. Raises ``WrongState`` as ``release`` does.
    """
    row = session.get(PriceSplit, work_order_id, populate_existing=True)
    if row is None:
        raise NotFound(kind="price_split", id=work_order_id)
    terms = programmes.settings_on(row.use_on)
    if kind == "late_cancel":
        own = sum(
            s.fen
            for s in share_rows(session, work_order_id, row.revision)
            if s.programme_code == OWN
        )
        fee = own * terms.late_cancel_percent_of_own // 100
    elif kind == "no_access":
        so_far = _no_access_fees(session, row.elder_id, row.period)
        fee = terms.no_access_fee_fen if so_far < terms.no_access_fees_per_month else 0
    else:
        raise ValueError(kind)
    return release(
        session,
        work_order_id=work_order_id,
        at=at,
        reason=kind,
        keep_fee_fen=fee,
        vendor_id=vendor_id,
    )


def _no_access_fees(session: Session, elder_id: str, period: str) -> int:
    fee, freed = aliased(LedgerTransfer), aliased(LedgerTransfer)
    rows = session.execute(
        select(fee.work_order_id)
        .join(freed, freed.work_order_id == fee.work_order_id)
        .where(
            fee.debit_account == owed_account(elder_id),
            fee.code == "fee",
            fee.period == period,
            freed.kind == "void",
            freed.code == "no_access",
        )
        .distinct()
    ).all()
    return len(rows)
