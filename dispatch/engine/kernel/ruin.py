"""Taking strings of neighbouring tasks out of neighbouring days, and putting days back.

Christiaens and Vanden Berghe, Slack Induction by String Removals (Transportation Science 54, 2020).
"""

from __future__ import annotations

from dispatch.engine.kernel.compiled import compiled
from dispatch.engine.kernel.day import empty, extra_of, refresh
from dispatch.engine.kernel.draws import draw, draw_below
from dispatch.engine.kernel.facts import GROW, LONGEST, MEAN_OUT, NOBODY, SPLIT
from dispatch.engine.kernel.insertion import sound, touch


@compiled
def note_absent(d, w, j):
    """Put *j* on the list of those that are out, once an iteration."""
    if w.gone[j] == w.stamp[0]:
        return
    w.gone[j] = w.stamp[0]
    n = w.count[2]
    w.out[n].task = j
    w.out[n].start = d.start[j]
    for x in range(d.member.shape[1]):
        w.was[n, x] = d.member[j, x]
    w.count[2] = n + 1


@compiled
def drop(f, d, w, j):
    """Take *j* out of the day or days that it is in; they must be refreshed afterwards."""
    note_absent(d, w, j)
    if f.task[j].is_open and d.member[j, 0] != NOBODY:
        d.served[f.person[d.member[j, 0]].vendor] -= 1
    for m in range(d.member.shape[1]):
        c = d.member[j, m]
        if c == NOBODY:
            break
        d.member[j, m] = NOBODY
        touch(f, d, w, c)
        at = f.person[c].row
        y = at
        for x in range(at, at + d.day[c].size):
            if d.cell[x].node != j:
                d.cell[y].node = d.cell[x].node
                y += 1
        d.day[c].size = y - at
        d.day[c].extra -= extra_of(f, j, c)


@compiled
def drop_idle_loads(f, d, c):
    """Take out the fetchings from which nobody is served any more."""
    if d.day[c].loads == 0:
        return
    at = f.person[c].row
    tasks = len(f.task)
    y = at
    for x in range(at, at + d.day[c].size):
        node = d.cell[x].node
        idle = node >= tasks
        if idle:
            for z in range(x + 1, at + d.day[c].size):
                other = d.cell[z].node
                if other < 0 or other == node:
                    break
                if other < tasks and f.task[other].kitchen == node - tasks:
                    idle = False
                    break
        if not idle:
            d.cell[y].node = node
            y += 1
    d.day[c].size = y - at


@compiled
def string_of(f, d, w, c, j):
    """Take a string of tasks that holds *j* out of *c*'s day."""
    at = f.person[c].row
    n = 0  # tasks of the day, in order, in w.supply
    here = 0
    for x in range(at, at + d.day[c].size):
        node = d.cell[x].node
        if 0 <= node < len(f.task):
            if node == j:
                here = n
            w.cell[n].supply = node
            n += 1
    length = 1 + draw_below(d.draw, min(int(w.knob[LONGEST]), n))
    kept = 0
    if 1 < length < n and draw(d.draw) < w.knob[SPLIT]:
        while length + kept < n and draw(d.draw) < w.knob[GROW]:
            kept += 1
    lowest = max(0, here - length - kept + 1)
    highest = min(here, n - length - kept)
    start = lowest + draw_below(d.draw, highest - lowest + 1)
    keep_from = start + draw_below(d.draw, length + 1) if kept > 0 else n
    for x in range(start, start + length + kept):
        out = w.cell[x].supply
        if (x < keep_from or x >= keep_from + kept) and not f.task[out].frozen:
            drop(f, d, w, out)


@compiled
def ruin(f, d, w, seed):
    """Take strings out of the days around the task *seed*, and note who was out already.

    Returns whether what is left keeps every rule; it may not where a way is longer than a detour.
    """
    strings = 1 + int(draw(d.draw) * (4.0 * w.knob[MEAN_OUT] / (1.0 + w.knob[LONGEST]) - 1.0))
    cut = 0
    for x in range(-1, f.near.shape[1]):
        j = seed if x < 0 else f.near[seed, x]
        if j < 0:
            break
        if d.member[j, 0] == NOBODY:
            note_absent(d, w, j)
            continue
        if cut >= strings or f.task[j].frozen:
            continue
        c = NOBODY
        for m in range(f.task[j].crew):
            if w.mark[d.member[j, m]].ruined != w.stamp[0]:
                c = d.member[j, m]
                break
        if c == NOBODY:
            continue
        w.mark[c].ruined = w.stamp[0]
        cut += 1
        string_of(f, d, w, c, j)
    return mend(f, d, w)


@compiled
def mend(f, d, w):
    """Refresh every touched day; one that no longer works gives back all its tasks."""
    x = 0
    while x < w.count[0]:
        c = w.touch[x].who
        drop_idle_loads(f, d, c)
        if sound(f, d, w, c):
            x += 1
            continue
        at = f.person[c].row
        n = 0
        for y in range(at, at + d.day[c].size):
            if 0 <= d.cell[y].node < len(f.task):
                w.cell[n].supply = d.cell[y].node
                n += 1
        for y in range(n):
            if f.task[w.cell[y].supply].frozen:
                return False
        if n == 0:
            return False
        for y in range(n):
            drop(f, d, w, w.cell[y].supply)
        empty(f, d, c)
        # A partner's day may have changed that was looked at before.
        x = 0
    return True


@compiled
def put_back(f, d, w):
    """Undo the iteration: touched days and absent tasks are as they were."""
    for x in range(w.count[2]):
        j = w.out[x].task
        d.start[j] = w.out[x].start
        for m in range(d.member.shape[1]):
            d.member[j, m] = w.was[x, m]
    for x in range(w.count[0]):
        c = w.touch[x].who
        at = f.person[c].row
        for y in range(w.touch[x].size):
            d.cell[at + y].node = w.backup[w.touch[x].at + y]
        d.day[c].size = w.touch[x].size
    for x in range(w.count[0]):
        c = w.touch[x].who
        d.day[c].extra = w.touch[x].extra
        refresh(f, d, c)
