"""Where people live and where caregivers start: towns, villages, sites and bases.

Of every district's homes 60 % lie in town clusters (sigma 1.2 km about the town's seat, in housing
estates) and 40 % in villages. A vendor keeps a base where a quarter-hour's ride finds enough
homes: several at a town's seat, one for a handful of neighbouring villages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from dispatch.city.demand import apportion
from dispatch.city.ground import Division, inside, read_ground, to_degrees, to_metres
from dispatch.city.shapes import Site

# Shares of the orders and community centres of each district (of 882 in all).
DISTRICTS = {
    "321202": (0.16, 105), "321203": (0.10, 80), "321204": (0.20, 150),
    "321282": (0.14, 120), "321283": (0.20, 195), "321281": (0.20, 232),
}  # fmt: skip
SITES = {"meal": 420, "bath": 60, "day_care": 17}
TOWN_SHARE = 0.6
TOWN_SIGMA_M = 1200.0
STOPS_A_TOWN_BASE = 25
STOPS_A_VILLAGE_BASE = 12
ORDERS_A_TOWN = 18
SMALLEST_FULL_DAY = 3000  # orders; below it fewer districts are served, so that density stays
HOME_REACH_M = 2350.0  # of the 2,590 m that an e-bike covers in the circle's 900 s


@dataclass(slots=True)
class Base:
    """A place where caregivers start, and the homes about it that are served from it."""

    site: int
    spot: tuple[float, float]
    rural: bool
    weight: float
    district: str
    estates: np.ndarray  # n x 2 metres: housing estates of a town, communities of the country
    names: list[str]  # the community of each estate
    people: list[int] = field(default_factory=list)
    near: list[int] = field(default_factory=list)  # bases within reach of its homes, itself first


@dataclass(slots=True)
class Area:
    """The communities of one district that have orders today, as metres."""

    district: Division
    orders: float
    towns: list[Division]
    communities: list[Division]
    spots: np.ndarray
    border: list[np.ndarray]


def areas_for(orders: int) -> list[Area]:
    """Return the districts served by a day of ``orders``, largest share first when few are."""
    ground = read_ground()
    count = min(6, max(1, math.ceil(6 * orders / SMALLEST_FULL_DAY)))
    codes = list(DISTRICTS)
    if count < 6:
        codes = sorted(codes, key=lambda c: (-DISTRICTS[c][0], c))[:count]
    whole = sum(DISTRICTS[c][0] for c in codes)
    areas = []
    for code in codes:
        communities = [c for c in ground.communities if c.code[:6] == code]
        areas.append(
            Area(
                next(d for d in ground.districts if d.code == code),
                orders * DISTRICTS[code][0] / whole,
                [t for t in ground.towns if t.code[:6] == code],
                communities,
                to_metres(np.array([(c.lat, c.lng) for c in communities])),
                ground.borders[code],
            )
        )
    return areas


def spread_out(spots: np.ndarray, count: int, first: int) -> list[int]:
    """Return indices of ``count`` spots far from one another, beginning with ``first``."""
    chosen = [first]
    gap = ((spots - spots[first]) ** 2).sum(axis=1)
    while len(chosen) < min(count, len(spots)):
        farthest = int(gap.argmax())
        chosen.append(farthest)
        gap = np.minimum(gap, ((spots - spots[farthest]) ** 2).sum(axis=1))
    return chosen


class SiteBook:
    """The sites of the city, numbered as they are entered."""

    def __init__(self) -> None:
        self.sites: list[Site] = []
        self._count = {"centre": 0, "meal": 0, "bath": 0, "day_care": 0}
        self._centre: dict[str, int] = {}

    def add(self, kind: str, community: str, spot: tuple[float, float]) -> int:
        """Enter a site at (north, east) metres and return its index."""
        self._count[kind] += 1
        letter = {"centre": "SC", "meal": "SM", "bath": "SB", "day_care": "SD"}[kind]
        lat, lng = to_degrees(np.array([spot]))[0]
        number = f"{letter}{self._count[kind]:04d}"
        self.sites.append(Site(number, kind, community, round(float(lat), 6), round(float(lng), 6)))
        return len(self.sites) - 1

    def centre(self, community: Division, spot: np.ndarray) -> int:
        """Return the index of the community's centre, entered when it is not there yet."""
        if community.code not in self._centre:
            where = (float(spot[0]), float(spot[1]))
            self._centre[community.code] = self.add("centre", community.code, where)
        return self._centre[community.code]

    def count(self, kind: str, district: str) -> int:
        """Return how many sites of a kind a district has."""
        return sum(s.kind == kind and s.district == district for s in self.sites)

    def has_centre(self, community: str) -> bool:
        """Whether a community has its centre already."""
        return community in self._centre


def _town_bases(area: Area, book: SiteBook, rng: np.random.Generator) -> list[Base]:
    by_town: dict[str, list[int]] = {}
    for i, community in enumerate(area.communities):
        by_town.setdefault(community.code[:9], []).append(i)
    # Parks, farms and offices of one or two communities are no towns with a seat.
    towns = sorted(
        (t for t in area.towns if len(by_town.get(t.code, [])) >= 3),
        key=lambda t: (-len(by_town[t.code]), t.code),
    )
    homes = area.orders * TOWN_SHARE
    towns = towns[: max(1, round(homes / ORDERS_A_TOWN))]
    shares = apportion(round(homes), [len(by_town[t.code]) ** 0.7 for t in towns])
    bases = []
    for town, share in zip(towns, shares, strict=True):
        seat = to_metres(np.array([(town.lat, town.lng)]))[0]
        near = sorted(by_town[town.code], key=lambda i: math.dist(area.spots[i], seat))
        count = max(1, round(share / STOPS_A_TOWN_BASE))
        hosts = near[: min(count, len(near))]
        for host in hosts:
            # A base on the edge of town serves that edge: the estates within its own reach.
            spot = seat + np.clip(area.spots[host] - seat, -1500, 1500)
            estates = _estates(seat, spot, max(4, share // (3 * len(hosts))), area.border, rng)
            names = [
                area.communities[min(near, key=lambda i: math.dist(area.spots[i], e))].code
                for e in estates
            ]
            bases.append(
                Base(book.centre(area.communities[host], spot), (float(spot[0]), float(spot[1])),
                     False, share / len(hosts), area.district.code, estates, names)
            )  # fmt: skip
    return bases


def _estates(
    seat: np.ndarray, base: np.ndarray, count: int, border: list[np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Return ``count`` estates about a seat, all within reach of the base and of the border."""
    found: list[np.ndarray] = []
    for _ in range(50):
        draw = seat + rng.normal(0, TOWN_SIGMA_M, (4 * count, 2))
        close = np.hypot(*(draw - base).T) < HOME_REACH_M - 300
        found += list(draw[close & inside(draw, border)])
        if len(found) >= count:
            return np.array(found[:count])
    return np.array([*found, base])


def _village_bases(
    area: Area, seats: list[tuple[float, float]], book: SiteBook, rng: np.random.Generator
) -> list[Base]:
    homes = area.orders * (1 - TOWN_SHARE)
    far = np.hypot(*(area.spots[:, None] - np.array(seats)[None]).transpose(2, 0, 1)).min(axis=1)
    rural = np.flatnonzero(far > 1800)
    if not len(rural):
        rural = np.arange(len(area.spots))
    count = min(len(rural), max(1, round(homes / STOPS_A_VILLAGE_BASE)))
    hosts = rural[spread_out(area.spots[rural], count, int(rng.integers(len(rural))))]
    bases = []
    for host in hosts:
        spot = area.spots[host]
        around = np.flatnonzero(np.hypot(*(area.spots - spot).T) < HOME_REACH_M - 400)
        bases.append(
            Base(
                book.centre(area.communities[host], spot),
                (float(spot[0]), float(spot[1])),
                True,
                homes / len(hosts),
                area.district.code,
                area.spots[around],
                [area.communities[i].code for i in around],
            )
        )
    return bases


def _remaining_sites(areas: list[Area], book: SiteBook, rng: np.random.Generator) -> None:
    """Enter the centres, bath and day-care places that today's bases did not need."""
    for area in areas:
        others = [i for i, c in enumerate(area.communities) if not book.has_centre(c.code)]
        missing = DISTRICTS[area.district.code][1] - book.count("centre", area.district.code)
        for i in sorted(rng.permutation(others)[: max(0, missing)].tolist()):
            book.centre(area.communities[i], area.spots[i])
    for kind in ("bath", "day_care"):
        fill_sites(kind, areas, book, rng)


def fill_sites(kind: str, areas: list[Area], book: SiteBook, rng: np.random.Generator) -> None:
    """Enter sites of a kind, spread over the communities, until there are as many as published."""
    shares = [DISTRICTS[a.district.code][0] for a in areas]
    missing = round(SITES[kind] * sum(shares)) - sum(s.kind == kind for s in book.sites)
    for area, count in zip(areas, apportion(max(0, missing), shares), strict=True):
        for i in np.linspace(0, len(area.communities) - 1, count).astype(int):
            spot = area.spots[i] + rng.normal(0, 120, 2)
            book.add(kind, area.communities[i].code, (float(spot[0]), float(spot[1])))


def build_bases(
    orders: int, rng: np.random.Generator
) -> tuple[list[Area], list[Base], SiteBook]:  # fmt: skip
    """Return the districts served, the bases and the sites of a day of ``orders``."""
    areas = areas_for(orders)
    book = SiteBook()
    bases: list[Base] = []
    for area in areas:
        towns = _town_bases(area, book, rng)
        bases += towns
        bases += _village_bases(area, [b.spot for b in towns], book, rng)
    _remaining_sites(areas, book, rng)
    spots = np.array([b.spot for b in bases])
    for i, base in enumerate(bases):
        apart = np.hypot(*(spots - spots[i]).T)
        order = np.argsort(apart, kind="stable")
        base.near = [int(j) for j in order if apart[j] < 2 * HOME_REACH_M]
    return areas, bases, book
