"""What a phone shows as proof at a door: whether it can be, and the evidence that is kept of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.elders import consents
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.errors import BadInput, NotAllowed
from marketplace.kernel.ports import Ports
from marketplace.visits import cards, homecode, rules
from marketplace.visits.rules import Method
from marketplace.visits.service import NewEvidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Evidence as the phone made it; ``evidence_id`` is the phone's, so that a repeat is one row.

    ``code``: what the home showed, for ``home_code``; the card's number or the printed code, for
    ``card``. ``phash``: 16 hexadecimal digits of a photo's perceptual hash. Coordinates are WGS-84 degrees.
    """

    evidence_id: str
    method: str
    at_device: datetime
    lat: float | None = None
    lng: float | None = None
    accuracy_m: int | None = None
    device_id: str | None = None
    offline: bool = False
    code: str | None = None
    note: str = ""
    phash: str | None = None
    taken_at: datetime | None = None
    mock_location: bool = False
    rooted: bool = False


def who_came(actor: Actor, named: str | None, shown: Shown) -> str:
    """Return whose visit it is: the caregiver's own, or the one a vendor corrects for."""
    if actor.role is Role.CAREGIVER:
        if named not in (None, actor.caregiver_id):
            raise BadInput(field="caregiver_id", value=named, expected="nobody but yourself")
        if shown.method not in rules.OF_A_PHONE:
            raise BadInput(field="method", value=shown.method, expected=list(rules.OF_A_PHONE))
        return actor.caregiver_id or ""
    if Method(shown.method) is not Method.MANUAL:
        raise NotAllowed(
            field="method", action="check_in", role=actor.role.value, needs=Method.MANUAL.value
        )
    if named is None:
        raise BadInput(field="caregiver_id", value=None, expected="whose visit is corrected")
    return named


def consented(session: Session, row: Row[Any], shown: Shown) -> Shown:
    """Return evidence without a photo where the elder does not want any kept."""
    has_photo = shown.phash is not None or shown.method == Method.GPS_PHOTO.value
    if not has_photo or not consents.is_withdrawn(session, row.elder_id, "photo"):
        return shown
    method = Method.GPS.value if shown.method == Method.GPS_PHOTO.value else shown.method
    return replace(shown, method=method, phash=None, taken_at=None)


def checked(ports: Ports, row: Row[Any], shown: Shown, at: datetime) -> Shown:
    try:
        method = Method(shown.method)
    except ValueError:
        raise BadInput(
            field="method", value=shown.method, expected=[m.value for m in Method]
        ) from None
    if (shown.lat is None) != (shown.lng is None):
        raise BadInput(field="lng", value=shown.lng, expected="both coordinates or none")
    if shown.phash is not None and not re.fullmatch(r"[0-9a-f]{16}", shown.phash):
        raise BadInput(field="phash", value=shown.phash, expected="16 hexadecimal digits")
    rules.check_evidence(
        method=method,
        at_device=shown.at_device,
        received_at=at,
        offline=shown.offline,
        has_place=shown.lat is not None,
        note=shown.note,
    )
    if method is Method.HOME_CODE and not homecode.is_code(
        ports.vault, row.elder_id, shown.code or "", shown.at_device
    ):
        raise rules.CodeWrong(field="code", expected="the six digits that the home shows now")
    return shown


def card_facts(
    session: Session, ports: Ports, row: Row[Any], shown: Shown, at: datetime
) -> dict[str, Any]:
    """Read the card that is shown for a work order, and use a printed code up.

    A card that may not be used is written down with the reason and keeps the money held; only a
    number that nobody has is turned away, since it is mistyped.
    """
    if Method(shown.method) is not Method.CARD:
        return {}
    if not shown.code:
        raise BadInput(field="code", value=None, expected="the card's number or the printed code")
    found = cards.read(session, ports.vault, shown.code, at=at, elder_id=row.elder_id)
    found = cards.use(session, ports.vault, shown.code, at=at, work_order_id=row.id, found=found)
    return {"card_id": found.card_id, "card": found.why or rules.CARD_OK}


def service_facts(shown: Shown, **more: Any) -> dict[str, Any]:
    """Return what evidence of a service says beside place and time, and how far it can be trusted."""
    return {
        **more,
        "phash": shown.phash,
        "taken_at": shown.taken_at.astimezone(UTC).isoformat() if shown.taken_at else None,
        "mock_location": shown.mock_location or None,
        "rooted": shown.rooted or None,
        "trust": rules.trust(Method(shown.method), offline=shown.offline)
        if more.get("card", rules.CARD_OK) == rules.CARD_OK
        else rules.LEAST_TRUST,
    }


def new_evidence(
    kind: str, shown: Shown, actor: Actor, at: datetime, facts: dict[str, Any]
) -> NewEvidence:
    """Return what was shown as a row of evidence; facts that are not known are left out."""
    return NewEvidence(
        id=shown.evidence_id,
        kind=kind,
        method=shown.method,
        at_device=shown.at_device,
        received_at=at,
        by_account=actor.user_id,
        lat=shown.lat,
        lng=shown.lng,
        accuracy_m=shown.accuracy_m,
        device_id=shown.device_id,
        offline=shown.offline,
        note=shown.note,
        facts={k: v for k, v in facts.items() if v is not None},
    )
