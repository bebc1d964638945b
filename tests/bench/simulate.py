"""A small world of money driven at random; after every step the books must be right.

``python -m tests.bench.simulate --steps 100000 --seed 1``

With ``--folder`` the run is kept: ``--seconds`` or SIGTERM ends it early, the same command goes on from
there, and the steps are those of one run.
"""

from __future__ import annotations

import argparse
import pickle
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from marketplace.app import build_ports
from marketplace.config import Settings
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import FrozenClock, Period, instant_of, today
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import DomainError
from marketplace.orders.models import Assignment, WorkOrder
from marketplace.settlement.models import Statement
from marketplace.vouchers import payouts
from marketplace.workflows import (
    cancel,
    confirm,
    outside,
    sampling,
    statements,
    substitute,
    upkeep,
    visit,
)
from marketplace.workflows.accept import AnswerRequest, accept_offer, decline_offer, expire_offers
from marketplace.workflows.grants import preview_grants, release_grants
from marketplace.workflows.lapse import lapse
from marketplace.workflows.ledger import seal_ledger, verify_ledger
from marketplace.workflows.no_access import NoAccessRequest, report_no_access
from marketplace.workflows.place import OrderRequest, place_order
from marketplace.workflows.reverse import ReverseRequest, reverse
from marketplace.workflows.settle import close_month
from marketplace.workflows.shown import Shown
from tests.bench.server import database, engine_of
from tests.bench.shadow import Shadow
from tests.builders import (
    DISTRICT,
    a_caregiver,
    a_service,
    a_vendor,
    an_assessment,
    an_elder,
)
from vendors import offers
from vendors.models import Certificate, VendorCategory, VendorDistrict

ONE, TWO = Actor("one", Role.SYSTEM), Actor("two", Role.SYSTEM)
HOTLINE = Actor("u-hotline", Role.HOTLINE)
COLLEAGUE = Actor("u-colleague", Role.HOTLINE)
"""Who asks about visits: never who ordered them."""
BUREAU = Actor("u-bureau", Role.BUREAU, district_code=DISTRICT)
TOWN = "321204100"
SIGNERS = {
    "vendor_confirmed": None,
    "street_checked": Actor("u-street", Role.STREET, district_code=DISTRICT, town_code=TOWN),
    "county_approved": BUREAU,
    "released": Actor("u-bureau-2", Role.BUREAU, district_code=DISTRICT),
}
FOREVER = date(2099, 12, 31)
CREW = {"C1": "V1", "C2": "V1", "C3": "V2", "C4": "V2"}
RECENT = 40
"""Steps pick among the newest so many work orders, so that most of them meet something to do."""


_WORK_ORDERS = select(
    WorkOrder.id,
    WorkOrder.state,
    WorkOrder.vendor_id,
    WorkOrder.visit_on,
    WorkOrder.window_start_s,
    WorkOrder.service_s,
)


class World:
    """Three elders, two vendors, four caregivers, three services, and a clock that only moves on."""

    def __init__(self, session: Session, folder: Path) -> None:
        self.session = session
        self.clock = FrozenClock(instant_of(date(2026, 1, 1), 9 * 3600))
        self.count = 0
        self.works: list[str] = []
        self.ended: Counter[str] = Counter()
        self.shadow = Shadow()
        self.outside_folder = folder
        self._connect()
        self._populate()
        self.step("grant", 0)

    def _connect(self) -> None:
        settings = Settings(instance=self.outside_folder, data_key="d" * 40)
        self.ports = build_ports(settings, self.clock)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("session", "ports")}

    def resume(self, session: Session) -> None:
        """Go on with a world that was kept."""
        self.session = session
        self._connect()

    def _populate(self) -> None:
        session = self.session
        with transaction(session):
            for n, income in enumerate(["dibao", "ordinary", "low"]):
                an_elder(
                    session,
                    id=f"E{n}",
                    income_class=income,
                    born_on=date(1930 + 10 * n, 2, 3),
                    special="ltci" if n == 1 else "",
                    town_code=TOWN,
                )
                an_assessment(
                    session,
                    f"E{n}",
                    level=2 + n % 2,
                    assessed_on=date(2025, 12, 1),
                    valid_until=FOREVER,
                )
            self.services = [
                a_service(session, "ZJ001", price_fen=4_000).service_code,
                a_service(session, "HL010", price_fen=18_050, duration_min=180).service_code,
                a_service(session, "ZC002", unit="餐", price_fen=1_000, mode="site").service_code,
            ]
            for v in ("V1", "V2"):
                a_vendor(session, id=v, daily_capacity=1_000)
                session.add(VendorDistrict(vendor_id=v, district_code=DISTRICT))
                for code in ("ZJ", "HL", "ZC"):
                    session.add(VendorCategory(vendor_id=v, category_code=code))
            for person, vendor in CREW.items():
                a_caregiver(session, person, vendor)
                session.add(
                    Certificate(
                        caregiver_id=person,
                        skill_code="GEN",
                        number="1",
                        valid_from=date(2025, 1, 1),
                        valid_until=FOREVER,
                    )
                )

    def step(self, name: str, number: int) -> None:
        """Do one named step; a refusal by a rule is an answer, not a fault."""
        try:
            getattr(self, name)(number)
        except DomainError as refusal:
            self.session.rollback()
            self.ended[f"{name}: {refusal.code}"] += 1
        else:
            self.ended[name] += 1

    def _pick(self, number: int, *states: str, first: str = "") -> Row[Any] | None:
        """Return a recent work order in one of the states; one time in sixteen, in any."""
        recent = self.works[-RECENT:]
        query = _WORK_ORDERS.where(WorkOrder.id.in_(recent))
        if number % 16:
            query = query.where(WorkOrder.state.in_(states))
        # By when they were placed, not by id: ids differ from run to run.
        place = {name: n for n, name in enumerate(recent)}
        rows = sorted(self.session.execute(query).all(), key=lambda row: place[row.id])
        self.session.rollback()
        if first == "soonest":
            rows = sorted(rows, key=lambda row: row.visit_on)[:1]
        elif first == "newest":
            rows = rows[-1:]
        return rows[number // 16 % len(rows)] if rows else None

    def _do(self, number: int, command: Callable[..., Any], actor: Actor, **values: Any) -> Any:
        """Run a command; one in eight is sent twice and must be answered as the first time."""
        self.count += 1
        key = f"key-{self.count}"
        answer = command(self.session, self.ports, actor, key=key, **values)
        if number % 8 == 3:
            assert command(self.session, self.ports, actor, key=key, **values) == answer
            self.ended["repeated"] += 1
        return answer

    def place(self, number: int) -> None:
        """Order a service of a vendor for one of the next days."""
        code = self.services[number // 3 % 3]
        starts = 7 * 3600 + number // 9 % 40 * 900
        request = OrderRequest(
            elder_id=f"E{number % 3}",
            service_code=code,
            starts_on=today(self.clock) + timedelta(days=number // 7 % 6),
            window_start_s=starts,
            window_end_s=starts + 3_600,
            vendor_id=f"V{1 + number // 5 % 2}",
            site_id="S1" if code == "ZC002" else None,
            channel="hotline",
            reference=f"call-{self.count}",
        )
        placed = self._do(number, place_order, HOTLINE, request=request)
        self.works.extend(w.work_order_id for w in placed.work_orders)

    def _offer(self, number: int) -> tuple[Actor, AnswerRequest] | None:
        row = self._pick(number, "offered", first="newest")
        made = offers.of_work_order(self.session, row.id) if row else []
        if not made:
            return None
        offer = made[-1]
        return _vendor(offer.vendor_id), AnswerRequest(offer.id, "no_capacity")

    def accept(self, number: int) -> None:
        if of := self._offer(number):
            self._do(number, accept_offer, of[0], request=replace(of[1], reason=None))

    def decline(self, number: int) -> None:
        if of := self._offer(number):
            self._do(number, decline_offer, of[0], request=of[1])

    def assign(self, number: int) -> None:
        row = self._pick(number, "accepted")
        if row and row.vendor_id:
            crew = [c for c, v in CREW.items() if v == row.vendor_id]
            request = substitute.SubstituteRequest(
                row.id, [crew[number // 2 % 2]], row.window_start_s + number % 3_600
            )
            self._do(number, substitute.substitute, _vendor(row.vendor_id), request=request)

    def _shown(self, number: int, at: Any) -> Shown:
        return Shown(
            evidence_id=f"{self.count}-{number}",
            method="gps_photo",
            at_device=at,
            lat=32.51 + number % 991 / 10**6,
            lng=120.14 + number % 997 / 10**6,
            accuracy_m=10,
            device_id=f"D{number % 4 if number % 50 == 0 else 9}",
        )

    def _crew(self, row: Row[Any]) -> tuple[Actor, Any] | None:
        found = self.session.execute(
            select(Assignment.caregiver_id, Assignment.starts_at).where(
                Assignment.work_order_id == row.id
            )
        ).first()
        self.session.rollback()
        return (_caregiver(found.caregiver_id), found.starts_at) if found else None

    def enter(self, number: int) -> None:
        """Check in when the visit is due; the clock moves on to it."""
        row = self._pick(number, "assigned", first="soonest")
        crew = self._crew(row) if row else None
        if row and crew:
            self.clock.at = max(self.clock.at, crew[1] + timedelta(minutes=number % 20))
            request = visit.CheckInRequest(
                work_order_id=row.id,
                visit_id=f"X-{row.id}"[:40],
                shown=self._shown(number, self.clock.at),
            )
            self._do(number, visit.check_in, crew[0], request=request)

    def leave(self, number: int) -> None:
        """Check out after the standard time, sometimes too early."""
        row = self._pick(number, "in_service")
        crew = self._crew(row) if row else None
        if row and crew:
            percent = 40 + number % 80 if number % 6 == 0 else 100
            self.clock.advance(seconds=row.service_s * percent // 100 + number % 300)
            request = visit.CheckOutRequest(
                visit_id=f"X-{row.id}"[:40], shown=self._shown(number, self.clock.at)
            )
            self._do(number, visit.check_out, crew[0], request=request)

    def closed_door(self, number: int) -> None:
        row = self._pick(number, "assigned")
        crew = self._crew(row) if row else None
        if row and crew:
            self.clock.at = max(self.clock.at, crew[1] + timedelta(minutes=11))
            request = NoAccessRequest(
                work_order_id=row.id,
                visit_id=f"X-{row.id}"[:40],
                shown=self._shown(number, self.clock.at),
            )
            self._do(number, report_no_access, crew[0], request=request)

    def redeem(self, number: int) -> None:
        """The elder confirms by telephone: the hold is captured."""
        if row := self._pick(number, "done"):
            request = confirm.ConfirmRequest(row.id, "voice", reference=f"call-{self.count}")
            self._do(number, confirm.confirm, COLLEAGUE, request=request)

    def dispute(self, number: int) -> None:
        if row := self._pick(number, "done"):
            request = confirm.DisputeRequest(row.id, "not as agreed", nobody_came=number % 2 == 0)
            self._do(number, confirm.dispute, HOTLINE, request=request)

    def resolve(self, number: int) -> None:
        """Pay a disputed visit in full, in part, or not."""
        if row := self._pick(number, "disputed"):
            outcome = confirm.OUTCOMES[number // 5 % 3]
            minutes = 1 + number % (row.service_s // 60) if outcome == "pay_part" else None
            request = confirm.ResolveRequest(row.id, outcome, "looked at", minutes)
            self._do(number, confirm.resolve, BUREAU, request=request)

    def cancel(self, number: int) -> None:
        """The elder calls off; sometimes the vendor gives the visit back."""
        if row := self._pick(number, "offered", "accepted", "assigned"):
            gives_back = number % 5 == 0 and row.vendor_id and row.state != "offered"
            actor = _vendor(row.vendor_id or "") if gives_back else HOTLINE
            self._do(number, cancel.cancel, actor, request=cancel.CancelRequest(row.id, "away"))

    def refund(self, number: int) -> None:
        if row := self._pick(number, "confirmed", "settled"):
            request = ReverseRequest(row.id, "service_fault", "the elder was called back")
            self._do(number, reverse, BUREAU, request=request)

    def pay(self, number: int) -> None:
        """An elder pays own money at the door or from the family account."""
        self.count += 1
        vendor = "V1" if number % 2 else None
        with transaction(self.session) as s:
            payouts.record_payment(
                s,
                payment_id=f"P{self.count}",
                elder_id=f"E{number % 3}",
                district_code=DISTRICT,
                vendor_id=vendor,
                fen=1 + number % 800,
                method="cash_at_door" if vendor else "family_account",
                period=str(Period.of(today(self.clock))),
                at=self.clock.at,
            )

    def advance(self, number: int) -> None:
        self.clock.advance(hours=1 + number % 36)

    def expire(self, number: int) -> None:
        """What time does by itself: offers and days end, silence confirms."""
        match number % 4:
            case 0:
                expire_offers(self.session, self.ports)
            case 1:
                upkeep.end_days(self.session, self.ports)
            case 2:
                confirm.auto_confirm(self.session, self.ports)
            case _:
                upkeep.close_left_open(self.session, self.ports)

    def lapse(self, number: int) -> None:
        lapse(self.session, self.ports)

    def grant(self, number: int) -> None:
        """Grant this month or the next; what waited for it is held."""
        period = Period.of(today(self.clock))
        period = period.next() if number % 3 == 0 and today(self.clock).day > 20 else period
        preview = preview_grants(
            self.session, self.ports, ONE, period=period, district_code=DISTRICT
        )
        release_grants(self.session, self.ports, TWO, run_id=preview.run_id)

    def close(self, number: int) -> None:
        period = Period.of(today(self.clock)).previous()
        close_month(self.session, self.ports, BUREAU, period=period, district_code=DISTRICT)

    def sign(self, number: int) -> None:
        """Sign the next step of one of the newest statements; the last step pays the vendor."""
        ids = list(
            self.session.scalars(
                select(Statement.id).order_by(Statement.period.desc(), Statement.id).limit(6)
            )
        )
        self.session.rollback()
        if ids:
            statement = ids[number % len(ids)]
            step = list(SIGNERS)[number // 8 % 4]
            if step == "county_approved":
                self._look_at_sample(statement)
            actor = SIGNERS[step] or _vendor(statement.rsplit("-", 1)[1])
            statements.sign_statement(
                self.session, self.ports, actor, statement_id=statement, step=step
            )

    def _look_at_sample(self, statement: str) -> None:
        for s in sampling.sample_of(self.session, statement):
            sampling.record_check(
                self.session,
                self.ports,
                BUREAU,
                statement_id=statement,
                number=s.number,
                way=s.way,
                outcome="confirmed",
            )

    def seal(self, number: int) -> None:
        seal_ledger(self.session, self.ports)

    def tell(self, number: int) -> None:
        """Tell the national voucher's system what was held, captured and given back."""
        outside.tell_outside_payers(self.session, self.ports)

    def balance(self) -> None:
        """Assert that every balance is the sum of its entries, and none is negative."""
        self.shadow.follow(self.session.connection())
        self.session.rollback()

    def prove(self) -> tuple[int, int, int, int]:
        """Assert that the whole verification finds nothing; return fen in, out, held and free."""
        flows = self.shadow.flows(self.session.connection())
        findings = [str(f) for f in verify_ledger(self.session).findings]
        assert findings == [], findings
        return flows


def _vendor(vendor_id: str) -> Actor:
    return Actor(f"u-{vendor_id}", Role.VENDOR, vendor_id=vendor_id)


def _caregiver(caregiver_id: str) -> Actor:
    return Actor(
        f"u-{caregiver_id}",
        Role.CAREGIVER,
        vendor_id=CREW[caregiver_id],
        caregiver_id=caregiver_id,
    )


WEIGHTS = {
    "place": 26,
    "accept": 24,
    "decline": 2,
    "assign": 22,
    "enter": 20,
    "leave": 19,
    "closed_door": 2,
    "redeem": 15,
    "dispute": 3,
    "resolve": 5,
    "cancel": 5,
    "refund": 4,
    "pay": 5,
    "advance": 5,
    "expire": 5,
    "lapse": 2,
    "grant": 2,
    "close": 2,
    "sign": 6,
    "seal": 1,
    "tell": 3,
}


_told_to_stop: list[int] = []
"""The signal to end after the step that is being done, where one came."""


def drive(
    world: World,
    rng: random.Random,
    steps: Sequence[int],
    *,
    prove_every: int,
    until: float | None = None,
) -> int:
    """Drive a world; return the number of the last step done (all, or as far as time allowed).

    Raises ``AssertionError`` at the first step after which the books are wrong.
    """
    names, weights = list(WEIGHTS), list(WEIGHTS.values())
    n = steps[0] - 1 if steps else 0
    for n in steps:
        world.step(rng.choices(names, weights)[0], rng.randrange(10**6))
        world.balance()
        if n % prove_every == 0:
            into, out, held, free = world.prove()
            sys.stdout.write(
                f"step {n}, {world.clock.at:%Y-%m-%d}: in {into} = out {out} + held {held}"
                f" + free {free} fen\n"
            )
            sys.stdout.flush()
        if _told_to_stop or (until is not None and time.monotonic() > until):
            break
    return n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prove-every", type=int, default=5_000)
    parser.add_argument("--folder", type=Path, help="keep the run here (SQLite)")
    parser.add_argument("--seconds", type=float, help="stop after so long, to go on later")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nuanju-world-") as scratch:
        folder = options.folder or Path(scratch)
        with database(options.db, folder=options.folder) as url:
            _run(url, folder, options)


def _run(url: str, folder: Path, options: argparse.Namespace) -> None:
    kept = folder / "world.pickle"
    signal.signal(signal.SIGTERM, lambda number, _: _told_to_stop.append(number))
    until = time.monotonic() + options.seconds if options.seconds else None
    engine = engine_of(url)
    with engine.begin() as connection:
        # Every step asks for what is held; without this the question grows with the run.
        connection.execute(text("CREATE INDEX IF NOT EXISTS bench_held ON price_split (state)"))
    with Session(engine) as session:
        if kept.exists():
            world, rng, done, spent = pickle.loads(kept.read_bytes())
            world.resume(session)
        else:
            world, rng, done, spent = World(session, folder), random.Random(options.seed), 0, 0.0
        began = time.process_time()
        done = drive(
            world,
            rng,
            range(done + 1, options.steps + 1),
            prove_every=options.prove_every,
            until=until,
        )
        spent += time.process_time() - began
        if options.folder:
            kept.write_bytes(pickle.dumps((world, rng, done, spent)))
        if done < options.steps:
            sys.stdout.write(f"{done} of {options.steps} steps, processor {spent:.0f} s\n")
            return
        flows = world.prove()
        verdict = verify_ledger(session)
        sys.stdout.write(
            f"{done} steps, seed {options.seed}, processor {spent:.0f} s:"
            f" {verdict.transfers} transfers, {verdict.accounts} accounts;"
            f" in {flows[0]} = out {flows[1]} + held {flows[2]} + free {flows[3]} fen; proven\n"
        )
    for name, count in sorted(world.ended.items()):
        sys.stdout.write(f"  {count:7} {name}\n")


if __name__ == "__main__":
    main()
