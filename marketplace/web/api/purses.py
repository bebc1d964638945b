"""An elder's purses: what is in them and how it moved; grants on application, top-ups, hours of helping."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from marketplace.queries.entitlements import owed_fen, purses
from marketplace.queries.purse_history import movements
from marketplace.web.api import answers as out
from marketplace.web.api import bodies
from marketplace.web.api.frame import for_action, write
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import current_actor
from marketplace.web.formats import today_here
from marketplace.workflows import purses as steps
from marketplace.workflows.policy import Action
from marketplace.workflows.see import see_purses

bp = APIBlueprint("api_purses", __name__, url_prefix="/api/v1", tag="Money")


@bp.get("/elders/<string:elder_id>/purses")
@bp.output(out.PursesOut)
@for_action(Action.SEE_MONEY)
def list_purses(elder_id: str) -> Any:
    """Return what an elder holds today, how it moved in the last year, and what is owed."""
    see_purses(session(), ports(), current_actor(), elder_id)
    on = today_here()
    return {
        "purses": purses(session(), elder_id, on),
        "movements": movements(session(), elder_id, on),
        "owed_fen": owed_fen(session(), elder_id),
    }


@bp.post("/elders/<string:elder_id>/grant-applications")
@bp.input(bodies.GrantApplication)
@bp.output(out.ApplicationOut, status_code=201)
@for_action(Action.APPLY_FOR_GRANT)
def apply_for_grant(elder_id: str, json_data: bodies.GrantApplication) -> Any:
    """Ask for a grant that is given on application; a second person decides."""
    return write(steps.apply_for_grant, steps.ApplyForGrant(elder_id, **json_data.model_dump()))


@bp.post("/grant-applications/<string:application_id>/decision")
@bp.input(bodies.ApplicationDecision)
@bp.output(out.ApplicationOut)
@for_action(Action.DECIDE_APPLICATION)
def decide_application(application_id: str, json_data: bodies.ApplicationDecision) -> Any:
    """Approve or refuse an application; not by whoever entered it."""
    asked = steps.DecideApplication(application_id, **json_data.model_dump())
    return write(steps.decide_application, asked)


@bp.post("/elders/<string:elder_id>/top-ups")
@bp.input(bodies.TopUp)
@bp.output(out.PurseFilledOut, status_code=201)
@for_action(Action.TOP_UP)
def top_up(elder_id: str, json_data: bodies.TopUp) -> Any:
    """Put an elder's own money into the charity purse; the gift is added."""
    return write(steps.top_up, steps.TopUp(elder_id, **json_data.model_dump()))


@bp.post("/elders/<string:elder_id>/hours")
@bp.input(bodies.CreditHours)
@bp.output(out.PurseFilledOut, status_code=201)
@for_action(Action.CREDIT_HOURS)
def credit_hours(elder_id: str, json_data: bodies.CreditHours) -> Any:
    """Credit verified hours of helping."""
    return write(steps.credit_hours, steps.CreditHours(elder_id, **json_data.model_dump()))


@bp.post("/elders/<string:elder_id>/hours/given")
@bp.input(bodies.GiveHours)
@bp.output(out.PurseFilledOut, status_code=201)
@for_action(Action.GIVE_HOURS)
def give_hours(elder_id: str, json_data: bodies.GiveHours) -> Any:
    """Give earned hours to a relative in the register."""
    return write(steps.give_hours, steps.GiveHours(elder_id, **json_data.model_dump()))
