"""Read what the monthly anti-fraud rules look at, and what they say of a month."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from marketplace.kernel.actor import Scope
from marketplace.kernel.clock import Period
from marketplace.orders.models import WorkOrder
from marketplace.orders.states import State
from marketplace.visits import limits
from marketplace.visits.fraud_month import (
    CaregiverMonth,
    ElderQuarter,
    MonthFinding,
    VendorMonth,
    judge_month,
)
from marketplace.visits.models import Evidence, Visit
from marketplace.visits.rules import Method
from marketplace.vouchers.models import PriceShare, PriceSplit
from marketplace.vouchers.programmes import OWN

VOUCHERS = ("LV", "NV")
"""Programmes whose grant the elder spends as a voucher of the own choice."""

_W, _V, _P, _S = (
    WorkOrder.__table__.c,
    Visit.__table__.c,
    PriceSplit.__table__.c,
    PriceShare.__table__.c,
)
_PAID = (State.CONFIRMED.value, State.SETTLED.value)


def month_findings(session: Session, scope: Scope, *, period: Period) -> list[MonthFinding]:
    """Return what F08, F12, F17 and F18 say of a month within a scope: five statements."""
    return judge_month(
        _vendors(session, scope, period),
        _caregivers(session, scope, period),
        _elders(session, scope, period),
        limits.on(period.last),
    )


def _within(scope: Scope) -> list[object]:
    within: list[object] = []
    if not scope.everything and scope.district_code is not None:
        within.append(_W.district_code == scope.district_code)
    if not scope.everything and scope.town_code is not None:
        within.append(_W.town_code == scope.town_code)
    return within


def _vendors(session: Session, scope: Scope, period: Period) -> list[VendorMonth]:
    e = Evidence.__table__.c
    by_hand = (
        select(e.visit_id)
        .where((e.method.in_([Method.MANUAL.value, Method.PAPER.value])) | e.offline)
        .distinct()
        .subquery()
    )
    visits = session.execute(
        select(_W.vendor_id, func.count(_V.id), func.count(by_hand.c.visit_id))
        .join(Visit, _V.work_order_id == _W.id)
        .outerjoin(by_hand, by_hand.c.visit_id == _V.id)
        .where(_W.visit_on.between(period.first, period.last), *_within(scope))
        .group_by(_W.vendor_id)
    ).all()
    late_from = period.last - timedelta(days=limits.on(period.last).last_days - 1)
    money = {
        r.vendor_id: r
        for r in session.execute(
            select(
                _W.vendor_id,
                func.count().label("redemptions"),
                func.sum(_S.fen).label("fen"),
                func.sum(case((_W.visit_on >= late_from, _S.fen), else_=0)).label("late_fen"),
            )
            .join(PriceSplit, _P.work_order_id == _W.id)
            .join(PriceShare, (_S.work_order_id == _P.work_order_id) & (_S.revision == _P.revision))
            .where(
                _W.visit_on.between(period.first, period.last),
                _W.state.in_(_PAID),
                _S.programme_code != OWN,
                *_within(scope),
            )
            .group_by(_W.vendor_id)
        )
    }
    return [
        VendorMonth(
            vendor_id=vendor_id,
            visits=count,
            by_hand=hand,
            redemptions=money[vendor_id].redemptions if vendor_id in money else 0,
            fen=int(money[vendor_id].fen) if vendor_id in money else 0,
            late_fen=int(money[vendor_id].late_fen) if vendor_id in money else 0,
        )
        for vendor_id, count, hand in visits
        if vendor_id is not None
    ]


def _caregivers(session: Session, scope: Scope, period: Period) -> list[CaregiverMonth]:
    lengths: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    rows = session.execute(
        select(_V.caregiver_id, _W.service_code, _W.service_s, _V.check_in_at, _V.check_out_at)
        .join(WorkOrder, _W.id == _V.work_order_id)
        .where(
            _V.visit_on.between(period.first, period.last),
            _V.check_out_at.is_not(None),
            *_within(scope),
        )
    )
    for r in rows:
        seconds = int((r.check_out_at - r.check_in_at).total_seconds())
        lengths[(r.caregiver_id, r.service_code, r.service_s // 60)].append(seconds)
    return [CaregiverMonth(c, s, m, tuple(found)) for (c, s, m), found in sorted(lengths.items())]


def _elders(session: Session, scope: Scope, period: Period) -> list[ElderQuarter]:
    months = [period]
    while len(months) < limits.on(period.last).one_item_months:
        months.append(months[-1].previous())
    spent: dict[str, dict[str, dict[tuple[str, str], int]]] = {}
    rows = session.execute(
        select(_W.elder_id, _P.period, _W.vendor_id, _W.service_code, func.sum(_S.fen).label("fen"))
        .join(PriceSplit, _P.work_order_id == _W.id)
        .join(PriceShare, (_S.work_order_id == _P.work_order_id) & (_S.revision == _P.revision))
        .where(
            _P.period.in_([str(m) for m in months]),
            _W.state.in_(_PAID),
            _W.vendor_id.is_not(None),
            _S.programme_code.in_(VOUCHERS),
            *_within(scope),
        )
        .group_by(_W.elder_id, _P.period, _W.vendor_id, _W.service_code)
    )
    for r in rows:
        month = spent.setdefault(r.elder_id, {}).setdefault(r.period, {})
        month[(r.vendor_id, r.service_code)] = int(r.fen)
    return [ElderQuarter(elder_id, found) for elder_id, found in sorted(spent.items())]
