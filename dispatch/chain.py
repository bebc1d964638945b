"""One caregiver's day as a chain of times: what is possible, from when to when, at what travel.

Compiled by Numba. A day is an array of rows in order, one a stop and one each for leaving and for
coming home; the columns are the constants below. Every time in it has a least value, which follows
from the times before it, from windows and from what is fetched for later stops, and a greatest one
from the times after it. Both are found exactly by repeating a pass over the chain until nothing
moves: the conditions only ever push one way.

A rest that is due is tried at every place in the chain: in a route before or after the way to the
next stop, or between routes.
"""

from __future__ import annotations

import numpy as np

from dispatch.engine.kernel.compiled import compiled_with_arrays, is_warm

# Columns of a row.
# OLD is the time before all changes, PIN what holds the row to it, SOONEST_AT a bound of its own.
KIND, TASK, SLOT, PLACE, SHIFT, OLD, LASTS, PIN, SOONEST_AT = range(9)
ROW = 9
# Kinds of rows.
LEAVE, VISIT, LOAD, HOME, REST = range(5)
# Slots of what is not in the day's own matrix yet.
NEW, KITCHEN = -1, -2
# Columns of a person.
MAX_WORK, REST_LO, REST_HI, REST_S, CAPACITY, BASE = range(6)
PERSON = 6
# Columns of a task. KITCHEN_AT is the place a load is fetched at, or -1.
SERVICE, WINDOW_FROM, WINDOW_TO, KITCHEN_AT, UNITS, READY, HOLD, TASK_PLACE = range(8)
FACTS = 8
# Rules that may be set aside, to find out which one binds.
NO_WORK, NO_REST, NO_CAPACITY, NO_HOLD, NO_READY, NO_BEGIN, NO_END, NO_WINDOW = (
    1 << bit for bit in range(8)
)
# Rows of the scratch table: one array over the chain each.
GO, LEAD, LO, HI, SOURCE, HOLDS, X, Y, CHOSEN, SERVED, SOONEST, LATEST = range(12)
SCRATCH = 12
# Columns of an option that `intervals` writes.
AFTER, LOAD_AFTER, IN_SHIFT, FIRST, LAST, TRAVEL, HOME_AT, LOAD_BY, LEAVE_BY, BOARD = range(10)
OPTION = 10
AGES = 1 << 50
# What holds a row to its old time: a crew elsewhere, or having begun.
PINNED, BEGUN = 1, 2
NO_LOAD, OWN_LOAD = -1, -2


@compiled_with_arrays
def leg(a, b, own, ways):
    """Return the seconds from slot *a* to slot *b*; ``ways`` is 5 x slots, for what is new.

    Its rows: to the new visit, from it, to its kitchen, from it; the last holds at 0 the way from
    kitchen to visit.
    """
    if a >= 0:
        if b >= 0:
            return own[a, b]
        return ways[0, a] if b == NEW else ways[2, a]
    if a == NEW:
        return ways[1, b]
    return ways[4, 0] if b == NEW else ways[3, b]


@compiled_with_arrays
def bind(rows, n, own, ways, person, shifts, task, relax, now, slack, keep, s):
    """Fill ways, bounds and sources of the chain; return (travel, most on board) or (-1, board).

    ``slack`` is how far known visits may move from their old starts; ``keep`` holds them from
    moving forward in time. ``now`` is when the new part may begin at the earliest. -1 stands for a
    day that breaks work, capacity or holding whatever its times are.
    """
    travel = 0
    work = 0
    for k in range(n):
        kind = rows[k, KIND]
        s[SOURCE, k] = -1
        s[SERVED, k] = 0
        lo, hi = 0, AGES
        if kind == LEAVE:
            s[GO, k] = s[LEAD, k] = 0
            if not relax & NO_BEGIN:
                lo = max(shifts[rows[k, SHIFT], 0], now)
            if not relax & NO_END:
                hi = shifts[rows[k, SHIFT], 1]
        else:
            go = leg(rows[k - 1, SLOT], rows[k, SLOT], own, ways)
            s[GO, k] = go
            s[LEAD, k] = rows[k - 1, LASTS] + go
            travel += go
            if kind == HOME:
                if not relax & NO_END:
                    hi = shifts[rows[k, SHIFT], 1]
            elif rows[k, SLOT] < 0:
                lo = now + go
            elif kind == VISIT:
                lo = rows[k, OLD] - slack
                hi = rows[k, OLD] + slack
                if keep:
                    lo = max(lo, rows[k, OLD])
        if kind == VISIT:
            work += rows[k, LASTS]
        lo = max(lo, rows[k, SOONEST_AT])
        if rows[k, PIN]:
            # Who cannot be there at the time that a crew has agreed on cannot come at all.
            lo, hi = max(rows[k, OLD], rows[k, SOONEST_AT]), rows[k, OLD]
        s[LO, k] = lo
        s[HI, k] = hi
    if travel + work > person[MAX_WORK] and not relax & NO_WORK:
        return -1, 0
    sound, board = load_up(rows, n, person, task, relax, s)
    return (travel if sound else -1), board


@compiled_with_arrays
def load_up(rows, n, person, task, relax, s):
    """Tie each loaded visit to its load stop; return (whether that can be held, most on board)."""
    for k in range(n):
        j = rows[k, TASK]
        if rows[k, KIND] != VISIT or task[j, KITCHEN_AT] < 0:
            continue
        at = -1
        for back in range(k - 1, -1, -1):
            if rows[back, KIND] == LEAVE:
                break
            if rows[back, KIND] == LOAD and rows[back, PLACE] == task[j, KITCHEN_AT]:
                at = back
                break
        fresh = rows[k, SLOT] == NEW
        # What has been fetched already cannot be more than it was.
        if at < 0 or (fresh and rows[at, PIN]):
            return False, 0
        s[SOURCE, k] = at
        s[HOLDS, k] = AGES if fresh and relax & NO_HOLD else task[j, HOLD]
        s[SERVED, at] += task[j, UNITS]
        if not rows[at, PIN] and not (fresh and relax & NO_READY):
            s[LO, at] = max(s[LO, at], task[j, READY])
        way = 0
        for x in range(at + 1, k + 1):
            way += s[LEAD, x]
        if way > s[HOLDS, k]:
            return False, 0
    on_board = 0
    most = 0
    for k in range(n):
        if rows[k, KIND] == LOAD:
            if s[SERVED, k] == 0 and not rows[k, PIN]:
                return False, 0
            on_board += s[SERVED, k]
            most = max(most, on_board)
        elif s[SOURCE, k] >= 0:
            on_board -= task[rows[k, TASK], UNITS]
    return most <= person[CAPACITY] or relax & NO_CAPACITY != 0, most


@compiled_with_arrays
def least(rows, n, task, window, person, relax, rest_at, late, s):
    """Raise ``X`` to the least times; return whether there are any.

    ``X`` must hold lower bounds. The rest is taken before row ``rest_at`` (n: after the last row,
    -1: none is due), after the way to it where ``late``.
    """
    for _ in range(4 * n + 64):
        free = -AGES
        for k in range(n):
            go = s[GO, k]
            if rest_at == k:
                begin = max(free + (go if late else 0), person[REST_LO])
                if begin + person[REST_S] > person[REST_HI]:
                    return False
                free = begin + person[REST_S] + (0 if late else go)
            else:
                free += go
            t = max(max(free, s[LO, k]), s[X, k])
            if rows[k, KIND] == VISIT:
                j = rows[k, TASK]
                if not (rows[k, SLOT] == NEW and relax & NO_WINDOW):
                    chosen = -1
                    for w in range(task[j, WINDOW_FROM], task[j, WINDOW_TO]):
                        if t <= window[w, 1]:
                            chosen = w
                            break
                    if chosen < 0:
                        return False
                    t = max(t, window[chosen, 0])
                    s[CHOSEN, k] = chosen
            if t > s[HI, k]:
                return False
            s[X, k] = t
            free = t + rows[k, LASTS]
        if rest_at == n and max(free, person[REST_LO]) + person[REST_S] > person[REST_HI]:
            return False
        moved = False
        for k in range(n):
            if s[SOURCE, k] >= 0 and s[X, k] - s[HOLDS, k] > s[X, s[SOURCE, k]]:
                s[X, s[SOURCE, k]] = s[X, k] - s[HOLDS, k]
                moved = True
        if not moved:
            return True
    return False


@compiled_with_arrays
def greatest(rows, n, window, person, relax, rest_at, late, s):
    """Fill ``Y`` with the greatest times that the windows chosen in ``X`` leave."""
    for k in range(n):
        s[Y, k] = s[HI, k]
        if rows[k, KIND] == VISIT and not (rows[k, SLOT] == NEW and relax & NO_WINDOW):
            s[Y, k] = min(s[HI, k], window[s[CHOSEN, k], 1])
    moved = True
    while moved:
        moved = False
        for k in range(n - 1, -1, -1):
            if k == n - 1:
                most = AGES
                if rest_at == n:
                    most = person[REST_HI] - person[REST_S]
            else:
                most = s[Y, k + 1]
                if rest_at == k + 1:
                    if not late:
                        most -= s[GO, k + 1]
                    most = min(most, person[REST_HI]) - person[REST_S]
                    if late:
                        most -= s[GO, k + 1]
                else:
                    most -= s[GO, k + 1]
            most -= rows[k, LASTS]
            if s[SOURCE, k] >= 0:
                most = min(most, s[Y, s[SOURCE, k]] + s[HOLDS, k])
            if most < s[Y, k]:
                s[Y, k] = most
                moved = True


@compiled_with_arrays
def rest_may_be(rows, n, k, late, person, s):
    """Return whether a rest before row *k* is worth trying; the others are no better anywhere.

    Asks `reach` to have been here.
    """
    if k == n or rows[k, KIND] == LEAVE:
        if late:
            return False
    elif late:
        if rows[k, KIND] == HOME:
            return False
    elif rows[k - 1, KIND] == LEAVE:
        return False
    ride = s[GO, k] if k < n else 0
    begin = person[REST_LO]
    if k > 0:
        begin = max(begin, s[SOONEST, k - 1] + rows[k - 1, LASTS] + (ride if late else 0))
    end = person[REST_HI]
    if k < n:
        end = min(end, s[LATEST, k] - (0 if late else ride))
    return begin + person[REST_S] <= end


@compiled_with_arrays
def rest_is_due(person, rested, relax):
    """Return whether a rest must be found for the day."""
    return person[REST_S] > 0 and not rested and not relax & NO_REST


@compiled_with_arrays
def write_day(day, n, at, at_load, in_shift, j, lasts, place, kitchen, base, rows):
    """Write the day with visit *j* after row ``at`` (and its load after row ``at_load``).

    With ``in_shift`` >= 0 a route of its own is put after row ``at``. Return the number of rows
    and the row of the visit.
    """
    m = 0
    where = -1
    for k in range(-1, n):
        if k >= 0:
            rows[m] = day[k]
            m += 1
        if k == at and in_shift >= 0:
            rows[m] = (LEAVE, -1, 0, base, in_shift, 0, 0, 0, 0)
            m += 1
        if (k == at_load and at_load >= 0) or (k == at and in_shift >= 0 and kitchen >= 0):
            rows[m] = (LOAD, -1, KITCHEN, kitchen, 0, 0, 0, 0, 0)
            m += 1
        if k == at:
            where = m
            rows[m] = (VISIT, j, NEW, place, 0, 0, lasts, 0, 0)
            m += 1
            if in_shift >= 0:
                rows[m] = (HOME, -1, 0, base, in_shift, 0, 0, 0, 0)
                m += 1
    return m, where


@compiled_with_arrays
def spans(rows, n, at, rested, task, window, person, relax, s, found):
    """Write the intervals in which row ``at`` may begin; return how many.

    Each row of ``found``: first and last second, and the earliest coming home, the latest fetching
    and the latest leaving that go with it. Overlaps are left in.
    """
    count = 0
    due = rest_is_due(person, rested, relax)
    home, leave = at, at
    while rows[home, KIND] != HOME:
        home += 1
    while rows[leave, KIND] != LEAVE:
        leave -= 1
    lowest = s[LO, at]
    if due and not reach(rows, n, task, window, person, relax, s):
        return 0
    for option in range(2 * n + 1 if due else 1):
        rest_at, late = (option // 2, option % 2 == 1) if due else (-1, False)
        if due and not rest_may_be(rows, n, rest_at, late, person, s):
            continue
        s[X, :n] = -AGES
        s[LO, at] = lowest
        while count < len(found) and least(rows, n, task, window, person, relax, rest_at, late, s):
            greatest(rows, n, window, person, relax, rest_at, late, s)
            found[count, 0] = s[X, at]
            found[count, 1] = s[Y, at]
            found[count, 2] = s[X, home]
            found[count, 3] = s[Y, s[SOURCE, at]] if s[SOURCE, at] >= 0 else AGES
            found[count, 4] = s[Y, leave]
            count += 1
            s[LO, at] = s[Y, at] + 1
    s[LO, at] = lowest
    return count


@compiled_with_arrays
def merge(found, count):
    """Sort and join overlapping intervals in place; return how many are left."""
    for i in range(1, count):
        for k in range(i, 0, -1):
            if found[k, 0] >= found[k - 1, 0]:
                break
            for c in range(5):
                found[k, c], found[k - 1, c] = found[k - 1, c], found[k, c]
    kept = 0
    for i in range(count):
        if kept and found[i, 0] <= found[kept - 1, 1] + 1:
            found[kept - 1, 1] = max(found[kept - 1, 1], found[i, 1])
            found[kept - 1, 2] = min(found[kept - 1, 2], found[i, 2])
            found[kept - 1, 3] = max(found[kept - 1, 3], found[i, 3])
            found[kept - 1, 4] = max(found[kept - 1, 4], found[i, 4])
        else:
            found[kept] = found[i]
            kept += 1
    return kept


@compiled_with_arrays
def intervals(
    day, rested, before, own, ways, person, shifts, task, window, j, relax, now, slack, out
):
    """Write every way to put visit *j* into the day, each with its interval of starts.

    ``before`` is the day's travel without it; ``out`` gets `OPTION` columns. Return how many.
    """
    n = len(day)
    size = n + 5
    rows = np.empty((size, ROW), np.int64)
    s = np.zeros((SCRATCH, size), np.int64)
    reach_of_day(
        day, n, task[j, KITCHEN_AT] >= 0, own, ways, person, shifts, task, window, relax, slack, s
    )
    spots = np.empty((n * (n + 2) + len(shifts), 3), np.int64)
    tried = list_spots(day, n, own, ways, shifts, task, window, j, relax, now, s, spots)
    found = np.empty((64, 5), np.int64)
    count = 0
    for i in range(tried):
        m, at = write_day(
            day, n, spots[i, 0], spots[i, 1], spots[i, 2], j, task[j, SERVICE],
            task[j, TASK_PLACE], task[j, KITCHEN_AT], person[BASE], rows,
        )  # fmt: skip
        travel, board = bind(rows, m, own, ways, person, shifts, task, relax, now, slack, False, s)
        if travel < 0:
            continue
        kept = merge(found, spans(rows, m, at, rested, task, window, person, relax, s, found))
        for x in range(kept):
            if count < len(out):
                out[count, AFTER:FIRST] = spots[i]
                out[count, FIRST : LAST + 1] = found[x, :2]
                out[count, TRAVEL] = travel - before
                out[count, HOME_AT:BOARD] = found[x, 2:]
                out[count, BOARD] = board
                count += 1
    return count


@compiled_with_arrays
def list_spots(day, n, own, ways, shifts, task, window, j, relax, now, s, spots):
    """Write where visit *j* may come by time alone; return how many.

    A row: the row of the day that it follows, the row that its load stop follows (or `NO_LOAD`,
    `OWN_LOAD`), and the shift that it begins a route of, or -1.
    """
    windows = task[j, WINDOW_TO] - task[j, WINDOW_FROM]
    first = window[task[j, WINDOW_FROM], 0] if windows else AGES
    last = window[task[j, WINDOW_TO] - 1, 1] if windows else -1
    if relax & NO_WINDOW:
        first, last = 0, AGES
    loaded = task[j, KITCHEN_AT] >= 0
    count = 0
    begin = 0
    for k in range(n):
        if day[k, KIND] == LEAVE:
            begin = k
        if day[k, KIND] == HOME or (day[k, PIN] == BEGUN and day[k + 1, PIN] == BEGUN):
            continue
        free = max(s[SOONEST, k] + day[k, LASTS], now)
        if free + leg(day[k, SLOT], NEW, own, ways) > last:
            continue
        ride = leg(NEW, day[k + 1, SLOT], own, ways)
        if first + task[j, SERVICE] + ride > s[LATEST, k + 1]:
            continue
        spots[count] = (k, OWN_LOAD if loaded else NO_LOAD, -1)
        count += 1
        if loaded:
            for q in range(begin, k + 1):
                if day[q, PIN] != BEGUN or day[q + 1, PIN] != BEGUN:
                    spots[count] = (k, q, -1)
                    count += 1
    for shift in range(len(shifts)):
        after = -1
        used = False
        for k in range(n):
            if day[k, KIND] == HOME and day[k, SHIFT] < shift:
                after = k
            used = used or (day[k, KIND] == LEAVE and day[k, SHIFT] == shift)
        if not used:
            spots[count] = (after, OWN_LOAD if loaded else NO_LOAD, shift)
            count += 1
    return count


@compiled_with_arrays
def reach(rows, n, task, window, person, relax, s):
    """Fill ``SOONEST`` and ``LATEST`` of a bound chain, rests left aside; say whether it can be.

    No times of the chain lie outside, whatever window of each visit they are in.
    """
    s[X, :n] = -AGES
    if not least(rows, n, task, window, person, relax, -1, False, s):
        return False
    s[SOONEST, :n] = s[X, :n]
    for k in range(n):
        if rows[k, KIND] == VISIT:
            s[CHOSEN, k] = task[rows[k, TASK], WINDOW_TO] - 1
    greatest(rows, n, window, person, relax, -1, False, s)
    s[LATEST, :n] = s[Y, :n]
    return True


@compiled_with_arrays
def reach_of_day(day, n, loaded, own, ways, person, shifts, task, window, relax, slack, s):
    """Fill ``SOONEST`` and ``LATEST`` of the day as it is, wide enough for one more visit.

    A visit that brings a load may take over what others are served from, so that for it loads
    bind nothing here.
    """
    wide = relax | NO_WORK | NO_CAPACITY
    travel, _ = bind(day, n, own, ways, person, shifts, task, wide, -AGES, slack, False, s)
    if loaded:
        for k in range(n):
            s[SOURCE, k] = -1
            if day[k, KIND] == LOAD and not day[k, PIN]:
                s[LO, k] = 0
    if travel < 0 or not reach(day, n, task, window, person, wide, s):
        s[SOONEST, :n] = -AGES
        s[LATEST, :n] = AGES


@compiled_with_arrays
def settle(rows, n, rested, own, ways, person, shifts, task, window, now, slack, s):
    """Find times of the whole chain that move its visits least; return (rest_at, late, travel).

    The times are in ``X``; rest_at is -2 where there are none, -1 where no rest is due. First
    nobody starts earlier than before, then whatever ``slack`` allows. Of equals, a rest between
    routes goes before one on the way.
    """
    due = rest_is_due(person, rested, 0)
    best = np.empty(n, np.int64)
    best_moved, best_rest, best_late, travel = AGES, -2, False, -1
    for keep in (True, False):
        travel, _ = bind(rows, n, own, ways, person, shifts, task, 0, now, slack, keep, s)
        if travel < 0:
            return -2, False, -1
        if due and not reach(rows, n, task, window, person, 0, s):
            continue
        for option in range(4 * n + 2 if due else 1):
            between = option < 2 * n + 1
            step = option if between else option - (2 * n + 1)
            rest_at, late = (step // 2, step % 2 == 1) if due else (-1, False)
            if due and between != (rest_at == n or rows[rest_at, KIND] == LEAVE):
                continue
            if due and not rest_may_be(rows, n, rest_at, late, person, s):
                continue
            s[X, :n] = -AGES
            if not least(rows, n, task, window, person, 0, rest_at, late, s):
                continue
            moved = 0
            for k in range(n):
                if rows[k, KIND] == VISIT and rows[k, SLOT] >= 0:
                    moved += abs(s[X, k] - rows[k, OLD])
            if moved < best_moved:
                best_moved, best_rest, best_late = moved, rest_at, late
                best[:] = s[X, :n]
        if best_rest != -2:
            break
    if best_rest != -2:
        s[X, :n] = best
    return best_rest, best_late, travel


def is_compiled() -> bool:
    """Say whether the chain need not be compiled, in this process or from the disk."""
    return is_warm(intervals) and is_warm(settle) and is_warm(write_day)


def warm_up() -> None:
    """Compile the chain or load it, with a day of one visit."""
    zeros = np.zeros((1, 1), np.int64)
    ways = np.zeros((5, 1), np.int64)
    person = np.zeros(PERSON, np.int64)
    shifts = np.array([[0, 10]])
    task = np.array([[1, 0, 1, -1, 0, 0, 0, 0]])
    window = np.array([[0, 10]])
    out = np.empty((8, OPTION), np.int64)
    day = np.empty((0, ROW), np.int64)
    intervals(day, False, 0, zeros, ways, person, shifts, task, window, 0, 0, 0, 0, out)
    rows = np.empty((5, ROW), np.int64)
    size, _ = write_day(day, 0, -1, NO_LOAD, 0, 0, 1, 0, -1, 0, rows)
    s = np.zeros((SCRATCH, size), np.int64)
    settle(rows[:size], size, False, zeros, ways, person, shifts, task, window, 0, 0, s)
