"""Who looked into whose file: written with every look, asked for by the elder or an auditor."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from marketplace.elders.models import FileLook
from marketplace.kernel.actor import Actor
from marketplace.kernel.ids import new_id

LOOK = FileLook.__table__
SLOT_MIN = 10
"""Looks of one person into one part of a file within so many minutes are one row."""


def note(
    session: Session,
    actor: Actor,
    looks: Iterable[tuple[str, str]],
    *,
    at: datetime,
    reason: str = "",
) -> int:
    """Write looks as (elder, what); return how many rows are new. One with a reason is always new."""
    slot = int(at.timestamp()) // (SLOT_MIN * 60)
    rows = [
        {
            "at": at,
            "actor_id": actor.user_id,
            "role": actor.role.value,
            "elder_id": elder_id,
            "what": what,
            "reason": reason,
            "slot": new_id() if reason else f"{actor.user_id}/{elder_id}/{what}/{slot}",
        }
        for elder_id, what in sorted(set(looks))
    ]
    if not rows:
        return 0
    engine = session.get_bind().dialect.name
    insert = postgresql.insert if engine == "postgresql" else sqlite.insert
    added = session.scalars(
        insert(FileLook).on_conflict_do_nothing().returning(FileLook.elder_id), rows
    )
    return len(list(added))


def of_elder(session: Session, elder_id: str, *, before: int | None, limit: int) -> list[Row[Any]]:
    """Return the looks into an elder's file, the latest first; ``before``: the id of the last one seen."""
    wanted = select(LOOK).where(LOOK.c.elder_id == elder_id)
    if before is not None:
        wanted = wanted.where(LOOK.c.id < before)
    return list(session.execute(wanted.order_by(LOOK.c.id.desc()).limit(limit)))
