"""Home health care files: the value is recomputed from the times alone, and no rule goes unseen."""

from __future__ import annotations

import copy
import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from dispatch.bench import hhcrsp
from dispatch.bench.files import HomeCareFile, Patient, Visit, read_best_known, read_home_care

ALL = frozenset({"s1", "s2"})


def small_file() -> HomeCareFile:
    """One patient alone, one with two at once, one with two after one another; all on a line."""
    spots = np.array([0.0, 10.0, 20.0, 30.0])
    return HomeCareFile(
        name="small",
        patients=(
            Patient("alone", 0.0, 50.0, (Visit(1, "s1", 5.0),), None),
            Patient("both", 30.0, 60.0, (Visit(2, "s1", 5.0), Visit(2, "s2", 5.0)), (0.0, 0.0)),
            Patient("after", 0.0, 90.0, (Visit(3, "s1", 5.0), Visit(3, "s2", 5.0)), (10.0, 20.0)),
        ),
        caregivers=("c1", "c2"),
        abilities=(ALL, ALL),
        distance=np.abs(spots[:, None] - spots[None, :]),
    )


def stop(patient: str, service: str, start: float, end: float | None = None) -> dict:
    return {
        "patient": patient,
        "service": service,
        "arrival_time": start,
        "departure_time": start + 5.0 if end is None else end,
    }


def good_solution() -> dict:
    """c1 does the first services, c2 the second: 30 + 30 out and back, nobody late."""
    return {
        "routes": [
            {
                "caregiver_id": "c1",
                "locations": [
                    stop("alone", "s1", 10.0), stop("both", "s1", 30.0), stop("after", "s1", 45.0),
                ],
            },
            {
                "caregiver_id": "c2",
                "locations": [stop("both", "s2", 30.0), stop("after", "s2", 55.0)],
            },
        ]
    }  # fmt: skip


def test_value_is_the_mean_of_distance_tardiness_and_greatest_tardiness():
    solution = good_solution()
    value, faults = hhcrsp.evaluate(small_file(), solution)
    assert faults == []
    assert (value.distance, value.tardiness, value.greatest) == (120.0, 0.0, 0.0)
    assert value.total == 40.0
    late = copy.deepcopy(solution)
    for route in late["routes"]:
        for one in route["locations"]:
            if one["patient"] == "both":
                one["arrival_time"], one["departure_time"] = 64.0, 69.0
            if one["patient"] == "after":
                wait = 79.0 if one["service"] == "s1" else 92.0
                one["arrival_time"], one["departure_time"] = wait, wait + 5
    value, faults = hhcrsp.evaluate(small_file(), late)
    assert faults == []
    assert (value.tardiness, value.greatest) == (4.0 + 4.0 + 2.0, 4.0)
    assert value.total == pytest.approx((120 + 10 + 4) / 3)


def broken(change: str) -> dict:
    """Return the good solution with one rule broken."""
    solution = good_solution()
    one, other = (route["locations"] for route in solution["routes"])
    if change == "left out":
        del one[0]
    elif change == "twice":
        other.append(stop("alone", "s1", 100.0))
    elif change == "before the window":
        one[1].update(arrival_time=29.0)
        other[0].update(arrival_time=29.0)
    elif change == "too short":
        one[0].update(departure_time=14.0)
    elif change == "too soon after the one before":
        one[2].update(arrival_time=44.0, departure_time=50.0)
    elif change == "too soon after the office":
        one[0].update(arrival_time=9.0)
    elif change == "not at the same time":
        other[0].update(arrival_time=31.0, departure_time=36.0)
    elif change == "second too soon":
        other[1].update(arrival_time=54.0, departure_time=59.0)
    elif change == "second too late":
        other[1].update(arrival_time=65.5, departure_time=70.5)
    elif change == "second first":
        one[2].update(arrival_time=60.0, departure_time=65.0)
        other[1].update(arrival_time=45.0, departure_time=50.0)
    elif change == "one does both":
        one.append(stop("after", "s2", 55.0))
        del other[1]
    elif change == "unknown service":
        one[0].update(service="s2")
    elif change == "unknown caregiver":
        solution["routes"][1]["caregiver_id"] = "c9"
    elif change == "two routes":
        solution["routes"].append({"caregiver_id": "c2", "locations": []})
    return solution


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("left out", "alone is not given s1"),
        ("twice", "alone is given s1 twice"),
        ("before the window", "before the window opens"),
        ("too short", "before the service is done"),
        ("too soon after the one before", "before arriving there"),
        ("too soon after the office", "before arriving there"),
        ("not at the same time", "starts 1 after the first; 0 to 0"),
        ("second too soon", "starts 9 after the first; 10 to 20"),
        ("second too late", "starts 20.5 after the first; 10 to 20"),
        ("second first", "starts -15 after the first; 10 to 20"),
        ("one does both", "after is given both services by c1"),
        ("unknown service", "alone does not need s2"),
        ("unknown caregiver", "c9 is no caregiver"),
        ("two routes", "c2 has two routes"),
    ],
)
def test_evaluator_rejects_a_broken_rule(change: str, said: str):
    _, faults = hhcrsp.evaluate(small_file(), broken(change))
    assert any(said in fault for fault in faults), faults


def test_evaluator_rejects_a_caregiver_without_the_skill():
    file = small_file()
    one = HomeCareFile(
        file.name, file.patients, file.caregivers, (ALL, frozenset({"s1"})), file.distance
    )
    _, faults = hhcrsp.evaluate(one, good_solution())
    assert any("c2 cannot do s2 at both" in fault for fault in faults), faults


@pytest.mark.parametrize(("first", "second"), [(45.0, 55.0), (45.0, 65.0)])
def test_least_and_most_lag_are_both_allowed(first: float, second: float):
    solution = good_solution()
    one, other = (route["locations"] for route in solution["routes"])
    one[2].update(arrival_time=first, departure_time=first + 5)
    other[1].update(arrival_time=second, departure_time=second + 5)
    assert hhcrsp.evaluate(small_file(), solution)[1] == []


def random_file(rng: np.random.Generator, patients: int, caregivers: int) -> HomeCareFile:
    """Return a tiny file in which windows are tight enough to be missed."""
    spots = rng.integers(0, 40, (patients + 1, 2)).astype(float)
    apart = np.hypot(*(spots[:, None, k] - spots[None, :, k] for k in range(2))).round(3)
    asked = []
    for at in range(patients):
        opens = float(rng.integers(0, 120))
        visits: tuple[Visit, ...] = (Visit(at + 1, "s1", 10.0),)
        gap = None
        if rng.random() < 0.5:
            visits = (*visits, Visit(at + 1, "s2", 10.0))
            least = float(rng.integers(1, 40))
            gap = (0.0, 0.0) if rng.random() < 0.5 else (least, 1.2 * least)
        asked.append(Patient(f"p{at}", opens, opens + 30.0, visits, gap))
    return HomeCareFile(
        "random", tuple(asked), tuple(f"c{v}" for v in range(caregivers)), (ALL,) * caregivers,
        apart,
    )  # fmt: skip


def cheapest(file: HomeCareFile) -> float:
    """Return the least value of all assignments and all sequences."""
    stops = [(at, k) for at, p in enumerate(file.patients) for k in range(len(p.visits))]
    best = float("inf")
    for who in itertools.product(range(len(file.caregivers)), repeat=len(stops)):
        sides = dict(zip(stops, who, strict=True))
        if any(p.gap and sides[at, 0] == sides[at, 1] for at, p in enumerate(file.patients)):
            continue
        own = [[s for s in stops if sides[s] == v] for v in range(len(file.caregivers))]
        for routes in itertools.product(*(itertools.permutations(each) for each in own)):
            try:
                solution = hhcrsp.solution_of(file, routes)
            except ValueError:
                continue
            value, faults = hhcrsp.evaluate(file, solution)
            assert faults == []
            best = min(best, value.total)
    return best


@pytest.mark.parametrize("seed", range(12))
def test_search_finds_what_exhaustive_search_finds(seed: int):
    rng = np.random.default_rng(seed)
    file = random_file(rng, patients=int(rng.integers(2, 4)), caregivers=2)
    routes, _ = hhcrsp.search(file, seconds=0.0, iterations=3000, seed=seed)
    value, faults = hhcrsp.evaluate(file, hhcrsp.solution_of(file, routes))
    assert faults == []
    assert value.total == pytest.approx(cheapest(file))


def test_same_seed_and_iterations_give_the_same_routes():
    file = random_file(np.random.default_rng(5), patients=12, caregivers=4)
    one, _ = hhcrsp.search(file, seconds=0.0, iterations=2500, seed=7)
    other, _ = hhcrsp.search(file, seconds=0.0, iterations=2500, seed=7)
    assert one == other


def test_everybody_is_placed_where_most_work_falls_to_one():
    """A pair's cheapest places may all lie on one route: it still goes to two caregivers."""
    patients = tuple(
        Patient(f"p{at}", 0.0, 1000.0, (Visit(at + 1, "s1", 1.0), Visit(at + 1, "s2", 1.0)), (0, 0))
        for at in range(40)
    )
    file = HomeCareFile("pairs", patients, ("c1", "c2"), (ALL, ALL), np.zeros((41, 41)))
    routes, _ = hhcrsp.search(file, seconds=0.0, iterations=10)
    value, faults = hhcrsp.evaluate(file, hhcrsp.solution_of(file, routes))
    assert faults == []
    assert value.total == 0.0


def test_sequences_that_wait_for_one_another_are_refused():
    file = small_file()
    with pytest.raises(ValueError, match="wait for one another"):
        hhcrsp.earliest_starts(file, [[(2, 0), (1, 0)], [(1, 1), (2, 1)]])


def benchmark_folder(name: str) -> Path:
    given = os.environ.get("NUANJU_BENCHMARKS")
    if not given or not (Path(given) / name).is_dir():
        pytest.skip(f"set NUANJU_BENCHMARKS to the folder that holds {name}/")
    return Path(given) / name


@pytest.mark.parametrize("number", [1, 3, 5])
def test_ten_patients_reach_the_best_known_value(number: int):
    folder = benchmark_folder("mankowska")
    name = f"InstanzCPLEX_HCSRP_10_{number}.json"
    file = read_home_care(folder / name)
    routes, _ = hhcrsp.search(file, seconds=0.0, iterations=20_000)
    value, faults = hhcrsp.evaluate(file, hhcrsp.solution_of(file, routes))
    assert faults == []
    known, _ = read_best_known(folder / "bks.csv")[name]
    assert value.total == pytest.approx(known, abs=0.001)
