"""What pricing works on, as flat arrays: a shift's network, what labels remember, their buffers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

RESTED = 1 << 30


class Net(NamedTuple):
    """One shift's network of n nodes: the first ``tasks`` are tasks, the others sources.

    A source is a load place from one ready second on.

    Seconds are int64. ``needs`` and ``gives`` are masks over sources: a task needs one of its bits
    on board (none when 0); a source sets its bits and empties the count of units since the last
    loading.
    """

    tasks: int
    travel: np.ndarray
    out: np.ndarray
    back: np.ndarray
    service: np.ndarray
    window_from: np.ndarray
    opens: np.ndarray
    closes: np.ndarray
    toll: np.ndarray
    needs: np.ndarray
    gives: np.ndarray
    units: np.ndarray
    hold: np.ndarray
    capacity: int
    shift_from: int
    shift_to: int
    rest_from: int
    rest_to: int
    rest_s: int
    per_second: int


class Memory(NamedTuple):
    """What labels remember, in 64-bit words: ``words`` over tasks, then those over cuts.

    ``keep[j]`` masks what survives the arrival at node j; ``own[j]`` is then added (task words) or
    toggled (cut words). ``fee[c]`` is paid each time the bit of cut c falls back to zero.
    """

    words: int
    keep: np.ndarray
    own: np.ndarray
    fee: np.ndarray


class Pool(NamedTuple):
    """Buffers of labels, and (``s_``) of the settled labels of each node in order of cost."""

    cost: np.ndarray
    time: np.ndarray
    node: np.ndarray
    before: np.ndarray
    follow: np.ndarray
    state: np.ndarray
    mem: np.ndarray
    s_cost: np.ndarray
    s_time: np.ndarray
    s_state: np.ndarray
    s_mem: np.ndarray
    s_label: np.ndarray


def make_pool(labels: int = 3_000_000, settled: int = 2_000_000, words: int = 5) -> Pool:
    """Return buffers for so many labels, shared by every class of a process.

    ``state`` holds three numbers a label: sources on board and rest (bits), units delivered and
    seconds of travel and service since the last loading.
    """
    return Pool(
        cost=np.zeros(labels),
        time=np.zeros(labels, np.int32),
        node=np.zeros(labels, np.int16),
        before=np.zeros(labels, np.int32),
        follow=np.zeros(labels, np.int32),
        state=np.zeros((labels, 3), np.int32),
        mem=np.zeros((labels, words), np.uint64),
        s_cost=np.zeros(settled),
        s_time=np.zeros(settled, np.int32),
        s_state=np.zeros((settled, 3), np.int32),
        s_mem=np.zeros((settled, words), np.uint64),
        s_label=np.zeros(settled, np.int32),
    )
