"""What a route still costs at least, from a node and a time on: the floor under every label.

Backward over time steps, times rounded down, without memory but for the last node (no way back to
where one has just come from) and without loading. The floor prunes labels, and alone it is already
a valid, if weaker, answer to the pricing question when labels grow too many.
"""

from __future__ import annotations

import numpy as np
from numba import njit

UNREACHED = 1e18


@njit(cache=True, nogil=True)
def next_start(net, j, second):
    """Return the first second at or after ``second`` when node j may start, or -1."""
    for w in range(net.window_from[j], net.window_from[j + 1]):
        if second <= net.closes[w]:
            return max(second, net.opens[w])
    return -1


@njit(cache=True, nogil=True)
def completion_floor(net, visit, step):
    """Return (floor, least): floor[j, q] bounds the cost from node j on, least a whole route's.

    ``visit[j]`` is the cost of a visit at these prices (toll less price). Start times lie in step
    ``q = (start - shift_from) // step``; the cost of reaching j and ``visit[j]`` are not included.
    ``step`` must not exceed the shortest time from one task's start to the next one's.
    """
    n = len(net.out)
    steps = (net.shift_to - net.shift_from) // step + 2
    best = np.full((n, steps), UNREACHED)
    other = np.full((n, steps), UNREACHED)
    via = np.full((n, steps), -1, np.int64)
    for q in range(steps - 1, -1, -1):
        low = net.shift_from + q * step
        for i in range(n):
            start = next_start(net, i, low)
            if 0 <= start < low + step:
                _floor_from(net, visit, step, best, other, via, i, q, start)
    least = 0.0
    for j in range(net.tasks):
        start = next_start(net, j, net.shift_from + net.out[j])
        if start >= 0:
            value = best[j, (start - net.shift_from) // step]
            least = min(least, value + net.per_second * net.out[j] + visit[j])
    return best, least


@njit(cache=True, nogil=True)
def _floor_from(net, visit, step, best, other, via, i, q, start):
    """Fill in node i at step q: the least, and the least whose next node is not that one's."""
    first = UNREACHED
    if i < net.tasks:
        first = float(net.per_second * net.back[i])
    second = first
    by = -1
    leave = start + net.service[i]
    for j in range(net.tasks):
        at = next_start(net, j, leave + net.travel[i, j])
        if j == i or at < 0:
            continue
        p = (at - net.shift_from) // step
        value = other[j, p] if via[j, p] == i else best[j, p]
        value += net.per_second * net.travel[i, j] + visit[j]
        if value < first:
            if by != j:
                second = first
            first = value
            by = j
        elif value < second and j != by:
            second = value
    best[i, q] = first
    other[i, q] = second
    via[i, q] = by
