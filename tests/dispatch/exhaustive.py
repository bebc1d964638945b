"""The cheapest plan of a small problem, by looking at every one; and small problems to look at.

It shares nothing with the package but the classes of the problem: ways come from geopy one by one,
whether times exist for a set of routes is decided by a network of differences (Bellman-Ford), and
costs are summed anew. What it does not look at, because it never helps where a detour is never
shorter than the way: load stops that serve nothing, and rests away from the stop before and the
stop after. `random_problem` therefore keeps to such ways.
"""

from __future__ import annotations

import itertools
import math
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from geopy.distance import geodesic

from dispatch import (
    Caregiver,
    Engine,
    Fixed,
    Load,
    Places,
    Plan,
    Problem,
    Remaining,
    Rest,
    Route,
    Stop,
    Task,
    TravelModel,
    Unassigned,
    Weights,
    problem_sha256,
)
from dispatch.cost import totals_of

Ways = list[list[int]]


def ways(problem: Problem) -> Ways:
    """Return the seconds between all places, row from, column to."""
    if problem.places.seconds is not None:
        return problem.places.seconds.tolist()
    points = problem.places.coordinates.tolist()
    model = problem.travel
    return [
        [
            0
            if i == j
            else math.ceil(geodesic(a, b).m * model.detour / model.speed_mps) + model.stop_s
            for j, b in enumerate(points)
        ]
        for i, a in enumerate(points)
    ]


# --- a network of differences -------------------------------------------------------------------


class Times:
    """Variables with bounds and differences: is there a point in time for each?"""

    def __init__(self) -> None:
        self.n = 1  # variable 0 is midnight
        self.arcs: list[tuple[int, int, int]] = []

    def new(self, least: int, most: int) -> int:
        at = self.n
        self.n += 1
        self.bound(at, least, most)
        return at

    def bound(self, variable: int, least: int, most: int) -> None:
        self.arcs.append((0, variable, most))
        self.arcs.append((variable, 0, -least))

    def after(self, early: int, late: int, seconds: int) -> None:
        """Let *late* be at least *seconds* after *early*."""
        self.arcs.append((late, early, -seconds))

    def within(self, early: int, late: int, seconds: int) -> None:
        """Let *late* be at most *seconds* after *early*."""
        self.arcs.append((early, late, seconds))

    def solved(self, extra: list[tuple[int, int, int]] | None = None) -> list[int] | None:
        """Return a second for each variable such that all of it holds at once; None where none is."""
        arcs = self.arcs + (extra or [])
        latest = [0] * self.n
        for _ in range(self.n):
            changed = False
            for a, b, most in arcs:
                if latest[a] + most < latest[b]:
                    latest[b] = latest[a] + most
                    changed = True
            if not changed:
                return [each - latest[0] for each in latest]
        return None


# --- the days one caregiver may have --------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A step of a day: task, load, rest (at a place), leave, home, or a rest outside (gap)."""

    kind: str
    place: int = -1
    task: int = -1


@dataclass
class Day:
    """What one caregiver does: which tasks (bit mask), at what cost, in which steps."""

    who: int
    mask: int
    cost: int
    steps: tuple[Step, ...]
    vendor: str = ""
    open_tasks: int = 0
    shifts: tuple[int, ...] = ()


@dataclass
class _Search:
    problem: Problem
    way: Ways
    who: int
    days: list[Day] = field(default_factory=list)
    best: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.caregiver = self.problem.caregivers[self.who]
        self.tasks = self.problem.tasks
        self.mine = [at for at, task in enumerate(self.tasks) if self._may(task)]
        self.kitchens = sorted({self.tasks[a].load.place for a in self.mine if self.tasks[a].load})

    def _may(self, task: Task) -> bool:
        who = self.caregiver
        named = task.fixed.caregivers if task.fixed else ()
        return (
            task.skills <= who.skills
            and who.id not in task.forbidden
            and (task.vendors is None or who.vendor in task.vendors)
            and self.way[who.base][task.place] <= self.problem.circle_s
            and (len(named) < task.crew or who.id in named)
        )

    def run(self) -> list[Day]:
        """Return every day that can be done alone, cheapest per set of tasks unless crews matter."""
        self.days.append(Day(self.who, 0, 0, ()))
        needs_rest = self.caregiver.rest is not None and self.caregiver.rest.lasts_s > 0
        self._between(0, 0, 0, 0, 0, not needs_rest, (), ())
        return self.days

    # The state: tasks done, seconds travelled and worked, the earliest second that it can be, and
    # whether the rest is had. What is earliest ignores crews and holding; those are proven after.

    def _between(self, shift, mask, travel, work, free, rested, steps, shifts) -> None:
        """Be at home before *shift*."""
        if shift == len(self.caregiver.shifts):
            self._close(mask, travel, rested, steps, shifts, free)
            return
        self._between(shift + 1, mask, travel, work, free, rested, steps, shifts)
        begin, end = self.caregiver.shifts[shift]
        options = [(max(free, begin), rested, steps)]
        if not rested:
            rest = self.caregiver.rest
            gone = max(free, rest.start_s) + rest.lasts_s
            if gone <= rest.end_s:
                options.append((max(gone, begin), True, (*steps, Step("gap"))))
        for leave, had, so_far in options:
            if leave <= end:
                self._out(
                    shift, mask, travel, work, leave, had,
                    (*so_far, Step("leave", self.caregiver.base)), (*shifts, shift), frozenset(),
                    frozenset(),
                )  # fmt: skip

    def _out(self, shift, mask, travel, work, free, rested, steps, shifts, loaded, pending) -> None:
        """Be at the place of the last step; *pending*: kitchens whose load nobody has had yet."""
        here = steps[-1].place
        end = self.caregiver.shifts[shift][1]
        limit = self.caregiver.max_work_s
        if not pending and steps[-1].kind == "task":
            base = self.caregiver.base
            back = self.way[here][base]
            for steps_on, arrive, had in self._rests(steps, free, back, base, rested):
                if arrive <= end and (limit is None or work + back <= limit):
                    self._between(
                        shift + 1, mask, travel + back, work + back, arrive, had,
                        (*steps_on, Step("home", base)), shifts,
                    )  # fmt: skip
        for place, task, kitchen in self._next(mask, loaded, pending):
            leg = self.way[here][place]
            for steps_on, arrive, had in self._rests(steps, free, leg, place, rested):
                self._go(
                    shift, mask, travel + leg, work + leg, arrive, had, steps_on, shifts,
                    loaded, pending, task, kitchen,
                )  # fmt: skip

    def _next(self, mask, loaded, pending) -> Iterator[tuple[int, int | None, int | None]]:
        for at in self.mine:
            load = self.tasks[at].load
            if not mask >> at & 1 and (load is None or load.place in loaded):
                yield self.tasks[at].place, at, None
        for kitchen in self.kitchens:
            waiting = any(
                self.tasks[a].load and self.tasks[a].load.place == kitchen and not mask >> a & 1
                for a in self.mine
            )
            if waiting and kitchen not in pending:
                yield kitchen, None, kitchen

    def _rests(self, steps, free, leg, place, rested):
        yield steps, free + leg, rested
        if rested:
            return
        rest = self.caregiver.rest
        here = steps[-1].place
        done = max(free, rest.start_s) + rest.lasts_s
        if done <= rest.end_s:
            yield (*steps, Step("rest", here)), done + leg, True
        done = max(free + leg, rest.start_s) + rest.lasts_s
        if done <= rest.end_s and leg:
            yield (*steps, Step("rest", place)), done, True

    def _go(
        self, shift, mask, travel, work, arrive, rested, steps, shifts, loaded, pending, task,
        kitchen,
    ) -> None:  # fmt: skip
        end = self.caregiver.shifts[shift][1]
        limit = self.caregiver.max_work_s
        if task is None:
            if arrive <= end and (limit is None or work <= limit):
                self._out(
                    shift, mask, travel, work, arrive, rested, (*steps, Step("load", kitchen)),
                    shifts, loaded | {kitchen}, pending | {kitchen},
                )  # fmt: skip
            return
        asked = self.tasks[task]
        start = _earliest(asked, arrive)
        if start is None or start + asked.service_s > end:
            return
        work += asked.service_s
        if limit is not None and work > limit:
            return
        if asked.load:
            pending = pending - {asked.load.place}
        self._out(
            shift, mask | 1 << task, travel, work, start + asked.service_s, rested,
            (*steps, Step("task", asked.place, task)), shifts, loaded, pending,
        )  # fmt: skip

    def _close(self, mask, travel, rested, steps, shifts, free) -> None:
        if not mask:
            return
        if not rested:
            rest = self.caregiver.rest
            if max(free, rest.start_s) + rest.lasts_s > rest.end_s:
                return
            steps = (*steps, Step("gap"))
        cost = self.problem.weights.travel * travel
        cost += self.problem.weights.unpreferred * sum(
            bool(task.preferred) and self.caregiver.id not in task.preferred
            for at, task in enumerate(self.tasks)
            if mask >> at & 1
        )
        done = [task for at, task in enumerate(self.tasks) if mask >> at & 1]
        crews = any(task.crew > 1 for task in done)
        if not crews and cost >= self.best.get(mask, math.inf):
            return
        day = Day(
            self.who, mask, cost, steps, self.caregiver.vendor,
            sum(task.vendors is None for task in done), shifts,
        )  # fmt: skip
        if not loads_hold(self.problem, day):
            return
        together = crews or any(task.load for task in done)
        if together and schedule(self.problem, self.way, [day]) is None:
            return
        self.best[mask] = min(cost, self.best.get(mask, cost))
        self.days.append(day)


def _earliest(task: Task, arrive: int) -> int | None:
    if task.fixed is not None and task.fixed.start_s is not None:
        start = task.fixed.start_s
        inside = any(a <= start <= b for a, b in task.windows)
        return start if inside and arrive <= start else None
    return next((max(a, arrive) for a, b in task.windows if arrive <= b), None)


def loads_hold(problem: Problem, day: Day) -> bool:
    """Return whether every load stop serves somebody and what is on board never exceeds capacity."""
    capacity = problem.caregivers[day.who].capacity
    last: dict[int, int] = {}
    units: dict[int, int] = defaultdict(int)
    for at, step in enumerate(day.steps):
        if step.kind == "leave":
            last = {}
        elif step.kind == "load":
            last[step.place] = at
            units[at] += 0
        elif step.kind == "task" and problem.tasks[step.task].load:
            load = problem.tasks[step.task].load
            units[last[load.place]] += load.units
    served = {at for at, step in enumerate(day.steps) if step.kind == "load"}
    used = set()
    on_board = 0
    for at, step in enumerate(day.steps):
        if step.kind == "leave":
            last = {}
        elif step.kind == "load":
            last[step.place] = at
            on_board += units[at]
            if capacity is not None and on_board > capacity:
                return False
        elif step.kind == "task" and problem.tasks[step.task].load:
            load = problem.tasks[step.task].load
            used.add(last[load.place])
            on_board -= load.units
    return served == used


def schedule(problem: Problem, way: Ways, days: list[Day]) -> list[list[int]] | None:
    """Return when each step of each day begins, crews together; None where that is impossible."""
    times = Times()
    starts: dict[int, list[int]] = defaultdict(list)
    written = [_write(problem, way, day, times, starts) for day in days]
    for variables in starts.values():
        for other in variables[1:]:
            times.within(variables[0], other, 0)
            times.within(other, variables[0], 0)
    several = []
    for at, variables in starts.items():
        task = problem.tasks[at]
        windows = list(task.windows)
        if task.fixed is not None and task.fixed.start_s is not None:
            start = task.fixed.start_s
            windows = [(start, start)] if any(a <= start <= b for a, b in windows) else []
        if not windows:
            return None
        several.append([(variables[0], a, b) for a, b in windows])
    if times.solved() is None:
        return None
    for choice in itertools.product(*several):
        seconds = times.solved([arc for v, a, b in choice for arc in ((0, v, b), (v, 0, -a))])
        if seconds is not None:
            return [[seconds[variable] for variable in day] for day in written]
    return None


def _write(problem: Problem, way: Ways, day: Day, times: Times, starts) -> list[int]:
    variables = []
    caregiver = problem.caregivers[day.who]
    horizon = 10**7
    shifts = iter(day.shifts)
    before: tuple[int, int, int] | None = None  # variable, seconds it lasts, place
    home: tuple[int, int] | None = None
    end = 0
    fetched: dict[int, int] = {}
    for step in day.steps:
        if step.kind == "gap":
            rest = caregiver.rest
            now = times.new(rest.start_s, rest.end_s - rest.lasts_s)
            if home is not None:
                times.after(home[0], now, home[1])
            home = (now, rest.lasts_s)
            variables.append(now)
            continue
        if step.kind == "leave":
            begin, end = caregiver.shifts[next(shifts)]
            now = times.new(begin, end)
            if home is not None:
                times.after(home[0], now, home[1])
            before, fetched = (now, 0, step.place), {}
            variables.append(now)
            continue
        lasts = 0
        if step.kind == "rest":
            rest = caregiver.rest
            lasts = rest.lasts_s
            now = times.new(rest.start_s, rest.end_s - rest.lasts_s)
        elif step.kind == "home":
            now = times.new(0, end)
        else:
            now = times.new(0, horizon)
        times.after(before[0], now, before[1] + way[before[2]][step.place])
        if step.kind == "load":
            fetched[step.place] = now
        if step.kind == "task":
            task = problem.tasks[step.task]
            lasts = task.service_s
            starts[step.task].append(now)
            if task.load:
                times.bound(fetched[task.load.place], task.load.ready_s, horizon)
                times.within(fetched[task.load.place], now, task.load.hold_s)
        before = (now, lasts, step.place)
        variables.append(now)
        if step.kind == "home":
            home = (now, 0)
    return variables


def plan_of(problem: Problem, days: list[Day]) -> Plan:
    """Return the plan that consists of these days, totals included."""
    way = ways(problem)
    routes = []
    for day, seconds in zip(days, schedule(problem, way, days), strict=True):
        shifts = iter(day.shifts)
        for step, at in zip(day.steps, seconds, strict=True):
            if step.kind == "leave":
                depart, travel, stops, here, free = at, 0, [], step.place, at
            elif step.kind == "gap":
                continue
            else:
                leg = way[here][step.place]
                travel, here = travel + leg, step.place
                if step.kind == "home":
                    routes.append(_route(problem, day, next(shifts), depart, at, travel, stops))
                    continue
                stops.append(_stop(problem, day, step, free + leg, at))
                free = stops[-1].end_s
    served = {stop.task for route in routes for stop in route.stops if stop.kind == "task"}
    left = tuple(
        Unassigned(task.id, "no_room", Remaining(0, 0, 0, 0, 0))
        for task in problem.tasks
        if task.id not in served
    )
    return Plan(
        problem_sha256=problem_sha256(problem),
        seed=0,
        engine=Engine("exhaustive", 0.0),
        routes=tuple(routes),
        unassigned=left,
        totals=totals_of(problem, routes),
    )


def _route(problem, day, shift, depart, back, travel, stops) -> Route:
    units: dict[int, int] = defaultdict(int)
    last: dict[int, int] = {}
    for at, stop in enumerate(stops):
        load = problem.task(stop.task).load if stop.kind == "task" else None
        if stop.kind == "load":
            last[stop.place] = at
        elif load is not None:
            units[last[load.place]] += load.units
    stops = [
        replace(stop, units=units[at]) if stop.kind == "load" else stop
        for at, stop in enumerate(stops)
    ]
    who = problem.caregivers[day.who].id
    return Route(who, shift, depart, back, travel, tuple(stops))


def _stop(problem, day, step, arrive, start) -> Stop:
    if step.kind == "task":
        task = problem.tasks[step.task]
        return Stop("task", step.place, arrive, start, start + task.service_s, task=task.id)
    if step.kind == "rest":
        lasts = problem.caregivers[day.who].rest.lasts_s
        return Stop("rest", step.place, arrive, start, start + lasts)
    return Stop("load", step.place, arrive, start, start, units=0)


# --- all caregivers together ------------------------------------------------------------------------


def cheapest(problem: Problem) -> tuple[int, list[Day]]:
    """Return the least cost that any plan of *problem* can have, and days that have it."""
    way = ways(problem)
    per_person: list[dict[int, list[Day]]] = []
    for who in range(len(problem.caregivers)):
        by_mask: dict[int, list[Day]] = defaultdict(list)
        for day in _Search(problem, way, who).run():
            by_mask[day.mask].append(day)
        for days in by_mask.values():
            days.sort(key=lambda day: day.cost)
        per_person.append(dict(by_mask))
    return _Together(problem, way, per_person).run()


class _Together:
    def __init__(self, problem, way, per_person) -> None:
        self.problem, self.way, self.per_person = problem, way, per_person
        self.crew_mask = sum(1 << at for at, task in enumerate(problem.tasks) if task.crew > 1)
        self.best = math.inf
        self.days: list[Day] = []
        # What is left for those who come later can at most serve everything for nothing.
        self.can = [0] * (len(per_person) + 1)
        for at in range(len(per_person) - 1, -1, -1):
            mine = 0
            for mask in per_person[at]:
                mine |= mask
            self.can[at] = self.can[at + 1] | mine

    def run(self) -> tuple[int, list[Day]]:
        self._choose(0, 0, 0, [])
        return int(self.best), self.days

    def _left_out(self, mask: int) -> int:
        return self.problem.weights.unassigned * sum(
            task.priority for at, task in enumerate(self.problem.tasks) if not mask >> at & 1
        )

    def _choose(self, at: int, taken: int, cost: int, chosen: list[Day]) -> None:
        """Give the caregiver at *at* a set of tasks; ``chosen`` holds the cheapest day of each."""
        if cost + self._left_out(taken | self.can[at]) >= self.best:
            return
        if at == len(self.per_person):
            self._settle(taken, chosen)
            return
        options = sorted(self.per_person[at].items(), key=lambda item: -item[0].bit_count())
        for mask, days in options:
            if mask & taken & ~self.crew_mask:
                continue
            self._choose(at + 1, taken | mask, cost + days[0].cost, [*chosen, days[0]])

    def _settle(self, taken: int, chosen: list[Day]) -> None:
        vendors: dict[str, int] = defaultdict(int)
        for at, task in enumerate(self.problem.tasks):
            if not taken >> at & 1:
                continue
            crew = [day for day in chosen if day.mask >> at & 1]
            named = {self.problem.caregivers[day.who].id for day in crew}
            if len(crew) != task.crew or len({day.vendor for day in crew}) != 1:
                return
            if task.fixed is not None and not named >= set(task.fixed.caregivers):
                return
            if task.vendors is None:
                vendors[crew[0].vendor] += 1
        fixed_part = self._left_out(taken) + self._share(vendors)
        together = [day for day in chosen if day.mask & self.crew_mask]
        apart = [day for day in chosen if not day.mask & self.crew_mask]
        base = fixed_part + sum(day.cost for day in apart)
        if not together:
            if base < self.best:
                self.best, self.days = base, apart
            return
        lists = [self.per_person[day.who][day.mask] for day in together]
        self._pair(lists, 0, base, [], apart)

    def _pair(self, lists, at, cost, picked, apart) -> None:
        if cost + sum(days[0].cost for days in lists[at:]) >= self.best:
            return
        if at == len(lists):
            if schedule(self.problem, self.way, picked) is not None:
                self.best, self.days = cost, apart + picked
            return
        for day in lists[at]:
            if cost + day.cost >= self.best:
                return
            self._pair(lists, at + 1, cost + day.cost, [*picked, day], apart)

    def _share(self, served: dict[str, int]) -> int:
        open_tasks = sum(task.vendors is None for task in self.problem.tasks)
        if not self.problem.vendor_share or not open_tasks:
            return 0
        points = sum(
            max(
                Fraction(0), 100 * Fraction(str(share)) - Fraction(100 * served[vendor], open_tasks)
            )
            for vendor, share in self.problem.vendor_share.items()
        )
        return math.floor(points * self.problem.weights.vendor_share + Fraction(1, 2))


# --- small problems ---------------------------------------------------------------------------------


def random_problem(seed: int, *, most_tasks: int = 7) -> Problem:
    """Return a small problem that mixes the rules; equal seeds, equal problems.

    One to three bases, one to four caregivers, one to ``most_tasks`` tasks. Ways never get shorter
    by a detour, be they from coordinates or from a matrix that is not symmetric.
    """
    rng = random.Random(seed)
    n_tasks = rng.randint(1, most_tasks)
    n_bases, n_kitchens = rng.randint(1, 3), rng.randint(1, 2)
    n = n_bases + n_kitchens + n_tasks
    caregivers = tuple(
        _random_caregiver(rng, at, n_bases) for at in range(rng.choice([1, 2, 3, 3, 4]))
    )
    tasks = tuple(
        _random_task(rng, at, n_bases + n_kitchens + at, n_bases, n_kitchens, caregivers)
        for at in range(n_tasks)
    )
    share = None
    if rng.random() < 0.4:
        share = {"v0": rng.choice([0.5, 0.335, 0.7]), "v1": rng.choice([0.1, 0.333, 0.25])}
    weights = Weights() if rng.random() < 0.6 else Weights(
        travel=rng.choice([1, 2]), unassigned=rng.choice([500, 3000]),
        unpreferred=rng.choice([0, 700]), vendor_share=rng.choice([7, 50]),
    )  # fmt: skip
    return Problem(
        places=_random_places(rng, n),
        travel=TravelModel(stop_s=rng.choice([0, 60])),
        circle_s=rng.choice([700, 900, 1200, 1800, 5000]),
        caregivers=caregivers,
        tasks=tasks,
        vendor_share=share,
        weights=weights,
    )


def _random_places(rng: random.Random, n: int) -> Places:
    side = rng.choice([0.01, 0.02, 0.03])
    points = [[32.45 + rng.random() * side, 119.9 + rng.random() * side] for _ in range(n)]
    if rng.random() < 0.2:
        points[-1] = list(points[0])
    if rng.random() < 0.6:
        return Places(coordinates=points)
    seconds = np.array([[0 if i == j else rng.randint(60, 1200) for j in range(n)]
                        for i in range(n)])  # fmt: skip
    for via in range(n):
        seconds = np.minimum(seconds, seconds[:, [via]] + seconds[[via], :])
    return Places(seconds=seconds)


def _random_caregiver(rng: random.Random, at: int, n_bases: int) -> Caregiver:
    begin = rng.choice([27000, 28800, 30000])
    if rng.random() < 0.5:
        middle = begin + rng.choice([7200, 12000, 14400])
        shifts = ((begin, middle), (middle + rng.choice([0, 1800, 7200]), middle + 18000))
    else:
        shifts = ((begin, begin + rng.choice([10800, 21600, 32400])),)
    rest = None
    if rng.random() < 0.4:
        opens = begin + rng.choice([3600, 7200, 10800])
        rest = Rest(opens, opens + rng.choice([1800, 3600, 7200]), 1800)
    return Caregiver(
        id=f"c{at}",
        vendor=f"v{rng.choice([0, 0, 0, 1])}",
        base=rng.randrange(n_bases),
        skills=frozenset(skill for skill in ("A", "B", "MEAL") if rng.random() < 0.85),
        shifts=shifts,
        max_work_s=rng.choice([None, None, 9000, 18000]),
        rest=rest,
        capacity=rng.choice([None, 1, 2, 3]),
    )


def _random_task(
    rng: random.Random, at: int, place: int, n_bases: int, n_kitchens: int, caregivers
) -> Task:
    kind = rng.random()
    load = fixed = None
    crew, skills = 1, frozenset(rng.sample(["A", "B"], rng.randint(0, 1)))
    service = rng.choice([600, 1800, 2700, 3600])
    if kind < 0.25:
        skills, service = frozenset({"MEAL"}), rng.choice([0, 300])
        load = Load(
            place=n_bases + rng.randrange(n_kitchens),
            units=rng.choice([1, 1, 2]),
            ready_s=rng.choice([28800, 32400, 36000]),
            hold_s=rng.choice([900, 1800, 3600]),
        )
    elif kind < 0.5:
        crew = 2 if rng.random() < 0.95 else 3
    windows = []
    opens = rng.randrange(27000, 40000, 60)
    for _ in range(rng.choice([1, 1, 1, 2])):
        closes = opens + rng.choice([0, 1800, 3600, 7200, 14400])
        windows.append((opens, closes))
        opens = closes + rng.randrange(60, 7200, 60)
    names = [each.id for each in caregivers]
    if rng.random() < 0.12:
        named = rng.sample(names, min(len(names), rng.randint(1, crew)))
        a, b = rng.choice(windows)
        fixed = rng.choice([
            Fixed(tuple(named), rng.randint(a, b)), Fixed(tuple(named)), Fixed((), rng.randint(a, b)),
        ])  # fmt: skip
    return Task(
        id=f"t{at}",
        place=place,
        service_s=service,
        windows=tuple(windows),
        skills=skills,
        crew=crew,
        vendors=None if rng.random() < 0.6 else frozenset({rng.choice(["v0", "v1"])}),
        preferred=frozenset(rng.sample(names, 1)) if rng.random() < 0.3 else frozenset(),
        forbidden=frozenset(rng.sample(names, 1)) if rng.random() < 0.15 else frozenset(),
        priority=rng.choice([1, 1, 1, 3]),
        load=load,
        fixed=fixed,
    )
