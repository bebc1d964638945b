"""Holding, capturing, releasing and reversing the money of work orders.

Every function works in the caller's transaction and costs a constant number of statements for one
work order. Of two that come at once for one work order, the guarded UPDATE of its price split lets
one through; of two that come for one entitlement, the guarded UPDATE of its account.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel.errors import NotFound
from marketplace.vouchers.captures import CaptureRequest, capture, capture_many
from marketplace.vouchers.holds import hold, hold_many
from marketplace.vouchers.ledger import (
    BudgetTooSmall,
    EntitlementTooSmall,
    HoldGone,
)
from marketplace.vouchers.models import (
    LedgerTransfer,
    PriceSplit,
)
from marketplace.vouchers.quotes import (
    Explanation,
    Quote,
    QuoteRequest,
    quote,
    quote_many,
)
from marketplace.vouchers.receipts import (
    CaptureReceipt,
    CaptureTooLate,
    EntryView,
    HoldMissing,
    HoldReceipt,
    HoldRequest,
    PackageNotDelivered,
    ReleaseReceipt,
    ReverseReceipt,
    ShareView,
)
from marketplace.vouchers.releases import capture_fee, release, release_many
from marketplace.vouchers.reversals import reverse, reversed_fen
from marketplace.vouchers.split import Bought, ServiceVersionLike, Share, split
from marketplace.vouchers.splits import (
    share_rows,
)

__all__ = [
    "Bought",
    "BudgetTooSmall",
    "CaptureReceipt",
    "CaptureRequest",
    "CaptureTooLate",
    "EntitlementTooSmall",
    "EntryView",
    "Explanation",
    "HoldGone",
    "HoldMissing",
    "HoldReceipt",
    "HoldRequest",
    "PackageNotDelivered",
    "Quote",
    "QuoteRequest",
    "ReleaseReceipt",
    "ReverseReceipt",
    "ServiceVersionLike",
    "Share",
    "ShareView",
    "capture",
    "capture_fee",
    "capture_many",
    "entries_of",
    "hold",
    "hold_many",
    "quote",
    "quote_many",
    "release",
    "release_many",
    "reverse",
    "reversed_fen",
    "shares_of",
    "split",
]


def shares_of(session: Session, work_order_id: str) -> tuple[ShareView, ...]:
    """Return who pays what of a work order, in the order of payers; raises ``NotFound``."""
    row = session.get(PriceSplit, work_order_id, populate_existing=True)
    if row is None:
        raise NotFound(kind="price_split", id=work_order_id)
    return tuple(
        ShareView(
            position=s.position,
            programme_code=s.programme_code,
            tier=s.tier,
            fen=s.fen,
            minutes=s.minutes,
            account_id=s.account_id,
            state=row.state,
        )
        for s in share_rows(session, work_order_id, row.revision)
    )


def entries_of(session: Session, work_order_id: str) -> tuple[EntryView, ...]:
    """Return every ledger transfer of a work order in the order they were made."""
    rows = session.scalars(
        select(LedgerTransfer)
        .where(LedgerTransfer.work_order_id == work_order_id)
        .order_by(LedgerTransfer.serial)
    )
    return tuple(
        EntryView(
            serial=t.serial,
            id=t.id,
            kind=t.kind,
            code=t.code,
            unit=t.unit,
            debit_account=t.debit_account,
            credit_account=t.credit_account,
            amount=t.amount,
            pending_id=t.pending_id,
            reverses_id=t.reverses_id,
            visit_id=t.visit_id,
            period=t.period,
            at=t.at,
        )
        for t in rows
    )
