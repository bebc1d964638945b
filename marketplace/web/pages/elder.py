"""An elder's and a family's home: who comes, what is left, order again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import segno
from apiflask import APIBlueprint
from flask import render_template, request
from flask_babel import gettext as _

from marketplace.kernel.actor import Role
from marketplace.kernel.clock import second_of
from marketplace.kernel.crypto import mask_phone
from marketplace.kernel.errors import DomainError, NotAllowed
from marketplace.kernel.ids import new_id
from marketplace.queries import elder_home
from marketplace.queries.elder_home import UsualOrder, VisitLine
from marketplace.queries.hotline import Helper, helpers
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor
from marketplace.web.formats import is_chinese, now, today_here
from marketplace.web.words.money import PayLine, pay_lines
from marketplace.web.words.visits import CATEGORY_ICONS
from marketplace.workflows.place import OrderRequest
from marketplace.workflows.policy import Action
from marketplace.workflows.preview import preview_first
from marketplace.workflows.reach import home_code
from marketplace.workflows.see import see_elder

bp = APIBlueprint("elder", __name__, enable_openapi=False)

SOON_ENDS = timedelta(days=7)
TILES = ("ZC", "ZY", "ZJ", "YL", "ZX", "ZL")
"""The six kinds that elders ask for; all others stand in the storefront."""


@dataclass(frozen=True, slots=True)
class UsualCard:
    """The usual order with its next date and who would pay what."""

    order: UsualOrder
    on: date
    lines: list[PayLine]
    price_fen: int
    own_fen: int


@bp.get("/home")
@allow(Role.ELDER, Role.FAMILY)
def home() -> str:
    """Show the visit that comes next, the usual order, what is left, and what to rate."""
    actor = current_actor()
    bound = sorted(actor.elder_ids)
    if not bound:
        return render_template("elder_nobody.html", desk="elder")
    chosen = request.args.get("of") or bound[0]
    if chosen not in actor.elder_ids:
        raise NotAllowed(action=Action.SEE_ELDER.value, role=actor.role.value)
    seen = see_elder(session(), ports(), actor, chosen)
    today = today_here()
    sees_visits = Action.SEE_WORK_ORDER in seen.may
    lines = (
        elder_home.visits(
            session(), chosen, since=today - timedelta(days=7), until=today + timedelta(days=14)
        )
        if sees_visits
        else []
    )
    coming = elder_home.next_visit(lines, today=today, second=second_of(today, now()))
    ahead = [
        v
        for v in lines
        if v.on >= today and v.state in elder_home.TO_COME and (coming is None or v.id != coming.id)
    ]
    return render_template(
        "elder_home.html",
        desk="elder",
        elder=elder_home.elder(session(), chosen),
        others=elder_home.elders(session(), set(bound) - {chosen}),
        greeting=greeting(),
        coming=coming,
        ahead=ahead[:4],
        to_rate=[v for v in lines if v.state == "done"][-2:],
        balances=elder_home.balances(session(), chosen, day=today)
        if Action.SEE_MONEY in seen.may
        else [],
        soon=today + SOON_ENDS,
        usual=usual_card(chosen) if Action.PLACE_ORDER in seen.may else None,
        icons=CATEGORY_ICONS,
        tiles=TILES,
        own=actor.role is Role.ELDER,
        shows_code=Action.SEE_HOME_CODE in seen.may and coming is not None and coming.on == today,
        key=new_id(),
        helpers=[h for h in _helpers(coming) if coming and coming.on == today],
        sees_money=Action.SEE_MONEY in seen.may,
        dial=dial,
    )


def _helpers(coming: VisitLine | None) -> list[Helper]:
    return helpers(session(), coming.id, now=now()) if coming is not None else []


@dataclass(frozen=True, slots=True)
class Dial:
    """A telephone as it is shown and as it is rung."""

    shown: str
    url: str


def dial(sealed: bytes | None) -> Dial | None:
    """Return a sealed telephone for a button: masked to the eye, whole to the telephone."""
    if sealed is None:
        return None
    number = ports().vault.open(sealed)
    return Dial(mask_phone(number), f"tel:{number}") if number else None


@bp.get("/home/code")
@allow(Role.ELDER, Role.FAMILY)
def code() -> str:
    """Show the home's six digits and their picture, for the helper at the door."""
    actor = current_actor()
    chosen = request.args.get("of") or next(iter(sorted(actor.elder_ids)), "")
    if chosen not in actor.elder_ids:
        raise NotAllowed(action=Action.SEE_HOME_CODE.value, role=actor.role.value)
    shown = home_code(session(), ports(), actor, chosen)
    picture = segno.make(shown.qr, error="m").svg_data_uri(scale=6, border=2)
    return render_template(
        "home_code.html",
        desk="elder",
        back_url="/home",
        digits=shown.code,
        picture=picture,
        until=shown.valid_until,
    )


def greeting() -> str:
    """上午好 by the clock of the wall."""
    hour = second_of(today_here(), now()) // 3600
    if hour < 11:
        return _("good morning")
    if hour < 13:
        return _("good day")
    return _("good afternoon") if hour < 18 else _("good evening")


def usual_card(elder_id: str) -> UsualCard | None:
    """Return the most usual order with its price for the next free day, if it may be had again."""
    usual = elder_home.usual_orders(session(), elder_id, day=today_here(), limit=1)
    return next(iter(priced(elder_id, usual)), None)


def priced(
    elder_id: str, usual: Sequence[UsualOrder], *, reference: str | None = None
) -> list[UsualCard]:
    """Return the usual orders priced for tomorrow or the day after, without those that rules forbid."""
    days = [today_here() + timedelta(days=ahead) for ahead in (1, 2)]
    choices = [[request_of(elder_id, u, on, reference) for on in days] for u in usual]
    try:
        previews = preview_first(
            session(),
            ports(),
            current_actor(),
            elder_id=elder_id,
            choices=choices,
        )
    except DomainError:
        return []
    return [
        UsualCard(u, p.on, pay_lines(p.shares, {}), p.price_fen, p.own_fen)
        for u, p in zip(usual, previews, strict=True)
        if p is not None
    ]


def request_of(elder_id: str, usual: UsualOrder, on: date, reference: str | None) -> OrderRequest:
    """Return the order that repeats a usual one on a date."""
    return OrderRequest(
        elder_id=elder_id,
        service_code=usual.service_code,
        starts_on=on,
        window_start_s=usual.window_start_s,
        window_end_s=usual.window_end_s,
        vendor_id=usual.vendor_id,
        caregiver_id=usual.caregiver_id,
        site_id=usual.site_id,
        note=usual.note,
        channel="hotline" if reference else "web",
        reference=reference,
    )


CATEGORY_WORDS = {
    "ZC": ("助餐", "Meals"),
    "ZY": ("助浴", "Bath"),
    "ZJ": ("助洁", "Cleaning"),
    "YL": ("助医", "Doctor"),
    "ZX": ("助行", "Going out"),
    "ZL": ("助聊", "Company"),
    "JJ": ("助急", "Emergency"),
    "DB": ("助购代办", "Errands"),
    "HL": ("助护", "Care"),
    "KF": ("康复辅具", "Rehabilitation"),
    "SG": ("适老改造", "Home adaptation"),
}


@bp.app_context_processor
def _words() -> dict[str, object]:
    words = CATEGORY_WORDS
    return {
        "tile_word": lambda code: words[code][0 if is_chinese() else 1],
        "category_word": lambda code: words.get(code, (code, code))[0 if is_chinese() else 1],
    }
