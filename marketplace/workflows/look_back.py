"""Who may put an elder's file back to a day; the look is kept as any other."""

from __future__ import annotations

from sqlalchemy.orm import Session

from marketplace.elders import access
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import local
from marketplace.kernel.ports import Ports
from marketplace.workflows import policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.privacy import seen_file


def may_see_as_of(session: Session, ports: Ports, actor: Actor, elder_id: str) -> None:
    """Return when the actor may see an elder's file as of a day; raises where it is not in reach."""
    elder = access.facts(session, elder_id, on=local(ports.clock.now()).date())
    policy.require(actor, Action.SEE_AS_OF, subjects.about_elder(session, actor, elder))
    seen_file(session, actor, elder_id, "as_of")
