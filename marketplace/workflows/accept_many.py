"""A vendor says yes to many offers at once: one step, a handful of statements, whatever their number.

What is gone already (answered, too late, taken by another vendor) is named and harms no other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.orders import plans, standing
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.workflows import policy
from marketplace.workflows.policy import About, Action
from marketplace.workflows.step import run_step
from vendors import offers, registry
from vendors.rules import VendorCannotServe

MOST = 5_000


@dataclass(frozen=True, slots=True)
class AcceptManyRequest:
    """Open offers of one vendor."""

    offer_ids: list[str]


@dataclass(frozen=True, slots=True)
class AcceptedMany:
    """Which offers were accepted, and which were gone; ``assigned`` have their people already."""

    accepted: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    assigned: int = 0


def accept_many(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: AcceptManyRequest
) -> AcceptedMany:
    """Accept the offers that are still open, as ``accept_offer`` does for one.

    Raises ``NotFound`` where one of them is another vendor's, ``VendorCannotServe`` for one that is
    suspended; then nothing is accepted.
    """
    if not 1 <= len(request.offer_ids) <= MOST:
        raise BadInput(
            field="offer_ids", value=len(request.offer_ids), expected=f"1 to {MOST} offers"
        )
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="accept_many",
        request=request,
        answer=AcceptedMany,
        run=lambda at: _accept(session, actor, request, at),
    )


def _accept(
    session: Session, actor: Actor, request: AcceptManyRequest, at: datetime
) -> AcceptedMany:
    wanted = list(dict.fromkeys(request.offer_ids))
    found = offers.get_many(session, wanted)
    for offer_id in wanted:
        vendor_id = found[offer_id].vendor_id if offer_id in found else None
        about = About(kind="job_offer", id=offer_id, vendor_id=vendor_id)
        policy.require(actor, Action.ANSWER_OFFER, about)
    vendor_id = actor.vendor_id or ""
    if registry.vendor_facts(session, only=[vendor_id])[vendor_id].status != "active":
        raise VendorCannotServe(vendor_id=vendor_id, why="suspended")
    # Work orders are locked before their offers everywhere, so that no two steps wait on each other.
    works = orders.locked_for_change(session, {o.work_order_id for o in found.values()})
    open_ids = [i for i in wanted if State(works[found[i].work_order_id].state) is State.OFFERED]
    taken = offers.accept_many(session, open_ids, at=at)
    ids = {o.work_order_id for o in taken}
    orders.move_many(
        session,
        sorted(ids),
        expected=State.OFFERED,
        to=State.ACCEPTED,
        at=at,
        actor=actor,
        vendor_id=vendor_id,
    )
    offers.close(session, ids, at=at, reason="another_vendor")
    standing.let_stand(session, ids, vendor_id=vendor_id, at=at)
    crewed = plans.assignments(session, ids).keys()
    orders.move_many(
        session,
        sorted(crewed),
        expected=State.ACCEPTED,
        to=State.ASSIGNED,
        at=at,
        actor=actor,
        reason="as_planned",
    )
    accepted = {o.id for o in taken}
    audit.record(
        session,
        at=at,
        actor=actor,
        action="accept_many",
        subject_kind="vendor",
        subject_id=vendor_id,
        accepted=len(accepted),
        gone=len(wanted) - len(accepted),
    )
    return AcceptedMany(
        accepted=[i for i in wanted if i in accepted],
        gone=[i for i in wanted if i not in accepted],
        assigned=len(crewed),
    )
