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

from dispatch.engine.kernel.compiled import compiled, compiled_with_arrays
from dispatch.engine.kernel.draws import draw, draw_below

# Columns of what is known of a visit; row 0 is the office, where all routes start and end.
LASTS, OPENS, CLOSES, LAG = range(4)
# Columns of links. MATE is 0 for a visit alone, ROUTE is -1 for one that is not placed.
NEXT, PREV, ROUTE, MATE = range(4)
# Columns of a place that is considered for a visit.
WHO, AFTER, BEFORE = range(3)
# Entries of the work space ``now``: which trial this is; how many visits are absent.
TRIAL, ABSENT = range(2)
# Entries of ``value``: distance, total and greatest tardiness.
DISTANCE, LATE, LATEST = range(3)
# Entries of ``tuning``.
STRING, REMOVED, BLINK, WITH_MATE = range(4)

INF = 1e18
MOST_PUSHES = 4000
PLACES = 16


@compiled
def push(dist, facts, links, times, trial, stack, now, top, one, other, bound):
    """Delay visits as the stack says, and all that follows, in a trial only.

    ``one`` and ``other`` are visits tried (visit, its predecessor); 0 is none. Returns (more
    tardiness, greatest tardiness among the delayed); INF where it comes to ``bound`` or more, or
    where the delay comes back to its cause.
    """
    more = 0.0
    greatest = 0.0
    steps = 0
    mark = np.float64(now[TRIAL])
    while top > 0:
        top -= 1
        x = np.int64(stack[top, 0])
        y = stack[top, 1]
        was = trial[x, 0] if trial[x, 1] == mark else times[x]
        if y <= was:
            continue
        steps += 1
        if x == one[0] or x == other[0] or steps > MOST_PUSHES:
            return INF, 0.0
        late = y - facts[x, CLOSES]
        if late > 0.0:
            more += late - max(0.0, was - facts[x, CLOSES])
            greatest = max(greatest, late)
            if more >= bound:
                return INF, 0.0
        trial[x, 0] = y
        trial[x, 1] = mark
        follows = links[x, NEXT]
        if one[0] != 0 and x == one[1]:
            follows = one[0]
        elif other[0] != 0 and x == other[1]:
            follows = other[0]
        if follows != 0:
            stack[top, 0] = follows
            stack[top, 1] = y + facts[x, LASTS] + dist[x, follows]
            top += 1
        mate = links[x, MATE]
        if mate != 0 and (links[mate, ROUTE] >= 0 or mate == one[0] or mate == other[0]):
            stack[top, 0] = mate
            stack[top, 1] = y + facts[x, LAG]
            top += 1
    return more, greatest


@compiled
def settle(dist, facts, links, times, stack, top):
    """Delay visits as the stack says, and all that follows, for good. Returns success."""
    steps = 0
    while top > 0:
        top -= 1
        x = np.int64(stack[top, 0])
        y = stack[top, 1]
        if y <= times[x]:
            continue
        steps += 1
        if steps > MOST_PUSHES:
            return False
        times[x] = y
        follows = links[x, NEXT]
        if follows != 0:
            stack[top, 0] = follows
            stack[top, 1] = y + facts[x, LASTS] + dist[x, follows]
            top += 1
        mate = links[x, MATE]
        if mate != 0 and links[mate, ROUTE] >= 0:
            stack[top, 0] = mate
            stack[top, 1] = y + facts[x, LAG]
            top += 1
    return True


@compiled
def arrives(dist, facts, links, times, x):
    """Return when ``x`` starts if nobody waits for a mate."""
    p = links[x, PREV]
    leaves = times[p] + facts[p, LASTS] if p != 0 else 0.0
    return max(facts[x, OPENS], leaves + dist[p, x])


@compiled
def pull(dist, facts, links, times, stack, top):
    """Bring visits on the stack, and what follows, as far forward as can be. Returns success."""
    steps = 0
    while top > 0:
        top -= 1
        x = np.int64(stack[top, 0])
        if links[x, ROUTE] < 0:
            continue
        steps += 1
        if steps > MOST_PUSHES:
            return False
        y = arrives(dist, facts, links, times, x)
        mate = links[x, MATE]
        if mate != 0 and links[mate, ROUTE] >= 0:
            # Both at once: a pair must not hold each other back.
            z = arrives(dist, facts, links, times, mate)
            y = max(y, z + facts[mate, LAG])
            z = max(z, y + facts[x, LAG])
            y = max(y, z + facts[mate, LAG])
            if z < times[mate]:
                times[mate] = z
                if links[mate, NEXT] != 0:
                    stack[top, 0] = links[mate, NEXT]
                    top += 1
        if y < times[x]:
            times[x] = y
            if links[x, NEXT] != 0:
                stack[top, 0] = links[x, NEXT]
                top += 1
    return True


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
                    worth[at] = worth[at - 1]
                    places[at] = places[at - 1]
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
            now[TRIAL] += 1
            more, greatest = push(
                dist, facts, links, times, trial, stack, now, top, (x, a), (y, c), best - cost
            )
            cost += more + max(latest, greatest) - value[LATEST]
            if cost < best:
                best = cost
                found = (cost, i, j, s, t)
    return found


@compiled_with_arrays
def last_places(dist, facts, links, first, times, able, x, y, places):
    """Write places at the ends of two routes, which always fit, and return the two starts."""
    who = able[x, 1]
    for k in range(1, able[x, 0] + 1):
        if able[y, 0] > 1 or able[y, 1] != able[x, k]:
            who = able[x, k]
            break
    starts = np.zeros(2)
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
        starts[k] = max(facts[z, OPENS], leaves + dist[a, z])
        places[k, 0, WHO] = v
        places[k, 0, AFTER] = a
        places[k, 0, BEFORE] = 0
    starts[1] = max(starts[1], starts[0] + facts[x, LAG])
    starts[0] = max(starts[0], starts[1] + facts[y, LAG])
    return starts[0], starts[1]


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


@compiled_with_arrays
def anneal(
    dist, facts, able, around, links, first, times, value, trial, stack, absent, now, places,
    worth, kept_links, kept_first, kept_times, best_links, best_first, best, state, steps, hot,
    cold, tuning,
):  # fmt: skip
    """Run ``steps`` steps from temperature ``hot`` to ``cold``; the best is kept in ``best_*``."""
    counts = np.zeros(2, np.int64)
    key = np.zeros(times.shape[0])
    kept_value = np.zeros(3)
    temperature = hot
    cool = (cold / hot) ** (1.0 / max(1, steps))
    for _ in range(steps):
        temperature *= cool
        kept_links[:] = links
        kept_first[:] = first
        kept_times[:] = times
        kept_value[:] = value
        cost = value.sum()
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
        if fits and value.sum() < limit:
            if value.sum() < best[0] - 1e-9:
                best[0] = value.sum()
                best_links[:] = links
                best_first[:] = first
        else:
            now[ABSENT] = 0
            links[:] = kept_links
            first[:] = kept_first
            times[:] = kept_times
            value[:] = kept_value
