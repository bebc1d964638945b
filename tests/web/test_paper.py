"""The page of paper slips: two people read one slip from the paper, neither sees what the other typed."""

from __future__ import annotations

import re

import pytest

from marketplace.accounts.models import Account
from marketplace.app import db
from marketplace.kernel.actor import Actor, Role
from marketplace.vouchers.service import shares_of
from marketplace.workflows.confirm import ResolveRequest, resolve
from marketplace.workflows.grants import grant_period
from marketplace.workflows.upkeep import upkeep
from tests import builders
from tests.databases import filled
from tests.web.conftest import one_for_each_role
from tests.workflows import world
from tests.workflows.test_visits import assigned
from tests.workflows.world import DISTRICT, STREET, TOWN, TUESDAY, state_of
from vendors.models import Caregiver

SLIP = {"slip_no": "P-77", "caregiver": "C1", "began": "9:00", "ended": "10:00"}
SLIP |= {"signed_by": "mark"}


@filled
def visited_town(app) -> dict[str, str]:
    """The small city with an account for each role in its town, and a visit of Tuesday at nine."""
    ids = one_for_each_role()
    session, ports = db.session, app.extensions["ports"]
    world.build(session)
    for name in ("community", "street"):
        account = session.get_one(Account, ids[name])
        account.town_code, account.district_code = TOWN, DISTRICT
    session.get_one(Account, ids["vendor"]).vendor_id = "V1"
    session.get_one(Caregiver, "C1").name = "李梅"
    session.commit()
    one, two = (Actor(f"u-grants-{n}", Role.BUREAU) for n in (1, 2))
    grant_period(session, ports, one, two, period=builders.NOVEMBER)
    return ids | {"visit": assigned(session, ports)}


@pytest.fixture
def accounts(visited_town, clock) -> dict[str, str]:
    clock.at = world.local(TUESDAY, 15)
    return visited_town


@pytest.fixture
def read(browser, accounts):
    """Sign an account in and have it type the slip in; return the page that follows."""

    def typed(who: str, **changed) -> str:
        path = f"/paper/{accounts['visit']}"
        browser.client.delete_cookie("session")
        browser.sign_in(who)
        page = browser.get(path).text
        found = re.search(r'name="key" value="([^"]+)"', page)
        form = {**SLIP, "key": found.group(1) if found else "k-by-hand", **changed}
        return browser.post(path, form, page="/paper", follow_redirects=True).text

    return typed


def sum_states(app, accounts) -> tuple[str, set[str]]:
    """Return the visit's state and the states of its shares."""
    with app.app_context():
        shares = {s.state for s in shares_of(db.session, accounts["visit"])}
        return state_of(db.session, accounts["visit"]), shares


def test_a_visit_is_found_by_name_number_and_day_and_its_form_is_empty(browser, accounts):
    browser.sign_in("community")
    to_form = f'href="/paper/{accounts["visit"]}"'
    day = TUESDAY.isoformat()
    for text in ("E1", accounts["visit"]):
        assert to_form in browser.get(f"/paper?q={text}&on={day}").text, text
    for missed in (f"E1&on={world.MONDAY.isoformat()}", f"E2&on={day}"):
        page = browser.get(f"/paper?q={missed}").text
        assert to_form not in page
        assert "这一天没有查到这样的上门服务" in page
    form = browser.get(f"/paper/{accounts['visit']}").text
    assert "李梅" in form
    assert " selected" not in form
    assert " checked" not in form


def test_two_accounts_that_read_the_same_redeem_the_visit(app, browser, accounts, read, clock):
    said = read("community")
    assert "已记下。请同事再读一遍这张单子" in said
    assert sum_states(app, accounts) == ("in_service", {"held"})
    said = read("street", slip_no=" Ｐ-77", began="09：00")
    assert "两人读的一致" in said
    assert "没有等第二遍的单子" in said
    assert sum_states(app, accounts)[0] == "done"
    clock.advance(hours=49)
    with app.app_context():
        upkeep(db.session, app.extensions["ports"])
    state, shares = sum_states(app, accounts)
    assert state == "confirmed"
    assert "held" not in shares


def test_the_second_reader_sees_nothing_of_the_first_reading(browser, accounts, read):
    read("community", began="9:07", ended="10:09")
    browser.client.delete_cookie("session")
    browser.sign_in("street")
    for path in ("/paper", f"/paper/{accounts['visit']}", f"/visits/{accounts['visit']}"):
        page = browser.get(path).text
        for typed in ("P-77", "9:07", "10:09"):
            assert typed not in page, (path, typed)
        assert " selected" not in page
        assert " checked" not in page
    assert "这是第二遍" in browser.get(f"/paper/{accounts['visit']}").text
    assert f'href="/paper/{accounts["visit"]}"' in browser.get("/paper").text


def test_two_readings_that_differ_keep_the_money_and_say_where_it_stands(
    app, browser, accounts, read
):
    read("hotline")
    said = read("street", ended="9:50")
    assert "两遍读得不一样：结束时间。" in said
    assert sum_states(app, accounts) == ("disputed", {"held"})
    assert "钱已暂扣，由街道或民政对照纸单决定。" in said
    assert 'href="/cases"' in said
    with app.app_context():
        asked = ResolveRequest(accounts["visit"], "pay", "纸单写的是十点")
        resolve(db.session, app.extensions["ports"], STREET, key="r", request=asked)
    page = browser.get("/paper").text
    assert "两遍不一致" in page
    assert "钱已暂扣，由街道或民政" not in page, "it is decided"


def test_a_slip_that_nobody_read_again_is_seen_to_be_held(app, browser, accounts, read, clock):
    read("community")
    clock.advance(days=2)
    with app.app_context():
        upkeep(db.session, app.extensions["ports"])
    browser.client.delete_cookie("session")
    browser.sign_in("hotline")
    page = browser.get("/paper").text
    assert "没有等第二遍的单子" in page
    assert "只有一个人读过" in page
    assert "钱已暂扣，由街道或民政对照纸单决定。" in page
    assert "这次上门不用再录单子" in browser.get(f"/paper/{accounts['visit']}").text


def test_the_same_person_twice_is_refused_with_the_sentence(app, browser, accounts, read):
    read("community")
    page = browser.get("/paper").text
    assert "第一遍是您读的" in page
    assert f'href="/paper/{accounts["visit"]}"' not in page
    assert "这张单子第一遍是您读的" in browser.get(f"/paper/{accounts['visit']}").text
    said = read("community")
    assert "这是您自己录入的，这一步要由另一个人来做：请交给同事。" in said
    assert sum_states(app, accounts) == ("in_service", {"held"})


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"began": "9.30"}, "开始时间写成 9:30"),
        ({"ended": "9:61"}, "结束时间写成 10:30"),
        ({"ended": "8:59"}, "结束时间写成 10:30"),
        ({"ended": "23:00"}, "结束时间写成 10:30"),
        ({"began": "7:00"}, "开始时间比约定时间早了 30 分钟以上"),
        ({"slip_no": "七十七"}, "照单子上印的号码填"),
        ({"caregiver": ""}, "每位上门的人都要选"),
        ({"caregiver": "C2"}, "这位没有安排在这次上门"),
        ({"signed_by": ""}, "请选择是谁签的字"),
    ],
)
def test_what_cannot_be_on_a_slip_is_refused_and_stays_in_the_form(
    app, accounts, read, changed, sentence
):
    page = read("hotline", **changed)
    assert sentence in page
    if "slip_no" not in changed:
        assert 'value="P-77"' in page
    assert sum_states(app, accounts) == ("assigned", {"held"})


def test_a_form_sent_twice_is_one_reading(app, accounts, read):
    assert "已记下" in read("hotline", key="k-same")
    assert "已记下" in read("hotline", key="k-same")
    assert sum_states(app, accounts) == ("in_service", {"held"})


def test_an_office_of_another_town_neither_finds_nor_opens_the_visit(app, browser, accounts):
    with app.app_context():
        db.session.get_one(Account, accounts["street"]).town_code = "321204101"
        db.session.commit()
    browser.sign_in("street")
    page = browser.get(f"/paper?q={accounts['visit']}&on={TUESDAY.isoformat()}").text
    assert f'href="/paper/{accounts["visit"]}"' not in page
    path = f"/paper/{accounts['visit']}"
    assert browser.get(path).status_code in (403, 404)
    assert browser.post(path, SLIP | {"key": "k"}, page="/paper").status_code in (403, 404)


@pytest.mark.parametrize("who", ["vendor", "caregiver", "elder", "bureau", "auditor"])
def test_the_page_is_closed_to_who_does_not_enter_slips(browser, accounts, who):
    browser.sign_in(who)
    assert browser.get("/paper").status_code == 403
    assert browser.get(f"/paper/{accounts['visit']}").status_code == 403


@pytest.mark.parametrize("who", ["hotline", "community", "street"])
def test_the_page_stands_in_the_navigation_of_its_desks(browser, accounts, who):
    browser.sign_in(who)
    browser.client.set_cookie("lang", "en")
    page = browser.get("/paper").text
    assert re.search(r'<a[^>]*href="/paper"[^>]*>\s*Paper slips', page)
    assert "No slip waits for a second reading" in page
