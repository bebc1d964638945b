"""The routes of the vehicle routing search: linked rows of customers, a journal, taking out and putting in.

Whatever a step changes is written to the journal first, so that a step given up is undone at the cost
of what it touched. Distances are symmetric whole numbers and are the travel times as well.
"""

from __future__ import annotations

import numpy as np

from dispatch.engine.kernel.compiled import compiled

# Columns of a customer's row. Row 0 is the depot, where every route starts and ends.
DEPART, LATEST, NEXT, PREV, ROUTE, D_NEXT, D_PREV, STEP = range(8)
# Columns of what the file says of a customer.
DEMAND, SERVICE, READY, DUE = range(4)
# Columns of a route; R_STEP is the step that changed it last, as STEP is.
FIRST, LAST, LOAD, SIZE, R_STEP = range(5)
# Entries of ``now``: customers left out, journalled rows and routes, the number of the step, routes
# in use, routes that may be used.
ABSENT, ROWS, ROUTES, NOW, USED, FLEET, EXCESS = range(7)
# Entries of ``tuning``.
REMOVED, STRING, ENDS, BLINK, FAR_ENDS, TAILS, SPLITS = range(7)

NEVER = 1 << 60


@compiled
def keep_row(rows, journal, now, j):
    """Write row ``j`` to the journal before its first change in this step."""
    if rows[j, STEP] != now[NOW]:
        k = now[ROWS]
        for x in range(STEP):
            journal[k, x] = rows[j, x]
        journal[k, STEP] = j
        rows[j, STEP] = now[NOW]
        now[ROWS] = k + 1


@compiled
def keep_route(routes, journal, now, v):
    """Write route ``v`` to the journal, from its end backwards, before its first change."""
    if routes[v, R_STEP] != now[NOW]:
        now[ROUTES] += 1
        k = journal.shape[0] - now[ROUTES]
        for x in range(R_STEP):
            journal[k, x] = routes[v, x]
        journal[k, R_STEP] = v
        routes[v, R_STEP] = now[NOW]


@compiled
def undo(rows, routes, journal, now):
    """Bring back the rows and routes of the journal."""
    for k in range(now[ROWS]):
        for x in range(STEP):
            rows[journal[k, STEP], x] = journal[k, x]
    for k in range(journal.shape[0] - now[ROUTES], journal.shape[0]):
        for x in range(R_STEP):
            routes[journal[k, R_STEP], x] = journal[k, x]


@compiled
def pull_early(rows, facts, journal, now, j):
    """Recompute departures from customer ``j`` on until one does not change."""
    t = rows[rows[j, PREV], DEPART]
    while j != 0:
        t = max(t + rows[j, D_PREV], facts[j, READY]) + facts[j, SERVICE]
        if t == rows[j, DEPART]:
            break
        keep_row(rows, journal, now, j)
        rows[j, DEPART] = t
        j = rows[j, NEXT]


@compiled
def pull_late(rows, facts, journal, now, j):
    """Recompute latest starts from customer ``j`` back until one does not change."""
    t = rows[rows[j, NEXT], LATEST]
    while j != 0:
        t = min(t - rows[j, D_NEXT] - facts[j, SERVICE], facts[j, DUE])
        if t == rows[j, LATEST]:
            break
        keep_row(rows, journal, now, j)
        rows[j, LATEST] = t
        j = rows[j, PREV]


@compiled
def join(rows, routes, journal, now, d, a, b, v):
    """Let ``b`` follow ``a`` at distance ``d`` in route ``v``; either may be the depot."""
    if a != 0:
        keep_row(rows, journal, now, a)
        rows[a, NEXT] = b
        rows[a, D_NEXT] = d
    else:
        routes[v, FIRST] = b
    if b != 0:
        keep_row(rows, journal, now, b)
        rows[b, PREV] = a
        rows[b, D_PREV] = d
    else:
        routes[v, LAST] = a


@compiled
def cut(dist, facts, capacity, rows, routes, absent, journal, now, a, z):
    """Take the stretch from ``a`` to ``z`` out of its route. Returns the change of distance."""
    v = rows[a, ROUTE]
    keep_route(routes, journal, now, v)
    before = rows[a, PREV]
    after = rows[z, NEXT]
    now[EXCESS] -= max(0, routes[v, LOAD] - capacity)
    delta = np.int64(0)
    j = a
    while True:
        keep_row(rows, journal, now, j)
        delta -= rows[j, D_PREV]
        rows[j, ROUTE] = -1
        routes[v, LOAD] -= facts[j, DEMAND]
        routes[v, SIZE] -= 1
        absent[now[ABSENT]] = j
        now[ABSENT] += 1
        if j == z:
            break
        j = rows[j, NEXT]
    now[EXCESS] += max(0, routes[v, LOAD] - capacity)
    delta -= rows[z, D_NEXT]
    d = dist[before, after]
    join(rows, routes, journal, now, d, before, after, v)
    pull_early(rows, facts, journal, now, after)
    pull_late(rows, facts, journal, now, before)
    return delta + d


@compiled
def along(rows, j, steps, column):
    """Return the customer up to ``steps`` after (or, with PREV, before) ``j``, and how many."""
    done = 0
    while done < steps and rows[j, column] != 0:
        j = rows[j, column]
        done += 1
    return j, done


@compiled
def put(dist, facts, capacity, rows, routes, journal, now, c, a, b, v):
    """Insert ``c`` between ``a`` and ``b`` of route ``v``."""
    keep_route(routes, journal, now, v)
    keep_row(rows, journal, now, c)
    rows[c, ROUTE] = v
    now[EXCESS] -= max(0, routes[v, LOAD] - capacity)
    routes[v, LOAD] += facts[c, DEMAND]
    now[EXCESS] += max(0, routes[v, LOAD] - capacity)
    routes[v, SIZE] += 1
    join(rows, routes, journal, now, dist[c, a], a, c, v)
    join(rows, routes, journal, now, dist[c, b], c, b, v)
    rows[c, DEPART] = -1
    rows[c, LATEST] = -1
    pull_early(rows, facts, journal, now, c)
    pull_late(rows, facts, journal, now, c)


@compiled
def count_used(routes, journal, now):
    """Bring the number of routes in use up to date after a step that is kept."""
    for k in range(journal.shape[0] - now[ROUTES], journal.shape[0]):
        is_used = routes[journal[k, R_STEP], SIZE] > 0
        was_used = journal[k, SIZE] > 0
        now[USED] += np.int64(is_used) - np.int64(was_used)
