"""How long live questions take on a day's plan, and how well absences are mended.

    python -m dispatch bench live [PROBLEM PLAN] [--orders N] [--seed N] [--csv OUT]

Without files a city's day is generated and planned first. Every answer is held to `check`.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dispatch.check import check
from dispatch.io import read_plan, read_problem
from dispatch.live import LiveDay, warm_up
from dispatch.model import Problem, Task
from dispatch.plan import Plan

TEN_O_CLOCK = 36_000


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table: what was asked, how often, how long it took and what came of it."""

    question: str
    times: int
    p50_ms: float
    p99_ms: float
    most_ms: float
    outcome: str

    @classmethod
    def of(cls, question: str, seconds: Sequence[float], outcome: str) -> Line:
        """Return the row for so many measured seconds."""
        ms = np.array(seconds) * 1e3
        p50, p99 = (float(each) for each in np.percentile(ms, [50, 99]))
        return cls(question, len(seconds), p50, p99, float(ms.max()), outcome)


def main(argv: Sequence[str]) -> int:
    """Run the measurement and print its table; return the exit code."""
    given = _arguments(argv)
    if given.problem is not None:
        problem, plan = read_problem(given.problem), read_plan(given.plan)
    else:
        problem, plan = _planned(given)
    warm_up()
    lines = measure(problem, plan, orders=given.questions, absences=given.absences, seed=given.seed)
    print(f"{problem_line(problem, plan)}, seed {given.seed}")
    for line in lines:
        print(
            f"{line.question:34} {line.times:5} x  p50 {line.p50_ms:8.2f} ms  "
            f"p99 {line.p99_ms:8.2f} ms  most {line.most_ms:8.2f} ms  {line.outcome}"
        )
    if given.csv is not None:
        _write(given.csv, lines)
    return 0


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dispatch bench live")
    parser.add_argument("problem", nargs="?", metavar="PROBLEM")
    parser.add_argument("plan", nargs="?", metavar="PLAN")
    parser.add_argument("--orders", type=int, default=5200, help="of the city that is generated")
    parser.add_argument("--seconds", type=float, default=10.0, help="of planning it")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--questions", type=int, default=1000, help="new orders that are asked for")
    parser.add_argument("--absences", type=int, default=100, help="caregivers who fall ill")
    parser.add_argument("--csv", metavar="OUT")
    given = parser.parse_args(argv)
    if given.problem is not None and given.plan is None:
        parser.error("a problem needs its plan")
    return given


def _planned(given: argparse.Namespace) -> tuple[Problem, Plan]:
    from dispatch.city import generate
    from dispatch.planner import solve

    problem = generate(orders=given.orders, seed=given.seed).problem()
    return problem, solve(problem, seconds=given.seconds, seed=given.seed, workers=given.workers)


def problem_line(problem: Problem, plan: Plan) -> str:
    """Return the size of the day in one line."""
    return (
        f"{len(problem.tasks)} tasks, {len(problem.caregivers)} caregivers, "
        f"{plan.totals.assigned} visits planned"
    )


def measure(problem: Problem, plan: Plan, *, orders: int, absences: int, seed: int) -> list[Line]:
    """Return the rows: offers and insertions of new orders, and repairs of absences.

    A new order is a second one of an elder of the day, at the time of another elder's order of the
    same kind. Raises `RuntimeError` where an answer breaks a rule.
    """
    rng = random.Random(seed)
    begun = time.perf_counter()
    day = LiveDay(problem, plan)
    prepared = time.perf_counter() - begun
    lines = [Line.of("prepare the day", [prepared], "")]
    lines += _orders(day, _new_orders(problem, orders, rng))
    people = sorted({route.caregiver for route in plan.routes})
    absent = rng.sample(people, min(absences, len(people)))
    for name, moment in (("absent all day", 0), ("absent from 10:00", TEN_O_CLOCK)):
        lines.append(_absences(day.at(moment), absent, name))
    return lines


def _new_orders(problem: Problem, count: int, rng: random.Random) -> list[Task]:
    by_kind: dict[tuple[frozenset[str], int], list[Task]] = {}
    for task in problem.tasks:
        by_kind.setdefault((task.skills, task.crew), []).append(task)
    orders = []
    for number in range(count):
        home = rng.choice(problem.tasks)
        other = rng.choice(by_kind[home.skills, home.crew])
        orders.append(
            replace(
                home,
                id=f"new-{number}",
                windows=other.windows,
                service_s=other.service_s,
                load=None
                if home.load is None
                else other.load and replace(home.load, ready_s=other.load.ready_s),
                fixed=None,
            )
        )
    return orders


def _orders(day: LiveDay, orders: Sequence[Task]) -> list[Line]:
    offering, inserting = [], []
    offered = placed = 0
    for number, order in enumerate(orders):
        begun = time.perf_counter()
        offers = day.feasible_starts(order)
        middle = time.perf_counter()
        answer = day.insert(order)
        inserting.append(time.perf_counter() - middle)
        offering.append(middle - begun)
        offered += bool(offers)
        placed += answer.placed
        # The routes touched are checked by every answer; the whole plan by every fiftieth here.
        if number % 50 == 0:
            _hold(answer.problem, answer.plan)
    return [
        Line.of("offer all feasible starts", offering, f"{offered} have one"),
        Line.of("insert an order, others stay", inserting, f"{placed} placed"),
    ]


def _absences(day: LiveDay, people: Sequence[str], name: str) -> Line:
    seconds = []
    visits = lost = changed = 0
    worst = 0.0
    others = day.plan.totals.assigned
    for absent in people:
        begun = time.perf_counter()
        answer = day.repair(absent)
        seconds.append(time.perf_counter() - begun)
        _hold(answer.problem, answer.plan)
        visits += len(answer.subjects)
        lost += len(answer.lost)
        changed += len(answer.other_changes)
        worst = max(worst, len(answer.other_changes) / max(1, others - len(answer.subjects)))
    outcome = (
        f"{visits} visits, {lost} lost, {changed} others changed, at most {100 * worst:.2f} % a day"
    )
    return Line.of(name, seconds, outcome)


def _hold(problem: Problem, plan: Plan) -> None:
    violations = check(problem, plan)
    if violations:
        raise RuntimeError(f"an answer breaks a rule: {violations[0]}")


def _write(path: str, lines: Sequence[Line]) -> None:
    with Path(path).open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["question", "times", "p50_ms", "p99_ms", "most_ms", "outcome"])
        for line in lines:
            table.writerow(
                [
                    line.question,
                    line.times,
                    f"{line.p50_ms:.3f}",
                    f"{line.p99_ms:.3f}",
                    f"{line.most_ms:.3f}",
                    line.outcome,
                ]
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
