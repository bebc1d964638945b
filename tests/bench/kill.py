"""Kill -9 of the web process, the worker and PostgreSQL while money moves; afterwards nothing is lost
and nothing is there twice.

``python -m tests.bench.kill --rounds 100 --seed 1``

Each round makes work orders whose money is held, sets the real programs on them (the web server, the
upkeep, the closing of a month), kills one of them or the database server at a random moment, starts
again what was killed, lets the clients repeat what got no answer, and looks at the whole book.
"""

from __future__ import annotations

import argparse
import ctypes
import http.client
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apiflask import APIFlask
from sqlalchemy import create_engine, func, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from marketplace.accounts.service import NewAccount, create_accounts
from marketplace.app import create_app
from marketplace.commands.serve import run_server
from marketplace.config import Settings
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import FrozenClock, Period
from marketplace.kernel.db import transaction
from marketplace.orders.models import WorkOrder, WorkOrderEvent
from marketplace.settlement.models import StatementLine
from marketplace.visits.models import Visit
from marketplace.vouchers import service
from marketplace.vouchers.models import LedgerTransfer, PriceSplit, Redemption
from marketplace.workflows.ledger import verify_ledger
from marketplace.workflows.settle import close_month
from marketplace.workflows.upkeep import upkeep
from tests.bench import races
from tests.bench.server import Server, create_tables, free_port, stop_on_terminate
from tests.builders import NOW

PASSWORD = "spring-water-1946"
CLICKED, SILENT, LINES = 12, 8, 30
"""Of a round: work orders confirmed over HTTP, confirmed by silence, closed with the month."""

PR_SET_PDEATHSIG = 1
LATER = NOW + timedelta(hours=50)
DECEMBER = FrozenClock(datetime(2026, 12, 2, 1, 0, tzinfo=UTC))


class Program:
    """A forked process group that runs one of the real programs."""

    def __init__(self, run: Callable[[], None]) -> None:
        self._run = run
        self.pid = 0

    def start(self) -> None:
        """Fork; the child never returns."""
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                os.setsid()
                # Where the bench itself is killed, nothing of it stays behind.
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                self._run()
                code = 0
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 1
            except Exception:
                # It fell with the server, as it should; whoever watches it starts it again.
                code = 1
            finally:
                # Never back into the parent's stack, whose finally clauses are not this process's.
                os._exit(code)

    def kill(self) -> None:
        """Kill the process and its children with SIGKILL and reap it."""
        # The group exists once the child has come to its first line.
        for kill in (os.killpg, os.kill):
            with suppress(ProcessLookupError):
                kill(self.pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        """Wait until it has ended; return its exit code, negative for a signal."""
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    @property
    def is_alive(self) -> bool:
        """Return whether it still runs."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


class Bench:
    """A server, the application, and what every round needs."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.server = Server(folder / "server")
        self.url = self.server.url
        create_tables(self.url)
        self.port = free_port()
        settings = Settings(
            database_url=self.url,
            instance=folder / "instance",
            secret_key="s" * 40,
            data_key="d" * 40,
            log_level="CRITICAL",
            second_factor=False,
        )
        self.app: APIFlask = create_app(settings, clock=FrozenClock(LATER))
        self.ports = self.app.extensions["ports"]
        # Without a pool: a connection that was killed with the server is never met again.
        self.engine = create_engine(self.url, poolclass=NullPool)
        with Session(self.engine) as session:
            with transaction(session):
                races.services(session, 1)
            with self.app.app_context(), transaction(session):
                hotline = NewAccount(username="hotline", display_name="坐席", role=Role.HOTLINE)
                create_accounts(session, [hotline], password=PASSWORD)
        self.web = Program(
            lambda: run_server(self.app, host="127.0.0.1", port=self.port, workers=1)
        )
        self.worker = Program(self._keep)
        self.typical = {"redeem": 1.0, "close": 0.5}
        self.ended: Counter[str] = Counter()
        self.web.start()
        self.token = self._sign_in()

    def stop(self) -> None:
        """End what runs."""
        self.web.kill()
        self.engine.dispose()
        self.server.stop()

    def _keep(self) -> None:
        """The worker: upkeep again and again, as ``marketplace upkeep --watch`` does."""
        os.close(1)
        with Session(create_engine(self.url, poolclass=NullPool)) as session:
            while True:
                upkeep(session, self.ports)
                time.sleep(0.05)

    def _call(self, path: str, body: dict[str, object], key: str, token: str | None) -> tuple:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        if token:
            headers["Authentication-Token"] = token
        try:
            connection.request("POST", f"/api/v1{path}", json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _until_answered(self, path: str, body: dict[str, object], key: str, token: str | None):
        """Repeat a request with its key until it is answered; no answer and 5xx are no answers."""
        ends = time.monotonic() + 90
        while True:
            with suppress(OSError, http.client.HTTPException):
                status, content = self._call(path, body, key, token)
                # While the database is away nobody can be recognised: that is no answer either.
                if status < 500 and status != 401:
                    return status, json.loads(content)
            assert time.monotonic() < ends, f"{path}: no answer"
            time.sleep(0.05)

    def _sign_in(self) -> str:
        body: dict[str, object] = {"username": "hotline", "password": PASSWORD}
        status, answer = self._until_answered("/tokens", body, "sign-in-1", None)
        assert status == 201, answer
        return str(answer["token"])

    # One round of redemption.

    def redeem(self, r: int, victim: str) -> None:
        """Confirm over HTTP and by silence at once; kill the victim in the middle."""
        clicked = [f"W{r}-{n:02d}" for n in range(CLICKED)]
        silent = [f"W{r}-{n:02d}" for n in range(CLICKED, CLICKED + SILENT)]
        self._prepare(r, clicked + silent, "done")
        answers: dict[str, tuple[int, dict]] = {}

        def click(ids: Sequence[str]) -> None:
            for i in ids:
                path, body = f"/work-orders/{i}/confirm", {"method": "voice", "reference": "call-1"}
                answers[i] = self._until_answered(path, body, f"confirm-{i}", self.token)  # type: ignore[arg-type]

        clients = [threading.Thread(target=click, args=(clicked[n::3],)) for n in range(3)]
        began = time.monotonic()
        self.worker.start()
        for client in clients:
            client.start()
        time.sleep(self.rng.uniform(0, 1.1) * self.typical["redeem"])
        self._kill(victim)
        for client in clients:
            client.join()
        self._until_confirmed(clicked + silent)
        if victim == "nobody":
            self.typical["redeem"] = time.monotonic() - began
        self.worker.kill()
        for i in clicked:
            status, answer = answers[i]
            # What silence confirmed first is refused to the caller, and paid all the same, once.
            assert status == 200 or answer["code"] == "wrong_state", answer
            self.ended[f"answered {status}"] += 1
        self._look(clicked + silent)

    def _kill(self, victim: str) -> None:
        match victim:
            case "web":
                self.web.kill()
                self.web.start()
            case "worker":
                self.worker.kill()
                self.worker.start()
            case "postgres":
                self.server.kill()
                self.server.start()

    def _until_confirmed(self, ids: Sequence[str]) -> None:
        """Wait for the worker, which is started again where it fell with the server."""
        ends = time.monotonic() + 90
        while True:
            if not self.worker.is_alive:
                self.worker.wait()
                self.worker.start()
            with suppress(SQLAlchemyError), Session(self.engine) as session:
                done = session.scalar(
                    select(func.count()).where(
                        WorkOrder.id.in_(ids), WorkOrder.state == "confirmed"
                    )
                )
                if done == len(ids):
                    return
            assert time.monotonic() < ends, "not all were confirmed"
            time.sleep(0.02)

    def _prepare(self, r: int, ids: list[str], state: str) -> None:
        """Insert served visits with their money held, by insurers, vouchers, hours and own money."""
        with Session(self.engine) as session:
            elder = races.an_elder_of(
                session,
                replace(self.ports, clock=FrozenClock(NOW)),
                r,
                income_class="dibao",
            )
            with transaction(session):
                version = races.work_orders(session, r, "ZX001", ids, state=state)
                quotes = service.quote_many(
                    session,
                    [
                        service.QuoteRequest(elder, version, races.TODAY, races.district_of(r))
                        for _ in ids
                    ],
                )
                service.hold_many(
                    session,
                    [service.HoldRequest(i, elder, q) for i, q in zip(ids, quotes, strict=True)],
                    at=NOW,
                )
                session.execute(insert(Visit), [_visit(r, n, i) for n, i in enumerate(ids)])
                session.execute(insert(WorkOrderEvent), [_done(i) for i in ids])

    def _look(self, ids: Sequence[str]) -> None:
        """Everything is there once, sums are right, and the whole book is proven."""
        with Session(self.engine) as session:
            splits = session.execute(
                select(PriceSplit.price_fen, PriceSplit.state, Redemption.price_fen)
                .outerjoin(Redemption, Redemption.work_order_id == PriceSplit.work_order_id)
                .where(PriceSplit.work_order_id.in_(ids))
            ).all()
            assert len(splits) == len(ids)
            assert all(s == "captured" and paid == price for price, s, paid in splits), splits
            posted = session.scalar(
                select(func.sum(LedgerTransfer.amount)).where(
                    LedgerTransfer.work_order_id.in_(ids),
                    LedgerTransfer.kind == "post",
                    LedgerTransfer.unit == "fen",
                )
            )
            assert posted == sum(price for price, _, _ in splits)
            findings = [str(f) for f in verify_ledger(session).findings]
            assert findings == [], findings

    # One round of closing.

    def close(self, r: int, victim: str) -> None:
        """Close the month of a district in a process of its own; kill it or the server."""
        ids = [f"W{r}-{n:02d}" for n in range(LINES)]
        self._prepare(r, ids, "confirmed")
        with Session(self.engine) as session, transaction(session):
            service.capture_many(
                session,
                [service.CaptureRequest(i, f"X{r}-{n}", "V1") for n, i in enumerate(ids)],
                at=NOW,
            )
        closing = Program(lambda: self._close(r))
        began = time.monotonic()
        closing.start()
        if victim == "nobody":
            assert closing.wait() == 0
            self.typical["close"] = time.monotonic() - began
        else:
            time.sleep(self.rng.uniform(0, 1.1) * self.typical["close"])
            if victim == "postgres":
                self._kill(victim)
                self.ended["closing ended" if closing.wait() == 0 else "closing fell"] += 1
            else:
                self.ended["closing ended" if not closing.is_alive else "closing killed"] += 1
                closing.kill()
            with Session(self.engine) as session:
                lines = self._lines(session, ids)
                assert lines in (0, LINES), f"{lines} of {LINES} lines: half a closing"
            again = Program(lambda: self._close(r))
            again.start()
            assert again.wait() == 0
        with Session(self.engine) as session:
            assert self._lines(session, ids) == LINES
        self._look(ids)

    def _close(self, r: int) -> None:
        district = races.district_of(r)
        with Session(create_engine(self.url, poolclass=NullPool)) as session:
            close_month(
                session,
                replace(self.ports, clock=DECEMBER),
                Actor("clerk", Role.BUREAU, district_code=district),
                period=Period(2026, 11),
                district_code=district,
            )

    @staticmethod
    def _lines(session: Session, ids: Sequence[str]) -> int:
        return int(
            session.scalar(select(func.count()).where(StatementLine.work_order_id.in_(ids))) or 0
        )


def _visit(r: int, n: int, work_order: str) -> dict[str, object]:
    return races.a_visit_row(r, n) | {"work_order_id": work_order, "caregiver_id": "K0"}


def _done(work_order: str) -> dict[str, object]:
    return {
        "work_order_id": work_order,
        "at": NOW,
        "from_state": "in_service",
        "to_state": "done",
        "actor_id": "u-K0",
        "role": "caregiver",
    }


KINDS = (
    ("redeem", "web"),
    ("redeem", "worker"),
    ("redeem", "postgres"),
    ("close", "process"),
    ("close", "postgres"),
)
"""What is killed while what happens; each as often as the others."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="kind of kill to begin with, 0 to 4")
    parser.add_argument("--seconds", type=float, default=86_400, help="stop after so long")
    options = parser.parse_args()
    stop_on_terminate()
    with tempfile.TemporaryDirectory(prefix="nuanju-kill-") as scratch:
        Path(scratch).chmod(0o755)
        bench = Bench(Path(scratch), options.seed)
        try:
            bench.redeem(0, "nobody")
            bench.close(1, "nobody")
            began = time.monotonic()
            done = 0
            while done < options.rounds and time.monotonic() < began + options.seconds:
                what, victim = KINDS[(options.first + done) % len(KINDS)]
                getattr(bench, what)(done + 2, victim)
                bench.ended[f"{victim} killed in {what}"] += 1
                done += 1
            with Session(bench.engine) as session:
                verdict = verify_ledger(session)
        finally:
            bench.stop()
    sys.stdout.write(
        f"{done} kills, seed {options.seed}, {time.monotonic() - began:.0f} s:"
        f" {verdict.transfers} transfers, {'proven' if verdict.is_proven else verdict.findings}\n"
    )
    for name, count in sorted(bench.ended.items()):
        sys.stdout.write(f"  {count:5} {name}\n")


if __name__ == "__main__":
    main()
