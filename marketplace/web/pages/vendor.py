"""A vendor's desk: what needs the coordinator first, the offers to answer, people and their papers."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.errors import BadInput, Conflict
from marketplace.kernel.ids import new_id
from marketplace.queries import board as boards
from marketplace.queries import site_desk, vendor_desk
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import now, today_here
from marketplace.web.map_shapes import district_names
from marketplace.web.pages.frame import write
from marketplace.web.words.market import DECLINE_REASONS
from marketplace.web.words.people import skill_word
from marketplace.web.words.planning import LEFT_OUT
from marketplace.workflows.accept import AnswerRequest, decline_offer
from marketplace.workflows.accept_many import AcceptManyRequest, accept_many
from marketplace.workflows.advise import advise_offers
from marketplace.workflows.policy import Action, scope

bp = APIBlueprint("vendor", __name__, enable_openapi=False)

_MOST = 200


@bp.get("/vendor")
@allow(Role.VENDOR)
def today_page() -> str:
    """Show today's exceptions first, then the offers with those that fit ticked."""
    vendor_id = scope(current_actor(), Action.SEE_OFFERS).vendor_id or "-"
    return render_template(
        "vendor_today.html",
        desk_day=vendor_desk.vendor_day(session(), vendor_id, day=today_here()),
        exceptions=vendor_desk.exceptions(session(), vendor_id, day=today_here(), now=now()),
        offers=vendor_desk.open_offers(session(), vendor_id, now=now()),
        advice=advise_offers(session(), ports(), current_actor()),
        certificates=vendor_desk.certificates(session(), vendor_id, day=today_here()),
        names=district_names(),
        reasons=LEFT_OUT,
        decline_reasons=DECLINE_REASONS,
        skill_word=skill_word,
        people=boards.people_of(session(), day=today_here(), vendor_id=vendor_id),
        has_site=bool(site_desk.sites_of(session(), vendor_id)),
        key=new_id(),
    )


@bp.post("/vendor/offers")
@allow(Role.VENDOR)
def answer() -> Response:
    """Accept the ticked offers in one step, or decline each; one that is gone harms no other."""
    offers = request.form.getlist("offer")
    accepts = request.form.get("answer") != "decline"
    reason = request.form.get("reason") or ""
    if not accepts and reason not in DECLINE_REASONS:
        raise BadInput(field="reason", value=reason, expected=sorted(DECLINE_REASONS))
    done, gone = _accept(offers[:_MOST]) if accepts else _decline(offers[:_MOST], reason)
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


def _accept(offers: list[str]) -> tuple[int, int]:
    """Accept the offers in one step; return how many were accepted and how many were gone."""
    if not offers:
        return 0, 0
    done = write(accept_many, AcceptManyRequest(offers))
    return len(done.accepted), len(done.gone)


def _decline(offers: list[str], reason: str) -> tuple[int, int]:
    """Decline each offer, since each asks its next vendor; return how many and how many were gone."""
    done = gone = 0
    for offer_id in offers:
        try:
            decline_offer(
                session(),
                ports(),
                current_actor(),
                key=f"{request.form.get('key', '')}/{offer_id}",
                request=AnswerRequest(offer_id=offer_id, reason=reason),
            )
            done += 1
        except Conflict:
            session().rollback()
            gone += 1
    return done, gone
