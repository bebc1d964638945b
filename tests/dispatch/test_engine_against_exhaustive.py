"""The search against looking at every plan, on small problems that mix all rules."""

from __future__ import annotations

import os

import pytest

from dispatch import check, solve
from tests.dispatch.exhaustive import cheapest, random_problem

SEEDS = int(os.environ.get("NUANJU_SMALL_PROBLEMS", "120"))


@pytest.mark.slow
def test_search_is_never_better_than_the_cheapest_plan_and_nearly_always_as_good():
    dearer = []
    for seed in range(SEEDS):
        problem = random_problem(seed)
        least, _ = cheapest(problem)
        plan = solve(problem, iterations=3000)
        assert check(problem, plan) == []
        assert plan.totals.cost >= least, f"seed {seed}: cheaper than the cheapest"
        if plan.totals.cost > least:
            dearer.append(seed)
    assert len(dearer) <= SEEDS / 100, f"dearer than the cheapest plan: {dearer}"
