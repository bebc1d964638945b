"""Finding a service, seeing who pays, ordering it, calling it off: as a person does it, by forms."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from marketplace.accounts.models import Account
from marketplace.app import db
from marketplace.elders.models import Elder
from marketplace.kernel.clock import Period, today
from marketplace.orders.models import Assignment, Order, WorkOrder
from tests import builders, small_city
from tests.databases import filled
from tests.web.conftest import Browser, one_for_each_role
from vendors.models import JobOffer

HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@filled
def granted_town(app) -> tuple[dict[str, str], small_city.SmallCity]:
    """The accounts and the town, November granted; elder, family and vendor bound."""
    ports = app.extensions["ports"]
    ids = one_for_each_role()
    day = today(ports.clock)
    made = small_city.build(db.session, ports, day=day, work_orders=80)
    for district in small_city.DISTRICTS:
        builders.granted(db.session, Period.of(day), district)
    db.session.get_one(Account, ids["elder"]).elder_id = made.elder_id
    db.session.get_one(Account, ids["vendor"]).vendor_id = made.vendor_id
    small_city.bind_family(
        db.session, elder_id=made.elder_id, account_id=ids["family"], at=ports.clock.now()
    )
    db.session.commit()
    return ids, made


@pytest.fixture
def accounts(granted_town) -> dict[str, str]:
    return granted_town[0]


@pytest.fixture
def city(granted_town) -> small_city.SmallCity:
    return granted_town[1]


@pytest.fixture
def elder(browser, city):
    browser.sign_in("elder")
    return browser


def order(browser: Browser, code: str = "ZJ001", **form):
    """Fill the form in and press the button on the page that says who pays."""
    asked = {"on": "2026-11-24", "window": "28800-36000", **form}
    shown = browser.post(f"/services/{code}/check", asked, page="/services")
    assert shown.status_code == 200
    hidden = dict(HIDDEN.findall(shown.text.split("<main")[1]))
    return shown, hidden


@pytest.mark.parametrize("text", ["助浴", "zy", "bath"])
def test_a_service_is_found_by_name_initials_and_english(browser, city, text):
    page = browser.get(f"/services?q={text}").text
    assert "助浴" in page
    assert "没有这样的服务" not in page


def test_a_search_without_a_match_says_the_way_on(browser, city):
    page = browser.get("/services?q=qqqq").text
    assert "没有这样的服务" in page
    assert "12349" in page


def test_a_stranger_may_look_and_is_asked_to_sign_in_to_order(browser, city):
    page = browser.get("/services/ZJ001").text
    assert "登录后下单" in page
    answer = browser.post("/services/ZJ001/check", {"on": "2026-11-24"})
    assert answer.headers["Location"] == "/sign-in"


def test_an_elder_sees_who_pays_before_ordering(elder):
    shown, _ = order(elder)
    assert "谁来付这 35 元" in shown.text
    assert "本人付" in shown.text
    assert re.search(r"订明天 8:00–\d+:00，我付 \d+ 元", shown.text)


def test_an_order_is_placed_once_however_often_the_button_is_pressed(elder):
    _, hidden = order(elder)
    hidden.pop("csrf_token", None)
    first = elder.post("/services/ZJ001/order", hidden, page="/services")
    again = elder.post("/services/ZJ001/order", hidden, page="/services")
    assert first.status_code == again.status_code == 302
    assert first.headers["Location"] == again.headers["Location"]
    page = elder.get(first.headers["Location"]).text
    assert "订好了" in page
    assert "待派单" in page


def test_a_refused_order_keeps_what_was_typed_and_says_that_no_money_moved(elder):
    asked = {"on": "2026-11-20", "window": "28800-36000", "note": "轻一点敲门"}
    shown = elder.post("/services/ZJ001/check", asked, page="/services")
    assert "没有下成单，钱和券都没动" in shown.text
    assert "轻一点敲门" in shown.text


def test_an_elder_may_not_order_for_another(elder):
    asked = {"elder": "E000001", "on": "2026-11-24", "window": "28800-36000"}
    shown = elder.post("/services/ZJ001/check", asked, page="/services")
    assert "您的身份不能做这件事" in shown.text


def test_a_visit_of_another_is_not_known_to_an_elder(elder, app):
    assert elder.get("/visits/W000001").status_code == 404
    assert elder.get("/visits/W000000").status_code == 200


def test_the_family_sees_the_parents_home_and_orders_for_it(browser, city):
    browser.sign_in("family")
    page = browser.get("/home").text
    assert "张*兰家" in page
    shown, _ = order(browser)
    assert "谁来付" in shown.text


def test_the_home_shows_who_comes_and_what_is_left(elder):
    page = elder.get("/home").text
    assert "张*兰" in page
    assert "张桂兰" not in page
    assert "券还剩多少" in page
    assert "和平常一样" in page


def test_the_hotline_orders_only_with_the_recording_in_which_it_was_asked(browser, city):
    browser.sign_in("hotline")
    asked = {"elder": city.elder_id}
    _, hidden = order(browser, **asked)
    hidden.pop("csrf_token", None)
    refused = browser.post("/services/ZJ001/order", hidden, page="/services")
    assert "没有下成单" in refused.text
    hidden["reference"] = "REC-1"
    placed = browser.post("/services/ZJ001/order", hidden, page="/services")
    assert placed.status_code == 302


def test_a_community_worker_opens_the_form_for_elders_of_the_own_town_only(app, browser, city):
    with app.app_context():
        elder = db.session.get(Elder, city.elder_id)
        community = db.session.query(Account).filter_by(username="community").one()
        community.town_code, community.district_code = elder.town_code, elder.district_code
        db.session.commit()
    browser.sign_in("community")
    address = f"/services/ZJ001?for={city.elder_id}"
    known = f'name="elder" value="{city.elder_id}"'
    assert known in browser.get(address).text
    with app.app_context():
        community = db.session.query(Account).filter_by(username="community").one()
        community.town_code = "321281099"
        db.session.commit()
    page = browser.get(address)
    assert page.status_code == 200
    assert '<input type="hidden" name="elder"' not in page.text


def test_cancelling_in_time_costs_nothing_and_says_so(elder):
    _, hidden = order(elder)
    hidden.pop("csrf_token", None)
    at = elder.post("/services/ZJ001/order", hidden, page="/services").headers["Location"]
    page = elder.get(at).text
    assert "占住的券都退回" in page
    answer = elder.post(f"{at}/cancel", {"key": "cancel-1"}, page="/services")
    assert answer.headers["Location"] == at
    page = elder.get(at).text
    assert "不收钱，券都退回来了" in page
    assert "已取消" in page


def test_a_vendor_accepts_what_is_ticked(app, browser, city):
    browser.sign_in("vendor")
    page = browser.get("/vendor").text
    offers = re.findall(r'name="offer" value="([^"]+)"', page)
    assert len(offers) >= 2
    form = {"offer": offers[:2], "answer": "accept", "key": "answer-1"}
    browser.post("/vendor/offers", form, page="/no-such-page")
    after = browser.get("/vendor").text
    assert "接下了 2 张" in after
    assert len(re.findall(r'name="offer"', after)) == len(offers) - 2


def test_a_vendor_declines_only_with_a_reason(browser, city):
    browser.sign_in("vendor")
    offers = re.findall(r'name="offer" value="([^"]+)"', browser.get("/vendor").text)
    form = {"offer": offers[:1], "answer": "decline", "key": "answer-2"}
    assert browser.post("/vendor/offers", form, page="/no-such-page").status_code == 422
    browser.post("/vendor/offers", form | {"reason": "too_far"}, page="/no-such-page")
    assert "没接，已转给下一家" in browser.get("/vendor").text


def test_a_vendor_sees_no_home_before_it_accepts(browser, city):
    browser.sign_in("vendor")
    page = browser.get("/vendor").text
    assert "春晖里" not in page


def test_a_vendor_reads_no_note_of_a_home_before_it_accepts(app, browser, city):
    with app.app_context():
        offered = db.session.scalars(
            select(WorkOrder).where(
                WorkOrder.id.in_(
                    select(JobOffer.work_order_id).where(
                        JobOffer.vendor_id == city.vendor_id, JobOffer.state == "open"
                    )
                )
            )
        ).first()
        db.session.get(Order, offered.order_id).note = "门锁密码 1946"
        work_order_id = offered.id
        db.session.commit()
    browser.sign_in("vendor")
    page = browser.get(f"/visits/{work_order_id}")
    assert page.status_code == 200
    assert "1946" not in page.text


def test_a_vendor_sends_somebody_else_whom_the_page_proposes(app, browser, city):
    with app.app_context():
        ours = db.session.scalars(
            select(WorkOrder.id).where(
                WorkOrder.vendor_id == city.vendor_id,
                WorkOrder.state.in_(["assigned", "accepted"]),
                WorkOrder.crew == 1,
            )
        ).all()
    browser.sign_in("vendor")
    for work_order_id in ours:
        page = browser.get(f"/visits/{work_order_id}").text
        proposed = re.search(r'name="who" value="([^"]+)"', page)
        if proposed:
            break
    else:
        pytest.skip("nobody of this small town's vendor is near enough to any of its visits")
    form = {"who": proposed.group(1), "key": "send-1"}
    browser.post(f"/visits/{work_order_id}/send", form, page="/no-such-page")
    page = browser.get(f"/visits/{work_order_id}").text
    assert "派好了" in page
    assert "已排班" in page


RADIO = re.compile(r'name="slot" value="([^"]+)"')


def bath_slots(browser: Browser, query: str = "") -> list[str]:
    return RADIO.findall(browser.get(f"/services/ZY010{query}").text)


def test_a_bath_shows_three_times_that_somebody_can_come(elder):
    page = elder.get("/services/ZY010").text
    assert len(RADIO.findall(page)) == 3
    assert "看别的日子" in page
    assert 'name="window"' not in page


def test_a_time_that_is_chosen_is_ordered_and_its_people_are_held(app, elder):
    slot = bath_slots(elder)[0]
    shown, hidden = order(elder, "ZY010", slot=slot)
    assert "谁来付" in shown.text
    assert hidden["slot"] == slot
    answer = elder.post("/services/ZY010/order", hidden, page="/services")
    page = elder.get(answer.headers["Location"]).text
    assert "订好了" in page
    with app.app_context():
        made = db.session.scalars(
            select(WorkOrder)
            .where(WorkOrder.service_code == "ZY010")
            .order_by(WorkOrder.created_at.desc())
        ).first()
        crew = db.session.scalars(
            select(Assignment.caregiver_id).where(Assignment.work_order_id == made.id)
        ).all()
    assert sorted(crew) == sorted(slot.split("/")[2].split("+"))


def test_a_time_that_is_gone_says_so_and_shows_what_is_free_now(elder):
    slot = bath_slots(elder)[0]
    _shown, hidden = order(elder, "ZY010", slot=slot)
    _shown, other = order(elder, "ZY010", slot=slot)
    elder.post("/services/ZY010/order", hidden, page="/services")
    page = elder.post("/services/ZY010/order", other, page="/services").text
    assert "刚被别人订走了" in page
    assert slot not in RADIO.findall(page)
    assert len(RADIO.findall(page)) == 3


def test_a_day_on_which_nobody_has_time_offers_to_plan_it_in(elder):
    page = elder.get("/services/ZY010?day=2026-11-29").text
    assert "大家都排满了" in page
    assert 'name="window"' in page
