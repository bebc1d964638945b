"""What every file of the register shares: what a run knows, a file's kind, how rows are written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from geopy.distance import great_circle
from sqlalchemy import Table, select, update
from sqlalchemy.orm import Session

from marketplace.kernel.bulk import upsert
from marketplace.kernel.db import Base
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Located, Ports
from marketplace.workflows.load.callers import Callers
from marketplace.workflows.load.refusals import RowRefused
from marketplace.workflows.load.rows import ElderRow, FileRow, SiteRow

_FAR_KM = 60.0
"""Farther from where its address lies than any two places of one district: a wrong coordinate."""

Values = dict[str, Any]


def sha(row: FileRow) -> str:
    """Return the hash of a row's content, by which an unchanged row is known."""
    text = "\x1f".join(f"{k}={v}" for k, v in row)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Context:
    """What one run knows. ``known``: ids that rows may name, by kind, stored or accepted before."""

    session: Session
    ports: Ports
    now: datetime
    today: date
    known: dict[str, set[str]] = field(default_factory=dict)
    people: dict[bytes, str] = field(default_factory=dict)
    shifts: dict[tuple[str, date], list[tuple[int, int]]] = field(default_factory=dict)
    located: dict[str, Located | None] = field(default_factory=dict)
    placed: dict[str, str] = field(default_factory=dict)
    callers: Callers = field(default_factory=Callers)

    def require(self, kind: str, name: str, value: str) -> None:
        """Refuse a row that names what is neither stored nor loaded before it."""
        if value not in self.known[kind]:
            raise RowRefused(name, f"unknown_{kind}", value, f"known_{kind}")

    def locate(self, row: SiteRow | ElderRow) -> Located:
        """Return where a row's address lies; its own coordinates win when they can be true."""
        if row.address not in self.located:
            if len(self.located) > 20_000:
                self.located.clear()
            self.located[row.address] = self.ports.geocoder.locate(row.address)
        found = self.located[row.address]
        if found is None:
            raise RowRefused("address", "address_unknown", row.address, "address")
        if row.lat is None or row.lng is None:
            return found
        here = (found.lat, found.lng)
        if abs(row.lat) > 90 or great_circle((row.lat, row.lng), here).km > _FAR_KM:
            if abs(row.lng) <= 90 and great_circle((row.lng, row.lat), here).km <= _FAR_KM:
                raise RowRefused("lat", "coordinates_swapped", f"{row.lat},{row.lng}", "lat_lng")
            raise RowRefused("lat", "coordinates_elsewhere", f"{row.lat},{row.lng}", "near_address")
        return Located(
            row.lat,
            row.lng,
            "exact",
            found.district_code,
            found.town_code,
            found.community_code,
            "file",
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """One file: its model, what is stored of it, and how rows are checked and written.

    ``stored``: natural key -> hash of the row as the database has it. ``check`` holds a row against
    the others. ``settle`` gives a row our number of an elder where the register has another; ``write``
    gets new and changed rows of a chunk.
    """

    name: str
    model: type[FileRow]
    stored: Callable[[Session], dict[str, str]]
    check: Callable[[Context, Any], None]
    write: Callable[[Context, Sequence[Any], Sequence[Any]], None]
    registers: str | None = None
    prepare: Callable[[Context], None] = lambda _context: None
    settle: Callable[[Context, Any], Any] = lambda _context, row: row


def hashes(model: type[Base]) -> Callable[[Session], dict[str, str]]:
    """Return what reads the kept hash of each row by its id."""

    def read(session: Session) -> dict[str, str]:
        columns = model.__table__.c
        return {r[0]: r[1] for r in session.execute(select(columns.id, columns.row_sha256))}

    return read


def same_rows(read: Callable[[Session], Iterable[FileRow]]) -> Callable[[Session], dict[str, str]]:
    """Return what makes the hash of each row anew, for a table that keeps none."""
    return lambda session: {row.key(): sha(row) for row in read(session)}


def needs(kind: str, name: str) -> Callable[[Context, Any], None]:
    """Return the check that a row names something known in one column."""
    return lambda context, row: context.require(kind, name, getattr(row, name))


def write_rows(context: Context, model: type[Base], rows: Iterable[Values]) -> None:
    """Add rows, or change those whose key exists; all have the same columns."""
    rows = list(rows)
    if rows:
        columns = list(rows[0])
        upsert(context.session, model, columns, ([r[c] for c in columns] for r in rows))


def write_by_key(
    model: type[Base], rename: dict[str, str] | None = None
) -> Callable[[Context, Sequence[Any], Sequence[Any]], None]:
    """Return what writes rows that have no id of their own. ``rename``: file's name -> column's."""
    names = rename or {}

    def write(context: Context, new: Sequence[FileRow], changed: Sequence[FileRow]) -> None:
        def values(row: FileRow) -> Values:
            return {names.get(k, k): v for k, v in row}

        table = model.__table__
        assert isinstance(table, Table)
        write_rows(context, model, [{"id": new_id(), **values(r)} for r in new])
        for row in changed:
            key = [table.c[names.get(k, k)] == getattr(row, k) for k in row.KEY]
            context.session.execute(update(table).where(*key).values(**values(row)))

    return write


def sealed_phone(context: Context, phone: str | None) -> Values:
    """Return the two columns of a telephone number: sealed, and to be found by."""
    if phone is None:
        return {"phone_sealed": None, "phone_index": None}
    vault = context.ports.vault
    return {"phone_sealed": vault.seal(phone), "phone_index": vault.index(phone)}
