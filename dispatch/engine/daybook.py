"""A caregiver's day as visits by shift, and back to a day with times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dispatch import chain
from dispatch.board import Board, Day

FREE_S = 1 << 40


@dataclass(frozen=True, slots=True)
class Visit:
    """A stop before it has a time: a task by number, or a loading at a place.

    ``start_s`` holds a crew's visit to the second agreed with the others.
    """

    task: int | None = None
    load_at: int | None = None
    start_s: int | None = None


def visits_of(day: Day) -> dict[int, list[Visit]]:
    """Return the stops of each shift that has a route, in order; rests are left out."""
    found: dict[int, list[Visit]] = {}
    visits: list[Visit] = []
    for row, start in zip(day.rows, day.times, strict=True):
        kind = row[chain.KIND]
        if kind == chain.LEAVE:
            visits = found.setdefault(int(row[chain.SHIFT]), [])
        elif kind == chain.LOAD:
            visits.append(Visit(load_at=int(row[chain.PLACE])))
        elif kind == chain.VISIT:
            pinned = row[chain.PIN] == chain.PINNED
            visits.append(Visit(task=int(row[chain.TASK]), start_s=int(start) if pinned else None))
    return found


def day_of(board: Board, who: int, shifts: Mapping[int, list[Visit]]) -> Day | None:
    """Return the day that makes these visits in these shifts; None where no times keep the rules.

    Loadings from which nobody is served are dropped, and so are shifts without a task.
    """
    base = board.people[who].base
    rows: list[tuple[int, ...]] = []
    places = [base]
    for shift in sorted(shifts):
        visits = _needed(board, shifts[shift])
        if not visits:
            continue
        rows.append((chain.LEAVE, -1, 0, base, shift, 0, 0, 0, 0))
        for visit in visits:
            slot = len(places)
            if visit.task is None:
                places.append(visit.load_at)
                rows.append((chain.LOAD, -1, slot, visit.load_at, 0, 0, 0, 0, 0))
                continue
            task = board.tasks[visit.task]
            places.append(task.place)
            start = visit.start_s or 0
            pin = 0 if visit.start_s is None else chain.PINNED
            rows.append(
                (chain.VISIT, visit.task, slot, task.place, 0, start, task.service_s, pin, 0)
            )
        rows.append((chain.HOME, -1, 0, base, shift, 0, 0, 0, 0))
    table = np.array(rows, np.int64).reshape(len(rows), chain.ROW)
    stops = np.array(places)
    own = board.travel.block(stops).astype(np.int64)
    draft = Day(who, table, np.zeros(len(rows), np.int64), stops, own, 0, False, ())
    return board.retimed(draft, table, slack=FREE_S)


def _needed(board: Board, visits: list[Visit]) -> list[Visit]:
    """Return the visits without loadings that serve nobody; none where no task is left."""
    kept: list[Visit] = []
    wanted: set[int] = set()
    for visit in reversed(visits):
        if visit.task is None:
            if visit.load_at not in wanted:
                continue
            wanted.discard(visit.load_at)
        else:
            load = board.tasks[visit.task].load
            if load is not None:
                wanted.add(load.place)
        kept.append(visit)
    return kept[::-1]
