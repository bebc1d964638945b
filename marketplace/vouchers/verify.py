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

from marketplace.kernel.findings import Finding
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

LIMIT = 20
"""Findings shown of one check."""


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
    for row in connection.execute(text(COUNTERS), {"most": LIMIT}):
        stored, summed = tuple(row[1:5]), tuple(int(v) for v in row[5:9])
        findings.append(
            Finding("ledger_account", row[0], "its counters", f"{stored} stored, {summed} summed")
        )
    for table, rule, query in QUERIES:
        say(f"{table}: {rule}", 0)
        for row in connection.execute(text(query), {"most": LIMIT}):
            findings.append(Finding(table, str(row[0]), rule, str(row[1])))
    for check in (
        verify_rows.accounts,
        verify_rows.grants,
        verify_rows.holds,
        verify_rows.expected,
        verify_rows.captures,
    ):
        say(check.__name__, 0)
        findings.extend(_first(check(connection)))
    say("rights", 0)
    findings.extend(_first(rights.verify(connection)))
    say("own money", 0)
    findings.extend(_first(verify_own.verify(connection)))
    sealed, broken = verify_rows.chain(connection, say)
    findings.extend(broken)
    findings.extend(_first(verify_rows.unsealed(connection)))
    return Verdict(
        accounts=_count(connection, LedgerAccount.id),
        transfers=_count(connection, LedgerTransfer.serial),
        sealed=sealed,
        findings=tuple(findings),
    )


def _count(connection: Connection, column: Any) -> int:
    return int(connection.scalar(select(func.count(column))) or 0)


def _first(found: Iterator[Finding]) -> list[Finding]:
    return [f for f, _ in zip(found, range(LIMIT), strict=False)]


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
