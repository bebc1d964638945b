"""Turn orders and dates into work orders with price, hold and first offer: the part that placing,
importing and the nightly generation share. Runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from marketplace.catalogue import service as catalogue
from marketplace.catalogue.models import ServiceVersion
from marketplace.catalogue.rules import is_stop
from marketplace.elders import access
from marketplace.elders import facts as elder_facts
from marketplace.elders.access import ElderFacts
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import Period
from marketplace.kernel.ids import new_id
from marketplace.orders import rules
from marketplace.orders import service as orders
from marketplace.orders.rules import Window
from marketplace.orders.states import State
from marketplace.vouchers import service as vouchers
from marketplace.vouchers.service import HoldRequest, QuoteRequest
from marketplace.vouchers.split import TIMED_UNITS
from vendors import offers, registry
from vendors.models import Site
from vendors.offers import NewOffer

QUOTE_TRIES = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """The columns of an order that its work orders are made from.

    ``is_moved``: the visit was moved to this date, so that its id is not that of the order's own date.
    """

    order_id: str
    elder_id: str
    service_code: str
    window: Window
    quantity: int
    vendor_id: str | None
    caregiver_id: str | None
    site_id: str | None
    standing: bool
    is_moved: bool = False

    @classmethod
    def of(cls, row: Any) -> Plan:
        """Return the plan of an ``order_`` row."""
        return cls(
            order_id=row.id,
            elder_id=row.elder_id,
            service_code=row.service_code,
            window=Window(row.window_start_s, row.window_end_s),
            quantity=row.quantity,
            vendor_id=row.vendor_id,
            caregiver_id=row.caregiver_id,
            site_id=row.site_id,
            standing=row.standing_since is not None,
        )


@dataclass(frozen=True, slots=True)
class Due:
    """One dated visit that is to be made."""

    plan: Plan
    on: date


@dataclass(frozen=True, slots=True)
class Made:
    """One work order that was made. ``waits_for_plan``: a stop, for which the day's plan will choose."""

    work_order_id: str
    order_id: str
    on: date
    state: str
    price_fen: int
    waits_for_plan: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What the register knows on the days concerned."""

    versions: dict[date, dict[str, ServiceVersion]]
    elders: dict[str, ElderFacts]
    sites: dict[str, Site]


def read_facts(session: Session, due: Sequence[Due], *, today: date) -> Facts:
    """Read service versions of each day, elders and sites in a handful of statements."""
    days = sorted({d.on for d in due})
    return Facts(
        versions={on: catalogue.versions_in_force(session, on) for on in days},
        elders=access.facts_of(session, (d.plan.elder_id for d in due), on=today),
        sites=registry.sites(session) if any(d.plan.site_id for d in due) else {},
    )


def service_seconds(version: ServiceVersion, quantity: int) -> int:
    """Return how long one visit lasts, in seconds."""
    times = quantity if version.unit in TIMED_UNITS else 1
    return version.duration_min * 60 * times


def make(
    session: Session,
    due: Sequence[Due],
    *,
    at: datetime,
    actor: Actor,
    facts: Facts,
    tick: Callable[[int], None] | None = None,
) -> list[Made]:
    """Make the work orders that do not exist yet, each with its hold and its first offer.

    What is out of force or whose elder is not served on the day is left out: a plan outlives a
    service, and a generator must not stop the city for one elder. ``tick`` is told how many are done.
    """
    rows = [row for d in due if (row := _row(d, facts, at)) is not None]
    added = orders.add_work_orders(session, rows, at=at, actor=actor)
    new = [r for r in rows if r["id"] in added]
    if tick is not None:
        tick(len(due))
    _hold(session, new, facts, at)
    _offer(session, new, due, at)
    return [
        Made(
            work_order_id=r["id"],
            order_id=r["order_id"],
            on=r["visit_on"],
            state=r["state"],
            price_fen=r["price_fen"],
            waits_for_plan=rules.waits_for_plan(is_stop=r["is_stop"], time_class=r["time_class"]),
        )
        for r in new
    ]


def _row(d: Due, facts: Facts, at: datetime) -> dict[str, Any] | None:
    version = facts.versions[d.on].get(d.plan.service_code)
    elder = facts.elders.get(d.plan.elder_id)
    if version is None or elder is None or not elder.is_served(d.on, d.plan.service_code):
        return None
    site = facts.sites.get(d.plan.site_id) if d.plan.site_id else None
    at_site = version.mode == "site" and site is not None
    category = d.plan.service_code[:2]
    state = State.POOLED
    if d.plan.vendor_id is not None:
        state = State.ACCEPTED if d.plan.standing else State.OFFERED
    return {
        "id": new_id() if d.plan.is_moved else orders.natural_id(d.plan.order_id, d.on),
        "order_id": d.plan.order_id,
        "elder_id": d.plan.elder_id,
        "visit_on": d.on,
        "window_start_s": d.plan.window.start_s,
        "window_end_s": d.plan.window.end_s,
        "state": state.value,
        "version": 1,
        "service_code": version.service_code,
        "service_version_id": version.id,
        "price_fen": version.price_fen * d.plan.quantity,
        "service_s": service_seconds(version, d.plan.quantity),
        "crew": version.caregivers,
        "quantity": d.plan.quantity,
        "category_code": category,
        "skill_code": version.skill_code,
        "mode": version.mode,
        "time_class": version.time_class,
        "is_stop": is_stop(unit=version.unit, duration_min=version.duration_min, mode=version.mode),
        "priority": rules.priority_of(
            time_class=version.time_class, category_code=category, level=elder.level
        ),
        "lat": site.lat if at_site and site else elder.lat,
        "lng": site.lng if at_site and site else elder.lng,
        "district_code": elder.district_code,
        "town_code": elder.town_code,
        "vendor_named": d.plan.vendor_id is not None,
        "vendor_id": d.plan.vendor_id,
        "preferred_caregiver_id": d.plan.caregiver_id,
        "site_id": d.plan.site_id,
        "created_at": at,
    }


def _hold(session: Session, new: Sequence[dict[str, Any]], facts: Facts, at: datetime) -> None:
    """Hold what each payer will pay; where another order was faster, ask again what is left."""
    if not new:
        return
    # A month's rights are those of its first day, as its grants will be: a birthday or an assessment
    # in its middle counts from the next.
    people: dict[date, dict[str, Any]] = {}
    for first in {Period.of(r["visit_on"]).first for r in new}:
        ids = sorted({r["elder_id"] for r in new if Period.of(r["visit_on"]).first == first})
        people[first] = elder_facts.facts_of(session, ids, first)
    wanted = [
        QuoteRequest(
            elder_id=r["elder_id"],
            service_version=facts.versions[r["visit_on"]][r["service_code"]],
            on=r["visit_on"],
            district_code=r["district_code"],
            quantity=r["quantity"],
            facts=people[Period.of(r["visit_on"]).first].get(r["elder_id"]),
        )
        for r in new
    ]
    for left in reversed(range(QUOTE_TRIES)):
        quotes = vouchers.quote_many(session, wanted)
        requests = [
            HoldRequest(work_order_id=r["id"], elder_id=r["elder_id"], quote=q)
            for r, q in zip(new, quotes, strict=True)
        ]
        try:
            with session.begin_nested():
                vouchers.hold_many(session, requests, at=at)
        except (vouchers.EntitlementTooSmall, vouchers.BudgetTooSmall):
            if not left:
                raise
        else:
            return


def _offer(
    session: Session, new: Sequence[dict[str, Any]], due: Iterable[Due], at: datetime
) -> None:
    offers.make(session, [_first_offer(r, at) for r in new if r["vendor_id"]], at=at)


def _first_offer(row: dict[str, Any], at: datetime) -> NewOffer:
    accepted = row["state"] == State.ACCEPTED.value
    deadline = rules.offer_deadline(
        now=at,
        visit_on=row["visit_on"],
        window=Window(row["window_start_s"], row["window_end_s"]),
        time_class=row["time_class"],
    )
    return NewOffer(
        work_order_id=row["id"],
        vendor_id=row["vendor_id"],
        offer_deadline_at=deadline,
        state="accepted" if accepted else "open",
    )
