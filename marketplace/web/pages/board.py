"""The dispatcher's board, in civil affairs and at vendors: exceptions, a few rows of a day, why, what if."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Actor, Role, Scope
from marketplace.kernel.errors import BadInput, DomainError
from marketplace.kernel.ids import new_id
from marketplace.queries import board as boards
from marketplace.queries import vendor_desk
from marketplace.queries.board import Board, VendorChoice
from marketplace.web.asked import day as asked_day
from marketplace.web.asked import day_of, second_of
from marketplace.web.asked import offset as asked_offset
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import now, today_here
from marketplace.web.map_shapes import district_names
from marketplace.web.pages.bureau import asked_district
from marketplace.web.pages.frame import say_refusal, write
from marketplace.web.words.planning import BINDINGS, LEFT_OUT
from marketplace.web.words.refusals import error_sentence
from marketplace.workflows import board as steps
from marketplace.workflows.board import Preview, Why
from marketplace.workflows.keep import KeepRequest, LockRequest, keep_changes, lock_visit
from marketplace.workflows.offer import OfferRequest, offer_to
from marketplace.workflows.policy import Action, roles_of, scope
from marketplace.workflows.seats import Seat

bp = APIBlueprint("board", __name__, enable_openapi=False)

FROM_S, TO_S = 6 * 3600, 20 * 3600
"""The hours that a row shows."""

READERS = (Role.BUREAU, Role.STREET, Role.AUDITOR, Role.VENDOR)
MOVERS = (Role.BUREAU, Role.VENDOR)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for: whose board, which page, which visit, which change to try."""

    day: date
    vendor: str | None
    district: str | None
    town: str | None
    offset: int
    visit: str | None
    who: tuple[str, ...]
    at: int | None
    fill: bool
    ill: str | None

    @classmethod
    def of_address(cls, actor: Actor, reach: Scope) -> Asked:
        args = request.args
        at = args.get("at", "")
        return cls(
            day=asked_day(),
            vendor=actor.vendor_id if actor.role is Role.VENDOR else args.get("vendor") or None,
            district=asked_district(),
            town=reach.town_code or args.get("town") or None,
            offset=asked_offset(),
            visit=args.get("visit") or None,
            who=tuple(w for w in args.getlist("who") if w),
            at=_second(at),
            fill=args.get("try") == "fill",
            ill=args.get("ill") or None,
        )

    def address(self, **changed: Any) -> str:
        """Return the board's address with the same filters and these values."""
        values: dict[str, Any] = {
            "day": self.day.isoformat(),
            "vendor": self.vendor,
            "district": self.district,
            "town": self.town,
            "from": self.offset or None,
        }
        return url_for("board.page", **{**values, **changed})


def _second(text: str) -> int | None:
    """Return seconds of the day of ``34200`` or ``9:30``; nothing of anything else."""
    try:
        return second_of(text, field="at")
    except BadInput:
        return None


@bp.get("/board")
@allow(*READERS)
def page() -> str:
    """Show one vendor's day: what needs a person, up to twelve rows, and what is asked about."""
    actor = current_actor()
    reach = scope(actor, Action.SEE_PLAN)
    asked = Asked.of_address(actor, reach)
    vendors = _vendors(actor, reach, asked)
    if actor.role is not Role.VENDOR and asked.vendor not in {v.id for v in vendors}:
        # Also a vendor that the reader's area has no visits of: its people are none of theirs.
        asked = _replace(asked, vendor=vendors[0].id if vendors else None)
    preview, problem = _preview(asked, actor)
    why = None
    if asked.visit and not asked.fill and not asked.ill:
        why = steps.why(session(), ports(), actor, asked.visit)
    shown = _shown(asked)
    ids = {c.work_order_id for c in preview.changes} | set(preview.left) if preview else set()
    return render_template(
        "board.html",
        asked=asked,
        vendors=vendors,
        board=shown,
        may_move=actor.role in roles_of(Action.ASSIGN_BY_HAND),
        exceptions=_exceptions(asked, reach),
        waiting=_waiting(asked, reach),
        pooled=_pooled(actor, asked, reach),
        could=_could(actor, why),
        towns=_towns(asked, reach),
        people=_people(asked) if asked.visit else [],
        why=why,
        preview=preview,
        problem=problem,
        facts=boards.visits(session(), ids | ({asked.visit} if asked.visit else set())),
        names=district_names(),
        town_word=_town_word,
        reasons=LEFT_OUT,
        bindings=BINDINGS,
        ill_name=_ill_name(asked),
        now_second=boards.now_second(asked.day, now()),
        x=_x,
        seats=json.dumps([asdict(s) for s in preview.seats]) if preview else "[]",
        page_size=boards.PAGE,
        from_s=FROM_S,
        to_s=TO_S,
        key=new_id(),
        is_today=asked.day == today_here(),
    )


def _town_word(code: str) -> str:
    """Return the name of a town or street, its number where the gazetteer has none."""
    return ports().geocoder.name(code) or code


def _replace(asked: Asked, **changed: Any) -> Asked:
    return Asked(**{**{f: getattr(asked, f) for f in Asked.__slots__}, **changed})


def _x(second: int) -> float:
    """Return where a second of the day stands on the track, in per cent."""
    return round(100 * (min(max(second, FROM_S), TO_S) - FROM_S) / (TO_S - FROM_S), 2)


def _vendors(actor: Actor, reach: Scope, asked: Asked) -> list[VendorChoice]:
    if actor.role is Role.VENDOR:
        return []
    return boards.vendors_of(
        session(), reach, day=asked.day, district=asked.district, town=asked.town
    )


def _shown(asked: Asked) -> Board:
    if asked.vendor is None:
        return Board((), 0)
    return boards.board(
        session(), day=asked.day, vendor_id=asked.vendor, town=asked.town, offset=asked.offset
    )


def _exceptions(asked: Asked, reach: Scope) -> list[Any]:
    if asked.vendor is None:
        return []
    found = vendor_desk.exceptions(session(), asked.vendor, day=asked.day, now=now(), scope=reach)
    return [x for x in found if x.kind != "nobody_goes"]


def _waiting(asked: Asked, reach: Scope) -> tuple[list[Any], int]:
    if asked.vendor is None:
        return [], 0
    return boards.waiting(session(), reach, day=asked.day, vendor_id=asked.vendor, town=asked.town)


def _pooled(actor: Actor, asked: Asked, reach: Scope) -> tuple[list[Any], int]:
    """Return what no vendor has; a vendor hears of that by offers only."""
    if actor.role is Role.VENDOR:
        return [], 0
    return boards.pooled(session(), reach, day=asked.day, district=asked.district, town=asked.town)


def _could(actor: Actor, why: Why | None) -> list[tuple[str, str]]:
    """Return the vendors whose people could go to a visit, the best first, for who may offer it."""
    if why is None or actor.role not in roles_of(Action.OFFER):
        return []
    people = [o.people[0].id for o in why.others if o.binding is None]
    known = boards.vendors_of_people(session(), people)
    return list(dict.fromkeys(known[p] for p in people if p in known))


def _towns(asked: Asked, reach: Scope) -> list[str]:
    if asked.vendor is None or reach.town_code:
        return []
    return boards.towns_of(session(), reach, day=asked.day, vendor_id=asked.vendor)


def _people(asked: Asked) -> list[tuple[str, str]]:
    if asked.vendor is None:
        return []
    return boards.people_of(session(), day=asked.day, vendor_id=asked.vendor)


def _ill_name(asked: Asked) -> str | None:
    if asked.ill is None:
        return None
    return boards.caregiver_names(session(), [asked.ill]).get(asked.ill)


def _preview(asked: Asked, actor: Actor) -> tuple[Preview | None, str | None]:
    """Return what the change asked about would do, or the sentence for why it cannot be asked."""
    try:
        if asked.fill and asked.vendor:
            return (
                steps.preview_fill(
                    session(), ports(), actor, day=asked.day, vendor_id=asked.vendor
                ),
                None,
            )
        if asked.ill:
            return (
                steps.preview_absence(
                    session(), ports(), actor, caregiver_id=asked.ill, day=asked.day
                ),
                None,
            )
        if asked.visit and asked.who:
            return (
                steps.preview_move(
                    session(),
                    ports(),
                    actor,
                    work_order_id=asked.visit,
                    caregiver_ids=asked.who,
                    start_s=asked.at,
                ),
                None,
            )
    except DomainError as refused:
        session().rollback()
        return None, error_sentence(refused)
    return None, None


@bp.post("/board/keep")
@allow(*MOVERS)
def keep() -> Response:
    """Keep the changes that the page showed, all or none."""
    form = request.form
    seats = read_seats(form.get("seats", ""))
    # What was moved by hand is locked; what only made room may be moved again.
    lock = [form["back"]] if form.get("lock") and form.get("back") else []
    asked = KeepRequest(day_of(form.get("day", ""), field="day"), seats, lock)
    with say_refusal():
        kept = write(keep_changes, asked)
        flash(
            ngettext(
                "Kept: %(num)s visit changed.",
                "Kept: %(num)s visits changed.",
                len(kept.work_order_ids),
            ),
            "ok",
        )
    return redirect(_back())


@bp.post("/board/offer")
@allow(Role.BUREAU)
def offer() -> Response:
    """Offer a visit that no vendor has to those that were ticked; the first to accept has it."""
    asked = OfferRequest(request.form.get("visit", ""), request.form.getlist("to"))
    try:
        write(offer_to, asked)
        flash(_("Offered. The first to accept has it."), "ok")
    except DomainError as refused:
        session().rollback()
        flash(error_sentence(refused), "stop")
    return redirect(_back())


@bp.post("/board/lock")
@allow(*MOVERS)
def lock() -> Response:
    """Lock a visit against planning, or take the lock off."""
    visit, locked = request.form.get("visit", ""), request.form.get("lock") == "1"
    with say_refusal():
        write(lock_visit, LockRequest(visit, locked))
        flash(_("Locked: planning leaves it alone.") if locked else _("The lock is off."), "ok")
    return redirect(_back())


def _back() -> str:
    """Return to the board that the form came from; its filters ride along as plain fields."""
    form = request.form
    values = {k: form.get(k) or None for k in ("day", "vendor", "district", "town", "from")}
    return url_for("board.page", **values, visit=form.get("back") or None)


def read_seats(text: str) -> list[Seat]:
    """Return the changes that a page carried along; raises ``BadInput`` on anything else."""
    try:
        found = [
            Seat(
                work_order_id=str(s["work_order_id"]),
                version=_whole(s["version"]),
                caregiver_ids=[str(c) for c in s["caregiver_ids"]],
                start_s=None if s["start_s"] is None else _whole(s["start_s"]),
            )
            for s in json.loads(text)
        ]
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise BadInput(field="seats", value=text[:80], expected="the page's own changes") from exc
    return found


def _whole(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**31:
        raise ValueError(value)
    return value
