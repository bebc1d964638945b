"""What grants and quotes are decided on, witnessed: the audit log keeps a hash of each row written.

Facts and assessments of elders move no money by themselves, but the money follows from them. Whoever
writes such rows records their hashes in the same transaction; ``verify`` computes them again and names
the row that was changed, added or deleted past the program.

Of the register's own row each column is hashed alone, so that whoever writes one records that one: a
change of another, made past the program before, is not covered up by it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, select
from sqlalchemy.orm import Session

from marketplace.elders.models import Assessment, Elder, ElderFact
from marketplace.kernel import audit
from marketplace.kernel.actor import SYSTEM
from marketplace.kernel.audit import AuditEvent
from marketplace.kernel.findings import NOBODY, Finding, first, missing
from marketplace.kernel.immutable import broken_guards

ACTION = "witness_rows"
TABLES: dict[str, Table] = {
    "elder_fact": ElderFact.__table__,  # type: ignore[dict-item]
    "assessment": Assessment.__table__,  # type: ignore[dict-item]
}
COLUMNS = {
    "elder_fact": (
        *("id", "elder_id", "name", "value", "from_on"),
        *("source", "recorded_at", "recorded_by"),
    ),
    "assessment": (
        *("id", "elder_id", "assessed_on", "valid_until"),
        *("score", "level", "assessor"),
    ),
}
"""What is hashed of a row, in this order for ever: the hashes of years ago must come out again."""
ELDER = "elder"
ELDER_COLUMNS = (
    *("born_on", "district_code", "hukou_local", "income_class"),
    *("lives_alone", "special", "status", "status_from"),
)
"""What programmes ask of the register's row; each has its eight digits, in this order for ever."""

_NOT_SAID = "-" * 8
FROZEN = ("elder_fact",)
A_CHUNK = 1_000
"""Rows of one audit event."""


def row_hash(table: str, row: Mapping[Any, Any]) -> str:
    """Return 16 hexadecimal digits over the columns of a row, the same on both databases."""
    text = "\x1f".join(_text(row[name]) for name in COLUMNS[table])
    return hashlib.sha256(f"{table}\x1e{text}".encode()).hexdigest()[:16]


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)


def record(
    session: Session, table: str, rows: Iterable[Mapping[Any, Any]], *, at: datetime
) -> None:
    """Record rows of a table as they were just written, in the transaction that wrote them."""
    _record(session, table, [(str(r["id"]), row_hash(table, r)) for r in rows], at)


def record_elders(
    session: Session,
    rows: Iterable[Mapping[Any, Any]],
    *,
    at: datetime,
    columns: Collection[str] = ELDER_COLUMNS,
) -> None:
    """Record columns of the register as they were just written; ``rows`` have an ``id`` and these."""
    _record(session, ELDER, [(str(r["id"]), _elder_hashes(r, columns)) for r in rows], at)


def _elder_hashes(row: Mapping[Any, Any], columns: Collection[str]) -> str:
    return "".join(
        _column_hash(row["id"], name, row[name]) if name in columns else _NOT_SAID
        for name in ELDER_COLUMNS
    )


def _column_hash(elder_id: str, name: str, value: Any) -> str:
    text = "\x1f".join((elder_id, name, _text(value)))
    return hashlib.sha256(f"{ELDER}\x1e{text}".encode()).hexdigest()[:8]


def _record(session: Session, table: str, hashes: list[tuple[str, str]], at: datetime) -> None:
    for start in range(0, len(hashes), A_CHUNK):
        audit.record(
            session,
            at=at,
            actor=SYSTEM,
            action=ACTION,
            subject_kind=table,
            subject_id="*",
            rows=dict(hashes[start : start + A_CHUNK]),
        )


def verify(connection: Connection) -> Iterator[Finding]:
    """Yield the rows that differ from what was recorded last of them, either way."""
    yield from broken_guards(connection, FROZEN)
    recorded = _recorded(connection)
    for name in TABLES:
        yield from first(_rows(connection, name, recorded[name]))
    yield from first(_elders(connection, recorded[ELDER]))


def _rows(connection: Connection, name: str, left: dict[str, str]) -> Iterator[Finding]:
    """Hold the rows of a table against their hashes; ``left``: id -> hash, emptied on the way."""
    table = TABLES[name]
    for row in connection.execute(select(table).order_by(table.c.id)):
        said = left.pop(str(row.id), None)
        if said is None:
            yield Finding(name, _called(row), NOBODY)
        elif said != row_hash(name, row._mapping):
            yield Finding(name, _called(row), "it is not what was recorded")
    yield from missing(name, left)


def _elders(connection: Connection, left: dict[str, str]) -> Iterator[Finding]:
    """Hold the register's rows against their hashes, column by column."""
    e = Elder.__table__.c
    rows = connection.execute(select(e.id, *(e[name] for name in ELDER_COLUMNS)).order_by(e.id))
    for row in rows.mappings():
        said = left.pop(row["id"], None)
        if said is None:
            yield Finding(ELDER, row["id"], NOBODY)
            continue
        now = _elder_hashes(row, ELDER_COLUMNS)
        for n, name in enumerate(ELDER_COLUMNS):
            if said[8 * n : 8 * n + 8] != now[8 * n : 8 * n + 8]:
                yield Finding(ELDER, row["id"], f"its {name} is not what was recorded")
    yield from missing(ELDER, left)


def _called(row: Row[Any]) -> str:
    """Name a row so that a person finds it: its id and whose it is."""
    return f"{row.id} of {row.elder_id}"


def _recorded(connection: Connection) -> dict[str, dict[str, str]]:
    """Return table -> row id -> the hash that was recorded last."""
    found: dict[str, dict[str, str]] = {name: {} for name in (*TABLES, ELDER)}
    for event in connection.execute(
        select(AuditEvent.subject_kind, AuditEvent.facts)
        .where(AuditEvent.action == ACTION)
        .order_by(AuditEvent.id)
    ):
        rows, known = event.facts["rows"], found[event.subject_kind]
        if event.subject_kind == ELDER:
            rows = {i: _later(known.get(i), said) for i, said in rows.items()}
        known.update(rows)
    return found


def _later(before: str | None, said: str) -> str:
    """Put what was said of some columns over what was said of the row before."""
    if before is None or _NOT_SAID not in said:
        return said
    parts = ((before[n : n + 8], said[n : n + 8]) for n in range(0, len(said), 8))
    return "".join(old if new == _NOT_SAID else new for old, new in parts)
