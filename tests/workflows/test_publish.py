from dataclasses import replace
from datetime import date

import pytest

from marketplace.catalogue import service
from marketplace.catalogue.service import ServiceNotInForce, VersionIsPublished
from marketplace.kernel.actor import SYSTEM
from marketplace.queries import catalogue
from marketplace.workflows.publish import CatalogueUnsound, publish, publish_packaged

TODAY = date(2026, 11, 23)


def test_publishing_twice_changes_nothing(session, ports):
    assert publish_packaged(session, ports, SYSTEM).new_versions == 247
    assert publish_packaged(session, ports, SYSTEM).new_versions == 0


def test_an_old_order_keeps_the_price_it_was_sold_with(session, ports):
    publish_packaged(session, ports, SYSTEM)
    categories, services = service.packaged()
    dearer = replace(services[1], valid_from=date(2026, 12, 1), price_fen=1_100)
    publish(session, ports, SYSTEM, categories, [*services, dearer])
    assert service.version_in_force(session, "ZC002", date(2026, 11, 30)).price_fen == 1_000
    assert service.version_in_force(session, "ZC002", date(2026, 12, 1)).price_fen == 1_100
    assert catalogue.service(session, "ZC002", on=date(2026, 12, 2)).price_fen == 1_100


def test_a_published_version_is_never_rewritten(session, ports):
    publish_packaged(session, ports, SYSTEM)
    categories, services = service.packaged()
    with pytest.raises(VersionIsPublished):
        publish(
            session, ports, SYSTEM, categories, [replace(services[0], price_fen=1), *services[1:]]
        )
    assert catalogue.service(session, "ZC001", on=TODAY).price_fen == 500


def test_a_withdrawn_service_is_not_sold(session, ports):
    publish_packaged(session, ports, SYSTEM)
    categories, services = service.packaged()
    gone = replace(services[0], valid_from=date(2026, 11, 1), withdrawn=True)
    publish(session, ports, SYSTEM, categories, [*services, gone])
    with pytest.raises(ServiceNotInForce):
        service.version_in_force(session, "ZC001", TODAY)
    assert "ZC001" not in service.versions_in_force(session, TODAY)
    assert len(catalogue.search(session, on=TODAY, limit=500)) == 246


def test_an_unsound_catalogue_publishes_nothing(session, ports):
    categories, services = service.packaged()
    with pytest.raises(CatalogueUnsound):
        publish(session, ports, SYSTEM, categories, services[:-1])
    assert catalogue.categories(session, on=TODAY) == []


@pytest.mark.parametrize(
    "text",
    [
        "助浴点淋浴",
        "zydly",
        "zhuyudian",
        "bath shower",
        "Assisted shower",
        "ZY0",
    ],
)
def test_services_are_found_by_chinese_pinyin_initials_english_and_code(session, ports, text):
    publish_packaged(session, ports, SYSTEM)
    found = catalogue.search(session, text, on=TODAY)
    assert found, text
    assert found[0].category_code == "ZY"


def test_search_treats_wildcards_as_letters(session, ports):
    publish_packaged(session, ports, SYSTEM)
    assert catalogue.search(session, "%", on=TODAY) == []
    assert catalogue.search(session, "_", on=TODAY) == []


def test_categories_count_their_services(session, ports):
    publish_packaged(session, ports, SYSTEM)
    found = catalogue.categories(session, on=TODAY)
    assert len(found) == 11
    assert sum(c.services for c in found) == 247
