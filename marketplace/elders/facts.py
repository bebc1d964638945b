"""The facts of elders that programmes ask for, each with its source and as of a date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

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
        found |= {row.id: _facts(row, levels.get(row.id), on) for row in rows}
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
        alike: dict[tuple[Any, ...], Facts] = {}
        people = []
        for row in rows:
            level = levels.get(row.id)
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


def _facts(row: Any, level: tuple[int, date] | None, on: date) -> Facts:
    since = row.status_from
    status = row.status if since is None or since <= on else "active"
    special = frozenset(tag for tag in row.special.split(",") if tag)
    assessed = (
        Fact(level[0], f"assessment of {level[1].isoformat()}")
        if level
        else Fact(None, "no assessment in force")
    )
    return {
        "age": Fact(age_on(row.born_on, on), REGISTER),
        "hukou_local": Fact(row.hukou_local, REGISTER),
        "at_home": Fact(status == "active", REGISTER),
        "income_class": Fact(row.income_class, REGISTER),
        "lives_alone": Fact(row.lives_alone, REGISTER),
        "special": Fact(special, REGISTER),
        "level": assessed,
    }
