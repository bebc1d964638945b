"""An elder's file: consents, who looked into it, how it stood on a day, the number behind its mask."""

from __future__ import annotations

from datetime import date

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.ids import new_id
from marketplace.queries import elder_home
from marketplace.queries.as_of import elder_as_of
from marketplace.queries.people import account_names
from marketplace.web import asked
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import today_here
from marketplace.web.pages.frame import home_of, say_refusal, write
from marketplace.web.pages.ordering import desk_of
from marketplace.web.words.people import FILE_PARTS, PURPOSES, ROLES
from marketplace.web.words.programmes import source_words
from marketplace.web.words.rights import FACTS, fact_value
from marketplace.workflows.look_back import may_see_as_of
from marketplace.workflows.policy import Action
from marketplace.workflows.privacy import (
    ConsentRequest,
    RevealRequest,
    consents_of,
    give_consent,
    looks_into,
    reveal_id_number,
    withdraw_consent,
)
from marketplace.workflows.see import see_file

bp = APIBlueprint("elder_file", __name__, enable_openapi=False)

_READERS = (
    Role.ELDER,
    Role.HOTLINE,
    Role.COMMUNITY,
    Role.STREET,
    Role.BUREAU,
    Role.AUDITOR,
)
_LOOKS = 50


@bp.get("/elders/<elder_id>/file")
@allow(*_READERS)
def page(elder_id: str) -> str:
    """Show what its reader may open of an elder's file; ``on`` puts it back to a day."""
    text = request.args.get("on", "")
    return _page(elder_id, on=asked.day_of(text, field="on") if text else None)


def _page(elder_id: str, *, on: date | None = None, id_number: str = "") -> str:
    actor = current_actor()
    seen = see_file(session(), ports(), actor, elder_id)
    consents, looks, then = [], [], None
    if Action.SEE_CONSENTS in seen.may:
        consents = consents_of(session(), ports(), actor, elder_id)
    if Action.SEE_LOOKS in seen.may:
        looks = looks_into(session(), ports(), actor, elder_id, limit=_LOOKS)
    if on is not None:
        may_see_as_of(session(), ports(), actor, elder_id)
        then = elder_as_of(session(), elder_id, on)
    return render_template(
        "elder_file.html",
        desk=desk_of(actor.role),
        back_url=home_of(actor.role),
        elder=elder_home.elder(session(), elder_id),
        shown=seen.fields,
        may={a.value for a in seen.may},
        consents=consents,
        purposes=PURPOSES,
        looks=looks,
        people=account_names(session(), [k.actor_id for k in looks]),
        parts=FILE_PARTS,
        roles=ROLES,
        on=on or today_here(),
        then=then,
        facts=FACTS,
        fact_value=fact_value,
        source_words=source_words,
        id_number=id_number,
        is_elder=actor.role is Role.ELDER,
        key=new_id(),
    )


@bp.post("/elders/<elder_id>/consents")
@allow(Role.ELDER, Role.HOTLINE, Role.COMMUNITY, Role.BUREAU)
def keep_consent(elder_id: str) -> Response:
    """Give or withdraw the consent for a purpose; what rests on it ends at once."""
    form = request.form
    step = give_consent if form.get("act") == "give" else withdraw_consent
    wanted = ConsentRequest(
        elder_id, form.get("purpose", ""), form.get("reference", "").strip()[:100]
    )
    with say_refusal():
        done = write(step, wanted)
        flash(_("The consent holds.") if done.holds else _("The consent is withdrawn."), "ok")
    return redirect(url_for(".page", elder_id=elder_id))


@bp.post("/elders/<elder_id>/id-number")
@allow(Role.BUREAU)
def show_id_number(elder_id: str) -> Response | str:
    """Show the identity number once, on this answer alone; who asked and why is kept."""
    wanted = RevealRequest(elder_id, request.form.get("reason", ""))
    with say_refusal():
        shown = write(reveal_id_number, wanted)
        return _page(elder_id, id_number=shown.id_number)
    return redirect(url_for(".page", elder_id=elder_id))
