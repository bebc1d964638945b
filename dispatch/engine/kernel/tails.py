"""The exchange of tails between two routes, compiled: one edge of each is replaced.

Nothing is taken out: two rows are joined anew and the times behind them recomputed, so that many
exchanges cost as little as one step of ruin and recreate.
"""

from __future__ import annotations

import numpy as np

from dispatch.engine.kernel.compiled import compiled
from dispatch.engine.kernel.draws import draw, draw_below
from dispatch.engine.kernel.linked import (
    D_NEXT,
    D_PREV,
    DEMAND,
    DEPART,
    EXCESS,
    FLEET,
    LAST,
    LATEST,
    LOAD,
    NEVER,
    NEXT,
    NOW,
    PREV,
    ROUTE,
    ROUTES,
    ROWS,
    SIZE,
    SPLITS,
    USED,
    join,
    pull_early,
    pull_late,
)


@compiled
def sum_tail(rows, facts, j):
    """Return the demand of ``j`` and all that follows, and how many they are."""
    demand = np.int64(0)
    count = 0
    while j != 0:
        demand += facts[j, DEMAND]
        count += 1
        j = rows[j, NEXT]
    return demand, count


@compiled
def name_tail(rows, j, v):
    """Say that ``j`` and all that follows are in route ``v``."""
    while j != 0:
        rows[j, ROUTE] = v
        j = rows[j, NEXT]


@compiled
def cross(dist, facts, capacity, rows, routes, journal, now, c, k, w, price, bound):
    """Let ``c`` and its tail follow ``k`` of route ``w``, whose tail takes their place.

    ``k`` is 0 where ``w`` is empty. Returns the change of cost, load too much priced; it is done,
    without a journal, only if that is below ``bound`` and nobody is late.
    """
    v = rows[c, ROUTE]
    a = rows[c, PREV]
    b = rows[k, NEXT] if k != 0 else 0
    d = dist[k, c]
    e = dist[a, b]
    delta = np.int64(d) + e - rows[c, D_PREV]
    if k != 0:
        delta -= rows[k, D_NEXT]
    if delta >= bound or rows[k, DEPART] + d > rows[c, LATEST]:
        return NEVER
    if rows[a, DEPART] + e > rows[b, LATEST]:
        return NEVER
    demand, count = sum_tail(rows, facts, c)
    back, back_count = sum_tail(rows, facts, b)
    load_v = routes[v, LOAD] - demand + back
    load_w = routes[w, LOAD] - back + demand
    excess = max(0, load_v - capacity) + max(0, load_w - capacity)
    excess -= max(0, routes[v, LOAD] - capacity) + max(0, routes[w, LOAD] - capacity)
    delta += price * excess
    if delta >= bound:
        return NEVER
    now[ROWS] = 0
    now[ROUTES] = 0
    now[NOW] += 1
    now[EXCESS] += excess
    now[USED] += np.int64(k == 0) - np.int64(a == 0 and b == 0)
    end_v = routes[v, LAST]
    end_w = routes[w, LAST]
    name_tail(rows, c, w)
    name_tail(rows, b, v)
    join(rows, routes, journal, now, d, k, c, w)
    join(rows, routes, journal, now, e, a, b, v)
    routes[w, LAST] = end_v
    if b != 0:
        routes[v, LAST] = end_w
    routes[v, LOAD] = load_v
    routes[w, LOAD] = load_w
    routes[v, SIZE] += back_count - count
    routes[w, SIZE] += count - back_count
    pull_early(rows, facts, journal, now, c)
    pull_early(rows, facts, journal, now, b)
    pull_late(rows, facts, journal, now, k)
    pull_late(rows, facts, journal, now, a)
    return delta


@compiled
def try_tails(
    dist, facts, near, fits, capacity, rows, routes, journal, now, state, tuning, price, bound
):  # fmt: skip
    """Let two random routes change tails, or cut one in two. Returns the change of cost or NEVER."""
    c = 1 + draw_below(state, rows.shape[0] - 1)
    v = rows[c, ROUTE]
    if v < 0:
        return NEVER
    if draw(state) < tuning[SPLITS]:
        a = rows[c, PREV]
        if a == 0 or dist[0, c] + dist[a, 0] - rows[c, D_PREV] >= bound:
            return NEVER
        for w in range(now[FLEET]):
            if routes[w, SIZE] == 0:
                return cross(
                    dist, facts, capacity, rows, routes, journal, now, c, 0, w, price, bound
                )
        return NEVER
    x = draw_below(state, near.shape[1])
    # Nearer ones more often.
    x = draw_below(state, x + 1)
    k = near[c, x]
    w = rows[k, ROUTE]
    if w < 0 or w == v or not fits[c, x] & 1:
        return NEVER
    return cross(dist, facts, capacity, rows, routes, journal, now, c, k, w, price, bound)
