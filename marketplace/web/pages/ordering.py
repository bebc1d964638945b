"""The storefront: find a service, choose a time, see who pays, order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from apiflask import APIBlueprint
from flask import current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import second_of
from marketplace.kernel.errors import BadInput, DomainError, NotAllowed
from marketplace.kernel.ids import new_id
from marketplace.queries import catalogue, elder_home
from marketplace.queries.catalogue import ServiceView
from marketplace.queries.elder_home import ElderView, SiteChoice
from marketplace.web.auth import allow, current_actor, public
from marketplace.web.formats import now, today_here
from marketplace.web.pages.frame import session, signed_in_role
from marketplace.web.words import CATEGORY_ICONS, error_sentence, pay_lines
from marketplace.workflows.place import OrderRequest, place_order
from marketplace.workflows.preview import preview_order

bp = APIBlueprint("ordering", __name__, enable_openapi=False)

ORDERERS = (Role.ELDER, Role.FAMILY, Role.HOTLINE, Role.COMMUNITY)
"""Who may order: for themselves, for a bound elder, or on a recorded wish."""

MEALS = ((23_400, 28_800), (39_600, 43_200), (61_200, 64_800))
TIMES = ((28_800, 36_000), (36_000, 43_200), (50_400, 57_600), (57_600, 64_800))
"""Windows offered, in seconds from local midnight: meals at meal times, else half mornings and afternoons."""

DAYS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the form holds, as text, so that a refused form keeps what was typed."""

    elder: str
    on: str
    window: str
    site: str
    note: str
    reference: str

    @classmethod
    def of_form(cls) -> Chosen:
        form = request.form
        on = form.get("on", "")
        return cls(
            elder=form.get("elder", ""),
            on=form.get("other_day", "") if on == "other" else on,
            window=form.get("window", ""),
            site=form.get("site", ""),
            note=form.get("note", "").strip()[:200],
            reference=form.get("reference", "").strip()[:60],
        )


def desk_of(role: Role | None) -> str:
    """Return which type size a reader of the storefront gets: elders and strangers large."""
    return "elder" if role in (None, Role.ELDER, Role.FAMILY) else "staff"


def windows_of(service: ServiceView) -> tuple[tuple[int, int], ...]:
    """Return the windows in which this service may begin."""
    return MEALS if service.time_class == "meal_window" else TIMES


@bp.get("/services")
@public
def storefront() -> str:
    """Show the categories, and what matches a search in Chinese, pinyin initials or English."""
    text = request.args.get("q", "").strip()[:40]
    category = request.args.get("c") or None
    found = []
    if text or category:
        found = catalogue.search(session(), text, on=today_here(), category=category, limit=60)
    role = signed_in_role()
    return render_template(
        "storefront.html",
        desk=desk_of(role),
        text=text,
        category=category,
        categories=catalogue.categories(session(), on=today_here()),
        found=found,
        icons=CATEGORY_ICONS,
        may_order=role in ORDERERS,
        for_elder=request.args.get("for", ""),
    )


@bp.get("/services/<code>")
@public
def order_form(code: str) -> str:
    """Show one service and, to who may order, when it can be had."""
    service = catalogue.service(session(), code, on=today_here())
    chosen = Chosen(request.args.get("for", ""), "", "", "", "", "")
    return _form(service, chosen)


def _form(service: ServiceView, chosen: Chosen, problem: DomainError | None = None) -> str:
    role = signed_in_role()
    people = _people(chosen) if role in ORDERERS else []
    today, second = today_here(), second_of(today_here(), now())
    first = today + timedelta(days=0 if any(w[1] > second for w in windows_of(service)) else 1)
    return render_template(
        "order_form.html",
        desk=desk_of(role),
        back_url=url_for("ordering.storefront", c=service.category_code),
        service=service,
        chosen=chosen,
        people=people,
        may_order=role in ORDERERS,
        asks_reference=role in (Role.HOTLINE, Role.COMMUNITY),
        asks_elder=role in (Role.HOTLINE, Role.COMMUNITY) and not people,
        days=[first + timedelta(days=n) for n in range(DAYS_SHOWN)],
        windows=windows_of(service),
        sites=_sites(service, people),
        problem=error_sentence(problem) if problem else None,
        field=problem.field if problem else None,
    )


def _people(chosen: Chosen) -> list[ElderView]:
    """Return for whom the reader may order: bound elders, or the one whom the desk has open."""
    actor = current_actor()
    if actor.role in (Role.ELDER, Role.FAMILY):
        return elder_home.elders(session(), actor.elder_ids)
    return elder_home.elders(session(), [chosen.elder]) if chosen.elder else []


def _sites(service: ServiceView, people: list[ElderView]) -> list[SiteChoice]:
    if service.mode != "site" or not people:
        return []
    return elder_home.sites_near(session(), people[0].district_code)


def read_request(service: ServiceView, chosen: Chosen, actor: Actor) -> OrderRequest:
    """Return the order that a form asks for; raises ``BadInput`` naming the field."""
    elder_id = chosen.elder
    if actor.role in (Role.ELDER, Role.FAMILY):
        elder_id = elder_id or next(iter(sorted(actor.elder_ids)), "")
        if elder_id not in actor.elder_ids:
            raise NotAllowed(action="place_order", role=actor.role.value)
    if not elder_id:
        raise BadInput(field="elder", value="", expected="E000001")
    try:
        on = date.fromisoformat(chosen.on)
    except ValueError as exc:
        raise BadInput(field="on", value=chosen.on, expected="2026-11-24") from exc
    begin, _dash, end = chosen.window.partition("-")
    if not (begin.isdecimal() and end.isdecimal()):
        raise BadInput(field="window", value=chosen.window, expected="28800-36000")
    return OrderRequest(
        elder_id=elder_id,
        service_code=service.code,
        starts_on=on,
        window_start_s=int(begin),
        window_end_s=int(end),
        site_id=chosen.site or None,
        note=chosen.note,
        channel="hotline" if actor.role is Role.HOTLINE else "web",
        reference=chosen.reference or None,
    )


@bp.post("/services/<code>/check")
@allow(*ORDERERS)
def check(code: str) -> str:
    """Show who would pay what, and ask once more; nothing is written."""
    service = catalogue.service(session(), code, on=today_here())
    chosen = Chosen.of_form()
    ports = current_app.extensions["ports"]
    try:
        order = read_request(service, chosen, current_actor())
        preview = preview_order(session(), ports, current_actor(), request=order)
    except DomainError as problem:
        session().rollback()
        return _form(service, chosen, problem)
    return _confirm_page(service, chosen, order, preview)


def _confirm_page(service, chosen, order, preview, problem: DomainError | None = None) -> str:
    return render_template(
        "order_confirm.html",
        desk=desk_of(current_actor().role),
        back_url=url_for("ordering.order_form", code=service.code),
        service=service,
        chosen=chosen,
        order=order,
        elder=elder_home.elder(session(), order.elder_id),
        preview=preview,
        lines=pay_lines(preview.shares, preview.left_after),
        problem=error_sentence(problem) if problem else None,
        key=request.form.get("key") or new_id(),
    )


@bp.post("/services/<code>/order")
@allow(*ORDERERS)
def order(code: str) -> Response | str:
    """Place the order once for its key, and show it."""
    service = catalogue.service(session(), code, on=today_here())
    chosen = Chosen.of_form()
    ports = current_app.extensions["ports"]
    try:
        wanted = read_request(service, chosen, current_actor())
        placed = place_order(
            session(), ports, current_actor(), key=request.form.get("key", ""), request=wanted
        )
    except DomainError as problem:
        session().rollback()
        return _form(service, chosen, problem)
    flash(_("Ordered. Nothing more to do."), "ok")
    return redirect(url_for("work.page", work_order_id=placed.work_orders[0].work_order_id))
