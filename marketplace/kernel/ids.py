"""Ids: time-ordered, so that an index grows at its end; a client may bring its own."""

from __future__ import annotations

import hashlib

import uuid_utils

LONGEST = 40
"""Characters of the longest id that a column takes."""


def new_id() -> str:
    """Return a UUIDv7 as 36 characters."""
    return str(uuid_utils.uuid7())


def joined_id(*parts: str, by: str = "-") -> str:
    """Return an id made of others; where the whole is too long for a column, a hash stands for its end.

    Never cut: two long ids that begin alike would become one.
    """
    whole = by.join(parts)
    if len(whole) <= LONGEST:
        return whole
    tail = hashlib.sha256(whole.encode()).hexdigest()[:24]
    return f"{whole[: LONGEST - len(tail) - 1]}_{tail}"
