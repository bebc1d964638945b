"""What came into an elder's purses and what went out of them, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Row, or_, select
from sqlalchemy.orm import Session, aliased

from marketplace.catalogue.models import ServiceVersion
from marketplace.orders.models import WorkOrder
from marketplace.vouchers.models import Entitlement, LedgerTransfer

KEPT = timedelta(days=366)
"""How long after its end a purse is still told of."""

_IN = {"top_up": "own_money", "gift": "gift", "day_over": "given_back", "return": "given_back"}
_OUT = {"gift": "given_away", "lapse": "lapsed", "day": "for_a_day"}


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement: ``amount`` in fen or minutes, less than nothing where it left the purse.

    ``what``: granted, own_money, gift, given_back, used, held, lapsed, given_away, for_a_day, other.
    The sum of a purse's movements is what is left in it. The visit's fields where there is one.
    """

    at: datetime
    account_id: str
    programme_code: str
    period: str
    unit: str
    amount: int
    what: str
    work_order_id: str | None
    visit_on: date | None
    service_zh: str | None
    service_en: str | None


def movements(session: Session, elder_id: str, on: date, *, limit: int = 200) -> list[Movement]:
    """Return what moved in the purses that ended less than a year ago or have not: one statement."""
    e, t = Entitlement, LedgerTransfer
    ends = aliased(LedgerTransfer)
    rows = session.execute(
        select(
            t.at,
            t.kind,
            t.code,
            t.amount,
            t.work_order_id,
            (t.credit_account == e.account_id).label("came"),
            e.account_id,
            e.programme_code,
            e.period,
            e.unit,
            WorkOrder.visit_on,
            ServiceVersion.name_zh,
            ServiceVersion.name_en,
        )
        .join(t, or_(t.credit_account == e.account_id, t.debit_account == e.account_id))
        .outerjoin(ends, ends.pending_id == t.id)
        .outerjoin(WorkOrder, WorkOrder.id == t.work_order_id)
        .outerjoin(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .where(
            e.elder_id == elder_id,
            e.ends_on >= on - KEPT,
            # A hold counts until it is resolved; what resolves it without a payment is no movement.
            or_(
                t.kind.in_(["post", "direct", "reversal"]),
                ends.id.is_(None) & (t.kind == "pending"),
            ),
        )
        .order_by(t.serial.desc())
        .limit(limit)
    )
    return [_movement(row) for row in rows]


def _movement(row: Row[tuple[object, ...]]) -> Movement:
    return Movement(
        at=row.at,
        account_id=row.account_id,
        programme_code=row.programme_code,
        period=row.period,
        unit=row.unit,
        amount=row.amount if row.came else -row.amount,
        what=_what(row.kind, row.code, came=row.came),
        work_order_id=row.work_order_id,
        visit_on=row.visit_on,
        service_zh=row.name_zh,
        service_en=row.name_en,
    )


def _what(kind: str, code: str, *, came: bool) -> str:
    if kind == "pending":
        return "held"
    if kind == "post":
        return "used"
    if came:
        return "given_back" if kind == "reversal" else _IN.get(code, "granted")
    return _OUT.get(code, "other")
