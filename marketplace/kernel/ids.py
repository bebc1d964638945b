"""Ids: time-ordered, so that an index grows at its end; a client may bring its own."""

from __future__ import annotations

import uuid_utils


def new_id() -> str:
    """Return a UUIDv7 as 36 characters."""
    return str(uuid_utils.uuid7())
