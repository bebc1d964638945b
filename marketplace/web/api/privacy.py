"""An elder's personal data: the identity number, who looked, consents, refused caregivers, as of a day."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from marketplace.queries.as_of import elder_as_of
from marketplace.web.api import answers as out
from marketplace.web.api import bodies
from marketplace.web.api.frame import for_action, write
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import current_actor
from marketplace.workflows import privacy
from marketplace.workflows.look_back import may_see_as_of
from marketplace.workflows.policy import Action

bp = APIBlueprint("api_privacy", __name__, url_prefix="/api/v1/elders", tag="Personal data")


@bp.post("/<string:elder_id>/id-number")
@bp.input(bodies.Reason)
@bp.output(out.RevealedOut)
@for_action(Action.REVEAL_ID_NUMBER)
def reveal_id_number(elder_id: str, json_data: bodies.Reason) -> Any:
    """Show an identity number in full; who asked and why is kept and shown to the elder."""
    asked = privacy.RevealRequest(elder_id, json_data.reason)
    return write(privacy.reveal_id_number, asked)


@bp.get("/<string:elder_id>/looks")
@bp.input(bodies.LooksQuery, location="query")
@bp.output(out.LooksOut)
@for_action(Action.SEE_LOOKS)
def list_looks(elder_id: str, query_data: bodies.LooksQuery) -> Any:
    """Return who looked into an elder's file, the latest first."""
    asked = query_data.model_dump()
    found = privacy.looks_into(session(), ports(), current_actor(), elder_id, **asked)
    return {"items": found, "next": found[-1].id if len(found) == query_data.limit else None}


@bp.get("/<string:elder_id>/consents")
@bp.output(out.ConsentsOut)
@for_action(Action.SEE_CONSENTS)
def list_consents(elder_id: str) -> Any:
    """Return what an elder consents to, every purpose."""
    return {"items": privacy.consents_of(session(), ports(), current_actor(), elder_id)}


@bp.post("/<string:elder_id>/consents")
@bp.input(bodies.Consent)
@bp.output(out.ConsentOut)
@for_action(Action.KEEP_CONSENT)
def keep_consent(elder_id: str, json_data: bodies.Consent) -> Any:
    """Give or withdraw the consent for a purpose; what rests on it ends at once."""
    asked = privacy.ConsentRequest(elder_id, json_data.purpose, json_data.reference or "")
    step = privacy.give_consent if json_data.holds else privacy.withdraw_consent
    return write(step, asked)


@bp.get("/<string:elder_id>/refused-caregivers")
@bp.output(out.RefusalsOut)
@for_action(Action.SEE_CONSENTS)
def list_refusals(elder_id: str) -> Any:
    """Return the caregivers whom an elder does not want."""
    return {"items": privacy.refusals_of(session(), ports(), current_actor(), elder_id)}


@bp.post("/<string:elder_id>/refused-caregivers")
@bp.input(bodies.Refusal)
@bp.output(out.RefusalOut)
@for_action(Action.REFUSE_CAREGIVER)
def refuse_caregiver(elder_id: str, json_data: bodies.Refusal) -> Any:
    """Keep a caregiver away from an elder, or take that back; planned visits get somebody else."""
    asked = privacy.RefuseRequest(elder_id, json_data.caregiver_id, json_data.reason)
    step = privacy.refuse_caregiver if json_data.is_refused else privacy.allow_caregiver
    return write(step, asked)


@bp.get("/<string:elder_id>/as-of")
@bp.input(bodies.AsOfQuery, location="query")
@bp.output(out.AsOfOut)
@for_action(Action.SEE_AS_OF)
def get_as_of(elder_id: str, query_data: bodies.AsOfQuery) -> Any:
    """Return an elder's facts, purses and visits as they were on a day, or as they were known then."""
    may_see_as_of(session(), ports(), current_actor(), elder_id)
    return elder_as_of(session(), elder_id, query_data.on, known_at=query_data.known_at)
