"""What a catalogue must be, and which version of a service is in force. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol, TypeVar

CATEGORIES = 11
SERVICES = 247
"""The size of the city's catalogue as published: 11大类247项."""

MODES = ("home", "site", "remote")
TIME_CLASSES = ("meal_window", "appointment", "flexible_day", "emergency")
SKILLS = frozenset(
    {"MEAL", "COOK", "GEN", "CARE5", "CARE4", "CARE3", "BATH", "NURSE", "DOC", "TCM", "PHARM"}
    | {"REHAB", "NUTR", "PSY", "SW", "COMP", "EDU", "LAW", "CALL", "ESCORT", "DRIVER", "TECH"}
    | {"FIT", "ELEC", "PLUMB", "GAS", "APPL", "PEST", "LOCK", "BARBER", "PEDI", "ASSESS"}
)
LONG_UNITS = ("天", "月", "班", "晚", "项目", "户")
"""Billing units of placements and projects, which are no stops of a day's route."""

LONGEST_STOP_MIN = 480


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """One category as the catalogue file writes it."""

    code: str
    name_zh: str
    name_en: str
    position: int


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One service from ``valid_from`` on. ``price_fen`` in fen, ``duration_min`` in minutes."""

    code: str
    category_code: str
    valid_from: date
    name_zh: str
    name_en: str
    unit: str
    duration_min: int
    price_fen: int
    caregivers: int
    skill_code: str
    mode: str
    subsidised: bool
    time_class: str
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a catalogue: which code, which field, what, and the cure."""

    code: str
    field: str
    problem: str
    cure: str


class Dated(Protocol):
    """Anything with a first valid day."""

    @property
    def valid_from(self) -> date: ...


D = TypeVar("D", bound=Dated)


def in_force(versions: Iterable[D], on: date) -> D | None:
    """Return the version in force on a day: the latest that began by then, ``None`` before the first."""
    begun = [v for v in versions if v.valid_from <= on]
    return max(begun, key=lambda v: v.valid_from, default=None)


def is_stop(*, unit: str, duration_min: int, mode: str) -> bool:
    """Return whether a visit of this service is a stop of a day's route.

    Placements and projects (billed by day, month, shift or night, or of 480 minutes and more),
    remote services and services given at a site are none.
    """
    return mode == "home" and unit not in LONG_UNITS and duration_min < LONGEST_STOP_MIN


@dataclass
class _Findings:
    rows: list[Finding] = field(default_factory=list)

    def expect(self, holds: bool, code: str, field_: str, problem: str, cure: str) -> None:
        if not holds:
            self.rows.append(Finding(code, field_, problem, cure))


def check(
    categories: Sequence[CategoryRow],
    services: Sequence[ServiceRow],
    *,
    expect_categories: int = CATEGORIES,
    expect_services: int = SERVICES,
) -> list[Finding]:
    """Return everything that is wrong with a catalogue; an empty list is a clean one."""
    found = _Findings()
    codes = [c.code for c in categories]
    lasting = {s.code for s in services}
    found.expect(
        len(set(codes)) == expect_categories,
        "*",
        "categories",
        f"{len(set(codes))} categories",
        f"the catalogue has {expect_categories}",
    )
    found.expect(
        len(lasting) == expect_services,
        "*",
        "services",
        f"{len(lasting)} services",
        f"the catalogue has {expect_services}",
    )
    for code, n in Counter(codes).items():
        found.expect(n == 1, code, "code", f"{n} categories have it", "one row a category")
    for (code, day), n in Counter((s.code, s.valid_from) for s in services).items():
        found.expect(n == 1, code, "valid_from", f"{n} rows from {day}", "one row a code and date")
    _check_names(found, services)
    known = set(codes)
    for row in services:
        _check_service(found, row, known)
    return found.rows


def _check_names(found: _Findings, services: Sequence[ServiceRow]) -> None:
    by_name: dict[tuple[str, str], set[str]] = {}
    for s in services:
        by_name.setdefault(("name_zh", s.name_zh), set()).add(s.code)
        by_name.setdefault(("name_en", s.name_en), set()).add(s.code)
    for (name_field, name), owners in by_name.items():
        found.expect(
            len(owners) == 1,
            min(owners),
            name_field,
            f"{name!r} names {len(owners)} services",
            "give each service a name of its own",
        )


def _check_service(found: _Findings, row: ServiceRow, categories: set[str]) -> None:
    def expect(holds: bool, name: str, cure: str) -> None:
        found.expect(holds, row.code, name, f"{getattr(row, name)!r}", cure)

    expect(bool(re.fullmatch(r"[A-Z]{2}\d{3}", row.code)), "code", "two letters and three digits")
    expect(row.code[:2] == row.category_code, "category_code", "the code's first two letters")
    expect(row.category_code in categories, "category_code", "a category of categories.csv")
    expect(bool(row.name_zh.strip()), "name_zh", "a Chinese name")
    expect(bool(row.name_en.strip()) and row.name_en.isascii(), "name_en", "an English name")
    expect(bool(row.unit.strip()), "unit", "a billing unit such as 次")
    expect(0 < row.duration_min <= 60 * 24 * 31, "duration_min", "1 to 44640 minutes")
    expect(0 <= row.price_fen <= 10_000_000, "price_fen", "0 to 10,000,000 fen")
    expect(row.caregivers in (1, 2), "caregivers", "1 or 2")
    expect(row.skill_code in SKILLS, "skill_code", f"one of {' '.join(sorted(SKILLS))}")
    expect(row.mode in MODES, "mode", f"one of {' '.join(MODES)}")
    expect(row.time_class in TIME_CLASSES, "time_class", f"one of {' '.join(TIME_CLASSES)}")
