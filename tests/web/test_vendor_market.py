"""A vendor is suspended in one action; whom nobody could take over is listed with the reason."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from marketplace.accounts.demo import DEMO_PASSWORD
from marketplace.accounts.models import Account
from marketplace.accounts.service import NewAccount, create_accounts
from marketplace.app import db
from marketplace.catalogue.models import ServiceVersion
from marketplace.kernel.actor import Role
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from tests import builders
from tests.databases import filled
from tests.web.conftest import one_for_each_role
from tests.workflows import world
from vendors.models import Vendor

PAGE = "/vendors/V1"


@filled
def market_world(app) -> dict[str, str]:
    """The small city with a visit accepted by the first vendor, and two officials of the district."""
    ids = one_for_each_role()
    world.build(db.session)
    builders.granted(db.session, Period(2026, 11))
    db.session.get_one(Account, ids["bureau"]).district_code = builders.DISTRICT
    db.session.commit()
    with transaction(db.session):
        account = NewAccount(
            username="second",
            display_name="周敏",
            role=Role.BUREAU,
            district_code=builders.DISTRICT,
        )
        create_accounts(db.session, [account], password=DEMO_PASSWORD)
    world.accepted(db.session, app.extensions["ports"])
    return ids


@pytest.fixture
def accounts(market_world) -> dict[str, str]:
    return market_world


def act(browser, act: str, reason: str) -> str:
    page = browser.get(PAGE).text
    key = page.split('name="key" value="', 1)[1].split('"', 1)[0]
    form = {"act": act, "reason": reason, "key": key}
    return browser.post(PAGE, form, page=PAGE, follow_redirects=True).text


def status(app) -> str:
    with app.app_context():
        return db.session.scalars(select(Vendor.status).where(Vendor.id == "V1")).one()


def test_a_vendor_is_suspended_and_each_visit_is_accounted_for(app, browser):
    browser.sign_in("bureau")
    page = act(browser, "suspend", "证照造假")
    assert status(app) == "suspended"
    assert "证照造假" in page
    assert "已暂停" in page
    assert "派给别家" in page
    assert "张桂兰" in page


def test_only_a_second_person_lets_it_back_in(app, browser):
    browser.sign_in("bureau")
    act(browser, "suspend", "证照造假")
    assert "bar--stop" in act(browser, "reinstate", "已整改")
    assert status(app) == "suspended"
    browser.post("/sign-out", {}, page="/no-such-page")
    browser.sign_in("second")
    assert "已整改" in act(browser, "reinstate", "已整改")
    assert status(app) == "active"


def test_what_could_not_be_moved_leads_the_list_with_its_reason(app, browser):
    with app.app_context():
        for vendor_id in ("V2", "V3"):
            db.session.get_one(Vendor, vendor_id).daily_capacity = 0
        db.session.commit()
    browser.sign_in("bureau")
    page = act(browser, "suspend", "证照造假")
    assert "没能转出" in page
    assert "别家都满了" in page


def test_a_moved_visit_is_named_by_its_service_and_to_an_auditor_without_the_elder(app, browser):
    with app.app_context():
        db.session.execute(update(ServiceVersion).values(name_zh="助浴"))
        db.session.commit()
    browser.sign_in("bureau")
    page = act(browser, "suspend", "证照造假")
    row = page.split("<tbody>", 1)[1].split("</tr>", 1)[0]
    assert "助浴" in row
    assert "张*兰" in row
    assert "E1" not in row
    browser.post("/sign-out", {}, page="/no-such-page")
    browser.sign_in("auditor")
    row = browser.get(PAGE).text.split("<tbody>", 1)[1].split("</tr>", 1)[0]
    assert "助浴" in row
    assert "张*兰" not in row


def test_without_a_reason_nothing_happens(app, browser):
    browser.sign_in("bureau")
    assert "bar--stop" in act(browser, "suspend", " ")
    assert status(app) == "active"


def test_an_auditor_reads_and_a_vendor_does_not(browser):
    browser.sign_in("auditor")
    page = browser.get(PAGE).text
    assert "没有暂停过" in page
    assert 'name="reason"' not in page
    browser.post("/sign-out", {}, page="/no-such-page")
    browser.sign_in("vendor")
    assert browser.get(PAGE).status_code == 403
