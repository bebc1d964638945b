"""Every second that is offered can be had, and every second that can be had is offered."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from dispatch import Problem, Task
from dispatch.board import UNBOUND, Board
from dispatch.chain import HOME, KIND, LEAVE, LOAD, PLACE, SHIFT, TASK, VISIT
from tests.dispatch.exhaustive import (
    Day,
    Step,
    Ways,
    cheapest,
    loads_hold,
    plan_of,
    random_problem,
    schedule,
    ways,
)


def routes_of_day(board: Board, who: int) -> dict[int, list[Step]]:
    """Return the stops of each shift in order, rests left out."""
    routes: dict[int, list[Step]] = {}
    for row in board.days[who].rows.tolist():
        if row[KIND] == LEAVE:
            routes[row[SHIFT]] = []
            now = row[SHIFT]
        elif row[KIND] == VISIT:
            routes[now].append(Step("task", row[PLACE], row[TASK]))
        elif row[KIND] == LOAD:
            routes[now].append(Step("load", row[PLACE]))
        else:
            assert row[KIND] == HOME
    return routes


def with_task(routes: dict[int, list[Step]], shifts: int, at: int, task: Task):
    """Yield every way to put the task into the routes, with or without a load stop of its own."""
    for shift in range(shifts):
        stops = routes.get(shift, [])
        for k in range(len(stops) + 1):
            placed = [*stops[:k], Step("task", task.place, at), *stops[k:]]
            yield {**routes, shift: placed}
            if task.load is not None:
                for q in range(k + 1):
                    loaded = [*placed[:q], Step("load", task.load.place), *placed[q:]]
                    yield {**routes, shift: loaded}


def days_with_rests(problem: Problem, who: int, routes: dict[int, list[Step]]):
    """Yield the days of these routes: with the rest at every place where it may be tried."""
    caregiver = problem.caregivers[who]
    base = caregiver.base
    steps: list[Step] = []
    shifts = tuple(sorted(shift for shift in routes if routes[shift]))
    for shift in shifts:
        steps += [Step("leave", base), *routes[shift], Step("home", base)]
    mask = sum(1 << step.task for step in steps if step.kind == "task")
    if caregiver.rest is None or not steps:
        yield Day(who, mask, 0, tuple(steps), shifts=shifts)
        return
    for k in range(len(steps) + 1):
        if k == len(steps) or steps[k].kind == "leave":
            yield Day(who, mask, 0, (*steps[:k], Step("gap"), *steps[k:]), shifts=shifts)
            continue
        for place in {steps[k - 1].place, steps[k].place}:
            rest = Step("rest", place)
            yield Day(who, mask, 0, (*steps[:k], rest, *steps[k:]), shifts=shifts)


def works(problem: Problem, way: Ways, day: Day) -> bool:
    limit = problem.caregivers[day.who].max_work_s
    total, here = 0, -1
    for step in day.steps:
        if step.kind == "gap":
            continue
        if step.kind != "leave":
            total += way[here][step.place]
        if step.kind == "task":
            total += problem.tasks[step.task].service_s
        here = step.place
    return limit is None or total <= limit


def can_start(problem: Problem, way: Ways, board: Board, who: int, at: int, start: int) -> bool:
    """Return whether the task could start then in the day of *who*, by trying everything."""
    task = problem.tasks[at]
    fixed = task.fixed.start_s if task.fixed else None
    if not any(a <= start <= b for a, b in task.windows) or fixed not in (None, start):
        return False
    pinned = []
    for number, each in enumerate(problem.tasks):
        window = each.windows
        if number == at:
            window = ((start, start),)
        elif each.crew > 1 and number in board.crews:
            now = board.days[board.crews[number][0]].start_of(number)
            window = ((now, now),)
        pinned.append(replace(each, windows=window))
    asked = replace(problem, tasks=tuple(pinned))
    shifts = len(problem.caregivers[who].shifts)
    for routes in with_task(routes_of_day(board, who), shifts, at, task):
        for day in days_with_rests(problem, who, routes):
            if not (loads_known(problem, day) and works(problem, way, day)):
                continue
            if loads_hold(problem, day) and schedule(asked, way, [day]) is not None:
                return True
    return False


def loads_known(problem: Problem, day: Day) -> bool:
    """Return whether every load has a stop before it."""
    loaded: set[int] = set()
    for step in day.steps:
        if step.kind == "leave":
            loaded = set()
        elif step.kind == "load":
            loaded.add(step.place)
        elif step.kind == "task":
            load = problem.tasks[step.task].load
            if load is not None and load.place not in loaded:
                return False
    return True


@pytest.mark.parametrize("seed", range(60))
def test_offered_starts_are_those_of_trying_everything(seed):
    rng = random.Random(seed)
    problem = random_problem(seed)
    way = ways(problem)
    board = Board(problem, plan_of(problem, cheapest(problem)[1]).routes)
    for at in range(len(problem.tasks)):
        if at in board.crews:
            for who in board.crews[at]:
                day = board.without(board.days[who], [at], slack=UNBOUND)
                assert day is not None
                board.put(day)
            break
    for at, task in enumerate(problem.tasks):
        if at in board.crews:
            continue
        for who in board.candidates(task):
            options = board.options(at, [who], slack=UNBOUND)
            spans = list(zip(options.first.tolist(), options.last.tolist(), strict=True))
            edges = {edge + step for span in spans for edge in span for step in (-1, 0, 1)}
            edges |= {rng.randint(a, b) for a, b in task.windows for _ in range(3)}
            edges |= {a for window in task.windows for a in window}
            for start in sorted(edge for edge in edges if edge >= 0):
                offered = any(a <= start <= b for a, b in spans)
                possible = can_start(problem, way, board, who, at, start)
                assert offered == possible, (task.id, who, start)
