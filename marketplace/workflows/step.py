"""The frame of every step: one transaction, one command key, one answer of plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel.actor import Actor
from marketplace.kernel.commands import CommandKey, once
from marketplace.kernel.db import transaction
from marketplace.kernel.ports import Ports

A = TypeVar("A")


@cache
def _adapter(answer: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(answer)


def run_step(
    session: Session,
    ports: Ports,
    actor: Actor,
    *,
    key: str,
    command: str,
    request: Any,
    answer: type[A],
    run: Callable[[datetime], A],
) -> A:
    """Run one step in one transaction, once for its key; a repeat gets the first answer.

    ``request`` is the frozen dataclass of what was asked, ``run`` gets the present instant. The
    policy is asked inside ``run``, under the same transaction as the facts it decides on.
    """
    with transaction(session):
        at = ports.clock.now()
        stored = once(
            session,
            key=key,
            actor_id=actor.user_id,
            command=command,
            content=asdict(request),
            at=at,
            run=lambda: _adapter(answer).dump_python(run(at), mode="json"),
        )
    return _adapter(answer).validate_python(stored)  # type: ignore[no-any-return]


def answered(session: Session, *, key: str, actor: Actor, answer: type[A]) -> A | None:
    """Return the answer that a key was given before, or ``None``: for steps with long work ahead.

    Whether the content is the same is asked when the step itself runs; a key is never reused.
    """
    with transaction(session):
        stored = session.scalar(
            select(CommandKey.answer).where(
                CommandKey.key == key, CommandKey.actor_id == actor.user_id
            )
        )
    return None if stored is None else _adapter(answer).validate_python(stored)
