"""A vendor's money: what is on its way month by month, and what is held and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.kernel.clock import Period
from marketplace.orders.models import WorkOrder
from marketplace.orders.states import State
from marketplace.settlement.models import (
    STEPS,
    HeldAnswer,
    SettlementHeld,
    SettlementRun,
    Statement,
    StatementSignature,
)
from marketplace.visits.models import Evidence, Visit
from vendors.models import Caregiver


@dataclass(frozen=True, slots=True)
class MonthSoFar:
    """The running month in fen: confirmed, made and waiting for a word, and held."""

    period: Period
    confirmed: int
    confirmed_fen: int
    waiting: int
    waiting_fen: int
    held: int
    held_fen: int


@dataclass(frozen=True, slots=True)
class StatementView:
    """One closed month in one district, and how far it has come."""

    id: str
    period: str
    district_code: str
    lines: int
    total_fen: int
    payable_fen: int
    own_fen: int
    holdback_fen: int
    step: str


@dataclass(frozen=True, slots=True)
class HeldVisit:
    """A visit whose money is held: the rules that spoke, and what was added since."""

    work_order_id: str
    visit_on: date
    service_zh: str
    service_en: str
    price_fen: int
    caregiver: str | None
    visit_id: str | None
    rules: tuple[str, ...]
    proofs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeftOutOfMonth:
    """A work order that a closing left out, and the vendor's last answer to it."""

    run_id: str
    period: str
    work_order_id: str
    visit_on: date
    service_zh: str
    service_en: str
    price_fen: int
    reason: str
    answer: str | None
    answered_at: datetime | None


def month_so_far(session: Session, vendor_id: str, *, period: Period) -> MonthSoFar:
    """Return the running month: one statement."""

    def part(*states: State) -> tuple[object, object]:
        hit = WorkOrder.state.in_([s.value for s in states])
        return (
            func.sum(case((hit, 1), else_=0)),
            func.sum(case((hit, WorkOrder.price_fen), else_=0)),
        )

    row = session.execute(
        select(
            *part(State.CONFIRMED, State.SETTLED),
            *part(State.DONE),
            *part(State.DISPUTED),
        ).where(
            WorkOrder.vendor_id == vendor_id,
            WorkOrder.visit_on.between(period.first, period.last),
        )
    ).one()
    return MonthSoFar(period, *(int(n or 0) for n in row))


def statements(session: Session, vendor_id: str, *, limit: int = 24) -> list[StatementView]:
    """Return the vendor's statements, the newest first: one statement."""
    last = (
        select(StatementSignature.statement_id, func.max(StatementSignature.number).label("n"))
        .group_by(StatementSignature.statement_id)
        .subquery()
    )
    rows = session.execute(
        select(Statement, last.c.n)
        .outerjoin(last, last.c.statement_id == Statement.id)
        .where(Statement.vendor_id == vendor_id)
        .order_by(Statement.period.desc(), Statement.id)
        .limit(limit)
    )
    return [
        StatementView(
            id=s.id,
            period=s.period,
            district_code=s.district_code,
            lines=s.lines,
            total_fen=s.total_fen,
            payable_fen=s.payable_fen,
            own_fen=s.own_fen,
            holdback_fen=s.holdback_fen,
            step=STEPS[n - 1] if n else "issued",
        )
        for s, n in rows
    ]


def held_visits(session: Session, vendor_id: str, *, limit: int = 50) -> list[HeldVisit]:
    """Return visits that wait for a person's decision, the oldest first: two statements."""
    rows = session.execute(
        select(
            WorkOrder,
            ServiceVersion.name_zh,
            ServiceVersion.name_en,
            Visit.id,
            Visit.findings,
            Caregiver.name,
        )
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .outerjoin(Visit, Visit.work_order_id == WorkOrder.id)
        .outerjoin(Caregiver, Caregiver.id == Visit.caregiver_id)
        .where(WorkOrder.vendor_id == vendor_id, WorkOrder.state == State.DISPUTED)
        .order_by(WorkOrder.visit_on, WorkOrder.id, Visit.id)
        .limit(limit)
    ).all()
    proofs = _proofs(session, [r[3] for r in rows if r[3]])
    found: dict[str, HeldVisit] = {}
    for work, zh, en, visit_id, findings, caregiver in rows:
        rules = tuple(str(f.get("rule", "")) for f in findings or ())
        before = found.get(work.id)
        if before is not None and not rules:
            continue
        # Of two who came the one whom a rule speaks of is named; a proof goes to that visit.
        found[work.id] = HeldVisit(
            work_order_id=work.id,
            visit_on=work.visit_on,
            service_zh=zh,
            service_en=en,
            price_fen=work.price_fen,
            caregiver=caregiver,
            visit_id=visit_id,
            rules=tuple(dict.fromkeys((*(before.rules if before else ()), *rules))),
            proofs=(*(before.proofs if before else ()), *proofs.get(visit_id or "", ())),
        )
    return list(found.values())


def _proofs(session: Session, visit_ids: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for visit_id, note in session.execute(
        select(Evidence.visit_id, Evidence.note)
        .where(Evidence.visit_id.in_(visit_ids), Evidence.kind == "correction")
        .order_by(Evidence.received_at)
    ):
        found.setdefault(visit_id, []).append(note)
    return found


def left_out_of_months(
    session: Session, vendor_id: str, *, limit: int = 50
) -> list[LeftOutOfMonth]:
    """Return what closings left out, the newest month first: two statements."""
    rows = session.execute(
        select(
            SettlementHeld,
            SettlementRun.period,
            WorkOrder.visit_on,
            WorkOrder.price_fen,
            ServiceVersion.name_zh,
            ServiceVersion.name_en,
        )
        .join(SettlementRun, SettlementRun.id == SettlementHeld.run_id)
        .join(WorkOrder, WorkOrder.id == SettlementHeld.work_order_id)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .where(SettlementHeld.vendor_id == vendor_id)
        .order_by(SettlementRun.period.desc(), SettlementHeld.work_order_id)
        .limit(limit)
    ).all()
    answers = {
        (a.run_id, a.work_order_id): a
        for a in session.scalars(
            select(HeldAnswer)
            .where(HeldAnswer.work_order_id.in_([r[0].work_order_id for r in rows]))
            .order_by(HeldAnswer.at)
        )
    }
    found = []
    for held, period, visit_on, price_fen, zh, en in rows:
        answer = answers.get((held.run_id, held.work_order_id))
        found.append(
            LeftOutOfMonth(
                run_id=held.run_id,
                period=period,
                work_order_id=held.work_order_id,
                visit_on=visit_on,
                service_zh=zh,
                service_en=en,
                price_fen=price_fen,
                reason=held.reason,
                answer=answer.text if answer else None,
                answered_at=answer.at if answer else None,
            )
        )
    return found
