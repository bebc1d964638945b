"""Rows and accounts that holding, capturing, releasing and reversing share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from marketplace.kernel import outbox
from marketplace.kernel.errors import NotFound
from marketplace.vouchers.ledger import (
    Account,
    Entry,
    Pending,
    micro_of,
    seal_terms,
    shard_of,
)
from marketplace.vouchers.models import (
    AccountKind,
    LedgerTransfer,
    PriceShare,
    PriceSplit,
)

OUTSIDE_PAYERS = ("NV", "LTCI")


def owed_account(elder_id: str) -> str:
    """Return the id of an elder's own-money account."""
    return f"owed:{elder_id}"


def due_account(vendor_id: str, programme_code: str) -> str:
    """Return the id of what a vendor has earned from one payer."""
    return f"due:{vendor_id}:{programme_code}"


def fund_account(programme_code: str, district_code: str, period: str, elder_id: str) -> str:
    """Return the id of the fen behind an elder's granted minutes."""
    return f"fund:{programme_code}:{district_code}:{period}:{shard_of(elder_id)}"


def due_vendor(vendor_id: str, programme_code: str) -> Account:
    """Return the account of what a vendor has earned from one payer."""
    return Account(
        id=due_account(vendor_id, programme_code),
        kind=AccountKind.DUE,
        unit="fen",
        programme_code=programme_code,
        vendor_id=vendor_id,
    )


def tell_outside(session: Session, entry: Entry, verb: str, at: datetime) -> None:
    """Post the message by which an outside payer learns of a hold, a capture or a refund."""
    if entry.code not in OUTSIDE_PAYERS or entry.unit != "fen":
        return
    outbox.post(
        session,
        due_at=at,
        channel="bureau",
        recipient_kind="system",
        recipient_id=entry.code,
        template=f"outside.{verb}",
        about=entry.id,
        hold_id=entry.resolves.id if entry.resolves else entry.reverses_id or entry.id,
        account_id=entry.debit,
        fen=entry.amount,
        work_order_id=entry.work_order_id,
    )


def share_rows(session: Session, work_order_id: str, revision: int) -> list[PriceShare]:
    return list(
        session.scalars(
            select(PriceShare)
            .where(PriceShare.work_order_id == work_order_id, PriceShare.revision == revision)
            .order_by(PriceShare.position)
        )
    )


@dataclass(frozen=True, slots=True)
class Held:
    """A share and the pending transfers that hold it."""

    share: PriceShare
    fen: Pending
    minutes: Pending | None


def move_split(session: Session, work_order_id: str, *, to: str, since: str) -> PriceSplit | None:
    """Move a split on, if it stands where it must; of two at once one gets the row."""
    moved = session.execute(
        update(PriceSplit)
        .where(PriceSplit.work_order_id == work_order_id, PriceSplit.state == since)
        .values(state=to)
        .execution_options(synchronize_session=False)
    )
    if moved.rowcount != 1:  # type: ignore[attr-defined]
        return None
    return session.scalars(
        select(PriceSplit)
        .where(PriceSplit.work_order_id == work_order_id)
        .execution_options(populate_existing=True)
    ).one()


def state_of(session: Session, work_order_id: str) -> str:
    state = session.scalar(
        select(PriceSplit.state).where(PriceSplit.work_order_id == work_order_id)
    )
    if state is None:
        raise NotFound(kind="price_split", id=work_order_id)
    return state


def held_of(session: Session, work_order_ids: Iterable[str]) -> dict[str, list[Held]]:
    """Return the shares of the current revisions with their pending transfers."""
    ids = list(work_order_ids)
    fen, minutes = aliased(LedgerTransfer), aliased(LedgerTransfer)
    held: dict[str, list[Held]] = {i: [] for i in ids}
    for start in range(0, len(ids), 2000):
        for share, f, m in session.execute(
            select(PriceShare, fen, minutes)
            .join(
                PriceSplit,
                (PriceSplit.work_order_id == PriceShare.work_order_id)
                & (PriceSplit.revision == PriceShare.revision),
            )
            .join(fen, fen.id == PriceShare.pending_id)
            .outerjoin(minutes, minutes.id == PriceShare.pending_minutes_id)
            .where(PriceShare.work_order_id.in_(ids[start : start + 2000]))
            .order_by(PriceShare.work_order_id, PriceShare.position)
        ):
            held[share.work_order_id].append(
                Held(share, pending_of(f), pending_of(m) if m else None)
            )
    return held


def pending_of(row: LedgerTransfer) -> Pending:
    return Pending(
        id=row.id,
        debit=row.debit_account,
        credit=row.credit_account,
        amount=row.amount,
        unit=row.unit,
    )


_HOLD_TERMS = (
    "work_order_id",
    "revision",
    "position",
    "programme_code",
    "programme_version",
    "tier",
    "fen",
    "minutes",
    "rate_fen_per_hour",
    "account_id",
    "elder_id",
    "district_code",
    "use_on",
    "period",
)


def hold_terms(*, sold_sha256: str | None, **values: object) -> str:
    """Return the hash of a share and its split, kept by the transfers that hold it."""
    sold = () if sold_sha256 is None else (sold_sha256,)
    return seal_terms(*(values[n] for n in _HOLD_TERMS), *sold)


def sold_terms(*, price_fen: int, minutes: int, sold: Mapping[str, Any], at: datetime) -> str:
    """Return the hash of what a split says beside its shares, kept by them."""
    content = json.dumps(sold, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return seal_terms(price_fen, minutes, content, micro_of(at))


def redemption_terms(
    *,
    work_order_id: str,
    visit_id: str,
    vendor_id: str,
    period: str,
    price_fen: int,
    minutes_delivered: int | None,
) -> str:
    """Return the hash of a redemption, kept by the transfers that capture it."""
    return seal_terms(work_order_id, visit_id, vendor_id, period, price_fen, minutes_delivered)


def entitlement_values(**values: object) -> dict[str, object]:
    """Return the row of an entitlement; what is not given is empty."""
    return {"grant_run_id": None, "replaces_id": None, "sequence": 0} | values


def entitlement_terms(values: dict[str, object]) -> str:
    """Return the hash of an entitlement's terms, kept by the transfer that fills it."""
    names = (
        "account_id",
        "elder_id",
        "programme_code",
        "programme_version",
        "slot",
        "tier",
        "district_code",
        "period",
        "sequence",
        "unit",
        "granted",
        "valid_from",
        "ends_on",
        "grant_run_id",
        "replaces_id",
    )
    return seal_terms(*(values[n] for n in names))
