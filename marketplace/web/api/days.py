"""A day's plan: make it, read it, take its problem away for another solver."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from typing import Any

from apiflask import APIBlueprint

from marketplace.kernel.errors import BadInput
from marketplace.queries.day_plan import day_plan
from marketplace.web.api import answers as out
from marketplace.web.api import bodies
from marketplace.web.api.frame import for_action, write
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import current_actor
from marketplace.workflows.assign import AssignRequest, assign_day, export_day
from marketplace.workflows.policy import Action
from marketplace.workflows.reach import reach

bp = APIBlueprint("api_days", __name__, url_prefix="/api/v1", tag="Planning")


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not 2000 <= day.year <= 2099 or day.isoformat() != text:
        raise BadInput(field="day", value=text[:40], expected="a date such as 2026-11-23")
    return day


@bp.post("/days/<string:day>/plan")
@bp.input(bodies.PlanDay)
@bp.output(out.DayPlannedOut, status_code=201)
@for_action(Action.PLAN_DAY)
def plan_day(day: str, json_data: bodies.PlanDay) -> Any:
    """Plan a day; answers when the plan is checked and written."""
    return write(assign_day, AssignRequest(day=_day(day), **json_data.model_dump()))


@bp.get("/days/<string:day>/plan")
@bp.output(out.DayPlanOut)
@for_action(Action.SEE_PLAN)
def get_plan(day: str) -> Any:
    """Return the day's latest plan in your reach, with the first fifty left out and why."""
    scope = reach(session(), current_actor(), Action.SEE_PLAN)
    plan = day_plan(session(), scope, day=_day(day))
    named = "name" in scope.fields
    return {
        "day": day,
        "run": None
        if plan.run is None
        else asdict(plan.run) | {"started_at": plan.run.started_at.isoformat()},
        "states": plan.states,
        "reasons": plan.reasons,
        "left_out": [
            {
                k: v
                for k, v in asdict(line).items()
                if named or k not in ("elder_name", "lat", "lng")
            }
            for line in plan.left_out
        ],
    }


@bp.get("/days/<string:day>/problem")
@bp.output(out.ProblemFile)
@for_action(Action.PLAN_DAY)
def get_problem(day: str) -> Any:
    """Return the day's problem as the dispatch contract writes it."""
    content = export_day(session(), ports(), current_actor(), day=_day(day))
    return json.loads(content)
