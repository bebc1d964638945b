"""Civil affairs' first page and the day's plan, on a small made-up town."""

from __future__ import annotations

import pytest

from marketplace.accounts.models import Account
from marketplace.app import db
from marketplace.kernel.clock import today
from marketplace.orders import plans
from tests import small_city
from tests.counting import Statements
from tests.databases import filled
from tests.web.conftest import one_for_each_role


@filled
def town_of_160(app) -> tuple[dict[str, str], small_city.SmallCity]:
    """The accounts and the town, with 160 work orders."""
    ports = app.extensions["ports"]
    ids = one_for_each_role()
    return ids, small_city.build(db.session, ports, day=today(ports.clock), work_orders=160)


@pytest.fixture
def accounts(town_of_160) -> dict[str, str]:
    return town_of_160[0]


@pytest.fixture
def city(town_of_160) -> small_city.SmallCity:
    return town_of_160[1]


@pytest.fixture
def bureau(browser, city):
    browser.sign_in("bureau")
    return browser


def test_the_first_page_says_what_waits_and_who_owns_it(bureau):
    page = bureau.get("/today").text
    assert "今天大体正常" in page
    assert "单没人去" in page
    assert "的证照七天内到期" in page
    assert "今天的单" in page
    assert "140" in page


def test_no_page_of_the_bureau_takes_more_statements_for_more_orders(app, bureau):
    for path in ("/today", "/plan"):
        with app.app_context(), Statements(db.engine) as counted:
            assert bureau.get(path).status_code == 200
        assert counted.count <= 25, (path, counted.count)


def test_the_plan_lists_who_was_left_out_and_why(bureau):
    page = bureau.get("/plan").text
    assert "没人去的，和原因" in page
    assert "核对过，没有违规" in page
    assert "换个时间" in page


def test_the_plan_narrows_to_a_district(bureau):
    whole = bureau.get("/plan/map.json").json
    part = bureau.get("/plan/map.json?district=321202").json
    assert 0 < len(part["points"]) < len(whole["points"])


def test_the_map_carries_no_name_and_no_id(bureau):
    answer = bureau.get("/plan/map.json?vendor=V000")
    assert answer.json["routes"]
    assert "E0000" not in answer.text
    assert "张" not in answer.text
    assert {len(p) for p in answer.json["points"]} == {3}


def test_who_reads_no_address_gets_homes_to_a_hundred_metres(browser, city):
    browser.sign_in("auditor")
    points = browser.get("/plan/map.json?vendor=V000").json
    stops = [spot for route in points["routes"] for spot in route["stops"]]
    assert stops
    for lat, lng, *_kind in [*points["points"], *stops]:
        assert (lat, lng) == (round(lat, 3), round(lng, 3))


def test_a_street_office_sees_its_own_town_only(app, browser, city):
    with app.app_context():
        street = db.session.query(Account).filter_by(username="street").one()
        street.town_code = "321202001"
        db.session.commit()
    browser.sign_in("street")
    seen = browser.get("/plan/map.json").json["points"]
    browser.post("/sign-out", {}, page="/no-such-page")
    browser.sign_in("bureau")
    assert 0 < len(seen) < len(browser.get("/plan/map.json").json["points"])


@pytest.mark.parametrize("role", ["elder", "family", "vendor", "caregiver"])
def test_the_bureaus_pages_are_closed_to_others(browser, role):
    browser.sign_in(role)
    assert browser.get("/today").status_code == 403
    assert browser.get("/plan").status_code == 403


def test_a_day_that_is_no_date_is_named(bureau):
    answer = bureau.get("/plan?day=yesterday")
    assert answer.status_code == 422
    assert "Traceback" not in answer.text


def test_the_plan_says_how_much_a_better_one_could_save_where_that_was_proven(app, bureau):
    assert "已证明" not in bureau.get("/plan").text
    with app.app_context():
        run = plans.latest_run(db.session, today(app.extensions["ports"].clock))
        proof = {"value": 985, "cost": 1000, "relaxed": ["crews: x", "work: y"], "seconds": 60.0}
        plans.keep_bound(db.session, run.id, proof)
        db.session.commit()
    page = bureau.get("/plan").text
    assert "再好的计划最多也只能省下 1.50% 的成本" in page
    assert "证明时未计入：两人同时到、部分人员的每日工时上限。" in page
