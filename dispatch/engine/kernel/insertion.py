"""Where one more task fits, and what it costs there: tasks for one caregiver.

A day without loads answers in constant time a position. A day with loads is first asked whether
the times alone allow it; only a position that would be the best so far is checked in full.
"""

from __future__ import annotations

import numpy as np

from dispatch.engine.kernel.compiled import compiled
from dispatch.engine.kernel.day import (
    begin,
    day_cost,
    has_room,
    is_empty,
    join,
    put,
    refresh,
    rested,
)
from dispatch.engine.kernel.draws import draw
from dispatch.engine.kernel.facts import END, NOBODY
from dispatch.engine.kernel.trips import works, works_with


@compiled
def share_step(f, d, vendor):
    """Return the change of the share term if the vendor served one open task more."""
    missing = f.share_goal[vendor] - d.served[vendor]
    if missing <= 0.0:
        return 0.0
    return -f.weight[1] * min(1.0, missing)


@compiled
def share_cost(f, d):
    """Return the share term, not rounded."""
    cost = 0.0
    for vendor in range(len(f.share_goal)):
        cost += max(0.0, f.share_goal[vendor] - d.served[vendor])
    return cost * f.weight[1]


@compiled
def fits(f, d, c, j, x, go, on):
    """Say whether the times allow *j* after the node at *x*, ``go`` and ``on`` seconds away."""
    came = d.cell[x].leave + go
    if f.person[c].rest_s == 0:
        return begin(f, d, j, came) + f.task[j].service + on <= d.cell[x + 1].reach
    owing = d.cell[x].leave_owing + go
    came = min(came, rested(f, c, owing))
    left = begin(f, d, j, came) + f.task[j].service
    left_owing = begin(f, d, j, owing) + f.task[j].service
    left = min(left, rested(f, c, left_owing))
    return left + on <= d.cell[x + 1].reach or left_owing + on <= d.cell[x + 1].reach_owing


@compiled
def seen_twin(f, d, w, c, extra, most):
    """Say whether *most* empty days of people like *c*, no dearer, were looked at already."""
    if not is_empty(f, d, c):
        return False
    twin = f.person[c].twin
    if w.twin[twin].mark != w.stamp[1] or extra < w.twin[twin].extra:
        w.twin[twin].mark = w.stamp[1]
        w.twin[twin].extra = extra
        w.twin[twin].count = 0
    w.twin[twin].count += 1
    return w.twin[twin].count > most


@compiled
def best_place(f, d, w, j, bound, blink):
    """Return (cost, caregiver, position, position of a new fetching or -1) of the best place.

    Only places cheaper than ``bound`` count; the caregiver is -1 where there is none. Each place
    is overlooked with probability ``blink``. A position is that of the node that moves back.
    """
    best = bound
    best_c = NOBODY
    best_k = -1
    best_load = -1
    place = f.task[j].place
    closes = f.window[f.task[j].window_to - 1].hi
    w.stamp[1] += 1
    for q in range(f.task[j].who_from, f.task[j].who_to):
        c = f.pair[q].who
        extra = f.pair[q].extra
        if f.task[j].is_open:
            extra += share_step(f, d, f.person[c].vendor)
        if seen_twin(f, d, w, c, f.pair[q].extra, 1) or not has_room(f, d, c, 2):
            continue
        if f.task[j].kitchen >= 0:
            cost, k, k_load = best_in_trips(f, d, w, j, c, extra, best, blink)
            if k >= 0:
                best, best_c, best_k, best_load = cost, c, k, k_load
            continue
        at = f.person[c].row
        spare = f.person[c].max_work - d.day[c].work - f.task[j].service
        for x in range(at, at + d.day[c].size - 1):
            if d.cell[x].leave > closes and d.cell[x].leave_owing > closes:
                break
            go = f.travel[d.cell[x].spot, place]
            on = f.travel[place, d.cell[x + 1].spot]
            more = go + on - f.travel[d.cell[x].spot, d.cell[x + 1].spot]
            cost = f.weight[0] * more + extra
            if cost >= best or more > spare:
                continue
            if not fits(f, d, c, j, x, go, on) or draw(d.draw) < blink:
                continue
            if d.day[c].loads > 0 and not works_with(f, d, w, c, x - at + 1, j, -1):
                continue
            best, best_c, best_k, best_load = cost, c, x - at + 1, -1
    return best, best_c, best_k, best_load


@compiled
def best_in_trips(f, d, w, j, c, extra, bound, blink):
    """Return (cost, position, position of a new fetching or -1) of a delivery in one day.

    It is served from the last fetching at its kitchen, or from a new one anywhere before it in
    the same route. The position is -1 where nothing costs less than ``bound``.
    """
    best = bound
    best_k = -1
    best_load = -1
    at = f.person[c].row
    place = f.task[j].place
    fetch = len(f.task) + f.task[j].kitchen
    kitchen = f.kitchen[f.task[j].kitchen]
    closes = f.window[f.task[j].window_to - 1].hi
    spare = f.person[c].max_work - d.day[c].work - f.task[j].service
    opened = at
    fetched = False
    for x in range(at, at + d.day[c].size - 1):
        if d.cell[x].leave > closes and d.cell[x].leave_owing > closes:
            break
        if d.cell[x].node <= END:
            opened = x
            fetched = False
        elif d.cell[x].node == fetch:
            fetched = True
        go = f.travel[d.cell[x].spot, place]
        on = f.travel[place, d.cell[x + 1].spot]
        more = go + on - f.travel[d.cell[x].spot, d.cell[x + 1].spot]
        k = x - at + 1
        if fetched:
            cost = f.weight[0] * more + extra
            if (
                cost < best
                and more <= spare
                and fits(f, d, c, j, x, go, on)
                and draw(d.draw) >= blink
                and works_with(f, d, w, c, k, j, -1)
            ):
                best, best_k, best_load = cost, k, -1
        for y in range(x, opened - 1, -1):
            if y == x:
                both = f.travel[d.cell[x].spot, kitchen] + f.travel[kitchen, place] + on
                both -= f.travel[d.cell[x].spot, d.cell[x + 1].spot]
            else:
                both = f.travel[d.cell[y].spot, kitchen] + f.travel[kitchen, d.cell[y + 1].spot]
                both += more - f.travel[d.cell[y].spot, d.cell[y + 1].spot]
            cost = f.weight[0] * both + extra
            if cost >= best or both > spare:
                continue
            if y < x and not fits(f, d, c, j, x, go, on):
                continue
            if draw(d.draw) >= blink and works_with(f, d, w, c, k, j, y - at + 1):
                best, best_k, best_load = cost, k, y - at + 1
    return best, best_k, best_load


@compiled
def touch(f, d, w, c):
    """Keep a day as it is now, once an iteration, so that it can be put back."""
    if w.mark[c].touched == w.stamp[0]:
        return
    w.mark[c].touched = w.stamp[0]
    n = w.count[0]
    used = w.count[1]
    at = f.person[c].row
    size = d.day[c].size
    w.touch[n].who = c
    w.touch[n].at = used
    w.touch[n].size = size
    w.touch[n].cost = day_cost(f, d, c)
    for x in range(size):
        w.backup[used + x] = d.cell[at + x].node
    w.count[0] = n + 1
    w.count[1] = used + size


@compiled
def settle(f, d, w, j, c, k, k_load):
    """Put *j* where `best_place` found room for it."""
    touch(f, d, w, c)
    put(f, d, c, k, j)
    if k_load >= 0:
        put(f, d, c, k_load, len(f.task) + f.task[j].kitchen)
    join(f, d, j, c)
    refresh(f, d, c)


@compiled
def sound(f, d, w, c):
    """Refresh a day that was changed otherwise and say whether it keeps every rule."""
    if not refresh(f, d, c):
        return False
    return d.day[c].loads == 0 or works(f, d, w, c)


@compiled
def cheapest_first(key, order, n):
    """Sort ``order[:n]`` by ``key`` of its entries, smallest first; stable, for short lists."""
    for x in range(1, n):
        here = order[x]
        y = x - 1
        while y >= 0 and key[order[y]] > key[here]:
            order[y + 1] = order[y]
            y -= 1
        order[y + 1] = here


@compiled
def sorted_by(key, n):
    """Return the indices of ``key[:n]``, smallest key first."""
    order = np.arange(n)
    if n <= 64:
        cheapest_first(key, order, n)
        return order
    return np.argsort(key[:n], kind="mergesort")
