"""Solomon and Gehring-Homberger files: tables in whole units, search, and an evaluator of its own."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence

import numpy as np

from dispatch.bench.clock import chunks
from dispatch.bench.files import VrptwFile, read_vrptw
from dispatch.bench.peers import pyvrp_routes
from dispatch.bench.report import Answer
from dispatch.bench.tables import Tables, neighbours, tables_of
from dispatch.engine import vrptw as kernel
from dispatch.engine.kernel import linked
from dispatch.engine.kernel.compiled import is_warm
from dispatch.engine.kernel.draws import stream

Array = np.ndarray
Routes = list[list[int]]
"""Customers by row of the file; the depot, row 0, is not written."""

TUNING = np.array([10.0, 10.0, 0.5, 0.01, 0.1, 4.0, 0.1])
"""Customers a step takes out on average, longest string, share of ends, blinks, how often far ends
of routes are tried, exchanges of tails tried before a step, and share of tails cut off."""
HOT, COLD = 3.5, 0.07
"""Temperatures in units of the mean distance to the tenth nearest customer."""
CHEAP, DEAR = 0.1, 10.0
"""What a unit of load too much costs at first and at last, in the same units."""


class _Search:
    """The arrays that the kernel works on, and the phases of the search."""

    def __init__(self, tables: Tables, seed: int) -> None:
        self.tables = tables
        self.dist, self.facts = tables.distance, tables.facts
        self.n, self.vehicles = len(self.dist), min(tables.file.vehicles, len(self.dist) - 1)
        self.near, self.fits, self.around = neighbours(tables)
        kind = self.dist.dtype
        self.rows = np.zeros((self.n, 8), kind)
        self.routes = np.zeros((self.vehicles, 5), kind)
        self.journal = np.zeros((self.n + self.vehicles, 8), kind)
        self.absent = np.zeros(self.n, np.int64)
        self.now = np.zeros(7, np.int64)
        self.missed = np.ones(self.n, np.int64)
        self.key, self.out = np.zeros(self.n), np.zeros(self.n, np.int64)
        self.best_next = np.zeros(self.n, kind)
        self.best_first = np.zeros(self.vehicles, kind)
        self.cost = np.zeros(2, np.int64)
        self.state = stream(seed)
        tenth = np.sort(self.dist[1:, 1:], axis=1)[:, min(10, self.n - 2)]
        self.unit = max(1.0, float(tenth.mean()))
        self.load([])

    def load(self, routes: Routes) -> None:
        """Start again from these routes; who is in none of them is left out."""
        self.rows[:] = 0
        self.rows[:, linked.ROUTE] = -1
        self.rows[0, linked.DEPART] = self.facts[0, linked.READY]
        self.rows[0, linked.LATEST] = self.facts[0, linked.DUE]
        self.routes[:] = 0
        self.now[:] = 0
        self.cost[0] = 0
        for v, route in enumerate(routes):
            self._load_route(v, route)
        left = np.flatnonzero(self.rows[1:, linked.ROUTE] < 0) + 1
        self.absent[: len(left)] = left
        self.now[linked.ABSENT], self.now[linked.USED] = len(left), len(routes)
        if not len(left):
            self.keep_best()

    def _load_route(self, v: int, route: Sequence[int]) -> None:
        rows, facts = self.rows, self.facts
        stops = [0, *route, 0]
        for p, c, s in zip(stops, stops[1:], stops[2:], strict=False):
            rows[c, linked.PREV], rows[c, linked.NEXT], rows[c, linked.ROUTE] = p, s, v
            rows[c, linked.D_PREV], rows[c, linked.D_NEXT] = self.dist[p, c], self.dist[c, s]
            start = max(rows[p, linked.DEPART] + self.dist[p, c], facts[c, linked.READY])
            rows[c, linked.DEPART] = start + facts[c, linked.SERVICE]
        for c, s in zip(stops[-2:0:-1], stops[:1:-1], strict=True):
            latest = rows[s, linked.LATEST] - self.dist[c, s] - facts[c, linked.SERVICE]
            rows[c, linked.LATEST] = min(latest, facts[c, linked.DUE])
        self.routes[v, linked.FIRST], self.routes[v, linked.LAST] = route[0], route[-1]
        self.routes[v, linked.LOAD] = facts[route, linked.DEMAND].sum()
        self.routes[v, linked.SIZE] = len(route)
        self.cost[0] += sum(int(self.dist[a, b]) for a, b in itertools.pairwise(stops))

    def keep_best(self) -> None:
        self.cost[1] = self.cost[0]
        self.best_next[:] = self.rows[:, linked.NEXT]
        self.best_first[:] = self.routes[:, linked.FIRST]

    def current(self) -> Routes:
        """Return the routes now."""
        return _follow(self.routes[:, linked.FIRST], self.rows[:, linked.NEXT])

    def best(self) -> Routes:
        """Return the best routes found with nobody left out."""
        return _follow(self.best_first, self.best_next)

    def pack(self, steps: int) -> bool:
        """Try to serve those left out. Returns whether all are served."""
        self._open_fleet()
        kernel.pack_routes(
            self.dist, self.facts, self.near, self.fits, self.around, self.tables.file.capacity,
            self.rows, self.routes, self.absent, self.journal, self.now, self.missed, self.cost,
            self.state, steps, COLD * self.unit, TUNING, self.key, self.out,
        )  # fmt: skip
        return bool(self.now[linked.ABSENT] == 0)

    def anneal(self, steps: int, begin: float, end: float) -> None:
        """Search for some steps, from one progress (0 to 1) to another."""
        self._open_fleet()
        hot, cold = (self.unit * HOT * (COLD / HOT) ** at for at in (begin, end))
        price = self.unit * CHEAP * (DEAR / CHEAP) ** begin
        kernel.anneal_routes(
            self.dist, self.facts, self.near, self.fits, self.around, self.tables.file.capacity,
            self.rows, self.routes, self.absent, self.journal, self.now, self.best_next,
            self.best_first, self.cost, self.state, steps, hot, cold, int(price) + 1, TUNING,
            self.key,
        )  # fmt: skip

    def _open_fleet(self) -> None:
        """Let the next steps open a few routes more, so that few empty ones are looked through."""
        used = np.flatnonzero(self.routes[:, linked.SIZE])
        top = int(used[-1]) + 1 if len(used) else 0
        # Before anybody is served every vehicle may be needed at once.
        self.now[linked.FLEET] = min(self.vehicles, top + 4) if top else self.vehicles


def _follow(first: Array, following: Array) -> Routes:
    routes = []
    for c in first.tolist():
        route = []
        while c:
            route.append(c)
            c = int(following[c])
        if route:
            routes.append(route)
    return routes


def search(
    tables: Tables, *, seconds: float, iterations: int | None = None, seed: int = 1
) -> tuple[Routes, int]:
    """Return the best routes found and how many customers they leave out.

    With *iterations* the routes depend on tables, seed and iterations alone.
    """
    began = time.perf_counter()
    run = _Search(tables, seed)
    seconds -= time.perf_counter() - began
    is_served, since = False, 0.0
    for steps, before, after in chunks(seconds=seconds, iterations=iterations):
        if is_served:
            begin, end = ((at - since) / (1 - since) for at in (before, after))
            run.anneal(steps, begin, end)
        elif run.pack(steps):
            # Where the file has many vehicles that is the first chunk; else a search of its own.
            run.keep_best()
            is_served, since = True, min(after, 0.99)
    if not is_served:
        return run.current(), int(run.now[linked.ABSENT])
    return run.best(), 0


def warm_up() -> None:
    """Compile the kernel for both kinds of numbers, or load it from disk."""
    file = VrptwFile(
        "", 2, 2, (0, 1, 2), np.array([[0.0, 0], [1, 0], [0, 1]]), np.array([0.0, 1, 1]),
        np.zeros(3), np.full(3, 100.0), np.zeros(3),
    )  # fmt: skip
    for rounding in ("dimacs", "exact"):
        search(tables_of(file, rounding), seconds=0.0, iterations=2000)


def is_compiled() -> bool:
    """Say whether the search runs at once; if not, `warm_up` takes a minute or so."""
    return is_warm(kernel.anneal_routes)


# --- answers ---------------------------------------------------------------------------------------


def solve(
    path: str, rounding: str, *, seconds: float, iterations: int | None, seed: int, engine: str
) -> Answer:
    """Solve a file by the clock or by iterations and recompute the value of what came out."""
    file = read_vrptw(path)
    if engine == "ours":
        warm_up()
    began = time.perf_counter()
    tables, left = tables_of(file, rounding), 0
    if engine == "pyvrp":
        routes = pyvrp_routes(tables, seconds=seconds, seed=seed)
    else:
        seconds -= time.perf_counter() - began
        routes, left = search(tables, seconds=seconds, iterations=iterations, seed=seed)
    lasted = time.perf_counter() - began
    value, faults = evaluate(file, routes, rounding)
    note = f"{left} left out: too few vehicles" if left else "; ".join(faults[:1])
    text = solution_of(file, routes, value, rounding)
    return Answer(None if faults else value, lasted, note, text)


class _Ruler:
    """Distances and times of a file in one rounding, in plain numbers; apart from the search."""

    def __init__(self, file: VrptwFile, rounding: str) -> None:
        self.file = file
        self.is_cut = rounding == "dimacs"

    def cut(self, value: float) -> float:
        """Return a distance or duration cut to tenths, counted in tenths, or as it is."""
        return math.floor(value * 10) if self.is_cut else float(value)

    def apart(self, a: int, b: int) -> float:
        """Return the distance of two rows."""
        (x, y), (u, v) = self.file.spots[a].tolist(), self.file.spots[b].tolist()
        return self.cut(math.sqrt((x - u) ** 2 + (y - v) ** 2))

    def is_late(self, time_now: float, due: float) -> bool:
        """Say whether a time is over; sums of roots may be so by a rounding error."""
        return time_now > due + (0.0 if self.is_cut else 1e-9 * max(1.0, abs(due)))

    def total(self, distance: float) -> float:
        """Return a sum of distances in the file's unit."""
        return distance / 10 if self.is_cut else distance


def evaluate(
    file: VrptwFile, routes: Sequence[Sequence[int]], rounding: str
) -> tuple[float, list[str]]:
    """Return the total distance and every rule that the routes break, from the file alone.

    With ``dimacs`` every distance and duration is cut to tenths; else they are exact.
    """
    ruler = _Ruler(file, rounding)
    faults: list[str] = []
    distance = 0.0
    times = dict.fromkeys(range(1, len(file.numbers)), 0)
    if len(routes) > file.vehicles:
        faults.append(f"{len(routes)} routes; the file has {file.vehicles} vehicles")
    for number, route in enumerate(routes, start=1):
        known = [c for c in route if c in times]
        if len(known) < len(route):
            faults.append(f"route {number} names the depot or a row that the file does not have")
        for c in known:
            times[c] += 1
        length, wrong = _walk(ruler, number, known)
        distance += length
        faults += wrong
    faults += [
        f"customer {file.numbers[c]} is served {count} times"
        for c, count in times.items()
        if count != 1
    ]
    return ruler.total(distance), faults


def _walk(ruler: _Ruler, number: int, route: Sequence[int]) -> tuple[float, list[str]]:
    """Return the length of a route and what is wrong with it."""
    file, faults = ruler.file, []
    place, free, distance = 0, ruler.cut(file.ready[0]), 0.0
    for c in route:
        way = ruler.apart(place, c)
        start = max(free + way, ruler.cut(file.ready[c]))
        if ruler.is_late(start, ruler.cut(file.due[c])):
            faults.append(f"route {number} is late at customer {file.numbers[c]}")
        place, free, distance = c, start + ruler.cut(file.service[c]), distance + way
    way = ruler.apart(place, 0)
    if ruler.is_late(free + way, ruler.cut(file.due[0])):
        faults.append(f"route {number} is back too late")
    load = sum(float(file.demand[c]) for c in route)
    if load > file.capacity:
        faults.append(f"route {number} carries {load:g} of {file.capacity}")
    return distance + way, faults


def solution_of(
    file: VrptwFile, routes: Sequence[Sequence[int]], value: float, rounding: str
) -> str:
    """Return the text of a solution file."""
    lines = [
        f"Route #{number}: " + " ".join(str(file.numbers[c]) for c in route)
        for number, route in enumerate(routes, start=1)
    ]
    lines.append(f"Cost {value:.1f}" if rounding == "dimacs" else f"Cost {value:.6f}")
    return "\n".join(lines) + "\n"
