"""The flat arrays that the compiled search reads and writes.

A *block* is a part of the problem that is searched by itself: some caregivers, some tasks, and
their places, each numbered from 0. A caregiver's *day* is a row of nodes that runs over all shifts:

    START, tasks and loads of the first shift, gap 0, tasks and loads of the second, gap 1, ... END

START, the gaps and END stand at the base; a gap is the time between two shifts. From the base to
itself takes nothing, so an empty shift costs nothing. Node numbers: a task is 0 .. N-1, fetching
at kitchen *q* is N + q, START and END are -1 and -2, gap *g* is -3 - g.

A rest may be taken anywhere on the way and costs no travel, so it is no node: every position knows
the earliest departure with the rest behind and with the rest still owing, and the latest arrival
of both kinds. That makes the test of an insertion exact in constant time.

Arrays of records instead of many arrays: compiled functions get few arguments, and what is read
together lies together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

START = -1
END = -2
GAP = -3
NOBODY = -1
NEVER = 1 << 60
"""A time that does not come; two of them still add up within 64 bits."""
MEAN_OUT, LONGEST, SPLIT, GROW, BLINK, BLIND, STRAY, BOLD, MOVE_STARTS = range(9)
"""Positions in ``Desk.knob``; `dispatch.engine.tuning.Tuning` says what each means."""


def _record(**fields: str) -> np.dtype:
    return np.dtype(list(fields.items()), align=True)


TASK = _record(
    service="i8",
    penalty="f8",  # cost of leaving it out
    units="i8",
    ready="i8",
    hold="i8",
    place="i4",
    window_from="i4",  # its windows are window[window_from:window_to]
    window_to="i4",
    who_from="i4",  # its candidates are pair[who_from:who_to]
    who_to="i4",
    crew="i4",
    kitchen="i4",  # number of the place where its load is fetched, or -1
    named="i4",  # how many of its candidates must be of the crew
    is_open="b1",  # counts for the vendors' shares
    frozen="b1",  # stays where and when it is
)
SPAN = _record(lo="i8", hi="i8")
PAIR = _record(extra="f8", who="i4", named="b1")
"""A candidate of a task, what sending that one costs beside travel, and who must go."""
PERSON = _record(
    max_work="i8",
    rest_lo="i8",
    rest_hi="i8",
    rest_s="i8",  # 0 where the shifts leave room for the rest whatever the routes are
    capacity="i8",
    row="i8",  # the day is cell[row:row + room]
    room="i4",
    base="i4",
    vendor="i4",
    twin="i4",  # equal for those who differ in name and skills only
    shift_from="i4",
    shift_to="i4",
)
CELL = _record(
    leave="i8",  # earliest departure, the rest behind or not asked for
    reach="i8",  # latest arrival from which all that follows is possible
    leave_owing="i8",  # the same two with the rest still ahead
    reach_owing="i8",
    # In days with loads only: time on the way since START without waiting, by how much a detour
    # after this node may lengthen what is under way, and the units on board.
    elapsed="i8",
    spare="i8",
    aboard="i8",
    node="i4",
    spot="i4",
)
DAY = _record(
    travel="i8",
    work="i8",  # travel plus service
    extra="f8",  # cost beside travel
    size="i4",  # nodes, START and END included
    loads="i4",  # fetching nodes
    exact="b1",  # outside trips the times alone tell whether an insertion works
)
DRAFT = _record(begin="i8", until="i8", floor="i8", supply="i8", node="i4", spot="i4")
"""A node of a tentative day: start, departure, least start, position that supplies it."""
TOUCHED = _record(cost="f8", extra="f8", at="i8", who="i4", size="i4")
"""A day changed in this iteration: its cost before, where its nodes are kept, and how many."""
MARK = _record(touched="i8", ruined="i8")
OUT = _record(start="i8", task="i4")
"""A task taken out or already out in this iteration, and when it was."""
TWIN = _record(mark="i8", extra="f8", count="i8")
OPTION = _record(cost="f8", lo="i8", hi="i8", who="i4", at="i4", named="b1")
"""A way for one member of a crew to come: starts lo .. hi at a position of a day."""
KEPT = _record(size="i4", is_stale="b1")


class Facts(NamedTuple):
    """What does not change while a block is searched."""

    travel: np.ndarray
    """int32, places x places."""
    task: np.ndarray
    window: np.ndarray
    pair: np.ndarray
    near: np.ndarray
    """int32, tasks x K: tasks that share a caregiver, nearest first, then -1."""
    person: np.ndarray
    shift: np.ndarray
    kitchen: np.ndarray
    """int32: the place of each kitchen."""
    share_goal: np.ndarray
    """float64 a vendor: open tasks of this block that it should serve; empty without shares."""
    weight: np.ndarray
    """float64 [cost of a second of travel, cost of an open task short of a vendor's goal]."""


class Days(NamedTuple):
    """The caregivers' days as they stand."""

    cell: np.ndarray
    day: np.ndarray
    member: np.ndarray
    """int32, tasks x largest crew: who serves a task, then -1."""
    start: np.ndarray
    """int64 a task: the start that a crew has agreed on."""
    served: np.ndarray
    """int64 a vendor: open tasks served."""
    draw: np.ndarray
    """uint64 [1]: state of the random numbers."""


class Desk(NamedTuple):
    """Room for work in progress; nothing here outlives an iteration, except the stamps."""

    cell: np.ndarray
    stamp: np.ndarray
    """int64 [2]: number of the iteration, number of the insertion."""
    touch: np.ndarray
    backup: np.ndarray
    mark: np.ndarray
    out: np.ndarray
    was: np.ndarray
    """int32, as ``out`` x largest crew: who served it."""
    gone: np.ndarray
    """int64 a task: the last iteration in which it was out."""
    key: np.ndarray
    """float64: by what tasks or options are sorted."""
    order: np.ndarray
    rank: np.ndarray
    """int64: tasks that are out, and options, as sorted."""
    twin: np.ndarray
    option: np.ndarray
    pick: np.ndarray
    chosen: np.ndarray
    """int64 a member of a crew: its option, while choosing and as chosen."""
    served: np.ndarray
    count: np.ndarray
    """int64 [touched, used of backup, out, options]."""
    knob: np.ndarray
    """float64: how the search behaves."""


class Best(NamedTuple):
    """The best days so far; days in ``stale`` differ from the present ones."""

    node: np.ndarray
    day: np.ndarray
    start: np.ndarray
    stale: np.ndarray
    count: np.ndarray
    """int64 [stale days]."""
    cost: np.ndarray
    """float64 [present cost, best cost]."""
