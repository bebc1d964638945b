"""A plan that is being carried out: what is asked for happens, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from dispatch import (
    BadInput,
    BadProblem,
    Caregiver,
    Places,
    Plan,
    Problem,
    Task,
    UnknownName,
    cancel,
    check,
    delay,
    insert,
    repair,
)
from dispatch.board import MOVED_S
from dispatch.cost import totals_of
from dispatch.live import LiveDay
from dispatch.travel import Travel
from tests.dispatch.exhaustive import cheapest, plan_of, random_problem

SEEDS = range(40)


def visits(plan: Plan) -> dict[str, tuple[frozenset[str], int]]:
    """Return who serves each task and when."""
    found: dict[str, tuple[frozenset[str], int]] = {}
    for route in plan.routes:
        for stop in route.stops:
            if stop.kind == "task":
                crew = found.get(stop.task, (frozenset(), 0))[0]
                found[stop.task] = (crew | {route.caregiver}, stop.start_s)
    return found


def planned(seed: int) -> tuple[Problem, Plan]:
    problem = random_problem(seed)
    return problem, plan_of(problem, cheapest(problem)[1])


def without_one(seed: int) -> tuple[Problem, Plan, Task]:
    """Return a planned problem that lacks its last task, and that task."""
    whole = random_problem(seed)
    problem = replace(whole, tasks=whole.tasks[:-1])
    return problem, plan_of(problem, cheapest(problem)[1]), whole.tasks[-1]


def assert_changes_tell_all(before: Plan, answer) -> None:
    """Hold the list of changes to what differs between the two plans."""
    old, new = visits(before), visits(answer.plan)
    nobody = (frozenset(), None)
    told = {
        each.task: (
            (frozenset(each.from_caregivers), each.from_start_s),
            (frozenset(each.to_caregivers), each.to_start_s),
        )
        for each in answer.changes
    }
    assert told == {
        task: (old.get(task, nobody), new.get(task, nobody))
        for task in old.keys() | new.keys()
        if old.get(task, nobody) != new.get(task, nobody)
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_an_inserted_order_breaks_no_rule_and_moves_nobody_far(seed):
    problem, plan, task = without_one(seed)
    answer = insert(problem, plan, task)
    assert check(answer.problem, answer.plan) == []
    assert answer.problem.tasks == (*problem.tasks, task)
    assert answer.other_changes == ()
    assert_changes_tell_all(plan, answer)
    assert answer.placed == (task.id in visits(answer.plan))
    for name, (crew, start) in visits(plan).items():
        now_crew, now_start = visits(answer.plan)[name]
        assert now_crew == crew
        assert abs(now_start - start) <= MOVED_S


@pytest.mark.parametrize("seed", SEEDS)
def test_every_offer_can_be_taken_for_its_cost_and_the_cheapest_is(seed):
    problem, plan, task = without_one(seed)
    day = LiveDay(problem, plan)
    offers = day.feasible_starts(task)
    taken = day.insert(task)
    assert bool(offers) == taken.placed
    enlarged = replace(problem, tasks=(*problem.tasks, task))
    unserved = totals_of(enlarged, plan.routes).cost
    won = problem.weights.unassigned * task.priority
    for offer in (*offers[:3], *offers[-2:]):
        for start in (offer.from_s, offer.to_s):
            answer = day.insert(task, start_s=start)
            assert visits(answer.plan)[task.id] == (frozenset(offer.caregivers), start)
            assert answer.plan.totals.cost == unserved + offer.cost - won
            assert check(answer.problem, answer.plan) == []
    for before, after in pairwise(offers):
        assert before.to_s < after.from_s
    if offers:
        least = min(offer.cost for offer in offers)
        assert taken.plan.totals.cost == unserved + least - won


@pytest.mark.parametrize("seed", SEEDS)
def test_a_larger_budget_is_used_only_as_far_as_it_goes(seed):
    problem, plan, task = without_one(seed)
    for budget in (1, 2, None):
        answer = insert(problem, plan, task, change_budget=budget)
        assert check(answer.problem, answer.plan) == []
        assert_changes_tell_all(plan, answer)
        if budget is not None:
            assert len(answer.other_changes) <= budget


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cancelled_order_leaves_the_others_where_they_are(seed):
    problem, plan = planned(seed)
    for name in list(visits(plan))[:3]:
        answer = cancel(problem, plan, name)
        assert check(answer.problem, answer.plan) == []
        assert name not in answer.problem.task_index
        assert answer.plan.totals.travel_s <= plan.totals.travel_s
        rest = {task: visit for task, visit in visits(plan).items() if task != name}
        assert visits(answer.plan) == rest


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("moment", [0, 32000, 37000])
def test_who_is_absent_serves_nothing_more_and_what_began_stays(seed, moment):
    problem, plan = planned(seed)
    for absent in {route.caregiver for route in plan.routes}:
        for budget in (0, None):
            answer = repair(problem, plan, absent=absent, from_s=moment, change_budget=budget)
            assert check(problem, answer.plan) == []
            assert_changes_tell_all(plan, answer)
            if budget is not None:
                assert len(answer.other_changes) <= budget
            for route in answer.plan.routes:
                if route.caregiver == absent:
                    to_do = [stop for stop in route.stops if stop.kind != "rest"]
                    assert all(stop.start_s < moment for stop in to_do)
            begun = {n: v for n, v in visits(plan).items() if v[1] < moment}
            after = visits(answer.plan)
            assert {name: after[name] for name in begun} == begun
            assert all(v[1] >= moment for n, v in after.items() if visits(plan).get(n) != v)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("late_s", [0, 1500, 7200])
def test_who_is_late_comes_no_earlier_and_what_began_stays(seed, late_s):
    problem, plan = planned(seed)
    for route in plan.routes:
        moment = route.stops[0].start_s + 1
        answer = delay(problem, plan, caregiver=route.caregiver, late_s=late_s, from_s=moment)
        assert check(problem, answer.plan) == []
        assert_changes_tell_all(plan, answer)
        begun = {n: v for n, v in visits(plan).items() if v[1] < moment}
        assert {name: visits(answer.plan)[name] for name in begun} == begun
        if late_s == 0:
            assert answer.changes == ()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("late_s", [600, 5400])
def test_nobody_who_is_late_is_sent_anywhere_sooner_than_they_can_be_there(seed, late_s):
    problem, plan = planned(seed)
    travel = Travel.of(problem)
    for route in plan.routes:
        moment = route.stops[0].start_s + 1
        answer = delay(problem, plan, caregiver=route.caregiver, late_s=late_s, from_s=moment)
        for now in answer.plan.routes:
            if (now.caregiver, now.shift) != (route.caregiver, route.shift):
                continue
            begun = [stop for stop in route.stops if stop.start_s < moment]
            ahead = [stop for stop in now.stops if stop.start_s >= moment]
            # The first step after what had begun; a rest may be taken where one is.
            if begun and ahead and ahead[0].kind != "rest":
                way = travel.between(begun[-1].place, ahead[0].place)
                assert ahead[0].start_s >= begun[-1].end_s + late_s + way


def test_who_is_too_late_for_a_visit_is_not_given_it_back_at_its_old_time():
    first = Task("first", 1, 600, ((36_000, 36_000),), forbidden=frozenset({"c2"}))
    second = Task("second", 2, 600, ((37_200, 37_500),), forbidden=frozenset({"c2"}))
    problem = line(first, second)
    plan = plan_of(problem, cheapest(problem)[1])
    kept = delay(problem, plan, caregiver="c1", late_s=300, from_s=36_001)
    assert visits(kept.plan)["second"][1] == 37_500
    assert kept.lost == ()
    answer = delay(problem, plan, caregiver="c1", late_s=301, from_s=36_001)
    assert answer.lost == ("second",)


def line(*tasks: Task, people: int = 1, **more) -> Problem:
    """Return a day at places ten minutes apart on a line, bases at its start."""
    seconds = [[600 * abs(i - j) for j in range(6)] for i in range(6)]
    caregivers = tuple(
        Caregiver(f"c{k}", "v", 0, frozenset(), ((28800, 64800),)) for k in range(1, people + 1)
    )
    return Problem(
        places=Places(seconds=seconds), circle_s=3600, caregivers=caregivers, tasks=tasks, **more
    )


def test_a_full_day_makes_room_only_with_a_budget():
    # Only c1 may go to "fresh", and only at the time at which "old" keeps c1 away.
    old = Task("old", 5, 3600, ((36000, 36000),))
    fresh = Task("fresh", 1, 3600, ((36000, 36000),), preferred=frozenset({"c1"}),
                 forbidden=frozenset({"c2"}))  # fmt: skip
    problem = line(old, people=2)
    kept = plan_of(problem, cheapest(problem)[1])
    if kept.routes[0].caregiver != "c1":
        kept = replace(kept, routes=(replace(kept.routes[0], caregiver="c1"), *kept.routes[1:]))
    assert check(problem, kept) == []
    assert not insert(problem, kept, fresh).placed
    answer = insert(problem, kept, fresh, change_budget=1)
    assert answer.placed
    assert [each.task for each in answer.other_changes] == ["old"]
    assert check(answer.problem, answer.plan) == []


def test_an_important_visit_is_kept_before_one_of_low_priority():
    low = Task("low", 1, 3600, ((36000, 36000),), priority=1)
    high = Task("high", 2, 3600, ((36000, 36000),), priority=9)
    problem = line(low, high, people=2)
    plan = plan_of(problem, cheapest(problem)[1])
    busy = {route.stops[0].task: route.caregiver for route in plan.routes}
    answer = repair(problem, plan, absent=busy["high"])
    assert "high" in visits(answer.plan)
    assert answer.lost == ("low",)
    assert check(problem, answer.plan) == []


def test_a_crew_that_loses_one_gets_another_at_the_same_time():
    bath = Task("bath", 2, 3600, ((36000, 40000),), crew=2)
    problem = line(bath, people=3)
    plan = plan_of(problem, cheapest(problem)[1])
    crew, start = visits(plan)["bath"]
    gone = sorted(crew)[0]
    answer = repair(problem, plan, absent=gone)
    now, then = visits(answer.plan)["bath"]
    assert then == start
    assert now == {"c1", "c2", "c3"} - {gone}
    assert answer.other_changes == ()


def test_who_left_home_before_now_is_not_sent_back_in_time():
    task = Task("t", 5, 3600, ((36000, 50000),))
    problem = line(task)
    plan = plan_of(problem, cheapest(problem)[1])
    start = visits(plan)["t"][1]
    fresh = Task("fresh", 1, 600, ((28800, 60000),))
    answer = insert(problem, plan, fresh, from_s=start + 1)
    # The visit lasts an hour; from there it is forty minutes to the new one.
    assert visits(answer.plan)["fresh"][1] >= start + 3600 + 2400
    assert visits(answer.plan)["t"] == visits(plan)["t"]


def test_a_cancelled_visit_that_has_begun_is_refused():
    problem = line(Task("t", 5, 3600, ((36000, 36000),)))
    plan = plan_of(problem, cheapest(problem)[1])
    with pytest.raises(BadInput, match="begun"):
        cancel(problem, plan, "t", from_s=36001)


def test_unknown_names_are_told():
    problem = line(Task("t", 5, 3600, ((36000, 36000),)))
    plan = plan_of(problem, cheapest(problem)[1])
    with pytest.raises(UnknownName, match="nobody"):
        repair(problem, plan, absent="nobody")
    with pytest.raises(UnknownName, match="t99"):
        cancel(problem, plan, "t99")
    with pytest.raises(UnknownName, match="nobody"):
        delay(problem, plan, caregiver="nobody", late_s=5)
    with pytest.raises(BadInput, match="late_s"):
        delay(problem, plan, caregiver="c1", late_s=-5)


def test_an_order_that_cannot_be_is_refused_with_its_place():
    problem = line(Task("t", 5, 3600, ((36000, 36000),)))
    plan = plan_of(problem, cheapest(problem)[1])
    with pytest.raises(BadProblem, match="place: is 17"):
        insert(problem, plan, Task("x", 17, 600, ((0, 90000),)))
    with pytest.raises(BadProblem, match="served already"):
        insert(problem, plan, problem.tasks[0])


def test_a_visit_left_out_can_be_tried_again():
    task = Task("t", 5, 3600, ((36000, 36000),))
    problem = line(task)
    empty = plan_of(problem, [])
    answer = insert(problem, empty, task)
    assert answer.placed
    assert answer.problem is problem
    assert check(problem, answer.plan) == []


def test_taking_an_answer_over_goes_on_from_it():
    problem = line(people=1)
    day = LiveDay(problem, plan_of(problem, []))
    for k in range(3):
        answer = day.insert(Task(f"t{k}", k + 1, 600, ((28800, 64800),)))
        assert answer.placed
        day = day.take(answer)
    assert check(day.problem, day.plan) == []
    assert len(visits(day.plan)) == 3
