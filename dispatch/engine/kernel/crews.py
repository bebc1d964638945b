"""Where a task for several fits: days of one vendor and a start that all of them can keep.

Each candidate and position allows an interval of starts. Intervals that meet at all meet at the
beginning of one of them, so that the cheapest crew is found by taking, at each such instant, the
cheapest option of each of the cheapest people. Once placed, the start is pinned in all their days,
and moved now and then to where all have room.
"""

from __future__ import annotations

import numpy as np

from dispatch.engine.kernel.compiled import compiled
from dispatch.engine.kernel.day import has_room, join, last_free, put, refresh, rested
from dispatch.engine.kernel.draws import draw
from dispatch.engine.kernel.facts import NEVER, NOBODY
from dispatch.engine.kernel.insertion import seen_twin, share_step, touch
from dispatch.engine.kernel.sorting import sort_by
from dispatch.engine.kernel.trips import works, works_with


@compiled
def offer(f, w, j, q, k, lo, hi, cost):
    """Note the starts of ``lo`` .. ``hi`` that lie in a window of *j* as options of candidate *q*."""
    for x in range(f.task[j].window_from, f.task[j].window_to):
        n = w.count[3]
        from_ = max(lo, f.window[x].lo)
        to = min(hi, f.window[x].hi)
        if from_ > to or n >= len(w.option):
            continue
        w.option[n].who = f.pair[q].who
        w.option[n].named = f.pair[q].named
        w.option[n].at = k
        w.option[n].lo = from_
        w.option[n].hi = to
        w.option[n].cost = cost
        w.key[n] = cost
        w.count[3] = n + 1


@compiled
def options_of(f, d, w, j, q, blink):
    """Note all ways in which candidate *q* could be one of the crew of *j*."""
    c = f.pair[q].who
    at = f.person[c].row
    place = f.task[j].place
    service = f.task[j].service
    opens = f.window[f.task[j].window_from].lo
    closes = f.window[f.task[j].window_to - 1].hi
    spare = f.person[c].max_work - d.day[c].work - service
    for x in range(at, at + d.day[c].size - 1):
        if d.cell[x].leave > closes and d.cell[x].leave_owing > closes:
            break
        if max(d.cell[x + 1].reach, d.cell[x + 1].reach_owing) < opens:
            continue
        go = f.travel[d.cell[x].spot, place]
        on = f.travel[place, d.cell[x + 1].spot]
        more = go + on - f.travel[d.cell[x].spot, d.cell[x + 1].spot]
        if more > spare or draw(d.draw) < blink:
            continue
        cost = f.weight[0] * more + f.pair[q].extra
        k = x - at + 1
        came = d.cell[x].leave + go
        by = d.cell[x + 1].reach - on
        if f.person[c].rest_s > 0:
            owing = d.cell[x].leave_owing + go
            came = min(came, rested(f, c, owing))
            late = max(d.cell[x + 1].reach_owing - on, last_free(f, c, by)) - service
            if owing < came or late > by - service:
                offer(f, w, j, q, k, owing, late, cost)
        offer(f, w, j, q, k, came, by - service, cost)


@compiled
def choose_start(d, lo, hi):
    """Return a start of ``lo`` .. ``hi``: either end, or anything between."""
    u = draw(d.draw)
    if u < 0.4:
        return lo
    if u < 0.6:
        return hi
    return lo + int((u - 0.6) / 0.4 * (hi - lo + 1))


@compiled
def picked(w, n, c):
    """Say whether *c* is among the first *n* that were picked."""
    found = False
    for x in range(n):
        found = found or w.option[w.pick[x]].who == c
    return found


@compiled
def pick_crew(f, w, j, order, n, vendor, start, bound):
    """Pick the cheapest crew of a vendor for a start; return its cost if that is below *bound*.

    Infinity where there is none. Fills ``pick`` with options: those who are named, then others.
    """
    crew = f.task[j].crew
    size = 0
    cost = 0.0
    for named in (True, False):
        for x in range(n):
            option = order[x]
            if w.option[option].named != named or size == crew:
                continue
            c = w.option[option].who
            if start < w.option[option].lo or start > w.option[option].hi:
                continue
            if f.person[c].vendor != vendor or picked(w, size, c):
                continue
            cost += w.option[option].cost
            if cost >= bound:
                return np.inf
            w.pick[size] = option
            size += 1
        if named and size < f.task[j].named:
            return np.inf
    return cost if size == crew else np.inf


@compiled
def agrees(f, d, w, j, start):
    """Say whether all who are picked can come at ``start``, loads and rests included."""
    d.start[j] = start
    for x in range(f.task[j].crew):
        c = w.option[w.pick[x]].who
        if d.day[c].loads > 0 and not works_with(f, d, w, c, w.option[w.pick[x]].at, j, -1):
            return False
    return True


@compiled
def best_crew(f, d, w, j, bound, blink):
    """Find the cheapest crew for *j* that costs less than *bound*; say whether there is one.

    Leaves the options in ``chosen`` and the start in ``d.start``.
    """
    w.count[3] = 0
    w.stamp[1] += 1
    crew = f.task[j].crew
    for q in range(f.task[j].who_from, f.task[j].who_to):
        c = f.pair[q].who
        if not f.pair[q].named and seen_twin(f, d, w, c, f.pair[q].extra, crew):
            continue
        if has_room(f, d, c, 1):
            options_of(f, d, w, j, q, blink)
    n = w.count[3]
    order = w.rank
    sort_by(w.key, order, n)
    best = bound
    best_start = NEVER
    for x in range(n):
        vendor = f.person[w.option[order[x]].who].vendor
        step = share_step(f, d, vendor) if f.task[j].is_open else 0.0
        at = w.option[order[x]].lo
        cost = step + pick_crew(f, w, j, order, n, vendor, at, best - step)
        if cost >= best:
            continue
        hi = NEVER
        for y in range(crew):
            hi = min(hi, w.option[w.pick[y]].hi)
        start = choose_start(d, at, hi)
        if agrees(f, d, w, j, start):
            best = cost
            best_start = start
            for y in range(crew):
                w.chosen[y] = w.pick[y]
    d.start[j] = best_start
    return best_start < NEVER


@compiled
def settle_crew(f, d, w, j):
    """Put *j* where `best_crew` found room for it."""
    for x in range(f.task[j].crew):
        option = w.chosen[x]
        c = w.option[option].who
        touch(f, d, w, c)
        put(f, d, c, w.option[option].at, j)
        join(f, d, j, c)
        refresh(f, d, c)


@compiled
def slack_of(f, d, c, j):
    """Return the earliest and latest start of *j*, of a crew, in a day; loads are not looked at."""
    at = f.person[c].row
    for x in range(at, at + d.day[c].size):
        if d.cell[x].node == j:
            go = f.travel[d.cell[x - 1].spot, d.cell[x].spot]
            on = f.travel[d.cell[x].spot, d.cell[x + 1].spot]
            lo = d.cell[x - 1].leave + go
            hi = d.cell[x + 1].reach - on - f.task[j].service
            if f.person[c].rest_s == 0 or lo <= hi:
                return lo, hi
            lo = d.cell[x - 1].leave_owing + go
            return lo, d.cell[x + 1].reach_owing - on - f.task[j].service
    return NEVER, -NEVER


@compiled
def move_start(f, d, w, j):
    """Agree anew on the start of a placed crew task, within what all days leave open.

    Returns whether it moved. Nothing else changes, neither order nor cost.
    """
    lo = -NEVER
    hi = NEVER
    before = d.start[j]
    for q in range(f.task[j].window_from, f.task[j].window_to):
        if f.window[q].lo <= before <= f.window[q].hi:
            lo = f.window[q].lo
            hi = f.window[q].hi
    for x in range(f.task[j].crew):
        if d.member[j, x] == NOBODY:
            return False
        from_, to = slack_of(f, d, d.member[j, x], j)
        lo = max(lo, from_)
        hi = min(hi, to)
    if lo > hi:
        return False
    start = choose_start(d, lo, hi)
    if start == before:
        return False
    d.start[j] = start
    works_all = True
    for x in range(f.task[j].crew):
        c = d.member[j, x]
        refresh(f, d, c)
        if d.day[c].loads > 0:
            works_all = works_all and works(f, d, w, c)
    if works_all:
        return True
    d.start[j] = before
    for x in range(f.task[j].crew):
        refresh(f, d, d.member[j, x])
    return False
