"""Paper slips for the page on which two people type them in; what was typed stays out of sight."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.elders.models import Elder
from marketplace.kernel.actor import Scope
from marketplace.kernel.errors import NotFound
from marketplace.orders.models import Assignment, WorkOrder
from marketplace.orders.states import State
from marketplace.queries.reach import work_orders_in
from marketplace.visits.models import PaperSlip
from marketplace.visits.rules import Method
from vendors.models import Caregiver, Vendor


def is_unread(state: str, method: str) -> bool:
    """Say whether evidence is what the first of two readers typed: the second has not read the paper yet,
    and shall not read it here."""
    return state == State.IN_SERVICE.value and method == Method.PAPER.value


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperVisit:
    """A visit and how far its slip has come: nothing of what anybody read on it.

    ``slip``: ``None`` (nobody typed one in), ``first``, ``same`` or ``differs``. ``fields``: where two
    readings differ.
    """

    id: str
    elder_name: str
    on: date
    window_start_s: int
    window_end_s: int
    service_zh: str
    service_en: str
    vendor: str | None
    vendor_id: str | None
    crew: int
    is_stop: bool
    state: str
    slip: str | None
    first_by: str | None
    first_at: datetime | None
    fields: tuple[str, ...]


def of_day(
    session: Session, scope: Scope, *, elder_ids: Collection[str], work_order_id: str, on: date
) -> list[PaperVisit]:
    """Return the elders' visits of a day and the visit of that number: one statement."""
    theirs = and_(WorkOrder.elder_id.in_(elder_ids), WorkOrder.visit_on == on)
    asked = _visits(scope).where(or_(theirs, WorkOrder.id == work_order_id))
    return _lines(session, asked.order_by(WorkOrder.window_start_s, WorkOrder.id).limit(40))


def one(session: Session, scope: Scope, work_order_id: str) -> PaperVisit:
    """Return one visit; raises ``NotFound``."""
    found = _lines(session, _visits(scope).where(WorkOrder.id == work_order_id))
    if not found:
        raise NotFound(kind="work_order", id=work_order_id)
    return found[0]


def waiting(session: Session, scope: Scope, *, limit: int) -> list[PaperVisit]:
    """Return the slips that one person typed in, the longest waiting first: one statement."""
    asked = _visits(scope).where(
        PaperSlip.state == "first", WorkOrder.state == State.IN_SERVICE.value
    )
    return _lines(session, asked.order_by(PaperSlip.first_at, WorkOrder.id).limit(limit))


def ended(session: Session, scope: Scope, *, since: datetime, limit: int) -> list[PaperVisit]:
    """Return the slips that wait no longer, the latest first: one statement.

    Two people read them, or one did and the visit went to a person before a second could.
    """
    late = and_(PaperSlip.state == "first", WorkOrder.state != State.IN_SERVICE.value)
    asked = _visits(scope).where(PaperSlip.first_at >= since, or_(PaperSlip.state != "first", late))
    last = func.coalesce(PaperSlip.second_at, PaperSlip.first_at)
    return _lines(session, asked.order_by(last.desc(), WorkOrder.id).limit(limit))


def who_may_have_come(session: Session, visit: PaperVisit) -> list[tuple[str, str]]:
    """Return id and name of those a slip may name: the planned crew, or at a site all of the vendor's.

    It is the same before and after the first reading, so that the list tells the second reader nothing.
    """
    people = select(Caregiver.id, Caregiver.name).order_by(Caregiver.name, Caregiver.id)
    if visit.is_stop:
        people = people.join(Assignment, Assignment.caregiver_id == Caregiver.id).where(
            Assignment.work_order_id == visit.id
        )
    else:
        people = people.where(Caregiver.vendor_id == visit.vendor_id, Caregiver.status == "active")
    return [(id_, name) for id_, name in session.execute(people)]


def _visits(scope: Scope) -> Select[Any]:
    return (
        select(
            WorkOrder,
            Elder.name.label("elder_name"),
            ServiceVersion.name_zh,
            ServiceVersion.name_en,
            Vendor.name.label("vendor"),
            PaperSlip,
        )
        .join(Elder, Elder.id == WorkOrder.elder_id)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .outerjoin(Vendor, Vendor.id == WorkOrder.vendor_id)
        .outerjoin(PaperSlip, PaperSlip.work_order_id == WorkOrder.id)
        .where(work_orders_in(scope))
    )


def _lines(session: Session, asked: Select[Any]) -> list[PaperVisit]:
    return [
        PaperVisit(
            id=w.id,
            elder_name=elder,
            on=w.visit_on,
            window_start_s=w.window_start_s,
            window_end_s=w.window_end_s,
            service_zh=zh,
            service_en=en,
            vendor=vendor,
            vendor_id=w.vendor_id,
            crew=w.crew,
            is_stop=w.is_stop,
            state=w.state,
            slip=slip.state if slip else None,
            first_by=slip.first_by if slip else None,
            first_at=slip.first_at if slip else None,
            fields=tuple(slip.fields) if slip else (),
        )
        for w, elder, zh, en, vendor, slip in session.execute(asked)
    ]
