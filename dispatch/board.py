"""The day as it stands, ready for quick questions: who could also take this, when, at what price?

A `Board` is the facts of a day with one `Day` a caregiver. Days are never changed, only replaced,
so that a copy of a board is cheap and a change can be thrown away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dispatch import chain
from dispatch.candidates import People, eligible
from dispatch.chain import BEGUN, OPTION
from dispatch.cost import Shares
from dispatch.days import Day, read_days
from dispatch.facts import NONE, UNBOUND, Facts
from dispatch.model import Caregiver, Problem, Task
from dispatch.plan import Route
from dispatch.timing import MOVED_S, retimed, ways_to, with_visit, without

Array = np.ndarray

_MOST_OPTIONS = 4096


@dataclass(frozen=True, slots=True)
class Options:
    """Ways to put one visit into days: who, when it can start, at what added cost; by caregiver.

    ``rows`` are those of `dispatch.chain.intervals`; ``cost`` is without the share term.
    """

    who: Array
    rows: Array
    cost: Array

    def __len__(self) -> int:
        return len(self.who)

    @property
    def first(self) -> Array:
        """The first second each may start at."""
        return self.rows[:, chain.FIRST]

    @property
    def last(self) -> Array:
        """The last second each may start at."""
        return self.rows[:, chain.LAST]


class Board(Facts):
    """The days of a plan, and the tasks of its problem and any that come along.

    ``closed`` are the positions of caregivers who take nothing more, ``gone`` those of tasks that
    were cancelled; ``crews`` names who serves each task that is served.
    """

    def __init__(self, problem: Problem, routes: Iterable[Route], *, now_s: int = 0) -> None:
        super().__init__(problem, now_s=now_s)
        self.circle_s = problem.circle_s
        self.reach = People(problem, self.travel)
        self.gone: frozenset[int] = frozenset()
        self.closed: frozenset[int] = frozenset()
        self._out = np.empty((_MOST_OPTIONS, OPTION), np.int64)
        own: list[list[Route]] = [[] for _ in self.people]
        for route in routes:
            if route.stops:
                own[problem.caregiver_index[route.caregiver]].append(route)
        self.days: list[Day] = read_days(self, range(len(own)), own)
        self.crews: dict[int, tuple[int, ...]] = {}
        for day in self.days:
            for task in day.tasks():
                self.crews[task] = (*self.crews.get(task, ()), day.who)
        self.shares = self._count_shares()

    def _count_shares(self) -> Shares:
        served: Counter[str] = Counter()
        for task, crew in self.crews.items():
            if self.tasks[task].vendors is None:
                served[self.people[crew[0]].vendor] += 1
        opened = sum(task.vendors is None for task in self.tasks)
        return Shares(self.problem, served, opened)

    def copy(self) -> Board:
        """Return a board that can be changed without changing this one."""
        other = super().copy()
        other.days, other.crews = list(self.days), dict(self.crews)
        other.shares = self.shares.copy()
        return other

    # --- tasks and people ------------------------------------------------------------------------

    def routes(self) -> list[Route]:
        """Return the routes of all days, caregivers in the problem's order."""
        return [route for day in self.days for route in day.routes]

    def add_task(self, task: Task) -> int:
        """Take a task on, unserved; see `Facts.add_task`."""
        if task.vendors is None:
            self.shares.open_tasks += 1
        return super().add_task(task)

    def drop_task(self, at: int) -> None:
        """Forget a task that is not served any more."""
        self.gone |= {at}
        del self.task_index[self.tasks[at].id]
        if self.tasks[at].vendors is None:
            self.shares.open_tasks -= 1

    def current_tasks(self) -> list[Task]:
        """Return the tasks of the day: those of the problem that are left, and those that came."""
        return [task for at, task in enumerate(self.tasks) if at not in self.gone]

    def is_served(self, at: int) -> bool:
        """Return whether the task at that position has its whole crew."""
        return len(self.crews.get(at, ())) == self.tasks[at].crew

    def add_caregiver(self, caregiver: Caregiver) -> int:
        """Take somebody on, with an empty day; return the position."""
        who = super().add_caregiver(caregiver)
        self.days += read_days(self, [who], [[]])
        return who

    def candidates(self, task: Task) -> list[int]:
        """Return who could serve *task* were the day empty, nearest first."""
        found = eligible(self.problem, tasks=[task], people=self.reach).of(0).tolist()
        return [who for who in found if who not in self.closed] if self.closed else found

    def has_begun(self, day: Day, row: int) -> bool:
        """Return whether that row of the day lies in the past."""
        return int(day.rows[row, chain.PIN]) == BEGUN

    # --- questions -------------------------------------------------------------------------------

    def options(
        self,
        task: int,
        who: Sequence[int],
        *,
        slack: int = MOVED_S,
        relax: int = 0,
        days: dict[int, Day] | None = None,
    ) -> Options:
        """Return every way to put the task at that position into the days of *who*.

        ``slack`` is how far other visits may move; ``relax`` sets rules of `dispatch.chain` aside;
        ``days`` are looked at instead of the board's own.
        """
        asked = [(days or {}).get(c, self.days[c]) for c in who]
        names: list[Array] = []
        rows: list[Array] = []
        for day, ways in zip(asked, ways_to(self, task, asked), strict=True):
            count = chain.intervals(
                day.rows, day.rested, day.travel, day.own, ways, self.persons[day.who],
                self.shifts[day.who], self.facts, self.windows, task, relax, self.now_of(day.who),
                slack, self._out,
            )  # fmt: skip
            if count:
                names.append(np.full(count, day.who))
                rows.append(self._out[:count].copy())
        if not rows:
            return Options(NONE, np.empty((0, OPTION), np.int64), NONE)
        whom = np.concatenate(names)
        table = np.concatenate(rows)
        cost = self.problem.weights.travel * table[:, chain.TRAVEL]
        preferred = self.tasks[task].preferred
        if preferred:
            stranger = np.array([self.people[c].id not in preferred for c in whom])
            cost = cost + self.problem.weights.unpreferred * stranger
        return Options(whom, table, cost)

    # --- changes ---------------------------------------------------------------------------------

    def with_visit(
        self,
        task: int,
        who: int,
        option: Array,
        start: int,
        *,
        slack: int = MOVED_S,
        day: Day | None = None,
    ) -> Day | None:
        """Return the day of *who* (or *day*) with the visit in it, as `timing.with_visit` does."""
        day = self.days[who] if day is None else day
        return with_visit(self, day, task, option, start, slack=slack)

    def without(self, day: Day, tasks: Iterable[int], *, slack: int = MOVED_S) -> Day | None:
        """Return *day* without these tasks, as `timing.without` does."""
        return without(self, day, tasks, slack=slack)

    def retimed(self, day: Day, rows: Array, *, slack: int = MOVED_S) -> Day | None:
        """Return *day* with other rows, as `timing.retimed` does."""
        return retimed(self, day, rows, slack=slack)

    def take_over(self, other: Board) -> None:
        """Become what *other*, a changed copy, is."""
        self.days, self.crews, self.shares = other.days, other.crews, other.shares

    def put(self, day: Day) -> None:
        """Let *day* be that of its caregiver from now on."""
        before, after = set(self.days[day.who].tasks()), set(day.tasks())
        self.days[day.who] = day
        for task in before - after:
            crew = tuple(c for c in self.crews[task] if c != day.who)
            if crew:
                self.crews[task] = crew
            else:
                del self.crews[task]
                self._share(task, day.who, -1)
        for task in after - before:
            if task not in self.crews:
                self._share(task, day.who, 1)
            self.crews[task] = (*self.crews.get(task, ()), day.who)

    def _share(self, task: int, who: int, step: int) -> None:
        if self.tasks[task].vendors is None:
            self.shares.served[self.people[who].vendor] += step


__all__ = ["MOVED_S", "UNBOUND", "Board", "Day", "Options"]
