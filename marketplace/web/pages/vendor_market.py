"""A vendor taken off the market and let back in: what became of each of its visits, and why."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.ids import new_id
from marketplace.queries.people import account_names
from marketplace.queries.suspensions import elder_names, suspensions_of, vendor_names
from marketplace.web.at_hand import session
from marketplace.web.auth import allow, current_actor
from marketplace.web.pages.frame import say_refusal, write
from marketplace.web.words.market import MOVE_OUTCOMES, NOT_MOVED
from marketplace.workflows import suspend
from marketplace.workflows.policy import Action, allows, require

bp = APIBlueprint("vendor_market", __name__, enable_openapi=False)


@bp.get("/vendors/<vendor_id>")
@allow(Role.BUREAU, Role.STREET, Role.AUDITOR, Role.HOTLINE)
def page(vendor_id: str) -> str:
    """Show a vendor's suspensions: who lost whom, whom nobody could take over, and why."""
    actor = current_actor()
    about = suspend.about_vendor(session(), actor, vendor_id)
    require(actor, Action.SEE_SUSPENSIONS, about)
    found = suspensions_of(session(), vendor_id)
    moved_to = {m.vendor_now or "" for s in found for m in s.moves}
    # An auditor sees no names; what happened to each visit is to be seen without them.
    elders = [] if actor.role is Role.AUDITOR else [m.elder_id for s in found for m in s.moves]
    people = [by for s in found for by in (s.suspended_by, s.lifted_by) if by]
    return render_template(
        "vendor_market.html",
        vendor_id=vendor_id,
        suspensions=found,
        vendors=vendor_names(session(), {vendor_id, *moved_to}),
        people=account_names(session(), people),
        elders=elder_names(session(), elders),
        may_suspend=allows(actor, Action.SUSPEND_VENDOR, about),
        outcomes=MOVE_OUTCOMES,
        whys=NOT_MOVED,
        key=new_id(),
    )


@bp.post("/vendors/<vendor_id>")
@allow(Role.BUREAU)
def change(vendor_id: str) -> Response:
    """Suspend a vendor and move its visits in one action, or let it back in as a second person."""
    form = request.form
    wanted = suspend.SuspendRequest(vendor_id, form.get("reason", ""))
    with say_refusal():
        if form.get("act") == "reinstate":
            write(suspend.reinstate_vendor, wanted)
            flash(_("The vendor is back on the market."), "ok")
        else:
            done = write(suspend.suspend_vendor, wanted)
            flash(
                _(
                    "Suspended: %(offered)s visits offered to others, %(pooled)s left to the plan, "
                    "%(stuck)s need you.",
                    offered=done.offered,
                    pooled=done.pooled,
                    stuck=len(done.not_moved),
                ),
                "wait" if done.not_moved else "ok",
            )
    return redirect(url_for(".page", vendor_id=vendor_id))
