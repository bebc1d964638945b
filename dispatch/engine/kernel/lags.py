"""Times of visits that are tied by lags, compiled.

Two visits of one patient are tied, ``time[mate] >= time[visit] + lag[visit]``, both ways round:
(0, 0) is at the same time, (least, -most) one after the other. So times are longest paths in a
graph of routes and lags, and a cycle of positive length is a contradiction.
"""

from __future__ import annotations

import numpy as np

from dispatch.engine.kernel.compiled import compiled

# Columns of what is known of a visit; row 0 is the office, where all routes start and end.
LASTS, OPENS, CLOSES, LAG = range(4)
# Columns of links. MATE is 0 for a visit alone, ROUTE is -1 for one that is not placed.
NEXT, PREV, ROUTE, MATE = range(4)
# Entries of the work space ``now``: which trial this is; how many visits are absent.
TRIAL, ABSENT = range(2)

INF = 1e18
MOST_PUSHES = 4000


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
