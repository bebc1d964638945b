"""Proving the ledger: everything is computed again from the transfers, and the first wrong row named.

The checks read one snapshot and keep a bounded number of rows in memory; sums are left to the
database. Each finding names table, row and rule.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, text

from marketplace.kernel.findings import LIMIT, Finding, first
from marketplace.kernel.immutable import broken_guards
from marketplace.vouchers import rights, verify_own, verify_rows
from marketplace.vouchers.models import LedgerAccount, LedgerTransfer
from marketplace.vouchers.verify_rules import COUNTERS, QUERIES

FROZEN = (
    "ledger_transfer",
    "ledger_seal",
    "entitlement",
    "price_share",
    "redemption",
    "ledger_account",
    "price_split",
    "programme_change",
    "grant_application",
    "home_grant",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification looked at and found; ``findings`` is empty where all is right."""

    accounts: int
    transfers: int
    sealed: int
    findings: tuple[Finding, ...]

    @property
    def is_proven(self) -> bool:
        """Return whether nothing is wrong."""
        return not self.findings


def verify(
    connection: Connection, *, progress: Callable[[str, int], None] | None = None
) -> Verdict:
    """Prove the ledger on an open snapshot; ``progress`` hears of each check and rows read."""
    say = progress or (lambda _check, _rows: None)
    findings: list[Finding] = list(broken_guards(connection, FROZEN))
    say("counters", 0)
    findings.extend(_counters(connection))
    for table, rule, query in QUERIES:
        say(f"{table}: {rule}", 0)
        for row in connection.execute(text(query), {"most": LIMIT}):
            findings.append(Finding(table, str(row[0]), rule, str(row[1])))
    for name, check in (
        ("accounts", verify_rows.accounts),
        ("grants", verify_rows.grants),
        ("holds", verify_rows.holds),
        ("expected", verify_rows.expected),
        ("captures", verify_rows.captures),
        ("rights", rights.verify),
        ("own money", verify_own.verify),
        ("unsealed", verify_rows.unsealed),
    ):
        say(name, 0)
        findings.extend(first(check(connection)))
    sealed, broken = verify_rows.chain(connection, say)
    findings.extend(broken)
    return Verdict(
        accounts=_count(connection, LedgerAccount.id),
        transfers=_count(connection, LedgerTransfer.serial),
        sealed=sealed,
        findings=tuple(findings),
    )


def _counters(connection: Connection) -> Iterator[Finding]:
    """Name accounts whose counters are not what their transfers sum to, or that were overdrawn."""
    for row in connection.execute(text(COUNTERS), {"most": LIMIT}):
        stored, summed = tuple(row[2:6]), tuple(int(v) for v in row[6:10])
        if stored != summed:
            detail = f"{stored} stored, {summed} summed"
            yield Finding("ledger_account", row.id, "its counters are not its transfers'", detail)
        elif row.guarded and stored[0] + stored[1] > stored[3]:
            yield Finding("ledger_account", row.id, "more was taken from it than it had")
        else:
            yield Finding("ledger_account", row.id, "no transfer ever moved it")


def _count(connection: Connection, column: Any) -> int:
    return int(connection.scalar(select(func.count(column))) or 0)


def as_json(verdict: Verdict) -> str:
    """Return a verdict as one JSON object."""
    return json.dumps(
        {
            "proven": verdict.is_proven,
            "accounts": verdict.accounts,
            "transfers": verdict.transfers,
            "sealed": verdict.sealed,
            "findings": [str(f) for f in verdict.findings],
        },
        ensure_ascii=False,
    )
