"""Geodesic metres on WGS-84 for whole arrays, with a bound on the error of each.

Three methods, each where it is at home. Near by, the straight chord through the earth is stretched
by the curvature of the ellipsoid half way; its error grows with the fourth power of the distance
and stays below a tenth of a millimetre up to `NEAR_M`. Farther, Vincenty's inverse (Survey Review
23, 1975). Where that does not converge, almost on the other side of the globe, Karney's, which is
what ``geopy.distance.geodesic`` computes one pair at a time and what the contract means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from geopy.distance import geodesic

Array = np.ndarray

AXIS_M = 6_378_137.0
FLATTENING = 1 / 298.257223563
ECCENTRICITY2 = FLATTENING * (2 - FLATTENING)
NEAR_M = 100_000.0
# Of Vincenty's series, which drops terms of the fourth power of the flattening: measured against
# Karney's it stays below 0.1 mm everywhere, so that this is ten times too much.
FAR_ERROR_M = 1e-3


def near_error_m(metres: Array) -> Array:
    """Return how far `metres_near` may be off at that distance, in metres; ten times the measured.

    First the rounding in coordinates of six million metres, then the azimuth, which is only of the
    first order.
    """
    return 1e-7 + 5e-25 * metres**4


def karney_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Return the metres that geopy gives for one pair: the contract's measure of distance."""
    return float(geodesic((lat1, lon1), (lat2, lon2)).m)


@dataclass(frozen=True, slots=True)
class Spots:
    """What `metres_near` needs of each of n points: earth-centred metres and curvatures.

    ``xyz`` is 3 x n; ``lat`` is in radians; ``meridian`` and ``prime`` are the curvatures (1/m)
    northward and eastward.
    """

    xyz: Array
    lat: Array
    meridian: Array
    prime: Array

    @classmethod
    def of(cls, coordinates: Array) -> Spots:
        """Return the spots of n x 2 degrees, latitude first."""
        lat, lon = np.radians(coordinates[:, 0]), np.radians(coordinates[:, 1])
        w2 = 1 - ECCENTRICITY2 * np.sin(lat) ** 2
        prime = AXIS_M / np.sqrt(w2)
        xyz = np.stack(
            [
                prime * np.cos(lat) * np.cos(lon),
                prime * np.cos(lat) * np.sin(lon),
                prime * (1 - ECCENTRICITY2) * np.sin(lat),
            ]
        )
        meridian = prime * (1 - ECCENTRICITY2) / w2
        return cls(xyz=xyz, lat=lat, meridian=1 / meridian, prime=1 / prime)

    def at(self, index: Array) -> Spots:
        """Return the spots at *index*, in its shape."""
        return Spots(self.xyz[:, index], self.lat[index], self.meridian[index], self.prime[index])


def metres_near(one: Spots, other: Spots) -> Array:
    """Return metres between spots whose shapes broadcast, exact up to `NEAR_M`.

    Beyond `NEAR_M` the result is still larger than `NEAR_M`, but no longer exact.
    """
    chord2 = (one.xyz[0] - other.xyz[0]) ** 2
    chord2 += (one.xyz[1] - other.xyz[1]) ** 2
    chord2 += (one.xyz[2] - other.xyz[2]) ** 2
    north = one.meridian + other.meridian
    north *= 0.5
    east = one.prime + other.prime
    east *= 0.5
    # The share of the way that goes north, squared: at a single spot it does not matter.
    along = one.lat - other.lat
    along /= north
    along *= along
    along /= np.maximum(chord2, 1e-12)
    np.minimum(along, 1.0, out=along)
    north -= east
    along *= north
    bend2 = along + east
    bend2 *= bend2
    bend2 *= chord2
    # 2 R asin(chord / 2R) as a series.
    return np.sqrt(chord2) * (1 + bend2 * (1 / 24 + bend2 * (3 / 640)))


def metres_far(lat1: Array, lon1: Array, lat2: Array, lon2: Array) -> Array:
    """Return metres by Vincenty's inverse for four arrays of degrees; NaN where it fails."""
    f, a = FLATTENING, AXIS_M
    b = a * (1 - f)
    u1 = np.arctan((1 - f) * np.tan(np.radians(lat1)))
    u2 = np.arctan((1 - f) * np.tan(np.radians(lat2)))
    sin1, cos1, sin2, cos2 = np.sin(u1), np.cos(u1), np.sin(u2), np.cos(u2)
    turn = (np.radians(np.asarray(lon2) - lon1) + np.pi) % (2 * np.pi) - np.pi
    lam = turn.copy()
    with np.errstate(invalid="ignore", divide="ignore"):
        for _ in range(60):
            sin_l, cos_l = np.sin(lam), np.cos(lam)
            sin_s = np.hypot(cos2 * sin_l, cos1 * sin2 - sin1 * cos2 * cos_l)
            cos_s = sin1 * sin2 + cos1 * cos2 * cos_l
            sigma = np.arctan2(sin_s, cos_s)
            sin_a = np.where(sin_s > 0, cos1 * cos2 * sin_l / sin_s, 0.0)
            cos2_a = 1 - sin_a**2
            cos_2m = np.where(cos2_a > 1e-15, cos_s - 2 * sin1 * sin2 / cos2_a, 0.0)
            c = f / 16 * cos2_a * (4 + f * (4 - 3 * cos2_a))
            wave = cos_2m + c * cos_s * (2 * cos_2m**2 - 1)
            before = lam
            lam = turn + (1 - c) * f * sin_a * (sigma + c * sin_s * wave)
            moved = np.abs(lam - before)
            if not (moved > 1e-12).any():
                break
    u_2 = cos2_a * (a * a - b * b) / (b * b)
    big_a = 1 + u_2 / 16384 * (4096 + u_2 * (-768 + u_2 * (320 - 175 * u_2)))
    big_b = u_2 / 1024 * (256 + u_2 * (-128 + u_2 * (74 - 47 * u_2)))
    third = big_b / 6 * cos_2m * (4 * sin_s**2 - 3) * (4 * cos_2m**2 - 3)
    bent = cos_2m + big_b / 4 * (cos_s * (2 * cos_2m**2 - 1) - third)
    metres = b * big_a * (sigma - big_b * sin_s * bent)
    return np.where((moved <= 1e-12) & (np.abs(lam) <= np.pi), metres, np.nan)
