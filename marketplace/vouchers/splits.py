"""Rows and accounts that holding, capturing, releasing and reversing share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, bindparam, literal, select, update
from sqlalchemy.orm import Session

from marketplace.kernel import outbox
from marketplace.kernel.db import wait_for_turn
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
    KEY,
    AccountKind,
    LedgerAccount,
    LedgerTransfer,
    PriceShare,
    PriceSplit,
)

OUTSIDE_PAYERS = ("NV", "LTCI")

_PENDING = ("id", "debit_account", "credit_account", "amount", "unit")
"""Columns of a transfer in the order of ``Pending``."""


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
class HeldShare:
    """What a payer's part of a work order says of its money."""

    work_order_id: str
    programme_code: str
    programme_version: date | None
    fen: int
    minutes: int
    rate_fen_per_hour: int
    account_id: str


@dataclass(frozen=True, slots=True)
class Held:
    """A share and the pending transfers that hold it. ``is_due_open``: the vendor who was asked about
    has an account with this payer."""

    share: HeldShare
    fen: Pending
    minutes: Pending | None
    is_due_open: bool


Split = PriceSplit | Row[Any]
"""A split as an object or as the row that a move returned; the columns have the same names."""

_S, _P = PriceSplit.__table__, PriceShare.__table__
_MOVE = (
    update(_S)
    .where(_S.c.work_order_id == bindparam("of"), _S.c.state == bindparam("since"))
    .values(state=bindparam("to"))
    .returning(*_S.c)
)


def move_split(session: Session, work_order_id: str, *, to: str, since: str) -> Row[Any] | None:
    """Move a split on, if it stands where it must; of two at once one gets the row."""
    session.flush()
    return (
        session.connection()
        .execute(_MOVE, {"of": work_order_id, "since": since, "to": to})
        .one_or_none()
    )


def state_of(session: Session, work_order_id: str) -> str:
    state = session.scalar(
        select(PriceSplit.state).where(PriceSplit.work_order_id == work_order_id)
    )
    if state is None:
        raise NotFound(kind="price_split", id=work_order_id)
    return state


_FEN, _MIN = (LedgerTransfer.__table__.alias(n) for n in ("fen", "minutes"))
_DUE = LedgerAccount.__table__.alias("due")
_HELD = (
    select(
        *(_P.c[f.name] for f in fields(HeldShare)),
        *(t.c[name] for t in (_FEN, _MIN) for name in _PENDING),
        _DUE.c.id.is_not(None),
    )
    .join(_S, (_S.c.work_order_id == _P.c.work_order_id) & (_S.c.revision == _P.c.revision))
    .join(_FEN, _FEN.c.id == _P.c.pending_id)
    .outerjoin(_MIN, _MIN.c.id == _P.c.pending_minutes_id)
    .outerjoin(
        _DUE,
        _DUE.c.id == literal("due:") + bindparam("vendor", type_=KEY) + ":" + _P.c.programme_code,
    )
    .where(_P.c.work_order_id.in_(bindparam("ids", expanding=True)))
    .order_by(_P.c.work_order_id, _P.c.position)
)


def held_of(
    session: Session, work_order_ids: Iterable[str], *, vendor_id: str = ""
) -> dict[str, list[Held]]:
    """Return the shares of the current revisions with their pending transfers.

    ``vendor_id``: whose accounts with the payers are looked for.
    """
    ids = list(work_order_ids)
    held: dict[str, list[Held]] = {i: [] for i in ids}
    session.flush()
    connection = session.connection()
    for start in range(0, len(ids), 2000):
        asked = {"ids": ids[start : start + 2000], "vendor": vendor_id}
        for row in connection.execute(_HELD, asked):
            minutes = Pending(*row[12:17]) if row[12] is not None else None
            share = HeldShare(*row[:7])
            held[share.work_order_id].append(Held(share, Pending(*row[7:12]), minutes, row[17]))
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


def one_purse_at_a_time(session: Session, elder_id: str, slot: str) -> None:
    """Let fillings of one person's purse wait for each other: each gets the next number."""
    wait_for_turn(session, f"purse/{slot}/{elder_id}")


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
