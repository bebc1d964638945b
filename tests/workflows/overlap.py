"""Two transactions that overlap: the second begins while the first is still open."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from marketplace.kernel.db import prepare_engine, transaction

Step = Callable[[Session], Any]


def at_once(url: str, *steps: Step) -> list[Any]:
    """Run steps at the same time, each on a session of its own; they open their own transactions.

    Returns what each answered; the first exception is raised.
    """

    def run(step: Step) -> Any:
        engine = create_engine(url)
        prepare_engine(engine)
        try:
            with Session(engine) as session:
                return step(session)
        finally:
            engine.dispose()

    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(run, steps))


def overlapping(url: str, first: Step, second: Step, *, meanwhile_s: float = 0.5) -> list[Any]:
    """Run ``first`` in a transaction, begin ``second`` in another while it is open, then commit it.

    Returns what each answered, or the exception that it ended with. ``second`` opens its own transaction.
    """
    answers: list[Any] = [None, None]

    def run_second() -> None:
        engine = create_engine(url)
        prepare_engine(engine)
        try:
            with Session(engine) as session:
                answers[1] = second(session)
        except Exception as error:
            answers[1] = error
        finally:
            engine.dispose()

    engine = create_engine(url)
    prepare_engine(engine)
    thread = threading.Thread(target=run_second)
    try:
        with Session(engine) as session:
            with transaction(session):
                answers[0] = first(session)
                thread.start()
                # Long enough for the second to read what it reads and to meet the first one's locks.
                time.sleep(meanwhile_s)
            thread.join(timeout=60)
    finally:
        engine.dispose()
    assert not thread.is_alive()
    return answers
