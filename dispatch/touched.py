"""Check what was just changed on a board: the days touched, and the crews that they are part of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dispatch.board import Board
from dispatch.check import Violation, check_routes
from dispatch.model import Fixed, Task
from dispatch.plan import Route


def violations_of(board: Board, touched: Sequence[int]) -> list[Violation]:
    """Return what is wrong with the days touched, and with the crews that they are part of."""
    if not touched:
        return []
    routes: list[Route] = [route for who in touched for route in board.days[who].routes]
    inside = set(touched)
    tasks: list[Task] = []
    wrong: list[Violation] = []
    for at in sorted({task for who in touched for task in board.days[who].tasks()}):
        task, crew = board.tasks[at], board.crews[at]
        if len(crew) != task.crew:
            wrong.append(Violation("crew", f"{task.id} has {len(crew)} of {task.crew}", task.id))
        starts = {board.days[who].start_of(at) for who in crew}
        vendors = {board.people[who].vendor for who in crew}
        if len(starts) > 1 or len(vendors) > 1:
            wrong.append(Violation("crew", f"the crew of {task.id} is not one", task.id))
        tasks.append(_part(board, task, [who for who in crew if who in inside]))
    people = tuple(board.people[who] for who in touched)
    small = replace(
        board.problem,
        caregivers=people,
        tasks=tuple(tasks),
        circle_s=board.circle_s,
        vendor_share=None,
        sha256=None,
    )
    return wrong + check_routes(small, routes, travel=board.travel)


def _part(board: Board, task: Task, crew: Sequence[int]) -> Task:
    """Return the task as the part of its crew that is looked at sees it."""
    if len(crew) == task.crew:
        return task
    fixed = task.fixed
    if fixed is not None:
        names = {board.people[who].id for who in crew}
        fixed = Fixed(tuple(n for n in fixed.caregivers if n in names), fixed.start_s)
    return replace(task, crew=len(crew), fixed=fixed)
