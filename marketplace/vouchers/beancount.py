"""The ledger as Beancount text, which a program that is not ours can check.

Minutes and fen are two currencies. Every final movement is one transaction, and each account ends
with a balance assertion that names its counters; unresolved holds stand as transactions of their own
on two mirror accounts, so that the checker proves both columns.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import date, timedelta

from sqlalchemy import Connection, select

from marketplace.kernel.clock import local
from marketplace.vouchers.models import LedgerAccount, LedgerTransfer

_ROOTS = {
    "treasury": "Equity",
    "budget": "Equity",
    "fund": "Equity",
    "mint": "Equity",
    "outside": "Assets",
    "entitlement": "Liabilities",
    "day": "Liabilities",
    "owed": "Assets",
    "promised": "Liabilities",
    "served": "Expenses",
    "due": "Liabilities",
    "bank": "Assets",
    "gift": "Equity",
}
_UNITS = {"fen": "FEN", "minutes": "MINUTE"}


def account_name(kind: str, account_id: str) -> str:
    """Return an account's name in Beancount: its id where that is possible, else made unique."""
    head, *rest = account_id.split(":")
    if kind == "entitlement":
        # A replacement's number must not hang below its month: a balance includes what hangs below.
        rest = [*rest[:2], "-".join(rest[2:])]
    parts = [head.capitalize()]
    # Only a part that Beancount takes as it is keeps its name: two ids never become one account.
    parts.extend(p if re.fullmatch(r"[A-Z0-9][A-Za-z0-9-]*", p) else _hash(p) for p in rest)
    return ":".join([_ROOTS[kind], *parts])


def _hash(part: str) -> str:
    return "H" + hashlib.sha256(part.encode()).hexdigest()[:16]


def export(connection: Connection) -> Iterator[str]:
    """Yield the lines of the file; memory is bounded by the number of accounts."""
    rows = connection.execute(
        select(
            LedgerAccount.id,
            LedgerAccount.kind,
            LedgerAccount.unit,
            LedgerAccount.debits_posted,
            LedgerAccount.credits_posted,
            LedgerAccount.debits_pending,
            LedgerAccount.credits_pending,
        ).order_by(LedgerAccount.id)
    ).all()
    t = LedgerTransfer
    first = connection.scalar(select(t.at).order_by(t.serial).limit(1))
    last = connection.scalar(select(t.at).order_by(t.serial.desc()).limit(1))
    opened = local(first).date() if first else date(2026, 1, 1)
    yield 'option "title" "Nuanju ledger"\n'
    names = {}
    for row in rows:
        names[row.id] = account_name(row.kind, row.id)
        yield f"{opened} open {names[row.id]} {_UNITS[row.unit]}\n"
        if row.debits_pending or row.credits_pending:
            yield f"{opened} open {names[row.id]}:Pending {_UNITS[row.unit]}\n"
    latest = opened
    query = select(
        t.serial, t.id, t.kind, t.unit, t.debit_account, t.credit_account, t.amount, t.at
    ).where(t.kind.in_(["post", "direct", "reversal"]))
    for row in connection.execute(query.order_by(t.serial).execution_options(yield_per=5000)):
        on = local(row.at).date()
        latest = max(latest, on)
        yield _transaction(on, row, names, "")
    for row in _unresolved(connection):
        on = local(row.at).date()
        latest = max(latest, on)
        yield _transaction(on, row, names, ":Pending")
    if last:
        latest = max(latest, local(last).date())
    after = latest + timedelta(days=1)
    for row in rows:
        unit = _UNITS[row.unit]
        posted = row.debits_posted - row.credits_posted
        pending = row.debits_pending - row.credits_pending
        # A balance includes that of the account below it.
        yield f"{after} balance {names[row.id]} {posted + pending} {unit}\n"
        if row.debits_pending or row.credits_pending:
            yield f"{after} balance {names[row.id]}:Pending {pending} {unit}\n"


def _unresolved(connection: Connection) -> Iterator[object]:
    t = LedgerTransfer.__table__
    r = t.alias("resolution")
    query = (
        select(
            t.c.serial,
            t.c.id,
            t.c.kind,
            t.c.unit,
            t.c.debit_account,
            t.c.credit_account,
            t.c.amount,
            t.c.at,
        )
        .outerjoin(r, r.c.pending_id == t.c.id)
        .where(t.c.kind == "pending", r.c.id.is_(None))
        .order_by(t.c.serial)
    )
    yield from connection.execute(query.execution_options(yield_per=5000))


def _transaction(on: date, row: object, names: dict[str, str], tail: str) -> str:
    unit = _UNITS[row.unit]  # type: ignore[attr-defined]
    return (
        f'{on} * "{row.kind}" "{row.id}"\n'  # type: ignore[attr-defined]
        f"  {names[row.debit_account]}{tail}  {row.amount} {unit}\n"  # type: ignore[attr-defined]
        f"  {names[row.credit_account]}{tail}  -{row.amount} {unit}\n"  # type: ignore[attr-defined]
    )
