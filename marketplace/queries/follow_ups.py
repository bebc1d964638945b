"""The calls that wait, the most urgent first, with what must be known before dialling."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.elders.models import Elder, FollowUp
from marketplace.kernel.actor import Scope
from marketplace.orders.models import Order, WorkOrder


@dataclass(frozen=True, slots=True)
class CallLine:
    """One call that waits. ``visit_on``, the service and who ordered it where it is about a visit."""

    id: str
    kind: str
    reason: str
    note: str
    due_at: datetime
    attempts: int
    elder_id: str
    elder_name: str
    born_on: date
    lives_alone: bool
    district_code: str
    work_order_id: str | None
    visit_on: date | None
    window_start_s: int | None
    service_zh: str | None
    service_en: str | None
    placed_by: str | None


def waiting(
    session: Session,
    scope: Scope,
    *,
    kind: str | None = None,
    elder_id: str | None = None,
    caller_id: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[CallLine]:
    """Return calls that wait in the reader's area, welfare checks before the rest: one statement.

    ``caller_id`` leaves out what that account may not do: ask about visits that it ordered itself.
    """
    query = (
        select(
            FollowUp,
            Elder.name,
            Elder.born_on,
            Elder.lives_alone,
            Elder.district_code,
            WorkOrder.visit_on,
            WorkOrder.window_start_s,
            ServiceVersion.name_zh,
            ServiceVersion.name_en,
            Order.placed_by,
        )
        .join(Elder, Elder.id == FollowUp.elder_id)
        .outerjoin(WorkOrder, WorkOrder.id == FollowUp.work_order_id)
        .outerjoin(Order, Order.id == WorkOrder.order_id)
        .outerjoin(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .where(FollowUp.result == "")
        .order_by((FollowUp.kind != "welfare"), FollowUp.due_at, FollowUp.id)
    )
    if kind is not None:
        query = query.where(FollowUp.kind == kind)
    if elder_id is not None:
        query = query.where(FollowUp.elder_id == elder_id)
    if caller_id is not None:
        query = query.where(
            or_(
                FollowUp.kind != "call_back",
                Order.placed_by.is_(None),
                Order.placed_by != caller_id,
            )
        )
    if scope.town_code is not None:
        query = query.where(Elder.town_code == scope.town_code)
    elif scope.district_code is not None:
        query = query.where(Elder.district_code == scope.district_code)
    return [
        CallLine(
            id=f.id,
            kind=f.kind,
            reason=f.reason,
            note=f.note,
            due_at=f.due_at,
            attempts=f.attempts,
            elder_id=f.elder_id,
            elder_name=name,
            born_on=born_on,
            lives_alone=alone,
            district_code=district,
            work_order_id=f.work_order_id,
            visit_on=on,
            window_start_s=start_s,
            service_zh=zh,
            service_en=en,
            placed_by=placed_by,
        )
        for f, name, born_on, alone, district, on, start_s, zh, en, placed_by in session.execute(
            query.offset(offset).limit(limit)
        )
    ]


def counts(session: Session, scope: Scope) -> dict[str, int]:
    """Return how many calls of each kind wait: one statement."""
    query = select(FollowUp.kind, func.count()).where(FollowUp.result == "")
    if scope.town_code is not None or scope.district_code is not None:
        query = query.join(Elder, Elder.id == FollowUp.elder_id)
        if scope.town_code is not None:
            query = query.where(Elder.town_code == scope.town_code)
        else:
            query = query.where(Elder.district_code == scope.district_code)
    return dict(session.execute(query.group_by(FollowUp.kind)).all())
