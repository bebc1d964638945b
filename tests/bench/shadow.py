"""A second set of books beside the ledger: after every step each balance must be its entries' sum.

It reads only the transfers that a step added, keeps its own counters by the definition of double
entry, and holds the accounts that they touch against them; the sums over all accounts show that no
other moved. The code of the ledger is not used.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, text

SOURCES = ("treasury", "outside", "owed", "gift")
"""Accounts that money comes from: their net debit is money in."""

PAID = ("due", "bank")
"""Accounts that money goes to: their net credit is money out."""

_NEW = text(
    "SELECT serial, id, kind, unit, debit_account, credit_account, amount, pending_id, work_order_id"
    " FROM ledger_transfer WHERE serial > :after ORDER BY serial"
)
_SUMS = text(
    "SELECT unit, SUM(debits_pending), SUM(debits_posted), SUM(credits_pending),"
    " SUM(credits_posted), COUNT(*),"
    " SUM(CASE WHEN guarded AND credits_posted < debits_posted + debits_pending THEN 1 ELSE 0 END)"
    " FROM ledger_account GROUP BY unit"
)
_TOUCHED = text(
    "SELECT id, kind, unit, guarded, debits_pending, debits_posted, credits_pending, credits_posted"
    " FROM ledger_account WHERE id IN :ids"
).bindparams(bindparam("ids", expanding=True))
_SPLITS = text(
    "SELECT work_order_id, state, price_fen FROM price_split WHERE work_order_id IN :ids"
).bindparams(bindparam("ids", expanding=True))
_HELD = text("SELECT COALESCE(SUM(price_fen), 0) FROM price_split WHERE state = 'held'")
_EARNED = text(
    "SELECT COALESCE(SUM(r.price_fen), 0) FROM redemption r"
    " JOIN price_split s ON s.work_order_id = r.work_order_id WHERE s.state = 'captured'"
)
_ASIDE = text(
    "SELECT COALESCE(SUM(CASE WHEN code IN ('fee', 'own_refund', 'cash_back', 'write_off')"
    " THEN amount ELSE -amount END), 0) FROM ledger_transfer WHERE kind = 'direct'"
    " AND unit = 'fen' AND code IN ('fee', 'own_refund', 'cash_back', 'write_off',"
    " 'cash_at_door', 'family_account', 'holdback_kept')"
)


def _zeros() -> list[int]:
    return [0] * 4


@dataclass
class Shadow:
    """Counters of every account: debits pending, debits posted, credits pending, credits posted."""

    serial: int = 0
    accounts: dict[str, list[int]] = field(default_factory=lambda: defaultdict(_zeros))
    unit: dict[str, str] = field(default_factory=dict)
    kind: dict[str, str] = field(default_factory=dict)
    pending: dict[str, tuple[str, str, int, str]] = field(default_factory=dict)
    sums: dict[str, list[int]] = field(
        default_factory=lambda: {"fen": _zeros(), "minutes": _zeros()}
    )
    opened: int = 0

    def follow(self, connection: Connection) -> None:
        """Take in what was added since; raises ``AssertionError`` where the ledger says otherwise."""
        touched: set[str] = set()
        works: set[str] = set()
        for row in connection.execute(_NEW, {"after": self.serial}).all():
            assert row.serial > self.serial, row
            self.serial = row.serial
            touched |= {row.debit_account, row.credit_account}
            if row.work_order_id:
                works.add(row.work_order_id)
            self._book(row)
        if touched:
            self._hold_against(connection, touched)
        if works:
            self._splits(connection, works)
        self._totals(connection)

    def _move(self, account: str, counter: int, by: int, unit: str) -> None:
        self.accounts[account][counter] += by
        self.sums[unit][counter] += by

    def _book(self, row) -> None:  # type: ignore[no-untyped-def]
        debit, credit, amount, unit = row.debit_account, row.credit_account, row.amount, row.unit
        self.unit[debit] = self.unit[credit] = unit
        assert amount > 0, row
        if row.kind == "pending":
            self._move(debit, 0, amount, unit)
            self._move(credit, 2, amount, unit)
            self.pending[row.id] = (debit, credit, amount, row.work_order_id)
            return
        if row.kind in ("post", "void", "expire"):
            # Gone from the list once resolved, so that a second resolution has nothing to end.
            held_debit, held_credit, held, work_order = self.pending.pop(row.pending_id)
            assert (held_debit, work_order) == (debit, row.work_order_id), row
            assert amount <= held, row
            self._move(held_debit, 0, -held, unit)
            self._move(held_credit, 2, -held, unit)
        if row.kind in ("post", "direct", "reversal"):
            self._move(debit, 1, amount, unit)
            self._move(credit, 3, amount, unit)

    def _hold_against(self, connection: Connection, touched: set[str]) -> None:
        seen = 0
        for row in connection.execute(_TOUCHED, {"ids": sorted(touched)}):
            seen += 1
            self.kind.setdefault(row.id, row.kind)
            assert list(row[4:]) == self.accounts[row.id], (row, self.accounts[row.id])
            if row.guarded:
                assert row.credits_posted >= row.debits_posted + row.debits_pending, row
            assert min(row[4:]) >= 0, row
        assert seen == len(touched), touched

    def _splits(self, connection: Connection, works: set[str]) -> None:
        """A split that is held has pending transfers, and no other has."""
        waiting = {p[3] for p in self.pending.values()}
        for row in connection.execute(_SPLITS, {"ids": sorted(works)}):
            assert (row.state == "held") == (row.work_order_id in waiting), row

    def _totals(self, connection: Connection) -> None:
        opened = 0
        for unit, *sums, count, overdrawn in connection.execute(_SUMS):
            assert [int(v) for v in sums] == self.sums[unit], unit
            assert sums[0] == sums[2], unit
            assert sums[1] == sums[3], unit
            assert overdrawn == 0, unit
            opened += count
        assert opened >= self.opened
        self.opened = opened
        held = int(connection.scalar(_HELD) or 0)
        assert held == self.sums["fen"][0], (held, self.sums["fen"])

    def flows(self, connection: Connection) -> tuple[int, int, int, int]:
        """Return fen in, paid out, held for visits and free; asserts that in = out + held + free.

        What was paid out is held against the redemptions and fees themselves, not the ledger.
        """
        into = out = free = held = 0
        for account, (debits_pending, debits, _, credits_) in self.accounts.items():
            if self.unit[account] != "fen":
                continue
            kind = self.kind[account]
            if kind in SOURCES:
                # A hold on a source (own money, an insurer) is money promised from outside.
                into += debits - credits_ + debits_pending
            elif kind in PAID:
                out += credits_ - debits
            elif kind == "promised":
                assert debits == credits_ == 0, account
                continue
            else:
                free += credits_ - debits - debits_pending
            held += debits_pending
        assert into == out + held + free, (into, out, held, free)
        earned = int(connection.scalar(_EARNED) or 0) + int(connection.scalar(_ASIDE) or 0)
        assert out == earned, (out, earned)
        return into, out, held, free
