"""Ruin and recreate for home health care with visits of two caregivers, compiled.

The objective is distance + total tardiness + greatest tardiness. Every visit starts as early as the
sequences allow, which is best for tardiness. Two visits of one patient are tied by lags,
``time[mate] >= time[visit] + lag[visit]``, both ways round: (0, 0) is at the same time, (least,
-most) one after the other. So times are longest paths in a graph of routes and lags, and a cycle
of positive length is a contradiction. What an insertion costs is found by pushing its delay
through the graph; most places are dismissed before, by what the visit itself and the next lose.
"""

from __future__ import annotations

import numpy as np

from dispatch.engine.kernel.compiled import compiled
from dispatch.engine.kernel.draws import draw, draw_below
from dispatch.engine.kernel.lags import (
    ABSENT,
    CLOSES,
    INF,
    LAG,
    LASTS,
    MATE,
    NEXT,
    OPENS,
    PREV,
    ROUTE,
    TRIAL,
    pull,
    push,
    settle,
)  # fmt: skip

# Columns of a place that is considered for a visit.
WHO, AFTER, BEFORE = range(3)
# Entries of ``value``: distance, total and greatest tardiness.
DISTANCE, LATE, LATEST = range(3)
# Entries of ``tuning``.
STRING, REMOVED, BLINK, WITH_MATE = range(4)

PLACES = 16


@compiled
def take_out(dist, links, first, value, stack, top, x):
    """Remove ``x`` from its route; who may start earlier now goes on the stack. Returns its top."""
    a = links[x, PREV]
    b = links[x, NEXT]
    value[DISTANCE] += dist[a, b] - dist[a, x] - dist[x, b]
    if a == 0:
        first[links[x, ROUTE]] = b
    else:
        links[a, NEXT] = b
    if b != 0:
        links[b, PREV] = a
        stack[top, 0] = b
        top += 1
    links[x, ROUTE] = -1
    mate = links[x, MATE]
    if mate != 0 and links[mate, ROUTE] >= 0:
        stack[top, 0] = mate
        top += 1
    return top


@compiled
def put_in(dist, facts, links, first, times, value, stack, x, place, start):
    """Insert ``x`` and delay what follows. Returns whether the sequences fit together."""
    a = place[AFTER]
    b = place[BEFORE]
    value[DISTANCE] += dist[a, x] + dist[x, b] - dist[a, b]
    if a == 0:
        first[place[WHO]] = x
    else:
        links[a, NEXT] = x
    if b != 0:
        links[b, PREV] = x
    links[x, NEXT] = b
    links[x, PREV] = a
    links[x, ROUTE] = place[WHO]
    times[x] = -1.0
    stack[0, 0] = x
    stack[0, 1] = start
    return settle(dist, facts, links, times, stack, 1)


@compiled
def tally(facts, links, times, value):
    """Set total and greatest tardiness of all that is placed."""
    total = 0.0
    greatest = 0.0
    for x in range(1, times.shape[0]):
        if links[x, ROUTE] >= 0:
            late = times[x] - facts[x, CLOSES]
            if late > 0.0:
                total += late
                greatest = max(greatest, late)
    value[LATE] = total
    value[LATEST] = greatest


@compiled
def ruin(dist, facts, links, first, times, value, stack, absent, now, around, state, tuning):
    """Take strings of visits out around a random one, some with their mates. Returns success."""
    n = times.shape[0]
    seed = 1 + draw_below(state, n - 1)
    wanted = 1 + draw_below(state, np.int64(tuning[REMOVED]))
    with_mates = draw(state) < tuning[WITH_MATE]
    top = 0
    gone = now[ABSENT]
    since = gone
    for at in range(around.shape[1]):
        x = around[seed, at]
        if links[x, ROUTE] < 0:
            continue
        if gone - since >= wanted:
            break
        length = 1 + draw_below(state, min(np.int64(tuning[STRING]), wanted - (gone - since)))
        back = draw_below(state, length)
        while back > 0 and links[x, PREV] != 0:
            x = links[x, PREV]
            back -= 1
        while length > 0 and x != 0:
            follows = links[x, NEXT]
            top = take_out(dist, links, first, value, stack, top, x)
            absent[gone] = x
            gone += 1
            mate = links[x, MATE]
            if with_mates and mate != 0 and links[mate, ROUTE] >= 0:
                if mate == follows:
                    follows = links[mate, NEXT]
                top = take_out(dist, links, first, value, stack, top, mate)
                absent[gone] = mate
                gone += 1
            x = follows
            length -= 1
    now[ABSENT] = gone
    if not pull(dist, facts, links, times, stack, top):
        return False
    tally(facts, links, times, value)
    return True


@compiled
def order(facts, links, able, dist, absent, count, key, state):
    """Sort the absent visits by one of several randomly chosen keys."""
    mode = draw_below(state, 8)
    for at in range(count):
        x = absent[at]
        if mode < 3:
            key[at] = draw(state)
        elif mode == 3:
            key[at] = facts[x, OPENS]
        elif mode == 4:
            key[at] = -facts[x, OPENS]
        elif mode == 5:
            key[at] = able[x, 0] + draw(state)
        elif mode == 6:
            key[at] = -dist[0, x]
        else:
            key[at] = -(1.0 if links[x, MATE] != 0 else 0.0) + draw(state)
    for at in range(1, count):
        k = key[at]
        x = absent[at]
        to = at - 1
        while to >= 0 and key[to] > k:
            key[to + 1] = key[to]
            absent[to + 1] = absent[to]
            to -= 1
        key[to + 1] = k
        absent[to + 1] = x


@compiled
def alone(
    dist, facts, links, first, times, value, trial, stack, now, able, state, blink, x, bound, place
):
    """Write the cheapest place of ``x`` and return (cost, start); INF where there is none.

    ``bound`` is the cost that is too much. The mate of ``x`` may be placed.
    """
    best = bound
    found = INF
    start = 0.0
    none = (0, 0)
    mate = links[x, MATE]
    least = facts[x, OPENS]
    banned = -1
    if mate != 0 and links[mate, ROUTE] >= 0:
        least = max(least, times[mate] + facts[mate, LAG])
        banned = links[mate, ROUTE]
    for k in range(1, able[x, 0] + 1):
        v = able[x, k]
        if v == banned:
            continue
        a = 0
        leaves = 0.0
        b = first[v]
        while True:
            t = max(least, leaves + dist[a, x])
            late = max(0.0, t - facts[x, CLOSES])
            if late >= best:
                break
            extra = dist[a, x] + dist[x, b] - dist[a, b]
            cost = extra + late + max(0.0, late - value[LATEST])
            if cost < best:
                top = 0
                if b != 0:
                    then = t + facts[x, LASTS] + dist[x, b]
                    if then > times[b]:
                        stack[top, 0] = b
                        stack[top, 1] = then
                        top += 1
                if banned >= 0 and t + facts[x, LAG] > times[mate]:
                    stack[top, 0] = mate
                    stack[top, 1] = t + facts[x, LAG]
                    top += 1
                if top > 0:
                    # The trial ends where a delay comes back and would move this start.
                    times[x] = t
                    now[TRIAL] += 1
                    more, greatest = push(
                        dist, facts, links, times, trial, stack, now, top, (x, a), none, best - cost
                    )
                    cost = extra + late + more
                    cost += max(0.0, max(late, greatest) - value[LATEST])
                if cost < best and draw(state) >= blink:
                    best = cost
                    found = cost
                    start = t
                    place[WHO] = v
                    place[AFTER] = a
                    place[BEFORE] = b
            if b == 0:
                break
            a = b
            leaves = times[a] + facts[a, LASTS]
            b = links[a, NEXT]
    return found, start


@compiled
def list_places(dist, facts, links, first, times, able, state, blink, x, bound, places, worth):
    """Write the places of ``x`` that look cheapest, best first, and return how many there are.

    ``worth`` is (what it costs at least, when ``x`` could start), as if it had no mate.
    """
    count = 0
    for k in range(1, able[x, 0] + 1):
        v = able[x, k]
        a = 0
        leaves = 0.0
        b = first[v]
        while True:
            t = max(facts[x, OPENS], leaves + dist[a, x])
            late = max(0.0, t - facts[x, CLOSES])
            if late >= bound:
                break
            cost = dist[a, x] + dist[x, b] - dist[a, b] + late
            if b != 0:
                then = t + facts[x, LASTS] + dist[x, b]
                if then > times[b]:
                    cost += max(0.0, then - facts[b, CLOSES]) - max(
                        0.0, times[b] - facts[b, CLOSES]
                    )
            last = worth[count - 1, 0] if count == PLACES else bound
            if cost < last and draw(state) >= blink:
                at = count if count < PLACES else PLACES - 1
                while at > 0 and worth[at - 1, 0] > cost:
                    worth[at, 0], worth[at, 1] = worth[at - 1, 0], worth[at - 1, 1]
                    for column in range(3):
                        places[at, column] = places[at - 1, column]
                    at -= 1
                worth[at, 0] = cost
                worth[at, 1] = t
                places[at, WHO] = v
                places[at, AFTER] = a
                places[at, BEFORE] = b
                count = min(PLACES, count + 1)
            if b == 0:
                break
            a = b
            leaves = times[a] + facts[a, LASTS]
            b = links[a, NEXT]
    return count


@compiled
def together(
    dist, facts, links, times, value, trial, stack, now, x, y, bound, counts, places, worth
):
    """Return (cost, which place of ``x``, which of ``y``, starts) of the cheapest two places."""
    best = bound
    found = (INF, 0, 0, 0.0, 0.0)
    for i in range(counts[0]):
        if worth[0, i, 0] + worth[1, 0, 0] >= best:
            break
        a, b = places[0, i, AFTER], places[0, i, BEFORE]
        for j in range(counts[1]):
            if worth[0, i, 0] + worth[1, j, 0] >= best:
                break
            if places[0, i, WHO] == places[1, j, WHO]:
                continue
            c, d = places[1, j, AFTER], places[1, j, BEFORE]
            s = worth[0, i, 1]
            t = max(worth[1, j, 1], s + facts[x, LAG])
            s = max(s, t + facts[y, LAG])
            late = max(0.0, s - facts[x, CLOSES])
            late_too = max(0.0, t - facts[y, CLOSES])
            latest = max(value[LATEST], late, late_too)
            cost = dist[a, x] + dist[x, b] - dist[a, b] + dist[c, y] + dist[y, d] - dist[c, d]
            cost += late + late_too
            if cost + latest - value[LATEST] >= best:
                continue
            top = 0
            if b != 0:
                stack[top, 0] = b
                stack[top, 1] = s + facts[x, LASTS] + dist[x, b]
                top += 1
            if d != 0:
                stack[top, 0] = d
                stack[top, 1] = t + facts[y, LASTS] + dist[y, d]
                top += 1
            times[x] = s
            times[y] = t
            now[TRIAL] += 1
            more, greatest = push(
                dist, facts, links, times, trial, stack, now, top, (x, a), (y, c), best - cost
            )
            cost += more + max(latest, greatest) - value[LATEST]
            if cost < best:
                best = cost
                found = (cost, i, j, s, t)
    return found


@compiled
def last_places(dist, facts, links, first, times, able, x, y, places):
    """Write places at the ends of two routes, which always fit, and return the two starts."""
    who = able[x, 1]
    for k in range(1, able[x, 0] + 1):
        if able[y, 0] > 1 or able[y, 1] != able[x, k]:
            who = able[x, k]
            break
    one = other = 0.0
    for k in range(2):
        z = x if k == 0 else y
        v = who
        if k == 1:
            v = able[y, 1] if able[y, 1] != who else able[y, 2]
        a = 0
        b = first[v]
        while b != 0:
            a = b
            b = links[b, NEXT]
        leaves = times[a] + facts[a, LASTS] if a != 0 else 0.0
        start = max(facts[z, OPENS], leaves + dist[a, z])
        if k == 0:
            one = start
        else:
            other = start
        places[k, 0, WHO] = v
        places[k, 0, AFTER] = a
        places[k, 0, BEFORE] = 0
    other = max(other, one + facts[x, LAG])
    one = max(one, other + facts[y, LAG])
    return one, other


@compiled
def recreate(
    dist, facts, links, first, times, value, trial, stack, absent, now, able, state, blink, limit,
    places, worth, counts,
):  # fmt: skip
    """Put all absent visits back, in their order. Returns False where that exceeds ``limit``."""
    for at in range(now[ABSENT]):
        x = absent[at]
        if links[x, ROUTE] >= 0:
            continue
        bound = limit - (value[DISTANCE] + value[LATE] + value[LATEST])
        if bound <= 0.0:
            return False
        mate = links[x, MATE]
        if mate == 0 or links[mate, ROUTE] >= 0:
            cost, start = alone(
                dist, facts, links, first, times, value, trial, stack, now, able, state, blink, x,
                bound, places[0, 0],
            )  # fmt: skip
            if cost >= INF:
                return False
            if not put_in(dist, facts, links, first, times, value, stack, x, places[0, 0], start):
                return False
        else:
            for k in range(2):
                counts[k] = list_places(
                    dist, facts, links, first, times, able, state, blink, x if k == 0 else mate,
                    bound, places[k], worth[k],
                )  # fmt: skip
            cost, i, j, s, t = together(
                dist, facts, links, times, value, trial, stack, now, x, mate, bound, counts,
                places, worth,
            )  # fmt: skip
            if cost >= INF and limit < INF:
                return False
            if cost >= INF:
                # Construction must place everybody: the listed places were all on one route.
                i = j = 0
                s, t = last_places(dist, facts, links, first, times, able, x, mate, places)
            one = put_in(dist, facts, links, first, times, value, stack, x, places[0, i], s)
            if not one or not put_in(
                dist, facts, links, first, times, value, stack, mate, places[1, j], t
            ):
                return False
        tally(facts, links, times, value)
    now[ABSENT] = 0
    return True


@compiled
def copy_state(links, first, times, value, to_links, to_first, to_times, to_value):
    """Copy a solution over another."""
    for x in range(times.shape[0]):
        for column in range(MATE):
            to_links[x, column] = links[x, column]
        to_times[x] = times[x]
    for v in range(first.shape[0]):
        to_first[v] = first[v]
    for part in range(3):
        to_value[part] = value[part]


@compiled
def anneal(
    dist, facts, able, around, links, first, times, value, trial, stack, absent, now, places,
    worth, counts, key, kept_links, kept_first, kept_times, kept_value, best_links, best_first,
    best_times, best_value, state, steps, hot, cold, tuning,
):  # fmt: skip
    """Run ``steps`` steps from temperature ``hot`` to ``cold``; the best is kept in ``best_*``."""
    temperature = hot
    cool = (cold / hot) ** (1.0 / max(1, steps))
    best = best_value[DISTANCE] + best_value[LATE] + best_value[LATEST]
    for _ in range(steps):
        temperature *= cool
        copy_state(links, first, times, value, kept_links, kept_first, kept_times, kept_value)
        cost = value[DISTANCE] + value[LATE] + value[LATEST]
        limit = cost - temperature * np.log(draw(state) + 1e-300)
        fits = ruin(
            dist, facts, links, first, times, value, stack, absent, now, around, state, tuning
        )
        if fits:
            order(facts, links, able, dist, absent, now[ABSENT], key, state)
            fits = recreate(
                dist, facts, links, first, times, value, trial, stack, absent, now, able, state,
                tuning[BLINK], limit, places, worth, counts,
            )  # fmt: skip
        cost = value[DISTANCE] + value[LATE] + value[LATEST]
        if not fits or cost >= limit:
            now[ABSENT] = 0
            copy_state(kept_links, kept_first, kept_times, kept_value, links, first, times, value)
        elif cost < best - 1e-9:
            best = cost
            copy_state(links, first, times, value, best_links, best_first, best_times, best_value)
