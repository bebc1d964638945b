"""Who is left behind: never served though entitled, waiting longest; and how the vendors do."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, case, exists, func, select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.elders.models import Assessment, Elder
from marketplace.kernel.actor import Scope
from marketplace.kernel.audit import AuditEvent
from marketplace.kernel.clock import Period, instant_of, second_of
from marketplace.orders.models import WorkOrder, WorkOrderEvent
from marketplace.orders.states import State
from marketplace.queries.reach import elders_in, work_orders_in
from marketplace.queries.today import FINISHED, GONE
from marketplace.visits.models import Correction, Visit
from marketplace.vouchers.models import Entitlement, LedgerAccount
from vendors.models import JobOffer, Vendor

UNSERVED = (State.POOLED.value, State.OFFERED.value, State.ACCEPTED.value)


@dataclass(frozen=True, slots=True)
class NeverServed:
    """A district's elders who hold a grant this month, and how many of them nobody ever visited."""

    district_code: str
    entitled: int
    never: int


@dataclass(frozen=True, slots=True)
class ElderLine:
    """An elder in a list of civil affairs."""

    id: str
    name: str
    born_on: date
    lives_alone: bool
    district_code: str
    town_code: str | None


@dataclass(frozen=True, slots=True)
class WaitLine:
    """An order that waits for somebody, and since when."""

    work_order_id: str
    since: datetime
    visit_on: date
    state: str
    service_zh: str
    service_en: str
    district_code: str


def _granted(period: Period) -> ColumnElement[bool]:
    """Return the condition that an elder holds a grant of a month.

    A list, not a question asked again for each elder: that would read the whole month every time
    where the database takes the index by month.
    """
    held = select(Entitlement.elder_id).where(Entitlement.period == str(period))
    return Elder.id.in_(held)


def never_served(session: Session, scope: Scope, *, period: Period) -> list[NeverServed]:
    """Return by district who holds a grant and was never visited: one statement."""
    visited = exists().where(Visit.elder_id == Elder.id)
    rows = session.execute(
        select(Elder.district_code, func.count(), func.sum(case((visited, 0), else_=1)))
        .where(Elder.status == "active", _granted(period), elders_in(scope))
        .group_by(Elder.district_code)
        .order_by(Elder.district_code)
    )
    return [NeverServed(code, n, int(never or 0)) for code, n, never in rows]


def never_served_elders(
    session: Session, scope: Scope, *, period: Period, limit: int = 12
) -> list[ElderLine]:
    """Return the oldest who hold a grant, live alone first, and were never visited: one statement."""
    rows = session.scalars(
        select(Elder)
        .where(
            Elder.status == "active",
            _granted(period),
            ~exists().where(Visit.elder_id == Elder.id),
            elders_in(scope),
        )
        .order_by(Elder.lives_alone.desc(), Elder.born_on, Elder.id)
        .limit(limit)
    )
    return [
        ElderLine(e.id, e.name, e.born_on, e.lives_alone, e.district_code, e.town_code)
        for e in rows
    ]


def waits_longest(session: Session, scope: Scope, *, limit: int = 12) -> list[WaitLine]:
    """Return the orders that wait for somebody since the longest: one statement."""
    rows = session.execute(
        select(WorkOrder, ServiceVersion.name_zh, ServiceVersion.name_en)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .where(WorkOrder.state.in_(UNSERVED), work_orders_in(scope))
        .order_by(WorkOrder.created_at, WorkOrder.id)
        .limit(limit)
    )
    return [
        WaitLine(w.id, w.created_at, w.visit_on, w.state, zh, en, w.district_code)
        for w, zh, en in rows
    ]


@dataclass(frozen=True, slots=True)
class LeagueLine:
    """One vendor's month. Shares are 0 to 1, ``None`` where there was nothing to measure."""

    vendor_id: str
    name: str
    orders: int
    finished: int
    on_time: float | None
    satisfied: float | None
    declined: float | None
    no_shows: int
    credit: int


def league(session: Session, scope: Scope, *, period: Period) -> list[LeagueLine]:
    """Return the vendors by the share of visits that began in time: five statements."""
    in_month = WorkOrder.visit_on.between(period.first, period.last)
    counted = session.execute(
        select(
            Vendor.id,
            Vendor.name,
            Vendor.credit,
            func.count(),
            func.sum(case((WorkOrder.state.in_([s.value for s in FINISHED]), 1), else_=0)),
        )
        .join(WorkOrder, WorkOrder.vendor_id == Vendor.id)
        .where(in_month, WorkOrder.state.not_in([s.value for s in GONE]), work_orders_in(scope))
        .group_by(Vendor.id, Vendor.name, Vendor.credit)
    ).all()
    begun, punctual = _punctual(session, scope, period)
    good, bad = _said(session, scope, period)
    missed = _missed(session, period)
    offered, declined = _offers(session, period)
    lines = [
        LeagueLine(
            vendor_id=vendor_id,
            name=name,
            orders=orders,
            finished=int(finished or 0),
            on_time=punctual[vendor_id] / begun[vendor_id] if begun[vendor_id] else None,
            satisfied=good[vendor_id] / (good[vendor_id] + bad[vendor_id])
            if good[vendor_id] + bad[vendor_id]
            else None,
            declined=declined[vendor_id] / offered[vendor_id] if offered[vendor_id] else None,
            no_shows=missed[vendor_id],
            credit=credit,
        )
        for vendor_id, name, credit, orders, finished in counted
    ]
    return sorted(lines, key=lambda v: (-(v.on_time if v.on_time is not None else -1), v.name))


def _punctual(
    session: Session, scope: Scope, period: Period
) -> tuple[dict[str, int], dict[str, int]]:
    begun: dict[str, int] = defaultdict(int)
    punctual: dict[str, int] = defaultdict(int)
    rows = session.execute(
        select(WorkOrder.vendor_id, WorkOrder.visit_on, WorkOrder.window_end_s, Visit.check_in_at)
        .join(Visit, Visit.work_order_id == WorkOrder.id)
        .where(WorkOrder.visit_on.between(period.first, period.last), work_orders_in(scope))
    )
    for vendor_id, on, until_s, at in rows:
        begun[vendor_id] += 1
        punctual[vendor_id] += second_of(on, at) <= until_s
    return begun, punctual


def _said(session: Session, scope: Scope, period: Period) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many visits people confirmed and disputed, by vendor."""
    tallies: dict[str, dict[str, int]] = {
        state: defaultdict(int) for state in (State.CONFIRMED.value, State.DISPUTED.value)
    }
    rows = session.execute(
        select(WorkOrder.vendor_id, WorkOrderEvent.to_state, func.count())
        .join(WorkOrder, WorkOrder.id == WorkOrderEvent.work_order_id)
        .where(
            WorkOrderEvent.to_state.in_(list(tallies)),
            WorkOrderEvent.role != "system",
            WorkOrderEvent.at >= instant_of(period.first, 0),
            WorkOrderEvent.at < instant_of(period.next().first, 0),
            work_orders_in(scope),
        )
        .group_by(WorkOrder.vendor_id, WorkOrderEvent.to_state)
    )
    for vendor_id, state, count in rows:
        tallies[state][vendor_id] += count
    return tallies[State.CONFIRMED.value], tallies[State.DISPUTED.value]


def _missed(session: Session, period: Period) -> dict[str, int]:
    """Return to how many visits nobody of a vendor came.

    Such a work order goes on to another vendor, so that only the trail still names the one who failed.
    """
    missed: dict[str, int] = defaultdict(int)
    for facts in session.scalars(
        select(AuditEvent.facts).where(
            AuditEvent.action == "report_no_show",
            AuditEvent.at >= instant_of(period.first, 0),
            AuditEvent.at < instant_of(period.next().first, 0),
        )
    ):
        missed[facts.get("vendor_id", "")] += 1
    return missed


def _offers(session: Session, period: Period) -> tuple[dict[str, int], dict[str, int]]:
    offered: dict[str, int] = defaultdict(int)
    declined: dict[str, int] = defaultdict(int)
    for vendor_id, state, count in session.execute(
        select(JobOffer.vendor_id, JobOffer.state, func.count())
        .where(
            JobOffer.offered_at >= instant_of(period.first, 0),
            JobOffer.offered_at < instant_of(period.next().first, 0),
        )
        .group_by(JobOffer.vendor_id, JobOffer.state)
    ):
        offered[vendor_id] += count
        if state in ("declined", "expired"):
            declined[vendor_id] += count
    return offered, declined


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One programme's budget of a year: appropriated, granted or held, left, in fen."""

    programme_code: str
    budget_fen: int
    used_fen: int

    @property
    def share(self) -> float:
        """Return the part that is used."""
        return self.used_fen / self.budget_fen if self.budget_fen else 0.0


def budgets(session: Session, scope: Scope, *, year: int) -> list[BudgetLine]:
    """Return the budgets of the reader's area by programme: one statement."""
    query = (
        select(
            LedgerAccount.programme_code,
            func.sum(LedgerAccount.credits_posted),
            func.sum(LedgerAccount.debits_posted + LedgerAccount.debits_pending),
        )
        .where(LedgerAccount.id.like(f"budget:%:{year}"))
        .group_by(LedgerAccount.programme_code)
        .order_by(LedgerAccount.programme_code)
    )
    district = scope.district_code or (scope.town_code or "")[:6]
    if district:
        query = query.where(LedgerAccount.district_code == district)
    return [
        BudgetLine(code, int(have or 0), int(used or 0))
        for code, have, used in session.execute(query)
    ]


@dataclass(frozen=True, slots=True)
class CaseLine:
    """An elder whose rights wait for a fact: no assessment in force, or one that ends soon."""

    elder: ElderLine
    assessed_until: date | None


def cases(
    session: Session, scope: Scope, *, on: date, soon: date, limit: int = 25, offset: int = 0
) -> list[CaseLine]:
    """Return who needs an assessment, those without any and the oldest first: one statement."""
    until = (
        select(func.max(Assessment.valid_until))
        .where(Assessment.elder_id == Elder.id, Assessment.assessed_on <= on)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Elder, until.label("until"))
        .where(
            Elder.status == "active",
            func.coalesce(until, date(1900, 1, 1)) <= soon,
            elders_in(scope),
        )
        .order_by(func.coalesce(until, date(1900, 1, 1)), Elder.born_on, Elder.id)
        .offset(offset)
        .limit(limit)
    )
    return [
        CaseLine(
            ElderLine(e.id, e.name, e.born_on, e.lives_alone, e.district_code, e.town_code), ends
        )
        for e, ends in rows
    ]


@dataclass(frozen=True, slots=True)
class CorrectionLine:
    """A caregiver's correction that waits: what was recorded, what is said, and why."""

    id: str
    work_order_id: str
    visit_on: date
    service_zh: str
    service_en: str
    was_in_at: datetime
    was_out_at: datetime | None
    says_in_at: datetime
    says_out_at: datetime
    reason: str


def corrections(session: Session, scope: Scope, *, limit: int = 25) -> list[CorrectionLine]:
    """Return the corrections that wait for a decision, the oldest first: one statement."""
    rows = session.execute(
        select(Correction, WorkOrder.visit_on, ServiceVersion.name_zh, ServiceVersion.name_en)
        .join(WorkOrder, WorkOrder.id == Correction.work_order_id)
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .where(Correction.state == "asked", work_orders_in(scope))
        .order_by(Correction.asked_at)
        .limit(limit)
    )
    return [
        CorrectionLine(
            c.id, c.work_order_id, on, zh, en,
            c.was_in_at, c.was_out_at, c.says_in_at, c.says_out_at, c.reason,
        )
        for c, on, zh, en in rows
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class DisputeLine:
    """A visit whose money is held until a person decides."""

    work_order_id: str
    visit_on: date
    service_zh: str
    service_en: str
    vendor: str | None
    price_fen: int
    standard_min: int
    reason: str
    since: datetime


def disputes(session: Session, scope: Scope, *, limit: int = 25) -> list[DisputeLine]:
    """Return the visits that wait for a decision, the longest held first: one statement."""
    last = (
        select(func.max(WorkOrderEvent.id))
        .where(
            WorkOrderEvent.work_order_id == WorkOrder.id,
            WorkOrderEvent.to_state == State.DISPUTED.value,
        )
        .correlate(WorkOrder)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            WorkOrder, ServiceVersion.name_zh, ServiceVersion.name_en, Vendor.name, WorkOrderEvent
        )
        .join(ServiceVersion, ServiceVersion.id == WorkOrder.service_version_id)
        .join(WorkOrderEvent, WorkOrderEvent.id == last)
        .outerjoin(Vendor, Vendor.id == WorkOrder.vendor_id)
        .where(WorkOrder.state == State.DISPUTED.value, work_orders_in(scope))
        .order_by(WorkOrderEvent.at)
        .limit(limit)
    )
    return [
        DisputeLine(
            w.id, w.visit_on, zh, en, vendor, w.price_fen, w.service_s // 60, e.reason or "", e.at
        )
        for w, zh, en, vendor, e in rows
    ]
