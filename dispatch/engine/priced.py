"""A class of equal shifts, priced: quickly to find routes, to the end to prove there is none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dispatch.engine.classes import ShiftClass
from dispatch.engine.completion import completion_floor
from dispatch.engine.master import Column, Prices
from dispatch.engine.memory import ClassMemory
from dispatch.engine.network import Net, Pool, make_pool
from dispatch.engine.pricing import best_labels, cheapest_routes, trace

Path = tuple[int, ...]

NEIGHBOURS = 8
NEAR_ARCS = 14
MOST_STEP_S = 240
LEAST_STEP_S = 20
LIGHT_TASKS = 8
LIGHT_LABELS = 2_000
HEAVY_LABELS = 20_000
ALL = 1 << 40

_pools: dict[int, Pool] = {}


def _pool(words: int) -> Pool:
    """Return this process's label buffers, wide enough for ``words``."""
    wide = max(4, words)
    if wide not in _pools:
        _pools.clear()
        _pools[wide] = make_pool(words=wide)
    return _pools[wide]


class PricedClass:
    """A class with its memory and what its pricing needs again and again."""

    def __init__(self, shift_class: ShiftClass, row_of: dict[int, int], near: np.ndarray | None):
        self.net: Net = shift_class.net
        self.size = shift_class.size
        self.rows = np.array([row_of[int(j)] for j in shift_class.tasks], np.int64)
        self.memory = ClassMemory(self.net, self.rows, NEIGHBOURS)
        if near is not None:
            self.memory.near = near
        self._feasible, shortest = _arcs(self.net)
        self.step = min(shortest, MOST_STEP_S)
        if self.step < LEAST_STEP_S:
            self.step = 0
        self._all_near = _packed(self._feasible, None)
        # A class is light when its last exact pricing took few labels: then it needs no quick one.
        self.light = len(self.rows) <= LIGHT_TASKS

    def visit(self, prices: Prices) -> np.ndarray:
        """Return the cost of a visit at each node: toll less price."""
        visit = self.net.toll.copy()
        visit[: len(self.rows)] -= prices.task[self.rows]
        return visit

    def quick(self, prices: Prices, most: int) -> tuple[float, list[Path]]:
        """Return (least found, paths below 0, cheapest first): fast, and no bound."""
        visit = self.visit(prices)
        memory = self.memory.compiled(prices.cut)
        memory = memory._replace(keep=np.full_like(memory.keep, ~np.uint64(0)))
        near = self._all_near
        if len(visit) > NEAR_ARCS:
            near = _packed(self._feasible, self._promise(prices))
        pool = _pool(memory.keep.shape[1])
        least, _, settled, _ = cheapest_routes(
            self.net, memory, visit, near, np.zeros((0, 0)), self.step, 0.0, False, pool, ALL
        )
        return least, self._paths(pool, settled, 0.0, most, 3)

    def exact(
        self, prices: Prices, known: float, most: int, *, labels: int = ALL, per_node: int = 3
    ) -> tuple[float, list[Path], bool]:
        """Return (no ng-route costs less, some paths, whether ``labels`` sufficed).

        The first is at most ``known``; where labels did not suffice it is what the floor alone
        says, which is valid too. Paths are cheapest first, up to ``most`` and ``per_node``.
        """
        visit = self.visit(prices)
        weak, floor = self._floor(visit)
        if weak >= known:
            return known, [], True
        memory = self.memory.compiled(prices.cut)
        pool = _pool(memory.keep.shape[1])
        least, used, settled, complete = cheapest_routes(
            self.net, memory, visit, self._all_near, floor, self.step, known, True, pool, labels
        )
        self.light = complete and used <= LIGHT_LABELS
        paths = []
        if least < known:
            paths = self._paths(pool, settled, max(known, 0.0), most, per_node)
        return (least if complete else weak), paths, complete

    def floor(self, prices: Prices) -> float:
        """Return what no route costs less than, quickly: without memory, loads and cuts."""
        return self._floor(self.visit(prices))[0]

    def _floor(self, visit: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the least that a route can cost, and the floor under labels (maybe empty)."""
        # Each task pays its price once, and whatever the way costs.
        weak = -float(np.maximum(-visit, 0.0).sum())
        if not self.step:
            return weak, np.zeros((0, 0))
        # Cut prices only make routes dearer, so the floor without them holds with them.
        floor, least = completion_floor(self.net, visit, self.step)
        return max(weak, least), floor

    def cost(self, path: Sequence[int]) -> int:
        """Return the cost of travel and tolls along a path of nodes."""
        net = self.net
        seconds = net.out[path[0]] + net.back[path[-1]]
        seconds += net.travel[list(path[:-1]), list(path[1:])].sum()
        return int(seconds) * net.per_second + int(net.toll[list(path)].sum())

    def column(self, number: int, path: Sequence[int]) -> Column:
        """Return the column of a path; ``number`` is this class's in its part."""
        rows = tuple(int(self.rows[j]) for j in path if j < len(self.rows))
        return Column(number, tuple(path), self.cost(path), rows)

    def _paths(
        self, pool: Pool, settled: np.ndarray, below: float, most: int, per_node: int
    ) -> list[Path]:
        """Return paths of routes that cost less than ``below``, one for a set of tasks."""
        _, labels = best_labels(self.net, pool, settled, per_node, below)
        seen: set[Path] = set()
        paths: list[Path] = []
        for label in labels[: 3 * most]:
            path = tuple(trace(pool, label).tolist())
            key = tuple(sorted(x for x in path if x < len(self.rows)))
            if key not in seen:
                seen.add(key)
                paths.append(path)
                if len(paths) == most:
                    break
        return paths

    def _promise(self, prices: Prices) -> np.ndarray:
        """Return a score of each arc, small is promising: travel less most of the price there."""
        gain = np.zeros(len(self.net.out))
        gain[: len(self.rows)] = 0.6 * prices.task[self.rows]
        return self.net.per_second * self.net.travel - gain[None, :]


def _arcs(net: Net) -> tuple[np.ndarray, int]:
    """Return (which arcs can be driven, last row from the base; shortest task-to-task time)."""
    n, m = len(net.out), net.tasks
    opens = net.opens[net.window_from[:-1]]
    closes = net.closes[net.window_from[1:] - 1]
    reach = opens[:, None] + net.service[:, None] + net.travel
    feasible = np.ones((n + 1, n), bool)
    feasible[:n] = reach <= closes[None, :]
    np.fill_diagonal(feasible[:n], False)
    between = feasible[:m, :m]
    step = (net.service[:m, None] + net.travel[:m, :m])[between]
    return feasible, int(step.min()) if len(step) else MOST_STEP_S


def _packed(feasible: np.ndarray, score: np.ndarray | None) -> np.ndarray:
    """Return successors a row, ended by -1; all of them, or the best `NEAR_ARCS` by ``score``."""
    rows, n = feasible.shape
    packed = np.full((rows, n + 1), -1, np.int64)
    for i in range(rows):
        able = np.flatnonzero(feasible[i])
        if score is not None and i < n and len(able) > NEAR_ARCS:
            able = able[np.argpartition(score[i, able], NEAR_ARCS)[:NEAR_ARCS]]
        packed[i, : len(able)] = able
    return packed
