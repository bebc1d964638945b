"""Real processes that race for the same money; exactly one may win each race.

``python -m tests.bench.redeem --db postgres --processes 200 --rounds 50 --race all``

The processes are forked once, each with a connection of its own, and let go together in every round.
"""

from __future__ import annotations

import argparse
import multiprocessing
import pickle
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from marketplace.app import build_ports
from marketplace.config import Settings
from marketplace.kernel.clock import FrozenClock
from marketplace.kernel.db import prepare_engine, transaction
from marketplace.kernel.ports import Ports
from marketplace.workflows.ledger import seal_ledger, verify_ledger
from tests.bench.races import QUOTES, RACES, attempt, services, spent_once
from tests.bench.server import database, stop_on_terminate
from tests.builders import NOW

CONTEXT = multiprocessing.get_context("fork")
PATIENCE_S = 300
REHEARSAL = 9999
"""The number of the round that nobody counts."""


def _engine(url: str) -> Engine:
    engine = create_engine(url, pool_size=1)
    prepare_engine(engine)
    return engine


def _ports(folder: Path) -> Ports:
    return build_ports(Settings(instance=folder, data_key="d" * 40), FrozenClock(NOW))


def _runner(
    engine: Engine, folder: Path, race_name: str, number: int, gate: Any, round_: Any, out: Any
) -> None:
    """Take part in every round until the round number is negative."""
    race = RACES[race_name]
    ports = _ports(folder)
    with Session(engine) as session:
        session.connection()
        session.rollback()
        while True:
            gate.wait(PATIENCE_S)
            r = round_.value
            if r < 0:
                break
            shown = pickle.loads((folder / "shown").read_bytes())
            if shown is not None:
                QUOTES.clear()
                QUOTES[r] = shown
            # All are ready and connected: now at once.
            gate.wait(PATIENCE_S)
            out.put(attempt(race, session, ports, r, number))
            session.rollback()
    engine.dispose()


class Crowd:
    """Processes that are let go together, round after round."""

    def __init__(self, url: str, folder: Path, race: str, processes: int) -> None:
        self.race, self.processes, self._folder = race, processes, folder
        self._gate = CONTEXT.Barrier(processes + 1)
        self._round = CONTEXT.Value("q", 0)
        self._out = CONTEXT.Queue()
        self._ports = _ports(folder)
        self._engine = _engine(url)
        self._rehearse()
        self._crowd = [
            CONTEXT.Process(
                target=_runner,
                args=(self._engine, folder, race, n, self._gate, self._round, self._out),
                daemon=True,
            )
            for n in range(processes)
        ]
        for process in self._crowd:
            process.start()

    def _rehearse(self) -> None:
        """Win and lose once before the fork, so that every process knows its statements already.

        A process that had to compile them first would come long after the others.
        """
        race = RACES[self.race]
        with Session(self._engine) as session:
            shown = race.prepare(session, self._ports, REHEARSAL, self.processes)
            if shown is not None:
                QUOTES[REHEARSAL] = shown
            for number in range(min(4, self.processes)):
                attempt(race, session, self._ports, REHEARSAL, number)
                session.rollback()
        # No connection may be open when the processes are forked: each opens its own.
        self._engine.dispose()

    def run(self, r: int) -> Counter[str]:
        """Run one round and return how the processes ended; raises ``AssertionError`` on any fault."""
        race = RACES[self.race]
        with Session(self._engine) as session:
            shown = race.prepare(session, self._ports, r, self.processes)
        (self._folder / "shown").write_bytes(pickle.dumps(shown))
        self._round.value = r
        self._gate.wait(PATIENCE_S)
        self._gate.wait(PATIENCE_S)
        ended = Counter(self._out.get(timeout=PATIENCE_S) for _ in range(self.processes))
        with Session(self._engine) as session:
            seal_ledger(session, self._ports)
            findings = [str(f) for f in verify_ledger(session).findings]
            once = spent_once(session, r)
        known = {"done", "released", "cancelled", *race.refused}
        if not race.lawful(ended, self.processes) or set(ended) - known or findings or not once:
            raise AssertionError(f"{self.race}, round {r}: {dict(ended)}, {findings}")
        return ended

    def dismiss(self) -> None:
        """Send the processes home."""
        self._round.value = -1
        self._gate.wait(PATIENCE_S)
        for process in self._crowd:
            process.join(timeout=30)
        self._engine.dispose()


@contextmanager
def crowd(url: str, race: str, processes: int) -> Iterator[Crowd]:
    """Prepare the database for a race and yield its processes."""
    engine = _engine(url)
    _check_connections(engine, processes)
    with Session(engine) as session, transaction(session):
        services(session, processes)
    engine.dispose()
    with tempfile.TemporaryDirectory(prefix="nuanju-race-") as folder:
        runners = Crowd(url, Path(folder), race, processes)
        try:
            yield runners
        finally:
            runners.dismiss()


def _check_connections(engine: Engine, processes: int) -> None:
    if engine.dialect.name != "postgresql":
        return
    with engine.connect() as c:
        most = int(c.scalar(text("SHOW max_connections")) or 0)
    if most < processes + 10:
        raise SystemExit(
            f"the server takes {most} connections, {processes} processes need {processes + 10}:"
            " raise its max_connections, or unset NUANJU_TEST_POSTGRES and one is started here"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="postgres")
    parser.add_argument("--processes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--race", choices=[*RACES, "all"], default="all")
    options = parser.parse_args()
    stop_on_terminate()
    for race in list(RACES) if options.race == "all" else [options.race]:
        began = time.perf_counter()
        total: Counter[str] = Counter()
        with database(options.db) as url, crowd(url, race, options.processes) as runners:
            for r in range(options.rounds):
                total += runners.run(r)
        seconds = time.perf_counter() - began
        sys.stdout.write(
            f"{race} on {options.db}: {options.rounds} rounds of {options.processes} processes, "
            f"{dict(total)}, ledger verified each time, {seconds:.0f} s\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
