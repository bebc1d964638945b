"""A proven lower bound on what any plan of a problem costs, and a plan's gap to it.

The day falls into parts that share neither tasks nor shifts. Each is bounded by column generation
(`dispatch.engine.generation`); a part that has not priced a single round yet counts 0. Whatever
the bound does not model makes plans cheaper there, never dearer, and is named in `relaxations`.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass

import numpy as np

from dispatch.cost import share_cost
from dispatch.engine.classes import Part, Split, may_serve, split_day
from dispatch.engine.generation import PartSearch, PartState
from dispatch.engine.known import plan_columns
from dispatch.model import Plan, Problem

SHARES = "vendor shares: only the shortfall that eligibility forces"
FIRST_SLICE_S = 4.0
MOST_SLICE_S = 120.0
GRACE_S = 5.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PartBound:
    """The bound of one part: of ``tasks`` tasks and ``classes`` classes of equal shifts.

    ``cost`` is what the plan pays there, None without a plan. ``rounds`` is how often the master
    was solved; where ``priced`` is False no round was finished and the bound is the trivial one.
    """

    tasks: int
    classes: int
    value: int
    cost: int | None
    rounds: int
    priced: bool


@dataclass(frozen=True, slots=True)
class Bound:
    """No plan of the problem costs less than ``value``; ``proven`` says that this is a proof.

    ``hopeless`` is the part of it for tasks that nobody can serve, ``share`` that for shares. With
    a plan, ``cost`` is its cost and ``gap`` = (cost - value) / cost, 0 where both are 0.
    """

    value: int
    proven: bool
    parts: tuple[PartBound, ...]
    hopeless: int
    share: int
    relaxations: tuple[str, ...]
    cost: int | None
    gap: float | None
    seconds: float


def bound(
    problem: Problem,
    plan: Plan | None = None,
    *,
    seconds: float = 600,
    workers: int = 2,
    progress: Progress | None = None,
    loads: bool = True,
    executor: Executor | None = None,
) -> Bound:
    """Return a proven lower bound on the cost of every plan of *problem*.

    It gets better for ``seconds`` and is valid whenever it stops. A *plan* tells what is worth
    proving, and its gap is given. Parts run on ``executor`` where one is handed in, else on
    ``workers`` processes. Without ``loads`` meals and the like are not modelled: quicker, weaker.
    """
    begun = time.monotonic()
    split = split_day(problem, loads=loads)
    share = share_floor(problem)
    relaxed = set(split.relaxed)
    if problem.vendor_share and problem.weights.vendor_share:
        relaxed.add(SHARES)
    jobs = _jobs(problem, split, plan)
    _Run(jobs, begun + seconds, workers, executor, progress).run()
    hopeless = problem.weights.unassigned * sum(problem.tasks[j].priority for j in split.hopeless)
    value = hopeless + share + sum(job.value for job in jobs)
    cost = None if plan is None else plan.totals.cost
    gap = None
    if cost is not None:
        gap = (cost - value) / cost if cost else 0.0
    return Bound(
        value=value,
        proven=True,
        parts=tuple(job.result() for job in jobs),
        hopeless=hopeless,
        share=share,
        relaxations=tuple(sorted(relaxed)),
        cost=cost,
        gap=gap,
        seconds=time.monotonic() - begun,
    )


def share_floor(problem: Problem) -> int:
    """Return the share term's least: each vendor serves every open task that it could.

    A task is within a vendor's reach where enough of its caregivers have skill and permission; the
    circle and the clock are not asked.
    """
    opened = [task for task in problem.tasks if task.vendors is None]
    if not problem.vendor_share or not opened:
        return 0
    reach: Counter[str] = Counter()
    skilled: dict[tuple, dict[str, int]] = {}
    for task in opened:
        key = (task.skills, task.forbidden, task.fixed, task.crew, task.load)
        if key not in skilled:
            able: dict[str, int] = {}
            for caregiver in problem.caregivers:
                if may_serve(caregiver, task):
                    able[caregiver.vendor] = able.get(caregiver.vendor, 0) + 1
            skilled[key] = able
        for vendor, count in skilled[key].items():
            if count >= task.crew:
                reach[vendor] += 1
    return share_cost(problem, reach, len(opened))


class _Job:
    """One part, what is known of it and how long it has been worked on."""

    def __init__(
        self,
        part: Part,
        crews: np.ndarray,
        priorities: np.ndarray,
        penalty: int,
        state: PartState,
        cost: int | None,
    ) -> None:
        self.part, self.crews, self.priorities, self.penalty = part, crews, priorities, penalty
        self.state, self.cost = state, cost
        self.value, self.spent, self.slices, self.done = 0, 0.0, 0, False

    @property
    def upper(self) -> float:
        return math.inf if self.cost is None else float(self.cost)

    def urgency(self) -> tuple[float, float]:
        """Return what sorts jobs, most urgent first: those not begun, then gap by time spent."""
        size = float(len(self.part.tasks))
        if not self.slices:
            return (-1.0, -size)
        gap = size if self.cost is None else float(self.cost - self.value)
        return (0.0, -gap / (1.0 + self.spent))

    def slice_s(self) -> float:
        """Return the seconds to work next; they double, so that starting anew costs little."""
        return min(MOST_SLICE_S, max(FIRST_SLICE_S, self.spent))

    def take(self, state: PartState, value: int, more: bool, spent: float) -> None:
        """Keep what a slice has brought."""
        self.state, self.value = state, max(self.value, value)
        self.spent, self.slices, self.done = self.spent + spent, self.slices + 1, not more

    def result(self) -> PartBound:
        priced = any(leaf.bound > 0 for leaf in self.state.leaves)
        return PartBound(
            len(self.part.tasks),
            len(self.part.classes),
            self.value,
            self.cost,
            self.state.rounds,
            priced,
        )


def _jobs(problem: Problem, split: Split, plan: Plan | None) -> list[_Job]:
    columns, costs = None, None
    if plan is not None:
        columns, costs = plan_columns(problem, split, plan)
    jobs = []
    for at, part in enumerate(split.parts):
        tasks = [problem.tasks[j] for j in part.tasks]
        state = PartState() if columns is None else PartState(columns=columns[at])
        jobs.append(
            _Job(
                part,
                np.array([task.crew for task in tasks]),
                np.array([task.priority for task in tasks]),
                problem.weights.unassigned,
                state,
                None if costs is None else int(costs[at]),
            )
        )
    return jobs


def price_part(
    part: Part,
    crews: np.ndarray,
    priorities: np.ndarray,
    penalty: int,
    state: PartState,
    upper: float,
    seconds: float,
) -> tuple[PartState, int, bool, float]:
    """Work on one part for ``seconds``; return (state, bound, more to do?, seconds taken)."""
    begun = time.monotonic()
    search = PartSearch(part, crews, priorities, penalty, state)
    more = search.advance(begun + seconds, upper)
    return search.state(), search.bound, more, time.monotonic() - begun


class _Run:
    """Gives slices of time to the most urgent parts until all are done or the time is over."""

    def __init__(
        self,
        jobs: list[_Job],
        deadline: float,
        workers: int,
        executor: Executor | None,
        progress: Progress | None,
    ) -> None:
        self.jobs, self.deadline, self.workers = jobs, deadline, max(1, workers)
        self.executor, self.progress = executor, progress

    def run(self) -> None:
        if self.executor is not None:
            self._spread(self.executor)
        elif self.workers == 1 or len(self.jobs) < 2:
            while (job := self._next(set())) is not None:
                job.take(*price_part(*self._work(job)))
                self._report()
        else:
            own = ProcessPoolExecutor(self.workers)
            try:
                self._spread(own)
            finally:
                own.shutdown(wait=False, cancel_futures=True)

    def _work(self, job: _Job) -> tuple:
        seconds = min(job.slice_s(), max(0.0, self.deadline - time.monotonic()))
        return (job.part, job.crews, job.priorities, job.penalty, job.state, job.upper, seconds)

    def _next(self, busy: set[int]) -> _Job | None:
        if time.monotonic() >= self.deadline:
            return None
        open_jobs = [job for job in self.jobs if not job.done and id(job) not in busy]
        return min(open_jobs, key=_Job.urgency, default=None)

    def _spread(self, executor: Executor) -> None:
        running: dict[Future, _Job] = {}
        while True:
            while len(running) < self.workers:
                job = self._next({id(each) for each in running.values()})
                if job is None:
                    break
                running[executor.submit(price_part, *self._work(job))] = job
            if not running:
                return
            left = self.deadline + GRACE_S - time.monotonic()
            ready, _ = wait(running, timeout=max(0.0, left), return_when=FIRST_COMPLETED)
            if not ready:
                # What is still being worked on keeps the bound it had.
                return
            for future in ready:
                running.pop(future).take(*future.result())
            self._report()

    def _report(self) -> None:
        if self.progress is not None:
            done = sum(job.done for job in self.jobs)
            value = sum(job.value for job in self.jobs)
            self.progress(f"{done} of {len(self.jobs)} parts closed, bound {value}")
