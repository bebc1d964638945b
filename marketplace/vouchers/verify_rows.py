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


PARTS: dict[str, tuple[str, ...]] = {
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
    "bank": ("district_code",),
    "gift": ("programme_code", "district_code"),
}
"""What the parts of an account's id say, by kind; entitlements are compared with their own table."""


_GRANTED = ("programme_code", "elder_id", "district_code", "period", "unit")
"""What an entitlement's account says as the entitlement does."""


def accounts(connection: Connection) -> Iterator[Finding]:
    """Hold each account's columns against its id, an entitlement's against the entitlement."""
    a, e = LedgerAccount, Entitlement
    query = (
        select(
            *(a.id, a.kind, a.vendor_id, e.account_id),
            *(getattr(a, name) for name in _GRANTED),
            *(getattr(e, name).label(f"granted_{name}") for name in _GRANTED),
        )
        .outerjoin(e, e.account_id == a.id)
        .order_by(a.id)
    )
    for row in _rows(connection, query):
        if row.kind == "entitlement":
            differs = any(getattr(row, n) != getattr(row, f"granted_{n}") for n in _GRANTED)
            if row.account_id is None or differs or row.vendor_id is not None:
                yield Finding("ledger_account", row.id, "it is not its entitlement's")
            continue
        head, *rest = row.id.split(":")
        said = zip(PARTS.get(row.kind, ()), rest, strict=False)
        if head != row.kind or any(getattr(row, name) != part for name, part in said):
            yield Finding("ledger_account", row.id, "its columns are not what its id says")


def grants(connection: Connection) -> Iterator[Finding]:
    """Hold each entitlement against the transfer that filled it, and that against its run."""
    t = LedgerTransfer
    query = (
        select(
            Entitlement.__table__,
            t.id.label("granted_by"),
            *(t.terms_sha256, t.code, t.at),
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
            yield Finding("ledger_transfer", row.granted_by, "its time is not its run's")


_SHARE = (
    *("work_order_id", "revision", "position", "programme_code", "programme_version"),
    *("tier", "fen", "minutes", "rate_fen_per_hour", "account_id"),
)
_SPLIT = ("elder_id", "district_code", "use_on", "period")


def holds(connection: Connection) -> Iterator[Finding]:
    """Hold each share, and the split it is of, against the transfers that hold it."""
    fen, minutes = aliased(LedgerTransfer), aliased(LedgerTransfer)
    p, s = PriceShare, PriceSplit
    query = (
        select(
            *(getattr(p, name) for name in _SHARE),
            *(getattr(s, name) for name in _SPLIT),
            *(p.unit, p.sold_sha256),
            fen.terms_sha256.label("held_terms"),
            fen.amount.label("held_fen"),
            fen.unit.label("held_unit"),
            fen.work_order_id.label("held_for"),
            fen.debit_account.label("held_on"),
            minutes.terms_sha256.label("minutes_terms"),
            minutes.amount.label("held_minutes"),
            minutes.debit_account.label("given_by"),
            s.revision.label("current"),
            *(s.price_fen, s.minutes.label("split_minutes"), s.sold, s.at),
        )
        .join(s, s.work_order_id == p.work_order_id)
        .join(fen, fen.id == p.pending_id)
        .outerjoin(minutes, minutes.id == p.pending_minutes_id)
        .order_by(p.work_order_id, p.revision, p.position)
    )
    for row in _rows(connection, query):
        said = {name: getattr(row, name) for name in (*_SHARE, *_SPLIT)}
        terms = hold_terms(**said, sold_sha256=row.sold_sha256)
        where = f"{row.work_order_id}/{row.revision}/{row.position}"
        held = (terms, row.fen, "fen", row.work_order_id)
        given = (terms, row.minutes, row.account_id)
        if row.current == row.revision:
            yield from _resold(row)
        if held != (row.held_terms, row.held_fen, row.held_unit, row.held_for):
            yield Finding("price_share", where, "it is not what was held")
        elif row.unit == "minutes" and given != (row.minutes_terms, row.held_minutes, row.given_by):
            yield Finding("price_share", where, "its minutes are not what was held")
        elif row.unit == "fen" and row.held_on != row.account_id:
            yield Finding("price_share", where, "another account was held")


def _resold(row: Any) -> Iterator[Finding]:
    """Name a split that says something else than its current shares were made for."""
    if row.sold_sha256 is None:
        return
    said = sold_terms(price_fen=row.price_fen, minutes=row.split_minutes, sold=row.sold, at=row.at)
    if said != row.sold_sha256:
        rule = "its price, minutes, time or what was sold changed"
        yield Finding("price_split", row.work_order_id, rule)


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
        yield from _resold(row)


def unsealed(connection: Connection) -> Iterator[Finding]:
    """Hold transfers that no seal covers yet against the hash that each keeps of itself."""
    t = LedgerTransfer.__table__
    last = connection.scalar(select(func.max(LedgerSeal.to_serial))) or 0
    query = select(t).where(t.c.serial > last, t.c.code != "grant").order_by(t.c.serial)
    for row in _rows(connection, query):
        if row.row_sha256 != row_sha256(row._mapping):
            yield Finding("ledger_transfer", str(row.serial), "it is not what was written", row.id)


_REDEEMED = ("work_order_id", "visit_id", "vendor_id", "period", "price_fen", "minutes_delivered")


def captures(connection: Connection) -> Iterator[Finding]:
    """Hold each redemption against the transfers that captured it."""
    t, r = LedgerTransfer, Redemption
    query = (
        select(
            *(getattr(r, name) for name in _REDEEMED),
            r.at,
            t.id.label("captured_by"),
            t.at.label("captured_at"),
            t.terms_sha256,
        )
        .join(t, t.work_order_id == r.work_order_id)
        .where(t.kind == "post")
        .order_by(t.serial)
    )
    for row in _rows(connection, query):
        terms = redemption_terms(**{name: getattr(row, name) for name in _REDEEMED})
        if (terms, row.at) != (row.terms_sha256, row.captured_at):
            yield Finding(
                "redemption", row.work_order_id, "it is not what was captured", row.captured_by
            )


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
