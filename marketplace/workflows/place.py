"""Place an order: by the elder, the family, the hotline or a community worker, once or recurring."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from marketplace.catalogue import service as catalogue
from marketplace.catalogue.models import ServiceVersion
from marketplace.elders import access, refusals
from marketplace.elders.access import ElderFacts
from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import instant_of, local
from marketplace.kernel.errors import BadInput, NotFound
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.orders import listed, recurrence, rules, standing
from marketplace.orders import service as orders
from marketplace.orders.recurrence import Recurrence
from marketplace.orders.rules import Meal, Screening, Window
from marketplace.vouchers import service as vouchers
from marketplace.workflows import materialise, policy, subjects
from marketplace.workflows.materialise import Due, Made, Plan
from marketplace.workflows.offer import ask_at_once
from marketplace.workflows.payers import merged, sees_payers
from marketplace.workflows.policy import Action
from marketplace.workflows.step import run_step
from vendors import caregivers, registry
from vendors import rules as vendor_rules
from vendors.rules import CaregiverCannotServe, VendorCannotServe, Work

HORIZON_DAYS = 2
"""Work orders of a recurring order exist for today and this many days; upkeep makes the next."""


class SiteNeeded(BadInput):
    """A service given at a site needs one. Facts: ``expected``."""


class NoDates(BadInput):
    """The rule gives no date. Facts: ``rrule``, ``expected``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What is wanted, for whom, when, and by what right.

    ``rrule``: RFC 5545 without DTSTART and UNTIL; without it the order has one date, ``starts_on``.
    The window bounds the start of service, in seconds from local midnight. ``reference`` is the
    hotline's recording or the community worker's visit. ``order_id`` may be made by the client.
    """

    elder_id: str
    service_code: str
    starts_on: date
    window_start_s: int
    window_end_s: int
    quantity: int = 1
    vendor_id: str | None = None
    caregiver_id: str | None = None
    site_id: str | None = None
    rrule: str | None = None
    ends_on: date | None = None
    skip_holidays: bool = True
    note: str = ""
    channel: str = "web"
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class PlacedWorkOrder:
    """One dated visit of the order and how its price is shared."""

    work_order_id: str
    visit_on: date
    state: str
    price_fen: int
    shares: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Placed:
    """The order, the work orders that exist already, and the next dates of a recurring one."""

    order_id: str
    authority: str
    work_orders: list[PlacedWorkOrder] = field(default_factory=list)
    next_dates: list[date] = field(default_factory=list)
    holidays_skipped: list[date] = field(default_factory=list)


def place_order(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: OrderRequest
) -> Placed:
    """Place an order; hold what programmes and the elder will pay; offer it or pool it.

    Raises the domain errors of the rules, each naming its field; nothing is kept of a refused order.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="place_order",
        request=request,
        answer=Placed,
        run=lambda at: place_within(session, actor, request, at),
    )


def place_within(session: Session, actor: Actor, request: OrderRequest, at: datetime) -> Placed:
    """Place an order inside the caller's transaction; see ``place_order``."""
    today = local(at).date()
    elder = access.facts(session, request.elder_id, on=today)
    about = subjects.about_elder(session, actor, elder)
    policy.require(actor, Action.PLACE_ORDER, about)
    authority = authority_of(session, actor, request)
    row = checked_order(session, request, elder, at) | {
        "id": new_id(),
        "channel": request.channel,
        "placed_at": at,
        "placed_by": actor.user_id,
        "placed_role": actor.role.value,
        "authority": authority,
    }
    orders.add_orders(session, [row])
    until = today + timedelta(days=HORIZON_DAYS)
    dates, shown = _dates(row, at, until)
    made = [
        ask_at_once(session, m, at=at, actor=actor)
        for m in _make(session, row, dates, at=at, actor=actor, today=today)
    ]
    if row["rrule"] is not None:
        standing.set_generated(session, [row["id"]], until)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="place_order",
        subject_kind="order",
        subject_id=row["id"],
        elder_id=elder.id,
        service_code=request.service_code,
        authority=authority,
        work_orders=len(made),
    )
    _tell(session, made, request, at)
    return Placed(
        order_id=row["id"],
        authority=authority,
        work_orders=[_shown(session, m, sees_payers(actor, about.powers)) for m in made],
        next_dates=[o.on for o in shown if o.holiday is None],
        holidays_skipped=[o.on for o in shown if o.holiday is not None],
    )


def authority_of(session: Session, actor: Actor, request: OrderRequest) -> str:
    """Return by what right the actor orders for the elder; raises ``BadInput`` where it is not said."""
    if actor.role is Role.ELDER:
        return "self"
    if actor.role is Role.FAMILY:
        link, _ = access.family_link(session, elder_id=request.elder_id, account_id=actor.user_id)
        return f"family:{link}"
    kind = {Role.HOTLINE: "recording", Role.COMMUNITY: "visit"}.get(actor.role, "plan")
    if kind == "plan":
        return kind
    if not request.reference or not re.fullmatch(r"[\w.-]{1,60}", request.reference):
        raise BadInput(
            field="reference",
            value=request.reference,
            expected=f"the id of the {kind} in which the elder asked for it",
        )
    return f"{kind}:{request.reference}"


class Register:
    """What orders of one elder may name and are checked against, read once for all of them."""

    def __init__(
        self, session: Session, elder_id: str, requests: Sequence[OrderRequest], *, on: date
    ) -> None:
        self.session, self.elder_id = session, elder_id
        vendors = {r.vendor_id for r in requests} - {None}
        people = {r.caregiver_id for r in requests} - {None}
        sites = {r.site_id for r in requests} - {None}
        self.vendors = registry.vendor_facts(session, only=vendors) if vendors else {}
        self.people = caregivers.facts_of(session, on=on, only=people) if people else {}
        refused = refusals.refused_by(session, [elder_id]) if people else {}
        self.refused = refused.get(elder_id, frozenset())
        self.sites = registry.known_sites(session, sites) if sites else frozenset()
        self._versions: dict[tuple[str, date], ServiceVersion] = {}
        self._meals: dict[date, tuple[Meal, ...]] = {}

    def version(self, code: str, on: date) -> ServiceVersion:
        """Return a service as it is sold on a day; raises ``ServiceNotInForce``."""
        if (code, on) not in self._versions:
            self._versions[code, on] = catalogue.version_in_force(self.session, code, on)
        return self._versions[code, on]

    def meals(self, on: date) -> tuple[Meal, ...]:
        """Return the elder's meals of a day."""
        if on not in self._meals:
            self._meals[on] = tuple(
                Meal(Window(w.window_start_s, w.window_end_s))
                for w in listed.elder_day(self.session, self.elder_id, on)
                if w.time_class == "meal_window"
            )
        return self._meals[on]


def checked_order(
    session: Session,
    request: OrderRequest,
    elder: ElderFacts,
    at: datetime,
    register: Register | None = None,
) -> dict[str, Any]:
    """Return the columns of a lawful order, or raise the first rule that it breaks."""
    register = register or Register(session, elder.id, [request], on=request.starts_on)
    version = register.version(request.service_code, request.starts_on)
    window = Window(request.window_start_s, request.window_end_s)
    if not 1 <= request.quantity <= rules.MOST_QUANTITY:
        raise BadInput(
            field="quantity", value=request.quantity, expected=f"1 to {rules.MOST_QUANTITY}"
        )
    if not elder.is_served(request.starts_on, request.service_code):
        raise rules.ElderNotServed(field="elder_id", elder_id=elder.id, status=elder.status)
    rrule = recurrence.check_rule(request.rrule) if request.rrule else None
    if request.ends_on is not None and request.ends_on < request.starts_on:
        raise BadInput(
            field="ends_on", value=request.ends_on.isoformat(), expected="not before starts_on"
        )
    rules.check_window(
        window,
        visit_on=request.starts_on if rrule is None else max(request.starts_on, _tomorrow(at)),
        now=at,
        time_class=version.time_class,
        unit=version.unit,
    )
    rules.screen(
        Screening(
            category_code=request.service_code[:2],
            skill_code=version.skill_code,
            mode=version.mode,
            crew=version.caregivers,
            service_s=materialise.service_seconds(version, request.quantity),
            window=window,
            level=elder.level,
            meals=register.meals(request.starts_on),
        )
    )
    work = Work(
        request.service_code[:2], version.skill_code, elder.district_code, request.starts_on
    )
    _check_supply(register, request, work, version.mode)
    return {
        "elder_id": elder.id,
        "service_code": request.service_code,
        "vendor_id": request.vendor_id,
        "caregiver_id": request.caregiver_id,
        "site_id": request.site_id,
        "starts_on": request.starts_on,
        "ends_on": request.ends_on,
        "rrule": rrule,
        "skip_holidays": request.skip_holidays and rrule is not None,
        "window_start_s": window.start_s,
        "window_end_s": window.end_s,
        "quantity": request.quantity,
        "note": request.note,
        "state": "active",
        "standing_since": None,
        "generated_until": None,
        "row_sha256": "",
    }


def _tomorrow(at: datetime) -> date:
    return local(at).date() + timedelta(days=1)


def _check_supply(register: Register, request: OrderRequest, work: Work, mode: str) -> None:
    if request.vendor_id is not None:
        vendor = register.vendors.get(request.vendor_id)
        if vendor is None:
            raise NotFound(field="vendor_id", kind="vendor", id=request.vendor_id)
        why = vendor_rules.why_not(vendor, work)
        if why is not None:
            raise VendorCannotServe(field="vendor_id", vendor_id=request.vendor_id, why=why)
    if request.caregiver_id is not None:
        person = register.people.get(request.caregiver_id)
        if person is None:
            raise NotFound(field="caregiver_id", kind="caregiver", id=request.caregiver_id)
        why = None if person.status == "active" else "left"
        if request.vendor_id is not None and person.vendor_id != request.vendor_id:
            why = "vendor"
        elif request.caregiver_id in register.refused:
            why = "refused"
        if why is not None:
            raise CaregiverCannotServe(
                field="caregiver_id", caregiver_id=request.caregiver_id, why=why
            )
    if request.site_id is not None:
        if request.site_id not in register.sites:
            raise NotFound(field="site_id", kind="site", id=request.site_id)
    elif mode == "site":
        raise SiteNeeded(field="site_id", value=None, expected="the id of a site")


def _dates(
    row: dict[str, Any], at: datetime, until: date
) -> tuple[list[date], list[recurrence.Occurrence]]:
    """Return the dates to make now and the next ten of a recurring order."""
    if row["rrule"] is None:
        return [row["starts_on"]], []
    plan = recurrence_of(row)
    # A window of today that has ended cannot be served any more.
    today = local(at).date()
    passed = instant_of(today, row["window_end_s"]) <= at
    after = today if passed else today - timedelta(days=1)
    shown = recurrence.preview(plan, after=after)
    served = [o.on for o in shown if o.holiday is None]
    if not served:
        raise NoDates(
            field="rrule", value=row["rrule"], expected="a rule with at least one date ahead"
        )
    return [d for d in served if d <= until], shown


def next_dates(request: OrderRequest, *, at: datetime) -> list[recurrence.Occurrence]:
    """Return the next ten dates of a recurring order, and the holidays skipped between; else none."""
    if request.rrule is None:
        return []
    row = {
        "rrule": recurrence.check_rule(request.rrule),
        "starts_on": request.starts_on,
        "ends_on": request.ends_on,
        "skip_holidays": request.skip_holidays,
        "window_end_s": request.window_end_s,
    }
    return _dates(row, at, local(at).date())[1]


def recurrence_of(row: Any) -> Recurrence:
    """Return the recurrence of an order's columns (a mapping)."""
    return Recurrence(
        rule=row["rrule"],
        starts_on=row["starts_on"],
        ends_on=row["ends_on"],
        skip_holidays=row["skip_holidays"],
    )


def _make(
    session: Session,
    row: dict[str, Any],
    dates: list[date],
    *,
    at: datetime,
    actor: Actor,
    today: date,
) -> list[Made]:
    plan = Plan(
        order_id=row["id"],
        elder_id=row["elder_id"],
        service_code=row["service_code"],
        window=Window(row["window_start_s"], row["window_end_s"]),
        quantity=row["quantity"],
        vendor_id=row["vendor_id"],
        caregiver_id=row["caregiver_id"],
        site_id=row["site_id"],
        standing=False,
    )
    due = [Due(plan, on) for on in dates]
    facts = materialise.read_facts(session, due, today=today)
    return materialise.make(session, due, at=at, actor=actor, facts=facts)


def _tell(session: Session, made: list[Made], request: OrderRequest, at: datetime) -> None:
    for m in made:
        if request.vendor_id is not None:
            outbox.post(
                session,
                due_at=at,
                channel="screen",
                recipient_kind="vendor",
                recipient_id=request.vendor_id,
                template="offer_made",
                about=m.work_order_id,
                day=m.on.isoformat(),
                work_order_id=m.work_order_id,
            )


def _shown(session: Session, made: Made, by_name: bool) -> PlacedWorkOrder:
    shares = [asdict(s) for s in vouchers.shares_of(session, made.work_order_id)]
    if not by_name:
        parts = merged({s["programme_code"]: s["fen"] for s in shares})
        shares = [{"programme_code": code, "fen": fen} for code, fen in parts.items()]
    return PlacedWorkOrder(
        work_order_id=made.work_order_id,
        visit_on=made.on,
        state=made.state,
        price_fen=made.price_fen,
        shares=shares,
    )
