"""A statement's page: who may read it, what its sums say, who signs next, what may be taken away."""

from __future__ import annotations

import io
import re
from datetime import date

import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from marketplace.accounts.models import Account
from marketplace.app import db
from marketplace.kernel.audit import AuditEvent
from marketplace.kernel.db import transaction
from marketplace.settlement.models import StatementSignature
from tests.builders import (
    DISTRICT,
    a_captured_visit,
    a_poor_elder,
    a_service,
    a_vendor,
)
from tests.databases import filled
from tests.web.conftest import one_for_each_role
from tests.workflows.months import DECEMBER_2, ST, close

PAGE = f"/statements/{ST}"
TO_CHECK = r'name="number" value="(\d+)"><input type="hidden" name="way" value="(\w+)"'


@filled
def closed_november(app) -> dict[str, str]:
    """A closed month: two visits of 280 yuan, shared by hours, both vouchers and own money."""
    ids = one_for_each_role()
    session, ports = db.session, app.extensions["ports"]
    with transaction(session):
        a_poor_elder(session)
        a_vendor(session, "V2", name="康乐家政")
        version = a_service(session, price_fen=28_000)
        for n in (1, 2):
            a_captured_visit(session, f"W{n}", version, visit_on=date(2026, 11, 22 + n))
        for name, values in (
            ("vendor", {"vendor_id": "V1"}),
            ("street", {"district_code": DISTRICT, "town_code": f"{DISTRICT}100"}),
            ("bureau", {"district_code": DISTRICT}),
        ):
            account = session.get_one(Account, ids[name])
            for field, value in values.items():
                setattr(account, field, value)
    ports.clock.at = DECEMBER_2
    close(session, ports)
    return ids


@pytest.fixture
def accounts(closed_november, clock) -> dict[str, str]:
    clock.at = DECEMBER_2
    return closed_november


def test_a_vendor_reads_its_lines_and_never_a_programme(browser):
    browser.sign_in("vendor")
    assert PAGE in browser.get("/vendor/money").text
    page = browser.get(PAGE).text
    assert "560.00" in page
    assert "政府付" in page
    for programme in ("消费补贴", "养老服务券", "政府上门服务"):
        assert programme not in page


def test_the_parts_of_the_sum_are_all_there_and_add_up(browser):
    browser.sign_in("auditor")
    page = browser.get(PAGE).text
    # 280 = 25 hours + 100 local + 77.50 national + 77.50 own; then 280 = 25 + 127.50 + 127.50.
    for part in ("560.00", "150.00", "205.00", "15.00", "135.00"):
        assert part in page, part
    assert "壹佰叁拾伍元整" in page


def test_its_month_is_a_word_and_not_a_code(browser):
    browser.sign_in("auditor")
    for path in (PAGE, "/money"):
        page = browser.get(path).text
        assert "11月" in page, path
        assert "2026-11</" not in page, path


def test_the_vendor_confirms_then_the_street_and_each_sees_only_its_own_step(app, browser):
    browser.sign_in("vendor")
    page = browser.get(PAGE).text
    assert 'value="vendor_confirmed"' in page
    browser.post(f"{PAGE}/sign", {"step": "vendor_confirmed"}, page=PAGE)
    assert 'value="vendor_confirmed"' not in browser.get(PAGE).text
    browser.post("/sign-out", {}, page="/no-such-page")
    browser.sign_in("street")
    assert 'value="street_checked"' in browser.get(PAGE).text
    browser.post(f"{PAGE}/sign", {"step": "street_checked"}, page=PAGE)
    with app.app_context():
        steps = list(
            db.session.scalars(select(StatementSignature.step).order_by(StatementSignature.number))
        )
    assert steps == ["vendor_confirmed", "street_checked"]
    assert "张桂兰" in browser.get(PAGE).text


def test_each_programme_of_the_sum_has_a_name_of_its_own(browser):
    browser.sign_in("auditor")
    sums = browser.get(PAGE).text.split("<tbody>", 1)[1].split("</tbody>", 1)[0]
    named = re.findall(r'<th scope="row">([^<]+)</th>', sums)
    assert len(set(named)) == len(named)
    assert any(name.startswith("政府购买服务") for name in named)


def test_the_county_looks_at_its_sample_before_it_can_approve_and_another_releases(browser):
    for role in ("vendor", "street"):
        browser.sign_in(role)
        step = {"vendor": "vendor_confirmed", "street": "street_checked"}[role]
        browser.post(f"{PAGE}/sign", {"step": step}, page=PAGE)
        browser.post("/sign-out", {}, page="/no-such-page")
    browser.sign_in("bureau")
    page = browser.get(PAGE).text
    assert "抽查没有结果" in page
    while drawn := re.search(
        r'name="number" value="(\d+)"><input type="hidden" name="way" value="(\w+)"', page
    ):
        assert 'value="county_approved"' not in page
        found = {"number": drawn[1], "way": drawn[2], "outcome": "confirmed"}
        page = browser.post(f"{PAGE}/sample", found, page=PAGE, follow_redirects=True).text
        assert f"第 {drawn[1]} 笔已记下" in page
    browser.post(f"{PAGE}/sign", {"step": "county_approved"}, page=PAGE)
    page = browser.get(PAGE).text
    assert "须由另一个人放款" in page
    assert 'value="released"' not in page


def test_a_step_out_of_turn_is_refused_in_words(app, browser):
    browser.sign_in("street")
    answer = browser.post(
        f"{PAGE}/sign", {"step": "street_checked"}, page="/settlement", follow_redirects=True
    )
    assert "bar--stop" in answer.text
    with app.app_context():
        assert db.session.scalar(select(StatementSignature.step)) is None


def test_another_vendor_finds_no_such_statement(app, browser, accounts):
    with app.app_context():
        db.session.get_one(Account, accounts["vendor"]).vendor_id = "V2"
        db.session.commit()
    browser.sign_in("vendor")
    for path in (PAGE, f"{PAGE}/file?format=csv"):
        assert browser.get(path).status_code == 404, path


@pytest.mark.parametrize("role", ["elder", "family", "caregiver", "hotline", "community"])
def test_it_is_closed_to_others(browser, role):
    browser.sign_in(role)
    assert browser.get(PAGE).status_code == 403


def test_a_file_is_the_readers_copy_and_taking_it_is_recorded(app, browser):
    browser.sign_in("vendor")
    text = browser.get(f"{PAGE}/file?format=csv").data.decode("utf-8-sig")
    assert "服务商联" in text
    assert "国家养老服务消费补贴" not in text
    browser.post("/sign-out", {}, page="/no-such-page")
    browser.sign_in("auditor")
    book = load_workbook(io.BytesIO(browser.get(f"{PAGE}/file?format=xlsx").data))
    assert any("国家养老服务消费补贴" in str(c.value) for c in book["明细"][1])
    with app.app_context():
        taken = [
            (e.role, e.facts["format"])
            for e in db.session.scalars(
                select(AuditEvent)
                .where(AuditEvent.action == "take_statement")
                .order_by(AuditEvent.id)
            )
        ]
    assert taken == [("vendor", "csv"), ("auditor", "xlsx")]


def test_a_form_that_is_not_made_is_refused(browser):
    browser.sign_in("vendor")
    assert browser.get(f"{PAGE}/file?format=doc").status_code == 422


def test_the_printed_sheet_names_who_signed(browser):
    browser.sign_in("vendor")
    browser.post(f"{PAGE}/sign", {"step": "vendor_confirmed"}, page=PAGE)
    sheet = browser.get(f"{PAGE}/file?format=html").text
    assert "服务商确认" in sheet
    assert "张桂兰" in sheet


def test_the_list_of_the_month_shows_where_every_yuan_comes_from(browser):
    browser.sign_in("auditor")
    for path in ("/money", "/settlement?month=2026-11"):
        page = browser.get(path).text
        for part in ("560.00", "150.00", "205.00"):
            assert part in page, (path, part)


def test_the_months_list_as_a_file_is_in_words_and_adds_up(browser):
    browser.sign_in("auditor")
    head, row = browser.get("/settlement?month=2026-11&format=csv").text.strip().splitlines()
    assert head.lstrip("\ufeff").startswith("结算单,服务商,区县,笔数,公款（元）")
    assert "姜堰区,2,150.00,205.00,205.00,560.00,已出单" in row
