"""Facts, assessments and elders that are there already are witnessed once, as they stand.

Revision ID: 0012
Revises: 0011
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

A_CHUNK = 1_000
TABLES = (
    sa.table(
        "elder_fact",
        sa.column("id", sa.BigInteger),
        sa.column("elder_id", sa.String),
        sa.column("name", sa.String),
        sa.column("value", sa.String),
        sa.column("from_on", sa.Date),
        sa.column("source", sa.String),
        sa.column("recorded_at", sa.DateTime(timezone=True)),
        sa.column("recorded_by", sa.String),
    ),
    sa.table(
        "assessment",
        sa.column("id", sa.String),
        sa.column("elder_id", sa.String),
        sa.column("assessed_on", sa.Date),
        sa.column("valid_until", sa.Date),
        sa.column("score", sa.Integer),
        sa.column("level", sa.Integer),
        sa.column("assessor", sa.String),
    ),
)
ELDER = sa.table(
    "elder",
    sa.column("id", sa.String),
    sa.column("born_on", sa.Date),
    sa.column("district_code", sa.String),
    sa.column("hukou_local", sa.Boolean),
    sa.column("income_class", sa.String),
    sa.column("lives_alone", sa.Boolean),
    sa.column("special", sa.String),
    sa.column("status", sa.String),
    sa.column("status_from", sa.Date),
)
AUDIT = sa.table(
    "audit_event",
    sa.column("at", sa.DateTime(timezone=True)),
    sa.column("actor_id", sa.String),
    sa.column("role", sa.String),
    sa.column("action", sa.String),
    sa.column("subject_kind", sa.String),
    sa.column("subject_id", sa.String),
    sa.column("reason", sa.String),
    sa.column("facts", sa.JSON),
)


def upgrade() -> None:
    at = datetime.now(UTC)
    if op.get_bind().dialect.name == "sqlite":
        at = at.replace(tzinfo=None)
    for table in (*TABLES, ELDER):
        rows = op.get_bind().execute(sa.select(table).order_by(table.c.id)).all()
        for start in range(0, len(rows), A_CHUNK):
            part = rows[start : start + A_CHUNK]
            op.get_bind().execute(
                AUDIT.insert().values(
                    at=at,
                    actor_id="system",
                    role="system",
                    action="witness_rows",
                    subject_kind=table.name,
                    subject_id="*",
                    reason="as they stood when witnessing began",
                    facts={"rows": {str(row.id): _hash(table, row) for row in part}},
                )
            )


def _hash(table: sa.TableClause, row: sa.Row[Any]) -> str:
    """Of the register each column alone, of the other tables the whole row."""
    if table is ELDER:
        columns = [(row.id, c.name, _text(row[n])) for n, c in enumerate(table.c)][1:]
        return "".join(_digest("elder", part)[:8] for part in columns)
    return _digest(table.name, [_text(value) for value in row])[:16]


def _digest(table: str, texts: Iterable[str]) -> str:
    text = "\x1f".join(texts)
    return hashlib.sha256(f"{table}\x1e{text}".encode()).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        zoned = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return zoned.astimezone(UTC).isoformat()
    return str(value)


def downgrade() -> None:
    """The audit log is never changed: what was witnessed stays."""
