"""The vendor's desk by forms: many offers at once, who takes over, the week, money, fair share."""

from __future__ import annotations

import html
import json
import re

import pytest
from sqlalchemy import func, select

from marketplace.accounts.models import Account
from marketplace.app import db
from marketplace.kernel.clock import Period
from marketplace.orders.models import WorkOrder
from marketplace.workflows.accept import AnswerRequest, accept_offer
from tests import builders
from tests.databases import filled
from tests.web.conftest import Browser, one_for_each_role
from tests.workflows import world
from tests.workflows.world import TUESDAY, V1, key
from vendors import offers
from vendors.models import JobOffer, Leave, Shift

DAY = TUESDAY.isoformat()


@filled
def vendors_world(app) -> dict[str, str]:
    """The small city, November granted; the accounts, the vendor's bound to the first vendor."""
    ids = one_for_each_role()
    world.build(db.session)
    builders.granted(db.session, Period(2026, 11))
    db.session.get_one(Account, ids["vendor"]).vendor_id = "V1"
    db.session.get_one(Account, ids["bureau"]).district_code = builders.DISTRICT
    db.session.commit()
    return ids


@pytest.fixture
def accounts(vendors_world) -> dict[str, str]:
    return vendors_world


@pytest.fixture
def vendor(browser):
    """The first vendor of the small city, signed in."""
    browser.sign_in("vendor")
    return browser


def visit(app, **changed) -> str:
    """A cleaning of Tuesday at nine that the vendor has accepted and given to somebody, unlocked."""
    with app.app_context():
        ports = app.extensions["ports"]
        work_order_id = world.accepted(db.session, ports, **changed)
        world.given(db.session, ports, work_order_id, "C1", 9 * 3600)
        return work_order_id


def value(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"the page has no {name}"
    return html.unescape(found.group(1))


def crew(app, work_order_id: str) -> list[str]:
    with app.app_context():
        return world.crew_of(db.session, work_order_id)


def test_many_offers_are_accepted_in_one_action(app, vendor):
    with app.app_context():
        ports = app.extensions["ports"]
        for _ in range(3):
            world.placed(db.session, ports, vendor_id="V1")
        ids = list(db.session.scalars(select(JobOffer.id)))
    form = {"offer": ids, "answer": "accept", "key": "many-at-once"}
    page = vendor.post("/vendor/offers", form, page="/vendor", follow_redirects=True).text
    assert "bar--ok" in page
    with app.app_context():
        states = set(db.session.scalars(select(WorkOrder.state)))
    assert states == {"accepted"}


def test_what_went_meanwhile_is_said_and_harms_no_other(app, vendor):
    with app.app_context():
        ports = app.extensions["ports"]
        taken, free = (world.placed(db.session, ports, vendor_id="V1") for _ in range(2))
        first = offers.of_work_order(db.session, taken)[-1].id
        second = offers.of_work_order(db.session, free)[-1].id
        accept_offer(db.session, ports, V1, key=key(), request=AnswerRequest(first))
    form = {"offer": [first, second], "answer": "accept", "key": "one-is-gone"}
    page = vendor.post("/vendor/offers", form, page="/vendor", follow_redirects=True).text
    assert "bar--ok" in page
    assert "bar--wait" in page


def test_the_board_shows_the_day_and_why(app, vendor):
    work_order_id = visit(app)
    page = vendor.get(f"/board?day={DAY}").text
    assert f'data-visit="{work_order_id}"' in page
    chosen = vendor.get(f"/board?day={DAY}&visit={work_order_id}").text
    assert "为什么是" in chosen


def test_a_move_shows_its_cost_before_it_is_kept(app, vendor):
    work_order_id = visit(app)
    [now] = crew(app, work_order_id)
    other = {"C1": "C2", "C2": "C1"}[now]
    address = f"/board?day={DAY}&visit={work_order_id}&who={other}&at=09:30"
    page = vendor.get(address).text
    assert "这样改的代价" in page
    assert crew(app, work_order_id) == [now]
    form = {"seats": value(page, "seats"), "day": DAY, "key": "kept-1", "lock": "1"}
    done = vendor.post("/board/keep", form, page=address, follow_redirects=True)
    assert "改好了" in done.text
    assert crew(app, work_order_id) == [other]
    again = vendor.post(
        "/board/keep", {**form, "key": "kept-2"}, page=address, follow_redirects=True
    )
    assert "刚被别人改过" in again.text


def test_changes_that_no_page_showed_are_refused(vendor):
    form = {"seats": "[{}]", "day": DAY, "key": "made-up"}
    assert vendor.post("/board/keep", form, page="/board").status_code == 422


def test_a_lock_is_set_and_taken_off(app, vendor):
    work_order_id = visit(app)
    form = {"visit": work_order_id, "lock": "1", "day": DAY, "back": work_order_id, "key": "l1"}
    page = vendor.post("/board/lock", form, page="/board", follow_redirects=True).text
    assert "已手工锁住" in page


def test_who_is_ill_is_replaced_in_one_action_after_the_effect_was_shown(app, vendor):
    work_order_id = visit(app)
    [ill] = crew(app, work_order_id)
    address = f"/board?day={DAY}&ill={ill}"
    page = vendor.get(address).text
    assert "来不了" in page
    seats = value(page, "seats")
    assert [s["work_order_id"] for s in json.loads(seats)] == [work_order_id]
    form = {"seats": seats, "day": DAY, "who": ill, "key": "ill-1"}
    done = vendor.post("/vendor/absent", form, page=address, follow_redirects=True).text
    assert "已交接" in done
    assert crew(app, work_order_id) not in ([ill], [])
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Leave)) == 1


def test_the_week_is_changed_by_form_and_says_what_it_freed(app, vendor):
    work_order_id = visit(app)
    [who] = crew(app, work_order_id)
    address = f"/vendor/people/{who}?week=2026-11-23"
    form = {"week": "2026-11-23", "key": "week-1", "from-1-a": "13:30", "to-1-a": "17:30"}
    page = vendor.post(f"/vendor/people/{who}/week", form, page=address, follow_redirects=True).text
    assert "没人去" in page
    with app.app_context():
        shifts = db.session.execute(
            select(Shift.starts_s, Shift.ends_s).where(
                Shift.caregiver_id == who, Shift.works_on == TUESDAY
            )
        ).all()
    assert shifts == [(48_600, 63_000)]


def test_a_shift_that_ends_before_it_begins_is_told_in_words(vendor):
    form = {"week": "2026-11-23", "key": "week-2", "from-1-a": "17:30", "to-1-a": "13:30"}
    page = vendor.post(
        "/vendor/people/C1/week", form, page="/vendor/people/C1", follow_redirects=True
    )
    assert "结束要在开始之后" in page.text


def test_a_leave_is_written_and_taken_back(app, vendor):
    form = {"first": DAY, "last": DAY, "reason": "leave", "key": "leave-1"}
    page = vendor.post(
        "/vendor/people/C1/leave", form, page="/vendor/people/C1", follow_redirects=True
    )
    assert "休假" in page.text
    with app.app_context():
        leave_id = db.session.scalar(select(Leave.id))
    vendor.post(f"/vendor/leave/{leave_id}/end", {"key": "back-1"}, page="/vendor/people/C1")
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Leave)) == 0


def test_another_vendors_people_are_not_shown(vendor):
    assert vendor.get("/vendor/people/C3").status_code == 404
    assert "C3" not in vendor.get("/vendor/people").text


def test_held_money_names_its_reason_and_takes_a_proof_once(app, vendor):
    with app.app_context():
        held = builders.a_work_order(
            db.session,
            "W-held",
            version=builders.a_service(db.session, "ZJ009"),
            vendor_id="V1",
            state="disputed",
        )
        builders.a_visit(
            db.session, "X-held", held, verdict="held", findings=[{"rule": "F03", "action": "hold"}]
        )
        db.session.commit()
    page = vendor.get("/vendor/money").text
    assert "位置不在老人家" in page
    form = {
        "visit": "W-held",
        "evidence": value(page, "evidence"),
        "method": "paper",
        "note": "签字单第 12 号",
        "key": value(page, "key"),
    }
    for _ in range(2):
        page = vendor.post("/vendor/money/proof", form, page="/vendor/money", follow_redirects=True)
    assert page.text.count("签字单第 12 号") == 1


def test_a_proof_without_words_is_refused_in_words(app, vendor):
    form = {"visit": "W-none", "evidence": "e-1", "method": "paper", "note": " ", "key": "p-1"}
    page = vendor.post("/vendor/money/proof", form, page="/vendor/money", follow_redirects=True)
    assert "请简单说明凭据是什么" in page.text


def test_fair_share_names_why_an_order_went_to_another(app, vendor):
    with app.app_context():
        builders.a_work_order(
            db.session,
            "W-other",
            version=builders.a_service(db.session, "ZJ009"),
            vendor_id="V2",
            state="accepted",
            visit_on=TUESDAY,
        )
        builders.a_work_order(
            db.session,
            "W-nurse",
            version=builders.a_service(db.session, "HL002", skill_code="NURSE"),
            vendor_id="V2",
            state="accepted",
            visit_on=TUESDAY,
        )
        db.session.commit()
    page = vendor.get(f"/vendor/fair?day={DAY}").text
    assert "别家的人更近" in page
    assert "缺资质" in page


@pytest.mark.parametrize("who", ["elder", "caregiver", "hotline"])
def test_others_do_not_see_the_board(app, accounts, who):
    stranger = Browser(app.test_client())
    stranger.sign_in(who)
    assert stranger.get("/board").status_code == 403


@pytest.fixture
def bureau(app, vendor):
    """Civil affairs of the district, beside the vendor."""
    from tests.web.conftest import Browser

    officer = Browser(app.test_client())
    officer.sign_in("bureau")
    return officer


def test_civil_affairs_offer_what_no_vendor_has_from_the_board(app, vendor, bureau):
    with app.app_context():
        meal = {"service_code": "ZC006", "window_start_s": 39_600, "window_end_s": 43_200}
        work_order_id = world.placed(db.session, app.extensions["ports"], **meal)
    address = f"/board?day={DAY}&visit={work_order_id}"
    assert f"visit={work_order_id}" in bureau.get(f"/board?day={DAY}").text
    assert f"visit={work_order_id}" not in vendor.get(f"/board?day={DAY}").text
    page = bureau.get(address).text
    assert 'name="to" value="V1"' in page
    form = {"visit": work_order_id, "to": "V1", "day": DAY, "back": work_order_id, "key": "pool-1"}
    done = bureau.post("/board/offer", form, page=address, follow_redirects=True).text
    assert "bar--ok" in done
    with app.app_context():
        assert world.state_of(db.session, work_order_id) == "offered"
        asked = [o.vendor_id for o in offers.of_work_order(db.session, work_order_id)]
    assert asked == ["V1"]
    assert vendor.post("/board/offer", form, page=f"/board?day={DAY}").status_code == 403
