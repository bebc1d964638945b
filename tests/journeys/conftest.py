"""A real browser on a real server with a small town behind it.

Skipped loudly where Chromium is missing; with ``CI=true`` its absence is a failure. With ``--pictures``
a picture of each page is kept in ``out/screens`` (not kept by git).
"""

from __future__ import annotations

import functools
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from marketplace.accounts.demo import DEMO_PASSWORD, DEMO_ROLES
from marketplace.accounts.service import NewAccount, create_accounts
from marketplace.app import create_app, db
from marketplace.config import Settings
from marketplace.kernel.actor import Role
from marketplace.kernel.clock import FrozenClock, Period, today
from marketplace.kernel.db import transaction
from tests import builders, small_city
from tests.databases import SECRETS, Databases, filled

PICTURES = Path(__file__).resolve().parents[2] / "out" / "screens"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MID_MORNING = datetime(2026, 11, 23, 2, 12, tzinfo=UTC)
"""10:12 on a Monday in Taizhou."""


@dataclass
class Town:
    """The address of the running server, its application and the town behind it."""

    url: str
    app: object
    city: small_city.SmallCity
    clock: FrozenClock
    signed_in: dict[str, object] = field(default_factory=dict)
    """Role -> the browser state of somebody who signed in before."""


@filled
def town_of_240(app) -> small_city.SmallCity:
    """The town at 10:12, its month granted and its prices held, with an account for each role."""
    ports = app.extensions["ports"]
    ports.clock.at = MID_MORNING
    day = today(ports.clock)
    city = small_city.build(db.session, ports, day=day, work_orders=240)
    for district in small_city.DISTRICTS:
        builders.granted(db.session, Period.of(day), district)
    db.session.commit()
    small_city.hold_prices(db.session, ports)
    with transaction(db.session):
        ids = create_accounts(db.session, _accounts(city), password=DEMO_PASSWORD)
    small_city.bind_family(
        db.session, elder_id=city.elder_id, account_id=ids["family"], at=ports.clock.now()
    )
    db.session.commit()
    return city


@pytest.fixture(scope="session")
def signed_in() -> dict[str, object]:
    """Role -> the browser state of somebody who signed in before, in any copy of the town."""
    return {}


@pytest.fixture(scope="module")
def town(
    sqlite_databases: Databases,
    signed_in: dict[str, object],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Town]:
    """A copy of the town for the file of tests, served."""
    beginning = sqlite_databases.beginning("town_of_240")
    clock = FrozenClock(MID_MORNING)
    settings = Settings(
        database_url=sqlite_databases.copy(beginning),
        instance=tmp_path_factory.mktemp("town"),
        demo=True,
        log_level="ERROR",
        **SECRETS,
    )
    app = create_app(settings, clock=clock)
    with serving(app) as url:
        yield Town(url, app, beginning.made, clock, signed_in)


@contextmanager
def serving(app) -> Iterator[str]:
    """Serve an application on a free port; yield its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    with app.app_context():
        db.engine.dispose()


def _accounts(city: small_city.SmallCity) -> list[NewAccount]:
    reach = {
        Role.ELDER: {"elder_id": city.elder_id},
        Role.VENDOR: {"vendor_id": city.vendor_id},
        Role.CAREGIVER: {"vendor_id": city.vendor_id, "caregiver_id": city.caregiver_id},
        Role.COMMUNITY: {"district_code": "321202", "town_code": "321202001"},
        Role.STREET: {"district_code": "321202", "town_code": "321202001"},
    }
    return [
        NewAccount(
            username=r.value,
            display_name={Role.ELDER: "张桂兰", Role.CAREGIVER: "李秀芳"}.get(r, "徐建国"),
            role=r,
            **reach.get(r, {}),
        )
        for r in DEMO_ROLES
    ]


@pytest.fixture(scope="session")
def chromium():
    """Debian's Chromium under Playwright."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        missing = "Chromium is not installed: the pages were not looked at by a browser"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Desk:
    """One signed-in page, and what the browser complained of."""

    page: object
    url: str
    pictures: Path | None = None
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Desk:
        self.page.goto(self.url + path)
        if self.page.locator("#citymap").count():
            self.page.wait_for_selector("#citymap[data-drawn]", state="attached")
        return self

    def wear(self, *, lang: str, look: str) -> Desk:
        """Let the next page be in a language and a look; an empty look is the plain one."""
        cookies = {"lang": lang, "look": look}
        self.page.context.add_cookies(
            [{"name": k, "value": v, "url": self.url} for k, v in cookies.items() if v]
        )
        if not look:
            self.page.context.clear_cookies(name="look")
        return self

    def resize(self, width: int) -> Desk:
        self.page.set_viewport_size(window(width))
        return self

    def picture(self, name: str) -> None:
        """Keep a picture of the whole page where ``--pictures`` asks for it."""
        if self.pictures is not None:
            self.page.screenshot(path=self.pictures / f"{name}.png", full_page=True)

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )


def window(width: int) -> dict[str, int]:
    """Return the window of a phone or of an office screen."""
    return {"width": width, "height": 844 if width < 600 else 900}


class Desks:
    """Opens desks in a town, and clears away what it opened."""

    def __init__(self, chromium, town: Town, pictures: Path | None) -> None:
        self.chromium, self.town, self.pictures = chromium, town, pictures
        self.contexts: list = []

    def __call__(
        self,
        role: str | None,
        *,
        width: int = 1440,
        lang: str = "zh",
        look: str = "",
        fresh: bool = False,
    ) -> Desk:
        """Open ``desk(role, width=390, lang='en', look='larger')``; ``None`` is a stranger."""
        signed_in = self.town.signed_in
        context = self.chromium.new_context(
            viewport=window(width),
            locale="zh-CN" if lang == "zh" else "en-GB",
            storage_state=signed_in.get(role) if role and not fresh else None,
        )
        self.contexts.append(context)
        made = Desk(context.new_page(), self.town.url, self.pictures)
        self._listen(made)
        if role is not None and (fresh or role not in signed_in):
            self._sign_in(made.page, role)
            if not fresh:
                signed_in[role] = context.storage_state()
        return made.wear(lang=lang, look=look)

    def _listen(self, desk: Desk) -> None:
        page, told = desk.page, desk.complaints
        page.on("pageerror", lambda e: told.append(str(e)))

        def console(message) -> None:
            if message.type in ("error", "warning"):
                told.append(message.text)

        def request(asked) -> None:
            if not asked.url.startswith((self.town.url, "data:", "blob:")):
                told.append(f"left the host: {asked.url}")

        page.on("console", console)
        page.on("request", request)

    def _sign_in(self, page, role: str) -> None:
        page.goto(f"{self.town.url}/sign-in")
        page.fill("#username", role)
        page.fill("#password", DEMO_PASSWORD)
        page.click("form.narrow button")
        page.wait_for_url(lambda url: "/sign-in" not in url)

    def clear(self) -> None:
        for context in self.contexts:
            context.close()


@pytest.fixture(scope="session")
def pictures(request: pytest.FixtureRequest) -> Path | None:
    """The folder that pictures of pages go to, or none."""
    if not request.config.getoption("--pictures"):
        return None
    PICTURES.mkdir(parents=True, exist_ok=True)
    return PICTURES


@pytest.fixture
def desk(chromium, town: Town, pictures):
    """Opens desks of this test's own; see `Desks`."""
    desks = Desks(chromium, town, pictures)
    yield desks
    desks.clear()


@pytest.fixture(scope="module")
def seat(chromium, town: Town, pictures):
    """Opens one desk for each role and language, kept for the file: for tests that only look."""
    desks = Desks(chromium, town, pictures)
    yield functools.cache(desks)
    desks.clear()
