"""The facts of elders that programmes ask for, each with its source and as of a date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from marketplace.elders import history
from marketplace.elders.history import Known, Stay
from marketplace.elders.models import Assessment, Elder
from marketplace.kernel.facts import Fact, Facts

REGISTER = "elder register"
_COLUMNS = (
    Elder.id,
    Elder.born_on,
    Elder.hukou_local,
    Elder.income_class,
    Elder.lives_alone,
    Elder.special,
    Elder.status,
    Elder.status_from,
)


def facts_of(session: Session, elder_ids: Sequence[str], on: date) -> dict[str, Facts]:
    """Return the facts of these elders as of a date; unknown ids are left out."""
    found: dict[str, Facts] = {}
    for start in range(0, len(elder_ids), 2000):
        ids = elder_ids[start : start + 2000]
        rows = session.execute(select(*_COLUMNS).where(Elder.id.in_(ids))).all()
        levels = _levels(session, Assessment.elder_id.in_(ids), on)
        known = history.as_of(session, ids, on)
        stays = history.stays_of(session, ids)
        found |= {
            row.id: _facts(row, levels.get(row.id), on, known.get(row.id), stays.get(row.id, ()))
            for row in rows
        }
    return found


def facts_of_district(
    session: Session, district_code: str, on: date, *, chunk: int = 5000
) -> Iterator[list[tuple[str, Facts]]]:
    """Yield the facts of a district's living elders in chunks, in the order of their ids.

    People of a chunk whose facts are alike share one mapping, so that rules need decide once.
    """
    after = ""
    while True:
        rows = session.execute(
            select(*_COLUMNS)
            .where(
                Elder.district_code == district_code,
                Elder.id > after,
                Elder.status.in_(["active", "away"]),
            )
            .order_by(Elder.id)
            .limit(chunk)
        ).all()
        if not rows:
            return
        between = ids_between(district_code, rows[0].id, rows[-1].id)
        levels = _levels(session, Assessment.elder_id.in_(between), on)
        known = history.as_of(session, between, on)
        stays = history.stays_of(session, between)
        alike: dict[tuple[Any, ...], Facts] = {}
        people = []
        for row in rows:
            level = levels.get(row.id)
            if row.id in known or row.id in stays:
                own = _facts(row, level, on, known.get(row.id), stays.get(row.id, ()))
                people.append((row.id, own))
                continue
            seen = (age_on(row.born_on, on), row[2:], level)
            facts = alike.get(seen)
            if facts is None:
                facts = alike[seen] = _facts(row, level, on)
            people.append((row.id, facts))
        yield people
        after = rows[-1].id


def ids_between(district_code: str, first: str, last: str) -> Select[tuple[str]]:
    """Return the query of a district's elders between two ids, both included: a chunk, by name."""
    return select(Elder.id).where(
        Elder.district_code == district_code, Elder.id >= first, Elder.id <= last
    )


def _levels(session: Session, whose: Any, on: date) -> dict[str, tuple[int, date]]:
    rows = session.execute(
        select(Assessment.elder_id, Assessment.level, Assessment.assessed_on)
        .where(whose, Assessment.assessed_on <= on, Assessment.valid_until >= on)
        .order_by(Assessment.assessed_on)
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def age_on(born_on: date, on: date) -> int:
    """Return full years; who is born on 29 February has a birthday on 1 March in other years."""
    return on.year - born_on.year - ((on.month, on.day) < (born_on.month, born_on.day))


def _facts(
    row: Any,
    level: tuple[int, date] | None,
    on: date,
    known: Mapping[str, Known] | None = None,
    stays: tuple[Stay, ...] = (),
) -> Facts:
    """Return the facts of one person; what the history says of the day goes before the register."""

    def fact(name: str) -> Fact:
        said = (known or {}).get(name)
        if said is None:
            return Fact(getattr(row, name), REGISTER)
        return Fact(history.as_value(name, said.value), said.source)

    special = fact("special")
    assessed = (
        Fact(level[0], f"assessment of {level[1].isoformat()}")
        if level
        else Fact(None, "no assessment in force")
    )
    return {
        "age": Fact(age_on(row.born_on, on), REGISTER),
        "hukou_local": fact("hukou_local"),
        "at_home": _at_home(row, on, known, stays),
        "income_class": fact("income_class"),
        "lives_alone": fact("lives_alone"),
        "special": Fact(
            frozenset(tag for tag in str(special.value).split(",") if tag), special.source
        ),
        "level": assessed,
    }


def _at_home(
    row: Any, on: date, known: Mapping[str, Known] | None, stays: tuple[Stay, ...]
) -> Fact:
    """Say whether the elder lives at home on a day: a hospital is left again, an institution lived in."""
    if any(s.kind == "institution" and s.covers(on) for s in stays):
        return Fact(False, "list of institution stays")
    said = (known or {}).get("status")
    if said is not None:
        return Fact(said.value == "active", said.source)
    since = row.status_from
    status = row.status if since is None or since <= on else "active"
    return Fact(status == "active", REGISTER)
