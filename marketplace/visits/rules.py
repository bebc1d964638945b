"""How far evidence is trusted, and where and when a check-in counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import ceil
from types import MappingProxyType

from geopy.distance import geodesic

from marketplace.kernel.errors import BadInput, Conflict
from marketplace.visits.limits import Limits


class Method(StrEnum):
    """How presence was shown. The values are public in the API."""

    NFC = "nfc"
    HOME_CODE = "home_code"
    CARD = "card"
    GPS_PHOTO = "gps_photo"
    LANDLINE = "landline"
    GPS = "gps"
    PAPER = "paper"
    MANUAL = "manual"


TRUST: Mapping[Method, int] = MappingProxyType(
    {
        Method.NFC: 5,
        Method.HOME_CODE: 5,
        Method.CARD: 5,
        Method.GPS_PHOTO: 4,
        Method.LANDLINE: 4,
        Method.GPS: 3,
        Method.PAPER: 2,
        Method.MANUAL: 1,
    }
)
"""Trust ranks of the field's practice, 5 highest. What is sent late from offline counts at most 2."""

OFFLINE_TRUST = 2
LEAST_TRUST = 1
CARD_OK = "ok"
"""What reading a card wrote down where it is the elder's and may be used; else the reason."""

NEEDS_PLACE = frozenset({Method.NFC, Method.GPS, Method.GPS_PHOTO})

PROVEN = frozenset({Method.HOME_CODE, Method.CARD})
"""What this program has checked itself. That a phone read a tag is the phone's word: its place counts."""

OF_A_PHONE = (Method.HOME_CODE, Method.CARD, Method.NFC, Method.GPS_PHOTO, Method.GPS)
"""What a caregiver's own phone can show. A call is the hotline's to take, paper is read by two, and a
vendor answers for what is written down by hand."""

CLOCK_SKEW = timedelta(minutes=5)
LATEST_SYNC = timedelta(days=3)


class TooEarly(Conflict):
    """The visit's window has not come near. Facts: ``earliest_at``."""


class WaitAtTheDoor(Conflict):
    """A closed door is reported after ten minutes. Facts: ``earliest_at``."""


class CodeWrong(BadInput):
    """The home's code is not the one that was shown in the last minutes. Facts: ``expected``."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place in WGS-84 degrees."""

    lat: float
    lng: float


def metres(a: Point, b: Point) -> float:
    """Return the geodesic distance in metres."""
    return float(geodesic((a.lat, a.lng), (b.lat, b.lng)).meters)


def trust(method: Method, *, offline: bool) -> int:
    """Return the trust rank of one piece of evidence, 1 to 5.

    A code or tag of the home proves presence whenever it is sent; a position sent late does not.
    """
    rank = TRUST[method]
    if offline and method not in (Method.NFC, Method.HOME_CODE, Method.CARD):
        return min(rank, OFFLINE_TRUST)
    return rank


def fence_m(town_code: str | None, limits: Limits) -> int:
    """Return the radius within which a check-in counts as at home, for a town's code of nine digits.

    The last three digits tell: 001-099 is a subdistrict (街道), 100 and above a town or township (镇,
    乡). Unknown counts as rural.
    """
    is_urban = town_code is not None and len(town_code) == 9 and town_code[6:] < "100"
    return limits.fence_urban_m if is_urban else limits.fence_rural_m


def outside_fence_m(
    *, home: Point, at: Point, accuracy_m: int, town_code: str | None, limits: Limits
) -> int:
    """Return by how many metres a position lies outside the home's fence; 0 inside.

    The fence is widened by the reported accuracy, at most by ``fence_accuracy_m``.
    """
    allowed = fence_m(town_code, limits) + min(max(accuracy_m, 0), limits.fence_accuracy_m)
    return max(0, ceil(metres(home, at)) - allowed)


def check_evidence(
    *,
    method: Method,
    at_device: datetime,
    received_at: datetime,
    offline: bool,
    has_place: bool,
    note: str,
) -> None:
    """Raise ``BadInput`` for evidence that cannot be what it says.

    The phone's time may run ahead by five minutes; offline records come within three days; a
    position needs coordinates and a manual correction its reason.
    """
    if at_device > received_at + CLOCK_SKEW:
        raise BadInput(field="at_device", value=at_device.isoformat(), expected="not in the future")
    late = received_at - at_device
    if late > LATEST_SYNC or (late > CLOCK_SKEW and not offline and method is not Method.MANUAL):
        raise BadInput(
            field="at_device",
            value=at_device.isoformat(),
            expected="now, or offline within three days",
        )
    if method in NEEDS_PLACE and not has_place:
        raise BadInput(field="lat", value=None, expected="the position for this method")
    if method is Method.MANUAL and not note.strip():
        raise BadInput(field="note", value=note, expected="the reason of a manual correction")


def check_slot(*, at: datetime, opens_at: datetime, closes_at: datetime, limits: Limits) -> int:
    """Return how many minutes after the slot a check-in comes; 0 until ``late_min`` after it.

    Raises ``TooEarly`` more than ``early_min`` before the slot: the caregiver waits, and the elder
    is not surprised. Coming late is no reason to turn round at the door; it is recorded and looked at.
    """
    earliest = opens_at - timedelta(minutes=limits.early_min)
    if at < earliest:
        raise TooEarly(field="at_device", earliest_at=earliest.astimezone(UTC).isoformat())
    late = at - (closes_at + timedelta(minutes=limits.late_min))
    return max(0, ceil(late.total_seconds() / 60))


def payable_minutes(*, actual_min: int, standard_min: int) -> int:
    """Return the minutes that may be paid: never more than the standard (rule F05 trims)."""
    return min(actual_min, standard_min)


NO_PHOTO_CATEGORIES = frozenset({"ZY", "HL"})
NO_PHOTO_SKILLS = frozenset({"BATH", "CARE3", "CARE4", "CARE5", "NURSE"})
PHOTO_ASKED = frozenset({"ZJ", "SG", "DB"})
"""Kinds of work whose result may be pictured: a clean home, a repair, what was bought."""


def photo_is_forbidden(category_code: str, skill_code: str) -> bool:
    """Say whether a photo would show a person being washed, dressed or cared for."""
    return category_code in NO_PHOTO_CATEGORIES or skill_code in NO_PHOTO_SKILLS


def photo_is_asked(category_code: str, skill_code: str) -> bool:
    """Say whether a photo of the work is asked for."""
    return category_code in PHOTO_ASKED and not photo_is_forbidden(category_code, skill_code)


def verdict_of(actions: Iterable[str]) -> str:
    """Return ``blocked``, ``held`` or ``verified`` for what the rules said of a visit."""
    said = set(actions)
    if "block" in said:
        return "blocked"
    return "held" if "hold" in said else "verified"
