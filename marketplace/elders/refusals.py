"""Caregivers whom an elder or the family does not want: kept, withdrawn, read for planning."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from marketplace.elders.models import CaregiverRefusal
from marketplace.kernel.ids import new_id

REFUSAL = CaregiverRefusal.__table__
_CHUNK = 2_000


def refuse(
    session: Session,
    elder_id: str,
    caregiver_id: str,
    *,
    reason: str,
    by: str,
    role: str,
    at: datetime,
) -> bool:
    """Write that an elder does not want a caregiver; return ``False`` where that stands already."""
    engine = session.get_bind().dialect.name
    insert = postgresql.insert if engine == "postgresql" else sqlite.insert
    added = session.execute(
        insert(CaregiverRefusal)
        .values(
            id=new_id(),
            elder_id=elder_id,
            caregiver_id=caregiver_id,
            reason=reason,
            asked_by=by,
            asked_role=role,
            asked_at=at,
        )
        .on_conflict_do_nothing()
        .returning(CaregiverRefusal.id)
    ).first()
    return added is not None


def withdraw(session: Session, elder_id: str, caregiver_id: str, *, by: str, at: datetime) -> bool:
    """Take a refusal back; return whether there was one."""
    done = session.execute(
        update(CaregiverRefusal)
        .where(
            CaregiverRefusal.elder_id == elder_id,
            CaregiverRefusal.caregiver_id == caregiver_id,
            CaregiverRefusal.withdrawn_at.is_(None),
        )
        .values(withdrawn_by=by, withdrawn_at=at)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


def refused_by(session: Session, elder_ids: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return by elder the caregivers who must not be sent; elders without any are missing."""
    ids = sorted(set(elder_ids))
    found: dict[str, frozenset[str]] = {}
    for i in range(0, len(ids), _CHUNK):
        for r in session.execute(
            select(REFUSAL.c.elder_id, REFUSAL.c.caregiver_id).where(
                REFUSAL.c.elder_id.in_(ids[i : i + _CHUNK]), REFUSAL.c.withdrawn_at.is_(None)
            )
        ):
            found[r.elder_id] = found.get(r.elder_id, frozenset()) | {r.caregiver_id}
    return found


def of_elder(session: Session, elder_id: str) -> list[Row[Any]]:
    """Return an elder's refusals, withdrawn ones included, the latest first."""
    return list(
        session.execute(
            select(REFUSAL)
            .where(REFUSAL.c.elder_id == elder_id)
            .order_by(REFUSAL.c.asked_at.desc(), REFUSAL.c.id)
        )
    )
