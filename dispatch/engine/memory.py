"""What routes of a class must remember: neighbourhoods against cycles, and cuts over three tasks.

A task that is not in the neighbourhood of the next stop is forgotten there and may come again;
larger neighbourhoods make routes more real and pricing slower, so they grow only where the master's
solution goes round in circles. A cut over three tasks (at most one route may hold two of them)
is counted by the same labels: one bit says that an odd number of its tasks has been met.
"""

from __future__ import annotations

import numpy as np

from dispatch.engine.network import Memory, Net

CUT_WORDS = 2


class ClassMemory:
    """The neighbourhoods and cuts of one class, and their form for the compiled labels."""

    def __init__(self, net: Net, rows: np.ndarray, size: int) -> None:
        """``rows[j]`` is the master's row of task node j, ``size`` the first neighbourhoods'."""
        self.rows = rows
        self.node = {int(row): j for j, row in enumerate(rows)}
        self.near = _neighbourhoods(net, size)
        self.cuts: list[int] = []
        self._words = (net.tasks + 63) // 64
        self._nodes = len(net.out)
        self._members: list[list[int]] = []
        self._made: Memory | None = None

    def remember(self, path: list[int]) -> int:
        """Widen the neighbourhoods so that ``path`` cannot return; return how many entries."""
        added = 0
        last: dict[int, int] = {}
        for k, node in enumerate(path):
            if node in last:
                between = [x for x in path[last[node] + 1 : k] if x < len(self.rows)]
                for x in between:
                    added += not self.near[x, node]
                    self.near[x, node] = True
            last[node] = k
        if added:
            self._made = None
        return added

    def allows(self, path: list[int]) -> bool:
        """Say whether the path is an ng-route of today's neighbourhoods."""
        held: set[int] = set()
        for node in path:
            if node >= len(self.rows):
                continue
            if node in held:
                return False
            held = {x for x in held if self.near[node, x]} | {node}
        return True

    def add_cut(self, number: int, rows: tuple[int, ...]) -> bool:
        """Take up cut ``number`` over master rows; False where the class cannot or need not."""
        members = [self.node[row] for row in rows if row in self.node]
        if len(members) < 2 or len(self.cuts) == 64 * CUT_WORDS:
            return False
        self.cuts.append(number)
        self._members.append(members)
        self._made = None
        return True

    def counts(self, path: list[int]) -> dict[int, int]:
        """Return how often a route along ``path`` counts in each cut that the class has."""
        met = dict.fromkeys(path, 0)
        for node in path:
            met[node] += 1
        found = {}
        for number, members in zip(self.cuts, self._members, strict=True):
            times = sum(met.get(j, 0) for j in members) // 2
            if times:
                found[number] = times
        return found

    def compiled(self, cut_price: np.ndarray) -> Memory:
        """Return the form for `cheapest_routes`; ``cut_price`` (of every cut) is at most 0."""
        if self._made is None:
            self._made = self._make()
        fee = np.zeros(64 * CUT_WORDS)
        if self.cuts:
            fee[: len(self.cuts)] = -cut_price[self.cuts]
        return self._made._replace(fee=fee)

    def _make(self) -> Memory:
        cut_words = (len(self.cuts) + 63) // 64
        m, total = len(self.rows), self._words + cut_words
        keep = np.zeros((self._nodes, total), np.uint64)
        own = np.zeros((self._nodes, total), np.uint64)
        padded = np.zeros((self._nodes, self._words * 64), bool)
        padded[:m, :m] = self.near
        # At a source nothing is forgotten: few labels pass there, and a loop by way of one is easy.
        padded[m:, :m] = True
        bit = np.uint64(1) << np.arange(64, dtype=np.uint64)
        for w in range(self._words):
            keep[:, w] = (padded[:, w * 64 : w * 64 + 64] * bit).sum(axis=1, dtype=np.uint64)
        for j in range(m):
            own[j, j // 64] = np.uint64(1) << np.uint64(j % 64)
        keep[:, self._words :] = ~np.uint64(0)
        for c, members in enumerate(self._members):
            for j in members:
                own[j, self._words + c // 64] |= np.uint64(1) << np.uint64(c % 64)
        return Memory(self._words, keep, own, np.zeros(64 * CUT_WORDS))


def _neighbourhoods(net: Net, size: int) -> np.ndarray:
    """Return near[j, i]: whether i is remembered at j; the ``size`` nearest that allow i, j, i."""
    m = net.tasks
    first = net.window_from[:m]
    last = net.window_from[1 : m + 1] - 1
    opens, closes, service = net.opens[first], net.closes[last], net.service[:m]
    direct = net.travel[:m, :m]
    there = np.maximum(opens[:, None] + service[:, None] + direct, opens[None, :])
    returns = there + service[None, :] + direct.T
    cycle = (there <= closes[None, :]) & (returns <= closes[:, None])
    np.fill_diagonal(cycle, False)
    near = np.zeros((m, m), bool)
    for j in range(m):
        able = np.flatnonzero(cycle[:, j])
        round_trip = direct[able, j] + direct[j, able] + service[able] + service[j]
        nearest = able[np.argsort(round_trip, kind="stable")]
        # A round that takes no time could be run for ever: such tasks are always remembered.
        count = max(size, int(np.count_nonzero(round_trip == 0)))
        near[j, nearest[:count]] = True
        near[j, j] = True
    return near
