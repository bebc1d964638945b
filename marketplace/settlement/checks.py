"""The county's sample of a statement, the public notice, and a quarter's holdback."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from marketplace.kernel.errors import BadInput, Conflict, SecondPersonNeeded, WrongState
from marketplace.settlement import rules, service
from marketplace.settlement.models import (
    STEPS,
    HoldbackStep,
    SampleResult,
    SettlementRun,
    Statement,
    StatementLine,
    StatementSignature,
)
from marketplace.settlement.rules import Sampled


class SampleOpen(Conflict):
    """Sampled lines wait for a result, or are doubtful and not reversed. Facts: ``missing`` (numbers
    of lines with their way), ``doubtful`` (work orders)."""


class NoticeRuns(Conflict):
    """The public notice has not ended. Facts: ``until``."""


OUTCOMES = ("confirmed", "doubtful")
WAYS = ("field", "call")


def sample(
    session: Session, statement_id: str, *, field_percent: int, call_percent: int
) -> list[Sampled]:
    """Return the lines that the county checks; empty until the street has checked.

    Drawn by the statement's hash and the street's signature: known to nobody before, the same for all
    afterwards.
    """
    row = service.statement(session, statement_id)
    signed = {s.step: s for s in service.signatures(session, statement_id)}
    street = signed.get("street_checked")
    if street is None:
        return []
    visits = visit_lines(session, statement_id)
    word = f"{row.sha256}/{street.by}/{street.at.isoformat()}"
    return rules.sample(visits, word=word, field_percent=field_percent, call_percent=call_percent)


def visit_lines(session: Session, statement_id: str) -> dict[str, int]:
    """Return the number of each visit's line by its work order."""
    return {
        line.work_order_id: line.number
        for line in session.execute(
            select(StatementLine.number, StatementLine.work_order_id).where(
                StatementLine.statement_id == statement_id, StatementLine.kind == "visit"
            )
        )
    }


def results(session: Session, statement_id: str) -> dict[tuple[int, str], SampleResult]:
    """Return what was found so far, by line and way."""
    rows = session.scalars(select(SampleResult).where(SampleResult.statement_id == statement_id))
    return {(r.number, r.way): r for r in rows}


def record(
    session: Session,
    statement_id: str,
    wanted: Sampled,
    *,
    outcome: str,
    note: str,
    at: datetime,
    by: str,
) -> bool:
    """Write a result once; return ``False`` where the same is known. Raises ``WrongState`` for another."""
    if outcome not in OUTCOMES:
        raise BadInput(field="outcome", value=outcome, expected=list(OUTCOMES))
    before = results(session, statement_id).get((wanted.number, wanted.way))
    if before is not None:
        if (before.outcome, before.by) == (outcome, by):
            return False
        raise WrongState(id=statement_id, state=before.outcome, expected=["no result yet"])
    session.execute(
        insert(SampleResult),
        [
            {
                "statement_id": statement_id,
                "number": wanted.number,
                "way": wanted.way,
                "outcome": outcome,
                "note": note[:200],
                "at": at,
                "by": by,
            }
        ],
    )
    return True


def notice_until(session: Session, statement_id: str, *, days: int) -> datetime | None:
    """Return when the public notice of an approved statement ends."""
    approved = session.scalar(
        select(StatementSignature.at).where(
            StatementSignature.statement_id == statement_id,
            StatementSignature.step == "county_approved",
        )
    )
    return approved + timedelta(days=days) if approved else None


def lock_statements(session: Session, vendor_id: str, district_code: str) -> None:
    """Make a second payment of the same vendor wait until the transaction ends."""
    session.execute(
        select(Statement.id)
        .where(Statement.vendor_id == vendor_id, Statement.district_code == district_code)
        .order_by(Statement.period)
        .with_for_update()
    )


def released(
    session: Session, vendors: Collection[tuple[str, str]]
) -> dict[tuple[str, str], list[Statement]]:
    """Return the statements that were released by vendor and district, oldest first."""
    found: dict[tuple[str, str], list[Statement]] = {of: [] for of in vendors}
    rows = session.scalars(
        select(Statement)
        .join(StatementSignature, StatementSignature.statement_id == Statement.id)
        .where(
            Statement.vendor_id.in_({vendor_id for vendor_id, _ in vendors}),
            Statement.district_code.in_({district_code for _, district_code in vendors}),
            StatementSignature.number == len(STEPS),
            StatementSignature.step == "released",
        )
        .order_by(Statement.period)
    )
    for row in rows:
        if (row.vendor_id, row.district_code) in found:
            found[row.vendor_id, row.district_code].append(row)
    return found


def vendors_all_released(session: Session, district_code: str) -> set[str]:
    """Return the vendors whose every statement of a district was released."""
    signed = select(StatementSignature.statement_id).where(StatementSignature.number == len(STEPS))
    mine = select(Statement.vendor_id).where(Statement.district_code == district_code).distinct()
    waiting = set(session.scalars(mine.where(Statement.id.not_in(signed))))
    return set(session.scalars(mine)) - waiting


def months_open(
    session: Session, quarter: str, vendor_id: str, district_code: str
) -> tuple[str, ...]:
    """Return what of a quarter is not over: months that are not closed, statements not released."""
    year, number = int(quarter[:4]), int(quarter[5])
    months = [f"{year:04d}-{m:02d}" for m in range(3 * number - 2, 3 * number + 1)]
    closed = set(
        session.scalars(
            select(SettlementRun.period).where(
                SettlementRun.district_code == district_code, SettlementRun.period.in_(months)
            )
        )
    )
    issued = session.scalars(
        select(Statement.id).where(
            Statement.vendor_id == vendor_id,
            Statement.district_code == district_code,
            Statement.period.in_(months),
        )
    )
    of = (vendor_id, district_code)
    done = {s.id for s in released(session, [of])[of]}
    return (*(m for m in months if m not in closed), *sorted(i for i in issued if i not in done))


def holdback_steps(
    session: Session, quarter: str, vendor_id: str, district_code: str
) -> list[HoldbackStep]:
    """Return the steps that were taken, in order."""
    return list(
        session.scalars(
            select(HoldbackStep)
            .where(
                HoldbackStep.quarter == quarter,
                HoldbackStep.vendor_id == vendor_id,
                HoldbackStep.district_code == district_code,
            )
            .order_by(HoldbackStep.number)
        )
    )


def take_holdback_step(session: Session, step: HoldbackStep) -> bool:
    """Write a step; return ``False`` where this person took it before.

    Raises ``SecondPersonNeeded`` where one person would take both, ``WrongState`` where another took it
    or the score was another one.
    """
    done = holdback_steps(session, step.quarter, step.vendor_id, step.district_code)
    if len(done) >= step.number:
        before = done[step.number - 1]
        if (before.by, before.score) == (step.by, step.score):
            return False
        raise WrongState(id=step.quarter, state=f"step {len(done)}", expected=["a step not taken"])
    if any(d.by == step.by for d in done):
        raise SecondPersonNeeded(action="release_holdback", role="bureau")
    session.add(step)
    session.flush()
    return True
