"""Whole routes out of priced ones: which columns a part is best served by, each used or not.

The linear master uses routes in parts; here HiGHS picks whole ones from those that the master's
prices leave worth it. Tasks may be covered twice by what it picks: the dearer visit is dropped.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Container, Iterable
from dataclasses import dataclass

import numpy as np
from ortools.math_opt.python import mathopt
from ortools.math_opt.solvers import highs_pb2

from dispatch.engine.generation import PartSearch
from dispatch.engine.master import Column, Prices
from dispatch.engine.priced import Path

logger = logging.getLogger(__name__)

MOST_COLUMNS = 12_000
MOST_A_CLASS = 300
WHOLE = 1e-6

Chosen = list[tuple[int, Path]]


@dataclass(frozen=True, slots=True)
class Choice:
    """Routes (class, nodes) for a part and what they and the tasks left out cost."""

    routes: Chosen
    cost: int


def choose(
    search: PartSearch,
    upper: float,
    known: Iterable[tuple[int, Path]],
    banned: Container[tuple[int, Path]],
    seconds: float,
) -> Choice | None:
    """Return routes for the part that cost less than ``upper``; None where none were found.

    ``known`` are the routes of the plan that costs ``upper``, ``banned`` those that turned out not
    to work. Tasks of larger crews must not be in the part.
    """
    value, prices, duals = search.relax()
    if np.ceil(value - WHOLE) >= upper:
        return None
    chosen = search.master.chosen()
    integral = all(
        abs(part - round(part)) < WHOLE
        and len(set(column.rows)) == len(column.rows)
        and (column.number, column.path) not in banned
        for column, part in chosen
    )
    if integral:
        picked = [column for column, part in chosen for _ in range(round(part))]
    else:
        gap = upper - max(search.bound, 0)
        columns = _candidates(search, prices, duals, gap, banned)
        picked = _solve(search, columns, {(n, tuple(p)) for n, p in known}, seconds)
    routes = _once(search, picked)
    cost = search.cost_of(routes)
    return Choice(routes, cost) if cost < upper else None


def _candidates(
    search: PartSearch,
    prices: Prices,
    duals: np.ndarray,
    gap: float,
    banned: Container[tuple[int, Path]],
) -> list[Column]:
    """Return the columns that a better plan may use: reduced cost below ``gap``, least first."""
    found: dict[tuple[int, frozenset[int]], tuple[float, Column]] = {}

    def take(column: Column) -> None:
        if len(set(column.rows)) < len(column.rows) or (column.number, column.path) in banned:
            return
        reduced = search.reduced(column, prices, duals)
        key = (column.number, frozenset(column.rows))
        if reduced < gap and (key not in found or reduced < found[key][0]):
            found[key] = (reduced, column)

    for column in search.master.columns:
        take(column)
    for number, priced in enumerate(search.classes):
        below = max(0.0, gap + float(duals[number]))
        _, paths, _ = priced.exact(
            prices.on_grid(), below, MOST_A_CLASS, labels=100_000, per_node=MOST_A_CLASS
        )
        for path in paths:
            take(priced.column(number, path))
    ordered = sorted(found.values(), key=lambda each: (each[0], each[1].number, each[1].path))
    return [column for _, column in ordered[:MOST_COLUMNS]]


def _solve(
    search: PartSearch, columns: list[Column], hinted: set[tuple[int, Path]], seconds: float
) -> list[Column]:
    """Return the columns that HiGHS picks; none where it finds nothing in time."""
    model = mathopt.Model()
    rows = [model.add_linear_constraint(lb=1.0) for _ in search.priorities]
    classes = [model.add_linear_constraint(ub=float(size)) for size in search.sizes]
    hint: dict[mathopt.Variable, float] = {}
    terms, used = [], []
    covered: set[int] = set()
    for column in columns:
        variable = model.add_binary_variable()
        classes[column.number].set_coefficient(variable, 1.0)
        for row in column.rows:
            rows[row].set_coefficient(variable, 1.0)
        terms.append(column.cost * variable)
        used.append(variable)
        is_hinted = (column.number, column.path) in hinted
        hint[variable] = float(is_hinted)
        if is_hinted:
            covered.update(column.rows)
    for row, priority in enumerate(search.priorities):
        left = model.add_binary_variable()
        rows[row].set_coefficient(left, 1.0)
        terms.append(float(search.penalty * priority) * left)
        hint[left] = float(row not in covered)
    model.minimize(mathopt.fast_sum(terms))
    # One thread: parts are worked on side by side already.
    options = highs_pb2.HighsOptionsProto(string_options={"parallel": "off"})
    parameters = mathopt.SolveParameters(
        time_limit=datetime.timedelta(seconds=max(0.1, seconds)),
        relative_gap_tolerance=1e-6,
        highs=options,
    )
    result = mathopt.solve(
        model,
        mathopt.SolverType.HIGHS,
        params=parameters,
        model_params=mathopt.ModelSolveParameters(
            solution_hints=[mathopt.SolutionHint(variable_values=hint)]
        ),
    )
    if not result.has_primal_feasible_solution():
        return []
    values = result.variable_values(used)
    return [column for column, value in zip(columns, values, strict=True) if value > 0.5]


def _once(search: PartSearch, picked: list[Column]) -> Chosen:
    """Return the picked routes with every task in one of them: where dropping it saves least."""
    paths = [(column.number, list(column.path)) for column in picked]
    holding: dict[int, list[int]] = {}
    for at, column in enumerate(picked):
        for row in column.rows:
            holding.setdefault(row, []).append(at)
    for row, routes in holding.items():
        while len(routes) > 1:
            saved = {}
            for at in routes:
                number, path = paths[at]
                priced = search.classes[number]
                rest = [x for x in path if x != priced.memory.node[row]]
                after = priced.cost(rest) if _visits(search, number, rest) else 0
                saved[at] = priced.cost(path) - after
            worst = max(routes, key=lambda at: (saved[at], at))
            number, path = paths[worst]
            path.remove(search.classes[number].memory.node[row])
            routes.remove(worst)
    return [(number, tuple(path)) for number, path in paths if _visits(search, number, path)]


def _visits(search: PartSearch, number: int, path: list[int]) -> bool:
    """Say whether the path comes to any task."""
    return any(x < len(search.classes[number].rows) for x in path)
