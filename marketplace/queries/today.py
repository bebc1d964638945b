"""Is today all right: the day's numbers, by district and hour, against the days before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from marketplace.kernel.actor import Scope
from marketplace.kernel.clock import Period, second_of
from marketplace.orders.models import LeftOut, WorkOrder
from marketplace.orders.states import State
from marketplace.queries.reach import nobody_goes, work_orders_in
from marketplace.visits.models import Visit
from vendors.models import Vendor

FINISHED = (State.DONE, State.CONFIRMED, State.SETTLED, State.DISPUTED)
"""States in which the visit has been made."""

GONE = (State.CANCELLED, State.EXPIRED, State.INVALIDATED)
"""States in which nobody is expected any more."""


@dataclass(frozen=True, slots=True)
class AreaToday:
    """One district's day. ``punctual`` of ``begun`` visits began inside their window."""

    district_code: str
    orders: int
    finished: int
    nobody: int
    begun: int
    punctual: int

    @property
    def on_time(self) -> float | None:
        """Return the share of visits that began in time, ``None`` before the first."""
        return self.punctual / self.begun if self.begun else None


@dataclass(frozen=True, slots=True)
class HourLoad:
    """Work orders whose window opens in this hour of the day (0 to 23)."""

    hour: int
    finished: int
    running: int
    planned: int

    @property
    def total(self) -> int:
        return self.finished + self.running + self.planned


@dataclass(frozen=True, slots=True)
class VendorShare:
    """A vendor's part of the month's work orders against the fair share published for it (0 to 1)."""

    vendor_id: str
    name: str
    orders: int
    part: float
    expected: float | None


@dataclass(frozen=True, slots=True)
class Today:
    """The day in numbers. Series hold the last seven days, oldest first, today last."""

    day: date
    orders: int
    finished: int
    nobody: int
    begun: int
    punctual: int
    orders_by_day: tuple[int, ...]
    on_time_by_day: tuple[float, ...]
    nobody_by_day: tuple[int, ...]
    areas: tuple[AreaToday, ...]
    hours: tuple[HourLoad, ...]

    @property
    def on_time(self) -> float | None:
        """Return the share of today's visits that began in time, ``None`` before the first."""
        return self.punctual / self.begun if self.begun else None

    @property
    def week_before(self) -> int:
        """Return the orders of the oldest day shown, six days ago."""
        return self.orders_by_day[0]


def today(session: Session, scope: Scope, *, day: date) -> Today:
    """Return the day's numbers in three statements, whatever the city's size."""
    week = [day - timedelta(days=n) for n in range(6, -1, -1)]
    orders = _orders(session, scope, since=week[0], day=day)
    punctual = _punctual(session, scope, since=week[0], day=day)
    hours = _hours(session, scope, day)
    areas = _areas(orders.get(day, {}), punctual.get(day, {}))
    by_day = [_sum(orders.get(d, {})) for d in week]
    kept = [_pair(punctual.get(d, {})) for d in week]
    return Today(
        day=day,
        orders=by_day[-1][0],
        finished=by_day[-1][1],
        nobody=by_day[-1][2],
        begun=kept[-1][0],
        punctual=kept[-1][1],
        orders_by_day=tuple(n for n, _, _ in by_day),
        on_time_by_day=tuple(good / begun for begun, good in kept if begun),
        nobody_by_day=tuple(n for _, _, n in by_day),
        areas=areas,
        hours=hours,
    )


Counts = dict[str, tuple[int, int, int]]
"""District -> orders, finished, without anybody."""


def _orders(session: Session, scope: Scope, *, since: date, day: date) -> dict[date, Counts]:
    nobody = case((nobody_goes(), 1), else_=0)
    rows = session.execute(
        select(
            WorkOrder.visit_on,
            WorkOrder.district_code,
            func.count(),
            func.sum(case((WorkOrder.state.in_(FINISHED), 1), else_=0)),
            func.sum(nobody),
        )
        .outerjoin(LeftOut, LeftOut.work_order_id == WorkOrder.id)
        .where(
            WorkOrder.visit_on.between(since, day),
            WorkOrder.state.not_in(GONE),
            work_orders_in(scope),
        )
        .group_by(WorkOrder.visit_on, WorkOrder.district_code)
    )
    found: dict[date, Counts] = defaultdict(dict)
    for on, district, orders, finished, without in rows:
        found[on][district] = (orders, int(finished), int(without))
    return found


def _punctual(
    session: Session, scope: Scope, *, since: date, day: date
) -> dict[date, dict[str, tuple[int, int]]]:
    """Return by day and district how many visits began, and how many of them inside the window."""
    first = (
        select(Visit.work_order_id, func.min(Visit.check_in_at).label("began"))
        .where(Visit.visit_on.between(since, day))
        .group_by(Visit.work_order_id)
        .subquery()
    )
    rows = session.execute(
        select(WorkOrder.visit_on, WorkOrder.district_code, WorkOrder.window_end_s, first.c.began)
        .join(first, first.c.work_order_id == WorkOrder.id)
        .where(work_orders_in(scope))
    )
    found: dict[date, dict[str, tuple[int, int]]] = defaultdict(dict)
    for on, district, window_end_s, began in rows:
        begun, good = found[on].get(district, (0, 0))
        found[on][district] = (begun + 1, good + (second_of(on, began) <= window_end_s))
    return found


def _hours(session: Session, scope: Scope, day: date) -> tuple[HourLoad, ...]:
    rows = session.execute(
        select(WorkOrder.window_start_s, WorkOrder.state, func.count())
        .where(WorkOrder.visit_on == day, WorkOrder.state.not_in(GONE), work_orders_in(scope))
        .group_by(WorkOrder.window_start_s, WorkOrder.state)
    )
    load: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for start_s, state, count in rows:
        kind = 0 if state in FINISHED else 1 if state == State.IN_SERVICE else 2
        load[start_s // 3600 % 24][kind] += count
    if not load:
        return ()
    return tuple(HourLoad(h, *load[h]) for h in range(min(load), max(load) + 1))


def _areas(orders: Counts, punctual: Mapping[str, tuple[int, int]]) -> tuple[AreaToday, ...]:
    return tuple(
        AreaToday(code, *orders[code], *punctual.get(code, (0, 0))) for code in sorted(orders)
    )


def _sum(counts: Counts) -> tuple[int, int, int]:
    rows = list(counts.values())
    return (sum(r[0] for r in rows), sum(r[1] for r in rows), sum(r[2] for r in rows))


def _pair(counts: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    return sum(b for b, _ in counts.values()), sum(g for _, g in counts.values())


def vendor_shares(
    session: Session, scope: Scope, *, period: Period, limit: int = 8
) -> tuple[list[VendorShare], int]:
    """Return the vendors with the most work orders of the month, and how many vendors had any."""
    rows = session.execute(
        select(Vendor.id, Vendor.name, Vendor.open_share, func.count())
        .join(WorkOrder, WorkOrder.vendor_id == Vendor.id)
        .where(
            WorkOrder.visit_on.between(period.first, period.last),
            WorkOrder.state.not_in(GONE),
            work_orders_in(scope),
        )
        .group_by(Vendor.id, Vendor.name, Vendor.open_share)
        .order_by(func.count().desc(), Vendor.id)
    ).all()
    total = sum(r[3] for r in rows) or 1
    shares = [VendorShare(r[0], r[1], r[3], r[3] / total, r[2]) for r in rows[:limit]]
    return shares, len(rows)
