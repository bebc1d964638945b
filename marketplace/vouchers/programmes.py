"""The programmes as data: effective-dated TOML files, each value with its source, districts override.

Files are read once and checked on reading, so that a mistyped file stops the start and is named.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from marketplace.kernel.clock import Period
from marketplace.kernel.errors import DomainError
from marketplace.vouchers.eligibility import Condition, ProgrammeFileBad, conditions

FOLDER = Path(__file__).parent / "programmes"
OWN = "OWN"
"""自付: what no programme pays. Not a programme; a payer all the same."""

KINDS = ("in_kind", "item", "voucher", "rate", "purse")
GRANTS = ("monthly", "application", "outside", "earned", "top_up")


@dataclass(frozen=True, slots=True)
class Services:
    """Which services a programme may pay. Every given test must hold; ``None`` tests nothing."""

    subsidised: bool
    categories: frozenset[str] | None
    codes: frozenset[str] | None
    units: frozenset[str] | None
    modes: frozenset[str] | None
    exclude: frozenset[str]

    def cover(self, *, code: str, category: str, unit: str, mode: str, subsidised: bool) -> bool:
        """Return whether a service with these facts may be paid."""
        return (
            (subsidised or not self.subsidised)
            and (self.categories is None or category in self.categories)
            and (self.codes is None or code in self.codes)
            and (self.units is None or unit in self.units)
            and (self.modes is None or mode in self.modes)
            and code not in self.exclude
        )


@dataclass(frozen=True, slots=True)
class Tier:
    """A benefit row: ``amount`` in the programme's unit a period, for those who meet ``when``."""

    name: str
    amount: int
    per_item_fen: int
    when: tuple[Condition, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Rate:
    """The percentage of the remaining price that a ``rate`` programme pays for these services."""

    percent: int
    modes: frozenset[str]
    codes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Terms:
    """One programme as it stands in one district from ``valid_from`` on.

    ``carry_months``: an entitlement ends with the month that many months after its own.
    ``step_fen``: a voucher pays in whole steps. ``items_per_day``: of an item subsidy, 0 for no limit.
    """

    code: str
    name_zh: str
    name_en: str
    slot: str
    kind: str
    grant: str
    unit: str
    valid_from: date
    who: tuple[Condition, ...]
    tiers: tuple[Tier, ...]
    services: Services
    rates: tuple[Rate, ...]
    rate_fen_per_hour: int
    block_min: int
    step_fen: int
    items_per_day: int
    carry_months: int
    budget_fen_per_year: int
    once_years: int
    gift_percent: int
    gift_cap_fen_per_year: int
    cap_minutes: int
    sources: Mapping[str, str]

    def tier(self, name: str) -> Tier:
        """Return the benefit row of that name; raises ``KeyError``."""
        for tier in self.tiers:
            if tier.name == name:
                return tier
        raise KeyError(name)

    def ends_on(self, period: Period) -> date:
        """Return the last day on which an entitlement of ``period`` may be used."""
        for _ in range(self.carry_months):
            period = period.next()
        return period.last

    def fen_of_minutes(self, minutes: int) -> int:
        """Return what ``minutes`` in whole blocks are worth to a vendor."""
        return minutes * self.rate_fen_per_hour // 60


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
    least_percent_of_minutes: int
    holdback_percent: int


def terms_of(code: str, on: date, district_code: str | None = None) -> Terms:
    """Return the terms in force; raises ``UnknownProgramme`` where there are none on that day."""
    found = [t for t in _versions(code, district_code) if t.valid_from <= on]
    if not found:
        raise UnknownProgramme(programme=code)
    return found[-1]


def all_terms(on: date, district_code: str | None = None) -> tuple[Terms, ...]:
    """Return every programme in force on a day, in the order of their codes."""
    return tuple(
        versions[-1]
        for code in sorted(_files())
        if (versions := [t for t in _versions(code, district_code) if t.valid_from <= on])
    )


def codes() -> tuple[str, ...]:
    """Return the codes of all programmes."""
    return tuple(sorted(_files()))


def settings_on(on: date) -> MoneySettings:
    """Return the settings in force; raises ``UnknownProgramme`` before the first."""
    found = [s for s in _settings() if s.valid_from <= on]
    if not found:
        raise UnknownProgramme(programme="settings", on=on.isoformat())
    return found[-1]


def files_sha256() -> str:
    """Return the hash of all programme files, which a preview quotes."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.glob("*.toml")):
        digest.update(path.name.encode() + b"\x00" + path.read_bytes())
    return digest.hexdigest()


class UnknownProgramme(DomainError):
    """No programme of that code, or no settings, are in force. Facts: ``programme``."""

    kind = "bad_input"


@cache
def _files() -> dict[str, tuple[Path, dict[str, Any]]]:
    files: dict[str, tuple[Path, dict[str, Any]]] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        if path.name == "settings.toml":
            continue
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        for name in ("code", "name_zh", "name_en", "slot", "kind", "grant", "unit", "version"):
            if name not in content:
                raise ProgrammeFileBad(path.name, f"{name} is missing")
        if content["kind"] not in KINDS or content["grant"] not in GRANTS:
            raise ProgrammeFileBad(path.name, "kind or grant is not known")
        if content["code"] in files:
            raise ProgrammeFileBad(path.name, f"{content['code']} is in two files")
        files[content["code"]] = (path, content)
    return files


@cache
def _versions(code: str, district_code: str | None) -> tuple[Terms, ...]:
    if code not in _files():
        raise UnknownProgramme(programme=code)
    path, content = _files()[code]
    versions = []
    for row in content["version"]:
        override = row.get("district", {}).get(district_code or "", {})
        versions.append(_terms(path.name, content, row | override))
    return tuple(sorted(versions, key=lambda t: t.valid_from))


def _terms(file: str, head: dict[str, Any], row: dict[str, Any]) -> Terms:
    sources: dict[str, str] = {}

    def number(name: str) -> int:
        if name not in row:
            return 0
        return int(_sourced(file, row, name, sources))

    services = row.get("services")
    if not services or "source" not in services:
        raise ProgrammeFileBad(file, "services and its source are missing")
    sources["services"] = services["source"]
    tiers = tuple(_tier(file, t, number("items_per_day")) for t in row.get("tier", []))
    if not tiers:
        raise ProgrammeFileBad(file, "a version needs a tier")
    rates = []
    for r in row.get("rate", []):
        sources[f"rate {r.get('percent')}"] = _source(file, r)
        rates.append(
            Rate(
                percent=r["percent"],
                modes=frozenset(r.get("modes", [])),
                codes=frozenset(r.get("codes", [])),
            )
        )
    rate, block = number("rate_fen_per_hour"), number("block_min")
    if head["kind"] == "in_kind" and (block <= 0 or rate * block % 60):
        raise ProgrammeFileBad(file, "a block of minutes must be worth whole fen")
    return Terms(
        code=head["code"],
        name_zh=head["name_zh"],
        name_en=head["name_en"],
        slot=head["slot"],
        kind=head["kind"],
        grant=head["grant"],
        unit=head["unit"],
        valid_from=row["valid_from"],
        who=conditions(file, row.get("who", [])),
        tiers=tiers,
        services=Services(
            subsidised=services.get("subsidised", False),
            categories=_set(services, "categories"),
            codes=_set(services, "codes"),
            units=_set(services, "units"),
            modes=_set(services, "modes"),
            exclude=frozenset(services.get("exclude", [])),
        ),
        rates=tuple(rates),
        rate_fen_per_hour=rate,
        block_min=block,
        step_fen=number("step_fen") or 1,
        items_per_day=number("items_per_day"),
        carry_months=number("carry_months"),
        budget_fen_per_year=number("budget_fen_per_year"),
        once_years=number("once_years"),
        gift_percent=number("gift_percent"),
        gift_cap_fen_per_year=number("gift_cap_fen_per_year"),
        cap_minutes=number("cap_minutes"),
        sources=sources,
    )


def _tier(file: str, row: dict[str, Any], items_per_day: int) -> Tier:
    per_item = int(row.get("per_item_fen", 0))
    # A month's grant of a daily item covers the longest month; the day account limits each day.
    amount = int(row.get("amount", per_item * items_per_day * 31))
    if amount <= 0:
        raise ProgrammeFileBad(file, f"tier {row.get('name')} grants nothing")
    return Tier(
        name=row["name"],
        amount=amount,
        per_item_fen=per_item,
        when=conditions(file, row.get("when", []), source=_source(file, row)),
        source=_source(file, row),
    )


def _set(table: dict[str, Any], name: str) -> frozenset[str] | None:
    return frozenset(table[name]) if name in table else None


def _source(file: str, row: dict[str, Any]) -> str:
    if not row.get("source"):
        raise ProgrammeFileBad(file, f"no source beside {row}")
    return str(row["source"])


def _sourced(file: str, row: dict[str, Any], name: str, sources: dict[str, str]) -> Any:
    value = row[name]
    if not isinstance(value, dict) or "value" not in value or not value.get("source"):
        raise ProgrammeFileBad(file, f"{name} needs a value and its source")
    sources[name] = value["source"]
    return value["value"]


@cache
def _settings() -> tuple[MoneySettings, ...]:
    file = "settings.toml"
    content = tomllib.loads((FOLDER / file).read_text(encoding="utf-8"))
    names = [f for f in MoneySettings.__dataclass_fields__ if f != "valid_from"]
    rows = []
    for row in content["version"]:
        values = {name: _sourced(file, row, name, {}) for name in names}
        rows.append(
            MoneySettings(
                valid_from=row["valid_from"],
                order=tuple(values.pop("order")),
                **{name: int(value) for name, value in values.items()},
            )
        )
    return tuple(sorted(rows, key=lambda s: s.valid_from))
