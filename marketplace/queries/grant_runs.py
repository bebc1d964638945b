"""The months' grants by district: previewed, released, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.elders.models import Elder
from marketplace.kernel.actor import Scope
from marketplace.settlement.models import SettlementRun
from marketplace.vouchers.models import GrantRun


@dataclass(frozen=True, slots=True)
class GrantLine:
    """A district's newest run of one month; everything but the district is ``None`` before any."""

    district_code: str
    elders: int
    run_id: str | None
    state: str | None
    new: int
    minutes: int
    fen: int
    previewed_by: str | None
    previewed_at: datetime | None
    released_at: datetime | None


def grant_lines(session: Session, scope: Scope, *, period: str) -> list[GrantLine]:
    """Return one line for each district in reach: two statements."""
    query = (
        select(Elder.district_code, func.count())
        .group_by(Elder.district_code)
        .order_by(Elder.district_code)
    )
    if scope.district_code is not None:
        query = query.where(Elder.district_code == scope.district_code)
    newest: dict[str, GrantRun] = {}
    for run in session.scalars(
        select(GrantRun).where(GrantRun.period == period).order_by(GrantRun.previewed_at)
    ):
        kept = newest.get(run.district_code)
        if kept is None or kept.state != "released":
            newest[run.district_code] = run
    lines = []
    for code, elders in session.execute(query):
        run = newest.get(code)
        lines.append(
            GrantLine(
                district_code=code,
                elders=elders,
                run_id=run.id if run else None,
                state=run.state if run else None,
                new=run.new if run else 0,
                minutes=run.minutes if run else 0,
                fen=run.fen if run else 0,
                previewed_by=run.previewed_by if run else None,
                previewed_at=run.previewed_at if run else None,
                released_at=run.released_at if run else None,
            )
        )
    return lines


@dataclass(frozen=True, slots=True)
class RunLine:
    """One closed month of one district."""

    id: str
    period: str
    district_code: str
    closed_at: datetime
    statements: int
    lines: int
    held: int
    total_fen: int


def settlement_runs(session: Session, scope: Scope, *, limit: int = 36) -> list[RunLine]:
    """Return the closed months in reach, the newest first: one statement."""
    query = select(SettlementRun).order_by(SettlementRun.period.desc(), SettlementRun.district_code)
    if scope.district_code is not None:
        query = query.where(SettlementRun.district_code == scope.district_code)
    return [
        RunLine(
            r.id, r.period, r.district_code, r.closed_at, r.statements, r.lines, r.held, r.total_fen
        )
        for r in session.scalars(query.limit(limit))
    ]
