"""Addresses to points: the offline gazetteer first, then the online service that is configured.

Online services stand behind geopy: Nominatim and Baidu come with it, Tianditu and AMap are written
here as its documentation asks. None is called unless ``NUANJU_GEOCODER`` and a key (for Nominatim a
host of one's own) are set. What comes back is turned into WGS-84 and believed only where it lies in
the district that the gazetteer read in the address; when the service fails, the gazetteer's coarser
answer stands.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

from geopy.exc import (
    GeocoderAuthenticationFailure,
    GeocoderQuotaExceeded,
    GeocoderServiceError,
    GeopyError,
)
from geopy.extra.rate_limiter import RateLimiter
from geopy.geocoders import BaiduV3, Nominatim
from geopy.geocoders.base import DEFAULT_SENTINEL, Geocoder
from geopy.location import Location

from marketplace.adapters.gazetteer import Gazetteer
from marketplace.config import Settings
from marketplace.kernel.coordinates import CoordinateSystem, to_wgs84
from marketplace.kernel.log import get_logger
from marketplace.kernel.ports import Bounds, Located, NamedPlace

MIN_DELAY_S = 0.1
MOST_RETRIES = 2
TIMEOUT_S = 5.0
SAME_DISTRICT_KM = 45.0
KM_A_DEGREE = 111.0
log = get_logger(__name__)


class Tianditu(Geocoder):
    """The national map service's geocoder. Its answers are CGCS2000, equal to WGS-84 here."""

    def __init__(self, api_key: str, **options: Any) -> None:
        super().__init__(**options)
        self.api_key = api_key

    def geocode(self, query: str, *, timeout: Any = DEFAULT_SENTINEL) -> Location | None:
        """Return the place of an address, or ``None``."""
        asked = {"ds": json.dumps({"keyWord": query}, ensure_ascii=False), "tk": self.api_key}
        url = f"{self.scheme}://api.tianditu.gov.cn/geocoder?{urlencode(asked)}"
        return self._call_geocoder(url, self._parse, timeout=timeout)

    @staticmethod
    def _parse(answer: dict[str, Any]) -> Location | None:
        if str(answer.get("status")) not in ("0", "404"):
            raise GeocoderServiceError(f"Tianditu: {answer.get('msg') or answer.get('status')}")
        place = answer.get("location")
        if not place:
            return None
        return Location(
            place.get("keyWord") or "", (float(place["lat"]), float(place["lon"])), place
        )


class AMap(Geocoder):
    """高德. Its answers are GCJ-02."""

    def __init__(self, api_key: str, **options: Any) -> None:
        super().__init__(**options)
        self.api_key = api_key

    def geocode(self, query: str, *, timeout: Any = DEFAULT_SENTINEL) -> Location | None:
        """Return the place of an address, or ``None``."""
        asked = {"address": query, "key": self.api_key, "output": "JSON"}
        url = f"{self.scheme}://restapi.amap.com/v3/geocode/geo?{urlencode(asked)}"
        return self._call_geocoder(url, self._parse, timeout=timeout)

    @staticmethod
    def _parse(answer: dict[str, Any]) -> Location | None:
        if str(answer.get("status")) != "1":
            code = str(answer.get("infocode"))
            kind: type[GeopyError] = {
                "10001": GeocoderAuthenticationFailure, "10003": GeocoderQuotaExceeded,
            }.get(code, GeocoderServiceError)  # fmt: skip
            raise kind(f"AMap {code}: {answer.get('info')}")
        if not answer.get("geocodes"):
            return None
        place = answer["geocodes"][0]
        lng, lat = place["location"].split(",")
        return Location(str(place.get("formatted_address") or ""), (float(lat), float(lng)), place)


# The services' own words for how exact an answer is; what is not listed is no better than a town.
_EXACT = frozenset(
    {
        *(
            "门址",
            "门牌号",
            "单元号",
            "楼栋",
            "兴趣点",
            "房屋",
            "道路交叉路口",
            "住宅区",
            "地产小区",
        ),
        *("POI", "building", "house", "apartments"),
    }
)
_COMMUNITY = frozenset(
    {
        *("村庄", "社区", "行政村", "自然村", "村"),
        *("residential", "neighbourhood", "village", "hamlet"),
    }
)


def level_of(raw: dict[str, Any]) -> str:
    """Return exact, community or town for a service's raw answer."""
    said = {str(raw.get(k) or "") for k in ("level", "type", "addresstype", "class")}
    if said & _EXACT:
        return "exact"
    return "community" if said & _COMMUNITY else "town"


@dataclass(frozen=True, slots=True)
class OnlineGeocoder:
    """The gazetteer with an online service behind it. ``ask`` is geopy's rate-limited call."""

    gazetteer: Gazetteer
    ask: Any
    system: CoordinateSystem
    source: str

    @property
    def bounds(self) -> Bounds:
        """The box of the gazetteer's city."""
        return self.gazetteer.bounds

    def place(self, code: str) -> Located | None:
        """Return the gazetteer's point of a code."""
        return self.gazetteer.place(code)

    def named(self, text: str, *, limit: int = 8) -> list[NamedPlace]:
        """Return communities by the parts of their names, from the gazetteer."""
        return self.gazetteer.named(text, limit=limit)

    def name(self, code: str) -> str | None:
        """Return the gazetteer's name of a code."""
        return self.gazetteer.name(code)

    def locate(self, address: str) -> Located | None:
        """Return the service's point within the gazetteer's district, else the gazetteer's own."""
        known = self.gazetteer.locate(address)
        if known is None:
            return None
        try:
            answer = self.ask(address)
        except GeopyError as error:
            # The address itself is personal and stays out of the log.
            log.warning("geocoder_failed", source=self.source, error=type(error).__name__)
            return known
        if answer is None:
            return known
        lat, lng = (float(v) for v in to_wgs84(answer.latitude, answer.longitude, self.system))
        level = level_of(answer.raw)
        if not self._believable(known, lat, lng) or _RANK[level] > _RANK[known.level]:
            return known
        return replace(known, lat=round(lat, 6), lng=round(lng, 6), level=level, source=self.source)

    def _believable(self, known: Located, lat: float, lng: float) -> bool:
        district = self.gazetteer.place(known.district_code)
        if district is None or not self.bounds.contain(lat, lng):
            return False
        north, east = (lat - district.lat) * KM_A_DEGREE, (lng - district.lng) * KM_A_DEGREE * 0.84
        return north**2 + east**2 <= SAME_DISTRICT_KM**2


_RANK = {"exact": 0, "community": 1, "town": 2, "district": 3}


class GeocoderNotConfigured(ValueError):
    """An online geocoder was chosen without what it needs."""


def build_geocoder(
    settings: Settings, *, adapter_factory: Any = None
) -> Gazetteer | OnlineGeocoder:
    """Return the geocoder that the settings ask for; ``adapter_factory`` replays recorded answers.

    Raises ``GeocoderNotConfigured`` naming the setting that is missing.
    """
    gazetteer = Gazetteer.read(settings.gazetteer) if settings.gazetteer else Gazetteer.packaged()
    name = settings.geocoder
    if name == "none":
        return gazetteer
    options: dict[str, Any] = {"timeout": TIMEOUT_S}
    if adapter_factory is not None:
        options["adapter_factory"] = adapter_factory
    key = settings.geocoder_key or (settings.tianditu_key if name == "tianditu" else None)
    if name == "nominatim":
        if not settings.geocoder_host:
            raise GeocoderNotConfigured("NUANJU_GEOCODER=nominatim needs NUANJU_GEOCODER_HOST")
        service: Geocoder = Nominatim(domain=settings.geocoder_host, user_agent="nuanju", **options)
        system = CoordinateSystem.WGS84
    elif not key:
        raise GeocoderNotConfigured(f"NUANJU_GEOCODER={name} needs NUANJU_GEOCODER_KEY")
    else:
        make, system = {
            "tianditu": (Tianditu, CoordinateSystem.WGS84),
            "amap": (AMap, CoordinateSystem.GCJ02),
            "baidu": (BaiduV3, CoordinateSystem.BD09),
        }[name]
        service = make(key, **options)
    ask = RateLimiter(
        partial(service.geocode), min_delay_seconds=MIN_DELAY_S, max_retries=MOST_RETRIES,
        error_wait_seconds=MIN_DELAY_S, swallow_exceptions=False,
    )  # fmt: skip
    return OnlineGeocoder(gazetteer, ask, system, name)
