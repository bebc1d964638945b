"""How long live questions take on a day's plan, and how well what goes wrong is mended.

Every question is asked of the same plan, one by one. The routes that an answer touches are checked
by the answer itself; here the whole plan of every repair, and of every tenth answer else, is held to
`dispatch.check`. Whether a visit that an absence loses could have been kept is judged by planning
anew, with more time, everybody whom a chain of common orders ties to the absent caregiver: what has
begun stays, all else is free to move, so that it may find more than a small change could.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dispatch.answer import Answer
from dispatch.bench.machine import machine_line
from dispatch.candidates import eligible
from dispatch.check import check, check_routes
from dispatch.city import generate
from dispatch.cost import totals_of
from dispatch.errors import BadInput
from dispatch.io import read_plan, read_problem
from dispatch.live import LiveDay, warm_up
from dispatch.model import Caregiver, Fixed, Problem, Task
from dispatch.plan import Plan
from dispatch.planner import solve

TEN_O_CLOCK = 36_000
LATE_S = 1_500
URGENT_WITHIN_S = 7_200
"""An urgent order starts within so long of being called in."""
URGENT_BUDGET = 3
URGENT_PRIORITY = 9
CHECKED_EVERY = 10


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
        ms = np.array(seconds if len(seconds) else [0.0]) * 1e3
        p50, p99 = (float(each) for each in np.percentile(ms, [50, 99]))
        return cls(question, len(seconds), p50, p99, float(ms.max()), outcome)


@dataclass(slots=True)
class Tally:
    """What answers of one kind add up to."""

    asked: int = 0
    given_away: int = 0
    lost: int = 0
    keepable: int = 0
    changed: int = 0
    most_part: float = 0.0

    def add(self, day: LiveDay, answer: Answer) -> None:
        """Count one answer; changes are held against the visits that it was not about."""
        others = max(1, day.plan.totals.assigned - len(answer.subjects))
        self.asked += len(answer.subjects)
        self.given_away += sum(
            each.task in answer.subjects and each.from_caregivers != each.to_caregivers
            for each in answer.changes
        )
        self.lost += len(answer.lost)
        self.changed += len(answer.other_changes)
        self.most_part = max(self.most_part, len(answer.other_changes) / others)

    def changes(self) -> str:
        """Return the sentence about other visits."""
        return f"{self.changed} others changed, at most {100 * self.most_part:.2f} % of a day"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Tell the command line what this bench takes."""
    parser.add_argument("problem", nargs="?", metavar="PROBLEM", help="with its plan; else a city")
    parser.add_argument("plan", nargs="?", metavar="PLAN")
    parser.add_argument("--orders", type=int, default=5200, metavar="N", help="of the city")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="of planning it")
    parser.add_argument("--workers", type=int, default=2, metavar="W")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument(
        "--questions", type=int, default=1000, metavar="N", help="new orders that are asked for"
    )
    parser.add_argument(
        "--events", type=int, default=100, metavar="N", help="of absences, delays and the like"
    )
    parser.add_argument(
        "--judge-seconds", type=float, default=1.0, metavar="S",
        help="of planning anew wherever an absence loses a visit; 0: none is judged",
    )  # fmt: skip
    parser.add_argument("--csv", metavar="OUT", help="write the table here as well")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Run the measurement and print its table; return the exit code."""
    if given.problem is not None and given.plan is None:
        raise BadInput("PLAN", "is missing; a problem needs its plan")
    if min(given.questions, given.events, given.orders, given.workers) < 1:
        raise BadInput("", "give --questions, --events, --orders and --workers of 1 or more")
    if given.problem is not None:
        problem, plan = read_problem(given.problem), read_plan(given.plan)
    else:
        problem = generate(orders=given.orders, seed=given.seed).problem()
        sys.stderr.write(f"planning the day for {given.seconds:g} s\n")
        plan = solve(problem, seconds=given.seconds, seed=given.seed, workers=max(1, given.workers))
    warm_up()
    bench = Bench(problem, plan, seed=given.seed, judge_s=given.judge_seconds)
    sys.stdout.write(f"{'question':28} {'times':>6} {'p50 ms':>9} {'p99 ms':>9} {'max ms':>9}\n")
    lines = []
    for line in bench.measure(questions=given.questions, events=given.events):
        lines.append(line)
        _print(line)
    sys.stdout.write(f"{_size(problem, plan)}, seed {given.seed}\n{machine_line()}\n")
    if given.csv is not None:
        _write(given.csv, lines)
    return 0


class Bench:
    """The questions to one plan. Raises `RuntimeError` where an answer breaks a rule."""

    def __init__(self, problem: Problem, plan: Plan, *, seed: int, judge_s: float) -> None:
        self.problem, self.plan, self.judge_s = problem, plan, judge_s
        self.rng = random.Random(seed)
        begun = time.perf_counter()
        self.day = LiveDay(problem, plan)
        self.prepared_s = time.perf_counter() - begun

    def measure(self, *, questions: int, events: int) -> Iterator[Line]:
        """Yield the rows for so many new orders, and so many events of each other kind."""
        yield Line.of("read the day", [self.prepared_s], "")
        yield from self._orders(self._new_orders(questions))
        later = self.day.at(TEN_O_CLOCK)
        yield self._urgent(later, events)
        served = sorted({s.task for route in self.plan.routes for s in route.stops if s.task})
        yield self._cancelled(self.rng.sample(served, min(events, len(served))))
        people = sorted({route.caregiver for route in self.plan.routes})
        asked = self.rng.sample(people, min(events, len(people)))
        yield self._late(later, asked)
        yield self._absent(self.day, asked, "absent all day")
        yield self._absent(later, asked, "absent from 10:00")

    # --- one order -------------------------------------------------------------------------------

    def _new_orders(self, count: int) -> list[Task]:
        """Return second orders of elders of the day, each at the time of another of its kind."""
        by_kind: dict[tuple[frozenset[str], int], list[Task]] = {}
        for task in self.problem.tasks:
            by_kind.setdefault((task.skills, task.crew), []).append(task)
        orders = []
        for number in range(count):
            home = self.rng.choice(self.problem.tasks)
            other = self.rng.choice(by_kind[home.skills, home.crew])
            load = None
            if home.load is not None and other.load is not None:
                load = replace(home.load, ready_s=other.load.ready_s)
            name = f"new-{number}"
            orders.append(
                replace(
                    home, id=name, windows=other.windows, service_s=other.service_s, load=load,
                    fixed=None,
                )
            )  # fmt: skip
        return orders

    def _orders(self, orders: Sequence[Task]) -> list[Line]:
        offering, inserting = [], []
        offered = placed = 0
        for number, order in enumerate(orders):
            begun = time.perf_counter()
            offers = self.day.feasible_starts(order)
            middle = time.perf_counter()
            answer = self.day.insert(order)
            inserting.append(time.perf_counter() - middle)
            offering.append(middle - begun)
            offered += bool(offers)
            placed += answer.placed
            if number % CHECKED_EVERY == 0:
                _hold(answer)
        both = [a + b for a, b in zip(offering, inserting, strict=True)]
        return [
            Line.of("offer all feasible starts", offering, f"{offered} have one"),
            Line.of("insert the order", inserting, f"{placed} placed, nobody else moved"),
            Line.of("offer, then insert", both, ""),
        ]

    def _urgent(self, later: LiveDay, count: int) -> Line:
        """Ask at ten for somebody within two hours; a few other visits may change for it."""
        seconds, placed, tally = [], 0, Tally()
        span = (TEN_O_CLOCK, TEN_O_CLOCK + URGENT_WITHIN_S)
        for number, order in enumerate(self._new_orders(count)):
            urgent = replace(
                order, id=f"urgent-{number}", windows=(span,), priority=URGENT_PRIORITY, load=None
            )
            begun = time.perf_counter()
            answer = later.insert(urgent, change_budget=URGENT_BUDGET)
            seconds.append(time.perf_counter() - begun)
            if number % CHECKED_EVERY == 0:
                _hold(answer)
            placed += answer.placed
            tally.add(later, answer)
        outcome = f"{placed} placed, {tally.lost} of lower priority gave way, {tally.changes()}"
        return Line.of(f"urgent at 10:00, budget {URGENT_BUDGET}", seconds, outcome)

    def _cancelled(self, names: Sequence[str]) -> Line:
        seconds, tally = [], Tally()
        for number, name in enumerate(names):
            begun = time.perf_counter()
            answer = self.day.cancel(name)
            seconds.append(time.perf_counter() - begun)
            if number % CHECKED_EVERY == 0:
                _hold(answer)
            tally.add(self.day, answer)
        return Line.of("cancel an order", seconds, tally.changes())

    # --- people ----------------------------------------------------------------------------------

    def _late(self, later: LiveDay, people: Sequence[str]) -> Line:
        def ask(who: str) -> Answer:
            return later.delay(who, LATE_S)

        seconds, tally = self._mended(later, people, ask, self._nothing_judged)
        outcome = (
            f"{tally.asked} visits ahead, {tally.given_away} given away, {tally.lost} lost, "
            f"{tally.changes()}"
        )
        return Line.of(f"late by {LATE_S // 60} min at 10:00", seconds, outcome)

    def _absent(self, day: LiveDay, people: Sequence[str], name: str) -> Line:
        judge = self._could_be_kept if self.judge_s > 0 else self._nothing_judged
        seconds, tally = self._mended(day, people, day.repair, judge)
        judged = f" ({tally.keepable} could be kept)" if self.judge_s > 0 else ""
        outcome = f"{tally.asked} visits, {tally.lost} lost{judged}, {tally.changes()}"
        return Line.of(name, seconds, outcome)

    def _mended(
        self,
        day: LiveDay,
        people: Sequence[str],
        ask: Callable[[str], Answer],
        judge: Callable[[LiveDay, str, Answer], int],
    ) -> tuple[list[float], Tally]:
        seconds, tally = [], Tally()
        for who in people:
            begun = time.perf_counter()
            answer = ask(who)
            seconds.append(time.perf_counter() - begun)
            _hold(answer)
            tally.add(day, answer)
            if answer.lost:
                tally.keepable += judge(day, who, answer)
        return seconds, tally

    def _nothing_judged(self, day: LiveDay, who: str, answer: Answer) -> int:
        return 0

    def _could_be_kept(self, day: LiveDay, absent: str, answer: Answer) -> int:
        """Return the priorities that planning everybody around anew would serve in addition.

        Priorities, not visits: to serve two ordinary ones for an urgent one keeps nothing.
        """
        small, start = around(day, absent, answer)
        found = solve(small, seconds=self.judge_s, workers=2, start=start)
        return max(0, _left_out(small, start) - _left_out(small, found))


def around(day: LiveDay, absent: str, answer: Answer) -> tuple[Problem, Plan]:
    """Return the part of the day that is tied to *absent*, and the answer's plan of it.

    Its tasks are those that were served. What has begun is fixed; nothing else begins before now;
    the absent caregiver only comes home.
    """
    problem, now = day.problem, day.now_s
    parts = eligible(problem).parts(len(problem.caregivers))
    position = problem.caregiver_index[absent]
    who, tasks = next(part for part in parts if position in set(part[0].tolist()))
    crews: dict[str, list[str]] = {}
    starts: dict[str, int] = {}
    for route in day.plan.routes:
        for stop in route.stops:
            if stop.kind == "task":
                crews.setdefault(stop.task, []).append(route.caregiver)
                starts[stop.task] = stop.start_s
    asked = [problem.tasks[at] for at in tasks.tolist() if problem.tasks[at].id in crews]
    home = max((r.return_s for r in answer.plan.routes if r.caregiver == absent), default=0)
    people = tuple(
        _until(problem.caregivers[at], home) if at == position else problem.caregivers[at]
        for at in who.tolist()
    )
    names = {each.id for each in people}
    small = replace(
        problem,
        caregivers=people,
        tasks=tuple(_from(task, crews[task.id], starts[task.id], now) for task in asked),
        vendor_share=None,
        sha256="0" * 64,
    )
    kept = tuple(route for route in answer.plan.routes if route.caregiver in names)
    wrong = check_routes(small, kept)
    if wrong:
        raise RuntimeError(f"the answer does not stand in its own part: {wrong[0]}")
    start = replace(day.plan, routes=kept, unassigned=(), totals=totals_of(small, kept))
    return small, start


def _left_out(problem: Problem, plan: Plan) -> int:
    """Return the priorities that the plan leaves out, summed."""
    served = {stop.task for route in plan.routes for stop in route.stops}
    return sum(task.priority for task in problem.tasks if task.id not in served)


def _until(caregiver: Caregiver, home_s: int) -> Caregiver:
    """Return the caregiver with no shift time after *home_s*."""
    shifts = tuple((a, min(b, home_s)) for a, b in caregiver.shifts if a < home_s)
    return replace(caregiver, shifts=shifts)


def _from(task: Task, crew: Sequence[str], start_s: int, now_s: int) -> Task:
    if start_s < now_s:
        return replace(task, fixed=Fixed(tuple(sorted(crew)), start_s), priority=9)
    windows = tuple((max(a, now_s), b) for a, b in task.windows if b >= now_s)
    return replace(task, windows=windows)


def _hold(answer: Answer) -> None:
    violations = check(answer.problem, answer.plan)
    if violations:
        raise RuntimeError(f"an answer breaks a rule: {violations[0]}")


# --- the table -------------------------------------------------------------------------------------


def _size(problem: Problem, plan: Plan) -> str:
    return (
        f"{len(problem.tasks)} tasks, {len(problem.caregivers)} caregivers, "
        f"{plan.totals.assigned} visits planned"
    )


def _print(line: Line) -> None:
    figures = f"{line.p50_ms:9.2f} {line.p99_ms:9.2f} {line.most_ms:9.2f}"
    shown = f"{line.question:28} {line.times:6} {figures}  {line.outcome}"
    sys.stdout.write(shown.rstrip() + "\n")
    sys.stdout.flush()


def _write(path: str, lines: Sequence[Line]) -> None:
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["question", "times", "p50_ms", "p99_ms", "max_ms", "outcome"])
        for line in lines:
            figures = (f"{each:.3f}" for each in (line.p50_ms, line.p99_ms, line.most_ms))
            table.writerow([line.question, line.times, *figures, line.outcome])
