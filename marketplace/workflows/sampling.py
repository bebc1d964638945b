"""What stands between a street's check and the payment: the county's sample, the public notice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.elders import crosschecks
from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import NotFound
from marketplace.kernel.ports import Ports
from marketplace.settlement import checks, rules
from marketplace.settlement import service as settlement
from marketplace.settlement.checks import NoticeRuns, SampleOpen
from marketplace.settlement.models import Statement
from marketplace.vouchers import programmes
from marketplace.vouchers.models import PriceSplit
from marketplace.workflows.policy import About, Action, require


@dataclass(frozen=True, slots=True)
class Sampled:
    """A sampled line; ``outcome`` is ``None`` until somebody looked."""

    number: int
    work_order_id: str
    way: str
    outcome: str | None


def sample_of(session: Session, statement_id: str) -> list[Sampled]:
    """Return what the county has to look at, and what it found; empty before the street's check."""
    row = settlement.statement(session, statement_id)
    found = checks.results(session, statement_id)
    return [
        Sampled(s.number, s.work_order_id, s.way, r.outcome if r else None)
        for s in _drawn(session, row)
        for r in [found.get((s.number, s.way))]
    ]


def _drawn(session: Session, row: Statement) -> list[checks.Sampled]:
    """Return what the lot drew, and beside it every visit that another authority's list speaks against.

    A list takes no money back by itself; but no such visit is paid before a person has looked at it.
    """
    terms = programmes.settings_on(Period.parse(row.period).last)
    drawn = checks.sample(
        session,
        row.id,
        field_percent=terms.sample_field_percent,
        call_percent=terms.sample_call_percent,
    )
    if not drawn:
        return []
    lines = checks.visit_lines(session, row.id)
    doubted = crosschecks.flagged(session, lines)
    added = {rules.Sampled(lines[i], i, "field") for i in doubted} - set(drawn)
    return sorted([*drawn, *added], key=lambda s: (s.number, s.way))


def record_check(
    session: Session,
    ports: Ports,
    actor: Actor,
    *,
    statement_id: str,
    number: int,
    way: str,
    outcome: str,
    note: str = "",
) -> list[Sampled]:
    """Write down what the county found of a sampled line; return the sample as it stands then.

    Repeating it changes nothing. Raises ``NotFound`` for a line that was not drawn.
    """
    with transaction(session):
        row = settlement.statement(session, statement_id)
        require(
            actor,
            Action.APPROVE_STATEMENT,
            About(kind="statement", id=row.id, district_code=row.district_code),
        )
        wanted = [s for s in _drawn(session, row) if (s.number, s.way) == (number, way)]
        if not wanted:
            raise NotFound(kind="sampled_line", id=f"{statement_id}/{number}/{way}")
        at = ports.clock.now()
        if checks.record(
            session, statement_id, wanted[0], outcome=outcome, note=note, at=at, by=actor.user_id
        ):
            audit.record(
                session,
                at=at,
                actor=actor,
                action="check_sample",
                subject_kind="statement",
                subject_id=statement_id,
                reason=note[:200] or None,
                number=number,
                way=way,
                outcome=outcome,
            )
        return sample_of(session, statement_id)


def require_checked(session: Session, row: Statement) -> None:
    """Return when every sampled line has a result and nothing doubtful would be paid.

    Raises ``SampleOpen``.
    """
    sample = sample_of(session, row.id)
    missing = [f"{s.number}/{s.way}" for s in sample if s.outcome is None]
    doubtful = sorted({s.work_order_id for s in sample if s.outcome == "doubtful"})
    reversed_ = set(
        session.scalars(
            select(PriceSplit.work_order_id).where(
                PriceSplit.work_order_id.in_(doubtful), PriceSplit.state == "reversed"
            )
        )
    )
    left = [i for i in doubtful if i not in reversed_]
    if missing or left:
        raise SampleOpen(id=row.id, missing=missing, doubtful=left)


def require_notice_over(session: Session, row: Statement, at: datetime) -> None:
    """Return when the public notice of a statement has ended; raises ``NoticeRuns``."""
    days = programmes.settings_on(Period.parse(row.period).last).notice_days
    until = checks.notice_until(session, row.id, days=days)
    if until is not None and at < until:
        raise NoticeRuns(id=row.id, until=until.isoformat())
