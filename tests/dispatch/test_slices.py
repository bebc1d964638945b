"""Slices of time: the most urgent first, until all is done, the time is over or somebody stops."""

from __future__ import annotations

import multiprocessing
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import wait

import pytest

from dispatch.engine.slices import run_slices


def _worked(name, seconds):
    return name, seconds


class _Job:
    def __init__(self, name, urgency, slices, log):
        self.name, self.rank, self.left, self.log = name, urgency, slices, log
        self.done = slices == 0

    def urgency(self):
        return (self.rank,)

    def work(self, left_s):
        return _worked, (self.name, left_s)

    def take(self, result):
        self.log.append(result[0])
        self.left -= 1
        self.done = self.left == 0


def _jobs(log):
    return [_Job("late", 2.0, 1, log), _Job("urgent", 0.0, 2, log), _Job("done", 1.0, 0, log)]


def test_the_most_urgent_goes_first_and_what_is_done_not_at_all():
    log = []
    run_slices(_jobs(log), time.monotonic() + 60, 1)
    assert log == ["urgent", "urgent", "late"]


@pytest.mark.parametrize("workers", [2, 3])
def test_processes_and_executors_do_the_same_work(workers):
    log = []
    run_slices(_jobs(log), time.monotonic() + 60, workers)
    assert sorted(log) == ["late", "urgent", "urgent"]
    log.clear()
    with ThreadPoolExecutor(workers) as threads:
        run_slices(_jobs(log), time.monotonic() + 60, workers, executor=threads)
    assert sorted(log) == ["late", "urgent", "urgent"]


def test_nothing_begins_after_the_deadline_or_a_stop():
    log = []
    run_slices(_jobs(log), time.monotonic() - 1, 1)
    assert log == []
    run_slices(_jobs(log), time.monotonic() + 60, 1, should_stop=lambda: len(log) >= 1)
    assert log == ["urgent"]


def test_each_slice_is_reported():
    log, told = [], []
    run_slices(_jobs(log), time.monotonic() + 60, 1, report=lambda: told.append(len(log)))
    assert told == [1, 2, 3]


class _Endless(_Job):
    def work(self, left_s):
        return time.sleep, (600,)


@pytest.fixture
def termination_noted():
    """As the commands do it: the first SIGTERM is a wish, and a fork has the same handler."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, before)
    for child in multiprocessing.active_children():
        child.kill()


@pytest.mark.usefixtures("termination_noted")
def test_a_slice_that_does_not_end_is_given_up_and_its_process_with_it():
    log = []
    before = set(multiprocessing.active_children())
    jobs = [_Endless("a", 0.0, 1, log), _Endless("b", 1.0, 1, log)]
    run_slices(jobs, time.monotonic() + 0.5, 2)
    assert log == []
    # Not by exit code: the executor's own thread may be taking that at this very moment.
    children = [child.sentinel for child in set(multiprocessing.active_children()) - before]
    assert all(wait([child], timeout=60) for child in children)
