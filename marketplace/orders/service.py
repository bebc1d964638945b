"""Read and write orders, work orders, their history and assignments. The only writer of a state."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from marketplace.kernel.actor import Actor
from marketplace.kernel.errors import NotFound, WrongState
from marketplace.kernel.ids import new_id
from marketplace.orders.models import Assignment, DispatchRun, LeftOut, Order, WorkOrder
from marketplace.orders.models import WorkOrderEvent as Event
from marketplace.orders.states import MOVES, OPEN, State

ORDER = Order.__table__
WORK_ORDER = WorkOrder.__table__
ASSIGNMENT = Assignment.__table__

CHUNK = 2_000
"""Ids in one IN list: below every engine's limit of bound values."""


def chunks(ids: Iterable[str], size: int = CHUNK) -> Iterator[list[str]]:
    """Yield the ids in lists that one statement can carry."""
    it = iter(ids)
    while part := list(islice(it, size)):
        yield part


def work_order(session: Session, work_order_id: str) -> Row[Any]:
    """Return the work order's row; raises ``NotFound``."""
    row = session.execute(select(WORK_ORDER).where(WORK_ORDER.c.id == work_order_id)).first()
    if row is None:
        raise NotFound(kind="work_order", id=work_order_id)
    return row


def order(session: Session, order_id: str) -> Row[Any]:
    """Return the order's row; raises ``NotFound``."""
    row = session.execute(select(ORDER).where(ORDER.c.id == order_id)).first()
    if row is None:
        raise NotFound(kind="order", id=order_id)
    return row


def natural_id(order_id: str, visit_on: date) -> str:
    """Return the id of an order's work order on a day: readable where the order's own id is short."""
    return f"{order_id}-{visit_on:%Y%m%d}" if len(order_id) <= 31 else new_id()


def add_orders(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add orders in bulk."""
    if rows:
        session.execute(ORDER.insert(), list(rows))


def add_work_orders(
    session: Session, rows: Sequence[Mapping[str, Any]], *, at: datetime, actor: Actor
) -> set[str]:
    """Add work orders and the first line of their history; return the ids that were new.

    One order makes one work order a date and window: of two generators at once the database lets
    one add it, and the other is told by the missing id.
    """
    if not rows:
        return set()
    engine = session.get_bind().dialect.name
    insert = postgresql.insert if engine == "postgresql" else sqlite.insert
    statement = insert(WORK_ORDER).on_conflict_do_nothing().returning(WORK_ORDER.c.id)
    added = set(session.scalars(statement, list(rows)))
    write_history(
        session,
        [(r["id"], None, r["state"], "made") for r in rows if r["id"] in added],
        at=at,
        actor=actor,
    )
    return added


def write_history(
    session: Session,
    moves: Sequence[tuple[str, str | None, str, str | None]],
    *,
    at: datetime,
    actor: Actor,
) -> None:
    """Add (work order, from, to, reason) lines to the history."""
    if moves:
        session.execute(
            Event.__table__.insert(),  # type: ignore[attr-defined]
            [
                {
                    "work_order_id": work_order_id,
                    "at": at,
                    "from_state": before,
                    "to_state": after,
                    "actor_id": actor.user_id,
                    "role": actor.role.value,
                    "reason": reason,
                }
                for work_order_id, before, after, reason in moves
            ],
        )


def _check_moves(expected: Collection[State], to: State) -> None:
    unlawful = [s.value for s in expected if to not in MOVES[s]]
    if unlawful:
        raise ValueError(f"no move from {unlawful} to {to.value}")


def move(
    session: Session,
    work_order_id: str,
    *,
    expected: State | Collection[State],
    to: State,
    at: datetime,
    actor: Actor,
    reason: str | None = None,
    version: int | None = None,
    **values: Any,
) -> Row[Any]:
    """Move one work order and return its new row; the only way a state changes.

    A guarded UPDATE: where somebody else was first it changes nothing and ``WrongState`` is raised.
    ``version`` guards on more than the state; ``values`` are columns that change with the move.
    """
    states = frozenset({expected} if isinstance(expected, State) else expected)
    _check_moves(states, to)
    for _ in range(len(State)):
        row = work_order(session, work_order_id)
        if State(row.state) not in states or version not in (None, row.version):
            break
        moved = session.execute(
            update(WORK_ORDER)
            .where(
                WORK_ORDER.c.id == work_order_id,
                WORK_ORDER.c.state == row.state,
                WORK_ORDER.c.version == row.version,
            )
            .values(state=to.value, version=row.version + 1, **values)
            .returning(*WORK_ORDER.c)
        ).first()
        if moved is not None:
            write_history(
                session, [(work_order_id, row.state, to.value, reason)], at=at, actor=actor
            )
            return moved
    raise WrongState(
        id=work_order_id, state=row.state, expected=sorted(s.value for s in states), to=to.value
    )


def move_many(
    session: Session,
    ids: Iterable[str],
    *,
    expected: State,
    to: State,
    at: datetime,
    actor: Actor,
    reason: str | None = None,
    **values: Any,
) -> set[str]:
    """Move those of the ids that are in the expected state; return which were moved."""
    _check_moves({expected}, to)
    moved: set[str] = set()
    for part in chunks(ids):
        moved |= set(
            session.scalars(
                update(WORK_ORDER)
                .where(WORK_ORDER.c.id.in_(part), WORK_ORDER.c.state == expected.value)
                .values(state=to.value, version=WORK_ORDER.c.version + 1, **values)
                .returning(WORK_ORDER.c.id)
            )
        )
    write_history(
        session,
        [(i, expected.value, to.value, reason) for i in sorted(moved)],
        at=at,
        actor=actor,
    )
    return moved


def locked_for_change(
    session: Session, ids: Iterable[str], *, skip_locked: bool = False
) -> dict[str, Row[Any]]:
    """Return id, state and version of work orders, locked until the transaction ends.

    ``skip_locked`` leaves out those that another transaction holds.
    """
    c = WORK_ORDER.c
    found: dict[str, Row[Any]] = {}
    for part in chunks(sorted(ids)):
        statement = select(c.id, c.state, c.version, c.vendor_id).where(c.id.in_(part))
        for row in session.execute(
            statement.order_by(c.id).with_for_update(skip_locked=skip_locked)
        ):
            found[row.id] = row
    return found


def history(session: Session, work_order_id: str) -> list[Row[Any]]:
    """Return the moves of a work order, oldest first."""
    c = Event.__table__.c
    return list(
        session.execute(
            select(Event.__table__).where(c.work_order_id == work_order_id).order_by(c.id)
        )
    )


def assignments(session: Session, ids: Iterable[str]) -> dict[str, list[Row[Any]]]:
    """Return the assignments of work orders by work order, each crew in order of caregiver id."""
    found: dict[str, list[Row[Any]]] = {}
    for part in chunks(ids):
        for row in session.execute(
            select(ASSIGNMENT)
            .where(ASSIGNMENT.c.work_order_id.in_(part))
            .order_by(ASSIGNMENT.c.work_order_id, ASSIGNMENT.c.caregiver_id)
        ):
            found.setdefault(row.work_order_id, []).append(row)
    return found


def caregiver_day(
    session: Session, caregiver_id: str, from_at: datetime, to_at: datetime
) -> list[Row[Any]]:
    """Return a caregiver's assignments that touch the span, in order of their start."""
    a = ASSIGNMENT.c
    return list(
        session.execute(
            select(ASSIGNMENT)
            .where(a.caregiver_id == caregiver_id, a.starts_at < to_at, a.ends_at > from_at)
            .order_by(a.starts_at)
        )
    )


def booked(
    session: Session, caregiver_ids: Collection[str], from_at: datetime, to_at: datetime
) -> list[Row[Any]]:
    """Return the assignments of caregivers that touch the span, by caregiver and start."""
    a = ASSIGNMENT.c
    found: list[Row[Any]] = []
    for part in chunks(sorted(caregiver_ids)):
        found += session.execute(
            select(ASSIGNMENT)
            .where(a.caregiver_id.in_(part), a.starts_at < to_at, a.ends_at > from_at)
            .order_by(a.caregiver_id, a.starts_at, a.work_order_id)
        )
    return found


def drop_assignments(session: Session, ids: Iterable[str]) -> None:
    """Take the caregivers off work orders."""
    for part in chunks(ids):
        session.execute(delete(ASSIGNMENT).where(ASSIGNMENT.c.work_order_id.in_(part)))


def add_assignments(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Give work orders their caregivers and times."""
    if rows:
        session.execute(ASSIGNMENT.insert(), [{"id": new_id(), **r} for r in rows])


def set_locked(session: Session, work_order_id: str, *, locked: bool) -> None:
    """Let planning leave a work order's people and time alone, or move them again."""
    session.execute(
        update(ASSIGNMENT).where(ASSIGNMENT.c.work_order_id == work_order_id).values(locked=locked)
    )


def put_left_out(session: Session, run_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Say why work orders have nobody, in place of what an earlier run said of them."""
    forget_left_out(session, [r["work_order_id"] for r in rows])
    if rows:
        session.execute(
            LeftOut.__table__.insert(),  # type: ignore[attr-defined]
            [{"run_id": run_id, **r} for r in rows],
        )


def forget_left_out(session: Session, ids: Iterable[str]) -> None:
    """Forget why work orders had nobody: they have somebody now, or need nobody."""
    for part in chunks(ids):
        session.execute(delete(LeftOut).where(LeftOut.work_order_id.in_(part)))


def add_run(session: Session, **values: Any) -> str:
    """Add a planning run; return its id."""
    run_id = new_id()
    session.execute(
        DispatchRun.__table__.insert().values(id=run_id, **values)  # type: ignore[attr-defined]
    )
    return run_id


def latest_run(session: Session, on: date) -> DispatchRun | None:
    """Return the latest finished planning of a day."""
    statement = (
        select(DispatchRun)
        .where(DispatchRun.day == on, DispatchRun.finished_at.is_not(None))
        .order_by(DispatchRun.started_at.desc(), DispatchRun.id.desc())
        .limit(1)
    )
    return session.scalars(statement.execution_options(populate_existing=True)).first()


def keep_bound(session: Session, run_id: str, bound: dict[str, Any]) -> dict[str, Any]:
    """Keep a proven bound with its run where none as high is kept; return the one that is.

    ``bound``: ``value`` and ``cost`` in the plan's cost, ``relaxed`` what the proof leaves aside.
    """
    table = DispatchRun.__table__
    row = session.execute(
        select(table.c.totals).where(table.c.id == run_id).with_for_update()
    ).one()
    kept: dict[str, Any] | None = row.totals.get("bound")
    if kept is not None and kept["value"] >= bound["value"]:
        return kept
    session.execute(
        update(table)  # type: ignore[arg-type]
        .where(table.c.id == run_id)
        .values(totals={**row.totals, "bound": bound})
    )
    return bound


def day_load(session: Session, on: date) -> dict[str, int]:
    """Return how many work orders of a day each vendor has, planned or begun or waiting for it."""
    c = WORK_ORDER.c
    dropped = (State.CANCELLED.value, State.EXPIRED.value, State.NO_SHOW.value)
    return dict(
        session.execute(
            select(c.vendor_id, func.count())
            .where(c.visit_on == on, c.vendor_id.is_not(None), c.state.not_in(dropped))
            .group_by(c.vendor_id)
        ).all()
    )


def open_load(session: Session, on: date) -> dict[str | None, int]:
    """Return how many work orders that named no vendor each vendor got on a day (``None``: nobody)."""
    c = WORK_ORDER.c
    dropped = (State.CANCELLED.value, State.EXPIRED.value)
    return dict(
        session.execute(
            select(c.vendor_id, func.count())
            .where(c.visit_on == on, c.vendor_named.is_(False), c.state.not_in(dropped))
            .group_by(c.vendor_id)
        ).all()
    )


def elder_day(session: Session, elder_id: str, on: date) -> list[Row[Any]]:
    """Return an elder's work orders of a day that are not called off."""
    c = WORK_ORDER.c
    dropped = (State.CANCELLED.value, State.EXPIRED.value, State.INVALIDATED.value)
    return list(
        session.execute(
            select(WORK_ORDER)
            .where(c.elder_id == elder_id, c.visit_on == on, c.state.not_in(dropped))
            .order_by(c.window_start_s)
        )
    )


def no_access_count(session: Session, elder_id: str, first: date, last: date) -> int:
    """Return how often an elder's door stayed closed between two days."""
    c = WORK_ORDER.c
    return (
        session.scalar(
            select(func.count()).where(
                c.elder_id == elder_id,
                c.visit_on.between(first, last),
                c.state == State.NO_ACCESS.value,
            )
        )
        or 0
    )


def invalidated(session: Session, vendor_id: str, *, reason: str) -> list[str]:
    """Return a vendor's work orders whose money was taken back for a reason."""
    w, e = WorkOrder, Event
    return list(
        session.scalars(
            select(w.id)
            .join(e, e.work_order_id == w.id)
            .where(
                w.vendor_id == vendor_id,
                w.state == State.INVALIDATED.value,
                e.to_state == State.INVALIDATED.value,
                e.reason == reason,
            )
            .order_by(w.id)
        )
    )


def last_ended(session: Session, elder_id: str, before: date) -> Row[Any] | None:
    """Return the elder's latest work order up to a day that ended in a visit or a closed door."""
    c = WORK_ORDER.c
    ended = (State.DONE, State.CONFIRMED, State.DISPUTED, State.SETTLED, State.NO_ACCESS)
    return session.execute(
        select(WORK_ORDER)
        .where(
            c.elder_id == elder_id,
            c.visit_on <= before,
            c.state.in_([s.value for s in ended]),
        )
        .order_by(c.visit_on.desc(), c.window_start_s.desc())
        .limit(1)
    ).first()


def starts_of_order(session: Session, order_id: str) -> frozenset[tuple[date, int]]:
    """Return day and window start of every work order that an order ever had: each is taken once."""
    rows = session.execute(
        select(WORK_ORDER.c.visit_on, WORK_ORDER.c.window_start_s).where(
            WORK_ORDER.c.order_id == order_id
        )
    )
    return frozenset((on, start_s) for on, start_s in rows)


def set_order(session: Session, order_id: str, **values: Any) -> None:
    """Change columns of an order."""
    session.execute(update(ORDER).where(ORDER.c.id == order_id).values(**values))


def open_to_any_vendor(session: Session, vendor_id: str) -> int:
    """Let orders that named a vendor be served by any; return how many those were.

    Later dates of a recurring order are then made as pooled ones.
    """
    c = ORDER.c
    opened = session.execute(
        update(ORDER)
        .where(c.vendor_id == vendor_id, c.state != "ended")
        .values(vendor_id=None, caregiver_id=None, standing_since=None)
    )
    return int(opened.rowcount)  # type: ignore[attr-defined]


def in_hand_of(session: Session, vendor_id: str, *, since: date) -> list[Row[Any]]:
    """Return a vendor's work orders from a day on that are offered to it, its own, or being served."""
    c = WORK_ORDER.c
    states = (State.OFFERED, State.ACCEPTED, State.ASSIGNED, State.IN_SERVICE)
    return list(
        session.execute(
            select(WORK_ORDER)
            .where(
                c.vendor_id == vendor_id,
                c.visit_on >= since,
                c.state.in_([s.value for s in states]),
            )
            .order_by(c.elder_id, c.visit_on, c.id)
        )
    )


def of_elder_between(
    session: Session, elder_id: str, first: date, last: date | None, *, states: Collection[State]
) -> list[Row[Any]]:
    """Return an elder's work orders of some states between two days, both included, by day."""
    c = WORK_ORDER.c
    wanted = [
        c.elder_id == elder_id,
        c.visit_on >= first,
        c.state.in_(sorted(s.value for s in states)),
    ]
    if last is not None:
        wanted.append(c.visit_on <= last)
    return list(session.execute(select(WORK_ORDER).where(*wanted).order_by(c.visit_on, c.id)))


def end_all(session: Session, elder_id: str, *, last_on: date) -> list[str]:
    """End every order of an elder that goes on; return which those were."""
    c = ORDER.c
    return list(
        session.scalars(
            update(ORDER)
            .where(c.elder_id == elder_id, c.state != "ended", c.rrule.is_not(None))
            .values(state="ended", ends_on=last_on)
            .returning(c.id)
        )
    )


def forget_preference(session: Session, elder_id: str, caregiver_id: str) -> None:
    """Forget that an elder's orders and visits to come asked for a caregiver."""
    session.execute(
        update(ORDER)
        .where(ORDER.c.elder_id == elder_id, ORDER.c.caregiver_id == caregiver_id)
        .values(caregiver_id=None)
    )
    c = WORK_ORDER.c
    session.execute(
        update(WORK_ORDER)
        .where(
            c.elder_id == elder_id,
            c.preferred_caregiver_id == caregiver_id,
            c.state.in_(sorted(s.value for s in OPEN)),
        )
        .values(preferred_caregiver_id=None, version=c.version + 1)
    )


def make_again(session: Session, elder_id: str, *, after: date) -> None:
    """Have the dates of an elder's recurring orders looked at again that lie after a day."""
    c = ORDER.c
    session.execute(
        update(ORDER)
        .where(c.elder_id == elder_id, c.state == "active", c.generated_until > after)
        .values(generated_until=after)
    )


def let_stand(
    session: Session, work_order_ids: Iterable[str], *, vendor_id: str, at: datetime
) -> None:
    """Let a vendor's yes stand for the whole plan of recurring orders that named it."""
    for part in chunks(sorted(work_order_ids)):
        mine = select(WORK_ORDER.c.order_id).where(WORK_ORDER.c.id.in_(part))
        session.execute(
            update(ORDER)
            .where(
                ORDER.c.id.in_(mine),
                ORDER.c.rrule.is_not(None),
                ORDER.c.vendor_id == vendor_id,
                ORDER.c.standing_since.is_(None),
            )
            .values(standing_since=at)
        )


def due_orders(session: Session, *, until: date, limit: int) -> list[Row[Any]]:
    """Return recurring orders whose work orders are not made up to ``until``, locked.

    A generator that runs at the same time on PostgreSQL takes others.
    """
    c = ORDER.c
    return list(
        session.execute(
            select(ORDER)
            .where(
                c.state == "active",
                c.rrule.is_not(None),
                c.starts_on <= until,
                (c.generated_until.is_(None)) | (c.generated_until < until),
            )
            .order_by(c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )


def set_generated(session: Session, ids: Iterable[str], until: date) -> None:
    """Note up to which date the work orders of orders are made."""
    for part in chunks(ids):
        session.execute(update(ORDER).where(ORDER.c.id.in_(part)).values(generated_until=until))


def work_orders(session: Session, ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Return the rows of work orders by id; unknown ids are missing."""
    found: dict[str, Row[Any]] = {}
    for part in chunks(ids):
        for row in session.execute(select(WORK_ORDER).where(WORK_ORDER.c.id.in_(part))):
            found[row.id] = row
    return found


def done_before(session: Session, instant: datetime, *, limit: int) -> list[str]:
    """Return work orders that were done by an instant and are still not confirmed, oldest first."""
    w, e = WORK_ORDER.c, Event.__table__.c
    return list(
        session.scalars(
            select(w.id)
            .join(Event, e.work_order_id == w.id)
            .where(w.state == State.DONE.value, e.to_state == State.DONE.value, e.at <= instant)
            .group_by(w.id)
            .order_by(func.min(e.at), w.id)
            .limit(limit)
        )
    )


def unserved_before(session: Session, on: date, *, limit: int) -> list[str]:
    """Return work orders of days before ``on`` that were never begun, oldest first."""
    w = WORK_ORDER.c
    waiting = (State.POOLED, State.OFFERED, State.ACCEPTED, State.ASSIGNED, State.NO_SHOW)
    return list(
        session.scalars(
            select(w.id)
            .where(w.visit_on < on, w.state.in_([s.value for s in waiting]))
            .order_by(w.visit_on, w.id)
            .limit(limit)
        )
    )


def in_service_before(session: Session, on: date, *, limit: int) -> list[str]:
    """Return work orders of days before ``on`` whose visit was begun and never ended."""
    w = WORK_ORDER.c
    return list(
        session.scalars(
            select(w.id)
            .where(w.visit_on < on, w.state == State.IN_SERVICE.value)
            .order_by(w.visit_on, w.id)
            .limit(limit)
        )
    )


def booked_by_others(
    session: Session, from_at: datetime, to_at: datetime, *, known: Collection[str]
) -> dict[str, list[tuple[datetime, datetime]]]:
    """Return by caregiver the spans taken in a time by work orders that are not among ``known``."""
    a = ASSIGNMENT.c
    found: dict[str, list[tuple[datetime, datetime]]] = {}
    for row in session.execute(
        select(a.work_order_id, a.caregiver_id, a.starts_at, a.ends_at).where(
            a.starts_at < to_at, a.ends_at > from_at
        )
    ):
        if row.work_order_id not in known:
            found.setdefault(row.caregiver_id, []).append((row.starts_at, row.ends_at))
    return found


def pooled_outside_plans(
    session: Session,
    first: date,
    last: date,
    *,
    after: tuple[date, str] | None,
    limit: int,
) -> list[Row[Any]]:
    """Return day and id of pooled work orders that wait for no day's plan, in that order."""
    w = WORK_ORDER.c
    wanted = [
        w.state == State.POOLED.value,
        w.visit_on.between(first, last),
        w.is_stop.is_(False) | (w.time_class == "emergency"),
    ]
    if after is not None:
        wanted.append((w.visit_on > after[0]) | ((w.visit_on == after[0]) & (w.id > after[1])))
    return list(
        session.execute(
            select(w.visit_on, w.id).where(*wanted).order_by(w.visit_on, w.id).limit(limit)
        )
    )
