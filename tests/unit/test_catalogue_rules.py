from dataclasses import replace
from datetime import date

import pytest

from marketplace.catalogue import rules, service


@pytest.fixture(scope="module")
def packaged():
    return service.packaged()


def test_the_catalogue_has_eleven_categories_and_247_services(packaged):
    assert rules.check(*packaged) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price_fen", -1),
        ("price_fen", 10_000_001),
        ("duration_min", 0),
        ("caregivers", 3),
        ("skill_code", "MAGIC"),
        ("mode", "moon"),
        ("time_class", "never"),
        ("category_code", "XX"),
        ("name_zh", " "),
        ("name_en", "助浴"),
        ("unit", ""),
    ],
)
def test_a_bad_value_is_found_in_its_field(packaged, field, value):
    categories, services = packaged
    broken = [replace(services[0], **{field: value}), *services[1:]]
    assert field in {f.field for f in rules.check(categories, broken) if f.code == "ZC001"}


def test_a_missing_service_and_a_doubled_code_are_found(packaged):
    categories, services = packaged
    assert any(f.field == "services" for f in rules.check(categories, services[1:]))
    doubled = [*services, services[5]]
    assert any(f.field == "valid_from" for f in rules.check(categories, doubled))


def test_a_price_changes_from_its_date_on(packaged):
    old = packaged[1][0]
    new = replace(old, valid_from=date(2026, 12, 1), price_fen=old.price_fen + 100)
    assert rules.in_force([new, old], date(2026, 11, 30)) is old
    assert rules.in_force([new, old], date(2026, 12, 1)) is new
    assert rules.in_force([new, old], date(2025, 12, 31)) is None


@pytest.mark.parametrize(
    ("unit", "duration_min", "mode", "stop"),
    [
        ("次", 60, "home", True),
        ("次", 479, "home", True),
        ("次", 480, "home", False),
        ("月", 60, "home", False),
        ("天", 60, "home", False),
        ("次", 60, "site", False),
        ("次", 10, "remote", False),
    ],
)
def test_placements_projects_and_remote_services_are_no_stops(unit, duration_min, mode, stop):
    assert rules.is_stop(unit=unit, duration_min=duration_min, mode=mode) is stop


def test_a_bad_row_names_line_and_field():
    text = "code,category_code,valid_from,price_yuan\nZC001,ZC,2026-01-01,1.005\n"
    with pytest.raises(service.CatalogueFileBad) as caught:
        service.read_services(text, "services.csv")
    assert caught.value.facts["line"] == 2
    assert caught.value.field in {"duration_min", "price_yuan"}
