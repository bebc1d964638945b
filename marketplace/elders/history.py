"""Facts of elders by day: what held when, who said so, and since when we knew.

The register's columns say what holds today; ``elder_fact`` says what held before and what will hold
from a later day on. A change reported late or ahead is written with the day from which it counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from marketplace.elders import witness
from marketplace.elders.models import Elder, ElderFact, ElderStay

FACT = ElderFact.__table__
STAY = ElderStay.__table__
BEGINNING = date(1900, 1, 1)
NAMES = ("status", "address", "hukou_local", "income_class", "lives_alone", "special")
YES_NO = frozenset({"hukou_local", "lives_alone"})
REGISTER = "elder register"
_TURN_DAYS = 62
_CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Known:
    """A fact's value on a day, from which day on, who said so and when it was written down."""

    value: str
    from_on: date
    source: str
    recorded_at: datetime


def as_text(name: str, value: Any) -> str:
    """Return a column's value as the history writes it."""
    if name in YES_NO:
        return "Y" if value else "N"
    return str(value)


def as_value(name: str, text: str) -> Any:
    """Return the history's text as the column's value."""
    return text == "Y" if name in YES_NO else text


def change(
    session: Session,
    elder_id: str,
    name: str,
    value: Any,
    *,
    from_on: date,
    today: date,
    source: str,
    at: datetime,
    by: str,
) -> bool:
    """Write that a fact has a value from a day on; return whether that is news.

    The register's column follows at once where the day has come; ``turn`` does it where it comes later.
    """
    text = as_text(name, value)
    held = as_of(session, [elder_id], from_on).get(elder_id, {}).get(name)
    before = held.value if held is not None else as_text(name, _column(session, elder_id, name))
    if text == before:
        return False
    rows = [_row(elder_id, name, text, from_on, source, at, by)]
    if held is None:
        rows.insert(0, _row(elder_id, name, before, BEGINNING, REGISTER, at, by))
    _add(session, rows, at)
    if from_on <= today:
        _follow(session, elder_id, name, today, at)
    return True


def _add(session: Session, rows: list[dict[str, Any]], at: datetime) -> None:
    insert = FACT.insert().returning(*FACT.c)  # type: ignore[attr-defined]
    added = session.execute(insert, rows).mappings().all()
    witness.record(session, FACT.name, added, at=at)  # type: ignore[attr-defined]


def _row(
    elder_id: str, name: str, value: str, from_on: date, source: str, at: datetime, by: str
) -> dict[str, Any]:
    return {
        "elder_id": elder_id,
        "name": name,
        "value": value,
        "from_on": from_on,
        "source": source,
        "recorded_at": at,
        "recorded_by": by,
    }


def _column(session: Session, elder_id: str, name: str) -> Any:
    return session.scalar(select(Elder.__table__.c[name]).where(Elder.id == elder_id))


def _follow(session: Session, elder_id: str, name: str, today: date, at: datetime) -> bool:
    """Set the register's column to what the history says of today; return whether it changed."""
    known = as_of(session, [elder_id], today)[elder_id][name]
    values: dict[str, Any] = {name: as_value(name, known.value)}
    if name == "status":
        values["status_from"] = None if known.value == "active" else known.from_on
    column = Elder.__table__.c[name]
    done = session.execute(
        update(Elder).where(Elder.id == elder_id, column != values[name]).values(**values)
    )
    if not done.rowcount:  # type: ignore[attr-defined]
        return False
    witness.record_elders(session, [{"id": elder_id, **values}], at=at, columns=values)
    return True


def note_changes(
    session: Session,
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
    *,
    today: date,
    source: str,
    at: datetime,
    by: str,
) -> int:
    """Write what a list changed of many elders, by id and name; the columns are the caller's.

    Returns how many facts are new.
    """
    changed = [
        (elder_id, name)
        for elder_id, values in after.items()
        for name in NAMES
        if elder_id in before and before[elder_id][name] != values[name]
    ]
    known = as_of(session, sorted({e for e, _ in changed}), today)
    rows = []
    for elder_id, name in changed:
        if name not in known.get(elder_id, {}):
            old = as_text(name, before[elder_id][name])
            rows.append(_row(elder_id, name, old, BEGINNING, REGISTER, at, by))
        new = as_text(name, after[elder_id][name])
        rows.append(_row(elder_id, name, new, today, source, at, by))
    if rows:
        _add(session, rows, at)
    return len(changed)


def as_of(
    session: Session,
    elder_ids: Sequence[str] | Any,
    on: date,
    *,
    known_at: datetime | None = None,
) -> dict[str, dict[str, Known]]:
    """Return what the history says of a day by elder and name; what never changed is missing.

    ``elder_ids`` may be a query of ids. ``known_at`` leaves out what was written down later.
    """
    found: dict[str, dict[str, Known]] = {}
    for part in _parts(elder_ids):
        wanted = [FACT.c.elder_id.in_(part), FACT.c.from_on <= on]
        if known_at is not None:
            wanted.append((FACT.c.recorded_at <= known_at) | (FACT.c.from_on == BEGINNING))
        for r in session.execute(select(FACT).where(*wanted).order_by(FACT.c.from_on, FACT.c.id)):
            known = Known(r.value, r.from_on, r.source, r.recorded_at)
            found.setdefault(r.elder_id, {})[r.name] = known
    return found


def _parts(ids: Sequence[str] | Any) -> Iterable[Any]:
    if not isinstance(ids, (list, tuple)):
        return [ids]
    return [ids[i : i + _CHUNK] for i in range(0, len(ids), _CHUNK)]


def of_elder(session: Session, elder_id: str) -> list[Any]:
    """Return every row of an elder's history, by name and day."""
    return list(
        session.execute(
            select(FACT)
            .where(FACT.c.elder_id == elder_id)
            .order_by(FACT.c.name, FACT.c.from_on, FACT.c.id)
        )
    )


def turn(session: Session, today: date, *, at: datetime) -> int:
    """Let the register's columns follow the facts whose day has come; return how many changed."""
    due = session.execute(
        select(FACT.c.elder_id, FACT.c.name)
        .where(FACT.c.from_on.between(today - timedelta(days=_TURN_DAYS), today))
        .distinct()
        .order_by(FACT.c.elder_id, FACT.c.name)
    ).all()
    return sum(_follow(session, r.elder_id, r.name, today, at) for r in due)


@dataclass(frozen=True, slots=True)
class Stay:
    """Days in a hospital or an institution, both ends included; ``until_on`` is open while it lasts."""

    kind: str
    from_on: date
    until_on: date | None

    def covers(self, on: date) -> bool:
        """Say whether a day lies in the stay."""
        return self.from_on <= on and (self.until_on is None or on <= self.until_on)


def stays_of(session: Session, elder_ids: Sequence[str] | Any) -> dict[str, tuple[Stay, ...]]:
    """Return the stays of elders by id, in order of their first day; ``elder_ids`` may be a query."""
    found: dict[str, tuple[Stay, ...]] = {}
    for part in _parts(elder_ids):
        for r in session.execute(
            select(STAY.c.elder_id, STAY.c.kind, STAY.c.from_on, STAY.c.until_on)
            .where(STAY.c.elder_id.in_(part))
            .order_by(STAY.c.from_on)
        ):
            found[r.elder_id] = (
                *found.get(r.elder_id, ()),
                Stay(r.kind, r.from_on, r.until_on),
            )
    return found


def put_stay(
    session: Session,
    elder_id: str,
    *,
    kind: str,
    place: str,
    from_on: date,
    until_on: date | None,
    source: str,
    at: datetime,
) -> bool:
    """Write a stay, or its end when that is known; return whether that is news."""
    row = session.execute(
        select(STAY.c.id, STAY.c.until_on).where(
            STAY.c.elder_id == elder_id, STAY.c.kind == kind, STAY.c.from_on == from_on
        )
    ).first()
    if row is None:
        session.add(
            ElderStay(
                elder_id=elder_id,
                kind=kind,
                place=place,
                from_on=from_on,
                until_on=until_on,
                source=source,
                recorded_at=at,
            )
        )
        session.flush()
        return True
    if row.until_on == until_on:
        return False
    session.execute(update(ElderStay).where(ElderStay.id == row.id).values(until_on=until_on))
    return True
