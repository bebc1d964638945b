"""Slices of time for jobs that can stop and go on: to the most urgent, on as many workers as given.

A job hands out a function and its arguments (which may cross processes) and takes back the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from typing import Any, Protocol

GRACE_S = 5.0


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
) -> None:
    """Work on the jobs until all are done or ``deadline`` (of `time.monotonic`) is reached.

    ``executor`` runs the slices where it is given; otherwise ``workers`` processes do, or this one
    alone for one worker. ``report`` is called after each slice.
    """
    if executor is not None:
        _spread(jobs, deadline, workers, executor, report)
    elif workers <= 1 or len(jobs) < 2:
        while (job := _next(jobs, deadline, set())) is not None:
            function, arguments = job.work(deadline - time.monotonic())
            job.take(function(*arguments))
            report()
    else:
        own = ProcessPoolExecutor(workers)
        try:
            _spread(jobs, deadline, workers, own, report)
        finally:
            own.shutdown(wait=False, cancel_futures=True)


def _next(jobs: Sequence[Job], deadline: float, busy: set[int]) -> Job | None:
    if time.monotonic() >= deadline:
        return None
    waiting = [job for job in jobs if not job.done and id(job) not in busy]
    return min(waiting, key=lambda job: job.urgency(), default=None)


def _spread(
    jobs: Sequence[Job],
    deadline: float,
    workers: int,
    executor: Executor,
    report: Callable[[], None],
) -> None:
    running: dict[Future, Job] = {}
    while True:
        while len(running) < max(1, workers):
            job = _next(jobs, deadline, {id(each) for each in running.values()})
            if job is None:
                break
            function, arguments = job.work(deadline - time.monotonic())
            running[executor.submit(function, *arguments)] = job
        if not running:
            return
        # What is still being worked on after the grace keeps what it had.
        left = deadline + GRACE_S - time.monotonic()
        ready, _ = wait(running, timeout=max(0.0, left), return_when=FIRST_COMPLETED)
        if not ready:
            return
        for future in ready:
            running.pop(future).take(future.result())
        report()
