"""Where one more task fits, and what it costs there: tasks for one caregiver.

A day without loads answers in constant time a position. A day with loads is first asked whether
the times alone allow it; only a position that would be the best so far is checked in full.
"""

from __future__ import annotations

from dispatch.engine.kernel.compiled import compiled
from dispatch.engine.kernel.day import (
    day_cost,
    has_room,
    is_empty,
    join,
    put,
    refresh,
)
from dispatch.engine.kernel.deliveries import (
    bears,
    best_in_new_trip,
    best_in_old_trip,
    fits,
)
from dispatch.engine.kernel.draws import draw
from dispatch.engine.kernel.facts import NOBODY
from dispatch.engine.kernel.trips import works


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
def best_delivery(f, d, w, j, bound, blink):
    """Return what `best_place` does, for a task with a load: old trips first, they are cheap."""
    best = bound
    best_c = NOBODY
    best_k = -1
    best_load = -1
    for new_trip in (False, True):
        w.stamp[1] += 1
        for q in range(f.task[j].who_from, f.task[j].who_to):
            c = f.pair[q].who
            extra = f.pair[q].extra
            if f.task[j].is_open:
                extra += share_step(f, d, f.person[c].vendor)
            if seen_twin(f, d, w, c, f.pair[q].extra, 1) or not has_room(f, d, c, 2):
                continue
            if new_trip:
                cost, k, k_load = best_in_new_trip(f, d, w, j, c, extra, best, blink)
            else:
                cost, k = best_in_old_trip(f, d, w, j, c, extra, best, blink)
                k_load = -1
            if k >= 0:
                best, best_c, best_k, best_load = cost, c, k, k_load
    return best, best_c, best_k, best_load


@compiled
def best_place(f, d, w, j, bound, blink):
    """Return (cost, caregiver, position, position of a new fetching or -1) of the best place.

    Only places cheaper than ``bound`` count; the caregiver is -1 where there is none. Each place
    is overlooked with probability ``blink``. A position is that of the node that moves back.
    """
    if f.task[j].kitchen >= 0:
        return best_delivery(f, d, w, j, bound, blink)
    best = bound
    best_c = NOBODY
    best_k = -1
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
            if d.day[c].loads > 0 and not bears(f, d, w, j, c, x, more):
                continue
            best, best_c, best_k = cost, c, x - at + 1
    return best, best_c, best_k, -1


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
    w.touch[n].extra = d.day[c].extra
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
