"""One caregiver's day: earliest departures, latest arrivals, and how a day is changed.

See `dispatch.engine.kernel.facts` for the form of a day. Loads are looked at here only as far as their
readiness goes; holding times and capacity are for `dispatch.engine.kernel.trips`.
"""

from __future__ import annotations

from dispatch.engine.kernel.compiled import compiled
from dispatch.engine.kernel.facts import END, GAP, NEVER, NOBODY, START


@compiled
def begin(f, d, j, t):
    """Return the earliest start of task *j* for who arrives at *t*, or NEVER."""
    if f.task[j].crew > 1:
        return d.start[j] if t <= d.start[j] else NEVER
    for w in range(f.task[j].window_from, f.task[j].window_to):
        if t <= f.window[w].hi:
            return max(t, f.window[w].lo)
    return NEVER


@compiled
def last_start(f, d, j, t):
    """Return the latest start of task *j* that is not after *t*, or -NEVER."""
    if f.task[j].crew > 1:
        return d.start[j] if d.start[j] <= t else -NEVER
    for w in range(f.task[j].window_to - 1, f.task[j].window_from - 1, -1):
        if t >= f.window[w].lo:
            return min(t, f.window[w].hi)
    return -NEVER


@compiled
def rested(f, c, t):
    """Return when caregiver *c*, free from *t* on, has rested, or NEVER."""
    done = max(t, f.person[c].rest_lo) + f.person[c].rest_s
    return done if done <= f.person[c].rest_hi else NEVER


@compiled
def last_free(f, c, t):
    """Return the latest time to be free from so as to have rested by *t*, or -NEVER."""
    end = min(t, f.person[c].rest_hi)
    if f.person[c].rest_lo + f.person[c].rest_s > end:
        return -NEVER
    return end - f.person[c].rest_s


@compiled
def readiness(f, d, c, k):
    """Return the earliest time at which the load at position *k* is ready to be fetched."""
    at = f.person[c].row
    tasks = len(f.task)
    node = d.cell[at + k].node
    ready = 0
    for x in range(k + 1, d.day[c].size):
        other = d.cell[at + x].node
        if other == node or other <= END:
            break
        if 0 <= other < tasks and f.task[other].kitchen == node - tasks:
            ready = max(ready, f.task[other].ready)
    return ready


@compiled
def look_forward(f, d, c):
    """Fill the earliest departures of a day."""
    at = f.person[c].row
    tasks = len(f.task)
    shift = f.person[c].shift_from
    rests = f.person[c].rest_s > 0
    d.cell[at].leave = f.shift[shift].lo
    d.cell[at].leave_owing = NEVER
    if rests:
        # Who starts late enough has rested before the first route.
        d.cell[at].leave_owing = f.shift[shift].lo
        d.cell[at].leave = max(f.shift[shift].lo, f.person[c].rest_lo + f.person[c].rest_s)
    for k in range(1, d.day[c].size):
        node = d.cell[at + k].node
        go = f.travel[d.cell[at + k - 1].spot, d.cell[at + k].spot]
        came = d.cell[at + k - 1].leave + go
        owing = NEVER
        if rests:
            owing = d.cell[at + k - 1].leave_owing + go
            came = min(came, rested(f, c, owing))
        if 0 <= node < tasks:
            came = begin(f, d, node, came) + f.task[node].service
            if rests:
                owing = begin(f, d, node, owing) + f.task[node].service
                came = min(came, rested(f, c, owing))
        elif node >= tasks:
            ready = readiness(f, d, c, k)
            came = max(came, ready)
            owing = max(owing, ready)
        elif node <= GAP:
            opens = f.shift[shift + 1].lo
            closes = f.shift[shift].hi
            shift += 1
            came = max(came, opens) if came <= closes else NEVER
            if rests:
                if owing <= closes:
                    came = min(came, max(opens, rested(f, c, owing)))
                owing = max(owing, opens) if owing <= closes else NEVER
        d.cell[at + k].leave = min(came, NEVER)
        d.cell[at + k].leave_owing = min(owing, NEVER)


@compiled
def look_back(f, d, c):
    """Fill the latest arrivals of a day."""
    at = f.person[c].row
    tasks = len(f.task)
    shift = f.person[c].shift_to - 1
    rests = f.person[c].rest_s > 0
    last = at + d.day[c].size - 1
    d.cell[last].reach = f.shift[shift].hi
    d.cell[last].reach_owing = -NEVER
    if rests:
        # Who is back early enough rests after the last route.
        d.cell[last].reach_owing = min(f.shift[shift].hi, f.person[c].rest_hi - f.person[c].rest_s)
    for x in range(last - 1, at - 1, -1):
        node = d.cell[x].node
        go = f.travel[d.cell[x].spot, d.cell[x + 1].spot]
        go_by = d.cell[x + 1].reach - go
        owing_by = d.cell[x + 1].reach_owing - go
        by = go_by
        owing = -NEVER
        if 0 <= node < tasks:
            by = last_start(f, d, node, go_by - f.task[node].service)
            if rests:
                owing = last_start(f, d, node, owing_by - f.task[node].service)
                here = last_free(f, c, go_by) - f.task[node].service
                owing = max(owing, last_start(f, d, node, here), last_free(f, c, by))
        elif node <= GAP:
            opens = f.shift[shift].lo
            closes = f.shift[shift - 1].hi
            shift -= 1
            by = closes if opens <= go_by else -NEVER
            if rests:
                if opens <= owing_by:
                    owing = closes
                if opens <= go_by:
                    owing = max(owing, min(closes, last_free(f, c, go_by)))
        else:  # a load, or START, which is ready at any time
            ready = readiness(f, d, c, x - at) if node >= tasks else -NEVER
            by = go_by if ready <= go_by else -NEVER
            if rests:
                owing = owing_by if ready <= owing_by else -NEVER
                owing = max(owing, last_free(f, c, by))
        d.cell[x].reach = max(by, -NEVER)
        d.cell[x].reach_owing = max(owing, -NEVER)


@compiled
def weigh_trips(f, d, c):
    """Fill what a day with loads knows about its trips."""
    at = f.person[c].row
    tasks = len(f.task)
    d.day[c].exact = f.person[c].rest_s == 0
    elapsed = 0
    for x in range(at, at + d.day[c].size):
        node = d.cell[x].node
        d.cell[x].spare = NEVER
        d.cell[x].aboard = 0
        if x > at:
            elapsed += f.travel[d.cell[x - 1].spot, d.cell[x].spot]
        came = elapsed
        if 0 <= node < tasks:
            elapsed += f.task[node].service
        d.cell[x].elapsed = elapsed
        if node < 0 or node >= tasks or f.task[node].kitchen < 0:
            continue
        y = x - 1
        fetch = tasks + f.task[node].kitchen
        while y > at and d.cell[y].node != fetch:
            y -= 1
        spare = f.task[node].hold - (came - d.cell[y].elapsed)
        for z in range(y, x):
            d.cell[z].spare = min(d.cell[z].spare, spare)
            d.cell[z].aboard += f.task[node].units
            under_way = d.cell[z + 1].node
            if 0 <= under_way < tasks:
                windows = f.task[under_way].window_to - f.task[under_way].window_from
                d.day[c].exact = d.day[c].exact and windows == 1


@compiled
def refresh(f, d, c):
    """Bring all that is kept about a day up to date with its nodes; say whether times work out."""
    at = f.person[c].row
    tasks = len(f.task)
    travel = 0
    work = 0
    loads = 0
    before = f.person[c].base
    for x in range(at, at + d.day[c].size):
        node = d.cell[x].node
        spot = f.person[c].base
        if node >= tasks:
            spot = f.kitchen[node - tasks]
            loads += 1
        elif node >= 0:
            spot = f.task[node].place
            work += f.task[node].service
        d.cell[x].spot = spot
        travel += f.travel[before, spot]
        before = spot
    d.day[c].loads = loads
    d.day[c].travel = travel
    d.day[c].work = work + travel
    look_forward(f, d, c)
    look_back(f, d, c)
    if loads > 0:
        weigh_trips(f, d, c)
    on_time = (
        d.cell[at].leave <= d.cell[at].reach or d.cell[at].leave_owing <= d.cell[at].reach_owing
    )
    return on_time and d.day[c].work <= f.person[c].max_work


@compiled
def empty(f, d, c):
    """Leave nothing but START, the gaps and END in a day."""
    at = f.person[c].row
    gaps = f.person[c].shift_to - f.person[c].shift_from - 1
    d.cell[at].node = START
    for g in range(gaps):
        d.cell[at + 1 + g].node = GAP - g
    d.cell[at + gaps + 1].node = END
    d.day[c].size = gaps + 2
    d.day[c].extra = 0.0
    refresh(f, d, c)


@compiled
def is_empty(f, d, c):
    """Say whether a day has neither task nor load."""
    return d.day[c].size == f.person[c].shift_to - f.person[c].shift_from + 1


@compiled
def has_room(f, d, c, nodes):
    """Say whether a day's row can take that many nodes more."""
    return d.day[c].size + nodes <= f.person[c].room


@compiled
def put(f, d, c, k, node):
    """Put a node at position *k*; the day must be refreshed afterwards."""
    at = f.person[c].row
    for x in range(at + d.day[c].size, at + k, -1):
        d.cell[x].node = d.cell[x - 1].node
    d.cell[at + k].node = node
    d.day[c].size += 1


@compiled
def extra_of(f, j, c):
    """Return what sending *c* to *j* costs beside travel."""
    for q in range(f.task[j].who_from, f.task[j].who_to):
        if f.pair[q].who == c:
            return f.pair[q].extra
    return 0.0


@compiled
def day_cost(f, d, c):
    """Return a day's part of the cost."""
    return f.weight[0] * d.day[c].travel + d.day[c].extra


@compiled
def join(f, d, j, c):
    """Note that *c* serves *j*, whose node is in the day."""
    if d.member[j, 0] == NOBODY and f.task[j].is_open:
        d.served[f.person[c].vendor] += 1
    x = 0
    while d.member[j, x] != NOBODY:
        x += 1
    d.member[j, x] = c
    d.day[c].extra += extra_of(f, j, c)
