"""Consents by purpose: given, withdrawn, and what a withdrawal ends.

================= =====================================================================
service           being served at all: without it no new visit is made
family_view       relatives see visits and money and order; without it their powers rest
photo             photos as evidence; without it none is kept, a position alone counts
hotline_recording a recorded call as confirmation; without it a call confirms nothing
kin_care          a relative may be paid for care; it must be given, by civil affairs
================= =====================================================================

All but ``kin_care`` come with the contract of service and hold until withdrawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from marketplace.elders.models import Consent

PURPOSES = ("service", "family_view", "photo", "hotline_recording", "kin_care")
CONSENT = Consent.__table__
_CHUNK = 2_000


def withdrawn_of(session: Session, elder_ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return by elder the purposes whose latest consent is withdrawn; others are missing."""
    latest: dict[tuple[str, str], bool] = {}
    for i in range(0, len(elder_ids), _CHUNK):
        for r in session.execute(
            select(CONSENT.c.elder_id, CONSENT.c.purpose, CONSENT.c.withdrawn_at)
            .where(CONSENT.c.elder_id.in_(list(elder_ids[i : i + _CHUNK])))
            .order_by(CONSENT.c.given_at, CONSENT.c.id)
        ):
            latest[(r.elder_id, r.purpose)] = r.withdrawn_at is not None
    found: dict[str, frozenset[str]] = {}
    for (elder_id, purpose), is_withdrawn in latest.items():
        if is_withdrawn:
            found[elder_id] = found.get(elder_id, frozenset()) | {purpose}
    return found


def is_withdrawn(session: Session, elder_id: str, purpose: str) -> bool:
    """Say whether an elder took the consent for a purpose back."""
    return purpose in withdrawn_of(session, [elder_id]).get(elder_id, frozenset())


def give(
    session: Session, elder_id: str, purpose: str, *, at: datetime, by: str, text_version: str
) -> bool:
    """Write a consent; return ``False`` where it holds already."""
    rows = of_elder(session, elder_id, purpose)
    if rows and rows[-1].withdrawn_at is None:
        return False
    session.add(
        Consent(
            elder_id=elder_id,
            purpose=purpose,
            given_at=at,
            given_by=by[:40],
            text_version=text_version,
        )
    )
    session.flush()
    return True


def withdraw(session: Session, elder_id: str, purpose: str, *, at: datetime, by: str) -> bool:
    """End the consent for a purpose; return ``False`` where it was ended before.

    One that came with the contract has no row yet: it gets one that is ended at once.
    """
    rows = of_elder(session, elder_id, purpose)
    if rows and rows[-1].withdrawn_at is not None:
        return False
    if rows:
        session.execute(
            update(Consent)
            .where(
                Consent.elder_id == elder_id,
                Consent.purpose == purpose,
                Consent.withdrawn_at.is_(None),
            )
            .values(withdrawn_at=at)
        )
        return True
    session.add(
        Consent(
            elder_id=elder_id,
            purpose=purpose,
            given_at=at,
            given_by=by[:40],
            text_version="contract",
            withdrawn_at=at,
        )
    )
    session.flush()
    return True


def of_elder(session: Session, elder_id: str, purpose: str | None = None) -> list[Row[Any]]:
    """Return an elder's consents, ended ones included, in the order they were given."""
    wanted = select(CONSENT).where(CONSENT.c.elder_id == elder_id)
    if purpose is not None:
        wanted = wanted.where(CONSENT.c.purpose == purpose)
    return list(session.execute(wanted.order_by(CONSENT.c.given_at, CONSENT.c.id)))
