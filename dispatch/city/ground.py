"""The ground of the synthetic city: real divisions, their points and borders, in metres.

A local plane is enough here: over Taizhou it differs from the geodesic by less than 0.3 %, and the
city leaves that much room wherever it asks whether a home lies in a circle.
"""

import csv
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import pairwise

import numpy as np

# Metres a degree at latitude 32.5 on the WGS-84 ellipsoid.
ORIGIN = np.array([32.5, 120.0])
METRES_A_DEGREE = np.array([110_895.0, 93_987.0])


def to_metres(degrees: np.ndarray) -> np.ndarray:
    """Return (north, east) metres of (latitude, longitude) degrees, both n x 2."""
    return (degrees - ORIGIN) * METRES_A_DEGREE


def to_degrees(metres: np.ndarray) -> np.ndarray:
    """Return (latitude, longitude) degrees of (north, east) metres, both n x 2."""
    return metres / METRES_A_DEGREE + ORIGIN


def inside(points: np.ndarray, rings: list[np.ndarray]) -> np.ndarray:
    """Say for each point (n x 2) whether it lies in one of the rings (even-odd rule)."""
    found = np.zeros(len(points), dtype=bool)
    for ring in rings:
        odd = np.zeros(len(points), dtype=bool)
        for (y0, x0), (y1, x1) in pairwise(ring):
            crosses = (y0 > points[:, 0]) != (y1 > points[:, 0])
            if y0 != y1:
                edge_x = x0 + (points[:, 0] - y0) * (x1 - x0) / (y1 - y0)
                odd ^= crosses & (points[:, 1] < edge_x)
        found |= odd
    return found


@dataclass(frozen=True, slots=True)
class Division:
    """A district (6 digits), town (9) or community (12) with its point.

    ``known`` is false where the point was placed by rule, see ``dispatch/data/settle.py``.
    """

    code: str
    name: str
    lat: float
    lng: float
    known: bool

    @property
    def is_village(self) -> bool:
        """Whether the community lies out in the country rather than at its town's seat."""
        return self.name.endswith(("村委会", "村民委员会"))


@dataclass(frozen=True, slots=True)
class Ground:
    """The divisions of Taizhou and the borders of its districts, in metres."""

    districts: tuple[Division, ...]
    towns: tuple[Division, ...]
    communities: tuple[Division, ...]
    borders: dict[str, list[np.ndarray]]


@lru_cache(maxsize=1)
def read_ground() -> Ground:
    """Return the packaged divisions of Taizhou, in the order of their codes."""
    folder = resources.files("dispatch") / "data"
    with (folder / "taizhou.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            Division(r["code"], r["name"], float(r["lat"]), float(r["lng"]), r["point"] == "known")
            for r in csv.DictReader(file)
        ]
    shapes = json.loads((folder / "districts.geojson").read_text(encoding="utf-8"))
    borders = {
        feature["properties"]["code"]: [
            to_metres(np.array(part[0])[:, ::-1]) for part in feature["geometry"]["coordinates"]
        ]
        for feature in shapes["features"]
    }
    by_length = {n: tuple(d for d in rows if len(d.code) == n) for n in (6, 9, 12)}
    return Ground(by_length[6], by_length[9], by_length[12], borders)
