"""A month's grants: counted by one person, released by another."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.clock import Period
from marketplace.queries import equity
from marketplace.queries.grant_runs import grant_lines
from marketplace.web import asked
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import today_here
from marketplace.web.map_shapes import district_names
from marketplace.web.pages.frame import say_refusal
from marketplace.workflows.grants import GrantPreview, preview_grants, release_grants
from marketplace.workflows.policy import Action, scope

bp = APIBlueprint("grants", __name__, enable_openapi=False)


@bp.get("/grants")
@allow(Role.BUREAU, Role.AUDITOR)
def page() -> str:
    """Show each district's grants of a month: previewed, released, and by whom."""
    return _grants(asked.period(Period.of(today_here())), None)


def _grants(period: Period, preview: GrantPreview | None) -> str:
    reach = scope(current_actor(), Action.SEE_MONEY)
    this = Period.of(today_here())
    return render_template(
        "grants.html",
        period=period,
        months=[this.previous(), this, this.next()],
        lines=grant_lines(session(), reach, period=str(period)),
        budgets=equity.budgets(session(), reach, year=period.year),
        preview=preview,
        names=district_names(),
        me_id=current_actor().user_id,
        may=current_actor().role is Role.BUREAU,
    )


@bp.post("/grants/preview")
@allow(Role.BUREAU)
def preview() -> str:
    """Count what a month's grants of a district would be; nothing is granted."""
    period = asked.period(Period.of(today_here()))
    seen = preview_grants(
        session(),
        ports(),
        current_actor(),
        period=period,
        district_code=request.form.get("district", ""),
    )
    return _grants(period, seen)


@bp.post("/grants/release")
@allow(Role.BUREAU)
def release() -> Response:
    """Release what another person previewed."""
    month = request.form.get("month")
    with say_refusal():
        done = release_grants(
            session(), ports(), current_actor(), run_id=request.form.get("run", "")
        )
        flash(_("Released: %(num)s grants.", num=done.granted), "ok")
    return redirect(url_for("grants.page", month=month))
