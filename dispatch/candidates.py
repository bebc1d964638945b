"""Who can serve what, and how many are left after each filter.

The filters in the contract's order: skill, allowed (not forbidden; of a task whose caregivers are
settled only those), vendor, circle, shift (a shift in which the visit alone fits, going and coming
included). Who then also keeps load, capacity and work limit with this one visit is a candidate;
whether there is room beside the other visits is for the engine.

No table of tasks x caregivers is ever made: bases near a task come from a tree over the bases, and
tasks are met a few thousand pairs at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from dispatch.model import Problem, Task
from dispatch.travel import Travel

Array = np.ndarray

LADDER = ("skill", "allowed", "vendor", "circle", "shift")
# Pairs of task and base looked at together, so that memory stays at some hundred megabytes.
_PAIRS_AT_ONCE = 400_000
_PEOPLE_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class Candidates:
    """For each task the caregivers who could serve it alone, nearest base first.

    Those of task *i* are ``caregivers[first[i]:first[i + 1]]`` (positions in the problem), with
    ``go_s`` the travel from base to task. ``remaining`` is n x 5: how many are left after each
    filter of `LADDER`; ``alone`` counts the candidates, also where ``most`` cut the list.
    """

    first: Array
    caregivers: Array
    go_s: Array
    remaining: Array
    alone: Array

    def of(self, task: int) -> Array:
        """Return the candidates of the task at that position, nearest base first."""
        return self.caregivers[self.first[task] : self.first[task + 1]]

    def parts(self, n_caregivers: int) -> list[tuple[Array, Array]]:
        """Return (caregivers, tasks) of each connected part that has a task, largest first.

        Two tasks are in one part when a chain of shared candidates joins them. Tasks without a
        candidate are in none.
        """
        n_tasks = len(self.first) - 1
        tasks = np.repeat(np.arange(n_tasks), np.diff(self.first))
        size = n_caregivers + n_tasks
        ones = np.ones(len(tasks), dtype=np.int8)
        graph = coo_matrix((ones, (self.caregivers, tasks + n_caregivers)), shape=(size, size))
        _, label = connected_components(graph, directed=False)
        order = np.argsort(label, kind="stable")
        edges = np.flatnonzero(np.diff(label[order])) + 1
        found = []
        for members in np.split(order, edges):
            own = members[members >= n_caregivers] - n_caregivers
            who = members[members < n_caregivers]
            if len(own) and len(who):
                found.append((who, own))
        found.sort(key=lambda part: -len(part[1]))
        return found


class People:
    """What the filters need of the caregivers and the map; made once, asked often."""

    def __init__(self, problem: Problem, travel: Travel | None = None) -> None:
        self.problem = problem
        self.travel = Travel.of(problem) if travel is None else travel
        people = problem.caregivers
        base = np.array([each.base for each in people], dtype=np.int64)
        self.bases, self.base_of = np.unique(base, return_inverse=True)
        self.by_base = np.argsort(self.base_of, kind="stable")
        self.base_first = np.searchsorted(
            self.base_of[self.by_base], np.arange(len(self.bases) + 1)
        )
        self.skill_sets, self.skill_of = _numbered([each.skills for each in people])
        self.vendors, self.vendor_of = _numbered([each.vendor for each in people])
        self.group_size = np.zeros((len(self.skill_sets), len(self.vendors)), dtype=np.int64)
        np.add.at(self.group_size, (self.skill_of, self.vendor_of), 1)
        self.shifts = _padded([each.shifts for each in people])
        none = np.iinfo(np.int64).max // 4
        self.max_work = _numbers([each.max_work_s for each in people], none)
        self.capacity = _numbers([each.capacity for each in people], none)
        # Where a matrix tells the ways there is no map to look bases up in.
        self.spots = self.travel.spots
        self.tree = None if self.spots is None else cKDTree(self.spots.xyz[:, self.bases].T)


def eligible(
    problem: Problem,
    *,
    tasks: Sequence[Task] | None = None,
    most: int | None = None,
    people: People | None = None,
) -> Candidates:
    """Return the candidates of every task of *problem*, or of *tasks* instead.

    ``most`` keeps only the nearest so many of each task; the counts stay those of all. Caregivers
    whose crew cannot be completed are still listed. ``people`` saves reading them again.
    """
    asked = problem.tasks if tasks is None else tasks
    return _Filter(People(problem) if people is None else people, asked, most).run()


class _Filter:
    """The arrays of one run; a class so that the steps can share them."""

    def __init__(self, people: People, tasks: Sequence[Task], most: int | None) -> None:
        self.people, self.tasks, self.most = people, tasks, most
        self._read_tasks()

    def _read_tasks(self) -> None:
        tasks = self.tasks
        self.place = np.array([each.place for each in tasks], dtype=np.int64)
        self.service = np.array([each.service_s for each in tasks], dtype=np.int64)
        self.windows = _padded([_starts(each) for each in tasks])
        self.needs, self.needs_of = _numbered([each.skills for each in tasks])
        self.asked, self.asked_of = _numbered([each.vendors for each in tasks])
        self.can = np.array(
            [[need <= has for has in self.people.skill_sets] for need in self.needs], dtype=bool
        ).reshape(len(self.needs), len(self.people.skill_sets))
        number = {vendor: at for at, vendor in enumerate(self.people.vendors)}
        # Which vendors each distinct set holds; and the same as sorted keys, set x vendors + vendor.
        self.wanted = [
            np.arange(len(number))
            if asked is None
            else np.array(sorted(number[v] for v in asked if v in number), dtype=np.int64)
            for asked in self.asked
        ]
        keys = [at * len(number) + wanted for at, wanted in enumerate(self.wanted)]
        self.asks = np.concatenate([*keys, np.empty(0, dtype=np.int64)])
        self.load_place = np.array([-1 if t.load is None else t.load.place for t in tasks], int)
        for name in ("ready_s", "hold_s", "units"):
            values = [0 if t.load is None else getattr(t.load, name) for t in tasks]
            setattr(self, name, np.array(values, dtype=np.int64))
        self._read_names()

    def _read_names(self) -> None:
        """Collect who is shut out by name: forbidden, or not among those who are settled."""
        index = self.people.problem.caregiver_index
        settled: list[int] = []
        named: list[int] = []
        pairs: list[int] = []
        n = max(1, len(self.people.problem.caregivers))
        for at, task in enumerate(self.tasks):
            pairs.extend(at * n + index[name] for name in task.forbidden if name in index)
            if task.fixed is not None and len(task.fixed.caregivers) == task.crew:
                settled.append(at)
                named.extend(at * n + index[i] for i in task.fixed.caregivers if i in index)
        self.settled = np.zeros(len(self.tasks), dtype=bool)
        self.settled[settled] = True
        # Both are sorted keys, task x number of caregivers + caregiver.
        self.named = np.unique(np.array(named, dtype=np.int64))
        self.shut_out = np.unique(np.array(pairs, dtype=np.int64))

    def run(self) -> Candidates:
        n = len(self.tasks)
        remaining = np.zeros((n, len(LADDER)), dtype=np.int64)
        remaining[:, :3] = self._before_the_map()
        alone = np.zeros(n, dtype=np.int64)
        kept: list[tuple[Array, Array, Array]] = []
        for task, base, go in self._in_circle():
            task, who, go = self._people(task, base, go)
            keep = self._may(task, who)
            task, who, go = task[keep], who[keep], go[keep]
            remaining[:, 3] += np.bincount(task, minlength=n)
            back = self.people.travel.pairs(
                self.place[task], self.people.bases[self.people.base_of[who]]
            )
            fits, sound = self._fits(task, who, go.astype(np.int64), back.astype(np.int64))
            remaining[:, 4] += np.bincount(task[fits], minlength=n)
            alone += np.bincount(task[sound], minlength=n)
            kept.append(self._nearest(task[sound], who[sound], go[sound]))
        if kept:
            task, who, go = (np.concatenate(each) for each in zip(*kept, strict=True))
        else:
            task = who = go = np.empty(0, dtype=np.int64)
        first = np.zeros(n + 1, dtype=np.int64)
        np.cumsum(np.bincount(task, minlength=n), out=first[1:])
        return Candidates(first, who.astype(np.int32), go.astype(np.int32), remaining, alone)

    def _before_the_map(self) -> Array:
        """Return n x 3: how many have the skills, may go by name, and are of an asked vendor."""
        counts = np.zeros((len(self.tasks), 3), dtype=np.int64)
        if not len(self.tasks) or not len(self.people.problem.caregivers):
            return counts
        by_vendor = self.can.astype(np.int64) @ self.people.group_size
        counts[:, 0] = counts[:, 1] = by_vendor.sum(axis=1)[self.needs_of]
        both, which = np.unique(
            np.stack([self.needs_of, self.asked_of]), axis=1, return_inverse=True
        )
        wanted = [by_vendor[need, self.wanted[asked]].sum() for need, asked in both.T]
        counts[:, 2] = np.array(wanted, dtype=np.int64)[which.ravel()]
        n = len(self.people.problem.caregivers)
        task, who = self.shut_out // n, self.shut_out % n
        able = self.can[self.needs_of[task], self.people.skill_of[who]]
        np.subtract.at(counts[:, 1], task[able], 1)
        able &= self._asked(task, who)
        np.subtract.at(counts[:, 2], task[able], 1)
        counts[self.settled, 1:] = 0
        task, who = self.named // n, self.named % n
        able = self.can[self.needs_of[task], self.people.skill_of[who]]
        able &= ~_among(self.named, self.shut_out)
        np.add.at(counts[:, 1], task[able], 1)
        able &= self._asked(task, who)
        np.add.at(counts[:, 2], task[able], 1)
        return counts

    def _asked(self, task: Array, who: Array) -> Array:
        """Return for each pair whether the caregiver's vendor is one that the task asks for."""
        return _among(
            self.asked_of[task] * len(self.people.vendors) + self.people.vendor_of[who], self.asks
        )

    def _in_circle(self) -> Iterator[tuple[Array, Array, Array]]:
        """Yield (task, base, seconds) of all pairs within the circle, tasks ascending."""
        n, m = len(self.tasks), len(self.people.bases)
        if not n or not m:
            return
        circle = self.people.problem.circle_s
        if self.people.problem.places.seconds is not None:
            step = max(1, _PAIRS_AT_ONCE // m)
            for at in range(0, n, step):
                block = self.people.travel.block(self.people.bases, self.place[at : at + step]).T
                task, base = np.nonzero(block <= circle)
                yield from self._split(task + at, base, block[task, base])
            return
        model = self.people.problem.travel
        spots, tree = self.people.spots, self.people.tree
        # The chord is never longer than the geodesic, so nobody within the circle is missed.
        reach = max(0.0, (circle - model.stop_s) * model.speed_mps / model.detour) + 1e-3
        near = tree.query_ball_point(spots.xyz[:, self.place].T, reach, return_length=True)
        # The steps of the running total that chunks end at.
        ends = np.cumsum(near)
        start = 0
        while start < n:
            done = ends[start - 1] if start else 0
            end = max(start + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, "right")))
            points = spots.xyz[:, self.place[start:end]].T
            lists = tree.query_ball_point(points, reach, return_sorted=True)
            task = np.repeat(np.arange(start, end), near[start:end])
            base = np.concatenate([np.array(each, dtype=np.int64) for each in lists])
            seconds = self.people.travel.pairs(self.people.bases[base], self.place[task])
            inside = seconds <= circle
            yield from self._split(task[inside], base[inside], seconds[inside])
            start = end

    def _split(
        self, task: Array, base: Array, seconds: Array
    ) -> Iterator[tuple[Array, Array, Array]]:
        """Yield the pairs again, cut between tasks so that few enough people stand behind each."""
        people = np.cumsum(self.people.base_first[base + 1] - self.people.base_first[base])
        start = 0
        while start < len(task):
            done = people[start - 1] if start else 0
            end = int(np.searchsorted(people, done + _PEOPLE_AT_ONCE, "right"))
            if end < len(task):
                whole = int(np.searchsorted(task, task[end], "left"))
                end = whole if whole > start else int(np.searchsorted(task, task[start], "right"))
            yield task[start:end], base[start:end], seconds[start:end]
            start = end

    def _people(self, task: Array, base: Array, go: Array) -> tuple[Array, Array, Array]:
        """Return (task, caregiver, seconds): each pair with a base spread over who starts there."""
        size = self.people.base_first[base + 1] - self.people.base_first[base]
        ends = np.cumsum(size)
        offset = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - size, size)
        who = self.people.by_base[np.repeat(self.people.base_first[base], size) + offset]
        return np.repeat(task, size), who, np.repeat(go, size)

    def _may(self, task: Array, who: Array) -> Array:
        """Return for each pair whether skill, name and vendor allow it."""
        n = len(self.people.problem.caregivers)
        keep = self.can[self.needs_of[task], self.people.skill_of[who]]
        keep &= self._asked(task, who)
        keys = task * n + who
        keep &= ~_among(keys, self.shut_out)
        keep &= ~self.settled[task] | _among(keys, self.named)
        return keep

    def _fits(self, task: Array, who: Array, go: Array, back: Array) -> tuple[Array, Array]:
        """Return for each pair whether a shift has time for it, and whether all else is kept."""
        fits = np.zeros(len(task), dtype=bool)
        sound = np.zeros(len(task), dtype=bool)
        way = go + back
        has_load = self.load_place[task] >= 0
        to_load = np.zeros(len(task), dtype=np.int64)
        from_load = np.zeros(len(task), dtype=np.int64)
        if has_load.any():
            at = np.flatnonzero(has_load)
            kitchen = self.load_place[task[at]]
            base = self.people.bases[self.people.base_of[who[at]]]
            to_load[at] = self.people.travel.pairs(base, kitchen)
            from_load[at] = self.people.travel.pairs(kitchen, self.place[task[at]])
            way = np.where(has_load, to_load + from_load + back, way)
        others = self.service[task] + way <= self.people.max_work[who]
        others &= ~has_load | (
            (from_load <= self.hold_s[task]) & (self.units[task] <= self.people.capacity[who])
        )
        for shift in range(self.people.shifts.shape[1]):
            begin, end = self.people.shifts[who, shift, 0], self.people.shifts[who, shift, 1]
            latest = end - back - self.service[task]
            soonest = begin + go
            fetched = np.maximum(begin + to_load, self.ready_s[task]) + from_load
            soonest_loaded = np.where(has_load, fetched, soonest)
            for window in range(self.windows.shape[1]):
                opens, closes = self.windows[task, window, 0], self.windows[task, window, 1]
                last = np.minimum(closes, latest)
                fits |= np.maximum(opens, soonest) <= last
                sound |= (np.maximum(opens, soonest_loaded) <= last) & others
        return fits, sound & fits

    def _nearest(self, task: Array, who: Array, go: Array) -> tuple[Array, Array, Array]:
        order = np.lexsort((who, go, task))
        task, who, go = task[order], who[order], go[order]
        if self.most is not None and len(task):
            rank = np.arange(len(task)) - np.searchsorted(task, task)
            keep = rank < self.most
            task, who, go = task[keep], who[keep], go[keep]
        return task, who.astype(np.int32), go.astype(np.int32)


def _starts(task: Task) -> tuple[tuple[int, int], ...]:
    """Return the windows of the start, narrowed to the second where it is settled."""
    if task.fixed is None or task.fixed.start_s is None:
        return task.windows
    start = task.fixed.start_s
    inside = any(opens <= start <= closes for opens, closes in task.windows)
    return ((start, start),) if inside else ()


def _among(keys: Array, chosen: Array) -> Array:
    """Return for each key whether it is among ``chosen``, which is sorted."""
    if not len(chosen):
        return np.zeros(len(keys), dtype=bool)
    at = np.searchsorted(chosen, keys)
    at[at == len(chosen)] = 0
    return chosen[at] == keys


def _numbered(values: Sequence[object]) -> tuple[list, Array]:
    """Return the distinct values and, for each, its number among them."""
    number: dict[object, int] = {}
    of = np.array([number.setdefault(value, len(number)) for value in values], dtype=np.int64)
    return list(number), of


def _padded(lists: Sequence[Sequence[tuple[int, int]]]) -> Array:
    """Return intervals as n x most x 2; those missing are empty ones, (1, 0) far in the past."""
    most = max((len(each) for each in lists), default=0)
    table = np.empty((len(lists), most, 2), dtype=np.int64)
    # An interval that ends far before it begins stays empty whatever travel is added.
    table[:, :, 0], table[:, :, 1] = 1 << 50, -(1 << 50)
    for at, intervals in enumerate(lists):
        for number, each in enumerate(intervals):
            table[at, number] = each
    return table


def _numbers(values: Sequence[int | None], none: int) -> Array:
    return np.array([none if value is None else value for value in values], dtype=np.int64)
