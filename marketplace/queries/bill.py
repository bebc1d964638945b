"""An elder's month in money: what the ledger really took, by payer and by kind of service."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from marketplace.kernel.clock import Period
from marketplace.orders.models import WorkOrder
from marketplace.orders.states import State
from marketplace.vouchers.models import LedgerTransfer, PriceShare
from marketplace.vouchers.own_debts import CASH_BACK
from marketplace.vouchers.payouts import OWN_REFUND
from marketplace.vouchers.splits import owed_account

OWN = "OWN"


@dataclass(frozen=True, slots=True)
class PaidBy:
    """What one programme (``OWN``: the elder) paid, in fen."""

    programme_code: str
    fen: int
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class KindLine:
    """One kind of service: how often, what it cost, what of it the elder paid."""

    category_code: str
    times: int
    fen: int
    own_fen: int


@dataclass(frozen=True, slots=True)
class OwnMoney:
    """Own money that changed hands in the month, in fen: at the door, by the family account, and what was
    given back; ``credit_fen`` is what the elder has to the good now."""

    cash_fen: int = 0
    account_fen: int = 0
    returned_fen: int = 0
    credit_fen: int = 0


@dataclass(frozen=True, slots=True)
class Bill:
    """One month. ``fees_fen``: own money kept for late cancellations and shut doors;
    ``corrected``: payments that were taken back; ``waiting``: visits whose money is not taken yet."""

    period: Period
    payers: tuple[PaidBy, ...]
    kinds: tuple[KindLine, ...]
    fees_fen: int
    corrected: int
    waiting: int
    given: OwnMoney

    @property
    def visits(self) -> int:
        """Return how many visits were paid."""
        return sum(k.times for k in self.kinds)

    @property
    def total_fen(self) -> int:
        """Return all that was paid, fees included."""
        return sum(p.fen for p in self.payers) + self.fees_fen

    @property
    def own_fen(self) -> int:
        """Return what the elder paid, fees included."""
        own = sum(p.fen for p in self.payers if p.programme_code == OWN)
        return own + self.fees_fen


def bill(session: Session, elder_id: str, *, period: Period) -> Bill:
    """Return an elder's month as the ledger has it, to the fen: five statements."""
    reversal = aliased(LedgerTransfer)
    rows = session.execute(
        select(
            LedgerTransfer.id,
            LedgerTransfer.unit,
            LedgerTransfer.amount,
            LedgerTransfer.work_order_id,
            PriceShare.programme_code,
            WorkOrder.category_code,
            reversal.id.is_not(None).label("is_reversed"),
        )
        .join(
            PriceShare,
            (PriceShare.pending_id == LedgerTransfer.pending_id)
            | (PriceShare.pending_minutes_id == LedgerTransfer.pending_id),
        )
        .join(WorkOrder, WorkOrder.id == LedgerTransfer.work_order_id)
        .outerjoin(reversal, reversal.reverses_id == LedgerTransfer.id)
        .where(
            LedgerTransfer.kind == "post",
            WorkOrder.elder_id == elder_id,
            WorkOrder.visit_on.between(period.first, period.last),
        )
        .order_by(PriceShare.position, LedgerTransfer.serial)
    ).all()
    fen: dict[str, int] = defaultdict(int)
    minutes: dict[str, int] = defaultdict(int)
    kinds: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    seen: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.is_reversed:
            continue
        if row.unit == "minutes":
            minutes[row.programme_code] += row.amount
            continue
        fen[row.programme_code] += row.amount
        kinds[row.category_code][0] += row.amount
        kinds[row.category_code][1] += row.amount if row.programme_code == OWN else 0
        seen[row.category_code].add(row.work_order_id)
    payers = [PaidBy(code, sum_, minutes[code]) for code, sum_ in fen.items() if code != OWN]
    return Bill(
        period=period,
        payers=(*payers, PaidBy(OWN, fen.get(OWN, 0))),
        kinds=tuple(
            KindLine(code, len(seen[code]), *sums)
            for code, sums in sorted(kinds.items(), key=lambda k: (-len(seen[k[0]]), k[0]))
        ),
        fees_fen=_fees(session, elder_id, period),
        corrected=len({r.work_order_id for r in rows if r.is_reversed}),
        waiting=_waiting(session, elder_id, period),
        given=_given(session, elder_id, period),
    )


def _given(session: Session, elder_id: str, period: Period) -> OwnMoney:
    t, owed = LedgerTransfer, owed_account(elder_id)
    rows = session.execute(
        select(t.code, t.amount, t.period, t.debit_account)
        .where(
            (t.debit_account == owed) | (t.credit_account == owed),
            t.kind.in_(["post", "direct", "reversal"]),
        )
    ).all()  # fmt: skip
    month: dict[str, int] = defaultdict(int)
    for row in rows:
        if row.period == str(period):
            month[row.code] += row.amount
    balance = sum(-r.amount if r.debit_account == owed else r.amount for r in rows)
    return OwnMoney(
        cash_fen=month["cash_at_door"],
        account_fen=month["family_account"],
        returned_fen=month[CASH_BACK] + month[OWN_REFUND],
        credit_fen=max(balance, 0),
    )


def _fees(session: Session, elder_id: str, period: Period) -> int:
    reversal = aliased(LedgerTransfer)
    found = session.scalar(
        select(func.sum(LedgerTransfer.amount))
        .join(WorkOrder, WorkOrder.id == LedgerTransfer.work_order_id)
        .outerjoin(reversal, reversal.reverses_id == LedgerTransfer.id)
        .where(
            LedgerTransfer.code == "fee",
            LedgerTransfer.kind == "direct",
            WorkOrder.elder_id == elder_id,
            WorkOrder.visit_on.between(period.first, period.last),
            reversal.id.is_(None),
        )
    )
    return int(found or 0)


def _waiting(session: Session, elder_id: str, period: Period) -> int:
    return (
        session.scalar(
            select(func.count()).where(
                WorkOrder.elder_id == elder_id,
                WorkOrder.visit_on.between(period.first, period.last),
                WorkOrder.state.in_([State.DONE.value, State.DISPUTED.value]),
            )
        )
        or 0
    )
