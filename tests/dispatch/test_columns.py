"""Recombination: never worse, every rule kept, and the best routes where the day is small."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from dispatch.bound import bound
from dispatch.check import check_routes
from dispatch.cost import totals_of
from dispatch.engine import columns
from dispatch.engine.columns import recombine
from dispatch.planner import solve
from tests.dispatch.days import meal_day, plain_day
from tests.dispatch.exhaustive import cheapest, plan_of, random_problem


def _cost(problem, routes):
    return totals_of(problem, routes).cost


@pytest.mark.parametrize("seed", range(2_000, 2_040))
def test_a_mixed_day_keeps_every_rule_and_gets_no_dearer(seed):
    problem = random_problem(seed)
    rough = solve(problem, iterations=1, seed=seed)
    made = recombine(problem, rough.routes, seconds=10)
    assert check_routes(problem, made) == []
    assert cheapest(problem)[0] <= _cost(problem, made) <= rough.totals.cost


def test_the_best_plan_cannot_be_bettered():
    for seed in range(30):
        problem = random_problem(seed)
        least, days = cheapest(problem)
        made = recombine(problem, plan_of(problem, days).routes, seconds=10)
        assert _cost(problem, made) == least


def test_a_plain_day_without_a_plan_gets_its_best():
    best = 0
    for seed in range(40):
        problem = plain_day(np.random.default_rng(seed), tasks=6)
        made = recombine(problem, [], seconds=10)
        assert check_routes(problem, made) == []
        best += _cost(problem, made) == cheapest(problem)[0]
    assert best >= 38


def test_a_meal_day_without_a_plan_gets_nearly_its_best():
    best = 0
    for seed in range(30):
        problem = meal_day(np.random.default_rng(seed), tasks=5)
        made = recombine(problem, [], seconds=10)
        assert check_routes(problem, made) == []
        best += _cost(problem, made) == cheapest(problem)[0]
    assert best >= 24


def test_a_larger_plain_day_is_brought_to_its_bound():
    problem = plain_day(np.random.default_rng(7), tasks=60, caregivers=10)
    made = recombine(problem, [], seconds=60)
    assert check_routes(problem, made) == []
    assert _cost(problem, made) <= 1.005 * bound(problem, seconds=60, workers=1).value


def test_crews_keep_their_members_and_their_second():
    seen = 0
    for seed in range(60):
        problem = random_problem(seed)
        plan = plan_of(problem, cheapest(problem)[1])
        crews = _crews(problem, plan.routes)
        if not crews:
            continue
        made = recombine(problem, plan.routes, seconds=10)
        assert _crews(problem, made) == crews
        seen += 1
    assert seen > 3


def _crews(problem, routes):
    return {
        (stop.task, route.caregiver, stop.start_s)
        for route in routes
        for stop in route.stops
        if stop.kind == "task" and problem.task(stop.task).crew > 1
    }


def test_routes_that_were_seen_are_used():
    problem = plain_day(np.random.default_rng(9), tasks=12, caregivers=3)
    good = recombine(problem, [], seconds=20)
    seen = [
        (
            problem.caregiver_index[route.caregiver],
            route.shift,
            tuple(problem.task_index[stop.task] for stop in route.stops),
        )
        for route in good
    ]
    again = recombine(problem, [], seconds=20, known=seen)
    assert _cost(problem, again) <= _cost(problem, good)


def test_two_processes_arrange_as_one_does():
    problem = plain_day(np.random.default_rng(8), tasks=40, caregivers=6)
    one = recombine(problem, [], seconds=60, workers=1)
    two = recombine(problem, [], seconds=60, workers=2)
    assert _cost(problem, one) == _cost(problem, two)


def test_what_turns_out_not_to_work_is_not_kept(monkeypatch):
    """Work over the day is no part of the pricing: the days have the last word."""
    problem = plain_day(np.random.default_rng(11), tasks=20, caregivers=3)
    tired = dataclasses.replace(
        problem,
        caregivers=tuple(
            dataclasses.replace(each, max_work_s=9_000) for each in problem.caregivers
        ),
    )
    refused = []
    true_day_of = columns.day_of

    def watched(board, who, shifts):
        day = true_day_of(board, who, shifts)
        refused.append(day is None)
        return day

    monkeypatch.setattr(columns, "day_of", watched)
    made = recombine(tired, [], seconds=10)
    assert any(refused)
    assert check_routes(tired, made) == []


def test_without_time_the_routes_stay():
    problem = plain_day(np.random.default_rng(12), tasks=12, caregivers=3)
    plan = solve(problem, iterations=200)
    assert recombine(problem, plan.routes, seconds=0) == list(plan.routes)
