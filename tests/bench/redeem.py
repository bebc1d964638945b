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

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import FrozenClock
from marketplace.kernel.db import prepare_engine, transaction
from marketplace.kernel.errors import DomainError
from marketplace.orders.models import WorkOrder
from marketplace.vouchers import service
from marketplace.vouchers.ledger import Account, Entry, open_accounts, post
from marketplace.vouchers.models import AccountKind, PriceSplit
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

VISIT_PRICE = 10_000


def _engine(url: str) -> Engine:
    from sqlalchemy import create_engine

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


def _worker(url: str, race: str, number: int, start: Any, answers: Any) -> None:
    engine = _engine(url)
    act = RACES[race][1]
    with Session(engine) as session:
        start.wait()
        answers.put(_try(session, lambda s: act(s, number)))
    engine.dispose()


def _city(session: Session) -> None:
    an_elder(session, income_class="dibao", hukou_local=False)
    an_assessment(session, level=2)
    a_vendor(session)
    a_caregiver(session)
    granted(session)


def _one_voucher(session: Session, processes: int) -> None:
    """One voucher of 100 yuan, and a work order of 100 yuan for each process."""
    version = a_service(session, price_fen=VISIT_PRICE, mode="remote")
    for n in range(processes):
        a_work_order(session, id=f"W{n}", version=version, visit_on=TODAY + timedelta(days=n % 5))


def _hold_voucher(session: Session, number: int) -> None:
    # Every process was shown the same full voucher before any of them ordered.
    share = service.Share(
        "LV",
        VISIT_PRICE,
        0,
        "ent:LV:E1:2026-11",
        programme_version=date(2026, 1, 1),
        tier="LV-2",
    )
    quote = service.Quote(
        elder_id="E1",
        district_code=DISTRICT,
        on=TODAY,
        price_fen=VISIT_PRICE,
        minutes=60,
        shares=(share,),
        left_after={},
        explanations=(),
        expected=False,
    )
    service.hold(session, work_order_id=f"W{number}", elder_id="E1", quote=quote, at=NOW)


def _one_visit(session: Session, processes: int) -> None:
    """One held work order with one visit; every process redeems it with a visit of its own."""
    a_hold(session, version=a_service(session, price_fen=VISIT_PRICE))
    work_order = session.get(WorkOrder, "W1")
    for n in range(processes):
        a_caregiver(session, id=f"K{n}")
        a_visit(session, id=f"X{n}", work_order=work_order, caregiver_id=f"K{n}")


def _capture(session: Session, number: int) -> None:
    service.capture(session, work_order_id="W1", visit_id=f"X{number}", vendor_id="V1", at=NOW)


def _cancel_or_capture(session: Session, number: int) -> None:
    if number % 2:
        service.capture(session, work_order_id="W1", visit_id=f"X{number}", vendor_id="V1", at=NOW)
    else:
        service.capture_fee(session, work_order_id="W1", vendor_id="V1", at=NOW, kind="late_cancel")


def _last_minutes(session: Session, processes: int) -> None:
    """An account with 60 minutes left, and a work order of 60 minutes for each process."""
    version = a_service(session, price_fen=2_500)
    for n in range(processes):
        a_work_order(session, id=f"W{n}", version=version, visit_on=TODAY + timedelta(days=n % 5))
    account = "day:TB:E1:2026-11"
    # Earned hours: minutes without a fund, so that only the minutes decide.
    open_accounts(
        session,
        [
            Account("mint:TB:321204", AccountKind.MINT, "minutes", "TB", district_code=DISTRICT),
            Account(account, AccountKind.DAY, "minutes", "TB", elder_id="E1", period="2026-11"),
        ],
    )
    post(
        session,
        [Entry("earn/1", "direct", "earned", "minutes", "mint:TB:321204", account, 60, "2026-11")],
        at=NOW,
    )


def _hold_minutes(session: Session, number: int) -> None:
    session.add(
        PriceSplit(
            work_order_id=f"W{number}",
            elder_id="E1",
            district_code=DISTRICT,
            period="2026-11",
            use_on=TODAY,
            price_fen=0,
            minutes=60,
            sold={},
            state="released",
            at=NOW,
        )
    )
    session.flush()
    post(
        session,
        [
            Entry(
                f"use/{number}",
                "direct",
                "used",
                "minutes",
                "day:TB:E1:2026-11",
                "mint:TB:321204",
                60,
                "2026-11",
            )
        ],
        at=NOW,
    )


def _a_month(session: Session, processes: int) -> None:
    """A month with captured visits, to be closed by all at once."""
    version = a_service(session, price_fen=VISIT_PRICE)
    for n in range(20):
        on = TODAY - timedelta(days=n)
        a_hold(session, id=f"W{n}", version=version, visit_on=on, vendor_id="V1")
        work_order = session.get(WorkOrder, f"W{n}")
        a_visit(session, id=f"X{n}", work_order=work_order)
        work_order.state = "confirmed"
        session.flush()
        service.capture(session, work_order_id=f"W{n}", visit_id=f"X{n}", vendor_id="V1", at=NOW)


class _Ports:
    clock = FrozenClock(datetime(2026, 12, 2, 1, 0, tzinfo=UTC))


def _close_worker(url: str, race: str, number: int, start: Any, answers: Any) -> None:
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


RACES: dict[str, tuple[Callable[[Session, int], None], Any, frozenset[str]]] = {
    "voucher": (_one_voucher, _hold_voucher, frozenset({"entitlement_too_small"})),
    "minutes": (_last_minutes, _hold_minutes, frozenset({"entitlement_too_small"})),
    "capture": (_one_visit, _capture, frozenset({"wrong_state"})),
    "cancel": (_one_visit, _cancel_or_capture, frozenset({"wrong_state"})),
    "close": (_a_month, None, frozenset({"closed before"})),
}
"""Race -> how it is set up, what each process does, how the losers may be answered."""


def run_race(url: str, race: str, processes: int) -> Counter[str]:
    """Let ``processes`` race on an empty database; return how they ended. Raises on any fault."""
    engine = _engine(url)
    prepare, _, refusals = RACES[race]
    with Session(engine) as session, transaction(session):
        _city(session)
        prepare(session, processes)
    context = multiprocessing.get_context("fork")
    start, answers = context.Event(), context.Queue()
    target = _close_worker if race == "close" else _worker
    crowd = [
        context.Process(target=target, args=(url, race, n, start, answers), daemon=True)
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
        for _ in range(options.rounds):
            with database(options.db) as url:
                total += run_race(url, race, options.processes)
        seconds = time.perf_counter() - began
        sys.stdout.write(
            f"{race} on {options.db}: {options.rounds} rounds of {options.processes} processes, "
            f"{dict(total)}, ledger verified each time, {seconds:.0f} s\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
