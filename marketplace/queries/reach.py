"""Keep a list inside the rows that its reader reaches."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, select, true

from marketplace.kernel.actor import Scope
from marketplace.orders.models import Assignment, WorkOrder


def work_orders_in(scope: Scope) -> ColumnElement[bool]:
    """Return the condition on ``WorkOrder`` rows that the scope sets."""
    if scope.everything:
        return true()
    limits: list[ColumnElement[bool]] = []
    if scope.elder_ids is not None:
        limits.append(WorkOrder.elder_id.in_(scope.elder_ids))
    if scope.vendor_id is not None:
        limits.append(WorkOrder.vendor_id == scope.vendor_id)
    if scope.caregiver_id is not None:
        mine = select(Assignment.work_order_id).where(Assignment.caregiver_id == scope.caregiver_id)
        limits.append(WorkOrder.id.in_(mine))
    if scope.district_code is not None:
        limits.append(WorkOrder.district_code == scope.district_code)
    if scope.town_code is not None:
        limits.append(WorkOrder.town_code == scope.town_code)
    # A scope that limits nothing and does not say "everything" reaches nothing.
    return and_(*limits) if limits else false()
