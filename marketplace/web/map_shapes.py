"""The districts as SVG paths, for the small maps that need no script."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from typing import Any

from marketplace.web.assets import STATIC

WIDTH = 320


@dataclass(frozen=True, slots=True)
class Shape:
    """One district: its path and where its label stands, in the units of ``Map.height``."""

    code: str
    name: str
    path: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Map:
    """All districts in one picture of ``WIDTH`` x ``height``."""

    height: int
    shapes: tuple[Shape, ...]


@cache
def district_map() -> Map:
    """Return the packaged outlines, drawn with north up and lengths true at the middle latitude."""
    features = json.loads((STATIC / "map" / "districts.geojson").read_text("utf-8"))["features"]
    points = [p for f in features for ring in _rings(f["geometry"]) for p in ring]
    west, east = min(p[0] for p in points), max(p[0] for p in points)
    south, north = min(p[1] for p in points), max(p[1] for p in points)
    stretch = 1 / math.cos(math.radians((south + north) / 2))
    scale = (WIDTH - 8) / (east - west)

    def xy(lng: float, lat: float) -> tuple[float, float]:
        return 4 + (lng - west) * scale, 4 + (north - lat) * scale * stretch

    shapes = []
    for f in features:
        own = f["properties"]
        path = "".join(_path([xy(*p) for p in ring]) for ring in _rings(f["geometry"]))
        x, y = xy(own["lng"], own["lat"])
        shapes.append(Shape(own["code"], own["name"], path, round(x, 1), round(y, 1)))
    return Map(height=round(8 + (north - south) * scale * stretch), shapes=tuple(shapes))


def _rings(geometry: dict[str, Any]) -> list[list[list[float]]]:
    polygons = (
        geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    )
    return [ring for polygon in polygons for ring in polygon]


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + " ".join(f"{x:.0f},{y:.0f}" for x, y in points) + "Z"


@cache
def district_names() -> dict[str, str]:
    """Return district code -> Chinese name."""
    return {s.code: s.name for s in district_map().shapes}
