"""A stand-in for the national voucher's system (民政通), faithful in what it promises and refuses.

It keeps its own books in a file of its own, apart from ours, so that all processes see one truth and
reconciling means something. Whoever asks for a person's voucher of a month gets the month's cap.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from marketplace.adapters.file_book import open_book
from marketplace.kernel.ports import OutsideRefused, OutsideVoucher

CAP_FEN = 80_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS voucher (
  person TEXT NOT NULL, period TEXT NOT NULL, cap INTEGER NOT NULL,
  used INTEGER NOT NULL DEFAULT 0 CHECK (used BETWEEN 0 AND cap), PRIMARY KEY (person, period));
CREATE TABLE IF NOT EXISTS hold (
  id TEXT PRIMARY KEY, person TEXT NOT NULL, period TEXT NOT NULL, fen INTEGER NOT NULL,
  state TEXT NOT NULL, FOREIGN KEY (person, period) REFERENCES voucher (person, period));
"""


class FileVoucherSystem:
    """Quotes, holds, captures, releases and refunds; repeating any of them changes nothing."""

    def __init__(self, path: Path, *, cap_fen: int = CAP_FEN) -> None:
        self._path, self._cap = path, cap_fen

    def _books(self) -> AbstractContextManager[sqlite3.Connection]:
        return open_book(self._path, _SCHEMA)

    def quote(self, person_ids: Sequence[str], period: str) -> dict[str, OutsideVoucher]:
        """Return the month's voucher of each person."""
        found = {}
        with self._books() as books:
            books.executemany(
                "INSERT OR IGNORE INTO voucher (person, period, cap) VALUES (?, ?, ?)",
                [(p, period, self._cap) for p in person_ids],
            )
            for person in person_ids:
                cap, used = books.execute(
                    "SELECT cap, used FROM voucher WHERE person = ? AND period = ?",
                    (person, period),
                ).fetchone()
                found[person] = OutsideVoucher(person, period, cap, cap - used)
        return found

    def hold(self, *, hold_id: str, person_id: str, period: str, fen: int) -> None:
        """Hold a part of a voucher; raises ``OutsideRefused`` where it has less left."""
        with self._books() as books:
            if books.execute("SELECT 1 FROM hold WHERE id = ?", (hold_id,)).fetchone():
                return
            taken = books.execute(
                "UPDATE voucher SET used = used + ? WHERE person = ? AND period = ?"
                " AND used + ? <= cap",
                (fen, person_id, period, fen),
            )
            if taken.rowcount != 1:
                raise OutsideRefused("voucher_used_up")
            books.execute(
                "INSERT INTO hold VALUES (?, ?, ?, ?, 'held')", (hold_id, person_id, period, fen)
            )

    def capture(self, *, hold_id: str, fen: int) -> None:
        """Capture a hold, in full or in part; the rest is free again."""
        with self._books() as books:
            row = self._row(books, hold_id)
            if row[3] == "captured":
                return
            if row[3] != "held" or fen > row[2]:
                raise OutsideRefused("not_held")
            self._resolve(books, hold_id, row, kept=fen, state="captured")

    def release(self, *, hold_id: str) -> None:
        """Give a hold back."""
        with self._books() as books:
            row = self._row(books, hold_id)
            if row[3] == "released":
                return
            if row[3] != "held":
                raise OutsideRefused("not_held")
            self._resolve(books, hold_id, row, kept=0, state="released")

    def refund(self, *, hold_id: str, fen: int) -> None:
        """Take a capture back."""
        with self._books() as books:
            row = self._row(books, hold_id)
            if row[3] == "refunded":
                return
            if row[3] != "captured" or fen != row[2]:
                raise OutsideRefused("not_captured")
            self._resolve(books, hold_id, row, kept=0, state="refunded")

    def reconcile(self, period: str) -> dict[str, tuple[str, int]]:
        """Return hold id -> (state, fen) of a month."""
        with self._books() as books:
            rows = books.execute("SELECT id, state, fen FROM hold WHERE period = ?", (period,))
            return {row[0]: (row[1], row[2]) for row in rows}

    @staticmethod
    def _row(books: sqlite3.Connection, hold_id: str) -> tuple[str, str, int, str]:
        row = books.execute(
            "SELECT person, period, fen, state FROM hold WHERE id = ?", (hold_id,)
        ).fetchone()
        if row is None:
            raise OutsideRefused("unknown_hold")
        return row[0], row[1], row[2], row[3]

    @staticmethod
    def _resolve(
        books: sqlite3.Connection,
        hold_id: str,
        row: tuple[str, str, int, str],
        *,
        kept: int,
        state: str,
    ) -> None:
        books.execute(
            "UPDATE voucher SET used = used - ? WHERE person = ? AND period = ?",
            (row[2] - kept, row[0], row[1]),
        )
        books.execute("UPDATE hold SET state = ?, fen = ? WHERE id = ?", (state, kept, hold_id))
