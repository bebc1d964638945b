"""Hand an auditor the evidence of a statement and a sample of its visits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.settlement import pack, rules
from marketplace.settlement import service as settlement
from marketplace.workflows import evidence_facts as evidence
from marketplace.workflows.policy import About, Action, require


@dataclass(frozen=True, slots=True)
class Packed:
    """The pack that was written: which work orders were drawn, and the file's hash."""

    statement_id: str
    work_orders: tuple[str, ...]
    sha256: str


def make_pack(
    session: Session,
    ports: Ports,
    actor: Actor,
    *,
    statement_id: str,
    sample: int,
    draw: str,
    reason: str,
    path: Path,
    sheet: bytes = b"",
) -> Packed:
    """Write an evidence pack of ``sample`` visits, drawn by the auditor's own word ``draw``.

    The same word draws the same visits, so that nobody can be said to have chosen them. The ledger
    must be sealed up to the sample's entries. ``sheet`` is the statement as CSV, put in beside. Who
    took the evidence, of what and why is recorded.
    """
    if sample < 1:
        raise BadInput(field="sample", value=sample, expected="1 or more")
    if not reason.strip():
        raise BadInput(field="reason", value=reason, expected="why the evidence is taken")
    with transaction(session):
        row = settlement.statement(session, statement_id)
        require(
            actor,
            Action.SEE_EVIDENCE,
            About(
                kind="statement",
                id=row.id,
                vendor_id=row.vendor_id,
                district_code=row.district_code,
            ),
        )
        facts = evidence.statement_facts(session, statement_id)
        visited = [x["work_order_id"] for x in facts["lines"] if x["kind"] == "visit"]
        drawn = rules.drawn(visited, count=sample, word=f"{facts['sha256']}/{draw}")
        samples = [evidence.sample_facts(session, i) for i in drawn]
        seals = evidence.seals(session, [e["serial"] for s in samples for e in s["entries"]])
        sha = pack.write(
            path,
            statement=facts,
            sample=samples,
            seals=seals,
            batches=((s["file"], evidence.batch(session, s)) for s in seals if s["file"]),
            sheet=sheet,
        )
        audit.record(
            session,
            at=ports.clock.now(),
            actor=actor,
            action="take_evidence",
            subject_kind="statement",
            subject_id=statement_id,
            reason=reason[:200],
            work_orders=drawn,
            draw=draw[:100],
            sha256=sha,
        )
    return Packed(statement_id, tuple(drawn), sha)
