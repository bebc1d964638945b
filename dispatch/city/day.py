"""One day of orders, drawn so that the city could serve nearly all of them.

Orders are drawn where they are sold: what only hubs offer is ordered in the circle of a hub. Each
is then booked, in the order of its stiffness, with somebody near who is free; where nobody is, a
vendor hires. The bookings are thrown away (finding a better plan is the engine's work), but the
usual caregiver, the vendor chosen and the number of people all come from them, which is how such a
city grows. A few orders lie outside every circle or come when everybody near is taken.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from dispatch.city.bases import HOME_REACH_M, Area, Base, SiteBook, fill_sites
from dispatch.city.demand import (
    HOURLY,
    PRIORITIES,
    SERVICES,
    Kind,
    apportion,
    clock,
    orders_by_kind,
)
from dispatch.city.drafts import Draft, Household, gap, one_trip, take
from dispatch.city.ground import to_degrees
from dispatch.city.shapes import Home, Interval, Visit
from dispatch.city.supply import PROFILES, Market

CIRCLE_M = 2575.0  # a touch less than the 2,592 m of 840 s at 4.1667 m/s and detour 1.35
MISPLACED = 0.0022  # orders from homes that no base reaches
OVERBOOKED = 0.35  # of the orders that find everybody near taken, so many make nobody hire
OPEN_SHARE = 0.6  # of the one-off orders
PROFILE_ORDER = ("night", "escort", "bath", "assess", "driver", "early", "nurse", "doctor")


class Day:
    """Draws the homes and orders of one day and hires who is needed."""

    def __init__(
        self, areas: list[Area], bases: list[Base], book: SiteBook, market: Market,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self.areas, self.bases, self.book, self.market = areas, bases, book, market
        self.rng = rng
        self.homes: list[Household] = []
        self.drafts: list[Draft] = []
        self.kitchens: dict[int, int] = {}
        self._weights = np.array([b.weight for b in bases])
        self._weights = self._weights / self._weights.sum()
        self._near_sites: dict[tuple[str, int], int] = {}
        self._hubs: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    # Homes -------------------------------------------------------------------------------------

    def new_home(self, base: int, about: tuple[float, float] | None = None) -> int:
        """Add a home near a base, or about a spot near it, and return its number."""
        host = self.bases[base]
        estate = int(self.rng.integers(len(host.estates)))
        if about is not None:
            apart = np.hypot(*(host.estates - np.array(about)).T)
            estate = int(apart.argmin())
        sigma = 300.0 if host.rural else 120.0
        middle = np.array(about) if about is not None else host.estates[estate]
        offset = self.rng.normal(0, 1, 2) * (380.0 if about is not None else sigma)
        spot = middle + offset
        reach = math.dist(spot, host.spot)
        if reach > HOME_REACH_M:
            spot = np.array(host.spot) + (spot - host.spot) * (HOME_REACH_M / reach)
        self.homes.append(
            Household(base, (float(spot[0]), float(spot[1])), host.names[estate], host.rural)
        )
        return len(self.homes) - 1

    def far_home(self, base: int) -> int:
        """Add a home that lies outside the circle of every base."""
        host = self.bases[base]
        spots = np.array([b.spot for b in self.bases])
        for step in range(24):
            angle = self.rng.random() * 2 * math.pi
            out = 2700.0 + 150.0 * step
            spot = (host.spot[0] + out * math.cos(angle), host.spot[1] + out * math.sin(angle))
            if np.hypot(*(spots - spot).T).min() > 2650:
                break
        self.homes.append(Household(base, spot, host.names[0], True))
        return len(self.homes) - 1

    # Orders ------------------------------------------------------------------------------------

    def draw(self, orders: int) -> None:
        """Draw all orders of the day; meals are routed from their kitchens on the way."""
        morning: list[int] = []
        counted = orders_by_kind(orders)
        stops = sum(n for kind, n in counted if kind.mode == "home")
        missing = max(1, round(MISPLACED * stops)) if orders >= 200 else 0
        self._place_kitchens(sum(n for k, n in counted if k.profile == "courier"))
        fill_sites("meal", self.areas, self.book, self.rng)
        for kind, count in counted:
            if kind.profile == "courier":
                self._draw_meals(kind, count)
                continue
            where = self._bases_for(kind, count)
            for number, base in enumerate(where):
                if kind.mode != "home":
                    self._draw_elsewhere(kind, base)
                    continue
                lost = kind.profile == "home" and missing > 0 and number % 7 == 3
                missing -= lost
                if kind.profile == "early" and kind.starts[0].opens > clock("12:00") and morning:
                    home = morning.pop() if self.rng.random() < 0.6 else self.new_home(base)
                    base = self.homes[home].base
                else:
                    home = self.far_home(base) if lost else self.new_home(base)
                    if kind.profile == "early":
                        morning.append(home)
                self._add(kind, home, base, lost=lost)

    def _bases_for(self, kind: Kind, count: int) -> list[int]:
        if kind.spread == "all":
            weights, chosen = self._weights, np.arange(len(self.bases))
        else:
            chosen, weights = self._hubs_for(kind, count)
        parts = apportion(count, list(weights)) if count else [0] * len(weights)
        # Largest remainders alone would give the smallest bases nothing, ever.
        picks = self.rng.choice(len(chosen), count, p=weights / weights.sum())
        even = np.repeat(np.arange(len(chosen)), parts)
        return [int(chosen[i]) for i in np.where(self.rng.random(count) < 0.5, even, picks)]

    def _hubs_for(self, kind: Kind, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the bases whose vendors offer a kind, shared by all kinds of one profile."""
        if kind.profile not in self._hubs:
            number = max(1, math.ceil(count / float(kind.spread)))
            towns = np.array([i for i, b in enumerate(self.bases) if not b.rural])
            keys = self._weights[towns] * self.rng.random(len(towns)) ** 0.5
            best = towns[np.argsort(-keys, kind="stable")]
            found: list[int] = []
            for area in self.areas:  # every district first, then wherever most people live
                found += [int(i) for i in best if self.bases[i].district == area.district.code][:1]
            found = (found + [int(i) for i in best if i not in found])[: max(number, 1)]
            chosen = np.array(found)
            self._hubs[kind.profile] = (chosen, self._weights[chosen])
        chosen, weights = self._hubs[kind.profile]
        return chosen, weights / weights.sum()

    def _window(self, kind: Kind, service_s: int, rural: bool) -> Interval:
        """Draw a window in which somebody of the profile can finish before a shift ends."""
        while True:
            window = self._any_window(kind, rural)
            shifts = PROFILES[kind.profile].shifts if kind.profile else ()
            if not shifts or any(
                begin + 300 <= window[1] and max(begin, window[0]) + service_s <= end - 900
                for begin, end in shifts
            ):
                return window

    def _any_window(self, kind: Kind, rural: bool) -> Interval:
        weights = np.array([s.weight for s in kind.starts])
        start = kind.starts[int(self.rng.choice(len(weights), p=weights / weights.sum()))]
        if start.width_s is None:
            return start.opens, start.closes
        width = start.width_s
        if kind.line == "JJ" and rural:
            width = 1800  # half an hour in the country, a quarter in town
        quarters = max(0, start.closes - start.opens - width) // 900
        opens = start.opens + 900 * int(self.rng.integers(quarters + 1))
        return opens, opens + width

    def _add(
        self, kind: Kind, home: int, base: int, *, window: Interval | None = None,
        site: int | None = None, ready_s: int | None = None, lost: bool = False,
    ) -> Draft:  # fmt: skip
        codes = list(kind.services)
        weights = np.array(list(kind.services.values()), dtype=float)
        code = codes[int(self.rng.choice(len(codes), p=weights / weights.sum()))]
        service = SERVICES[code]
        quantity = 2 if code in HOURLY and self.rng.random() < kind.double else 1
        service_s = service.minutes * 60 * quantity
        house = self.homes[home]
        visit = Visit(
            "", home, kind.line, code, quantity, service_s,
            window or self._window(kind, service_s, house.rural),
            service.skill, service.crew, kind.mode,
            PRIORITIES.get(kind.line, 1), bool(self.rng.random() < kind.recurring) and not lost,
            site=site, ready_s=ready_s,
        )  # fmt: skip
        draft = Draft(visit, base, house.spot, kind.profile, lost=lost)
        self.drafts.append(draft)
        return draft

    def _draw_elsewhere(self, kind: Kind, base: int) -> None:
        """Draw an order that nobody travels for: at a site, or by telephone."""
        home = self.new_home(base)
        site = None
        if kind.mode == "site":
            sort = {"ZC": "meal", "ZY": "bath", "HL": "day_care"}.get(kind.line, "centre")
            site = self._nearest_site(sort, base)
        self._add(kind, home, base, site=site)

    def _nearest_site(self, sort: str, base: int) -> int:
        if (sort, base) not in self._near_sites:
            host = self.book.sites[self.bases[base].site]
            same = [
                i for i, s in enumerate(self.book.sites)
                if s.kind == sort and s.district == host.district
            ]  # fmt: skip
            self._near_sites[sort, base] = min(
                same,
                key=lambda i: (
                    (self.book.sites[i].lat - host.lat) ** 2
                    + (0.847 * (self.book.sites[i].lng - host.lng)) ** 2
                ),
            )
        return self._near_sites[sort, base]

    # Meals -------------------------------------------------------------------------------------

    def _place_kitchens(self, meals: int) -> None:
        """Enter the kitchens that bring meals, at the bases with most homes of every district."""
        number = max(1, round(meals / 16.5))
        towns = [i for i, b in enumerate(self.bases) if not b.rural]
        villages = [i for i, b in enumerate(self.bases) if b.rural]
        order = [
            sorted(part, key=lambda i: (-self._weights[i] * self.rng.random() ** 0.5, i))
            for part in (towns, villages)
        ]
        in_town = min(len(towns), max(1, round(0.7 * number)))
        chosen = order[0][:in_town] + order[1][: number - in_town]
        for base in sorted(chosen):
            host = self.bases[base]
            spot = np.array(host.spot) + self.rng.normal(0, 150, 2)
            self.kitchens[base] = self.book.add(
                "meal", host.names[0], (float(spot[0]), float(spot[1]))
            )

    def _draw_meals(self, kind: Kind, count: int) -> None:
        """Draw delivered meals kitchen by kitchen and give each trip to one courier."""
        bases = list(self.kitchens)
        # Two couriers' trips in town, one in the country.
        shares = [1.0 if self.bases[b].rural else 2.0 for b in bases]
        start = kind.starts[0]
        for base, part in zip(bases, apportion(count, shares), strict=True):
            site = self.kitchens[base]
            host = self.bases[base].spot
            known = [
                i for i, h in enumerate(self.homes)
                if h.base == base and not h.meals and math.dist(h.spot, host) < 900
            ] if start.opens < clock("12:00") else [
                i for i, h in enumerate(self.homes) if h.base == base and h.meals
            ]  # fmt: skip
            drafts = []
            for number in range(part):
                reuse = number < len(known) and self.rng.random() < 0.6
                home = known[number] if reuse else self.new_home(base, host)
                self.homes[home].meals = True
                ready = start.opens - 600
                drafts.append(
                    self._add(kind, home, base, window=(start.opens, start.closes), site=site,
                              ready_s=ready)
                )  # fmt: skip
            self._route_meals(drafts, base, site)

    def _route_meals(self, drafts: list[Draft], base: int, site: int) -> None:
        """Cut a kitchen's meals into trips by the sweep; each trip takes one courier."""
        if not drafts:
            return
        kitchen = self.bases[base].spot
        couriers = [i for i in self.bases[base].people
                    if self.market.workers[i].person.profile == "courier"]  # fmt: skip
        rest = sorted(
            drafts,
            key=lambda d: math.atan2(d.spot[1] - kitchen[1], d.spot[0] - kitchen[0]),
        )
        vendor = next(
            (v for v, _ in self.market.vendors
             if couriers and v.id == self.market.workers[couriers[0]].person.vendor), None
        )  # fmt: skip
        while rest:
            trip, rest = one_trip(rest, kitchen)
            if couriers:
                worker = couriers.pop(0)
            else:
                vendor = vendor or self.market.choose_vendor(base, "courier")
                worker = self.market.hire(base, "courier", vendor=vendor, site=site)
            for draft in trip:
                draft.booked = (worker,)

    # Booking -----------------------------------------------------------------------------------

    def book_all(self) -> None:
        """Book every stop with somebody near, the stiffest first; hire where all are taken."""
        rank = {name: i for i, name in enumerate(PROFILE_ORDER)}

        def stiffness(draft: Draft) -> tuple[int, ...]:
            opens, closes = draft.visit.window
            urgent = 0 if draft.visit.line == "JJ" else 1
            return urgent, rank.get(draft.profile, len(rank)), -draft.visit.crew, closes - opens

        waiting = [d for d in self.drafts if d.visit.mode == "home" and not d.booked and not d.lost]
        for draft in sorted(waiting, key=stiffness):
            self._book(draft)

    def _book(self, draft: Draft) -> None:
        visit = draft.visit
        if visit.crew == 2:
            draft.booked = self._book_pair(draft)
            return
        best: tuple[int, int, int, int, int] | None = None
        tried = 0
        for number in self._able(draft):
            found = gap(self.market.workers[number], draft.spot, visit.service_s, visit.window)
            if found is not None:
                idle = 0 if self.market.workers[number].work_s else 900
                option = (found[0] + idle, number, *found[1:])
                best = min(best, option) if best else option
                tried += 1
                if tried >= 10:
                    break
        if best is not None:
            take(self.market.workers[best[1]], best[2:], draft.spot, visit.service_s)
            draft.booked = (best[1],)
            return
        if visit.priority < 9 and self.rng.random() < OVERBOOKED * 0.02:
            return
        profile = draft.profile
        if profile in ("home", "care") and self.bases[draft.base].rural:
            profile = "village"
        number = self.market.hire(draft.base, profile, visit.skill)
        worker = self.market.workers[number]
        found = gap(worker, draft.spot, visit.service_s, visit.window)
        if found is not None:
            take(worker, found[1:], draft.spot, visit.service_s)
            draft.booked = (number,)

    def _book_pair(self, draft: Draft) -> tuple[int, ...]:
        """Book two of one vendor at one time, or let the vendor hire a team."""
        visit = draft.visit
        able = list(self._able(draft))[:24]
        for opens in range(visit.window[0], visit.window[1] + 1, 600):
            free: dict[str, list[tuple[int, tuple[int, int, int]]]] = {}
            for number in able:
                worker = self.market.workers[number]
                found = gap(worker, draft.spot, visit.service_s, (opens, opens))
                if found is not None:
                    team = free.setdefault(worker.person.vendor, [])
                    team.append((number, found[1:]))
                    if len(team) == 2:
                        for member, slot in team:
                            taken = self.market.workers[member]
                            take(taken, slot, draft.spot, visit.service_s)
                        return tuple(member for member, _ in team)
        vendor = self.market.choose_vendor(draft.base, draft.profile)
        team_of_two = [
            self.market.hire(draft.base, draft.profile, visit.skill, vendor=vendor)
            for _ in range(2)
        ]
        for opens in range(visit.window[0], visit.window[1] + 1, 300):
            slots = [
                gap(self.market.workers[n], draft.spot, visit.service_s, (opens, opens))
                for n in team_of_two
            ]
            if all(slots):
                for number, slot in zip(team_of_two, slots, strict=True):
                    take(self.market.workers[number], slot[1:], draft.spot, visit.service_s)
                return tuple(team_of_two)
        return ()

    def _able(self, draft: Draft):
        """Yield workers with the skill whose base reaches the home, nearest base first."""
        skill = draft.visit.skill
        district = self.homes[draft.visit.home].community[:6]
        for base in self.bases[draft.base].near:
            if math.dist(self.bases[base].spot, draft.spot) < CIRCLE_M:
                for number in self.bases[base].people:
                    worker = self.market.workers[number]
                    if (
                        skill in worker.person.skills
                        and draft.visit.line in worker.categories
                        and (worker.person.vendor, district) in self.market.serves
                    ):
                        yield number

    # Choices of the elders ---------------------------------------------------------------------

    def visits(self) -> list[Visit]:
        """Return the visits with the vendor chosen, the usual caregiver and who is not wanted."""
        made: list[Visit] = []
        for number, draft in enumerate(self.drafts):
            visit = replace(draft.visit, id=f"W{number + 1:06d}")
            if draft.booked:
                visit = self._with_choices(visit, draft)
            elif visit.mode == "site" and visit.site is not None:
                visit = replace(visit, vendor=self.book.sites[visit.site].vendor)
            made.append(visit)
        return made

    def _with_choices(self, visit: Visit, draft: Draft) -> Visit:
        first = self.market.workers[draft.booked[0]]
        if visit.line == "ZC" and visit.site is not None:
            return replace(visit, vendor=first.person.vendor)
        near = [n for n in self._able(draft) if n not in draft.booked][:8]
        unwanted: tuple[int, ...] = ()
        if near and self.rng.random() < 0.01:
            unwanted = (near[int(self.rng.integers(len(near)))],)
        if not visit.recurring:
            chosen = visit.line != "JJ" and self.rng.random() > OPEN_SHARE
            return replace(
                visit, vendor=first.person.vendor if chosen else None, forbidden=unwanted
            )
        usual = draft.booked[0]
        same = [n for n in near
                if self.market.workers[n].person.vendor == first.person.vendor]  # fmt: skip
        if same and self.rng.random() < 0.1:
            usual = same[int(self.rng.integers(len(same)))]
        if usual in unwanted:
            unwanted = ()
        return replace(visit, vendor=first.person.vendor, usual=usual, forbidden=unwanted)


def homes_of(day: Day) -> list[Home]:
    """Return the homes with coordinates rounded to a decimetre."""
    degrees = to_degrees(np.array([h.spot for h in day.homes]))
    return [
        Home(f"E{i + 1:06d}", h.community, round(float(lat), 6), round(float(lng), 6), h.rural)
        for i, (h, (lat, lng)) in enumerate(zip(day.homes, degrees, strict=True))
    ]
