"""Who may serve what, and who is asked next. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from marketplace.kernel.errors import DomainError

FOOD_LICENCE = "食品经营许可证"
MEDICAL_LICENCE = "医疗机构执业许可证"

LICENCE_FOR_SKILL: Mapping[str, str] = MappingProxyType(
    {
        "MEAL": FOOD_LICENCE,
        "NURSE": MEDICAL_LICENCE,
        "DOC": MEDICAL_LICENCE,
        "TCM": MEDICAL_LICENCE,
    }
)
"""Only a licensed medical institution sells nursing and medical items; meals need a food licence."""

_INCLUDES = {"CARE3": ("CARE4", "CARE5"), "CARE4": ("CARE5",)}

LOWEST_CREDIT = 60
"""Below this a vendor gets no open work order until civil affairs restores it."""


def skills_held(codes: Iterable[str]) -> frozenset[str]:
    """Return the skills that certificates give: grade three includes four, four includes five."""
    held = set(codes)
    for code in tuple(held):
        held.update(_INCLUDES.get(code, ()))
    return frozenset(held)


class VendorCannotServe(DomainError):
    """The named vendor may not serve this. Facts: ``vendor_id``, ``why``."""


class CaregiverCannotServe(DomainError):
    """The named caregiver may not serve this. Facts: ``caregiver_id``, ``why``."""


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence and its valid days, both included."""

    kind: str
    valid_from: date
    valid_until: date


@dataclass(frozen=True, slots=True)
class VendorFacts:
    """What decides whether a vendor may and should be asked.

    ``load``: its work orders of the day; ``open_part``: the part (0 to 1) of the day's open work
    orders that it has already; ``open_share``: the part that is fair.
    """

    id: str
    status: str = "active"
    categories: frozenset[str] = field(default_factory=frozenset)
    districts: frozenset[str] = field(default_factory=frozenset)
    licences: tuple[Licence, ...] = ()
    daily_capacity: int | None = None
    credit: int = 100
    open_share: float | None = None
    load: int = 0
    open_part: float = 0.0


@dataclass(frozen=True, slots=True)
class Work:
    """What a vendor is asked to do."""

    category_code: str
    skill_code: str
    district_code: str
    visit_on: date


def why_not(vendor: VendorFacts, work: Work) -> str | None:
    """Return the first reason for which a vendor may not serve, or ``None`` where it may."""
    if vendor.status != "active":
        return "suspended"
    if work.category_code not in vendor.categories:
        return "category"
    if work.district_code not in vendor.districts:
        return "district"
    needed = LICENCE_FOR_SKILL.get(work.skill_code)
    if needed is not None and not any(
        x.kind == needed and x.valid_from <= work.visit_on <= x.valid_until for x in vendor.licences
    ):
        return "licence"
    return None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A vendor's place in the ranking, and why. ``excluded`` names the reason for no place.

    ``score`` is the sum of ``reasons``: ``share`` (points of a hundred below its fair share),
    ``room`` (0 to 10, free capacity), ``credit`` (half the points lost, negative).
    """

    vendor_id: str
    score: float
    reasons: Mapping[str, float]
    excluded: str | None = None


def rank(
    vendors: Iterable[VendorFacts], work: Work, *, asked_already: Iterable[str] = ()
) -> list[Ranked]:
    """Return every vendor, best first, the excluded last with the reason.

    An open work order goes to whom it is due: first to those furthest below their published share,
    then to those with room, with points off for lost credit. Equal scores go by id, so that the
    same facts give the same answer.
    """
    asked = frozenset(asked_already)
    ranked = [_place(v, work, asked) for v in vendors]
    return sorted(ranked, key=lambda r: (r.excluded is not None, -r.score, r.vendor_id))


def _place(vendor: VendorFacts, work: Work, asked: frozenset[str]) -> Ranked:
    excluded = why_not(vendor, work)
    full = vendor.daily_capacity is not None and vendor.load >= vendor.daily_capacity
    if excluded is None and vendor.id in asked:
        excluded = "asked_already"
    if excluded is None and full:
        excluded = "capacity"
    if excluded is None and vendor.credit < LOWEST_CREDIT:
        excluded = "credit"
    room = 5.0
    if vendor.daily_capacity:
        room = 10.0 * max(0, vendor.daily_capacity - vendor.load) / vendor.daily_capacity
    reasons = {
        "share": round(100.0 * ((vendor.open_share or 0.0) - vendor.open_part), 6),
        "room": round(room, 6),
        "credit": (vendor.credit - 100) / 2,
    }
    return Ranked(vendor.id, round(sum(reasons.values()), 6), MappingProxyType(reasons), excluded)


def best(ranked: Iterable[Ranked]) -> str | None:
    """Return the vendor to ask, or ``None`` where nobody may be asked."""
    first = next(iter(ranked), None)
    return first.vendor_id if first is not None and first.excluded is None else None
