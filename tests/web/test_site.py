"""A card or printed code read at a meal site: a large answer, once, and never what an elder earns."""

from __future__ import annotations

import html
import re

import pytest
from sqlalchemy import func, select

from marketplace.accounts.models import Account
from marketplace.app import db
from marketplace.kernel.clock import Period
from marketplace.kernel.outbox import OutboxMessage
from marketplace.orders.models import WorkOrder
from marketplace.visits.models import Visit
from marketplace.vouchers.service import entries_of
from marketplace.workflows.cards import RevokeRequest, revoke
from tests import builders
from tests.databases import filled
from tests.web.conftest import Browser, one_for_each_role
from tests.workflows import world
from tests.workflows.test_redeem import CARD_NUMBER, a_card, a_sheet, booked_meal
from tests.workflows.world import TUESDAY, key
from vendors.models import Site


@filled
def site_world(app) -> dict[str, str]:
    """The small city, November granted; vendor and caregiver of the meal site K1."""
    ids = one_for_each_role()
    world.build(db.session)
    builders.granted(db.session, Period(2026, 11))
    db.session.get_one(Account, ids["vendor"]).vendor_id = "V1"
    helper = db.session.get_one(Account, ids["caregiver"])
    helper.vendor_id, helper.caregiver_id = "V1", "C2"
    db.session.commit()
    return ids


@pytest.fixture
def accounts(site_world) -> dict[str, str]:
    return site_world


@pytest.fixture
def lunch(app, clock) -> str:
    """A meal that E1 has booked at K1 on Tuesday, and a card to show; it is half past eleven."""
    with app.app_context():
        ports = app.extensions["ports"]
        a_card(db.session, ports)
        work_order_id = booked_meal(db.session, ports)
    clock.at = world.local(TUESDAY, 11.5)
    return work_order_id


@pytest.fixture
def counter(browser, lunch) -> Browser:
    """The vendor's helper at the counter: the site stands chosen, the name is chosen once."""
    browser.sign_in("vendor")
    chosen = browser.post("/site/choose", {"site": "K1", "helper": "C2"}, page="/site")
    assert chosen.status_code == 302
    return browser


def form_of(page: str, **changed: str) -> dict[str, object]:
    names = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
    found = {n: html.unescape(v) for n, v in names if n in ("id", "site", "helper")}
    assert set(found) == {"id", "site", "helper"}
    return {**found, **changed}


def shown(at: Browser, code: str = CARD_NUMBER) -> str:
    """Read a card on a fresh page; return the page with the answer."""
    form = form_of(at.get("/site").text, code=code)
    return at.post("/site/read", form, page="/site", follow_redirects=True).text


def answer(page: str) -> str:
    found = re.search(r'<section class="bar[^>]*id="answer".*?</section>', page, re.S)
    assert found, "the page gives no answer"
    return found.group(0)


def posted(app, work_order_id: str) -> int:
    with app.app_context():
        return len([e for e in entries_of(db.session, work_order_id) if e.kind == "post"])


def told(app) -> list[str]:
    with app.app_context():
        rows = db.session.scalars(
            select(OutboxMessage).where(OutboxMessage.template == "card_refused")
        )
        return [row.values["why"] for row in rows]


def state(app, work_order_id: str) -> str:
    with app.app_context():
        return db.session.get_one(WorkOrder, work_order_id).state


def test_a_vendor_with_one_site_finds_it_chosen_and_names_who_serves(browser, lunch):
    browser.sign_in("vendor")
    page = browser.get("/site").text
    assert re.search(r'value="K1" required checked', page)
    assert 'name="code"' not in page
    browser.post("/site/choose", {"site": "K1", "helper": "C2"}, page="/site")
    page = browser.get("/site").text
    assert re.search(r'<input[^>]*name="code"[^>]* autofocus', page)
    assert "今天还没有读过卡" in page


def test_a_card_redeems_the_meal_and_says_who_and_what(app, counter, lunch):
    page = shown(counter)
    said = answer(page)
    assert "bar--ok" in said
    assert "已核销" in said
    assert "张*兰" in said
    assert "堂食" in said
    assert state(app, lunch) == "confirmed"
    assert posted(app, lunch) > 0
    with app.app_context():
        assert db.session.scalars(select(Visit.caregiver_id)).all() == ["C2"]
    below = page.split('id="last"')[1]
    assert "堂食" in below
    assert "11:30" in below


def test_the_same_card_again_says_already_taken_and_nothing_is_paid_twice(app, counter, lunch):
    shown(counter)
    once = posted(app, lunch)
    page = shown(counter)
    assert "bar--stop" in answer(page)
    assert "今天已经领过" in answer(page)
    assert posted(app, lunch) == once
    assert told(app) == []


def test_a_double_enter_is_one_reading(app, counter, lunch):
    form = form_of(counter.get("/site").text, code=CARD_NUMBER)
    pages = [
        counter.post("/site/read", form, page="/sign-in", follow_redirects=True).text
        for _ in range(2)
    ]
    assert [("bar--ok" in answer(p), "已核销" in answer(p)) for p in pages] == [(True, True)] * 2
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Visit)) == 1


def test_a_revoked_card_is_refused_without_a_name_and_the_hotline_is_told(app, browser, clock):
    with app.app_context():
        ports = app.extensions["ports"]
        card_id = a_card(db.session, ports)
        work_order_id = booked_meal(db.session, ports)
        ask = RevokeRequest(card_id, "stolen")
        revoke(db.session, ports, world.ELDER, key=key(), request=ask)
    clock.at = world.local(TUESDAY, 11.5)
    browser.sign_in("vendor")
    browser.post("/site/choose", {"site": "K1", "helper": "C2"}, page="/site")
    page = shown(browser)
    said = answer(page)
    assert "这张卡已停用" in said
    assert "12349" in said
    assert "verdict__who" not in said
    assert told(app) == ["revoked"]
    assert state(app, work_order_id) == "accepted"
    assert "这张卡已停用" in page.split('id="last"')[1]


def test_a_printed_code_is_good_and_a_misread_or_unknown_one_says_what_to_do(app, counter, lunch):
    with app.app_context():
        code = a_sheet(db.session, app.extensions["ports"]).codes[0]
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    assert "码里有一位数字不对" in answer(shown(counter, wrong))
    assert "没有发过这张卡或这个码" in answer(shown(counter, "NOBODYS-CARD"))
    assert state(app, lunch) == "accepted"
    assert "已核销" in answer(shown(counter, code))


def test_a_card_too_early_says_so_and_moves_nothing(app, counter, lunch, clock):
    clock.at = world.local(TUESDAY, 9)
    assert "bar--stop" in answer(shown(counter))
    assert state(app, lunch) == "accepted"


def test_guessing_codes_is_slowed(counter):
    form = form_of(counter.get("/site").text)
    token = counter.token("/site")
    codes = [f"NOBODYS{n:04d}" for n in range(31)]
    statuses = [
        counter.client.post("/site/read", data={**form, "csrf_token": token, "code": c}).status_code
        for c in codes
    ]
    assert statuses == [302] * 30 + [429]


def test_a_caregiver_reads_with_their_own_name_only(app, browser, lunch):
    browser.sign_in("caregiver")
    assert 'href="/site"' in browser.get("/next").text
    page = browser.get("/site").text
    form = form_of(page, code=CARD_NUMBER, helper="C1")
    browser.post("/site/read", form, page="/site")
    with app.app_context():
        assert db.session.scalars(select(Visit.caregiver_id)).all() == ["C2"]


def test_another_vendors_site_is_not_found(app, counter, lunch):
    with app.app_context():
        site = db.session.get_one(Site, "K1")
        site.vendor_id = "V2"
        db.session.commit()
    chosen = counter.post("/site/choose", {"site": "K1", "helper": "C2"}, page="/site")
    assert chosen.status_code == 404
    form = {"id": "reading-0001", "site": "K1", "helper": "C2", "code": CARD_NUMBER}
    assert counter.post("/site/read", form, page="/vendor").status_code == 404
    assert state(app, lunch) == "accepted"
    assert "贵单位没有站点" in counter.get("/site").text
    assert 'href="/site"' not in counter.get("/vendor").text


@pytest.mark.parametrize("role", ["elder", "family", "hotline", "street", "bureau", "auditor"])
def test_nobody_else_opens_the_counter(browser, role):
    browser.sign_in(role)
    assert browser.get("/site").status_code == 403


def test_the_vendors_desk_leads_to_its_site(counter):
    assert 'href="/site"' in counter.get("/vendor").text


def test_the_counter_shows_neither_money_nor_income_nor_ability(counter):
    page = shown(counter)
    for word in ("¥", "12.00", "低保", "失能", "元"):
        assert word not in page.split("<main")[1], word
