"""Find a caller: by telephone, by name, by the first letters of the name's pinyin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from marketplace.elders.models import Elder, FamilyLink


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


def by_name(session: Session, text: str, *, limit: int = 9) -> list[Found]:
    """Return elders whose name, pinyin initials or register number begins so: one statement."""
    rows = session.scalars(
        select(Elder)
        .where(
            or_(
                Elder.name.startswith(text, autoescape=True),
                Elder.initials.startswith(text.lower(), autoescape=True),
                Elder.id == text.upper(),
            ),
            Elder.status != "dead",
        )
        .order_by(Elder.initials, Elder.id)
        .limit(limit)
    )
    return [Found(e.id, e.name, e.born_on, e.district_code, "") for e in rows]
