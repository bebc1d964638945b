"""Checks of the ledger that read row by row: hashes computed again, columns held against one another.

Each streams its rows, so that memory does not grow with them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import aliased

from marketplace.kernel.findings import Finding
from marketplace.vouchers.ledger import row_sha256
from marketplace.vouchers.models import (
    Entitlement,
    GrantRun,
    LedgerAccount,
    LedgerSeal,
    LedgerTransfer,
    PriceShare,
    PriceSplit,
    Redemption,
)
from marketplace.vouchers.seals import GENESIS, line_of, stream
from marketplace.vouchers.splits import (
    entitlement_terms,
    hold_terms,
    redemption_terms,
    sold_terms,
)


def _rows(connection: Connection, query: Any) -> Iterator[Any]:
    yield from connection.execute(query.execution_options(yield_per=5000))


_PARTS: dict[str, tuple[str, ...]] = {
    "treasury": ("district_code",),
    "budget": ("programme_code", "district_code", "period"),
    "fund": ("programme_code", "district_code", "period"),
    "mint": ("programme_code", "district_code"),
    "outside": ("programme_code", "district_code"),
    "day": ("programme_code", "elder_id", "period"),
    "owed": ("elder_id",),
    "promised": ("programme_code", "district_code"),
    "served": ("programme_code", "district_code"),
    "due": ("vendor_id", "programme_code"),
}
"""What the parts of an account's id say, by kind; entitlements are compared with their own table."""


def accounts(connection: Connection) -> Iterator[Finding]:
    """Hold each account's columns against its id, an entitlement's against the entitlement."""
    a = LedgerAccount
    query = (
        select(
            a.id,
            a.kind,
            a.unit,
            a.programme_code,
            a.elder_id,
            a.vendor_id,
            a.district_code,
            a.period,
            Entitlement.account_id,
            Entitlement.programme_code,
            Entitlement.elder_id,
            Entitlement.district_code,
            Entitlement.period,
            Entitlement.unit,
        )
        .outerjoin(Entitlement, Entitlement.account_id == a.id)
        .order_by(a.id)
    )
    for row in _rows(connection, query):
        if row.kind == "entitlement":
            mine = (row[3], row[4], row[6], row[7], row[2])
            if row[8] is None or mine != tuple(row[9:14]) or row[5] is not None:
                yield Finding("ledger_account", row.id, "it is not its entitlement's")
            continue
        head, *rest = row.id.split(":")
        named = dict(zip(_PARTS.get(row.kind, ()), rest, strict=False))
        columns = {
            "programme_code": row[3],
            "elder_id": row[4],
            "vendor_id": row[5],
            "district_code": row[6],
            "period": row[7],
        }
        if head != row.kind or any(columns[k] != v for k, v in named.items()):
            yield Finding("ledger_account", row.id, "its columns are not what its id says")


def grants(connection: Connection) -> Iterator[Finding]:
    """Hold each entitlement against the transfer that filled it, and that against its run."""
    t = LedgerTransfer
    query = (
        select(
            Entitlement.__table__,
            t.terms_sha256,
            t.code,
            t.at,
            t.period.label("moved_in"),
            GrantRun.released_at,
        )
        .join(t, t.credit_account == Entitlement.account_id)
        .outerjoin(GrantRun, GrantRun.id == Entitlement.grant_run_id)
        .where(t.code.in_(["grant", "award", "replacement", "top_up", "gift"]))
        .order_by(t.serial)
    )
    for row in _rows(connection, query):
        if entitlement_terms(dict(row._mapping)) != row.terms_sha256:
            yield Finding("entitlement", row.account_id, "its terms are not those of its grant")
        elif row.code == "grant" and (row.at, row.moved_in) != (row.released_at, row.period):
            yield Finding(
                "ledger_transfer", f"grant of {row.account_id}", "its time is not its run's"
            )


def holds(connection: Connection) -> Iterator[Finding]:
    """Hold each share, and the split it is of, against the transfers that hold it."""
    fen, minutes = aliased(LedgerTransfer), aliased(LedgerTransfer)
    p, s = PriceShare, PriceSplit
    query = (
        select(
            p.work_order_id,
            p.revision,
            p.position,
            p.programme_code,
            p.programme_version,
            p.tier,
            p.fen,
            p.minutes,
            p.rate_fen_per_hour,
            p.account_id,
            s.elder_id,
            s.district_code,
            s.use_on,
            s.period,
            p.unit,
            fen.terms_sha256,
            fen.amount,
            fen.unit,
            fen.work_order_id,
            minutes.terms_sha256,
            minutes.amount,
            minutes.debit_account,
            fen.debit_account,
            p.sold_sha256,
            s.revision.label("current"),
            s.price_fen,
            s.minutes.label("split_minutes"),
            s.sold,
            s.at,
        )
        .join(s, s.work_order_id == p.work_order_id)
        .join(fen, fen.id == p.pending_id)
        .outerjoin(minutes, minutes.id == p.pending_minutes_id)
        .order_by(p.work_order_id, p.revision, p.position)
    )
    for row in _rows(connection, query):
        names = ("work_order_id", "revision", "position", "programme_code", "programme_version")
        names += ("tier", "fen", "minutes", "rate_fen_per_hour", "account_id", "elder_id")
        names += ("district_code", "use_on", "period")
        terms = hold_terms(**dict(zip(names, row[:14], strict=True)), sold_sha256=row.sold_sha256)
        where = f"{row[0]}/{row[1]}/{row[2]}"
        if row.current == row[1] and _is_resold(row):
            yield Finding(
                "price_split", row[0], "its price, minutes, time or what was sold changed"
            )
        if terms != row[15] or row[6] != row[16] or row[17] != "fen" or row[0] != row[18]:
            yield Finding("price_share", where, "it is not what was held")
        elif row[14] == "minutes" and (row[19] != terms or row[20] != row[7] or row[21] != row[9]):
            yield Finding("price_share", where, "its minutes are not what was held")
        elif row[14] == "fen" and row[22] != row[9]:
            yield Finding("price_share", where, "another account was held")


def _is_resold(row: Any) -> bool:
    """Return whether a split says something else than its current shares were made for."""
    if row.sold_sha256 is None:
        return False
    said = sold_terms(price_fen=row.price_fen, minutes=row.split_minutes, sold=row.sold, at=row.at)
    return said != row.sold_sha256


def expected(connection: Connection) -> Iterator[Finding]:
    """Hold splits that wait for their grants against the shares that they promised."""
    p, s = PriceShare, PriceSplit
    query = (
        select(
            s.work_order_id,
            p.sold_sha256,
            s.price_fen,
            s.minutes.label("split_minutes"),
            s.sold,
            s.at,
        )
        .join(p, (p.work_order_id == s.work_order_id) & (p.revision == s.revision))
        .where(s.state == "expected")
        .order_by(s.work_order_id, p.position)
    )
    for row in _rows(connection, query):
        if _is_resold(row):
            yield Finding(
                "price_split", row[0], "its price, minutes, time or what was sold changed"
            )


def unsealed(connection: Connection) -> Iterator[Finding]:
    """Hold transfers that no seal covers yet against the hash that each keeps of itself."""
    t = LedgerTransfer.__table__
    last = connection.scalar(select(func.max(LedgerSeal.to_serial))) or 0
    query = select(t).where(t.c.serial > last, t.c.code != "grant").order_by(t.c.serial)
    for row in _rows(connection, query):
        if row.row_sha256 != row_sha256(row._mapping):
            yield Finding("ledger_transfer", str(row.serial), "it is not what was written", row.id)


def captures(connection: Connection) -> Iterator[Finding]:
    """Hold each redemption against the transfers that captured it."""
    t, r = LedgerTransfer, Redemption
    query = (
        select(
            r.work_order_id,
            r.visit_id,
            r.vendor_id,
            r.period,
            r.price_fen,
            r.minutes_delivered,
            r.at,
            t.terms_sha256,
            t.at,
            t.id,
        )
        .join(t, t.work_order_id == r.work_order_id)
        .where(t.kind == "post")
        .order_by(t.serial)
    )
    for row in _rows(connection, query):
        terms = redemption_terms(
            work_order_id=row[0],
            visit_id=row[1],
            vendor_id=row[2],
            period=row[3],
            price_fen=row[4],
            minutes_delivered=row[5],
        )
        if terms != row[7] or row[6] != row[8]:
            yield Finding("redemption", row[0], "it is not what was captured", row[9])


def chain(connection: Connection, say: Callable[[str, int], None]) -> tuple[int, list[Finding]]:
    """Compute the chain of seals again; return how many transfers it covers, and what is broken."""
    seals = connection.execute(
        select(
            LedgerSeal.id,
            LedgerSeal.from_serial,
            LedgerSeal.to_serial,
            LedgerSeal.transfers,
            LedgerSeal.previous_sha256,
            LedgerSeal.sha256,
        ).order_by(LedgerSeal.id)
    ).all()
    if not seals:
        return 0, []
    rows = stream(connection, after=0, upto=seals[-1].to_serial)
    pending = next(rows, None)
    previous, covered = GENESIS, 0
    for number, seal in enumerate(seals, start=1):
        if seal.id != number or seal.previous_sha256 != previous:
            return covered, [Finding("ledger_seal", str(seal.id), "the chain is broken before it")]
        digest, count = hashlib.sha256(previous.encode()), 0
        first = pending[0] if pending is not None else None
        last = None
        while pending is not None and pending[0] <= seal.to_serial:
            digest.update(line_of(pending))
            count, last = count + 1, pending[0]
            pending = next(rows, None)
        if (first, last, count, digest.hexdigest()) != (
            seal.from_serial,
            seal.to_serial,
            seal.transfers,
            seal.sha256,
        ):
            detail = f"serials {seal.from_serial} to {seal.to_serial}, {count} found"
            return covered, [Finding("ledger_seal", str(seal.id), "its transfers changed", detail)]
        previous, covered = seal.sha256, covered + count
        say("seals", covered)
    return covered, []
