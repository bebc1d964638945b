"""Change a caregiver's day and find its times anew: a visit more, visits fewer, or a delay.

Nothing here changes a `Day`; None is returned where its times do not come together. ``slack`` is
how far visits may move from when they were planned.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from dispatch import chain
from dispatch.chain import BEGUN, HOME, LEAVE, LOAD, PINNED, ROW, VISIT
from dispatch.days import Day
from dispatch.facts import NONE, Facts
from dispatch.plan import Route, Stop

Array = np.ndarray

# Another visit that starts within so many seconds of its old time counts as left alone.
MOVED_S = 900


def with_visit(
    facts: Facts, day: Day, task: int, option: Array, start: int, *, slack: int = MOVED_S
) -> Day | None:
    """Return *day* with the visit put in as *option* (see `dispatch.chain`) says, at *start*."""
    own = facts.facts[task]
    ways = ways_to(facts, task, [day])[0]
    rows = np.empty((len(day.rows) + 5, ROW), np.int64)
    size, at = chain.write_day(
        day.rows, len(day.rows), int(option[chain.AFTER]), int(option[chain.LOAD_AFTER]),
        int(option[chain.IN_SHIFT]), task, int(own[chain.SERVICE]), int(own[chain.TASK_PLACE]),
        int(own[chain.KITCHEN_AT]), int(facts.persons[day.who, chain.BASE]), rows,
    )  # fmt: skip
    rows = rows[:size]
    rows[at, chain.OLD], rows[at, chain.PIN] = start, PINNED
    made = _settled(facts, day, rows, ways, slack)
    if made is None:
        return None
    # From here on the visit is one like the others; only crews stay tied to their second.
    row = made.row_of(task)
    made.rows[row, chain.PIN] = PINNED if facts.tasks[task].crew > 1 else 0
    return made


def without(facts: Facts, day: Day, tasks: Iterable[int], *, slack: int = MOVED_S) -> Day | None:
    """Return *day* without these tasks, loads that nobody needs and routes that are empty."""
    gone = set(tasks)
    keep = np.array(
        [not (r[chain.KIND] == VISIT and r[chain.TASK] in gone) for r in day.rows], bool
    )
    rows = _tidy(facts, day.rows[keep])
    return _settled(facts, day, rows, np.zeros((5, len(day.places)), np.int64), slack)


def _tidy(facts: Facts, rows: Array) -> Array:
    """Return the rows without loads that serve nobody and routes without stops."""
    kept: list[Array] = []
    route: list[Array] = []
    wanted: set[int] = set()
    for row in rows[::-1]:
        kind = row[chain.KIND]
        if kind == HOME:
            route, wanted = [row], set()
            continue
        if kind == VISIT:
            kitchen = int(facts.facts[row[chain.TASK], chain.KITCHEN_AT])
            if kitchen >= 0:
                wanted.add(kitchen)
        elif kind == LOAD and not row[chain.PIN]:
            if int(row[chain.PLACE]) not in wanted:
                continue
            wanted.discard(int(row[chain.PLACE]))
        route.append(row)
        if kind == LEAVE and (len(route) > 2 or row[chain.PIN]):
            kept += route
    return np.array(kept[::-1], np.int64).reshape(len(kept), ROW)


def retimed(facts: Facts, day: Day, rows: Array, *, slack: int = MOVED_S) -> Day | None:
    """Return *day* with its rows replaced and times found anew; None where there are none."""
    return _settled(facts, day, rows, np.zeros((5, len(day.places)), np.int64), slack)


def ready_after(day: Day, late_s: int) -> int | None:
    """Return from when somebody can go on who is so late with the next step; None after the last.

    Who is on the way home is late for nobody.
    """
    for k, kind in enumerate(day.rows[:, chain.KIND]):
        if day.rows[k, chain.PIN] == BEGUN or kind == HOME:
            continue
        free = day.times[k] if kind == LEAVE else day.times[k - 1] + day.rows[k - 1, chain.LASTS]
        return int(free) + late_s
    return None


def _held_back(facts: Facts, day: Day, rows: Array) -> Array:
    """Return the rows with the first step that has not begun no sooner than somebody late can."""
    ready = facts.ready.get(day.who)
    if ready is None:
        return rows
    rows = rows.copy()
    for k in range(len(rows)):
        if rows[k, chain.PIN] == BEGUN or rows[k, chain.KIND] == HOME:
            continue
        soonest = ready
        if rows[k, chain.KIND] != LEAVE:
            # The way to what is new is counted by the chain itself.
            slot = int(rows[k, chain.SLOT])
            soonest += int(day.own[rows[k - 1, chain.SLOT], slot]) if slot >= 0 else 0
        rows[k, chain.SOONEST_AT] = max(int(rows[k, chain.SOONEST_AT]), soonest)
        break
    return rows


def _settled(facts: Facts, day: Day, rows: Array, ways: Array, slack: int) -> Day | None:
    n = len(rows)
    if n == 0:
        base = day.places[:1]
        return Day(day.who, rows, NONE, base, day.own[:1, :1], 0, day.rested, ())
    rows = _held_back(facts, day, rows)
    s = np.zeros((chain.SCRATCH, n), np.int64)
    rest_at, late, travel = chain.settle(
        rows, n, day.rested, day.own, ways, facts.persons[day.who], facts.shifts[day.who],
        facts.facts, facts.windows, facts.now_of(day.who), slack, s,
    )  # fmt: skip
    if rest_at == -2:
        return None
    rows, places, own = _with_slots(facts, day, rows)
    times = s[chain.X].copy()
    made = Day(day.who, rows, times, places, own, int(travel), day.rested, ())
    return replace(made, routes=_routes(facts, made, int(rest_at), bool(late), s))


def _with_slots(facts: Facts, day: Day, rows: Array) -> tuple[Array, Array, Array]:
    """Return rows whose slots are all known, places and ways; slots without a row are dropped."""
    rows = rows.copy()
    inner = (rows[:, chain.KIND] != LEAVE) & (rows[:, chain.KIND] != HOME)
    places = np.concatenate([day.places[:1], rows[inner, chain.PLACE]])
    slots = np.zeros(len(rows), np.int64)
    slots[inner] = np.arange(1, len(places))
    was = np.concatenate([[0], rows[inner, chain.SLOT]])
    rows[:, chain.SLOT] = slots
    known = was >= 0
    own = np.zeros((len(places), len(places)), np.int64)
    own[np.ix_(known, known)] = day.own[np.ix_(was[known], was[known])]
    if not known.all():
        fresh = np.flatnonzero(~known)
        own[fresh] = facts.travel.block(places[fresh], places)
        own[:, fresh] = facts.travel.block(places, places[fresh])
    return rows, places, own


def _routes(facts: Facts, day: Day, rest_at: int, late: bool, s: Array) -> tuple[Route, ...]:
    """Write the rows out as routes, waiting at the stop rather than on the way."""
    caregiver = facts.people[day.who]
    go, times, rows = s[chain.GO], day.times, day.rows
    routes = []
    n = len(rows)
    for k in range(n):
        kind = rows[k, chain.KIND]
        place = int(rows[k, chain.PLACE])
        if kind == LEAVE:
            stops: list[Stop] = []
            shift, travel, free = int(rows[k, chain.SHIFT]), 0, int(times[k])
            if not rows[k, chain.PIN]:
                free = _departure(facts, day, k, rest_at, late, s)
                times[k] = free
            depart = free
            continue
        travel += int(go[k])
        if rest_at == k and kind != LEAVE:
            here = place if late else int(rows[k - 1, chain.PLACE])
            arrive = free + (int(go[k]) if late else 0)
            begin = max(arrive, caregiver.rest.start_s)
            end = begin + caregiver.rest.lasts_s
            stops.append(Stop("rest", here, arrive, begin, end))
            free = end + (0 if late else int(go[k]))
        else:
            free += int(go[k])
        start = int(times[k])
        if kind == HOME:
            # Where the way home was over before any change, the old return stands.
            back = start if rows[k, chain.PIN] else free
            times[k] = back
            routes.append(Route(caregiver.id, shift, depart, back, travel, tuple(stops)))
            continue
        end = start + int(rows[k, chain.LASTS])
        stops.append(_stop(facts, rows[k], free, start, end, int(s[chain.SERVED, k])))
        free = end
    return tuple(routes)


def _departure(facts: Facts, day: Day, k: int, rest_at: int, late: bool, s: Array) -> int:
    """Return the latest leaving at row *k* that still meets the first stop's time."""
    first = int(day.times[k + 1])
    if rest_at == k + 1 and late:
        first = max(
            int(day.times[k] + s[chain.GO, k + 1]),
            int(facts.persons[day.who, chain.REST_LO]),
        )
    return max(int(day.times[k]), first - int(s[chain.GO, k + 1]))


def _stop(facts: Facts, row: Array, arrive: int, start: int, end: int, units: int) -> Stop:
    place = int(row[chain.PLACE])
    if row[chain.KIND] == VISIT:
        task = facts.tasks[int(row[chain.TASK])].id
        return Stop("task", place, min(arrive, start), start, end, task=task)
    if row[chain.KIND] == LOAD:
        return Stop("load", place, min(arrive, start), start, end, units=units)
    return Stop("rest", place, min(arrive, start), start, end)


def ways_to(facts: Facts, task: int, days: Sequence[Day]) -> list[Array]:
    """Return for each day the 5 x slots that `dispatch.chain.leg` asks for."""
    place, load = facts.tasks[task].place, facts.tasks[task].load
    known = np.concatenate([day.places for day in days] + [NONE])
    new = np.full(len(known), place)
    table = np.zeros((5, len(known)), np.int64)
    if load is None:
        both = facts.travel.pairs(np.concatenate([known, new]), np.concatenate([new, known]))
        table[:2] = both.reshape(2, -1)
    else:
        kitchen = np.full(len(known), load.place)
        table[:4] = facts.travel.pairs(
            np.concatenate([known, new, known, kitchen]),
            np.concatenate([new, known, kitchen, known]),
        ).reshape(4, -1)
        table[4] = facts.travel.between(load.place, place)
    edges = np.cumsum([0, *(len(day.places) for day in days)])
    return [np.ascontiguousarray(table[:, a:b]) for a, b in pairwise(edges)]
