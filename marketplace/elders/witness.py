"""What grants and quotes are decided on, witnessed: the audit log keeps a hash of each row written.

Facts and assessments of elders move no money by themselves, but the money follows from them. Whoever
writes such rows records their hashes in the same transaction; ``verify`` computes them again and names
the row that was changed, added or deleted past the program.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, select
from sqlalchemy.orm import Session

from marketplace.elders.models import Assessment, ElderFact
from marketplace.kernel import audit
from marketplace.kernel.actor import SYSTEM
from marketplace.kernel.audit import AuditEvent
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
FROZEN = ("elder_fact",)
A_CHUNK = 1_000
"""Rows of one audit event."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that is not what was recorded."""

    table: str
    row: str
    rule: str


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
    hashes = [(str(r["id"]), row_hash(table, r)) for r in rows]
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
    for table, problem in broken_guards(connection, FROZEN):
        yield Finding(table, "*", problem)
    recorded = _recorded(connection)
    for name, table in TABLES.items():
        left = recorded[name]
        for row in connection.execute(select(table).order_by(table.c.id)):
            said = left.pop(str(row.id), None)
            if said is None:
                yield Finding(name, _called(row), "nobody recorded it")
            elif said != row_hash(name, row._mapping):
                yield Finding(name, _called(row), "it is not what was recorded")
        for missing in sorted(left):
            yield Finding(name, missing, "it was recorded and is missing")


def _called(row: Row[Any]) -> str:
    """Name a row so that a person finds it: its id and whose it is."""
    return f"{row.id} of {row.elder_id}"


def _recorded(connection: Connection) -> dict[str, dict[str, str]]:
    """Return table -> row id -> the hash that was recorded last."""
    found: dict[str, dict[str, str]] = {name: {} for name in TABLES}
    for event in connection.execute(
        select(AuditEvent.subject_kind, AuditEvent.facts)
        .where(AuditEvent.action == ACTION)
        .order_by(AuditEvent.id)
    ):
        found.setdefault(event.subject_kind, {}).update(event.facts["rows"])
    return found
