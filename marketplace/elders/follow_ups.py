"""Open, move and end the calls that the hotline owes; each change is one guarded statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from marketplace.elders.models import FollowUp
from marketplace.kernel.errors import NotFound, WrongState
from marketplace.kernel.ids import new_id

FOLLOW_UP = FollowUp.__table__


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFollowUp:
    """A call that is owed. Of two with one ``dedup_key`` the first stays."""

    kind: str
    dedup_key: str
    elder_id: str
    reason: str
    due_at: datetime
    work_order_id: str | None = None
    note: str = ""


def open_many(session: Session, new: Iterable[NewFollowUp], *, at: datetime, by: str) -> int:
    """Add the calls that are not owed yet; return how many that were."""
    rows = [
        {
            "id": new_id(),
            "kind": n.kind,
            "dedup_key": n.dedup_key,
            "elder_id": n.elder_id,
            "work_order_id": n.work_order_id,
            "reason": n.reason,
            "note": n.note[:400],
            "made_at": at,
            "made_by": by,
            "due_at": n.due_at,
            "attempts": 0,
            "result": "",
            "result_note": "",
            "answers": {},
        }
        for n in new
    ]
    engine = session.get_bind().dialect.name
    insert = postgresql.insert if engine == "postgresql" else sqlite.insert
    added = 0
    for row in rows:
        added += (
            session.execute(
                insert(FOLLOW_UP).values(**row).on_conflict_do_nothing().returning(FOLLOW_UP.c.id)
            ).first()
            is not None
        )
    return added


def open_one(session: Session, new: NewFollowUp, *, at: datetime, by: str) -> bool:
    """Add one call; return whether it was not owed yet."""
    return open_many(session, [new], at=at, by=by) == 1


def get(session: Session, follow_up_id: str) -> Row[Any]:
    """Return a call's row; raises ``NotFound``."""
    row = session.execute(select(FOLLOW_UP).where(FOLLOW_UP.c.id == follow_up_id)).first()
    if row is None:
        raise NotFound(kind="follow_up", id=follow_up_id)
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a call ended, in whose words, with the answers to its questions."""

    result: str
    note: str = ""
    answers: Mapping[str, Any] = field(default_factory=dict)


def finish(session: Session, follow_up_id: str, ending: Ending, *, at: datetime, by: str) -> None:
    """End a call that waits; raises ``WrongState`` where somebody ended it before."""
    done = session.execute(
        update(FOLLOW_UP)
        .where(FOLLOW_UP.c.id == follow_up_id, FOLLOW_UP.c.result == "")
        .values(
            result=ending.result,
            result_note=ending.note[:400],
            answers=dict(ending.answers),
            done_at=at,
            done_by=by,
            attempts=FOLLOW_UP.c.attempts + 1,
        )
    )
    if done.rowcount != 1:  # type: ignore[attr-defined]
        raise WrongState(id=follow_up_id, state="done", expected=["waiting"])


def try_later(session: Session, follow_up_id: str, *, due_at: datetime, attempts: int) -> None:
    """Note that nobody was reached and when to try again; raises ``WrongState`` on a race."""
    moved = session.execute(
        update(FOLLOW_UP)
        .where(
            FOLLOW_UP.c.id == follow_up_id,
            FOLLOW_UP.c.result == "",
            FOLLOW_UP.c.attempts == attempts,
        )
        .values(due_at=due_at, attempts=attempts + 1)
    )
    if moved.rowcount != 1:  # type: ignore[attr-defined]
        raise WrongState(id=follow_up_id, state="moved", expected=["waiting"])


def made_since(session: Session, kind: str, reason: str, since: datetime) -> int:
    """Return how many calls of a kind and reason were opened from an instant on."""
    return (
        session.scalar(
            select(func.count()).where(
                FOLLOW_UP.c.kind == kind,
                FOLLOW_UP.c.reason == reason,
                FOLLOW_UP.c.made_at >= since,
            )
        )
        or 0
    )
