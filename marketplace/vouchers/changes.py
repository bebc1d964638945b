"""Changes of a programme: a TOML file is read against what is in force, proposed, and laid over it.

What holds at a moment is ``book``: the packaged programmes and every released version.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel.clock import Period
from marketplace.kernel.errors import Conflict, DomainError
from marketplace.kernel.facts import Fact, Facts
from marketplace.vouchers import programmes
from marketplace.vouchers.eligibility import Condition, holds
from marketplace.vouchers.models import GrantRun, ProgrammeChange
from marketplace.vouchers.problems import ProgrammeFileBad, problem
from marketplace.vouchers.programmes import Book
from marketplace.vouchers.terms import Rate, Services, Terms, Tier, check_head

FIXED = ("slot", "kind", "grant", "unit", "name_zh", "name_en")
"""What entitlements and printed statements rely on: another of these is another programme."""


class ChangeRefused(DomainError):
    """A programme file cannot be taken. Facts: ``problem`` (says what and where), ``reason``, ``what``."""

    kind = "bad_input"


class ChangeOutdated(Conflict):
    """The programme changed, or its month was granted, since the proposal. Facts: ``id``."""


@dataclass(frozen=True, slots=True)
class Change:
    """A file that may be proposed: one new version of one programme."""

    code: str
    valid_from: date
    content: Mapping[str, Any]
    text: str
    sha256: str
    base_sha256: str

    @property
    def version(self) -> tuple[str, Mapping[str, Any], date]:
        """Return the change as ``Book.with_versions`` takes it."""
        return ("a change", self.content, self.valid_from)


_ANYBODY: Facts = {
    "age": Fact(80, ""),
    "hukou_local": Fact(True, ""),
    "at_home": Fact(True, ""),
    "income_class": Fact("ordinary", ""),
    "lives_alone": Fact(False, ""),
    "special": Fact(frozenset(), ""),
    "level": Fact(0, ""),
}
"""The facts that registers have, on a person who stands for any."""

_books: dict[tuple[str, ...], Book] = {}
_KEPT = 8


def book(session: Session) -> Book:
    """Return the programmes as they hold now: one short statement, the rest is remembered.

    Raises ``ProgrammeFileBad`` where a released file is not what was released.
    """
    c = ProgrammeChange
    ids = tuple(
        session.scalars(
            select(c.id).where(c.state == "released").order_by(c.released_at, c.id)
        ).all()
    )
    if not ids:
        return programmes.packaged()
    if ids not in _books:
        found = {row.id: row for row in session.scalars(select(c).where(c.id.in_(ids)))}
        while len(_books) >= _KEPT:
            _books.pop(next(iter(_books)))
        _books[ids] = programmes.packaged().with_versions([_released(found[i]) for i in ids])
    return _books[ids]


def _released(row: ProgrammeChange) -> tuple[str, Mapping[str, Any], date]:
    if sha256_of(row.content) != row.content_sha256:
        raise ProgrammeFileBad(f"change {row.id}", "content_changed")
    return (f"change {row.id}", tomllib.loads(row.content), row.valid_from)


def sha256_of(text: str) -> str:
    """Return the hash by which a file is named."""
    return hashlib.sha256(text.encode()).hexdigest()


def base_sha256(book: Book, code: str) -> str:
    """Return the hash of a programme as a book has it, all versions; empty where it has none."""
    content = book.content(code)
    if content is None:
        return ""
    return sha256_of(json.dumps(content, sort_keys=True, default=str, ensure_ascii=False))


def read_change(
    book: Book, text: str, *, today: date, slots: tuple[str, ...], granted_until: Period | None
) -> Change:
    """Read a programme file as a change of ``book``; raises ``ChangeRefused``.

    It holds the whole programme: the versions in force as they are, and one new version that begins
    with a month to come which is granted nowhere. ``slots`` is the order of payers.
    """
    try:
        content = tomllib.loads(text)
        check_head("file", content)
        for row in content["version"]:
            for district in (None, *row.get("district", {})):
                _check_terms(Book({content["code"]: ("file", content)}), content["code"], district)
    except tomllib.TOMLDecodeError as error:
        raise refused("not_toml", what=str(error)) from error
    except ProgrammeFileBad as error:
        raise refused(error.reason, **error.facts) from error
    except KeyError as error:
        raise refused("missing", what=str(error.args[0])) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise refused("wrong_kind", what=str(error)) from error
    code = content["code"]
    known = book.content(code)
    if content["slot"] not in slots and content["grant"] not in ("earned",):
        raise refused("slot_unknown", what=str(content["slot"]))
    before = {v["valid_from"]: v for v in known["version"]} if known else {}
    for name in FIXED if known else ():
        if known and content[name] != known[name]:
            raise refused("fixed", what=name, known=str(known[name]))
    dates = [v["valid_from"] for v in content["version"]]
    if len(set(dates)) != len(dates):
        raise refused("same_day")
    new = [v["valid_from"] for v in content["version"] if before.get(v["valid_from"]) != v]
    if len(new) != 1:
        raise refused("one_version", what=str(len(new)))
    _check_begin(new[0], today=today, granted_until=granted_until)
    return Change(code, new[0], content, text, sha256_of(text), base_sha256(book, code))


def _check_begin(valid_from: date, *, today: date, granted_until: Period | None) -> None:
    if valid_from.day != 1:
        raise refused("not_first_of_month")
    if valid_from <= today:
        raise refused("begins_too_early", what=today.isoformat())
    if granted_until is not None and Period.of(valid_from) <= granted_until:
        raise refused("month_is_granted", what=str(granted_until))


def _check_terms(book: Book, code: str, district: str | None) -> None:
    for terms in book.versions(code, district):
        for condition in (*terms.who, *(c for t in terms.tiers for c in t.when)):
            unknown = [f for f in _facts(condition) if f not in _ANYBODY]
            if unknown:
                raise ProgrammeFileBad("file", "unknown_fact", what=unknown[0])
            # A test of the wrong kind (an age in words) shows itself on any person.
            holds(condition, _ANYBODY)


def _facts(condition: Condition) -> Iterator[str]:
    if condition.fact:
        yield condition.fact
    for choice in condition.any:
        for inner in choice:
            yield from _facts(inner)


def refused(reason: str, **facts: str) -> ChangeRefused:
    """Return the refusal of a file for a reason of ``PROBLEMS``."""
    return ChangeRefused(field="file", problem=problem(reason, facts), reason=reason, **facts)


def granted_until(session: Session) -> Period | None:
    """Return the last month that any district was granted."""
    last = session.scalar(
        select(GrantRun.period)
        .where(GrantRun.state == "released")
        .order_by(GrantRun.period.desc())
        .limit(1)
    )
    return Period.parse(last) if last else None


@dataclass(frozen=True, slots=True)
class Difference:
    """One value of a programme that a change moves; ``before`` is empty for a new programme.

    ``district_code`` is empty for the city's own value.
    """

    district_code: str
    what: str
    before: str
    after: str


def differences(book: Book, change: Change) -> tuple[Difference, ...]:
    """Return what a change moves, value by value, the city first and then each district."""
    after = book.with_versions([change.version])
    districts = {""}
    for content in (book.content(change.code), after.content(change.code)):
        for row in content["version"] if content else ():
            districts |= set(row.get("district", {}))
    found: list[Difference] = []
    city: set[tuple[str, str, str]] = set()
    for district in sorted(districts):
        old = _last(book, change, district or None)
        new = after.terms_of(change.code, change.valid_from, district or None)
        moved = _moved(old, new)
        # A district says what differs from the city's own move.
        found += [Difference(district, *m) for m in moved if not district or m not in city]
        city = city if district else set(moved)
    return tuple(found)


def only_district(book: Book, change: Change) -> str | None:
    """Return the one district whose values alone a change moves; ``None`` where it moves more.

    That a version begins on another day moves nothing by itself.
    """
    return district_moved(differences(book, change))


def district_moved(found: Iterable[Difference]) -> str | None:
    """Return as ``only_district``, of differences that were found before."""
    moved = {d.district_code for d in found if d.what != "valid_from"}
    if len(moved) == 1 and "" not in moved:
        return moved.pop()
    return None


def file_of(session: Session, code: str) -> str:
    """Return a programme's file as it holds now; raises ``UnknownProgramme``.

    A change is the whole programme: the last one released for it, else the packaged file.
    """
    c = ProgrammeChange
    text = session.scalar(
        select(c.content)
        .where(c.state == "released", c.programme_code == code)
        .order_by(c.released_at.desc(), c.id.desc())
        .limit(1)
    )
    return text if text is not None else programmes.packaged_file(code)


def _last(book: Book, change: Change, district: str | None) -> Terms | None:
    if book.content(change.code) is None:
        return None
    versions = book.versions(change.code, district)
    found = [t for t in versions if t.valid_from <= change.valid_from]
    return found[-1] if found else None


def _moved(old: Terms | None, new: Terms) -> list[tuple[str, str, str]]:
    was, will = _texts(old), _texts(new)
    names = sorted(was.keys() | will.keys())
    return [
        (n, was.get(n, ""), will.get(n, "")) for n in names if was.get(n, "") != will.get(n, "")
    ]


def _texts(terms: Terms | None) -> dict[str, str]:
    """Return a programme's values as short texts by name; conditions and sources with them."""
    if terms is None:
        return {}
    texts: dict[str, str] = {}
    for field in fields(terms):
        value = getattr(terms, field.name)
        if field.name == "who":
            for n, condition in enumerate(value, start=1):
                texts[f"who {n}"] = condition_text(condition)
        elif field.name == "tiers":
            for tier in value:
                texts |= _tier_texts(tier)
        elif field.name == "services":
            texts |= _service_texts(value)
        elif field.name == "rates":
            for rate in value:
                texts[f"rate of {_rate_of(rate)}"] = f"{rate.percent} %"
        elif field.name == "sources":
            texts |= {f"source of {name}": source for name, source in value.items()}
        else:
            texts[field.name] = str(value)
    return texts


def _tier_texts(tier: Tier) -> dict[str, str]:
    texts = {f"tier {tier.name}": str(tier.amount)}
    if tier.per_item_fen:
        texts[f"tier {tier.name} item"] = str(tier.per_item_fen)
    if tier.when:
        texts[f"tier {tier.name} when"] = " and ".join(condition_text(c) for c in tier.when)
    return texts


def _service_texts(services: Services) -> dict[str, str]:
    texts = {}
    for field in fields(services):
        value = getattr(services, field.name)
        if value is not None:
            shown = ", ".join(sorted(value)) if isinstance(value, frozenset) else str(value)
            # A list of nothing lets nothing through; no list lets everything.
            texts[f"services {field.name}"] = shown or "-"
    return texts


def _rate_of(rate: Rate) -> str:
    return ", ".join(sorted(rate.modes | rate.codes))


def condition_text(condition: Condition) -> str:
    """Return a condition in one line: ``age at_least 60``; choices joined by ``or``."""
    if condition.any:
        choices = [" and ".join(condition_text(c) for c in choice) for choice in condition.any]
        return " or ".join(choices)
    tests = [f"{op} {_value(wanted)}" for op, wanted in condition.tests]
    return f"{condition.fact} {' and '.join(tests)}"


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
