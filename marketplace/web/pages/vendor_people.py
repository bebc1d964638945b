"""A vendor's people: the week's shifts and leave, papers and their ends, and who takes over."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Role
from marketplace.kernel.clock import instant_of
from marketplace.kernel.errors import BadInput, DomainError
from marketplace.kernel.ids import new_id
from marketplace.queries import roster_week
from marketplace.web.asked import day_of, second_of
from marketplace.web.asked import offset as asked_offset
from marketplace.web.at_hand import session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import now, today_here
from marketplace.web.pages.board import read_seats
from marketplace.web.pages.frame import say_refusal, write
from marketplace.web.words.people import LEAVE_REASONS, skill_word
from marketplace.web.words.refusals import error_sentence
from marketplace.workflows.policy import Action, scope
from marketplace.workflows.shifts import (
    DayShifts,
    EndLeaveRequest,
    LeaveRequest,
    WeekRequest,
    end_leave,
    write_leave,
    write_week,
)

bp = APIBlueprint("vendor_people", __name__, enable_openapi=False)

DAY_S = 86_400


def _vendor() -> str:
    return scope(current_actor(), Action.EDIT_ROSTER).vendor_id or "-"


def _monday() -> date:
    return roster_week.monday_of(_date(request.args.get("week", "")) or today_here())


def _date(text: str) -> date | None:
    try:
        return day_of(text, field="day")
    except BadInput:
        return None


def _seconds(text: str, field: str) -> int:
    """Return seconds of the day of ``07:30``; midnight as an end is ``24:00``."""
    return second_of(text, field=field)


@bp.get("/vendor/people")
@allow(Role.VENDOR)
def people_page() -> str:
    """Show the week of up to fifteen people, with the colour of their papers."""
    monday = _monday()
    offset = asked_offset()
    people, count = roster_week.week(session(), _vendor(), monday=monday, offset=offset)
    return render_template(
        "vendor_people.html",
        people=people,
        count=count,
        offset=offset,
        page_size=roster_week.PAGE,
        monday=monday,
        week=timedelta(days=7),
        days=[monday + timedelta(days=n) for n in range(roster_week.DAYS)],
        skill_word=skill_word,
        leave_reasons=LEAVE_REASONS,
    )


@bp.get("/vendor/people/<caregiver_id>")
@allow(Role.VENDOR)
def person_page(caregiver_id: str) -> str:
    """Show one person's week to change it, leave and papers."""
    monday = _monday()
    return render_template(
        "vendor_person.html",
        person=roster_week.person(session(), _vendor(), caregiver_id, monday=monday),
        monday=monday,
        week=timedelta(days=7),
        skill_word=skill_word,
        leave_reasons=LEAVE_REASONS,
        key=new_id(),
    )


@bp.post("/vendor/people/<caregiver_id>/week")
@allow(Role.VENDOR)
def save_week(caregiver_id: str) -> Response:
    """Write the shifts of the week's days that are still to come."""
    # A form that names no week is refused: empty fields would empty a week that nobody looked at.
    monday = day_of(request.form.get("week", ""), field="week")
    back = url_for(".person_page", caregiver_id=caregiver_id, week=monday.isoformat())
    with say_refusal(_said):
        done = write(write_week, WeekRequest(caregiver_id, _days(monday)))
        if done.changed:
            days = ngettext("%(num)s day changed.", "%(num)s days changed.", len(done.changed))
            flash(days, "ok")
        else:
            flash(_("Nothing was different."), "")
        _say_freed(done.freed)
    return redirect(back)


def _days(monday: date) -> list[DayShifts]:
    found = []
    for n in range(roster_week.DAYS):
        on = monday + timedelta(days=n)
        if on < today_here():
            continue
        spans = []
        for part in ("a", "b"):
            begins = request.form.get(f"from-{n}-{part}", "")
            ends = request.form.get(f"to-{n}-{part}", "")
            if begins or ends:
                spans.append((_seconds(begins, "shifts"), _seconds(ends, "shifts")))
        found.append(DayShifts(on, spans))
    return found


def _said(refused: DomainError) -> str:
    if refused.field in ("shifts", "to_at", "on"):
        return _("A shift or leave must end after it begins, and two shifts must not overlap.")
    return error_sentence(refused)


def _say_freed(freed: list[str]) -> None:
    if freed:
        flash(
            ngettext(
                "%(num)s visit has nobody now; it stands on the board.",
                "%(num)s visits have nobody now; they stand on the board.",
                len(freed),
            ),
            "wait",
        )


@bp.post("/vendor/people/<caregiver_id>/leave")
@allow(Role.VENDOR)
def save_leave(caregiver_id: str) -> Response:
    """Write a leave from the beginning of a day to the end of another."""
    first, last = _date(request.form.get("first", "")), _date(request.form.get("last", ""))
    back = redirect(url_for(".person_page", caregiver_id=caregiver_id))
    if first is None or last is None:
        flash(_("Choose the first and the last day of the leave."), "stop")
        return back
    asked = LeaveRequest(
        caregiver_id=caregiver_id,
        from_at=instant_of(first, 0),
        to_at=instant_of(last, DAY_S),
        reason=request.form.get("reason", ""),
    )
    _write(asked)
    return back


@bp.post("/vendor/absent")
@allow(Role.VENDOR)
def absent() -> Response:
    """Write that somebody cannot come today, and hand the visits over as the board showed."""
    on = day_of(request.form.get("day", ""), field="day")
    ends = instant_of(on, DAY_S)
    asked = LeaveRequest(
        caregiver_id=request.form.get("who", ""),
        from_at=max(_minute(now()), instant_of(on, 0)),
        to_at=ends,
        reason="illness",
        day=on,
        seats=read_seats(request.form.get("seats", "")),
    )
    _write(asked)
    return redirect(url_for("board.page", day=on.isoformat()))


def _minute(at: datetime) -> datetime:
    # A page that is sent twice asks for the same leave as long as its minute lasts.
    return at.replace(second=0, microsecond=0)


def _write(asked: LeaveRequest) -> None:
    with say_refusal(_said):
        done = write(write_leave, asked)
        flash(_("The leave is written."), "ok")
        if done.handed_over:
            flash(
                ngettext(
                    "%(num)s visit was handed over.",
                    "%(num)s visits were handed over.",
                    len(done.handed_over),
                ),
                "ok",
            )
        _say_freed(done.freed)


@bp.post("/vendor/leave/<leave_id>/end")
@allow(Role.VENDOR)
def take_back(leave_id: str) -> Response:
    """Take a leave back."""
    done = write(end_leave, EndLeaveRequest(leave_id))
    flash(_("The leave was taken back; visits that went to others stay with them."), "ok")
    return redirect(url_for(".person_page", caregiver_id=done.caregiver_id))
