"""Take a new caller on: five facts and a consent, so that help can be ordered in the same call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import phonenumbers
from pypinyin import Style, lazy_pinyin
from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.elders import witness
from marketplace.elders.models import UNKNOWN_GENDER, Consent, Elder, IncomeClass
from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import local
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.workflows import policy
from marketplace.workflows.policy import About, Action
from marketplace.workflows.step import run_step

CONSENT_TEXT = "hotline-2026-11"
OLDEST_YEARS = 120
YOUNGEST_YEARS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerRequest:
    """Telephone, name, address, year of birth, and the reference of the consent that was read out."""

    phone: str
    name: str
    address: str
    born_year: int
    consent: str


@dataclass(frozen=True, slots=True)
class Onboarded:
    """The elder's new number, and how well the address is known."""

    elder_id: str
    district_code: str
    location_level: str


def onboard_caller(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: CallerRequest
) -> Onboarded:
    """Register a caller provisionally: they may order at once and pay themselves.

    Nothing that only the bureau knows is assumed: identity number, household and income stay open
    until its register names them, so no programme pays before. Raises ``BadInput`` naming the field.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="onboard_caller",
        request=request,
        answer=Onboarded,
        run=lambda at: _onboard(session, ports, actor, request, at),
    )


def _onboard(
    session: Session, ports: Ports, actor: Actor, request: CallerRequest, at: datetime
) -> Onboarded:
    phone = _phone(request.phone)
    name = request.name.strip()
    if not 2 <= len(name) <= 40:
        raise BadInput(field="name", value=name, expected="the name as on the identity card")
    if not request.consent.strip():
        raise BadInput(field="consent", value="", expected="the caller's yes, read out first")
    year = local(at).year
    if not year - OLDEST_YEARS <= request.born_year <= year - YOUNGEST_YEARS:
        raise BadInput(
            field="born_year",
            value=request.born_year,
            expected=f"{year - OLDEST_YEARS} to {year - YOUNGEST_YEARS}",
        )
    place = ports.geocoder.locate(request.address)
    if place is None:
        raise BadInput(
            field="address", value=request.address, expected="district, town and community"
        )
    policy.require(
        actor,
        Action.ONBOARD,
        About(kind="elder", district_code=place.district_code, town_code=place.town_code),
    )
    same = session.scalar(
        select(Elder.id).where(Elder.phone_index == ports.vault.index(phone), Elder.name == name)
    )
    if same is not None:
        raise BadInput(field="phone", value="", expected=f"{same} has this name and number already")
    elder_id = f"N{new_id().replace('-', '')[-12:].upper()}"
    caller = Elder(
        id=elder_id,
        name=name,
        initials="".join(lazy_pinyin(name, style=Style.FIRST_LETTER)).lower()[:20],
        gender=UNKNOWN_GENDER,
        # The last day of the year: nobody gets what belongs to an age they may not have.
        born_on=date(request.born_year, 12, 31),
        id_number_sealed=ports.vault.seal(""),
        id_number_index=ports.vault.index(f"provisional/{elder_id}"),
        phone_sealed=ports.vault.seal(phone),
        phone_index=ports.vault.index(phone),
        address=request.address.strip()[:200],
        district_code=place.district_code,
        town_code=place.town_code,
        community_code=place.community_code,
        lat=place.lat,
        lng=place.lng,
        location_level=place.level,
        hukou_local=False,
        income_class=IncomeClass.ORDINARY.value,
        lives_alone=False,
        updated_at=at,
    )
    session.add(caller)
    session.flush()
    written = {name: getattr(caller, name) for name in ("id", *witness.ELDER_COLUMNS)}
    witness.record_elders(session, [written], at=at)
    for purpose in ("service", "hotline_recording"):
        session.add(
            Consent(
                elder_id=elder_id,
                purpose=purpose,
                given_at=at,
                given_by=f"voice:{request.consent.strip()}"[:40],
                text_version=CONSENT_TEXT,
            )
        )
    audit.record(
        session,
        at=at,
        actor=actor,
        action="onboard_caller",
        subject_kind="elder",
        subject_id=elder_id,
        district_code=place.district_code,
        location_level=place.level,
    )
    return Onboarded(elder_id, place.district_code, place.level)


def _phone(text: str) -> str:
    """Return a Chinese number in digits; raises ``BadInput``."""
    try:
        number = phonenumbers.parse(text, "CN")
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise BadInput(field="phone", value="", expected="a number such as 13812342210")
    return "".join(c for c in text if c.isdigit())[-12:]
