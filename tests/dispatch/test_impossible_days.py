"""Days that cannot be, or hardly: refused in one line, or planned, explained, mended and bounded."""

from __future__ import annotations

import copy
import json

import pytest

from dispatch.__main__ import main

DAY = {
    "schema": 1,
    "places": {"coordinates": [[32.49, 119.91], [32.491, 119.911], [32.492, 119.912]]},
    "caregivers": [
        {"id": "c1", "vendor": "v1", "base": 0, "skills": [], "shifts": [[27000, 41400]]}
    ],
    "tasks": [
        {"id": f"t{k}", "place": k, "service_s": 3600, "windows": [[28800, 32400]]} for k in (1, 2)
    ],
}
LONGEST = 10**9


def day_with(**changes):
    """Return the day with values replaced; ``tasks__0__crew`` names the path."""
    day = copy.deepcopy(DAY)
    for path, value in changes.items():
        *outer, last = path.split("__")
        at = day
        for name in outer:
            at = at[int(name)] if isinstance(at, list) else at[name]
        at[int(last) if isinstance(at, list) else last] = value
    return day


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (json.dumps(DAY).replace("32.491", "NaN"), "places.coordinates[1][0]: is nan"),
        (json.dumps(DAY).replace("32.491", "Infinity"), "places.coordinates[1][0]: is inf"),
        (json.dumps(day_with(tasks__0__service_s=-5)), "tasks[0].service_s: is -5"),
        (json.dumps(day_with(tasks__1__windows=[[9, 5]])), "tasks[1].windows[0]: ends at 5"),
        (json.dumps(day_with(tasks__0__windows=[])), "tasks[0].windows: is empty"),
        (json.dumps(day_with(tasks__0__windows=[[0, LONGEST + 1]])), "tasks[0].windows[0][1]: is"),
        (json.dumps(day_with(tasks__0__service_s=1.5)), "tasks[0].service_s: is 1.5"),
        (json.dumps(DAY).replace("27000", "9" * 5000), "too many digits"),
        ("[" * 100_000, "nested too deep"),
        ("", "is not JSON"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_place(tmp_path, capsys, text, place):
    (tmp_path / "day.json").write_text(text)
    out = tmp_path / "plan.json"
    assert main(["solve", str(tmp_path / "day.json"), "--out", str(out), "--iterations", "1"]) == 2
    shown = capsys.readouterr().err
    assert place in shown
    assert len(shown.splitlines()) == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("changes", "served"),
    [
        ({"tasks__0__windows": [[50000, 60000]]}, 1),
        ({"tasks__0__service_s": LONGEST}, 1),
        ({"tasks__0__windows": [[LONGEST, LONGEST]]}, 1),
        ({"caregivers__0__shifts": [[0, LONGEST]]}, 1),
        ({"caregivers__0__shifts": [[0, LONGEST]], "tasks__0__service_s": LONGEST,
          "tasks__0__windows": [[0, LONGEST]], "circle_s": LONGEST}, 1),
        ({"tasks": []}, 0),
        ({"tasks": DAY["tasks"][:1]}, 1),
        ({"caregivers": []}, 0),
        ({"caregivers": [], "tasks": [], "places": {"coordinates": []}}, 0),
        ({"caregivers__0__shifts": []}, 0),
        ({"tasks__0__vendors": []}, 1),
        ({"tasks__0__service_s": 0}, 2),
        ({"tasks__0__crew": 9}, 1),
        ({"tasks__0__load": {"place": 2, "units": 0, "ready_s": 0, "hold_s": 0}}, 1),
        ({"weights": {"travel": LONGEST, "unassigned": LONGEST}}, 0),
        ({"weights": {"travel": 0, "unassigned": 0}}, None),
    ],
)  # fmt: skip
def test_a_day_that_hardly_is_one_is_met_by_every_command(tmp_path, capsys, changes, served):
    day = day_with(**changes)
    files = [str(tmp_path / "day.json"), str(tmp_path / "plan.json")]
    (tmp_path / "day.json").write_text(json.dumps(day))
    assert main(["solve", files[0], "--out", files[1], "--iterations", "300"]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    if served is not None:
        assert summary["assigned"] == served
    assert main(["check", *files]) == 0
    assert main(["bound", *files, "--seconds", "2", "--workers", "1"]) == 0
    proven = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert proven["bound"] <= proven["cost"]
    for task in day["tasks"]:
        for language in ("en", "zh"):
            assert main(["explain", *files, task["id"], "--language", language]) == 0
        assert capsys.readouterr().out.strip()
    out = str(tmp_path / "mended.json")
    for caregiver in day["caregivers"]:
        assert main(["repair", *files, "--absent", caregiver["id"], "--out", out]) == 0
        assert main(["check", files[0], out]) == 0


@pytest.mark.slow
def test_five_thousand_tasks_at_one_point_are_planned_explained_and_mended(tmp_path, capsys):
    day = day_with(
        tasks=[
            {"id": f"t{k}", "place": 1, "service_s": 600, "windows": [[27000, 41400]]}
            for k in range(5000)
        ],
        caregivers=[{**DAY["caregivers"][0], "id": f"c{k}"} for k in range(100)],
    )
    (tmp_path / "day.json").write_text(json.dumps(day))
    files = [str(tmp_path / "day.json"), str(tmp_path / "plan.json")]
    assert main(["solve", files[0], "--out", files[1], "--iterations", "20000"]) == 0
    # A shift holds 14,400 s; the way there and back takes some of it, each visit 600 s.
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["assigned"] == 100 * 23
    assert main(["check", *files]) == 0
    assert main(["explain", *files, "t7", "--json"]) == 0
    out = str(tmp_path / "mended.json")
    assert main(["repair", *files, "--absent", "c1", "--out", out]) == 0
    assert main(["check", files[0], out]) == 0
