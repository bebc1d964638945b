"""Visits: check in, check out, what goes wrong, and the word that releases the money."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from marketplace.web.api import answers as out
from marketplace.web.api import bodies
from marketplace.web.api.frame import for_action, write
from marketplace.workflows import confirm, visit
from marketplace.workflows.interrupt import InterruptRequest, interrupt
from marketplace.workflows.no_access import NoAccessRequest, report_no_access
from marketplace.workflows.policy import Action
from marketplace.workflows.shown import Shown

bp = APIBlueprint("api_visits", __name__, url_prefix="/api/v1", tag="Visits")


def _shown(evidence: bodies.Evidence) -> Shown:
    return Shown(**{**evidence.model_dump(), "method": evidence.method.value})


@bp.post("/work-orders/<string:work_order_id>/check-in")
@bp.input(bodies.CheckIn)
@bp.output(out.VisitOut, status_code=201)
@for_action(Action.CHECK_IN)
def check_in(work_order_id: str, json_data: bodies.CheckIn) -> Any:
    """Begin a visit on evidence; the ids are the phone's, so that a repeat is one visit."""
    asked = visit.CheckInRequest(
        work_order_id=work_order_id,
        visit_id=json_data.visit_id,
        shown=_shown(json_data.shown),
        caregiver_id=json_data.caregiver_id,
    )
    return write(visit.check_in, asked)


@bp.post("/visits/<string:visit_id>/check-out")
@bp.input(bodies.CheckOut)
@bp.output(out.VisitOut)
@for_action(Action.CHECK_OUT)
def check_out(visit_id: str, json_data: bodies.CheckOut) -> Any:
    """End a visit on evidence; when the whole crew is out, it is judged."""
    asked = visit.CheckOutRequest(visit_id=visit_id, shown=_shown(json_data.shown))
    return write(visit.check_out, asked)


@bp.post("/visits/<string:visit_id>/interrupt")
@bp.input(bodies.Interrupt)
@bp.output(out.VisitOut)
@for_action(Action.INTERRUPT)
def interrupt_visit(visit_id: str, json_data: bodies.Interrupt) -> Any:
    """Break a visit off; a person decides what is due."""
    asked = InterruptRequest(
        visit_id=visit_id, reason=json_data.reason, shown=_shown(json_data.shown)
    )
    return write(interrupt, asked)


@bp.post("/work-orders/<string:work_order_id>/no-access")
@bp.input(bodies.NoAccess)
@bp.output(out.NoAccessOut)
@for_action(Action.REPORT_NO_ACCESS)
def end_at_shut_door(work_order_id: str, json_data: bodies.NoAccess) -> Any:
    """Report that nobody opened; the second time in a row somebody looks after the elder."""
    asked = NoAccessRequest(
        work_order_id=work_order_id,
        visit_id=json_data.visit_id,
        shown=_shown(json_data.shown),
    )
    return write(report_no_access, asked)


@bp.post("/work-orders/<string:work_order_id>/confirm")
@bp.input(bodies.Confirm)
@bp.output(out.ConfirmedOut)
@for_action(Action.CONFIRM)
def confirm_visit(work_order_id: str, json_data: bodies.Confirm) -> Any:
    """Confirm a visit: its hold is captured for the vendor."""
    return write(confirm.confirm, confirm.ConfirmRequest(work_order_id, **json_data.model_dump()))


@bp.post("/work-orders/<string:work_order_id>/dispute")
@bp.input(bodies.Dispute)
@bp.output(out.DisputedOut)
@for_action(Action.DISPUTE)
def dispute_visit(work_order_id: str, json_data: bodies.Dispute) -> Any:
    """Say that a visit was not as it should be; the money stays held."""
    return write(confirm.dispute, confirm.DisputeRequest(work_order_id, **json_data.model_dump()))


@bp.post("/work-orders/<string:work_order_id>/resolve")
@bp.input(bodies.Resolve)
@bp.output(out.ResolvedOut)
@for_action(Action.RESOLVE)
def resolve_dispute(work_order_id: str, json_data: bodies.Resolve) -> Any:
    """Decide a dispute: pay, pay a part, or void."""
    return write(confirm.resolve, confirm.ResolveRequest(work_order_id, **json_data.model_dump()))
