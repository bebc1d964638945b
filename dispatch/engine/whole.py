"""The whole problem as arrays, and the cutting of a block out of it.

Numbers of caregivers, tasks and places are positions in the problem here, and positions in the
block once it is cut. A day of the whole problem is an array of codes without START and END: a task
is its number, fetching at place *p* is ``tasks + p``, gap *g* is ``GAP - g``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from dispatch.candidates import Candidates
from dispatch.engine.kernel.facts import NEVER, NOBODY, PAIR, PERSON, SPAN, TASK, Facts
from dispatch.model import Caregiver, Problem, Rest, Task
from dispatch.travel import Travel

Array = np.ndarray
NEAR = 60
"""Neighbours kept a task."""
_DENSE = 3_000
"""Up to so many tasks the table of neighbours is made of dense matrices."""


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the problem that is searched by itself; it can be sent to another process."""

    facts: Facts
    caregivers: Array
    tasks: Array
    places: Array
    kitchens: Array
    total_tasks: int
    """Tasks of the whole problem."""
    hot: float
    """Where the temperature begins: about the cost of going from one task to the next."""


class Whole:
    """What all blocks have in common, read once from the problem."""

    def __init__(self, problem: Problem, candidates: Candidates, travel: Travel) -> None:
        self.problem, self.candidates, self.travel = problem, candidates, travel
        self._read_tasks(problem.tasks)
        self._read_caregivers(problem.caregivers)
        self._read_pairs()

    def _read_tasks(self, tasks: Sequence[Task]) -> None:
        weights = self.problem.weights
        windows = [_starts(task) for task in tasks]
        self.window_ptr = np.zeros(len(tasks) + 1, dtype=np.int64)
        np.cumsum([len(each) for each in windows], out=self.window_ptr[1:])
        flat = np.array([each for some in windows for each in some], dtype=np.int64)
        self.windows = flat.reshape(-1, 2)
        self.place = np.array([task.place for task in tasks], dtype=np.int64)
        self.service = np.array([task.service_s for task in tasks], dtype=np.int64)
        self.crew = np.array([task.crew for task in tasks], dtype=np.int64)
        self.penalty = np.array([weights.unassigned * task.priority for task in tasks], float)
        self.is_open = np.array([task.vendors is None for task in tasks], dtype=bool)
        loads = [task.load for task in tasks]
        self.load_place = np.array([NOBODY if x is None else x.place for x in loads], np.int64)
        self.units = np.array([0 if x is None else x.units for x in loads], dtype=np.int64)
        self.ready = np.array([0 if x is None else x.ready_s for x in loads], dtype=np.int64)
        self.hold = np.array([0 if x is None else x.hold_s for x in loads], dtype=np.int64)
        index = self.problem.caregiver_index
        # Who is settled of a crew that others complete; all who are settled are its candidates.
        self.named = np.zeros(len(tasks), dtype=np.int64)
        self.settled: dict[int, list[int]] = {}
        for at, task in enumerate(tasks):
            names = () if task.fixed is None else task.fixed.caregivers
            if 0 < len(names) < task.crew:
                self.named[at] = len(names)
                self.settled[at] = [index[name] for name in names if name in index]

    def _read_caregivers(self, people: Sequence[Caregiver]) -> None:
        vendors: dict[str, int] = {}
        twins: dict[object, int] = {}
        self.base = np.array([who.base for who in people], dtype=np.int64)
        self.vendor = np.array([vendors.setdefault(x.vendor, len(vendors)) for x in people], int)
        shares = self.problem.vendor_share or {}
        for vendor in shares:
            vendors.setdefault(vendor, len(vendors))
        self.vendors = list(vendors)
        total = int(self.is_open.sum())
        self.share_goal = np.array([shares.get(x, 0.0) * total for x in vendors], dtype=float)
        weight = self.problem.weights.vendor_share
        self.has_shares = bool(weight and total and self.share_goal.any())
        self.share_step = 100.0 * weight / total if self.has_shares else 0.0
        self.shift_ptr = np.zeros(len(people) + 1, dtype=np.int64)
        np.cumsum([len(who.shifts) for who in people], out=self.shift_ptr[1:])
        flat = np.array([each for who in people for each in who.shifts], dtype=np.int64)
        self.shifts = flat.reshape(-1, 2)
        self.max_work = _or_never([who.max_work_s for who in people])
        self.capacity = _or_never([who.capacity for who in people])
        rests = [_needed_rest(who) for who in people]
        self.rest_lo = np.array([rest.start_s for rest in rests], dtype=np.int64)
        self.rest_hi = np.array([rest.end_s for rest in rests], dtype=np.int64)
        self.rest_s = np.array([rest.lasts_s for rest in rests], dtype=np.int64)
        keys = [(x.base, x.vendor, x.shifts, x.max_work_s, x.rest, x.capacity) for x in people]
        self.twin = np.array([twins.setdefault(key, len(twins)) for key in keys], dtype=np.int64)

    def _read_pairs(self) -> None:
        """Collect what each candidate costs beside travel, and how long a day can get."""
        first, who = self.candidates.first, self.candidates.caregivers
        task = np.repeat(np.arange(len(self.place)), np.diff(first))
        index = self.problem.caregiver_index
        self.extra = np.zeros(len(who))
        for at, each in enumerate(self.problem.tasks):
            if each.preferred:
                liked = [index[name] for name in each.preferred if name in index]
                part = slice(first[at], first[at + 1])
                unliked = ~np.isin(who[part], liked)
                self.extra[part] = unliked * float(self.problem.weights.unpreferred)
        # The shortest tasks of each caregiver, one after the other, fill the shifts at most once.
        order = np.lexsort((self.service[task], who))
        people = len(self.base)
        service = self.service[task][order]
        done = np.cumsum(service)
        group = np.searchsorted(who[order], np.arange(people + 1))
        before = np.concatenate([[0], done])[group[:-1]]
        on_duty = np.zeros(people, dtype=np.int64)
        owner = np.repeat(np.arange(people), np.diff(self.shift_ptr))
        np.add.at(on_duty, owner, self.shifts[:, 1] - self.shifts[:, 0])
        fits = done - np.repeat(before, np.diff(group)) <= np.repeat(on_duty, np.diff(group))
        most = np.zeros(people, dtype=np.int64)
        np.add.at(most, who[order][fits], 1)
        loads = np.zeros(people, dtype=np.int64)
        np.add.at(loads, who[self.load_place[task] >= 0], 1)
        # Two nodes at the ends, the gaps, and two to spare for an insertion that is looked at.
        self.room = np.diff(self.shift_ptr) + 3 + most + np.minimum(loads, most)

    def cut(
        self,
        caregivers: Array,
        tasks: Array,
        *,
        share_goal: Array | None = None,
        frozen: Array | None = None,
    ) -> Block:
        """Return the block of those caregivers and tasks; who is outside cannot go.

        ``share_goal`` (a vendor: open tasks of this block it should serve) stands for the shares
        of the whole; ``frozen`` (bool a task of the block) keeps tasks where they are.
        """
        fetched = self.load_place[tasks]
        kitchens = np.unique(fetched[fetched >= 0])
        places = np.unique(np.concatenate([self.base[caregivers], self.place[tasks], kitchens]))
        seconds = np.ascontiguousarray(self.travel.block(places), dtype=np.int32)
        task, window, pair = self._task_facts(caregivers, tasks, places, kitchens)
        if frozen is not None:
            task["frozen"] = frozen
        if share_goal is None:
            task["is_open"] = False
        person, shift = self._person_facts(caregivers, places)
        near, leg = _neighbours(task, pair, len(caregivers), seconds)
        weight = float(self.problem.weights.travel)
        facts = Facts(
            travel=seconds,
            task=task,
            window=window,
            pair=pair,
            near=near,
            person=person,
            shift=shift,
            kitchen=np.searchsorted(places, kitchens).astype(np.int32),
            share_goal=np.zeros(0) if share_goal is None else share_goal.astype(np.float64),
            weight=np.array([weight, 0.0 if share_goal is None else self.share_step]),
        )
        hot = max(1.0, weight * leg)
        return Block(facts, caregivers, tasks, places, kitchens, len(self.place), hot)

    def _task_facts(
        self, caregivers: Array, tasks: Array, places: Array, kitchens: Array
    ) -> tuple[Array, Array, Array]:
        task = np.zeros(len(tasks), dtype=TASK)
        for name in ("service", "penalty", "units", "ready", "hold", "crew", "is_open"):
            task[name] = getattr(self, name)[tasks]
        task["place"] = np.searchsorted(places, self.place[tasks])
        task["kitchen"] = NOBODY
        fetched = self.load_place[tasks] >= 0
        task["kitchen"][fetched] = np.searchsorted(kitchens, self.load_place[tasks][fetched])
        windows = self.window_ptr[tasks + 1] - self.window_ptr[tasks]
        window = _spans(self.windows[_ranges(self.window_ptr[tasks], windows)])
        task["window_to"] = np.cumsum(windows)
        task["window_from"] = task["window_to"] - windows

        number = np.full(len(self.base), NOBODY, dtype=np.int64)
        number[caregivers] = np.arange(len(caregivers))
        first = self.candidates.first
        candidates = first[tasks + 1] - first[tasks]
        which = _ranges(first[tasks], candidates)
        owner = np.repeat(np.arange(len(tasks)), candidates)
        who = number[self.candidates.caregivers[which]]
        inside = who >= 0
        pair = np.zeros(int(inside.sum()), dtype=PAIR)
        pair["who"] = who[inside]
        pair["extra"] = self.extra[which][inside]
        count = np.bincount(owner[inside], minlength=len(tasks))
        task["who_to"] = np.cumsum(count)
        task["who_from"] = task["who_to"] - count
        task["named"] = self.named[tasks]
        for at in np.flatnonzero(task["named"]).tolist():
            part = slice(task["who_from"][at], task["who_to"][at])
            settled = number[self.settled[int(tasks[at])]]
            pair["named"][part] = np.isin(pair["who"][part], settled)
        return task, window, pair

    def _person_facts(self, caregivers: Array, places: Array) -> tuple[Array, Array]:
        person = np.zeros(len(caregivers), dtype=PERSON)
        for name in ("vendor", "max_work", "rest_lo", "rest_hi", "rest_s", "capacity", "room"):
            person[name] = getattr(self, name)[caregivers]
        person["base"] = np.searchsorted(places, self.base[caregivers])
        _, person["twin"] = np.unique(self.twin[caregivers], return_inverse=True)
        ends = np.cumsum(self.room[caregivers])
        person["row"] = ends - self.room[caregivers]
        shifts = self.shift_ptr[caregivers + 1] - self.shift_ptr[caregivers]
        person["shift_to"] = np.cumsum(shifts)
        person["shift_from"] = person["shift_to"] - shifts
        return person, _spans(self.shifts[_ranges(self.shift_ptr[caregivers], shifts)])


def _starts(task: Task) -> tuple[tuple[int, int], ...]:
    """Return the windows, narrowed to the second where the start is settled."""
    if task.fixed is None or task.fixed.start_s is None:
        return task.windows
    start = task.fixed.start_s
    if any(opens <= start <= closes for opens, closes in task.windows):
        return ((start, start),)
    return ()


def _or_never(values: Sequence[int | None]) -> Array:
    return np.array([NEVER if value is None else value for value in values], dtype=np.int64)


def _needed_rest(who: Caregiver) -> Rest:
    """Return the rest that routes must leave room for; of no length where the shifts already do."""
    none = Rest(0, 0, 0)
    if who.rest is None or who.rest.lasts_s == 0 or not who.shifts:
        return none
    rest = who.rest
    free_from = [rest.start_s, *(shift[1] for shift in who.shifts)]
    free_to = [*(shift[0] for shift in who.shifts), rest.end_s]
    for start, end in zip(free_from, free_to, strict=True):
        if min(end, rest.end_s) - max(start, rest.start_s) >= rest.lasts_s:
            return none
    return rest


def _spans(intervals: Array) -> Array:
    result = np.zeros(len(intervals), dtype=SPAN)
    result["lo"], result["hi"] = intervals[:, 0], intervals[:, 1]
    return result


def _ranges(starts: Array, count: Array) -> Array:
    """Return the numbers of all ranges ``starts[i] .. starts[i] + count[i] - 1``, one by one."""
    ends = np.cumsum(count)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - (ends - count), count)


def _neighbours(task: Array, pair: Array, people: int, seconds: Array) -> tuple[Array, float]:
    """Return the tasks nearest to each that share a caregiver with it, and a usual way between."""
    n = len(task)
    place = task["place"]
    ones = np.ones(len(pair), dtype=np.float32)
    ptr = np.concatenate([[0], task["who_to"]])
    can = csr_matrix((ones, pair["who"], ptr), shape=(n, people))
    width = min(NEAR, max(n - 1, 0))
    near = np.full((n, width), NOBODY, dtype=np.int32)
    legs = []
    step = max(1, _DENSE * _DENSE // max(n, 1))
    for at in range(0, n, step):
        rows = np.arange(at, min(n, at + step))
        share = (can[rows] @ can.T).toarray() > 0
        share[np.arange(len(rows)), rows] = False
        way = (seconds[np.ix_(place[rows], place)] + seconds[np.ix_(place, place[rows])].T) / 2
        way[~share] = np.inf
        order = np.argsort(way, axis=1, kind="stable")[:, :width]
        sorted_way = np.take_along_axis(way, order, axis=1)
        near[rows] = np.where(np.isfinite(sorted_way), order, NOBODY)
        some = sorted_way[:, :10]
        legs.append(some[np.isfinite(some)])
    found = np.concatenate(legs) if legs else np.zeros(0)
    return near, float(found.mean()) if len(found) else 0.0
