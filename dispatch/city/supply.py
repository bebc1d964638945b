"""Vendors and the people they hire: large, middle and small; who does what, and when they work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from dispatch.city.bases import DISTRICTS, Base
from dispatch.city.demand import HOUR, apportion, clock
from dispatch.city.shapes import Interval, Person, Vendor

VENDORS_A_DAY = 127 / 5200
# (size, kind): of 127 vendors so many, each with so many workers.
MIX = {
    ("large", "general"): (8, 45),
    ("middle", "general"): (25, 13), ("small", "general"): (59, 4),
    ("middle", "meals"): (6, 13), ("small", "meals"): (6, 4),
    ("middle", "medical"): (4, 13), ("small", "medical"): (5, 4),
    ("small", "repair"): (14, 4),
}  # fmt: skip
# One village worker cleans, shops, cares and keeps company, so a general vendor holds all of these.
CORE = ("DB", "HL", "JJ", "YL", "ZJ", "ZL", "ZX")
CATEGORIES = {
    "general": CORE, "meals": ("ZC",), "medical": ("KF", "YL"), "repair": ("JJ", "SG", "ZJ"),
}  # fmt: skip

DAY = ((clock("07:30"), clock("11:30")), (clock("13:30"), clock("17:30")))
OFFICE = ((clock("08:30"), clock("17:00")),)
LUNCH = (clock("11:00"), clock("13:30"), HOUR // 2)


@dataclass(frozen=True, slots=True)
class Profile:
    """What a person is hired for: the category whose vendors hire them, skills, shifts.

    ``also`` gives further skills with their chance; ``one_of`` means the first skill depends on
    the order that made the vendor hire.
    """

    category: str
    skills: tuple[str, ...]
    also: dict[str, float]
    shifts: tuple[Interval, ...] = DAY


PROFILES = {
    "home": Profile("ZJ", ("GEN",), {"COMP": 0.6, "CARE5": 0.35}),
    "village": Profile("ZJ", ("GEN", "CARE5", "COMP"), {"CARE4": 0.5}),
    "care": Profile("HL", ("CARE5",), {"CARE4": 0.5, "CARE3": 0.15, "COMP": 0.6, "GEN": 0.4}),
    "early": Profile("HL", ("CARE5", "CARE4"), {"CARE3": 0.3},
                     ((clock("06:00"), clock("10:00")), (clock("17:00"), clock("20:30")))),
    "night": Profile("JJ", ("CARE5", "CARE4"), {}, ((clock("20:00"), clock("32:00")),)),
    "courier": Profile("ZC", ("MEAL",), {}, (
        (clock("06:30"), clock("08:00")), (clock("10:30"), clock("12:30")),
        (clock("16:30"), clock("18:00")))),
    "cook": Profile("ZC", ("COOK",), {"GEN": 0.6},
                    ((clock("08:00"), clock("12:30")), (clock("14:00"), clock("17:30")))),
    "bath": Profile("ZY", ("BATH", "CARE5", "CARE4"), {},
                    ((clock("09:00"), clock("12:30")), (clock("13:00"), clock("18:00")))),
    "escort": Profile("YL", ("ESCORT", "CARE5", "GEN"), {},
                      ((clock("06:45"), clock("12:30")), (clock("13:15"), clock("16:30")))),
    "driver": Profile("ZX", ("DRIVER",), {"ESCORT": 0.5}, OFFICE),
    "barber": Profile("ZJ", ("BARBER",), {"PEDI": 0.4}),
    "social": Profile("ZL", ("SW",), {"EDU": 0.3, "PSY": 0.2}, OFFICE),
    "assess": Profile("HL", ("ASSESS", "CARE5", "CARE4", "CARE3"), {}, OFFICE),
    "nurse": Profile("YL", ("NURSE",), {}, OFFICE),
    "doctor": Profile("YL", ("DOC", "PHARM"), {}, OFFICE),
    "rehab": Profile("KF", ("REHAB",), {}),
    "fitter": Profile("SG", ("FIT",), {"TECH": 0.4, "ELEC": 0.4, "PLUMB": 0.4, "APPL": 0.3}, OFFICE),
    "agent": Profile("JJ", ("CALL",), {}, OFFICE),
    "site_bath": Profile("ZY", ("BATH", "CARE5"), {}, OFFICE),
    "site_meal": Profile("ZC", ("MEAL", "COOK"), {}, OFFICE),
}  # fmt: skip
KINDS_OF = {
    "nurse": ("medical",), "doctor": ("medical",), "rehab": ("medical", "general"),
    "courier": ("meals", "general"), "cook": ("meals", "general"),
    "site_meal": ("meals", "general"), "fitter": ("repair", "general"),
}  # fmt: skip
ABOVE = {"CARE3": ("CARE4", "CARE5"), "CARE4": ("CARE5",), "BATH": ("CARE5",)}


def with_lower_grades(skills: Iterable[str]) -> tuple[str, ...]:
    """Return the skills in order, each grade with the grades that it includes."""
    held = set(skills)
    for skill in tuple(held):
        held.update(ABOVE.get(skill, ()))
    return tuple(sorted(held))


def make_vendors(orders: int, districts: list[str]) -> list[tuple[Vendor, int]]:
    """Return the vendors of a day of ``orders``, each with the workers it means to have."""
    total = max(len(MIX), round(VENDORS_A_DAY * orders))
    parts = apportion(total, [count for count, _ in MIX.values()])
    shares = [DISTRICTS[d][0] for d in districts]
    vendors: list[tuple[Vendor, int]] = []
    seats = 0
    for ((size, kind), (_, workers)), part in zip(MIX.items(), parts, strict=True):
        homes = [d for d, n in zip(districts, apportion(max(1, part), shares), strict=True)
                 for _ in range(n)]  # fmt: skip
        for home in homes:
            second = districts[(districts.index(home) + 1) % len(districts)]
            wide = size == "large" or kind != "general" or seats % 4 == 0
            served = tuple(sorted({home, second})) if wide else (home,)
            categories = CATEGORIES[kind]
            if size == "large":
                categories = tuple(sorted({*CORE, "KF", "SG", "ZC", "ZY"}))
            elif kind == "general" and size == "middle":
                categories = tuple(sorted({*CORE, ("ZY", "ZC")[seats % 2]}))
            seats += 1
            vendors.append((Vendor(f"V{seats:03d}", size, kind, served, categories), workers))
    return vendors


@dataclass(slots=True)
class Worker:
    """A person while the day is drawn up, with the stops that fill their shifts."""

    person: Person
    base: Base
    categories: tuple[str, ...]
    pieces: list[Interval]
    stops: list[list[tuple[int, int, float, float]]]
    work_s: int = 0


@dataclass(slots=True)
class Market:
    """Vendors that hire where there is work."""

    vendors: list[tuple[Vendor, int]]
    bases: list[Base]
    rng: np.random.Generator
    workers: list[Worker] = field(default_factory=list)
    hired: dict[str, int] = field(default_factory=dict)
    at_base: dict[int, dict[str, int]] = field(default_factory=dict)
    serves: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.serves = {(v.id, district) for v, _ in self.vendors for district in v.districts}

    def choose_vendor(self, base: int, profile: str) -> Vendor:
        """Return who hires: mostly a vendor already at the base, else one with room to grow."""
        rule = PROFILES[profile]
        district = self.bases[base].district
        able = [
            (vendor, size) for vendor, size in self.vendors
            if rule.category in vendor.categories
            and vendor.kind in KINDS_OF.get(profile, ("general",))
        ]  # fmt: skip
        local = [(v, n) for v, n in able if district in v.districts]
        # Where nobody is registered in the district a vendor from outside registers there.
        able = local or [self._extend(able[int(self.rng.integers(len(able)))], district)]
        here = self.at_base.get(base, {})
        for vendor, size in able:
            room = size - self.hired.get(vendor.id, 0)
            if vendor.id in here and (room > 0 or len(here) == 1) and self.rng.random() < 0.92:
                return vendor
        room = np.array([max(n - self.hired.get(v.id, 0), 0.05 * n) for v, n in able])
        return able[int(self.rng.choice(len(able), p=room / room.sum()))][0]

    def _extend(self, offer: tuple[Vendor, int], district: str) -> tuple[Vendor, int]:
        vendor, size = offer
        wider = replace(vendor, districts=tuple(sorted({*vendor.districts, district})))
        self.vendors[self.vendors.index(offer)] = (wider, size)
        self.serves.add((vendor.id, district))
        return wider, size

    def hire(
        self, base: int, profile: str, skill: str | None = None, *,
        vendor: Vendor | None = None, site: int | None = None,
    ) -> int:  # fmt: skip
        """Hire one person at a base and return the worker's index."""
        rule = PROFILES[profile]
        vendor = vendor or self.choose_vendor(base, profile)
        extra = [s for s, chance in rule.also.items() if self.rng.random() < chance]
        if "ZJ" not in vendor.categories:
            # A caterer's cook does not clean: the vendor is not registered for it.
            extra = [s for s in extra if s != "GEN"]
        first = rule.skills
        if profile in ("fitter", "social") and skill:
            first = (skill,)
        skills = with_lower_grades([*first, *extra, *([skill] if skill else [])])
        number = len(self.workers)
        person = Person(
            f"C{number + 1:05d}", vendor.id, self.bases[base].site if site is None else site,
            profile, skills, rule.shifts, profile not in ("agent", "site_bath", "site_meal"),
            None if profile == "night" else LUNCH,
            int(self.rng.integers(10, 16)) if "MEAL" in skills else None,
        )  # fmt: skip
        pieces = list(rule.shifts)
        if rule.shifts == OFFICE:
            pieces = [(OFFICE[0][0], clock("12:00")), (clock("12:30"), OFFICE[0][1])]
        worker = Worker(person, self.bases[base], vendor.categories, pieces, [[] for _ in pieces])
        self.workers.append(worker)
        self.bases[base].people.append(number)
        self.hired[vendor.id] = self.hired.get(vendor.id, 0) + 1
        at = self.at_base.setdefault(base, {})
        at[vendor.id] = at.get(vendor.id, 0) + 1
        return number
