"""Redemption without a smartphone: cards and printed codes, site readers, phone calls, papers."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from marketplace.web.api import answers as out
from marketplace.web.api import bodies
from marketplace.web.api.frame import for_action, write
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import current_actor
from marketplace.workflows import cards, redeem_at_site, redeem_by_phone, redeem_on_paper
from marketplace.workflows.policy import Action

bp = APIBlueprint("api_redeem", __name__, url_prefix="/api/v1", tag="Redemption")


@bp.post("/elders/<string:elder_id>/cards")
@bp.input(bodies.NewCard)
@bp.output(out.IssuedOut, status_code=201)
@for_action(Action.ISSUE_CARD)
def issue_card(elder_id: str, json_data: bodies.NewCard) -> Any:
    """Bind a card by its number, or make a sheet of single-use codes; the codes are shown here only."""
    return write(cards.issue, cards.IssueRequest(elder_id, **json_data.model_dump()))


@bp.get("/elders/<string:elder_id>/cards")
@bp.output(out.CardsOut)
@for_action(Action.SEE_CARDS)
def list_cards(elder_id: str) -> Any:
    """Return an elder's cards and sheets."""
    return {"items": cards.cards_of(session(), ports(), current_actor(), elder_id)}


@bp.post("/cards/<string:card_id>/revocation")
@bp.input(bodies.Reason)
@bp.output(out.RevokedOut)
@for_action(Action.REVOKE_CARD)
def revoke_card(card_id: str, json_data: bodies.Reason) -> Any:
    """Take a card or sheet out of use at once."""
    return write(cards.revoke, cards.RevokeRequest(card_id, json_data.reason))


@bp.post("/sites/<string:site_id>/readings")
@bp.input(bodies.Reading)
@bp.output(out.RedeemedOut)
@for_action(Action.REDEEM_AT_SITE)
def read_at_site(site_id: str, json_data: bodies.Reading) -> Any:
    """Redeem what is booked at a site by the card that is shown; a refusal says why, and keeps the hold."""
    return write(
        redeem_at_site.read_at_site, redeem_at_site.SiteReading(site_id, **json_data.model_dump())
    )


@bp.post("/work-orders/<string:work_order_id>/phone-report")
@bp.input(bodies.PhoneReport)
@bp.output(out.RedeemedOut)
@for_action(Action.REDEEM_BY_PHONE)
def report_by_phone(work_order_id: str, json_data: bodies.PhoneReport) -> Any:
    """Redeem a visit that the elder confirms on the phone; never by the account that ordered it."""
    asked = redeem_by_phone.PhoneReport(work_order_id=work_order_id, **json_data.model_dump())
    return write(redeem_by_phone.report_by_phone, asked)


@bp.post("/work-orders/<string:work_order_id>/paper")
@bp.input(bodies.Paper)
@bp.output(out.RedeemedOut)
@for_action(Action.ENTER_PAPER)
def enter_paper(work_order_id: str, json_data: bodies.Paper) -> Any:
    """Type a paper record in; a second person types it again, unseen."""
    asked = redeem_on_paper.PaperEntry(work_order_id=work_order_id, **json_data.model_dump())
    return write(redeem_on_paper.enter_paper, asked)
