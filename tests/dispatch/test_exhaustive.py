"""The exhaustive search itself: what it calls cheapest can be done and costs that."""

from __future__ import annotations

import pytest

from dispatch import Caregiver, Places, Problem, Task, check
from tests.dispatch.exhaustive import cheapest, plan_of, random_problem


@pytest.mark.parametrize("seed", range(100, 130))
def test_the_cheapest_plan_keeps_every_rule_and_costs_what_is_said(seed):
    problem = random_problem(seed)
    cost, days = cheapest(problem)
    plan = plan_of(problem, days)
    assert check(problem, plan) == []
    assert plan.totals.cost == cost


def test_small_problems_mix_all_rules():
    problems = [random_problem(seed) for seed in range(200)]
    tasks = [task for problem in problems for task in problem.tasks]
    people = [person for problem in problems for person in problem.caregivers]
    assert any(task.crew == 2 for task in tasks)
    assert any(task.load for task in tasks)
    assert any(task.fixed and task.fixed.caregivers for task in tasks)
    assert any(len(task.windows) > 1 for task in tasks)
    assert any(person.rest for person in people)
    assert any(person.max_work_s for person in people)
    assert any(len(person.shifts) > 1 for person in people)
    assert any(problem.vendor_share for problem in problems)
    assert any(problem.places.seconds is not None for problem in problems)
    assert max(len(problem.tasks) for problem in problems) == 7


def test_a_known_day_costs_the_shortest_round():
    # Base and three visits on a line, ten minutes apart: out and back is sixty minutes.
    seconds = [[600 * abs(i - j) for j in range(4)] for i in range(4)]
    problem = Problem(
        places=Places(seconds=seconds),
        circle_s=1800,
        caregivers=(Caregiver("c", "v", 0, frozenset(), ((0, 36000),)),),
        tasks=tuple(Task(f"t{k}", k, 600, ((0, 36000),)) for k in (2, 1, 3)),
    )
    assert cheapest(problem)[0] == 3600
