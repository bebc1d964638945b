"""What was given back of elders' own money: never more than was there, and nothing that nobody recorded."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from marketplace.kernel.audit import events_of
from marketplace.kernel.findings import Finding, both_ways
from marketplace.vouchers.models import LedgerTransfer
from marketplace.vouchers.own_debts import CASH_BACK, reckoned
from marketplace.vouchers.payouts import DESK, OWN_REFUND


def verify(connection: Connection) -> Iterator[Finding]:
    """Name what was given back beyond what an elder had to the good, or without a record of it."""
    t = LedgerTransfer
    rows = connection.execute(
        select(t.id, t.code, t.debit_account, t.amount, t.at)
        .where(t.code.in_([CASH_BACK, OWN_REFUND]))
        .order_by(t.serial)
    ).all()
    accounts = sorted({row.debit_account for row in rows})
    for start in range(0, len(accounts), 500):
        for stands in reckoned(connection, accounts[start : start + 500]).values():
            for wrong in stands.wrong:
                yield Finding("ledger_transfer", wrong, "it gives back more than was there")
    recorded = {
        (e.facts["entry"], e.facts["fen"], e.at)
        for action in ("return_cash", "refund_at_desk")
        for events in events_of(connection, action).values()
        for e in events
    }
    written = {(r.id, r.amount, r.at) for r in rows if r.code == CASH_BACK or r.id.startswith(DESK)}
    yield from both_ways("ledger_transfer", written=written, recorded=recorded)
