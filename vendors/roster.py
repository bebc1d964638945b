"""Who is on shift on a day: shifts less leave, of those who may work."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from marketplace.kernel.clock import instant_of, second_of
from marketplace.kernel.errors import NotFound
from marketplace.kernel.ids import new_id
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


def on_day(session: Session, day: date, *, only: Collection[str] | None = None) -> list[OnShift]:
    """Return who works on a day, in order of id: active, of an active vendor, with a shift left.

    ``only`` narrows it to these caregivers.
    """
    ids = None if only is None else list(only)
    worked = select(Shift.caregiver_id, Shift.starts_s, Shift.ends_s).where(Shift.works_on == day)
    begins, ends = instant_of(day, 0), instant_of(day, 36 * 3600)
    away = select(Leave.caregiver_id, Leave.from_at, Leave.to_at).where(
        Leave.from_at < ends, Leave.to_at > begins
    )
    if ids is not None:
        worked = worked.where(Shift.caregiver_id.in_(ids))
        away = away.where(Leave.caregiver_id.in_(ids))
    shifts: dict[str, list[Span]] = defaultdict(list)
    for caregiver_id, starts_s, ends_s in session.execute(worked):
        shifts[caregiver_id].append((starts_s, ends_s))
    leave: dict[str, list[Span]] = defaultdict(list)
    for caregiver_id, from_at, to_at in session.execute(away):
        leave[caregiver_id].append((second_of(day, from_at), second_of(day, to_at)))
    based = (
        select(Caregiver.id, Site.lat, Site.lng)
        .join(Site, Site.id == Caregiver.base_site_id)
        .join(Vendor, Vendor.id == Caregiver.vendor_id)
        .where(Caregiver.status == "active", Vendor.status == "active")
    )
    if ids is not None:
        based = based.where(Caregiver.id.in_(ids))
    bases: dict[str, tuple[float, float]] = {
        c: (lat, lng) for c, lat, lng in session.execute(based).all()
    }
    found = []
    for caregiver_id, facts in caregivers.facts_of(session, on=day, only=ids).items():
        left = without(shifts.get(caregiver_id, ()), leave.get(caregiver_id, ()))
        if left and caregiver_id in bases:
            found.append(OnShift(facts=facts, base=bases[caregiver_id], shifts=left))
    return found


def days_worked(
    session: Session, caregiver_ids: Collection[str], first: date, last: date
) -> list[date]:
    """Return the days between two on which one of the caregivers has a shift, in order."""
    return list(
        session.scalars(
            select(Shift.works_on)
            .where(Shift.caregiver_id.in_(list(caregiver_ids)), Shift.works_on.between(first, last))
            .distinct()
            .order_by(Shift.works_on)
        )
    )


def add_leave(
    session: Session, *, caregiver_id: str, from_at: datetime, to_at: datetime, reason: str
) -> str:
    """Note that a caregiver cannot work between two instants; return the leave's id."""
    row = Leave(id=new_id(), caregiver_id=caregiver_id, from_at=from_at, to_at=to_at, reason=reason)
    session.add(row)
    session.flush()
    return row.id


def leave(session: Session, leave_id: str) -> Leave:
    """Return one leave; raises ``NotFound``."""
    row = session.get(Leave, leave_id)
    if row is None:
        raise NotFound(kind="leave", id=leave_id)
    return row


def drop_leave(session: Session, leave_id: str) -> None:
    """Take a leave back."""
    session.execute(delete(Leave).where(Leave.id == leave_id))


def shifts_of(session: Session, caregiver_id: str, day: date) -> list[Span]:
    """Return a caregiver's shifts of a day, in order."""
    rows = session.execute(
        select(Shift.starts_s, Shift.ends_s)
        .where(Shift.caregiver_id == caregiver_id, Shift.works_on == day)
        .order_by(Shift.starts_s)
    )
    return [(starts_s, ends_s) for starts_s, ends_s in rows]


def put_shifts(session: Session, caregiver_id: str, day: date, shifts: Sequence[Span]) -> None:
    """Let these be all the shifts that a caregiver has on a day."""
    session.execute(delete(Shift).where(Shift.caregiver_id == caregiver_id, Shift.works_on == day))
    for starts_s, ends_s in shifts:
        session.add(
            Shift(caregiver_id=caregiver_id, works_on=day, starts_s=starts_s, ends_s=ends_s)
        )
    session.flush()


EARTH_M_PER_DEGREE = 111_320.0


def near(
    session: Session,
    *,
    lat: float,
    lng: float,
    within_m: float,
    vendor_id: str | None = None,
    also: Collection[str] = (),
) -> list[str]:
    """Return active caregivers whose base may lie within so many metres, in order of id.

    A box in degrees, a little too large; the exact distance is the caller's. ``also`` are returned
    wherever their base is.
    """
    south = within_m / EARTH_M_PER_DEGREE
    east = south / max(0.1, math.cos(math.radians(lat)))
    box = Site.lat.between(lat - south, lat + south) & Site.lng.between(lng - east, lng + east)
    wanted = (
        select(Caregiver.id)
        .join(Site, Site.id == Caregiver.base_site_id)
        .where(Caregiver.status == "active", box | Caregiver.id.in_(list(also)))
        .order_by(Caregiver.id)
    )
    if vendor_id is not None:
        wanted = wanted.where(Caregiver.vendor_id == vendor_id)
    return list(session.scalars(wanted))
