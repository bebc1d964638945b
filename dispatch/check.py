"""Re-derive every rule of a plan from the problem alone.

It imports neither the engine nor the candidates, so that a mistake there cannot hide here. A plan
that this module finds no fault with keeps the contract to the second.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dispatch.cost import plan_cost, route_legs, totals_of
from dispatch.io import canonical_sha256, problem_sha256
from dispatch.model import Caregiver, Problem, Task
from dispatch.plan import TERMS, Plan, Route, Stop
from dispatch.travel import Travel

__all__ = ["RULES", "Violation", "check", "check_routes", "clock", "plan_cost"]

RULES = (
    "travel",
    "circle",
    "route",
    "window",
    "rest",
    "work",
    "load",
    "crew",
    "fixed",
    "once",
    "skill",
    "vendor",
    "forbidden",
    "totals",
    "problem",
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule (a name of `RULES`), told with its numbers, and whom it is about."""

    rule: str
    message: str
    task: str | None = None
    caregiver: str | None = None

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"


def check(problem: Problem, plan: Plan) -> list[Violation]:
    """Return every violation of the contract in *plan*; none means that it may be carried out."""
    found = _hash(problem, plan)
    found += check_routes(problem, plan.routes)
    found += _unassigned(problem, plan)
    found += _totals(problem, plan)
    return found


def check_routes(
    problem: Problem, routes: Sequence[Route], *, travel: Travel | None = None
) -> list[Violation]:
    """Return the violations of *routes* taken as all there are of their caregivers and tasks.

    What is left out, the totals and the hash are not looked at: for routes that were just changed.
    ``travel`` saves reading the places again.
    """
    travel = Travel.of(problem) if travel is None else travel
    found: list[Violation] = []
    known = []
    for route in routes:
        faults = _unknown(problem, route)
        found += faults
        if not faults:
            known.append(route)
    legs = route_legs(problem, known, travel)
    for route, way in zip(known, legs, strict=True):
        caregiver = problem.caregiver(route.caregiver)
        found += _shift(caregiver, route)
        found += _timing(problem, caregiver, route, way)
        found += _loads(problem, caregiver, route)
    found += _visits(problem, known)
    found += _days(problem, known, legs)
    found += _circles(problem, known, travel)
    return found


def clock(seconds: int) -> str:
    """Return seconds since midnight as a time of day with the number itself: 09:15:00 (33300)."""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d} ({seconds})"


# --- what a route is about --------------------------------------------------------------------------


def _unknown(problem: Problem, route: Route) -> list[Violation]:
    """Return faults that leave nothing to compute: names and numbers that the problem lacks."""
    who = route.caregiver
    if who not in problem.caregiver_index:
        return [Violation("route", f"there is no caregiver {who}", caregiver=who)]
    found = []
    shifts = problem.caregiver(who).shifts
    if route.shift >= len(shifts):
        found.append(
            Violation(
                "route", f"{who} has {len(shifts)} shifts, none number {route.shift}", caregiver=who
            )
        )
    for stop in route.stops:
        if stop.place >= len(problem.places):
            found.append(
                Violation(
                    "travel", f"{who} stops at {stop.place}, which is no place", stop.task, who
                )
            )
        if stop.kind == "task":
            if stop.task not in problem.task_index:
                found.append(
                    Violation("once", f"{who} serves {stop.task}, which is no task", stop.task, who)
                )
            elif stop.place != problem.task(stop.task).place:
                place = problem.task(stop.task).place
                found.append(
                    Violation(
                        "travel",
                        f"{who} serves {stop.task} at place {stop.place}; it is at {place}",
                        stop.task,
                        who,
                    )
                )
    return found


# --- one route -----------------------------------------------------------------------------------


def _shift(caregiver: Caregiver, route: Route) -> Iterator[Violation]:
    begin, end = caregiver.shifts[route.shift]
    if route.depart_s < begin:
        yield Violation(
            "route",
            f"{caregiver.id} leaves at {clock(route.depart_s)}, before shift {route.shift} begins "
            f"at {clock(begin)}",
            caregiver=caregiver.id,
        )
    if route.return_s > end:
        yield Violation(
            "route",
            f"{caregiver.id} is back at {clock(route.return_s)}, after shift {route.shift} ends "
            f"at {clock(end)}",
            caregiver=caregiver.id,
        )
    if route.return_s < route.depart_s:
        yield Violation(
            "route",
            f"{caregiver.id} is back at {clock(route.return_s)} before leaving at "
            f"{clock(route.depart_s)}",
            caregiver=caregiver.id,
        )


def _timing(
    problem: Problem, caregiver: Caregiver, route: Route, way: Sequence[int]
) -> Iterator[Violation]:
    """Yield what is wrong with travel and with how long each stop lasts."""
    who = caregiver.id
    free = route.depart_s
    for stop, leg in zip(route.stops, way[:-1], strict=True):
        name = stop.task or f"a {stop.kind} stop"
        if stop.arrive_s < free + leg:
            yield Violation(
                "travel",
                f"{who} is at {name} at {clock(stop.arrive_s)}; with {leg} s of travel it can be "
                f"{clock(free + leg)} at the earliest",
                stop.task,
                who,
            )
        if stop.start_s < stop.arrive_s:
            yield Violation(
                "travel",
                f"{who} starts {name} at {clock(stop.start_s)} before arriving at "
                f"{clock(stop.arrive_s)}",
                stop.task,
                who,
            )
        if stop.end_s < stop.start_s:
            rule = {"task": "window", "load": "load", "rest": "rest"}[stop.kind]
            yield Violation(
                rule,
                f"{who} ends {name} at {clock(stop.end_s)} before starting it at "
                f"{clock(stop.start_s)}",
                stop.task,
                who,
            )
        free = max(stop.end_s, stop.start_s)
    if route.stops and route.return_s < free + way[-1]:
        yield Violation(
            "travel",
            f"{who} is back at {clock(route.return_s)}; with {way[-1]} s of travel it can be "
            f"{clock(free + way[-1])} at the earliest",
            caregiver=who,
        )
    if route.travel_s != sum(way):
        yield Violation(
            "travel",
            f"the route of {who} in shift {route.shift} says {route.travel_s} s of travel; it is "
            f"{sum(way)} s",
            caregiver=who,
        )


def _loads(problem: Problem, caregiver: Caregiver, route: Route) -> Iterator[Violation]:
    """Yield what is wrong with fetching: order, readiness, time on the way, units, capacity."""
    who = caregiver.id
    last: dict[int, int] = {}
    served: Counter[int] = Counter()
    for at, stop in enumerate(route.stops):
        if stop.kind == "load":
            last[stop.place] = at
            if stop.end_s > stop.start_s:
                took = stop.end_s - stop.start_s
                yield Violation(
                    "load",
                    f"{who} takes {took} s to load at place {stop.place}; it takes none",
                    caregiver=who,
                )
            continue
        load = problem.task(stop.task).load if stop.kind == "task" else None
        if load is None:
            continue
        if load.place not in last:
            yield Violation(
                "load",
                f"{who} serves {stop.task} without a load stop at place {load.place} before it",
                stop.task,
                who,
            )
            continue
        fetched = route.stops[last[load.place]].start_s
        served[last[load.place]] += load.units
        if fetched < load.ready_s:
            yield Violation(
                "load",
                f"{who} fetches for {stop.task} at {clock(fetched)}; it is ready at "
                f"{clock(load.ready_s)}",
                stop.task,
                who,
            )
        if stop.start_s - fetched > load.hold_s:
            yield Violation(
                "load",
                f"{who} has what {stop.task} waits for on the way for {stop.start_s - fetched} s; "
                f"{load.hold_s} s are allowed",
                stop.task,
                who,
            )
    yield from _units(problem, caregiver, route, served)


def _units(
    problem: Problem, caregiver: Caregiver, route: Route, served: Counter[int]
) -> Iterator[Violation]:
    on_board = 0
    fetched_from: set[int] = set()
    for at, stop in enumerate(route.stops):
        if stop.kind == "load":
            fetched_from.add(stop.place)
            on_board += served[at]
            if stop.units != served[at]:
                yield Violation(
                    "load",
                    f"{caregiver.id} fetches {stop.units} units at place {stop.place}; "
                    f"{served[at]} are served from there",
                    caregiver=caregiver.id,
                )
            if caregiver.capacity is not None and on_board > caregiver.capacity:
                yield Violation(
                    "load",
                    f"{caregiver.id} has {on_board} units on board from {clock(stop.start_s)}; "
                    f"{caregiver.capacity} fit",
                    caregiver=caregiver.id,
                )
        elif stop.kind == "task":
            load = problem.task(stop.task).load
            if load is not None and load.place in fetched_from:
                on_board -= load.units


# --- one visit -----------------------------------------------------------------------------------


def _visits(problem: Problem, routes: Sequence[Route]) -> Iterator[Violation]:
    members: dict[str, list[tuple[Caregiver, Stop]]] = defaultdict(list)
    for route in routes:
        caregiver = problem.caregiver(route.caregiver)
        for stop in route.stops:
            if stop.kind == "task":
                members[stop.task].append((caregiver, stop))
    for task_id, crew in members.items():
        task = problem.task(task_id)
        for caregiver, stop in crew:
            yield from _visit(task, caregiver, stop)
        yield from _crew(task, crew)
        yield from _fixed(task, crew)


def _visit(task: Task, caregiver: Caregiver, stop: Stop) -> Iterator[Violation]:
    if not any(opens <= stop.start_s <= closes for opens, closes in task.windows):
        allowed = ", ".join(f"{clock(a)} to {clock(b)}" for a, b in task.windows)
        yield Violation(
            "window",
            f"{caregiver.id} starts {task.id} at {clock(stop.start_s)}; it may be {allowed}",
            task.id,
            caregiver.id,
        )
    if stop.end_s - stop.start_s != task.service_s and stop.end_s >= stop.start_s:
        yield Violation(
            "window",
            f"{caregiver.id} stays {stop.end_s - stop.start_s} s at {task.id}; the service lasts "
            f"{task.service_s} s",
            task.id,
            caregiver.id,
        )
    missing = task.skills - caregiver.skills
    if missing:
        yield Violation(
            "skill",
            f"{caregiver.id} has no {', '.join(sorted(missing))}, which {task.id} needs",
            task.id,
            caregiver.id,
        )
    if task.vendors is not None and caregiver.vendor not in task.vendors:
        asked = ", ".join(sorted(task.vendors)) or "nobody"
        yield Violation(
            "vendor",
            f"{caregiver.id} is of vendor {caregiver.vendor}; {task.id} asks for {asked}",
            task.id,
            caregiver.id,
        )
    if caregiver.id in task.forbidden:
        yield Violation("forbidden", f"{task.id} forbids {caregiver.id}", task.id, caregiver.id)


def _crew(task: Task, crew: Sequence[tuple[Caregiver, Stop]]) -> Iterator[Violation]:
    if len(crew) != task.crew:
        # One too many at a single's visit is a second visit; elsewhere the crew is not the one.
        rule = "once" if task.crew == 1 else "crew"
        yield Violation(
            rule, f"{task.id} is served by {len(crew)} stops for a crew of {task.crew}", task.id
        )
    if task.crew == 1:
        return
    if len({caregiver.id for caregiver, _ in crew}) != len(crew):
        yield Violation("crew", f"{task.id} has one caregiver in its crew twice", task.id)
    vendors = sorted({caregiver.vendor for caregiver, _ in crew})
    if len(vendors) > 1:
        yield Violation(
            "crew", f"{task.id} has a crew of several vendors: {', '.join(vendors)}", task.id
        )
    starts = sorted({stop.start_s for _, stop in crew})
    if len(starts) > 1:
        yield Violation(
            "crew",
            f"the crew of {task.id} starts at different times: {', '.join(map(clock, starts))}",
            task.id,
        )


def _fixed(task: Task, crew: Sequence[tuple[Caregiver, Stop]]) -> Iterator[Violation]:
    if task.fixed is None:
        return
    going = {caregiver.id for caregiver, _ in crew}
    for name in task.fixed.caregivers:
        if name not in going:
            yield Violation("fixed", f"{task.id} is settled for {name}, who does not go", task.id)
    start = task.fixed.start_s
    for caregiver, stop in crew:
        if start is not None and stop.start_s != start:
            yield Violation(
                "fixed",
                f"{caregiver.id} starts {task.id} at {clock(stop.start_s)}; it is settled for "
                f"{clock(start)}",
                task.id,
                caregiver.id,
            )


def _circles(problem: Problem, routes: Sequence[Route], travel: Travel) -> Iterator[Violation]:
    visits = [
        (problem.caregiver(route.caregiver), stop)
        for route in routes
        for stop in route.stops
        if stop.kind == "task"
    ]
    bases = np.array([caregiver.base for caregiver, _ in visits], int)
    places = np.array([stop.place for _, stop in visits], int)
    seconds = travel.pairs(bases, places)
    for at in np.flatnonzero(seconds > problem.circle_s):
        caregiver, stop = visits[at]
        yield Violation(
            "circle",
            f"{stop.task} is {seconds[at]} s from the base of {caregiver.id}; at most "
            f"{problem.circle_s} s are allowed",
            stop.task,
            caregiver.id,
        )


# --- one caregiver's day ----------------------------------------------------------------------------


def _days(
    problem: Problem, routes: Sequence[Route], legs: Sequence[Sequence[int]]
) -> Iterator[Violation]:
    days: dict[str, list[tuple[Route, int]]] = defaultdict(list)
    for route, way in zip(routes, legs, strict=True):
        days[route.caregiver].append((route, sum(way)))
    for who, day in days.items():
        caregiver = problem.caregiver(who)
        day.sort(key=lambda each: (each[0].depart_s, each[0].return_s))
        own = [route for route, _ in day]
        yield from _apart(caregiver, own)
        if caregiver.rest is not None and not _rested(caregiver, own):
            rest = caregiver.rest
            yield Violation(
                "rest",
                f"{who} has no rest of {rest.lasts_s} s from {clock(rest.start_s)} to "
                f"{clock(rest.end_s)}",
                caregiver=who,
            )
        worked = sum(travel for _, travel in day) + sum(
            problem.task(stop.task).service_s
            for route in own
            for stop in route.stops
            if stop.kind == "task"
        )
        if caregiver.max_work_s is not None and worked > caregiver.max_work_s:
            yield Violation(
                "work",
                f"{who} works {worked} s; at most {caregiver.max_work_s} s are allowed",
                caregiver=who,
            )


def _apart(caregiver: Caregiver, routes: Sequence[Route]) -> Iterator[Violation]:
    for shift, times in Counter(route.shift for route in routes).items():
        if times > 1:
            yield Violation(
                "route",
                f"{caregiver.id} has {times} routes in shift {shift}; one is allowed",
                caregiver=caregiver.id,
            )
    back = None
    for route in routes:
        if back is not None and route.depart_s < back:
            yield Violation(
                "route",
                f"{caregiver.id} leaves at {clock(route.depart_s)} while still out until "
                f"{clock(back)}",
                caregiver=caregiver.id,
            )
        back = route.return_s if back is None else max(back, route.return_s)


def _rested(caregiver: Caregiver, routes: Iterable[Route]) -> bool:
    """Return whether a rest stop, or a stretch outside all routes, is the rest that is due."""
    rest = caregiver.rest
    free = rest.start_s
    for route in routes:
        if min(route.depart_s, rest.end_s) - free >= rest.lasts_s:
            return True
        for stop in route.stops:
            if stop.kind == "rest" and (
                stop.start_s >= rest.start_s
                and stop.end_s <= rest.end_s
                and stop.end_s - stop.start_s >= rest.lasts_s
            ):
                return True
        free = max(free, route.return_s)
    return rest.end_s - free >= rest.lasts_s


# --- the plan as a whole ----------------------------------------------------------------------------


def _hash(problem: Problem, plan: Plan) -> list[Violation]:
    # A plan may be of a problem that was put together in memory, as by `insert`: it names the
    # canonical file, which is the same for every file that says the same.
    if plan.problem_sha256 in (problem_sha256(problem),) or (
        plan.problem_sha256 == canonical_sha256(problem)
    ):
        return []
    return [
        Violation(
            "problem",
            f"the plan answers the problem {plan.problem_sha256[:16]}..., not this one, "
            f"{problem_sha256(problem)[:16]}...",
        )
    ]


def _unassigned(problem: Problem, plan: Plan) -> Iterator[Violation]:
    served = {stop.task for route in plan.routes for stop in route.stops if stop.kind == "task"}
    listed = Counter(each.task for each in plan.unassigned)
    for task_id, times in listed.items():
        if task_id not in problem.task_index:
            yield Violation("once", f"{task_id} is listed as left out, but is no task", task_id)
        if times > 1:
            yield Violation("once", f"{task_id} is listed as left out {times} times", task_id)
        if task_id in served:
            yield Violation("once", f"{task_id} is served and also listed as left out", task_id)
    for task in problem.tasks:
        if task.id not in served and task.id not in listed:
            yield Violation("once", f"{task.id} is neither served nor listed as left out", task.id)


def _totals(problem: Problem, plan: Plan) -> Iterator[Violation]:
    if any(_unknown(problem, route) for route in plan.routes):
        return
    said, derived = plan.totals, totals_of(problem, plan.routes)
    for name in ("tasks", "assigned", "travel_s", "cost"):
        if getattr(said, name) != getattr(derived, name):
            yield Violation(
                "totals",
                f"{name} is said to be {getattr(said, name)}; it is {getattr(derived, name)}",
            )
    for term in TERMS:
        one, other = getattr(said.by_term, term), getattr(derived.by_term, term)
        if one != other:
            yield Violation("totals", f"by_term.{term} is said to be {one}; it is {other}")
