"""A day taken apart into visits and put together again is the same day."""

from __future__ import annotations

import pytest

from dispatch.board import Board
from dispatch.check import check_routes
from dispatch.engine.daybook import Visit, day_of, visits_of
from tests.dispatch.exhaustive import cheapest, plan_of, random_problem


@pytest.mark.parametrize("seed", range(3_000, 3_030))
def test_a_day_put_together_again_travels_as_far_and_keeps_every_rule(seed):
    problem = random_problem(seed)
    plan = plan_of(problem, cheapest(problem)[1])
    board = Board(problem, plan.routes)
    routes = []
    for day in board.days:
        made = day_of(board, day.who, visits_of(day))
        assert made is not None
        assert made.travel == day.travel
        assert visits_of(made) == visits_of(day)
        routes += made.routes
    assert check_routes(problem, routes) == []


def test_a_loading_for_nobody_is_dropped():
    for seed in range(200):
        problem = random_problem(seed)
        board = Board(problem, plan_of(problem, cheapest(problem)[1]).routes)
        for day in board.days:
            for shift, visits in visits_of(day).items():
                loads = [visit for visit in visits if visit.task is None]
                if not loads:
                    continue
                more = [*visits, Visit(load_at=loads[0].load_at)]
                made = day_of(board, day.who, {**visits_of(day), shift: more})
                assert visits_of(made) == visits_of(day)
                return
    pytest.fail("no day with a loading was met")


def test_a_day_that_has_no_times_is_refused():
    refused = 0
    for seed in range(60):
        problem = random_problem(seed)
        board = Board(problem, plan_of(problem, cheapest(problem)[1]).routes)
        for day in board.days:
            for shift, visits in visits_of(day).items():
                if len(visits) > 2:
                    back = {**visits_of(day), shift: visits[::-1]}
                    refused += day_of(board, day.who, back) is None
    assert refused
