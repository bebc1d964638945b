"""The best set of routes from those seen and those priced out, part by part while time lasts.

Given the routes of a plan, each part of the day is priced by column generation and its best whole
routes are picked; what is picked is timed anew for each caregiver's whole day and kept only where
every rule holds and the plan gets cheaper. Visits of crews stay with their members and their
second: the others are arranged around them.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

from dispatch.board import Board, Day
from dispatch.check import check_routes
from dispatch.cost import Shares, totals_of
from dispatch.engine.choice import Choice, choose
from dispatch.engine.classes import Part, split_day
from dispatch.engine.daybook import Visit, day_of, visits_of
from dispatch.engine.generation import PartSearch, PartState
from dispatch.engine.known import columns_of
from dispatch.engine.priced import Path
from dispatch.engine.slices import run_slices
from dispatch.model import Fixed, Problem, Task
from dispatch.plan import Route

logger = logging.getLogger(__name__)

LOADED = 8.0
"""So many times harder are routes with loads to price than others, about."""
FIRST_SLICE_S = 1.0
MOST_SLICES = 6
MOST_BANS = 12
TELL_S = 1.0


def recombine(
    problem: Problem,
    routes: Sequence[Route],
    *,
    seconds: float,
    workers: int = 1,
    executor: Executor | None = None,
    known: Iterable[tuple[int, int, tuple[int, ...]]] = (),
    progress: Callable[[str], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Route]:
    """Return routes that keep every rule and cost no more than the given ones, which keep them.

    ``known`` are further routes seen: (caregiver, shift, tasks in order), by number; those that a
    part can use are offered to it. Parts run on ``executor`` where one is handed in, else on
    ``workers`` processes. ``should_stop`` is asked several times a second.
    """
    begun = time.monotonic()
    book = _Book(problem, routes)
    jobs = book.jobs(known)

    told = begun

    def report() -> None:
        nonlocal told
        if progress is not None and time.monotonic() > told + TELL_S:
            told = time.monotonic()
            done = sum(job.done for job in jobs)
            progress(f"{done} of {len(jobs)} parts recombined, saved {book.saved}")

    run_slices(
        jobs,
        begun + seconds,
        workers,
        executor=executor,
        report=report,
        should_stop=should_stop,
    )
    made = book.board.routes()
    faults = check_routes(problem, made)
    if faults:
        logger.error("recombined_with_violations", extra={"first": str(faults[0])})
        return list(routes)
    before, after = totals_of(problem, routes), totals_of(problem, made)
    return made if after.cost <= before.cost else list(routes)


class _Book:
    """The days as they stand while parts are recombined one after the other."""

    def __init__(self, problem: Problem, routes: Sequence[Route]) -> None:
        self.problem = problem
        self.board = Board(problem, routes)
        self.saved = 0
        self.pinned, self.original = _pinned(problem, self.board)
        self.number = {
            (j, task.fixed.caregivers[0] if self._is_piece(k) else None): k
            for k, (j, task) in enumerate(zip(self.original, self.pinned.tasks, strict=True))
        }
        served: Counter[str] = Counter()
        for day in self.board.days:
            for j in day.tasks():
                served[self._vendor(day.who)] += self._counts(j, day.who)
        opened = sum(task.vendors is None for task in problem.tasks)
        self.shares = Shares(problem, served, opened)

    def jobs(self, known: Iterable[tuple[int, int, tuple[int, ...]]]) -> list[_Job]:
        """Return a job for each part that has anything to arrange."""
        split = split_day(self.pinned)
        seen = [
            (day.who, shift, [self.of_pinned(visit, day.who) for visit in visits])
            for day in self.board.days
            for shift, visits in visits_of(day).items()
        ]
        more = [
            (who, shift, [Visit(task=self.number[j, None]) for j in tasks])
            for who, shift, tasks in known
            if all((j, None) in self.number for j in tasks)
        ]
        own = columns_of(self.pinned, split, seen)
        others = columns_of(self.pinned, split, more)
        return [
            _Job(self, part, mine, extra)
            for part, mine, extra in zip(split.parts, own, others, strict=True)
        ]

    def of_pinned(self, visit: Visit, who: int) -> Visit:
        """Return a visit of a day with the number that its task has in the pinned problem."""
        if visit.task is None:
            return visit
        member = self.problem.caregivers[who].id
        key = (visit.task, member if self.problem.tasks[visit.task].crew > 1 else None)
        return replace(visit, task=self.number[key])

    def apply(self, part: Part, choice: Choice) -> tuple[int, Path] | None:
        """Put the routes into the days if that is better; return a route that does not work."""
        paths: dict[int, list[Path]] = {}
        for number, path in choice.routes:
            paths.setdefault(number, []).append(path)
        made: dict[int, Day] = {}
        for number, each in enumerate(part.classes):
            free = list(each.members)
            for path in sorted(paths.get(number, []), key=len, reverse=True):
                visits = [self._visit(each, node) for node in path]
                free.sort(key=lambda member: -self._common(member, visits))
                for member in free:
                    day = self._with(made, member, visits)
                    if day is not None:
                        made[member[0]] = day
                        free.remove(member)
                        break
                else:
                    return number, path
            for member in free:
                day = self._with(made, member, [])
                if day is None:
                    return None
                made[member[0]] = day
        self._keep(made)
        return None

    def _visit(self, each: Any, node: int) -> Visit:
        """Return what a node of a class is, in the real problem."""
        if node >= len(each.tasks):
            return Visit(load_at=each.sources[node - len(each.tasks)][0])
        k = int(each.tasks[node])
        start = self.pinned.tasks[k].fixed.start_s if self._is_piece(k) else None
        return Visit(task=self.original[k], start_s=start)

    def _is_piece(self, k: int) -> bool:
        """Say whether a task of the pinned problem is one member's part of a crew's visit."""
        return self.problem.tasks[self.original[k]].crew > 1

    def _common(self, member: tuple[int, int], visits: list[Visit]) -> int:
        who, shift = member
        now = {visit.task for visit in visits_of(self.board.days[who]).get(shift, [])}
        return len(now & {visit.task for visit in visits})

    def _with(
        self, made: dict[int, Day], member: tuple[int, int], visits: list[Visit]
    ) -> Day | None:
        """Return the member's day with these visits in that shift; None where it has no times."""
        who, shift = member
        day = made.get(who, self.board.days[who])
        shifts = visits_of(day)
        if shifts.get(shift, []) == visits:
            return day
        return day_of(self.board, who, {**shifts, shift: visits})

    def _keep(self, made: dict[int, Day]) -> None:
        """Take the days over if no crew lost a member and the plan costs less with them."""
        before = [self.board.days[who] for who in made]
        after = list(made.values())
        had = Counter(j for day in before for j in day.tasks())
        has = Counter(j for day in after for j in day.tasks())
        if any(self.problem.tasks[j].crew > 1 and had[j] != has[j] for j in had):
            return
        served = self.shares.served.copy()
        for day in before:
            for j in day.tasks():
                served[self._vendor(day.who)] -= self._counts(j, day.who)
        for day in after:
            for j in day.tasks():
                served[self._vendor(day.who)] += self._counts(j, day.who)
        shares = self.shares.copy()
        shares.served = served
        weight = self.problem.weights.unassigned
        lost = sum(self.problem.tasks[j].priority for j in had - has)
        won = sum(self.problem.tasks[j].priority for j in has - had)
        saved = (
            sum(map(self._cost, before))
            - sum(map(self._cost, after))
            + weight * (won - lost)
            + self.shares.cost()
            - shares.cost()
        )
        if saved > 0:
            self.saved += saved
            self.shares = shares
            for day in after:
                self.board.days[day.who] = day

    def _cost(self, day: Day) -> int:
        """Return what a day costs for travel and for who is not preferred."""
        name = self.problem.caregivers[day.who].id
        strangers = sum(
            bool(task.preferred) and name not in task.preferred
            for task in (self.problem.tasks[j] for j in day.tasks())
        )
        weights = self.problem.weights
        return weights.travel * day.travel + weights.unpreferred * strangers

    def _vendor(self, who: int) -> str:
        return self.problem.caregivers[who].vendor

    def _counts(self, j: int, who: int) -> int:
        """Return 1 where the visit counts for the share of who makes it: once for a crew."""
        if self.problem.tasks[j].vendors is not None:
            return 0
        return int(self.board.crews[j][0] == who) if self.problem.tasks[j].crew > 1 else 1


class _Job:
    """One part on its way through pricing, choice and the days."""

    def __init__(
        self,
        book: _Book,
        part: Part,
        own: list[tuple[int, Path]],
        others: list[tuple[int, Path]],
    ) -> None:
        self.book, self.part, self.own = book, part, own
        self.state = PartState(columns=[*own, *others])
        self.banned: set[tuple[int, Path]] = set()
        self.spent, self.slices, self.done = 0.0, 0, False
        served = {
            part.classes[number].tasks[x]
            for number, path in own
            for x in path
            if x < len(part.classes[number].tasks)
        }
        self.left_out = float(len(part.tasks) > len(served))
        # What can be won grows with the tasks, what it takes with the pairs of them in a class.
        effort = sum(len(x.tasks) ** 2 * (LOADED if x.sources else 1.0) for x in part.classes)
        self.effort = effort / len(part.tasks)

    def urgency(self) -> tuple[float, ...]:
        """Return parts that leave out tasks first, then those where a second wins most."""
        return (float(self.slices), -self.left_out, self.effort)

    def work(self, left_s: float) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return the next slice."""
        seconds = min(left_s, max(FIRST_SLICE_S, 2.0 * self.spent))
        again = self.slices > 0
        return choose_part, (self.part, self.state, self.own, self.banned, seconds, again)

    def take(self, result: tuple[PartState, Choice | None, bool, float]) -> None:
        """Put what was chosen into the days; what does not work there is not chosen again."""
        self.state, choice, closed, spent = result
        self.spent, self.slices = self.spent + spent, self.slices + 1
        fault = None
        if choice is not None:
            fault = self.book.apply(self.part, choice)
            if fault is None:
                self.own = choice.routes
            else:
                self.banned.add(fault)
        retry = fault is not None and len(self.banned) <= MOST_BANS
        self.done = (closed or self.slices >= MOST_SLICES) and not retry


def choose_part(
    part: Part,
    state: PartState,
    own: list[tuple[int, Path]],
    banned: set[tuple[int, Path]],
    seconds: float,
    again: bool,
) -> tuple[PartState, Choice | None, bool, float]:
    """Price a part and pick whole routes; return (state, choice, nothing to win?, seconds taken).

    ``own`` are the part's routes in the plan as it stands.
    """
    begun = time.monotonic()
    search = PartSearch(part, state)
    upper = search.cost_of(own)
    deadline = begun + 0.6 * seconds
    if again:
        search.advance(deadline, upper)
    else:
        search.price_root(deadline, upper)
    choice = None
    if search.bound < upper:
        left = max(0.5, begun + seconds - time.monotonic())
        choice = choose(search, upper, own, banned, left)
    best = upper if choice is None else choice.cost
    return search.state(), choice, search.bound >= best, time.monotonic() - begun


def _pinned(problem: Problem, board: Board) -> tuple[Problem, list[int]]:
    """Return the problem with crews' visits pinned, and the real number of each of its tasks.

    A crew's visit becomes one visit for each member, at the second agreed; one that nobody makes
    is left out of the problem.
    """
    tasks: list[Task] = []
    original: list[int] = []
    for j, task in enumerate(problem.tasks):
        if task.crew == 1:
            tasks.append(task)
            original.append(j)
            continue
        for who in board.crews.get(j, ()):
            caregiver = problem.caregivers[who]
            tasks.append(
                replace(
                    task,
                    id=f"{task.id}\n{caregiver.id}",
                    crew=1,
                    fixed=Fixed((caregiver.id,), board.days[who].start_of(j)),
                )
            )
            original.append(j)
    return replace(problem, tasks=tuple(tasks)), original
