"""Who acts: a role and the scope that it reaches."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """The roles of the field (domain rules, "Roles"). The values are public in the API."""

    ELDER = "elder"
    FAMILY = "family"
    HOTLINE = "hotline"
    COMMUNITY = "community"
    VENDOR = "vendor"
    CAREGIVER = "caregiver"
    STREET = "street"
    BUREAU = "bureau"
    AUDITOR = "auditor"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """One person (or the system) in one role, with the scope that the role reaches.

    ``elder_ids``: the elders an elder or a family account is bound to. ``vendor_id`` and
    ``caregiver_id``: whose jobs. ``district_code`` (6 digits) and ``town_code`` (9 digits): the area
    of civil-affairs staff; ``None`` means the whole city for bureau and auditor.
    """

    user_id: str
    role: Role
    elder_ids: frozenset[str] = field(default_factory=frozenset)
    vendor_id: str | None = None
    caregiver_id: str | None = None
    district_code: str | None = None
    town_code: str | None = None


SYSTEM = Actor(user_id="system", role=Role.SYSTEM)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows and which groups of fields an actor may read; decided by the policy, kept by queries.

    ``everything`` lifts all row limits; else a row is in reach when it meets every limit that is set.
    ``fields`` are always shown, ``fields_once_accepted`` only on work that the vendor has accepted
    (for a caregiver: that is assigned to them). ``elder_ids`` is ``None`` where it is no limit.
    """

    everything: bool = False
    elder_ids: frozenset[str] | None = None
    vendor_id: str | None = None
    caregiver_id: str | None = None
    district_code: str | None = None
    town_code: str | None = None
    fields: frozenset[str] = field(default_factory=frozenset)
    fields_once_accepted: frozenset[str] = field(default_factory=frozenset)
