"""The audit trail: one row for each workflow step, never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Connection, Integer, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from marketplace.kernel.actor import Actor
from marketplace.kernel.db import ID, Base, Instant
from marketplace.kernel.immutable import freeze


class AuditEvent(Base):
    """Who did what to which thing, when, in which role and why.

    ``facts`` holds ids, states and fen; never a name, phone, address or identity number.
    """

    __tablename__ = "audit_event"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    at: Mapped[datetime] = mapped_column(Instant, index=True)
    actor_id: Mapped[str] = mapped_column(ID)
    role: Mapped[str] = mapped_column(String(20))
    action: Mapped[str] = mapped_column(String(60))
    subject_kind: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[str] = mapped_column(ID, index=True)
    reason: Mapped[str | None] = mapped_column(String(200))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


freeze(AuditEvent.__table__)  # type: ignore[arg-type]


def record(
    session: Session,
    *,
    at: datetime,
    actor: Actor,
    action: str,
    subject_kind: str,
    subject_id: str,
    reason: str | None = None,
    **facts: Any,
) -> None:
    """Add the one audit event of a workflow step to its transaction."""
    session.add(
        AuditEvent(
            at=at,
            actor_id=actor.user_id,
            role=actor.role.value,
            action=action,
            subject_kind=subject_kind,
            subject_id=subject_id,
            reason=reason,
            facts=facts,
        )
    )


def events_of(connection: Connection, action: str) -> dict[str, list[Any]]:
    """Return subject id -> the events of one action, oldest first: what a proof holds rows against."""
    found: dict[str, list[Any]] = {}
    for row in connection.execute(
        select(
            AuditEvent.subject_id,
            AuditEvent.actor_id,
            AuditEvent.role,
            AuditEvent.at,
            AuditEvent.reason,
            AuditEvent.facts,
        )
        .where(AuditEvent.action == action)
        .order_by(AuditEvent.id)
    ):
        found.setdefault(row.subject_id, []).append(row)
    return found
