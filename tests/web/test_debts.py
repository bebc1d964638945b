"""The page of what vendors owe: seen by civil affairs and the auditor, settled by civil affairs."""

from __future__ import annotations

import re

import pytest

from marketplace.accounts.demo import DEMO_PASSWORD
from marketplace.accounts.models import Account
from marketplace.accounts.service import NewAccount, create_accounts
from marketplace.app import db
from marketplace.kernel.actor import Role
from marketplace.kernel.db import transaction
from marketplace.workflows.own_money import CashRequest, take_cash
from tests.builders import (
    DISTRICT,
    a_captured_visit,
    a_caregiver,
    a_service,
    a_vendor,
    an_elder,
)
from tests.databases import filled
from tests.web.conftest import one_for_each_role
from tests.workflows.months import DECEMBER_2, VENDOR, close, take_back


@filled
def vendor_that_owes(app) -> dict[str, str]:
    """A visit that was paid at the door with 100 yuan, and taken back when its month was closed."""
    ids = one_for_each_role()
    session, ports = db.session, app.extensions["ports"]
    with transaction(session):
        create_accounts(
            session,
            [NewAccount(username="second", display_name="周敏", role=Role.BUREAU)],
            password=DEMO_PASSWORD,
        )
        an_elder(session, hukou_local=False)
        a_vendor(session)
        a_caregiver(session)
        version = a_service(session, price_fen=10_000, subsidised=False)
        a_captured_visit(session, version=version)
        for name in ("bureau", "auditor"):
            session.get_one(Account, ids[name]).district_code = DISTRICT
    ports.clock.at = DECEMBER_2
    take_cash(session, ports, VENDOR, key="c", request=CashRequest("W1", 10_000))
    close(session, ports)
    take_back(session, ports, "W1")
    return ids


@pytest.fixture
def accounts(vendor_that_owes, clock) -> dict[str, str]:
    clock.at = DECEMBER_2
    return vendor_that_owes


def form(page, action):
    """Return the hidden fields of a form of the page."""
    found = re.search(rf'action="/debts/{action}".*?</form>', page, re.DOTALL)
    assert found, action
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', found.group()))


def test_the_auditor_sees_the_debt_and_settles_nothing(browser):
    browser.sign_in("auditor")
    page = browser.get("/debts").text
    assert "100.00" in page
    assert 'action="/debts/' not in page
    assert browser.get("/settlement").text.count('href="/debts"') == 1


def test_a_sum_that_does_not_fit_is_told_what_would(browser):
    browser.sign_in("bureau")
    for text, said in (("abc", "150.00"), ("9999", "不超过所欠的数")):
        page = browser.get("/debts").text
        asked = form(page, "repay") | {"yuan": text, "receipt": "B-77"}
        page = browser.post("/debts/repay", asked, page="/debts", follow_redirects=True).text
        assert said in page
        assert "看标出来的那一行" not in page, "no line of the page is marked"


def test_a_repayment_and_what_two_persons_give_up_leave_nothing_owed(browser):
    browser.sign_in("bureau")
    page = browser.get("/debts").text
    for text, left in (("abc", "100.00"), ("60", "40.00")):
        asked = form(page, "repay") | {"yuan": text, "receipt": "B-77"}
        page = browser.post("/debts/repay", asked, page="/debts", follow_redirects=True).text
        assert left in page
    asked = form(page, "propose") | {"yuan": "40", "reason": "法院终结执行"}
    page = browser.post("/debts/propose", asked, page="/debts", follow_redirects=True).text
    agreed = form(page, "give-up") | {"reason": "已核对"}
    page = browser.post("/debts/give-up", agreed, page="/debts", follow_redirects=True).text
    assert "40.00" in page
    assert 'action="/debts/give-up"' in page, "one person may not do both"
    browser.post("/sign-out", {}, page="/no-such-page")
    browser.sign_in("second")
    page = browser.get("/debts").text
    agreed = form(page, "give-up") | {"reason": "已核对"}
    page = browser.post("/debts/give-up", agreed, page="/debts", follow_redirects=True).text
    assert 'action="/debts/' not in page
    assert "已作坏账核销 ¥40.00" in page
    assert "100.00" in page, "what was repaid and given up stays to be seen"
