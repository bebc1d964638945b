"""Sealing the ledger: batches of transfers are hashed and chained, so that no past row can change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.orm import Session

from marketplace.vouchers.ledger import micro_of
from marketplace.vouchers.models import LedgerSeal, LedgerTransfer

GENESIS = "0" * 64
BATCH = 50_000
"""Transfers of one seal at most."""

_T = LedgerTransfer
COLUMNS = (
    _T.serial,
    _T.id,
    _T.kind,
    _T.code,
    _T.unit,
    _T.debit_account,
    _T.credit_account,
    _T.amount,
    _T.pending_id,
    _T.reverses_id,
    _T.work_order_id,
    _T.visit_id,
    _T.period,
    _T.terms_sha256,
    _T.at,
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One seal that was made."""

    id: int
    from_serial: int
    to_serial: int
    transfers: int
    sha256: str


def line_of(row: Any) -> bytes:
    """Return a transfer as the bytes that are hashed; ``at`` as UTC microseconds."""
    said = "\x1f".join("" if v is None else str(v) for v in row[:14])
    return f"{said}\x1f{micro_of(row[14])}\n".encode()


def barrier(session: Session) -> int:
    """Return the highest serial below which no transfer can appear any more; 0 when there is none.

    On PostgreSQL serials are drawn before the commit, so writers are waited for once, for as long
    as their transactions last. SQLite has one writer, who is the caller.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE ledger_transfer IN SHARE MODE"))
    return int(session.scalar(select(func.max(LedgerTransfer.serial))) or 0)


def seal_next(session: Session, *, upto: int, at: datetime) -> Sealed | None:
    """Seal the next batch of transfers up to a serial from ``barrier``; ``None`` when all is sealed.

    Two that seal at once meet at the seals' unique keys: one wins, the other's transaction fails.
    """
    last = session.execute(
        select(LedgerSeal.id, LedgerSeal.to_serial, LedgerSeal.sha256)
        .order_by(LedgerSeal.id.desc())
        .limit(1)
    ).first()
    number, after, previous = (last[0], last[1], last[2]) if last else (0, 0, GENESIS)
    digest = hashlib.sha256(previous.encode())
    count, first, to = 0, 0, 0
    for row in stream(session.connection(), after=after, upto=upto, limit=BATCH):
        digest.update(line_of(row))
        first = first or row[0]
        to = row[0]
        count += 1
    if not count:
        return None
    sealed = Sealed(number + 1, first, to, count, digest.hexdigest())
    session.execute(
        insert(LedgerSeal),
        [
            {
                "id": sealed.id,
                "from_serial": sealed.from_serial,
                "to_serial": sealed.to_serial,
                "transfers": count,
                "previous_sha256": previous,
                "sha256": sealed.sha256,
                "at": at,
            }
        ],
    )
    return sealed


def stream(
    connection: Connection, *, after: int, upto: int | None = None, limit: int | None = None
) -> Iterator[Any]:
    """Yield transfers by serial without holding them all; ``after`` is exclusive."""
    query = select(*COLUMNS).where(_T.serial > after).order_by(_T.serial)
    if upto is not None:
        query = query.where(_T.serial <= upto)
    if limit is not None:
        query = query.limit(limit)
    yield from connection.execute(query.execution_options(yield_per=5000))
