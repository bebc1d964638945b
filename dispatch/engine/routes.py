"""From days to the routes of a plan."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dispatch.engine.block import Times
from dispatch.engine.kernel.facts import GAP
from dispatch.engine.kernel.trips import AFTER, BEFORE, NO_REST
from dispatch.model import Problem
from dispatch.plan import Route, Stop

Array = np.ndarray


def routes_of(
    problem: Problem, days: Mapping[int, Array], times: Mapping[int, Times]
) -> list[Route]:
    """Return the routes of all days, caregivers in the problem's order, then by shift.

    Every stop starts as early as it can; whoever would wait at the first stop leaves later.
    """
    found = []
    for who in sorted(days):
        if len(days[who]):
            found += _Day(problem, who, days[who].tolist(), times[who]).routes()
    return found


class _Day:
    """One caregiver's day, read from left to right."""

    def __init__(self, problem: Problem, who: int, codes: list[int], times: Times) -> None:
        self.problem = problem
        self.caregiver = problem.caregivers[who]
        self.codes = codes
        self.begin, self.go = times.begin.tolist(), times.go.tolist()
        self.rest_at, self.rest_how = -1, -1
        if times.rest != NO_REST:
            self.rest_at, self.rest_how = divmod(times.rest, 3)

    def routes(self) -> list[Route]:
        found = []
        first = 0
        shift = 0
        for x in range(len(self.codes) + 1):
            if x == len(self.codes) or self.codes[x] <= GAP:
                if x > first:
                    found.append(self._route(shift, first, x))
                first = x + 1
                shift += 1
        return found

    def _route(self, shift: int, first: int, end: int) -> Route:
        stops: list[Stop] = []
        for x in range(first, end):
            code = self.codes[x]
            place = self._place(code)
            # The leg from the base is travelled as late as it can be.
            before = stops[-1].end_s if stops else None
            arrive = None if before is None else before + self.go[x]
            if self._rests(x, BEFORE):
                stops.append(self._rest(place, arrive, latest=self.begin[x]))
                arrive = stops[-1].end_s
            start = self.begin[x]
            arrive = start if arrive is None else arrive
            if code < len(self.problem.tasks):
                task = self.problem.tasks[code]
                stop = Stop("task", place, arrive, start, start + task.service_s, task=task.id)
            else:
                stop = Stop("load", place, arrive, start, start, units=self._units(x, end))
            stops.append(stop)
            if self._rests(x, AFTER):
                stops.append(self._rest(place, stop.end_s))
        return Route(
            caregiver=self.caregiver.id,
            shift=shift,
            depart_s=stops[0].arrive_s - self.go[first],
            return_s=stops[-1].end_s + self.go[end],
            travel_s=sum(self.go[first : end + 1]),
            stops=tuple(stops),
        )

    def _place(self, code: int) -> int:
        tasks = self.problem.tasks
        return tasks[code].place if code < len(tasks) else code - len(tasks)

    def _rests(self, x: int, how: int) -> bool:
        return self.rest_at == x + 1 and self.rest_how == how

    def _rest(self, place: int, arrive: int | None, latest: int = 0) -> Stop:
        """Return the rest stop; who comes from the base rests just before *latest*, if possible."""
        rest = self.caregiver.rest
        if arrive is None:
            arrive = min(latest, rest.end_s) - rest.lasts_s
        start = max(arrive, rest.start_s)
        return Stop("rest", place, arrive, start, start + rest.lasts_s)

    def _units(self, x: int, end: int) -> int:
        """Return how much is fetched at position *x*: what is served before the next fetching."""
        tasks = self.problem.tasks
        kitchen = self.codes[x] - len(tasks)
        units = 0
        for y in range(x + 1, end):
            code = self.codes[y]
            if code == self.codes[x]:
                break
            if code < len(tasks):
                load = tasks[code].load
                if load is not None and load.place == kitchen:
                    units += load.units
        return units
