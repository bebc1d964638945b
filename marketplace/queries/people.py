"""Who is bound to whom."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.elders.models import FamilyLink


def bound_elder_ids(session: Session, account_id: str) -> frozenset[str]:
    """Return the elders who confirmed that this account may act for them, and did not end it."""
    return frozenset(
        session.scalars(
            select(FamilyLink.elder_id).where(
                FamilyLink.account_id == account_id,
                FamilyLink.confirmed_at.is_not(None),
                FamilyLink.ended_at.is_(None),
            )
        )
    )
