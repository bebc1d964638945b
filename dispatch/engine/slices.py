"""Slices of time for jobs that can stop and go on: to the most urgent, on as many workers as given.

A job hands out a function and its arguments (which may cross processes) and takes back the result.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from typing import Any, Protocol

GRACE_S = 1.0
"""Before the deadline slices should be done: what then still runs may end until there."""
GRACE_PART = 0.1
"""No more than this part of the time is such grace."""
LOOK_S = 0.05


class Job(Protocol):
    """What can be worked on in slices."""

    done: bool

    def urgency(self) -> tuple[float, ...]:
        """Return what sorts jobs, most urgent first."""

    def work(self, left_s: float) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return what to call with what, for a slice that ends within ``left_s`` seconds."""

    def take(self, result: Any) -> None:
        """Keep what a slice has brought."""


def run_slices(
    jobs: Sequence[Job],
    deadline: float,
    workers: int,
    *,
    executor: Executor | None = None,
    report: Callable[[], None] = lambda: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Work on the jobs until all are done, ``deadline`` (of `time.monotonic`) or ``should_stop``.

    ``executor`` runs the slices where it is given; otherwise ``workers`` processes do, or this one
    alone for one worker. ``report`` is called after each slice.
    """
    run = _Run(jobs, deadline, max(1, workers), report, should_stop)
    if executor is not None:
        run.spread(executor)
    elif workers <= 1 or len(jobs) < 2 or multiprocessing.current_process().daemon:
        run.alone()
    else:
        # A fork is ready at once, but must not be made while other threads may hold a lock.
        way = "fork" if threading.active_count() == 1 else "spawn"
        others = set(multiprocessing.active_children())
        own = ProcessPoolExecutor(workers, multiprocessing.get_context(way))
        try:
            run.spread(own)
        finally:
            own.shutdown(wait=False, cancel_futures=True)
            # A slice that nobody waits for would go on and keep this program from ending. A fork has
            # this program's handlers: asked to end it would only note the wish, so it is not asked.
            for child in set(multiprocessing.active_children()) - others:
                child.kill()


class _Run:
    """One run of `run_slices`."""

    def __init__(
        self,
        jobs: Sequence[Job],
        deadline: float,
        workers: int,
        report: Callable[[], None],
        should_stop: Callable[[], bool],
    ) -> None:
        self.jobs, self.deadline, self.workers = jobs, deadline, workers
        left = max(0.0, deadline - time.monotonic())
        self.until = deadline - min(GRACE_S, GRACE_PART * left)
        self.report, self.should_stop = report, should_stop

    def alone(self) -> None:
        """Work on the jobs in this process, one slice after the other."""
        while (job := self._next(set())) is not None:
            function, arguments = job.work(self.until - time.monotonic())
            job.take(function(*arguments))
            self.report()

    def spread(self, executor: Executor) -> None:
        """Keep the executor's workers busy with the most urgent jobs."""
        running: dict[Future, Job] = {}
        while True:
            while len(running) < self.workers:
                job = self._next({id(each) for each in running.values()})
                if job is None:
                    break
                function, arguments = job.work(self.until - time.monotonic())
                running[executor.submit(function, *arguments)] = job
            # What is still being worked on after the grace keeps what it had.
            if not running or time.monotonic() > self.deadline or self.should_stop():
                return
            ready, _ = wait(running, timeout=LOOK_S, return_when=FIRST_COMPLETED)
            for future in ready:
                running.pop(future).take(future.result())
                self.report()

    def _next(self, busy: set[int]) -> Job | None:
        if time.monotonic() >= self.until or self.should_stop():
            return None
        waiting = [job for job in self.jobs if not job.done and id(job) not in busy]
        return min(waiting, key=lambda job: job.urgency(), default=None)
