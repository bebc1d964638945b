"""What an evidence pack holds of a statement: read across contexts, as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from marketplace.kernel.errors import NotFound
from marketplace.orders.models import Order, WorkOrder, WorkOrderEvent
from marketplace.settlement import service as settlement
from marketplace.settlement.models import SettlementHeld, SettlementRun, Statement
from marketplace.visits.models import Evidence, Visit
from marketplace.vouchers.ledger import micro_of
from marketplace.vouchers.models import LedgerSeal, LedgerTransfer, PriceShare, PriceSplit
from marketplace.vouchers.seals import line_of, stream

_PRIVATE = {"note", "row_sha256"}
"""Free text may name people, and is no fact of money."""


class NotSealed(NotFound):
    """Entries of the sample are not sealed yet: seal the ledger first. Facts: ``work_orders``."""


def plain(value: Any) -> Any:
    """Return a value as JSON has it; instants in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value


def _dict(row: Any) -> dict[str, Any]:
    return {k: plain(v) for k, v in row._mapping.items() if k not in _PRIVATE}


def _rows(session: Session, model: Any, *where: Any, order: Sequence[str]) -> list[dict[str, Any]]:
    table: Table = model.__table__
    query = select(table).where(*where).order_by(*(table.c[name] for name in order))
    return [_dict(row) for row in session.execute(query)]


def statement_facts(session: Session, statement_id: str) -> dict[str, Any]:
    """Return a statement with head, lines, signatures and the closing that it belongs to."""
    row = settlement.statement(session, statement_id)
    run = session.get_one(SettlementRun, row.run_id)
    lines = settlement.lines_of(session, statement_id)
    # As the closing was hashed: by the vendors' numbers, whatever a database's collation makes of them.
    siblings = session.execute(
        select(Statement.vendor_id, Statement.sha256).where(Statement.run_id == run.id)
    )
    of_run = SettlementHeld.run_id == run.id
    held = _rows(session, SettlementHeld, of_run, order=("work_order_id",))
    return {
        "id": row.id,
        "period": row.period,
        "vendor_id": row.vendor_id,
        "total_fen": row.total_fen,
        "payable_fen": row.payable_fen,
        "outside_fen": row.outside_fen,
        "own_fen": row.own_fen,
        "holdback_fen": row.holdback_fen,
        "by_programme": row.by_programme,
        "sha256": row.sha256,
        "head": list(settlement.head_of_row(row)),
        "lines": [
            {
                "number": n,
                "kind": line.kind,
                "work_order_id": line.work_order_id,
                "visit_id": line.visit_id,
                "elder_id": line.elder_id,
                "service_code": line.service_code,
                "visit_on": line.visit_on.isoformat(),
                "origin_period": line.origin_period,
                "minutes": line.minutes,
                "by_programme": dict(line.by_programme),
            }
            for n, line in enumerate(lines, start=1)
        ],
        "signatures": [
            {
                "step": s.step,
                "by": s.by,
                "role": s.role,
                "at": plain(s.at),
                "content_sha256": s.content_sha256,
            }
            for s in settlement.signatures(session, statement_id)
        ],
        "run": {
            "id": run.id,
            "sha256": run.sha256,
            "closed_at": plain(run.closed_at),
            "closed_by": run.closed_by,
            "statements": [sha for _, sha in sorted((s.vendor_id, s.sha256) for s in siblings)],
            "held": sorted(held, key=itemgetter("work_order_id")),
        },
    }


def sample_facts(session: Session, work_order_id: str) -> dict[str, Any]:
    """Return one visit's order, work order, history, visits, evidence, split and entries."""
    work_order = session.get(WorkOrder, work_order_id)
    if work_order is None:
        raise NotFound(kind="work_order", id=work_order_id)
    visits = _rows(session, Visit, Visit.work_order_id == work_order_id, order=("id",))
    entries = _rows(
        session, LedgerTransfer, LedgerTransfer.work_order_id == work_order_id, order=("serial",)
    )
    for entry in entries:
        entry["at_micro"] = micro_of(datetime.fromisoformat(entry["at"]))
    return {
        "kind": "visit",
        "order": _rows(session, Order, Order.id == work_order.order_id, order=("id",))[0],
        "work_order": _rows(session, WorkOrder, WorkOrder.id == work_order_id, order=("id",))[0],
        "history": _rows(
            session, WorkOrderEvent, WorkOrderEvent.work_order_id == work_order_id, order=("id",)
        ),
        "visits": visits,
        "evidence": _rows(
            session,
            Evidence,
            Evidence.visit_id.in_([v["id"] for v in visits]),
            order=("received_at", "id"),
        ),
        "split": _rows(
            session, PriceSplit, PriceSplit.work_order_id == work_order_id, order=("work_order_id",)
        )[0],
        "shares": _rows(
            session,
            PriceShare,
            PriceShare.work_order_id == work_order_id,
            order=("revision", "position"),
        ),
        "entries": entries,
    }


def seals(session: Session, serials: Sequence[int]) -> list[dict[str, Any]]:
    """Return the whole chain; ``file`` names the batch of each seal that covers one of the serials."""
    made = _rows(session, LedgerSeal, order=("id",))
    wanted = sorted(set(serials))
    for seal in made:
        covers = any(seal["from_serial"] <= s <= seal["to_serial"] for s in wanted)
        seal["file"] = f"ledger/seal-{seal['id']:06d}.txt" if covers else None
    last = made[-1]["to_serial"] if made else 0
    if wanted and wanted[-1] > last:
        raise NotSealed(kind="ledger_seal", id=str(wanted[-1]), sealed_to=last)
    return made


def batch(session: Session, seal: dict[str, Any]) -> Iterator[bytes]:
    """Yield the hashed lines of a sealed batch."""
    rows = stream(session.connection(), after=seal["from_serial"] - 1, upto=seal["to_serial"])
    yield from (line_of(row) for row in rows)
