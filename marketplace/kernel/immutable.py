"""Tables whose rows are written once: the database itself refuses to change or delete them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import DDL, Connection, Table, event, text

from marketplace.kernel.findings import Finding

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


GUARDED: dict[str, tuple[str, ...]] = {}
"""The frozen tables and the columns that never change; empty means all of them."""


def freeze(table: Table, *, columns: Sequence[str] = ()) -> None:
    """Have the database refuse UPDATE (of ``columns``, default all) and DELETE on ``table``.

    The triggers come into being with the table; a migration runs ``statements`` instead.
    """
    GUARDED[table.name] = tuple(columns)
    for dialect, ddl in statements(table.name, columns=columns, deletable=False).items():
        for statement in ddl:
            event.listen(
                table,
                "after_create",
                DDL(statement.replace("%", "%%")).execute_if(dialect=dialect),
            )


def broken_guards(connection: Connection, tables: Iterable[str]) -> Iterator[Finding]:
    """Name the tables of which a trigger that should refuse is missing, off or another.

    A trigger of the same name that refuses nothing (another condition, table, event or function) does
    not pass for ours. Whoever switches a guard off and on again is not seen here, but by the hashes.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    broken = (_broken_on_sqlite if is_sqlite else _broken_on_postgres)(connection, tables)
    for table, act, problem in broken:
        yield Finding(table, "*", f"the trigger that refuses {act} is {problem}")


def _plain(sql: str) -> str:
    return re.sub(r"\s+", " ", sql).strip()


_Broken = Iterator[tuple[str, str, str]]
"""Table, the act that is no longer refused, what is wrong with the trigger."""


def _broken_on_sqlite(connection: Connection, tables: Iterable[str]) -> _Broken:
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    found = {row[0]: _plain(row[1]) for row in connection.execute(text(query))}
    for table in tables:
        for sql in statements(table, columns=GUARDED[table], deletable=False)["sqlite"]:
            name = sql.split()[2]
            act = name.rsplit("_", 1)[1]
            if name not in found:
                yield table, act, "missing"
            elif found[name] != _plain(sql):
                yield table, act, "another"


_EVENTS = {"update": 19, "delete": 11, "truncate": 34}
"""``pg_trigger.tgtype`` of a trigger before the event, for each row (for truncate: once)."""

_PG_GUARDS = """
SELECT t.tgname, c.relname, t.tgtype, t.tgenabled, t.tgqual IS NOT NULL, p.proname, p.prosrc,
  (SELECT string_agg(a.attname, ',' ORDER BY a.attname) FROM pg_attribute a
   WHERE a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr))
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal
"""


def _broken_on_postgres(connection: Connection, tables: Iterable[str]) -> _Broken:
    found = {row[0]: tuple(row) for row in connection.execute(text(_PG_GUARDS))}
    body = _plain(_PG_FUNCTION.split("$$")[1])
    for table in tables:
        for act, kind in _EVENTS.items():
            name = f"{table}_no_{act}"
            row = found.get(name)
            if row is None or row[3] not in ("O", "A"):
                yield table, act, "missing"
                continue
            columns = ",".join(sorted(GUARDED[table])) if act == "update" else ""
            wanted = (name, table, kind, row[3], False, "nuanju_refuse_change", body, columns)
            if (*row[:6], _plain(row[6]), row[7] or "") != wanted:
                yield table, act, "another"
