"""How many open tasks each vendor should serve in each piece, so that the shares come out right.

The share term counts over the whole problem, but pieces are searched apart. Each gets a goal a
vendor; the goals of all pieces add up to what the vendor's fair share asks for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

from dispatch.engine.rota import Rota
from dispatch.engine.whole import Whole

Array = np.ndarray
# Dearer than any way that a circle allows: shares first, near bases second.
_SHORT = 10_000_000


def share_goals(
    whole: Whole, pieces: Sequence[tuple[Array, Array]], rota: Rota
) -> list[Array | None]:
    """Return for each piece (caregivers, tasks) the open tasks a vendor should serve in it.

    None for all without shares. At first a min-cost flow of open tasks to vendors says where a
    vendor can have its share; once there are days, each piece is asked for what it has plus its
    part of what is missing, or minus its part of what is too much.
    """
    if not whole.has_shares:
        return [None] * len(pieces)
    vendors = len(whole.vendors)
    can = np.zeros((len(pieces), vendors))
    has = np.zeros((len(pieces), vendors))
    served_by = _served_by(whole, rota)
    for at, (caregivers, tasks) in enumerate(pieces):
        own = np.unique(whole.vendor[caregivers])
        pairs = _open_pairs(whole, tasks)
        inside = np.isin(pairs[:, 1], own)
        can[at] = np.bincount(pairs[inside, 1], minlength=vendors)
        mine = served_by[tasks]
        has[at] = np.bincount(mine[(mine >= 0) & whole.is_open[tasks]], minlength=vendors)
    total = np.bincount(served_by[(served_by >= 0) & whole.is_open], minlength=vendors)
    if not total.any():
        flow = _flow(whole, pieces)
        return list(_spread(whole.share_goal, flow, can))
    missing = whole.share_goal - total
    more = _spread(np.maximum(missing, 0.0), can - has, can)
    less = _spread(np.maximum(-missing, 0.0), has, has)
    return list(np.maximum(has + more - less, 0.0))


def _spread(amount: Array, by: Array, otherwise: Array) -> Array:
    """Return pieces x vendors: each vendor's *amount* spread like *by*, or *otherwise* if all 0."""
    by = np.maximum(by, 0.0)
    weight = np.where(by.sum(axis=0) > 0, by, otherwise)
    return amount * weight / np.maximum(weight.sum(axis=0), 1e-9)


def _served_by(whole: Whole, rota: Rota) -> Array:
    """Return the vendor that serves each task, or -1."""
    result = np.full(len(whole.place), -1, dtype=np.int64)
    for who, codes in rota.days.items():
        result[codes[(codes >= 0) & (codes < len(result))]] = whole.vendor[who]
    return result


def _open_pairs(whole: Whole, tasks: Array) -> Array:
    """Return (task, vendor, least seconds from a base) of open tasks, one row a pair."""
    rows = []
    candidates = whole.candidates
    for task in tasks[whole.is_open[tasks]].tolist():
        part = slice(candidates.first[task], candidates.first[task + 1])
        # Candidates come nearest first, so that the first of each vendor is its nearest.
        vendor, at = np.unique(whole.vendor[candidates.caregivers[part]], return_index=True)
        go = candidates.go_s[part][at]
        rows.append(np.stack([np.full(len(vendor), task), vendor, go], axis=1))
    return np.concatenate(rows) if rows else np.zeros((0, 3), dtype=np.int64)


def _flow(whole: Whole, pieces: Sequence[tuple[Array, Array]]) -> Array:
    """Return pieces x vendors: open tasks by the cheapest flow that falls least short of shares."""
    vendors = len(whole.vendors)
    pairs = [_open_pairs(whole, tasks) for _, tasks in pieces]
    piece = np.repeat(np.arange(len(pieces)), [len(each) for each in pairs])
    rows = np.concatenate(pairs)
    task, number = np.unique(rows[:, 0], return_inverse=True)
    flow = SimpleMinCostFlow()
    # Nodes: the tasks, the vendors, one sink.
    sink = len(task) + vendors
    way = flow.add_arcs_with_capacity_and_unit_cost(
        number, len(task) + rows[:, 1], np.ones(len(rows), dtype=np.int64), rows[:, 2]
    )
    wanted = np.ceil(whole.share_goal).astype(np.int64)
    nodes = len(task) + np.arange(vendors)
    ends = np.full(vendors, sink)
    flow.add_arcs_with_capacity_and_unit_cost(nodes, ends, wanted, np.zeros(vendors, int))
    flow.add_arcs_with_capacity_and_unit_cost(
        nodes, ends, np.full(vendors, len(task)), np.full(vendors, _SHORT)
    )
    flow.set_nodes_supplies(np.arange(len(task)), np.ones(len(task), dtype=np.int64))
    flow.set_node_supply(sink, -len(task))
    result = np.zeros((len(pieces), vendors))
    if len(task) and flow.solve() == flow.OPTIMAL:
        used = flow.flows(way) > 0
        np.add.at(result, (piece[used], rows[used, 1]), 1)
    return result
