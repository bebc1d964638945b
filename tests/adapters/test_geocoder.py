"""Addresses become points with an honest level; online services answer from recordings only."""

import json
from pathlib import Path

import numpy as np
import pytest
from geopy.adapters import BaseSyncAdapter
from geopy.exc import GeocoderTimedOut

from marketplace.adapters.gazetteer import Gazetteer
from marketplace.adapters.geocoder import GeocoderNotConfigured, build_geocoder
from marketplace.config import Settings
from marketplace.kernel.coordinates import (
    CoordinateSystem,
    to_wgs84,
    wgs84_to_bd09,
    wgs84_to_gcj02,
)

ADDRESS = "泰州市海陵区城东街道东安社区青年路12号"
POINT = (32.50111, 119.92222)


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    return Gazetteer.packaged()


@pytest.mark.parametrize(
    ("address", "district", "town", "community"),
    [
        (ADDRESS, "321202", "321202001", "321202001002"),
        ("江苏省泰州市海陵区城东街道春晖居委会3幢", "321202", "321202001", "321202001019"),
        ("兴化市戴南镇", "321281", "321281123", None),
        ("兴化戴南镇裴马村5组", "321281", "321281123", None),
        ("泰兴市 黄桥镇 致富路", "321283", "321283100", None),
        ("姜堰区溱潼镇", "321204", "321204101", None),
        ("靖江市", "321282", None, None),
    ],
)
def test_the_longest_names_are_found(gazetteer, address, district, town, community) -> None:
    found = gazetteer.locate(address)
    assert (found.district_code, found.town_code) == (district, town)
    if community:
        assert found.community_code == community


@pytest.mark.parametrize("address", ["", "北京市朝阳区阜通东大街6号", "青年路12号"])
def test_an_address_elsewhere_or_of_nowhere_is_not_guessed(gazetteer, address) -> None:
    assert gazetteer.locate(address) is None


def test_levels_say_no_more_than_is_known(gazetteer) -> None:
    assert gazetteer.locate("泰州市海陵区城东街道").level == "town"
    # 红旗街道 has no published point, and no community has one.
    assert gazetteer.locate("泰州市海陵区红旗街道").level == "district"
    assert gazetteer.locate(ADDRESS).level == "town"
    assert gazetteer.locate("海陵区").level == "district"


def test_homes_of_different_villages_do_not_lie_in_one_heap(gazetteer) -> None:
    one = gazetteer.locate("海陵区城东街道东安居委会")
    other = gazetteer.locate("海陵区城东街道东康居委会")
    assert (one.lat, one.lng) != (other.lat, other.lng)


def test_the_gazetteer_knows_the_box_of_its_city(gazetteer) -> None:
    assert gazetteer.bounds.contain(*POINT)
    assert not gazetteer.bounds.contain(POINT[1], POINT[0])
    assert not gazetteer.bounds.contain(39.9, 116.4)


def test_both_packages_carry_one_table() -> None:
    root = Path(__file__).parents[2]
    assert (root / "dispatch/data/taizhou.csv").read_bytes() == (
        root / "marketplace/adapters/data/divisions.3212.csv"
    ).read_bytes()


def test_a_broken_table_names_its_row(tmp_path) -> None:
    path = tmp_path / "city.csv"
    path.write_text("code,name,lat,lng,point\n3212,X,1,2,known\n", encoding="utf-8")
    with pytest.raises(ValueError, match="3212"):
        Gazetteer.read(path)


# Coordinate systems -------------------------------------------------------------------------------


def test_gcj02_at_taizhou_lies_where_it_was_measured() -> None:
    lat, lng = wgs84_to_gcj02(32.46, 119.92)
    north_m = (float(lat) - 32.46) * 110_895
    east_m = (float(lng) - 119.92) * 94_000
    assert east_m == pytest.approx(444, abs=15)
    assert north_m == pytest.approx(-247, abs=15)


@pytest.mark.parametrize(
    ("there", "system"),
    [(wgs84_to_gcj02, CoordinateSystem.GCJ02), (wgs84_to_bd09, CoordinateSystem.BD09)],
)
def test_there_and_back_is_less_than_a_centimetre(there, system) -> None:
    rng = np.random.default_rng(5)
    lat, lng = rng.uniform(31.9, 33.3, 1000), rng.uniform(119.5, 120.6, 1000)
    back_lat, back_lng = to_wgs84(*there(lat, lng), system)
    assert np.abs(back_lat - lat).max() < 1e-7
    assert np.abs(back_lng - lng).max() < 1e-7


# Online services ----------------------------------------------------------------------------------


class Recorded(BaseSyncAdapter):
    """Answers every request with one recording, or one error, and remembers the addresses asked."""

    answer: object = None
    asked: list[str] = []  # noqa: RUF012

    def get_json(self, url, *, timeout, headers):
        Recorded.asked.append(url)
        if isinstance(Recorded.answer, Exception):
            raise Recorded.answer
        return json.loads(json.dumps(Recorded.answer))

    def get_text(self, url, *, timeout, headers):
        raise AssertionError("geocoders ask for JSON")


def online(name: str, answer: object, **settings: object):
    Recorded.answer, Recorded.asked = answer, []
    options = {"geocoder": name, "geocoder_key": "secret-key", **settings}
    return build_geocoder(
        Settings(**options), adapter_factory=lambda *, proxies, ssl_context: Recorded(
            proxies=proxies, ssl_context=ssl_context
        )
    )  # fmt: skip


def near(found, point, metres: float = 3.0) -> bool:
    return (
        abs(found.lat - point[0]) * 111_000 < metres and abs(found.lng - point[1]) * 94_000 < metres
    )


TIANDITU = {
    "msg": "ok", "status": "0", "searchVersion": "7.3.2V",
    "location": {"score": 100, "level": "门址", "lon": "119.92222", "lat": "32.50111",
                 "keyWord": ADDRESS},
}  # fmt: skip


def amap(level: str = "门牌号", point: tuple[float, float] = POINT) -> dict[str, object]:
    lat, lng = wgs84_to_gcj02(*point)
    return {
        "status": "1", "info": "OK", "infocode": "10000", "count": "1",
        "geocodes": [{
            "formatted_address": "江苏省泰州市海陵区青年路12号", "adcode": "321202",
            "location": f"{float(lng):.6f},{float(lat):.6f}", "level": level,
        }],
    }  # fmt: skip


def baidu() -> dict[str, object]:
    lat, lng = wgs84_to_bd09(*POINT)
    return {
        "status": 0,
        "result": {"location": {"lng": float(lng), "lat": float(lat)}, "precise": 1,
                   "confidence": 80, "level": "门址"},
    }  # fmt: skip


NOMINATIM = [
    {"lat": "32.50111", "lon": "119.92222", "display_name": "青年路", "class": "building",
     "type": "house", "addresstype": "house"}
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "answer", "settings"),
    [
        ("tianditu", TIANDITU, {}),
        ("amap", amap(), {}),
        ("baidu", baidu(), {}),
        ("nominatim", NOMINATIM, {"geocoder_host": "osm.example"}),
    ],
)
def test_every_service_answers_in_wgs84(name, answer, settings) -> None:
    found = online(name, answer, **settings).locate(ADDRESS)
    assert near(found, POINT)
    assert (found.level, found.source) == ("exact", name)
    assert found.community_code == "321202001002"
    assert len(Recorded.asked) == 1


def test_a_coarse_answer_keeps_its_level() -> None:
    found = online("amap", amap(level="村庄")).locate(ADDRESS)
    assert found.level == "community"


@pytest.mark.parametrize(
    "answer",
    [
        amap(point=(39.9904, 116.4820)),  # Beijing
        amap(point=(32.02, 120.26)),  # another district
        amap(level="区县") | {"geocodes": []},
        {"status": "0", "info": "INVALID_USER_KEY", "infocode": "10001"},
        GeocoderTimedOut("slow"),
    ],
)
def test_a_wrong_or_missing_answer_leaves_the_gazetteers(answer, gazetteer) -> None:
    found = online("amap", answer).locate(ADDRESS)
    assert found == gazetteer.locate(ADDRESS)


def test_an_address_outside_the_city_is_never_sent() -> None:
    assert online("amap", amap()).locate("北京市朝阳区阜通东大街6号") is None
    assert Recorded.asked == []


def test_without_configuration_nothing_is_asked() -> None:
    assert isinstance(build_geocoder(Settings()), Gazetteer)


@pytest.mark.parametrize("name", ["tianditu", "amap", "baidu", "nominatim"])
def test_a_service_without_its_key_stops_the_start(name) -> None:
    with pytest.raises(GeocoderNotConfigured, match="NUANJU_GEOCODER"):
        build_geocoder(Settings(geocoder=name))
