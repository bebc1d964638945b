"""Keep a list inside the rows that its reader reaches."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, or_, select, true

from marketplace.elders.models import Elder
from marketplace.kernel.actor import Scope
from marketplace.orders.models import Assignment, LeftOut, WorkOrder
from marketplace.orders.states import State
from vendors.models import JobOffer

_NOT_THEIRS_YET = (State.POOLED.value, State.OFFERED.value, State.ACCEPTED.value)


def work_orders_in(scope: Scope) -> ColumnElement[bool]:
    """Return the condition on ``WorkOrder`` rows that the scope sets."""
    if scope.everything:
        return true()
    limits: list[ColumnElement[bool]] = []
    if scope.elder_ids is not None:
        limits.append(WorkOrder.elder_id.in_(scope.elder_ids))
    if scope.vendor_id is not None:
        asked = select(JobOffer.work_order_id).where(
            JobOffer.vendor_id == scope.vendor_id, JobOffer.state == "open"
        )
        limits.append(or_(WorkOrder.vendor_id == scope.vendor_id, WorkOrder.id.in_(asked)))
    if scope.caregiver_id is not None:
        mine = select(Assignment.work_order_id).where(Assignment.caregiver_id == scope.caregiver_id)
        # What the dispatcher chose is a caregiver's own only when the vendor has accepted it.
        limits += [WorkOrder.id.in_(mine), WorkOrder.state.not_in(_NOT_THEIRS_YET)]
    if scope.district_code is not None:
        limits.append(WorkOrder.district_code == scope.district_code)
    if scope.town_code is not None:
        limits.append(WorkOrder.town_code == scope.town_code)
    # A scope that limits nothing and does not say "everything" reaches nothing.
    return and_(*limits) if limits else false()


def elders_in(scope: Scope) -> ColumnElement[bool]:
    """Return the condition on ``Elder`` rows that the scope of an office sets."""
    if scope.everything:
        return true()
    if scope.town_code is not None:
        return Elder.town_code == scope.town_code
    if scope.district_code is not None:
        return Elder.district_code == scope.district_code
    return false()


def nobody_goes() -> ColumnElement[bool]:
    """Return the condition under which a work order has nobody; the query joins ``LeftOut`` outer.

    The plan left it out, its helper did not come, or it is a stop that no vendor has. What is no stop
    of a route (by phone, at a centre, by the month) waits for its vendor and is not meant here.
    """
    left_out = LeftOut.work_order_id.is_not(None) & WorkOrder.state.in_(
        [State.POOLED, State.OFFERED, State.ACCEPTED]
    )
    unserved = (WorkOrder.state == State.POOLED) & WorkOrder.is_stop
    return left_out | unserved | (WorkOrder.state == State.NO_SHOW)
