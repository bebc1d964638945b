"""Read the facts of an object that the policy decides on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.elders import access
from marketplace.elders.access import ElderFacts
from marketplace.kernel.actor import Actor, Role
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.workflows.policy import About
from vendors import offers

# A caregiver hears of a job when the vendor has accepted it: a tentative one is not theirs yet.
_THEIRS = frozenset(set(State) - {State.POOLED, State.OFFERED, State.ACCEPTED})


def about_elder(session: Session, actor: Actor, elder: ElderFacts) -> About:
    """Return what the policy needs to know of an elder."""
    return About(
        kind="elder",
        id=elder.id,
        elder_id=elder.id,
        powers=_powers(session, actor, elder.id),
        district_code=elder.district_code,
        town_code=elder.town_code,
    )


def about_work_order(session: Session, actor: Actor, row: Row[Any]) -> About:
    """Return what the policy needs to know of a work order."""
    caregivers: frozenset[str] = frozenset()
    if actor.role is Role.CAREGIVER and State(row.state) in _THEIRS:
        crew = plans.assignments(session, [row.id]).get(row.id, [])
        caregivers = frozenset(a.caregiver_id for a in crew)
    offered: frozenset[str] = frozenset()
    if actor.role is Role.VENDOR:
        asked = offers.asked(session, [row.id]).get(row.id, {})
        offered = frozenset(v for v, state in asked.items() if state == "open")
    return About(
        kind="work_order",
        id=row.id,
        elder_id=row.elder_id,
        powers=_powers(session, actor, row.elder_id),
        vendor_id=row.vendor_id if row.state not in _NOT_YET_THE_VENDORS else None,
        offered_to=offered,
        caregiver_ids=caregivers,
        district_code=row.district_code,
        town_code=row.town_code,
        entered_by=orders.order(session, row.order_id).placed_by,
    )


_NOT_YET_THE_VENDORS = frozenset({State.POOLED.value, State.OFFERED.value})


def is_accepted(state: str) -> bool:
    """Say whether a vendor has taken a work order on, so that it may see whose home it is."""
    return state not in _NOT_YET_THE_VENDORS


def _powers(session: Session, actor: Actor, elder_id: str) -> frozenset[str]:
    if actor.role is not Role.FAMILY:
        return frozenset()
    return access.family_link(session, elder_id=elder_id, account_id=actor.user_id)[1]
