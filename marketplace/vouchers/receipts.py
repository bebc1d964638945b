"""What the money functions answer: plain values, no rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from marketplace.kernel.errors import Conflict, DomainError
from marketplace.vouchers.quotes import Quote
from marketplace.vouchers.split import Share


class PackageNotDelivered(DomainError):
    """A month's package had too few visits. Facts: ``visits``, ``minutes``, ``least_visits``,
    ``least_minutes``."""


class CaptureTooLate(Conflict):
    """The month's captures ended. Facts: ``period``, ``last_day``."""


class HoldMissing(Conflict):
    """The month's grants have not been released, so nothing is held yet. Facts: ``period``."""


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """A work order (already in the database) and the quote that the elder saw."""

    work_order_id: str
    elder_id: str
    quote: Quote


@dataclass(frozen=True, slots=True)
class HoldReceipt:
    """What is held. ``state`` is ``held``, or ``expected`` until the month's grants are released."""

    work_order_id: str
    state: str
    revision: int
    price_fen: int
    own_fen: int
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class CaptureReceipt:
    """What was redeemed for which visit, and by which transfers."""

    work_order_id: str
    visit_id: str
    vendor_id: str
    price_fen: int
    fen_by_programme: dict[str, int]
    transfer_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReleaseReceipt:
    """What was given back, and the fee that was kept (own money)."""

    work_order_id: str
    state: str
    released_fen: int
    fee_fen: int


@dataclass(frozen=True, slots=True)
class ReverseReceipt:
    """What was reversed; ``replacements`` are the entitlements granted for lost ones."""

    work_order_id: str
    reversed_fen: int
    replacements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShareView:
    """One payer's part of a work order as it stands."""

    position: int
    programme_code: str
    tier: str
    fen: int
    minutes: int
    account_id: str
    state: str


@dataclass(frozen=True, slots=True)
class EntryView:
    """One transfer of a work order, for the audit walk and for print."""

    serial: int
    id: str
    kind: str
    code: str
    unit: str
    debit_account: str
    credit_account: str
    amount: int
    pending_id: str | None
    reverses_id: str | None
    visit_id: str | None
    period: str
    at: datetime
