"""A real browser on a real server with a small town behind it.

Skipped loudly where Chromium is missing; with ``CI=true`` its absence is a failure. Pictures go to
``out/screens`` (not kept by git).
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
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
from marketplace.kernel.db import Base, transaction
from tests import builders, small_city

SCREENS = Path(__file__).resolve().parents[2] / "out" / "screens"
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
    sessions: dict[str, object] = field(default_factory=dict)
    """Role -> the browser state of somebody who signed in before."""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    clock = FrozenClock(MID_MORNING)
    settings = Settings(
        instance=folder, secret_key="s" * 40, data_key="d" * 40, demo=True, log_level="ERROR"
    )
    app = create_app(settings, clock=clock)
    with app.app_context():
        Base.metadata.create_all(db.engine)
        ports = app.extensions["ports"]
        day = today(clock)
        city = small_city.build(db.session, ports, day=day, work_orders=240)
        for district in small_city.DISTRICTS:
            builders.granted(db.session, Period.of(day), district)
        db.session.commit()
        small_city.hold_prices(db.session, ports)
        with transaction(db.session):
            ids = create_accounts(db.session, _accounts(city), password=DEMO_PASSWORD)
        small_city.bind_family(
            db.session, elder_id=city.elder_id, account_id=ids["family"], at=clock.now()
        )
        db.session.commit()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Town(f"http://127.0.0.1:{server.server_port}", app, city, clock)
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
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Desk:
        self.page.goto(self.url + path)
        if self.page.locator("#citymap").count():
            self.page.wait_for_selector("#citymap[data-drawn]", state="attached")
        return self

    def picture(self, name: str) -> None:
        SCREENS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENS / f"{name}.png", full_page=True)

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )


@pytest.fixture
def desk(chromium, town: Town):
    """Open a desk: ``desk(role, width=390, lang='en', look='larger')``; ``None`` is a stranger."""
    contexts = []

    def make(
        role: str | None,
        *,
        width: int = 1440,
        lang: str = "zh",
        look: str = "",
        fresh: bool = False,
    ) -> Desk:
        context = chromium.new_context(
            viewport={"width": width, "height": 844 if width < 600 else 900},
            locale="zh-CN" if lang == "zh" else "en-GB",
            storage_state=town.sessions.get(role) if role and not fresh else None,
        )
        contexts.append(context)
        cookies = {"lang": lang, "look": look}
        context.add_cookies(
            [{"name": k, "value": v, "url": town.url} for k, v in cookies.items() if v]
        )
        page = context.new_page()
        made = Desk(page, town.url)
        page.on(
            "console",
            lambda m: made.complaints.append(m.text) if m.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda e: made.complaints.append(str(e)))
        page.on(
            "request",
            lambda r: (
                None
                if r.url.startswith((town.url, "data:", "blob:"))
                else made.complaints.append(f"left the host: {r.url}")
            ),
        )
        if role is not None and (fresh or role not in town.sessions):
            page.goto(f"{town.url}/sign-in")
            page.fill("#username", role)
            page.fill("#password", DEMO_PASSWORD)
            page.click("form.narrow button")
            page.wait_for_url(lambda url: "/sign-in" not in url)
            if not fresh:
                town.sessions[role] = context.storage_state()
                context.add_cookies(
                    [{"name": k, "value": v, "url": town.url} for k, v in cookies.items() if v]
                )
        return made

    yield make
    for context in contexts:
        context.close()
