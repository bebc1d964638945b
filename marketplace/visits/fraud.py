"""The anti-fraud rules that can be decided when a visit ends: F01 to F24 but for monthly ones. Pure.

A finding is evidence, not a verdict on a person: GPS drifts, walls are thick, families share phones.
``block`` pays nothing and ``hold`` keeps the hold until a person decides; ``trim`` pays the standard;
``review`` pays and puts the visit on a list. F08, F12, F17 and F18 look at a month.
Figures in the rules' sentences are the first version's; ``limits.toml`` holds what is in force.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from marketplace.kernel.clock import local
from marketplace.visits.limits import Limits, latest
from marketplace.visits.rules import Point, metres

HANDS_ON = frozenset({"ZY", "HL", "KF", "YL", "ZX"})
"""Categories of which an elder can have one at a time."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says of one visit, with the facts it saw."""

    rule: str
    action: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """Another visit, of the same caregiver or of the same elder."""

    work_order_id: str
    caregiver_id: str
    vendor_id: str | None
    category_code: str
    began_at: datetime
    ended_at: datetime
    at: Point | None = None
    mode: str = "home"


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo's perceptual hash (64 bits), and its own time where it carries one."""

    phash: int
    taken_at: datetime | None
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitFacts:
    """Everything that the rules look at. ``ends_by`` is when the visit should have ended latest."""

    work_order_id: str
    caregiver_id: str
    vendor_id: str | None
    category_code: str
    mode: str
    time_class: str
    began_at: datetime
    ended_at: datetime
    ends_by: datetime
    standard_min: int
    at: Point | None = None
    outside_fence_m: int = 0
    needed_skill: str = "GEN"
    skills: frozenset[str] = frozenset({"GEN"})
    crew: int = 1
    checked_in: int = 1
    price_fen: int = 0
    guide_price_fen: int = 0
    government_paid: bool = False
    is_night_item: bool = False
    elder_is_served: bool = True
    elder_denies: bool = False
    is_kin: bool = False
    kin_is_approved: bool = False
    phone_is_supply: bool = False
    phone_shared_by: int = 1
    assessed_by_vendor: bool = False
    by_caregiver: tuple[Other, ...] = ()
    by_elder: tuple[Other, ...] = ()
    caregivers_of_device: frozenset[str] = frozenset()
    devices_of_caregiver: frozenset[str] = frozenset()
    is_mock: bool = False
    same_spot: int = 0
    photos: tuple[Photo, ...] = ()
    earlier_photos: tuple[int, ...] = ()
    limits: Limits = field(default_factory=latest)

    @property
    def length(self) -> timedelta:
        """Return how long the visit lasted."""
        return self.ended_at - self.began_at


def _overlap(v: VisitFacts, o: Other) -> timedelta:
    return min(v.ended_at, o.ended_at) - max(v.began_at, o.began_at)


def f01_overlap(v: VisitFacts) -> Finding | None:
    """One caregiver in two places: visits overlap by a minute or more (site services apart)."""
    hit = [
        o.work_order_id
        for o in v.by_caregiver
        if _overlap(v, o) >= timedelta(minutes=v.limits.overlap_min)
        and not (v.mode == o.mode == "site")
    ]
    return Finding("F01", "block", {"with": hit}) if hit else None


def f02_impossible_travel(v: VisitFacts) -> Finding | None:
    """More than 40 km/h as the crow flies and more than a kilometre between two visits."""
    for o in v.by_caregiver:
        if v.at is None or o.at is None or _overlap(v, o) > timedelta(0):
            continue
        apart = metres(v.at, o.at)
        gap = max((v.began_at - o.ended_at), (o.began_at - v.ended_at)).total_seconds()
        if apart > v.limits.near_m and apart * 3.6 > v.limits.fastest_kmh * max(gap, 1.0):
            return Finding(
                "F02", "hold", {"with": o.work_order_id, "metres": round(apart), "gap_s": int(gap)}
            )
    return None


def f03_outside_fence(v: VisitFacts) -> Finding | None:
    """Checked in outside the fence, after the allowance for accuracy."""
    if v.outside_fence_m <= 0:
        return None
    return Finding("F03", "hold", {"outside_m": v.outside_fence_m})


def f04_too_short(v: VisitFacts) -> Finding | None:
    """Less than 80 % of the standard minutes is held, less than 50 % not paid."""
    if v.standard_min <= v.limits.hand_over_min:
        return None
    percent = v.length.total_seconds() * 100 / (v.standard_min * 60)
    if percent >= v.limits.short_percent:
        return None
    action = "block" if percent < v.limits.unpaid_percent else "hold"
    return Finding("F04", action, {"percent": int(percent)})


def f05_too_long(v: VisitFacts) -> Finding | None:
    """More than twice the standard, or checked out four hours late: paid as standard."""
    far_too_long = v.length.total_seconds() * 100 > v.standard_min * 60 * v.limits.long_percent
    forgotten = v.ended_at - v.ends_by > timedelta(hours=v.limits.latest_check_out_h)
    if forgotten or (far_too_long and v.standard_min > v.limits.hand_over_min):
        return Finding("F05", "trim", {"minutes": int(v.length.total_seconds() // 60)})
    return None


def f06_device_shared(v: VisitFacts) -> Finding | None:
    """One phone for two caregivers in a day, or two phones for one."""
    others = v.caregivers_of_device - {v.caregiver_id}
    if others or len(v.devices_of_caregiver) >= 2:
        return Finding(
            "F06",
            "hold",
            {"caregivers": sorted(others), "devices": len(v.devices_of_caregiver)},
        )
    return None


def f07_photo_used_before(v: VisitFacts) -> Finding | None:
    """A photo like one of the last 90 days, or whose own time is ten minutes off."""
    for photo in v.photos:
        if any((photo.phash ^ old).bit_count() <= v.limits.photo_bits for old in v.earlier_photos):
            return Finding("F07", "hold", {"why": "seen before"})
        if photo.taken_at and abs(photo.received_at - photo.taken_at) > timedelta(
            minutes=v.limits.photo_clock_min
        ):
            return Finding("F07", "hold", {"why": "other time"})
    return None


def f09_elder_not_there(v: VisitFacts) -> Finding | None:
    """The elder was dead, in hospital, in an institution or away on the day."""
    return None if v.elder_is_served else Finding("F09", "block")


def f10_two_services_at_once(v: VisitFacts) -> Finding | None:
    """Two services that nobody can have at the same time."""
    hit = [
        o.work_order_id
        for o in v.by_elder
        if {v.category_code, o.category_code} <= HANDS_ON
        and o.work_order_id != v.work_order_id
        and _overlap(v, o) >= timedelta(minutes=v.limits.overlap_min)
    ]
    return Finding("F10", "hold", {"with": hit}) if hit else None


def f11_too_much_in_a_day(v: VisitFacts) -> Finding | None:
    """More than ten hours of service or sixteen visits (meals apart) in a day: the surplus is held."""
    day = local(v.began_at).date()
    before = [
        o
        for o in v.by_caregiver
        # The days beside it are known too, for overlaps at night; a visit counts where it ended.
        if o.ended_at <= v.began_at and local(o.ended_at).date() == day
    ]
    hours = sum((o.ended_at - o.began_at for o in before), v.length) / timedelta(hours=1)
    visits = sum(o.category_code != "ZC" for o in before) + (v.category_code != "ZC")
    if hours > v.limits.most_service_h or visits > v.limits.most_visits:
        return Finding("F11", "hold", {"hours": round(hours, 2), "visits": visits})
    return None


def f13_at_night(v: VisitFacts) -> Finding | None:
    """A day-type service between 21:00 and 06:00."""
    hour = local(v.began_at).hour
    if (
        (hour >= v.limits.night_from_h or hour < v.limits.night_until_h)
        and v.time_class != "emergency"
        and not v.is_night_item
    ):
        return Finding("F13", "hold", {"hour": hour})
    return None


def f14_phone(v: VisitFacts) -> Finding | None:
    """The elder's phone is a caregiver's, or stands for five elders and more."""
    if v.phone_is_supply or v.phone_shared_by >= v.limits.shared_phone:
        return Finding("F14", "review", {"elders": v.phone_shared_by})
    return None


def f15_kin(v: VisitFacts) -> Finding | None:
    """The caregiver is kin to the elder and the government pays, without approval."""
    if v.is_kin and v.government_paid and not v.kin_is_approved:
        return Finding("F15", "block")
    return None


def f16_skill(v: VisitFacts) -> Finding | None:
    """The caregiver lacks the skill, or its certificate is not valid on the day."""
    if v.needed_skill in v.skills:
        return None
    return Finding("F16", "block", {"needed": v.needed_skill})


def f19_price(v: VisitFacts) -> Finding | None:
    """Sold above the guide price of the catalogue."""
    if v.price_fen <= v.guide_price_fen:
        return None
    return Finding("F19", "trim", {"price_fen": v.price_fen, "guide_fen": v.guide_price_fen})


def f20_mock_location(v: VisitFacts) -> Finding | None:
    """A mocked position, a rooted phone, or the same six decimals five times."""
    if v.is_mock or v.same_spot >= v.limits.same_spot:
        return Finding("F20", "hold", {"same_spot": v.same_spot, "mock": v.is_mock})
    return None


def f21_one_of_two(v: VisitFacts) -> Finding | None:
    """A two-person service with one check-in: half is paid, after a look."""
    if v.checked_in >= v.crew:
        return None
    return Finding("F21", "hold", {"crew": v.crew, "checked_in": v.checked_in})


def f22_elder_denies(v: VisitFacts) -> Finding | None:
    """The elder says that nobody came."""
    return Finding("F22", "block") if v.elder_denies else None


def f23_own_assessment(v: VisitFacts) -> Finding | None:
    """The vendor that serves also assessed the elder's ability."""
    return Finding("F23", "review") if v.assessed_by_vendor else None


def f24_split_visit(v: VisitFacts) -> Finding | None:
    """One visit sold as several items: the same caregiver, elder and minutes."""
    hit = [
        o.work_order_id
        for o in v.by_elder
        if o.work_order_id != v.work_order_id
        and o.caregiver_id == v.caregiver_id
        and o.vendor_id == v.vendor_id
        and _overlap(v, o) >= timedelta(minutes=v.limits.overlap_min)
    ]
    return Finding("F24", "trim", {"with": hit}) if hit else None


RULES: tuple[Callable[[VisitFacts], Finding | None], ...] = (
    f01_overlap,
    f02_impossible_travel,
    f03_outside_fence,
    f04_too_short,
    f05_too_long,
    f06_device_shared,
    f07_photo_used_before,
    f09_elder_not_there,
    f10_two_services_at_once,
    f11_too_much_in_a_day,
    f13_at_night,
    f14_phone,
    f15_kin,
    f16_skill,
    f19_price,
    f20_mock_location,
    f21_one_of_two,
    f22_elder_denies,
    f23_own_assessment,
    f24_split_visit,
)


def judge(v: VisitFacts) -> list[Finding]:
    """Return what every rule says of a visit; an empty list is a clean one."""
    return [found for rule in RULES if (found := rule(v)) is not None]
