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
from marketplace.kernel.commands import CommandKey, content_sha256, once
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import BadInput, KeyReused
from marketplace.kernel.ports import Ports

A = TypeVar("A")
MOST_KEY = 255
"""Characters of the longest command key."""


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
    Raises ``BadInput`` for a key that cannot be kept: without one a repeat would do it twice.
    """
    if not 1 <= len(key) <= MOST_KEY:
        raise BadInput(field="key", value=key[:40], expected=f"1 to {MOST_KEY} characters")
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


def answered(
    session: Session, *, key: str, actor: Actor, command: str, request: Any, answer: type[A]
) -> A | None:
    """Return the answer that a key was given before, or ``None``: for steps with long work ahead.

    Raises ``KeyReused`` where the key came with other content.
    """
    with transaction(session):
        row = session.execute(
            select(CommandKey.content_sha256, CommandKey.answer).where(
                CommandKey.key == key, CommandKey.actor_id == actor.user_id
            )
        ).first()
    if row is None:
        return None
    if row.content_sha256 != content_sha256(command, asdict(request)):
        raise KeyReused(key=key, command=command)
    return _adapter(answer).validate_python(row.answer)  # type: ignore[no-any-return]


def remembered(
    session: Session,
    ports: Ports,
    actor: Actor,
    *,
    key: str,
    command: str,
    request: Any,
    answer: type[A],
    run: Callable[[], A],
) -> A:
    """Give a step that may be repeated by its nature (it opens its own transaction) a command key.

    The step runs first and its answer is kept after: killed between, the repeat runs it again, which
    changes nothing, and keeps that answer.
    """
    first = answered(session, key=key, actor=actor, command=command, request=request, answer=answer)
    if first is not None:
        return first
    result = run()
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command=command,
        request=request,
        answer=answer,
        run=lambda _: result,
    )
