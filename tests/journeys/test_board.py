"""The board in a browser: by pointer and by keyboard, what it costs before it is kept, live for others."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from sqlalchemy import select

from marketplace.app import db
from marketplace.kernel.clock import second_of
from marketplace.orders.models import Assignment
from tests.journeys import planned
from tests.journeys.test_pages import violations

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PREVIEW = "#what-if-box"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory):
    with planned.served(tmp_path_factory.mktemp("planned")) as made:
        yield made


@pytest.fixture(scope="module")
def visit(town) -> tuple[str, str, str]:
    """An afternoon visit: its id, who goes, the vendor."""
    return planned.afternoon_visit(town.app)


def given(town, work_order_id: str) -> tuple[str, int]:
    with town.app.app_context():
        row = db.session.execute(
            select(Assignment.caregiver_id, Assignment.starts_at).where(
                Assignment.work_order_id == work_order_id
            )
        ).one()
        db.session.remove()
    return row[0], second_of(planned.DAY, row[1])


def find_bar(page, work_order_id: str):
    """Turn the board's pages until the visit's bar is there."""
    while True:
        bar = page.locator(f"[data-visit='{work_order_id}']")
        if bar.count():
            return bar.first
        page.get_by_role("link", name="下一页").click()


def addresses(visit) -> dict[str, str]:
    work_order_id, who, _vendor = visit
    return {
        "board": "/board",
        "board-visit": f"/board?visit={work_order_id}",
        "board-move": f"/board?visit={work_order_id}&who={who}&at=15:00",
        "board-ill": f"/board?ill={who}",
        "board-fill": "/board?try=fill",
        "vendor-people": "/vendor/people",
        "vendor-person": f"/vendor/people/{who}",
        "vendor-money": "/vendor/money",
        "vendor-fair": "/vendor/fair",
        "vendor-today": "/vendor",
    }


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_vendors_pages_have_no_barrier_and_lose_nothing_on_narrow_screens(seat, visit, lang):
    here = seat("vendor", lang=lang).wear(lang=lang, look="")
    for name, path in addresses(visit).items():
        here.complaints.clear()
        here.resize(390).open(path)
        for width in (390, 1440):
            here.resize(width).picture(f"planned-{name}-{lang}-{width}")
            assert violations(here.page) == [], (name, width)
        for width in (390, 1440) if lang == "en" else (320, 390, 640, 1440):
            assert here.resize(width).overflow() <= 0, (name, width)
        assert here.complaints == [], name


@pytest.mark.parametrize("role", ["bureau", "auditor", "street"])
def test_the_board_of_others_has_no_barrier(desk, role):
    here = desk(role).open("/board")
    here.picture(f"planned-board-{role}")
    assert violations(here.page) == []
    assert here.complaints == []


def test_a_bath_shows_three_times_on_the_elders_phone(desk):
    here = desk("elder")
    for width, look in ((390, ""), (390, "high-larger"), (1440, "")):
        here.resize(width).wear(lang="zh", look=look).open("/services/ZY010")
        here.picture(f"planned-slots-{width}{look}")
        assert violations(here.page) == []
        assert here.overflow() <= 0


def test_a_visit_is_moved_by_keyboard_alone_and_its_cost_is_shown_first(desk, town, visit):
    work_order_id = visit[0]
    page = desk("vendor").open("/board").page
    before = given(town, work_order_id)
    find_bar(page, work_order_id).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector(PREVIEW)
    assert given(town, work_order_id) == before
    page.locator(f"{PREVIEW} .btn").first.focus()
    assert page.locator(PREVIEW).inner_text().strip()


def test_dragging_to_another_row_asks_what_it_costs_and_moves_nothing(desk, town, visit):
    work_order_id, who, _vendor = visit
    page = desk("vendor").open("/board").page
    before = given(town, work_order_id)
    bar = find_bar(page, work_order_id)
    bar.scroll_into_view_if_needed()
    rows = page.locator("[data-caregiver]")
    other = next(
        rows.nth(n)
        for n in range(rows.count())
        if rows.nth(n).get_attribute("data-caregiver") != who
    )
    start, end = bar.locator("svg").bounding_box(), other.bounding_box()
    page.mouse.move(start["x"] + 3, start["y"] + 10)
    page.mouse.down()
    page.mouse.move(start["x"] + 40, end["y"] + 20, steps=5)
    page.mouse.move(start["x"] + 60, end["y"] + 20, steps=3)
    page.mouse.up()
    page.wait_for_url(re.compile("who="))
    assert f"visit={work_order_id}" in page.url
    assert other.get_attribute("data-caregiver") in page.url
    page.wait_for_selector(PREVIEW)
    assert given(town, work_order_id) == before


def test_what_one_desk_keeps_the_other_sees_without_a_reload(desk, town, visit):
    work_order_id, _who, vendor = visit
    watching = desk("bureau").open(f"/board?vendor={vendor}")
    find_bar(watching.page, work_order_id)
    watching.page.wait_for_selector("html[data-live='1']", state="attached")
    acting = desk("vendor").open(f"/board?visit={work_order_id}")
    lock = acting.page.locator("[data-key='l']")
    lock.focus()
    acting.page.keyboard.press("Enter")
    watching.page.wait_for_selector(
        f"[data-visit='{work_order_id}'][aria-label*='已锁']", state="attached"
    )
    watching.picture("planned-board-live")


@pytest.mark.redis
def test_two_processes_tell_each_other_through_redis(desk, chromium, town, visit, redis_url):
    work_order_id, _who, vendor = visit
    ports = [_free_port(), _free_port()]
    servers = [_serve(town, port, redis_url) for port in ports]
    try:
        for port in ports:
            _wait_for(port)
        pages = [
            _signed_in(chromium, f"http://127.0.0.1:{port}", role)
            for port, role in zip(ports, ("bureau", "vendor"), strict=True)
        ]
        watching, acting = pages
        watching.goto(f"http://127.0.0.1:{ports[0]}/board?day={planned.DAY}&vendor={vendor}")
        watching.wait_for_selector("html[data-live='1']", state="attached")
        address = f"http://127.0.0.1:{ports[1]}/board?day={planned.DAY}&visit={work_order_id}"
        acting.goto(address)
        acting.locator("[data-key='l']").click()
        watching.wait_for_selector("html[data-refreshed]", state="attached")
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            # With pages open: their streams end with the server, which else waits for half a minute.
            server.wait(timeout=20)


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _serve(town, port: int, redis_url: str) -> subprocess.Popen[bytes]:
    settings = town.app.extensions["settings"]
    env = {
        **os.environ,
        "NUANJU_INSTANCE": str(settings.instance),
        "NUANJU_SECRET_KEY": settings.secret_key,
        "NUANJU_DATA_KEY": settings.data_key,
        "NUANJU_SECOND_FACTOR": "false",
        "NUANJU_WEB_WORKERS": "1",
        "REDIS_URL": redis_url,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "marketplace", "serve", "--port", str(port)], env=env
    )


def _wait_for(port: int) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/sign-in", timeout=2)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError("the server did not start")


def _signed_in(chromium, url: str, role: str):
    page = chromium.new_context(locale="zh-CN").new_page()
    page.goto(f"{url}/sign-in")
    page.fill("#username", role)
    page.fill("#password", "nuanju-demo")
    page.click("form.narrow button")
    page.wait_for_url(lambda address: "/sign-in" not in address)
    return page
