"""What a proof finds: rows that are wrong, and rows held against what was recorded of them, both ways."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from itertools import islice
from typing import Any

NOBODY = "nobody recorded it"
MISSING = "it was recorded and is missing"
LIMIT = 20
"""Findings shown of one check: whoever deletes a whole table is not answered with a million lines."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that breaks a rule; ``row`` is what calls it, ``detail`` what was read there."""

    table: str
    row: str
    rule: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.table} {self.row}: {self.rule}" + (
            f" ({self.detail})" if self.detail else ""
        )


def both_ways(
    table: str,
    *,
    written: Set[tuple[Any, ...]],
    recorded: Set[tuple[Any, ...]],
    called_by: int = 1,
) -> Iterator[Finding]:
    """Name the written rows that nobody recorded, then those that were recorded and are missing.

    A row is all that its record says of it, so that a row that was changed is found on both sides;
    its first ``called_by`` values call it.
    """
    for rows, rule in ((written - recorded, NOBODY), (recorded - written, MISSING)):
        for row in sorted(rows, key=str):
            yield Finding(table, "/".join(str(value) for value in row[:called_by]), rule)


def first(found: Iterable[Finding]) -> list[Finding]:
    """Return the first findings of one check; what comes after them is not looked for."""
    return list(islice(found, LIMIT))


def missing(table: str, rows: Iterable[str]) -> Iterator[Finding]:
    """Name rows that were recorded and are not there, in order."""
    for row in sorted(rows):
        yield Finding(table, row, MISSING)
