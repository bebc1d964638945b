"""Find a caller: by telephone, by name, by the first letters of the name's pinyin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import or_, select, true
from sqlalchemy.orm import Session

from marketplace.elders.models import Elder, FamilyLink
from marketplace.kernel.actor import Scope
from marketplace.kernel.clock import local
from marketplace.orders.models import Assignment
from marketplace.queries.reach import elders_in
from marketplace.visits.models import Visit
from vendors.models import Caregiver


@dataclass(frozen=True, slots=True)
class Found:
    """One elder that matches. ``through`` is the relative whose telephone it is, else empty."""

    id: str
    name: str
    born_on: date
    district_code: str
    through: str


def by_phone(session: Session, phone_index: str) -> list[Found]:
    """Return elders who own a telephone or whose relative does: two statements.

    ``phone_index`` is the keyed hash of the number; the number itself is never searched for.
    """
    own = session.scalars(
        select(Elder).where(Elder.phone_index == phone_index).order_by(Elder.id).limit(9)
    )
    found = [Found(e.id, e.name, e.born_on, e.district_code, "") for e in own]
    kin = session.execute(
        select(Elder, FamilyLink.relation)
        .join(FamilyLink, FamilyLink.elder_id == Elder.id)
        .where(FamilyLink.phone_index == phone_index, FamilyLink.ended_at.is_(None))
        .order_by(Elder.id)
        .limit(9)
    )
    return found + [Found(e.id, e.name, e.born_on, e.district_code, r) for e, r in kin]


def by_name(
    session: Session, text: str, *, scope: Scope | None = None, limit: int = 9
) -> list[Found]:
    """Return elders whose name, pinyin initials or register number begins so: one statement.

    ``scope`` narrows them to the reader's area.
    """
    rows = session.scalars(
        select(Elder)
        .where(
            or_(
                Elder.name.startswith(text, autoescape=True),
                Elder.initials.startswith(text.lower(), autoescape=True),
                Elder.id == text.upper(),
            ),
            Elder.status != "dead",
            elders_in(scope) if scope is not None else true(),
        )
        .order_by(Elder.initials, Elder.id)
        .limit(limit)
    )
    return [Found(e.id, e.name, e.born_on, e.district_code, "") for e in rows]


@dataclass(frozen=True, slots=True)
class Helper:
    """Where somebody who is due at a home is now.

    ``state``: ``there`` (checked in here), ``elsewhere`` (at the stop before), ``between`` (has left
    it) or ``unheard`` (no sign today). ``expected_at`` adds the delay of the last check-in.
    """

    name: str
    phone_sealed: bytes | None
    state: str
    seen_at: datetime | None
    expected_at: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may be rung about the elder."""

    name: str
    relation: str
    powers: tuple[str, ...]
    phone_sealed: bytes | None


def helpers(session: Session, work_order_id: str, *, now: datetime) -> list[Helper]:
    """Return where the crew of a work order is, from their stops of the day: two statements."""
    crew = session.execute(
        select(Assignment, Caregiver.name, Caregiver.phone_sealed)
        .join(Caregiver, Caregiver.id == Assignment.caregiver_id)
        .where(Assignment.work_order_id == work_order_id)
        .order_by(Assignment.caregiver_id)
    ).all()
    people = [given.caregiver_id for given, *_ in crew]
    on = {local(given.starts_at).date() for given, *_ in crew}
    signs = session.execute(
        select(
            Visit.caregiver_id,
            Visit.work_order_id,
            Visit.check_in_at,
            Visit.check_out_at,
            Assignment.starts_at,
        )
        .outerjoin(
            Assignment,
            (Assignment.work_order_id == Visit.work_order_id)
            & (Assignment.caregiver_id == Visit.caregiver_id),
        )
        .where(Visit.caregiver_id.in_(people), Visit.visit_on.in_(on))
        .order_by(Visit.check_in_at)
    ).all()
    found = []
    for given, name, phone in crew:
        mine = [s for s in signs if s.caregiver_id == given.caregiver_id]
        last = mine[-1] if mine else None
        late = timedelta()
        if last is not None and last.starts_at is not None:
            late = max(last.check_in_at - last.starts_at, timedelta())
        if last is None:
            state, seen = "unheard", None
        elif last.work_order_id == work_order_id:
            state, seen = "there", last.check_in_at
        elif last.check_out_at is None:
            state, seen = "elsewhere", last.check_in_at
        else:
            state, seen = "between", last.check_out_at
        expected = max(given.starts_at + late, now if state != "there" else given.starts_at)
        found.append(Helper(name, phone, state, seen, expected))
    return found


def people(session: Session, elder_id: str) -> list[Person]:
    """Return the relatives of an elder with their telephones: one statement."""
    rows = session.scalars(
        select(FamilyLink)
        .where(FamilyLink.elder_id == elder_id, FamilyLink.ended_at.is_(None))
        .order_by(FamilyLink.id)
    )
    return [
        Person(r.name, r.relation, tuple(p for p in r.powers.split(",") if p), r.phone_sealed)
        for r in rows
    ]


def phone_of(session: Session, elder_id: str) -> bytes | None:
    """Return the elder's own sealed telephone: one statement."""
    return session.scalar(select(Elder.phone_sealed).where(Elder.id == elder_id))
