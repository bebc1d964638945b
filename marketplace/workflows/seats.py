"""Who goes when, for several visits at once: the one writer behind moves, repairs and slots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import instant_of
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.workflows.moved import tell_moved


@dataclass(frozen=True, slots=True)
class Seat:
    """One visit as it is to be: who comes and when (second of the day), nobody and ``None`` else.

    ``version`` is that of the work order which the change was worked out from.
    """

    work_order_id: str
    version: int
    caregiver_ids: list[str]
    start_s: int | None


def write_seats(
    session: Session,
    actor: Actor,
    day: date,
    seats: Sequence[Seat],
    *,
    at: datetime,
    reason: str,
    locked: frozenset[str] = frozenset(),
    to_vendor: str | None = "visit_changed",
) -> None:
    """Give visits their people and times inside the caller's transaction, and tell those concerned.

    Raises ``WrongState`` where a work order moved since ``version``. What somebody locked stays
    locked, and ``locked`` names what is to be from now on. ``to_vendor``: the vendor's message;
    nobody is told where it is ``None``, because the caller says more.
    """
    before = plans.assignments(session, [s.work_order_id for s in seats])
    plans.drop_assignments(session, [s.work_order_id for s in seats])
    given: list[dict[str, Any]] = []
    rows = []
    for seat in seats:
        to = State.ASSIGNED if seat.caregiver_ids else State.ACCEPTED
        moved = orders.move(
            session,
            seat.work_order_id,
            expected={State.ASSIGNED} if to is State.ACCEPTED else {State.ACCEPTED, State.ASSIGNED},
            to=to,
            at=at,
            actor=actor,
            reason=reason,
            version=seat.version,
        )
        rows.append(moved)
        was = any(a.locked for a in before.get(seat.work_order_id, ()))
        given += [
            {
                "work_order_id": seat.work_order_id,
                "caregiver_id": c,
                "run_id": None,
                "starts_at": instant_of(day, seat.start_s or 0),
                "ends_at": instant_of(day, (seat.start_s or 0) + moved.service_s),
                "locked": was or seat.work_order_id in locked,
            }
            for c in seat.caregiver_ids
        ]
    plans.add_assignments(session, given)
    plans.forget_left_out(session, [s.work_order_id for s in seats if s.caregiver_ids])
    if to_vendor is None:
        return
    after: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in given:
        after[row["work_order_id"]].append(row)
    tell_moved(session, rows, before, after, at=at, actor=actor, to_vendor=to_vendor)


def crews_of(seats: Sequence[Seat]) -> dict[str, list[str]]:
    """Return by caregiver the visits that they are given."""
    found: dict[str, list[str]] = defaultdict(list)
    for seat in seats:
        for caregiver_id in seat.caregiver_ids:
            found[caregiver_id].append(seat.work_order_id)
    return found
