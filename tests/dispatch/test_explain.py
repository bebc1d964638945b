"""Why this caregiver: the runners-up with their cost, the rule that binds, in both languages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatch import (
    Caregiver,
    Fixed,
    Load,
    Places,
    Plan,
    Problem,
    Rest,
    Task,
    UnknownName,
    Weights,
    check,
    insert,
    problem_sha256,
    solve,
)
from dispatch.cost import totals_of
from dispatch.explain import explain
from dispatch.live import LiveDay
from dispatch.plan import Engine, Route, Stop
from tests.dispatch.exhaustive import cheapest, plan_of, random_problem

# Places on a line, ten minutes apart; everybody starts at place 0.
SECONDS = [[600 * abs(i - j) for j in range(6)] for i in range(6)]


def person(name: str, **facts) -> Caregiver:
    given = {"id": name, "vendor": "v1", "base": 0, "skills": frozenset({"GEN"}),
             "shifts": ((28800, 43200),)}  # fmt: skip
    return Caregiver(**{**given, **facts})


def visit(**facts) -> Task:
    given = {"id": "t", "place": 2, "service_s": 3600, "windows": ((32400, 32400),),
             "skills": frozenset({"GEN"})}  # fmt: skip
    return Task(**{**given, **facts})


def served_by(name: str, task: Task, *people: Caregiver, more: tuple[Task, ...] = (),
              routes: tuple[Route, ...] = ()) -> tuple[Problem, Plan]:  # fmt: skip
    """Return a day where *name* serves *task* at 9:00 and nothing else, checked."""
    problem = Problem(Places(seconds=SECONDS), people, (task, *more), circle_s=1800)
    stops: list[Stop] = []
    if task.load is not None:
        stops.append(Stop("load", task.load.place, 29400, 30000, 30000, units=task.load.units))
    stops.append(Stop("task", 2, 31200, 32400, 36000, task="t"))
    ways = (Route(name, 0, 28800, 37200, 2400, tuple(stops)), *routes)
    plan = Plan(problem_sha256(problem), 1, Engine("by hand", 0.0), ways, (),
                totals_of(problem, ways))  # fmt: skip
    assert check(problem, plan) == []
    return problem, plan


def binding(problem: Problem, plan: Plan) -> dict[str, str | None]:
    return {each.caregivers[0]: each.binding for each in explain(problem, plan, "t").alternatives}


def test_runners_up_come_with_the_cost_of_each_term():
    task = visit(preferred=frozenset({"c1"}))
    problem, plan = served_by("c1", task, person("c1"), person("c2"), person("c3", base=1))
    why = explain(problem, plan, "t")
    assert (why.caregivers, why.start_s) == (("c1",), 32400)
    assert (why.added.travel, why.added.unpreferred) == (2400, 0)
    assert [(each.caregivers, each.added.travel, each.added.unpreferred)
            for each in why.alternatives] == [(("c3",), -1200, 300), (("c2",), 0, 300)]  # fmt: skip
    assert why.counts == (("skill", 3), ("allowed", 3), ("vendor", 3), ("circle", 3), ("shift", 3))


@pytest.mark.parametrize("seed", range(40))
def test_what_an_alternative_costs_is_what_the_plan_with_it_costs_more(seed):
    problem = random_problem(seed)
    plan = plan_of(problem, cheapest(problem)[1])
    day = LiveDay(problem, plan)
    for task in problem.tasks:
        why = explain(problem, plan, task.id)
        if not why.caregivers:
            continue
        without = day.take(day.cancel(task.id))
        for each in why.alternatives:
            if each.binding is None:
                assert set(each.caregivers) != set(why.caregivers)
                other = without.insert(task, caregivers=each.caregivers)
                assert other.plan.totals.cost - plan.totals.cost == each.added.total


def test_the_alternatives_price_is_the_difference_of_two_plans():
    task = visit()
    people = (person("c1"), person("c2", base=1), person("c3", vendor="v2"))
    problem, plan = served_by("c1", task, *people)
    (other,) = [e for e in explain(problem, plan, "t").alternatives if e.caregivers == ("c2",)]
    without = replace(problem, tasks=())
    empty = Plan(problem_sha256(without), 1, Engine("by hand", 0.0), (), (), totals_of(without, ()))
    only = replace(without, caregivers=(people[1],))
    swapped = insert(only, replace(empty, problem_sha256=problem_sha256(only)), task).plan
    assert other.added.total == swapped.totals.cost - plan.totals.cost


def test_the_rule_that_binds_is_named():
    busy = Task("busy", 2, 9000, ((31200, 31200),), frozenset({"GEN"}))
    route = Route("c6", 0, 28800, 41400, 2400,
                  (Stop("task", 2, 30000, 31200, 40200, task="busy"),))  # fmt: skip
    people = (
        person("c1"),
        person("c2", max_work_s=5999),
        person("c3", rest=Rest(31200, 37200, 5400)),
        person("c6", shifts=((28800, 50000),)),
        person("c7", skills=frozenset()),
        person("c8", vendor="v2"),
        person("c9"),
    )
    usual = frozenset({"c1", "c2", "c3", "c6", "c7", "c8", "c9"})
    task = visit(preferred=usual, vendors=frozenset({"v1"}), forbidden=frozenset({"c9"}))
    problem, plan = served_by("c1", task, *people, more=(busy,), routes=(route,))
    assert binding(problem, plan) == {
        "c2": "work",
        "c3": "rest",
        "c6": "window",
        "c7": "skill",
        "c8": "vendor",
        "c9": "forbidden",
    }


def test_a_full_bag_and_a_far_base_bind():
    meal = visit(
        windows=((32400, 32400),), service_s=3600,
        load=Load(place=1, units=2, ready_s=30000, hold_s=3600),
        preferred=frozenset({"c1", "c2", "c3"}),
    )  # fmt: skip
    people = (person("c1"), person("c2", capacity=1), person("c3", base=5))
    problem, plan = served_by("c1", meal, *people)
    problem = replace(problem, circle_s=1700)
    assert binding(problem, plan) == {"c2": "capacity", "c3": "circle"}


def test_who_is_settled_binds():
    task = visit(fixed=Fixed(("c1",)), preferred=frozenset({"c2"}))
    problem, plan = served_by("c1", task, person("c1"), person("c2"))
    assert binding(problem, plan) == {"c2": "fixed"}


def test_a_crews_alternatives_are_crews():
    task = visit(crew=2)
    people = (person("c1"), person("c2"), person("c3"), person("c4", vendor="v2"))
    problem = Problem(Places(seconds=SECONDS), people, (task,), circle_s=1800)
    plan = plan_of(problem, cheapest(problem)[1])
    why = explain(problem, plan, "t")
    assert len(why.caregivers) == 2
    crews = [each.caregivers for each in why.alternatives if each.binding is None]
    assert all(len(crew) == 2 for crew in crews)
    assert {each.caregivers: each.binding for each in why.alternatives}[("c4",)] == "crew"


def test_words_for_each_audience_in_both_languages():
    task = visit(preferred=frozenset({"c2"}))
    problem, plan = served_by("c1", task, person("c1"), person("c2", max_work_s=100), person("c3"))
    why = explain(problem, plan, "t")
    elder = why.words(language="zh", audience="elder")
    assert elder.startswith("护理员c1将于09:00上门。")
    assert "您常用的护理员c2这次来不了：会超过每日工时上限。" in elder
    assert "2400" not in elder.replace(",", "")
    vendor = why.words(language="en", audience="vendor")
    assert "The visit adds +2,700 in all (travel +2,400, not preferred +300)" in vendor
    auditor = why.words(language="en", audience="auditor")
    assert "3 have the skills" in auditor
    assert "c2 would work longer than allowed." in auditor


def test_words_for_a_visit_left_out_say_what_would_help():
    task = visit(windows=((41000, 41400),))
    problem = Problem(Places(seconds=SECONDS), (person("c1"),), (task,), circle_s=1800)
    plan = plan_of(problem, [])
    why = explain(problem, plan, "t")
    assert why.unassigned.reason == "outside_all_shifts"
    elder = why.words(language="zh", audience="elder")
    assert "很抱歉，这次上门没有安排成：没有班次能容纳这个时间。" in elder
    assert "如果开始时间由11:23–11:30放宽到10:40–11:30，c1可以上门。" in elder
    assert "c1 can come" in why.words(language="en", audience="vendor")
    auditor = why.words(language="zh", audience="auditor")
    assert "任务t未派（outside_all_shifts）" in auditor
    assert "以上每项调整均已在本计划上单独试算。" in auditor


def test_nobody_who_could_be_one_of_a_crew_is_said_to_have_nobody_to_go_with():
    task = visit(crew=2)
    people = tuple(person(f"c{k}", base=0 if k < 3 else 1) for k in range(1, 6))
    problem = Problem(Places(seconds=SECONDS), people, (task,), circle_s=1800)
    plan = solve(problem, iterations=200)
    why = explain(problem, plan, "t")
    assert all(each.binding is None for each in why.alternatives)
    named = {name for each in why.alternatives for name in each.caregivers}
    assert named | set(why.caregivers) == {"c1", "c2", "c3", "c4", "c5"}


def test_the_nearest_who_fail_a_filter_are_named_with_it():
    task = visit(vendors=frozenset({"v1"}), forbidden=frozenset({"c2"}))
    people = (person("c1"), person("c2"), person("c3", vendor="v2"))
    problem, plan = served_by("c1", task, *people)
    assert binding(problem, plan) == {"c2": "forbidden", "c3": "vendor"}


@pytest.mark.parametrize(
    ("unassigned", "words"),
    [(100_000, "not been put into the plan yet"), (10, "beyond what is set")],
)
def test_nobody_is_called_busy_who_could_come(unassigned, words):
    weights = Weights(unassigned=unassigned)
    problem = Problem(
        Places(seconds=SECONDS),
        (person("c1"), person("c2", max_work_s=100)),
        (visit(preferred=frozenset({"c2"})),),
        circle_s=1800,
        weights=weights,
    )
    why = explain(problem, plan_of(problem, []), "t")
    can, cannot = why.alternatives
    assert (can.caregivers, can.binding, can.added.travel) == (("c1",), None, 2400)
    assert (cannot.caregivers, cannot.binding) == (("c2",), "work")
    auditor = why.words(language="en", audience="auditor")
    assert words in auditor
    assert "c1 could come at" in auditor
    assert "busy" not in auditor


def test_facts_as_json_name_everything():
    problem, plan = served_by("c1", visit(), person("c1"), person("c2"))
    facts = explain(problem, plan, "t").to_json()
    assert facts["caregivers"] == ["c1"]
    assert facts["alternatives"][0]["added"]["total"] == 0
    assert facts["unassigned"] is None


def test_an_unknown_task_is_told():
    problem, plan = served_by("c1", visit(), person("c1"))
    with pytest.raises(UnknownName, match="t99"):
        explain(problem, plan, "t99")
