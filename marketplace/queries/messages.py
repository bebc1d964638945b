"""What was said to somebody lately, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from marketplace.elders import consents
from marketplace.elders.models import FamilyLink
from marketplace.kernel.outbox import FOR_PEOPLE, OutboxMessage

KEPT = timedelta(days=30)
"""How far back messages are shown."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: when it was said, its template and values, and the visit that it is about."""

    at: datetime
    template: str
    values: dict[str, Any]
    work_order_id: str | None


def links_of(session: Session, account_id: str) -> list[str]:
    """Return the links of a relative's account: what is said to those who may see visits.

    Where the elder took the consent for relatives back, what was said before rests too.
    """
    link = FamilyLink
    rows = session.execute(
        select(link.id, link.elder_id).where(link.account_id == account_id, link.ended_at.is_(None))
    ).all()
    resting = consents.withdrawn_of(session, [r.elder_id for r in rows])
    return [r.id for r in rows if "family_view" not in resting.get(r.elder_id, ())]


def said_to(
    session: Session, readers: Iterable[tuple[str, str | None]], *, at: datetime, limit: int = 100
) -> list[Message]:
    """Return what was said to these readers (kind, id) in the last thirty days: one statement.

    The id ``None`` stands for all of a kind: the city's bureau reads every district's.
    """
    m = OutboxMessage
    to = [
        m.recipient_kind == kind
        if who is None
        else and_(m.recipient_kind == kind, m.recipient_id == who)
        for kind, who in readers
    ]
    if not to:
        return []
    rows = session.execute(
        select(m.due_at, m.delivered_at, m.template, m.values)
        .where(or_(*to), m.template.in_(FOR_PEOPLE), m.due_at > at - KEPT)
        .order_by(m.due_at.desc(), m.id)
        .limit(limit)
    )
    return [
        Message(
            at=delivered_at or due_at,
            template=template,
            values=values,
            work_order_id=values.get("work_order_id"),
        )
        for due_at, delivered_at, template, values in rows
    ]
