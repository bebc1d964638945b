"""Repeating any command with the same key returns the first answer."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from marketplace.kernel.db import ID, Base, Instant
from marketplace.kernel.errors import KeyReused, NumberTaken


class CommandKey(Base):
    """A client-made key and the answer it was given, written in the command's own transaction."""

    __tablename__ = "command_key"

    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    actor_id: Mapped[str] = mapped_column(ID, primary_key=True)
    command: Mapped[str] = mapped_column(String(60))
    content_sha256: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(Instant, index=True)


def content_sha256(command: str, content: dict[str, Any]) -> str:
    """Return the hash by which a key's repeat is known to ask for the same."""
    text = json.dumps([command, content], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def once(
    session: Session,
    *,
    key: str,
    actor_id: str,
    command: str,
    content: dict[str, Any],
    at: datetime,
    run: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """Run ``run`` once for the key and return its answer; on a repeat return the first answer.

    Must be called inside ``transaction``. Of two that come at the same time the second waits on the
    unique key until the first has committed or rolled back. Raises ``KeyReused`` when the key comes
    back with another command or other content. ``content`` and the answer are plain JSON values.
    """
    digest = content_sha256(command, content)
    claimed = _claim(session, key=key, actor_id=actor_id, command=command, digest=digest, at=at)
    mine = (CommandKey.key == key, CommandKey.actor_id == actor_id)
    if not claimed:
        first = session.execute(
            select(CommandKey.content_sha256, CommandKey.answer).where(*mine)
        ).one()
        if first.content_sha256 != digest:
            raise KeyReused(key=key, command=command)
        return dict(first.answer)
    answer = json.loads(json.dumps(run(), ensure_ascii=False))
    session.execute(
        CommandKey.__table__.update().where(*mine).values(answer=answer)  # type: ignore[attr-defined]
    )
    return dict(answer)


OF_NOBODY = "number"
"""Stands for the actor where a paper's number is kept: whoever brings it again, it was booked."""


def once_for_number(session: Session, *, of: str, number: str, field: str, at: datetime) -> None:
    """Take the number of a paper (a receipt, a bank's slip) within ``of``; raises ``NumberTaken``.

    Another key and another hand do not make it another paper. Of two at once the second waits.
    """
    plain = "".join(unicodedata.normalize("NFKC", number).split()).casefold()
    digest = hashlib.sha256(plain.encode()).hexdigest()
    key = f"{of}/{digest}"
    if not _claim(session, key=key, actor_id=OF_NOBODY, command="number", digest=digest, at=at):
        raise NumberTaken(field=field, number=number)


def _claim(
    session: Session, *, key: str, actor_id: str, command: str, digest: str, at: datetime
) -> bool:
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    claimed = session.execute(
        insert(CommandKey)
        .values(
            key=key, actor_id=actor_id, command=command, content_sha256=digest, answer=None, at=at
        )
        .on_conflict_do_nothing()
        .returning(CommandKey.key)
    ).first()
    return claimed is not None
