"""Vendors: taken off the market by civil affairs, and let back in."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from marketplace.queries.suspensions import suspensions_of
from marketplace.web.api import answers as out
from marketplace.web.api import bodies
from marketplace.web.api.frame import for_action, write
from marketplace.web.at_hand import session
from marketplace.web.auth import current_actor
from marketplace.workflows import suspend
from marketplace.workflows.policy import Action, require

bp = APIBlueprint("api_vendors", __name__, url_prefix="/api/v1", tag="Vendors")


@bp.post("/vendors/<string:vendor_id>/suspension")
@bp.input(bodies.Reason)
@bp.output(out.SuspendedOut)
@for_action(Action.SUSPEND_VENDOR)
def suspend_vendor(vendor_id: str, json_data: bodies.Reason) -> Any:
    """Suspend a vendor; its visits go to others, the answer lists those that could not, and why."""
    asked = suspend.SuspendRequest(vendor_id=vendor_id, reason=json_data.reason)
    return write(suspend.suspend_vendor, asked)


@bp.post("/vendors/<string:vendor_id>/reinstatement")
@bp.input(bodies.Reason)
@bp.output(out.ReinstatedOut)
@for_action(Action.REINSTATE_VENDOR)
def reinstate_vendor(vendor_id: str, json_data: bodies.Reason) -> Any:
    """Let a suspended vendor back in; not by whoever suspended it."""
    asked = suspend.SuspendRequest(vendor_id=vendor_id, reason=json_data.reason)
    return write(suspend.reinstate_vendor, asked)


@bp.get("/vendors/<string:vendor_id>/suspensions")
@bp.output(out.SuspensionsOut)
@for_action(Action.SEE_SUSPENSIONS)
def list_suspensions(vendor_id: str) -> Any:
    """Return a vendor's suspensions and what became of each of its visits."""
    about = suspend.about_vendor(session(), current_actor(), vendor_id)
    require(current_actor(), Action.SEE_SUSPENSIONS, about)
    return {"items": suspensions_of(session(), vendor_id)}
