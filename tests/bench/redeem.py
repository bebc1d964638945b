"""Real processes that race for the same money; exactly one may win each race.

``python -m tests.bench.redeem --db postgres --processes 200 --rounds 50``
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, create_engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from marketplace.catalogue.models import ServiceVersion
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import FrozenClock
from marketplace.kernel.db import prepare_engine, transaction
from marketplace.kernel.errors import DomainError
from marketplace.orders.models import WorkOrder
from marketplace.vouchers import service
from marketplace.vouchers.ledger import Account, Entry, open_accounts, post
from marketplace.vouchers.models import AccountKind
from marketplace.workflows.ledger import verify_ledger
from marketplace.workflows.settle import close_month
from tests.bench.server import database
from tests.builders import (
    DISTRICT,
    NOVEMBER,
    NOW,
    TODAY,
    a_caregiver,
    a_hold,
    a_service,
    a_vendor,
    a_visit,
    a_work_order,
    an_assessment,
    an_elder,
    granted,
)
from vendors.models import Caregiver, Vendor

VISIT_PRICE = 10_000


def _engine(url: str) -> Engine:
    engine = create_engine(url, poolclass=NullPool)
    prepare_engine(engine)
    return engine


def _try(session: Session, action: Callable[[Session], Any]) -> str:
    """Run one action in its own transaction and name how it ended; anything unforeseen is an error."""
    try:
        with transaction(session):
            action(session)
    except DomainError as refusal:
        return refusal.code
    except OperationalError as error:
        return f"error: {error.orig}"
    return "done"


def _worker(url: str, race: str, r: int, number: int, start: Any, answers: Any) -> None:
    engine = _engine(url)
    act = RACES[race][1]
    with Session(engine) as session:
        start.wait()
        answers.put(_try(session, lambda s: act(s, r, number)))
    engine.dispose()


def _city(session: Session, r: int) -> ServiceVersion:
    """An elder of this round with a voucher of 100 yuan; a vendor and a service for all rounds."""
    an_elder(session, id=f"E{r}", income_class="dibao", hukou_local=False)
    an_assessment(session, f"E{r}", level=2)
    if session.get(Vendor, "V1") is None:
        a_vendor(session)
        a_caregiver(session)
    granted(session, run=f"run{r}")
    version = session.scalars(select(ServiceVersion)).first()
    return version or a_service(session, price_fen=VISIT_PRICE, mode="remote")


def _one_voucher(session: Session, r: int, version: ServiceVersion, processes: int) -> None:
    """One voucher of 100 yuan, and a work order of 100 yuan for each process."""
    for n in range(processes):
        a_work_order(session, id=f"W{r}-{n}", elder_id=f"E{r}", version=version)


def _hold_voucher(session: Session, r: int, number: int) -> None:
    # Every process was shown the same full voucher before any of them ordered.
    share = service.Share(
        "LV",
        VISIT_PRICE,
        0,
        f"ent:LV:E{r}:2026-11",
        programme_version=date(2026, 1, 1),
        tier="LV-2",
    )
    quote = service.Quote(
        elder_id=f"E{r}",
        district_code=DISTRICT,
        on=TODAY,
        price_fen=VISIT_PRICE,
        minutes=60,
        shares=(share,),
        left_after={},
        explanations=(),
        expected=False,
    )
    service.hold(session, work_order_id=f"W{r}-{number}", elder_id=f"E{r}", quote=quote, at=NOW)


def _one_visit(session: Session, r: int, version: ServiceVersion, processes: int) -> None:
    """One held work order; every process redeems it with a visit of its own."""
    a_hold(session, id=f"W{r}", elder_id=f"E{r}", version=version)
    work_order = session.get(WorkOrder, f"W{r}")
    for n in range(processes):
        if session.get(Caregiver, f"K{n}") is None:
            a_caregiver(session, id=f"K{n}")
        a_visit(session, id=f"X{r}-{n}", work_order=work_order, caregiver_id=f"K{n}")


def _capture(session: Session, r: int, number: int) -> None:
    service.capture(
        session, work_order_id=f"W{r}", visit_id=f"X{r}-{number}", vendor_id="V1", at=NOW
    )


def _cancel_or_capture(session: Session, r: int, number: int) -> None:
    if number % 2:
        _capture(session, r, number)
    else:
        service.capture_fee(
            session, work_order_id=f"W{r}", vendor_id="V1", at=NOW, kind="late_cancel"
        )


MINT = f"mint:TB:{DISTRICT}"


def _last_minutes(session: Session, r: int, version: ServiceVersion, processes: int) -> None:
    """A purse with its last 60 minutes."""
    purse = f"day:TB:E{r}:2026-11"
    open_accounts(
        session,
        [
            Account(MINT, AccountKind.MINT, "minutes", "TB", district_code=DISTRICT),
            Account(purse, AccountKind.DAY, "minutes", "TB", elder_id=f"E{r}", period="2026-11"),
        ],
    )
    earned = Entry(f"earn/{r}", "direct", "earned", "minutes", MINT, purse, 60, "2026-11")
    post(session, [earned], at=NOW)


def _use_minutes(session: Session, r: int, number: int) -> None:
    purse = f"day:TB:E{r}:2026-11"
    used = Entry(f"use/{r}/{number}", "direct", "used", "minutes", purse, MINT, 60, "2026-11")
    post(session, [used], at=NOW)


def _a_month(session: Session, r: int, version: ServiceVersion, processes: int) -> None:
    """A month with captured visits, to be closed by all at once."""
    for n in range(20):
        on = TODAY - timedelta(days=n)
        a_hold(session, id=f"W{n}", elder_id=f"E{r}", version=version, visit_on=on, vendor_id="V1")
        work_order = session.get(WorkOrder, f"W{n}")
        a_visit(session, id=f"X{n}", work_order=work_order)
        work_order.state = "confirmed"
        session.flush()
        service.capture(session, work_order_id=f"W{n}", visit_id=f"X{n}", vendor_id="V1", at=NOW)


class _Ports:
    clock = FrozenClock(datetime(2026, 12, 2, 1, 0, tzinfo=UTC))


def _close_worker(url: str, race: str, r: int, number: int, start: Any, answers: Any) -> None:
    engine = _engine(url)
    with Session(engine) as session:
        start.wait()
        try:
            done = close_month(
                session,
                _Ports(),  # type: ignore[arg-type]
                Actor(f"clerk-{number}", Role.SYSTEM),
                period=NOVEMBER,
                district_code=DISTRICT,
            )
            answers.put("closed before" if done[0].closed_before else "done")
        except OperationalError as error:
            answers.put(f"error: {error.orig}")
    engine.dispose()


RACES: dict[str, tuple[Callable[..., None], Any, frozenset[str]]] = {
    "voucher": (_one_voucher, _hold_voucher, frozenset({"entitlement_too_small"})),
    "minutes": (_last_minutes, _use_minutes, frozenset({"entitlement_too_small"})),
    "capture": (_one_visit, _capture, frozenset({"wrong_state"})),
    "cancel": (_one_visit, _cancel_or_capture, frozenset({"wrong_state"})),
    "close": (_a_month, None, frozenset({"closed before"})),
}
"""Race -> how it is set up, what each process does, how the losers may be answered."""


def run_race(url: str, race: str, processes: int, r: int = 0) -> Counter[str]:
    """Let ``processes`` race in round ``r``; return how they ended. Raises on any fault."""
    engine = _engine(url)
    prepare, _, refusals = RACES[race]
    with Session(engine) as session, transaction(session):
        prepare(session, r, _city(session, r), processes)
    context = multiprocessing.get_context("fork")
    start, answers = context.Event(), context.Queue()
    target = _close_worker if race == "close" else _worker
    crowd = [
        context.Process(target=target, args=(url, race, r, n, start, answers), daemon=True)
        for n in range(processes)
    ]
    for process in crowd:
        process.start()
    start.set()
    ended = Counter(answers.get(timeout=240) for _ in crowd)
    for process in crowd:
        process.join()
    with Session(engine) as session:
        findings = [str(f) for f in verify_ledger(session).findings]
    engine.dispose()
    # A cancellation that came first may be repeated: it answers as the first time.
    wins = ended["done"]
    lawful = wins == 1 or (race == "cancel" and wins == processes // 2 + processes % 2)
    known = {"done", *refusals}
    findings = [f for f in findings if not f.startswith("grant_run")]
    if not lawful or set(ended) - known or findings:
        raise AssertionError(f"{race}: {dict(ended)}, {findings}")
    return ended


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="postgres")
    parser.add_argument("--processes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--race", choices=[*RACES, "all"], default="voucher")
    options = parser.parse_args()
    races = list(RACES) if options.race == "all" else [options.race]
    for race in races:
        began = time.perf_counter()
        total: Counter[str] = Counter()
        # A month can be closed once: that race needs a new database each round.
        fresh = race == "close"
        for batch in range(options.rounds if fresh else 1):
            with database(options.db) as url:
                for r in range(1 if fresh else options.rounds):
                    total += run_race(url, race, options.processes, batch + r)
        seconds = time.perf_counter() - began
        sys.stdout.write(
            f"{race} on {options.db}: {options.rounds} rounds of {options.processes} processes, "
            f"{dict(total)}, ledger verified each time, {seconds:.0f} s\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
