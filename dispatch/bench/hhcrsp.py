"""Home health care files (Mankowska et al. 2014): search, solution, and an evaluator of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dispatch.bench.clock import chunks
from dispatch.bench.files import HomeCareFile, Patient, Visit, read_home_care
from dispatch.bench.report import Answer
from dispatch.engine import hhcrsp as kernel
from dispatch.engine.kernel import lags
from dispatch.engine.kernel.compiled import is_warm
from dispatch.engine.kernel.draws import stream

HOT, COLD = 30.0, 0.3
TUNING = np.array([6.0, 20.0, 0.01, 0.5])
"""Longest string, most visits taken out, blinks, how often mates go with their visits."""
OPENING_WEIGHT = 0.3
"""What a minute between two openings weighs against a minute of travel in who is near whom."""
EXACT = 1e-6
"""Minutes up to which two times are the same: sums of travel carry rounding errors."""

Stop = tuple[int, int]
"""Patient (index) and which of the visits."""


@dataclass(frozen=True, slots=True)
class Value:
    """What a solution costs, in minutes."""

    distance: float
    tardiness: float
    greatest: float

    @property
    def total(self) -> float:
        """The published objective: the mean of the three."""
        return (self.distance + self.tardiness + self.greatest) / 3


class _Search:
    """The arrays that the kernel works on."""

    def __init__(self, file: HomeCareFile, seed: int) -> None:
        self.stops: list[Stop] = [
            (at, k) for at, patient in enumerate(file.patients) for k in range(len(patient.visits))
        ]
        visits = [file.patients[at].visits[k] for at, k in self.stops]
        n, staff = len(visits) + 1, len(file.caregivers)
        rows = np.array([0] + [visit.patient for visit in visits])
        self.dist = np.ascontiguousarray(file.distance[np.ix_(rows, rows)])
        self.facts = np.zeros((n, 4))
        self.links = np.zeros((n, 4), np.int64)
        self.links[:, lags.ROUTE] = -1
        self.able = np.zeros((n, staff + 1), np.int64)
        for x, ((at, k), visit) in enumerate(zip(self.stops, visits, strict=True), start=1):
            patient = file.patients[at]
            self.facts[x, : lags.LAG] = visit.duration, patient.opens, patient.closes
            if patient.gap is not None:
                self.facts[x, lags.LAG] = patient.gap[0] if k == 0 else -patient.gap[1]
                self.links[x, lags.MATE] = x + 1 if k == 0 else x - 1
            who = [v for v in range(staff) if visit.service in file.abilities[v]]
            self.able[x, 0] = len(who)
            self.able[x, 1 : len(who) + 1] = who
        opens = self.facts[:, lags.OPENS]
        apart = self.dist + OPENING_WEIGHT * np.abs(opens[:, None] - opens[None, :])
        np.fill_diagonal(apart, -1.0)
        apart[:, 0] = np.inf
        self.around = np.argsort(apart, axis=1, kind="stable")[:, : n - 1].copy()
        self.first = np.zeros(staff, np.int64)
        self.times, self.value = np.zeros(n), np.zeros(3)
        # A push adds two entries and takes one away, and there are at most MOST_PUSHES of them.
        self.stack = np.zeros((lags.MOST_PUSHES * 2 + 4 * n, 2))
        self.trial = np.zeros((n, 2))
        self.absent = np.zeros(n, np.int64)
        self.now = np.array([0, n - 1])
        self.places = np.zeros((2, kernel.PLACES, 3), np.int64)
        self.worth = np.zeros((2, kernel.PLACES, 2))
        self.counts, self.key = np.zeros(2, np.int64), np.zeros(n)
        self.state = stream(seed)
        self.absent[: n - 1] = np.argsort(opens[1:], kind="stable") + 1

    def construct(self) -> None:
        """Put every visit at its cheapest place, in order of opening."""
        placed = kernel.recreate(
            self.dist, self.facts, self.links, self.first, self.times, self.value, self.trial,
            self.stack, self.absent, self.now, self.able, self.state, 0.0, lags.INF,
            self.places, self.worth, self.counts,
        )  # fmt: skip
        # A place at the end of a route always fits, alone or for a pair on two routes.
        assert placed, "every visit can stand last in a route"
        solution = (self.links, self.first, self.times, self.value)
        self.kept = [part.copy() for part in solution]
        self.best = [part.copy() for part in solution]

    def advance(self, steps: int, hot: float, cold: float) -> None:
        """Search for some steps."""
        kernel.anneal(
            self.dist, self.facts, self.able, self.around, self.links, self.first, self.times,
            self.value, self.trial, self.stack, self.absent, self.now, self.places, self.worth,
            self.counts, self.key, *self.kept, *self.best, self.state, steps, hot, cold, TUNING,
        )  # fmt: skip

    def routes(self) -> list[list[Stop]]:
        """Return the best routes found, one for each caregiver."""
        found = []
        links, first, *_ = self.best
        for x in first.tolist():
            route = []
            while x:
                route.append(self.stops[x - 1])
                x = int(links[x, lags.NEXT])
            found.append(route)
        return found


def search(
    file: HomeCareFile, *, seconds: float, iterations: int | None = None, seed: int = 1
) -> tuple[list[list[Stop]], int]:
    """Return the best routes found and how many iterations that took.

    With *iterations* the routes depend on file, seed and iterations alone.
    """
    began = time.perf_counter()
    run = _Search(file, seed)
    run.construct()
    seconds -= time.perf_counter() - began
    done = 0
    for steps, before, after in chunks(seconds=seconds, iterations=iterations):
        run.advance(steps, HOT * (COLD / HOT) ** before, HOT * (COLD / HOT) ** after)
        done += steps
    return run.routes(), done


def solve(path: str, *, seconds: float, iterations: int | None, seed: int) -> Answer:
    """Solve a file by the clock or by iterations and recompute the value of what came out."""
    file = read_home_care(path)
    warm_up()
    began = time.perf_counter()
    routes, _ = search(file, seconds=seconds, iterations=iterations, seed=seed)
    lasted = time.perf_counter() - began
    solution = solution_of(file, routes)
    value, faults = evaluate(file, solution)
    text = json.dumps(solution, indent=1, ensure_ascii=False) + "\n"
    return Answer(None if faults else value.total, lasted, "; ".join(faults[:1]), text)


def is_compiled() -> bool:
    """Say whether the search runs at once; if not, `warm_up` takes a minute or so."""
    return is_warm(kernel.anneal)


def warm_up() -> None:
    """Compile the kernel, or load it from disk."""
    pair = Patient("p1", 0.0, 10.0, (Visit(1, "a", 1.0), Visit(1, "b", 1.0)), (0.0, 0.0))
    both = frozenset({"a", "b"})
    file = HomeCareFile("", (pair,), ("c1", "c2"), (both, both), np.zeros((2, 2)))
    search(file, seconds=0.0, iterations=1)


# --- solutions -------------------------------------------------------------------------------------


def earliest_starts(file: HomeCareFile, routes: Sequence[Sequence[Stop]]) -> dict[Stop, float]:
    """Return the earliest start of every visit: longest paths by repeated relaxation.

    Written apart from the kernel, so that one checks the other. Raises `ValueError` where the
    sequences contradict each other.
    """
    starts = {stop: file.patients[stop[0]].opens for route in routes for stop in route}
    for _ in range(2 * len(starts) + 2):
        changed = False
        for route in routes:
            place, leaves = 0, 0.0
            for stop in route:
                patient = file.patients[stop[0]]
                visit = patient.visits[stop[1]]
                start = max(starts[stop], leaves + file.distance[place, visit.patient])
                mate = (stop[0], 1 - stop[1])
                if patient.gap is not None and mate in starts:
                    lag = patient.gap[0] if stop[1] == 1 else -patient.gap[1]
                    start = max(start, starts[mate] + lag)
                if start > starts[stop]:
                    starts[stop] = float(start)
                    changed = True
                place, leaves = visit.patient, starts[stop] + visit.duration
        if not changed:
            return starts
    raise ValueError("the sequences wait for one another without end")


def solution_of(file: HomeCareFile, routes: Sequence[Sequence[Stop]]) -> dict[str, Any]:
    """Return the routes as the solution files say them; ``arrival_time`` is the start of service."""
    starts = earliest_starts(file, routes)
    listed = []
    for caregiver, route in zip(file.caregivers, routes, strict=True):
        locations = []
        for at, k in route:
            visit = file.patients[at].visits[k]
            start = starts[at, k]
            locations.append(
                {
                    "patient": file.patients[at].id,
                    "service": visit.service,
                    "arrival_time": start,
                    "departure_time": start + visit.duration,
                }
            )
        listed.append({"caregiver_id": caregiver, "locations": locations})
    return {"routes": listed}


def evaluate(file: HomeCareFile, solution: Mapping[str, Any]) -> tuple[Value, list[str]]:
    """Return what a solution costs and every rule that it breaks, from file and times alone."""
    faults: list[str] = []
    patients = {patient.id: at for at, patient in enumerate(file.patients)}
    able = dict(zip(file.caregivers, file.abilities, strict=True))
    served: dict[Stop, tuple[float, str]] = {}
    distance, late = 0.0, [0.0]
    seen: set[str] = set()
    for route in solution["routes"]:
        who = route["caregiver_id"]
        if who not in able:
            faults.append(f"{who} is no caregiver")
            continue
        if who in seen:
            faults.append(f"{who} has two routes")
        seen.add(who)
        place, free = 0, 0.0
        for stop in route["locations"]:
            at = patients.get(stop["patient"])
            visit = None if at is None else _visit(file, at, stop["service"])
            if at is None or visit is None:
                faults.append(f"{stop['patient']} does not need {stop['service']}")
                continue
            faults += _faults_of_stop(file, who, able[who], stop, at, visit[1], place, free)
            if (at, visit[0]) in served:
                faults.append(f"{stop['patient']} is given {stop['service']} twice")
            served[at, visit[0]] = stop["arrival_time"], who
            late.append(max(0.0, stop["arrival_time"] - file.patients[at].closes))
            distance += float(file.distance[place, at + 1])
            place, free = at + 1, stop["departure_time"]
        distance += float(file.distance[place, 0])
    faults += _faults_of_patients(file, served)
    return Value(distance, sum(late), max(late)), faults


def _visit(file: HomeCareFile, at: int, service: str) -> tuple[int, Any] | None:
    for k, visit in enumerate(file.patients[at].visits):
        if visit.service == service:
            return k, visit
    return None


def _faults_of_stop(
    file: HomeCareFile, who: str, able: frozenset[str], stop: Mapping[str, Any], at: int,
    visit: Any, place: int, free: float,
) -> list[str]:  # fmt: skip
    """Return what is wrong with a stop by itself and after the one before."""
    faults = []
    start, end = stop["arrival_time"], stop["departure_time"]
    if visit.service not in able:
        faults.append(f"{who} cannot do {visit.service} at {stop['patient']}")
    if start < file.patients[at].opens - EXACT:
        faults.append(f"{who} starts at {stop['patient']} before the window opens")
    if end - start < visit.duration - EXACT:
        faults.append(f"{who} leaves {stop['patient']} before the service is done")
    if start < free + file.distance[place, at + 1] - EXACT:
        faults.append(f"{who} starts at {stop['patient']} before arriving there")
    return faults


def _faults_of_patients(
    file: HomeCareFile, served: Mapping[Stop, tuple[float, str]]
) -> list[str]:  # fmt: skip
    """Return who is not served, and which two visits do not go together."""
    faults = []
    for at, patient in enumerate(file.patients):
        missing = [k for k in range(len(patient.visits)) if (at, k) not in served]
        faults += [f"{patient.id} is not given {patient.visits[k].service}" for k in missing]
        if patient.gap is None or missing:
            continue
        (first, one), (second, other) = served[at, 0], served[at, 1]
        if one == other:
            faults.append(f"{patient.id} is given both services by {one}")
        least, most = patient.gap
        if not least - EXACT <= second - first <= most + EXACT:
            faults.append(
                f"the second service at {patient.id} starts {second - first:g} after the first; "
                f"{least:g} to {most:g} are asked for"
            )
    return faults
