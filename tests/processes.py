"""Other processes for tests of races and of kills, each with a session and ports of its own.

They are forked from a clean process that has read the program once: one of a test's own has threads
and connections, and one that starts from nothing reads for six seconds.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Barrier
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from marketplace.app import build_ports
from marketplace.config import Settings
from marketplace.kernel.clock import FrozenClock
from marketplace.kernel.db import prepare_engine
from marketplace.kernel.ports import Ports
from tests.databases import SECRETS

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.processes", "tests.workflows.world"])

Step = Callable[..., Any]
"""``step(session, ports, *args)``, a function of a module."""


def at_once(
    step: Step, url: str, folder: Path, at: datetime, *, each: Sequence[tuple] = ((), ())
) -> list[int | None]:
    """Run a step once for ``each`` arguments, at the same moment; return the exit codes.

    -9 is a kill, 1 an exception, ``None`` what did not end in minutes.
    """
    gate = _CONTEXT.Barrier(len(each))
    running = [
        _CONTEXT.Process(target=_run, args=(step, url, folder, at, gate, args)) for args in each
    ]
    for process in running:
        process.start()
    for process in running:
        process.join(timeout=200)
    return [process.exitcode for process in running]


def alone(step: Step, url: str, folder: Path, at: datetime, *args: Any) -> int | None:
    """Run a step in one process; return its exit code."""
    return at_once(step, url, folder, at, each=[args])[0]


def answers() -> Any:
    """Return a queue into which processes put what they have to say; an argument of a step."""
    return _CONTEXT.Queue()


def _run(
    step: Step, url: str, folder: Path, at: datetime, gate: Barrier, args: tuple[Any, ...]
) -> None:
    with _opened(url, folder, at) as (session, ports):
        gate.wait(timeout=120)
        step(session, ports, *args)


@contextmanager
def _opened(url: str, folder: Path, at: datetime) -> Iterator[tuple[Session, Ports]]:
    engine = create_engine(url)
    prepare_engine(engine)
    settings = Settings(instance=folder, data_key=SECRETS["data_key"])
    with Session(engine) as session:
        yield session, build_ports(settings, FrozenClock(at))
    engine.dispose()
