"""Days with loads, to the second: what is fetched where, how long it is held, what is on board.

A holding time ties a delivery to the start of its fetching: the later one goes to the kitchen, the
longer the meal may still travel, and waiting there is free. All rules about times have the form
"this start is at least that start plus a constant" or "this start lies in that set", so that the
earliest schedule is the least fixed point of raising starts (feasible schedules are closed under
the elementwise minimum), found by going forward and going back to a fetching that came too early.
"""

from __future__ import annotations

from dispatch.engine.kernel.compiled import compiled
from dispatch.engine.kernel.day import begin, rested
from dispatch.engine.kernel.facts import GAP, NEVER, NOBODY

NO_REST = -1
IMPOSSIBLE = -2
BEFORE = 0
AFTER = 1
OUTSIDE = 2


@compiled
def lay_out(f, d, w, c, skip, k, node, k_load, load):
    """Copy a day to the desk without node *skip*, with *node* and perhaps *load* put in.

    ``k`` and ``k_load`` (at most ``k``, or -1 for none) are positions of the day as it stands;
    ``skip`` and ``node`` are -1 where nothing is skipped or put in. Returns the number of nodes.
    """
    at = f.person[c].row
    m = 0
    for x in range(d.day[c].size):
        if x == k_load:
            w.cell[m].node = load
            m += 1
        if x == k and node >= 0:
            w.cell[m].node = node
            m += 1
        if d.cell[at + x].node != skip or skip < 0:
            w.cell[m].node = d.cell[at + x].node
            m += 1
    place_nodes(f, w, c, m)
    return m


@compiled
def place_nodes(f, w, c, m):
    """Fill the places of the first *m* nodes of the tentative day."""
    tasks = len(f.task)
    for x in range(m):
        here = w.cell[x].node
        w.cell[x].spot = f.person[c].base
        if here >= tasks:
            w.cell[x].spot = f.kitchen[here - tasks]
        elif here >= 0:
            w.cell[x].spot = f.task[here].place


@compiled
def supplied(f, w, c, m):
    """Find who is served from which fetching; say whether all are and the bag is big enough.

    Fills ``supply`` and ``floor`` (readiness) of the tentative day.
    """
    tasks = len(f.task)
    for x in range(m):
        w.cell[x].supply = NOBODY
        w.cell[x].floor = 0
        w.cell[x].until = 0  # units of a fetching, for the count of what is on board
        here = w.cell[x].node
        if here < 0 or here >= tasks or f.task[here].kitchen < 0:
            continue
        y = x - 1
        while w.cell[y].node >= 0 and w.cell[y].node != tasks + f.task[here].kitchen:
            y -= 1
        if w.cell[y].node < 0:
            return False
        w.cell[x].supply = y
        w.cell[y].floor = max(w.cell[y].floor, f.task[here].ready)
        w.cell[y].until += f.task[here].units
    on_board = 0
    for x in range(m):
        if w.cell[x].node >= tasks:
            on_board += w.cell[x].until
            if on_board > f.person[c].capacity:
                return False
        elif w.cell[x].supply >= 0:
            on_board -= f.task[w.cell[x].node].units
    return True


@compiled
def timed(f, d, w, c, m, rest_at, rest_how):
    """Fill earliest starts (``begin``) and departures (``until``); say whether a schedule exists.

    The rest is taken before or after the service at position ``rest_at``, or OUTSIDE the routes
    there: before START, in a gap, after END. ``floor`` must be filled; it is raised.
    """
    tasks = len(f.task)
    shift = f.person[c].shift_from
    turns = 0
    x = 0
    while x < m:
        node = w.cell[x].node
        if x == 0:
            w.cell[0].begin = f.shift[shift].lo
            if rest_at == 0 and rest_how == OUTSIDE:
                w.cell[0].begin = max(w.cell[0].begin, f.person[c].rest_lo + f.person[c].rest_s)
            w.cell[0].until = w.cell[0].begin
            x = 1
            continue
        t = w.cell[x - 1].until + f.travel[w.cell[x - 1].spot, w.cell[x].spot]
        if rest_at == x and rest_how == BEFORE:
            t = rested(f, c, t)
        t = max(t, w.cell[x].floor)
        if node >= tasks:
            w.cell[x].begin = t
            w.cell[x].until = t
        elif node >= 0:
            t = begin(f, d, node, t)
            if t >= NEVER:
                return False
            y = w.cell[x].supply
            if y >= 0 and t - w.cell[y].begin > f.task[node].hold:
                w.cell[y].floor = t - f.task[node].hold
                turns += 1
                if turns > 8 * m:
                    return False
                x = y
                continue
            w.cell[x].begin = t
            w.cell[x].until = t + f.task[node].service
        else:
            if t > f.shift[shift].hi:
                return False
            w.cell[x].begin = t
            w.cell[x].until = t
            if rest_at == x and rest_how == OUTSIDE:
                w.cell[x].until = rested(f, c, t)
                if w.cell[x].until >= NEVER:
                    return False
            if node <= GAP:
                shift += 1
                w.cell[x].until = max(w.cell[x].until, f.shift[shift].lo)
        if rest_at == x and rest_how == AFTER:
            w.cell[x].until = rested(f, c, w.cell[x].until)
        if w.cell[x].until >= NEVER:
            return False
        x += 1
    return True


@compiled
def schedule(f, d, w, c, m):
    """Fill the earliest schedule of the tentative day; return 3 x rest position + kind.

    NO_REST where none is needed, IMPOSSIBLE where there is no schedule. A rest outside the routes is tried
    first, then one at each position, so that food does not wait where it need not.
    """
    if not supplied(f, w, c, m):
        return IMPOSSIBLE
    if f.person[c].rest_s == 0:
        return NO_REST if timed(f, d, w, c, m, NO_REST, OUTSIDE) else IMPOSSIBLE
    for x in range(m):
        if w.cell[x].node < 0:
            if x > 0 and not supplied(f, w, c, m):
                return IMPOSSIBLE
            if timed(f, d, w, c, m, x, OUTSIDE):
                return 3 * x + OUTSIDE
    for x in range(1, m):
        if w.cell[x].node >= 0:
            for how in (BEFORE, AFTER):
                supplied(f, w, c, m)
                if timed(f, d, w, c, m, x, how):
                    return 3 * x + how
    return IMPOSSIBLE


@compiled
def works(f, d, w, c):
    """Say whether a day as it stands keeps every rule about times, loads and the rest."""
    m = lay_out(f, d, w, c, -1, -1, -1, -1, -1)
    return schedule(f, d, w, c, m) != IMPOSSIBLE


@compiled
def works_with(f, d, w, c, k, j, k_load):
    """Say whether a day still works with *j* put at *k*, its load fetched at ``k_load`` if >= 0."""
    m = lay_out(f, d, w, c, -1, k, j, k_load, len(f.task) + f.task[j].kitchen)
    return schedule(f, d, w, c, m) != IMPOSSIBLE
