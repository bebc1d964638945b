"""What a synthetic city is made of. Indices point into the tuples of `City`."""

from __future__ import annotations

from dataclasses import dataclass

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Site:
    """A community centre (``centre``), meal site, bath site or day-care centre (``day_care``)."""

    id: str
    kind: str
    community: str
    lat: float
    lng: float
    vendor: str | None = None

    @property
    def district(self) -> str:
        """Six digits."""
        return self.community[:6]


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor: ``size`` large, middle or small; ``kind`` general, meals, medical or repair."""

    id: str
    size: str
    kind: str
    districts: tuple[str, ...]
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """A caregiver. ``shifts`` is empty for those who are off today.

    ``profile`` says what they were hired for. ``travels`` is false for staff of sites and of the
    call centre, who are no part of a day's routes. ``rest`` is (earliest start, latest end, length).
    """

    id: str
    vendor: str
    base: int
    profile: str
    skills: tuple[str, ...]
    shifts: tuple[Interval, ...]
    travels: bool
    rest: tuple[int, int, int] | None
    capacity: int | None
    max_work_s: int = 8 * 3600


@dataclass(frozen=True, slots=True)
class Home:
    """Where an elder with an order today lives; ``rural`` outside a town's built-up area."""

    id: str
    community: str
    lat: float
    lng: float
    rural: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """One order of the day.

    ``mode`` is home, site or remote; only ``home`` visits are stops of a route. ``vendor`` is None
    for an open order. ``usual`` is the caregiver who mostly comes (recurring orders), ``site`` the
    kitchen of a delivered meal or the place of a site service. ``window`` bounds the start, in
    seconds from midnight; past midnight goes on counting.
    """

    id: str
    home: int
    line: str
    service: str
    quantity: int
    service_s: int
    window: Interval
    skill: str
    crew: int
    mode: str
    priority: int
    recurring: bool
    vendor: str | None = None
    usual: int | None = None
    forbidden: tuple[int, ...] = ()
    site: int | None = None
    ready_s: int | None = None
