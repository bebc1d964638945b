"""What an order would cost, and whether it may be placed. Reads only, by the rules of placing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.orm import Session

from marketplace.elders import access
from marketplace.elders import facts as elder_facts
from marketplace.elders.access import ElderFacts
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import Period, local
from marketplace.kernel.errors import DomainError
from marketplace.kernel.ports import Ports
from marketplace.vouchers import quotes
from marketplace.workflows import policy, subjects
from marketplace.workflows.payers import merged, sees_payers
from marketplace.workflows.place import OrderRequest, Register, checked_order
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
    elder = _elder(session, actor, request.elder_id, at)
    register = Register(session, elder.id, [request], on=request.starts_on)
    checked_order(session, request, elder, at, register)
    by_name = _by_name(session, actor, elder)
    return _as_seen(_previews(session, elder, register, [request])[0], by_name)


def preview_first(
    session: Session,
    ports: Ports,
    actor: Actor,
    *,
    elder_id: str,
    choices: Sequence[Sequence[OrderRequest]],
) -> list[Preview | None]:
    """Return for each list of orders the preview of the first that may be placed, ``None`` where none may.

    All are of one elder and each is previewed as if it were the only one; what they share is read once.
    """
    at = ports.clock.now()
    elder = _elder(session, actor, elder_id, at)
    every = [request for choice in choices for request in choice]
    register = Register(session, elder.id, every, on=local(at).date())
    lawful = [_first(session, choice, elder, at, register) for choice in choices]
    shown: dict[int, Preview] = {}
    # Facts of an elder have days: orders of one day are quoted together.
    for on in sorted({r.starts_on for r in lawful if r is not None}):
        of_day = {n: r for n, r in enumerate(lawful) if r is not None and r.starts_on == on}
        previews = _previews(session, elder, register, list(of_day.values()))
        shown |= dict(zip(of_day, previews, strict=True))
    by_name = _by_name(session, actor, elder)
    return [_as_seen(shown[n], by_name) if n in shown else None for n in range(len(choices))]


def _by_name(session: Session, actor: Actor, elder: ElderFacts) -> bool:
    return sees_payers(actor, subjects.about_elder(session, actor, elder).powers)


def _as_seen(preview: Preview, by_name: bool) -> Preview:
    """Return the preview, for a relative who may not see the money without any programme's name."""
    if by_name:
        return preview
    parts = merged({s.programme_code: s.fen for s in preview.shares})
    shares = tuple(PreviewShare(code, fen, 0) for code, fen in parts.items())
    return replace(preview, shares=shares, left_after={})


def _elder(session: Session, actor: Actor, elder_id: str, at: datetime) -> ElderFacts:
    elder = access.facts(session, elder_id, on=local(at).date())
    policy.require(actor, Action.PLACE_ORDER, subjects.about_elder(session, actor, elder))
    return elder


def _first(
    session: Session,
    choice: Sequence[OrderRequest],
    elder: ElderFacts,
    at: datetime,
    register: Register,
) -> OrderRequest | None:
    for request in choice:
        try:
            checked_order(session, request, elder, at, register)
        except DomainError:
            continue
        return request
    return None


def _previews(
    session: Session, elder: ElderFacts, register: Register, requests: Sequence[OrderRequest]
) -> list[Preview]:
    """Return the previews of checked orders of one day."""
    on = requests[0].starts_on
    facts = elder_facts.facts_of(session, [elder.id], Period.of(on).first).get(elder.id)
    quoted = quotes.quote_each(
        session,
        [
            quotes.QuoteRequest(
                elder_id=elder.id,
                service_version=register.version(request.service_code, on),
                on=on,
                district_code=elder.district_code,
                quantity=request.quantity,
                facts=facts,
            )
            for request in requests
        ],
    )
    return [
        Preview(
            elder_id=elder.id,
            service_code=request.service_code,
            on=on,
            price_fen=quote.price_fen,
            own_fen=quote.own_fen,
            shares=tuple(PreviewShare(s.programme_code, s.fen, s.minutes) for s in quote.shares),
            left_after=dict(quote.left_after),
            expected=quote.expected,
        )
        for request, quote in zip(requests, quoted, strict=True)
    ]
