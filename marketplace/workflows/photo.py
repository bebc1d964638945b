"""A photo of the work where one is asked for, and never of a person being washed or cared for."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from marketplace.elders import consents
from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.errors import BadInput, Conflict, NotFound
from marketplace.kernel.ports import Ports
from marketplace.orders import service as orders
from marketplace.visits import service as visits
from marketplace.visits.models import Evidence, Visit, VisitPhoto
from marketplace.visits.rules import Method, photo_is_forbidden
from marketplace.workflows import policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.privacy import seen_file
from marketplace.workflows.shown import Shown, new_evidence
from marketplace.workflows.step import run_step

MOST_BYTES = 300_000
JPEG = b"\xff\xd8\xff"


class PhotoForbidden(Conflict):
    """Nobody is photographed while being washed, dressed or cared for, nor without their consent.

    Facts: ``category``.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoRequest:
    """Of which visit, the picture as base64 of a JPEG, and how the phone took it."""

    work_order_id: str
    visit_id: str
    shown: Shown
    jpeg: str


@dataclass(frozen=True, slots=True)
class PhotoKept:
    """The picture's evidence, and its hash."""

    evidence_id: str
    sha256: str


def add_photo(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: PhotoRequest
) -> PhotoKept:
    """Keep a photo of the work as evidence, sealed; a repeat is one row.

    Raises ``PhotoForbidden`` for baths and personal care, ``BadInput`` for what is no small JPEG.
    """
    picture = _picture(request.jpeg)
    # The command keeps the picture's hash, never the picture.
    asked = replace(request, jpeg=hashlib.sha256(picture).hexdigest())
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="add_photo",
        request=asked,
        answer=PhotoKept,
        run=lambda at: _add(session, ports, actor, asked, picture, at),
    )


def _picture(text: str) -> bytes:
    try:
        picture = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        picture = b""
    if not picture.startswith(JPEG) or len(picture) > MOST_BYTES:
        raise BadInput(field="photo", value="", expected=f"a JPEG of at most {MOST_BYTES} bytes")
    return picture


def _add(
    session: Session,
    ports: Ports,
    actor: Actor,
    request: PhotoRequest,
    picture: bytes,
    at: datetime,
) -> PhotoKept:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.CHECK_OUT, subjects.about_work_order(session, actor, row))
    unwanted = consents.is_withdrawn(session, row.elder_id, "photo")
    if unwanted or photo_is_forbidden(row.category_code, row.skill_code):
        raise PhotoForbidden(field="photo", category=row.category_code)
    visit = visits.get(session, request.visit_id)
    if visit.work_order_id != row.id:
        raise NotFound(kind="visit", id=visit.id)
    shown = request.shown
    facts = {
        "phash": shown.phash,
        "taken_at": (shown.taken_at or shown.at_device).astimezone(UTC).isoformat(),
        "sha256": request.jpeg,
    }
    shown = replace(shown, method=Method.GPS_PHOTO.value)
    evidence = new_evidence("photo", shown, actor, at, facts)
    if visits.add_evidence(session, visit.id, evidence):
        sealed = ports.vault.seal(base64.b64encode(picture).decode())
        session.execute(insert(VisitPhoto).values(evidence_id=evidence.id, sealed=sealed))
        audit.record(
            session,
            at=at,
            actor=actor,
            action="add_photo",
            subject_kind="work_order",
            subject_id=row.id,
            evidence_id=evidence.id,
            sha256=request.jpeg,
        )
    return PhotoKept(evidence.id, request.jpeg)


def open_photo(session: Session, ports: Ports, actor: Actor, evidence_id: str) -> bytes:
    """Return a picture to whoever may see the visit's evidence; raises ``NotFound``, ``NotAllowed``."""
    found = session.execute(
        select(VisitPhoto.sealed, Visit.work_order_id)
        .join(Evidence, Evidence.id == VisitPhoto.evidence_id)
        .join(Visit, Visit.id == Evidence.visit_id)
        .where(VisitPhoto.evidence_id == evidence_id)
    ).first()
    if found is None:
        raise NotFound(kind="photo", id=evidence_id)
    row = orders.work_order(session, found.work_order_id)
    policy.require(actor, Action.SEE_EVIDENCE, subjects.about_work_order(session, actor, row))
    seen_file(session, actor, row.elder_id, "photo")
    return base64.b64decode(ports.vault.open(found.sealed))
