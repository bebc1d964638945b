"""A seeded synthetic city and one day of its orders, from real places and published counts.

``generate(orders=5200, seed=1)`` gives the structure of the day: sites, vendors, caregivers with
skills and shifts, homes, and the visits that the homes ordered. The same arguments give the same
city to the byte, on every machine. `City.problem` is what a dispatcher has to plan of it.

Up to 20,000 orders the one city grows denser, with more vendors and caregivers in the mix of sizes
that 127 vendors for 5,200 orders have. Beyond that several cities of equal size stand side by side,
each 1.7 degrees of longitude east of the last, since nobody rides through forty orders a village.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from dispatch.city.bases import build_bases
from dispatch.city.day import Day, homes_of
from dispatch.city.shapes import Home, Person, Site, Vendor, Visit
from dispatch.city.supply import Market, make_vendors
from dispatch.model import Caregiver, Load, Places, Problem, Task, TravelModel, Weights

__all__ = ["City", "Home", "Person", "Site", "Vendor", "Visit", "generate"]

LARGEST_CITY = 20_000
ATTENDANCE = 0.78
ABSENT = 0.008  # of those on the roster did not come; a missing courier is replaced at once
HOLD_S = 3600
NEXT_CITY_DEGREES = 1.7


@dataclass(frozen=True, slots=True)
class City:
    """A city on one day. Persons, visits and sites refer to one another by index."""

    day: str
    seed: int
    plain: bool
    sites: tuple[Site, ...]
    vendors: tuple[Vendor, ...]
    people: tuple[Person, ...]
    homes: tuple[Home, ...]
    visits: tuple[Visit, ...]

    @property
    def stops(self) -> list[Visit]:
        """The visits that somebody travels for.

        Telephone and video services have no place, and to meal, bath and day-care sites the elder
        comes: both are orders of the day but no stops of a route.
        """
        return [v for v in self.visits if v.mode == "home"]

    @property
    def on_the_road(self) -> list[int]:
        """Indices of the people who travel and work today."""
        return [i for i, p in enumerate(self.people) if p.travels and p.shifts]

    def problem(self) -> Problem:
        """Return the day's problem: everybody on the road, every stop, 15-minute circles.

        ``plain`` leaves crews, loads, capacities and rests out, for comparison with engines that
        know none of them.
        """
        stops, people = self.stops, self.on_the_road
        used = sorted(
            {self.people[i].base for i in people} | {v.site for v in stops if v.site is not None}
        )
        place_of_site = {site: number for number, site in enumerate(used)}
        spots = [(self.sites[s].lat, self.sites[s].lng) for s in used]
        place_of_home: dict[int, int] = {}
        for visit in stops:
            if visit.home not in place_of_home:
                place_of_home[visit.home] = len(spots)
                spots.append((self.homes[visit.home].lat, self.homes[visit.home].lng))
        caregivers = [
            Caregiver(
                id=p.id, vendor=p.vendor, base=place_of_site[p.base], skills=frozenset(p.skills),
                shifts=p.shifts, max_work_s=p.max_work_s, rest=None if self.plain else p.rest,
                capacity=None if self.plain else p.capacity,
            )
            for p in (self.people[i] for i in people)
        ]  # fmt: skip
        tasks = [self._task(v, place_of_home[v.home], place_of_site) for v in stops]
        return Problem(
            day=self.day, places=Places(coordinates=spots), travel=TravelModel(), circle_s=900,
            caregivers=tuple(caregivers), tasks=tuple(tasks), vendor_share=self.vendor_share(),
            weights=Weights(),
        )  # fmt: skip

    def _task(self, visit: Visit, place: int, place_of_site: dict[int, int]) -> Task:
        load = None
        if visit.site is not None and visit.ready_s is not None and not self.plain:
            load = Load(place_of_site[visit.site], visit.quantity, visit.ready_s, HOLD_S)
        return Task(
            id=visit.id, place=place, service_s=visit.service_s, windows=(visit.window,),
            skills=frozenset({visit.skill}), crew=1 if self.plain else visit.crew,
            vendors=None if visit.vendor is None else frozenset({visit.vendor}),
            preferred=self._preferred(visit),
            forbidden=frozenset(self.people[i].id for i in visit.forbidden),
            priority=visit.priority, load=load, fixed=None,
        )  # fmt: skip

    def _preferred(self, visit: Visit) -> frozenset[str]:
        """Return the usual caregiver, unless they are away today."""
        if visit.usual is None or not self.people[visit.usual].shifts:
            return frozenset()
        return frozenset({self.people[visit.usual].id})

    def vendor_share(self) -> dict[str, float]:
        """Return each vendor's fair share of the open orders: its part of those who work today."""
        people = [self.people[i] for i in self.on_the_road if self.people[i].profile != "courier"]
        count: dict[str, int] = {}
        for person in people:
            count[person.vendor] = count.get(person.vendor, 0) + 1
        return {v: round(n / len(people), 6) for v, n in sorted(count.items())}


def generate(
    *, orders: int = 5200, seed: int = 1, day: str = "2026-11-23", plain: bool = False
) -> City:
    """Return a city with ``orders`` orders on ``day`` (ISO date).

    Raises `ValueError` where ``orders`` or ``seed`` is out of range.
    """
    if not 1 <= orders <= 1_000_000:
        raise ValueError(f"orders is {orders}; give 1 to 1,000,000")
    if seed < 0:
        raise ValueError(f"seed is {seed}; give 0 or more")
    count = math.ceil(orders / LARGEST_CITY)
    parts = [orders // count + (i < orders % count) for i in range(count)]
    seeds = np.random.SeedSequence(seed).spawn(count)
    cities = [
        _one_city(part, np.random.Generator(np.random.PCG64(own)), seed, day, plain)
        for part, own in zip(parts, seeds, strict=True)
    ]
    return cities[0] if count == 1 else _side_by_side(cities)


def _one_city(
    orders: int, rng: np.random.Generator, seed: int, day: str, plain: bool
) -> City:  # fmt: skip
    areas, bases, book = build_bases(orders, rng)
    market = Market(make_vendors(orders, [a.district.code for a in areas]), bases, rng)
    drawn = Day(areas, bases, book, market, rng)
    drawn.draw(orders)
    drawn.book_all()
    _add_vendors_of_sites(drawn)
    visits = drawn.visits()
    people = _staff_at_sites_and_off_today(drawn, orders)
    return City(
        day, seed, plain, tuple(book.sites), tuple(v for v, _ in market.vendors), tuple(people),
        tuple(homes_of(drawn)), tuple(visits),
    )  # fmt: skip


def _add_vendors_of_sites(drawn: Day) -> None:
    """Say which vendor runs each meal and bath site: a kitchen's couriers belong to it."""
    market, book = drawn.market, drawn.book
    runs = {w.person.base: w.person.vendor for w in market.workers if w.person.profile == "courier"}
    need = {"meal": "ZC", "bath": "ZY"}
    for i, site in enumerate(book.sites):
        if site.kind in need:
            able = [v for v, _ in market.vendors if need[site.kind] in v.categories]
            local = [v for v in able if site.district in v.districts] or able
            book.sites[i] = replace(site, vendor=runs.get(i, local[i % len(local)].id))


def _staff_at_sites_and_off_today(drawn: Day, orders: int) -> list[Person]:
    """Return everybody employed: those on the road, at sites and desks, and those off today."""
    market, rng = drawn.market, drawn.rng
    on_the_road = len(market.workers)
    vendor_of = {v.id: v for v, _ in market.vendors}
    for kind, share, profile in (("bath", 0.012, "site_bath"), ("meal", 0.012, "site_meal")):
        sites = [i for i, s in enumerate(drawn.book.sites) if s.kind == kind]
        for i in range(max(1, round(share * orders / 3))):
            site = sites[i * len(sites) // max(1, round(share * orders / 3))]
            vendor = vendor_of[drawn.book.sites[site].vendor]
            market.hire(0, profile, vendor=vendor, site=site)
    large = [v for v, _ in market.vendors if v.size == "large"]
    for i in range(max(1, round(orders * 0.004))):
        base = int(rng.integers(len(drawn.bases)))
        market.hire(base, "agent", vendor=large[i % len(large)])
    people = [w.person for w in market.workers]
    replaceable = [i for i, p in enumerate(people[:on_the_road]) if p.profile != "courier"]
    for number in rng.choice(replaceable, round(ABSENT * on_the_road), replace=False).tolist():
        people[number] = replace(people[number], shifts=())
    off = round(on_the_road * (1 / ATTENDANCE - 1))
    for number in sorted(rng.choice(on_the_road, off, replace=off > on_the_road).tolist()):
        twin = people[number]
        people.append(replace(twin, id=f"C{len(people) + 1:05d}", shifts=()))
    return people


def _side_by_side(cities: list[City]) -> City:
    """Return one city of several, renumbered, each set off to the east of the last."""
    sites: list[Site] = []
    vendors: list[Vendor] = []
    people: list[Person] = []
    homes: list[Home] = []
    visits: list[Visit] = []
    for number, city in enumerate(cities):
        east, s0, p0, h0 = number * NEXT_CITY_DEGREES, len(sites), len(people), len(homes)
        prefix = f"{number + 1}-"
        sites += [
            replace(s, id=prefix + s.id, lng=round(s.lng + east, 6),
                    vendor=None if s.vendor is None else prefix + s.vendor)
            for s in city.sites
        ]  # fmt: skip
        vendors += [replace(v, id=prefix + v.id) for v in city.vendors]
        people += [
            replace(p, id=prefix + p.id, vendor=prefix + p.vendor, base=p.base + s0)
            for p in city.people
        ]
        homes += [replace(h, id=prefix + h.id, lng=round(h.lng + east, 6)) for h in city.homes]
        visits += [
            replace(
                v, id=prefix + v.id, home=v.home + h0,
                vendor=None if v.vendor is None else prefix + v.vendor,
                usual=None if v.usual is None else v.usual + p0,
                forbidden=tuple(i + p0 for i in v.forbidden),
                site=None if v.site is None else v.site + s0,
            )
            for v in city.visits
        ]  # fmt: skip
    first = cities[0]
    return City(
        first.day, first.seed, first.plain, tuple(sites), tuple(vendors), tuple(people),
        tuple(homes), tuple(visits),
    )  # fmt: skip
