"""Grants of a month for a city's elders: seconds, rows and memory, twice, and a proof of the books.

``python -m tests.bench.grants --elders 356900 --keep nuanju_elders`` keeps the loaded register as a
database of that name and copies it for each run.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections import Counter

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from marketplace.kernel.db import transaction
from marketplace.queries.entitlements import register_rights
from marketplace.vouchers.models import Entitlement, LedgerAccount, LedgerTransfer
from marketplace.workflows.grants import districts, preview_grants, release_grants
from marketplace.workflows.ledger import verify_ledger
from tests.bench.month import ONE, TWO, _Ports, load_elders, timed, watch_server
from tests.bench.server import database, engine_of
from tests.builders import NOVEMBER


def fill(url: str, elders: int) -> None:
    """Load the register and let PostgreSQL look at it."""
    with Session(engine_of(url)) as session:
        with timed(f"{elders} elders loaded"):
            load_elders(session, elders, seed=1)
        with transaction(session):
            session.execute(text("ANALYZE"))
        session.get_bind().dispose()  # type: ignore[union-attr]


def grant(session: Session) -> int:
    """Preview every district, then release every district; return the grants made."""
    runs = [
        preview_grants(session, _Ports(), ONE, period=NOVEMBER, district_code=code).run_id  # type: ignore[arg-type]
        for code in districts(session)
    ]
    return sum(release_grants(session, _Ports(), TWO, run_id=run).granted for run in runs)  # type: ignore[arg-type]


def rows(session: Session) -> str:
    """Return how many rows the tables of a grant hold."""
    counts = [
        f"{session.scalar(select(func.count()).select_from(model))} {name}"
        for model, name in (
            (Entitlement, "entitlements"),
            (LedgerAccount, "accounts"),
            (LedgerTransfer, "transfers"),
        )
    ]
    session.rollback()
    return ", ".join(counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="postgres")
    parser.add_argument("--elders", type=int, default=356_900)
    parser.add_argument("--keep", help="a database of the server that keeps the loaded register")
    parser.add_argument("--rights", action="store_true", help="answer 政策计算 for everybody")
    parser.add_argument("--verify", action="store_true", help="prove the ledger afterwards")
    options = parser.parse_args()
    with (
        database(options.db, keep=options.keep, fill=lambda url: fill(url, options.elders)) as url,
        Session(engine_of(url)) as session,
    ):
        watch_server(session)
        began = time.perf_counter()
        with timed("preview and release of a month's grants"):
            granted = grant(session)
        spent = time.perf_counter() - began
        before = rows(session)
        sys.stdout.write(f"{granted} granted in {spent:.1f} s: {before}\n")
        with timed("the same month again"):
            again = grant(session)
        same = "the same rows" if rows(session) == before else f"DIFFERS: {rows(session)}"
        sys.stdout.write(f"{again} granted the second time, {same}\n")
        if options.rights:
            with timed("every programme's answer for every elder"):
                answers = Counter(r.says for r in register_rights(session, NOVEMBER.first))
            sys.stdout.write(f"{answers.total()} answers: {dict(answers)}\n")
        if options.verify:
            with timed("verified"):
                verdict = verify_ledger(session)
            sys.stdout.write(f"{[str(f) for f in verdict.findings[:3]] or 'proven'}\n")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(f"peak memory of this process {peak:.0f} MB\n")


if __name__ == "__main__":
    main()
