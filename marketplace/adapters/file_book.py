"""The own file in which a stand-in keeps its books: one SQLite transaction at a time, or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WAIT_S = 30
"""How long one process waits for another that is writing."""


@contextmanager
def open_book(path: Path, schema: str) -> Iterator[sqlite3.Connection]:
    """Open the book at ``path`` for one transaction; it is kept whole or, on an error, not at all.

    ``schema``: statements that may be repeated, so that the first use makes the book.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)
    try:
        connection.executescript(schema)
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.close()
