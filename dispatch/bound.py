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
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from dispatch.cost import share_cost
from dispatch.engine.classes import Part, Split, may_serve, split_day
from dispatch.engine.generation import Leaf, PartSearch, PartState
from dispatch.engine.known import plan_columns
from dispatch.engine.slices import run_slices
from dispatch.model import Plan, Problem

SHARES = "vendor shares: only the shortfall that eligibility forces"
FIRST_SLICE_S = 4.0
MOST_SLICE_S = 120.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PartBound:
    """The bound of one part: of ``tasks`` tasks and ``classes`` classes of equal shifts.

    ``cost`` is what the plan pays there, None without a plan. ``rounds`` is how often the master
    was solved; where ``priced`` is False no round was finished and the bound is the trivial one.
    Whoever leaves out less than ``left_out`` (priorities summed) here pays no less than the plan.
    """

    tasks: int
    classes: int
    value: int
    cost: int | None
    rounds: int
    priced: bool
    left_out: int


@dataclass(frozen=True, slots=True)
class Bound:
    """No plan of the problem costs less than ``value``; ``proven`` says that this is a proof.

    ``hopeless`` is the part of it for tasks that nobody can serve, ``share`` that for shares. With
    a plan, ``cost`` is its cost and ``gap`` = (cost - value) / cost, 0 where both are 0.
    ``left_out``: so much (priorities summed) must be left out, or its part costs no less than now.
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
    left_out: int = 0


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

    def report() -> None:
        if progress is not None:
            done = sum(job.done for job in jobs)
            value = sum(job.value for job in jobs)
            progress(f"{done} of {len(jobs)} parts closed, bound {value}")

    run_slices(jobs, begun + seconds, workers, executor=executor, report=report)
    nobody = sum(problem.tasks[j].priority for j in split.hopeless)
    hopeless = problem.weights.unassigned * nobody
    parts = tuple(job.result() for job in jobs)
    value = hopeless + share + sum(job.value for job in jobs)
    cost = None if plan is None else plan.totals.cost
    gap = None
    if cost is not None:
        gap = (cost - value) / cost if cost else 0.0
    return Bound(
        value=value,
        proven=True,
        parts=parts,
        hopeless=hopeless,
        share=share,
        relaxations=tuple(sorted(relaxed)),
        cost=cost,
        gap=gap,
        seconds=time.monotonic() - begun,
        left_out=nobody + sum(part.left_out for part in parts),
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

    def __init__(self, part: Part, state: PartState, cost: int | None, left_out: int = 0) -> None:
        self.part, self.state, self.cost, self.left_out = part, state, cost, left_out
        if left_out:
            # Two proofs: one for all who leave out less than the plan, and one for the others.
            state.leaves = [Leaf(0, left_out - 1), Leaf(left_out)]
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

    def work(self, left_s: float) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return the next slice; slices double, so that starting anew costs little."""
        seconds = min(left_s, MOST_SLICE_S, max(FIRST_SLICE_S, self.spent))
        return price_part, (self.part, self.state, self.upper, seconds)

    def take(self, result: tuple[PartState, int, bool, float]) -> None:
        """Keep what a slice has brought."""
        self.state, value, more, spent = result
        self.value = max(self.value, value)
        self.spent, self.slices, self.done = self.spent + spent, self.slices + 1, not more

    def result(self) -> PartBound:
        leaves = self.state.leaves
        priced = any(leaf.bound > 0 for leaf in leaves)
        # What reaches the plan's cost is closed: only the other leaves could hold a cheaper plan.
        cheaper = [leaf.least for leaf in leaves if math.ceil(leaf.bound) < self.upper]
        left_out = min(cheaper, default=self.left_out)
        return PartBound(
            len(self.part.tasks),
            len(self.part.classes),
            self.value,
            self.cost,
            self.state.rounds,
            priced,
            left_out,
        )


def _jobs(problem: Problem, split: Split, plan: Plan | None) -> list[_Job]:
    if plan is None:
        return [_Job(part, PartState(), None) for part in split.parts]
    columns, costs = plan_columns(problem, split, plan)
    left = {problem.task_index[each.task] for each in plan.unassigned}
    jobs = []
    for at, part in enumerate(split.parts):
        priorities = zip(part.tasks.tolist(), part.priorities.tolist(), strict=True)
        left_out = sum(priority for j, priority in priorities if j in left)
        jobs.append(_Job(part, PartState(columns=columns[at]), int(costs[at]), left_out))
    return jobs


def price_part(
    part: Part, state: PartState, upper: float, seconds: float
) -> tuple[PartState, int, bool, float]:
    """Work on one part for ``seconds``; return (state, bound, more to do?, seconds taken)."""
    begun = time.monotonic()
    search = PartSearch(part, state)
    more = search.advance(begun + seconds, upper)
    return search.state(), search.bound, more, time.monotonic() - begun
