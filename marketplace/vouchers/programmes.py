"""The programmes as data: effective-dated TOML, each value with its source, districts override.

What is packaged is read once and checked on reading, so that a mistyped file stops the start and is
named. Versions that two persons released (``vouchers.changes``) are laid over it: a ``Book`` is what
holds at one moment.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from marketplace.kernel.errors import DomainError
from marketplace.vouchers.problems import ProgrammeFileBad
from marketplace.vouchers.terms import OWN, Terms, Tier, check_head, read_terms, sourced

__all__ = ["OWN", "Book", "MoneySettings", "Terms", "Tier", "UnknownProgramme", "packaged"]

FOLDER = Path(__file__).parent / "programmes"


@dataclass(frozen=True, slots=True)
class MoneySettings:
    """What is not one programme's own: order of payers, fees, terms of capture and settlement."""

    valid_from: date
    order: tuple[str, ...]
    late_cancel_hours: int
    late_cancel_percent_of_own: int
    no_access_fee_fen: int
    no_access_fees_per_month: int
    capture_grace_days: int
    replacement_days: int
    holdback_percent: int
    holdback_steps: tuple[tuple[int, int], ...]
    sample_field_percent: int
    sample_call_percent: int
    frauds_to_suspend: int
    fraud_fen_to_suspend: int
    notice_days: int


class UnknownProgramme(DomainError):
    """No programme of that code, or no settings, are in force. Facts: ``programme``."""

    kind = "bad_input"


class Book:
    """Every programme with all its versions, from one moment's files and releases. Never changes.

    ``contents``: programme code -> (where it is from, its TOML as read).
    """

    def __init__(self, contents: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
        self._contents = dict(contents)
        self._known: dict[tuple[str, str | None], tuple[Terms, ...]] = {}

    def codes(self) -> tuple[str, ...]:
        """Return the codes of all programmes."""
        return tuple(sorted(self._contents))

    def content(self, code: str) -> Mapping[str, Any] | None:
        """Return a programme's TOML as read, all versions in it; ``None`` where it is unknown."""
        found = self._contents.get(code)
        return found[1] if found else None

    def terms_of(self, code: str, on: date, district_code: str | None = None) -> Terms:
        """Return the terms in force; raises ``UnknownProgramme`` where there are none that day."""
        found = [t for t in self.versions(code, district_code) if t.valid_from <= on]
        if not found:
            raise UnknownProgramme(programme=code)
        return found[-1]

    def all_terms(self, on: date, district_code: str | None = None) -> tuple[Terms, ...]:
        """Return every programme in force on a day, in the order of their codes."""
        return tuple(
            in_force[-1]
            for code in self.codes()
            if (in_force := [t for t in self.versions(code, district_code) if t.valid_from <= on])
        )

    def versions(self, code: str, district_code: str | None = None) -> tuple[Terms, ...]:
        """Return a programme's versions, the first to come into force first."""
        if code not in self._contents:
            raise UnknownProgramme(programme=code)
        known = self._known.get((code, district_code))
        if known is None:
            file, content = self._contents[code]
            read = [read_terms(file, content, row, district_code) for row in content["version"]]
            known = tuple(sorted(read, key=lambda t: t.valid_from))
            self._known[(code, district_code)] = known
        return known

    def with_versions(self, changes: Sequence[tuple[str, Mapping[str, Any], date]]) -> Book:
        """Return this book with versions added: (where from, a programme's TOML, which version).

        A version takes the place of one of the same day; the programme's names are the last ones.
        """
        contents = dict(self._contents)
        for name, content, valid_from in changes:
            code = content["code"]
            before = contents[code][1]["version"] if code in contents else []
            versions = [v for v in before if v["valid_from"] != valid_from]
            versions += [v for v in content["version"] if v["valid_from"] == valid_from]
            contents[code] = (name, {**content, "version": versions})
        return Book(contents)


@cache
def packaged() -> Book:
    """Return the programmes as this software brings them."""
    contents: dict[str, tuple[str, dict[str, Any]]] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        if path.name == "settings.toml":
            continue
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        check_head(path.name, content)
        if content["code"] in contents:
            raise ProgrammeFileBad(path.name, "two_files", what=content["code"])
        contents[content["code"]] = (path.name, content)
    return Book(contents)


def packaged_file(code: str) -> str:
    """Return the text of a packaged programme; raises ``UnknownProgramme``."""
    for path in sorted(FOLDER.glob("*.toml")):
        text = path.read_text(encoding="utf-8")
        if tomllib.loads(text).get("code") == code:
            return text
    raise UnknownProgramme(programme=code)


def terms_of(code: str, on: date, district_code: str | None = None) -> Terms:
    """Return packaged terms in force; as ``Book.terms_of``."""
    return packaged().terms_of(code, on, district_code)


def all_terms(on: date, district_code: str | None = None) -> tuple[Terms, ...]:
    """Return every packaged programme in force on a day; as ``Book.all_terms``."""
    return packaged().all_terms(on, district_code)


def settings_on(on: date) -> MoneySettings:
    """Return the settings in force; raises ``UnknownProgramme`` before the first."""
    found = [s for s in _settings() if s.valid_from <= on]
    if not found:
        raise UnknownProgramme(programme="settings", on=on.isoformat())
    return found[-1]


@cache
def _settings() -> tuple[MoneySettings, ...]:
    file = "settings.toml"
    content = tomllib.loads((FOLDER / file).read_text(encoding="utf-8"))
    names = [f for f in MoneySettings.__dataclass_fields__ if f != "valid_from"]
    rows = []
    for row in content["version"]:
        values = {name: sourced(file, row, name, {}) for name in names}
        rows.append(
            MoneySettings(
                valid_from=row["valid_from"],
                order=tuple(values.pop("order")),
                holdback_steps=tuple((s, p) for s, p in values.pop("holdback_steps")),
                **{name: int(value) for name, value in values.items()},
            )
        )
    return tuple(sorted(rows, key=lambda s: s.valid_from))
