"""What was said to whoever is signed in: the same sentences that go out as text messages."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import render_template

from marketplace.kernel.actor import Actor, Role
from marketplace.queries.messages import links_of, said_to
from marketplace.web.at_hand import session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import now
from marketplace.web.messages import message_sentence
from marketplace.web.pages.frame import home_of
from marketplace.web.pages.work import desk_of

bp = APIBlueprint("messages", __name__, enable_openapi=False)


@bp.get("/messages")
@allow(
    Role.ELDER,
    Role.FAMILY,
    Role.VENDOR,
    Role.CAREGIVER,
    Role.HOTLINE,
    Role.STREET,
    Role.BUREAU,
)
def page() -> str:
    """Show the messages of the last thirty days, the newest first.

    Vendors and helpers get no link: many of their messages are about visits that are theirs no more.
    """
    actor = current_actor()
    said = said_to(session(), _readers(actor), at=now())
    return render_template(
        "messages.html",
        desk=desk_of(actor.role) if actor.role is not Role.CAREGIVER else "worker",
        back_url=home_of(actor.role),
        opens=actor.role in (Role.ELDER, Role.HOTLINE, Role.STREET, Role.BUREAU),
        messages=[(m, message_sentence(m.template, m.values)) for m in said],
    )


def _readers(actor: Actor) -> list[tuple[str, str | None]]:
    """Return as whom somebody is written to; relatives read what is meant for relatives.

    Offices read what is said to their own area; the city's bureau what is said to every district.
    """
    match actor.role:
        case Role.ELDER:
            return [("elder", e) for e in sorted(actor.elder_ids)]
        case Role.FAMILY:
            mine = [("relative", link) for link in links_of(session(), actor.user_id)]
            return mine + [("family", e) for e in sorted(actor.elder_ids)]
        case Role.VENDOR:
            return [("vendor", actor.vendor_id)] if actor.vendor_id else []
        case Role.CAREGIVER:
            return [("caregiver", actor.caregiver_id)] if actor.caregiver_id else []
        case Role.STREET:
            return [("town", actor.town_code)] if actor.town_code else []
        case Role.BUREAU:
            return [("district", actor.district_code)]
        case _:
            return [("role", actor.role.value)]
