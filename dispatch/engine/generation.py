"""Column generation over one part of the day: prices from GLOP, routes from the labels, a bound.

Every round that has priced all classes gives a bound that holds whatever comes after: what the
prices pay for all tasks, plus for each class its size times the least reduced cost of a route, plus
what is saved by leaving tasks out. The bound of a part is that of its weakest *leaf*; leaves split
the part by how much is left out, because half an order left out is what makes such bounds weak.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from dispatch.engine.classes import Part
from dispatch.engine.master import Column, Master, Prices, violated_triples
from dispatch.engine.priced import HEAVY_LABELS, Path, PricedClass

PULL = 0.7
CLOSE = 1e-5
NEAR_END = 3e-4
NOWHERE = -(1 << 60)
MOST_EXACT = float(1 << 40)


@dataclass(slots=True)
class Leaf:
    """A share of a part's plans: those that leave ``least`` to ``most`` out (priorities summed)."""

    least: int = 0
    most: int | None = None
    bound: float = NOWHERE
    centre: Prices | None = None
    pseudo: float = NOWHERE
    tried: float = 0.0
    stuck: bool = False


@dataclass(slots=True)
class PartState:
    """All that a later job needs to go on where this one stopped."""

    columns: list[tuple[int, Path]] = field(default_factory=list)
    near: list[np.ndarray] | None = None
    cuts: list[tuple[int, ...]] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=lambda: [Leaf()])
    rounds: int = 0


class PartSearch:
    """The column generation of one part; `advance` it until closed, stuck or out of time."""

    def __init__(self, part: Part, state: PartState | None = None) -> None:
        self.part = part
        self.crews, self.priorities, self.penalty = part.crews, part.priorities, part.penalty
        state = state or PartState()
        row_of = {int(j): row for row, j in enumerate(part.tasks)}
        near = state.near or [None] * len(part.classes)
        self.classes = [
            PricedClass(each, row_of, known) for each, known in zip(part.classes, near, strict=True)
        ]
        self.sizes = np.array([each.size for each in self.classes])
        self.leaves = state.leaves
        self.rounds = state.rounds
        self._known: set[tuple[int, Path]] = set()
        self.master = Master(self.crews, self.priorities, self.penalty, self.sizes.tolist())
        for number, path in state.columns:
            self.add(number, path)
        for rows in state.cuts:
            self._add_cut(rows)
        if state.columns and self.leaves[0].centre is None:
            self.leaves[0].centre = self._first_prices()

    @property
    def bound(self) -> int:
        """A cost that no plan of this part is below; costs are whole numbers."""
        trivial = 0
        best = min(leaf.bound for leaf in self.leaves)
        return max(trivial, int(np.ceil(best))) if best > NOWHERE else trivial

    def _first_prices(self) -> Prices:
        """Return a first guess of prices: each known route's cost, shared by what a visit saves."""
        task = self.penalty * self.priorities / self.crews
        for column in self.master.columns:
            net = self.classes[column.number].net
            path = list(column.path)
            before, after = [-1, *path[:-1]], [*path[1:], -1]
            way = np.pad(net.travel, ((0, 1), (0, 1)))
            way[:-1, -1], way[-1, :-1] = net.back, net.out
            saved = np.maximum(way[before, path] + way[path, after] - way[before, after], 1)
            visits = np.array([x < net.tasks for x in path])
            rows = self.classes[column.number].rows[[x for x in path if x < net.tasks]]
            task[rows] = column.cost * saved[visits] / saved[visits].sum()
        return Prices(task, np.zeros(0), 0.0).on_grid()

    def state(self) -> PartState:
        """Return what a later search needs to go on."""
        return PartState(
            [(column.number, column.path) for column in self.master.columns],
            [each.memory.near for each in self.classes],
            list(self.master.cuts),
            self.leaves,
            self.rounds,
        )

    def add(self, number: int, path: Sequence[int]) -> bool:
        """Take up a route of class ``number``; False where it is known or no longer allowed."""
        path = tuple(path)
        if (number, path) in self._known or not self.classes[number].memory.allows(list(path)):
            return False
        self._known.add((number, path))
        priced = self.classes[number]
        self.master.add(priced.column(number, path), priced.memory.counts(list(path)))
        return True

    def advance(self, deadline: float, upper: float = np.inf) -> bool:
        """Go on until ``deadline`` (of `time.monotonic`); False where nothing more can be done.

        ``upper`` is the cost of a known plan of this part: what reaches it is closed.
        """
        while time.monotonic() < deadline:
            leaf = min(self.leaves, key=lambda each: each.bound)
            if np.ceil(leaf.bound) >= upper or leaf.stuck:
                return False
            self.master.set_band(leaf.least or None, leaf.most)
            if not self._converge(leaf, deadline, upper) or np.ceil(leaf.bound) >= upper:
                continue
            if not self._refine(leaf):
                leaf.stuck = True
        return True

    def price_root(self, deadline: float, upper: float = np.inf) -> None:
        """Price the whole part without cuts and branches, as far as time allows."""
        leaf = self.leaves[0]
        self.master.set_band(leaf.least or None, leaf.most)
        while self._converge(leaf, deadline, upper):
            self.master.solve()
            if not self._remember(self.master.chosen()):
                return

    def cost_of(self, routes: Iterable[tuple[int, Path]]) -> int:
        """Return what these routes and the tasks in none of them cost in this part."""
        left = np.ones(len(self.priorities), bool)
        cost = 0
        for number, path in routes:
            column = self.classes[number].column(number, path)
            left[list(column.rows)] = False
            cost += column.cost
        return cost + int(self.penalty * self.priorities[left].sum())

    def _converge(self, leaf: Leaf, deadline: float, upper: float) -> bool:
        """Price until master and bound of the leaf meet; False where time ran out before."""
        if leaf.bound == NOWHERE:
            self._warm_up(deadline)
        since_exact, idle = 0, 0
        while time.monotonic() < deadline:
            value, prices, duals = self.master.solve()
            self.rounds += 1
            if value - leaf.bound <= max(CLOSE * abs(value), 0.01) or (
                np.ceil(leaf.bound) >= upper
            ):
                return True
            pull = PULL if leaf.centre is not None and idle == 0 else 0.0
            at = prices.toward(leaf.centre, pull) if pull else prices
            at = at.on_grid()
            added, least, sure = self._quick_round(at, prices, duals)
            guess = self._lagrangian(leaf, at, least)
            if guess > leaf.pseudo:
                leaf.pseudo, leaf.centre = guess, at
            if leaf.pseudo > max(0.0, 1.5 * leaf.tried, 1.5 * leaf.bound):
                leaf.tried = leaf.pseudo
                self._rough_bound(leaf, at)
            since_exact += 1
            # Far from the end the prices are wild, and exact pricing there is long and worth little.
            due = since_exact > 25 and leaf.pseudo > 0
            if due or value - leaf.pseudo < NEAR_END * abs(value) or (added == 0 and not pull):
                since_exact = 0
                more = self._exact_round(leaf, at, prices, duals, (least, sure), deadline)
                if more is None:
                    return False
                added += more
            if added == 0 and not pull:
                return True
            idle = idle + 1 if added == 0 else 0
        return False

    def _warm_up(self, deadline: float) -> None:
        """Price quickly while a task left out costs little, then more, up to what it does cost.

        Without good routes a high penalty makes prices so wild that labels see no way past them.
        """
        longest = max(
            float((priced.net.out + priced.net.back).max()) * priced.net.per_second
            for priced in self.classes
        )
        ceiling = 2.0 * longest + 1.0
        while ceiling < self.penalty:
            self.master.set_penalty(ceiling)
            added = 1
            while added and time.monotonic() < deadline:
                _, prices, duals = self.master.solve()
                added, _, _ = self._quick_round(prices.on_grid(), prices, duals)
                self.rounds += 1
            ceiling *= 4.0
        self.master.set_penalty(self.penalty)

    def _rough_bound(self, leaf: Leaf, at: Prices) -> None:
        """Give the leaf a bound at little cost, so that it has one should time run out."""
        least = np.array([priced.floor(at) for priced in self.classes])
        leaf.bound = max(leaf.bound, self._lagrangian(leaf, at, least))

    def _quick_round(
        self, at: Prices, prices: Prices, duals: np.ndarray
    ) -> tuple[int, np.ndarray, np.ndarray]:
        """Price every class quickly: (columns added, least found in each, where that is exact)."""
        added, least = 0, np.zeros(len(self.classes))
        sure = np.array([priced.light for priced in self.classes])
        for number, priced in enumerate(self.classes):
            if sure[number]:
                least[number], paths, sure[number] = priced.exact(at, 0.0, 8, labels=HEAVY_LABELS)
            if not sure[number]:
                least[number], paths = priced.quick(at, 8)
            added += self._take(number, paths, prices, duals)
        return added, least, sure

    def _exact_round(
        self,
        leaf: Leaf,
        at: Prices,
        prices: Prices,
        duals: np.ndarray,
        found: tuple[np.ndarray, np.ndarray],
        deadline: float,
    ) -> int | None:
        """Price to the end where that was not ``found``, raise the bound; columns added.

        None where time ran out first: then the bound stays as it was.
        """
        added = 0
        least, sure = found
        for number in np.flatnonzero(~sure):
            if time.monotonic() > deadline:
                return None
            least[number], paths, _ = self.classes[number].exact(at, least[number], 8)
            added += self._take(int(number), paths, prices, duals)
        bound = self._lagrangian(leaf, at, least)
        if bound > leaf.bound:
            leaf.bound, leaf.centre = bound, at
        leaf.pseudo = leaf.bound
        return added

    def _take(self, number: int, paths: Iterable[Path], prices: Prices, duals: np.ndarray) -> int:
        """Add the paths that the master would use at its own prices; return how many."""
        priced, added = self.classes[number], 0
        for path in paths:
            if self.reduced(priced.column(number, path), prices, duals) < -1e-6:
                added += self.add(number, path)
        return added

    def reduced(self, column: Column, prices: Prices, duals: np.ndarray) -> float:
        """Return the reduced cost of a column at these prices and class duals."""
        reduced = column.cost - prices.task[list(column.rows)].sum() - duals[column.number]
        counts = self.classes[column.number].memory.counts(list(column.path))
        return float(reduced - sum(prices.cut[cut] * times for cut, times in counts.items()))

    def relax(self) -> tuple[float, Prices, np.ndarray]:
        """Return the master's value, prices and class duals, whatever number is left out."""
        self.master.set_band(None, None)
        return self.master.solve()

    def _lagrangian(self, leaf: Leaf, at: Prices, least: np.ndarray) -> float:
        """Return the bound of the leaf at these prices and least reduced costs."""
        band = 0.0
        if at.left_out > 0:
            band = at.left_out * leaf.least
        elif at.left_out < 0:
            if leaf.most is None:
                at = Prices(at.task, at.cut, 0.0)
            else:
                band = at.left_out * leaf.most
        saved = self.priorities * (self.penalty - at.left_out) - self.crews * at.task
        paid = float(self.crews @ at.task)
        bound = (
            paid
            + float(at.cut.sum())
            + band
            + float(np.minimum(saved, 0.0).sum())
            + float(self.sizes @ np.minimum(least, 0.0))
        )
        # Sums beyond this are no longer exact on the grid: what rounding may have added is taken off.
        return bound if paid < MOST_EXACT else bound - 1e-9 * paid

    def _refine(self, leaf: Leaf) -> bool:
        """Make a converged leaf's relaxation tighter; False where nothing is left to do."""
        self.master.solve()
        chosen = self.master.chosen()
        if self._remember(chosen):
            return True
        if self._branch(leaf):
            return True
        known = set(self.master.cuts)
        triples = violated_triples(chosen, self.crews, known)
        for rows in triples:
            self._add_cut(rows)
        return bool(triples)

    def _remember(self, chosen: list[tuple[Column, float]]) -> bool:
        """Widen the memory of classes whose chosen routes come to a task twice."""
        widened = False
        for column, _ in chosen:
            if len(set(column.rows)) < len(column.rows):
                memory = self.classes[column.number].memory
                widened |= memory.remember(list(column.path)) > 0
        if widened:
            for number, column in enumerate(self.master.columns):
                if len(set(column.rows)) < len(column.rows):
                    memory = self.classes[column.number].memory
                    if not memory.allows(list(column.path)):
                        self.master.forbid(number)
        return widened

    def _branch(self, leaf: Leaf) -> bool:
        """Split a leaf that leaves a fraction out into fewer and more."""
        left = self.master.left_out()
        whole = int(np.floor(left + 0.01))
        if left - whole <= 0.01:
            return False
        self.leaves.remove(leaf)
        # Both halves keep the bound that was proven for the whole.
        self.leaves.append(Leaf(leaf.least, whole, leaf.bound, leaf.centre))
        self.leaves.append(Leaf(whole + 1, leaf.most, leaf.bound, leaf.centre))
        return True

    def _add_cut(self, rows: tuple[int, ...]) -> None:
        number = len(self.master.cuts)
        for priced in self.classes:
            priced.memory.add_cut(number, rows)
        counts = []
        for at, column in enumerate(self.master.columns):
            times = self.classes[column.number].memory.counts(list(column.path)).get(number, 0)
            if times:
                counts.append((at, times))
        self.master.add_cut(rows, counts)
