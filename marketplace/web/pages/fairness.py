"""Who is left behind, and how the vendors do; each table also as a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apiflask import APIBlueprint
from flask import render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.clock import Period
from marketplace.kernel.errors import BadInput
from marketplace.queries import equity
from marketplace.web import asked
from marketplace.web.at_hand import session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import now, today_here
from marketplace.web.map_shapes import district_names
from marketplace.web.sheets import sheet
from marketplace.workflows.coverage import coverage
from marketplace.workflows.policy import Action, scope

bp = APIBlueprint("fairness", __name__, enable_openapi=False)

_READERS = (Role.BUREAU, Role.STREET, Role.AUDITOR)


@bp.get("/fairness")
@allow(*_READERS)
def page() -> Response | str:
    """Show who lies outside the circle, waits longest, was never served, and how the vendors do."""
    reach = scope(current_actor(), Action.SEE_STATISTICS)
    period = asked.period(Period.of(today_here()))
    circle = coverage(session(), current_actor())
    league = equity.league(session(), reach, period=period)
    never = equity.never_served(session(), reach, period=period)
    if (table := request.args.get("format")) is not None:
        return _sheet(table, period, circle, league, never)
    sees_names = current_actor().role is not Role.AUDITOR
    return render_template(
        "fairness.html",
        period=period,
        circle=circle,
        league=league,
        never=never,
        oldest=equity.never_served_elders(session(), reach, period=period) if sees_names else [],
        waits=equity.waits_longest(session(), reach),
        budgets=equity.budgets(session(), reach, year=period.year),
        sees_names=sees_names,
        names=district_names(),
        today=today_here(),
        moment=now(),
    )


def _sheet(
    table: str, period: Period, circle: Any, league: Sequence[Any], never: Sequence[Any]
) -> Response:
    """Return one of the page's tables as a file; none carries a person."""
    names = district_names()
    if table == "league":
        return sheet(
            f"league-{period}",
            [_("Vendor"), _("Orders"), _("Finished"), _("On time"), _("Satisfied"),
             _("Declined or let lapse"), _("Did not come"), _("Credit")],
            [
                (v.name, v.orders, v.finished, v.on_time, v.satisfied, v.declined, v.no_shows, v.credit)
                for v in league
            ],
        )  # fmt: skip
    if table == "circle":
        return sheet(
            "circle",
            [_("District code"), _("District"), _("Elders"), _("Inside")],
            [
                (d.district_code, names.get(d.district_code), d.elders, d.inside)
                for d in circle.districts
            ],
        )
    if table == "never":
        return sheet(
            f"never-served-{period}",
            [_("District code"), _("District"), _("Entitled"), _("Never served")],
            [(n.district_code, names.get(n.district_code), n.entitled, n.never) for n in never],
        )
    raise BadInput(field="format", value=table, expected=["league", "circle", "never"])
