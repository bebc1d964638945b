"""What `solve` promises: plans that keep every rule, the same for the same seed, whatever stops it."""

from __future__ import annotations

import random
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

from dispatch import Caregiver, Places, Problem, Task, check, plan_to_json, solve


def small_city(tasks: int = 60, people: int = 20, seed: int = 1) -> Problem:
    """Return a day of visits for one or two, around bases some minutes apart."""
    draw = random.Random(seed)
    bases = 6
    points = [(32.4 + draw.uniform(0, 0.06), 119.9 + draw.uniform(0, 0.06)) for _ in range(bases)]
    for _ in range(tasks):
        lat, lon = points[draw.randrange(bases)]
        points.append((lat + draw.uniform(-0.01, 0.01), lon + draw.uniform(-0.01, 0.01)))
    caregivers = tuple(
        Caregiver(
            id=f"c{at}",
            vendor=f"v{at % 3}",
            base=at % bases,
            skills=frozenset(draw.sample(["A", "B", "C"], 2)),
            shifts=((27000, 41400), (48600, 63000)) if at % 3 else ((25200, 57600),),
            max_work_s=None if at % 4 else 25200,
            rest=None if at % 3 else (39600, 48600, 1800),
        )
        for at in range(people)
    )
    orders = []
    for at in range(tasks):
        opens = draw.randrange(26000, 52000, 600)
        orders.append(
            Task(
                id=f"t{at}",
                place=bases + at,
                service_s=draw.choice([1800, 2700, 3600]),
                windows=((opens, opens + draw.choice([1800, 5400, 9000])),),
                skills=frozenset(draw.choice("ABC")),
                crew=2 if at % 8 == 0 else 1,
                priority=1 + at % 3,
            )
        )
    return Problem(Places(np.array(points)), caregivers, tuple(orders))


def test_plan_keeps_every_rule():
    problem = small_city()
    plan = solve(problem, iterations=3000)
    assert check(problem, plan) == []
    assert plan.totals.assigned > len(problem.tasks) // 2


def test_more_search_is_never_worse_than_the_greedy_start():
    problem = small_city()
    greedy = solve(problem, iterations=0)
    searched = solve(problem, iterations=5000)
    assert check(problem, greedy) == []
    assert searched.totals.cost < greedy.totals.cost


def test_same_seed_and_iterations_give_the_same_plan_on_any_number_of_workers():
    problem = small_city()
    one = solve(problem, iterations=2000, seed=5)
    again = solve(problem, iterations=2000, seed=5, workers=2)
    assert plan_to_json(one) == plan_to_json(again)


def test_another_seed_gives_another_plan():
    problem = small_city()
    plans = [solve(problem, iterations=300, seed=seed) for seed in (1, 2, 3)]
    assert len({str(plan.routes) for plan in plans}) > 1


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_an_executor_that_is_handed_in_gives_the_same_plan(kind):
    problem = small_city()
    with kind(2) as executor:
        there = solve(problem, iterations=1000, workers=2, executor=executor)
    assert plan_to_json(there) == plan_to_json(solve(problem, iterations=1000))


def test_a_stopped_search_still_gives_a_checked_plan():
    problem = small_city()
    plan = solve(problem, seconds=60.0, should_stop=lambda: True)
    assert check(problem, plan) == []
    assert plan.totals.assigned > 0


def test_search_goes_on_from_a_given_plan():
    problem = small_city()
    start = solve(problem, iterations=5000)
    plan = solve(problem, iterations=0, start=start)
    assert plan.totals.cost <= start.totals.cost


def test_a_day_without_tasks_or_without_caregivers_is_planned():
    problem = small_city()
    nobody = Problem(problem.places, (), problem.tasks)
    nothing = Problem(problem.places, problem.caregivers, ())
    assert check(nobody, solve(nobody, iterations=10)) == []
    assert check(nothing, solve(nothing, iterations=10)) == []
    assert len(solve(nobody, iterations=10).unassigned) == len(problem.tasks)
