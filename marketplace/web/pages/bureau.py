"""Civil affairs: is today all right, and the day's plan on a map."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import jsonify, render_template, request
from flask.wrappers import Response
from flask_babel import gettext as _

from marketplace.kernel.actor import Role
from marketplace.kernel.clock import Period
from marketplace.queries import day_plan as plans
from marketplace.queries.month import mood, purse
from marketplace.queries.red_list import red_list
from marketplace.queries.today import today, vendor_shares
from marketplace.web import asked
from marketplace.web.at_hand import session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import now, today_here
from marketplace.web.map_shapes import WIDTH, district_map, district_names
from marketplace.web.words.planning import LEFT_OUT
from marketplace.workflows.policy import Action, scope

bp = APIBlueprint("bureau", __name__, enable_openapi=False)

_PAGE = 25


def asked_district() -> str | None:
    """Return the district that the address asks for, if it is one."""
    code = request.args.get("district")
    return code if code in district_names() else None


@bp.get("/today")
@allow(Role.BUREAU, Role.STREET, Role.AUDITOR)
def today_page() -> str:
    """Show the five numbers, what needs a person, the districts and the day by the hour."""
    reach = scope(current_actor(), Action.SEE_STATISTICS)
    day = today_here()
    numbers = today(session(), reach, day=day)
    shares, vendors = vendor_shares(session(), reach, period=Period.of(day))
    return render_template(
        "bureau_today.html",
        numbers=numbers,
        lines=red_list(session(), reach, day=day, now=now()),
        shares=shares,
        vendors=vendors,
        shapes=district_map(),
        map_width=WIDTH,
        names=district_names(),
        areas={a.district_code: a for a in numbers.areas},
        mood=mood(session(), reach, period=Period.of(day)),
        purse=purse(session(), reach, day=day),
    )


@bp.get("/plan")
@allow(Role.BUREAU, Role.STREET, Role.AUDITOR, Role.HOTLINE)
def plan_page() -> str:
    """Show the day's plan: a map, and beside it what was left out and why."""
    reach = scope(current_actor(), Action.SEE_PLAN)
    day, district = asked.day(), asked_district()
    reason = request.args.get("reason") or None
    offset = asked.offset()
    plan = plans.day_plan(
        session(), reach, day=day, district=district, reason=reason, offset=offset, limit=_PAGE
    )
    return render_template(
        "plan.html",
        plan=plan,
        day=day,
        district=district,
        reason=reason,
        vendor=request.args.get("vendor") or None,
        names=district_names(),
        reasons=LEFT_OUT,
        offset=offset,
        more=len(plan.left_out) == _PAGE,
        page=_PAGE,
        nobody=_("Nobody goes"),
    )


@bp.get("/plan/map.json")
@allow(Role.BUREAU, Role.STREET, Role.AUDITOR, Role.HOTLINE)
def plan_map() -> Response:
    """Give the map its points and, for one vendor, its routes; no ids, no names of elders.

    Who may not read addresses gets homes to a hundred metres, else the point would be the address.
    """
    reach = scope(current_actor(), Action.SEE_PLAN)
    day, district = asked.day(), asked_district()
    vendor = request.args.get("vendor") or None
    points = plans.map_points(session(), reach, day=day, district=district, vendor=vendor)
    routes = plans.map_routes(session(), reach, day=day, vendor=vendor) if vendor else []
    digits = 5 if "address" in reach.fields else 3
    return jsonify(
        points=[[round(p.lat, digits), round(p.lng, digits), p.kind] for p in points],
        routes=[
            {"base": r.base, "stops": [[round(a, digits), round(b, digits)] for a, b in r.stops]}
            for r in routes
        ],
    )
