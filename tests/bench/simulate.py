"""A small world of money driven at random; after every step the books must be right.

``python -m tests.bench.simulate --steps 100000 --seed 1``
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from datetime import date, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.elders.facts import facts_of
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import FrozenClock, Period, instant_of, today
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import DomainError
from marketplace.orders.models import WorkOrder
from marketplace.visits.models import Visit
from marketplace.vouchers import expected, payouts, service
from marketplace.vouchers.lapses import lapse_ended
from marketplace.vouchers.models import LedgerAccount, PriceSplit
from marketplace.workflows.grants import preview_grants, release_grants
from marketplace.workflows.ledger import seal_ledger, verify_ledger
from marketplace.workflows.settle import PeriodOpen, close_month
from tests.bench.server import database, engine_of
from tests.builders import (
    DISTRICT,
    a_caregiver,
    a_service,
    a_vendor,
    a_visit,
    a_work_order,
    an_assessment,
    an_elder,
)

ONE, TWO = Actor("one", Role.SYSTEM), Actor("two", Role.SYSTEM)


class World:
    """Three elders, two vendors, three services, and a clock that only moves on."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.clock = FrozenClock(instant_of(date(2026, 1, 1), 9 * 3600))
        self.count = 0
        self.outside: dict[str, Any] = {}
        self.works: list[str] = []
        self.ended: Counter[str] = Counter()
        with transaction(session):
            for n, income in enumerate(["dibao", "ordinary", "low"]):
                an_elder(
                    session,
                    id=f"E{n}",
                    income_class=income,
                    born_on=date(1930 + 10 * n, 2, 3),
                    special="ltci" if n == 1 else "",
                )
                an_assessment(
                    session,
                    f"E{n}",
                    level=2 + n % 2,
                    assessed_on=date(2025, 12, 1),
                    valid_until=date(2060, 1, 1),
                )
            for v in ("V1", "V2"):
                a_vendor(session, id=v)
            a_caregiver(session)
            self.services = [
                a_service(session, "ZJ001", price_fen=4_000).id,
                a_service(session, "HL010", price_fen=18_050, duration_min=180).id,
                a_service(session, "ZC002", unit="餐", price_fen=1_000, mode="site").id,
            ]
        self.grant(0)

    def step(self, name: str, number: int) -> None:
        """Do one named step; a refusal by a rule is an answer, not a fault."""
        try:
            getattr(self, name)(number)
        except DomainError as refusal:
            self.session.rollback()
            self.ended[f"{name}: {refusal.code}"] += 1
        else:
            self.ended[name] += 1

    def _pick(self, number: int) -> str | None:
        return self.works[-1 - number % min(len(self.works), 40)] if self.works else None

    def place(self, number: int) -> None:
        """Quote and hold a service for an elder, today or in the coming weeks."""
        on = today(self.clock) + timedelta(days=number % 20)
        elder = f"E{number % 3}"
        self.count += 1
        name = f"W{self.count}"
        with transaction(self.session) as s:
            version = s.get_one(ServiceVersion, self.services[number // 3 % 3])
            a_work_order(s, id=name, elder_id=elder, version=version, visit_on=on, vendor_id="V1")
            quote = service.quote(
                s,
                elder_id=elder,
                service_version=version,
                on=on,
                district_code=DISTRICT,
                facts=facts_of(s, [elder], on)[elder],
            )
            service.hold(s, work_order_id=name, elder_id=elder, quote=quote, at=self.clock.at)
        self.works.append(name)

    def cancel(self, number: int) -> None:
        if name := self._pick(number):
            with transaction(self.session) as s:
                service.release(s, work_order_id=name, at=self.clock.at, reason="cancelled")

    def close_door(self, number: int) -> None:
        if name := self._pick(number):
            kind = "no_access" if number % 2 else "late_cancel"
            with transaction(self.session) as s:
                service.capture_fee(
                    s, work_order_id=name, vendor_id="V1", at=self.clock.at, kind=kind
                )

    def redeem(self, number: int) -> None:
        """Serve and capture, sometimes only in part."""
        if name := self._pick(number):
            with transaction(self.session) as s:
                work_order = s.get_one(WorkOrder, name)
                visit = s.get(Visit, f"X-{name}") or a_visit(
                    s, id=f"X-{name}", work_order=work_order
                )
                service.capture(
                    s,
                    work_order_id=name,
                    visit_id=visit.id,
                    vendor_id="V1",
                    at=self.clock.at,
                    minutes_delivered=number % 200 if number % 5 == 0 else None,
                )
                if work_order.state == "pooled":
                    work_order.state = "confirmed"

    def reverse(self, number: int) -> None:
        if name := self._pick(number):
            with transaction(self.session) as s:
                service.reverse(
                    s, work_order_id=name, at=self.clock.at, reason="fault", actor="bureau"
                )
                s.get_one(WorkOrder, name).state = "invalidated"

    def pay(self, number: int) -> None:
        self.count += 1
        vendor = "V1" if number % 2 else None
        with transaction(self.session) as s:
            payouts.record_payment(
                s,
                payment_id=f"P{self.count}",
                elder_id=f"E{number % 3}",
                district_code=DISTRICT,
                vendor_id=vendor,
                fen=1 + number % 3_000,
                method="cash_at_door" if vendor else "family_account",
                period=str(Period.of(today(self.clock))),
                at=self.clock.at,
            )

    def advance(self, number: int) -> None:
        self.clock.advance(hours=1 + number % 60)

    def lapse(self, number: int) -> None:
        with transaction(self.session) as s:
            lapse_ended(s, on=today(self.clock) - timedelta(days=3), at=self.clock.at)

    def grant(self, number: int) -> None:
        """Grant this month or the next; what waited for it is held."""
        period = Period.of(today(self.clock))
        period = period.next() if number % 2 else period
        preview = preview_grants(self.session, self, ONE, period=period, district_code=DISTRICT)  # type: ignore[arg-type]
        release_grants(self.session, self, TWO, run_id=preview.run_id)  # type: ignore[arg-type]

    def hold_expected(self, number: int) -> None:
        with transaction(self.session) as s:
            expected.hold_expected(
                s,
                period=Period.of(today(self.clock)),
                district_code=DISTRICT,
                at=self.clock.at,
            )

    def close(self, number: int) -> None:
        period = Period.of(today(self.clock)).previous()
        close_month(self.session, self, ONE, period=period, district_code=DISTRICT)  # type: ignore[arg-type]

    def seal(self, number: int) -> None:
        seal_ledger(self.session, self)  # type: ignore[arg-type]

    def balance(self) -> None:
        """Assert what must hold after every step, by two sums."""
        a = LedgerAccount
        rows = self.session.execute(
            select(
                a.unit,
                func.sum(a.debits_posted),
                func.sum(a.credits_posted),
                func.sum(a.debits_pending),
                func.sum(a.credits_pending),
                func.min(a.credits_posted - a.debits_posted - a.debits_pending).filter(a.guarded),
            ).group_by(a.unit)
        ).all()
        held = self.session.scalar(
            select(func.sum(PriceSplit.price_fen)).where(PriceSplit.state == "held")
        )
        self.session.rollback()
        for unit, debits, credits_, d_pending, c_pending, least in rows:
            assert debits == credits_, unit
            assert d_pending == c_pending, unit
            assert least >= 0, unit
            if unit == "fen":
                assert d_pending == (held or 0)

    def prove(self) -> None:
        """Assert that the whole verification finds nothing."""
        findings = [str(f) for f in verify_ledger(self.session).findings]
        assert findings == [], findings


WEIGHTS = {
    "place": 30,
    "redeem": 26,
    "cancel": 6,
    "close_door": 5,
    "reverse": 5,
    "pay": 6,
    "advance": 12,
    "lapse": 3,
    "grant": 2,
    "hold_expected": 2,
    "close": 2,
    "seal": 1,
}
REFUSALS_OF_STEPS: tuple[type[Exception], ...] = (PeriodOpen,)


def drive(session: Session, *, steps: int, seed: int, prove_every: int) -> World:
    """Drive a world; raises ``AssertionError`` at the first step after which the books are wrong."""
    rng = random.Random(seed)
    world = World(session)
    names, weights = list(WEIGHTS), list(WEIGHTS.values())
    for n in range(1, steps + 1):
        world.step(rng.choices(names, weights)[0], rng.randrange(10**6))
        world.balance()
        if n % prove_every == 0:
            world.prove()
    world.prove()
    return world


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prove-every", type=int, default=5_000)
    options = parser.parse_args()
    began: Any = time.perf_counter()
    with database(options.db) as url, Session(engine_of(url)) as session:
        world = drive(
            session, steps=options.steps, seed=options.seed, prove_every=options.prove_every
        )
        verdict = verify_ledger(session)
    sys.stdout.write(
        f"{options.steps} steps, seed {options.seed}, {time.perf_counter() - began:.0f} s: "
        f"{verdict.transfers} transfers, {verdict.accounts} accounts, proven\n"
    )
    for name, count in sorted(world.ended.items()):
        sys.stdout.write(f"  {count:7} {name}\n")


if __name__ == "__main__":
    main()
