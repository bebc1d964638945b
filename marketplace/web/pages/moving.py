"""Another time for a visit: the dispatcher's own proposals first, by the hotline and by the elder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.clock import instant_of
from marketplace.kernel.errors import DomainError
from marketplace.kernel.ids import new_id
from marketplace.queries import elder_home
from marketplace.web.asked import day_of, second_of
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import now, today_here, when_s
from marketplace.web.pages.frame import form_key
from marketplace.web.words.refusals import error_sentence
from marketplace.workflows.cancel import RescheduleRequest, cancel_terms, reschedule
from marketplace.workflows.slots import Slot, propose_instead
from marketplace.workflows.take import MoveRequest, move_to_slot

bp = APIBlueprint("moving", __name__, enable_openapi=False)

DAYS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class NewTime:
    """A day and hours into which the plan fits the visit; who comes is told later."""

    on: date
    start_s: int
    end_s: int


@dataclass(frozen=True, slots=True)
class OtherTimes:
    """What a visit can be moved to: the dispatcher's times, or days where it proposes none."""

    work_order_id: str
    elder_id: str
    slots: list[Slot]
    days: list[NewTime]


@dataclass(frozen=True, slots=True)
class MovedTo:
    """Where a visit went."""

    work_order_id: str
    on: date
    start_s: int


def other_times(work_order_id: str) -> OtherTimes:
    """Return what a visit of the reader's can be moved to."""
    slots = propose_instead(session(), ports(), current_actor(), work_order_id=work_order_id)
    window = elder_home.window_of(session(), work_order_id)
    first = max(window.on, today_here()) + timedelta(days=1)
    days = [
        NewTime(first + timedelta(days=n), window.start_s, window.end_s)
        for n in range(0 if slots else DAYS_SHOWN)
    ]
    return OtherTimes(work_order_id, window.elder_id, slots, days)


def move_visit(work_order_id: str) -> MovedTo:
    """Move a visit to the time chosen in the form: ``2026-11-24/34200/C1+C2``, a time with people, or
    ``2026-11-24/28800-36000``, hours of a day."""
    text = request.form.get("time", "")[:200]
    day, _slash, rest = text.partition("/")
    start, _slash, people = rest.partition("/")
    begin, _dash, end = start.partition("-")
    on, start_s = day_of(day, field="time"), second_of(begin, field="time")
    end_s = second_of(end, field="time") if end else 0
    key = form_key()
    if people:
        moved = move_to_slot(
            session(),
            ports(),
            current_actor(),
            key=key,
            request=MoveRequest(work_order_id, on, start_s, [p for p in people.split("+") if p]),
        )
    else:
        moved = reschedule(
            session(),
            ports(),
            current_actor(),
            key=key,
            request=RescheduleRequest(work_order_id, on, start_s, end_s),
        )
    return MovedTo(moved.new_work_order_id, on, start_s)


@bp.get("/visits/<work_order_id>/move")
@allow(Role.ELDER, Role.FAMILY)
def page(work_order_id: str) -> str:
    """Show when else the visit could be, and what moving costs."""
    return _page(work_order_id)


def _page(work_order_id: str, problem: DomainError | None = None) -> str:
    window = elder_home.window_of(session(), work_order_id)
    return render_template(
        "move.html",
        desk="elder",
        back_url=url_for("work.page", work_order_id=work_order_id),
        other=other_times(work_order_id),
        window=window,
        cancelling=cancel_terms(instant_of(window.on, window.start_s), now()),
        problem=error_sentence(problem) if problem else None,
        key=new_id(),
    )


@bp.post("/visits/<work_order_id>/move")
@allow(Role.ELDER, Role.FAMILY)
def move(work_order_id: str) -> Response | str:
    """Move a visit; a time that went meanwhile is said, with those that are free now."""
    try:
        moved_to = move_visit(work_order_id)
    except DomainError as problem:
        session().rollback()
        return _page(work_order_id, problem)
    flash(_("Moved to %(when)s.", when=when_s(moved_to.on, moved_to.start_s)), "ok")
    return redirect(url_for("work.page", work_order_id=moved_to.work_order_id))
