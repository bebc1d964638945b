"""What needs a person now: each line with its owner and its clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.elders.models import Elder
from marketplace.kernel.actor import Scope
from marketplace.kernel.clock import instant_of
from marketplace.orders.models import Assignment, LeftOut, WorkOrder, WorkOrderEvent
from marketplace.orders.states import State
from marketplace.queries.reach import nobody_goes, work_orders_in
from vendors.models import Vendor, VendorLicence

LATE_AFTER = timedelta(minutes=15)
"""A helper who has not checked in this long after the planned start is late."""

ANSWER_DOOR_WITHIN = timedelta(minutes=30)
"""After a door that stayed shut somebody looks in within this time."""

MOST_OF_A_KIND = 4
"""Vendors that stand by name under one kind of matter; the others are counted together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedLine:
    """One matter. ``kind`` names the sentence, ``due_at`` is when its clock reaches zero.

    ``owner_vendor`` is the vendor's name where a vendor must act; else the owner is the area's own
    staff. ``count`` work orders of ``owners`` owners are concerned, ``work_order_id`` is the first of them.
    """

    kind: str
    due_at: datetime
    count: int = 1
    work_order_id: str | None = None
    vendor_id: str | None = None
    owner_vendor: str | None = None
    elder_name: str | None = None
    elder_born: date | None = None
    lives_alone: bool = False
    district_code: str | None = None
    first_s: int | None = None
    on: date | None = None
    owners: int = 1


def red_list(session: Session, scope: Scope, *, day: date, now: datetime) -> list[RedLine]:
    """Return the day's open matters, the most urgent first: five statements."""
    lines = [
        *_shut_doors(session, scope, day),
        *_few(_nobody_goes(session, scope, day)),
        *_few(_late(session, scope, day, now)),
        *_disputed(session, scope, now),
    ]
    if scope.everything or scope.district_code:
        lines += _licences(session, day)
    return sorted(lines, key=lambda line: line.due_at)


def _few(lines: list[RedLine]) -> list[RedLine]:
    """Keep the most urgent vendors of one kind and put the others on one line: a list is for people."""
    lines = sorted(lines, key=lambda line: (line.due_at, -line.count))
    kept, rest = lines[:MOST_OF_A_KIND], lines[MOST_OF_A_KIND:]
    if not rest:
        return kept
    first = rest[0]
    together = replace(
        first,
        count=sum(line.count for line in rest),
        vendor_id=None,
        owner_vendor=None,
        owners=len(rest),
    )
    return [*kept, together]


def _shut_doors(session: Session, scope: Scope, day: date) -> list[RedLine]:
    rows = session.execute(
        select(WorkOrder, Elder.name, Elder.born_on, Elder.lives_alone, WorkOrderEvent.at)
        .join(Elder, Elder.id == WorkOrder.elder_id)
        .join(
            WorkOrderEvent,
            (WorkOrderEvent.work_order_id == WorkOrder.id)
            & (WorkOrderEvent.to_state == State.NO_ACCESS),
        )
        .where(
            WorkOrder.visit_on == day,
            WorkOrder.state == State.NO_ACCESS,
            work_orders_in(scope),
        )
        .limit(50)
    )
    return [
        RedLine(
            kind="shut_door",
            due_at=at + ANSWER_DOOR_WITHIN,
            work_order_id=w.id,
            elder_name=name,
            elder_born=born,
            lives_alone=alone,
            district_code=w.district_code,
            first_s=w.window_start_s,
            on=w.visit_on,
        )
        for w, name, born, alone, at in rows
    ]


def _nobody_goes(session: Session, scope: Scope, day: date) -> list[RedLine]:
    """One line for each vendor whose accepted work has nobody, one for what no vendor has."""
    rows = session.execute(
        select(
            WorkOrder.vendor_id,
            Vendor.name,
            func.count(),
            func.min(WorkOrder.window_end_s),
            func.min(WorkOrder.id),
        )
        .outerjoin(LeftOut, LeftOut.work_order_id == WorkOrder.id)
        .outerjoin(Vendor, Vendor.id == WorkOrder.vendor_id)
        .where(
            WorkOrder.visit_on == day,
            nobody_goes(),
            work_orders_in(scope),
        )
        .group_by(WorkOrder.vendor_id, Vendor.name)
    )
    return [
        RedLine(
            kind="nobody_goes",
            due_at=instant_of(day, end_s),
            count=count,
            work_order_id=first,
            vendor_id=vendor_id,
            owner_vendor=name,
            first_s=end_s,
            on=day,
        )
        for vendor_id, name, count, end_s, first in rows
    ]


def _late(session: Session, scope: Scope, day: date, now: datetime) -> list[RedLine]:
    rows = session.execute(
        select(
            WorkOrder.vendor_id,
            Vendor.name,
            func.count(),
            func.min(Assignment.starts_at),
            func.min(WorkOrder.id),
        )
        .join(Assignment, Assignment.work_order_id == WorkOrder.id)
        .outerjoin(Vendor, Vendor.id == WorkOrder.vendor_id)
        .where(
            WorkOrder.visit_on == day,
            WorkOrder.state == State.ASSIGNED,
            Assignment.starts_at < now - LATE_AFTER,
            work_orders_in(scope),
        )
        .group_by(WorkOrder.vendor_id, Vendor.name)
    )
    return [
        RedLine(
            kind="not_arrived",
            due_at=earliest + LATE_AFTER,
            count=count,
            work_order_id=first,
            vendor_id=vendor_id,
            owner_vendor=name,
            on=day,
        )
        for vendor_id, name, count, earliest, first in rows
    ]


def _disputed(session: Session, scope: Scope, now: datetime) -> list[RedLine]:
    rows = session.execute(
        select(
            WorkOrder.district_code,
            func.count(),
            func.min(WorkOrder.visit_on),
            func.min(WorkOrder.id),
        )
        .where(WorkOrder.state == State.DISPUTED, work_orders_in(scope))
        .group_by(WorkOrder.district_code)
    )
    return [
        RedLine(
            kind="disputed",
            due_at=instant_of(first_on + timedelta(days=5), 17 * 3600),
            count=count,
            work_order_id=first,
            district_code=district,
            on=first_on,
        )
        for district, count, first_on, first in rows
    ]


def _licences(session: Session, day: date) -> list[RedLine]:
    newest = (
        select(
            VendorLicence.vendor_id,
            VendorLicence.kind,
            func.max(VendorLicence.valid_until).label("until"),
        )
        .join(Vendor, Vendor.id == VendorLicence.vendor_id)
        .where(Vendor.status == "active")
        .group_by(VendorLicence.vendor_id, VendorLicence.kind)
        .subquery()
    )
    count, first = session.execute(
        select(func.count(func.distinct(newest.c.vendor_id)), func.min(newest.c.until)).where(
            newest.c.until.between(day, day + timedelta(days=7))
        )
    ).one()
    if not count:
        return []
    return [RedLine(kind="licence_ends", due_at=instant_of(first, 86_399), count=count, on=first)]
