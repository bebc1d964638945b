"""Run migrations on the application's own database, SQLite or PostgreSQL, each in one transaction."""

from __future__ import annotations

from alembic import context
from flask import current_app

from marketplace.kernel.db import Instant
from marketplace.tables import TABLES

database = current_app.extensions["migrate"].db
assert TABLES


def _skip_empty(_context, _revision, directives) -> None:
    if (
        getattr(context.config.cmd_opts, "autogenerate", False)
        and directives[0].upgrade_ops.is_empty()
    ):
        directives[:] = []


def _render(kind, item, _autogen) -> str | bool:
    """Write our own column types as what they are in the database: a migration imports no model."""
    if kind == "type" and isinstance(item, Instant):
        return "sa.DateTime(timezone=True)"
    return False


with database.engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=database.metadata,
        compare_type=True,
        render_item=_render,
        render_as_batch=connection.dialect.name == "sqlite",
        process_revision_directives=_skip_empty,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
