"""Who is on shift on a day: shifts less leave, of those who may work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel.clock import instant_of, second_of
from vendors import caregivers
from vendors.caregivers import CaregiverFacts
from vendors.models import Caregiver, Leave, Shift, Site, Vendor

Span = tuple[int, int]
SHORTEST_S = 900
"""A rest of a shift between two leaves that is shorter than this is no shift."""


@dataclass(frozen=True, slots=True)
class OnShift:
    """A caregiver who works on a day: shifts in seconds from local midnight, leave taken out."""

    facts: CaregiverFacts
    base: tuple[float, float]
    shifts: tuple[Span, ...]


def without(shifts: Iterable[Span], leave: Sequence[Span]) -> tuple[Span, ...]:
    """Return the shifts with the leave cut out, in order and disjoint. Pure."""
    left = merged(shifts)
    for off_from, off_to in leave:
        cut: list[Span] = []
        for start, end in left:
            if off_to <= start or off_from >= end:
                cut.append((start, end))
                continue
            cut += [(start, off_from), (off_to, end)]
        left = [(a, b) for a, b in cut if b - a >= SHORTEST_S]
    return tuple(left)


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, those that overlap or touch made one. Pure."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def on_day(session: Session, day: date) -> list[OnShift]:
    """Return who works on a day, in order of id: active, of an active vendor, with a shift left."""
    shifts: dict[str, list[Span]] = defaultdict(list)
    for caregiver_id, starts_s, ends_s in session.execute(
        select(Shift.caregiver_id, Shift.starts_s, Shift.ends_s).where(Shift.works_on == day)
    ):
        shifts[caregiver_id].append((starts_s, ends_s))
    begins, ends = instant_of(day, 0), instant_of(day, 36 * 3600)
    leave: dict[str, list[Span]] = defaultdict(list)
    for caregiver_id, from_at, to_at in session.execute(
        select(Leave.caregiver_id, Leave.from_at, Leave.to_at).where(
            Leave.from_at < ends, Leave.to_at > begins
        )
    ):
        leave[caregiver_id].append((second_of(day, from_at), second_of(day, to_at)))
    bases: dict[str, tuple[float, float]] = {
        c: (lat, lng)
        for c, lat, lng in session.execute(
            select(Caregiver.id, Site.lat, Site.lng)
            .join(Site, Site.id == Caregiver.base_site_id)
            .join(Vendor, Vendor.id == Caregiver.vendor_id)
            .where(Caregiver.status == "active", Vendor.status == "active")
        ).all()
    }
    found = []
    for caregiver_id, facts in caregivers.facts_of(session, on=day).items():
        left = without(shifts.get(caregiver_id, ()), leave.get(caregiver_id, ()))
        if left and caregiver_id in bases:
            found.append(OnShift(facts=facts, base=bases[caregiver_id], shifts=left))
    return found
