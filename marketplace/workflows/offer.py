"""Offer work orders to vendors: by hand to several at once, and to the next best after a no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.orders import listed, plans, rules
from marketplace.orders import service as orders
from marketplace.orders.rules import MOST_OFFERS, Window
from marketplace.orders.states import State
from marketplace.workflows import policy, subjects
from marketplace.workflows.materialise import Made
from marketplace.workflows.policy import Action
from marketplace.workflows.step import run_step
from vendors import offers, registry
from vendors import rules as vendor_rules
from vendors.offers import NewOffer
from vendors.rules import Ranked, VendorCannotServe, VendorFacts, Work


@dataclass(frozen=True, slots=True)
class OfferRequest:
    """A work order and the vendors that are asked at once; the first to accept has it."""

    work_order_id: str
    vendor_ids: list[str]


@dataclass(frozen=True, slots=True)
class Offered:
    """The offers that were made, one for each vendor, in the order asked for."""

    work_order_id: str
    state: str
    offer_ids: list[str]


def offer_to(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: OfferRequest
) -> Offered:
    """Offer a pooled work order to vendors at once; raises where one of them may not serve it."""
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="offer_to",
        request=request,
        answer=Offered,
        run=lambda at: _offer_to(session, actor, request, at),
    )


def _offer_to(session: Session, actor: Actor, request: OfferRequest, at: datetime) -> Offered:
    row = orders.work_order(session, request.work_order_id)
    policy.require(actor, Action.OFFER, subjects.about_work_order(session, actor, row))
    asked = list(dict.fromkeys(request.vendor_ids))
    if not asked:
        raise BadInput(field="vendor_ids", value=[], expected="at least one vendor")
    facts = registry.vendor_facts(session, only=asked)
    for vendor_id in asked:
        why = "unknown"
        if vendor_id in facts:
            why = vendor_rules.why_not(facts[vendor_id], work_of(row)) or ""
        if why:
            raise VendorCannotServe(field="vendor_ids", vendor_id=vendor_id, why=why)
    moved = orders.move(
        session,
        row.id,
        expected=State.POOLED,
        to=State.OFFERED,
        at=at,
        actor=actor,
        reason="by_hand",
        vendor_id=asked[0] if len(asked) == 1 else None,
    )
    ids = make_offers(session, [(moved, v) for v in asked], at=at)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="offer",
        subject_kind="work_order",
        subject_id=row.id,
        vendors=asked,
    )
    return Offered(row.id, moved.state, ids)


def work_of(row: Row[Any]) -> Work:
    """Return what a vendor is asked to do by a work order."""
    return Work(row.category_code, row.skill_code, row.district_code, row.visit_on)


def make_offers(
    session: Session,
    asked: Sequence[tuple[Row[Any], str]],
    *,
    at: datetime,
    rounds: dict[str, int] | None = None,
) -> list[str]:
    """Make open offers with their deadlines and tell the vendors; returns the offers' ids.

    ``rounds``: the latest round of offers of each work order, where the caller has read them.
    """
    new = []
    if rounds is None:
        rounds = offers.rounds(session, [row.id for row, _ in asked])
    for row, vendor_id in asked:
        deadline = rules.offer_deadline(
            now=at,
            visit_on=row.visit_on,
            window=Window(row.window_start_s, row.window_end_s),
            time_class=row.time_class,
        )
        new.append(NewOffer(row.id, vendor_id, deadline, round=rounds.get(row.id, 0) + 1))
    ids = offers.make(session, new, at=at)
    for offer_id, offer, (row, _) in zip(ids, new, asked, strict=True):
        outbox.post(
            session,
            due_at=at,
            channel="screen",
            recipient_kind="vendor",
            recipient_id=offer.vendor_id,
            template="offer_made",
            about=offer_id,
            day=row.visit_on.isoformat(),
            work_order_id=offer.work_order_id,
        )
    return ids


class Market:
    """The vendors' facts of each day, read once a step however many work orders it offers on."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._days: dict[date, dict[str, VendorFacts]] = {}

    def on(self, day: date) -> dict[str, VendorFacts]:
        """Return all vendors with their load of a day."""
        if day not in self._days:
            self._days[day] = registry.vendor_facts(
                self._session,
                load=listed.day_load(self._session, day),
                open_load=listed.open_load(self._session, day),
            )
        return self._days[day]

    def took(self, day: date, vendor_id: str) -> None:
        """Count one more work order of a day for a vendor, so that the next goes to who is due it."""
        facts = self.on(day)
        facts[vendor_id] = replace(facts[vendor_id], load=facts[vendor_id].load + 1)


def ranking(session: Session, row: Row[Any], market: Market | None = None) -> list[Ranked]:
    """Return which vendor would be asked next for a work order, and why; reads only."""
    asked = offers.asked(session, [row.id]).get(row.id, {})
    facts = (market or Market(session)).on(row.visit_on)
    return vendor_rules.rank(facts.values(), work_of(row), asked_already=asked)


def offer_next(
    session: Session,
    row: Row[Any],
    *,
    at: datetime,
    actor: Actor,
    market: Market | None = None,
    most: int = MOST_OFFERS,
) -> str | None:
    """Offer a pooled work order to the next best vendor; return which, or ``None`` for a person.

    After ``most`` offers, or where nobody is left to ask, it stays pooled and the hotline is told.
    """
    asked = offers.asked(session, [row.id]).get(row.id, {})
    vendor_id = None
    if len(asked) < most:
        vendor_id = vendor_rules.best(ranking(session, row, market))
    if vendor_id is None:
        outbox.post(
            session,
            due_at=at,
            channel="screen",
            **outbox.HOTLINE,
            template="nobody_accepts",
            about=f"{row.id}/{len(asked)}",
            day=row.visit_on.isoformat(),
            work_order_id=row.id,
        )
        return None
    moved = orders.move(
        session,
        row.id,
        expected=State.POOLED,
        to=State.OFFERED,
        at=at,
        actor=actor,
        reason="next_best",
        vendor_id=vendor_id,
    )
    make_offers(session, [(moved, vendor_id)], at=at)
    return vendor_id


def ask_at_once(session: Session, made: Made, *, at: datetime, actor: Actor) -> Made:
    """Offer a new pooled work order that no day's plan will pick up; return it as it stands then.

    Stops wait for the plan, which knows who is near; a call, a service at a site, a placement or an
    emergency has nothing to wait for.
    """
    if made.state != State.POOLED.value or made.waits_for_plan:
        return made
    row = orders.work_order(session, made.work_order_id)
    vendor_id = offer_next(session, row, at=at, actor=actor)
    return made if vendor_id is None else replace(made, state=State.OFFERED.value)


def back_to_pool(
    session: Session, work_order_id: str, *, at: datetime, actor: Actor, reason: str, **values: Any
) -> Row[Any]:
    """Take the vendor and its caregivers off a work order, so that another may have it.

    ``values``: columns that change with it.
    """
    plans.drop_assignments(session, [work_order_id])
    offers.withdraw(session, work_order_id, at=at, reason=reason)
    return orders.move(
        session,
        work_order_id,
        expected={State.OFFERED, State.ACCEPTED, State.ASSIGNED, State.NO_SHOW},
        to=State.POOLED,
        at=at,
        actor=actor,
        reason=reason,
        vendor_id=None,
        **values,
    )


def explained(ranked: Sequence[Ranked]) -> list[dict[str, Any]]:
    """Return a ranking as plain values, for screens."""
    return [
        {**asdict(r), "reasons": dict(r.reasons)}  # a read-only mapping is no JSON value
        for r in ranked
    ]
