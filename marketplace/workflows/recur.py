"""Make the next days' work orders of recurring orders, each exactly once; end a recurring order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.elders import access
from marketplace.kernel import audit
from marketplace.kernel.actor import SYSTEM, Actor
from marketplace.kernel.clock import local
from marketplace.kernel.errors import WrongState
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.orders import recurrence, standing
from marketplace.orders import service as orders
from marketplace.workflows import materialise, policy, subjects
from marketplace.workflows.materialise import Due, Plan
from marketplace.workflows.place import HORIZON_DAYS, recurrence_of
from marketplace.workflows.policy import Action
from marketplace.workflows.step import run_step

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Generated:
    """How many orders were looked at and how many work orders were made."""

    orders: int
    work_orders: int


@dataclass(frozen=True, slots=True)
class _Until:
    until: date


def generate(session: Session, ports: Ports, *, until: date | None = None) -> Generated:
    """Make the work orders of recurring orders up to a date (default: the horizon), in batches.

    Safe with two running at once: a batch's orders are locked, and the database keeps one work order
    a date and window. Killed at any moment, the batches before stay and the next call goes on.
    """
    last = until or local(ports.clock.now()).date() + timedelta(days=HORIZON_DAYS)
    seen = made = 0
    while True:
        batch = run_step(
            session,
            ports,
            SYSTEM,
            key=f"generate/{new_id()}",
            command="generate",
            request=_Until(last),
            answer=Generated,
            run=lambda at: _generate(session, last, at),
        )
        seen += batch.orders
        made += batch.work_orders
        if batch.orders < BATCH:
            return Generated(seen, made)


def _generate(session: Session, until: date, at: datetime) -> Generated:
    today = local(at).date()
    rows = standing.due_orders(session, until=until, limit=BATCH)
    due = [Due(Plan.of(row), on) for row in rows for on in _dates(row, today, until)]
    facts = materialise.read_facts(session, due, today=today)
    made = materialise.make(session, due, at=at, actor=SYSTEM, facts=facts)
    standing.set_generated(session, [row.id for row in rows], until)
    if rows:
        audit.record(
            session,
            at=at,
            actor=SYSTEM,
            action="generate",
            subject_kind="order",
            subject_id="*",
            orders=len(rows),
            work_orders=len(made),
            until=until.isoformat(),
        )
    return Generated(len(rows), len(made))


def _dates(row: Row[Any], today: date, until: date) -> list[date]:
    # A date that passed while nothing ran is not made up for: nobody can be visited yesterday.
    yesterday = today - timedelta(days=1)
    after = max(row.generated_until or yesterday, yesterday)
    return recurrence.dates(recurrence_of(row._mapping), after=after, until=until)


@dataclass(frozen=True, slots=True)
class EndRequest:
    """A recurring order and its last day; dates after it are not made any more."""

    order_id: str
    last_on: date


@dataclass(frozen=True, slots=True)
class Ended:
    """The order, its last day and its state."""

    order_id: str
    ends_on: date
    state: str


def end_order(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: EndRequest
) -> Ended:
    """End a recurring order; work orders that exist already are cancelled one by one, as visits are."""
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="end_order",
        request=request,
        answer=Ended,
        run=lambda at: _end(session, actor, request, at),
    )


def _end(session: Session, actor: Actor, request: EndRequest, at: datetime) -> Ended:
    row = orders.order(session, request.order_id)
    today = local(at).date()
    elder = access.facts(session, row.elder_id, on=today)
    policy.require(actor, Action.END_ORDER, subjects.about_elder(session, actor, elder))
    if row.rrule is None or row.state == "ended":
        raise WrongState(id=row.id, state=row.state, expected=["a recurring order that goes on"])
    state = "ended" if request.last_on <= today else "active"
    orders.set_order(session, row.id, ends_on=request.last_on, state=state)
    audit.record(
        session,
        at=at,
        actor=actor,
        action="end_order",
        subject_kind="order",
        subject_id=row.id,
        last_on=request.last_on.isoformat(),
    )
    return Ended(row.id, request.last_on, state)
