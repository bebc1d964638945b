"""An elder's file on a page: consents, looks, an earlier day, the number behind its mask."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from marketplace.accounts.models import Account
from marketplace.app import db
from marketplace.elders.models import Elder, FileLook
from marketplace.kernel.clock import Period
from tests import builders
from tests.databases import filled
from tests.web.conftest import one_for_each_role
from tests.workflows import world

NUMBER = "321202194603043017"
FILE = "/elders/E1/file"


@filled
def filed_world(app) -> dict[str, str]:
    """The small city, November granted; the number of the first elder sealed as a register does."""
    ids = one_for_each_role()
    world.build(db.session)
    builders.granted(db.session, Period(2026, 11))
    elder = db.session.get_one(Elder, "E1")
    elder.id_number_sealed = app.extensions["ports"].vault.seal(NUMBER)
    for name, values in (
        ("elder", {"elder_id": "E1"}),
        ("bureau", {"district_code": builders.DISTRICT}),
    ):
        account = db.session.get_one(Account, ids[name])
        for field, value in values.items():
            setattr(account, field, value)
    db.session.commit()
    return ids


@pytest.fixture
def accounts(filed_world) -> dict[str, str]:
    return filed_world


def part(page: str, id: str) -> str:
    """The section of a page with this heading."""
    return page.split(f'aria-labelledby="{id}"', 1)[1].split("</section>", 1)[0]


def field(page: str, name: str, after: str) -> str:
    return page.split(after, 1)[0].rsplit(f'name="{name}" value="', 1)[1].split('"', 1)[0]


def consent(browser, purpose: str, act: str, **more: str) -> str:
    page = browser.get(FILE).text
    key = field(page, "key", f'name="purpose" value="{purpose}"')
    form = {"key": key, "purpose": purpose, "act": act, **more}
    return browser.post("/elders/E1/consents", form, page=FILE, follow_redirects=True).text


def test_an_elder_takes_a_consent_back_and_gives_it_again(browser):
    browser.sign_in("elder")
    page = consent(browser, "photo", "withdraw")
    assert "同意已收回" in page
    assert "未同意" in part(page, "con")
    assert "同意已生效" in consent(browser, "photo", "give")


def test_an_office_names_where_the_elder_said_so(browser):
    browser.sign_in("bureau")
    assert "bar--stop" in consent(browser, "photo", "withdraw")
    assert "bar--ok" in consent(browser, "photo", "withdraw", reference="REC-12")


def test_the_number_is_shown_once_with_a_reason_and_the_elder_reads_of_it(app, browser):
    browser.sign_in("bureau")
    page = browser.get(FILE).text
    assert NUMBER not in page
    key = field(page, "key", 'id="why"')
    form = {"key": key, "reason": "核对低保名单"}
    answer = browser.post("/elders/E1/id-number", form, page=FILE)
    assert NUMBER in answer.text
    assert answer.headers["Cache-Control"].startswith("no-store")
    assert NUMBER not in browser.get(FILE).text
    browser.post("/sign-out", {}, page="/no-such-page")
    browser.sign_in("elder")
    looks = part(browser.get(FILE).text, "loo")
    assert "民政" in looks
    assert "核对低保名单" in looks
    with app.app_context():
        kept = db.session.scalars(select(FileLook).where(FileLook.what == "id_number")).one()
        assert kept.reason == "核对低保名单"


def test_without_a_reason_no_number_is_shown(browser):
    browser.sign_in("bureau")
    key = field(browser.get(FILE).text, "key", 'id="why"')
    form = {"key": key, "reason": " "}
    answer = browser.post("/elders/E1/id-number", form, page=FILE, follow_redirects=True)
    assert NUMBER not in answer.text
    assert "bar--stop" in answer.text


def test_the_file_is_put_back_to_a_day_and_that_is_a_look(app, browser):
    browser.sign_in("bureau")
    page = browser.get(f"{FILE}?on=2026-11-23").text
    assert "年龄" in part(page, "asof")
    assert "收入类别" in part(page, "asof")
    with app.app_context():
        assert "as_of" in set(db.session.scalars(select(FileLook.what)))


def test_an_auditor_sees_no_income_no_ability_and_no_address(app, browser, accounts):
    browser.sign_in("auditor")
    page = browser.get(f"{FILE}?on=2026-11-23").text
    for word in ("收入类别", "能力等级", "地址", "姜堰区"):
        assert word not in part(page, "asof"), word


def test_the_hotline_reads_looks_for_the_elder_and_opens_no_earlier_day(browser):
    browser.sign_in("hotline")
    page = browser.get(FILE).text
    assert "谁看过" in page
    assert "看某一天" not in page
    assert browser.get(f"{FILE}?on=2026-11-23").status_code == 403


@pytest.mark.parametrize("role", ["family", "vendor", "caregiver"])
def test_the_file_is_closed_to_others(browser, role):
    browser.sign_in(role)
    assert browser.get(FILE).status_code == 403


def test_another_elder_finds_no_such_file(browser):
    browser.sign_in("elder")
    assert browser.get("/elders/E2/file").status_code == 404
