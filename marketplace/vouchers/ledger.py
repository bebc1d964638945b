"""Moving amounts between accounts: transfers are inserted, counters change in guarded UPDATEs.

Every call works in the caller's transaction: it opens the accounts that are missing, then changes
the counters of all accounts it touches in the order of their ids (so that two transactions never
wait for each other in a circle), then inserts the transfers.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, not_, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from marketplace.kernel.errors import Conflict, DomainError
from marketplace.vouchers.models import GUARDED, AccountKind, LedgerAccount, LedgerTransfer

SHARDS = 8
"""Accounts that many elders share are split by a hash of the elder's id, so that redemptions of a
district do not queue at one row. The shards add up in every report."""


class EntitlementTooSmall(DomainError):
    """An entitlement has less left than is needed. Facts: needed, free, unit, account, period."""


class BudgetTooSmall(DomainError):
    """A programme's budget does not cover the grants. Facts: needed, free, account."""


class HoldGone(Conflict):
    """The hold was already captured, released or expired. Facts: ``pending_id``."""


@dataclass(frozen=True, slots=True)
class Account:
    """What is needed to open an account. Opening one that exists changes nothing."""

    id: str
    kind: AccountKind
    unit: str
    programme_code: str | None = None
    elder_id: str | None = None
    vendor_id: str | None = None
    district_code: str | None = None
    period: str | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A pending transfer as it stands in the ledger."""

    id: str
    debit: str
    credit: str
    amount: int
    unit: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A transfer to be made. ``resolves`` is the pending one that a post, void or expiry ends."""

    id: str
    kind: str
    code: str
    unit: str
    debit: str
    credit: str
    amount: int
    period: str
    resolves: Pending | None = None
    reverses_id: str | None = None
    work_order_id: str | None = None
    visit_id: str | None = None
    terms_sha256: str | None = None


def shard_of(elder_id: str) -> int:
    """Return the shard of the shared accounts that an elder's money runs through."""
    return zlib.crc32(elder_id.encode()) % SHARDS


def seal_terms(*values: object) -> str:
    """Return the hash that a transfer keeps of the row it is about."""
    return hashlib.sha256("\x1f".join(map(str, values)).encode()).hexdigest()


def micro_of(at: datetime) -> int:
    """Return an instant as whole microseconds since 1970, as it is hashed."""
    return int(at.timestamp()) * 1_000_000 + at.microsecond


_ROW = (
    "id",
    "kind",
    "code",
    "unit",
    "debit_account",
    "credit_account",
    "amount",
    "pending_id",
    "reverses_id",
    "work_order_id",
    "visit_id",
    "period",
    "terms_sha256",
)


def row_sha256(row: Mapping[str, Any]) -> str:
    """Return the hash that a transfer keeps of itself: all of it but its serial."""
    return seal_terms(*(row[name] for name in _ROW), micro_of(row["at"]))


def expect_many(session: Session) -> None:
    """Prepare this transaction for a great many new accounts and transfers.

    PostgreSQL plans a foreign key's check once a session. Planned while the accounts are still few
    it reads the whole table, which is quadratic when the same transaction makes them many. Looking
    at the table anew makes it plan again, with an index.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    known = session.scalar(
        text("SELECT reltuples FROM pg_class WHERE oid = CAST('ledger_account' AS regclass)")
    )
    session.execute(text("SET LOCAL enable_seqscan = off"))
    if known is None or known < 10_000:
        session.execute(text("ANALYZE ledger_account, ledger_transfer, price_split, entitlement"))


def open_accounts(session: Session, accounts: Iterable[Account]) -> set[str]:
    """Open the accounts that are missing and return the ids of those that were."""
    rows = {a.id: a for a in accounts}
    if not rows:
        return set()
    session.flush()
    connection = session.connection()
    ordered = [_row(rows[i]) for i in sorted(rows)]
    return set(connection.execute(_OPEN[connection.dialect.name], ordered).scalars())


_OPEN = {
    name: into(LedgerAccount).on_conflict_do_nothing().returning(LedgerAccount.id)
    for name, into in (("postgresql", postgresql.insert), ("sqlite", sqlite.insert))
}


def _row(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "kind": account.kind.value,
        "unit": account.unit,
        "programme_code": account.programme_code,
        "elder_id": account.elder_id,
        "vendor_id": account.vendor_id,
        "district_code": account.district_code,
        "period": account.period,
        "guarded": account.kind in GUARDED,
        "debits_pending": 0,
        "debits_posted": 0,
        "credits_pending": 0,
        "credits_posted": 0,
    }


_A = LedgerAccount
_APPLY = (
    update(LedgerAccount)
    .where(
        _A.id == bindparam("of"),
        or_(
            not_(_A.guarded),
            _A.debits_posted + _A.debits_pending + bindparam("take")
            <= _A.credits_posted + bindparam("give"),
        ),
    )
    .values(
        debits_pending=_A.debits_pending + bindparam("dp"),
        debits_posted=_A.debits_posted + bindparam("dd"),
        credits_pending=_A.credits_pending + bindparam("cp"),
        credits_posted=_A.credits_posted + bindparam("cd"),
    )
    .execution_options(synchronize_session=False)
)


_INSERT = insert(LedgerTransfer.__table__)  # type: ignore[arg-type]


def post(session: Session, entries: Sequence[Entry], *, at: datetime) -> None:
    """Make the transfers, all or none (the caller's transaction ends on the error).

    Raises ``EntitlementTooSmall`` or ``BudgetTooSmall`` where a guarded account would be overdrawn.
    """
    if not entries:
        return
    changes = _changes(entries)
    parameters = [
        {
            "of": account,
            "take": c[0] + c[1],
            "give": c[3],
            "dp": c[0],
            "dd": c[1],
            "cp": c[2],
            "cd": c[3],
        }
        for account, c in sorted(changes.items())
    ]
    # Worked out first: from the first counter on others may wait for this transaction.
    rows: list[dict[str, Any]] = [
        {
            "id": e.id,
            "kind": e.kind,
            "code": e.code,
            "unit": e.unit,
            "debit_account": e.debit,
            "credit_account": e.credit,
            "amount": e.amount,
            "pending_id": e.resolves.id if e.resolves else None,
            "reverses_id": e.reverses_id,
            "work_order_id": e.work_order_id,
            "visit_id": e.visit_id,
            "period": e.period,
            "terms_sha256": e.terms_sha256,
            "at": at,
        }
        for e in entries
    ]
    for row in rows:
        row["row_sha256"] = row_sha256(row)
    connection = session.connection()
    changed = connection.execute(_APPLY, parameters).rowcount
    if changed != len(parameters):
        _explain_refusal(session, parameters)
    connection.execute(_INSERT, rows)


def _changes(entries: Sequence[Entry]) -> dict[str, list[int]]:
    """Return the sum of changes of each account: debits pending, posted, credits pending, posted."""
    changes: dict[str, list[int]] = {}

    def change(account: str, counter: int, by: int) -> None:
        changes.setdefault(account, [0, 0, 0, 0])[counter] += by

    for e in entries:
        match e.kind:
            case "pending":
                change(e.debit, 0, e.amount)
                change(e.credit, 2, e.amount)
            case "post" | "void" | "expire":
                if e.resolves is None or e.amount > e.resolves.amount:
                    raise ValueError(e.id)
                change(e.resolves.debit, 0, -e.resolves.amount)
                change(e.resolves.credit, 2, -e.resolves.amount)
                if e.kind == "post":
                    change(e.debit, 1, e.amount)
                    change(e.credit, 3, e.amount)
            case "direct" | "reversal":
                change(e.debit, 1, e.amount)
                change(e.credit, 3, e.amount)
            case _:
                raise ValueError(e.kind)
    return changes


def lock(session: Session, account_ids: Iterable[str]) -> None:
    """Keep accounts from changing until the transaction ends, taken in the order in which postings do.

    Whoever reads what it then moves, or makes two postings, locks all of their accounts before.
    """
    # Sorted here, as every movement sorts them: a database has an order of its own for letters.
    for account_id in sorted(set(account_ids)):
        session.execute(select(_A.id).where(_A.id == account_id).with_for_update())


def debit_posted(session: Session, amounts: dict[str, int]) -> None:
    """Debit accounts for transfers that the caller inserts itself, in bulk with their new accounts."""
    parameters = [
        {"of": account, "take": fen, "give": 0, "dp": 0, "dd": fen, "cp": 0, "cd": 0}
        for account, fen in sorted(amounts.items())
    ]
    if parameters and session.connection().execute(_APPLY, parameters).rowcount != len(parameters):
        _explain_refusal(session, parameters)


def _explain_refusal(session: Session, parameters: Sequence[dict[str, Any]]) -> None:
    """Raise the domain error of the first account that did not take its change."""
    # Some of the counters read here already hold this call's own change; an account that refused
    # holds none, and only such a one can lack what is taken from it.
    by_id = {p["of"]: p for p in parameters}
    ids = list(by_id)
    found = set()
    for start in range(0, len(ids), 1000):
        for account in session.scalars(
            select(LedgerAccount)
            .where(LedgerAccount.id.in_(ids[start : start + 1000]))
            .order_by(LedgerAccount.id)
            .execution_options(populate_existing=True)
        ):
            found.add(account.id)
            wanted = by_id[account.id]
            free = account.credits_posted - account.debits_posted - account.debits_pending
            needed = wanted["take"] - wanted["give"]
            if account.guarded and needed > free:
                raise _too_small(account, needed=needed, free=free)
    missing = sorted(set(ids) - found)
    if missing and missing[0].startswith("budget:"):
        needed = by_id[missing[0]]["take"]
        raise BudgetTooSmall(needed_fen=needed, free_fen=0, account=missing[0])
    if missing:
        raise EntitlementTooSmall(needed=1, free=0, unit="", account=missing[0], period=None)
    raise RuntimeError("an account refused its change and shows no reason")


def _too_small(account: LedgerAccount, *, needed: int, free: int) -> DomainError:
    if account.kind in (AccountKind.BUDGET, AccountKind.FUND):
        return BudgetTooSmall(needed_fen=needed, free_fen=free, account=account.id)
    facts: dict[str, Any] = {
        f"needed_{account.unit}": needed,
        f"free_{account.unit}": free,
        "programme": account.programme_code,
        "account": account.id,
        "period": account.period,
    }
    return EntitlementTooSmall(**facts)
