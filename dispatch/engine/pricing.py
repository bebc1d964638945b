"""The cheapest route of one shift at given prices: labels over ng-routes, compiled.

`cheapest_routes` finds the least reduced cost over ng-routes (a task may come again once it is
forgotten), which is never above that of a real route: its answer may serve a lower bound. Prices
are multiples of 1/1024, so every sum is exact in double precision and no bound rests on rounding.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dispatch.engine.completion import UNREACHED, next_start
from dispatch.engine.network import RESTED


@njit(cache=True, nogil=True)
def cheapest_routes(net, memory, visit, near, floor, step, threshold, strict, pool, most):
    """Return (least, labels used, settled per node, complete?) of the routes below ``threshold``.

    ``visit[j]`` is toll less price of node j; ``near[i]`` lists the nodes tried after i, ended by
    -1, its last row those after the base; ``floor`` (of `completion_floor`, or empty) prunes. Not
    ``strict``: dominance forgets the memory, so that ``least`` is only a route's cost and no bound.
    After ``most`` labels it gives up.
    Where it is complete and strict, no ng-route costs less than ``least``, at most ``threshold``.
    """
    n = len(net.out)
    room = len(pool.s_cost) // n
    wide = step if step > 0 else 60
    head = np.full((max(1, (net.shift_to - net.shift_from) // wide + 2), n), -1, np.int32)
    settled = np.zeros(n, np.int64)
    staged = len(net.out) > net.tasks or net.rest_s > 0
    scratch = np.zeros(memory.keep.shape[1], np.uint64)
    batch = np.zeros(1024, np.int64)
    used = _extend(
        net,
        memory,
        visit,
        near,
        floor,
        step,
        threshold,
        strict,
        pool,
        settled,
        room,
        staged,
        scratch,
        head,
        wide,
        0,
        -1,
    )
    least = threshold
    if used < 0:
        return least, len(pool.cost), settled, False
    for q in range(len(head)):
        again = True
        while again:
            again = False
            for i in range(n):
                x = head[q, i]
                if x < 0:
                    continue
                again = True
                head[q, i] = -1
                size = 0
                while x >= 0:
                    if size == len(batch):
                        batch = np.concatenate((batch, np.zeros(size, np.int64)))
                    batch[size] = x
                    size += 1
                    x = pool.follow[x]
                order = batch[:size][np.argsort(pool.cost[batch[:size]])]
                for x in order:
                    base = i * room
                    state = pool.state[x]
                    bad, place = _dominated(
                        pool,
                        memory,
                        base,
                        settled[i],
                        pool.cost[x],
                        pool.time[x],
                        state[0],
                        state[1],
                        state[2],
                        pool.mem[x],
                        strict,
                        staged,
                    )
                    if bad:
                        continue
                    if settled[i] == room:
                        return least, used, settled, False
                    _settle(pool, base, place, settled[i], x)
                    settled[i] += 1
                    least = min(least, finish(net, i, pool.time[x], state[0], pool.cost[x]))
                    used = _extend(
                        net,
                        memory,
                        visit,
                        near,
                        floor,
                        step,
                        threshold,
                        strict,
                        pool,
                        settled,
                        room,
                        staged,
                        scratch,
                        head,
                        wide,
                        used,
                        x,
                    )
                    if used < 0 or used > most:
                        return least, len(pool.cost), settled, False
    return least, used, settled, True


@njit(cache=True, nogil=True)
def finish(net, i, time, state, cost):
    """Return the cost of a route that goes home from node i, started there at ``time``."""
    if i >= net.tasks:
        return UNREACHED
    leave = time + net.service[i]
    home = leave + net.back[i]
    if home > net.shift_to:
        return UNREACHED
    if net.rest_s > 0 and not state & RESTED:
        outside = max(home, net.rest_from) + net.rest_s <= net.rest_to
        after = max(leave, net.rest_from) + net.rest_s
        if not outside and (after > net.rest_to or after + net.back[i] > net.shift_to):
            return UNREACHED
    return cost + net.per_second * net.back[i]


@njit(cache=True, nogil=True)
def _settle(pool, base, place, count, x):
    """Put label x at ``place`` among the ``count`` settled ones of its node."""
    for r in range(base + count, base + place, -1):
        pool.s_cost[r] = pool.s_cost[r - 1]
        pool.s_time[r] = pool.s_time[r - 1]
        pool.s_label[r] = pool.s_label[r - 1]
        for k in range(3):
            pool.s_state[r, k] = pool.s_state[r - 1, k]
        for w in range(pool.mem.shape[1]):
            pool.s_mem[r, w] = pool.s_mem[r - 1, w]
    r = base + place
    pool.s_cost[r] = pool.cost[x]
    pool.s_time[r] = pool.time[x]
    pool.s_label[r] = x
    for k in range(3):
        pool.s_state[r, k] = pool.state[x, k]
    for w in range(pool.mem.shape[1]):
        pool.s_mem[r, w] = pool.mem[x, w]


@njit(cache=True, nogil=True)
def _extend(
    net,
    memory,
    visit,
    near,
    floor,
    step,
    threshold,
    strict,
    pool,
    settled,
    room,
    staged,
    scratch,
    head,
    wide,
    used,
    x,
):
    """Push what follows label x (-1: the base) and return the labels used, -1 when full."""
    i = len(net.out) if x < 0 else pool.node[x]
    for rest in range(2 if net.rest_s > 0 and (x < 0 or not pool.state[x, 0] & RESTED) else 1):
        for r in range(near.shape[1]):
            j = near[i, r]
            if j < 0:
                break
            if used == len(pool.cost):
                return -1
            start, value = _arrive(net, visit, pool, x, i, j, rest)
            if start < 0 or not _remember(net, memory, pool, scratch, x, j):
                continue
            value += _toggle(memory, pool, scratch, x, j)
            if len(floor) and value + floor[j, (start - net.shift_from) // step] >= threshold:
                continue
            on, units, age = 0, 0, 0
            if staged:
                fits, on, units, age = _carry(net, pool, x, i, j, rest)
                if not fits:
                    continue
            bad, _ = _dominated(
                pool,
                memory,
                j * room,
                settled[j],
                value,
                start,
                on,
                units,
                age,
                scratch,
                strict,
                staged,
            )
            if bad:
                continue
            pool.cost[used] = value
            pool.time[used] = start
            pool.node[used] = j
            pool.before[used] = x
            pool.state[used, 0] = on
            pool.state[used, 1] = units
            pool.state[used, 2] = age
            for w in range(len(scratch)):
                pool.mem[used, w] = scratch[w]
            q = (start - net.shift_from) // wide
            pool.follow[used] = head[q, j]
            head[q, j] = used
            used += 1
    return used


@njit(cache=True, nogil=True)
def _arrive(net, visit, pool, x, i, j, rest):
    """Return (start, cost) at node j after label x; start -1 where it cannot be."""
    if x < 0:
        seconds = net.out[j]
        cost = 0.0
        leave = net.shift_from
    else:
        seconds = net.travel[i, j]
        cost = pool.cost[x]
        leave = pool.time[x] + net.service[i]
    ready = leave + seconds
    if rest:
        if max(leave, net.rest_from) + net.rest_s > net.rest_to and x >= 0:
            return -1, 0.0
        # Before the shift the rest costs no working time; inside, it may lie anywhere on the way.
        if x < 0 and net.rest_from < leave:
            ready = max(leave, net.rest_from + net.rest_s) + seconds
        else:
            ready = max(ready, net.rest_from) + net.rest_s
    start = next_start(net, j, ready)
    if start < 0:
        return -1, 0.0
    due = net.rest_s > 0 and not rest and (x < 0 or not pool.state[x, 0] & RESTED)
    if due and max(start + net.service[j], net.rest_from) + net.rest_s > net.rest_to:
        return -1, 0.0
    return start, cost + net.per_second * seconds + visit[j]


@njit(cache=True, nogil=True)
def _remember(net, memory, pool, scratch, x, j):
    """Write the task words of the memory at j after label x; False where j is remembered."""
    for w in range(memory.words):
        was = np.uint64(0) if x < 0 else pool.mem[x, w]
        if j < net.tasks and was & memory.own[j, w]:
            return False
        scratch[w] = (was & memory.keep[j, w]) | memory.own[j, w]
    return True


@njit(cache=True, nogil=True)
def _toggle(memory, pool, scratch, x, j):
    """Write the cut words of the memory at j after label x and return the fees that fall due."""
    due = 0.0
    for w in range(memory.words, memory.keep.shape[1]):
        was = np.uint64(0) if x < 0 else pool.mem[x, w] & memory.keep[j, w]
        paid = was & memory.own[j, w]
        if paid:
            due += _fees(paid, memory.fee, (w - memory.words) * 64)
        scratch[w] = was ^ memory.own[j, w]
    return due


@njit(cache=True, nogil=True)
def _carry(net, pool, x, i, j, rest):
    """Return (fits?, sources and rest, units, age) at node j after label x."""
    on, units, age = 0, 0, 0
    if x >= 0:
        on = pool.state[x, 0]
        units = pool.state[x, 1]
        age = pool.state[x, 2] + net.service[i] + net.travel[i, j]
    if rest:
        on |= RESTED
    if net.gives[j]:
        return True, on | net.gives[j], 0, 0
    if net.needs[j]:
        units += net.units[j]
        fits = on & net.needs[j] and units <= net.capacity and age <= net.hold[j]
        return fits, on, units, age
    return True, on, units, age


@njit(cache=True, nogil=True)
def _fees(lost, fee, first):
    """Return the fees of the cuts whose bits are set in the word ``lost``."""
    total = 0.0
    c = first
    while lost != np.uint64(0):
        if lost & np.uint64(1):
            total += fee[c]
        lost = lost >> np.uint64(1)
        c += 1
    return total


@njit(cache=True, nogil=True)
def _dominated(pool, memory, base, count, cost, time, on, units, age, mem, strict, staged):
    """Return (dominated?, its place in order of cost) among the settled labels of a node."""
    place = count
    for r in range(base, base + count):
        if pool.s_cost[r] > cost:
            place = r - base
            break
        if pool.s_time[r] > time:
            continue
        if staged and (
            on & ~pool.s_state[r, 0] or pool.s_state[r, 1] > units or pool.s_state[r, 2] > age
        ):
            continue
        over = False
        for w in range(memory.words if strict else 0):
            if pool.s_mem[r, w] & ~mem[w]:
                over = True
                break
        if over:
            continue
        owed = 0.0
        for w in range(memory.words, memory.keep.shape[1]):
            lost = pool.s_mem[r, w] & ~mem[w]
            if lost:
                owed += _fees(lost, memory.fee, (w - memory.words) * 64)
        if pool.s_cost[r] + owed <= cost:
            return True, 0
    return False, place


@njit(cache=True, nogil=True)
def trace(pool, label):
    """Return the nodes of the label's route, in order."""
    count = 0
    x = label
    while x >= 0:
        count += 1
        x = pool.before[x]
    nodes = np.empty(count, np.int64)
    x = label
    for k in range(count - 1, -1, -1):
        nodes[k] = pool.node[x]
        x = pool.before[x]
    return nodes


@njit(cache=True, nogil=True)
def best_labels(net, pool, settled, per_node, threshold):
    """Return (costs, labels), cheapest first, of routes below ``threshold``, few from a node."""
    n = len(settled)
    room = len(pool.s_cost) // n
    costs = np.empty(n * per_node)
    labels = np.empty(n * per_node, np.int64)
    count = 0
    for i in range(n):
        for r in range(min(settled[i], per_node)):
            at = i * room + r
            cost = finish(net, i, pool.s_time[at], pool.s_state[at, 0], pool.s_cost[at])
            if cost < threshold:
                costs[count] = cost
                labels[count] = pool.s_label[at]
                count += 1
    order = np.argsort(costs[:count])
    return costs[:count][order], labels[:count][order]
