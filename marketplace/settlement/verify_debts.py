"""Proving what vendors repaid and what was given up of their debts: every movement against its record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, select, text

from marketplace.kernel.audit import events_of
from marketplace.kernel.findings import Finding, both_ways
from marketplace.settlement.models import WriteOffStep

_MOVED = """
SELECT id, code, debit_account, credit_account, amount FROM ledger_transfer
WHERE code IN ('repayment', 'write_off') ORDER BY serial
"""


def settled(
    connection: Connection, statements: Mapping[str, Any]
) -> tuple[dict[str, dict[str, int]], list[Finding]]:
    """Return by statement what was repaid or given up of each payer's part, and what is wrong with it."""
    found: dict[str, dict[str, int]] = {}
    wrong: list[Finding] = []
    sums: dict[str, dict[str, int]] = {"repayment": {}, "write_off": {}}
    for row in connection.execute(text(_MOVED)):
        parts = row.id.split("/")
        if len(parts) != 4:
            wrong.append(Finding("ledger_transfer", row.id, "its id names no debt"))
            continue
        _, named, statement_id, payer = parts
        sums[row.code][named] = sums[row.code].get(named, 0) + row.amount
        s = statements.get(statement_id)
        if not _settles_its_debt(row, s, statement_id, payer):
            wrong.append(Finding("ledger_transfer", row.id, "it settles another debt than it says"))
        elif s is not None:
            of = found.setdefault(statement_id, {})
            of[payer] = of.get(payer, 0) + row.amount
    said = {
        "repayment": {
            e.facts["repayment_id"]: e.facts["fen"]
            for events in events_of(connection, "repay_debt").values()
            for e in events
        },
        "write_off": {
            of: events[0].facts["fen"]
            for of, events in events_of(connection, "write_off_debt").items()
        },
    }
    for code, moved in sums.items():
        for named in sorted(moved.keys() | said[code].keys()):
            if moved.get(named) != said[code].get(named):
                wrong.append(
                    Finding("ledger_transfer", f"{code}/{named}", "it is not what was recorded")
                )
    return found, wrong


def _settles_its_debt(row: Any, s: Any, statement_id: str, payer: str) -> bool:
    """Say whether a movement goes from the bank, or the treasury, to the account that its id names.

    ``s``: the statement; none where families' money is settled, which is of no one statement.
    """
    source = "bank" if row.code == "repayment" else "treasury"
    if s is not None:
        asked = (f"{source}:{s.district_code}", f"due:{s.vendor_id}:{payer}")
        return (row.debit_account, row.credit_account) == asked
    return (
        statement_id == "own"
        and row.debit_account.startswith(f"{source}:")
        and row.credit_account.startswith("due:")
        and row.credit_account.endswith(f":{payer}")
    )


def write_offs(connection: Connection) -> Iterator[Finding]:
    """Hold the steps of write-offs against what was recorded of them, both ways."""
    recorded = {
        (of, number, e.facts["vendor_id"], e.facts["district_code"], e.facts["fen"], e.reason,
         e.at, e.actor_id)
        for number, action in ((1, "propose_write_off"), (2, "write_off_debt"))
        for of, events in events_of(connection, action).items()
        for e in events
    }  # fmt: skip
    written = set()
    for r in connection.execute(select(WriteOffStep.__table__)):
        written.add((r.id, r.number, r.vendor_id, r.district_code, r.fen, r.reason, r.at, r.by))
        if (r.previous,) != (None, 1)[r.number - 1 : r.number]:
            yield Finding("write_off_step", f"{r.id}/{r.number}", "it is out of order")
    yield from both_ways("write_off_step", written=written, recorded=recorded, called_by=2)
