"""Searching one block: from the days it is given to the best days found."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from dispatch.engine.kernel.draws import stream
from dispatch.engine.kernel.facts import (
    CELL,
    DAY,
    DRAFT,
    KEPT,
    MARK,
    NOBODY,
    OPTION,
    OUT,
    TOUCHED,
    TWIN,
    Best,
    Days,
    Desk,
    Facts,
)
from dispatch.engine.kernel.handover import clear, drop_halves, read_times, take_over
from dispatch.engine.kernel.insertion import share_cost
from dispatch.engine.kernel.search import advance, construct, keep_best, note_stale
from dispatch.engine.kernel.trips import IMPOSSIBLE
from dispatch.engine.tuning import Tuning
from dispatch.engine.whole import Block

Array = np.ndarray
CHUNK = 500
"""Iterations between two looks at the clock, at first."""
LOOK_S = 0.05
MOST_SEEN = 20_000
"""Days of a block that are remembered for recombination."""
OPTIONS = 4_096
"""Ways for a crew to come that are looked at for one task."""
COLD = 1.0 / 300.0
"""The last temperature as a part of the first."""
STANDARD = Tuning()


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to search: by iterations, or by seconds where ``iterations`` is None.

    The temperature falls from ``hot`` to ``cold``, parts of the block's own. ``collect`` keeps
    distinct days that were held while it was cool, for a `RoutePool`.
    """

    iterations: int | None = None
    seconds: float = 0.0
    hot: float = 1.0
    cold: float = COLD
    collect: bool = False


@dataclass(frozen=True, slots=True)
class Times:
    """The earliest schedule of a day: one entry a code of the day, and one for END.

    ``begin`` is the start of service (arrival at a gap and END), ``go`` the travel from the stop
    before. ``rest`` is 3 x position + kind as `kernel.trips.schedule` returns it, with START at
    position 0; -1 where no rest stop is needed.
    """

    begin: Array
    go: Array
    rest: int


@dataclass(frozen=True, slots=True)
class Found:
    """The best days of a block in the whole problem's codes, and the starts of its crews."""

    days: dict[int, Array]
    times: dict[int, Times]
    starts: dict[int, int]
    cost: float
    iterations: int
    seen: list[tuple[int, Array]]


class Searcher:
    """A block on the desk: its days, and the search that goes on over them."""

    def __init__(self, block: Block, seeds: tuple[int, ...], tuning: Tuning = STANDARD) -> None:
        self.block = block
        self.facts = block.facts
        self.days = _new_days(block.facts, stream(*seeds))
        self.desk = _new_desk(block.facts, tuning)
        self.best = _new_best(block.facts)
        self.has_crews = bool((block.facts.task["crew"] > 1).any())
        self.iterations = 0
        self.seen: dict[tuple[int, bytes], None] = {}
        clear(self.facts, self.days)

    def enter(self, days: Mapping[int, Array], starts: Mapping[int, int]) -> None:
        """Take over days in the whole problem's codes; a day that breaks a rule is left empty."""
        task_number = {int(task): at for at, task in enumerate(self.block.tasks)}
        kitchen_number = {int(place): at for at, place in enumerate(self.block.kitchens)}
        total = self.block.total_tasks
        for c, who in enumerate(self.block.caregivers):
            codes = days.get(int(who))
            if codes is None or not len(codes):
                continue
            nodes = []
            for code in codes.tolist():
                if code >= total:
                    nodes.append(len(task_number) + kitchen_number[code - total])
                else:
                    nodes.append(code if code < 0 else task_number[code])
            for node in nodes:
                if 0 <= node < len(task_number) and self.facts.task[node]["crew"] > 1:
                    self.days.start[node] = starts[int(self.block.tasks[node])]
            take_over(self.facts, self.days, self.desk, c, np.array(nodes, dtype=np.int64))
        drop_halves(self.facts, self.days, self.desk)

    def begin(self) -> None:
        """Place greedily what is not placed yet."""
        absent = self.days.member[:, 0] == NOBODY
        day = self.days.day
        self.best.cost[0] = float(
            self.facts.task["penalty"][absent].sum()
            + (self.facts.weight[0] * day["travel"] + day["extra"]).sum()
            + share_cost(self.facts, self.days)
        )
        self.best.cost[1] = np.inf
        for c in range(len(self.block.caregivers)):
            note_stale(self.best, c)
        construct(self.facts, self.days, self.desk, self.best)
        if self.best.cost[1] == np.inf:
            keep_best(self.facts, self.days, self.best)

    def run(self, budget: Budget, stop: Callable[[], bool] | None = None) -> None:
        """Search until the budget is used or *stop* says so."""
        if budget.iterations is not None:
            self._run_iterations(budget, stop)
        else:
            self._run_seconds(budget, stop)

    def _advance(self, iterations: int, hot: float, cold: float) -> None:
        scale = self.block.hot
        advance(
            self.facts,
            self.days,
            self.desk,
            self.best,
            iterations,
            hot * scale,
            cold * scale,
            self.has_crews,
        )
        self.iterations += iterations

    def _run_iterations(self, budget: Budget, stop: Callable[[], bool] | None) -> None:
        total = budget.iterations or 0
        done = 0
        while done < total and not (stop and stop()):
            some = min(5 * CHUNK, total - done)
            hot = _between(budget, done / total)
            done += some
            self._advance(some, hot, _between(budget, done / total))
            if budget.collect and 2 * done > total:
                self._remember()

    def _run_seconds(self, budget: Budget, stop: Callable[[], bool] | None) -> None:
        started = time.perf_counter()
        chunk = CHUNK // 5
        spent = 0.0
        while spent < budget.seconds and not (stop and stop()):
            hot = _between(budget, spent / budget.seconds)
            ahead = min(1.0, (spent + LOOK_S) / budget.seconds)
            self._advance(chunk, hot, _between(budget, ahead))
            now = time.perf_counter() - started
            rate = chunk / max(now - spent, 1e-6)
            spent = now
            if budget.collect and 2.0 * spent > budget.seconds:
                self._remember()
            chunk = max(1, int(rate * min(LOOK_S, max(budget.seconds - spent, 1e-3))))

    def _remember(self) -> None:
        """Keep the days as they stand now, unless they were seen before."""
        node, size = self.days.cell["node"], self.days.day["size"].tolist()
        for c, row in enumerate(self.facts.person["row"].tolist()):
            if len(self.seen) == MOST_SEEN:
                return
            self.seen[c, node[row + 1 : row + size[c] - 1].tobytes()] = None

    def _codes(self, nodes: Array) -> Array:
        """Return a day's nodes in the codes of the whole problem."""
        n = len(self.block.tasks)
        codes = nodes.astype(np.int64)
        is_task = (nodes >= 0) & (nodes < n)
        codes[is_task] = self.block.tasks[nodes[is_task]]
        codes[nodes >= n] = self.block.total_tasks + self.block.kitchens[nodes[nodes >= n] - n]
        return codes

    def found(self) -> Found:
        """Return the best days so far, with their earliest schedules."""
        f, best, block = self.facts, self.best, self.block
        seen = [
            (int(block.caregivers[c]), self._codes(np.frombuffer(nodes, dtype=np.int32)))
            for c, nodes in self.seen
        ]
        found = Found({}, {}, {}, float(best.cost[1]), self.iterations, seen)
        # The search may go on from where it stands: only the agreed starts are those of the best.
        now = self.days.start.copy()
        self.days.start[:] = best.start
        for c, who in enumerate(block.caregivers.tolist()):
            row, size = int(f.person[c]["row"]), int(best.day[c]["size"])
            nodes = best.node[row + 1 : row + size - 1].astype(np.int64)
            if not (nodes >= 0).any():
                found.days[who] = nodes[:0]
                continue
            found.days[who] = self._codes(nodes)
            begin, go = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
            rest = read_times(f, self.days, self.desk, c, best.node[row : row + size], begin, go)
            if rest == IMPOSSIBLE:
                raise RuntimeError(f"the day of caregiver {who} has no schedule")
            found.times[who] = Times(begin[1:], go[1:], rest)
            for node in nodes.tolist():
                if 0 <= node < len(f.task) and f.task[node]["crew"] > 1:
                    found.starts[int(block.tasks[node])] = int(best.start[node])
        self.days.start[:] = now
        return found


def search_block(
    block: Block,
    seeds: tuple[int, ...],
    budget: Budget,
    days: Mapping[int, Array],
    starts: Mapping[int, int],
    stop: Callable[[], bool] | None = None,
) -> Found:
    """Search a block from the given days on; all arguments but *stop* can cross processes."""
    searcher = Searcher(block, seeds)
    searcher.enter(days, starts)
    searcher.begin()
    searcher.run(budget, stop)
    return searcher.found()


def _between(budget: Budget, part: float) -> float:
    """Return the temperature when that part of the budget is used."""
    return budget.hot * (budget.cold / budget.hot) ** min(1.0, part)


def _new_days(f: Facts, draw: Array) -> Days:
    return Days(
        cell=np.zeros(_cells(f), dtype=CELL),
        day=np.zeros(len(f.person), dtype=DAY),
        member=np.full((len(f.task), _crew(f)), NOBODY, dtype=np.int32),
        start=np.zeros(len(f.task), dtype=np.int64),
        served=np.zeros(_vendors(f), dtype=np.int64),
        draw=draw,
    )


def _new_desk(f: Facts, tuning: Tuning) -> Desk:
    people, tasks = len(f.person), len(f.task)
    longest = int(f.person["room"].max(initial=0)) + 4
    mark = np.zeros(people, dtype=MARK)
    mark["touched"] = mark["ruined"] = -1
    twin = np.zeros(int(f.person["twin"].max(initial=-1)) + 1, dtype=TWIN)
    twin["mark"] = -1
    return Desk(
        cell=np.zeros(longest, dtype=DRAFT),
        stamp=np.zeros(2, dtype=np.int64),
        touch=np.zeros(people, dtype=TOUCHED),
        backup=np.zeros(_cells(f), dtype=np.int32),
        mark=mark,
        out=np.zeros(tasks, dtype=OUT),
        was=np.zeros((tasks, _crew(f)), dtype=np.int32),
        gone=np.full(tasks, -1, dtype=np.int64),
        key=np.zeros(max(tasks, OPTIONS)),
        order=np.zeros(tasks, dtype=np.int64),
        rank=np.zeros(OPTIONS, dtype=np.int64),
        twin=twin,
        option=np.zeros(OPTIONS, dtype=OPTION),
        pick=np.zeros(_crew(f), dtype=np.int64),
        chosen=np.zeros(_crew(f), dtype=np.int64),
        served=np.zeros(_vendors(f), dtype=np.int64),
        count=np.zeros(4, dtype=np.int64),
        knob=tuning.knobs(),
    )


def _new_best(f: Facts) -> Best:
    people = len(f.person)
    return Best(
        node=np.zeros(_cells(f), dtype=np.int32),
        day=np.zeros(people, dtype=KEPT),
        start=np.zeros(len(f.task), dtype=np.int64),
        stale=np.zeros(people, dtype=np.int64),
        count=np.zeros(1, dtype=np.int64),
        cost=np.zeros(2),
    )


def _cells(f: Facts) -> int:
    return int(f.person["room"].sum(dtype=np.int64))


def _vendors(f: Facts) -> int:
    return max(len(f.share_goal), int(f.person["vendor"].max(initial=-1)) + 1)


def _crew(f: Facts) -> int:
    return max(1, int(f.task["crew"].max(initial=1)))
