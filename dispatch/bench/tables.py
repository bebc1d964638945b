"""Benchmark files in whole units, rounded as the convention says, and who is near whom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dispatch.bench.files import VrptwFile

Array = np.ndarray
NEAR, AROUND = 60, 300
WARP_WEIGHT = 0.3
"""What a minute too late weighs against distance in who is ruined with whom."""
WAIT_WEIGHT = 0.2
"""What a minute of waiting weighs against distance in who is near whom."""


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """A file in whole units of ``1 / scale``, rounded as the convention says."""

    file: VrptwFile
    scale: int
    distance: Array  # (n, n)
    facts: Array  # (n, 4): demand, service, ready, due


def tables_of(file: VrptwFile, rounding: str) -> Tables:
    """Return distances and times cut to tenths (``dimacs``), or as fine as 64 bits allow.

    Fine units are rounded up for times: what is in time in them is so in real numbers.
    """
    apart = np.hypot(*(file.spots[:, None, k] - file.spots[None, :, k] for k in range(2)))
    times = np.stack([file.service, file.ready, file.due], axis=1)
    if rounding == "dimacs":
        scale, kind = 10, np.int32
        distance, times = np.floor(apart * scale), np.floor(times * scale)
    else:
        scale, kind = 10**6, np.int64
        # A root that is whole must stay whole: the tolerance is far below a unit.
        distance = np.ceil(apart * scale - 1e-4)
        times = np.stack(
            [np.ceil(times[:, 0] * scale), np.ceil(times[:, 1] * scale), times[:, 2] * scale], 1
        )
    facts = np.concatenate([file.demand[:, None], times], axis=1)
    return Tables(file, scale, distance.astype(kind), np.floor(facts).astype(kind))


def neighbours(tables: Tables) -> tuple[Array, Array, Array]:
    """Return who is near whom, who may stand before or after whom, and who is ruined together."""
    d = tables.distance.astype(float)
    service, ready, due = tables.facts[:, 1:].T.astype(float)
    n = len(d)
    early = np.maximum(ready, ready[0] + d[0])
    late = np.minimum(due, due[0] - d[:, 0] - service)
    arrive = (early + service)[:, None] + d
    after = arrive <= late[None, :]  # the column may follow the row
    after[0, :] = after[:, 0] = False
    np.fill_diagonal(after, False)
    wait = np.maximum(0.0, early[None, :] - late[:, None] - service[:, None] - d)
    cost = np.where(after, d + WAIT_WEIGHT * wait, np.inf)
    cost = np.minimum(cost, cost.T)
    k = max(1, min(NEAR, n - 2))
    near = np.argsort(cost, axis=1, kind="stable")[:, :k]
    by_distance = np.argsort(np.take_along_axis(d, near, 1), axis=1, kind="stable")
    near = np.take_along_axis(near, by_distance, 1)
    rows = np.arange(n)[:, None]
    fits = after[near, rows] * 1 + after[rows, near] * 2
    warp = np.maximum(0.0, (ready + service)[:, None] + d - due[None, :])
    far = d + WARP_WEIGHT * (WAIT_WEIGHT * np.maximum(0.0, wait) + warp)
    far = np.minimum(far, far.T)
    np.fill_diagonal(far, -1.0)
    far[:, 0] = np.inf
    around = np.argsort(far, axis=1, kind="stable")[:, : min(AROUND, n - 1)]
    return near.astype(np.int32), fits.astype(np.int8), np.ascontiguousarray(around, np.int32)
