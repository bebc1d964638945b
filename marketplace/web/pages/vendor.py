"""A vendor's desk: what needs the coordinator first, the offers to answer, people and their papers."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.errors import BadInput, Conflict
from marketplace.kernel.ids import new_id
from marketplace.queries import vendor_desk
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import now, today_here
from marketplace.web.map_shapes import district_names
from marketplace.web.pages.frame import session
from marketplace.web.words import DECLINE_REASONS, LEFT_OUT, skill_word
from marketplace.workflows.accept import AnswerRequest, accept_offer, decline_offer
from marketplace.workflows.advise import advise_offers
from marketplace.workflows.policy import Action, scope

bp = APIBlueprint("vendor", __name__, enable_openapi=False)


@bp.get("/vendor")
@allow(Role.VENDOR)
def today_page() -> str:
    """Show today's exceptions first, then the offers with those that fit ticked."""
    vendor_id = scope(current_actor(), Action.SEE_OFFERS).vendor_id or "-"
    ports = current_app.extensions["ports"]
    return render_template(
        "vendor_today.html",
        desk_day=vendor_desk.vendor_day(session(), vendor_id, day=today_here()),
        exceptions=vendor_desk.exceptions(session(), vendor_id, day=today_here(), now=now()),
        offers=vendor_desk.open_offers(session(), vendor_id, now=now()),
        advice=advise_offers(session(), ports, current_actor()),
        certificates=vendor_desk.certificates(session(), vendor_id, day=today_here()),
        names=district_names(),
        reasons=LEFT_OUT,
        decline_reasons=DECLINE_REASONS,
        skill_word=skill_word,
        key=new_id(),
    )


@bp.post("/vendor/offers")
@allow(Role.VENDOR)
def answer() -> Response:
    """Accept or decline the ticked offers; each is its own step, so that one that is gone harms none."""
    offers = request.form.getlist("offer")
    accepts = request.form.get("answer") != "decline"
    reason = request.form.get("reason") or None
    if not accepts and reason not in DECLINE_REASONS:
        raise BadInput(field="reason", value=reason, expected=sorted(DECLINE_REASONS))
    step = accept_offer if accepts else decline_offer
    ports = current_app.extensions["ports"]
    done = gone = 0
    for offer_id in offers[:200]:
        try:
            step(
                session(),
                ports,
                current_actor(),
                key=f"{request.form.get('key', '')}/{offer_id}",
                request=AnswerRequest(offer_id=offer_id, reason=None if accepts else reason),
            )
            done += 1
        except Conflict:
            gone += 1
    if done and accepts:
        flash(ngettext("%(num)s offer accepted.", "%(num)s offers accepted.", done), "ok")
    elif done:
        flash(
            ngettext(
                "%(num)s offer declined, the next vendor is asked.",
                "%(num)s offers declined, the next vendors are asked.",
                done,
            ),
            "ok",
        )
    if gone:
        flash(
            ngettext(
                "%(num)s offer was gone already: too late, or taken by another vendor.",
                "%(num)s offers were gone already: too late, or taken by another vendor.",
                gone,
            ),
            "wait",
        )
    if not offers:
        flash(_("No offer was ticked."), "wait")
    return redirect(url_for("vendor.today_page"))
