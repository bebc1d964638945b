"""What time does to money by itself: days and months end, and what was not used goes back."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from marketplace.kernel import audit
from marketplace.kernel.actor import SYSTEM
from marketplace.kernel.clock import today
from marketplace.kernel.db import transaction
from marketplace.kernel.ports import Ports
from marketplace.vouchers import programmes
from marketplace.vouchers.lapses import Lapsed, lapse_ended


def lapse(session: Session, ports: Ports, *, limit: int = 5_000) -> Lapsed:
    """End entitlements whose last day and days of grace are over; safe to run at any time."""
    with transaction(session):
        at = ports.clock.now()
        day = today(ports.clock)
        grace = programmes.settings_on(day).capture_grace_days
        done = lapse_ended(session, on=day - timedelta(days=grace), at=at, limit=limit)
        if done.entitlements:
            audit.record(
                session,
                at=at,
                actor=SYSTEM,
                action="lapse",
                subject_kind="entitlement",
                subject_id="*",
                entitlements=done.entitlements,
                fen=done.fen,
                minutes=done.minutes,
            )
        return done
