"""Tables whose rows are written once: the database itself refuses to change or delete them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import DDL, Connection, Table, event, text

_PG_FUNCTION = """
CREATE OR REPLACE FUNCTION nuanju_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: its rows are never changed or deleted', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


def statements(table: str, *, columns: Sequence[str], deletable: bool) -> dict[str, list[str]]:
    """Return the DDL that freezes ``table``, by dialect name.

    ``columns``: the columns that may never change; empty means all of them.
    """
    of = f"OF {', '.join(columns)} " if columns else ""
    postgres = [
        _PG_FUNCTION,
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE {of}ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION nuanju_refuse_change()",
    ]
    refuse = f"SELECT RAISE(ABORT, '{table}: rows are never changed or deleted')"
    sqlite = [f"CREATE TRIGGER {table}_no_update BEFORE UPDATE {of}ON {table} BEGIN {refuse}; END"]
    if not deletable:
        postgres.append(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION nuanju_refuse_change()"
        )
        sqlite.append(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} BEGIN {refuse}; END"
        )
    return {"postgresql": postgres, "sqlite": sqlite}


def freeze(table: Table, *, columns: Sequence[str] = ()) -> None:
    """Have the database refuse UPDATE (of ``columns``, default all) and DELETE on ``table``.

    The triggers come into being with the table; a migration runs ``statements`` instead.
    """
    for dialect, ddl in statements(table.name, columns=columns, deletable=False).items():
        for statement in ddl:
            event.listen(
                table,
                "after_create",
                DDL(statement.replace("%", "%%")).execute_if(dialect=dialect),
            )


def missing_guards(connection: Connection, tables: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Name each of ``tables`` whose guard is missing or switched off, and the act it would refuse."""
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
    names = set(connection.scalars(text(query)))
    for table in tables:
        for act in ("update", "delete"):
            if f"{table}_no_{act}" not in names:
                yield table, act
