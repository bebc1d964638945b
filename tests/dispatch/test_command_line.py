"""The command line: files in, files out, exit codes, and no stack for bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dispatch import (
    check,
    read_plan,
    read_problem,
    solve,
    task_to_json,
    write_plan,
    write_problem,
)
from dispatch.__main__ import main
from dispatch.city import generate
from tests.dispatch.exhaustive import cheapest, plan_of, random_problem
from tests.dispatch.limit_day import limit_day, plan_json, problem_json

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def files(tmp_path):
    """Return the paths of a problem and a plan without fault."""
    problem, plan = limit_day()
    write_problem(problem, tmp_path / "problem.json")
    write_plan(plan, tmp_path / "plan.json")
    return str(tmp_path / "problem.json"), str(tmp_path / "plan.json")


def last_line(capsys) -> dict:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_solve_writes_a_checked_plan_and_sums_it_up_last(files, tmp_path, capsys):
    out = str(tmp_path / "out.json")
    assert main(["solve", files[0], "--out", out, "--iterations", "200"]) == 0
    summary = last_line(capsys)
    plan = read_plan(out)
    assert check(read_problem(files[0]), plan) == []
    assert summary["cost"] == plan.totals.cost
    assert summary["unassigned"] == 1
    assert main(["check", files[0], out]) == 0


def test_solve_goes_on_from_a_plan(files, tmp_path):
    out = str(tmp_path / "out.json")
    assert main(["solve", files[0], "--out", out, "--iterations", "1", "--start", files[1]]) == 0
    assert read_plan(out).totals.cost <= read_plan(files[1]).totals.cost


def test_check_prints_one_violation_a_line(files, tmp_path, capsys):
    assert main(["check", *files]) == 0
    assert capsys.readouterr().out == ""
    plan = plan_json()
    plan["totals"]["cost"] += 1
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps({**plan, "problem_sha256": "0"}))
    assert main(["check", files[0], str(broken)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["problem", "totals"]


@pytest.mark.parametrize(
    "command",
    [
        ["solve", "{bad}", "--out", "{out}"],
        ["check", "{bad}", "{plan}"],
        ["check", "{problem}", "{bad}"],
        ["explain", "{bad}", "{plan}", "t1"],
        ["explain", "{problem}", "{plan}", "t99"],
        ["insert", "{problem}", "{plan}", "{bad}", "--out", "{out}"],
        ["insert", "{problem}", "{plan}", "{nowhere}", "--out", "{out}"],
        ["offer", "{problem}", "{plan}", "{bad}"],
        ["cancel", "{problem}", "{plan}", "t99", "--out", "{out}"],
        ["delay", "{problem}", "{plan}", "--caregiver", "c99", "--late", "5", "--out", "{out}"],
        ["repair", "{problem}", "{plan}", "--absent", "c99", "--out", "{out}"],
        ["bench", "live", "{problem}"],
        ["bench", "live", "{bad}", "{plan}"],
        ["bench", "live", "--events", "0"],
        ["bound", "{bad}", "{plan}"],
        ["city", "--orders", "5000000", "--out", "{out}"],
        ["check", "{nowhere}", "{plan}"],
        ["solve", "{problem}", "--out", "{folder}/none/plan.json", "--iterations", "1"],
    ],
)
def test_bad_input_ends_with_two_and_one_line(files, tmp_path, capsys, command):
    bad = tmp_path / "bad.json"
    bad.write_text('{"schema": 1, "tasks": [NaN]')
    names = {
        "bad": str(bad),
        "problem": files[0],
        "plan": files[1],
        "out": str(tmp_path / "out.json"),
        "nowhere": str(tmp_path / "nowhere.json"),
        "folder": str(tmp_path),
    }
    assert main([part.format(**names) for part in command]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("dispatch: ")
    assert len(shown.err.splitlines()) == 1
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["fly"],
        ["solve", "x"],
        ["solve", "x", "--out", "y", "--seconds", "-1"],
        ["solve", "x", "--out", "y", "--seconds", "nan"],
        ["solve", "x", "--out", "y", "--workers", "0"],
        ["solve", "x", "--out", "y", "--iterations", "many"],
    ],
)
def test_arguments_that_are_none_end_with_two(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_explain_speaks_both_languages_and_json(files, capsys):
    assert main(["explain", *files, "t1"]) == 0
    assert capsys.readouterr().out.startswith("c1 will come at 08:10.")
    assert main(["explain", *files, "n1", "--language", "zh", "--audience", "elder"]) == 0
    assert "没有人具备所需的全部技能" in capsys.readouterr().out
    assert main(["explain", *files, "n1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unassigned"]["reason"] == "no_skill"


def test_insert_writes_plan_and_problem_that_belong_together(files, tmp_path, capsys):
    task = {"id": "new", "place": 3, "service_s": 600, "windows": [[50000, 60000]]}
    (tmp_path / "task.json").write_text(json.dumps(task))
    out, bigger = str(tmp_path / "out.json"), str(tmp_path / "bigger.json")
    arguments = ["insert", *files, str(tmp_path / "task.json"), "--out", out]
    assert main([*arguments, "--out-problem", bigger]) == 0
    summary = last_line(capsys)
    assert summary["placed"] is True
    assert [change["task"] for change in summary["changes"]] == ["new"]
    assert main(["check", bigger, out]) == 0


def test_an_inserted_plan_fits_the_problem_file_that_anybody_enlarges(files, tmp_path):
    task = {"id": "new", "place": 3, "service_s": 600, "windows": [[50000, 60000]]}
    (tmp_path / "task.json").write_text(json.dumps(task))
    out = str(tmp_path / "out.json")
    assert main(["insert", *files, str(tmp_path / "task.json"), "--out", out]) == 0
    enlarged = problem_json()
    enlarged["tasks"].append(task)
    (tmp_path / "bigger.json").write_text(json.dumps(enlarged, indent=1))
    assert main(["check", str(tmp_path / "bigger.json"), out]) == 0


def test_repair_takes_a_caregiver_out_and_lists_every_change(files, tmp_path, capsys):
    out = str(tmp_path / "out.json")
    assert main(["repair", *files, "--absent", "c2", "--from", "40000", "--out", out]) == 0
    summary = last_line(capsys)
    assert {change["task"] for change in summary["changes"]} == {"x1"}
    assert main(["check", files[0], out]) == 0
    assert all(route.caregiver != "c2" for route in read_plan(out).routes)


def test_every_offer_of_the_command_line_can_be_taken(files, tmp_path, capsys):
    task = {"id": "new", "place": 3, "service_s": 600, "windows": [[50000, 60000]]}
    (tmp_path / "task.json").write_text(json.dumps(task))
    asked = str(tmp_path / "task.json")
    assert main(["offer", *files, asked]) == 0
    offers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert offers
    out, bigger = str(tmp_path / "out.json"), str(tmp_path / "bigger.json")
    for offer in (offers[0], offers[-1]):
        arguments = ["insert", *files, asked, "--at", str(offer["to_s"]), "--out", out]
        assert main([*arguments, "--out-problem", bigger]) == 0
        change = last_line(capsys)["changes"][0]
        assert change["to"] == {"caregivers": offer["caregivers"], "start_s": offer["to_s"]}
        assert main(["check", bigger, out]) == 0


def test_a_cancelled_visit_is_gone_from_plan_and_problem_and_is_not_called_lost(
    files, tmp_path, capsys
):
    out, smaller = str(tmp_path / "out.json"), str(tmp_path / "smaller.json")
    assert main(["cancel", *files, "x1", "--out", out, "--out-problem", smaller]) == 0
    summary = last_line(capsys)
    assert summary["lost"] == []
    assert [change["to"]["caregivers"] for change in summary["changes"]] == [[]]
    assert "x1" not in read_problem(smaller).task_index
    assert main(["check", smaller, out]) == 0


def test_who_is_late_comes_later_and_the_plan_keeps_every_rule(files, tmp_path, capsys):
    out = str(tmp_path / "out.json")
    # c2 has left for x1 at 42,600 and would be there at 43,200.
    late = ["--caregiver", "c2", "--late", "600", "--from", "42700"]
    assert main(["delay", *files, *late, "--out", out]) == 0
    (change,) = last_line(capsys)["changes"]
    assert change["task"] == "x1"
    assert change["to"]["start_s"] in (None, 43_800)
    assert main(["check", files[0], out]) == 0


@pytest.mark.parametrize("budget", ["0", "1", "any"])
def test_repair_changes_no_more_than_its_budget(tmp_path, capsys, budget):
    problem = generate(orders=120, seed=3).problem()
    write_problem(problem, tmp_path / "problem.json")
    write_plan(solve(problem, iterations=20_000), tmp_path / "plan.json")
    names = [str(tmp_path / "problem.json"), str(tmp_path / "plan.json")]
    plan, out = read_plan(names[1]), str(tmp_path / "out.json")
    busiest = max(plan.routes, key=lambda route: len(route.stops)).caregiver
    command = ["repair", *names, "--absent", busiest, "--change-budget", budget, "--out", out]
    assert main(command) == 0
    summary = last_line(capsys)
    if budget != "any":
        assert summary["others_changed"] <= int(budget)
    assert main(["check", names[0], out]) == 0
    assert all(route.caregiver != busiest for route in read_plan(out).routes)


def test_city_writes_the_same_day_for_the_same_seed(tmp_path):
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    for path in (one, other):
        assert main(["city", "--orders", "40", "--seed", "7", "--out", str(path)]) == 0
    assert one.read_bytes() == other.read_bytes()


def test_bound_is_below_the_cost(tmp_path, capsys):
    problem = random_problem(3)
    write_problem(problem, tmp_path / "problem.json")
    write_plan(plan_of(problem, cheapest(problem)[1]), tmp_path / "plan.json")
    names = [str(tmp_path / "problem.json"), str(tmp_path / "plan.json")]
    assert main(["bound", *names, "--seconds", "60", "--workers", "1"]) == 0
    summary = last_line(capsys)
    assert summary["proven"] is True
    assert summary["bound"] <= summary["cost"]


def _catches_sigterm(pid: int) -> bool:
    """Say whether the process has begun to listen: a signal before that would simply end it."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


@pytest.mark.slow
def test_a_terminated_solve_writes_the_best_plan_so_far(tmp_path):
    problem = generate(orders=300, seed=1).problem()
    write_problem(problem, tmp_path / "problem.json")
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "dispatch", "solve", str(tmp_path / "problem.json")]
    process = subprocess.Popen(
        [*command, "--out", str(out), "--seconds", "600", "--workers", "1"],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
    )
    for _ in range(240):
        if _catches_sigterm(process.pid):
            break
        time.sleep(0.5)
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0
    assert json.loads(output)["assigned"] > 0
    assert check(problem, read_plan(out)) == []


def test_a_task_file_is_what_the_problem_says(tmp_path, files):
    problem = read_problem(files[0])
    (tmp_path / "task.json").write_text(json.dumps(task_to_json(problem.tasks[4])))
    out = str(tmp_path / "out.json")
    assert main(["insert", *files, str(tmp_path / "task.json"), "--out", out]) == 0
    assert main(["check", files[0], out]) == 0
