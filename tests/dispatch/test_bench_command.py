"""The bench's command line: the table, the files it writes, and errors that name file and line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from dispatch.__main__ import main
from dispatch.bench import command
from dispatch.bench.files import read_best_known, read_home_care, read_vrptw
from dispatch.bench.report import Answer
from dispatch.errors import BadInput

SOLOMON = """\
TINY

VEHICLE
NUMBER     CAPACITY
  5         20

CUSTOMER
CUST NO.  XCOORD.   YCOORD.    DEMAND   READY TIME  DUE DATE   SERVICE   TIME

    0      0          0          0          0        200          0
    1      10         0          10         0        100          5
    2      20         0          10         0        100          5
    3      0          10         10         0        100          5
"""

HOME_CARE = {
    "patients": [
        {
            "id": "p1",
            "time_window": [0, 60],
            "required_caregivers": [{"service": "s1", "duration": 5}],
        },
        {
            "id": "p2",
            "time_window": [0, 60],
            "required_caregivers": [{"service": "s1"}, {"service": "s2", "duration": 7}],
            "synchronization": {"type": "sequential", "distance": [5, 10]},
        },
    ],
    "services": [{"id": "s1", "default_duration": 6}, {"id": "s2", "default_duration": 6}],
    "caregivers": [
        {"id": "c1", "abilities": ["s1"]},
        {"id": "c2", "abilities": ["s1", "s2"]},
    ],
    "central_offices": [{"id": "d"}],
    "distances": [[0, 3, 4], [3, 0, 5], [4, 5, 0]],
}


@pytest.fixture
def solomon(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.txt"
    path.write_text(SOLOMON)
    return path


@pytest.fixture
def home_care(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(HOME_CARE))
    return path


def test_vrptw_prints_a_table_and_writes_csv_and_solution(
    solomon: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    bks = tmp_path / "bks.csv"
    bks.write_text("file,best_known,rounding\ntiny.txt,50.0,dimacs\n")
    table = tmp_path / "out.csv"
    asked = ["--iterations", "3000", "--bks", str(bks), "--csv", str(table), "--seeds", "1,2"]
    folder = ["--solutions", str(tmp_path / "sol")]
    assert main(["bench", "vrptw", str(solomon), *asked, *folder]) == 0
    # To the farther of two and back, and to the third and back.
    assert "60.0" in capsys.readouterr().out
    rows = list(csv.DictReader(table.open()))
    assert [(row["file"], row["value"], row["gap"], row["seed"]) for row in rows] == [
        ("tiny.txt", "60.0", "20.000", "1"),
        ("tiny.txt", "60.0", "20.000", "2"),
    ]
    lines = (tmp_path / "sol" / "tiny.sol").read_text().splitlines()
    assert lines[-1] == "Cost 60.0"
    stops = sorted(
        int(c) for line in lines[:-1] for c in line.removeprefix("Route #").split(": ")[1].split()
    )
    assert stops == [1, 2, 3]


def test_a_bench_that_is_stopped_leaves_the_rows_that_it_has_measured(
    solomon: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    table = tmp_path / "out.csv"
    real, seeds = command.solve, []

    def stopped_at_the_second(job: command.Job) -> Answer:
        seeds.append(job.seed)
        if len(seeds) > 1:
            raise KeyboardInterrupt
        return real(job)

    monkeypatch.setattr(command, "solve", stopped_at_the_second)
    asked = ["--iterations", "2000", "--seeds", "4,9", "--csv", str(table)]
    with pytest.raises(KeyboardInterrupt):
        command.main(["vrptw", str(solomon), *asked])
    assert seeds == [4, 9]
    assert [row["seed"] for row in csv.DictReader(table.open())] == ["4"]


def test_best_known_of_another_rounding_gives_no_gap(
    solomon: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    bks = tmp_path / "bks.csv"
    bks.write_text("file,best_known,rounding\ntiny.txt,50.0,dimacs\n")
    asked = ["--iterations", "2000", "--bks", str(bks), "--rounding", "exact"]
    assert main(["bench", "vrptw", str(solomon), *asked]) == 0
    said = capsys.readouterr()
    assert "best known is for dimacs rounding" in said.err
    assert "mean gap" not in said.out


def test_hhcrsp_writes_a_solution_that_can_be_recomputed(home_care: Path, tmp_path: Path):
    folder = tmp_path / "sol"
    asked = ["--iterations", "500", "--solutions", str(folder)]
    assert main(["bench", "hhcrsp", str(home_care), *asked]) == 0
    solution = json.loads((folder / "tiny.json").read_text())
    stops = {
        (stop["patient"], stop["service"]): stop
        for route in solution["routes"]
        for stop in route["locations"]
    }
    assert sorted(stops) == [("p1", "s1"), ("p2", "s1"), ("p2", "s2")]
    apart = stops["p2", "s2"]["arrival_time"] - stops["p2", "s1"]["arrival_time"]
    assert 5 <= apart <= 10
    # p2 names no duration for s1: the service's own counts.
    first = stops["p2", "s1"]
    assert first["departure_time"] - first["arrival_time"] == 6


def with_line(text: str, number: int, line: str) -> str:
    lines = text.splitlines()
    lines[number - 1] = line
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (with_line(SOLOMON, 11, "1 10 0 10 0 100"), 11, "6 columns"),
        (with_line(SOLOMON, 11, "1 10 0 ten 0 100 5"), 11, '"ten"'),
        (with_line(SOLOMON, 11, "1 nan 0 10 0 100 5"), 11, "nan"),
        (with_line(SOLOMON, 11, "1 10 0 10 0 inf 5"), 11, "inf"),
        (with_line(SOLOMON, 11, "2 10 0 10 0 100 5"), 12, "stands in line 11 already"),
        (with_line(SOLOMON, 11, "1 10 0 21 0 100 5"), 11, "demand 21"),
        (with_line(SOLOMON, 11, "1 10 0 -1 0 100 5"), 11, "from 0 on"),
        (with_line(SOLOMON, 11, "1 10 0 10 90 80 5"), 11, "ready <= due"),
        (with_line(SOLOMON, 11, "1 10 0 10 0 9 5"), 11, "no vehicle reaches customer 1"),
        (with_line(SOLOMON, 11, "1 10 0 10 0 190 190"), 11, "no vehicle reaches"),
        (with_line(SOLOMON, 5, "5"), 5, "1 columns"),
        (with_line(SOLOMON, 5, "0 20"), 5, "vehicles"),
        ("TINY\n", 1, "fewer than three rows"),
    ],
)
def test_bad_vrptw_file_is_named_with_its_line(text: str, line: int, said: str, tmp_path: Path):
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(BadInput) as error:
        read_vrptw(path)
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert said in str(error.value)


def home_care_with(change: str) -> dict:
    said = json.loads(json.dumps(HOME_CARE))
    first, second = said["patients"]
    if change == "no window":
        del first["time_window"]
    elif change == "window turned":
        first["time_window"] = [60, 0]
    elif change == "not a number":
        first["time_window"] = [0, "late"]
    elif change == "no such skill":
        first["required_caregivers"][0]["service"] = "s9"
    elif change == "no duration":
        said["services"] = []
    elif change == "three services":
        second["required_caregivers"] *= 2
    elif change == "no synchronization":
        del second["synchronization"]
    elif change == "lags turned":
        second["synchronization"]["distance"] = [10, 5]
    elif change == "one caregiver for two":
        said["caregivers"][0]["abilities"] = []
    elif change == "small matrix":
        said["distances"] = said["distances"][:2]
    elif change == "negative distance":
        said["distances"][1][2] = -1
    elif change == "unknown key":
        said["pateints"] = []
    elif change == "same id":
        second["id"] = "p1"
    return said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("no window", "patients[0].time_window"),
        ("window turned", "patients[0].time_window: opens at 60 after it closes"),
        ("not a number", "patients[0].time_window[1]"),
        ("no such skill", 'patients[0]: needs "s9", which no caregiver can do'),
        ("no duration", "patients[1].required_caregivers[0].duration"),
        ("three services", "needs one service or two"),
        ("no synchronization", "patients[1].synchronization"),
        ("lags turned", "the least, 10, above the most, 5"),
        ("one caregiver for two", "patients[1]: needs two caregivers"),
        ("small matrix", "distances: must be 3 x 3"),
        ("negative distance", "distances[1][2]"),
        ("unknown key", "pateints"),
        ("same id", "patients: has an id twice"),
    ],
)
def test_bad_home_care_file_is_named_with_its_key(change: str, said: str, tmp_path: Path):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(home_care_with(change)))
    with pytest.raises(BadInput) as error:
        read_home_care(path)
    assert str(error.value).startswith(str(path))
    assert said in str(error.value)


def test_what_is_no_json_is_named_with_its_line(tmp_path: Path):
    path = tmp_path / "bad.json"
    path.write_text('{"patients": [],\n  oops\n}')
    with pytest.raises(BadInput, match=r"bad\.json:2: is not JSON"):
        read_home_care(path)


def test_bad_best_known_value_is_named_with_its_line(tmp_path: Path):
    path = tmp_path / "bks.csv"
    path.write_text("file,best_known\na.txt,1\nb.txt,none\n")
    with pytest.raises(BadInput, match=r"bks\.csv:3"):
        read_best_known(path)


def test_bad_file_ends_with_code_2_and_no_stack(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "bad.txt"
    path.write_text("nothing here\n")
    assert main(["bench", "vrptw", str(path)]) == 2
    assert main(["bench", "vrptw", str(tmp_path / "missing.txt")]) == 2
    assert main(["bench", "city", "--engines", "magic"]) == 2
    home = tmp_path / "bad.json"
    home.write_text('{"patients": [],\n  oops\n}')
    assert main(["bench", "hhcrsp", str(home)]) == 2
    bks = tmp_path / "bks.csv"
    bks.write_text("file,best_known\nbad.txt,none\n")
    good = tmp_path / "good.txt"
    good.write_text(SOLOMON)
    assert main(["bench", "vrptw", str(good), "--bks", str(bks)]) == 2
    said = capsys.readouterr()
    assert "bad.txt:1" in said.err
    assert "missing.txt" in said.err
    assert "magic is none of" in said.err
    assert "bad.json:2" in said.err
    assert "bks.csv:2" in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


@pytest.mark.parametrize("seconds", ["magic=3", "ours=", "0", "ours=-1"])
def test_clocks_of_the_city_name_engines_and_seconds_above_zero(
    seconds: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        main(["bench", "city", "--seconds", seconds])
    assert ended.value.code == 2
    assert "--seconds" in capsys.readouterr().err
