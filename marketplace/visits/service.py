"""Write visits and their evidence, which is only ever added to; read what the rules compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from marketplace.kernel.errors import Conflict, NotFound, WrongState
from marketplace.visits.models import Evidence, Visit

VISIT = Visit.__table__
EVIDENCE = Evidence.__table__


class IdTaken(Conflict):
    """The client's id stands for something else. Facts: ``id``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvidence:
    """One piece of evidence as the phone sent it; ``id`` is the phone's."""

    id: str
    kind: str
    method: str
    at_device: datetime
    received_at: datetime
    by_account: str
    lat: float | None = None
    lng: float | None = None
    accuracy_m: int | None = None
    device_id: str | None = None
    offline: bool = False
    note: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def get(session: Session, visit_id: str) -> Row[Any]:
    """Return a visit's row; raises ``NotFound``."""
    row = session.execute(select(VISIT).where(VISIT.c.id == visit_id)).first()
    if row is None:
        raise NotFound(kind="visit", id=visit_id)
    return row


def of_work_order(session: Session, work_order_id: str) -> list[Row[Any]]:
    """Return the visits of a work order, one a crew member, by check-in."""
    return list(
        session.execute(
            select(VISIT)
            .where(VISIT.c.work_order_id == work_order_id)
            .order_by(VISIT.c.check_in_at, VISIT.c.id)
        )
    )


def begin(
    session: Session,
    *,
    visit_id: str,
    work_order: Row[Any],
    caregiver_id: str,
    check_in_at: datetime,
    lat: float | None,
    lng: float | None,
) -> tuple[Row[Any], bool]:
    """Begin a visit; return its row and whether it is new.

    A repeated sending of the same id is the same visit. Raises ``IdTaken`` where the id stands for
    another one, ``WrongState`` where this caregiver has begun under another id.
    """
    engine = session.get_bind().dialect.name
    insert = postgresql.insert if engine == "postgresql" else sqlite.insert
    row = session.execute(
        insert(VISIT)
        .values(
            id=visit_id,
            work_order_id=work_order.id,
            caregiver_id=caregiver_id,
            elder_id=work_order.elder_id,
            service_code=work_order.service_code,
            visit_on=work_order.visit_on,
            lat=lat,
            lng=lng,
            check_in_at=check_in_at,
            check_out_at=None,
            verdict="open",
            findings=[],
        )
        .on_conflict_do_nothing()
        .returning(*VISIT.c)
    ).first()
    if row is not None:
        return row, True
    same = session.execute(select(VISIT).where(VISIT.c.id == visit_id)).first()
    if same is None:
        raise WrongState(id=work_order.id, state="checked_in", expected=["not yet checked in"])
    if (same.work_order_id, same.caregiver_id) != (work_order.id, caregiver_id):
        raise IdTaken(field="visit_id", id=visit_id)
    return same, False


def end(session: Session, visit_id: str, *, check_out_at: datetime) -> bool:
    """End a visit that is open; return whether it was (a repeat is harmless)."""
    ended = session.execute(
        update(VISIT)
        .where(VISIT.c.id == visit_id, VISIT.c.check_out_at.is_(None))
        .values(check_out_at=check_out_at)
    )
    return bool(ended.rowcount)  # type: ignore[attr-defined]


def judge(
    session: Session, visit_id: str, *, verdict: str, findings: Sequence[dict[str, Any]]
) -> None:
    """Write what the rules said of a visit."""
    session.execute(
        update(VISIT).where(VISIT.c.id == visit_id).values(verdict=verdict, findings=list(findings))
    )


def add_evidence(session: Session, visit_id: str, new: NewEvidence) -> bool:
    """Add evidence to a visit; return whether it is new. Raises ``IdTaken``."""
    engine = session.get_bind().dialect.name
    insert = postgresql.insert if engine == "postgresql" else sqlite.insert
    values = {
        "id": new.id,
        "visit_id": visit_id,
        "kind": new.kind,
        "method": new.method,
        "at_device": new.at_device,
        "received_at": new.received_at,
        "lat": new.lat,
        "lng": new.lng,
        "accuracy_m": new.accuracy_m,
        "device_id": new.device_id,
        "offline": new.offline,
        "by_account": new.by_account,
        "note": new.note,
        "facts": new.facts,
    }
    added = session.scalar(
        insert(EVIDENCE).values(**values).on_conflict_do_nothing().returning(EVIDENCE.c.id)
    )
    if added is not None:
        return True
    owner = session.scalar(select(EVIDENCE.c.visit_id).where(EVIDENCE.c.id == new.id))
    if owner != visit_id:
        raise IdTaken(field="evidence_id", id=new.id)
    return False


def evidence_of(session: Session, visit_id: str) -> list[Row[Any]]:
    """Return the evidence of a visit in the order it was made."""
    return list(
        session.execute(
            select(EVIDENCE)
            .where(EVIDENCE.c.visit_id == visit_id)
            .order_by(EVIDENCE.c.at_device, EVIDENCE.c.id)
        )
    )


def of_caregiver(session: Session, caregiver_id: str, on: date) -> list[Row[Any]]:
    """Return a caregiver's ended visits around a day, the nights beside it included."""
    days = (on - timedelta(days=1), on + timedelta(days=1))
    return _ended(session, VISIT.c.caregiver_id == caregiver_id, days)


def of_elder(session: Session, elder_id: str, on: date) -> list[Row[Any]]:
    """Return an elder's ended visits around a day."""
    return _ended(
        session, VISIT.c.elder_id == elder_id, (on - timedelta(days=1), on + timedelta(days=1))
    )


def _ended(session: Session, whose: Any, days: tuple[date, date]) -> list[Row[Any]]:
    return list(
        session.execute(
            select(VISIT)
            .where(whose, VISIT.c.visit_on.between(*days), VISIT.c.check_out_at.is_not(None))
            .order_by(VISIT.c.check_in_at)
        )
    )


def devices(session: Session, caregiver_id: str, on: date) -> frozenset[str]:
    """Return the phones from which a caregiver sent evidence of a day."""
    return frozenset(
        session.scalars(
            select(EVIDENCE.c.device_id)
            .join(VISIT, VISIT.c.id == EVIDENCE.c.visit_id)
            .where(
                VISIT.c.caregiver_id == caregiver_id,
                VISIT.c.visit_on == on,
                EVIDENCE.c.device_id.is_not(None),
            )
            .distinct()
        )
    )


def caregivers_of(session: Session, device_ids: frozenset[str], on: date) -> frozenset[str]:
    """Return the caregivers for whom phones sent evidence of a day."""
    if not device_ids:
        return frozenset()
    return frozenset(
        session.scalars(
            select(VISIT.c.caregiver_id)
            .join(EVIDENCE, VISIT.c.id == EVIDENCE.c.visit_id)
            .where(EVIDENCE.c.device_id.in_(sorted(device_ids)), VISIT.c.visit_on == on)
            .distinct()
        )
    )


def same_spot(session: Session, caregiver_id: str, *, lat: float, lng: float, since: date) -> int:
    """Return at how many visits a caregiver's check-in gave these very six decimals."""
    return (
        session.scalar(
            select(func.count(func.distinct(EVIDENCE.c.visit_id)))
            .join(VISIT, VISIT.c.id == EVIDENCE.c.visit_id)
            .where(
                VISIT.c.caregiver_id == caregiver_id,
                VISIT.c.visit_on >= since,
                EVIDENCE.c.kind == "check_in",
                func.round(EVIDENCE.c.lat * 1_000_000) == round(lat * 1_000_000),
                func.round(EVIDENCE.c.lng * 1_000_000) == round(lng * 1_000_000),
            )
        )
        or 0
    )


def earlier_photos(session: Session, caregiver_id: str, visit_id: str, *, since: date) -> list[int]:
    """Return the perceptual hashes of a caregiver's photos since a day, this visit's apart."""
    rows = session.execute(
        select(EVIDENCE.c.facts)
        .join(VISIT, VISIT.c.id == EVIDENCE.c.visit_id)
        .where(
            VISIT.c.caregiver_id == caregiver_id,
            VISIT.c.id != visit_id,
            VISIT.c.visit_on >= since,
        )
    )
    return [int(facts["phash"], 16) for (facts,) in rows if facts and facts.get("phash")]
