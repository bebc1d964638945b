"""The day as it stands, ready for quick questions: who could also take this, when, at what price?

A `Board` holds one `Day` a caregiver, with the ways between its stops, and the facts of all tasks
as arrays for `dispatch.chain`. Days are never changed, only replaced, so that a copy of a board is
cheap and a change can be thrown away.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from dispatch import chain
from dispatch.candidates import People, eligible
from dispatch.chain import (
    BEGUN,
    FACTS,
    HOME,
    LEAVE,
    LOAD,
    NEW,
    OPTION,
    PERSON,
    PINNED,
    REST,
    ROW,
    VISIT,
)
from dispatch.cost import Shares
from dispatch.model import Caregiver, Problem, Task
from dispatch.plan import Route, Stop
from dispatch.travel import Travel

Array = np.ndarray

# Another visit that starts within so many seconds of its old time counts as left alone.
MOVED_S = 900
UNBOUND = chain.AGES >> 2
_MOST_OPTIONS = 4096


@dataclass(frozen=True, slots=True)
class Day:
    """What one caregiver does: rows of `dispatch.chain`, their times, and the ways between.

    ``places`` is the place of each slot (0 is the base), ``own`` the seconds between them. ``old``
    times in the rows are those from before all changes; ``times`` are those that hold. ``rested``
    says that a rest already begun is the one that is due.
    """

    who: int
    rows: Array
    times: Array
    places: Array
    own: Array
    travel: int
    rested: bool
    routes: tuple[Route, ...]

    def tasks(self) -> list[int]:
        """Return the positions of the tasks served, in order."""
        return self.rows[self.rows[:, chain.KIND] == VISIT, chain.TASK].tolist()

    def row_of(self, task: int) -> int:
        """Return the row that serves the task at that position."""
        found = (self.rows[:, chain.KIND] == VISIT) & (self.rows[:, chain.TASK] == task)
        return int(np.flatnonzero(found)[0])

    def start_of(self, task: int) -> int:
        """Return when the task at that position is started."""
        return int(self.times[self.row_of(task)])


@dataclass(frozen=True, slots=True)
class Options:
    """Ways to put one visit into days: who, when it can start, at what added cost; by caregiver.

    ``rows`` are those of `dispatch.chain.intervals`; ``cost`` is without the share term.
    """

    who: Array
    rows: Array
    cost: Array

    def __len__(self) -> int:
        return len(self.who)

    @property
    def first(self) -> Array:
        """The first second each may start at."""
        return self.rows[:, chain.FIRST]

    @property
    def last(self) -> Array:
        """The last second each may start at."""
        return self.rows[:, chain.LAST]


class Board:
    """The days of a plan, and the tasks of its problem and any that come along.

    ``now_s``: what began before stays as it is, and nothing new begins earlier. ``closed`` are the
    positions of caregivers who take nothing more, ``gone`` those of tasks that were cancelled.
    """

    def __init__(self, problem: Problem, routes: Iterable[Route], *, now_s: int = 0) -> None:
        self.problem = problem
        self.now_s = now_s
        self.circle_s = problem.circle_s
        self.travel = Travel.of(problem)
        self.reach = People(problem, self.travel)
        self.people: list[Caregiver] = list(problem.caregivers)
        self.tasks: list[Task] = list(problem.tasks)
        self.task_index = dict(problem.task_index)
        self.gone: frozenset[int] = frozenset()
        self.closed: frozenset[int] = frozenset()
        self.persons = np.array([_person(each) for each in problem.caregivers], dtype=np.int64)
        self.persons = self.persons.reshape(len(problem.caregivers), PERSON)
        self.shifts = [np.array(c.shifts, np.int64).reshape(-1, 2) for c in problem.caregivers]
        facts, windows = _facts(self.tasks, 0)
        self.facts = np.array(facts, dtype=np.int64).reshape(len(facts), FACTS)
        self.windows = np.array(windows, dtype=np.int64).reshape(len(windows), 2)
        self._out = np.empty((_MOST_OPTIONS, OPTION), np.int64)
        self.days: list[Day] = self._days_of(routes)
        self.crews: dict[int, tuple[int, ...]] = {}
        for day in self.days:
            for task in day.tasks():
                self.crews[task] = (*self.crews.get(task, ()), day.who)
        self.shares = self._count_shares()

    def copy(self) -> Board:
        """Return a board that can be changed without changing this one."""
        other = copy.copy(self)
        other.people, other.shifts = list(self.people), list(self.shifts)
        other.tasks, other.task_index = list(self.tasks), dict(self.task_index)
        other.days, other.crews = list(self.days), dict(self.crews)
        other.shares = self.shares.copy()
        return other

    def routes(self) -> list[Route]:
        """Return the routes of all days, caregivers in the problem's order."""
        return [route for day in self.days for route in day.routes]

    # --- reading ---------------------------------------------------------------------------------

    def _days_of(self, routes: Iterable[Route]) -> list[Day]:
        own: list[list[Route]] = [[] for _ in self.people]
        for route in routes:
            if route.stops:
                own[self.problem.caregiver_index[route.caregiver]].append(route)
        return self._read_days(range(len(own)), own)

    def day_of(self, who: int, routes: Sequence[Route]) -> Day:
        """Return the day that these routes are for the caregiver at that position."""
        return self._read_days([who], [list(routes)])[0]

    def _read_days(self, whom: Sequence[int], own: Sequence[list[Route]]) -> list[Day]:
        drafts = [self._draft(who, each) for who, each in zip(whom, own, strict=True)]
        starts = np.concatenate([np.repeat(p, len(p)) for _, _, p, _ in drafts] + [_NONE])
        ends = np.concatenate([np.tile(p, len(p)) for _, _, p, _ in drafts] + [_NONE])
        ways = self.travel.pairs(starts, ends).astype(np.int64)
        days = []
        at = 0
        for who, routes, (rows, times, places, rested) in zip(whom, own, drafts, strict=True):
            size = len(places) ** 2
            matrix = ways[at : at + size].reshape(len(places), len(places))
            at += size
            travel = _travel(rows, matrix)
            days.append(Day(who, rows, times, places, matrix, travel, rested, tuple(routes)))
        return days

    def _draft(self, who: int, routes: list[Route]) -> tuple[Array, Array, Array, bool]:
        """Return rows, times, places and whether a rest has begun, rests to come left out."""
        if not routes:
            base = self.people[who].base
            return np.empty((0, ROW), np.int64), _NONE, np.array([base]), False
        rows, times, rested = [], [], False
        places = [self.people[who].base]
        now = self.now_s
        for route in sorted(routes, key=lambda each: each.shift):
            begun = BEGUN if route.depart_s < now else 0
            depart, back = route.depart_s, route.return_s
            rows.append((LEAVE, -1, 0, places[0], route.shift, depart, 0, begun, 0))
            times.append(depart)
            for stop in route.stops:
                begun = BEGUN if stop.start_s < now else 0
                if stop.kind == "rest":
                    if not begun:
                        continue
                    rested = rested or self._is_rest(who, stop)
                rows.append(self._row(stop, len(places), begun))
                times.append(stop.start_s)
                places.append(stop.place)
            begun = BEGUN if back < now else 0
            rows.append((HOME, -1, 0, places[0], route.shift, back, 0, begun, 0))
            times.append(back)
        return np.array(rows, np.int64), np.array(times, np.int64), np.array(places), rested

    def _row(self, stop: Stop, slot: int, begun: int) -> tuple[int, ...]:
        if stop.kind == "task":
            task = self.task_index[stop.task]
            pin = begun or (PINNED if self.tasks[task].crew > 1 else 0)
            lasts = stop.end_s - stop.start_s
            return VISIT, task, slot, stop.place, 0, stop.start_s, lasts, pin, 0
        kind = LOAD if stop.kind == "load" else REST
        return kind, -1, slot, stop.place, 0, stop.start_s, stop.end_s - stop.start_s, begun, 0

    def _is_rest(self, who: int, stop: Stop) -> bool:
        rest = self.people[who].rest
        return (
            rest is not None
            and stop.start_s >= rest.start_s
            and stop.end_s <= rest.end_s
            and stop.end_s - stop.start_s >= rest.lasts_s
        )

    def _count_shares(self) -> Shares:
        served: Counter[str] = Counter()
        for task, crew in self.crews.items():
            if self.tasks[task].vendors is None:
                served[self.people[crew[0]].vendor] += 1
        opened = sum(task.vendors is None for task in self.tasks)
        return Shares(self.problem, served, opened)

    # --- tasks and candidates --------------------------------------------------------------------

    def add_task(self, task: Task) -> int:
        """Take a task on that is not in the problem yet, unserved; return its position.

        A task of an id that is there already replaces that one in what is asked from now on.
        """
        at = len(self.tasks)
        facts, windows = _facts([task], len(self.windows))
        self.facts = np.concatenate([self.facts, np.array(facts, np.int64)])
        self.windows = np.concatenate(
            [self.windows, np.array(windows, np.int64).reshape(len(windows), 2)]
        )
        self.tasks.append(task)
        self.task_index[task.id] = at
        if task.vendors is None:
            self.shares.open_tasks += 1
        return at

    def drop_task(self, at: int) -> None:
        """Forget a task that is not served any more."""
        self.gone |= {at}
        if self.tasks[at].vendors is None:
            self.shares.open_tasks -= 1

    def current_tasks(self) -> list[Task]:
        """Return the tasks of the day: those of the problem that are left, and those that came."""
        return [task for at, task in enumerate(self.tasks) if at not in self.gone]

    def is_served(self, at: int) -> bool:
        """Return whether the task at that position has its whole crew."""
        return len(self.crews.get(at, ())) == self.tasks[at].crew

    def set_caregiver(self, who: int, caregiver: Caregiver) -> None:
        """Let the facts of the caregiver at that position be others from now on."""
        self.people[who] = caregiver
        self.persons = self.persons.copy()
        self.persons[who] = _person(caregiver)
        self.shifts[who] = np.array(caregiver.shifts, np.int64).reshape(-1, 2)

    def add_caregiver(self, caregiver: Caregiver) -> int:
        """Take on somebody with an empty day; return the position."""
        who = len(self.people)
        self.people.append(caregiver)
        self.persons = np.concatenate([self.persons, [_person(caregiver)]])
        self.shifts.append(np.array(caregiver.shifts, np.int64).reshape(-1, 2))
        base = np.array([caregiver.base])
        rows, ways = np.empty((0, ROW), np.int64), np.zeros((1, 1), np.int64)
        self.days.append(Day(who, rows, _NONE, base, ways, 0, False, ()))
        return who

    def candidates(self, task: Task) -> list[int]:
        """Return who could serve *task* were the day empty, nearest first."""
        found = eligible(self.problem, tasks=[task], people=self.reach).of(0).tolist()
        return [who for who in found if who not in self.closed] if self.closed else found

    # --- questions -------------------------------------------------------------------------------

    def options(
        self,
        task: int,
        who: Sequence[int],
        *,
        slack: int = MOVED_S,
        relax: int = 0,
        days: dict[int, Day] | None = None,
    ) -> Options:
        """Return every way to put the task at that position into the days of *who*.

        ``slack`` is how far other visits may move; ``relax`` sets rules of `dispatch.chain` aside;
        ``days`` are looked at instead of the board's own.
        """
        asked = [(days or {}).get(c, self.days[c]) for c in who]
        names: list[Array] = []
        rows: list[Array] = []
        for day, ways in zip(asked, self._ways(task, asked), strict=True):
            count = chain.intervals(
                day.rows, day.rested, day.travel, day.own, ways, self.persons[day.who],
                self.shifts[day.who], self.facts, self.windows, task, relax, self.now_s, slack,
                self._out,
            )  # fmt: skip
            if count:
                names.append(np.full(count, day.who))
                rows.append(self._out[:count].copy())
        if not rows:
            return Options(_NONE, np.empty((0, OPTION), np.int64), _NONE)
        whom = np.concatenate(names)
        table = np.concatenate(rows)
        cost = self.problem.weights.travel * table[:, chain.TRAVEL]
        preferred = self.tasks[task].preferred
        if preferred:
            stranger = np.array([self.people[c].id not in preferred for c in whom])
            cost = cost + self.problem.weights.unpreferred * stranger
        return Options(whom, table, cost)

    def _ways(self, task: int, days: Sequence[Day]) -> list[Array]:
        """Return for each day the 5 x slots that `dispatch.chain.leg` asks for."""
        place, load = self.tasks[task].place, self.tasks[task].load
        known = np.concatenate([day.places for day in days] + [_NONE])
        new = np.full(len(known), place)
        table = np.zeros((5, len(known)), np.int64)
        if load is None:
            both = self.travel.pairs(np.concatenate([known, new]), np.concatenate([new, known]))
            table[:2] = both.reshape(2, -1)
        else:
            kitchen = np.full(len(known), load.place)
            table[:4] = self.travel.pairs(
                np.concatenate([known, new, known, kitchen]),
                np.concatenate([new, known, kitchen, known]),
            ).reshape(4, -1)
            table[4] = self.travel.between(load.place, place)
        edges = np.cumsum([0, *(len(day.places) for day in days)])
        return [np.ascontiguousarray(table[:, a:b]) for a, b in pairwise(edges)]

    # --- changes ---------------------------------------------------------------------------------

    def with_visit(
        self,
        task: int,
        who: int,
        option: Array,
        start: int,
        *,
        slack: int = MOVED_S,
        day: Day | None = None,
    ) -> Day | None:
        """Return the day of *who* with the visit put in as *option* says, at *start*; None where
        times do not come together after all."""
        day = self.days[who] if day is None else day
        facts = self.facts[task]
        kitchen = int(facts[chain.KITCHEN_AT])
        ways = self._ways(task, [day])[0]
        rows = np.empty((len(day.rows) + 5, ROW), np.int64)
        size, at = chain.write_day(
            day.rows, len(day.rows), int(option[chain.AFTER]), int(option[chain.LOAD_AFTER]),
            int(option[chain.IN_SHIFT]), task, int(facts[chain.SERVICE]),
            int(facts[chain.TASK_PLACE]), kitchen, int(self.persons[who, chain.BASE]), rows,
        )  # fmt: skip
        rows = rows[:size]
        rows[at, chain.OLD], rows[at, chain.PIN] = start, PINNED
        made = self._settled(day, rows, ways, slack)
        if made is None:
            return None
        # From here on the visit is one like the others; only crews stay tied to their second.
        row = made.row_of(task)
        made.rows[row, chain.PIN] = PINNED if self.tasks[task].crew > 1 else 0
        return made

    def without(self, day: Day, tasks: Iterable[int], *, slack: int = MOVED_S) -> Day | None:
        """Return *day* without these tasks, loads that nobody needs and routes that are empty."""
        gone = set(tasks)
        keep = np.array(
            [not (r[chain.KIND] == VISIT and r[chain.TASK] in gone) for r in day.rows], bool
        )
        rows = self._tidy(day.rows[keep])
        return self._settled(day, rows, np.zeros((5, len(day.places)), np.int64), slack)

    def _tidy(self, rows: Array) -> Array:
        """Return the rows without loads that serve nobody and routes without stops."""
        kept: list[Array] = []
        route: list[Array] = []
        wanted: set[int] = set()
        for row in rows[::-1]:
            kind = row[chain.KIND]
            if kind == HOME:
                route, wanted = [row], set()
                continue
            if kind == VISIT:
                kitchen = int(self.facts[row[chain.TASK], chain.KITCHEN_AT])
                if kitchen >= 0:
                    wanted.add(kitchen)
            elif kind == LOAD and not row[chain.PIN]:
                if int(row[chain.PLACE]) not in wanted:
                    continue
                wanted.discard(int(row[chain.PLACE]))
            route.append(row)
            if kind == LEAVE and (len(route) > 2 or row[chain.PIN]):
                kept += route
        return np.array(kept[::-1], np.int64).reshape(len(kept), ROW)

    def retimed(self, day: Day, rows: Array, *, slack: int = MOVED_S) -> Day | None:
        """Return *day* with its rows replaced and times found anew; None where there are none."""
        return self._settled(day, rows, np.zeros((5, len(day.places)), np.int64), slack)

    def _settled(self, day: Day, rows: Array, ways: Array, slack: int) -> Day | None:
        n = len(rows)
        if n == 0:
            base = day.places[:1]
            return Day(day.who, rows, _NONE, base, day.own[:1, :1], 0, day.rested, ())
        s = np.zeros((chain.SCRATCH, n), np.int64)
        rest_at, late, travel = chain.settle(
            rows, n, day.rested, day.own, ways, self.persons[day.who], self.shifts[day.who],
            self.facts, self.windows, self.now_s, slack, s,
        )  # fmt: skip
        if rest_at == -2:
            return None
        rows, places, own = self._with_slots(day, rows)
        times = s[chain.X].copy()
        made = Day(day.who, rows, times, places, own, int(travel), day.rested, ())
        return replace(made, routes=self._routes(made, int(rest_at), bool(late), s))

    def _with_slots(self, day: Day, rows: Array) -> tuple[Array, Array, Array]:
        """Return rows whose slots are all known, places and ways; slots without a row are dropped."""
        rows = rows.copy()
        inner = (rows[:, chain.KIND] != LEAVE) & (rows[:, chain.KIND] != HOME)
        places = np.concatenate([day.places[:1], rows[inner, chain.PLACE]])
        slots = np.zeros(len(rows), np.int64)
        slots[inner] = np.arange(1, len(places))
        was = np.concatenate([[0], rows[inner, chain.SLOT]])
        rows[:, chain.SLOT] = slots
        known = was >= 0
        own = np.zeros((len(places), len(places)), np.int64)
        own[np.ix_(known, known)] = day.own[np.ix_(was[known], was[known])]
        if not known.all():
            fresh = np.flatnonzero(~known)
            own[fresh] = self.travel.block(places[fresh], places)
            own[:, fresh] = self.travel.block(places, places[fresh])
        return rows, places, own

    def _routes(self, day: Day, rest_at: int, late: bool, s: Array) -> tuple[Route, ...]:
        """Write the rows out as routes, waiting at the stop rather than on the way."""
        caregiver = self.people[day.who]
        go, times, rows = s[chain.GO], day.times, day.rows
        routes = []
        n = len(rows)
        for k in range(n):
            kind = rows[k, chain.KIND]
            place = int(rows[k, chain.PLACE])
            if kind == LEAVE:
                stops: list[Stop] = []
                shift, travel, free = int(rows[k, chain.SHIFT]), 0, int(times[k])
                if not rows[k, chain.PIN]:
                    free = self._departure(day, k, rest_at, late, s)
                    times[k] = free
                depart = free
                continue
            travel += int(go[k])
            if rest_at == k and kind != LEAVE:
                here = place if late else int(rows[k - 1, chain.PLACE])
                arrive = free + (int(go[k]) if late else 0)
                begin = max(arrive, caregiver.rest.start_s)
                end = begin + caregiver.rest.lasts_s
                stops.append(Stop("rest", here, arrive, begin, end))
                free = end + (0 if late else int(go[k]))
            else:
                free += int(go[k])
            start = int(times[k])
            if kind == HOME:
                # Where the way home was over before any change, the old return stands.
                back = start if rows[k, chain.PIN] else free
                times[k] = back
                routes.append(Route(caregiver.id, shift, depart, back, travel, tuple(stops)))
                continue
            end = start + int(rows[k, chain.LASTS])
            stops.append(self._stop(rows[k], free, start, end, int(s[chain.SERVED, k])))
            free = end
        return tuple(routes)

    def _departure(self, day: Day, k: int, rest_at: int, late: bool, s: Array) -> int:
        """Return the latest leaving at row *k* that still meets the first stop's time."""
        first = int(day.times[k + 1])
        if rest_at == k + 1 and late:
            first = max(
                int(day.times[k] + s[chain.GO, k + 1]),
                int(self.persons[day.who, chain.REST_LO]),
            )
        return max(int(day.times[k]), first - int(s[chain.GO, k + 1]))

    def _stop(self, row: Array, arrive: int, start: int, end: int, units: int) -> Stop:
        place = int(row[chain.PLACE])
        if row[chain.KIND] == VISIT:
            task = self.tasks[int(row[chain.TASK])].id
            return Stop("task", place, min(arrive, start), start, end, task=task)
        if row[chain.KIND] == LOAD:
            return Stop("load", place, min(arrive, start), start, end, units=units)
        return Stop("rest", place, min(arrive, start), start, end)

    def has_begun(self, day: Day, row: int) -> bool:
        """Return whether that row of the day lies in the past."""
        return int(day.rows[row, chain.PIN]) == BEGUN

    def delayed(self, day: Day, late_s: int) -> Day:
        """Return *day*, not timed yet, with its next step at least so much later than it could be.

        Who is on the way home is late for nobody.
        """
        rows = day.rows.copy()
        for k in range(len(rows)):
            if rows[k, chain.PIN] == BEGUN or rows[k, chain.KIND] == HOME:
                continue
            soonest = int(day.times[k])
            if rows[k, chain.KIND] != LEAVE:
                way = day.own[rows[k - 1, chain.SLOT], rows[k, chain.SLOT]]
                soonest = int(day.times[k - 1] + rows[k - 1, chain.LASTS] + way)
            rows[k, chain.SOONEST_AT] = soonest + late_s
            break
        return replace(day, rows=rows)

    def take_over(self, other: Board) -> None:
        """Become what *other*, a changed copy, is."""
        self.days, self.crews, self.shares = other.days, other.crews, other.shares

    def put(self, day: Day) -> None:
        """Let *day* be that of its caregiver from now on."""
        before, after = set(self.days[day.who].tasks()), set(day.tasks())
        self.days[day.who] = day
        for task in before - after:
            crew = tuple(c for c in self.crews[task] if c != day.who)
            if crew:
                self.crews[task] = crew
            else:
                del self.crews[task]
                self._share(task, day.who, -1)
        for task in after - before:
            if task not in self.crews:
                self._share(task, day.who, 1)
            self.crews[task] = (*self.crews.get(task, ()), day.who)

    def _share(self, task: int, who: int, step: int) -> None:
        if self.tasks[task].vendors is None:
            self.shares.served[self.people[who].vendor] += step


_NONE = np.empty(0, np.int64)


def _person(caregiver: Caregiver) -> list[int]:
    rest = caregiver.rest
    return [
        UNBOUND if caregiver.max_work_s is None else caregiver.max_work_s,
        0 if rest is None else rest.start_s,
        0 if rest is None else rest.end_s,
        0 if rest is None else rest.lasts_s,
        UNBOUND if caregiver.capacity is None else caregiver.capacity,
        caregiver.base,
    ]


def _facts(tasks: Sequence[Task], at: int) -> tuple[list[list[int]], list[tuple[int, int]]]:
    """Return rows of facts and windows; ``at`` is where the windows will stand."""
    facts, windows = [], []
    for task in tasks:
        own = task.windows
        if task.fixed is not None and task.fixed.start_s is not None:
            start = task.fixed.start_s
            own = ((start, start),) if any(a <= start <= b for a, b in own) else ()
        load = task.load
        facts.append(
            [
                task.service_s,
                at,
                at + len(own),
                -1 if load is None else load.place,
                0 if load is None else load.units,
                0 if load is None else load.ready_s,
                0 if load is None else load.hold_s,
                task.place,
            ]
        )
        windows += own
        at += len(own)
    return facts, windows


def _travel(rows: Array, own: Array) -> int:
    if not len(rows):
        return 0
    rides = rows[1:, chain.KIND] != LEAVE
    return int(own[rows[:-1, chain.SLOT], rows[1:, chain.SLOT]][rides].sum())


__all__ = ["MOVED_S", "NEW", "Board", "Day", "Options"]
