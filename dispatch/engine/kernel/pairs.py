"""Where a task for two fits: two days of one vendor and a start that both can keep.

Each candidate and position allows an interval of starts; two intervals of different people of one
vendor that share an instant make a crew. Once placed, the start is pinned in both days, and moved
now and then to where both have room.
"""

from __future__ import annotations

from dispatch.engine.kernel.compiled import compiled
from dispatch.engine.kernel.day import has_room, join, last_free, put, refresh, rested
from dispatch.engine.kernel.draws import draw
from dispatch.engine.kernel.facts import NEVER, NOBODY
from dispatch.engine.kernel.insertion import seen_twin, share_step, sorted_by, touch
from dispatch.engine.kernel.trips import works_with


@compiled
def offer(f, w, j, c, k, lo, hi, cost):
    """Note the starts of ``lo`` .. ``hi`` that lie in a window of *j* as options of *c*."""
    for q in range(f.task[j].window_from, f.task[j].window_to):
        n = w.count[3]
        from_ = max(lo, f.window[q].lo)
        to = min(hi, f.window[q].hi)
        if from_ > to or n >= len(w.option):
            continue
        w.option[n].who = c
        w.option[n].at = k
        w.option[n].lo = from_
        w.option[n].hi = to
        w.option[n].cost = cost
        w.key[n] = cost
        w.count[3] = n + 1


@compiled
def options_of(f, d, w, j, c, extra, blink):
    """Note all ways in which *c* could be one of the crew of *j*."""
    at = f.person[c].row
    place = f.task[j].place
    opens = f.window[f.task[j].window_from].lo
    closes = f.window[f.task[j].window_to - 1].hi
    spare = f.person[c].max_work - d.day[c].work - f.task[j].service
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
        cost = f.weight[0] * more + extra
        k = x - at + 1
        came = d.cell[x].leave + go
        by = d.cell[x + 1].reach - on
        if f.person[c].rest_s > 0:
            owing = d.cell[x].leave_owing + go
            came = min(came, rested(f, c, owing))
            late = max(d.cell[x + 1].reach_owing - on, last_free(f, c, by)) - f.task[j].service
            if owing < came or late > by - f.task[j].service:
                offer(f, w, j, c, k, owing, late, cost)
        offer(f, w, j, c, k, came, by - f.task[j].service, cost)


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
def agrees(f, d, w, j, one, other, start):
    """Say whether both can come at ``start``, loads and rests included."""
    d.task[j].start = start
    for option in (one, other):
        c = w.option[option].who
        if d.day[c].loads > 0 and not works_with(f, d, w, c, w.option[option].at, j, -1):
            return False
    return True


@compiled
def best_pair(f, d, w, j, bound, blink):
    """Return (cost, option, option, start) of the cheapest crew; options are -1 where none is.

    The options stand on the desk until the next task is looked at.
    """
    w.count[3] = 0
    w.stamp[1] += 1
    for q in range(f.task[j].who_from, f.task[j].who_to):
        c = f.pair[q].who
        if c != f.task[j].must and seen_twin(f, d, w, c, f.pair[q].extra, 2):
            continue
        if has_room(f, d, c, 1):
            options_of(f, d, w, j, c, f.pair[q].extra, blink)
    n = w.count[3]
    order = sorted_by(w.key, n)
    best = bound
    best_one = -1
    best_other = -1
    best_start = NEVER
    for x in range(n - 1):
        one = order[x]
        c = w.option[one].who
        step = share_step(f, d, f.person[c].vendor) if f.task[j].is_open else 0.0
        for y in range(x + 1, n):
            other = order[y]
            e = w.option[other].who
            cost = w.option[one].cost + w.option[other].cost + step
            if cost >= best:
                break
            if c == e or f.person[c].vendor != f.person[e].vendor:
                continue
            if f.task[j].must != NOBODY and f.task[j].must != c and f.task[j].must != e:
                continue
            lo = max(w.option[one].lo, w.option[other].lo)
            hi = min(w.option[one].hi, w.option[other].hi)
            if lo > hi:
                continue
            start = choose_start(d, lo, hi)
            if agrees(f, d, w, j, one, other, start):
                best, best_one, best_other, best_start = cost, one, other, start
    return best, best_one, best_other, best_start


@compiled
def settle_pair(f, d, w, j, one, other, start):
    """Put *j* where `best_pair` found room for it."""
    d.task[j].start = start
    for option in (one, other):
        c = w.option[option].who
        touch(f, d, w, c)
        put(f, d, c, w.option[option].at, j)
        join(f, d, j, c)
        refresh(f, d, c)


@compiled
def slack_of(f, d, c, j):
    """Return the earliest and latest start of *j*, of a crew, in a day without loads."""
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
def move_start(f, d, j):
    """Agree anew on the start of a placed crew task, within what both days leave open.

    Returns whether it moved. Nothing else changes, neither order nor cost.
    """
    c = d.task[j].first
    e = d.task[j].second
    if c == NOBODY or e == NOBODY or d.day[c].loads + d.day[e].loads > 0:
        return False
    c_lo, c_hi = slack_of(f, d, c, j)
    e_lo, e_hi = slack_of(f, d, e, j)
    lo = max(c_lo, e_lo)
    hi = min(c_hi, e_hi)
    for q in range(f.task[j].window_from, f.task[j].window_to):
        if f.window[q].lo <= d.task[j].start <= f.window[q].hi:
            lo = max(lo, f.window[q].lo)
            hi = min(hi, f.window[q].hi)
    if lo > hi:
        return False
    start = choose_start(d, lo, hi)
    if start == d.task[j].start:
        return False
    d.task[j].start = start
    refresh(f, d, c)
    refresh(f, d, e)
    return True
