"""The month so far: what people said of their visits, and what the vouchers were used for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from marketplace.kernel.actor import Role, Scope
from marketplace.kernel.clock import Period, instant_of
from marketplace.orders.models import WorkOrder, WorkOrderEvent
from marketplace.orders.states import State
from marketplace.queries.reach import work_orders_in
from marketplace.vouchers.models import Entitlement, LedgerAccount

_SPEAKERS = (Role.ELDER, Role.FAMILY, Role.HOTLINE, Role.COMMUNITY)


@dataclass(frozen=True, slots=True)
class Mood:
    """Answers of the month: a confirmation by a person is good, a complaint is bad."""

    answers: int
    bad: int

    @property
    def share(self) -> float:
        """Return the share of good answers; 1 where nobody answered."""
        return 1 - self.bad / self.answers if self.answers else 1.0


@dataclass(frozen=True, slots=True)
class Purse:
    """Vouchers of the month in fen: granted, used or held, left; ``days`` until they lapse."""

    granted_fen: int
    used_fen: int
    days: int

    @property
    def left_fen(self) -> int:
        return self.granted_fen - self.used_fen

    @property
    def share(self) -> float:
        """Return the part that is used or held."""
        return self.used_fen / self.granted_fen if self.granted_fen else 0.0


def mood(session: Session, scope: Scope, *, period: Period) -> Mood:
    """Return what people said this month, the hotline's callers included: one statement."""
    since = instant_of(period.first, 0)
    until = instant_of(period.next().first, 0)
    answers, bad = session.execute(
        select(
            func.count(),
            func.sum(case((WorkOrderEvent.to_state == State.DISPUTED, 1), else_=0)),
        )
        .join(WorkOrder, WorkOrder.id == WorkOrderEvent.work_order_id)
        .where(
            WorkOrderEvent.to_state.in_([State.CONFIRMED, State.DISPUTED]),
            WorkOrderEvent.role.in_(_SPEAKERS),
            WorkOrderEvent.at >= since,
            WorkOrderEvent.at < until,
            work_orders_in(scope),
        )
    ).one()
    return Mood(answers, int(bad or 0))


def purse(session: Session, scope: Scope, *, day: date) -> Purse:
    """Return the month's vouchers in the reader's district: one statement."""
    period = Period.of(day)
    query = (
        select(
            func.sum(LedgerAccount.credits_posted),
            func.sum(LedgerAccount.debits_posted + LedgerAccount.debits_pending),
        )
        .join(Entitlement, Entitlement.account_id == LedgerAccount.id)
        .where(Entitlement.period == str(period), Entitlement.unit == "fen")
    )
    if scope.district_code is not None:
        query = query.where(Entitlement.district_code == scope.district_code)
    elif scope.town_code is not None:
        query = query.where(Entitlement.district_code == scope.town_code[:6])
    granted, used = session.execute(query).one()
    return Purse(int(granted or 0), int(used or 0), (period.last - day).days)
