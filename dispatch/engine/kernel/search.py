"""The annealed ruin-and-recreate search over one block."""

from __future__ import annotations

import numpy as np

from dispatch.engine.kernel.compiled import compiled
from dispatch.engine.kernel.crews import best_crew, move_start, settle_crew
from dispatch.engine.kernel.day import day_cost
from dispatch.engine.kernel.draws import draw, draw_below
from dispatch.engine.kernel.facts import BLIND, BLINK, BOLD, MOVE_STARTS, NOBODY, STRAY
from dispatch.engine.kernel.insertion import best_place, settle, share_cost
from dispatch.engine.kernel.ruin import note_absent, put_back, ruin
from dispatch.engine.kernel.sorting import sort_by


@compiled
def order_keys(f, d, w):
    """Fill the keys by which absent tasks come back: hardest, longest, tightest, earliest or any."""
    u = draw(d.draw)
    for x in range(w.count[2]):
        j = w.out[x].task
        if u < 0.35:
            key = draw(d.draw)
        elif u < 0.6:
            key = -1.0 * f.task[j].service * f.task[j].crew
        elif u < 0.75:
            key = 1.0 * (f.task[j].who_to - f.task[j].who_from)
        elif u < 0.9:
            last = f.task[j].window_to - 1
            key = 1.0 * (f.window[last].hi - f.window[f.task[j].window_from].lo)
        else:
            key = 1.0 * f.window[f.task[j].window_from].lo
        w.key[x] = key


@compiled
def recreate(f, d, w, blink):
    """Put absent tasks back, each where it costs least, or leave it out where that is cheaper."""
    order_keys(f, d, w)
    at_any_cost = blink > 0.0 and draw(d.draw) < w.knob[BOLD]
    sort_by(w.key, w.order, w.count[2])
    for place in range(w.count[2]):
        j = w.out[w.order[place]].task
        bound = np.inf if at_any_cost else f.task[j].penalty
        if f.task[j].crew == 1:
            _, c, k, k_load = best_place(f, d, w, j, bound, blink)
            if c != NOBODY:
                settle(f, d, w, j, c, k, k_load)
        elif best_crew(f, d, w, j, bound, blink):
            settle_crew(f, d, w, j)


@compiled
def next_iteration(f, d, w):
    """Clear the desk."""
    w.stamp[0] += 1
    w.count[0] = 0
    w.count[1] = 0
    w.count[2] = 0
    # Nobody counts where there are no shares.
    for vendor in range(len(f.share_goal)):
        w.served[vendor] = d.served[vendor]


@compiled
def gain(f, d, w, share_before):
    """Return how much dearer the iteration has made the plan."""
    more = share_cost(f, d) - share_before
    for x in range(w.count[0]):
        more += day_cost(f, d, w.touch[x].who) - w.touch[x].cost
    for x in range(w.count[2]):
        j = w.out[x].task
        if w.was[x, 0] != NOBODY and d.member[j, 0] == NOBODY:
            more += f.task[j].penalty
        elif w.was[x, 0] == NOBODY and d.member[j, 0] != NOBODY:
            more -= f.task[j].penalty
    return more


@compiled
def note_stale(b, c):
    """Note that a day now differs from that of the best plan."""
    if not b.day[c].is_stale:
        b.day[c].is_stale = True
        b.stale[b.count[0]] = c
        b.count[0] += 1


@compiled
def keep_best(f, d, b):
    """Copy the days that differ into the best plan."""
    for x in range(b.count[0]):
        c = b.stale[x]
        at = f.person[c].row
        b.day[c].is_stale = False
        b.day[c].size = d.day[c].size
        for y in range(at, at + d.day[c].size):
            node = d.cell[y].node
            b.node[y] = node
            if 0 <= node < len(f.task) and f.task[node].crew > 1:
                b.start[node] = d.start[node]
    b.count[0] = 0
    b.cost[1] = b.cost[0]


@compiled
def move_start_near(f, d, w, b, seed):
    """Agree anew on the start of the first crew near *seed*, if there is one."""
    for x in range(-1, f.near.shape[1]):
        j = seed if x < 0 else f.near[seed, x]
        if j < 0:
            return
        if f.task[j].crew > 1 and not f.task[j].frozen and d.member[j, 0] != NOBODY:
            if move_start(f, d, w, j):
                for m in range(f.task[j].crew):
                    note_stale(b, d.member[j, m])
            return


@compiled
def construct(f, d, w, b):
    """Place every absent task once, greedily: the first plan."""
    share_before = share_cost(f, d)
    next_iteration(f, d, w)
    for j in range(len(f.task)):
        if d.member[j, 0] == NOBODY:
            note_absent(d, w, j)
    recreate(f, d, w, 0.0)
    b.cost[0] += gain(f, d, w, share_before)
    for x in range(w.count[0]):
        note_stale(b, w.touch[x].who)
    if b.cost[0] < b.cost[1]:
        keep_best(f, d, b)


@compiled
def advance(f, d, w, b, iterations, hot, cold, has_crews):
    """Do that many iterations while the temperature falls from *hot* to *cold*."""
    cooling = (cold / hot) ** (1.0 / max(1, iterations))
    heat = hot
    share = share_cost(f, d)
    for _ in range(iterations):
        heat *= cooling
        seed = draw_below(d.draw, len(f.task))
        if has_crews and draw(d.draw) < w.knob[MOVE_STARTS]:
            move_start_near(f, d, w, b, seed)
        next_iteration(f, d, w)
        whole = ruin(f, d, w, seed)
        more = 0.0
        if whole:
            strays = draw(d.draw) < w.knob[STRAY]
            recreate(f, d, w, w.knob[BLIND] if strays else w.knob[BLINK])
            more = gain(f, d, w, share)
        if not whole or more >= -heat * np.log(1.0 - draw(d.draw)):
            put_back(f, d, w)
            for vendor in range(len(f.share_goal)):
                d.served[vendor] = w.served[vendor]
            continue
        share = share_cost(f, d)
        b.cost[0] += more
        for x in range(w.count[0]):
            note_stale(b, w.touch[x].who)
        if b.cost[0] < b.cost[1] - 1e-6:
            keep_best(f, d, b)
