"""Who can be priced as one: equal shifts as classes, and the parts of the day that never meet.

Two shifts are one class when they start and end alike and may serve the same tasks at the same
cost. Shifts and tasks that no chain of eligibility joins are parts of their own: bounds of parts
add up, and so do their best routes. What a caregiver's shifts share (work limit, a rest that
overlaps two of them) is relaxed here; `Split.relaxed` names it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from dispatch.engine.network import Net
from dispatch.engine.ways import Surroundings
from dispatch.model import Caregiver, Problem, Task

Array = np.ndarray
Span = tuple[int, int]

MOST_SOURCES = 24
NO_LIMIT = 1 << 30

CREWS = "crews: members may come at different times"
HOLD = "hold: time on the way counts travel and service, not waiting"
LOADS = "loads: nothing is fetched, held or counted"
MANY_LOADS = f"loads: not counted where a shift can load at more than {MOST_SOURCES} places"
WORK = "work: the daily limit of those whose shifts exceed it"
REST = "rest: where two shifts overlap its window"


@dataclass(frozen=True, slots=True)
class ShiftClass:
    """Equal shifts: ``tasks`` (of the problem, ascending) are nodes 0.. of ``net``.

    ``members`` are (caregiver, shift) by number; ``sources``, the nodes after the tasks, are
    (place, ready second).
    """

    net: Net
    tasks: Array
    members: tuple[tuple[int, int], ...]
    sources: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """How many routes of this class there can be."""
        return len(self.members)


@dataclass(frozen=True, slots=True)
class Part:
    """Tasks (by number, ascending) and the classes that may serve them, joined by eligibility.

    ``crews[i]`` must come to task i, or ``penalty`` x ``priorities[i]`` is paid.
    """

    tasks: Array
    classes: tuple[ShiftClass, ...]
    crews: Array
    priorities: Array
    penalty: int


@dataclass(slots=True)
class Split:
    """The parts, largest first, the tasks nobody can serve, and the rules that were relaxed."""

    parts: list[Part] = field(default_factory=list)
    hopeless: list[int] = field(default_factory=list)
    relaxed: set[str] = field(default_factory=set)


def split_day(problem: Problem, *, loads: bool = True) -> Split:
    """Return the day in parts.

    Without ``loads`` what is fetched and held is relaxed as well, and pricing is simpler.
    """
    return _Splitter(problem, loads).run()


class _Splitter:
    """One run; a class so that the steps share the problem and what they relax."""

    def __init__(self, problem: Problem, loads: bool) -> None:
        self.problem, self.loads = problem, loads
        self.relaxed: set[str] = set()
        self.around = Surroundings(problem)
        starts = [_starts(task) for task in problem.tasks]
        self.first = np.array([each[0][0] if each else 1 << 40 for each in starts], np.int64)
        self.last = np.array([each[-1][1] if each else -1 for each in starts], np.int64)
        self.ready = np.array([0 if t.load is None else t.load.ready_s for t in problem.tasks])
        self.hold = np.array(
            [NO_LIMIT if t.load is None else t.load.hold_s for t in problem.tasks], np.int64
        )
        self.service = np.array([task.service_s for task in problem.tasks], np.int64)

    def run(self) -> Split:
        """Return the day in parts."""
        grouped: dict[tuple, list[tuple[int, int]]] = defaultdict(list)
        eligible = self._eligible()
        for at, caregiver in enumerate(self.problem.caregivers):
            mine = eligible[at].tobytes()
            for shift, span in enumerate(caregiver.shifts):
                rest = self._rest_inside(caregiver, span)
                key = (
                    caregiver.base,
                    span,
                    rest,
                    mine,
                    self._capacity(caregiver, eligible[at]),
                    self._preferring(caregiver, eligible[at]),
                )
                grouped[key].append((at, shift))
        classes: dict[tuple, tuple[Net, Array, tuple, list[tuple[int, int]]]] = {}
        for (base, span, rest, _, capacity, _), members in grouped.items():
            at = members[0][0]
            fitting = self._fitting(base, span, eligible[at])
            if not fitting:
                continue
            tasks = np.array(list(fitting), np.int64)
            caregiver = self.problem.caregivers[at]
            key = (base, span, rest, capacity, tasks.tobytes(), self._preferring(caregiver, tasks))
            if key not in classes:
                sources = self._sources(tasks)
                net = self._net(span, rest, caregiver, fitting, sources)
                classes[key] = (net, tasks, sources, [])
            classes[key][3].extend(members)
            self._name_relaxed(members, tasks)
        made = [
            ShiftClass(net, tasks, tuple(sorted(members)), sources)
            for net, tasks, sources, members in classes.values()
        ]
        return self._join(made)

    def _eligible(self) -> list[Array]:
        """Return for each caregiver the tasks that skill, vendor, circle and choice allow."""
        tasks = self.problem.tasks
        found = [
            [int(j) for j in self.around.of(each.base).tasks if may_serve(each, tasks[j])]
            for each in self.problem.caregivers
        ]
        crews = {j for j, task in enumerate(tasks) if task.crew > 1}
        have: dict[tuple[int, str], int] = defaultdict(int)
        for at, caregiver in enumerate(self.problem.caregivers):
            for j in crews.intersection(found[at]):
                have[j, caregiver.vendor] += 1
        for at, caregiver in enumerate(self.problem.caregivers):
            found[at] = [
                j for j in found[at] if j not in crews or have[j, caregiver.vendor] >= tasks[j].crew
            ]
        return [np.array(each, np.int64) for each in found]

    def _capacity(self, caregiver: Caregiver, tasks: Array) -> int | None:
        """Return the capacity where any of the tasks is loaded, else None."""
        loaded = self.loads and any(self.problem.tasks[j].load is not None for j in tasks)
        return caregiver.capacity if loaded else None

    def _preferring(self, caregiver: Caregiver, tasks: Array) -> tuple[int, ...]:
        return tuple(int(j) for j in tasks if caregiver.id in self.problem.tasks[j].preferred)

    def _rest_inside(self, caregiver: Caregiver, span: Span) -> tuple[int, int, int] | None:
        """Return the rest that a route of this shift must leave room for, or None."""
        rest = caregiver.rest
        if rest is None:
            return None
        free_from = rest.start_s
        touched = []
        for start, end in caregiver.shifts:
            if end <= rest.start_s or start >= rest.end_s:
                continue
            if start - free_from >= rest.lasts_s:
                return None
            touched.append((start, end))
            free_from = end
        if rest.end_s - free_from >= rest.lasts_s or span not in touched:
            return None
        if len(touched) > 1:
            self.relaxed.add(REST)
            return None
        return rest.start_s, rest.end_s, rest.lasts_s

    def _fitting(self, base: int, span: Span, tasks: Array) -> dict[int, list[Span]]:
        """Return the tasks that fit into the shift, each with its windows cut to what fits."""
        near = self.around.of(base).at(tasks)
        first = span[0] + near.out
        last = span[1] - self.service[tasks] - near.back
        fits = np.ones(len(tasks), bool)
        if self.loads:
            loaded = self.around.has_load[tasks]
            fetched = np.maximum(self.ready[tasks], span[0] + near.to_load) + near.leg
            first = np.where(loaded, np.maximum(first, fetched), first)
            fits = near.leg <= self.hold[tasks]
        fits &= np.maximum(first, self.first[tasks]) <= np.minimum(last, self.last[tasks])
        fitting = {}
        for k in np.flatnonzero(fits):
            j = int(tasks[k])
            cut = [
                (max(start, int(first[k])), min(end, int(last[k])))
                for start, end in _starts(self.problem.tasks[j])
            ]
            windows = [(start, end) for start, end in cut if start <= end]
            if windows:
                fitting[j] = windows
        return fitting

    def _sources(self, tasks: Array) -> tuple[tuple[int, int], ...]:
        """Return the (place, ready second) pairs of the tasks' loads, in order."""
        loads = [self.problem.tasks[j].load for j in tasks]
        found = {(load.place, load.ready_s) for load in loads if load is not None}
        if not self.loads or len(found) > MOST_SOURCES:
            return ()
        return tuple(sorted(found))

    def _net(
        self,
        span: Span,
        rest: tuple[int, int, int] | None,
        caregiver: Caregiver,
        fitting: dict[int, list[Span]],
        sources: tuple[tuple[int, int], ...],
    ) -> Net:
        """Return the flat arrays of one class."""
        wanted = [self.problem.tasks[j] for j in fitting]
        m, n = len(wanted), len(wanted) + len(sources)
        nodes = np.array([t.place for t in wanted] + [place for place, _ in sources], np.int64)
        travel = self.around.ways.block(np.append(nodes, caregiver.base))
        windows = list(fitting.values()) + [[(ready, span[1])] for _, ready in sources]
        flat = [window for each in windows for window in each]
        number = {source: k for k, source in enumerate(sources)}
        needs, gives = np.zeros(n, np.int64), np.zeros(n, np.int64)
        units, hold = np.zeros(n, np.int64), np.full(n, NO_LIMIT, np.int64)
        toll = np.zeros(n)
        for k, task in enumerate(wanted):
            if task.load is not None and sources:
                needs[k] = 1 << number[task.load.place, task.load.ready_s]
                units[k], hold[k] = task.load.units, min(task.load.hold_s, NO_LIMIT)
            if task.preferred and caregiver.id not in task.preferred:
                toll[k] = self.problem.weights.unpreferred
        for place, ready in sources:
            gives[m + number[place, ready]] = sum(
                1 << number[p, r] for p, r in sources if p == place and r <= ready
            )
        return Net(
            tasks=m,
            travel=travel[:n, :n].copy(),
            out=travel[n, :n].copy(),
            back=travel[:n, n].copy(),
            service=np.array([t.service_s for t in wanted] + [0] * len(sources), np.int64),
            window_from=np.cumsum([0] + [len(each) for each in windows], dtype=np.int64),
            opens=np.array([start for start, _ in flat], np.int64),
            closes=np.array([end for _, end in flat], np.int64),
            toll=toll,
            needs=needs,
            gives=gives,
            units=units,
            hold=hold,
            capacity=NO_LIMIT if caregiver.capacity is None else min(caregiver.capacity, NO_LIMIT),
            shift_from=span[0],
            shift_to=span[1],
            rest_from=rest[0] if rest else 0,
            rest_to=rest[1] if rest else 0,
            rest_s=rest[2] if rest else 0,
            per_second=self.problem.weights.travel,
        )

    def _name_relaxed(self, members: list[tuple[int, int]], tasks: Array) -> None:
        """Note the rules that this class does not count."""
        loads = [t.load for t in (self.problem.tasks[j] for j in tasks) if t.load is not None]
        if loads and not self.loads:
            self.relaxed.add(LOADS)
        elif loads:
            self.relaxed.add(HOLD if self._sources(tasks) else MANY_LOADS)
        if any(self.problem.tasks[j].crew > 1 for j in tasks):
            self.relaxed.add(CREWS)
        for at, _ in members:
            caregiver = self.problem.caregivers[at]
            longest = sum(end - start for start, end in caregiver.shifts)
            if caregiver.max_work_s is not None and longest > caregiver.max_work_s:
                self.relaxed.add(WORK)

    def _join(self, classes: list[ShiftClass]) -> Split:
        """Sort classes and tasks into parts by their chains of eligibility."""
        n = len(self.problem.tasks)
        owner = np.repeat(np.arange(len(classes)), [len(each.tasks) for each in classes])
        tasks = np.concatenate([each.tasks for each in classes] or [np.zeros(0, np.int64)])
        size = n + len(classes)
        ones = np.ones(len(tasks), np.int8)
        graph = coo_matrix((ones, (tasks, n + owner)), shape=(size, size))
        _, label = connected_components(graph, directed=False)
        inside: dict[int, list[ShiftClass]] = defaultdict(list)
        for at, each in enumerate(classes):
            inside[int(label[n + at])].append(each)
        members: dict[int, list[int]] = defaultdict(list)
        for j in range(n):
            members[int(label[j])].append(j)
        split = Split(relaxed=self.relaxed)
        for key, mine in members.items():
            if key in inside:
                tasks = [self.problem.tasks[j] for j in mine]
                split.parts.append(
                    Part(
                        tasks=np.array(mine, np.int64),
                        classes=tuple(inside[key]),
                        crews=np.array([task.crew for task in tasks], np.int64),
                        priorities=np.array([task.priority for task in tasks], np.int64),
                        penalty=self.problem.weights.unassigned,
                    )
                )
            else:
                split.hopeless.extend(mine)
        split.parts.sort(key=lambda part: -len(part.tasks))
        return split


def may_serve(caregiver: Caregiver, task: Task) -> bool:
    """Say whether skill, vendor, exclusion, capacity and what is fixed leave the two together."""
    if caregiver.id in task.forbidden or not task.skills <= caregiver.skills:
        return False
    if task.vendors is not None and caregiver.vendor not in task.vendors:
        return False
    settled = task.fixed is not None and len(task.fixed.caregivers) == task.crew
    if settled and caregiver.id not in task.fixed.caregivers:
        return False
    if task.load is not None and caregiver.capacity is not None:
        return task.load.units <= caregiver.capacity
    return True


def _starts(task: Task) -> tuple[Span, ...]:
    """Return the windows, narrowed to the second where the start is settled."""
    if task.fixed is None or task.fixed.start_s is None:
        return task.windows
    at = task.fixed.start_s
    return ((at, at),) if any(start <= at <= end for start, end in task.windows) else ()
