"""The peers beside ours on a city's plain day: same matrix, same seconds, same cores.

Whatever an engine says is written as a `Plan` and judged by `dispatch.check`. Where a peer cannot
express a rule and breaks it, its least visits are dropped until the day keeps all rules, and the
table says how many that were.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import dispatch
from dispatch import chain
from dispatch.bench.peers import MOST_ZONE, PROJECTIONS, Tours, Zone, need, solve_zone
from dispatch.candidates import eligible
from dispatch.check import check, check_routes
from dispatch.city import generate
from dispatch.cost import totals_of
from dispatch.engine.warm import warm_up, warm_up_pricing
from dispatch.errors import BadInput
from dispatch.io import problem_sha256, read_problem
from dispatch.model import Problem
from dispatch.plan import Engine, Plan, Remaining, Route, Stop, Unassigned
from dispatch.planner import solve
from dispatch.travel import Travel

Array = np.ndarray
CLOCKS = {"ours": 6.0, "pyvrp": 60.0, "vroom": 300.0, "ortools": 60.0}
"""Seconds of each engine if nothing else is asked for: ours gets a tenth of the shortest peer's."""
ENGINES = tuple(CLOCKS)
MOST_PLACES = 12_000
"""A full matrix of more places does not fit beside an engine in 4 GB."""


@dataclass(frozen=True, slots=True)
class Result:
    """What an engine made of the day. ``dropped`` visits broke a rule that it does not know."""

    engine: str
    plan: Plan
    seconds: float
    dropped: int
    violations: int


def run(given: argparse.Namespace) -> int:
    """Run the engines one after the other and print the table. Returns the exit code."""
    names = ENGINES if given.engines is None else tuple(given.engines.split(","))
    for name in names:
        if name not in ENGINES:
            raise BadInput("--engines", f"{name} is none of {', '.join(ENGINES)}")
        if name != "ours":
            need(name)
    if given.problem:
        problem = read_problem(given.problem)
    else:
        problem = generate(orders=given.orders, seed=given.seed, plain=True).problem()
    _refuse_what_no_peer_knows(problem)
    day = _Day(problem)
    rows = []
    for name in names:
        seconds = given.seconds[name]
        sys.stderr.write(f"{name}: {seconds:g} s on {given.workers} cores\n")
        result = day.result(
            name, seconds=seconds, workers=given.workers, seed=given.seed,
            iterations=given.iterations,
        )  # fmt: skip
        rows.append(_cells(problem, result))
        if given.csv:
            # Anew after each engine: what is stopped leaves what it has measured.
            with Path(given.csv).open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([COLUMNS, *rows])
    _print(rows, problem)
    return 0


def _refuse_what_no_peer_knows(problem: Problem) -> None:
    if len(problem.places) > MOST_PLACES:
        raise BadInput("places", f"are {len(problem.places)}; the peers get at most {MOST_PLACES}")
    for at, task in enumerate(problem.tasks):
        if task.crew > 1 or task.load is not None or task.fixed is not None:
            raise BadInput(
                f"tasks[{at}]", "has a crew, a load or a fixed stop, which no peer knows; "
                "make a day with: python -m dispatch city --plain",
            )  # fmt: skip
    for at, caregiver in enumerate(problem.caregivers):
        if caregiver.rest is not None:
            raise BadInput(f"caregivers[{at}].rest", "is a rest, which not every peer knows")


class _Day:
    """A day cut into what each engine can take."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.candidates = eligible(problem)
        self.parts = self.candidates.parts(len(problem.caregivers))
        self.travel = Travel.of(problem)

    def result(
        self, name: str, *, seconds: float, workers: int, seed: int, iterations: int | None
    ) -> Result:
        """Let one engine plan the day."""
        if name == "ours":
            warm_up()
            chain.warm_up()
            warm_up_pricing()
            began = time.perf_counter()
            plan = solve(
                self.problem, seconds=seconds, iterations=iterations, seed=seed, workers=workers
            )
            lasted = time.perf_counter() - began
            return Result(name, plan, lasted, 0, len(check(self.problem, plan)))
        if name == "vroom":
            everybody = np.unique(np.concatenate([who for who, _ in self.parts]))
            every_task = np.unique(np.concatenate([tasks for _, tasks in self.parts]))
            pieces = [(everybody, every_task)]
        else:
            most = MOST_ZONE if name == "ortools" else len(self.problem.tasks)
            pieces = [piece for part in self.parts for piece in self._cut(*part, most)]
        began = time.perf_counter()
        tours = self._solve(name, pieces, seconds=seconds, workers=workers, seed=seed)
        lasted = time.perf_counter() - began
        plan, dropped = self._plan(tours, seed, lasted)
        return Result(name, plan, lasted, dropped, len(check(self.problem, plan)))

    def _cut(self, who: Array, tasks: Array, most: int) -> list[tuple[Array, Array]]:
        """Halve a part, along its longer side, until no piece has more than ``most`` orders.

        A caregiver goes with the piece that has most of the orders that they could serve.
        """
        if len(tasks) <= most:
            return [(who, tasks)]
        spots = np.array([self._spot(self.problem.tasks[at].place) for at in tasks.tolist()])
        axis = int(np.argmax(np.ptp(spots, axis=0)))
        order = np.argsort(spots[:, axis], kind="stable")
        halves = [tasks[order[: len(order) // 2]], tasks[order[len(order) // 2 :]]]
        could = np.zeros((2, len(self.problem.caregivers)))
        for side, half in enumerate(halves):
            for at in half.tolist():
                able = self.candidates.of(at)
                could[side, able] += 1 / len(able)
        found = []
        for side, half in enumerate(halves):
            nearer = could[side, who] > could[1 - side, who]
            tie = could[0, who] == could[1, who]
            own = who[nearer | (tie & (side == 0))]
            found += self._cut(own, np.sort(half), most)
        return found

    def _spot(self, place: int) -> tuple[float, float]:
        coordinates = self.problem.places.coordinates
        if coordinates is None:
            return float(place), 0.0
        return float(coordinates[place, 0]), float(coordinates[place, 1])

    def zone(self, who: Array, tasks: Array) -> Zone:
        """Return the piece as a peer gets it."""
        problem = self.problem
        asked = [problem.tasks[at] for at in tasks.tolist()]
        people = [problem.caregivers[at] for at in who.tolist()]
        places = np.array([t.place for t in asked] + [p.base for p in people], np.int64)
        position = {at: number for number, at in enumerate(who.tolist())}
        able = np.zeros((len(people), len(asked)), bool)
        strange = np.zeros((len(people), len(asked)), np.int32)
        weights = problem.weights
        for number, at in enumerate(tasks.tolist()):
            own = [position[c] for c in self.candidates.of(at).tolist() if c in position]
            able[own, number] = True
            if asked[number].preferred:
                for c in own:
                    if people[c].id not in asked[number].preferred:
                        strange[c, number] = weights.unpreferred
        return Zone(
            seconds=self.travel.block(places),
            service=tuple(t.service_s for t in asked),
            windows=tuple(t.windows for t in asked),
            price=tuple(weights.unassigned * t.priority for t in asked),
            able=able,
            strange=strange,
            shifts=tuple(p.shifts for p in people),
            most_work=tuple(p.max_work_s for p in people),
        )

    def _solve(
        self, name: str, pieces: Sequence[tuple[Array, Array]], *, seconds: float, workers: int,
        seed: int,
    ) -> dict[tuple[int, int], list[int]]:  # fmt: skip
        """Return the tasks of each caregiver and shift, by position in the problem."""
        pieces = [(who, tasks) for who, tasks in pieces if len(who)]
        total = sum(len(tasks) for _, tasks in pieces)
        cores = 1 if name == "vroom" else workers
        jobs = [
            (name, self.zone(*piece), seconds * cores * len(piece[1]) / total, seed, workers)
            for piece in pieces
        ]
        if cores == 1:
            answers = [solve_zone(job) for job in jobs]
        else:
            with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
                answers = list(pool.map(solve_zone, jobs))
        found = {}
        for (who, tasks), (tours, _) in zip(pieces, answers, strict=True):
            for (caregiver, shift), tour in _sorted(tours):
                found[int(who[caregiver]), shift] = [int(tasks[order]) for order in tour]
        return found

    # --- plans --------------------------------------------------------------------------------

    def _plan(
        self, tours: dict[tuple[int, int], list[int]], seed: int, seconds: float
    ) -> tuple[Plan, int]:
        """Return the tours as a plan, without the visits that break a rule, and their number."""
        routes: list[Route] = []
        dropped = 0
        people = sorted({caregiver for caregiver, _ in tours})
        for caregiver in people:
            day = {k: list(tour) for (c, k), tour in tours.items() if c == caregiver}
            while True:
                own = [self._route(caregiver, k, tour) for k, tour in day.items() if tour]
                if not check_routes(self.problem, own):
                    break
                _drop_one(self.problem, day)
                dropped += 1
            routes += own
        served = {stop.task for route in routes for stop in route.stops}
        left = tuple(
            Unassigned(task.id, "no_room", Remaining(*self.candidates.remaining[at].tolist()))
            for at, task in enumerate(self.problem.tasks)
            if task.id not in served
        )
        return (
            Plan(
                problem_sha256(self.problem), seed, Engine(dispatch.__version__, seconds),
                tuple(routes), left, totals_of(self.problem, routes),
            ),
            dropped,
        )  # fmt: skip

    def _route(self, caregiver: int, shift: int, tour: Sequence[int]) -> Route:
        """Return a tour with every visit as early as it can be."""
        person = self.problem.caregivers[caregiver]
        place, free = person.base, person.shifts[shift][0]
        stops, travel = [], 0
        for at in tour:
            task = self.problem.tasks[at]
            way = self.travel.between(place, task.place)
            arrive = free + way
            opens = [max(arrive, a) for a, b in task.windows if arrive <= b]
            start = opens[0] if opens else arrive
            stops.append(
                Stop("task", task.place, arrive, start, start + task.service_s, task=task.id)
            )
            place, free, travel = task.place, start + task.service_s, travel + way
        way = self.travel.between(place, person.base)
        return Route(
            person.id, shift, person.shifts[shift][0], free + way, travel + way, tuple(stops)
        )


def _sorted(tours: Tours) -> list[tuple[tuple[int, int], list[int]]]:
    return sorted(tours.items())


def _drop_one(problem: Problem, day: dict[int, list[int]]) -> None:
    """Drop the visit of the least priority, the longest of them."""
    worst = min(
        (problem.tasks[at].priority, -problem.tasks[at].service_s, at)
        for tour in day.values()
        for at in tour
    )[2]
    for tour in day.values():
        if worst in tour:
            tour.remove(worst)


COLUMNS = (
    "engine", "left_out", "left_out_priority", "travel_h", "unpreferred", "share_cost", "cost",
    "seconds", "dropped", "violations",
)  # fmt: skip


def _cells(problem: Problem, result: Result) -> tuple[str, ...]:
    totals = result.plan.totals
    weights = problem.weights
    return (
        result.engine,
        str(totals.tasks - totals.assigned),
        str(totals.by_term.unassigned // max(1, weights.unassigned)),
        f"{totals.travel_s / 3600:.1f}",
        str(totals.by_term.unpreferred // max(1, weights.unpreferred)),
        str(totals.by_term.vendor_share),
        str(totals.cost),
        f"{result.seconds:.1f}",
        str(result.dropped),
        str(result.violations),
    )


def _print(rows: Sequence[Sequence[str]], problem: Problem) -> None:
    table = [tuple(name.replace("_", " ") for name in COLUMNS), *rows]
    widths = [max(len(row[k]) for row in table) for k in range(len(COLUMNS))]
    for row in table:
        cells = [f"{row[0]:<{widths[0]}}"] + [
            f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    sys.stdout.write(f"{len(problem.tasks)} orders, {len(problem.caregivers)} caregivers\n")
    for row in rows:
        if PROJECTIONS[row[0]]:
            sys.stdout.write(f"{row[0]}: {PROJECTIONS[row[0]]}\n")
