"""Seconds from place to place, exactly as the contract counts them.

``ceil(geodesic x detour / speed_mps) + stop_s``, 0 from a place number to itself; or the given
matrix. Whole arrays are computed at once. A value so close to a whole second that the error of the
fast method could tip it is computed again with geopy, so that every result is the contract's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from dispatch.geo import (
    FAR_ERROR_M,
    NEAR_M,
    Spots,
    karney_m,
    metres_far,
    metres_near,
    near_error_m,
)
from dispatch.model import Places, Problem, TravelModel

Array = np.ndarray
# Pairs computed at one go: their twenty temporary arrays stay within the processor's cache.
_CHUNK = 1 << 15


class Travel:
    """Exact seconds between places, for one pair, many pairs or a block.

    It holds a few numbers a place and no matrix of its own, so that 50,000 places are as welcome
    as 50. All results are whole seconds; arrays are int32 (sums need 64 bits). ``spots`` are the
    places on the globe, None where a matrix is given.
    """

    def __init__(self, places: Places, model: TravelModel) -> None:
        self.places = places
        self.model = model
        self.spots = None if places.seconds is not None else Spots.of(places.coordinates)

    @classmethod
    def of(cls, problem: Problem) -> Travel:
        """Return the travel between the places of *problem*."""
        return cls(problem.places, problem.travel)

    def between(self, start: int, end: int) -> int:
        """Return the seconds from place *start* to place *end*."""
        if start == end:
            return 0
        if self.spots is None:
            return int(self.places.seconds[start, end])
        return int(self.pairs(np.array([start]), np.array([end]))[0])

    def pairs(self, starts: Array, ends: Array) -> Array:
        """Return the seconds from each of *starts* to the one of *ends* at the same position."""
        starts = np.asarray(starts, dtype=np.int64)
        ends = np.asarray(ends, dtype=np.int64)
        if self.spots is None:
            return self.places.seconds[starts, ends]
        result = np.empty(len(starts), dtype=np.int32)
        for at in range(0, len(starts), _CHUNK):
            part = slice(at, at + _CHUNK)
            result[part] = self._seconds(starts[part], ends[part])
        return result

    def block(self, rows: Array, columns: Array | None = None) -> Array:
        """Return seconds from each place of *rows* to each of *columns* (None: the rows again).

        len(rows) x len(columns), int32. The caller bounds the size: 5,000 x 5,000 takes 100 MB and
        two seconds.
        """
        rows = np.asarray(rows, dtype=np.int64)
        columns = rows if columns is None else np.asarray(columns, dtype=np.int64)
        if self.spots is None:
            return self.places.seconds[np.ix_(rows, columns)]
        result = np.empty((len(rows), len(columns)), dtype=np.int32)
        for part in _rows_at_once(len(rows), len(columns)):
            starts = rows[part][:, None]
            result[part] = self._seconds(starts, columns[None, :])
        return result

    def _seconds(self, starts: Array, ends: Array) -> Array:
        """Return the seconds for two index arrays that broadcast."""
        metres = metres_near(self.spots.at(starts), self.spots.at(ends))
        error = near_error_m(metres)
        far = metres > NEAR_M
        if far.any():
            one, other = np.broadcast_arrays(starts, ends)
            metres[far] = self._far(one[far], other[far])
            error[far] = FAR_ERROR_M
        rate = self.model.detour / self.model.speed_mps
        seconds = metres * rate
        whole = np.ceil(seconds)
        # The last term is for the rounding of the two multiplications themselves.
        doubtful = np.abs(seconds - np.rint(seconds)) <= error * rate + 1e-12 * seconds
        doubtful &= metres > 0
        same = starts == ends
        if doubtful.any():
            one, other = np.broadcast_arrays(starts, ends)
            for at in zip(*np.nonzero(doubtful & ~same), strict=True):
                whole[at] = self._by_geopy(int(one[at]), int(other[at]))
        whole += self.model.stop_s
        whole[same] = 0
        return whole

    def _far(self, starts: Array, ends: Array) -> Array:
        degrees = self.places.coordinates
        metres = metres_far(
            degrees[starts, 0], degrees[starts, 1], degrees[ends, 0], degrees[ends, 1]
        )
        for at in np.flatnonzero(np.isnan(metres)):
            metres[at] = karney_m(*degrees[starts[at]], *degrees[ends[at]])
        return metres

    def _by_geopy(self, start: int, end: int) -> int:
        degrees = self.places.coordinates
        metres = karney_m(*degrees[start], *degrees[end])
        return math.ceil(metres * self.model.detour / self.model.speed_mps)


def _rows_at_once(rows: int, columns: int) -> Iterator[slice]:
    """Yield slices over *rows* that hold about `_CHUNK` pairs each."""
    step = max(1, _CHUNK // max(1, columns))
    for at in range(0, rows, step):
        yield slice(at, at + step)
