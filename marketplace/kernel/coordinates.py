"""WGS-84, GCJ-02 and BD-09: what arrives in the maps' systems of China is converted at the door.

All functions take and return arrays (or single values) of degrees, latitude first. GCJ-02 is
undone by fixed-point rounds, to less than a millimetre.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

# The Krasovsky ellipsoid, on which the GCJ-02 shift is defined.
_AXIS_M = 6378245.0
_ECCENTRICITY_SQUARED = 0.00669342162296594323
_BAIDU = np.pi * 3000.0 / 180.0
_ROUNDS = 6

Degrees = tuple[np.ndarray, np.ndarray]


class CoordinateSystem(StrEnum):
    """The systems in which coordinates of China are given."""

    WGS84 = "wgs84"  # GPS, Tianditu (CGCS2000 is equal to it here)
    GCJ02 = "gcj02"  # AMap, Tencent
    BD09 = "bd09"  # Baidu


def to_wgs84(lat: ArrayLike, lng: ArrayLike, system: CoordinateSystem) -> Degrees:
    """Return WGS-84 degrees of coordinates given in ``system``."""
    y, x = np.asarray(lat, dtype=np.float64), np.asarray(lng, dtype=np.float64)
    if system is CoordinateSystem.WGS84:
        return y, x
    if system is CoordinateSystem.BD09:
        y, x = _bd09_to_gcj02(y, x)
    return _gcj02_to_wgs84(y, x)


def wgs84_to_gcj02(lat: ArrayLike, lng: ArrayLike) -> Degrees:
    """Return GCJ-02 degrees of WGS-84 degrees."""
    y, x = np.asarray(lat, dtype=np.float64), np.asarray(lng, dtype=np.float64)
    dy, dx = _shift(y, x)
    return y + dy, x + dx


def wgs84_to_bd09(lat: ArrayLike, lng: ArrayLike) -> Degrees:
    """Return BD-09 degrees of WGS-84 degrees."""
    y, x = wgs84_to_gcj02(lat, lng)
    radius = np.hypot(x, y) + 0.00002 * np.sin(y * _BAIDU)
    angle = np.arctan2(y, x) + 0.000003 * np.cos(x * _BAIDU)
    return radius * np.sin(angle) + 0.006, radius * np.cos(angle) + 0.0065


def _gcj02_to_wgs84(lat: np.ndarray, lng: np.ndarray) -> Degrees:
    y, x = lat, lng
    for _ in range(_ROUNDS):
        dy, dx = _shift(y, x)
        y, x = lat - dy, lng - dx
    return y, x


def _bd09_to_gcj02(lat: np.ndarray, lng: np.ndarray) -> Degrees:
    y, x = lat - 0.006, lng - 0.0065
    for _ in range(_ROUNDS):
        radius = np.hypot(lng - 0.0065, lat - 0.006) - 0.00002 * np.sin(y * _BAIDU)
        angle = np.arctan2(lat - 0.006, lng - 0.0065) - 0.000003 * np.cos(x * _BAIDU)
        y, x = radius * np.sin(angle), radius * np.cos(angle)
    return y, x


def _shift(lat: np.ndarray, lng: np.ndarray) -> Degrees:
    """Return how far GCJ-02 lies from WGS-84, in degrees (latitude, longitude)."""
    x, y = lng - 105.0, lat - 35.0
    waves = 20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x))
    north += 2.0 / 3.0 * (waves + 20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi))
    north += 2.0 / 3.0 * (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0))
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x))
    east += 2.0 / 3.0 * (waves + 20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi))
    east += 2.0 / 3.0 * (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi))
    phi = np.radians(lat)
    flat = 1.0 - _ECCENTRICITY_SQUARED * np.sin(phi) ** 2
    meridian_m = _AXIS_M * (1 - _ECCENTRICITY_SQUARED) / (flat * np.sqrt(flat))
    parallel_m = _AXIS_M / np.sqrt(flat) * np.cos(phi)
    return np.degrees(north / meridian_m), np.degrees(east / parallel_m)
