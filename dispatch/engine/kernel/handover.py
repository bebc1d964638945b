"""Taking days over from outside, and giving schedules out."""

from __future__ import annotations

from dispatch.engine.kernel.compiled import compiled
from dispatch.engine.kernel.day import empty, join
from dispatch.engine.kernel.facts import END, NOBODY
from dispatch.engine.kernel.insertion import sound
from dispatch.engine.kernel.ruin import drop, mend
from dispatch.engine.kernel.search import next_iteration
from dispatch.engine.kernel.trips import place_nodes, schedule


@compiled
def read_times(f, d, w, c, nodes, begin, go):
    """Fill the earliest schedule of a day given by its nodes; return its rest as `schedule` does."""
    for x in range(len(nodes)):
        w.cell[x].node = nodes[x]
    place_nodes(f, w, c, len(nodes))
    rest = schedule(f, d, w, c, len(nodes))
    for x in range(len(nodes)):
        begin[x] = w.cell[x].begin
        if x > 0:
            go[x] = f.travel[w.cell[x - 1].spot, w.cell[x].spot]
    return rest


@compiled
def clear(f, d):
    """Leave every day empty."""
    for c in range(len(f.person)):
        empty(f, d, c)


@compiled
def drop_halves(f, d, w):
    """Take out crew tasks of which one day was taken over and the other not."""
    next_iteration(f, d, w)
    for j in range(len(f.task)):
        if (
            f.task[j].crew > 1
            and not f.task[j].frozen
            and d.member[j, 0] != NOBODY
            and d.member[j, f.task[j].crew - 1] == NOBODY
        ):
            drop(f, d, w, j)
    mend(f, d, w)


@compiled
def take_over(f, d, w, c, nodes):
    """Fill an empty day with *nodes*; leave it empty and return False where that breaks a rule."""
    if len(nodes) + 2 > f.person[c].room:
        return False
    at = f.person[c].row
    for x in range(len(nodes)):
        d.cell[at + 1 + x].node = nodes[x]
    d.cell[at + 1 + len(nodes)].node = END
    d.day[c].size = len(nodes) + 2
    if not sound(f, d, w, c):
        empty(f, d, c)
        return False
    for x in range(len(nodes)):
        if 0 <= nodes[x] < len(f.task):
            join(f, d, nodes[x], c)
    return True
