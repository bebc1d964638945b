"""Where a delivery fits, and what any stop does to the deliveries that are under way.

What can be ruled out in constant time is ruled out so; only a place that would be the best so far
is timed in full.
"""

from __future__ import annotations

from dispatch.engine.kernel.compiled import compiled
from dispatch.engine.kernel.day import begin, rested
from dispatch.engine.kernel.draws import draw
from dispatch.engine.kernel.facts import END, NEVER
from dispatch.engine.kernel.trips import works_with


@compiled
def fits(f, d, c, j, x, go, on):
    """Say whether the times allow *j* after the node at *x*, ``go`` and ``on`` seconds away.

    Loads that are under way are not looked at.
    """
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
def bears(f, d, w, j, c, x, more):
    """Say whether a day with loads, whose times allow it, bears *j*, no delivery, after *x*."""
    under_way = d.cell[x].spare < NEVER
    if under_way and more + f.task[j].service > d.cell[x].spare:
        return False
    if d.day[c].exact and not under_way:
        return True
    return works_with(f, d, w, c, x - f.person[c].row + 1, j, -1)


@compiled
def best_in_old_trip(f, d, w, j, c, extra, bound, blink):
    """Return (cost, position) of a delivery served from a fetching that there is, or (bound, -1)."""
    best = bound
    best_k = -1
    if d.day[c].loads == 0:
        return best, best_k
    at = f.person[c].row
    place = f.task[j].place
    service = f.task[j].service
    fetch = len(f.task) + f.task[j].kitchen
    closes = f.window[f.task[j].window_to - 1].hi
    spare = f.person[c].max_work - d.day[c].work - service
    room = f.person[c].capacity - f.task[j].units
    fetched = 0
    most_aboard = 0
    for x in range(at, at + d.day[c].size - 1):
        if d.cell[x].leave > closes and d.cell[x].leave_owing > closes:
            break
        if d.cell[x].node <= END:
            fetched = 0
        elif d.cell[x].node == fetch:
            fetched = x
            most_aboard = 0
        if fetched == 0:
            continue
        most_aboard = max(most_aboard, d.cell[x].aboard)
        go = f.travel[d.cell[x].spot, place]
        if most_aboard > room:
            fetched = 0
            continue
        if d.cell[x].elapsed - d.cell[fetched].elapsed + go > f.task[j].hold:
            continue
        on = f.travel[place, d.cell[x + 1].spot]
        more = go + on - f.travel[d.cell[x].spot, d.cell[x + 1].spot]
        cost = f.weight[0] * more + extra
        if cost >= best or more > spare or more + service > d.cell[x].spare:
            continue
        if not fits(f, d, c, j, x, go, on) or draw(d.draw) < blink:
            continue
        if works_with(f, d, w, c, x - at + 1, j, -1):
            best, best_k = cost, x - at + 1
    return best, best_k


@compiled
def best_in_new_trip(f, d, w, j, c, extra, bound, blink):
    """Return (cost, position, position of its fetching), or (bound, -1, -1), of a new trip."""
    best = bound
    best_k = -1
    best_load = -1
    if f.task[j].units > f.person[c].capacity:
        return best, best_k, best_load
    # By the triangle inequality whatever fetches after y costs at least the detour to the kitchen.
    at = f.person[c].row
    place = f.task[j].place
    kitchen = f.kitchen[f.task[j].kitchen]
    ready = f.task[j].ready
    hold = f.task[j].hold
    closes = f.window[f.task[j].window_to - 1].hi
    spare = f.person[c].max_work - d.day[c].work - f.task[j].service
    last = at + d.day[c].size - 1
    for y in range(at, last):
        fetched = min(d.cell[y].leave, d.cell[y].leave_owing) + f.travel[d.cell[y].spot, kitchen]
        fetched = max(fetched, ready)
        if fetched > closes:
            break
        # What fetching adds by itself if the delivery comes later in the route.
        away = f.travel[kitchen, d.cell[y + 1].spot]
        detour = f.travel[d.cell[y].spot, kitchen] + away
        detour -= f.travel[d.cell[y].spot, d.cell[y + 1].spot]
        if f.weight[0] * detour + extra >= best:
            continue
        for x in range(y, last):
            if x > y and d.cell[x].node <= END:
                break
            on = f.travel[place, d.cell[x + 1].spot]
            if x == y:
                way = f.travel[kitchen, place]
                more = detour - away + way + on
            else:
                way = f.travel[d.cell[x].spot, place]
                more = detour + way + on - f.travel[d.cell[x].spot, d.cell[x + 1].spot]
                way += away + d.cell[x].elapsed - reached(f, d, y + 1)
            if way > hold or fetched + way > closes:
                if x > y:
                    break
                continue
            cost = f.weight[0] * more + extra
            if cost >= best or more > spare or draw(d.draw) < blink:
                continue
            if works_with(f, d, w, c, x - at + 1, j, y - at + 1):
                best, best_k, best_load = cost, x - at + 1, y - at + 1
    return best, best_k, best_load


@compiled
def reached(f, d, x):
    """Return the time on the way when the node at *x* is reached, as ``elapsed`` counts it."""
    node = d.cell[x].node
    if 0 <= node < len(f.task):
        return d.cell[x].elapsed - f.task[node].service
    return d.cell[x].elapsed
