"""A caregiver's hours of a week or month: what counts for the pay, what is held and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.elders.models import Elder
from marketplace.orders.models import WorkOrder
from marketplace.orders.states import State
from marketplace.visits.models import Correction, Visit

COUNTS = (State.DONE, State.CONFIRMED, State.SETTLED)
HELD = (State.DISPUTED,)
LOST = (State.INVALIDATED,)


@dataclass(frozen=True, slots=True)
class HourLine:
    """One visit: its minutes, the standard of its service, and whether they count.

    ``standing``: ``counts``, ``held``, ``open`` (not checked out), ``lost`` (voided) or ``shut_door``.
    ``rules`` names what the checks said; ``correction`` is the state of a correction, if any.
    """

    visit_id: str
    work_order_id: str
    on: date
    elder_name: str
    service_zh: str
    service_en: str
    in_at: datetime
    out_at: datetime | None
    minutes: int
    standard_min: int
    standing: str
    rules: tuple[str, ...]
    correction: str | None
    correction_note: str


@dataclass(frozen=True, slots=True)
class Hours:
    """All visits of a span, and the sums in minutes."""

    lines: tuple[HourLine, ...]

    def minutes(self, standing: str) -> int:
        """Return the minutes of visits that stand so."""
        return sum(line.minutes for line in self.lines if line.standing == standing)


def hours(session: Session, caregiver_id: str, *, since: date, until: date) -> Hours:
    """Return a caregiver's visits of a span of days, the latest first: two statements."""
    rows = session.execute(
        select(
            Visit,
            WorkOrder.state,
            WorkOrder.service_s,
            ServiceVersion.name_zh,
            ServiceVersion.name_en,
            Elder.name,
        )
        .join(WorkOrder, WorkOrder.id == Visit.work_order_id)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .join(Elder, Elder.id == Visit.elder_id)
        .where(Visit.caregiver_id == caregiver_id, Visit.visit_on.between(since, until))
        .order_by(Visit.check_in_at.desc())
    ).all()
    asked: dict[str, Any] = {
        c.visit_id: c
        for c in session.scalars(
            select(Correction)
            .where(Correction.visit_id.in_([v.id for v, *_ in rows]))
            .order_by(Correction.asked_at)
        )
    }
    return Hours(
        tuple(
            _line(visit, state, service_s, zh, en, name, asked.get(visit.id))
            for visit, state, service_s, zh, en, name in rows
        )
    )


def _line(
    visit: Visit, state: str, service_s: int, zh: str, en: str, name: str, asked: Any
) -> HourLine:
    lasted = 0
    if visit.check_out_at is not None:
        lasted = int((visit.check_out_at - visit.check_in_at).total_seconds()) // 60
    standing = "open"
    if State(state) is State.NO_ACCESS:
        standing = "shut_door"
    elif State(state) in LOST:
        standing = "lost"
    elif State(state) in HELD:
        standing = "held"
    elif visit.check_out_at is not None:
        standing = "counts"
    return HourLine(
        visit_id=visit.id,
        work_order_id=visit.work_order_id,
        on=visit.visit_on,
        elder_name=name,
        service_zh=zh,
        service_en=en,
        in_at=visit.check_in_at,
        out_at=visit.check_out_at,
        minutes=lasted,
        standard_min=service_s // 60,
        standing=standing,
        rules=tuple(f["rule"] for f in visit.findings if f.get("action") != "review"),
        correction=asked.state if asked else None,
        correction_note=asked.decision if asked else "",
    )
