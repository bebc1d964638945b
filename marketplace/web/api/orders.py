"""Orders and work orders: place, read, call off, move, offer, answer, send somebody by hand."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from marketplace.kernel.actor import Role
from marketplace.orders import service as orders
from marketplace.queries import orders as views
from marketplace.web.api import answers as out
from marketplace.web.api import bodies
from marketplace.web.api.frame import for_action, write
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import current_actor
from marketplace.workflows import accept, cancel, offer, place, recur, slots, substitute, take
from marketplace.workflows.policy import Action
from marketplace.workflows.reach import home_code as read_home_code
from marketplace.workflows.reach import reach, see_order, see_work_order, seen_homes

bp = APIBlueprint("api_orders", __name__, url_prefix="/api/v1", tag="Orders")

_CHANNEL = {Role.HOTLINE: "hotline", Role.COMMUNITY: "community"}


@bp.post("/orders")
@bp.input(bodies.NewOrder)
@bp.output(out.PlacedOut, status_code=201)
@for_action(Action.PLACE_ORDER)
def place_order(json_data: bodies.NewOrder) -> Any:
    """Place an order; its price is split and held, its first dates are offered or pooled."""
    channel = _CHANNEL.get(current_actor().role, "api")
    asked = place.OrderRequest(**json_data.model_dump(), channel=channel)
    return write(place.place_order, asked)


@bp.get("/slots")
@bp.input(bodies.SlotsQuery, location="query")
@bp.output(out.SlotsOut)
@for_action(Action.PLACE_ORDER)
def propose_slots(query_data: bodies.SlotsQuery) -> Any:
    """Return up to three times at which the dispatcher has somebody free, known faces named."""
    asked = slots.SlotQuery(**query_data.model_dump())
    return {"slots": slots.propose_slots(session(), ports(), current_actor(), query=asked)}


@bp.post("/slots")
@bp.input(bodies.TakeSlot)
@bp.output(out.PlacedOut, status_code=201)
@for_action(Action.PLACE_ORDER)
def take_slot(json_data: bodies.TakeSlot) -> Any:
    """Order for a time that was proposed and hold its people; refused where it went meanwhile."""
    asked = json_data.model_dump()
    on, start_s = asked.pop("on"), asked.pop("start_s")
    people = list(asked.pop("caregiver_ids"))
    order = place.OrderRequest(
        **asked,
        starts_on=on,
        window_start_s=start_s,
        window_end_s=start_s + slots.GRACE_S,
        channel=_CHANNEL.get(current_actor().role, "api"),
    )
    return write(take.take_slot, take.SlotRequest(order, start_s, people))


@bp.get("/orders/<string:order_id>")
@bp.output(out.OrderOut)
@for_action(Action.SEE_WORK_ORDER)
def get_order(order_id: str) -> Any:
    """Return one order with its latest work orders."""
    see_order(session(), ports(), current_actor(), order_id)
    return views.order_view(session(), order_id)


@bp.post("/orders/<string:order_id>/end")
@bp.input(bodies.End)
@bp.output(out.EndedOut)
@for_action(Action.END_ORDER)
def end_order(order_id: str, json_data: bodies.End) -> Any:
    """End a recurring order on a day."""
    return write(recur.end_order, recur.EndRequest(order_id, json_data.last_on))


@bp.get("/work-orders")
@bp.input(bodies.WorkOrderQuery, location="query")
@bp.output(out.WorkOrdersOut)
@for_action(Action.SEE_WORK_ORDER)
def list_work_orders(query_data: bodies.WorkOrderQuery) -> Any:
    """Return a page of the work orders that you may see, by day, window and id."""
    asked = query_data.model_dump()
    asked["state"] = query_data.state.value if query_data.state else None
    scope = reach(session(), current_actor(), Action.SEE_WORK_ORDER)
    page = views.work_order_page(session(), scope, vault=ports().vault, **asked)
    opened = {i.elder.id for i in page.items if i.elder.address is not None}
    seen_homes(session(), current_actor(), opened)
    return page


@bp.get("/work-orders/<string:work_order_id>")
@bp.output(out.WorkOrderOut)
@for_action(Action.SEE_WORK_ORDER)
def get_work_order(work_order_id: str) -> Any:
    """Return one work order with its history and, where you may see them, money and visits."""
    scope = see_work_order(session(), current_actor(), work_order_id, Action.SEE_WORK_ORDER)
    return views.work_order_detail(session(), scope, work_order_id, vault=ports().vault)


@bp.get("/work-orders/<string:work_order_id>/ledger")
@bp.output(out.LedgerEntries)
@for_action(Action.SEE_MONEY)
def get_ledger(work_order_id: str) -> Any:
    """Return every ledger transfer of a work order."""
    see_work_order(session(), current_actor(), work_order_id, Action.SEE_MONEY)
    return {"entries": views.ledger(session(), work_order_id)}


@bp.post("/work-orders/<string:work_order_id>/cancel")
@bp.input(bodies.Cancel)
@bp.output(out.CancelledOut)
@for_action(Action.CANCEL)
def cancel_work_order(work_order_id: str, json_data: bodies.Cancel) -> Any:
    """Call a visit off; a vendor gives it back."""
    return write(cancel.cancel, cancel.CancelRequest(work_order_id, json_data.reason))


@bp.post("/work-orders/<string:work_order_id>/reschedule")
@bp.input(bodies.Reschedule)
@bp.output(out.RescheduledOut)
@for_action(Action.RESCHEDULE)
def reschedule_work_order(work_order_id: str, json_data: bodies.Reschedule) -> Any:
    """Move a visit to another day or window."""
    asked = cancel.RescheduleRequest(work_order_id, **json_data.model_dump())
    return write(cancel.reschedule, asked)


@bp.post("/work-orders/<string:work_order_id>/slot")
@bp.input(bodies.MoveToSlot)
@bp.output(out.RescheduledOut)
@for_action(Action.RESCHEDULE)
def move_work_order_to_slot(work_order_id: str, json_data: bodies.MoveToSlot) -> Any:
    """Move a visit to a time that was proposed for it and hold its people; refused where it went."""
    asked = json_data.model_dump()
    asked["caregiver_ids"] = list(asked["caregiver_ids"])
    return write(take.move_to_slot, take.MoveRequest(work_order_id, **asked))


@bp.post("/work-orders/<string:work_order_id>/no-show")
@bp.output(out.NoShowOut)
@for_action(Action.REPORT_NO_SHOW)
def report_no_show(work_order_id: str) -> Any:
    """Report that no caregiver came; another vendor is asked at once."""
    return write(cancel.report_no_show, cancel.NoShowRequest(work_order_id))


@bp.post("/work-orders/<string:work_order_id>/assignment")
@bp.input(bodies.Substitute)
@bp.output(out.SubstitutedOut)
@for_action(Action.ASSIGN_BY_HAND)
def assign_by_hand(work_order_id: str, json_data: bodies.Substitute) -> Any:
    """Send named caregivers at a named time; planning leaves them alone from then on."""
    asked = substitute.SubstituteRequest(
        work_order_id, list(json_data.caregiver_ids), json_data.start_s
    )
    return write(substitute.substitute, asked)


@bp.post("/work-orders/<string:work_order_id>/offers")
@bp.input(bodies.OfferTo)
@bp.output(out.OfferedOut, status_code=201)
@for_action(Action.OFFER)
def offer_work_order(work_order_id: str, json_data: bodies.OfferTo) -> Any:
    """Offer a pooled work order to vendors at once; the first to accept has it."""
    return write(offer.offer_to, offer.OfferRequest(work_order_id, list(json_data.vendor_ids)))


@bp.get("/work-orders/<string:work_order_id>/ranking")
@bp.output(out.Ranking)
@for_action(Action.OFFER)
def get_ranking(work_order_id: str) -> Any:
    """Say which vendor would be asked next, and why."""
    see_work_order(session(), current_actor(), work_order_id, Action.OFFER)
    row = orders.work_order(session(), work_order_id)
    return {"vendors": offer.explained(offer.ranking(session(), row))}


@bp.get("/offers")
@bp.input(bodies.PageQuery, location="query")
@bp.output(out.Offers)
@for_action(Action.SEE_OFFERS)
def list_offers(query_data: bodies.PageQuery) -> Any:
    """Return a page of open offers by deadline: a vendor's own, or all for the hotline."""
    scope = reach(session(), current_actor(), Action.SEE_OFFERS)
    found = views.open_offer_page(session(), scope, after=query_data.after, limit=query_data.limit)
    following = found[-1].id if len(found) == query_data.limit else None
    return {"items": found, "next": following}


@bp.post("/offers/<string:offer_id>/accept")
@bp.output(out.AnsweredOut)
@for_action(Action.ANSWER_OFFER)
def accept_offer(offer_id: str) -> Any:
    """Accept an offer in time."""
    return write(accept.accept_offer, accept.AnswerRequest(offer_id))


@bp.post("/offers/<string:offer_id>/decline")
@bp.input(bodies.Decline)
@bp.output(out.AnsweredOut)
@for_action(Action.ANSWER_OFFER)
def decline_offer(offer_id: str, json_data: bodies.Decline) -> Any:
    """Decline an offer with a reason; the next best vendor is asked."""
    return write(accept.decline_offer, accept.AnswerRequest(offer_id, json_data.reason))


@bp.get("/elders/<string:elder_id>/home-code")
@bp.output(out.HomeCodeOut)
@for_action(Action.SEE_HOME_CODE)
def home_code(elder_id: str) -> Any:
    """Return the six digits that the elder's home shows now, and their QR text."""
    shown = read_home_code(session(), ports(), current_actor(), elder_id)
    return {"code": shown.code, "valid_until": shown.valid_until, "qr": shown.qr}
