"""An offline gazetteer: district, town and community of an address, with a point and its level.

The packaged table carries published points of districts and of 64 towns. Points of the other towns
and of all communities were placed by rule inside their parent, so that homes of one village do not
lie in one heap; their level says no more than what is known: a community's placed point counts as
``town``, a placed town's as ``district``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from io import StringIO
from pathlib import Path

from pypinyin import Style, lazy_pinyin

from marketplace.kernel.ports import Bounds, Located, NamedPlace

PACKAGED = "divisions.3212.csv"
MARGIN_DEGREES = 0.2
_LEVEL = {6: "district", 9: "town", 12: "community"}
_WIDER = {"community": "town", "town": "district", "district": "district"}
_SUFFIX = re.compile(
    r"(社区居民委员会|社区居委会|居民委员会|村民委员会|居委会|村委会|街道办事处|街道|社区|村|镇|乡|区|市)$"
)
_SHORT = re.compile(r"(社区|村)(?:居民委员会|居委会|民委员会|委会)$")
_BETWEEN = re.compile(r"[\s,，、]+")
_SPACE = re.compile(r"[\s,，、;；。.\-—_()（）#＃]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A row of the table. ``level`` is how well its point is known."""

    code: str
    name: str
    core: str
    lat: float
    lng: float
    level: str


class Gazetteer:
    """Finds the places named in an address by their longest names, from district to community."""

    def __init__(self, rows: Iterable[dict[str, str]]) -> None:
        """``rows``: code (6, 9 or 12 digits), name, lat, lng (WGS-84), point (known or placed).

        Raises ``ValueError`` naming the row that cannot be read.
        """
        places = sorted((_place(row) for row in rows), key=lambda p: p.code)
        if not places:
            raise ValueError("the gazetteer is empty")
        self._by_code = {p.code: p for p in places}
        self._named: list[tuple[str, str, str]] = []
        self._children: dict[str, list[Place]] = {}
        for place in places:
            parent = {6: "", 9: place.code[:6], 12: place.code[:9]}[len(place.code)]
            self._children.setdefault(parent, []).append(place)
        for children in self._children.values():
            children.sort(key=lambda p: (-len(p.core), p.code))
        self._towns = sorted(
            (p for p in places if len(p.code) == 9), key=lambda p: (-len(p.core), p.code)
        )
        lats, lngs = [p.lat for p in places], [p.lng for p in places]
        self._bounds = Bounds(
            min(lats) - MARGIN_DEGREES, max(lats) + MARGIN_DEGREES,
            min(lngs) - MARGIN_DEGREES, max(lngs) + MARGIN_DEGREES,
        )  # fmt: skip

    @classmethod
    @cache
    def packaged(cls) -> Gazetteer:
        """Return the gazetteer of Taizhou that the product carries."""
        text = (resources.files("marketplace.adapters") / "data" / PACKAGED).read_text("utf-8")
        return cls(csv.DictReader(StringIO(text)))

    @classmethod
    def read(cls, path: Path) -> Gazetteer:
        """Return the gazetteer of one's own city from a CSV file of the same columns."""
        with path.open(encoding="utf-8-sig", newline="") as file:
            return cls(csv.DictReader(file))

    @property
    def bounds(self) -> Bounds:
        """The box in which addresses of this city lie."""
        return self._bounds

    def place(self, code: str) -> Located | None:
        """Return the point of a district, town or community by its code."""
        found = self._by_code.get(code)
        return None if found is None else self._located(found)

    def named(self, text: str, *, limit: int = 8) -> list[NamedPlace]:
        """Return the communities whose path of names holds each word of the text."""
        words = [w for w in _BETWEEN.split(text.strip().lower()) if w]
        if not words:
            return []
        found = [
            NamedPlace(code, path)
            for code, path, initials in self._paths()
            if all(w in path or w in initials for w in words)
        ]
        return found[:limit]

    def _paths(self) -> list[tuple[str, str, str]]:
        """Return code, joined names and their pinyin initials of every community, made once."""
        if not self._named:
            for place in self._by_code.values():
                if len(place.code) == 12:
                    parents = (self._by_code.get(place.code[:n]) for n in (6, 9))
                    names = [p.name for p in parents if p] + [_SHORT.sub(r"\1", place.name)]
                    # Each level's initials apart, so that a word never runs over two names.
                    initials = " ".join(
                        "".join(lazy_pinyin(n, style=Style.FIRST_LETTER)) for n in names
                    )
                    self._named.append((place.code, "".join(names), initials))
        return self._named

    def name(self, code: str) -> str | None:
        """Return the name of a district, town or community by its code."""
        found = self._by_code.get(code)
        return None if found is None else found.name

    def locate(self, address: str) -> Located | None:
        """Return the most exact place named in the address, or ``None`` where no district or town is."""
        text = _SPACE.sub("", address)
        district, after = _first(self._children[""], text)
        within = self._children.get(district.code, []) if district else self._towns
        town, beyond = _first(within, text[after:])
        if town is None and district is not None:
            # "兴化市昭阳镇" names a town by an older suffix; the core alone is looked for then.
            town, beyond = _first(within, text[after:], loose=True)
        if town is None:
            return None if district is None else self._in_district(district, text[after:])
        community, _ = _first(self._children.get(town.code, []), text[after + beyond :], loose=True)
        return self._located(community or town)

    def _in_district(self, district: Place, text: str) -> Located:
        """Return the one community of the district that the text names, else the district."""
        named = [
            place
            for town in self._children.get(district.code, [])
            for place in self._children.get(town.code, [])
            if len(place.core) >= 2 and place.core + _kind(place.name) in text
        ]
        return self._located(named[0] if len(named) == 1 else district)

    def _located(self, place: Place) -> Located:
        code = place.code
        return Located(
            lat=place.lat, lng=place.lng, level=place.level, district_code=code[:6],
            town_code=code[:9] if len(code) >= 9 else None,
            community_code=code if len(code) == 12 else None, source="gazetteer",
        )  # fmt: skip


def _place(row: dict[str, str]) -> Place:
    try:
        code, name = row["code"].strip(), _SPACE.sub("", row["name"])
        own = _LEVEL[len(code)]
        level = own if row["point"].strip() == "known" else _WIDER[own]
        return Place(code, name, _core(name), float(row["lat"]), float(row["lng"]), level)
    except (KeyError, ValueError, AttributeError) as exc:
        raise ValueError(f"gazetteer row {row!r}: {exc}") from exc


def _core(name: str) -> str:
    """Return the name without its kind: 城东街道 -> 城东; a core of one character keeps it."""
    core = _SUFFIX.sub("", name)
    return core if len(core) >= 2 else name


def _kind(name: str) -> str:
    return "村" if name.endswith(("村委会", "村民委员会")) else "社区"


def _first(places: list[Place], text: str, *, loose: bool = False) -> tuple[Place | None, int]:
    """Return the place whose full name, or long core, comes first in the text, and where it ends.

    ``loose`` takes a bare core of two characters too.
    """
    best: tuple[int, int, Place, int] | None = None
    for place in places:
        for name in {place.name, place.core}:
            bare = name == place.core and name != place.name
            if (bare and len(name) < 2) or (bare and not loose and not _stands(name, text)):
                continue
            at = text.find(name)
            if at >= 0:
                found = (at, -len(name), place, at + len(name))
                if best is None or found[:2] < best[:2]:
                    best = found
    return (None, 0) if best is None else (best[2], best[3])


def _stands(core: str, text: str) -> bool:
    """Whether the core stands at the text's head or right after 泰州市, as short forms do."""
    return text.startswith(core) or f"市{core}" in text or f"区{core}" in text
