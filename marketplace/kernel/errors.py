"""Domain errors: a stable code and the facts, no sentences and no HTTP.

Only ``marketplace.web.errors`` knows which HTTP status a kind becomes; only the translations know
the words.
"""

from __future__ import annotations

from typing import Any, ClassVar


class DomainError(Exception):
    """A rule said no. ``code`` is stable and public, ``facts`` are JSON values.

    ``field`` names the input at fault where there is one.
    """

    kind: ClassVar[str] = "refused"

    def __init__(self, *, field: str | None = None, **facts: Any) -> None:
        self.field = field
        self.facts = facts
        super().__init__(self.code, facts)

    @property
    def code(self) -> str:
        """Return the snake-case name of the class: ``EntitlementTooSmall`` -> ``entitlement_too_small``."""
        name = type(self).__name__
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")

    def __str__(self) -> str:
        facts = ", ".join(f"{k}={v!r}" for k, v in self.facts.items())
        where = f" [{self.field}]" if self.field else ""
        return f"{self.code}{where}({facts})"


class NotFound(DomainError):
    """The named thing does not exist, or this actor may not know that it does."""

    kind = "not_found"


class NotAllowed(DomainError):
    """The actor's role or scope does not cover this."""

    kind = "forbidden"


class SecondPersonNeeded(NotAllowed):
    """Whoever entered a thing does not also approve it; a colleague does. Facts: ``action``, ``role``."""


class Conflict(DomainError):
    """Somebody else changed the thing first, or its state does not permit the step."""

    kind = "conflict"


class WrongState(Conflict):
    """The step needs another state. Facts: ``id``, ``state``, ``expected``."""


class KeyReused(Conflict):
    """The same command key came with other content."""


class NumberTaken(Conflict):
    """A paper of this number was booked before. Facts: ``number``."""


class BadInput(DomainError):
    """A value is outside what the field takes. Facts: ``value``, ``expected``."""

    kind = "bad_input"
