"""The peers beside ours: every answer becomes a plan, and the checker has the last word."""

from __future__ import annotations

import csv
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from dispatch import Caregiver, Places, Problem, Task, check, write_problem
from dispatch.__main__ import main
from dispatch.bench import city, peers
from dispatch.errors import BadInput

PEERS = ["ortools", "pyvrp", "vroom"]


def small_day() -> Problem:
    """Two bases ten minutes apart; one order has a skill that only c2 has, one nobody reaches."""
    seconds = np.array(
        [
            [0, 600, 300, 400, 700, 5000],
            [600, 0, 500, 300, 200, 5000],
            [300, 500, 0, 200, 500, 5000],
            [400, 300, 200, 0, 300, 5000],
            [700, 200, 500, 300, 0, 5000],
            [5000, 5000, 5000, 5000, 5000, 0],
        ]
    )
    return Problem(
        places=Places(seconds=seconds),
        caregivers=(
            Caregiver("c1", "v", 0, frozenset({"A"}), ((0, 9000), (12000, 20000)), 7000),
            Caregiver("c2", "v", 1, frozenset({"A", "B"}), ((0, 20000),), 7000),
        ),
        tasks=(
            Task("t1", 2, 1800, ((300, 3600),), frozenset({"A"})),
            Task("t2", 3, 1800, ((300, 7200),), frozenset({"A"}), preferred=frozenset({"c1"})),
            Task("t3", 4, 1800, ((300, 7200),), frozenset({"B"}), priority=3),
            Task("t4", 3, 1200, ((12500, 16000),), frozenset({"A"})),
            Task("far", 5, 600, ((0, 20000),), frozenset({"A"})),
        ),
        circle_s=900,
    )


@pytest.mark.parametrize("engine", PEERS)
def test_a_peer_serves_what_can_be_served_and_the_checker_agrees(engine: str):
    if find_spec(peers.MODULES[engine]) is None:
        pytest.skip(f"{engine} is not installed: pip install {peers.WHEELS[engine]}")
    problem = small_day()
    result = city._Day(problem).result(engine, seconds=1.0, workers=1, seed=1, iterations=None)
    assert result.violations == 0
    assert check(problem, result.plan) == []
    left = [each.task for each in result.plan.unassigned]
    assert "far" in left
    # Only OR-Tools knows the work limit of a day; the others' visits beyond it are dropped.
    assert len(left) == 1 + result.dropped
    assert result.dropped <= (0 if engine == "ortools" else 1)


def test_an_order_that_a_cut_parts_from_all_who_work_so_late_is_left_out_by_or_tools():
    problem = small_day()
    late = Task("late", 4, 600, ((20500, 22000),), frozenset({"B"}))
    longer = replace(problem.caregivers[1], shifts=((0, 26000),))
    problem = replace(
        problem, caregivers=(problem.caregivers[0], longer), tasks=(*problem.tasks, late)
    )
    zone = city._Day(problem).zone(np.array([0]), np.array([0, 5]))
    assert peers.ortools_tours(zone, seconds=0.2) == {(0, 0): [0]}


def test_ours_serves_the_same():
    problem = small_day()
    result = city._Day(problem).result("ours", seconds=1.0, workers=1, seed=1, iterations=500)
    assert result.violations == 0
    assert [each.task for each in result.plan.unassigned] == ["far"]


def test_visits_that_break_a_rule_are_dropped_and_counted():
    """A peer that knows no work limit gives c1 everything: the day is cut until it keeps it."""
    problem = small_day()
    day = city._Day(problem)
    plan, dropped = day._plan({(0, 0): [0, 1], (0, 1): [3], (1, 0): [2]}, 1, 1.0)
    assert dropped == 0
    plan, dropped = day._plan({(0, 0): [1, 0, 2], (1, 0): [2, 3]}, 1, 1.0)
    assert dropped > 0
    assert check(problem, plan) == []


def test_zones_hold_every_order_once_and_every_caregiver_once():
    rng = np.random.default_rng(4)
    spots = np.column_stack([32.4 + rng.random(220) / 30, 119.9 + rng.random(220) / 30])
    problem = Problem(
        places=Places(coordinates=spots),
        caregivers=tuple(
            Caregiver(f"c{k}", "v", k, frozenset(), ((0, 40_000),)) for k in range(20)
        ),
        tasks=tuple(Task(f"t{k}", 20 + k, 600, ((0, 30_000),)) for k in range(200)),
        circle_s=3600,
    )
    day = city._Day(problem)
    pieces = [piece for part in day.parts for piece in day._cut(*part, 60)]
    orders = sorted(at for _, tasks in pieces for at in tasks.tolist())
    people = sorted(at for who, _ in pieces for at in who.tolist())
    assert orders == list(range(200))
    assert people == list(range(20))
    assert all(len(tasks) <= 60 for _, tasks in pieces)


def test_missing_peer_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(peers.MODULES, "pyvrp", "a_module_that_is_not_there")
    with pytest.raises(BadInput, match="pip install pyvrp"):
        peers.need("pyvrp")


def test_a_day_with_crews_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    problem = Problem(
        places=Places(seconds=np.array([[0, 60], [60, 0]])),
        caregivers=(Caregiver("c", "v", 0, frozenset(), ((0, 7200),)),),
        tasks=(Task("t", 1, 600, ((0, 3600),), crew=2),),
    )
    path = tmp_path / "day.json"
    write_problem(problem, path)
    assert main(["bench", "city", "--problem", str(path), "--engines", "ours"]) == 2
    assert "tasks[0]: has a crew" in capsys.readouterr().err


def test_city_prints_the_table_and_names_projections(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path, table = tmp_path / "day.json", tmp_path / "out.csv"
    write_problem(small_day(), path)
    clocks = ["--seconds", "ours=0.5,ortools=1"]
    asked = ["--engines", "ours,ortools", *clocks, "--csv", str(table)]
    assert main(["bench", "city", "--problem", str(path), *asked]) == 0
    rows = list(csv.DictReader(table.open()))
    assert [(row["engine"], row["left_out"], row["violations"]) for row in rows] == [
        ("ours", "1", "0"),
        ("ortools", "1", "0"),
    ]
    assert "ortools: zones of at most" in capsys.readouterr().out
