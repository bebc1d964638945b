"""What is read on screens beside the desks: messages as sentences, purses with their movements."""

from __future__ import annotations

import pytest

from marketplace.accounts.models import Account
from marketplace.app import db
from marketplace.kernel import outbox
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import Period
from marketplace.workflows.purses import TopUp, top_up
from marketplace.workflows.suspend import SuspendRequest, suspend_vendor
from tests import builders
from tests.workflows import world
from tests.workflows.world import key


@pytest.fixture
def city(app, accounts, browser):
    """The small city; an order is offered to the first vendor, which is then suspended."""
    with app.app_context():
        ports = app.extensions["ports"]
        world.build(db.session)
        builders.granted(db.session, Period(2026, 11))
        for username, values in (
            ("vendor", {"vendor_id": "V1"}),
            ("elder", {"elder_id": "E1"}),
            ("bureau", {"district_code": builders.DISTRICT}),
        ):
            account = db.session.query(Account).filter_by(username=username).one()
            for name, value in values.items():
                setattr(account, name, value)
        db.session.commit()
        world.accepted(db.session, ports)
        bureau = Actor("u-suspend", Role.BUREAU, district_code=builders.DISTRICT)
        asked = SuspendRequest("V1", "papers ran out")
        suspend_vendor(db.session, ports, bureau, key=key(), request=asked)
        system = Actor("u-fill", Role.SYSTEM)
        asked = TopUp("E1", 10_000, "R-7")
        top_up(db.session, ports, system, key=key(), request=asked)
    return browser


def test_a_vendor_reads_what_was_said_to_it(city):
    city.sign_in("vendor")
    page = city.get("/messages").text
    assert "您已被暂停：papers ran out。" in page
    assert "有一单派给您，请在时限内答复。" in page


def test_an_elder_reads_the_same_sentence_as_on_the_telephone(city):
    city.sign_in("elder")
    page = city.get("/messages").text
    assert "为您服务的服务商暂停接单，您有 1 次上门改由别家来，钱和券都不变。" in page
    assert "您已被暂停" not in page
    assert 'href="/messages"' in city.get("/home").text


def test_english_is_there_too(city):
    city.sign_in("vendor")
    city.client.set_cookie("lang", "en")
    assert "You are suspended: papers ran out." in city.get("/messages").text


def test_messages_are_closed_to_strangers_and_to_who_gets_none(app, city):
    assert city.get("/messages").status_code == 302
    city.sign_in("auditor")
    assert city.get("/messages").status_code == 403


def test_an_office_reads_what_is_said_of_its_own_area_only(app, accounts, browser):
    with app.app_context():
        for n, place in enumerate(({"town_code": "321202001"}, {"town_code": None})):
            outbox.post(
                db.session,
                due_at=builders.NOW,
                channel="screen",
                **outbox.office(district_code="321202", **place),
                template="visit_not_verified",
                about=f"W{n}",
                day=f"2026-11-2{n + 3}",
                work_order_id=f"W{n}",
                why="PHONE",
            )
        db.session.commit()

    def days(username, **area):
        with app.app_context():
            account = db.session.query(Account).filter_by(username=username).one()
            account.district_code, account.town_code = area.get("district"), area.get("town")
            db.session.commit()
        browser.sign_in(username)
        page = browser.get("/messages").text
        browser.post("/sign-out", {}, page="/messages")
        return [n for n in (0, 1) if f"/visits/W{n}" in page]

    assert days("street", district="321202", town="321202001") == [0]
    assert days("street", district="321202", town="321202002") == []
    assert days("bureau", district="321202") == [1]
    assert days("bureau", district="321281") == []
    assert days("bureau") == [1]


def test_an_elder_sees_where_the_purse_came_from(city):
    city.sign_in("elder")
    page = city.get("/elders/E1/purses").text
    assert "自己充值" in page
    assert "150 元" in page
    assert city.get("/elders/E2/purses").status_code == 404


def test_the_hotline_and_civil_affairs_see_it_and_a_vendor_does_not(city):
    for who, status in (("hotline", 200), ("bureau", 200), ("vendor", 403)):
        city.sign_in(who)
        assert city.get("/elders/E1/purses").status_code == status, who
        city.post("/sign-out", {}, page="/messages")
