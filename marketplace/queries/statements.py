"""Statements for screens and print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.kernel.actor import Scope
from marketplace.kernel.clock import Period
from marketplace.kernel.errors import NotFound
from marketplace.orders.models import WorkOrder
from marketplace.queries.people import account_names
from marketplace.settlement import rules, withheld
from marketplace.settlement import service as settlement
from marketplace.settlement.export import CASH_ZH, CashRow, Document, NoticeRow, Signature
from marketplace.settlement.models import (
    STEPS,
    HeldAnswer,
    SettlementHeld,
    SettlementRun,
    Statement,
    StatementSignature,
)
from marketplace.vouchers import changes, payouts, programmes
from marketplace.vouchers.models import LedgerTransfer, PriceSplit
from marketplace.vouchers.own_debts import CASH_BACK
from marketplace.vouchers.programmes import OWN
from marketplace.vouchers.splits import due_account
from vendors.models import Vendor

DISTRICT_NAMES = {
    "321202": "海陵区",
    "321203": "高港区",
    "321204": "姜堰区",
    "321281": "兴化市",
    "321282": "靖江市",
    "321283": "泰兴市",
}


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A statement in a list."""

    statement_id: str
    period: str
    vendor_id: str
    vendor_name: str
    district_code: str
    lines: int
    total_fen: int
    payable_fen: int
    outside_fen: int
    own_fen: int
    holdback_fen: int
    step: str
    sha256: str

    @property
    def public_fen(self) -> int:
        """Return what is not the elders' own money: the bureau's part and that of outside payers."""
        return self.payable_fen + self.outside_fen


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature: the step, who signed by account and by name, and when."""

    step: str
    by: str
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """What a statement comes to, in fen. ``corrected_fen``: what the bureau pays more for visits that
    were taken back before the release (mostly less than nothing); ``own_passed_fen``: families' money
    that the release passed on, or deducted; the cash is of the month."""

    corrected_fen: int
    holdback_fen: int
    paid_fen: int
    own_passed_fen: int
    cash_taken_fen: int
    cash_back_fen: int


@dataclass(frozen=True, slots=True)
class StatementView:
    """One statement as its page shows it: sums by payer, who signed, what it comes to.

    ``names``: the programmes among the payers, in Chinese and English."""

    row: StatementRow
    by_payer: dict[str, int]
    names: dict[str, tuple[str, str]]
    signatures: tuple[Signed, ...]
    settled: Settled
    has_vendor_left: bool


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A work order that a closing held back, with the last answer of its vendor."""

    run_id: str
    work_order_id: str
    visit_on: date
    service_zh: str
    service_en: str
    vendor_id: str | None
    vendor_name: str
    reason: str
    answer: str | None


def statements(
    session: Session, scope: Scope, *, period: str | None = None, limit: int = 200
) -> list[StatementRow]:
    """Return the newest statements that the scope reaches."""
    query = _with_step()
    if period:
        query = query.where(Statement.period == period)
    if not scope.everything:
        if scope.vendor_id:
            query = query.where(Statement.vendor_id == scope.vendor_id)
        if scope.district_code:
            query = query.where(Statement.district_code == scope.district_code)
    rows = session.execute(query.order_by(Statement.period.desc(), Statement.id).limit(limit))
    return [statement_row(s, STEPS[n - 1] if n else "issued") for s, n in rows]


def _with_step() -> Select[tuple[Statement, int]]:
    last = (
        select(StatementSignature.statement_id, func.max(StatementSignature.number).label("n"))
        .group_by(StatementSignature.statement_id)
        .subquery()
    )
    return select(Statement, last.c.n).outerjoin(last, last.c.statement_id == Statement.id)


def statement_row(s: Statement, step: str) -> StatementRow:
    """Return a stored statement as lists show it."""
    return StatementRow(
        statement_id=s.id,
        period=s.period,
        vendor_id=s.vendor_id,
        vendor_name=s.vendor_name,
        district_code=s.district_code,
        lines=s.lines,
        total_fen=s.total_fen,
        payable_fen=s.payable_fen,
        outside_fen=s.outside_fen,
        own_fen=s.own_fen,
        holdback_fen=s.holdback_fen,
        step=step,
        sha256=s.sha256,
    )


def statement(session: Session, statement_id: str, *, for_vendor: bool) -> StatementView:
    """Return one statement for its page: eight statements of SQL. Raises ``NotFound``."""
    row = settlement.statement(session, statement_id)
    signed = settlement.signatures(session, statement_id)
    names = account_names(session, [s.by for s in signed])
    payers = payers_for_vendor if for_vendor else dict
    by_payer = payers(row.by_programme)
    return StatementView(
        row=statement_row(row, signed[-1].step if signed else "issued"),
        by_payer=by_payer,
        names=_programme_names(session, by_payer, Period.parse(row.period).last),
        signatures=tuple(Signed(s.step, s.by, names.get(s.by, s.by), s.at) for s in signed),
        settled=_settled(session, row, _cash(session, row)),
        has_vendor_left=session.get_one(Vendor, row.vendor_id).status == "left",
    )


def _programme_names(
    session: Session, payers: Iterable[str], on: date
) -> dict[str, tuple[str, str]]:
    book = changes.book(session)
    found = {c: book.terms_of(c, on) for c in payers if c not in (OWN, PUBLIC)}
    return {code: (terms.name_zh, terms.name_en) for code, terms in found.items()}


def _settled(session: Session, row: Statement, cash: Sequence[CashRow]) -> Settled:
    correction = withheld.corrections(session, [row.id]).get(row.id)
    corrected = sum(withheld.bureau_parts({}, correction).values())
    holdback = _holdback(row, correction) if correction else row.holdback_fen
    return Settled(
        corrected_fen=corrected,
        holdback_fen=holdback,
        paid_fen=row.payable_fen + corrected - holdback,
        own_passed_fen=_own_passed(session, row),
        cash_taken_fen=sum(c.fen for c in cash if c.code != CASH_BACK),
        cash_back_fen=sum(c.fen for c in cash if c.code == CASH_BACK),
    )


def held_rows(
    session: Session, scope: Scope, *, period: str | None = None, limit: int = 500
) -> list[HeldRow]:
    """Return what closings held back, within the scope."""
    query = (
        select(
            SettlementHeld.run_id,
            SettlementHeld.work_order_id,
            WorkOrder.visit_on,
            ServiceVersion.name_zh,
            ServiceVersion.name_en,
            SettlementHeld.vendor_id,
            func.coalesce(Vendor.name, ""),
            SettlementHeld.reason,
        )
        .join(SettlementRun, SettlementRun.id == SettlementHeld.run_id)
        .join(WorkOrder, WorkOrder.id == SettlementHeld.work_order_id)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .outerjoin(Vendor, Vendor.id == SettlementHeld.vendor_id)
    )
    if period:
        query = query.where(SettlementRun.period == period)
    if not scope.everything:
        if scope.vendor_id:
            query = query.where(SettlementHeld.vendor_id == scope.vendor_id)
        if scope.district_code:
            query = query.where(SettlementRun.district_code == scope.district_code)
    rows = session.execute(
        query.order_by(SettlementHeld.run_id, SettlementHeld.work_order_id).limit(limit)
    ).all()
    answers = _answers(session, [(r.run_id, r.work_order_id) for r in rows])
    return [HeldRow(*r, answer=answers.get((r.run_id, r.work_order_id))) for r in rows]


def _answers(session: Session, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    ids = [work_order_id for _, work_order_id in keys]
    rows = session.scalars(
        select(HeldAnswer).where(HeldAnswer.work_order_id.in_(ids)).order_by(HeldAnswer.at)
    )
    return {(r.run_id, r.work_order_id): r.text for r in rows}


PUBLIC = "government"
"""Every payer but the elder, as a vendor sees them."""


def payers_for_vendor(by_programme: Mapping[str, int]) -> dict[str, int]:
    """Return fen by who pays, the government or the elder: a programme tells of income and ability."""
    own = by_programme.get(OWN, 0)
    rest = sum(by_programme.values()) - own
    return {code: fen for code, fen in ((PUBLIC, rest), (OWN, own)) if fen}


def document(session: Session, statement_id: str, *, for_vendor: bool = False) -> Document:
    """Return a statement with everything that is printed; raises ``NotFound``.

    ``for_vendor``: the copy that a vendor may hold, which names no programme.
    """
    row = settlement.statement(session, statement_id)
    run = session.get(SettlementRun, row.run_id)
    if run is None:
        raise NotFound(kind="settlement_run", id=row.run_id)
    lines = settlement.lines_of(session, statement_id)
    payers = payers_for_vendor if for_vendor else dict
    lines = [replace(line, by_programme=payers(line.by_programme)) for line in lines]
    signed = settlement.signatures(session, statement_id)
    names_of = account_names(session, [s.by for s in signed])
    cash = _cash(session, row)
    settled = _settled(session, row, cash)
    codes = {c for line in lines for c in line.by_programme}
    named = _programme_names(session, codes, run.closed_at.date())
    names = {c: zh for c, (zh, _en) in named.items()} | {OWN: "自付", PUBLIC: "财政支付"}
    return Document(
        statement_id=row.id,
        period=row.period,
        vendor_id=row.vendor_id,
        vendor_name=row.vendor_name,
        district_code=row.district_code,
        district_name=DISTRICT_NAMES.get(row.district_code, row.district_code),
        closed_at=run.closed_at,
        total_fen=row.total_fen,
        payable_fen=row.payable_fen,
        outside_fen=row.outside_fen,
        own_fen=row.own_fen,
        holdback_fen=settled.holdback_fen,
        by_programme=payers(row.by_programme),
        sha256=row.sha256,
        lines=lines,
        service_names=_service_names(session, sorted({line.service_code for line in lines})),
        programme_names=names,
        for_vendor=for_vendor,
        signatures=[Signature(s.step, names_of.get(s.by, s.by), s.at) for s in signed],
        withheld=withheld.lines(session, statement_id),
        corrected_fen=settled.corrected_fen,
        cash=cash,
        own_passed_fen=settled.own_passed_fen,
    )


def _cash(session: Session, row: Statement) -> list[CashRow]:
    """Return the cash that a vendor took and handed back in a statement's month and district."""
    t, due = LedgerTransfer, due_account(row.vendor_id, OWN)
    found = session.execute(
        select(t.at, t.code, t.work_order_id, PriceSplit.elder_id, t.amount)
        .join(PriceSplit, PriceSplit.work_order_id == t.work_order_id)
        .where(
            (t.debit_account == due) | (t.credit_account == due),
            t.code.in_(CASH_ZH),
            t.period == row.period,
            PriceSplit.district_code == row.district_code,
        )
        .order_by(t.serial)
    )
    return [CashRow(r.at, r.code, r.work_order_id, r.elder_id, r.amount) for r in found]


def _own_passed(session: Session, row: Statement) -> int:
    """Return what the release of a statement passed on of own money, or deducted of it."""
    paid = payouts.paid_out(session, {row.id: [OWN]}).get(row.id)
    return paid.by_programme.get(OWN, 0) if paid else 0


def _holdback(row: Statement, correction: Mapping[str, int]) -> int:
    """Return the holdback of what is paid of a statement."""
    percent = programmes.settings_on(Period.parse(row.period).last).holdback_percent
    parts = withheld.bureau_parts(row.by_programme, correction)
    return sum(rules.holdback_of(fen, percent) for fen in parts.values())


def notice(session: Session, period: str) -> list[NoticeRow]:
    """Return a month's statements as they are made public, by district and vendor."""
    everything = Scope(everything=True)
    rows = statements(session, everything, period=period, limit=100_000)
    return [
        NoticeRow(
            district_name=DISTRICT_NAMES.get(r.district_code, r.district_code),
            vendor_name=r.vendor_name,
            statement_id=r.statement_id,
            visits=r.lines,
            total_fen=r.total_fen,
            payable_fen=r.payable_fen,
            step=r.step,
            sha256=r.sha256,
        )
        for r in sorted(rows, key=lambda r: (r.district_code, r.vendor_id))
    ]


def _service_names(session: Session, codes: Sequence[str]) -> dict[str, str]:
    # The first version's name: a later change of the catalogue must not change an old sheet.
    rows = session.execute(
        select(ServiceVersion.service_code, ServiceVersion.name_zh)
        .where(ServiceVersion.service_code.in_(codes))
        .order_by(ServiceVersion.valid_from.desc())
    )
    return {row[0]: row[1] for row in rows}


def statement_ids(session: Session, period: str) -> list[str]:
    """Return the numbers of a month's statements."""
    return list(
        session.scalars(
            select(Statement.id).where(Statement.period == period).order_by(Statement.id)
        )
    )
