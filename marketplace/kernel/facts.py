"""A fact about a person and where it comes from; rules decide on facts and quote their source."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple


class Fact(NamedTuple):
    """``value`` is ``None`` where the fact is not known. ``source`` names the register or the paper."""

    value: bool | int | str | frozenset[str] | date | None
    source: str


Facts = Mapping[str, Fact]
"""Facts of one person by name: ``age``, ``level``, ``income_class``, ``special`` ..."""
