"""The ledger, the entitlements it keeps, and how each work order's price is shared.

The ledger works as TigerBeetle does: accounts hold four counters, transfers move amounts between two
accounts in one phase or two (pending, then post, void or expire). Transfers are written once. A
guarded account can never have more debited than credited: a CHECK says so, whatever the code does.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kernel.db import ID, Base, Instant
from marketplace.kernel.immutable import freeze

SERIAL = BigInteger().with_variant(Integer, "sqlite")
KEY = String(120)
"""Ids of accounts and transfers: readable, made by the client from what they are about."""


class AccountKind(StrEnum):
    """What an account stands for. Guarded kinds never have more debited than credited."""

    TREASURY = "treasury"  # 财政: where appropriations come from
    BUDGET = "budget"  # a programme's year in one district; guarded
    FUND = "fund"  # fen behind granted minutes; guarded, in shards
    MINT = "mint"  # where granted minutes come from
    OUTSIDE = "outside"  # 民政通, the insurer: what they promised and owe
    ENTITLEMENT = "entitlement"  # an elder's grant; guarded
    DAY = "day"  # the part of a grant that one day may use; guarded
    OWED = "owed"  # 自付应收: what an elder owes
    PROMISED = "promised"  # held for whoever will serve, in shards
    SERVED = "served"  # minutes held and given, in shards
    DUE = "due"  # what a vendor has earned, by payer
    BANK = "bank"  # paid out, and paid in
    GIFT = "gift"  # charity


GUARDED = (AccountKind.BUDGET, AccountKind.FUND, AccountKind.ENTITLEMENT, AccountKind.DAY)
_GUARDED_SQL = ", ".join(f"'{k.value}'" for k in GUARDED)
_KINDS_SQL = ", ".join(f"'{k.value}'" for k in AccountKind)


class LedgerAccount(Base):
    """Four counters of one purpose, in fen or minutes. Only guarded UPDATEs change them."""

    __tablename__ = "ledger_account"
    __table_args__ = (
        UniqueConstraint("id", "unit"),
        CheckConstraint("unit IN ('fen', 'minutes')", name="unit"),
        CheckConstraint(f"kind IN ({_KINDS_SQL})", name="kind"),
        CheckConstraint(f"guarded = (kind IN ({_GUARDED_SQL}))", name="guarded_kind"),
        CheckConstraint(
            "debits_pending >= 0 AND debits_posted >= 0 "
            "AND credits_pending >= 0 AND credits_posted >= 0",
            name="counters",
        ),
        CheckConstraint(
            "NOT guarded OR debits_posted + debits_pending <= credits_posted", name="covered"
        ),
        Index("ix_ledger_account_elder", "elder_id"),
        Index("ix_ledger_account_vendor", "vendor_id"),
    )

    id: Mapped[str] = mapped_column(KEY, primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    unit: Mapped[str] = mapped_column(String(7))
    programme_code: Mapped[str | None] = mapped_column(String(12))
    elder_id: Mapped[str | None] = mapped_column(ForeignKey("elder.id"))
    vendor_id: Mapped[str | None] = mapped_column(ForeignKey("vendor.id"))
    district_code: Mapped[str | None] = mapped_column(String(6))
    period: Mapped[str | None] = mapped_column(String(10))
    guarded: Mapped[bool]
    debits_pending: Mapped[int] = mapped_column(BigInteger, default=0)
    debits_posted: Mapped[int] = mapped_column(BigInteger, default=0)
    credits_pending: Mapped[int] = mapped_column(BigInteger, default=0)
    credits_posted: Mapped[int] = mapped_column(BigInteger, default=0)


class LedgerTransfer(Base):
    """One movement, written once; the database refuses to change or delete it.

    ``kind``: ``pending`` holds, exactly one of ``post``, ``void``, ``expire`` resolves it by
    ``pending_id``; ``direct`` moves at once; ``reversal`` mirrors the transfer ``reverses_id``. A
    ``post`` may be smaller than its pending transfer (the rest is free again) and pays the payee who
    is known only now, so that its credit account may differ. ``terms_sha256`` seals the row of another
    table that the transfer is about (an entitlement, a share, a redemption); ``row_sha256`` the row
    itself until a seal of the chain covers it (grants in bulk are held against their run instead).
    """

    __tablename__ = "ledger_transfer"
    __table_args__ = (
        ForeignKeyConstraint(
            ["debit_account", "unit"],
            ["ledger_account.id", "ledger_account.unit"],
            name="fk_ledger_transfer_debit",
        ),
        ForeignKeyConstraint(
            ["credit_account", "unit"],
            ["ledger_account.id", "ledger_account.unit"],
            name="fk_ledger_transfer_credit",
        ),
        ForeignKeyConstraint(
            ["work_order_id", "visit_id"],
            ["redemption.work_order_id", "redemption.visit_id"],
            name="fk_ledger_transfer_redemption",
        ),
        UniqueConstraint("id"),
        UniqueConstraint("pending_id"),
        UniqueConstraint("reverses_id"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("debit_account <> credit_account", name="two_accounts"),
        CheckConstraint(
            "kind IN ('pending', 'post', 'void', 'expire', 'direct', 'reversal')", name="kind"
        ),
        CheckConstraint(
            "(kind IN ('post', 'void', 'expire')) = (pending_id IS NOT NULL)", name="resolves"
        ),
        CheckConstraint("(kind = 'reversal') = (reverses_id IS NOT NULL)", name="reverses"),
        CheckConstraint("(kind = 'post') = (visit_id IS NOT NULL)", name="visit"),
        CheckConstraint(
            "kind NOT IN ('pending', 'post') OR work_order_id IS NOT NULL", name="work_order"
        ),
        Index("ix_ledger_transfer_work_order", "work_order_id"),
        Index("ix_ledger_transfer_debit", "debit_account"),
        Index("ix_ledger_transfer_credit", "credit_account"),
    )

    serial: Mapped[int] = mapped_column(SERIAL, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(KEY)
    kind: Mapped[str] = mapped_column(String(8))
    code: Mapped[str] = mapped_column(String(16))
    unit: Mapped[str] = mapped_column(String(7))
    debit_account: Mapped[str] = mapped_column(KEY)
    credit_account: Mapped[str] = mapped_column(KEY)
    amount: Mapped[int] = mapped_column(BigInteger)
    pending_id: Mapped[str | None] = mapped_column(ForeignKey("ledger_transfer.id"))
    reverses_id: Mapped[str | None] = mapped_column(ForeignKey("ledger_transfer.id"))
    work_order_id: Mapped[str | None] = mapped_column(ID)
    visit_id: Mapped[str | None] = mapped_column(ID)
    period: Mapped[str] = mapped_column(String(7))
    terms_sha256: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(Instant)
    row_sha256: Mapped[str | None] = mapped_column(String(64))


class LedgerSeal(Base):
    """The hash of the transfers up to ``to_serial``, chained to the seal before it."""

    __tablename__ = "ledger_seal"
    __table_args__ = (
        UniqueConstraint("from_serial"),
        UniqueConstraint("previous_sha256"),
        CheckConstraint("from_serial <= to_serial AND transfers > 0", name="range"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    from_serial: Mapped[int] = mapped_column(BigInteger)
    to_serial: Mapped[int] = mapped_column(BigInteger)
    transfers: Mapped[int]
    previous_sha256: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(Instant)


class Entitlement(Base):
    """An elder's grant of one programme for one period; its account holds what is left.

    ``slot`` is where the programme stands in the order of payers: an elder holds one of a slot (one
    GP class) a period. ``sequence`` 0 is the period's own grant, later ones replace what was lost
    without the elder's fault. ``tier`` names the benefit row that decided.
    """

    __tablename__ = "entitlement"
    __table_args__ = (
        UniqueConstraint("elder_id", "slot", "period", "sequence"),
        CheckConstraint("granted > 0", name="granted"),
        CheckConstraint("valid_from <= ends_on", name="validity"),
        Index("ix_entitlement_period", "period", "programme_code"),
        Index("ix_entitlement_ends_on", "ends_on"),
    )

    account_id: Mapped[str] = mapped_column(ForeignKey("ledger_account.id"), primary_key=True)
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"))
    programme_code: Mapped[str] = mapped_column(String(12))
    programme_version: Mapped[date]
    slot: Mapped[str] = mapped_column(String(12))
    tier: Mapped[str] = mapped_column(String(20))
    district_code: Mapped[str] = mapped_column(String(6))
    period: Mapped[str] = mapped_column(String(7))
    sequence: Mapped[int] = mapped_column(default=0)
    unit: Mapped[str] = mapped_column(String(7))
    granted: Mapped[int] = mapped_column(BigInteger)
    valid_from: Mapped[date]
    ends_on: Mapped[date]
    grant_run_id: Mapped[str | None] = mapped_column(ForeignKey("grant_run.id"), index=True)
    replaces_id: Mapped[str | None] = mapped_column(KEY)


class GrantRun(Base):
    """One month's grants of one district: previewed, then released by a second person.

    ``preview_sha256`` binds the release to what was seen. ``state``: previewed, released, dropped.
    """

    __tablename__ = "grant_run"
    __table_args__ = (
        CheckConstraint("state IN ('previewed', 'released', 'dropped')", name="state"),
        CheckConstraint("released_by IS NULL OR released_by <> previewed_by", name="two_persons"),
        CheckConstraint("(state = 'released') = (released_by IS NOT NULL)", name="released"),
        Index("ix_grant_run_period", "period", "district_code"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    period: Mapped[str] = mapped_column(String(7))
    district_code: Mapped[str] = mapped_column(String(6))
    state: Mapped[str] = mapped_column(String(10))
    previewed_by: Mapped[str] = mapped_column(ID)
    previewed_at: Mapped[datetime] = mapped_column(Instant)
    released_by: Mapped[str | None] = mapped_column(ID)
    released_at: Mapped[datetime | None] = mapped_column(Instant)
    preview_sha256: Mapped[str] = mapped_column(String(64))
    new: Mapped[int]
    minutes: Mapped[int] = mapped_column(BigInteger)
    fen: Mapped[int] = mapped_column(BigInteger)


class GrantApplication(Base):
    """An application for a grant that is not given by the month; decided by a second person.

    ``home_sha256`` is the home at the time of applying. ``state``: applied, approved, refused.
    """

    __tablename__ = "grant_application"
    __table_args__ = (
        CheckConstraint("state IN ('applied', 'approved', 'refused')", name="state"),
        CheckConstraint("decided_by IS NULL OR decided_by <> applied_by", name="two_persons"),
        CheckConstraint("(state = 'applied') = (decided_by IS NULL)", name="decided"),
        Index("ix_grant_application_state", "state", "programme_code"),
        Index("ix_grant_application_elder", "elder_id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    programme_code: Mapped[str] = mapped_column(String(12))
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"))
    home_sha256: Mapped[str] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(10))
    applied_by: Mapped[str] = mapped_column(ID)
    applied_at: Mapped[datetime] = mapped_column(Instant)
    decided_by: Mapped[str | None] = mapped_column(ID)
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
    reason: Mapped[str | None] = mapped_column(String(200))


class HomeGrant(Base):
    """The last day on which a home got a programme's grant; only a guarded upsert moves it on."""

    __tablename__ = "home_grant"

    programme_code: Mapped[str] = mapped_column(String(12), primary_key=True)
    home_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    last_on: Mapped[date]


class ProgrammeChange(Base):
    """A new version of a programme: proposed by one person with its trial, released by a second.

    ``content`` is the TOML file as it was proposed, ``valid_from`` its one new version,
    ``base_sha256`` the programme that the proposal was read against. ``trial`` is what it would have
    done to the month ``period``. ``state``: proposed, released, withdrawn.
    """

    __tablename__ = "programme_change"
    __table_args__ = (
        CheckConstraint("state IN ('proposed', 'released', 'withdrawn')", name="state"),
        CheckConstraint("released_by IS NULL OR released_by <> proposed_by", name="two_persons"),
        CheckConstraint("(state = 'released') = (released_by IS NOT NULL)", name="released"),
        Index("ix_programme_change_state", "state", "programme_code"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    programme_code: Mapped[str] = mapped_column(String(12))
    valid_from: Mapped[date]
    content: Mapped[str] = mapped_column(Text)
    content_sha256: Mapped[str] = mapped_column(String(64))
    base_sha256: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(String(200))
    period: Mapped[str] = mapped_column(String(7))
    trial: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(10))
    proposed_by: Mapped[str] = mapped_column(ID)
    proposed_at: Mapped[datetime] = mapped_column(Instant)
    released_by: Mapped[str | None] = mapped_column(ID)
    released_at: Mapped[datetime | None] = mapped_column(Instant)


class PriceSplit(Base):
    """How one work order's price is shared, and how far its money has come.

    ``state``: ``expected`` (the month's grants have not run: shares are promised, nothing is held),
    ``held``, ``captured``, ``released``, ``reversed``. ``period`` is the month of the service's start.
    ``sold`` keeps the service facts that shaped the shares, so that a split can be made again.
    """

    __tablename__ = "price_split"
    __table_args__ = (
        CheckConstraint(
            "state IN ('expected', 'held', 'captured', 'released', 'reversed')", name="state"
        ),
        CheckConstraint("price_fen >= 0 AND minutes >= 0", name="price"),
        Index("ix_price_split_period", "period", "state"),
        Index("ix_price_split_elder", "elder_id", "use_on"),
    )

    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_order.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(default=1)
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"))
    district_code: Mapped[str] = mapped_column(String(6))
    period: Mapped[str] = mapped_column(String(7))
    use_on: Mapped[date]
    price_fen: Mapped[int] = mapped_column(BigInteger)
    minutes: Mapped[int]
    sold: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(10))
    at: Mapped[datetime] = mapped_column(Instant)


class PriceShare(Base):
    """One payer's part of a work order's price; written once. ``position`` is the order of payers.

    ``pending_id`` holds the fen, ``pending_minutes_id`` the minutes of an in-kind payer; both are
    ``None`` while the split is only expected. A new revision follows a new quote; ``sold_sha256`` is
    the hash of what the split said of it (price, minutes, what was sold, when).
    """

    __tablename__ = "price_share"
    __table_args__ = (
        CheckConstraint("fen >= 0 AND minutes >= 0 AND fen + minutes > 0", name="amounts"),
        UniqueConstraint("pending_id"),
        UniqueConstraint("pending_minutes_id"),
        Index("ix_price_share_account", "account_id"),
    )

    work_order_id: Mapped[str] = mapped_column(
        ForeignKey("price_split.work_order_id"), primary_key=True
    )
    revision: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    programme_code: Mapped[str] = mapped_column(String(12))
    programme_version: Mapped[date | None]
    tier: Mapped[str] = mapped_column(String(20), default="")
    unit: Mapped[str] = mapped_column(String(7))
    fen: Mapped[int] = mapped_column(BigInteger)
    minutes: Mapped[int]
    rate_fen_per_hour: Mapped[int] = mapped_column(default=0)
    account_id: Mapped[str] = mapped_column(KEY)
    pending_id: Mapped[str | None] = mapped_column(ForeignKey("ledger_transfer.id"))
    pending_minutes_id: Mapped[str | None] = mapped_column(ForeignKey("ledger_transfer.id"))
    sold_sha256: Mapped[str | None] = mapped_column(String(64))


class Redemption(Base):
    """核销: the one capture of a work order, tied to the one visit that proves it."""

    __tablename__ = "redemption"
    __table_args__ = (
        UniqueConstraint("visit_id"),
        UniqueConstraint("work_order_id", "visit_id"),
        Index("ix_redemption_vendor", "vendor_id", "period"),
    )

    work_order_id: Mapped[str] = mapped_column(
        ForeignKey("price_split.work_order_id"), primary_key=True
    )
    visit_id: Mapped[str] = mapped_column(ForeignKey("visit.id"))
    vendor_id: Mapped[str] = mapped_column(ForeignKey("vendor.id"))
    period: Mapped[str] = mapped_column(String(7))
    price_fen: Mapped[int] = mapped_column(BigInteger)
    minutes_delivered: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(Instant)


freeze(LedgerTransfer.__table__)  # type: ignore[arg-type]
freeze(LedgerSeal.__table__)  # type: ignore[arg-type]
freeze(Entitlement.__table__)  # type: ignore[arg-type]
freeze(PriceShare.__table__)  # type: ignore[arg-type]
freeze(Redemption.__table__)  # type: ignore[arg-type]
freeze(
    LedgerAccount.__table__,  # type: ignore[arg-type]
    columns=("id", "kind", "unit", "programme_code", "elder_id", "vendor_id", "district_code"),
)
freeze(
    PriceSplit.__table__,  # type: ignore[arg-type]
    columns=("work_order_id", "elder_id", "district_code", "period", "use_on"),
)
freeze(
    GrantApplication.__table__,  # type: ignore[arg-type]
    columns=(
        "id",
        "programme_code",
        "elder_id",
        "home_sha256",
        "note",
        "applied_by",
        "applied_at",
    ),
)
freeze(HomeGrant.__table__, columns=("programme_code", "home_sha256"))  # type: ignore[arg-type]
freeze(
    ProgrammeChange.__table__,  # type: ignore[arg-type]
    columns=(
        "id",
        "programme_code",
        "valid_from",
        "content",
        "content_sha256",
        "base_sha256",
        "reason",
        "period",
        "trial",
        "proposed_by",
        "proposed_at",
    ),
)
