"""The command line of the dispatcher; see `dispatch/README.md` for what each command is for.

Exit 0 when done, 1 when `check` finds violations, 2 for bad input; never a stack for bad input.
"""

# Imports stand inside the commands here, and only here: the compiler and the solvers take seconds
# to load, and `check` or a mistyped argument should not wait for them.

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from dispatch.arguments import cores, count, duration, natural
from dispatch.errors import BadInput, UnknownName
from dispatch.io import read_plan, read_problem, read_task, write_plan, write_problem
from dispatch.plan import Plan

if TYPE_CHECKING:
    from dispatch.answer import Answer
    from dispatch.live import LiveDay

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["bench"]:
        return _guarded(lambda _: _bench(arguments[1:]), argparse.Namespace())
    given = _parser().parse_args(arguments)
    return _guarded(given.run, given)


def _guarded(run: Command, given: argparse.Namespace) -> int:
    try:
        return run(given)
    except BadInput as error:
        print(f"dispatch: {error}", file=sys.stderr)
    except BrokenPipeError:
        # Whoever read the output has enough; the interpreter must not complain while closing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"dispatch: {error.filename or 'file'}: {error.strerror or error}", file=sys.stderr)
    except MemoryError:
        print("dispatch: the problem does not fit into memory", file=sys.stderr)
    return 2


# --- arguments -----------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dispatch", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_solve(commands)
    check = _command(commands, "check", _check, "re-derive every rule; one violation a line")
    _files(check, "PROBLEM", "PLAN")
    _add_explain(commands)
    _add_live(commands)
    bound = _command(commands, "bound", _bound, "a proven lower bound and the plan's gap to it")
    _files(bound, "PROBLEM", "PLAN")
    bound.add_argument("--seconds", type=duration, default=600.0, metavar="S")
    bound.add_argument("--workers", type=count, default=cores(), metavar="W")
    city = _command(commands, "city", _city, "write a synthetic city's day")
    city.add_argument("--orders", type=count, default=5200, metavar="N")
    city.add_argument("--seed", type=natural, default=1, metavar="N")
    city.add_argument("--plain", action="store_true", help="without crews, meals and rests")
    city.add_argument("--out", required=True, metavar="PROBLEM")
    _command(commands, "bench", _no_bench, "benchmark files and peers; see bench --help")
    return parser


def _command(commands: Any, name: str, run: Command, help_text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help_text, description=help_text)
    parser.set_defaults(run=run)
    return parser


def _files(parser: argparse.ArgumentParser, *names: str) -> None:
    for name in names:
        parser.add_argument(name.lower(), metavar=name)


def _add_solve(commands: Any) -> None:
    solve = _command(commands, "solve", _solve, "plan a day")
    _files(solve, "PROBLEM")
    solve.add_argument("--out", required=True, metavar="PLAN")
    solve.add_argument("--seconds", type=duration, default=10.0, metavar="S")
    solve.add_argument(
        "--iterations", type=natural, metavar="N", help="stop after N iterations, not by the clock"
    )
    solve.add_argument("--seed", type=natural, default=1, metavar="N")
    solve.add_argument("--workers", type=count, default=cores(), metavar="W")
    solve.add_argument("--start", metavar="PLAN", help="a plan to improve")


def _add_explain(commands: Any) -> None:
    explain = _command(commands, "explain", _explain, "why this caregiver, or why nobody")
    _files(explain, "PROBLEM", "PLAN", "TASK")
    explain.add_argument("--language", choices=("en", "zh"), default="en")
    explain.add_argument("--audience", choices=("elder", "vendor", "auditor"), default="auditor")
    explain.add_argument("--json", action="store_true", help="the facts instead of sentences")


def _add_live(commands: Any) -> None:
    offer = _command(commands, "offer", _offer, "every start at which one task could be served")
    _asked(offer, budget=0)
    offer.add_argument("task", metavar="TASK.json")
    insert = _command(commands, "insert", _insert, "add one task with the least change")
    _asked(insert, budget=0)
    insert.add_argument("task", metavar="TASK.json")
    insert.add_argument("--at", type=natural, metavar="S", help="the start that was offered")
    cancel = _command(commands, "cancel", _cancel, "take one task out; nobody else moves")
    _asked(cancel)
    cancel.add_argument("task", metavar="TASK")
    for each in (insert, cancel):
        each.add_argument("--out-problem", metavar="PROBLEM", help="the problem as it is then")
    repair = _command(commands, "repair", _repair, "take a caregiver out of the day")
    _asked(repair, budget=None)
    repair.add_argument("--absent", required=True, metavar="ID")
    delay = _command(commands, "delay", _delay, "let a caregiver reach the next stop later")
    _asked(delay, budget=None)
    delay.add_argument("--caregiver", required=True, metavar="ID")
    delay.add_argument("--late", dest="late_s", type=natural, required=True, metavar="S")
    for each in (insert, cancel, repair, delay):
        each.add_argument("--out", required=True, metavar="PLAN")


_NO_BUDGET = object()


def _asked(parser: argparse.ArgumentParser, *, budget: object = _NO_BUDGET) -> None:
    """Add what all questions to a running day take."""
    _files(parser, "PROBLEM", "PLAN")
    parser.add_argument(
        "--from", dest="from_s", type=natural, default=0, metavar="S",
        help="now, in seconds since midnight: what began before stays",
    )  # fmt: skip
    if budget is not _NO_BUDGET:
        parser.add_argument(
            "--change-budget", type=_budget, default=budget, metavar="N",
            help="so many other visits may change caregiver or move by more than 15 minutes; or any",
        )  # fmt: skip


def _budget(text: str) -> int | None:
    return None if text == "any" else natural(text)


# --- output --------------------------------------------------------------------------------------


def _summary(**values: Any) -> None:
    print(json.dumps(values, ensure_ascii=False))


def _plan_summary(plan: Plan, out: str, **more: Any) -> None:
    totals = plan.totals
    _summary(
        out=out,
        tasks=totals.tasks,
        assigned=totals.assigned,
        unassigned=totals.tasks - totals.assigned,
        travel_s=totals.travel_s,
        cost=totals.cost,
        **more,
    )


def _progress() -> Callable[[str], None] | None:
    """Return what shows one line that overwrites itself, or None where nobody looks."""
    if not sys.stderr.isatty():
        return None

    def show(line: str) -> None:
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)

    return show


def _progress_done(progress: Callable[[str], None] | None) -> None:
    if progress is not None:
        print(file=sys.stderr)


def _warm_up() -> None:
    """Compile what answers live questions, and say so where that takes its time."""
    from dispatch import chain

    if not chain.is_compiled() and sys.stderr.isatty():
        print("compiling for this machine; half a minute, and only once", file=sys.stderr)
    chain.warm_up()


class _Interrupted:
    """Turns the first SIGINT or SIGTERM into a wish to stop; the second one ends the process."""

    def __enter__(self) -> Callable[[], bool]:
        self._asked = threading.Event()
        self._before = {
            number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self._asked.is_set

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked.set()
        signal.signal(number, self._before[number])

    def __exit__(self, *problem: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


# --- commands ------------------------------------------------------------------------------------


def _solve(given: argparse.Namespace) -> int:
    from dispatch.planner import solve

    problem = read_problem(given.problem)
    start = None if given.start is None else read_plan(given.start)
    progress = _progress()
    with _Interrupted() as should_stop:
        plan = solve(
            problem,
            seconds=given.seconds,
            iterations=given.iterations,
            seed=given.seed,
            workers=given.workers,
            start=start,
            progress=progress,
            should_stop=should_stop,
        )
    _progress_done(progress)
    write_plan(plan, given.out)
    _plan_summary(plan, given.out, seconds=round(plan.engine.seconds, 2), seed=plan.seed)
    return 0


def _check(given: argparse.Namespace) -> int:
    from dispatch.check import check

    found = check(read_problem(given.problem), read_plan(given.plan))
    for violation in found:
        print(violation)
    return 1 if found else 0


def _explain(given: argparse.Namespace) -> int:
    from dispatch.explain import explain

    _warm_up()
    answer = explain(read_problem(given.problem), read_plan(given.plan), given.task)
    if given.json:
        print(json.dumps(answer.to_json(), ensure_ascii=False, indent=2))
    else:
        print(answer.words(language=given.language, audience=given.audience))
    return 0


def _offer(given: argparse.Namespace) -> int:
    task = read_task(given.task)
    for offer in _live_day(given).feasible_starts(task, change_budget=given.change_budget):
        _summary(
            from_s=offer.from_s,
            to_s=offer.to_s,
            cost=offer.cost,
            caregivers=list(offer.caregivers),
        )
    return 0


def _live_day(given: argparse.Namespace) -> LiveDay:
    from dispatch.live import LiveDay

    _warm_up()
    return LiveDay(read_problem(given.problem), read_plan(given.plan), now_s=given.from_s)


def _insert(given: argparse.Namespace) -> int:
    task = read_task(given.task)
    return _answered(
        given,
        _live_day(given).insert(task, change_budget=given.change_budget, start_s=given.at),
    )


def _cancel(given: argparse.Namespace) -> int:
    return _answered(given, _live_day(given).cancel(given.task))


def _repair(given: argparse.Namespace) -> int:
    day = _live_day(given)
    if given.absent not in day.problem.caregiver_index:
        raise UnknownName("--absent", f"the problem has no caregiver {given.absent}")
    return _answered(given, day.repair(given.absent, change_budget=given.change_budget))


def _delay(given: argparse.Namespace) -> int:
    day = _live_day(given)
    if given.caregiver not in day.problem.caregiver_index:
        raise UnknownName("--caregiver", f"the problem has no caregiver {given.caregiver}")
    answer = day.delay(given.caregiver, given.late_s, change_budget=given.change_budget)
    return _answered(given, answer)


def _answered(given: argparse.Namespace, answer: Answer) -> int:
    write_plan(answer.plan, given.out)
    if getattr(given, "out_problem", None) is not None:
        write_problem(answer.problem, given.out_problem)
    _plan_summary(answer.plan, given.out, **answer.to_json())
    return 0


def _bound(given: argparse.Namespace) -> int:
    from dispatch.bound import bound

    progress = _progress()
    answer = bound(
        read_problem(given.problem),
        read_plan(given.plan),
        seconds=given.seconds,
        workers=given.workers,
        progress=progress,
    )
    _progress_done(progress)
    _summary(
        bound=answer.value,
        cost=answer.cost,
        gap=None if answer.gap is None else round(answer.gap, 6),
        proven=answer.proven,
        must_leave_out=answer.left_out,
        relaxed=list(answer.relaxations),
        seconds=round(answer.seconds, 1),
    )
    return 0


def _city(given: argparse.Namespace) -> int:
    from dispatch.city import generate

    try:
        city = generate(orders=given.orders, seed=given.seed, plain=given.plain)
    except ValueError as error:
        raise BadInput("", str(error)) from None
    problem = city.problem()
    digest = write_problem(problem, given.out)
    _summary(
        out=given.out,
        tasks=len(problem.tasks),
        caregivers=len(problem.caregivers),
        places=len(problem.places),
        seed=given.seed,
        sha256=digest,
    )
    return 0


def _bench(arguments: list[str]) -> int:
    from dispatch.bench import main as bench

    return bench(arguments)


def _no_bench(given: argparse.Namespace) -> int:
    raise AssertionError("bench is met before the arguments are parsed")


if __name__ == "__main__":
    sys.exit(main())
