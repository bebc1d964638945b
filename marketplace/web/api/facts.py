"""What other authorities' lists say: their readings, and the visits that they speak against."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from marketplace.kernel.clock import Period
from marketplace.queries import crosschecks as views
from marketplace.queries.month_fraud import month_findings
from marketplace.web.api import answers as out
from marketplace.web.api.frame import for_action, period_of
from marketplace.web.at_hand import session
from marketplace.web.auth import current_actor
from marketplace.workflows.policy import Action
from marketplace.workflows.reach import reach

bp = APIBlueprint("api_facts", __name__, url_prefix="/api/v1", tag="Facts")


@bp.get("/cross-checks")
@bp.output(out.CrossChecksOut)
@for_action(Action.SEE_FLAGS)
def list_cross_checks() -> Any:
    """Return the latest readings of lists, and the visits that they speak against, in your reach."""
    scope = reach(session(), current_actor(), Action.SEE_FLAGS)
    return {"runs": views.runs(session()), "flags": views.flags(session(), scope)}


@bp.get("/periods/<string:period>/findings")
@bp.output(out.MonthFindingsOut)
@for_action(Action.SEE_FLAGS)
def list_month_findings(period: str) -> Any:
    """Return what the monthly anti-fraud rules (F08, F12, F17, F18) say, in your reach."""
    month: Period = period_of(period)
    scope = reach(session(), current_actor(), Action.SEE_FLAGS)
    return {"period": str(month), "items": month_findings(session(), scope, period=month)}
