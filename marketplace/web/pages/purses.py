"""An elder's purses: what is left, where it came from and where it went."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import render_template

from marketplace.kernel.actor import Role
from marketplace.queries import elder_home
from marketplace.queries.entitlements import owed_fen, purses
from marketplace.queries.purse_history import movements
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import today_here
from marketplace.web.pages.frame import home_of
from marketplace.web.pages.ordering import desk_of
from marketplace.web.words.money import MOVEMENTS
from marketplace.workflows.see import see_purses

bp = APIBlueprint("purses", __name__, enable_openapi=False)


@bp.get("/elders/<elder_id>/purses")
@allow(
    Role.ELDER,
    Role.FAMILY,
    Role.HOTLINE,
    Role.COMMUNITY,
    Role.STREET,
    Role.BUREAU,
    Role.AUDITOR,
)
def page(elder_id: str) -> str:
    """Show each purse with what is left, and the movements of the last year."""
    actor = current_actor()
    seen = see_purses(session(), ports(), actor, elder_id)
    on = today_here()
    return render_template(
        "purses.html",
        desk=desk_of(actor.role),
        back_url=home_of(actor.role),
        elder=elder_home.elder(session(), elder_id),
        shows_name="name" in seen.fields,
        purses=purses(session(), elder_id, on),
        movements=movements(session(), elder_id, on),
        owed=owed_fen(session(), elder_id),
        words=MOVEMENTS,
    )
