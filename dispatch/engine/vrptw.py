"""Ruin and recreate for the vehicle routing problem with time windows, compiled.

Strings of customers are taken out around a random one and put back greedily with blinks, under
simulated annealing (Christiaens and Vanden Berghe 2020). Half of the strings are taken from both
ends of a route, so that tails change places. Before each step a few tails of routes are exchanged,
or cut off as routes of their own, under the same annealing. Positions are looked for beside the
nearest customers and at the ends of routes. A route may carry more than its capacity at a price that
rises until nobody does: where vehicles are full, customers could hardly change places otherwise. How
much a step may cost is drawn before it, so that it is given up as soon as it costs more; a step given
up is undone from a journal of the rows that it changed.

Distances are symmetric whole numbers and are the travel times as well.
"""

from __future__ import annotations

import numpy as np

from dispatch.engine.kernel.compiled import compiled
from dispatch.engine.kernel.draws import draw, draw_below
from dispatch.engine.kernel.linked import (
    ABSENT,
    BLINK,
    D_NEXT,
    D_PREV,
    DEMAND,
    DEPART,
    DUE,
    ENDS,
    EXCESS,
    FAR_ENDS,
    FIRST,
    FLEET,
    LAST,
    LATEST,
    LOAD,
    NEVER,
    NEXT,
    NOW,
    PREV,
    R_STEP,
    READY,
    REMOVED,
    ROUTE,
    ROUTES,
    ROWS,
    SERVICE,
    SIZE,
    STRING,
    TAILS,
    USED,
    along,
    count_used,
    cut,
    put,
    undo,
)
from dispatch.engine.kernel.tails import (
    try_tails,
)


@compiled
def ruin_ends(dist, facts, capacity, rows, routes, absent, journal, now, state, v, length):
    """Take ``length`` customers from the two ends of route ``v``."""
    head = draw_below(state, length + 1)
    delta = np.int64(0)
    if head > 0:
        a = routes[v, FIRST]
        z, _ = along(rows, a, head - 1, NEXT)
        delta += cut(dist, facts, capacity, rows, routes, absent, journal, now, a, z)
    if head < length:
        z = routes[v, LAST]
        a, _ = along(rows, z, length - head - 1, PREV)
        delta += cut(dist, facts, capacity, rows, routes, absent, journal, now, a, z)
    return delta


@compiled
def ruin_string(dist, facts, capacity, rows, routes, absent, journal, now, state, c, length):
    """Take ``length`` customers in a row, ``c`` among them, out of its route."""
    _, back = along(rows, c, length - 1, PREV)
    _, ahead = along(rows, c, length - 1, NEXT)
    low = max(0, length - 1 - ahead)
    a, _ = along(rows, c, low + draw_below(state, back - low + 1), PREV)
    z, _ = along(rows, a, length - 1, NEXT)
    return cut(dist, facts, capacity, rows, routes, absent, journal, now, a, z)


@compiled
def ruin(dist, facts, around, capacity, rows, routes, absent, journal, now, state, tuning, seed):
    """Take strings out of routes around ``seed``. Returns the change of distance."""
    served = rows.shape[0] - 1 - now[ABSENT]
    limit = min(tuning[STRING], served / max(1, now[USED]))
    strings = 1 + draw_below(state, max(1.0, 4.0 * tuning[REMOVED] / (1.0 + limit) - 1.0))
    delta = np.int64(0)
    for x in range(around.shape[1]):
        c = around[seed, x]
        v = rows[c, ROUTE]
        if v < 0 or routes[v, R_STEP] == now[NOW]:
            continue
        n = routes[v, SIZE]
        length = min(n, 1 + draw_below(state, min(limit, n)))
        if 1 < length < n and draw(state) < tuning[ENDS]:
            delta += ruin_ends(
                dist, facts, capacity, rows, routes, absent, journal, now, state, v, length
            )
        else:
            delta += ruin_string(
                dist, facts, capacity, rows, routes, absent, journal, now, state, c, length
            )
        strings -= 1
        if strings == 0:
            break
    return delta


@compiled
def order(dist, facts, absent, count, key, state):
    """Sort the absent customers by one of several randomly chosen keys."""
    mode = draw(state) * 17.0
    for x in range(count):
        j = absent[x]
        if mode < 4.0:
            key[x] = draw(state)
        elif mode < 8.0:
            key[x] = -facts[j, DEMAND]
        elif mode < 10.0:
            key[x] = -dist[0, j]
        elif mode < 11.0:
            key[x] = dist[0, j]
        elif mode < 13.0:
            key[x] = facts[j, DUE] - facts[j, READY]
        elif mode < 15.0:
            key[x] = facts[j, READY]
        else:
            key[x] = -facts[j, DUE]
    for x in range(1, count):
        k = key[x]
        j = absent[x]
        y = x - 1
        while y >= 0 and key[y] > k:
            key[y + 1] = key[y]
            absent[y + 1] = absent[y]
            y -= 1
        key[y + 1] = k
        absent[y + 1] = j


@compiled
def over(load, q, capacity, price):
    """Return the price of loading more than ``q`` leaves room for."""
    if price >= NEVER:
        return NEVER
    return price * (load - q - max(0, load - capacity))


@compiled
def find_place(
    dist, facts, near, fits, capacity, rows, routes, now, state, blink, far_ends, c, best, price
):  # fmt: skip
    """Return (more distance, predecessor, successor, route) of the best place below ``best``.

    The route is -1 where there is none. ``far_ends`` is how often the ends of routes that are not
    near ``c`` are tried although a place is found already.
    """
    q = capacity - facts[c, DEMAND]
    ready = facts[c, READY]
    due = facts[c, DUE]
    service = facts[c, SERVICE]
    found_a = 0
    found_b = 0
    found_v = -1
    for x in range(near.shape[1]):
        k = near[c, x]
        d = dist[c, k]
        # Between customers farther than this only an edge of this length could be as good.
        if d >= 2 * best:
            break
        v = rows[k, ROUTE]
        if v < 0:
            continue
        flag = fits[c, x]
        if flag & 1:
            b = rows[k, NEXT]
            out = dist[c, b]
            extra = d + out - rows[k, D_NEXT]
            if extra < best and routes[v, LOAD] > q:
                extra += over(routes[v, LOAD], q, capacity, price)
            if extra < best:
                t = max(rows[k, DEPART] + d, ready)
                if t <= due and t + service + out <= rows[b, LATEST] and draw(state) >= blink:
                    best = np.int64(extra)
                    found_a = k
                    found_b = b
                    found_v = v
        if flag & 2:
            a = rows[k, PREV]
            out = dist[c, a]
            extra = d + out - rows[k, D_PREV]
            if extra < best and routes[v, LOAD] > q:
                extra += over(routes[v, LOAD], q, capacity, price)
            if extra < best:
                t = max(rows[a, DEPART] + out, ready)
                if t <= due and t + service + d <= rows[k, LATEST] and draw(state) >= blink:
                    best = np.int64(extra)
                    found_a = a
                    found_b = k
                    found_v = v
    base = dist[c, 0]
    if 2 * base < best:
        for v in range(now[FLEET]):
            if routes[v, SIZE] == 0:
                best = np.int64(2 * base)
                found_a = 0
                found_b = 0
                found_v = v
                break
    # Ends of routes near the customer were seen above; those far away seldom are the best.
    if found_v >= 0 and draw(state) >= far_ends:
        return best, found_a, found_b, found_v
    early = max(ready, rows[0, DEPART] + base)
    back = min(due, rows[0, LATEST] - base - service)
    for v in range(now[FLEET]):
        if routes[v, SIZE] == 0:
            continue
        more = np.int64(0)
        if routes[v, LOAD] > q:
            more = over(routes[v, LOAD], q, capacity, price)
            if more >= best:
                continue
        k = routes[v, FIRST]
        # A triangle's side is at least the difference of the others: no distance looked up.
        if 2 * (base - rows[k, D_PREV]) + more < best:
            d = dist[c, k]
            extra = base + d - rows[k, D_PREV] + more
            if extra < best and early + service + d <= rows[k, LATEST] and draw(state) >= blink:
                best = np.int64(extra)
                found_a = 0
                found_b = k
                found_v = v
        k = routes[v, LAST]
        if 2 * (base - rows[k, D_NEXT]) + more < best:
            d = dist[c, k]
            extra = base + d - rows[k, D_NEXT] + more
            if extra < best and max(rows[k, DEPART] + d, ready) <= back and draw(state) >= blink:
                best = np.int64(extra)
                found_a = k
                found_b = 0
                found_v = v
    return best, found_a, found_b, found_v


@compiled
def keep_best(rows, routes, cost, best_next, best_first):
    """Keep the solution now as the best."""
    cost[1] = cost[0]
    for j in range(rows.shape[0]):
        best_next[j] = rows[j, NEXT]
    for v in range(routes.shape[0]):
        best_first[v] = routes[v, FIRST]


@compiled
def anneal_routes(
    dist, facts, near, fits, around, capacity, rows, routes, absent, journal, now, best_next,
    best_first, cost, state, steps, hot, cold, price, tuning, key,
):  # fmt: skip
    """Run ``steps`` steps from temperature ``hot`` to ``cold``; nobody is left out.

    ``price`` is the cost of a unit of load too much. ``cost`` is the distance now, and that of the
    best solution without such, which is kept in ``best_*``.
    """
    n = rows.shape[0]
    temperature = hot
    cool = (cold / hot) ** (1.0 / max(1, steps))
    for _ in range(steps):
        temperature *= cool
        for _ in range(np.int64(tuning[TAILS])):
            bound = np.int64(-temperature * np.log(draw(state) + 1e-300))
            was = now[EXCESS]
            delta = try_tails(
                dist, facts, near, fits, capacity, rows, routes, journal, now, state, tuning,
                price, bound,
            )  # fmt: skip
            if delta < NEVER:
                cost[0] += delta - price * (now[EXCESS] - was)
                if now[EXCESS] == 0 and cost[0] < cost[1]:
                    keep_best(rows, routes, cost, best_next, best_first)
        now[ROWS] = 0
        now[ROUTES] = 0
        now[NOW] += 1
        was = now[EXCESS]
        limit = np.int64(cost[0] - temperature * np.log(draw(state) + 1e-300))
        limit += price * was
        seed = 1 + draw_below(state, n - 1)
        new = cost[0] + ruin(
            dist, facts, around, capacity, rows, routes, absent, journal, now, state, tuning, seed
        )
        new += price * now[EXCESS]
        order(dist, facts, absent, now[ABSENT], key, state)
        for x in range(now[ABSENT]):
            c = absent[x]
            if new >= limit:
                break
            extra, a, b, v = find_place(
                dist, facts, near, fits, capacity, rows, routes, now, state, tuning[BLINK],
                tuning[FAR_ENDS], c, limit - new, price,
            )  # fmt: skip
            if v < 0:
                new = limit
                break
            put(dist, facts, capacity, rows, routes, journal, now, c, a, b, v)
            new += extra
        now[ABSENT] = 0
        if new >= limit:
            undo(rows, routes, journal, now)
            now[EXCESS] = was
            continue
        count_used(routes, journal, now)
        cost[0] = new - price * now[EXCESS]
        if now[EXCESS] == 0 and cost[0] < cost[1]:
            keep_best(rows, routes, cost, best_next, best_first)


@compiled
def pack_routes(
    dist, facts, near, fits, around, capacity, rows, routes, absent, journal, now, missed, cost,
    state, steps, temperature, tuning, key, out,
):  # fmt: skip
    """Run up to ``steps`` steps that serve those left out; stops when nobody is left out.

    A step is kept if it leaves out fewer, or such as were left out less often before (``missed``),
    or the same ones at a distance that the temperature allows. ``cost[0]`` is the distance.
    """
    n = rows.shape[0]
    for _ in range(steps):
        count = now[ABSENT]
        if count == 0:
            break
        now[ROWS] = 0
        now[ROUTES] = 0
        now[NOW] += 1
        weight = np.int64(0)
        for x in range(count):
            out[x] = absent[x]
            weight += missed[absent[x]]
        seed = 1 + draw_below(state, n - 1)
        if draw(state) < 0.5:
            seed = out[draw_below(state, count)]
        limit = cost[0] - temperature * np.log(draw(state) + 1e-300)
        new = cost[0] + ruin(
            dist, facts, around, capacity, rows, routes, absent, journal, now, state, tuning, seed
        )
        order(dist, facts, absent, now[ABSENT], key, state)
        left = 0
        new_weight = np.int64(0)
        for x in range(now[ABSENT]):
            c = absent[x]
            extra, a, b, v = find_place(
                dist, facts, near, fits, capacity, rows, routes, now, state, tuning[BLINK],
                tuning[FAR_ENDS], c, NEVER, NEVER,
            )  # fmt: skip
            if v < 0:
                absent[left] = c
                left += 1
                new_weight += missed[c]
                continue
            put(dist, facts, capacity, rows, routes, journal, now, c, a, b, v)
            new += extra
        now[ABSENT] = left
        for x in range(left):
            missed[absent[x]] += 1
        if left == 0 or new_weight < weight or (new_weight == weight and new < limit):
            cost[0] = new
            count_used(routes, journal, now)
        else:
            undo(rows, routes, journal, now)
            now[ABSENT] = count
            for x in range(count):
                absent[x] = out[x]
