"""A parent, a child in another city, and what the one allows the other."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from marketplace.app import db
from marketplace.elders.models import FamilyLink, FollowUp
from marketplace.orders.models import WorkOrder
from tests.journeys.conftest import Town
from tests.journeys.test_pages import small_things, violations

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_child_joins_by_a_code_and_sees_only_what_the_parent_allows(desk, town: Town):
    parent = desk("elder", width=390).open("/home/family")
    parent.page.locator("form:has(button:has-text('绑定码')) input[value=see_visits]").check()
    parent.page.click("text=给我看绑定码")
    code = parent.page.locator(".digits").inner_text()
    assert re.fullmatch(r"[2-9A-Z]{4} [2-9A-Z]{4}", code)
    assert violations(parent.page) == []
    parent.picture("family-code")
    child = desk(None, width=390).open("/join")
    page = child.page
    page.fill("#code", "AAAA 2222")
    page.fill("#name", "张敏")
    page.fill("#relation", "女儿")
    page.fill("#username", "zhangmin")
    page.fill("#password", "a-long-password")
    page.click("main form .btn--main")
    page.wait_for_selector(".bar--stop")
    assert violations(page) == []
    child.picture("family-join-refused")
    page.fill("#code", code.lower())
    page.fill("#password", "a-long-password")
    page.click("main form .btn--main")
    page.wait_for_url(re.compile("/home"))
    assert "张*兰" in page.locator("h1").inner_text()
    assert page.locator("#next").count() == 1
    assert page.locator("#left").count() == 0
    assert page.locator("#usual").count() == 0
    child.picture("family-home-limited")
    answer = page.goto(f"{town.url}/home/bill?of=E000000")
    assert answer.status == 403
    with town.app.app_context():
        link = db.session.scalars(
            select(FamilyLink).where(
                FamilyLink.name == "张敏",
                FamilyLink.relation == "女儿",
                FamilyLink.powers == "see_visits",
            )
        ).one()
        link_id = link.id
    parent.open("/home/family")
    parent.page.locator(f"form[action$='{link_id}'] button[value=end]").click()
    parent.page.wait_for_selector(".bar--ok")
    page.goto(f"{town.url}/home")
    assert page.locator("h1").count() == 0 or "张*兰" not in page.locator("h1").inner_text()
    assert page.locator("text=我有绑定码").count() == 1


def finished(town: Town, work_order_id: str) -> None:
    with town.app.app_context():
        db.session.execute(
            update(WorkOrder)
            .where(WorkOrder.id == work_order_id)
            .values(state="done", elder_id="E000000", visit_on=town.city.day - timedelta(days=1))
        )
        db.session.commit()


def test_after_a_visit_two_faces_and_a_complaint_in_two_taps(desk, town: Town):
    finished(town, "W000005")
    here = desk("elder", width=390).open("/home")
    page = here.page
    assert page.locator("button[value=good]").count() == 1
    assert violations(page) == []
    page.goto(f"{town.url}/visits/W000005")
    page.click("summary:has-text('不对')")
    assert violations(page) == []
    assert small_things(page) == []
    here.picture("elder-complaint")
    page.click("text=晚到或没来")
    page.click("button:has-text('投诉')")
    page.wait_for_selector(".bar--wait")
    with town.app.app_context():
        owed = db.session.scalars(select(FollowUp).where(FollowUp.work_order_id == "W000005")).one()
        state = db.session.scalar(select(WorkOrder.state).where(WorkOrder.id == "W000005"))
    assert (owed.kind, owed.reason, state) == ("complaint", "late", "disputed")


def test_cancelling_says_that_the_voucher_comes_back_before_and_after(desk, town: Town):
    here = desk("elder", width=390).open("/services/ZJ001")
    page = here.page
    page.click("main form .btn--main")
    page.click("main form .btn--main")
    page.wait_for_url(re.compile("/visits/"))
    page.click("summary:has-text('取消')")
    words = page.locator("details[open]").inner_text()
    assert "券" in words
    assert "退" in words
    here.picture("elder-cancel")
    assert violations(page) == []
    page.click("details[open] .btn--grave")
    page.wait_for_selector(".bar")
    assert "退" in page.locator(".bar").inner_text()


def test_a_bill_is_one_page_and_prints_large(desk, chromium, town: Town):
    here = desk("elder", width=1440).open("/home/bill?month=2026-11")
    page = here.page
    page.emulate_media(media="print")
    assert not page.locator("[data-print]").is_visible()
    assert (
        page.evaluate("parseFloat(getComputedStyle(document.querySelector('main p')).fontSize)")
        >= 18
    )
    paper = page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page[^s]", paper)) == 1
