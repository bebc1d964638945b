"""What time does to money by itself: days and months end, and what was not used goes back."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.elders.models import Elder
from marketplace.kernel import audit
from marketplace.kernel.actor import SYSTEM
from marketplace.kernel.clock import today
from marketplace.kernel.db import transaction
from marketplace.kernel.ports import Ports
from marketplace.vouchers import programmes
from marketplace.vouchers.lapses import Lapsed, lapse_ended, lapse_of, sweep_funds


def lapse(session: Session, ports: Ports, *, limit: int = 5_000) -> Lapsed:
    """End entitlements whose last day and days of grace are over; safe to run at any time.

    Of elders who died, everything that is free ends after the same days of grace, in which a mistaken
    report can be put right.
    """
    with transaction(session):
        at = ports.clock.now()
        day = today(ports.clock)
        before = day - timedelta(days=programmes.settings_on(day).capture_grace_days)
        ended = lapse_ended(session, on=before, at=at, limit=limit)
        _record(session, at, ended, reason=None)
        dead = select(Elder.id).where(Elder.status == "dead", Elder.status_from < before)
        of_dead = lapse_of(session, dead, on=day, at=at, limit=limit)
        _record(session, at, of_dead, reason="death")
        swept = sweep_funds(session, on=before, at=at)
        if swept:
            audit.record(
                session,
                at=at,
                actor=SYSTEM,
                action="sweep_funds",
                subject_kind="ledger_account",
                subject_id="*",
                fen=swept,
            )
        return Lapsed(
            ended.entitlements + of_dead.entitlements,
            ended.fen + of_dead.fen,
            ended.minutes + of_dead.minutes,
        )


def _record(session: Session, at: datetime, done: Lapsed, *, reason: str | None) -> None:
    if done.entitlements:
        audit.record(
            session,
            at=at,
            actor=SYSTEM,
            action="lapse",
            subject_kind="entitlement",
            subject_id="*",
            reason=reason,
            entitlements=done.entitlements,
            fen=done.fen,
            minutes=done.minutes,
        )
