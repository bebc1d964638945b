"""The proven bound: below every plan, equal to the best one where nothing had to be relaxed."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dispatch import solve
from dispatch.bound import bound
from dispatch.engine import generation, priced
from dispatch.engine.classes import split_day
from dispatch.engine.generation import PartSearch, PartState
from dispatch.model import Caregiver, Places, Problem, Task
from tests.dispatch.days import meal_day, plain_day
from tests.dispatch.exhaustive import cheapest, plan_of, random_problem


@pytest.mark.parametrize("seed", range(1_000, 1_060))
def test_no_plan_of_a_mixed_day_costs_less_than_the_bound(seed):
    problem = random_problem(seed)
    least, days = cheapest(problem)
    found = bound(problem, plan_of(problem, days), seconds=5, workers=1)
    assert found.proven
    assert found.value <= least
    assert found.cost == least
    assert found.gap == pytest.approx((least - found.value) / least if least else 0.0)
    if not found.relaxations:
        assert found.value == least


def test_the_bound_of_a_plain_day_is_what_its_best_plan_costs():
    equal = 0
    for seed in range(60):
        problem = plain_day(np.random.default_rng(seed), tasks=5)
        least, _ = cheapest(problem)
        found = bound(problem, seconds=5, workers=1)
        assert found.relaxations == ()
        assert found.value <= least
        equal += found.value == least
    assert equal >= 58


def test_the_bound_of_a_meal_day_is_close_and_never_above():
    close = 0
    for seed in range(40):
        problem = meal_day(np.random.default_rng(seed), tasks=5)
        least, _ = cheapest(problem)
        with_loads = bound(problem, seconds=5, workers=1)
        without = bound(problem, seconds=5, workers=1, loads=False)
        assert without.value <= with_loads.value <= least
        assert any(name.startswith("loads") for name in without.relaxations)
        close += with_loads.value == least
    assert close >= 25


def test_a_matrix_with_short_cuts_is_bounded_by_its_shortest_ways():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        problem = plain_day(rng, tasks=4)
        n = len(problem.places)
        seconds = rng.integers(60, 2_000, (n, n))
        np.fill_diagonal(seconds, 0)
        problem = dataclasses.replace(problem, places=Places(seconds=seconds), circle_s=1_500)
        least, _ = cheapest(problem)
        assert bound(problem, seconds=5, workers=1).value <= least


def test_the_bound_holds_whenever_the_search_is_stopped(monkeypatch):
    steps = 0
    for seed in range(8):
        problem = plain_day(np.random.default_rng(seed), tasks=7, caregivers=3)
        least, _ = cheapest(problem)
        split = split_day(problem)
        hopeless = problem.weights.unassigned * sum(
            problem.tasks[j].priority for j in split.hopeless
        )
        bounds = []
        for looks_at_the_clock in range(0, 60, 5):
            total = hopeless
            for part in split.parts:
                clock = iter(range(10_000))
                monkeypatch.setattr(generation.time, "monotonic", lambda clock=clock: next(clock))
                search = PartSearch(part)
                search.advance(looks_at_the_clock)
                total += search.bound
            assert total <= least
            bounds.append(total)
        assert bounds[0] == hopeless
        steps += len(set(bounds)) - 1
    assert steps > 8


def test_a_search_goes_on_where_another_stopped(monkeypatch):
    problem = plain_day(np.random.default_rng(3), tasks=40, caregivers=6)
    for part in split_day(problem).parts[:1]:
        whole = PartSearch(part)
        whole.advance(np.inf)
        state = PartState()
        for _ in range(200):
            clock = iter(range(10_000))
            monkeypatch.setattr(generation.time, "monotonic", lambda clock=clock: next(clock))
            search = PartSearch(part, state)
            if not search.advance(60):
                break
            state = search.state()
        assert search.bound == whole.bound
        assert search.rounds > 1


def test_processes_threads_and_one_alone_prove_the_same():
    problem = plain_day(np.random.default_rng(4), tasks=40, caregivers=6)
    alone = bound(problem, seconds=60, workers=1)
    assert bound(problem, seconds=60, workers=2).value == alone.value
    with ThreadPoolExecutor(1) as threads:
        handed_in = bound(problem, seconds=60, workers=1, executor=threads)
    assert handed_in.value == alone.value
    assert sum(part.tasks for part in alone.parts) <= 40
    assert alone.value == alone.hopeless + alone.share + sum(part.value for part in alone.parts)


def _two_at_one_time() -> Problem:
    """Two orders at eight o'clock, two later, and one caregiver who can be at one place a time."""
    ways = np.full((5, 5), 300)
    np.fill_diagonal(ways, 0)
    starts = [(28_800, 28_900), (28_800, 28_900), (36_000, 37_000), (38_000, 39_000)]
    return Problem(
        places=Places(seconds=ways),
        caregivers=(Caregiver("c", "v", 0, frozenset(), ((27_000, 45_000),)),),
        tasks=tuple(
            Task(f"t{at}", 1 + at, 1_200, (each,), priority=1 + at)
            for at, each in enumerate(starts)
        ),
    )


def test_what_must_be_left_out_is_proven_and_what_need_not_be_is_not():
    problem = _two_at_one_time()
    best = solve(problem, iterations=200)
    assert [each.task for each in best.unassigned] == ["t0"]
    assert bound(problem, best, seconds=60, workers=1).left_out == 1
    idle = plan_of(problem, [])
    assert bound(problem, idle, seconds=60, workers=1).left_out <= 1
    assert bound(problem, best, seconds=0, workers=1).left_out == 0


def test_without_time_only_what_is_hopeless_counts():
    problem = plain_day(np.random.default_rng(5), tasks=20, caregivers=3)
    found = bound(problem, seconds=0, workers=1)
    assert found.value == found.hopeless
    assert all(not part.priced and part.value == 0 for part in found.parts)


def test_an_empty_day_is_bounded_by_nothing():
    problem = plain_day(np.random.default_rng(6), tasks=3, caregivers=1)
    nobody = dataclasses.replace(problem, caregivers=())
    found = bound(nobody, seconds=1, workers=1)
    assert (
        found.value
        == found.hopeless
        == problem.weights.unassigned * sum(task.priority for task in problem.tasks)
    )
    idle = dataclasses.replace(problem, tasks=())
    assert bound(idle, seconds=1, workers=1).value == 0


def _falsified(kind):
    """Return a pricing that errs on the bold side, as a mistake in it would."""
    true_exact = priced.PricedClass.exact

    def exact(self, prices, known, most, **options):
        least, paths, complete = true_exact(self, prices, known, most, **options)
        if kind == "misses the best":
            return min(0.0, least + 40.0), paths, complete
        return 0.0, paths, complete

    return exact


@pytest.mark.parametrize("kind", ["misses the best", "sees nothing"])
def test_a_pricing_that_errs_is_found_out(kind, monkeypatch):
    """The tests above would fail on a pricing that overlooks routes: mutation, by hand."""
    monkeypatch.setattr(priced.PricedClass, "exact", _falsified(kind))
    above = 0
    for seed in range(40):
        problem = plain_day(np.random.default_rng(seed), tasks=5)
        above += bound(problem, seconds=5, workers=1).value > cheapest(problem)[0]
    assert above
