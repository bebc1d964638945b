"""Give an elder a card or a sheet of printed codes, and take it out of use."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy.orm import Session

from marketplace.elders import access
from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import local
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.visits import cards
from marketplace.workflows import policy, subjects
from marketplace.workflows.policy import Action
from marketplace.workflows.step import run_step


@dataclass(frozen=True, slots=True)
class IssueRequest:
    """A card by its number, or, without one, a sheet of ``codes`` codes; good until a day."""

    elder_id: str
    valid_until: date
    number: str | None = None
    codes: int | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """The card or sheet. ``codes``: what is printed on the sheet, in groups; empty for a card."""

    card_id: str
    kind: str
    valid_until: date
    codes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is remembered of an answer: never a code."""

    card_id: str
    codes: int


@dataclass(frozen=True, slots=True)
class _Content:
    """What the command key is bound to: never a card's number."""

    elder_id: str
    valid_until: date
    number_index: str | None
    codes: int | None


def issue(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: IssueRequest
) -> Issued:
    """Give an elder a card or a sheet; a repeat of the key prints the same sheet again.

    Raises ``BadInput`` and ``CardTaken``.
    """
    if (request.number is None) == (request.codes is None):
        raise BadInput(field="number", value=None, expected="a card's number or how many codes")
    number = request.number
    kept = run_step(
        session,
        ports,
        actor,
        key=key,
        command="issue_card",
        request=_Content(
            request.elder_id,
            request.valid_until,
            None if number is None else ports.vault.index(f"card/{cards.normal(number)}"),
            request.codes,
        ),
        answer=_Kept,
        run=lambda at: _issue(session, ports, actor, request, at),
    )
    made = cards.codes_of(ports.vault, kept.card_id, kept.codes)
    return Issued(
        kept.card_id,
        "sheet" if kept.codes else "card",
        request.valid_until,
        [f"{c[:3]} {c[3:6]} {c[6:]}" for c in made],
    )


def _issue(
    session: Session, ports: Ports, actor: Actor, request: IssueRequest, at: datetime
) -> _Kept:
    today = local(at).date()
    elder = access.facts(session, request.elder_id, on=today)
    policy.require(actor, Action.ISSUE_CARD, subjects.about_elder(session, actor, elder))
    if request.valid_until < today:
        raise BadInput(
            field="valid_until", value=request.valid_until.isoformat(), expected="not in the past"
        )
    terms = {
        "elder_id": elder.id,
        "valid_until": request.valid_until,
        "at": at,
        "by": actor.user_id,
    }
    if request.number is not None:
        card_id = cards.issue_card(session, ports.vault, number=request.number, **terms)
    else:
        card_id = cards.issue_sheet(session, ports.vault, codes=request.codes or 0, **terms)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="issue_card",
        subject_kind="elder",
        subject_id=elder.id,
        card_id=card_id,
        codes=request.codes or 0,
    )
    return _Kept(card_id, request.codes or 0)


@dataclass(frozen=True, slots=True)
class RevokeRequest:
    """Which card or sheet, and why: lost, stolen, the elder asked for it."""

    card_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Revoked:
    """The card or sheet that proves nothing any more."""

    card_id: str
    elder_id: str


def revoke(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: RevokeRequest
) -> Revoked:
    """Take a card or sheet out of use at once."""
    if not request.reason.strip():
        raise BadInput(field="reason", value=request.reason, expected="why it is taken out of use")
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="revoke_card",
        request=request,
        answer=Revoked,
        run=lambda at: _revoke(session, actor, request, at),
    )


def _revoke(session: Session, actor: Actor, request: RevokeRequest, at: datetime) -> Revoked:
    card = cards.get(session, request.card_id)
    elder = access.facts(session, card.elder_id, on=local(at).date())
    policy.require(actor, Action.REVOKE_CARD, subjects.about_elder(session, actor, elder))
    reason = request.reason.strip()[:200]
    cards.revoke(session, card.id, at=at, by=actor.user_id, reason=reason)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="revoke_card",
        subject_kind="elder",
        subject_id=elder.id,
        reason=reason,
        card_id=card.id,
    )
    return Revoked(card.id, elder.id)


@dataclass(frozen=True, slots=True)
class CardView:
    """A card or sheet as its list shows it. ``tail``: the last characters of a card's number."""

    card_id: str
    kind: str
    tail: str
    issued_at: datetime
    valid_until: date
    codes_left: int
    revoked_at: datetime | None
    revoke_reason: str | None


def cards_of(session: Session, ports: Ports, actor: Actor, elder_id: str) -> list[CardView]:
    """Return an elder's cards and sheets, the newest first; raises ``NotFound`` or ``NotAllowed``."""
    elder = access.facts(session, elder_id, on=local(ports.clock.now()).date())
    policy.require(actor, Action.SEE_CARDS, subjects.about_elder(session, actor, elder))
    return [
        CardView(
            card_id=c.id,
            kind=c.kind,
            tail=c.tail,
            issued_at=c.issued_at,
            valid_until=c.valid_until,
            codes_left=cards.codes_left(session, c.id) if c.kind == "sheet" else 0,
            revoked_at=c.revoked_at,
            revoke_reason=c.revoke_reason,
        )
        for c in cards.of_elder(session, elder_id)
    ]
