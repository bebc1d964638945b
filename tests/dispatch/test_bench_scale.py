"""Days of several sizes, each planned and checked in a process of its own."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dispatch import check
from dispatch.__main__ import main
from dispatch.bench import scale
from dispatch.io import read_plan, read_problem


def test_bench_scale_plans_each_size_and_says_what_its_files_hold(tmp_path: Path, capsys):
    table = tmp_path / "scale.csv"
    code = main(
        ["bench", "scale", "--orders", "60,120", "--iterations", "400", "--workers", "2",
         "--keep", str(tmp_path), "--csv", str(table)]
    )  # fmt: skip
    assert code == 0
    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    assert [row["orders"] for row in rows] == ["60", "120"]
    for row in rows:
        problem = read_problem(tmp_path / f"city-{row['orders']}.json")
        plan = read_plan(tmp_path / f"city-{row['orders']}.plan.json")
        assert check(problem, plan) == []
        assert int(row["tasks"]) == len(problem.tasks)
        assert int(row["left_out"]) == len(plan.unassigned)
        assert float(row["travel_h"]) == pytest.approx(plan.totals.travel_s / 3600, abs=0.05)
        assert float(row["total_s"]) > 0
        assert float(row["most_mb"]) > 10
    assert capsys.readouterr().out.count("\n") == 3


def test_bench_scale_fails_where_a_plan_breaks_a_rule(tmp_path: Path, monkeypatch, capsys):
    broken = scale.Size(60, 50, 9, 0.1, 1.0, 0.1, 1.2, 90.0, 3, 4.0, violations=1)

    class Here:
        def __init__(self, workers, mp_context):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *failure):
            return None

        def submit(self, work, *arguments):
            return self

        def result(self):
            return broken

    monkeypatch.setattr(scale, "ProcessPoolExecutor", Here)
    assert main(["bench", "scale", "--orders", "60"]) == 1
    assert capsys.readouterr().out.split()[-1] == "1"


def test_sizes_that_are_no_numbers_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["bench", "scale", "--orders", "60,many"])
    assert "like 5000,10000" in capsys.readouterr().err
