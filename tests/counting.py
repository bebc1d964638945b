"""Counts what is asked of a database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event


class Statements:
    """The SQL statements of a block, in the order they were sent."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.sent: list[str] = []

    @property
    def count(self) -> int:
        """Return how many there were."""
        return len(self.sent)

    def _one(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.sent.append(statement)

    def __enter__(self) -> Statements:
        event.listen(self.engine, "before_cursor_execute", self._one)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self.engine, "before_cursor_execute", self._one)
