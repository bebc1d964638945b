"""Walk any fen back: statement, its line, the split, the ledger's entries, the visit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.kernel.actor import Scope
from marketplace.orders.models import WorkOrder
from marketplace.queries.reach import work_orders_in
from marketplace.queries.statements import StatementRow, statement_row
from marketplace.settlement.models import Statement, StatementLine, WithheldLine
from marketplace.visits.models import Visit
from marketplace.vouchers.models import (
    LedgerSeal,
    LedgerTransfer,
    PriceShare,
    PriceSplit,
    Redemption,
)

PAGE = 50


@dataclass(frozen=True, slots=True)
class LineView:
    """One line of a statement."""

    statement_id: str
    number: int
    kind: str
    work_order_id: str
    visit_on: date
    service_zh: str
    service_en: str
    total_fen: int
    by_programme: dict[str, int]
    is_withheld: bool = False


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One movement of money or minutes: when, what, from where, to where."""

    serial: int
    at: datetime
    kind: str
    unit: str
    debit: str
    credit: str
    amount: int
    period: str
    sealed: bool


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was computed again just now; ``holds`` is the verdict, ``figure`` what was found."""

    code: str
    holds: bool
    figure: int


@dataclass(frozen=True, slots=True)
class Trace:
    """What stands behind a work order's money, and what was checked again."""

    line: LineView | None
    statement: StatementRow | None
    entries: list[EntryLine]
    checks: list[Check]
    seal_sha256: str | None


@dataclass(frozen=True, slots=True)
class MoneyLine:
    """A work order whose money was taken, for the list from which a fen is picked."""

    work_order_id: str
    visit_on: date
    service_zh: str
    service_en: str
    price_fen: int
    state: str


def statement_lines(session: Session, statement_id: str, *, offset: int = 0) -> list[LineView]:
    """Return a page of a statement's lines: one statement of SQL. Who asks has been let in."""
    rows = session.execute(
        select(
            StatementLine,
            ServiceVersion.name_zh,
            ServiceVersion.name_en,
            WithheldLine.number.is_not(None),
        )
        .join(WorkOrder, WorkOrder.id == StatementLine.work_order_id)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .outerjoin(
            WithheldLine,
            (WithheldLine.statement_id == StatementLine.statement_id)
            & (WithheldLine.number == StatementLine.number),
        )
        .where(StatementLine.statement_id == statement_id)
        .order_by(StatementLine.number)
        .offset(offset)
        .limit(PAGE)
    )
    return [_line(*row) for row in rows]


def _line(line: StatementLine, zh: str, en: str, is_withheld: bool = False) -> LineView:
    return LineView(
        statement_id=line.statement_id,
        number=line.number,
        kind=line.kind,
        work_order_id=line.work_order_id,
        visit_on=line.visit_on,
        service_zh=zh,
        service_en=en,
        total_fen=line.total_fen,
        by_programme=dict(line.by_programme),
        is_withheld=bool(is_withheld),
    )


def latest_money(session: Session, scope: Scope, *, limit: int = 30) -> list[MoneyLine]:
    """Return the work orders whose price was shared last, taken ones first: one statement of SQL."""
    rows = session.execute(
        select(
            WorkOrder.id,
            WorkOrder.visit_on,
            ServiceVersion.name_zh,
            ServiceVersion.name_en,
            PriceSplit.price_fen,
            PriceSplit.state,
        )
        .join(PriceSplit, PriceSplit.work_order_id == WorkOrder.id)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .where(work_orders_in(scope))
        .order_by((PriceSplit.state == "captured").desc(), PriceSplit.at.desc(), WorkOrder.id)
        .limit(limit)
    )
    return [MoneyLine(*row) for row in rows]


def trace(session: Session, work_order_id: str) -> Trace:
    """Return what stands behind a work order's money, checked again now: seven statements of SQL."""
    found = session.execute(
        select(StatementLine, ServiceVersion.name_zh, ServiceVersion.name_en, Statement)
        .join(WorkOrder, WorkOrder.id == StatementLine.work_order_id)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .join(Statement, Statement.id == StatementLine.statement_id)
        .where(StatementLine.work_order_id == work_order_id)
        .order_by(StatementLine.kind.desc())
        .limit(1)
    ).first()
    entries = list(
        session.scalars(
            select(LedgerTransfer)
            .where(LedgerTransfer.work_order_id == work_order_id)
            .order_by(LedgerTransfer.serial)
        )
    )
    last = max((e.serial for e in entries), default=0)
    seal = session.scalars(
        select(LedgerSeal)
        .where(LedgerSeal.from_serial <= last, LedgerSeal.to_serial >= last)
        .limit(1)
    ).first()
    sealed_to = session.scalar(select(func.max(LedgerSeal.to_serial))) or 0
    return Trace(
        line=_line(*found[:3]) if found else None,
        statement=statement_row(found[3], "") if found else None,
        entries=[
            EntryLine(
                serial=e.serial,
                at=e.at,
                kind=e.kind,
                unit=e.unit,
                debit=e.debit_account,
                credit=e.credit_account,
                amount=e.amount,
                period=e.period,
                sealed=e.serial <= sealed_to,
            )
            for e in entries
        ],
        checks=_checks(session, work_order_id, entries, found[0] if found else None),
        seal_sha256=seal.sha256 if seal else None,
    )


def _checks(
    session: Session,
    work_order_id: str,
    entries: list[LedgerTransfer],
    line: StatementLine | None,
) -> list[Check]:
    split = session.get(PriceSplit, work_order_id)
    if split is None:
        return []
    shared = session.scalar(
        select(func.sum(PriceShare.fen)).where(
            PriceShare.work_order_id == work_order_id, PriceShare.revision == split.revision
        )
    )
    posted = sum(e.amount for e in entries if e.kind == "post" and e.unit == "fen")
    reversed_fen = sum(e.amount for e in entries if e.kind == "reversal" and e.unit == "fen")
    resolved = [e.pending_id for e in entries if e.pending_id is not None]
    checks = [
        Check("shares_make_the_price", int(shared or 0) == split.price_fen, int(shared or 0)),
        Check("resolved_once", len(resolved) == len(set(resolved)), len(resolved)),
        Check("not_more_than_the_price", posted - reversed_fen <= split.price_fen, posted),
    ]
    if line is not None:
        parts = sum(line.by_programme.values())
        checks.append(Check("line_adds_up", parts == line.total_fen, parts))
    return [*checks, Check("no_overlap", *_overlaps(session, work_order_id))]


def _overlaps(session: Session, work_order_id: str) -> tuple[bool, int]:
    """Say whether the caregivers were nowhere else meanwhile; how many visits of the day were compared."""
    mine = list(session.scalars(select(Visit).where(Visit.work_order_id == work_order_id)))
    if not mine:
        return True, 0
    others = list(
        session.scalars(
            select(Visit).where(
                Visit.caregiver_id.in_({v.caregiver_id for v in mine}),
                Visit.visit_on == mine[0].visit_on,
                Visit.work_order_id != work_order_id,
            )
        )
    )
    clash = any(
        o.caregiver_id == v.caregiver_id
        and o.check_out_at is not None
        and v.check_out_at is not None
        and o.check_in_at < v.check_out_at
        and v.check_in_at < o.check_out_at
        for v in mine
        for o in others
    )
    return not clash, len(others)


def pick_fen(session: Session, scope: Scope, *, lot: float) -> str | None:
    """Return the work order in which one fen of all that was redeemed lies; ``lot`` is 0 to 1.

    Each fen is as likely as any other, so that a large sum is looked at more often than a small one.
    """
    query = (
        select(Redemption.work_order_id, Redemption.price_fen)
        .join(WorkOrder, WorkOrder.id == Redemption.work_order_id)
        .where(work_orders_in(scope))
        .order_by(Redemption.work_order_id)
    ).subquery()
    total = session.scalar(select(func.sum(query.c.price_fen))) or 0
    if not total:
        return None
    wanted = min(int(lot * int(total)), int(total) - 1)
    running = select(
        query.c.work_order_id,
        func.sum(query.c.price_fen).over(order_by=query.c.work_order_id).label("up_to"),
    ).subquery()
    return session.scalar(
        select(running.c.work_order_id)
        .where(running.c.up_to > wanted)
        .order_by(running.c.up_to)
        .limit(1)
    )
