"""The master over routes: every task covered or paid for, no class used beyond its size.

A linear programme for GLOP, kept warm while columns, cuts and the bounds on what is left out come
and go. Prices are given on a grid of 1/1024, on which the pricing's sums are exact.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from ortools.linear_solver import pywraplp

GRID = 1024.0
TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Column:
    """One route of a class: its nodes there, its cost, the master rows it covers, in order."""

    number: int
    path: tuple[int, ...]
    cost: int
    rows: tuple[int, ...]


@dataclass(slots=True)
class Prices:
    """Duals: of tasks (>= 0), of cuts (<= 0), of the weighted number left out (any sign)."""

    task: np.ndarray
    cut: np.ndarray
    left_out: float

    def on_grid(self) -> Prices:
        """Return these prices rounded to the grid, signs kept."""
        return Prices(
            np.maximum(np.round(self.task * GRID) / GRID, 0.0),
            np.minimum(np.round(self.cut * GRID) / GRID, 0.0),
            round(self.left_out * GRID) / GRID,
        )

    def toward(self, other: Prices, part: float) -> Prices:
        """Return the point that lies ``part`` of the way from these prices to ``other``."""
        cut = np.zeros(len(self.cut))
        cut[: len(other.cut)] = other.cut[: len(cut)]
        return Prices(
            (1 - part) * self.task + part * other.task,
            (1 - part) * self.cut + part * cut,
            (1 - part) * self.left_out + part * other.left_out,
        )


class Master:
    """The restricted master of one part."""

    def __init__(self, crews: np.ndarray, priorities: np.ndarray, penalty: int, sizes: list[int]):
        """``crews[i]`` must come to row i, or ``penalty`` x ``priorities[i]`` is paid."""
        self.crews, self.priorities, self.penalty = crews, priorities, float(penalty)
        self.sizes = sizes
        self.columns: list[Column] = []
        self.cuts: list[tuple[int, ...]] = []
        solver = pywraplp.Solver.CreateSolver("GLOP")
        solver.SetSolverSpecificParametersAsString("use_preprocessing:0")
        self._solver, self._inf = solver, solver.infinity()
        self._objective = solver.Objective()
        self._objective.SetMinimization()
        self._tasks = [solver.Constraint(float(crew), self._inf) for crew in crews]
        self._classes = [solver.Constraint(-self._inf, float(size)) for size in sizes]
        self._band = solver.Constraint(-self._inf, self._inf)
        self._cuts: list[pywraplp.Constraint] = []
        self._columns: list[pywraplp.Variable] = []
        self._left_out = []
        for row, crew, priority in zip(self._tasks, crews, priorities, strict=True):
            left = solver.NumVar(0.0, 1.0, "")
            row.SetCoefficient(left, float(crew))
            self._band.SetCoefficient(left, float(priority))
            self._objective.SetCoefficient(left, self.penalty * float(priority))
            self._left_out.append(left)
        # The way out of a band that cannot be met; dear, so that its price stays finite.
        over = solver.NumVar(0.0, self._inf, "")
        self._band.SetCoefficient(over, -1.0)
        self._objective.SetCoefficient(over, 20.0 * self.penalty + 1e6)

    def set_penalty(self, penalty: float) -> None:
        """Change what a task left out costs, times its priority."""
        for left, priority in zip(self._left_out, self.priorities, strict=True):
            self._objective.SetCoefficient(left, penalty * float(priority))

    def set_band(self, least: int | None, most: int | None) -> None:
        """Bound the priorities left out in this part, summed."""
        self._band.SetBounds(
            -self._inf if least is None else float(least),
            self._inf if most is None else float(most),
        )

    def add(self, column: Column, cut_counts: dict[int, int]) -> None:
        """Take up a column that counts so often in each of the cuts."""
        variable = self._solver.NumVar(0.0, self._inf, "")
        self._objective.SetCoefficient(variable, float(column.cost))
        self._classes[column.number].SetCoefficient(variable, 1.0)
        for row, times in Counter(column.rows).items():
            self._tasks[row].SetCoefficient(variable, float(times))
        for cut, times in cut_counts.items():
            self._cuts[cut].SetCoefficient(variable, float(times))
        self._columns.append(variable)
        self.columns.append(column)

    def add_cut(self, rows: tuple[int, ...], counts: Iterable[tuple[int, int]]) -> None:
        """Allow one route at most over two of ``rows``; ``counts`` are (column, times)."""
        cut = self._solver.Constraint(-self._inf, 1.0)
        for column, times in counts:
            cut.SetCoefficient(self._columns[column], float(times))
        self._cuts.append(cut)
        self.cuts.append(rows)

    def forbid(self, column: int) -> None:
        """Take a column out of use."""
        self._columns[column].SetUb(0.0)

    def solve(self) -> tuple[float, Prices, np.ndarray]:
        """Return (value, prices on the grid, dual of each class); raises RuntimeError."""
        status = self._solver.Solve()
        if status != pywraplp.Solver.OPTIMAL:
            raise RuntimeError(f"GLOP left the master with status {status}")
        prices = Prices(
            np.maximum([row.dual_value() for row in self._tasks], 0.0),
            np.minimum([cut.dual_value() for cut in self._cuts] or [0.0], 0.0)[: len(self._cuts)],
            self._band.dual_value(),
        )
        classes = np.minimum([row.dual_value() for row in self._classes], 0.0)
        return self._objective.Value(), prices, classes

    def chosen(self) -> list[tuple[Column, float]]:
        """Return the columns in use and how much, after `solve`."""
        values = [variable.solution_value() for variable in self._columns]
        return [(self.columns[k], v) for k, v in enumerate(values) if v > TINY]

    def left_out(self) -> float:
        """Return the priorities left out, summed, after `solve`."""
        values = np.array([left.solution_value() for left in self._left_out])
        return float(values @ self.priorities)


def violated_triples(
    chosen: list[tuple[Column, float]],
    crews: np.ndarray,
    known: set[tuple[int, ...]],
    most: int = 60,
    per_row: int = 5,
    least: float = 0.04,
) -> list[tuple[int, ...]]:
    """Return triples of rows of which more than one route (in parts) holds two or more.

    Valid where one visit a task is enough: rows of larger crews are left alone. At most ``per_row``
    of the answer share a row, most violated first.
    """
    weight: dict[tuple[int, int], float] = defaultdict(float)
    holding: dict[int, list[int]] = defaultdict(list)
    counted = [(Counter(r for r in c.rows if crews[r] == 1), value) for c, value in chosen]
    for at, (rows, value) in enumerate(counted):
        if value > 1 - TINY:
            continue
        for row in rows:
            holding[row].append(at)
        for pair in combinations(sorted(rows), 2):
            weight[pair] += value
    beside: dict[int, set[int]] = defaultdict(set)
    for (i, j), value in weight.items():
        if value > 0.02:
            beside[i].add(j)
            beside[j].add(i)
    found = {}
    for i, others in beside.items():
        for j, k in combinations(sorted(others), 2):
            triple = tuple(sorted((i, j, k)))
            pairs = sum(weight.get(pair, 0.0) for pair in combinations(triple, 2))
            if triple in found or triple in known or pairs <= 1 + least:
                continue
            holders = {at for row in triple for at in holding[row]}
            found[triple] = (
                sum(
                    counted[at][1] * (sum(counted[at][0][row] for row in triple) // 2)
                    for at in holders
                )
                - 1
            )
    used: Counter[int] = Counter()
    picked = []
    for triple, value in sorted(found.items(), key=lambda each: (-each[1], each[0])):
        if value <= least or len(picked) == most:
            break
        if all(used[row] < per_row for row in triple):
            used.update(triple)
            picked.append(triple)
    return picked
