"""Seal the ledger and prove it; nothing here moves money."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from sqlalchemy.orm import Session

from marketplace.kernel import audit
from marketplace.kernel.actor import SYSTEM
from marketplace.kernel.db import transaction
from marketplace.kernel.ports import Ports
from marketplace.settlement import verify as settlement_verify
from marketplace.vouchers import beancount, seals
from marketplace.vouchers import verify as ledger_verify
from marketplace.vouchers.verify import Finding, Verdict


def seal_ledger(session: Session, ports: Ports) -> list[seals.Sealed]:
    """Seal every transfer that is final, in batches, each in a transaction; return the seals made.

    The audit event of a seal is its witness: a seal that is cut off the chain's end is missed there.
    """
    with transaction(session):
        upto = seals.barrier(session)
    made = []
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


def verify_ledger(
    session: Session, *, progress: Callable[[str, int], None] | None = None
) -> Verdict:
    """Prove ledger and statements on one snapshot. Reads only."""
    session.rollback()
    options = (
        {"isolation_level": "REPEATABLE READ"}
        if session.get_bind().dialect.name == "postgresql"
        else {}
    )
    connection = session.connection(execution_options=options)
    try:
        verdict = ledger_verify.verify(connection, progress=progress)
        more = [
            Finding(f.table, f.row, f.rule, f.detail)
            for f in settlement_verify.verify(connection, progress=progress)
        ]
        return replace(verdict, findings=verdict.findings + tuple(more))
    finally:
        session.rollback()


def export_beancount(session: Session) -> Iterator[str]:
    """Yield the ledger as Beancount text from one snapshot."""
    session.rollback()
    options = (
        {"isolation_level": "REPEATABLE READ"}
        if session.get_bind().dialect.name == "postgresql"
        else {}
    )
    try:
        yield from beancount.export(session.connection(execution_options=options))
    finally:
        session.rollback()
