"""What an order would cost, and whether it may be placed. Reads only, by the rules of placing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from marketplace.catalogue import service as catalogue
from marketplace.elders import access
from marketplace.elders import facts as elder_facts
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import Period, local
from marketplace.kernel.ports import Ports
from marketplace.vouchers import quotes
from marketplace.workflows import policy, subjects
from marketplace.workflows.place import OrderRequest, checked_order
from marketplace.workflows.policy import Action


@dataclass(frozen=True, slots=True)
class PreviewShare:
    """One payer's part: fen, and the minutes that an in-kind programme gives for it."""

    programme_code: str
    fen: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Preview:
    """Who would pay what. ``left_after``: programme -> fen or minutes that remain.

    ``expected``: the month's grants have not run; the shares are promised, not yet held.
    """

    elder_id: str
    service_code: str
    on: date
    price_fen: int
    own_fen: int
    shares: tuple[PreviewShare, ...]
    left_after: dict[str, int]
    expected: bool


def preview_order(
    session: Session, ports: Ports, actor: Actor, *, request: OrderRequest
) -> Preview:
    """Return who would pay what for the order's first date; raises what placing would raise.

    By what right the actor orders is asked when the order is placed, not here.
    """
    at = ports.clock.now()
    elder = access.facts(session, request.elder_id, on=local(at).date())
    policy.require(actor, Action.PLACE_ORDER, subjects.about_elder(session, actor, elder))
    checked_order(session, request, elder, at)
    version = catalogue.version_in_force(session, request.service_code, request.starts_on)
    first = Period.of(request.starts_on).first
    people = elder_facts.facts_of(session, [elder.id], first)
    quote = quotes.quote(
        session,
        elder_id=elder.id,
        service_version=version,
        on=request.starts_on,
        district_code=elder.district_code,
        quantity=request.quantity,
        facts=people.get(elder.id),
    )
    return Preview(
        elder_id=elder.id,
        service_code=request.service_code,
        on=request.starts_on,
        price_fen=quote.price_fen,
        own_fen=quote.own_fen,
        shares=tuple(PreviewShare(s.programme_code, s.fen, s.minutes) for s in quote.shares),
        left_after=dict(quote.left_after),
        expected=quote.expected,
    )
