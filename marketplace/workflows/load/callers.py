"""Callers whom the hotline took on before the register named them: one person, one file.

A caller has a provisional number (``N`` and twelve letters) under which orders and money already stand.
When the register brings the same person under its own number, the row is written into the caller's file
and the register's number is kept beside it; every later row that names that number means this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.elders.models import UNKNOWN_GENDER, Elder
from marketplace.kernel.crypto import Vault
from marketplace.workflows.load.refusals import RowRefused
from marketplace.workflows.load.rows import ElderRow, FileRow

E = Elder.__table__.c


@dataclass(frozen=True, slots=True)
class Caller:
    """One provisional file: the number, the name and the year of birth as they were said."""

    id: str
    name: str
    born_year: int


@dataclass
class Callers:
    """The register's numbers of known callers, and the callers that no register has named yet.

    ``ours``: the register's number -> ours; ``theirs``: the way back. ``waiting``: by hash of the
    telephone. ``found``: what of ``ours`` this run found.
    """

    ours: dict[str, str] = field(default_factory=dict)
    theirs: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, list[Caller]] = field(default_factory=dict)
    found: dict[str, str] = field(default_factory=dict)

    def join(self, number: str, elder_id: str) -> None:
        """Note that the register's number is this caller."""
        self.ours[number] = self.found[number] = elder_id
        self.theirs[elder_id] = number


def read_callers(session: Session) -> Callers:
    """Return what is known of callers; two statements, however large the register is."""
    numbers = session.execute(select(E.register_id, E.id).where(E.register_id.is_not(None)))
    ours = {r.register_id: r.id for r in numbers}
    waiting: dict[str, list[Caller]] = {}
    for r in session.execute(
        select(E.id, E.name, E.born_on, E.phone_index)
        .where(E.gender == UNKNOWN_GENDER, E.phone_index.is_not(None))
        .order_by(E.id)
    ):
        waiting.setdefault(r.phone_index, []).append(Caller(r.id, r.name, r.born_on.year))
    return Callers(ours, {elder_id: number for number, elder_id in ours.items()}, waiting)


def with_ours(callers: Callers, row: FileRow, name: str) -> Any:
    """Return the row with our number in place of the register's, where the two differ."""
    number = getattr(row, name)
    if number not in callers.ours:
        return row
    return row.model_copy(update={name: callers.ours[number]})


def settled(callers: Callers, vault: Vault, row: ElderRow, known: set[str]) -> ElderRow:
    """Return a row of the register with the number of the caller that it is, where it is one.

    The same person has the same name, telephone and year of birth. Raises ``RowRefused`` where name
    and telephone agree but more than one file, or another year, makes it unclear.
    """
    if row.id in callers.ours or row.id in known or row.phone is None:
        return with_ours(callers, row, "id")
    same = [c for c in callers.waiting.get(vault.index(row.phone), ()) if c.name == row.name]
    if not same:
        return row
    is_taken = any(c.id in callers.found.values() for c in same)
    if len(same) > 1 or is_taken or same[0].born_year != row.born_on.year:
        raise RowRefused(
            "phone",
            "caller_unclear",
            ";".join(f"{c.id} {c.born_year}" for c in same),
            "same_caller",
        )
    callers.join(row.id, same[0].id)
    return with_ours(callers, row, "id")
