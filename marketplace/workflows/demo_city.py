"""Write a synthetic city as the CSV files that the loader reads, and nothing else.

The day's structure is `dispatch.city`; people and papers are put around it here. So a demonstration
walks the same path as a bureau's own data.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TextIO

import numpy as np

from dispatch.city import City, generate
from dispatch.city.ground import Division, read_ground
from dispatch.city.supply import PROFILES
from marketplace.kernel.progress import progress
from marketplace.workflows import demo_people as people
from marketplace.workflows.load import rows as files
from vendors.rules import FOOD_LICENCE, MEDICAL_LICENCE

MOST_ORDERS = 20_000  # beyond it the generator sets cities side by side, which no register has
CHUNK = 20_000
SHIFT_DAYS = 7
ATTENDANCE = 0.78
SITE_NAMES = {
    "centre": "居家养老服务中心", "meal": "助餐点", "bath": "助浴点", "day_care": "日间照料中心",
}  # fmt: skip
VENDOR_NAMES = {
    "general": "居家养老服务中心", "meals": "餐饮服务有限公司", "medical": "护理院",
    "repair": "适老工程服务部",
}  # fmt: skip
DAILY_CAPACITY = {"large": 400, "middle": 120, "small": 40}
# Services that say how able their elder is: a two-person bath, daily care, rehabilitation.
LEVEL_OF_SERVICE = {
    "ZY010": 3, "ZY009": 2, "ZY008": 2, "HL012": 3, "HL015": 3, "HL010": 3, "HL026": 2,
    "HL004": 2, "HL005": 2, "HL022": 2, "YL022": 4, "YL020": 3, "YL021": 3,
    "ZY002": 0, "ZY003": 1, "ZY004": 1, "ZY007": 1,
}  # fmt: skip
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows each file got."""

    folder: Path
    rows: dict[str, int]


def write_city(
    folder: Path, *, orders: int, elders: int, seed: int, day: date
) -> Written:  # fmt: skip
    """Write a city with ``orders`` orders on ``day`` and at least ``elders`` elders into a folder.

    There are always enough elders for the orders. Raises `ValueError` where a number is out of range.
    """
    if not 1 <= orders <= MOST_ORDERS:
        raise ValueError(f"orders is {orders}; give 1 to {MOST_ORDERS:,}")
    if not 0 <= elders <= 2_000_000:
        raise ValueError(f"elders is {elders}; give 0 to 2,000,000")
    folder.mkdir(parents=True, exist_ok=True)
    city = generate(orders=orders, seed=seed, day=day.isoformat())
    writer = _Writer(folder, city, day, np.random.Generator(np.random.PCG64([seed, 7])))
    writer.vendors()
    writer.sites()
    writer.caregivers()
    writer.elders(max(elders, len(city.homes)))
    writer.orders()
    return Written(folder, writer.rows)


def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second % 3600 // 60:02d}"


def _community_name(name: str) -> str:
    """Return a community's name as people write it in an address."""
    for suffix in ("社区居民委员会", "居民委员会", "居委会"):
        if name.endswith(suffix):
            return name.removesuffix(suffix) + "社区"
    return name.removesuffix("委会") if name.endswith("村委会") else name


class _Sheet:
    """One file in the loader's columns; a column that a row does not name stays empty."""

    def __init__(self, file: TextIO, model: type[files.FileRow]) -> None:
        self._csv = csv.DictWriter(file, list(model.model_fields), restval="", lineterminator="\n")
        self._csv.writeheader()
        self.rows = 0

    def row(self, values: Mapping[str, object]) -> None:
        """Write one row; a name that is no column is a fault of ours and raises ``ValueError``."""
        self._csv.writerow(values)
        self.rows += 1


class _Writer:
    def __init__(self, folder: Path, city: City, day: date, rng: np.random.Generator) -> None:
        self.folder, self.city, self.day, self.rng = folder, city, day, rng
        self.rows: dict[str, int] = {}
        ground = read_ground()
        self.name = {
            d.code: d.name for d in (*ground.districts, *ground.towns, *ground.communities)
        }
        self.communities = ground.communities
        self.phones = 0
        self.sequence: dict[tuple[str, date, bool], int] = {}

    @contextmanager
    def _sheet(self, name: str, model: type[files.FileRow]) -> Iterator[_Sheet]:
        with (self.folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            sheet = _Sheet(file, model)
            yield sheet
        self.rows[name] = sheet.rows

    def _phone(self) -> str:
        self.phones += 1
        # A full period over seven digits, so that neighbours do not have neighbouring numbers.
        return people.phone(self.phones * 7_368_787)

    def _address(self, community: str) -> str:
        district, town = self.name[community[:6]], self.name[community[:9]]
        where = f"泰州市{district}{town}{_community_name(self.name[community])}"
        street = people.STREETS[int(self.rng.integers(len(people.STREETS)))]
        number = int(self.rng.integers(1, 240))
        if where.endswith("村"):
            return f"{where}{1 + number % 18}组{number}号"
        room = f"{1 + number % 30}幢{100 * (1 + number % 6) + 1 + number % 3}室"
        return f"{where}{street}{number}号{room}"

    def _ago(self, least: int, most: int) -> date:
        return self.day - timedelta(days=int(self.rng.integers(least, most)))

    def _ahead(self, least: int, most: int) -> date:
        return self.day + timedelta(days=int(self.rng.integers(least, most)))

    # Vendors' side ---------------------------------------------------------------------------

    def vendors(self) -> None:
        """Write vendors and their licences."""
        share = self.city.vendor_share()
        with self._sheet("vendors", files.VendorRow) as out:
            for number, v in enumerate(self.city.vendors):
                home = v.districts[0]
                nth, brand = divmod(number, len(people.BRANDS))
                ordinal = f"第{nth + 1}" if nth else ""
                place = self.name[home].rstrip("区市")
                out.row({
                    "id": v.id,
                    "name": f"{place}{people.BRANDS[brand]}{ordinal}{VENDOR_NAMES[v.kind]}",
                    "uscc": people.credit_code(home, number + 1), "size": v.size,
                    "phone": f"0523-{88_010_000 + number}", "status": "active",
                    "district_codes": ";".join(v.districts),
                    "category_codes": ";".join(v.categories),
                    "open_share": f"{share.get(v.id, 0.0):.6f}",
                    "daily_capacity": DAILY_CAPACITY[v.size],
                })  # fmt: skip
        with self._sheet("licences", files.LicenceRow) as out:
            for number, v in enumerate(self.city.vendors):
                kinds = [(FOOD_LICENCE, f"JY2{number:08d}")] if "ZC" in v.categories else []
                if v.kind == "medical":
                    kinds.append((MEDICAL_LICENCE, f"PDY{number:07d}"))
                for kind, text in kinds:
                    out.row({"vendor_id": v.id, "kind": kind, "number": text,
                             "valid_from": self._ago(60, 1200),
                             "valid_until": self._ahead(20, 1400)})  # fmt: skip

    def sites(self) -> None:
        """Write centres, meal, bath and day-care sites."""
        with self._sheet("sites", files.SiteRow) as out:
            for s in self.city.sites:
                place = _community_name(self.name[s.community])
                out.row({
                    "id": s.id, "kind": s.kind, "name": f"{place}{SITE_NAMES[s.kind]}",
                    "vendor_id": s.vendor, "address": self._address(s.community),
                    "lat": f"{s.lat:.6f}", "lng": f"{s.lng:.6f}",
                    "meals_ready": "10:30" if s.kind == "meal" else "",
                })  # fmt: skip

    def caregivers(self) -> None:
        """Write caregivers, their certificates, and shifts of a week from the day on."""
        city = self.city
        woman = self.rng.random(len(city.people)) < 0.82
        names = people.names(self.rng, woman)
        with self._sheet("caregivers", files.CaregiverRow) as out:
            for p, name, is_woman in zip(city.people, names, woman, strict=True):
                row = {
                    "id": p.id, "vendor_id": p.vendor, "name": name,
                    "gender": "F" if is_woman else "M", "phone": self._phone(),
                    "base_site_id": city.sites[p.base].id, "max_work_h": f"{p.max_work_s / 3600:g}",
                    "meal_capacity": p.capacity, "status": "active",
                }  # fmt: skip
                if p.rest is not None:
                    row |= {"rest_from": _clock(p.rest[0]), "rest_to": _clock(p.rest[1]),
                            "rest_min": p.rest[2] // 60}  # fmt: skip
                out.row(row)
        with self._sheet("certificates", files.CertificateRow) as out:
            for p in city.people:
                for skill in p.skills:
                    begun = self._ago(30, 1400)
                    out.row({"caregiver_id": p.id, "skill_code": skill,
                             "number": f"TZ{begun.year}{out.rows:06d}", "valid_from": begun,
                             "valid_until": self._ahead(8, 1100)})  # fmt: skip
        self._shifts()

    def _shifts(self) -> None:
        works = self.rng.random((SHIFT_DAYS, len(self.city.people))) < ATTENDANCE
        with self._sheet("shifts", files.ShiftRow) as out:
            for ahead in range(SHIFT_DAYS):
                on = self.day + timedelta(days=ahead)
                for number, p in enumerate(self.city.people):
                    # Staff of sites and desks are not on the road and have no shift there.
                    usual = PROFILES[p.profile].shifts if works[ahead, number] else ()
                    for starts, ends in (p.shifts if ahead == 0 else usual) if p.travels else ():
                        out.row({"caregiver_id": p.id, "works_on": on, "starts": _clock(starts),
                                 "ends": _clock(ends)})  # fmt: skip

    # Elders' side ----------------------------------------------------------------------------

    def elders(self, total: int) -> None:
        """Write elders and families: those with orders first, then the rest of the register."""
        homes = [(h.id, h.community, h.lat, h.lng) for h in self.city.homes]
        level = self._levels_of_homes()
        with (
            self._sheet("elders", files.ElderRow) as out,
            self._sheet("families", files.FamilyRow) as kin,
            progress("write elders.csv", total) as advance,
        ):
            for begin in range(0, len(homes), CHUNK):
                part = homes[begin : begin + CHUNK]
                known = level[begin : begin + len(part)]
                lives = people.draw_lives(self.rng, len(part), served=True, level=known)
                self._elder_rows(part, lives, 0.02, out, kin)
                advance(len(part))
            for begin in range(len(homes), total, CHUNK):
                count = min(CHUNK, total - begin)
                lives = people.draw_lives(self.rng, count, served=False)
                self._elder_rows(self._others(begin, count), lives, 0.15, out, kin)
                advance(count)

    def _levels_of_homes(self) -> np.ndarray:
        level = np.full(len(self.city.homes), -1)
        for v in self.city.visits:
            level[v.home] = max(level[v.home], LEVEL_OF_SERVICE.get(v.service, -1))
        return level

    def _others(self, begin: int, count: int) -> list[tuple[str, str, float, float]]:
        chosen = self.rng.integers(len(self.communities), size=count)
        offset = self.rng.normal(0, 0.0027, (count, 2))
        made = []
        for n, (i, (north, east)) in enumerate(zip(chosen, offset, strict=True)):
            where: Division = self.communities[int(i)]
            made.append((f"E{begin + n + 1:06d}", where.code, where.lat + north, where.lng + east))
        return made

    def _elder_rows(
        self, places: list[tuple[str, str, float, float]], lives: people.Lives, unmeasured: float,
        out: _Sheet, kin: _Sheet,
    ) -> None:  # fmt: skip
        draws = self.rng.random((len(places), 4))
        ago = self.rng.integers(10, 350, len(places))
        for n, (number, community, lat, lng) in enumerate(places):
            born = people.born_on(self.day, lives.age_days[n])
            woman = bool(lives.woman[n])
            row: dict[str, object] = {
                "id": number, "name": lives.name[n], "gender": "F" if woman else "M",
                "born_on": born, "id_number": self._id_number(community[:6], born, woman),
                "phone": self._phone() if draws[n, 1] < 0.9 else "",
                "address": self._address(community),
                "hukou_local": "Y" if lives.local[n] else "N",
                "income_class": people.INCOMES[lives.income[n]],
                "lives_alone": "Y" if lives.alone[n] else "N", "special": lives.special[n],
                "status": "active",
            }  # fmt: skip
            if draws[n, 0] >= unmeasured:
                row |= {"lat": f"{lat:.6f}", "lng": f"{lng:.6f}"}
            if lives.level[n] >= 0:
                row |= {"assessed_on": self.day - timedelta(days=int(ago[n])),
                        "score": lives.score[n], "level": lives.level[n]}  # fmt: skip
            out.row(row)
            if draws[n, 2] < 0.12:
                kin.row(self._family(number, lives.name[n], float(draws[n, 3])))

    def _family(self, elder: str, name: str, draw: float) -> dict[str, object]:
        relation = people.RELATIONS[int(draw * len(people.RELATIONS))]
        blood = relation in ("女儿", "儿子", "孙女", "孙子")
        given = "敏" if relation in ("女儿", "儿媳", "孙女", "侄女") else "强"
        return {"elder_id": elder, "name": (name[0] if blood else "李") + given,
                "relation": relation, "phone": self._phone(),
                "powers": "order;see_visits;see_money;cancel"}  # fmt: skip

    def _id_number(self, district: str, born: date, woman: bool) -> str:
        while True:
            key = (district, born, woman)
            nth = self.sequence.get(key, 0)
            self.sequence[key] = nth + 1
            if nth < 500:
                return people.id_number(district, born, nth, woman=woman)
            district = "321200"  # the city's own code takes what a district has no numbers for

    # Orders ----------------------------------------------------------------------------------

    def orders(self) -> None:
        """Write the day's orders: plans that repeat, and orders for this day alone."""
        city = self.city
        with self._sheet("orders", files.OrderFileRow) as out:
            for v in city.visits:
                out.row({
                    "id": f"O{v.id[1:]}", "elder_id": city.homes[v.home].id,
                    "service_code": v.service, "starts_on": self.day,
                    "rrule": self._rule(v.line) if v.recurring else "",
                    "skip_holidays": "Y" if v.line == "ZJ" else "N",
                    "window_start": _clock(v.window[0]), "window_end": _clock(v.window[1]),
                    "vendor_id": v.vendor,
                    "caregiver_id": None if v.usual is None else city.people[v.usual].id,
                    "site_id": None if v.site is None else city.sites[v.site].id,
                    "quantity": v.quantity,
                })  # fmt: skip

    def _rule(self, line: str) -> str:
        """Return how a plan repeats: meals and calls daily, care three times a week, else weekly."""
        today = self.day.weekday()
        draw = self.rng.random()
        if line in ("ZC", "ZL", "YL") and draw < 0.6:
            return "FREQ=DAILY"
        if line in ("HL", "KF") and draw < 0.8:
            days = sorted({today, (today + 2) % 7, (today + 4) % 7})
            return "FREQ=WEEKLY;BYDAY=" + ",".join(WEEKDAYS[d] for d in days)
        if draw > 0.9:
            return f"FREQ=MONTHLY;BYMONTHDAY={self.day.day}"
        every = ";INTERVAL=2" if draw > 0.6 else ""
        return f"FREQ=WEEKLY{every};BYDAY={WEEKDAYS[today]}"
