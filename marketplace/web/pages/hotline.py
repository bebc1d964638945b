"""The hotline's one screen: ring, card, a number and Enter, read back. Everything by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.clock import instant_of, second_of
from marketplace.kernel.errors import BadInput, DomainError
from marketplace.kernel.ids import new_id
from marketplace.orders.states import OPEN, State
from marketplace.queries import elder_home, follow_ups, hotline
from marketplace.queries.elder_home import VisitLine
from marketplace.queries.hotline import Found
from marketplace.web import spoken
from marketplace.web.asked import day_of
from marketplace.web.asked import second_of as asked_second
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import clock_of, now, today_here, when, when_s, yuan
from marketplace.web.map_shapes import district_names
from marketplace.web.pages.elder import dial, priced, request_of
from marketplace.web.pages.frame import say_refusal, write
from marketplace.web.pages.moving import move_visit, other_times
from marketplace.web.words.calls import CALL_REASONS, CALLER_FIELDS, COMPLAINTS
from marketplace.web.words.people import POWERS
from marketplace.web.words.refusals import error_sentence
from marketplace.web.words.visits import CATEGORY_ICONS
from marketplace.workflows.cancel import Cancelled, CancelRequest, cancel, cancel_terms
from marketplace.workflows.complain import (
    Complained,
    ComplaintRequest,
    RingBack,
    RingBackRequest,
    ask_ring_back,
    complain,
)
from marketplace.workflows.follow_up import QUESTIONS, ResultRequest, record_result
from marketplace.workflows.link import LinkCodeRequest, make_link_code
from marketplace.workflows.onboard import CallerRequest, onboard_caller
from marketplace.workflows.place import place_order
from marketplace.workflows.policy import Action, scope
from marketplace.workflows.repair import LATE_AFTER, Repaired, RepairRequest, repair, repairs
from marketplace.workflows.see import see_elder

bp = APIBlueprint("hotline", __name__, enable_openapi=False)

MAY_COMPLAIN = (State.DONE, State.CONFIRMED, State.IN_SERVICE)
DAYS_BACK = 14


@dataclass(frozen=True, slots=True)
class NewCaller:
    """The form of a new caller as it was typed, and what did not fit."""

    phone: str = ""
    name: str = ""
    address: str = ""
    born_year: str = ""
    agreed: bool = False
    problem: Any = None
    field: str | None = None


def find(text: str) -> list[Found]:
    """Return who matches a telephone number or a few letters."""
    text = text.strip()
    digits = text.replace("-", "").replace(" ", "")
    if digits.isdecimal() and len(digits) >= 7:
        vault = ports().vault
        return hotline.by_phone(session(), vault.index(digits))
    return hotline.by_name(session(), text) if text else []


@bp.get("/hotline")
@allow(Role.HOTLINE)
def console() -> Response | str:
    """Show the caller's card. ``?phone=`` is what a telephone system opens when it rings."""
    text = request.args.get("phone") or request.args.get("q", "")
    found = find(text)
    elder_id = request.args.get("elder", "")
    if not elder_id and len(found) == 1:
        elder_id = found[0].id
    call = request.args.get("call") or f"call-{new_id()}"
    is_number = text.replace("-", "").replace(" ", "").isdecimal()
    asks = not elder_id and ("new" in request.args or (is_number and len(text) >= 7 and not found))
    new = NewCaller(phone=text if is_number else "") if asks else None
    return _console(elder_id, call, text=text, found=found, new=new)


def _console(
    elder_id: str,
    call: str,
    *,
    text: str = "",
    found: list[Found] | None = None,
    new: NewCaller | None = None,
) -> str:
    """Render the one screen: a card, the form of a new caller, or the calls that wait."""
    reach = scope(current_actor(), Action.FOLLOW_UP)
    frame = {
        "text": text,
        "found": found or [],
        "names": district_names(),
        "icons": CATEGORY_ICONS,
        "call": call,
        "key": new_id(),
        "honorific": spoken.honorific,
        "spoken_when": spoken.when,
        "spoken_yuan": spoken.yuan,
        "new": new,
        "waits": follow_ups.waiting(session(), reach, limit=6),
        "counts": follow_ups.counts(session(), reach),
        "call_reason": CALL_REASONS.get,
        "me_id": current_actor().user_id,
        "powers_words": POWERS,
        "categories": COMPLAINTS,
        "dial": dial,
    }
    if not elder_id:
        return render_template("hotline.html", card=None, task=None, **frame)
    asked = request.args.get("task", "")
    mine = follow_ups.waiting(session(), reach, elder_id=elder_id)
    task = next((t for t in mine if t.id == asked), None)
    return render_template("hotline.html", card=_card(elder_id, call), task=task, **frame)


@bp.get("/hotline/find")
@allow(Role.HOTLINE)
def find_part() -> str:
    """Give the list under the search field while somebody types."""
    text = request.args.get("q", "")
    return render_template(
        "hotline_found.html", found=find(text), text=text, names=district_names()
    )


def _card(elder_id: str, call: str) -> dict[str, object]:
    see_elder(session(), ports(), current_actor(), elder_id)
    today = today_here()
    lines = elder_home.visits(
        session(),
        elder_id,
        since=today - timedelta(days=DAYS_BACK),
        until=today + timedelta(days=DAYS_BACK),
    )
    second = second_of(today, now())
    coming = elder_home.next_visit(lines, today=today, second=second)
    usual = elder_home.usual_orders(session(), elder_id, day=today)
    offered = priced(elder_id, usual, reference=call)
    missed = next(
        (
            v
            for v in lines
            if v.on == today
            and v.state == State.ASSIGNED
            and v.starts_at is not None
            and v.starts_at + LATE_AFTER <= now()
        ),
        None,
    )
    return {
        "elder": elder_home.elder(session(), elder_id),
        "age": _age(elder_home.elder(session(), elder_id).born_on, today),
        "phone": dial(hotline.phone_of(session(), elder_id)),
        "contacts": hotline.people(session(), elder_id),
        "helpers": hotline.helpers(session(), coming.id, now=now()) if coming else [],
        "balances": elder_home.balances(session(), elder_id, day=today),
        "coming": coming,
        "usual": offered[:3],
        "recent": [v for v in lines if v.on <= today and v.state not in OPEN][-5:][::-1],
        "missed": missed,
        "repairs": repairs(session(), ports(), current_actor(), missed.id) if missed else [],
        "may_move": coming is not None and coming.state != State.IN_SERVICE,
        "cancelling": None if coming is None else cancel_terms(_starts(coming), now()),
        "complain": [v for v in lines if v.state in MAY_COMPLAIN][-3:][::-1],
    }


def _age(born_on: date, today: date) -> int:
    """Return full years: one less before this year's birthday."""
    before = (today.month, today.day) < (born_on.month, born_on.day)
    return today.year - born_on.year - before


def _starts(visit: VisitLine) -> datetime:
    return visit.starts_at or instant_of(visit.on, visit.window_start_s)


@bp.get("/hotline/times")
@allow(Role.HOTLINE)
def times() -> str:
    """Give the times at which a visit could be instead, and what is said of them to the caller."""
    work_order_id = request.args.get("visit", "")
    other = other_times(work_order_id)
    whose = elder_home.elder(session(), other.elder_id)
    return render_template(
        "hotline_times.html",
        other=other,
        honorific=spoken.honorific(whose),
        spoken_when=spoken.when,
    )


def _back(call: str) -> Response:
    elder_id = request.form.get("elder", "")
    return redirect(url_for("hotline.console", elder=elder_id, call=call))


@bp.post("/hotline/repeat")
@allow(Role.HOTLINE)
def repeat() -> Response:
    """Place a usual order again, on the caller's recorded wish."""
    call, elder_id = request.form.get("call", ""), request.form.get("elder", "")
    code = request.form.get("service", "")
    usual = elder_home.usual_orders(session(), elder_id, day=today_here())
    chosen = next((u for u in usual if u.service_code == code), None)
    if chosen is None:
        raise BadInput(field="service", value=code, expected="one of the usual orders")
    on = _date(request.form.get("on", ""))
    wanted = request_of(elder_id, chosen, on, call)

    def place() -> str:
        _run(place_order, wanted)
        return _("Ordered. Read it back once more and say good-bye.")

    return _step(call, place)


@bp.post("/hotline/new")
@allow(Role.HOTLINE)
def take_on() -> Response | str:
    """Register a new caller from five fields and open the card; a refused form keeps what was typed."""
    form = request.form
    new = NewCaller(
        phone=form.get("phone", "").strip(),
        name=form.get("name", "").strip(),
        address=form.get("address", "").strip(),
        born_year=form.get("born_year", "").strip(),
        agreed="consent" in form,
    )
    call = form.get("call", "")
    wanted = CallerRequest(
        phone=new.phone,
        name=new.name,
        address=new.address,
        born_year=int(new.born_year) if re.fullmatch(r"\d{4}", new.born_year) else 0,
        consent=call if new.agreed else "",
    )
    try:
        known = write(onboard_caller, wanted)
    except DomainError as error:
        session().rollback()
        new = replace(new, problem=CALLER_FIELDS.get(error.field or ""), field=error.field)
        return _console("", call, text=new.phone, new=new)
    flash(_("Taken on. Order for them now; they pay themselves until the bureau has looked."), "ok")
    return redirect(url_for("hotline.console", elder=known.elder_id, call=call))


@bp.get("/hotline/places")
@allow(Role.HOTLINE)
def places() -> str:
    """Give the communities under the address field while somebody types."""
    geocoder = ports().geocoder
    return render_template(
        "hotline_places.html", places=geocoder.named(request.args.get("address", ""))
    )


@bp.post("/hotline/call")
@allow(Role.HOTLINE)
def result() -> Response:
    """Write how a call that was owed ended, and open the next one."""
    form = request.form
    said = form.get("result", "")
    answers: dict[str, object] = {}
    if said == "answered":
        answers = {q: form.get(q) == "yes" for q in QUESTIONS[:3] if q in form}
        answers["score"] = form.get("score", 0, type=int)
    wanted = ResultRequest(
        follow_up_id=form.get("task", ""),
        result=said,
        note=form.get("note", "").strip()[:400],
        answers=answers,
    )
    try:
        ended = write(record_result, wanted)
    except DomainError as error:
        session().rollback()
        flash(error_sentence(error), "stop")
        return redirect(
            url_for("hotline.console", elder=form.get("elder"), task=wanted.follow_up_id)
        )
    if ended.due_at is not None:
        flash(_("Nobody answered. It comes again %(when)s.", when=when(ended.due_at)), "wait")
    elif ended.opened == "complaint":
        flash(_("Noted. The money stays held and a complaint is open."), "wait")
    elif ended.opened == "welfare":
        flash(_("Noted. Ask again within the hour."), "wait")
    else:
        flash(_("Noted. The next call is open."), "ok")
    return _next_call()


def _next_call() -> Response:
    reach = scope(current_actor(), Action.FOLLOW_UP)
    rest = follow_ups.waiting(session(), reach, caller_id=current_actor().user_id, limit=1)
    if not rest:
        return redirect(url_for("hotline.console"))
    return redirect(url_for("hotline.console", elder=rest[0].elder_id, task=rest[0].id))


@bp.get("/hotline/next")
@allow(Role.HOTLINE)
def next_call() -> Response:
    """Open the call that is due first."""
    return _next_call()


@bp.post("/hotline/link")
@allow(Role.HOTLINE)
def link() -> Response:
    """Make a code for a relative on the elder's spoken yes; it is shown once, to be read out."""
    form = request.form
    wanted = LinkCodeRequest(
        elder_id=form.get("elder", ""),
        powers=form.getlist("power"),
        reference=form.get("call", "") if "consent" in form else "",
    )
    with say_refusal():
        made = make_link_code(session(), ports(), current_actor(), request=wanted)
        said = _(
            "Read out: %(code)s. Good until %(time)s, for one relative.",
            code=f"{made.code[:4]} {made.code[4:]}",
            time=clock_of(made.expires_at),
        )
        flash(said, "ok")
    return _back(form.get("call", ""))


@bp.post("/hotline/act")
@allow(Role.HOTLINE)
def act() -> Response:
    """Do one of the other things that callers ask for; each is one step and says what it did."""
    action = request.form.get("act", "")
    steps = {
        "no_show": _repair,
        "cancel": _cancel,
        "reschedule": _reschedule,
        "complain": _complain,
        "ring_back": _ring_back,
    }
    if action not in steps:
        raise BadInput(field="act", value=action, expected=sorted(steps))
    return _step(request.form.get("call", ""), steps[action])


def _run(step: Any, wanted: Any) -> Any:
    return write(step, wanted)


def _visit() -> str:
    return request.form.get("visit", "")


def _repair() -> str:
    caregiver_id, _at, start = request.form.get("who", "").partition("@")
    wanted = RepairRequest(
        _visit(), caregiver_id or None, asked_second(start, field="who") if start else None
    )
    done: Repaired = _run(repair, wanted)
    if done.starts_at is not None:
        return _("Somebody else goes and is there about %(time)s.", time=clock_of(done.starts_at))
    if done.next_vendor_id is not None:
        return _("The next vendor is asked at once.")
    return _("Nobody can go today. It stands on the red list; ring the caller back.")


def _cancel() -> str:
    wanted = CancelRequest(work_order_id=_visit(), reason=f"recording:{request.form.get('call')}")
    done: Cancelled = _run(cancel, wanted)
    if done.fee_fen:
        return _(
            "Cancelled late: %(fee)s of own money stays due; the vouchers came back.",
            fee=yuan(done.fee_fen),
        )
    return _("Cancelled. It costs nothing and the vouchers came back.")


def _reschedule() -> str:
    moved_to = move_visit(_visit())
    return _("Moved to %(when)s.", when=when_s(moved_to.on, moved_to.start_s))


def _complain() -> str:
    wanted = ComplaintRequest(
        elder_id=request.form.get("elder", ""),
        category=request.form.get("category", ""),
        text=request.form.get("text", "").strip()[:400],
        work_order_id=_visit() or None,
    )
    done: Complained = _run(complain, wanted)
    if done.money_is_held:
        return _(
            "Complaint taken, the visit is not paid yet. Contact %(when)s at the latest.",
            when=when(done.contact_by),
        )
    return _("Complaint taken. Contact %(when)s at the latest.", when=when(done.contact_by))


def _ring_back() -> str:
    wanted = RingBackRequest(
        elder_id=request.form.get("elder", ""), text=request.form.get("text", "").strip()[:400]
    )
    done: RingBack = _run(ask_ring_back, wanted)
    return _("In the list of calls, due %(when)s.", when=when(done.due_at))


def _step(call: str, step: Callable[[], str]) -> Response:
    with say_refusal():
        flash(step(), "ok")
    return _back(call)


def _date(text: str) -> date:
    return day_of(text, field="on")
