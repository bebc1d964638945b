"""The desk of a meal or bath site: a card or printed code is read, a large answer says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from flask import session as kept
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.errors import BadInput, DomainError, NotFound
from marketplace.kernel.ids import new_id
from marketplace.queries import site_desk
from marketplace.visits.cards import CardUnknown
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import is_chinese, today_here
from marketplace.web.throttle import count_wrong_code
from marketplace.web.words.refusals import error_sentence
from marketplace.web.words.slips import CARD_REFUSED, card_word
from marketplace.web.words.visits import rule_word
from marketplace.workflows.policy import Action, scope
from marketplace.workflows.redeem_at_site import SiteReading, read_at_site

bp = APIBlueprint("site", __name__, enable_openapi=False)

_CHOSEN, _ANSWER = "site_desk", "site_answer"
"""What the browser's session keeps: site and helper; the last answer until it is shown. Ids alone."""

_ID = range(8, 41)
"""Characters of a reading's id, which the form carries."""

_LONGEST = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """What the last reading came to. ``tone`` is a bar's: ``ok``, ``wait`` or ``stop``."""

    tone: str
    headline: str
    do: str
    booking: site_desk.Booking | None


@bp.get("/site")
@allow(Role.VENDOR, Role.CAREGIVER)
def page() -> str:
    """Show the field for the card, what the last reading came to, and the readings of today."""
    actor = current_actor()
    vendor_id = _vendor(actor)
    sites = site_desk.sites_of(session(), vendor_id)
    chosen = kept.get(_CHOSEN, {})
    wanted = sites[0].id if len(sites) == 1 else chosen.get("site")
    here = next((s for s in sites if s.id == wanted), None)
    people = site_desk.people(session(), vendor_id, here.id if here else None)
    wanted = actor.caregiver_id if actor.role is Role.CAREGIVER else chosen.get("helper")
    helper = next((p for p in people if p.id == wanted), None)
    is_ready = here is not None and helper is not None and "change" not in request.args
    said = kept.pop(_ANSWER, None) if is_ready else None
    return render_template(
        "site.html",
        desk="worker" if actor.role is Role.CAREGIVER else "staff",
        back_url=url_for("caregiver.next_page") if actor.role is Role.CAREGIVER else None,
        sites=sites,
        people=people,
        here=here,
        helper=helper,
        is_ready=is_ready,
        chooses_helper=actor.role is Role.VENDOR,
        answer=_answer(said, vendor_id) if said else None,
        readings=site_desk.readings(session(), here.id, vendor_id=vendor_id, day=today_here())
        if is_ready and here
        else [],
        card_word=card_word,
        reading_id=new_id(),
    )


@bp.post("/site/choose")
@allow(Role.VENDOR, Role.CAREGIVER)
def choose() -> Response:
    """Remember at which site this is and who serves there, for as long as somebody is signed in."""
    actor = current_actor()
    vendor_id = _vendor(actor)
    site_id = request.form.get("site", "")
    if all(s.id != site_id for s in site_desk.sites_of(session(), vendor_id)):
        raise NotFound(field="site", kind="site", id=site_id[:40])
    helper = request.form.get("helper", "")
    if actor.role is Role.CAREGIVER:
        helper = actor.caregiver_id or ""
    if all(p.id != helper for p in site_desk.people(session(), vendor_id, site_id)):
        raise NotFound(field="helper", kind="caregiver", id=helper[:40])
    kept[_CHOSEN] = {"site": site_id, "helper": helper}
    return redirect(url_for("site.page"))


@bp.post("/site/read")
@allow(Role.VENDOR, Role.CAREGIVER)
def read() -> Response:
    """Redeem by the card or code; the form's id makes a second Enter the same reading."""
    form = request.form
    actor = current_actor()
    reading_id = form.get("id", "")
    if len(reading_id) not in _ID:
        raise BadInput(field="id", value=reading_id[:40], expected="the id that the page made")
    helper = actor.caregiver_id if actor.role is Role.CAREGIVER else form.get("helper")
    crew = [c for c in (helper, form.get("second")) if c]
    asked = SiteReading(form.get("site", ""), reading_id, form.get("code", "")[:_LONGEST], crew)
    try:
        done = read_at_site(
            session(),
            ports(),
            actor,
            key=f"site/{reading_id}",
            request=asked,
        )
    except NotFound:
        raise
    except DomainError as refused:
        session().rollback()
        kept[_ANSWER] = _refusal(refused)
    else:
        kept[_ANSWER] = {
            "state": done.state,
            "why": done.why,
            "order": done.work_order_id,
            "findings": done.findings,
        }
    return redirect(url_for("site.page"))


def _vendor(actor: Actor) -> str:
    return scope(actor, Action.REDEEM_AT_SITE).vendor_id or "-"


def _refusal(refused: DomainError) -> dict[str, Any]:
    """Return what is kept of a reading that could not be made at all."""
    why = refused.code
    if isinstance(refused, BadInput) and refused.field == "caregiver_ids":
        why = "crew"
    elif isinstance(refused, BadInput):
        count_wrong_code()
        why = "card_unknown" if isinstance(refused, CardUnknown) else "misread"
    said = "" if why in CARD_REFUSED else error_sentence(refused)
    return {"state": "refused", "why": why, "said": said}


def _answer(said: dict[str, Any], vendor_id: str) -> Answer:
    """Return the answer to the last reading in the words of who stands at the counter."""
    order = said.get("order")
    booking = site_desk.booking(session(), order, vendor_id=vendor_id) if order else None
    state, why = said["state"], said["why"]
    if why == "just_begun":
        return Answer("wait", card_word(why), str(CARD_REFUSED[why][1]), booking)
    if state in ("done", "disputed"):
        do = _("Serve as usual. It is redeemed once the elder confirms.")
        if state == "disputed":
            between = "、" if is_chinese() else ", "
            found = between.join(rule_word(code) for code in said["findings"])
            do = _("Serve as usual. A person decides the money: %(found)s.", found=found)
        return Answer("wait", _("Written down, not redeemed yet"), do, booking)
    if state == "in_service" and not why:
        return Answer("ok", _("Begun"), _("Read the card again when the service ends."), booking)
    if state == "confirmed" and not why:
        return Answer("ok", _("Redeemed"), _("Hand it over. Nothing else to do."), booking)
    # A refusal tells the state of what was booked where a card that proves nothing is shown.
    do = str(CARD_REFUSED.get(why, CARD_REFUSED[""])[1])
    return Answer("stop", said.get("said") or card_word(why), do, booking)
