"""A day whose plan stands at the limit of every rule: one second less of anything breaks it."""

from __future__ import annotations

from typing import Any

from dispatch import Plan, Problem, plan_from_json, problem_from_json, problem_sha256

# Every way takes ten minutes.
N_PLACES = 8


def problem_json() -> dict[str, Any]:
    """Return the problem: two who go, five visits, one of them for two and two with meals."""
    return {
        "schema": 1,
        "day": "2026-11-23",
        "places": {
            "seconds": [[0 if i == j else 600 for j in range(N_PLACES)] for i in range(N_PLACES)]
        },
        "circle_s": 600,
        "caregivers": [
            {
                "id": "c1",
                "vendor": "v1",
                "base": 0,
                "skills": ["GEN", "MEAL"],
                "shifts": [[28800, 42000], [42000, 46500]],
                "max_work_s": 11100,
                "rest": [39600, 41400, 1800],
                "capacity": 2,
            },
            {
                "id": "c2",
                "vendor": "v1",
                "base": 1,
                "skills": ["GEN"],
                "shifts": [[28800, 64800]],
                "rest": [40800, 42600, 1800],
            },
            {"id": "c3", "vendor": "v2", "base": 1, "skills": ["GEN"], "shifts": [[28800, 64800]]},
        ],
        "tasks": [
            {
                "id": "t1",
                "place": 2,
                "service_s": 3600,
                "windows": [[27000, 28000], [29000, 29400]],
                "skills": ["GEN"],
                "vendors": ["v1"],
                "preferred": ["c1"],
                "forbidden": ["c2"],
                "fixed": {"caregivers": ["c1"], "start_s": 29400},
            },
            {
                "id": "m1",
                "place": 5,
                "service_s": 300,
                "windows": [[38400, 39000]],
                "skills": ["MEAL"],
                "preferred": ["c9"],
                "load": {"place": 4, "units": 1, "ready_s": 37800, "hold_s": 3600},
            },
            {
                "id": "m2",
                "place": 7,
                "service_s": 300,
                "windows": [[38400, 41400]],
                "skills": ["MEAL"],
                "load": {"place": 4, "units": 1, "ready_s": 36000, "hold_s": 1500},
            },
            {
                "id": "x1",
                "place": 6,
                "service_s": 2700,
                "windows": [[43200, 46800]],
                "crew": 2,
                "vendors": ["v1"],
                "fixed": {"caregivers": ["c2"]},
            },
            {
                "id": "n1",
                "place": 3,
                "service_s": 1800,
                "windows": [[30000, 50000]],
                "skills": ["NURSE"],
                "vendors": ["v1"],
                "priority": 2,
            },
        ],
        "vendor_share": {"v1": 0.5, "v2": 0.5},
    }


def _stop(kind: str, place: int, *times: int, **more: Any) -> dict[str, Any]:
    arrive, start, end = times
    return {
        "kind": kind,
        "place": place,
        "arrive_s": arrive,
        "start_s": start,
        "end_s": end,
        **more,
    }


def plan_json() -> dict[str, Any]:
    """Return the plan that stands at every limit, without the problem's hash."""
    return {
        "schema": 1,
        "problem_sha256": "",
        "seed": 1,
        "engine": {"version": "by hand", "seconds": 0.0},
        "routes": [
            {
                "caregiver": "c1",
                "shift": 0,
                "depart_s": 28800,
                "return_s": 42000,
                "travel_s": 3000,
                "stops": [
                    _stop("task", 2, 29400, 29400, 33000, task="t1"),
                    _stop("load", 4, 33600, 37800, 37800, units=2),
                    _stop("task", 5, 38400, 38400, 38700, task="m1"),
                    _stop("task", 7, 39300, 39300, 39600, task="m2"),
                    _stop("rest", 7, 39600, 39600, 41400),
                ],
            },
            {
                "caregiver": "c1",
                "shift": 1,
                "depart_s": 42000,
                "return_s": 46500,
                "travel_s": 1200,
                "stops": [_stop("task", 6, 42600, 43200, 45900, task="x1")],
            },
            {
                "caregiver": "c2",
                "shift": 0,
                "depart_s": 42600,
                "return_s": 46500,
                "travel_s": 1200,
                "stops": [_stop("task", 6, 43200, 43200, 45900, task="x1")],
            },
        ],
        "unassigned": [
            {
                "task": "n1",
                "reason": "no_skill",
                "remaining": dict.fromkeys(
                    ("skill", "allowed", "vendor", "circle", "shift", "insertion"), 0
                ),
                "would_help": [],
            }
        ],
        "totals": {
            "tasks": 5,
            "assigned": 4,
            "travel_s": 5400,
            "cost": 208200,
            "by_term": {
                "travel": 5400,
                "unassigned": 200000,
                "unpreferred": 300,
                "vendor_share": 2500,
            },
        },
    }


def limit_day(
    problem: dict[str, Any] | None = None, plan: dict[str, Any] | None = None
) -> tuple[Problem, Plan]:
    """Return problem and plan, the plan naming the problem's hash."""
    made = problem_from_json(problem or problem_json())
    answer = dict(plan or plan_json())
    answer["problem_sha256"] = answer["problem_sha256"] or problem_sha256(made)
    return made, plan_from_json(answer)
