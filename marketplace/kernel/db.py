"""The declarative base, column types and the one way to open a transaction.

Nothing here knows Flask: ``marketplace.app`` binds the base to Flask-SQLAlchemy, and ``vendors``
uses the same base without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Engine, MetaData, String, TypeDecorator, event, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session

ID = String(40)
"""Primary keys: a register's own number (``E000123``) or a UUIDv7."""


class Base(DeclarativeBase):
    """Base of every table. Each model sets ``__tablename__``; no relationship crosses a context."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Instant(TypeDecorator[datetime]):
    """A UTC instant. Refuses naive values; SQLite, which keeps no zone, gets UTC wall time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_PG_AWAY = ("08", "53", "57P")
"""SQLSTATE classes: connection lost, no resources, shutting down or starting up."""

_SQLITE_AWAY = ("SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_BUSY", "SQLITE_FULL")


def is_away(error: SQLAlchemyError) -> bool:
    """Return whether the database cannot answer, apart from what it was asked."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, OperationalError | InterfaceError):
        return isinstance(error, DBAPIError) and error.connection_invalidated
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        return str(name).startswith(_SQLITE_AWAY)
    state = getattr(error.orig, "sqlstate", None)
    # A server that was never reached gives no state.
    return state is None or str(state).startswith(_PG_AWAY) or error.connection_invalidated


class TransactionOpen(RuntimeError):
    """A workflow was called inside another's transaction, or with unsaved changes: a fault of ours."""


@contextmanager
def transaction(session: Session) -> Iterator[Session]:
    """Run one workflow step in one write transaction: commit at the end, roll back on any error.

    A read that is still open on the session is ended first. On SQLite the write lock is taken at the
    start (``BEGIN IMMEDIATE``), so that a reader never has to become a writer half-way and fail.
    """
    if session.info.get("in_workflow"):
        raise TransactionOpen("a workflow step may not call another")
    if session.new or session.dirty or session.deleted:
        raise TransactionOpen("the session holds changes made outside a workflow")
    session.rollback()
    session.info["in_workflow"] = True
    try:
        session.connection(execution_options={"begin": "IMMEDIATE"})
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info.pop("in_workflow", None)


def wait_for_turn(session: Session, name: str) -> None:
    """Make whoever asks for the same name wait until this transaction ends; SQLite has one writer anyway.

    For what has no row to lock yet. Ask before moving any balance: a name is never waited for by
    somebody who holds one.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name}
        )


@contextmanager
def whole_tables(session: Session | Connection) -> Iterator[None]:
    """Have PostgreSQL plan what is asked inside as questions that read whole tables to their end.

    Right after a month was written the planner's statistics do not know of its rows. It takes a table
    of 100,000 lines for an empty one and reads it once for each row of another, which does not end;
    a cursor's plan is chosen for its first rows, not for all of them.
    """
    bind = session if isinstance(session, Connection) else session.connection()
    if bind.dialect.name != "postgresql":
        yield
        return
    bind.execute(text("SET LOCAL enable_nestloop = off"))
    bind.execute(text("SET LOCAL cursor_tuple_fraction = 1"))
    yield
    # An error ends the transaction and with it the settings.
    bind.execute(text("SET LOCAL enable_nestloop TO DEFAULT"))
    bind.execute(text("SET LOCAL cursor_tuple_fraction TO DEFAULT"))


def prepare_engine(engine: Engine) -> None:
    """Make SQLite behave: WAL, foreign keys, a patient lock, and transactions that we begin ourselves."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _connect(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA busy_timeout=30000")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")
