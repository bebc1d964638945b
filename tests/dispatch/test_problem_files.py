"""Files of problems and plans: what is good comes back as it was, what is bad names its place."""

from __future__ import annotations

import hashlib
import json
import pickle
from typing import Any

import pytest

from dispatch import (
    BadPlan,
    BadProblem,
    Places,
    plan_from_json,
    plan_to_json,
    problem_from_json,
    problem_sha256,
    problem_to_json,
    read_plan,
    read_problem,
    write_plan,
    write_problem,
)
from tests.dispatch.exhaustive import random_problem
from tests.dispatch.limit_day import limit_day, plan_json, problem_json

DELETE = object()


def changed(document: Any, path: tuple, value: Any) -> Any:
    target = document
    for key in path[:-1]:
        target = target[key]
    if value is DELETE:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return document


def with_coordinates() -> dict:
    document = problem_json()
    document["places"] = {"coordinates": [[32.4 + k / 1000, 119.9] for k in range(8)]}
    return document


BAD_PROBLEMS = [
    (("tasks", 1, "windows", 0), [39000, 38400], "tasks[1].windows[0]", "before it starts"),
    (("tasks", 1, "windows"), [], "tasks[1].windows", "at least one"),
    (("tasks", 1, "windows", 0), [39000], "tasks[1].windows[0]", "[start, end]"),
    (("tasks", 1, "windows", 0, 1), 10**9 + 1, "tasks[1].windows[0][1]", "outside"),
    (("tasks", 2, "service_s"), float("nan"), "tasks[2].service_s", "whole number"),
    (("tasks", 2, "service_s"), 3600.5, "tasks[2].service_s", "whole number"),
    (("tasks", 2, "service_s"), -1, "tasks[2].service_s", "negative"),
    (("tasks", 2, "service_s"), True, "tasks[2].service_s", "whole number"),
    (("tasks", 2, "service_s"), "3600", "tasks[2].service_s", "whole number"),
    (("tasks", 2, "service_s"), None, "tasks[2].service_s", "whole number"),
    (("tasks", 2, "service_s"), DELETE, "tasks[2].service_s", "missing"),
    (("tasks", 2, "servise_s"), 5, "tasks[2].servise_s", 'did you mean "service_s"'),
    (("tasks", 2, "place"), 8, "tasks[2].place", "0 to 7"),
    (("tasks", 2, "id"), "t1", "tasks[2].id", "tasks[0].id"),
    (("tasks", 2, "id"), "", "tasks[2].id", "not empty"),
    (("tasks", 2, "id"), 7, "tasks[2].id", "text"),
    (("tasks", 2, "crew"), 2, "tasks[2].crew", "crew of 1"),
    (("tasks", 2, "crew"), 0, "tasks[2].crew", "from 1"),
    (("tasks", 2, "priority"), 10, "tasks[2].priority", "from 1 to 9"),
    (("tasks", 2, "skills"), "MEAL", "tasks[2].skills", "list"),
    (("tasks", 2, "skills", 0), 3, "tasks[2].skills[0]", "text"),
    (("tasks", 2, "load", "place"), 99, "tasks[2].load.place", "no place"),
    (("tasks", 2, "load", "hold_s"), DELETE, "tasks[2].load.hold_s", "missing"),
    (("tasks", 2, "load", "hold_m"), 3, "tasks[2].load.hold_m", "hold_s"),
    (("tasks", 2, "load"), 3, "tasks[2].load", "object"),
    (("tasks", 0, "fixed"), {"caregivers": ["a", "b"]}, "tasks[0].fixed.caregivers", "at most"),
    (("tasks", 0, "fixed"), {"start": 3}, "tasks[0].fixed.start", "start_s"),
    (("tasks", 0, "fixed"), [], "tasks[0].fixed", "object"),
    (("tasks", 3), 5, "tasks[3]", "object"),
    (("tasks",), {}, "tasks", "list"),
    (("caregivers", 0, "shifts", 1), [41999, 46500], "caregivers[0].shifts[1]", "disjoint"),
    (("caregivers", 0, "shifts", 1), [9, 5], "caregivers[0].shifts[1]", "before it starts"),
    (("caregivers", 0, "rest"), [39600, 41400, 1801], "caregivers[0].rest[2]", "does not fit"),
    (("caregivers", 0, "rest"), [39600, 1800], "caregivers[0].rest", "length"),
    (("caregivers", 0, "base"), 8, "caregivers[0].base", "no place"),
    (("caregivers", 0, "vendor"), DELETE, "caregivers[0].vendor", "missing"),
    (("caregivers", 1, "id"), "c1", "caregivers[1].id", "its own"),
    (("caregivers", 0, "capacity"), -3, "caregivers[0].capacity", "negative"),
    (("places", "seconds", 2, 3), -5, "places.seconds[2][3]", "negative"),
    (("places", "seconds", 2, 3), 1.5, "places.seconds[2][3]", "whole number"),
    (("places", "seconds", 2, 3), float("nan"), "places.seconds[2][3]", "whole number"),
    (("places", "seconds", 2, 3), True, "places.seconds[2][3]", "whole number"),
    (("places", "seconds", 2, 3), 10**30, "places.seconds[2][3]", "outside"),
    (("places", "seconds", 2, 2), 5, "places.seconds[2][2]", "takes 0"),
    (("places", "seconds", 2), [1, 2], "places.seconds[2]", "n x n"),
    (("places",), {}, "places.coordinates", "missing"),
    (("places",), DELETE, "places", "missing"),
    (("schema",), 2, "schema", "reads 1"),
    (("schema",), DELETE, "schema", "missing"),
    (("day",), "23.11.2026", "day", "2026-11-23"),
    (("circle_s",), None, "circle_s", "whole number"),
    (("travel",), {"speed_mps": 0}, "travel.speed_mps", "from 0.1"),
    (("travel",), {"speed_mps": float("nan")}, "travel.speed_mps", "from 0.1"),
    (("travel",), {"detour": "1.35"}, "travel.detour", "number"),
    (("weights",), {"travel": 1.5}, "weights.travel", "whole number"),
    (("weights",), {"journey": 1}, "weights.journey", "not a key"),
    (("vendor_share",), {"v1": 12}, "vendor_share.v1", "part of 1"),
    (("vendor_share",), [0.5], "vendor_share", "object"),
    (("vehicles",), [], "vehicles", "not a key"),
]


@pytest.mark.parametrize(("path", "value", "place", "cure"), BAD_PROBLEMS)
def test_a_bad_problem_names_the_place_and_the_cure(path, value, place, cure):
    with pytest.raises(BadProblem) as caught:
        problem_from_json(changed(problem_json(), path, value))
    assert caught.value.path == place
    assert cure in caught.value.problem


@pytest.mark.parametrize(
    ("point", "place"),
    [
        ([119.9, 32.4], "places.coordinates[3][0]"),
        ([32.4, 181], "places.coordinates[3][1]"),
        ([float("nan"), 119.9], "places.coordinates[3][0]"),
        (["32.4", 119.9], "places.coordinates[3][0]"),
        ([32.4], "places.coordinates[3]"),
        (None, "places.coordinates[3]"),
    ],
)
def test_a_bad_point_names_its_place(point, place):
    document = changed(with_coordinates(), ("places", "coordinates", 3), point)
    with pytest.raises(BadProblem) as caught:
        problem_from_json(document)
    assert caught.value.path == place


@pytest.mark.parametrize(
    ("content", "cure"),
    [
        (b"", "not JSON"),
        (b'{"schema": 1,', "line 1"),
        (b"\xff\xfe", "UTF-8"),
        (b"[" * 100000, "deep"),
        (b'{"schema": ' + b"9" * 5000 + b"}", "digits"),
        (b'{"schema": 1, "schema": 1}', "twice"),
        (b"[]", "object"),
        (b"null", "object"),
    ],
)
def test_a_file_that_is_no_problem_says_so(tmp_path, content, cure):
    path = tmp_path / "problem.json"
    path.write_bytes(content)
    with pytest.raises(BadProblem, match=cure):
        read_problem(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadProblem, match=r"nowhere\.json: cannot be read"):
        read_problem(tmp_path / "nowhere.json")


def test_keys_left_out_take_the_values_of_the_contract():
    problem = problem_from_json(
        {
            "schema": 1,
            "places": {"coordinates": [[32.4, 119.9]]},
            "caregivers": [{"id": "c", "vendor": "v", "base": 0, "skills": [], "shifts": [[0, 1]]}],
            "tasks": [{"id": "t", "place": 0, "service_s": 0, "windows": [[0, 1]]}],
        }
    )
    assert (problem.day, problem.circle_s, problem.vendor_share) == (None, 900, None)
    assert (problem.travel.speed_mps, problem.travel.detour, problem.travel.stop_s) == (
        4.1667,
        1.35,
        60,
    )
    assert problem.weights.unassigned == 100_000
    caregiver, task = problem.caregivers[0], problem.tasks[0]
    assert (caregiver.max_work_s, caregiver.rest, caregiver.capacity) == (None, None, None)
    assert (task.crew, task.priority, task.vendors, task.load, task.fixed) == (
        1,
        1,
        None,
        None,
        None,
    )
    assert task.skills == task.preferred == task.forbidden == frozenset()


def test_a_problem_without_anything_is_one():
    problem = problem_from_json(
        {"schema": 1, "places": {"coordinates": []}, "caregivers": [], "tasks": []}
    )
    assert len(problem.places) == 0


@pytest.mark.parametrize("seed", range(20))
def test_a_problem_comes_back_from_its_file_as_it_was(tmp_path, seed):
    problem = random_problem(seed)
    path = tmp_path / "problem.json"
    digest = write_problem(problem, path)
    again = read_problem(path)
    assert again == problem
    assert again.sha256 == digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert problem_sha256(problem) == digest
    assert problem_from_json(problem_to_json(problem)) == problem


def test_a_plan_comes_back_from_its_file_as_it_was(tmp_path):
    _, plan = limit_day()
    path = tmp_path / "plan.json"
    write_plan(plan, path)
    assert read_plan(path) == plan
    assert plan_from_json(plan_to_json(plan)) == plan
    assert list(tmp_path.iterdir()) == [path]


def test_problems_and_plans_travel_between_processes():
    problem, plan = limit_day()
    assert pickle.loads(pickle.dumps(problem)) == problem
    assert pickle.loads(pickle.dumps(plan)) == plan


def test_windows_that_overlap_become_one():
    document = changed(
        problem_json(), ("tasks", 0, "windows"), [[500, 600], [100, 200], [150, 300]]
    )
    assert problem_from_json(document).tasks[0].windows == ((100, 300), (500, 600))


def test_places_made_from_arrays_are_kept_from_change():
    import numpy as np

    given = np.array([[32.4, 119.9]])
    places = Places(given)
    given[0, 0] = 0.0
    assert places.coordinates[0, 0] == 32.4
    with pytest.raises(ValueError, match="read-only"):
        places.coordinates[0, 0] = 1.0


BAD_PLANS = [
    (("routes", 0, "stops", 1, "kind"), "nap", "routes[0].stops[1].kind", "task, load, rest"),
    (("routes", 0, "stops", 0, "task"), None, "routes[0].stops[0].task", "id of a task"),
    (("routes", 0, "stops", 1, "task"), "t1", "routes[0].stops[1].task", "leave it out"),
    (("routes", 0, "stops", 0, "start_s"), 1.5, "routes[0].stops[0].start_s", "whole number"),
    (("routes", 0, "stops", 0, "start_s"), DELETE, "routes[0].stops[0].start_s", "missing"),
    (("routes", 1, "depart_s"), -1, "routes[1].depart_s", "negative"),
    (("routes", 1, "driver"), "c1", "routes[1].driver", "not a key"),
    (("unassigned", 0, "reason"), "tired", "unassigned[0].reason", "no_skill"),
    (("unassigned", 0, "remaining", "skill"), DELETE, "unassigned[0].remaining.skill", "missing"),
    (("unassigned", 0, "would_help"), [{"change": "luck"}], "unassigned[0].would_help[0].change",
     "window"),
    (("totals", "cost"), "1", "totals.cost", "whole number"),
    (("totals", "by_term", "travel"), DELETE, "totals.by_term.travel", "missing"),
    (("engine",), {}, "engine.version", "missing"),
    (("routes",), None, "routes", "list"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "place", "cure"), BAD_PLANS)
def test_a_bad_plan_names_the_place_and_the_cure(path, value, place, cure):
    document = changed({**plan_json(), "problem_sha256": "0"}, path, value)
    with pytest.raises(BadPlan) as caught:
        plan_from_json(document)
    assert caught.value.path == place
    assert cure in caught.value.problem


def test_what_would_help_keeps_its_words_in_the_file():
    document = {**plan_json(), "problem_sha256": "0"}
    helped = {"change": "window", "from": [39600, 41400], "to": [39600, 48600], "caregiver": "c7"}
    document["unassigned"][0]["would_help"] = [helped]
    plan = plan_from_json(json.loads(json.dumps(document)))
    assert plan_to_json(plan)["unassigned"][0]["would_help"] == [helped]
