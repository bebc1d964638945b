"""A card or a printed code read at a site: a meal handed over, a service begun and ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import local
from marketplace.kernel.errors import NotFound
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.orders import listed
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.visits import cards, limits, rules
from marketplace.visits import service as visits
from marketplace.visits.rules import Method
from marketplace.workflows import judge, policy
from marketplace.workflows.policy import About, Action
from marketplace.workflows.redeem import (
    WAITS,
    Redeemed,
    add_proof,
    answered,
    begin,
    checked_crew,
    end,
)
from marketplace.workflows.step import run_step
from marketplace.workflows.visit import close
from vendors import registry
from vendors.models import Site

READ_TWICE = timedelta(minutes=2)
"""A second reading sooner than this is the same hand slipping, not the end of a service."""

SERVED = frozenset(
    {State.DONE.value, State.CONFIRMED.value, State.DISPUTED.value, State.SETTLED.value}
)
"""States in which the service was given."""


@dataclass(frozen=True, slots=True)
class SiteReading:
    """A card or printed code read at a site, and who serves there. ``reading_id`` is the reader's."""

    site_id: str
    reading_id: str
    code: str
    caregiver_ids: list[str]


def read_at_site(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: SiteReading
) -> Redeemed:
    """Redeem what the elder has booked at this site today by the card that is shown.

    A meal is handed over at one reading; a longer service begins at the first and ends at the second.
    A card that is revoked, expired or used up starts nothing: the hold stays and the hotline is told.
    Where all of today was served already the answer says ``already_taken`` and nothing is paid again.
    """
    content = SiteReading(
        request.site_id,
        request.reading_id,
        ports.vault.index(f"shown/{cards.normal(request.code)}"),
        request.caregiver_ids,
    )
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="read_at_site",
        request=content,
        answer=Redeemed,
        run=lambda at: _at_site(session, ports, actor, request, at),
    )


def _site(session: Session, actor: Actor, site_id: str) -> Site:
    site = registry.sites(session).get(site_id)
    if site is None:
        raise NotFound(field="site_id", kind="site", id=site_id)
    about = About(kind="site", id=site_id, vendor_id=site.vendor_id)
    policy.require(actor, Action.REDEEM_AT_SITE, about)
    return site


def _at_site(
    session: Session, ports: Ports, actor: Actor, request: SiteReading, at: datetime
) -> Redeemed:
    site = _site(session, actor, request.site_id)
    found = cards.read(session, ports.vault, request.code, at=at)
    row = _booked(session, found.elder_id, site, at)
    if row is not None:
        orders.locked_for_change(session, [row.id])
        row = orders.work_order(session, row.id)
        if not found.why:
            found = cards.use(
                session, ports.vault, request.code, at=at, work_order_id=row.id, found=found
            )
    if row is None and not found.why and (served := _served(session, found.elder_id, site, at)):
        return _taken(session, actor, site, found, served, at)
    why = found.why or ("nothing_booked" if row is None else "")
    if why or row is None:
        _keep_refusal(session, actor, site, found, row, why, at)
        # Whoever holds a card that proves nothing is not told whose it is or what is booked on it.
        return Redeemed(None, None, "refused" if row is None else row.state, why=why)
    crew = checked_crew(session, row, request.caregiver_ids, at)
    begun = {v.caregiver_id: v for v in visits.of_work_order(session, row.id)}
    proof = {
        "method": Method.CARD.value,
        "at": at,
        "note": "",
        "facts": {"card": rules.CARD_OK, "card_id": found.card_id, "site_id": site.id},
    }
    if not begun:
        judge.check_slot(row, at)
        begin(session, row, crew, began_at=at, place=site, at=at, actor=actor)
        add_proof(session, row.id, "check_in", request.reading_id, proof, actor)
        if row.service_s > limits.on(row.visit_on).hand_over_min * 60:
            return answered(session, row, actor, at, "read_at_site")
    elif at - min(v.check_in_at for v in begun.values()) < READ_TWICE:
        return answered(session, row, actor, at, "read_at_site", why="just_begun")
    end(session, row.id, at)
    add_proof(session, row.id, "check_out", request.reading_id if begun else new_id(), proof, actor)
    close(session, orders.work_order(session, row.id), at=at, actor=actor)
    return answered(session, row, actor, at, "read_at_site")


def _booked(session: Session, elder_id: str, site: Site, at: datetime) -> Row[Any] | None:
    """Return what the elder has booked at a site now: what is begun first, then the earliest."""
    waiting = [w for w in _today(session, elder_id, site, at) if w.state in WAITS]
    return min(
        waiting, key=lambda w: (w.state != State.IN_SERVICE.value, w.window_start_s), default=None
    )


def _served(session: Session, elder_id: str, site: Site, at: datetime) -> Row[Any] | None:
    """Return the last that an elder was given at a site today."""
    over = [w for w in _today(session, elder_id, site, at) if w.state in SERVED]
    return max(over, key=lambda w: w.window_start_s, default=None)


def _today(session: Session, elder_id: str, site: Site, at: datetime) -> list[Row[Any]]:
    return [
        w
        for w in listed.elder_day(session, elder_id, local(at).date())
        if w.site_id == site.id and w.vendor_id == site.vendor_id
    ]


def _taken(
    session: Session, actor: Actor, site: Site, found: cards.Read, served: Row[Any], at: datetime
) -> Redeemed:
    """Say that it was given already; the hotline hears of it where it is no slip of the hand."""
    ended = [v.check_out_at for v in visits.of_work_order(session, served.id) if v.check_out_at]
    slip = bool(ended) and at - max(ended) < READ_TWICE
    _keep_refusal(session, actor, site, found, served, "already_taken", at, is_told=not slip)
    return Redeemed(served.id, served.elder_id, "refused", why="already_taken")


def _keep_refusal(
    session: Session,
    actor: Actor,
    site: Site,
    found: cards.Read,
    row: Row[Any] | None,
    why: str,
    at: datetime,
    *,
    is_told: bool = True,
) -> None:
    """Record that a card moved nothing, and why; ``is_told``: the hotline hears of it."""
    if is_told:
        outbox.post(
            session,
            due_at=at,
            channel="screen",
            **outbox.HOTLINE,
            template="card_refused",
            about=new_id(),
            card_id=found.card_id,
            site_id=site.id,
            work_order_id=None if row is None else row.id,
            why=why,
        )
    audit.record(
        session,
        at=at,
        actor=actor,
        action="card_refused",
        subject_kind="elder",
        subject_id=found.elder_id,
        reason=why,
        card_id=found.card_id,
        site_id=site.id,
    )
