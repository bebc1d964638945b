"""Thresholds of the anti-fraud rules are data: sourced, effective-dated, refused where mistyped."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from marketplace.visits import fraud, limits
from tests.unit.test_fraud import CLEAN, at

FILE = limits.FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("near_m =", "nera_m =", "is missing or unknown"),
        ("near_m = { value = 1000, ", "near_m = { ", "near_m needs a value and its source"),
        ("value = 1000", "value = -1", "whole number"),
        ("value = 1000", 'value = "far"', "whole number"),
        ('source = "assumption: as the crow flies"', 'source = ""', "fastest_kmh needs"),
        (FILE, "", "no version"),
    ],
)
def test_a_mistyped_file_is_refused_with_what_is_wrong(old, new, problem):
    assert old in FILE
    with pytest.raises(limits.LimitsBad, match=problem):
        limits.read(FILE.replace(old, new, 1))


def test_a_visit_is_judged_by_the_version_of_its_day(monkeypatch):
    stricter = FILE[FILE.index("[[version]]") :].replace("2026-01-01", "2027-01-01")
    stricter = stricter.replace("short_percent = { value = 80", "short_percent = { value = 95")
    versions = limits.read(f"{FILE}\n{stricter}")
    monkeypatch.setattr(limits, "packaged", lambda: versions)
    assert limits.on(date(2026, 12, 31)).short_percent == 80
    assert limits.on(date(2027, 1, 1)).short_percent == 95
    assert limits.on(date(2020, 1, 1)).short_percent == 80


def test_a_rule_asks_its_threshold():
    shortened = replace(CLEAN, ended_at=at(54))
    assert fraud.f04_too_short(shortened) is None
    found = fraud.f04_too_short(
        replace(shortened, limits=replace(limits.latest(), short_percent=95))
    )
    assert found is not None
    assert (found.action, found.facts) == ("hold", {"percent": 90})
