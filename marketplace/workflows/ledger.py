"""Seal the ledger and prove it; nothing here moves money."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from marketplace.elders import witness
from marketplace.kernel import audit
from marketplace.kernel.actor import SYSTEM
from marketplace.kernel.db import transaction, whole_tables
from marketplace.kernel.findings import Finding
from marketplace.kernel.ports import Ports
from marketplace.settlement import verify as settlement_verify
from marketplace.vouchers import beancount, seals, verify_recorded
from marketplace.vouchers import verify as ledger_verify
from marketplace.vouchers.models import LedgerSeal
from marketplace.vouchers.verify import Verdict


def seal_ledger(session: Session, ports: Ports) -> list[seals.Sealed]:
    """Seal every transfer that is final, in batches, each in a transaction; return the seals made.

    The audit event of a seal is its witness: a seal that is cut off the chain's end is missed there.
    """
    with transaction(session):
        upto = seals.barrier(session)
    made: list[seals.Sealed] = []
    while True:
        with transaction(session):
            at = ports.clock.now()
            sealed = seals.seal_next(session, upto=upto, at=at)
            if sealed is None:
                return made
            audit.record(
                session,
                at=at,
                actor=SYSTEM,
                action="seal_ledger",
                subject_kind="ledger_seal",
                subject_id=str(sealed.id),
                sha256=sealed.sha256,
                transfers=sealed.transfers,
            )
            made.append(sealed)


def seals_of(session: Session) -> dict[int, str]:
    """Return every seal's number and hash: what somebody outside keeps, to hold the books to it.

    Whoever owns the database can make the whole chain and its audit events again, or cut off its end,
    so that all of it agrees with itself. Not with what was kept elsewhere.
    """
    session.rollback()
    found = session.execute(select(LedgerSeal.id, LedgerSeal.sha256).order_by(LedgerSeal.id)).all()
    session.rollback()
    return {row.id: row.sha256 for row in found}


def against_witness(found: Mapping[int, str], kept: Mapping[int, str]) -> list[Finding]:
    """Return which of the seals that were kept outside are no longer in the books. Pure."""
    return [
        Finding(
            "ledger_seal",
            str(number),
            "it is not the seal that was kept outside",
            found.get(number, "missing"),
        )
        for number, sha256 in sorted(kept.items())
        if found.get(number) != sha256
    ]


def proof(connection: Connection, *, progress: Callable[[str, int], None] | None = None) -> Verdict:
    """Prove ledger, statements and what money was decided on, as an open connection sees them."""
    verdict = ledger_verify.verify(connection, progress=progress)
    more = (
        *verify_recorded.verify(connection),
        *settlement_verify.verify(connection, progress=progress),
        *witness.verify(connection),
    )
    return replace(verdict, findings=verdict.findings + more)


def verify_ledger(
    session: Session,
    *,
    progress: Callable[[str, int], None] | None = None,
    kept: Mapping[int, str] | None = None,
) -> Verdict:
    """Prove everything that money rests on, on one snapshot. Reads only.

    ``kept``: seals that were kept outside of this database, which must all be there.
    """
    with _snapshot(session) as connection, whole_tables(connection):
        verdict = proof(connection, progress=progress)
        rows = connection.execute(select(LedgerSeal.id, LedgerSeal.sha256))
        lost = against_witness({row.id: row.sha256 for row in rows}, kept or {})
    return replace(verdict, findings=(*verdict.findings, *lost))


@contextmanager
def _snapshot(session: Session) -> Iterator[Connection]:
    """Give a connection that sees the books as of one moment; nothing read on it is kept open after."""
    session.rollback()
    options = (
        {"isolation_level": "REPEATABLE READ"}
        if session.get_bind().dialect.name == "postgresql"
        else {}
    )
    try:
        yield session.connection(execution_options=options)
    finally:
        session.rollback()


def export_beancount(session: Session) -> Iterator[str]:
    """Yield the ledger as Beancount text from one snapshot."""
    with _snapshot(session) as connection:
        yield from beancount.export(connection)
