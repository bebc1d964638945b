"""A programme's terms, and how they are read from its TOML: each value with its source.

A mistyped file is refused whole and named (``ProgrammeFileBad``). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from marketplace.kernel.clock import Period
from marketplace.vouchers.eligibility import Condition, conditions
from marketplace.vouchers.problems import ProgrammeFileBad

OWN = "OWN"
"""自付: what no programme pays. Not a programme; a payer all the same."""

KINDS = ("in_kind", "item", "voucher", "rate", "purse")
GRANTS = ("monthly", "application", "outside", "earned", "top_up")
HEAD = ("code", "name_zh", "name_en", "slot", "kind", "grant", "unit")
"""What is said once of a programme and never changes with a version (names may)."""


NUMBERS = (
    "rate_fen_per_hour",
    "block_min",
    "step_fen",
    "items_per_day",
    "carry_months",
    "budget_fen_per_year",
    "once_years",
    "gift_percent",
    "gift_cap_fen_per_year",
    "cap_minutes",
    "least_visits",
    "least_minutes",
)
"""The plain values of a version, each a table of ``value`` and ``source``."""

WORDS_OF = {
    "a programme": {*HEAD, "version"},
    "a version": {"valid_from", "district", "who", "tier", "rate", "services", *NUMBERS},
    "a district": {"who", "tier", "rate", "services", *NUMBERS},
    "services": {"subsidised", "categories", "codes", "units", "modes", "exclude", "source"},
    "a tier": {"name", "amount", "per_item_fen", "when", "source"},
    "a rate": {"percent", "modes", "codes", "source"},
    "a value": {"value", "source"},
}
"""What may stand where: a mistyped word is refused, since else its value would silently be none."""


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
    ``least_visits``, ``least_minutes``: a package is paid when its month had one or the other; 0 for
    no such rule. ``step_fen``: a voucher pays in whole steps. ``items_per_day``: of an item subsidy, 0
    for no limit.
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
    least_visits: int
    least_minutes: int
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


def check_head(file: str, content: Mapping[str, Any]) -> None:
    """Return when a file names a programme and has a version; raises ``ProgrammeFileBad``."""
    for name in (*HEAD, "version"):
        if not content.get(name):
            raise ProgrammeFileBad(file, "missing", what=name)
    if content["kind"] not in KINDS or content["grant"] not in GRANTS:
        raise ProgrammeFileBad(file, "unknown_kind")
    _check_words(file, content, "a programme")
    for row in content["version"]:
        _check_words(file, row, "a version")
        if type(row.get("valid_from")) is not date:
            raise ProgrammeFileBad(file, "no_date")


def _check_words(file: str, row: Mapping[str, Any], where: str) -> None:
    unknown = sorted(set(row) - WORDS_OF[where])
    if unknown:
        raise ProgrammeFileBad(file, "unknown_word", what=unknown[0], where=where)


def read_terms(
    file: str, content: Mapping[str, Any], row: Mapping[str, Any], district_code: str | None
) -> Terms:
    """Return one version of a programme as it stands in a district; raises ``ProgrammeFileBad``."""
    districts = row.get("district", {})
    for code, own in districts.items():
        if not (len(code) == 6 and code.isdigit()):
            raise ProgrammeFileBad(file, "district_code", what=code)
        _check_words(file, own, "a district")
    override = districts.get(district_code or "", {})
    return _terms(file, content, {**row, **override})


def _terms(file: str, head: Mapping[str, Any], row: Mapping[str, Any]) -> Terms:
    sources: dict[str, str] = {}

    def number(name: str) -> int:
        if name not in row:
            return 0
        return _whole(file, name, sourced(file, row, name, sources))

    services = row.get("services")
    if not services or "source" not in services:
        raise ProgrammeFileBad(file, "no_services")
    _check_words(file, services, "services")
    sources["services"] = services["source"]
    tiers = tuple(_tier(file, t, number("items_per_day")) for t in row.get("tier", []))
    if not tiers:
        raise ProgrammeFileBad(file, "no_tier")
    _check_once(file, (tier.name for tier in tiers))
    rates = []
    for r in row.get("rate", []):
        _check_words(file, r, "a rate")
        sources[f"rate {r.get('percent')}"] = _source(file, r)
        rates.append(
            Rate(
                percent=_whole(file, "percent", r["percent"], most=100),
                modes=_set(file, r, "modes") or frozenset(),
                codes=_set(file, r, "codes") or frozenset(),
            )
        )
    _check_once(file, (word for rate in rates for word in (*rate.modes, *rate.codes)))
    rate, block = number("rate_fen_per_hour"), number("block_min")
    if head["kind"] == "in_kind" and (block <= 0 or rate * block % 60):
        raise ProgrammeFileBad(file, "broken_block")
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
            categories=_set(file, services, "categories"),
            codes=_set(file, services, "codes"),
            units=_set(file, services, "units"),
            modes=_set(file, services, "modes"),
            exclude=_set(file, services, "exclude") or frozenset(),
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
        least_visits=number("least_visits"),
        least_minutes=number("least_minutes"),
        sources=sources,
    )


def _tier(file: str, row: dict[str, Any], items_per_day: int) -> Tier:
    _check_words(file, row, "a tier")
    per_item = _whole(file, "per_item_fen", row.get("per_item_fen", 0))
    # A month's grant of a daily item covers the longest month; the day account limits each day.
    amount = _whole(file, "amount", row.get("amount", per_item * items_per_day * 31))
    if amount <= 0:
        raise ProgrammeFileBad(file, "tier_grants_nothing", what=str(row.get("name")))
    return Tier(
        name=row["name"],
        amount=amount,
        per_item_fen=per_item,
        when=conditions(file, row.get("when", []), source=_source(file, row)),
        source=_source(file, row),
    )


def _whole(file: str, name: str, value: Any, *, most: int | None = None) -> int:
    """Return a number of a file: cut off, a half would silently count as less."""
    if type(value) not in (int, float):
        raise ProgrammeFileBad(file, "wrong_kind", what=f"{name} = {value!r}")
    if type(value) is not int or value < 0:
        raise ProgrammeFileBad(file, "no_whole_number", what=name)
    if most is not None and value > most:
        raise ProgrammeFileBad(file, "too_great", what=name, most=str(most))
    return value


def _check_once(file: str, names: Iterable[str]) -> None:
    """Refuse what is named twice: one of the two would count, and the other be shown."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ProgrammeFileBad(file, "named_twice", what=name)
        seen.add(name)


def _set(file: str, table: dict[str, Any], name: str) -> frozenset[str] | None:
    if name not in table:
        return None
    if not isinstance(table[name], list):
        raise ProgrammeFileBad(file, "no_list", what=name)
    return frozenset(table[name])


def _source(file: str, row: dict[str, Any]) -> str:
    if not row.get("source"):
        raise ProgrammeFileBad(file, "no_source", what=str(row))
    return str(row["source"])


def sourced(file: str, row: Mapping[str, Any], name: str, sources: dict[str, str]) -> Any:
    value = row[name]
    if not isinstance(value, dict) or "value" not in value or not value.get("source"):
        raise ProgrammeFileBad(file, "bare_value", what=name)
    _check_words(file, value, "a value")
    sources[name] = value["source"]
    return value["value"]
