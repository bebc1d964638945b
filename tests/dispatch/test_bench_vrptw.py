"""Solomon and Gehring-Homberger files: whole units, an evaluator apart, small ones solved exactly."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from dispatch.bench import vrptw
from dispatch.bench.files import VrptwFile
from dispatch.bench.tables import tables_of
from dispatch.engine.kernel import linked


def random_file(
    rng: np.random.Generator, customers: int, *, vehicles: int = 25, capacity: int = 30
) -> VrptwFile:
    """Return customers around a depot whose windows matter."""
    spots = np.vstack([[25.0, 25.0], rng.integers(0, 51, (customers, 2))]).astype(float)
    away = np.hypot(*(spots - spots[0]).T)
    opens = np.ceil(away) + rng.integers(0, 150, customers + 1)
    ready = np.where(np.arange(customers + 1) == 0, 0.0, opens)
    due = np.where(np.arange(customers + 1) == 0, 400.0, opens + 40)
    return VrptwFile(
        name="random", vehicles=vehicles, capacity=capacity,
        numbers=tuple(range(customers + 1)), spots=spots,
        demand=np.array([0, *rng.integers(5, 15, customers)], float), ready=ready, due=due,
        service=np.array([0.0] + [10.0] * customers),
    )  # fmt: skip


def shortest(file: VrptwFile, rounding: str) -> float:
    """Return the least distance: best order of every set, then the best partition into sets."""
    customers = list(range(1, len(file.numbers)))
    everybody = (1 << len(customers)) - 1
    ring = [math.inf] * (everybody + 1)
    for chosen in range(1, everybody + 1):
        members = [c for k, c in enumerate(customers) if chosen >> k & 1]
        for route in itertools.permutations(members):
            value, faults = vrptw.evaluate(file, [route], rounding)
            if not [fault for fault in faults if "served" not in fault]:
                ring[chosen] = min(ring[chosen], value)
    best = [0.0] + [math.inf] * everybody
    for done in range(1, everybody + 1):
        part = done
        while part:
            best[done] = min(best[done], ring[part] + best[done ^ part])
            part = (part - 1) & done
    return best[everybody]


@pytest.mark.parametrize("rounding", ["dimacs", "exact"])
@pytest.mark.parametrize("seed", range(5))
def test_search_finds_what_exhaustive_search_finds(seed: int, rounding: str):
    file = random_file(np.random.default_rng(seed), 6)
    tables = tables_of(file, rounding)
    routes, left = vrptw.search(tables, seconds=0.0, iterations=20_000, seed=seed)
    value, faults = vrptw.evaluate(file, routes, rounding)
    assert left == 0
    assert faults == []
    assert value == pytest.approx(shortest(file, rounding))


def test_same_seed_and_iterations_give_the_same_routes():
    tables = tables_of(random_file(np.random.default_rng(3), 60), "dimacs")
    one, _ = vrptw.search(tables, seconds=0.0, iterations=5000, seed=4)
    other, _ = vrptw.search(tables, seconds=0.0, iterations=5000, seed=4)
    assert one == other


@pytest.mark.parametrize("rounding", ["dimacs", "exact"])
def test_answers_of_larger_files_keep_every_rule(rounding: str):
    file = random_file(np.random.default_rng(8), 120, vehicles=60)
    routes, left = vrptw.search(tables_of(file, rounding), seconds=0.0, iterations=30_000)
    assert left == 0
    assert vrptw.evaluate(file, routes, rounding)[1] == []


@pytest.mark.parametrize("rounding", ["dimacs", "exact"])
def test_times_loads_and_distance_of_the_search_are_those_of_its_routes(rounding: str):
    file = random_file(np.random.default_rng(11), 120, vehicles=60)
    run = vrptw._Search(tables_of(file, rounding), 1)
    while not run.pack(1000):
        pass
    run.keep_best()
    for at in range(20):
        run.anneal(1000, at / 20, (at + 1) / 20)
    fresh = vrptw._Search(tables_of(file, rounding), 1)
    fresh.load(run.current())
    times = [linked.DEPART, linked.LATEST, linked.D_NEXT, linked.D_PREV]
    assert np.array_equal(run.rows[:, times], fresh.rows[:, times])
    assert run.cost[0] == fresh.cost[0]
    used = run.routes[run.routes[:, linked.SIZE] > 0]
    numbers = [linked.FIRST, linked.LAST, linked.LOAD, linked.SIZE]
    asked = fresh.routes[: fresh.now[linked.USED]]
    assert np.array_equal(used[:, numbers], asked[:, numbers])
    assert run.now[linked.USED] == fresh.now[linked.USED]
    over = used[:, linked.LOAD] - file.capacity
    assert run.now[linked.EXCESS] == over[over > 0].sum()


def test_no_more_vehicles_are_used_than_there_are():
    """Eight customers of a quarter load each, all day long: two vehicles are just enough."""
    rng = np.random.default_rng(1)
    n = 9
    file = VrptwFile(
        name="full", vehicles=2, capacity=4, numbers=tuple(range(n)),
        spots=rng.integers(0, 50, (n, 2)).astype(float),
        demand=np.array([0.0] + [1.0] * 8), ready=np.zeros(n), due=np.full(n, 5000.0),
        service=np.zeros(n),
    )  # fmt: skip
    routes, left = vrptw.search(tables_of(file, "dimacs"), seconds=0.0, iterations=20_000)
    assert left == 0
    assert len(routes) == 2
    assert vrptw.evaluate(file, routes, "dimacs")[1] == []


def test_who_does_not_fit_is_counted_as_left_out():
    file = random_file(np.random.default_rng(2), 12, vehicles=1)
    routes, left = vrptw.search(tables_of(file, "dimacs"), seconds=0.0, iterations=3000)
    assert left == 12 - sum(len(route) for route in routes) > 0
    assert len(routes) == 1


def test_dimacs_cuts_every_distance_and_duration_to_tenths():
    file = random_file(np.random.default_rng(0), 3)
    tables = tables_of(file, "dimacs")
    way = math.dist(file.spots[0], file.spots[1])
    assert tables.distance[0, 1] == math.floor(way * 10)
    value, _ = vrptw.evaluate(file, [[1]], "dimacs")
    assert value == 2 * math.floor(way * 10) / 10


def test_exact_distance_is_the_sum_of_roots():
    file = random_file(np.random.default_rng(0), 3)
    value, _ = vrptw.evaluate(file, [[1, 2]], "exact")
    spots = file.spots[[0, 1, 2, 0]]
    assert value == pytest.approx(
        sum(math.dist(a, b) for a, b in itertools.pairwise(spots)), rel=1e-12
    )


def line_file() -> VrptwFile:
    """Three customers on a line, 10 apart; the second may be served from 30 to 40 only."""
    return VrptwFile(
        name="line", vehicles=2, capacity=10, numbers=(0, 1, 2, 3),
        spots=np.array([[0.0, 0], [10, 0], [20, 0], [30, 0]]),
        demand=np.array([0.0, 5, 5, 5]), ready=np.array([0.0, 0, 30, 0]),
        due=np.array([100.0, 50, 40, 60]), service=np.array([0.0, 5, 5, 5]),
    )  # fmt: skip


def test_evaluator_accepts_the_limit():
    # 10 + 5, then 10 more but not before 30 + 5, back at 55; full to the last unit.
    assert vrptw.evaluate(line_file(), [[1, 2], [3]], "exact") == (100.0, [])


@pytest.mark.parametrize(
    ("routes", "said"),
    [
        ([[1, 2, 3]], "carries 15 of 10"),
        ([[3, 2], [1]], "late at customer 2"),
        ([[1, 2]], "customer 3 is served 0 times"),
        ([[1, 2], [3, 1]], "customer 1 is served 2 times"),
        ([[1], [2], [3]], "3 routes; the file has 2 vehicles"),
        ([[1, 0, 2], [3]], "names the depot"),
        ([[1, 2], [3, 9]], "names the depot or a row"),
    ],
)
def test_evaluator_rejects_a_broken_rule(routes: list[list[int]], said: str):
    _, faults = vrptw.evaluate(line_file(), routes, "dimacs")
    assert any(said in fault for fault in faults), faults


def test_evaluator_rejects_a_late_return():
    file = line_file()
    file.due[0] = 54.0
    _, faults = vrptw.evaluate(file, [[1, 2], [3]], "dimacs")
    assert faults == ["route 1 is back too late", "route 2 is back too late"]


def test_solution_names_customers_as_the_file_does():
    file = line_file()
    text = vrptw.solution_of(file, [[1, 2], [3]], 100.0, "dimacs")
    assert text == "Route #1: 1 2\nRoute #2: 3\nCost 100.0\n"
