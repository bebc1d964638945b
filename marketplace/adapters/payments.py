"""A stand-in for the family account's payment provider, faithful in what it promises and refuses.

It keeps its own books in a file of its own. ``pay`` is what the family does on its phone.
"""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path

from marketplace.adapters.file_book import open_book
from marketplace.kernel.ports import OutsideRefused, PaymentReceived

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bill (
  id TEXT PRIMARY KEY, elder TEXT NOT NULL, fen INTEGER NOT NULL CHECK (fen > 0),
  state TEXT NOT NULL DEFAULT 'open', told INTEGER NOT NULL DEFAULT 0,
  refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND fen));
CREATE TABLE IF NOT EXISTS refund (
  id TEXT PRIMARY KEY, bill TEXT NOT NULL REFERENCES bill (id), fen INTEGER NOT NULL);
"""


class FilePayments:
    """Bills, payments and refunds; repeating any of them changes nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _books(self) -> AbstractContextManager[sqlite3.Connection]:
        return open_book(self._path, _SCHEMA)

    def ask(self, *, bill_id: str, elder_id: str, fen: int) -> str:
        """Make a bill and return the code that the family pays by; raises for another sum."""
        with self._books() as books:
            known = books.execute("SELECT fen FROM bill WHERE id = ?", (bill_id,)).fetchone()
            if known is None:
                books.execute(
                    "INSERT INTO bill (id, elder, fen) VALUES (?, ?, ?)", (bill_id, elder_id, fen)
                )
            elif known[0] != fen:
                raise OutsideRefused("bill_differs")
        return f"nuanju-pay:{bill_id}"

    def pay(self, bill_id: str) -> None:
        """Pay a bill, once; raises ``OutsideRefused`` for one that nobody made."""
        with self._books() as books:
            paid = books.execute("UPDATE bill SET state = 'paid' WHERE id = ?", (bill_id,))
            if paid.rowcount != 1:
                raise OutsideRefused("unknown_bill")

    def received(self) -> list[PaymentReceived]:
        """Return what was paid and not acknowledged yet."""
        with self._books() as books:
            rows = books.execute(
                "SELECT id, elder, fen FROM bill WHERE state = 'paid' AND told = 0 ORDER BY id"
            ).fetchall()
        return [PaymentReceived(bill_id=r[0], elder_id=r[1], fen=r[2]) for r in rows]

    def acknowledge(self, bill_id: str) -> None:
        """Note that a payment is in our books; it is not told again."""
        with self._books() as books:
            books.execute("UPDATE bill SET told = 1 WHERE id = ?", (bill_id,))

    def refund(self, *, refund_id: str, bill_id: str, fen: int) -> None:
        """Give a part of a paid bill back; raises ``OutsideRefused`` beyond what was paid."""
        with self._books() as books:
            if books.execute("SELECT 1 FROM refund WHERE id = ?", (refund_id,)).fetchone():
                return
            given = books.execute(
                "UPDATE bill SET refunded = refunded + ? WHERE id = ? AND state = 'paid'"
                " AND refunded + ? <= fen",
                (fen, bill_id, fen),
            )
            if given.rowcount != 1:
                raise OutsideRefused("not_paid")
            books.execute("INSERT INTO refund VALUES (?, ?, ?)", (refund_id, bill_id, fen))
