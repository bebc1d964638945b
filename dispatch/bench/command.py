"""The command line of `python -m dispatch bench`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from dispatch.arguments import count, duration, natural
from dispatch.bench import city as city_bench
from dispatch.bench import hhcrsp, scale, vrptw
from dispatch.bench import live as live_bench
from dispatch.bench.files import read_best_known, read_home_care, read_vrptw
from dispatch.bench.peers import need
from dispatch.bench.report import Answer, Row, Table
from dispatch.errors import BadInput

DEFAULT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """One file to be solved once; everything in it can be sent to another process."""

    kind: str
    path: str
    rounding: str
    seconds: float
    iterations: int | None
    seed: int
    engine: str


def main(arguments: Sequence[str]) -> int:
    """Run a bench and return its exit code. Raises `BadInput` for files that cannot be used."""
    given = _parser().parse_args(list(arguments))
    return given.run(given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dispatch bench",
        description="Public benchmark files, and the peers beside ours.",
    )
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    routing = kinds.add_parser("vrptw", help="Solomon and Gehring-Homberger files, total distance")
    routing.add_argument("--rounding", choices=("dimacs", "exact"), default="dimacs")
    routing.add_argument("--peer", choices=("pyvrp",), help="measure this solver beside ours")
    routing.set_defaults(kind="vrptw")
    home = kinds.add_parser(
        "hhcrsp", help="home health care files: (travel + tardiness + greatest tardiness) / 3"
    )
    home.set_defaults(kind="hhcrsp", rounding="exact", peer=None)
    for one in (routing, home):
        one.add_argument("files", nargs="+", metavar="FILE")
        one.add_argument("--bks", metavar="CSV", help="best known values: columns file, best_known")
        one.add_argument("--solutions", metavar="DIR", help="write each file's best solution here")
        one.add_argument(
            "--seeds", type=_seeds, metavar="A,B", help="all files once with each of these"
        )
        one.add_argument("--seconds", type=duration, default=DEFAULT_SECONDS, metavar="S")
        one.set_defaults(run=_files)
    city = kinds.add_parser("city", help="a city's plain day: ours, PyVRP, VROOM and OR-Tools")
    city.add_argument("--orders", type=count, default=5200, metavar="N")
    city.add_argument("--problem", metavar="PROBLEM", help="this day instead of a synthetic one")
    city.add_argument("--engines", metavar="A,B", help="some of ours,pyvrp,vroom,ortools")
    city.add_argument(
        "--seconds", type=_clocks, default=dict(city_bench.CLOCKS), metavar="S",
        help="for every engine, or for some: ours=30,vroom=300 "
        f"({', '.join(f'{name} {s:g}' for name, s in city_bench.CLOCKS.items())})",
    )  # fmt: skip
    city.set_defaults(run=_city)
    live_bench.add_arguments(
        kinds.add_parser("live", help="offers, insertions and repairs on a planned day")
    )
    sizes = kinds.add_parser("scale", help="time and memory by the size of the city's day")
    scale.add_arguments(sizes)
    sizes.add_argument("--seconds", type=duration, default=DEFAULT_SECONDS, metavar="S")
    sizes.set_defaults(run=scale.run)
    for one in (routing, home, city, sizes):
        one.add_argument(
            "--iterations", type=natural, metavar="N", help="stop ours after N, not by the clock"
        )
        one.add_argument("--seed", type=natural, default=1, metavar="N")
        one.add_argument(
            "--workers", type=count, default=1, metavar="W",
            help="files side by side, each on one core; for city and scale: cores of every engine",
        )  # fmt: skip
        one.add_argument("--csv", metavar="OUT", help="write the table here as well")
    sizes.set_defaults(seconds=None)
    return parser


def _seeds(text: str) -> list[int]:
    return [natural(part) for part in text.split(",")]


def _clocks(text: str) -> dict[str, float]:
    """Return the seconds of each engine: one number for all, or ``engine=seconds`` for some."""
    if "=" not in text:
        return dict.fromkeys(city_bench.CLOCKS, duration(text))
    clocks = dict(city_bench.CLOCKS)
    for part in text.split(","):
        name, _, seconds = part.partition("=")
        if name not in clocks:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(clocks)}")
        clocks[name] = duration(seconds)
    return clocks


def _city(given: argparse.Namespace) -> int:
    return city_bench.run(given)


# --- files -----------------------------------------------------------------------------------------

_Reader = Callable[[str], object]
_READ: dict[str, _Reader] = {"vrptw": read_vrptw, "hhcrsp": read_home_care}
_SUFFIX = {"vrptw": ".sol", "hhcrsp": ".json"}


def solve(job: Job) -> Answer:
    """Solve one file and recompute the value of the answer."""
    if job.kind == "hhcrsp":
        return hhcrsp.solve(job.path, seconds=job.seconds, iterations=job.iterations, seed=job.seed)
    return vrptw.solve(
        job.path, job.rounding, seconds=job.seconds, iterations=job.iterations, seed=job.seed,
        engine=job.engine,
    )  # fmt: skip


def _files(given: argparse.Namespace) -> int:
    names = [Path(path).name for path in given.files]
    best_known = _best_known(given, names)
    stems = [Path(path).stem for path in given.files]
    if given.solutions and len(set(stems)) < len(stems):
        raise BadInput("--solutions", "two files have the same name; give them in two runs")
    for path in given.files:
        _READ[given.kind](path)
    for folder in filter(None, (given.solutions,)):
        Path(folder).mkdir(parents=True, exist_ok=True)
    engines = ("ours",) if given.peer is None else ("ours", given.peer)
    if given.peer is not None:
        need(given.peer)
    jobs = [
        Job(
            given.kind, path, given.rounding, given.seconds, given.iterations, seed, engine,
        )
        for seed in given.seeds or [given.seed]
        for path in given.files
        for engine in engines
    ]  # fmt: skip
    decimals = 1 if given.rounding == "dimacs" else 3
    table = Table(names, decimals=decimals, with_engine=given.peer is not None, csv_path=given.csv)
    best: dict[str, float] = {}
    for job, answer in zip(jobs, _answers(jobs, given.workers), strict=True):
        name = Path(job.path).name
        table.add(
            Row(
                name, answer.value, best_known.get(name), answer.seconds, job.seed, job.engine,
                answer.note,
            )
        )  # fmt: skip
        if given.solutions and job.engine == "ours" and _is_best(answer, job.path, best):
            target = Path(given.solutions) / (Path(job.path).stem + _SUFFIX[given.kind])
            target.write_text(answer.solution, encoding="utf-8")
    table.finish()
    return 0


def _is_best(answer: Answer, path: str, best: dict[str, float]) -> bool:
    """Say whether the answer is the best so far of its file, and keep that."""
    if answer.value is None or answer.value >= best.get(path, float("inf")):
        return False
    best[path] = answer.value
    return True


def _best_known(given: argparse.Namespace, names: Sequence[str]) -> dict[str, float]:
    """Return best known values of the files, those of another rounding left out aloud."""
    if given.bks is None:
        return {}
    known = read_best_known(given.bks)
    found = {}
    for name in names:
        value, rounding = known.get(name, (None, None))
        if value is not None and rounding not in (None, given.rounding):
            sys.stderr.write(f"{name}: best known is for {rounding} rounding; no gap is shown\n")
        elif value is not None:
            found[name] = value
    return found


def _answers(jobs: Sequence[Job], workers: int) -> Iterator[Answer]:
    """Yield the answers in order. The compiled code is made before any process starts."""
    kind = hhcrsp if jobs[0].kind == "hhcrsp" else vrptw
    if not kind.is_compiled():
        sys.stderr.write(
            "compiling the search for this machine; this takes a minute, and only once\n"
        )
    kind.warm_up()
    if workers == 1 or len(jobs) == 1:
        yield from map(solve, jobs)
        return
    # A fresh process has no threads of a solver that a fork would leave half copied.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(solve, jobs)
