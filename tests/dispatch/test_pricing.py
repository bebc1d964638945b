"""The least reduced cost of a route, against every route written out."""

from __future__ import annotations

import numpy as np
import pytest

from dispatch.engine.classes import split_day
from dispatch.engine.master import Prices
from dispatch.engine.priced import PricedClass
from tests.dispatch.days import meal_day, plain_day


def _priced(problem, *, loads=True):
    for part in split_day(problem, loads=loads).parts:
        rows = {int(j): row for row, j in enumerate(part.tasks)}
        for each in part.classes:
            yield len(part.tasks), PricedClass(each, rows, None)


def _prices(rng, rows, cuts=0):
    task = rng.integers(0, 4_000_000, rows) / 1024
    return Prices(task, -rng.integers(0, 2_000_000, cuts) / 1024, 0.0)


def _start(net, j, second):
    for w in range(net.window_from[j], net.window_from[j + 1]):
        if second <= net.closes[w]:
            return max(second, net.opens[w])
    return None


def _least_by_hand(priced, prices, triples=()):
    """Try every order of every subset of tasks, each once, without loads and rests."""
    net, best = priced.net, 0.0
    visit = priced.visit(prices)

    def go(path, leave, cost):
        nonlocal best
        if path:
            last = path[-1]
            if leave + net.back[last] <= net.shift_to:
                fee = sum(-price for members, price in triples if len(members & set(path)) >= 2)
                best = min(best, cost + net.back[last] * net.per_second + fee)
        for j in range(net.tasks):
            if j in path:
                continue
            way = net.travel[path[-1], j] if path else net.out[j]
            start = _start(net, j, leave + way)
            if start is not None:
                go([*path, j], start + net.service[j], cost + way * net.per_second + visit[j])

    go([], net.shift_from, 0.0)
    return best


@pytest.mark.parametrize("seed", range(12))
def test_the_least_route_is_found_and_none_is_cheaper(seed):
    rng = np.random.default_rng(seed)
    negative = 0
    for _ in range(6):
        for rows, priced in _priced(plain_day(rng, tasks=8, caregivers=2)):
            prices = _prices(rng, rows)
            priced.memory.near[:] = True
            least, paths, complete = priced.exact(prices, 0.0, 8)
            assert complete
            assert least == _least_by_hand(priced, prices)
            if paths:
                reduced = priced.cost(paths[0]) - prices.task[priced.rows[list(paths[0])]].sum()
                assert reduced == least
                negative += 1
            quick, _ = priced.quick(prices, 8)
            assert quick >= least
    assert negative > 3


@pytest.mark.parametrize("seed", range(6))
def test_small_neighbourhoods_only_make_the_least_lower(seed):
    rng = np.random.default_rng(100 + seed)
    for _ in range(6):
        for rows, priced in _priced(plain_day(rng, tasks=8, caregivers=1, span_deg=0.01)):
            prices = _prices(rng, rows)
            priced.memory.near[:] = np.eye(priced.net.tasks, dtype=bool)
            least, _, _ = priced.exact(prices, 0.0, 8)
            assert least <= _least_by_hand(priced, prices)


@pytest.mark.parametrize("seed", range(8))
def test_cuts_are_paid_for_once_a_pair(seed):
    rng = np.random.default_rng(200 + seed)
    charged = 0
    for _ in range(6):
        for rows, priced in _priced(plain_day(rng, tasks=8, caregivers=1, span_deg=0.01)):
            if priced.net.tasks < 3:
                continue
            members = [rng.choice(priced.net.tasks, 3, replace=False) for _ in range(4)]
            for number, triple in enumerate(members):
                priced.memory.add_cut(number, tuple(int(priced.rows[j]) for j in triple))
            prices = _prices(rng, rows, cuts=4)
            priced.memory.near[:] = True
            least, _, _ = priced.exact(prices, 0.0, 8)
            triples = [
                ({int(j) for j in t}, float(p)) for t, p in zip(members, prices.cut, strict=True)
            ]
            assert least == _least_by_hand(priced, prices, triples)
            charged += least > _least_by_hand(priced, prices)
    assert charged


@pytest.mark.parametrize("seed", range(6))
def test_labels_that_overflow_leave_a_weaker_bound(seed, monkeypatch):
    rng = np.random.default_rng(300 + seed)
    from dispatch.engine import priced as module
    from dispatch.engine.network import make_pool

    monkeypatch.setattr(module, "_pool", lambda words: make_pool(4, 64, max(4, words)))
    overflowed = 0
    for _ in range(6):
        for rows, priced in _priced(plain_day(rng, tasks=8, caregivers=1, span_deg=0.01)):
            prices = _prices(rng, rows)
            least, _, complete = priced.exact(prices, 0.0, 8)
            overflowed += not complete
            assert least <= _least_by_hand(priced, prices)
    assert overflowed


def test_meals_cost_the_way_by_the_kitchen():
    rng = np.random.default_rng(5)
    dearer = 0
    for _ in range(20):
        problem = meal_day(rng, tasks=5, caregivers=1)
        with_loads = {tuple(p.rows): p for _, p in _priced(problem)}
        for rows, priced in _priced(problem, loads=False):
            prices = _prices(rng, rows)
            free, _, _ = priced.exact(prices, 0.0, 4)
            other = with_loads.get(tuple(priced.rows))
            if other is not None and len(other.rows) == rows:
                least, _, _ = other.exact(prices, 0.0, 4)
                assert least >= free
                dearer += least > free
    assert dearer
