"""What one actor sees of one thing, and what the actor may do with it: for pages, which never decide."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from marketplace.elders import access
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import today
from marketplace.kernel.ports import Ports
from marketplace.orders import service as orders
from marketplace.workflows import policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.privacy import seen_file


@dataclass(frozen=True, slots=True)
class Seen:
    """The groups of fields that are shown and the actions that ``require`` would let through."""

    fields: frozenset[str]
    may: frozenset[Action]


def see_work_order(session: Session, actor: Actor, work_order_id: str) -> Seen:
    """Return what the actor sees of a work order; raises ``NotFound`` or ``NotAllowed``."""
    return _see(session, actor, work_order_id, Action.SEE_WORK_ORDER, "visit")


def see_money(session: Session, actor: Actor, work_order_id: str) -> Seen:
    """Return what the actor sees of a work order's money; raises ``NotFound`` or ``NotAllowed``."""
    return _see(session, actor, work_order_id, Action.SEE_MONEY, "money")


def _see(session: Session, actor: Actor, work_order_id: str, action: Action, what: str) -> Seen:
    row = orders.work_order(session, work_order_id)
    about = subjects.about_work_order(session, actor, row)
    policy.require(actor, action, about)
    seen_file(session, actor, row.elder_id, what)
    accepted = subjects.is_accepted(row.state)
    return Seen(
        fields=policy.fields(actor, powers=about.powers, accepted=accepted),
        may=frozenset(a for a in Action if policy.allows(actor, a, about)),
    )


def see_elder(session: Session, ports: Ports, actor: Actor, elder_id: str) -> Seen:
    """Return what the actor sees of an elder; raises ``NotFound`` or ``NotAllowed``."""
    return _see_elder(session, ports, actor, elder_id, Action.SEE_ELDER, "file")


def see_purses(session: Session, ports: Ports, actor: Actor, elder_id: str) -> Seen:
    """Return what the actor sees of an elder's purses; raises ``NotFound`` or ``NotAllowed``."""
    return _see_elder(session, ports, actor, elder_id, Action.SEE_MONEY, "money")


def _see_elder(
    session: Session, ports: Ports, actor: Actor, elder_id: str, action: Action, what: str
) -> Seen:
    elder = access.facts(session, elder_id, on=today(ports.clock))
    about = subjects.about_elder(session, actor, elder)
    policy.require(actor, action, about)
    seen_file(session, actor, elder_id, what)
    return Seen(
        fields=policy.fields(actor, powers=about.powers, accepted=False),
        may=frozenset(a for a in Action if policy.allows(actor, a, about)),
    )


FILE_PARTS = (
    Action.SEE_CONSENTS,
    Action.KEEP_CONSENT,
    Action.SEE_LOOKS,
    Action.SEE_AS_OF,
    Action.REVEAL_ID_NUMBER,
)
"""What an elder's own file is made of, beside visits and money."""


def see_file(session: Session, ports: Ports, actor: Actor, elder_id: str) -> Seen:
    """Return which parts of an elder's file the actor may open; raises where there is none.

    No look is kept by this alone: each part keeps its own.
    """
    elder = access.facts(session, elder_id, on=today(ports.clock))
    about = subjects.about_elder(session, actor, elder)
    may = frozenset(a for a in FILE_PARTS if policy.allows(actor, a, about))
    if not may:
        policy.require(actor, Action.SEE_LOOKS, about)
    return Seen(fields=policy.fields(actor, powers=about.powers, accepted=False), may=may)
