"""A quarter's quality holdback: scored by one person, paid or kept by a second."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import Period, today
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import BadInput, NotFound, WrongState
from marketplace.kernel.ports import Ports
from marketplace.settlement import checks, rules
from marketplace.settlement import service as settlement
from marketplace.settlement.models import HoldbackStep
from marketplace.vouchers import payouts, programmes
from marketplace.vouchers.payouts import HoldbackPart
from marketplace.workflows.policy import About, Action, require
from marketplace.workflows.vendor_debts import set_off
from marketplace.workflows.vendor_standing import Carried, carried


@dataclass(frozen=True, slots=True)
class Holdback:
    """A vendor's quarter: what was held back, what the score pays and what it keeps (fen)."""

    quarter: str
    vendor_id: str
    district_code: str
    score: int
    percent: int
    held_fen: int
    paid_fen: int
    kept_fen: int
    is_released: bool


def score_holdback(
    session: Session,
    ports: Ports,
    actor: Actor,
    *,
    quarter: str,
    vendor_id: str,
    district_code: str,
    score: int,
    reason: str,
) -> Holdback:
    """Score a vendor's quarter, 0 to 100 with its reason; nothing is paid yet.

    The quarter must be over, its months closed and the vendor's statements of them released.
    """
    year = re.fullmatch(r"(\d{4})Q([1-4])", quarter)
    if year is None:
        raise BadInput(field="quarter", value=quarter, expected="such as 2026Q4")
    if not 0 <= score <= 100:
        raise BadInput(field="score", value=score, expected="0 to 100")
    if not reason.strip():
        raise BadInput(field="reason", value=reason, expected="where the score comes from")
    last = Period(int(year[1]), 3 * int(year[2])).last
    with transaction(session):
        require(actor, Action.APPROVE_STATEMENT, _about(quarter, district_code))
        if today(ports.clock) <= last:
            raise WrongState(id=quarter, state="running", expected=[f"after {last.isoformat()}"])
        missing = checks.months_open(session, quarter, vendor_id, district_code)
        if missing:
            # What is paid after the score would be held back for ever.
            raise WrongState(
                id=quarter,
                state=f"open: {', '.join(missing)}",
                expected=["every month closed, every statement released"],
            )
        terms = programmes.settings_on(last)
        percent = rules.percent_of_score(score, terms.holdback_steps)
        stands = carried(session, vendor_id, district_code)
        parts = _parts(stands, quarter, percent)
        return _take(session, ports, actor, quarter, stands, parts,
                     number=1, score=score, percent=percent, reason=reason)  # fmt: skip


def release_holdback(
    session: Session,
    ports: Ports,
    actor: Actor,
    *,
    quarter: str,
    vendor_id: str,
    district_code: str,
) -> Holdback:
    """Pay what the score earned and give the rest back to the budgets; only a second person may.

    Repeating it changes nothing. Raises ``WrongState`` before the score, or where a statement of the
    quarter was paid since.
    """
    with transaction(session):
        require(actor, Action.APPROVE_STATEMENT, _about(quarter, district_code))
        done = checks.holdback_steps(session, quarter, vendor_id, district_code)
        if not done:
            raise WrongState(id=quarter, state="not scored", expected=["scored"])
        first = done[0]
        # Before any balance moves: a release of the same vendor waits.
        stands = carried(session, vendor_id, district_code, lock=True)
        parts = _parts(stands, quarter, first.percent)
        if len(done) == 1 and _sums(parts) != (first.paid_fen, first.kept_fen):
            raise WrongState(id=quarter, state="statements were paid since", expected=["scored"])
        return _take(session, ports, actor, quarter, stands, parts,
                     number=2, score=first.score, percent=first.percent, reason="")  # fmt: skip


def _about(quarter: str, district_code: str) -> About:
    return About(kind="holdback", id=quarter, district_code=district_code)


def _parts(stands: Carried, quarter: str, percent: int) -> list[HoldbackPart]:
    """Return what each paid statement held back of each payer, and what of it is paid now. Pure.

    The books say it: a part less what was paid of it. What waits for a better month held nothing back.
    """
    parts = []
    for statement_id, paid in stands.paid.items():
        period = stands.periods[statement_id]
        if rules.quarter_of(period) != quarter:
            continue
        for code, fen in stands.due[statement_id].items():
            held = fen - paid.by_programme.get(code, 0)
            if held:
                parts.append(HoldbackPart(statement_id, period, code, held, held * percent // 100))
    return parts


def _set_off(
    session: Session,
    actor: Actor,
    stands: Carried,
    paid_fen: int,
    named: str,
    at: datetime,
) -> int:
    """Keep of a holdback that is paid what the vendor owes the bank; return it."""
    fen = min(paid_fen, stands.debt_fen)
    if fen:
        set_off(session, actor, stands, fen=fen, reason=f"holdback {named}", at=at)
    return fen


def _sums(parts: list[HoldbackPart]) -> tuple[int, int]:
    paid = sum(p.paid_fen for p in parts)
    return paid, sum(p.held_fen for p in parts) - paid


def _take(
    session: Session,
    ports: Ports,
    actor: Actor,
    quarter: str,
    stands: Carried,
    parts: list[HoldbackPart],
    *,
    number: int,
    score: int,
    percent: int,
    reason: str,
) -> Holdback:
    vendor_id, district_code = stands.vendor_id, stands.district_code
    if not parts:
        raise NotFound(kind="holdback", id=f"{quarter}/{vendor_id}")
    at = ports.clock.now()
    named = settlement.holdback_id(quarter, district_code, vendor_id)
    paid, kept = _sums(parts)
    step = HoldbackStep(
        quarter=quarter,
        vendor_id=vendor_id,
        district_code=district_code,
        number=number,
        previous=number - 1 or None,
        score=score,
        percent=percent,
        paid_fen=paid,
        kept_fen=kept,
        reason=reason[:200],
        at=at,
        by=actor.user_id,
    )
    if checks.take_holdback_step(session, step):
        if number == 2:
            payouts.settle_holdback(
                session,
                quarter=quarter,
                vendor_id=vendor_id,
                district_code=district_code,
                parts=parts,
                period=str(Period.of(today(ports.clock))),
                at=at,
            )
            kept_off = _set_off(session, actor, stands, paid, named, at)
            outbox.post(
                session,
                due_at=at,
                channel="screen",
                recipient_kind="vendor",
                recipient_id=vendor_id,
                template="holdback.released",
                about=named,
                fen=paid - kept_off,
            )
        audit.record(
            session,
            at=at,
            actor=actor,
            action="score_holdback" if number == 1 else "release_holdback",
            subject_kind="holdback",
            subject_id=named,
            reason=reason[:200] or None,
            score=score,
            percent=percent,
            paid_fen=paid,
            kept_fen=kept,
        )
    done = checks.holdback_steps(session, quarter, vendor_id, district_code)
    last = done[-1]
    return Holdback(
        quarter,
        vendor_id,
        district_code,
        last.score,
        last.percent,
        last.paid_fen + last.kept_fen,
        last.paid_fen,
        last.kept_fen,
        is_released=len(done) == 2,
    )
