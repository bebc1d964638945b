"""Close a month: match order, visit and ledger, and write each vendor's statement, once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from marketplace.kernel import audit, outbox
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import Period, today
from marketplace.kernel.db import transaction, wait_for_turn, whole_tables
from marketplace.kernel.errors import Conflict
from marketplace.kernel.ports import Ports
from marketplace.orders import service as orders
from marketplace.orders.models import WorkOrder, WorkOrderEvent
from marketplace.orders.states import State
from marketplace.settlement import rules
from marketplace.settlement import service as settlement
from marketplace.settlement.models import StatementLine
from marketplace.settlement.rules import Line
from marketplace.settlement.service import Closed, Held
from marketplace.visits.models import Visit
from marketplace.vouchers import programmes
from marketplace.vouchers.models import LedgerTransfer, PriceSplit, Redemption
from marketplace.workflows.policy import About, Action, require
from marketplace.workflows.vendor_standing import waiting_for_a_statement
from vendors import registry


class PeriodOpen(Conflict):
    """The month has not ended. Facts: ``period``, ``last_day``."""


class ChangedMeanwhile(Conflict):
    """Work orders moved while the month was closing; close again. Facts: ``work_orders``."""


Progress = Callable[[str, int], None]


def close_month(
    session: Session,
    ports: Ports,
    actor: Actor,
    *,
    period: Period,
    district_code: str | None = None,
    progress: Progress | None = None,
) -> list[Closed]:
    """Close a month in one district or in all, each district in one transaction.

    A district that is closed stays as it is and answers as the first time, so that the command can be
    run again after any failure; what was not closed is closed then. Of two that close at once the
    second waits and gets the first's answer.
    """
    if today(ports.clock) <= period.last:
        raise PeriodOpen(period=str(period), last_day=period.last.isoformat())
    wanted = [district_code] if district_code else _districts(session, period)
    closed = []
    for code in wanted:
        require(actor, Action.CLOSE_PERIOD, About(kind="district", id=code, district_code=code))
        closed.append(_close(session, ports, actor, period, code))
        if progress:
            progress(code, closed[-1].lines)
    return closed


def _districts(session: Session, period: Period) -> list[str]:
    return list(
        session.scalars(
            select(PriceSplit.district_code)
            .where(PriceSplit.period <= str(period))
            .distinct()
            .order_by(PriceSplit.district_code)
        )
    )


def _close(
    session: Session, ports: Ports, actor: Actor, period: Period, district_code: str
) -> Closed:
    with transaction(session):
        wait_for_turn(session, settlement.run_id(str(period), district_code))
        before = settlement.closed_run(session, str(period), district_code)
        if before is not None:
            return before
        at = ports.clock.now()
        lines: dict[str, list[Line]] = defaultdict(list)
        held: list[Held] = []
        with whole_tables(session):
            _redeemed(session, period, district_code, lines, held)
            _reversed(session, period, district_code, lines)
            _fees(session, period, district_code, lines)
            _unsettled(session, period, district_code, held)
        for vendor_id in waiting_for_a_statement(session, district_code, served=lines):
            # Of no line: only what families paid since is passed on with it.
            lines[vendor_id] = []
        closed = settlement.write_run(
            session,
            period=str(period),
            district_code=district_code,
            lines=lines,
            vendor_names=registry.vendor_names(session, lines),
            held=held,
            holdback_percent=programmes.settings_on(period.last).holdback_percent,
            at=at,
            by=actor.user_id,
        )
        _settle_work_orders(session, lines, at, actor)
        for vendor_id in sorted(lines):
            outbox.post(
                session,
                due_at=at,
                channel="screen",
                recipient_kind="vendor",
                recipient_id=vendor_id,
                template="statement.issued",
                about=settlement.statement_id(str(period), district_code, vendor_id),
                period=str(period),
            )
        audit.record(
            session,
            at=at,
            actor=actor,
            action="close_period",
            subject_kind="settlement_run",
            subject_id=closed.run_id,
            statements=closed.statements,
            lines=closed.lines,
            held=closed.held,
            total_fen=closed.total_fen,
            sha256=closed.sha256,
        )
        return closed


def _redeemed(
    session: Session,
    period: Period,
    district_code: str,
    lines: dict[str, list[Line]],
    held: list[Held],
) -> None:
    """Collect what was captured up to this month and stands on no statement yet."""
    w, v, r, s, e = WorkOrder, Visit, Redemption, PriceSplit, WorkOrderEvent
    decided = (
        select(e.id)
        .where(
            e.work_order_id == r.work_order_id,
            e.from_state == State.DISPUTED.value,
            e.to_state == State.CONFIRMED.value,
            e.role != Role.SYSTEM.value,
        )
        .exists()
    )
    query = (
        select(
            r.work_order_id,
            r.visit_id,
            r.vendor_id,
            r.price_fen,
            s.period,
            s.price_fen.label("split_fen"),
            s.minutes,
            r.minutes_delivered,
            w.state,
            w.vendor_id.label("order_vendor_id"),
            w.elder_id,
            w.service_code,
            w.visit_on,
            v.work_order_id.label("visit_work_order_id"),
            v.verdict,
            v.elder_id.label("visit_elder_id"),
            v.check_out_at,
            and_(v.verdict == "blocked", decided).label("is_decided"),
        )
        .join(s, s.work_order_id == r.work_order_id)
        .join(w, w.id == r.work_order_id)
        .outerjoin(v, v.id == r.visit_id)
        .outerjoin(
            StatementLine,
            (StatementLine.work_order_id == r.work_order_id) & (StatementLine.kind == "visit"),
        )
        .where(
            s.district_code == district_code,
            s.state == "captured",
            r.period <= str(period),
            StatementLine.work_order_id.is_(None),
        )
        .order_by(r.work_order_id)
    )
    for rows in _batches(session.execute(query.execution_options(yield_per=2000))):
        paid = _paid(session, [row.work_order_id for row in rows], "post")
        for row in rows:
            by_programme = paid.get(row.work_order_id, {})
            reason = rules.match(_facts(row, sum(by_programme.values())))
            if reason is not None:
                held.append(Held(row.work_order_id, row.vendor_id, reason, {"state": row.state}))
                continue
            lines[row.vendor_id].append(
                Line(
                    kind="visit",
                    work_order_id=row.work_order_id,
                    visit_id=row.visit_id,
                    elder_id=row.elder_id,
                    service_code=row.service_code,
                    visit_on=row.visit_on,
                    origin_period=row.period,
                    minutes=row.minutes
                    if row.minutes_delivered is None
                    else min(row.minutes, row.minutes_delivered),
                    by_programme=by_programme,
                )
            )


def _facts(row: Any, ledger_fen: int) -> rules.Facts:
    return rules.Facts(
        work_order_id=row.work_order_id,
        state=row.state,
        order_vendor_id=row.order_vendor_id,
        order_elder_id=row.elder_id,
        visit_work_order_id=row.visit_work_order_id,
        visit_verdict=row.verdict,
        visit_elder_id=row.visit_elder_id,
        has_all_times=row.check_out_at is not None,
        redeemed_by=row.vendor_id,
        redeemed_fen=row.price_fen,
        ledger_fen=ledger_fen,
        price_fen=row.split_fen,
        is_decided=bool(row.is_decided),
    )


def _batches(rows: Any, size: int = 2000) -> Iterator[Sequence[Any]]:
    yield from rows.partitions(size)


def _paid(session: Session, work_order_ids: Sequence[str], kind: str) -> dict[str, dict[str, int]]:
    """Return fen by payer of the captures (or reversals) of work orders, from the ledger."""
    t = LedgerTransfer
    paid: dict[str, dict[str, int]] = defaultdict(dict)
    for row in session.execute(
        select(t.work_order_id, t.code, func.sum(t.amount))
        .where(t.work_order_id.in_(work_order_ids), t.kind == kind, t.unit == "fen")
        .group_by(t.work_order_id, t.code)
        .order_by(t.work_order_id, t.code)
    ):
        paid[row[0]][row[1]] = int(row[2])
    return paid


def _reversed(
    session: Session, period: Period, district_code: str, lines: dict[str, list[Line]]
) -> None:
    """Collect what was settled earlier and reversed since: negative lines of this month."""
    done = StatementLine
    taken = select(StatementLine.work_order_id).where(StatementLine.kind == "reversal")
    query = (
        select(
            done.work_order_id,
            done.visit_id,
            done.elder_id,
            done.service_code,
            done.visit_on,
            done.origin_period,
            done.minutes,
            Redemption.vendor_id,
            PriceSplit.work_order_id.label("of"),
        )
        .join(PriceSplit, PriceSplit.work_order_id == done.work_order_id)
        .join(Redemption, Redemption.work_order_id == done.work_order_id)
        .where(
            done.kind == "visit",
            PriceSplit.state == "reversed",
            PriceSplit.district_code == district_code,
            done.work_order_id.not_in(taken),
        )
        .order_by(done.work_order_id)
    )
    rows = session.execute(query).all()
    for start in range(0, len(rows), 2000):
        part = rows[start : start + 2000]
        back = _mirrored(session, [row.work_order_id for row in part], period)
        for row in part:
            if row.work_order_id not in back:
                continue
            lines[row.vendor_id].append(
                Line(
                    kind="reversal",
                    work_order_id=row.work_order_id,
                    visit_id=row.visit_id,
                    elder_id=row.elder_id,
                    service_code=row.service_code,
                    visit_on=row.visit_on,
                    origin_period=row.origin_period,
                    minutes=-row.minutes,
                    by_programme={c: -f for c, f in back[row.work_order_id].items()},
                )
            )


def _mirrored(
    session: Session, work_order_ids: Sequence[str], period: Period
) -> dict[str, dict[str, int]]:
    t = LedgerTransfer
    back: dict[str, dict[str, int]] = defaultdict(dict)
    for row in session.execute(
        select(t.work_order_id, t.code, func.sum(t.amount))
        .where(
            t.work_order_id.in_(work_order_ids),
            t.kind == "reversal",
            t.unit == "fen",
            t.period <= str(period),
        )
        .group_by(t.work_order_id, t.code)
        .order_by(t.work_order_id, t.code)
    ):
        back[row[0]][row[1]] = int(row[2])
    return back


def _fees(
    session: Session, period: Period, district_code: str, lines: dict[str, list[Line]]
) -> None:
    """Collect the fees of late cancellations and closed doors that stand on no statement yet."""
    t, w, s = LedgerTransfer, WorkOrder, PriceSplit
    taken = select(StatementLine.work_order_id).where(StatementLine.kind == "fee")
    for row in session.execute(
        select(
            t.work_order_id,
            t.amount,
            t.credit_account,
            w.elder_id,
            w.service_code,
            w.visit_on,
            s.period,
        )
        .join(s, s.work_order_id == t.work_order_id)
        .join(w, w.id == t.work_order_id)
        .where(
            t.code == "fee",
            t.period <= str(period),
            s.district_code == district_code,
            t.work_order_id.not_in(taken),
        )
        .order_by(t.work_order_id)
    ):
        vendor_id = row.credit_account.split(":")[1]
        lines[vendor_id].append(
            Line(
                kind="fee",
                work_order_id=row.work_order_id,
                visit_id=None,
                elder_id=row.elder_id,
                service_code=row.service_code,
                visit_on=row.visit_on,
                origin_period=row.period,
                minutes=0,
                by_programme={rules.OWN: row.amount},
            )
        )


def _unsettled(session: Session, period: Period, district_code: str, held: list[Held]) -> None:
    """Collect work orders of the month whose visit began and whose money still waits."""
    w, s = WorkOrder, PriceSplit
    for row in session.execute(
        select(w.id, w.vendor_id, w.state)
        .join(s, s.work_order_id == w.id)
        .where(
            s.district_code == district_code,
            s.period == str(period),
            s.state == "held",
            w.state.in_(list(rules.RUNNING)),
        )
        .order_by(w.id)
    ):
        held.append(Held(row.id, row.vendor_id, rules.RUNNING[row.state], {"state": row.state}))


def _settle_work_orders(
    session: Session, lines: dict[str, list[Line]], at: Any, actor: Actor
) -> None:
    ids = sorted(x.work_order_id for of in lines.values() for x in of if x.kind == "visit")
    moved = orders.move_many(
        session, ids, expected=State.CONFIRMED, to=State.SETTLED, at=at, actor=actor
    )
    if len(moved) != len(ids):
        raise ChangedMeanwhile(work_orders=sorted(set(ids) - moved)[:20])
