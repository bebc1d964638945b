"""Redemptions a second beside pgbench's own TPC-B-like transaction, on one server, in one minute.

``python -m tests.bench.rate --clients 8 --seconds 20``

A redemption is one transaction of the money layer: the hold is moved to captured, the redemption and its
transfers are written, the counters of every account it touches are changed. As many processes as pgbench
has clients redeem visits of a city's elders; pgbench runs before and after, so that a server whose
other users come and go is seen.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import event, make_url, select, text
from sqlalchemy.orm import Session

from marketplace.elders.models import Elder
from marketplace.kernel.db import transaction
from marketplace.vouchers import service
from marketplace.vouchers.models import PriceSplit
from marketplace.workflows.ledger import seal_ledger, verify_ledger
from tests.bench.month import VENDORS, _Ports, _redeem_part, grant_month, load_elders
from tests.bench.server import Server, _on, engine_of, programs, stop_on_terminate
from tests.builders import NOW, a_caregiver, a_service, a_vendor

CONTEXT = multiprocessing.get_context("fork")


def prepare(url: str, elders: int, held: int) -> None:
    """Load elders, grant the month, and hold ``held`` served visits of theirs."""
    with Session(engine_of(url)) as session:
        load_elders(session, elders, seed=1)
        grant_month(session)
        with transaction(session):
            for v in range(VENDORS):
                a_vendor(session, id=f"V{v:03d}")
            a_caregiver(session, vendor_id="V000")
            version = a_service(session, price_fen=4_000)
            people = session.execute(select(Elder.id, Elder.district_code).order_by(Elder.id)).all()
            for start in range(0, held, 5_000):
                numbers = range(start, min(start + 5_000, held))
                _redeem_part(session, numbers, people, version, capture=False)
        with transaction(session):
            session.execute(text("ANALYZE"))


def redeem(url: str, mine: range, gate: Any, ends: Any, out: Any) -> None:
    """Redeem visit after visit until time is up; put the count and the statements of each."""
    engine = engine_of(url)
    statements: list[int] = []
    seen = [0]
    event.listen(engine, "after_cursor_execute", lambda *_: seen.__setitem__(0, seen[0] + 1))
    with Session(engine) as session:
        session.connection()
        session.rollback()
        gate.wait(120)
        for n in mine:
            if time.monotonic() > ends.value:
                break
            before = seen[0]
            with transaction(session):
                service.capture(
                    session,
                    work_order_id=f"W{n:06d}",
                    visit_id=f"X{n}",
                    vendor_id=f"V{n % VENDORS:03d}",
                    at=NOW,
                )
            statements.append(seen[0] - before)
    out.put((len(statements), min(statements), max(statements)))
    engine.dispose()


def redemptions(url: str, *, clients: int, seconds: float, held: int) -> tuple[float, int, int]:
    """Return redemptions a second, and the least and most statements that one cost."""
    gate, out = CONTEXT.Barrier(clients + 1), CONTEXT.Queue()
    ends = CONTEXT.Value("d", time.monotonic() + 3_600)
    crowd = [
        CONTEXT.Process(target=redeem, args=(url, range(n, held, clients), gate, ends, out))
        for n in range(clients)
    ]
    for process in crowd:
        process.start()
    gate.wait(120)
    began = time.monotonic()
    ends.value = began + seconds
    done = [out.get(timeout=seconds + 60) for _ in crowd]
    took = time.monotonic() - began
    for process in crowd:
        process.join()
    count = sum(d[0] for d in done)
    assert count < held, "every held visit was redeemed: hold more"
    return count / took, min(d[1] for d in done), max(d[2] for d in done)


def pgbench(url: str, *, clients: int, seconds: int, initialise: bool) -> float:
    """Return the transactions a second of pgbench's TPC-B-like script, scale 10."""
    u = make_url(url)
    where = ["-h", str(u.host), "-p", str(u.port), "-U", str(u.username), str(u.database)]
    program = str(programs() / "pgbench")
    if initialise:
        subprocess.run([program, "-i", "-q", "-s", "10", *where], check=True, capture_output=True)
    done = subprocess.run(
        [program, "-c", str(clients), "-j", "2", "-T", str(seconds), "-n", *where],
        check=True,
        capture_output=True,
        text=True,
    )
    [line] = [x for x in done.stdout.splitlines() if x.startswith("tps =")]
    return float(line.split()[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--elders", type=int, default=20_000)
    parser.add_argument("--held", type=int, default=20_000)
    options = parser.parse_args()
    stop_on_terminate()
    with tempfile.TemporaryDirectory(prefix="nuanju-rate-") as scratch:
        Path(scratch).chmod(0o755)
        server = Server(Path(scratch))
        try:
            with _on(make_url(server.url), None, None) as url:
                prepare(url, options.elders, options.held)
                _measure(url, options)
        finally:
            server.stop()


def _measure(url: str, options: argparse.Namespace) -> None:
    with_clients = {"clients": options.clients, "seconds": options.seconds}
    before = pgbench(url, initialise=True, **with_clients)
    rate, least, most = redemptions(url, held=options.held, **with_clients)
    after = pgbench(url, initialise=False, **with_clients)
    with Session(engine_of(url)) as session:
        seal_ledger(session, _Ports())  # type: ignore[arg-type]
        findings = verify_ledger(session).findings
        captured = session.scalar(
            select(text("COUNT(*)")).select_from(PriceSplit).where(PriceSplit.state == "captured")
        )
        session.get_bind().dispose()  # type: ignore[union-attr]
    sys.stdout.write(
        f"{options.clients} clients, {options.seconds} s each: {rate:.0f} redemptions a second"
        f" ({least} to {most} statements each, {captured} in all); pgbench TPC-B-like"
        f" {before:.0f} before and {after:.0f} after; "
        f"{'proven' if not findings else findings[:3]}\n"
    )


if __name__ == "__main__":
    main()
