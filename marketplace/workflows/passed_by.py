"""Fair share: what a vendor should have got, what it got, and why each other order went elsewhere.

Reads only. The reason is re-derived from the rules that the offer and the plan go by, in their order:
what the vendor itself answered, then what it may serve, then who of its people could have gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from dispatch import Places, TravelModel
from dispatch.travel import Travel
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import Period
from marketplace.kernel.errors import NotAllowed
from marketplace.orders.models import WorkOrder
from marketplace.orders.states import State
from marketplace.workflows.day_problem import CIRCLE_S
from marketplace.workflows.policy import Action, scope
from vendors import offers, registry, roster
from vendors import rules as vendor_rules
from vendors.models import Vendor
from vendors.rules import Work

GONE = (State.CANCELLED.value, State.EXPIRED.value, State.INVALIDATED.value)
MOST = 5_000
"""Orders of one day that are looked at."""


@dataclass(frozen=True, slots=True)
class PassedBy:
    """An order of the day in the vendor's districts that another vendor got, and the reason."""

    work_order_id: str
    service_code: str
    window_start_s: int
    district_code: str
    vendor_name: str
    reason: str
    nearest_s: int | None


@dataclass(frozen=True, slots=True)
class FairShare:
    """The month's open orders: all, fair and received; and a day's orders that went elsewhere.

    ``fair`` and ``got`` are parts of 0 to 1, ``expected`` and ``received`` orders.
    """

    period: Period
    opened: int
    fair: float | None
    expected: int
    received: int
    day: date
    by_reason: dict[str, int]
    passed: tuple[PassedBy, ...]

    @property
    def got(self) -> float:
        """Return the part of the open orders that the vendor received."""
        return self.received / self.opened if self.opened else 0.0


def fair_share(
    session: Session, actor: Actor, *, day: date, reason: str | None = None
) -> FairShare:
    """Return the vendor's month and why each open order of a day in its districts went elsewhere."""
    vendor_id = scope(actor, Action.SEE_OFFERS).vendor_id
    if vendor_id is None:
        raise NotAllowed(action=Action.SEE_OFFERS.value, role=actor.role.value)
    period = Period.of(day)
    w = WorkOrder.__table__.c
    opened, received = session.execute(
        select(
            func.count(),
            func.count().filter(w.vendor_id == vendor_id),
        ).where(
            w.visit_on.between(period.first, period.last),
            w.vendor_named.is_(False),
            w.vendor_id.is_not(None),
            w.state.not_in(GONE),
        )
    ).one()
    share = session.get_one(Vendor, vendor_id).open_share
    lines = _passed(session, vendor_id, day)
    counts = dict(Counter(x.reason for x in lines).most_common())
    shown = [x for x in lines if reason is None or x.reason == reason]
    return FairShare(
        period=period,
        opened=opened,
        fair=share,
        expected=round((share or 0.0) * opened),
        received=received,
        day=day,
        by_reason=counts,
        passed=tuple(shown),
    )


def _passed(session: Session, vendor_id: str, day: date) -> list[PassedBy]:
    facts = registry.vendor_facts(session, only=[vendor_id])[vendor_id]
    w = WorkOrder.__table__.c
    rows = session.execute(
        select(
            w.id,
            w.service_code,
            w.category_code,
            w.skill_code,
            w.district_code,
            w.visit_on,
            w.window_start_s,
            w.window_end_s,
            w.service_s,
            w.is_stop,
            w.lat,
            w.lng,
            Vendor.name,
        )
        .join(Vendor, Vendor.id == w.vendor_id)
        .where(
            w.visit_on == day,
            w.vendor_named.is_(False),
            w.vendor_id != vendor_id,
            w.district_code.in_(facts.districts),
            w.state.not_in(GONE),
        )
        .order_by(w.window_start_s, w.id)
        .limit(MOST)
    ).all()
    mine = [p for p in roster.on_day(session, day) if p.facts.vendor_id == vendor_id]
    asked = offers.asked(session, [r.id for r in rows])
    seconds = _seconds(mine, rows)
    found = []
    for n, row in enumerate(rows):
        answer = asked.get(row.id, {}).get(vendor_id)
        why, nearest = _why(facts, mine, row, seconds[:, n], answer)
        found.append(
            PassedBy(
                row.id,
                row.service_code,
                row.window_start_s,
                row.district_code,
                row.name,
                why,
                nearest,
            )
        )
    return found


def _seconds(people: Sequence[roster.OnShift], rows: Sequence[Row[Any]]) -> np.ndarray:
    """Return travel seconds from each base (row) to each home (column)."""
    if not people or not rows:
        return np.zeros((len(people), len(rows)), dtype=np.int32)
    spots = [p.base for p in people] + [(r.lat, r.lng) for r in rows]
    travel = Travel(Places(coordinates=np.array(spots, dtype=np.float64)), TravelModel())
    return travel.block(np.arange(len(people)), np.arange(len(people), len(spots)))


def _why(
    facts: vendor_rules.VendorFacts,
    people: Sequence[roster.OnShift],
    row: Row[Any],
    seconds: np.ndarray,
    answer: str | None,
) -> tuple[str, int | None]:
    if answer in ("declined", "expired"):
        return answer, None
    work = Work(row.category_code, row.skill_code, row.district_code, row.visit_on)
    barred = vendor_rules.why_not(facts, work)
    if barred is not None:
        return barred, None
    if not row.is_stop:
        return "below_share", None
    skilled = [n for n, p in enumerate(people) if row.skill_code in p.facts.skills]
    if not skilled:
        return "no_skill", None
    nearest = int(min(seconds[n] for n in skilled))
    near = [n for n in skilled if seconds[n] <= CIRCLE_S]
    if not near:
        return "no_caregiver_in_circle", nearest
    on_shift = any(
        max(begins, row.window_start_s) <= min(ends - row.service_s, row.window_end_s)
        for n in near
        for begins, ends in people[n].shifts
    )
    return ("cheaper_elsewhere" if on_shift else "outside_all_shifts"), nearest
