"""All days of the whole problem while it is planned part by part."""

from __future__ import annotations

from collections import Counter

import numpy as np

from dispatch.candidates import Candidates
from dispatch.engine.block import Found, Times
from dispatch.engine.kernel.facts import GAP
from dispatch.model import Problem
from dispatch.plan import Plan, Route

Array = np.ndarray


class Rota:
    """Each caregiver's day in the codes of `dispatch.engine.whole`, and the starts of crews."""

    def __init__(self) -> None:
        self.days: dict[int, Array] = {}
        self.times: dict[int, Times] = {}
        self.starts: dict[int, int] = {}

    @classmethod
    def of(cls, problem: Problem, candidates: Candidates, plan: Plan | None) -> Rota:
        """Return the days of *plan* as far as the candidates allow them; no days without a plan.

        Whether times, loads and rests work out is found when a block takes the days over.
        """
        rota = cls()
        if plan is None:
            return rota
        reader = _Reader(problem, candidates)
        by_day: dict[int, list[Route]] = {}
        for route in plan.routes:
            who = problem.caregiver_index.get(route.caregiver)
            if who is not None and route.shift < len(problem.caregivers[who].shifts):
                by_day.setdefault(who, []).append(route)
        for who, routes in by_day.items():
            rota.days[who] = reader.day(who, routes)
        rota.starts = reader.starts
        return rota

    def take(self, found: Found) -> None:
        """Put the days of a block in the place of those of its caregivers."""
        self.days.update(found.days)
        self.times.update(found.times)
        self.starts.update(found.starts)


class _Reader:
    """Reads the routes of a plan; whatever the problem does not allow is left out."""

    def __init__(self, problem: Problem, candidates: Candidates) -> None:
        self.problem, self.candidates = problem, candidates
        self.members: Counter[int] = Counter()
        self.starts: dict[int, int] = {}

    def day(self, who: int, routes: list[Route]) -> Array:
        shifts = len(self.problem.caregivers[who].shifts)
        by_shift: list[list[int]] = [[] for _ in range(shifts)]
        for route in routes:
            if not by_shift[route.shift]:
                by_shift[route.shift] = self._codes(who, route)
        codes: list[int] = []
        for shift, some in enumerate(by_shift):
            if shift:
                codes.append(GAP - (shift - 1))
            codes += some
        return np.array(codes, dtype=np.int64)

    def _codes(self, who: int, route: Route) -> list[int]:
        tasks = self.problem.tasks
        codes: list[int] = []
        for stop in route.stops:
            if stop.kind == "load":
                codes.append(len(tasks) + stop.place)
            elif stop.kind == "task":
                task = self.problem.task_index.get(stop.task or "")
                if task is None or who not in self.candidates.of(task):
                    continue
                if self.members[task] == tasks[task].crew:
                    continue
                if self.members[task] and self.starts[task] != stop.start_s:
                    continue
                self.members[task] += 1
                self.starts[task] = stop.start_s
                codes.append(task)
        return [code for at, code in enumerate(codes) if self._is_used(codes, at)]

    def _is_used(self, codes: list[int], at: int) -> bool:
        """Say whether the node is a task, or a fetching from which somebody is served."""
        tasks = self.problem.tasks
        place = codes[at] - len(tasks)
        if place < 0:
            return True
        for code in codes[at + 1 :]:
            if code == codes[at]:
                return False
            if code < len(tasks):
                load = tasks[code].load
                if load is not None and load.place == place:
                    return True
        return False
