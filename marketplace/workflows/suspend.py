"""Take a vendor off the market: its future visits go to others, the elders are told; let it back in.

The suspension itself is one transaction: from then on nobody offers the vendor anything and no plan
makes it a visit. Its visits then move in batches, each a transaction of its own and each visit once:
killed at any moment, a repeat of the command or the next upkeep goes on where it stopped. Holds stay
tied to their work orders, so that no entitlement is touched and the next vendor captures them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import SYSTEM, Actor
from marketplace.kernel.clock import instant_of, local
from marketplace.kernel.errors import BadInput, NotFound
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.orders import listed, standing
from marketplace.orders import service as orders
from marketplace.orders.rules import MOST_OFFERS, waits_for_plan
from marketplace.orders.states import State
from marketplace.workflows import policy
from marketplace.workflows.accept import ask_next
from marketplace.workflows.offer import Market, back_to_pool, offer_next, ranking
from marketplace.workflows.policy import About, Action
from marketplace.workflows.step import run_step
from vendors import offers, registry, suspensions
from vendors.suspensions import Move

BATCH = 50
"""Elders whose visits move in one transaction."""

MOVABLE = frozenset({State.OFFERED, State.ACCEPTED, State.ASSIGNED})
_NEAREST = ("capacity", "credit", "asked_already", "licence", "district", "category", "suspended")
"""Why nobody else can have a visit: the obstacle that a person can remove soonest comes first."""


@dataclass(frozen=True, slots=True)
class SuspendRequest:
    """Which vendor, and why; the reason is shown to the vendor and kept."""

    vendor_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class NotMoved:
    """A visit that a person has to look after. ``why``: ``in_service``, ``window_passed``,
    ``its_site`` (the service is given at the vendor's own place), ``asked_enough``, ``no_vendor``, or
    the reason for which the others may not be asked (``capacity``, ``district``, ``licence`` ...)."""

    work_order_id: str
    elder_id: str
    visit_on: date
    why: str


@dataclass(frozen=True, slots=True)
class Suspended:
    """What suspending did: visits offered to others, left to the day's plan, and not moved.

    ``plans``: orders that named the vendor and are open to any vendor now.
    """

    suspension_id: str
    vendor_id: str
    plans: int
    offered: int
    pooled: int
    elders_told: int
    not_moved: list[NotMoved] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Begun:
    suspension_id: str


@dataclass(frozen=True, slots=True)
class _Batch:
    suspension_id: str


@dataclass(frozen=True, slots=True)
class _Moved:
    elders: int


def suspend_vendor(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: SuspendRequest
) -> Suspended:
    """Suspend a vendor and move every visit that it has not begun.

    Raises ``WrongState`` where it is not active. Repeating it goes on and gives the same answer.
    """
    _reason(request.reason)
    begun = run_step(
        session,
        ports,
        actor,
        key=key,
        command="suspend_vendor",
        request=request,
        answer=_Begun,
        run=lambda at: _begin(session, actor, request, at),
    )
    _move_all(session, ports, actor, begun.suspension_id)
    return _report(session, begun.suspension_id)


def _reason(reason: str) -> None:
    if not 1 <= len(reason.strip()) <= 200:
        raise BadInput(field="reason", value=reason[:40], expected="why, in 1 to 200 characters")


def about_vendor(
    session: Session, actor: Actor, vendor_id: str, *, entered_by: str | None = None
) -> About:
    """Return what the policy needs to know of a vendor: it lies in every district that it serves."""
    facts = registry.vendor_facts(session, only=[vendor_id])
    if vendor_id not in facts:
        raise NotFound(kind="vendor", id=vendor_id)
    served = facts[vendor_id].districts
    inside = actor.district_code if actor.district_code in served else min(served, default=None)
    return About(
        kind="vendor",
        id=vendor_id,
        vendor_id=vendor_id,
        district_code=inside,
        entered_by=entered_by,
    )


def _begin(session: Session, actor: Actor, request: SuspendRequest, at: datetime) -> _Begun:
    vendor_id = request.vendor_id
    policy.require(actor, Action.SUSPEND_VENDOR, about_vendor(session, actor, vendor_id))
    reason = request.reason.strip()
    suspension_id = suspensions.suspend(session, vendor_id, at=at, by=actor.user_id, reason=reason)
    plans = standing.open_to_any_vendor(session, vendor_id)
    suspensions.note(session, suspension_id, plans=plans)
    outbox.post(
        session,
        due_at=at,
        channel="screen",
        recipient_kind="vendor",
        recipient_id=vendor_id,
        template="vendor_suspended",
        about=suspension_id,
        reason=reason,
    )
    audit.record(
        session,
        at=at,
        actor=actor,
        action="suspend_vendor",
        subject_kind="vendor",
        subject_id=vendor_id,
        reason=reason,
        suspension_id=suspension_id,
        plans=plans,
    )
    return _Begun(suspension_id)


def _move_all(session: Session, ports: Ports, actor: Actor, suspension_id: str) -> int:
    """Move what a suspended vendor still has, a batch of elders at a time; return how many elders."""
    total = 0
    while True:
        done = run_step(
            session,
            ports,
            actor,
            key=f"move_suspended/{new_id()}",
            command="move_suspended",
            request=_Batch(suspension_id),
            answer=_Moved,
            run=lambda at: _move_batch(session, actor, suspension_id, at),
        )
        total += done.elders
        if not done.elders:
            return total


def _move_batch(session: Session, actor: Actor, suspension_id: str, at: datetime) -> _Moved:
    suspension = suspensions.get(session, suspension_id)
    if suspension.lifted_at is not None:
        return _Moved(0)
    rows = _waiting(session, suspension, at)
    batch: dict[str, list[str]] = {}
    for row in rows:
        if row.elder_id in batch or len(batch) < BATCH:
            batch.setdefault(row.elder_id, []).append(row.id)
    if not batch:
        if suspension.moved_at is None:
            suspensions.note(session, suspension_id, moved_at=at)
        return _Moved(0)
    orders.locked_for_change(session, [i for ids in batch.values() for i in ids])
    market = Market(session)
    sites = {s.id for s in registry.sites(session).values() if s.vendor_id == suspension.vendor_id}
    for elder_id, ids in batch.items():
        moves = [
            _move(session, i, suspension, sites, market, actor=actor, at=at) for i in sorted(ids)
        ]
        suspensions.add_moves(session, suspension_id, moves, at=at)
        _tell(session, suspension, elder_id, moves, at)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="move_suspended",
        subject_kind="vendor",
        subject_id=suspension.vendor_id,
        suspension_id=suspension_id,
        elders=len(batch),
        work_orders=sum(len(ids) for ids in batch.values()),
    )
    return _Moved(len(batch))


def _waiting(session: Session, suspension: Row[Any], at: datetime) -> list[Row[Any]]:
    """Return the vendor's visits that have not been looked at, an elder's together."""
    since = local(at).date() - timedelta(days=1)
    rows = {r.id: r for r in listed.in_hand_of(session, suspension.vendor_id, since=since)}
    asked = offers.open_of_vendor(session, suspension.vendor_id)
    rows |= {
        i: r
        for i, r in orders.work_orders(session, asked).items()
        if r.state == State.OFFERED.value and r.visit_on >= since
    }
    seen = {m.work_order_id for m in suspensions.moves_of(session, suspension.id)}
    # A night service of yesterday may still begin; a day service of yesterday is over for anybody.
    return sorted(
        (
            r
            for r in rows.values()
            if r.id not in seen
            and (
                r.visit_on > since
                or r.state == State.IN_SERVICE.value
                or instant_of(r.visit_on, r.window_end_s) > at
            )
        ),
        key=lambda r: (r.elder_id, r.visit_on, r.id),
    )


def _move(
    session: Session,
    work_order_id: str,
    suspension: Row[Any],
    own_sites: set[str],
    market: Market,
    *,
    actor: Actor,
    at: datetime,
) -> Move:
    row = orders.work_order(session, work_order_id)
    stuck = _not_movable(row, own_sites, at)
    to_vendor: str | None = None
    outcome = "offered"
    if State(row.state) in MOVABLE:
        if row.vendor_id != suspension.vendor_id:
            offers.close_of_vendor(session, row.id, suspension.vendor_id, at=at, reason="suspended")
            if not offers.open_exists(session, row.id):
                to_vendor = ask_next(
                    session, row.id, at=at, actor=actor, reason="suspended", market=market
                )
                stuck = stuck or (None if to_vendor else _why(session, row, market))
        else:
            pooled = back_to_pool(
                session,
                row.id,
                at=at,
                actor=actor,
                reason="suspended",
                vendor_named=False,
                preferred_caregiver_id=None,
            )
            if stuck is None and _plan_will_choose(row, at):
                outcome = "pooled"
            elif stuck is None:
                to_vendor = offer_next(
                    session, pooled, at=at, actor=actor, market=market, most=MOST_OFFERS + 1
                )
                stuck = None if to_vendor else _why(session, pooled, market)
    if to_vendor is not None:
        market.took(row.visit_on, to_vendor)
    if stuck is not None:
        _tell_hotline(session, suspension, row, stuck, at)
    return Move(
        row.id,
        row.elder_id,
        row.visit_on,
        "stuck" if stuck else outcome,
        why=stuck or "",
        to_vendor_id=to_vendor,
    )


def _not_movable(row: Row[Any], own_sites: set[str], at: datetime) -> str | None:
    if row.state == State.IN_SERVICE.value:
        return "in_service"
    if instant_of(row.visit_on, row.window_end_s) <= at:
        return "window_passed"
    if row.mode == "site" and row.site_id in own_sites:
        return "its_site"
    return None


def _plan_will_choose(row: Row[Any], at: datetime) -> bool:
    """Say whether a day's plan is still to be made that knows who is near; else a vendor is asked now."""
    tomorrow = local(at).date() + timedelta(days=1)
    return row.visit_on > tomorrow and waits_for_plan(
        is_stop=row.is_stop, time_class=row.time_class
    )


def _why(session: Session, row: Row[Any], market: Market) -> str:
    ranked = ranking(session, row, market)
    excluded = {r.excluded for r in ranked}
    if None in excluded:
        return "asked_enough"
    return next((r for r in _NEAREST if r in excluded - {"suspended"}), "no_vendor")


def _tell(
    session: Session, suspension: Row[Any], elder_id: str, moves: list[Move], at: datetime
) -> None:
    told = [m for m in moves if m.why != "in_service"]
    if told:
        outbox.post(
            session,
            due_at=at,
            channel="sms",
            recipient_kind="elder",
            recipient_id=elder_id,
            template="vendor_changes",
            about=suspension.id,
            num=len(told),
            visits=[m.work_order_id for m in told],
            not_moved=[m.work_order_id for m in told if m.outcome == "stuck"],
        )


def _tell_hotline(
    session: Session, suspension: Row[Any], row: Row[Any], why: str, at: datetime
) -> None:
    outbox.post(
        session,
        due_at=at,
        channel="screen",
        **outbox.HOTLINE,
        template="visit_not_moved",
        about=f"{row.id}/{suspension.id}",
        day=row.visit_on.isoformat(),
        work_order_id=row.id,
        why=why,
    )


def _report(session: Session, suspension_id: str) -> Suspended:
    suspension = suspensions.get(session, suspension_id)
    moves = suspensions.moves_of(session, suspension_id)
    by_outcome = {o: [m for m in moves if m.outcome == o] for o in ("offered", "pooled", "stuck")}
    session.rollback()
    return Suspended(
        suspension_id=suspension.id,
        vendor_id=suspension.vendor_id,
        plans=suspension.plans,
        offered=len(by_outcome["offered"]),
        pooled=len(by_outcome["pooled"]),
        elders_told=len({m.elder_id for m in moves if m.why != "in_service"}),
        not_moved=[
            NotMoved(m.work_order_id, m.elder_id, m.visit_on, m.why) for m in by_outcome["stuck"]
        ],
    )


def move_suspended(session: Session, ports: Ports) -> int:
    """Go on with every suspension that was broken off, or whose vendor was given a visit meanwhile."""
    return sum(_move_all(session, ports, SYSTEM, row.id) for row in _in_force(session))


def _in_force(session: Session) -> list[Row[Any]]:
    rows = suspensions.in_force(session)
    session.rollback()
    return rows


@dataclass(frozen=True, slots=True)
class Reinstated:
    """The vendor is active again; its former visits stay where they are."""

    suspension_id: str
    vendor_id: str
    state: str


def reinstate_vendor(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: SuspendRequest
) -> Reinstated:
    """Let a suspended vendor back in; not by whoever suspended it."""
    _reason(request.reason)
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="reinstate_vendor",
        request=request,
        answer=Reinstated,
        run=lambda at: _reinstate(session, actor, request, at),
    )


def _reinstate(session: Session, actor: Actor, request: SuspendRequest, at: datetime) -> Reinstated:
    now = suspensions.open_of(session, request.vendor_id)
    entered_by = None if now is None else now.suspended_by
    about = about_vendor(session, actor, request.vendor_id, entered_by=entered_by)
    policy.require(actor, Action.REINSTATE_VENDOR, about)
    reason = request.reason.strip()
    suspension_id = suspensions.reinstate(
        session, request.vendor_id, at=at, by=actor.user_id, reason=reason
    )
    outbox.post(
        session,
        due_at=at,
        channel="screen",
        recipient_kind="vendor",
        recipient_id=request.vendor_id,
        template="vendor_reinstated",
        about=suspension_id,
    )
    audit.record(
        session,
        at=at,
        actor=actor,
        action="reinstate_vendor",
        subject_kind="vendor",
        subject_id=request.vendor_id,
        reason=reason,
        suspension_id=suspension_id,
    )
    return Reinstated(suspension_id, request.vendor_id, "active")
