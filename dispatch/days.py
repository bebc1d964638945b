"""What one caregiver does in a day, as rows of `dispatch.chain`, read from the routes of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dispatch import chain
from dispatch.chain import BEGUN, HOME, LEAVE, LOAD, PINNED, REST, ROW, VISIT
from dispatch.facts import NONE, Facts
from dispatch.plan import Route, Stop

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Day:
    """What one caregiver does: rows of `dispatch.chain`, their times, and the ways between.

    ``places`` is the place of each slot (0 is the base), ``own`` the seconds between them. ``old``
    times in the rows are those from before all changes; ``times`` are those that hold. ``rested``
    says that a rest already begun is the one that is due.
    """

    who: int
    rows: Array
    times: Array
    places: Array
    own: Array
    travel: int
    rested: bool
    routes: tuple[Route, ...]

    def tasks(self) -> list[int]:
        """Return the positions of the tasks served, in order."""
        return self.rows[self.rows[:, chain.KIND] == VISIT, chain.TASK].tolist()

    def row_of(self, task: int) -> int:
        """Return the row that serves the task at that position."""
        found = (self.rows[:, chain.KIND] == VISIT) & (self.rows[:, chain.TASK] == task)
        return int(np.flatnonzero(found)[0])

    def start_of(self, task: int) -> int:
        """Return when the task at that position is started."""
        return int(self.times[self.row_of(task)])


def read_days(facts: Facts, whom: Sequence[int], own: Sequence[list[Route]]) -> list[Day]:
    """Return the days that these routes are for the caregivers at those positions."""
    drafts = [_draft(facts, who, each) for who, each in zip(whom, own, strict=True)]
    starts = np.concatenate([np.repeat(p, len(p)) for _, _, p, _ in drafts] + [NONE])
    ends = np.concatenate([np.tile(p, len(p)) for _, _, p, _ in drafts] + [NONE])
    ways = facts.travel.pairs(starts, ends).astype(np.int64)
    days = []
    at = 0
    for who, routes, (rows, times, places, rested) in zip(whom, own, drafts, strict=True):
        size = len(places) ** 2
        matrix = ways[at : at + size].reshape(len(places), len(places))
        at += size
        travel = _travel(rows, matrix)
        days.append(Day(who, rows, times, places, matrix, travel, rested, tuple(routes)))
    return days


def _draft(facts: Facts, who: int, routes: list[Route]) -> tuple[Array, Array, Array, bool]:
    """Return rows, times, places and whether a rest has begun, rests to come left out."""
    if not routes:
        base = facts.people[who].base
        return np.empty((0, ROW), np.int64), NONE, np.array([base]), False
    rows, times, rested = [], [], False
    places = [facts.people[who].base]
    now = facts.now_s
    for route in sorted(routes, key=lambda each: each.shift):
        begun = BEGUN if route.depart_s < now else 0
        depart, back = route.depart_s, route.return_s
        rows.append((LEAVE, -1, 0, places[0], route.shift, depart, 0, begun, 0))
        times.append(depart)
        for stop in route.stops:
            begun = BEGUN if stop.start_s < now else 0
            if stop.kind == "rest":
                if not begun:
                    continue
                rested = rested or _is_rest(facts, who, stop)
            rows.append(_row(facts, stop, len(places), begun))
            times.append(stop.start_s)
            places.append(stop.place)
        begun = BEGUN if back < now else 0
        rows.append((HOME, -1, 0, places[0], route.shift, back, 0, begun, 0))
        times.append(back)
    return np.array(rows, np.int64), np.array(times, np.int64), np.array(places), rested


def _row(facts: Facts, stop: Stop, slot: int, begun: int) -> tuple[int, ...]:
    if stop.kind == "task":
        task = facts.task_index[stop.task]
        pin = begun or (PINNED if facts.tasks[task].crew > 1 else 0)
        lasts = stop.end_s - stop.start_s
        return VISIT, task, slot, stop.place, 0, stop.start_s, lasts, pin, 0
    kind = LOAD if stop.kind == "load" else REST
    return kind, -1, slot, stop.place, 0, stop.start_s, stop.end_s - stop.start_s, begun, 0


def _is_rest(facts: Facts, who: int, stop: Stop) -> bool:
    rest = facts.people[who].rest
    return (
        rest is not None
        and stop.start_s >= rest.start_s
        and stop.end_s <= rest.end_s
        and stop.end_s - stop.start_s >= rest.lasts_s
    )


def _travel(rows: Array, own: Array) -> int:
    if not len(rows):
        return 0
    rides = rows[1:, chain.KIND] != LEAVE
    return int(own[rows[:-1, chain.SLOT], rows[1:, chain.SLOT]][rides].sum())
