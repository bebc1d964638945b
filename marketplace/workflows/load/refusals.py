"""Why a row was not taken: a code, the place, what stood there and what is expected. No sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused row or file. ``line`` counts from 1 with the heading as line 1; 0 is the file.

    ``code`` says what is wrong, ``expected`` names the kind of value that would be right (both are
    translated where they are shown). ``value`` is what stood there, cut to 60 characters.
    """

    file: str
    line: int
    field: str
    code: str
    value: str = ""
    expected: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


class RowRefused(Exception):
    """A row breaks a rule; carried to the reader, which knows file and line."""

    def __init__(
        self, field: str, code: str, value: object = "", expected: str = "", **facts: Any
    ) -> None:
        super().__init__(field, code)
        self.field = field
        self.code = code
        self.value = shown(value)
        self.expected = expected
        self.facts = facts


def shown(value: object) -> str:
    """Return a value fit for a message: one line, no control characters, at most 60 characters."""
    text = "".join(c if c.isprintable() else "�" for c in str(value))
    return text if len(text) <= 60 else text[:57] + "..."
