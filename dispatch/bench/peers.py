"""Other engines on the same problems, each imported only where it is asked for.

They come with the optional group `bench` (PyVRP, pyvroom); OR-Tools is with us anyway. None of them
knows all rules of a day; what each cannot express stands in `PROJECTIONS`.
"""

from __future__ import annotations

import importlib
import itertools
import time
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

import numpy as np

from dispatch.bench.tables import Tables
from dispatch.errors import BadInput

Array = np.ndarray
MODULES = {"pyvrp": "pyvrp", "vroom": "vroom", "ortools": "ortools"}
WHEELS = {"pyvrp": "pyvrp", "vroom": "pyvroom", "ortools": "ortools"}
FAR = 1 << 26
"""Seconds of a way that nobody goes: the peer must find it dearer than any number of visits."""
MOST_ZONE = 80
"""Orders that OR-Tools gets at once; beyond it barely leaves its first solution in a minute."""

PROJECTIONS = {
    "ours": "",
    "pyvrp": "each part of the city by itself, its time by its number of orders; the circle as a "
    "way of 2^26 s; no work limit over a day, no vendor shares",
    "vroom": "the circle as a skill for each order; no work limit over a day, no preferred "
    "caregivers, no vendor shares; exploration 5, stopped by the clock",
    "ortools": f"zones of at most {MOST_ZONE} orders, each by itself; no vendor shares",
}


def need(name: str) -> None:
    """Raise `BadInput` with the cure where a peer is not installed."""
    if find_spec(MODULES[name]) is None:
        raise BadInput(
            f"engine {name}",
            f"is not installed; install the group bench: pip install {WHEELS[name]}",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Zone:
    """A part of a day for a peer: orders first, then one place for the base of each caregiver."""

    seconds: Array  # (orders + caregivers) squared, whole seconds
    service: tuple[int, ...]
    windows: tuple[tuple[tuple[int, int], ...], ...]
    price: tuple[int, ...]  # of leaving an order out
    able: Array  # (caregivers, orders) bool
    strange: Array  # (caregivers, orders) what going there costs besides the way
    shifts: tuple[tuple[tuple[int, int], ...], ...]
    most_work: tuple[int | None, ...]

    @property
    def vehicles(self) -> list[tuple[int, int]]:
        """Caregiver and shift, which is what the peers know as a vehicle."""
        return [(c, k) for c, shifts in enumerate(self.shifts) for k in range(len(shifts))]


Tours = dict[tuple[int, int], list[int]]
"""The orders of each caregiver and shift, in sequence."""


# --- VRPTW -----------------------------------------------------------------------------------------


def pyvrp_routes(tables: Tables, *, seconds: float, seed: int) -> list[list[int]]:
    """Return PyVRP's best routes for a benchmark file, customers by row."""
    pyvrp = importlib.import_module("pyvrp")
    facts = tables.facts.tolist()
    matrix = tables.distance.astype(np.int64)
    data = pyvrp.ProblemData(
        locations=[pyvrp.Location(float(x), float(y)) for x, y in tables.file.spots],
        depots=[pyvrp.Depot(0)],
        clients=[
            pyvrp.Client(c, [q], [], service, ready, due)
            for c, (q, service, ready, due) in enumerate(facts)
            if c > 0
        ],
        vehicle_types=[
            pyvrp.VehicleType(
                tables.file.vehicles, [tables.file.capacity], tw_early=facts[0][2],
                tw_late=facts[0][3],
            )
        ],
        distance_matrices=[matrix],
        duration_matrices=[matrix],
    )  # fmt: skip
    stop = importlib.import_module("pyvrp.stop").MaxRuntime(seconds)
    best = pyvrp.solve(data, stop=stop, seed=seed, display=False, collect_stats=False).best
    return [[c + 1 for c in _clients(route)] for route in best.routes()]


def _clients(route: Any) -> list[int]:
    """Return the numbers of the clients of a PyVRP route."""
    return [activity.idx for activity in route if activity.is_client()]


# --- a day -----------------------------------------------------------------------------------------


def pyvrp_tours(zone: Zone, *, seconds: float, seed: int) -> Tours:
    """Return PyVRP's tours of a zone: one profile a caregiver, orders are prizes."""
    pyvrp = importlib.import_module("pyvrp")
    orders = len(zone.service)
    size = len(zone.seconds)
    clients = []
    for order in range(orders):
        # One window each: a second one would need a group of clients at one place.
        early, late = zone.windows[order][0][0], zone.windows[order][-1][1]
        clients.append(
            pyvrp.Client(
                order, service_duration=zone.service[order], tw_early=early, tw_late=late,
                prize=zone.price[order], required=False,
            )
        )  # fmt: skip
    distances, durations, kinds = [], [], []
    for caregiver, shifts in enumerate(zone.shifts):
        ways = zone.seconds.astype(np.int64)
        closed = ~zone.able[caregiver]
        ways[:orders, :orders][closed] = FAR
        ways[:, :orders][:, closed] = FAR
        np.fill_diagonal(ways, 0)
        costs = ways.copy()
        costs[:, :orders] += zone.strange[caregiver]
        np.fill_diagonal(costs, 0)
        distances.append(costs)
        durations.append(ways)
        for early, late in shifts:
            kinds.append(
                pyvrp.VehicleType(
                    1, start_depot=caregiver, end_depot=caregiver, tw_early=early, tw_late=late,
                    profile=caregiver,
                )
            )  # fmt: skip
    data = pyvrp.ProblemData(
        locations=[pyvrp.Location(0, 0) for _ in range(size)],
        depots=[pyvrp.Depot(orders + caregiver) for caregiver in range(len(zone.shifts))],
        clients=clients,
        vehicle_types=kinds,
        distance_matrices=distances,
        duration_matrices=durations,
    )
    stop = importlib.import_module("pyvrp.stop").MaxRuntime(seconds)
    best = pyvrp.solve(data, stop=stop, seed=seed, display=False, collect_stats=False).best
    vehicles = zone.vehicles
    return {vehicles[route.vehicle_type()]: _clients(route) for route in best.routes()}


def vroom_tours(zone: Zone, *, seconds: float, workers: int) -> Tours:
    """Return VROOM's tours of a whole day at its highest exploration, stopped by the clock."""
    vroom = importlib.import_module("vroom")
    problem = vroom.Input()
    problem.set_durations_matrix("car", zone.seconds.astype(np.uint32))
    orders = len(zone.service)
    vehicles = zone.vehicles
    for number, (caregiver, shift) in enumerate(vehicles):
        base = orders + caregiver
        problem.add_vehicle(
            vroom.Vehicle(
                number, start=base, end=base, time_window=vroom.TimeWindow(*_shift(zone, caregiver, shift)),
                skills=set(np.flatnonzero(zone.able[caregiver]).tolist()),
            )
        )  # fmt: skip
    top = max(zone.price, default=1)
    for order in range(orders):
        problem.add_job(
            vroom.Job(
                order, location=order, default_service=zone.service[order], skills={order},
                priority=min(100, max(1, round(100 * zone.price[order] / top))),
                time_windows=[vroom.TimeWindow(*window) for window in zone.windows[order]],
            )
        )  # fmt: skip
    solution = problem.solve(
        exploration_level=5, nb_threads=workers, timeout=timedelta(seconds=seconds)
    )
    tours: Tours = {}
    table = solution.routes
    for vehicle, kind, order in zip(table["vehicle_id"], table["type"], table["id"], strict=True):
        if kind == "job":
            tours.setdefault(vehicles[int(vehicle)], []).append(int(order))
    return tours


def _shift(zone: Zone, caregiver: int, shift: int) -> tuple[int, int]:
    return zone.shifts[caregiver][shift]


def ortools_tours(zone: Zone, *, seconds: float) -> Tours:
    """Return the tours of OR-Tools routing: cheapest insertion, then guided local search."""
    solver = importlib.import_module("ortools.constraint_solver.pywrapcp")
    enums = importlib.import_module("ortools.constraint_solver.routing_enums_pb2")
    vehicles, orders = zone.vehicles, len(zone.service)
    ends = [orders + caregiver for caregiver, _ in vehicles]
    manager = solver.RoutingIndexManager(len(zone.seconds), len(vehicles), ends, ends)
    routing = solver.RoutingModel(manager)
    service = np.array([*zone.service, *([0] * len(zone.shifts))])
    lasts = routing.RegisterTransitMatrix((zone.seconds + service[:, None]).tolist())
    # A cut can part an order from all who work so late: its window still has to fit the clock.
    ends_of_day = [end for shifts in zone.shifts for _, end in shifts]
    horizon = max(ends_of_day + [closes for windows in zone.windows for _, closes in windows])
    routing.AddDimension(lasts, horizon, horizon, False, "clock")
    routing.AddDimension(lasts, 0, 10 * horizon, True, "work")
    clock, work = (routing.GetDimensionOrDie(name) for name in ("clock", "work"))
    for caregiver in range(len(zone.shifts)):
        costs = zone.seconds.astype(np.int64)
        costs[:, :orders] += zone.strange[caregiver]
        way = routing.RegisterTransitMatrix(costs.tolist())
        own = [v for v, (c, _) in enumerate(vehicles) if c == caregiver]
        for v in own:
            routing.SetArcCostEvaluatorOfVehicle(way, v)
            early, late = zone.shifts[caregiver][vehicles[v][1]]
            clock.CumulVar(routing.Start(v)).SetRange(early, late)
            clock.CumulVar(routing.End(v)).SetRange(early, late)
        most = zone.most_work[caregiver]
        if most is not None and own:
            total = sum(work.CumulVar(routing.End(v)) for v in own)
            routing.solver().Add(total <= int(most))
    for order in range(orders):
        index = manager.NodeToIndex(order)
        windows = zone.windows[order]
        clock.CumulVar(index).SetRange(windows[0][0], windows[-1][1])
        for (_, closes), (opens, _) in itertools.pairwise(windows):
            clock.CumulVar(index).RemoveInterval(closes + 1, opens - 1)
        able = [v for v, (c, _) in enumerate(vehicles) if zone.able[c, order]]
        # SetAllowedVehiclesForIndex refuses every list in the wheel of OR-Tools 9.15.
        routing.VehicleVar(index).SetValues([-1, *able])
        routing.AddDisjunction([index], zone.price[order])
    settings = solver.DefaultRoutingSearchParameters()
    settings.first_solution_strategy = enums.FirstSolutionStrategy.LOCAL_CHEAPEST_INSERTION
    settings.local_search_metaheuristic = enums.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    settings.time_limit.FromMilliseconds(max(1, int(seconds * 1000)))
    answer = routing.SolveWithParameters(settings)
    if answer is None:
        return {}
    tours: Tours = {}
    for v, key in enumerate(vehicles):
        index = answer.Value(routing.NextVar(routing.Start(v)))
        while not routing.IsEnd(index):
            tours.setdefault(key, []).append(manager.IndexToNode(index))
            index = answer.Value(routing.NextVar(index))
    return tours


def solve_zone(job: tuple[str, Zone, float, int, int]) -> tuple[Tours, float]:
    """Let a peer solve a zone: (engine, zone, seconds, seed, workers). Returns tours and seconds."""
    engine, zone, seconds, seed, workers = job
    began = time.perf_counter()
    if engine == "pyvrp":
        tours = pyvrp_tours(zone, seconds=seconds, seed=seed)
    elif engine == "vroom":
        tours = vroom_tours(zone, seconds=seconds, workers=workers)
    else:
        tours = ortools_tours(zone, seconds=seconds)
    return tours, time.perf_counter() - began
