"""The bench of live questions: it asks what it says, and its judge can tell what was given away."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from dispatch import Caregiver, Fixed, Places, Problem, Task
from dispatch.__main__ import main
from dispatch.answer import Answer
from dispatch.bench.live import Bench, around
from dispatch.check import check_routes
from dispatch.live import LiveDay
from dispatch.planner import solve


@pytest.mark.slow
def test_bench_live_asks_every_kind_of_question_and_writes_its_table(tmp_path, capsys):
    out = tmp_path / "live.csv"
    command = ["bench", "live", "--orders", "150", "--seconds", "1", "--questions", "12"]
    assert main([*command, "--events", "6", "--judge-seconds", "0.2", "--csv", str(out)]) == 0
    shown = capsys.readouterr().out
    rows = list(csv.DictReader(out.open(encoding="utf-8")))
    asked = {row["question"]: int(row["times"]) for row in rows}
    assert asked["offer all feasible starts"] == asked["insert the order"] == 12
    assert {"cancel an order", "late by 25 min at 10:00", "absent from 10:00"} <= asked.keys()
    assert all(float(row["p50_ms"]) <= float(row["p99_ms"]) <= float(row["max_ms"]) for row in rows)
    assert "could be kept" in shown
    assert "seed 1" in shown.splitlines()[-2]
    assert "Python" in shown.splitlines()[-1]


def at_places(*tasks: Task) -> Problem:
    """Return a day of three caregivers, places ten minutes apart on a line, bases at its start."""
    seconds = [[600 * abs(i - j) for j in range(6)] for i in range(6)]
    people = tuple(Caregiver(f"c{k}", "v", 0, frozenset(), ((28800, 64800),)) for k in range(1, 4))
    return Problem(places=Places(seconds=seconds), circle_s=3600, caregivers=people, tasks=tasks)


def only(*names: str) -> frozenset[str]:
    """Return who is forbidden where only *names* may go."""
    return frozenset({"c1", "c2", "c3"} - set(names))


@pytest.mark.parametrize(("moment", "keepable"), [(0, 1), (36_600, 0)])
def test_a_visit_given_up_is_keepable_only_where_what_stands_in_its_way_has_not_begun(
    moment, keepable
):
    # c3 falls ill; only c1 may go to "fresh" instead, and c2 could relieve c1 of "old".
    fresh = Task("fresh", 1, 3600, ((39_000, 39_000),), forbidden=only("c1", "c3"))
    old = Task("old", 5, 7200, ((36_000, 36_000),), forbidden=only("c1", "c2"))
    day, answer = without_c3(at_places(old, fresh), moment)
    assert answer.lost == ("fresh",)
    bench = Bench(day.problem, day.plan, seed=1, judge_s=2.0)
    assert bench._could_be_kept(day, "c3", answer) == keepable


def without_c3(problem: Problem, moment: int) -> tuple[LiveDay, Answer]:
    """Plan "old" for c1 and "fresh" for c3, and let c3 be absent while nothing else may change."""
    goes = {"old": "c1", "fresh": "c3"}
    alone = tuple(replace(t, forbidden=only(goes[t.id])) for t in problem.tasks)
    plan = solve(replace(problem, tasks=alone), iterations=200)
    day = LiveDay(problem, plan, now_s=moment)
    return day, day.repair("c3", change_budget=0)


def test_the_judge_is_given_the_day_as_it_stands_and_what_began_fixed():
    begun = Task("begun", 5, 7200, ((36_000, 40_000),))
    later = Task("later", 1, 600, ((30_000, 60_000),), preferred=frozenset({"c2"}))
    problem = at_places(begun, later)
    day = LiveDay(problem, solve(problem, iterations=200))
    starts = {s.task: s.start_s for r in day.plan.routes for s in r.stops}
    who = next(r.caregiver for r in day.plan.routes for s in r.stops if s.task == "begun")
    moment = starts["begun"] + 1
    answer = day.at(moment).repair("c3")
    small, start = around(day.at(moment), "c3", answer)
    assert check_routes(small, start.routes) == []
    assert small.task("begun").fixed == Fixed((who,), starts["begun"])
    assert all(a >= moment for a, _ in small.task("later").windows) == (starts["later"] >= moment)
    assert small.caregiver("c3").shifts == ()
