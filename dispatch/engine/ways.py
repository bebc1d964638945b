"""The shortest ways a bound may count on, and what lies within reach of a base."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from dispatch.model import Problem
from dispatch.travel import Travel

Array = np.ndarray

# A degree of latitude is nowhere shorter.
METRES_A_DEGREE = 110_500.0


class Ways:
    """Seconds between places by the shortest way over any others.

    Coordinates give a metric, so that is travel itself. A given matrix may be quicker by way of a
    third place, and a stop there (a rest, a loading of nothing) is not against the rules: what
    bounds every plan must count the shortest ways.
    """

    def __init__(self, problem: Problem) -> None:
        self._travel = Travel.of(problem)
        given = problem.places.seconds
        self._least = None if given is None else _shortest(given, 4 * problem.circle_s + 3_600)

    def pairs(self, starts: Array, ends: Array) -> Array:
        """Return the least seconds from each start to the end at the same position."""
        if self._least is None:
            return self._travel.pairs(starts, ends).astype(np.int64)
        return self._least[starts, ends].astype(np.int64)

    def block(self, places: Array) -> Array:
        """Return the least seconds from each of the places (row) to each (column)."""
        if self._least is None:
            return self._travel.block(places).astype(np.int64)
        return self._least[np.ix_(places, places)].astype(np.int64)


def _shortest(seconds: Array, limit: int) -> Array:
    """Return the shortest ways of a matrix, exact up to ``limit`` and never too long beyond it."""
    near = seconds <= limit
    rows, columns = np.nonzero(near)
    # Scaled and raised by one an arc: zero would mean no arc, and dividing takes the raise away.
    arcs = seconds[near].astype(np.float64) * 4_096 + 1
    graph = csr_matrix((arcs, (rows, columns)), shape=seconds.shape)
    least = np.minimum(seconds, limit)
    for row in range(len(seconds)):
        way = dijkstra(graph, indices=row, limit=limit * 4_096.0 + 4_095)
        np.minimum(
            least[row],
            np.where(np.isfinite(way), way // 4_096, limit),
            out=least[row],
            casting="unsafe",
        )
    return least


@dataclass(frozen=True, slots=True)
class Near:
    """The tasks in the circle of a base, ascending, with the seconds from and to it.

    ``to_load`` are those from the base to where the task's load is fetched, ``leg`` those from
    there to the task; both 0 for a task without a load.
    """

    tasks: Array
    out: Array
    back: Array
    to_load: Array
    leg: Array

    def at(self, tasks: Array) -> Near:
        """Return the facts of some of the tasks."""
        k = np.searchsorted(self.tasks, tasks)
        return Near(tasks, self.out[k], self.back[k], self.to_load[k], self.leg[k])


class Surroundings:
    """What each base reaches, found once a base."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.ways, self._travel = problem, Ways(problem), Travel.of(problem)
        tasks = problem.tasks
        self.place = np.array([task.place for task in tasks], np.int64)
        self.load_place = np.array(
            [task.place if task.load is None else task.load.place for task in tasks], np.int64
        )
        self.has_load = np.array([task.load is not None for task in tasks], bool)
        self.leg = self.ways.pairs(self.load_place, self.place)
        self._found: dict[int, Near] = {}

    def of(self, base: int) -> Near:
        """Return what lies in the circle of a place."""
        if base not in self._found:
            tasks = self._candidates(base)
            near = self._travel.pairs(np.full(len(tasks), base), self.place[tasks])
            tasks = tasks[near <= self.problem.circle_s]
            home, place = np.full(len(tasks), base), self.place[tasks]
            to_load = np.zeros(len(tasks), np.int64)
            loaded = np.flatnonzero(self.has_load[tasks])
            to_load[loaded] = self.ways.pairs(home[loaded], self.load_place[tasks[loaded]])
            self._found[base] = Near(
                tasks,
                self.ways.pairs(home, place),
                self.ways.pairs(place, home),
                to_load,
                self.leg[tasks],
            )
        return self._found[base]

    def _candidates(self, base: int) -> Array:
        """Return tasks that may lie in the circle: all, or those in its band of latitude."""
        places, model = self.problem.places, self.problem.travel
        if places.seconds is not None:
            return np.arange(len(self.place))
        reach = max(0.0, self.problem.circle_s - model.stop_s) * model.speed_mps / model.detour
        latitude = places.coordinates[:, 0]
        apart = np.abs(latitude[self.place] - latitude[base])
        return np.flatnonzero(apart <= reach / METRES_A_DEGREE + 1e-6)
