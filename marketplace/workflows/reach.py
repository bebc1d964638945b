"""Which rows and fields an actor may read: the policy's answer with the facts that it needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy.orm import Session

from marketplace.elders import access
from marketplace.kernel.actor import Actor, Role, Scope
from marketplace.kernel.clock import local
from marketplace.kernel.errors import NotFound
from marketplace.kernel.ports import Ports
from marketplace.orders import service as orders
from marketplace.visits import homecode
from marketplace.visits.homecode import HomeCode
from marketplace.workflows import policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.privacy import seen_file

_POWER = {
    Action.SEE_WORK_ORDER: "see_visits",
    Action.SEE_EVIDENCE: "see_visits",
    Action.SEE_MONEY: "see_money",
}


def reach(session: Session, actor: Actor, action: Action) -> Scope:
    """Return the scope of a list; a family's holds only elders who gave the power for it."""
    scope = policy.scope(actor, action)
    power = _POWER.get(action)
    if actor.role is Role.FAMILY and power is not None:
        bound = access.elders_with_power(session, actor.user_id, power)
        scope = replace(scope, elder_ids=bound & actor.elder_ids)
    return scope


def see_work_order(session: Session, actor: Actor, work_order_id: str, action: Action) -> Scope:
    """Return the fields that the actor sees of one work order; raises where it is not in reach."""
    row = orders.work_order(session, work_order_id)
    about = subjects.about_work_order(session, actor, row)
    policy.require(actor, action, about)
    seen_file(session, actor, row.elder_id, "money" if action is Action.SEE_MONEY else "visit")
    shown = policy.fields(actor, powers=about.powers, accepted=subjects.is_accepted(row.state))
    return Scope(everything=True, fields=shown, fields_once_accepted=shown)


def seen_homes(session: Session, actor: Actor, elder_ids: Iterable[str]) -> None:
    """Remember that a list showed an actor whose homes these are, with address and telephone."""
    for elder_id in elder_ids:
        seen_file(session, actor, elder_id, "visit")


def see_order(session: Session, ports: Ports, actor: Actor, order_id: str) -> None:
    """Return when the actor may see an order; raises where it is not in reach."""
    row = orders.order(session, order_id)
    elder = access.facts(session, row.elder_id, on=local(ports.clock.now()).date())
    about = subjects.about_elder(session, actor, elder)
    if not policy.allows(actor, Action.SEE_WORK_ORDER, about):
        raise NotFound(kind="order", id=order_id)
    seen_file(session, actor, row.elder_id, "visit")


def home_code(session: Session, ports: Ports, actor: Actor, elder_id: str) -> HomeCode:
    """Return the code that the elder's home shows now."""
    elder = access.facts(session, elder_id, on=local(ports.clock.now()).date())
    policy.require(actor, Action.SEE_HOME_CODE, subjects.about_elder(session, actor, elder))
    return homecode.code_of(ports.vault, elder_id, ports.clock.now())
