"""Plans of small problems, spoilt at random: `check` and a second look agree on every one."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from dispatch import (
    check,
    plan_from_json,
    plan_to_json,
    problem_from_json,
    problem_to_json,
)
from dispatch.cost import totals_of
from dispatch.plan import TERMS
from tests.dispatch.exhaustive import cheapest, plan_of, random_problem
from tests.dispatch.second_look import keeps_every_rule

Json = dict[str, Any]
EMPTY = {
    "reason": "no_room",
    "remaining": dict.fromkeys(("skill", "allowed", "vendor", "circle", "shift", "insertion"), 0),
}


def spoil(plan: Json, problem: Json, rng: random.Random) -> None:
    """Change one thing of *plan*, big or small; some changes do no harm."""
    routes = [route for route in plan["routes"] if route["stops"]]
    tasks = [each["id"] for each in problem["tasks"]]
    if not routes:
        plan["unassigned"].pop(rng.randrange(len(plan["unassigned"])))
        return
    route = rng.choice(routes)
    at = rng.randrange(len(route["stops"]))
    stop = route["stops"][at]
    shift = rng.choice([-1, 1, -60, 60, -600, 600, 3600])

    def move(*keys: str) -> None:
        for key in keys:
            stop[key] = max(0, stop[key] + shift)

    kind = rng.randrange(13)
    if kind == 0:
        move(rng.choice(["arrive_s", "start_s", "end_s"]))
    elif kind == 1:
        move("start_s", "end_s")
    elif kind == 2:
        key = rng.choice(["depart_s", "return_s", "travel_s"])
        route[key] = max(0, route[key] + shift)
    elif kind == 3:
        for each in route["stops"][at:]:
            for key in ("arrive_s", "start_s", "end_s"):
                each[key] = max(0, each[key] + shift)
        route["return_s"] = max(0, route["return_s"] + shift)
    elif kind == 4:
        route["stops"].pop(at)
    elif kind == 5:
        route["caregiver"] = rng.choice(problem["caregivers"])["id"]
    elif kind == 6:
        route["shift"] = rng.randrange(2)
    elif kind == 7 and stop["kind"] == "task":
        stop["task"] = rng.choice(tasks)
        stop["place"] = next(t["place"] for t in problem["tasks"] if t["id"] == stop["task"])
    elif kind == 8:
        route["stops"].insert(rng.randrange(len(route["stops"]) + 1), dict(stop))
    elif kind == 9 and len(route["stops"]) > 1:
        route["stops"][0], route["stops"][-1] = route["stops"][-1], route["stops"][0]
    elif kind == 10 and stop["kind"] == "load":
        stop["units"] += rng.choice([1, -1]) if stop["units"] else 1
    elif kind == 11 and plan["unassigned"]:
        plan["unassigned"].pop()
    else:
        plan["unassigned"].append({**EMPTY, "task": rng.choice(tasks)})


def spoil_problem(problem: Json, rng: random.Random) -> None:
    """Take a little away from what the problem allows."""
    task, carer = rng.choice(problem["tasks"]), rng.choice(problem["caregivers"])
    kind = rng.randrange(9)
    if kind == 0:
        problem["circle_s"] = rng.choice([300, 500, 800])
    elif kind == 1:
        carer["max_work_s"] = rng.randrange(1800, 12000)
    elif kind == 2:
        carer["capacity"] = rng.randrange(3)
    elif kind == 3:
        opens = rng.randrange(27000, 45000, 600)
        carer["rest"] = [opens, opens + 3600, rng.choice([600, 1800, 3600])]
    elif kind == 4:
        task["windows"] = [[a, max(a, b - rng.choice([1, 600, 3600]))] for a, b in task["windows"]]
    elif kind == 5 and task["load"]:
        task["load"]["hold_s"] = rng.choice([0, 300, 700])
        task["load"]["ready_s"] += rng.choice([-600, 1, 600])
    elif kind == 6:
        task["forbidden"] = [carer["id"]]
    elif kind == 7:
        task["skills"] = [*task["skills"], rng.choice(["A", "B", "MEAL"])]
    else:
        carer["vendor"] = "v1" if carer["vendor"] == "v0" else "v0"


def with_own_totals(problem: Any, plan: Json) -> None:
    """Let the plan's sums be those of its routes, so that other faults stand alone."""
    try:
        totals = totals_of(problem, plan_from_json(plan).routes)
    except (KeyError, IndexError):
        return
    plan["totals"] = {
        "tasks": totals.tasks,
        "assigned": totals.assigned,
        "travel_s": totals.travel_s,
        "cost": totals.cost,
        "by_term": {term: getattr(totals.by_term, term) for term in TERMS},
    }


@pytest.mark.parametrize("seed", range(40))
def test_check_and_the_second_look_agree_on_spoilt_plans(seed):
    rng = random.Random(seed)
    problem = random_problem(seed)
    plan = plan_of(problem, cheapest(problem)[1])
    asked, answer = problem_to_json(problem), plan_to_json(plan)
    assert check(problem, plan) == []
    assert keeps_every_rule(asked, answer)
    verdicts = set()
    for _ in range(40):
        other, question = copy.deepcopy(answer), copy.deepcopy(asked)
        spoil(other, asked, rng) if rng.random() < 0.7 else spoil_problem(question, rng)
        changed = problem_from_json(question)
        if rng.random() < 0.7:
            with_own_totals(changed, other)
        found = [v for v in check(changed, plan_from_json(other)) if v.rule != "problem"]
        fine = keeps_every_rule(question, other)
        assert fine == (not found), [str(each) for each in found]
        verdicts.add(fine)
    assert False in verdicts
