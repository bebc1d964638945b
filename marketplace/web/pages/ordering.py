"""The storefront: find a service, choose a time, see who pays, order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import instant_of, second_of
from marketplace.kernel.errors import BadInput, DomainError, NotAllowed
from marketplace.kernel.ids import new_id
from marketplace.queries import board as boards
from marketplace.queries import catalogue, elder_home
from marketplace.queries.catalogue import ServiceView
from marketplace.queries.elder_home import ElderView, SiteChoice
from marketplace.web.asked import day_of
from marketplace.web.asked import second_of as asked_second
from marketplace.web.at_hand import ports, session
from marketplace.web.auth import allow, current_actor, public
from marketplace.web.formats import now, today_here
from marketplace.web.pages.frame import form_key, signed_in_role
from marketplace.web.words.money import pay_lines
from marketplace.web.words.refusals import error_sentence
from marketplace.web.words.visits import CATEGORY_ICONS
from marketplace.workflows.cancel import cancel_terms
from marketplace.workflows.place import OrderRequest, Placed, place_order
from marketplace.workflows.preview import preview_order
from marketplace.workflows.see import see_elder
from marketplace.workflows.slots import (
    DAYS_AHEAD,
    GRACE_S,
    Slot,
    SlotQuery,
    has_slots,
    propose_slots,
)
from marketplace.workflows.take import SlotRequest, take_slot

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
    slot: str = ""

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
            slot=form.get("slot", "")[:200],
        )

    def taken(self) -> tuple[date, int, list[str]] | None:
        """Return day, start and people of the time chosen (``2026-11-24/34200/C1+C2``), if one was.

        Raises ``BadInput`` where it is none that this page offered.
        """
        if not self.slot:
            return None
        on, _slash, rest = self.slot.partition("/")
        start, _slash, people = rest.partition("/")
        going = [p for p in people.split("+") if p]
        return day_of(on, field="slot"), asked_second(start, field="slot"), going


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
    slots, slot_day = _slots(service, chosen, people)
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
        slots=slots,
        slot_day=slot_day,
        slot_days=[today + timedelta(days=n) for n in range(DAYS_AHEAD)],
        slot_elder=chosen.elder or (people[0].id if people else ""),
        problem=error_sentence(problem) if problem else None,
        field=problem.field if problem else None,
    )


def _slots(
    service: ServiceView, chosen: Chosen, people: list[ElderView]
) -> tuple[list[Slot] | None, date | None]:
    """Return the times that the dispatcher proposes and the day asked for; ``None`` where the
    service has none and windows are shown."""
    asked = request.args.get("day", "")
    day = _date(asked)
    offered = has_slots(
        unit=service.unit,
        duration_min=service.duration_min,
        mode=service.mode,
        time_class=service.time_class,
    )
    if not people or not offered:
        return None, day
    query = SlotQuery(elder_id=chosen.elder or people[0].id, service_code=service.code, on=day)
    try:
        found = propose_slots(session(), ports(), current_actor(), query=query)
    except DomainError:
        # The order itself will say why; times of an order that is refused help nobody.
        session().rollback()
        return None, day
    return found, day


def _date(text: str) -> date | None:
    try:
        return day_of(text, field="day")
    except BadInput:
        return None


def _people(chosen: Chosen) -> list[ElderView]:
    """Return for whom the reader may order: bound elders, or the one whom the desk has open."""
    actor = current_actor()
    if actor.role in (Role.ELDER, Role.FAMILY):
        return elder_home.elders(session(), actor.elder_ids)
    if not chosen.elder:
        return []
    try:
        see_elder(session(), ports(), actor, chosen.elder)
    except DomainError:
        # Nobody of that number, or not of this desk's town: the form asks for the number again.
        return []
    return elder_home.elders(session(), [chosen.elder])


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
    on, begin_s, end_s = _when(chosen)
    return OrderRequest(
        elder_id=elder_id,
        service_code=service.code,
        starts_on=on,
        window_start_s=begin_s,
        window_end_s=end_s,
        site_id=chosen.site or None,
        note=chosen.note,
        channel="hotline" if actor.role is Role.HOTLINE else "web",
        reference=chosen.reference or None,
    )


def _when(chosen: Chosen) -> tuple[date, int, int]:
    """Return day and window of what was chosen: a time of the dispatcher's, or a window."""
    taken = chosen.taken()
    if taken is not None:
        return taken[0], taken[1], taken[1] + GRACE_S
    on = day_of(chosen.on, field="on")
    begin, _dash, end = chosen.window.partition("-")
    return on, asked_second(begin, field="window"), asked_second(end, field="window")


@bp.post("/services/<code>/check")
@allow(*ORDERERS)
def check(code: str) -> str:
    """Show who would pay what, and ask once more; nothing is written."""
    service = catalogue.service(session(), code, on=today_here())
    chosen = Chosen.of_form()
    try:
        order = read_request(service, chosen, current_actor())
        preview = preview_order(session(), ports(), current_actor(), request=order)
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
        going=_going(chosen),
        problem=error_sentence(problem) if problem else None,
        cancelling=cancel_terms(instant_of(order.starts_on, order.window_start_s), now()),
        key=request.form.get("key") or new_id(),
    )


def _going(chosen: Chosen) -> list[str]:
    """Return the names of those who would come at the time chosen."""
    taken = chosen.taken()
    if taken is None:
        return []
    names = boards.caregiver_names(session(), taken[2])
    return [names[i] for i in taken[2] if i in names]


@bp.post("/services/<code>/order")
@allow(*ORDERERS)
def order(code: str) -> Response | str:
    """Place the order once for its key, and show it."""
    service = catalogue.service(session(), code, on=today_here())
    chosen = Chosen.of_form()
    try:
        wanted = read_request(service, chosen, current_actor())
        placed = _place(chosen, wanted, form_key())
    except DomainError as problem:
        session().rollback()
        return _form(service, chosen, problem)
    flash(_("Ordered. Nothing more to do."), "ok")
    return redirect(url_for("work.page", work_order_id=placed.work_orders[0].work_order_id))


def _place(chosen: Chosen, wanted: OrderRequest, key: str) -> Placed:
    """Place the order; with a time of the dispatcher's it holds the people who would come."""
    actor = current_actor()
    taken = chosen.taken()
    if taken is None:
        return place_order(session(), ports(), actor, key=key, request=wanted)
    asked = SlotRequest(order=wanted, start_s=taken[1], caregiver_ids=taken[2])
    return take_slot(session(), ports(), actor, key=key, request=asked)
