"""Many rows into one table at once: COPY on PostgreSQL, one prepared statement on SQLite.

``append`` adds rows that must be new; ``upsert`` also changes those that exist, column by column.
Both run inside the caller's transaction; a kill at any moment leaves nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, insert, inspect
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

SQLITE_BATCH = 2_000


def append(
    session: Session, model: Any, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Add the rows and return how many; a row whose key exists fails the whole call.

    ``rows`` hold Python values in the order of ``columns`` (instants aware); every column without a
    default in the database must be given.
    """
    table: Table = inspect(model).local_table
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        count = 0
        source = iter(rows)
        statement = insert(table)
        while batch := list(islice(source, SQLITE_BATCH)):
            connection.execute(statement, [dict(zip(columns, r, strict=True)) for r in batch])
            count += len(batch)
        return count
    quote = connection.dialect.identifier_preparer.quote
    listed = ", ".join(quote(c) for c in columns)
    return _write(connection, f"COPY {quote(table.name)} ({listed}) FROM STDIN", rows)


def _write(connection: Connection, statement: str, rows: Iterable[Sequence[Any]]) -> int:
    count = 0
    driver = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[union-attr]
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def upsert(
    session: Session,
    model: Any,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    keep: Sequence[str] = (),
) -> int:
    """Add the rows, or change those whose primary key exists, and return how many there were.

    ``rows`` hold Python values in the order of ``columns`` (instants aware). Of rows that exist the
    columns in ``keep`` stay as they are. A primary key may occur once only.
    """
    table: Table = inspect(model).local_table
    if session.get_bind().dialect.name == "postgresql":
        return _copy(session, table, columns, rows, keep)
    return _executemany(session, table, columns, rows, keep)


def _changed(table: Table, columns: Sequence[str], keep: Sequence[str]) -> list[str]:
    key = {c.name for c in table.primary_key}
    return [c for c in columns if c not in key and c not in keep]


def _copy(
    session: Session, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]],
    keep: Sequence[str],
) -> int:  # fmt: skip
    """COPY into a temporary table, then one INSERT ... ON CONFLICT from it."""
    connection = session.connection()
    quote = connection.dialect.identifier_preparer.quote
    name, spool = quote(table.name), quote(f"load_{table.name}")
    listed = ", ".join(quote(c) for c in columns)
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {spool} (LIKE {name}) ON COMMIT DROP"
    )
    # Defaults and NOT NULL of columns that are not loaded are the real table's business.
    for column in table.columns:
        if column.name not in columns:
            connection.exec_driver_sql(
                f"ALTER TABLE {spool} DROP COLUMN IF EXISTS {quote(column.name)}"
            )
    connection.exec_driver_sql(f"TRUNCATE {spool}")
    count = _write(connection, f"COPY {spool} ({listed}) FROM STDIN", rows)
    key = ", ".join(quote(c.name) for c in table.primary_key)
    sets = ", ".join(f"{quote(c)} = EXCLUDED.{quote(c)}" for c in _changed(table, columns, keep))
    defaults = [c for c in table.columns if c.name not in columns and c.default is not None]
    extra = "".join(f", {quote(c.name)}" for c in defaults)
    values = "".join(f", {_literal(c.default.arg)}" for c in defaults)
    connection.exec_driver_sql(
        f"INSERT INTO {name} ({listed}{extra}) SELECT {listed}{values} FROM {spool} "  # noqa: S608
        f"ON CONFLICT ({key}) DO {'UPDATE SET ' + sets if sets else 'NOTHING'}"
    )
    return count


def _literal(value: Any) -> str:
    """Return a plain default as SQL; the house's defaults are numbers, booleans and short words."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and value.isascii() and "'" not in value:
        return f"'{value}'"
    raise TypeError(f"a default that bulk loading cannot write: {value!r}")


def _executemany(
    session: Session, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]],
    keep: Sequence[str],
) -> int:  # fmt: skip
    statement = sqlite.insert(table)
    sets = {c: statement.excluded[c] for c in _changed(table, columns, keep)}
    key = [c.name for c in table.primary_key]
    if sets:
        statement = statement.on_conflict_do_update(index_elements=key, set_=sets)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=key)
    count = 0
    source = iter(rows)
    while batch := list(islice(source, SQLITE_BATCH)):
        session.connection().execute(
            statement, [dict(zip(columns, row, strict=True)) for row in batch]
        )
        count += len(batch)
    return count
