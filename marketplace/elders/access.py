"""Read of an elder what placing and policy need; nothing personal beyond where they live."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.elders import consents, history
from marketplace.elders.history import Stay
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
    stays: tuple[Stay, ...] = ()
    consents: bool = True

    def is_served(self, on: date, service_code: str | None = None) -> bool:
        """Say whether the elder may be served on a day, as far as the registers know.

        Alive, in the city, consenting, and not in a hospital or an institution, except by what goes
        on there.
        """
        if not self.consents:
            return False
        if self.status != "active" and (self.status_from is None or on >= self.status_from):
            return False
        return all(goes_on(stay.kind, service_code) for stay in self.stays if stay.covers(on))


@cache
def _stay_rules() -> Mapping[str, Any]:
    text = resources.files("marketplace.elders").joinpath("stays.toml").read_text("utf-8")
    return tomllib.loads(text)


def goes_on(kind: str, service_code: str | None) -> bool:
    """Say whether a service goes on during a stay of a kind, by ``stays.toml``; ``None``: any service."""
    if service_code is None:
        return False
    rule = _stay_rules()[kind]
    if service_code.startswith("ZC"):
        return bool(rule["meals"])
    return service_code in rule["goes_on"]


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
        stays = history.stays_of(session, part)
        withdrawn = consents.withdrawn_of(session, part)
        for row in session.execute(select(*columns).where(Elder.id.in_(part))):
            found[row.id] = ElderFacts(
                *row,
                level=levels.get(row.id),
                stays=stays.get(row.id, ()),
                consents="service" not in withdrawn.get(row.id, ()),
            )
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
    """Return the confirmed link of a family account to an elder and the powers it gives.

    An elder who withdrew the consent for the family gives it none.
    """
    if consents.is_withdrawn(session, elder_id, "family_view"):
        return None, frozenset()
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
    """Return the elders who gave a family account a power and let the family see."""
    given = [
        row.elder_id
        for row in session.execute(
            select(FamilyLink.elder_id, FamilyLink.powers).where(
                FamilyLink.account_id == account_id,
                FamilyLink.confirmed_at.is_not(None),
                FamilyLink.ended_at.is_(None),
            )
        )
        if power in {p.strip() for p in row.powers.split(",")}
    ]
    withdrawn = consents.withdrawn_of(session, given)
    return frozenset(e for e in given if "family_view" not in withdrawn.get(e, ()))


def id_number_sealed(session: Session, elder_id: str) -> bytes:
    """Return an elder's sealed identity number; raises ``NotFound``."""
    sealed = session.scalar(select(Elder.id_number_sealed).where(Elder.id == elder_id))
    if sealed is None:
        raise NotFound(kind="elder", id=elder_id)
    return bytes(sealed)


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
