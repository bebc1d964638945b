"""Read of an elder what placing and policy need; nothing personal beyond where they live."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.elders.models import Assessment, Consent, Elder, FamilyLink
from marketplace.kernel.errors import NotFound

_CHUNK = 2_000
KIN_CARE = "kin_care"
"""The consent under which a relative may be paid for care; civil affairs records it."""


@dataclass(frozen=True, slots=True)
class ElderFacts:
    """Whether, where and how able. ``level``: final ability level 0-4 valid on the day, or ``None``."""

    id: str
    status: str
    status_from: date | None
    lat: float
    lng: float
    district_code: str
    town_code: str | None
    level: int | None

    def is_served(self, on: date) -> bool:
        """Say whether the elder is at home and alive on a day, as far as the register knows."""
        if self.status == "active":
            return True
        return self.status_from is not None and on < self.status_from


def facts_of(session: Session, ids: Iterable[str], *, on: date) -> dict[str, ElderFacts]:
    """Return the facts of elders by id; unknown ids are missing."""
    wanted = list(dict.fromkeys(ids))
    found: dict[str, ElderFacts] = {}
    for i in range(0, len(wanted), _CHUNK):
        part = wanted[i : i + _CHUNK]
        levels: dict[str, int] = dict(
            session.execute(
                select(Assessment.elder_id, Assessment.level)
                .where(
                    Assessment.elder_id.in_(part),
                    Assessment.assessed_on <= on,
                    Assessment.valid_until >= on,
                )
                .order_by(Assessment.assessed_on)
            ).all()
        )
        columns = (
            Elder.id,
            Elder.status,
            Elder.status_from,
            Elder.lat,
            Elder.lng,
            Elder.district_code,
            Elder.town_code,
        )
        for row in session.execute(select(*columns).where(Elder.id.in_(part))):
            found[row.id] = ElderFacts(*row, level=levels.get(row.id))
    return found


def facts(session: Session, elder_id: str, *, on: date) -> ElderFacts:
    """Return the facts of one elder; raises ``NotFound``."""
    found = facts_of(session, [elder_id], on=on)
    if elder_id not in found:
        raise NotFound(kind="elder", id=elder_id)
    return found[elder_id]


def family_link(
    session: Session, *, elder_id: str, account_id: str
) -> tuple[str | None, frozenset[str]]:
    """Return the confirmed link of a family account to an elder and the powers it gives."""
    row = session.execute(
        select(FamilyLink.id, FamilyLink.powers)
        .where(
            FamilyLink.elder_id == elder_id,
            FamilyLink.account_id == account_id,
            FamilyLink.confirmed_at.is_not(None),
            FamilyLink.ended_at.is_(None),
        )
        .order_by(FamilyLink.confirmed_at.desc())
    ).first()
    if row is None:
        return None, frozenset()
    return row.id, frozenset(p.strip() for p in row.powers.split(",") if p.strip())


def elders_with_power(session: Session, account_id: str, power: str) -> frozenset[str]:
    """Return the elders who gave a family account a power."""
    return frozenset(
        row.elder_id
        for row in session.execute(
            select(FamilyLink.elder_id, FamilyLink.powers).where(
                FamilyLink.account_id == account_id,
                FamilyLink.confirmed_at.is_not(None),
                FamilyLink.ended_at.is_(None),
            )
        )
        if power in {p.strip() for p in row.powers.split(",")}
    )


@dataclass(frozen=True, slots=True)
class Ties:
    """What ties an elder to the people who serve: keyed hashes of phones, assessors, kin approval."""

    phone_index: str | None
    phone_shared_by: int
    family_phones: frozenset[str]
    assessors: frozenset[str]
    kin_is_approved: bool


def ties(session: Session, elder_id: str) -> Ties:
    """Return an elder's ties; raises ``NotFound``."""
    row = session.execute(select(Elder.phone_index).where(Elder.id == elder_id)).first()
    if row is None:
        raise NotFound(kind="elder", id=elder_id)
    shared = 0
    if row.phone_index is not None:
        shared = (
            session.scalar(select(func.count()).where(Elder.phone_index == row.phone_index)) or 0
        )
    links = session.scalars(
        select(FamilyLink.phone_index).where(
            FamilyLink.elder_id == elder_id, FamilyLink.phone_index.is_not(None)
        )
    )
    assessors = session.scalars(select(Assessment.assessor).where(Assessment.elder_id == elder_id))
    approved = session.scalar(
        select(Consent.id).where(
            Consent.elder_id == elder_id,
            Consent.purpose == KIN_CARE,
            Consent.withdrawn_at.is_(None),
        )
    )
    return Ties(
        phone_index=row.phone_index,
        phone_shared_by=shared,
        family_phones=frozenset(p for p in links if p),
        assessors=frozenset(a for a in assessors if a),
        kin_is_approved=approved is not None,
    )
