"""The thresholds of check-ins and of the anti-fraud rules as data: effective-dated, each with its source."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "limits.toml"


class LimitsBad(ValueError):
    """The file of thresholds says something that cannot be. ``args``: what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """One version of the thresholds; what each means stands beside its value in ``limits.toml``.

    Ends of names: ``_min`` minutes, ``_h`` hours (of the day for ``night``), ``_s`` seconds, ``_m`` metres.
    """

    valid_from: date
    fence_urban_m: int
    fence_rural_m: int
    fence_accuracy_m: int
    early_min: int
    late_min: int
    overlap_min: int
    fastest_kmh: int
    near_m: int
    short_percent: int
    unpaid_percent: int
    long_percent: int
    latest_check_out_h: int
    hand_over_min: int
    photo_bits: int
    photo_days: int
    photo_clock_min: int
    most_service_h: int
    most_visits: int
    night_from_h: int
    night_until_h: int
    shared_phone: int
    same_spot: int
    same_spot_days: int
    by_hand_percent: int
    least_visits: int
    even_s: int
    last_days: int
    last_days_percent: int
    one_item_months: int


def read(text: str) -> tuple[Limits, ...]:
    """Return the versions of a file, the first to come into force first; raises ``LimitsBad``."""
    names = {f.name for f in fields(Limits)}
    versions = []
    for row in tomllib.loads(text).get("version", []):
        wrong = sorted(names ^ set(row))
        if wrong:
            raise LimitsBad(f"{wrong[0]} is missing or unknown")
        values = {n: _value(n, row[n]) for n in names - {"valid_from"}}
        versions.append(Limits(valid_from=row["valid_from"], **values))
    if not versions:
        raise LimitsBad("there is no version")
    return tuple(sorted(versions, key=lambda v: v.valid_from))


def _value(name: str, given: Any) -> int:
    if not isinstance(given, dict) or set(given) != {"value", "source"} or not given["source"]:
        raise LimitsBad(f"{name} needs a value and its source")
    if type(given["value"]) is not int or given["value"] < 0:
        raise LimitsBad(f"{name} must be a whole number that is not negative")
    return given["value"]


@cache
def packaged() -> tuple[Limits, ...]:
    """Return the thresholds as this software brings them."""
    return read(FILE.read_text(encoding="utf-8"))


def on(day: date) -> Limits:
    """Return the thresholds of a day; before the first version the first holds."""
    found = [v for v in packaged() if v.valid_from <= day]
    return found[-1] if found else packaged()[0]


def latest() -> Limits:
    """Return the last version."""
    return packaged()[-1]
