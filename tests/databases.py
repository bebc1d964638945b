"""Databases of tests: what many tests begin with is written once per worker and lane, then copied.

A fixture made by `filled` names such a beginning:

    @filled
    def granted_world(app):
        world.build(db.session)

A test that asks for ``granted_world``, itself or through another fixture, finds its own copy of a
database that this function filled, at `MONDAY_MORNING`; the fixture's value is what it returned.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import Engine, create_engine, event, make_url, text

from marketplace.app import create_app, db
from marketplace.config import Settings
from marketplace.kernel.clock import FrozenClock
from marketplace.kernel.db import Base, prepare_engine

MONDAY_MORNING = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
"""08:30 in Taizhou on a plain working day."""
SECRETS = {"secret_key": "s" * 40, "data_key": "d" * 40}

Fill = Callable[[Any], Any]
"""Writes rows through ``db.session`` inside the application's context; returns ids, not rows."""
FILLS: dict[str, Fill] = {}


def filled(fill: Fill) -> Any:
    """Make a fixture of what ``fill`` returned; see the head of this file."""
    name = fill.__name__
    known = FILLS.setdefault(name, fill)
    assert known.__module__ == fill.__module__, f"two fixtures fill databases as {name}"

    @pytest.fixture(name=name)
    def made(beginning: Beginning) -> Any:
        return beginning.made

    return made


def wanted(fixtures: Collection[str]) -> str | None:
    """Return which of the fixtures of a test fills its database; none where it begins empty."""
    found = [name for name in FILLS if name in fixtures]
    assert len(found) < 2, f"a test's database begins in one way, not as {' and '.join(found)}"
    return found[0] if found else None


@dataclass(frozen=True)
class Beginning:
    """A database to copy, by its address, and what the function that filled it returned."""

    url: str
    made: Any = None


class Lane(Protocol):
    """One engine's way to make databases."""

    def new(self, name: str) -> str:
        """Return the address of a database without any table."""

    def copy(self, url: str, name: str) -> str:
        """Return the address of a copy of a database that nobody is connected to."""

    def drop(self, url: str) -> None:
        """Forget a database, whoever is connected to it."""


@dataclass
class Sqlite:
    """Files in a folder."""

    folder: Path

    def new(self, name: str) -> str:
        return f"sqlite:///{self.folder / name}.sqlite3"

    def copy(self, url: str, name: str) -> str:
        made = self.new(name)
        shutil.copy(_file(url), _file(made))
        return made

    def drop(self, url: str) -> None:
        for tail in ("", "-wal", "-shm"):
            Path(f"{_file(url)}{tail}").unlink(missing_ok=True)


def _file(url: str) -> str:
    path = make_url(url).database
    assert path is not None
    return path


class Postgres:
    """Databases of a server, made over one connection."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url).set(drivername="postgresql+psycopg")
        self.admin = create_engine(self.url, isolation_level="AUTOCOMMIT").connect()
        # Copying files costs less than writing each page to the log; before version 15 nothing
        # else was done.
        version = self.admin.dialect.server_version_info or (0,)
        self.how = " STRATEGY file_copy" if version >= (15,) else ""

    def new(self, name: str) -> str:
        self.admin.execute(text(f'CREATE DATABASE "{name}"'))
        return self._at(name)

    def copy(self, url: str, name: str) -> str:
        template = make_url(url).database
        self.admin.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"{self.how}'))
        return self._at(name)

    def drop(self, url: str) -> None:
        name = make_url(url).database
        self.admin.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))

    def close(self) -> None:
        self.admin.close()
        self.admin.engine.dispose()

    def _at(self, name: str) -> str:
        return self.url.set(database=name).render_as_string(hide_password=False)


class OneEngine:
    """An engine that goes from database to database: what it compiled for one test serves the next."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url, pool_pre_ping=True)
        prepare_engine(self.engine)
        event.listen(self.engine, "do_connect", self._connect)

    def at(self, url: str) -> Engine:
        """Return the engine, connected to nothing yet and bound for this database."""
        self.engine.dispose()
        self.engine.url = make_url(url)
        return self.engine

    def _connect(self, dialect: Any, _record: Any, _args: Any, _named: Any) -> Any:
        args, named = dialect.create_connect_args(self.engine.url)
        return dialect.connect(*args, **named)


@dataclass
class Databases:
    """The databases of one worker on one lane."""

    lane: Lane
    folder: Path
    """Where applications that fill a database keep their files."""
    worker: str
    beginnings: dict[str | None, Beginning] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _engine: OneEngine | None = None

    def engine(self, url: str) -> Engine:
        """Return the lane's one engine, bound for this database."""
        self._engine = self._engine or OneEngine(url)
        return self._engine.at(url)

    def beginning(self, fill: str | None) -> Beginning:
        """Return the database to copy; made when it is asked for the first time."""
        if fill not in self.beginnings:
            self.beginnings[fill] = self._empty() if fill is None else self._fill(fill)
        return self.beginnings[fill]

    def copy(self, beginning: Beginning) -> str:
        """Return the address of a copy of the caller's own."""
        return self.lane.copy(beginning.url, self._name("t"))

    def new(self) -> str:
        """Return the address of a database without any table."""
        return self.lane.new(self._name("empty"))

    def close(self) -> None:
        for beginning in self.beginnings.values():
            self.lane.drop(beginning.url)

    def _empty(self) -> Beginning:
        url = self.lane.new(self._name("tables"))
        engine = create_engine(url)
        Base.metadata.create_all(engine)
        engine.dispose()
        return Beginning(url)

    def _fill(self, name: str) -> Beginning:
        url = self.lane.copy(self.beginning(None).url, self._name(name))
        settings = Settings(
            database_url=url,
            instance=self.folder / name,
            log_level="WARNING",
            second_factor=False,
            **SECRETS,
        )
        app = create_app(settings, clock=FrozenClock(MONDAY_MORNING))
        with app.app_context():
            made = FILLS[name](app)
            db.session.remove()
            db.engine.dispose()
        return Beginning(url, made)

    def _name(self, what: str) -> str:
        return f"nuanju_{what}_{self.worker}_{os.getpid()}_{next(self._numbers)}"
