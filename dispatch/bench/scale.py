"""How time and memory grow with the day: cities of several sizes, each in a fresh process.

The clock runs over all that a night's run does: reading the file, planning, writing the plan,
reading it again and checking it. By iterations an order every size gets the same work an order, so
that the seconds show how the engine grows; by seconds the left out and the travel do.
"""

from __future__ import annotations

import argparse
import csv
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass, fields
from multiprocessing import get_context
from pathlib import Path

from dispatch import chain
from dispatch.check import check
from dispatch.city import generate
from dispatch.engine.warm import is_compiled, warm_up
from dispatch.io import read_plan, read_problem, write_plan, write_problem
from dispatch.planner import solve

SIZES = (5_000, 10_000, 20_000, 50_000)
AN_ORDER = 200
"""Iterations an order, where nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a day of one size took. Orders by telephone and at sites are no tasks of a route.

    ``total_s`` is from the start of reading the problem to the end of checking the plan, ``most_mb``
    the peak of the planning process and of all its workers, shared memory counted in each.
    """

    orders: int
    tasks: int
    caregivers: int
    read_s: float
    plan_s: float
    check_s: float
    total_s: float
    most_mb: float
    left_out: int
    travel_h: float
    violations: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads and the other benches do not have."""
    parser.add_argument("--orders", type=_sizes, default=SIZES, metavar="N,N")
    parser.add_argument("--keep", metavar="DIR", help="write problems and plans here and keep them")


def _sizes(text: str) -> tuple[int, ...]:
    sizes = text.split(",")
    if not all(each.isdecimal() and 0 < int(each) <= 10**6 for each in sizes):
        raise argparse.ArgumentTypeError(f"{text!r}; give numbers of orders, like 5000,10000")
    return tuple(int(each) for each in sizes)


def run(given: argparse.Namespace) -> int:
    """Measure every size, print the table and return the exit code: 1 where a plan breaks a rule."""
    if not (is_compiled() and chain.is_compiled()):
        sys.stderr.write("compiling the search for this machine; this takes a minute, only once\n")
    warm_up()
    chain.warm_up()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(given.keep or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        _print(tuple(field.name for field in fields(Size)))
        for orders in given.orders:
            problem = folder / f"city-{orders}.json"
            write_problem(generate(orders=orders, seed=given.seed).problem(), problem)
            iterations = given.iterations
            if iterations is None and given.seconds is None:
                iterations = AN_ORDER * orders
            # A process of its own, so that no size profits from what another one has loaded.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
                size = fresh.submit(
                    measure, orders, str(problem), given.seconds, iterations, given.seed,
                    given.workers,
                ).result()  # fmt: skip
            rows.append(size)
            _print(_cells(size))
    if given.csv:
        with Path(given.csv).open("w", newline="", encoding="utf-8") as file:
            names = tuple(field.name for field in fields(Size))
            csv.writer(file).writerows([names, *(_cells(size) for size in rows)])
    return int(any(size.violations for size in rows))


def measure(
    orders: int, path: str, seconds: float | None, iterations: int | None, seed: int, workers: int
) -> Size:
    """Read, plan, write, read again and check one day; either seconds or iterations are given."""
    began = time.perf_counter()
    problem = read_problem(path)
    read = time.perf_counter()
    plan = solve(problem, seconds=seconds or 0.0, iterations=iterations, seed=seed, workers=workers)
    written = str(Path(path).with_suffix(".plan.json"))
    write_plan(plan, written)
    planned = time.perf_counter()
    violations = check(problem, read_plan(written))
    checked = time.perf_counter()
    return Size(
        orders=orders,
        tasks=len(problem.tasks),
        caregivers=len(problem.caregivers),
        read_s=read - began,
        plan_s=planned - read,
        check_s=checked - planned,
        total_s=checked - began,
        most_mb=_most_mb(workers),
        left_out=len(plan.unassigned),
        travel_h=plan.totals.travel_s / 3600,
        violations=len(violations),
    )


def _most_mb(workers: int) -> float:
    """Return what this process and so many workers held at most; the system counts in KiB."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return (own + workers * largest) * 1024 / 1e6


def _cells(size: Size) -> tuple[str, ...]:
    return tuple(f"{x:.1f}" if isinstance(x, float) else str(x) for x in astuple(size))


def _print(cells: tuple[str, ...]) -> None:
    sys.stdout.write("  ".join(f"{cell:>10}" for cell in cells) + "\n")
    sys.stdout.flush()
