"""Replan the neighbourhood of visits that lost their caregiver, and take it only if it helps.

Filling gaps and handing one visit over finds most; what is left may need three or four visits to
change hands at once. The search of `dispatch.planner` does that in a fraction of a second when it
is given only the people around, each from where they are now on, with a price on every visit that
changes hands.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dispatch import chain
from dispatch.board import UNBOUND, Board, Day
from dispatch.chain import BEGUN, HOME, LEAVE, LOAD, REST, VISIT
from dispatch.cost import totals_of
from dispatch.days import read_days
from dispatch.model import Caregiver, Fixed, Problem, Rest, Task, Weights
from dispatch.plan import Engine, Plan, Route, Stop
from dispatch.planner import solve
from dispatch.touched import violations_of

logger = logging.getLogger(__name__)

# People around: enough for chains of three, few enough to be searched in a blink.
_PEOPLE = 40
# A change of hands is worth avoiding for twenty minutes of travel, a visit is worth any travel.
_CHANGE = 1_200
_LEFT_OUT = 10_000_000


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is left of a day from now on: the caregiver, where they are, and the stops to come.

    ``anchor`` stands for where somebody on the way is, in the route of shift ``out``.
    """

    caregiver: Caregiver
    anchor: Task | None
    out: int | None
    routes: tuple[Route, ...]


def replanned(board: Board, before: Board, lost: Sequence[int], *, seconds: float) -> Board | None:
    """Return a board on which more of *lost* is served (by priority), or None.

    Nothing that is served on *board* is given up for it, unless of lower priority. Visits keep the
    times that they have on *before* as far as can be.
    """
    ahead = {}
    for who in _around(board, lost):
        left = _from_now(board, board.days[who])
        if left is not None:
            ahead[who] = left
    tasks = _tasks(board, ahead, lost)
    if not ahead or not tasks:
        return None
    small, start = _cut(board, ahead, tasks)
    # A handful of visits is soon looked through; the search would use any time that it is given.
    enough = 0.05 + 0.01 * len(tasks)
    found = solve(small, seconds=min(seconds, enough), workers=1, start=start)
    if found.totals.by_term.unassigned >= start.totals.by_term.unassigned:
        return None
    changed = _adopt(board, before, ahead, found.routes)
    return changed if changed is not None and _holds(board, changed) else None


def _holds(board: Board, changed: Board) -> bool:
    """Return whether the checker agrees; that it does is what we expect."""
    touched = [who for who in range(len(board.days)) if changed.days[who] is not board.days[who]]
    violations = violations_of(changed, touched)
    if violations:
        logger.error("replanned_with_violations", extra={"first": str(violations[0])})
    return not violations


def _around(board: Board, lost: Iterable[int]) -> list[int]:
    """Return the candidates of *lost*, then those of what they serve, and on, up to `_PEOPLE`."""
    found: dict[int, None] = {}
    ring = list(lost)
    while ring and len(found) < _PEOPLE:
        reached: list[int] = []
        for task in ring:
            for who in board.candidates(board.tasks[task]):
                if len(found) < _PEOPLE and who not in found:
                    found[who] = None
                    reached.append(who)
        ring = [task for who in reached for task in board.days[who].tasks()]
    return list(found)


# --- the small problem -----------------------------------------------------------------------------


def _from_now(board: Board, day: Day) -> _Rest | None:
    """Return what is left of a day; None where what has begun cannot be told apart from the rest."""
    caregiver, now, soonest = board.people[day.who], board.now_s, board.now_of(day.who)
    begun = int((day.rows[:, chain.PIN] == BEGUN).sum())
    if not begun:
        shifts = tuple((max(a, min(soonest, b)), b) for a, b in caregiver.shifts)
        return _Rest(replace(caregiver, shifts=shifts), None, None, day.routes)
    rows, last = day.rows[:begun], begun - 1
    if _is_loaded(board, day, begun):
        return None
    is_out = day.rows[last, chain.KIND] != HOME
    shift = int(rows[rows[:, chain.KIND] == LEAVE, chain.SHIFT][-1])
    free = max(soonest, int(day.times[last] + day.rows[last, chain.LASTS]))
    rest = _rest_to_come(board, day, begun, free)
    if rest is False:
        return None
    anchor = _anchor(caregiver, shift, int(day.rows[last, chain.PLACE]), free) if is_out else None
    shifts = tuple(
        (a, a) if number < shift or (number == shift and not is_out)
        else (a, b) if number == shift
        else (max(a, min(soonest, b)), b)
        for number, (a, b) in enumerate(caregiver.shifts)
    )  # fmt: skip
    person = replace(caregiver, shifts=shifts, rest=rest, max_work_s=_work_left(board, day, begun))
    out = shift if is_out else None
    return _Rest(person, anchor, out, _routes_to_come(day, now, anchor, out))


def _is_loaded(board: Board, day: Day, begun: int) -> bool:
    """Return whether something is on board that has been fetched and not yet brought."""
    fetched = {int(r[chain.PLACE]) for r in day.rows[:begun] if r[chain.KIND] == LOAD}
    for row in day.rows[begun:]:
        if row[chain.KIND] == LOAD:
            fetched.discard(int(row[chain.PLACE]))
        elif row[chain.KIND] == LEAVE:
            return False
        elif row[chain.KIND] == VISIT and _kitchen(board, row) in fetched:
            return True
    return False


def _kitchen(board: Board, row: np.ndarray) -> int:
    return int(board.facts[int(row[chain.TASK]), chain.KITCHEN_AT])


def _rest_to_come(board: Board, day: Day, begun: int, free: int) -> Rest | bool | None:
    """Return the rest that is still due, None where it was had, False where it no longer fits."""
    rest = board.people[day.who].rest
    if rest is None or day.rested:
        return None
    since = rest.start_s
    for k in range(begun):
        leaves = day.rows[k, chain.KIND] == LEAVE
        if leaves and min(int(day.times[k]), rest.end_s) - since >= rest.lasts_s:
            return None
        since = max(since, int(day.times[k] + day.rows[k, chain.LASTS]))
    start = max(rest.start_s, free)
    return Rest(start, rest.end_s, rest.lasts_s) if start + rest.lasts_s <= rest.end_s else False


def _anchor(caregiver: Caregiver, shift: int, place: int, free: int) -> Task:
    """Return a task without length that stands for where the caregiver is, free from then on."""
    return Task(
        id=f"\x00{caregiver.id}:{shift}",
        place=place,
        service_s=0,
        windows=((free, free),),
        fixed=Fixed((caregiver.id,), free),
        priority=9,
    )


def _work_left(board: Board, day: Day, begun: int) -> int | None:
    """Return the work that may still be done, the way from the base to the anchor included."""
    limit = board.people[day.who].max_work_s
    if limit is None:
        return None
    rows = day.rows[:begun]
    done = int(rows[rows[:, chain.KIND] == VISIT, chain.LASTS].sum())
    rides = rows[1:, chain.KIND] != LEAVE
    done += int(day.own[rows[:-1, chain.SLOT], rows[1:, chain.SLOT]][rides].sum())
    last = int(rows[-1, chain.SLOT])
    return max(0, limit - done + int(day.own[0, last]))


def _routes_to_come(day: Day, now: int, anchor: Task | None, out: int | None) -> tuple[Route, ...]:
    """Return the routes without what has begun, the anchor in its place."""
    found = []
    for route in day.routes:
        if route.return_s < now and route.shift != out:
            continue
        ahead = tuple(stop for stop in route.stops if stop.start_s >= now)
        if route.shift == out and anchor is not None:
            at = anchor.windows[0][0]
            stop = Stop("task", anchor.place, at, at, at, task=anchor.id)
            ahead = (stop, *ahead)
        if ahead:
            found.append(replace(route, stops=ahead))
    return tuple(found)


def _tasks(board: Board, ahead: dict[int, _Rest], lost: Iterable[int]) -> list[Task]:
    """Return the tasks to plan as the small problem sees them, anchors last."""
    inside = {board.people[who].id for who in ahead}
    tasks = {at: replace(board.tasks[at], preferred=frozenset()) for at in lost}
    for left in ahead.values():
        for route in left.routes:
            for stop in route.stops:
                at = board.task_index.get(stop.task) if stop.task is not None else None
                if at is not None and at not in tasks:
                    tasks[at] = _as_served(board, at, inside)
    anchors = [left.anchor for left in ahead.values() if left.anchor is not None]
    return [*tasks.values(), *anchors]


def _as_served(board: Board, at: int, inside: set[str]) -> Task:
    """Return a task that is served: held where people outside depend on it."""
    task, crew = board.tasks[at], board.crews[at]
    here = tuple(board.people[who].id for who in crew if board.people[who].id in inside)
    if len(here) < task.crew:
        fixed = Fixed(here, board.days[crew[0]].start_of(at))
        return replace(task, crew=len(here), fixed=fixed, preferred=frozenset(), priority=9)
    return replace(task, preferred=frozenset(here))


def _cut(board: Board, ahead: dict[int, _Rest], tasks: list[Task]) -> tuple[Problem, Plan]:
    """Return the small problem and the plan that holds in it now."""
    weights = Weights(travel=1, unassigned=_LEFT_OUT, unpreferred=_CHANGE, vendor_share=0)
    problem = replace(
        board.problem,
        caregivers=tuple(left.caregiver for left in ahead.values()),
        tasks=tuple(tasks),
        # Where somebody is now may lie outside the circle, as a kitchen does.
        circle_s=board.circle_s,
        vendor_share=None,
        weights=weights,
        sha256="0" * 64,
    )
    routes = tuple(route for left in ahead.values() for route in left.routes)
    totals = totals_of(problem, routes)
    return problem, Plan("0" * 64, 1, Engine("live", 0.0), routes, (), totals)


# --- taking it over --------------------------------------------------------------------------------


def _adopt(
    board: Board, before: Board, ahead: dict[int, _Rest], found: Sequence[Route]
) -> Board | None:
    """Return the board with what was found, times moved as little as they can be."""
    by_name: dict[str, list[Route]] = {}
    for route in found:
        by_name.setdefault(route.caregiver, []).append(route)
    changed = board.copy()
    for who, left in ahead.items():
        old = board.days[who]
        name = board.people[who].id
        routes = _joined(board, old, left, by_name.get(name, []))
        if routes is None:
            return None
        if _kept(board, old.routes) == _kept(board, routes):
            continue
        day = read_days(changed, [who], [routes])[0]
        day = changed.retimed(day, _wanted_rows(board, before, old, day), slack=UNBOUND)
        if day is None:
            return None
        changed.put(day)
    return changed


def _kept(board: Board, routes: Iterable[Route]) -> list[tuple[int, str | None, int | None]]:
    """Return what makes two days the same: tasks in order, and the times that crews agreed on."""
    return [
        (route.shift, stop.task, stop.start_s if _is_tied(board, stop) else None)
        for route in routes
        for stop in route.stops
        if stop.kind == "task"
    ]


def _is_tied(board: Board, stop: Stop) -> bool:
    """Return whether others are there at the same time, so that it cannot be moved by itself."""
    return board.tasks[board.task_index[stop.task]].crew > 1


def _joined(board: Board, old: Day, left: _Rest, found: Sequence[Route]) -> list[Route] | None:
    """Return what has begun followed by what was found; None where the anchor is not served."""
    now = board.now_s
    fresh = {route.shift: route for route in found}
    routes = []
    for route in old.routes:
        begun = tuple(stop for stop in route.stops if stop.start_s < now)
        if route.depart_s >= now:
            continue
        if route.shift != left.out:
            routes.append(route)
            continue
        found_route = fresh.pop(route.shift, None)
        if found_route is None or left.anchor is None:
            return None
        stops = found_route.stops
        at = [k for k, stop in enumerate(stops) if stop.task == left.anchor.id]
        if not at:
            return None
        if any(stop.kind != "rest" for stop in stops[: at[0]]):
            return None
        routes.append(
            replace(
                route,
                return_s=max(found_route.return_s, now),
                stops=(*begun, *stops[at[0] + 1 :]),
            )
        )
    routes += fresh.values()
    return sorted(routes, key=lambda route: route.shift)


def _wanted_rows(board: Board, before: Board, old: Day, day: Day) -> np.ndarray:
    """Return the rows of the day with the times that clients know, and none earlier than now.

    Who is on the way to the same visit as on *old* goes on; to another the way begins now.
    """
    rows = day.rows.copy()
    soonest = board.now_of(day.who)
    first = next((int(r[chain.TASK]) for r in old.rows if r[chain.PIN] != BEGUN), -1)
    for k in range(len(rows)):
        if rows[k, chain.PIN] == BEGUN:
            continue
        task = int(rows[k, chain.TASK])
        if rows[k, chain.KIND] == VISIT and not rows[k, chain.PIN] and task in before.crews:
            who = before.crews[task][0]
            rows[k, chain.OLD] = before.days[who].start_of(task)
        if k and rows[k - 1, chain.PIN] == BEGUN and rows[k, chain.KIND] not in (LEAVE, REST):
            free = int(rows[k - 1, chain.OLD] + rows[k - 1, chain.LASTS])
            way = int(day.own[rows[k - 1, chain.SLOT], rows[k, chain.SLOT]])
            goes_on = rows[k, chain.KIND] == VISIT and task == first
            rows[k, chain.SOONEST_AT] = way + (free if goes_on else max(free, soonest))
    return rows
