"""Why a task is left out, and which single change would let it be served.

The reason is the first filter that leaves fewer caregivers than the crew needs. Every change that
is named was tried: the day with that one change, and nothing else, takes the visit in without
another visit changing hands or moving by more than a quarter of an hour.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dispatch import chain
from dispatch.board import Board
from dispatch.candidates import LADDER, Candidates, People, eligible
from dispatch.helping import changes_that_help
from dispatch.model import Problem, Task
from dispatch.offers import cheapest
from dispatch.plan import Remaining, Route, Unassigned

REASON_OF = {
    "skill": "no_skill",
    "allowed": "all_forbidden",
    "vendor": "vendor_has_nobody",
    "circle": "no_caregiver_in_circle",
    "shift": "outside_all_shifts",
}
HELP_S = 2.0


def why_left_out(
    problem: Problem,
    routes: Sequence[Route],
    *,
    candidates: Candidates | None = None,
    seconds: float | None = HELP_S,
    most: int | None = None,
) -> tuple[Unassigned, ...]:
    """Return the tasks that *routes* do not serve, with reason, counts and what would help.

    In the problem's order. Reasons and counts are those of all; changes are tried for as many as
    *seconds* last and for *most* at most, the highest priorities first. ``candidates`` saves
    filtering again.
    """
    served = {stop.task for route in routes for stop in route.stops if stop.kind == "task"}
    missing = [task for task in problem.tasks if task.id not in served]
    if not missing:
        return ()
    board = Board(problem, routes)
    if candidates is not None:
        rows = [problem.task_index[task.id] for task in missing]
        candidates = _rows(candidates, rows)
    return tuple(left_out(board, missing, candidates=candidates, seconds=seconds, most=most))


def left_out(
    board: Board,
    tasks: Sequence[Task],
    *,
    candidates: Candidates | None = None,
    seconds: float | None = HELP_S,
    most: int | None = None,
) -> list[Unassigned]:
    """Return why each of *tasks*, which *board* does not serve, is left out."""
    until = math.inf if seconds is None else time.monotonic() + seconds
    if not tasks:
        return []
    if candidates is None:
        candidates = eligible(board.problem, tasks=tasks, people=_open_people(board))
    found = [
        _reason(board, task, candidates.remaining[at].tolist(), candidates.of(at).tolist())
        for at, task in enumerate(tasks)
    ]
    order = sorted(range(len(tasks)), key=lambda at: (-tasks[at].priority, at))
    for at in order[:most]:
        if time.monotonic() > until:
            break
        helping = changes_that_help(board, board.task_index[tasks[at].id], until=until)
        found[at] = replace(found[at], would_help=tuple(helping))
    return found


def _reason(board: Board, task: Task, counts: list[int], who: list[int]) -> Unassigned:
    """Return the first filter that leaves fewer than the crew, and all counts."""
    short = next(
        (name for name, count in zip(LADDER, counts, strict=True) if count < task.crew), None
    )
    at = board.task_index[task.id]
    options = board.options(at, who)
    fitting = len(set(options.who.tolist()))
    remaining = Remaining(*counts, insertion=fitting)
    if short is not None:
        return Unassigned(task.id, REASON_OF[short], remaining)
    if fitting and cheapest(board, at, options) is None:
        return Unassigned(task.id, "no_crew", remaining)
    if not fitting and task.load is not None and _only_too_late(board, at, who):
        return Unassigned(task.id, "load_too_late", remaining)
    return Unassigned(task.id, "no_room", remaining)


def _only_too_late(board: Board, at: int, who: Sequence[int]) -> bool:
    """Return whether nothing but readiness and holding time of the load stands in the way."""
    # Who cannot bring the load at all is no candidate, so that everybody is asked where none is.
    asked = who or board.candidates(replace(board.tasks[at], load=None))
    return bool(len(board.options(at, asked, relax=chain.NO_READY | chain.NO_HOLD)))


def _open_people(board: Board) -> People:
    """Return the people of the filters, those who take nothing more without their shifts."""
    if not board.closed:
        return board.reach
    people = tuple(
        replace(each, shifts=()) if who in board.closed else each
        for who, each in enumerate(board.problem.caregivers)
    )
    return People(replace(board.problem, caregivers=people), board.travel)


def _rows(candidates: Candidates, rows: Sequence[int]) -> Candidates:
    """Return the candidates of some tasks only."""
    lists = [candidates.of(row) for row in rows]
    chosen = [candidates.go_s[candidates.first[r] : candidates.first[r + 1]] for r in rows]
    first = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(each) for each in lists], out=first[1:])
    return Candidates(
        first,
        np.concatenate(lists) if lists else candidates.caregivers[:0],
        np.concatenate(chosen) if chosen else candidates.go_s[:0],
        candidates.remaining[list(rows)],
        candidates.alone[list(rows)],
    )
