"""The caregiver's phone: only the next visit. Works without a signal and sends once, later."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from apiflask import APIBlueprint
from flask import current_app, flash, jsonify, redirect, render_template, request, url_for
from flask.wrappers import Response
from flask_babel import gettext as _
from flask_wtf.csrf import generate_csrf
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from marketplace.kernel.actor import Role
from marketplace.kernel.clock import Period, ShiftedClock, instant_of
from marketplace.kernel.errors import BadInput, DomainError
from marketplace.kernel.ids import new_id
from marketplace.queries import caregiver_day, caregiver_hours, site_desk
from marketplace.visits.rules import CodeWrong
from marketplace.web.api.types import Code, Id, Moment, Note
from marketplace.web.asked import day_of, second_of
from marketplace.web.assets import STATIC
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor, public
from marketplace.web.errors import problem_of
from marketplace.web.formats import now, today_here
from marketplace.web.pages.frame import say_refusal, write
from marketplace.web.throttle import MOST_WRONG_CODES, count_wrong_code, wrong_codes
from marketplace.web.words.visits import CATEGORY_ICONS, TASKS, WITHDRAW_WORDS, rule_word
from marketplace.workflows.mistake import ASK_WITHIN, MistakeRequest, report_mistake
from marketplace.workflows.no_access import NoAccessRequest, report_no_access
from marketplace.workflows.photo import PhotoRequest, add_photo, open_photo
from marketplace.workflows.repair import WithdrawRequest, withdraw
from marketplace.workflows.shown import Shown
from marketplace.workflows.visit import CheckInRequest, CheckOutRequest, check_in, check_out

bp = APIBlueprint("caregiver", __name__, enable_openapi=False)


class Sent(BaseModel):
    """One thing that happened at a door, with ids that the phone made, so that it counts once."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    id: Annotated[Id, Field(min_length=8)]
    kind: Literal["check_in", "check_out", "no_access", "photo"]
    work_order_id: Id
    visit_id: Annotated[Id, Field(min_length=8)]
    method: Literal["home_code", "gps", "gps_photo"]
    code: Code | None = None
    lat: float | None = Field(default=None, ge=-90, le=90)
    lng: float | None = Field(default=None, ge=-180, le=180)
    accuracy_m: int | None = Field(default=None, ge=0, le=100_000)
    at_device: Moment | None = None
    device_id: Id | None = None
    offline: bool = False
    note: Note = ""
    phash: str | None = Field(default=None, pattern="^[0-9a-f]{16}$")
    photo: str | None = Field(default=None, max_length=420_000)


class Sending(BaseModel):
    """What a phone kept while it had no signal, oldest first."""

    items: list[Sent] = Field(max_length=200)


@bp.get("/next")
@allow(Role.CAREGIVER)
def next_page() -> str:
    """Show the next visit; the others of the day wait hidden, for when the signal is gone."""
    caregiver_id = current_actor().caregiver_id or "-"
    stops = caregiver_day.stops(session(), caregiver_id, day=today_here())
    following = [s for s in stops if not s.is_over]
    return render_template(
        "caregiver_next.html",
        desk="worker",
        worker=caregiver_day.worker(session(), caregiver_id),
        stops=stops,
        following=following,
        finished=len(stops) - len(following),
        tasks=TASKS,
        reasons=WITHDRAW_WORDS,
        has_site=bool(site_desk.sites_of(session(), current_actor().vendor_id or "-")),
        key=new_id(),
        icons=CATEGORY_ICONS,
        fresh=new_id,
        shift_ms=_shift_ms(),
    )


def _shift_ms() -> int:
    """Return by how many milliseconds a demonstration's day is away from the phone's time; else 0."""
    clock = ports().clock
    return clock.shift // timedelta(milliseconds=1) if isinstance(clock, ShiftedClock) else 0


@bp.post("/next/cannot")
@allow(Role.CAREGIVER)
def cannot() -> Response:
    """Give the next visit back with a reason; somebody else is found."""
    form = request.form
    with say_refusal():
        done = write(withdraw, WithdrawRequest(form.get("visit", ""), form.get("reason", "")))
        if done.caregiver_id:
            flash(_("Noted. Somebody else goes; you need not ring."), "ok")
        else:
            flash(_("Noted. Your dispatcher and the hotline see it now."), "ok")
    return redirect(url_for("caregiver.next_page"))  # type: ignore[return-value]


@bp.get("/next/hours")
@allow(Role.CAREGIVER)
def hours_page() -> str:
    """Show the hours of a week or a month, what counts, what is held and why."""
    day = today_here()
    span = "month" if request.args.get("span") == "month" else "week"
    back = max(min(request.args.get("back", 0, type=int), 12), 0)
    if span == "month":
        period = Period.of(day)
        for _n in range(back):
            period = period.previous()
        since, until = period.first, period.last
    else:
        since = day - timedelta(days=day.weekday() + 7 * back)
        until = since + timedelta(days=6)
    return render_template(
        "caregiver_hours.html",
        desk="worker",
        back_url=url_for("caregiver.next_page"),
        span=span,
        back=back,
        since=since,
        until=until,
        hours=caregiver_hours.hours(
            session(), current_actor().caregiver_id or "-", since=since, until=until
        ),
        rule_word=rule_word,
        fresh=new_id,
        may_ask_since=now() - ASK_WITHIN,
    )


@bp.post("/next/mistake")
@allow(Role.CAREGIVER)
def mistake() -> Response:
    """Say what a visit's times really were; the first record stays beside it."""
    form = request.form
    on = day_of(form.get("on", ""), field="on")
    begins, ends = (
        second_of(form.get(name, ""), field=name) % 86_400 for name in ("says_in", "says_out")
    )
    overnight = ends <= begins
    wanted = MistakeRequest(
        correction_id=form.get("id", ""),
        visit_id=form.get("visit", ""),
        says_in_at=instant_of(on, begins),
        says_out_at=instant_of(on, ends + (86_400 if overnight else 0)),
        reason=form.get("reason", ""),
    )
    with say_refusal():
        report_mistake(
            session(),
            ports(),
            current_actor(),
            key=f"mistake/{wanted.correction_id}",
            request=wanted,
        )
        flash(_("Sent. The street office decides; what was recorded stays beside it."), "ok")
    return redirect(url_for("caregiver.hours_page"))  # type: ignore[return-value]


@bp.get("/photos/<evidence_id>")
@allow(Role.ELDER, Role.FAMILY, Role.VENDOR, Role.STREET, Role.BUREAU, Role.AUDITOR)
def photo(evidence_id: str) -> Response:
    """Give a picture to whoever may see the visit's evidence."""
    picture = open_photo(session(), ports(), current_actor(), evidence_id)
    return current_app.response_class(picture, mimetype="image/jpeg")


@bp.post("/next/send")
@allow(Role.CAREGIVER)
def send() -> Response:
    """Take what happened, one by one or as a list kept offline; a repeat is one row."""
    if not request.is_json:
        return _send_form()
    try:
        sending = Sending.model_validate(request.get_json())
    except ValidationError as exc:
        raise BadInput(field="items", value=None, expected=str(exc.errors()[0]["msg"])) from exc
    answers = []
    for item in sending.items:
        # What is not answered stays on the phone and is sent again.
        if wrong_codes() >= MOST_WRONG_CODES:
            break
        answers.append(_answer(item))
    return jsonify(results=answers, csrf_token=generate_csrf())


def _answer(item: Sent) -> dict[str, Any]:
    try:
        _take(item)
    except DomainError as error:
        session().rollback()
        problem = problem_of(error)
        return {"id": item.id, "ok": False, "code": problem.code, "detail": problem.detail}
    return {"id": item.id, "ok": True}


def _send_form() -> Response:
    """Take one thing from a phone without JavaScript."""
    try:
        item = Sent.model_validate(
            {k: v for k, v in request.form.items() if k != "csrf_token" and v != ""}
        )
    except ValidationError as exc:
        raise BadInput(field="code", value=None, expected=str(exc.errors()[0]["msg"])) from exc
    with say_refusal():
        _take(item)
        flash(_("Noted."), "ok")
    return redirect(url_for("caregiver.next_page"))  # type: ignore[return-value]


def _take(item: Sent) -> None:
    shown = Shown(
        evidence_id=item.id,
        method=item.method,
        at_device=item.at_device or now(),
        lat=item.lat,
        lng=item.lng,
        accuracy_m=item.accuracy_m,
        device_id=item.device_id,
        offline=item.offline,
        code=item.code,
        note=item.note,
        phash=item.phash,
    )
    step: Any
    asked: Any
    if item.kind == "check_in":
        step = check_in
        asked = CheckInRequest(
            work_order_id=item.work_order_id, visit_id=item.visit_id, shown=shown
        )
    elif item.kind == "photo":
        step = add_photo
        asked = PhotoRequest(
            work_order_id=item.work_order_id,
            visit_id=item.visit_id,
            shown=shown,
            jpeg=item.photo or "",
        )
    elif item.kind == "check_out":
        step, asked = check_out, CheckOutRequest(visit_id=item.visit_id, shown=shown)
    else:
        step = report_no_access
        asked = NoAccessRequest(
            work_order_id=item.work_order_id, visit_id=item.visit_id, shown=shown
        )
    try:
        step(session(), ports(), current_actor(), key=f"phone/{item.id}", request=asked)
    except CodeWrong:
        count_wrong_code()
        raise


@bp.get("/sw.js")
@public
def service_worker() -> Response:
    """Give the service worker from the root, so that it may keep the caregiver's page."""
    response = current_app.response_class(
        (STATIC / "js" / "sw.js").read_text("utf-8"), mimetype="text/javascript"
    )
    response.headers["Cache-Control"] = "no-cache"
    return response
