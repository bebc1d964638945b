"""The anti-fraud rules that need a month to look at: F08, F12, F17 and F18. Pure.

As with the rules of a single visit a finding is evidence, not a verdict; ``audit`` and ``review`` put
it on a list for a person and cost nothing by themselves. Thresholds stand in ``limits.toml``;
figures in the rules' sentences are its first version's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from marketplace.visits.limits import Limits


@dataclass(frozen=True, slots=True)
class MonthFinding:
    """What one rule says of a vendor's, a caregiver's or an elder's month, with the facts it saw."""

    rule: str
    action: str
    subject_kind: str
    subject_id: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VendorMonth:
    """A vendor's month: visits, those recorded by hand or sent late, and fen of vouchers redeemed.

    ``late_fen``: what was redeemed for visits of the month's last three days.
    """

    vendor_id: str
    visits: int
    by_hand: int
    redemptions: int
    fen: int
    late_fen: int


@dataclass(frozen=True, slots=True)
class CaregiverMonth:
    """How long a caregiver's visits of one service lasted, in seconds."""

    caregiver_id: str
    service_code: str
    standard_min: int
    lengths_s: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ElderQuarter:
    """On what an elder spent vouchers: month -> (vendor, service) -> fen, three months."""

    elder_id: str
    spent: Mapping[str, Mapping[tuple[str, str], int]]


def f08_by_hand(v: VendorMonth, limits: Limits) -> MonthFinding | None:
    """More than 5 % of a vendor's visits were recorded by hand or sent late."""
    if v.visits == 0 or v.by_hand * 100 <= limits.by_hand_percent * v.visits:
        return None
    facts = {"visits": v.visits, "by_hand": v.by_hand}
    return MonthFinding("F08", "audit", "vendor", v.vendor_id, facts)


def f12_too_even(c: CaregiverMonth, limits: Limits) -> MonthFinding | None:
    """Twenty visits of one service that last the same within two minutes: nobody works so evenly."""
    if c.standard_min <= limits.hand_over_min:
        return None
    lengths = sorted(c.lengths_s)
    alike = first = 0
    for last, length in enumerate(lengths):
        while length - lengths[first] >= limits.even_s:
            first += 1
        alike = max(alike, last - first + 1)
    if alike < limits.least_visits:
        return None
    facts = {"service_code": c.service_code, "alike": alike, "visits": len(lengths)}
    return MonthFinding("F12", "review", "caregiver", c.caregiver_id, facts)


def f17_at_the_end(v: VendorMonth, limits: Limits) -> MonthFinding | None:
    """More than 35 % of a vendor's vouchers of a month are redeemed in its last three days."""
    if v.redemptions < limits.least_visits or v.late_fen * 100 <= limits.last_days_percent * v.fen:
        return None
    return MonthFinding(
        "F17", "audit", "vendor", v.vendor_id, {"fen": v.fen, "last_days_fen": v.late_fen}
    )


def f18_one_item(e: ElderQuarter, limits: Limits) -> MonthFinding | None:
    """An elder spends all vouchers at one vendor on one item, three months running."""
    if len(e.spent) < limits.one_item_months or not all(e.spent.values()):
        return None
    on = {pair for month in e.spent.values() for pair in month}
    if len(on) != 1:
        return None
    [(vendor_id, service_code)] = on
    facts = {
        "vendor_id": vendor_id,
        "service_code": service_code,
        "fen": sum(sum(m.values()) for m in e.spent.values()),
    }
    return MonthFinding("F18", "review", "elder", e.elder_id, facts)


def judge_month(
    vendors: Iterable[VendorMonth],
    caregivers: Iterable[CaregiverMonth],
    elders: Iterable[ElderQuarter],
    limits: Limits,
) -> list[MonthFinding]:
    """Return what the four rules say of a month, by rule and subject."""
    vendors = list(vendors)
    found = [f for v in vendors for f in (f08_by_hand(v, limits), f17_at_the_end(v, limits))]
    found += [f12_too_even(c, limits) for c in caregivers]
    found += [f18_one_item(e, limits) for e in elders]
    return sorted((f for f in found if f is not None), key=lambda f: (f.rule, f.subject_id))
