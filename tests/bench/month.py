"""Grants for a city's elders, a month of redemptions, and its closing: seconds and memory.

``python -m tests.bench.month --db postgres --elders 356900 --lines 150000``

With ``--keep NAME`` the redeemed month is made once and copied for each run; ``--entries 10000000``
measures the proof of a great ledger.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.elders import witness
from marketplace.elders.models import Assessment, Elder
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.bulk import upsert
from marketplace.kernel.clock import FrozenClock, instant_of
from marketplace.kernel.db import transaction
from marketplace.orders.models import Order, WorkOrder
from marketplace.queries.statements import document, statement_ids
from marketplace.settlement.export import to_csv
from marketplace.visits.models import Visit
from marketplace.vouchers import service
from marketplace.vouchers.ledger import micro_of, open_accounts
from marketplace.vouchers.payouts import bank_account
from marketplace.vouchers.programmes import FOLDER
from marketplace.workflows.grants import districts, preview_grants, release_grants
from marketplace.workflows.ledger import seal_ledger, verify_ledger
from marketplace.workflows.programmes import TryChange, try_change
from marketplace.workflows.settle import close_month
from tests.bench.server import database, engine_of
from tests.builders import NOVEMBER, NOW, a_caregiver, a_service, a_vendor

DISTRICTS = ("321202", "321203", "321204", "321281", "321282", "321283")
ONE, TWO = Actor("one", Role.SYSTEM), Actor("two", Role.SYSTEM)
VENDORS = 127


class _Ports:
    clock = FrozenClock(NOW)
    outside: ClassVar[dict[str, object]] = {}


_backend: list[int] = []


def watch_server(session: Session) -> None:
    """Count the processor seconds of the server process behind this session from now on."""
    if session.get_bind().dialect.name == "postgresql":
        _backend.append(session.scalar(text("SELECT pg_backend_pid()")))
        session.rollback()


def _server_seconds() -> float:
    """Return the processor seconds of the one PostgreSQL process that serves this bench."""
    if not _backend:
        return 0.0
    fields = Path(f"/proc/{_backend[0]}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print wall seconds, processor seconds here and in the server, and the peak memory so far.

    On a machine that others use at the same time only the processor seconds can be compared.
    """
    began, own, server = time.perf_counter(), time.process_time(), _server_seconds()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(
        f"{what}: {time.perf_counter() - began:.1f} s (processor {time.process_time() - own:.1f} s "
        f"+ server {_server_seconds() - server:.1f} s), peak {peak:.0f} MB\n"
    )
    sys.stdout.flush()


def load_elders(session: Session, count: int, seed: int) -> None:
    """Insert elders by the city's shares; every tenth or so is assessed."""
    rng = random.Random(seed)
    for start in range(0, count, 10_000):
        elders, assessed = [], []
        for n in range(start, min(start + 10_000, count)):
            number = f"E{n:06d}"
            elders.append(
                {
                    "id": number,
                    "name": "张某某",
                    "initials": "zmm",
                    "gender": "f",
                    "born_on": date(1926, 1, 1) + timedelta(days=rng.randrange(14_600)),
                    "id_number_sealed": b"x",
                    "id_number_index": number,
                    "address": "泰州",
                    "district_code": DISTRICTS[n % 6],
                    "lat": 32.5,
                    "lng": 119.9,
                    "location_level": "town",
                    "hukou_local": True,
                    "income_class": rng.choices(
                        ["ordinary", "dibao", "low", "tekun"], [88, 6, 4, 2]
                    )[0],
                    "lives_alone": rng.random() < 0.2,
                    "special": "",
                    "updated_at": NOW,
                }
            )
            if rng.random() < 0.15:
                level = rng.choice([1, 2, 2, 3, 4])
                assessed.append(
                    {
                        "id": f"A{n:06d}",
                        "elder_id": number,
                        "assessed_on": date(2026, 3, 1),
                        "valid_until": date(2027, 2, 28),
                        "score": {1: 70, 2: 50, 3: 35, 4: 10}[level],
                        "level": level,
                        "assessor": "",
                    }
                )
        with transaction(session):
            for model, rows in ((Elder, elders), (Assessment, assessed)):
                if rows:
                    upsert(session, model, list(rows[0]), (row.values() for row in rows))
            witness.record(session, "assessment", assessed, at=NOW)
            unsaid = {"status": "active", "status_from": None}
            witness.record_elders(session, (unsaid | e for e in elders), at=NOW)


def grant_month(session: Session) -> int:
    """Preview and release November for every district."""
    granted = 0
    for code in districts(session):
        preview = preview_grants(session, _Ports(), ONE, period=NOVEMBER, district_code=code)  # type: ignore[arg-type]
        granted += release_grants(session, _Ports(), TWO, run_id=preview.run_id).granted  # type: ignore[arg-type]
    return granted


def redeem_month(session: Session, lines: int) -> None:
    """Place, hold, visit and capture ``lines`` work orders of November, in bulk."""
    with transaction(session):
        for v in range(VENDORS):
            a_vendor(session, id=f"V{v:03d}")
        a_caregiver(session, vendor_id="V000")
        version = a_service(session, price_fen=4_000)
        version_id = version.id
    elders = session.execute(select(Elder.id, Elder.district_code).order_by(Elder.id)).all()
    session.rollback()
    for start in range(0, lines, 5_000):
        with transaction(session):
            version = session.get_one(ServiceVersion, version_id)
            _redeem_part(session, range(start, min(start + 5_000, lines)), elders, version)


def _redeem_part(session, numbers, elders, version, *, capture: bool = True) -> None:
    orders, works, visits, asked, captures = [], [], [], [], []
    for n in numbers:
        elder_id, district = elders[n * 7 % len(elders)]
        on = date(2026, 11, 1 + n % 30)
        vendor = f"V{n % VENDORS:03d}"
        orders.append(
            {
                "id": f"O{n}",
                "elder_id": elder_id,
                "service_code": version.service_code,
                "channel": "plan",
                "placed_at": NOW,
                "placed_by": "plan",
                "placed_role": "system",
                "authority": "plan",
                "starts_on": on,
                "window_start_s": 28_800,
                "window_end_s": 39_600,
            }
        )
        works.append(
            {
                "id": f"W{n:06d}",
                "order_id": f"O{n}",
                "elder_id": elder_id,
                "visit_on": on,
                "window_start_s": 28_800,
                "window_end_s": 39_600,
                "state": "confirmed",
                "service_code": version.service_code,
                "service_version_id": version.id,
                "price_fen": version.price_fen,
                "service_s": 3_600,
                "crew": 1,
                "skill_code": "GEN",
                "category_code": "ZJ",
                "time_class": "flexible_day",
                "mode": "home",
                "is_stop": True,
                "lat": 32.5,
                "lng": 119.9,
                "district_code": district,
                "vendor_id": vendor,
                "created_at": NOW,
            }
        )
        visits.append(
            {
                "id": f"X{n}",
                "work_order_id": f"W{n:06d}",
                "caregiver_id": "C1",
                "elder_id": elder_id,
                "service_code": version.service_code,
                "visit_on": on,
                "lat": 32.5,
                "lng": 119.9,
                "check_in_at": instant_of(on, 32_400),
                "check_out_at": instant_of(on, 36_000),
                "verdict": "verified",
                "findings": [],
            }
        )
        asked.append(service.QuoteRequest(elder_id, version, on, district))
        captures.append(service.CaptureRequest(f"W{n:06d}", f"X{n}", vendor))
    session.execute(insert(Order), orders)
    session.execute(insert(WorkOrder), works)
    session.execute(insert(Visit), visits)
    quotes = service.quote_many(session, asked)
    service.hold_many(
        session,
        [
            service.HoldRequest(w["id"], w["elder_id"], q)
            for w, q in zip(works, quotes, strict=True)
        ],
        at=NOW,
    )
    if capture:
        service.capture_many(session, captures, at=NOW)


def sheets_sha256(session: Session) -> str:
    """Return the hash of every statement's CSV."""
    digest = hashlib.sha256()
    for number in statement_ids(session, "2026-11"):
        digest.update(to_csv(document(session, number)))
    return digest.hexdigest()


_TOP_UP = """
INSERT INTO ledger_transfer (id, kind, code, unit, debit_account, credit_account, amount, period, at,
                             row_sha256)
SELECT id, 'direct', 'family_account', 'fen', debit, credit, amount, '2026-11', :at,
       encode(sha256(convert_to(concat_ws(E'\x1f', id, 'direct', 'family_account', 'fen', debit,
         credit, amount, 'None', 'None', 'None', 'None', '2026-11', 'None', CAST(:micro AS text)),
         'UTF8')), 'hex')
FROM (SELECT 'payment/B' || n AS id, 'bank:' || a.district_code AS debit, a.id AS credit,
             100 + n % 900 AS amount
      FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) n
      JOIN bench_owed a ON a.k = n % :owed) p
"""
_COUNT_UP = """
UPDATE ledger_account a SET {counter} = {counter} + s.fen
FROM (SELECT {side} AS id, SUM(amount) AS fen FROM ledger_transfer
      WHERE id LIKE 'payment/B%' GROUP BY 1) s WHERE a.id = s.id
"""


def top_up(session: Session, entries: int) -> None:
    """Add payments of elders until the ledger has so many transfers (PostgreSQL only).

    Each row and each counter is what ``record_payment`` would have written.
    """
    with transaction(session):
        have = int(session.scalar(text("SELECT COUNT(*) FROM ledger_transfer")) or 0)
        open_accounts(session, [bank_account(code) for code in DISTRICTS])
        session.execute(text("DROP TABLE IF EXISTS bench_owed"))
        session.execute(
            text(
                "CREATE TABLE bench_owed AS SELECT id, district_code, ROW_NUMBER() OVER (ORDER BY id)"
                " - 1 AS k FROM ledger_account WHERE kind = 'owed'"
            )
        )
        session.execute(text("CREATE INDEX ON bench_owed (k)"))
        owed = int(session.scalar(text("SELECT COUNT(*) FROM bench_owed")) or 0)
    for first in range(0, entries - have, 500_000):
        with transaction(session):
            # The rows are lawful; checking two keys of each would take as long again.
            session.execute(text("SET LOCAL session_replication_role = replica"))
            last = min(first + 500_000, entries - have) - 1
            values = {"first": first, "last": last, "owed": owed, "at": NOW, "micro": micro_of(NOW)}
            session.execute(text(_TOP_UP), values)
    with transaction(session):
        for counter, side in (
            ("credits_posted", "credit_account"),
            ("debits_posted", "debit_account"),
        ):
            session.execute(text(_COUNT_UP.format(counter=counter, side=side)))
        session.execute(text("ANALYZE"))


def fill(url: str, elders: int, lines: int) -> None:
    """Load elders, grant the month and redeem its lines."""
    with Session(engine_of(url)) as session:
        with timed(f"{elders} elders loaded"):
            load_elders(session, elders, seed=1)
        with transaction(session):
            session.execute(text("ANALYZE"))
        with timed("preview and release of a month's grants"):
            granted = grant_month(session)
        sys.stdout.write(f"{granted} entitlements\n")
        with timed(f"{lines} work orders held and captured"):
            redeem_month(session, lines)
        session.get_bind().dispose()  # type: ignore[union-attr]


def close_twice(session: Session) -> None:
    """Close the month and close it again; the hashes must be the same."""
    _Ports.clock = FrozenClock(datetime(2026, 12, 2, 1, 0, tzinfo=UTC))
    hashes = []
    for attempt in ("the month closed", "closed again"):
        with timed(attempt):
            closed = close_month(session, _Ports(), ONE, period=NOVEMBER)  # type: ignore[arg-type]
        sha = hashlib.sha256("".join(c.sha256 for c in closed).encode()).hexdigest()
        hashes.append((sha, sheets_sha256(session)))
        sys.stdout.write(
            f"{sum(c.statements for c in closed)} statements, {sum(c.lines for c in closed)} lines, "
            f"{sum(c.held for c in closed)} held, {sha[:16]}, sheets {hashes[-1][1][:16]}\n"
        )
    assert hashes[0] == hashes[1]


def prove(session: Session) -> None:
    """Seal and verify the ledger."""
    with timed("sealed"):
        seal_ledger(session, _Ports())  # type: ignore[arg-type]
    with timed("verified"):
        verdict = verify_ledger(session)
    sys.stdout.write(
        f"{verdict.accounts} accounts, {verdict.transfers} transfers, {verdict.sealed} sealed, "
        f"{[str(f) for f in verdict.findings[:3]] or 'proven'}\n"
    )


def trial(session: Session) -> None:
    """Try a third hour for everybody of 80 to 89 on the month, as civil affairs would before proposing it."""
    file = (FOLDER / "gp_c.toml").read_text(encoding="utf-8")
    version = file[file.index("[[version]]") :].replace("2026-01-01", "2027-01-01")
    request = TryChange(f"{file}\n{version.replace('amount = 120', 'amount = 180')}", str(NOVEMBER))
    with timed("a change of a programme tried on the month"):
        tried = try_change(session, _Ports(), ONE, request=request).trial  # type: ignore[arg-type]
    sys.stdout.write(
        f"{tried.elders} elders, {tried.work_orders} work orders; {tried.gaining} gain, "
        f"{tried.losing} lose, programmes pay {tried.public_fen} fen more\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="postgres")
    parser.add_argument("--elders", type=int, default=356_900)
    parser.add_argument("--lines", type=int, default=150_000)
    parser.add_argument("--entries", type=int, help="top the ledger up to so many (PostgreSQL)")
    parser.add_argument("--keep", help="keep the redeemed month as a database of this name")
    parser.add_argument(
        "--only", choices=["fill", "close", "trial", "prove"], help="leave out the rest"
    )
    options = parser.parse_args()

    def redeemed(url: str) -> None:
        fill(url, options.elders, options.lines)
        if options.entries:
            with Session(engine_of(url)) as session, timed(f"topped up to {options.entries}"):
                top_up(session, options.entries)
                session.get_bind().dispose()  # type: ignore[union-attr]

    with (
        database(options.db, keep=options.keep, fill=redeemed) as url,
        Session(engine_of(url)) as session,
    ):
        watch_server(session)
        if options.only in (None, "close"):
            close_twice(session)
        if options.only in (None, "trial"):
            trial(session)
        if options.only in (None, "prove"):
            prove(session)


if __name__ == "__main__":
    main()
