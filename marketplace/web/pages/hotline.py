"""The hotline's one screen: ring, card, a number and Enter, read back. Everything by keyboard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from apiflask import APIBlueprint
from flask import current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.clock import second_of
from marketplace.kernel.errors import BadInput, DomainError
from marketplace.kernel.ids import new_id
from marketplace.orders.states import OPEN, State
from marketplace.queries import elder_home, hotline
from marketplace.queries.elder_home import VisitLine
from marketplace.queries.hotline import Found
from marketplace.web import spoken
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import now, today_here
from marketplace.web.map_shapes import district_names
from marketplace.web.pages.elder import priced, request_of
from marketplace.web.pages.frame import session
from marketplace.web.words import CATEGORY_ICONS, error_sentence
from marketplace.workflows.cancel import (
    CancelRequest,
    NoShowRequest,
    RescheduleRequest,
    cancel,
    report_no_show,
    reschedule,
)
from marketplace.workflows.confirm import DisputeRequest, dispute
from marketplace.workflows.place import place_order
from marketplace.workflows.see import see_elder

bp = APIBlueprint("hotline", __name__, enable_openapi=False)

MAY_COMPLAIN = (State.DONE, State.CONFIRMED, State.IN_SERVICE)
DAYS_BACK = 14


@dataclass(frozen=True, slots=True)
class NewTime:
    """One choice of another time for a visit."""

    on: date
    start_s: int
    end_s: int


def find(text: str) -> list[Found]:
    """Return who matches a telephone number or a few letters."""
    text = text.strip()
    digits = text.replace("-", "").replace(" ", "")
    if digits.isdecimal() and len(digits) >= 7:
        vault = current_app.extensions["ports"].vault
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
    frame = {
        "text": text,
        "found": found,
        "names": district_names(),
        "icons": CATEGORY_ICONS,
        "call": call,
        "key": new_id(),
        "honorific": spoken.honorific,
        "spoken_when": spoken.when,
        "spoken_yuan": spoken.yuan,
    }
    if not elder_id:
        return render_template("hotline.html", card=None, **frame)
    return render_template("hotline.html", card=_card(elder_id, call), **frame)


@bp.get("/hotline/find")
@allow(Role.HOTLINE)
def find_part() -> str:
    """Give the list under the search field while somebody types."""
    text = request.args.get("q", "")
    return render_template(
        "hotline_found.html", found=find(text), text=text, names=district_names()
    )


def _card(elder_id: str, call: str) -> dict[str, object]:
    see_elder(session(), current_app.extensions["ports"], current_actor(), elder_id)
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
    offered = [c for u in usual if (c := priced(elder_id, u, reference=call)) is not None]
    missed = next(
        (
            v
            for v in lines
            if v.on == today
            and v.state == State.ASSIGNED
            and v.starts_at is not None
            and v.starts_at < now()
        ),
        None,
    )
    return {
        "elder": elder_home.elder(session(), elder_id),
        "age": today.year - elder_home.elder(session(), elder_id).born_on.year,
        "contacts": elder_home.contacts(session(), elder_id),
        "balances": elder_home.balances(session(), elder_id, day=today),
        "coming": coming,
        "usual": offered[:3],
        "recent": [v for v in lines if v.on <= today and v.state not in OPEN][-5:][::-1],
        "missed": missed,
        "times": _other_times(coming, today),
        "complain": [v for v in lines if v.state in MAY_COMPLAIN][-3:][::-1],
    }


def _other_times(visit: VisitLine | None, today: date) -> list[NewTime]:
    if visit is None or visit.state == State.IN_SERVICE:
        return []
    first = max(visit.on, today) + timedelta(days=1)
    return [
        NewTime(first + timedelta(days=n), visit.window_start_s, visit.window_end_s)
        for n in range(3)
    ]


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
    return _step(
        call,
        lambda: place_order(
            session(),
            current_app.extensions["ports"],
            current_actor(),
            key=request.form.get("key", ""),
            request=request_of(elder_id, chosen, on, call),
        ),
        _("Ordered. Read it back once more and say good-bye."),
    )


@bp.post("/hotline/act")
@allow(Role.HOTLINE)
def act() -> Response:
    """Do one of the other things that callers ask for; each is one step and says what it did."""
    ports, actor = current_app.extensions["ports"], current_actor()
    form, key = request.form, request.form.get("key", "")
    work_order_id, call = form.get("visit", ""), form.get("call", "")
    action = form.get("act", "")
    if action == "no_show":
        return _step(
            call,
            lambda: report_no_show(
                session(), ports, actor, key=key, request=NoShowRequest(work_order_id)
            ),
            _("Noted. Somebody else is being found now."),
        )
    if action == "cancel":
        return _step(
            call,
            lambda: cancel(
                session(),
                ports,
                actor,
                key=key,
                request=CancelRequest(work_order_id=work_order_id, reason=f"recording:{call}"),
            ),
            _("Cancelled. The vouchers came back."),
        )
    if action == "reschedule":
        begin, _dash, rest = form.get("time", "").partition("/")
        start, _dash, end = rest.partition("-")
        if not (start.isdecimal() and end.isdecimal()):
            raise BadInput(field="time", value=form.get("time"), expected="2026-11-24/28800-36000")
        wanted = RescheduleRequest(work_order_id, _date(begin), int(start), int(end))
        return _step(
            call,
            lambda: reschedule(session(), ports, actor, key=key, request=wanted),
            _("Moved to the new time."),
        )
    if action == "complain":
        text = form.get("text", "").strip()[:200] or "not_satisfied"
        return _step(
            call,
            lambda: dispute(
                session(),
                ports,
                actor,
                key=key,
                request=DisputeRequest(work_order_id=work_order_id, reason=text),
            ),
            _("Complaint taken. The money stays held; contact within 24 hours."),
        )
    raise BadInput(field="act", value=action, expected=["no_show", "cancel", "reschedule"])


def _step(call: str, step, said: str) -> Response:
    try:
        step()
        flash(said, "ok")
    except DomainError as error:
        session().rollback()
        flash(error_sentence(error), "stop")
    return _back(call)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise BadInput(field="on", value=text, expected="2026-11-24") from exc
