"""Read and write orders, work orders and their history. The only writer of a state."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from marketplace.kernel.actor import Actor
from marketplace.kernel.errors import NotFound, WrongState
from marketplace.kernel.ids import new_id
from marketplace.orders.models import Order, WorkOrder
from marketplace.orders.models import WorkOrderEvent as Event
from marketplace.orders.states import MOVES, State

ORDER = Order.__table__
WORK_ORDER = WorkOrder.__table__

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


def set_order(session: Session, order_id: str, **values: Any) -> None:
    """Change columns of an order."""
    session.execute(update(ORDER).where(ORDER.c.id == order_id).values(**values))


def work_orders(session: Session, ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Return the rows of work orders by id; unknown ids are missing."""
    found: dict[str, Row[Any]] = {}
    for part in chunks(ids):
        for row in session.execute(select(WORK_ORDER).where(WORK_ORDER.c.id.in_(part))):
            found[row.id] = row
    return found
