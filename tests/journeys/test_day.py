"""One elder's day over the desks, by keyboard, live, and without a signal."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from marketplace.app import db
from marketplace.orders.models import Assignment, WorkOrder
from marketplace.visits.homecode import code_of
from marketplace.visits.models import Evidence, Visit
from tests.journeys.conftest import Town

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_hotline_repeats_an_order_with_two_keys_after_the_ring(desk, town):
    here = desk("hotline").open("/hotline?phone=13800000000&call=REC-77")
    assert here.page.locator("h1").inner_text() == "张*兰"
    here.page.keyboard.press("1")
    assert here.page.locator(".usual[open] .say").inner_text().startswith("张")
    here.page.keyboard.press("Enter")
    here.page.wait_for_selector("text=订好了")
    here.picture("hotline-ordered")
    with town.app.app_context():
        placed = db.session.scalar(
            select(func.count()).select_from(WorkOrder).where(WorkOrder.elder_id == "E000000")
        )
    assert placed > 0


def test_the_hotline_finds_by_letters_and_opens_with_a_number(desk):
    here = desk("hotline").open("/hotline")
    here.page.keyboard.press("/")
    here.page.keyboard.type("zgl")
    here.page.wait_for_selector("#found .keyrow")
    here.page.keyboard.press("1")
    here.page.wait_for_selector("#card h1")
    assert here.page.locator("#card h1").inner_text() == "张*兰"


def test_an_elder_orders_by_keyboard_alone(desk):
    here = desk("elder", width=390).open("/services/ZJ001")
    page = here.page
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('main form button.btn--main')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("text=谁来付")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('main form button.btn--main')"):
            break
    assert "我付" in page.evaluate("document.activeElement.innerText")
    here.picture("elder-confirm")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/visits/"))
    assert page.locator("text=订好了").count() == 1
    here.picture("elder-ordered")


def test_ordering_needs_no_javascript(chromium, town):
    context = chromium.new_context(
        java_script_enabled=False, viewport={"width": 390, "height": 844}
    )
    page = context.new_page()
    page.goto(f"{town.url}/sign-in")
    page.fill("#username", "elder")
    page.fill("#password", "nuanju-demo")
    page.click("form.narrow button")
    page.goto(f"{town.url}/services/ZJ002")
    page.click("main form .btn--main")
    page.click("main form .btn--main")
    assert "/visits/" in page.url
    context.close()


def test_a_vendor_accepts_by_keyboard_and_the_bureau_sees_it_without_a_reload(desk):
    watching = desk("bureau").open("/today")
    watching.page.wait_for_selector("html[data-live='1']", state="attached")
    acting = desk("vendor").open("/vendor")
    page = acting.page
    page.locator("input[name=offer]").first.focus()
    if not page.locator("input[name=offer]").first.is_checked():
        page.keyboard.press("Space")
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.value === 'accept'"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("text=接下了")
    watching.page.wait_for_selector("html[data-refreshed]", state="attached")
    acting.picture("vendor-accepted")


def test_three_visits_without_a_signal_are_three_visits_once_each(desk, town: Town):
    here = desk("caregiver", width=390).open("/next")
    page = here.page
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    here.open("/next")
    assert page.evaluate("navigator.serviceWorker.controller !== null")
    stops = page.locator("article.stop")
    ids = [stops.nth(n).get_attribute("data-stop") for n in range(3)]
    planned = planned_visits(town, ids)
    page.context.set_offline(True)
    page.reload()
    assert page.locator("article.stop:visible").count() == 1
    for work_order_id in ids:
        elder_id, starts_at, ends_at = planned[work_order_id]
        stop = page.locator(f"article[data-stop='{work_order_id}']")
        assert stop.is_visible()
        page.clock.set_fixed_time(starts_at)
        stop.locator("[data-part=in] input[name=code]").fill(code(town, elder_id, starts_at))
        stop.locator("[data-part=in] button.btn--main").click()
        page.clock.set_fixed_time(ends_at)
        stop.locator(".tick input").first.check()
        stop.locator("[data-part=out] input[name=code]").fill(code(town, elder_id, ends_at))
        stop.locator("[data-part=out] button.btn--main").click()
    assert "6" in page.locator("#queue").inner_text()
    here.picture("caregiver-offline")
    kept = page.evaluate("JSON.parse(localStorage.getItem('nuanju-kept'))")
    assert len({k["id"] for k in kept}) == 6
    before, town.clock.at = (
        town.clock.at,
        max(p[2] for p in planned.values()) + timedelta(minutes=5),
    )
    try:
        answers = send_ten_times(page, kept)
    finally:
        town.clock.at = before
    with town.app.app_context():
        visits = db.session.scalars(
            select(Visit.work_order_id).where(Visit.work_order_id.in_(ids))
        ).all()
        proofs = db.session.scalar(
            select(func.count())
            .select_from(Evidence)
            .join(Visit, Visit.id == Evidence.visit_id)
            .where(Visit.work_order_id.in_(ids))
        )
    assert (sorted(visits), proofs) == (sorted(ids), 6), answers[0]


def planned_visits(town: Town, ids: list[str]) -> dict[str, tuple[str, datetime, datetime]]:
    """Return whose home, from when to when, by work order."""
    with town.app.app_context():
        rows = db.session.execute(
            select(WorkOrder.id, WorkOrder.elder_id, Assignment.starts_at, Assignment.ends_at)
            .join(Assignment, Assignment.work_order_id == WorkOrder.id)
            .where(WorkOrder.id.in_(ids))
        ).all()
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def code(town: Town, elder_id: str, at: datetime) -> str:
    """Return the six digits that the home shows at an instant."""
    return code_of(town.app.extensions["ports"].vault, elder_id, at).code


def send_ten_times(page, kept: list[dict]) -> list[object]:
    """Come back to the signal: the same six things are sent ten times over."""
    page.context.set_offline(False)
    return page.evaluate(
        """async (items) => {
          const said = [];
          const token = document.querySelector('#phone input[name=csrf_token]').value;
          for (let n = 0; n < 10; n += 1) {
            const answer = await fetch('/next/send', {method: 'POST',
              headers: {'Content-Type': 'application/json', 'X-CSRFToken': token},
              body: JSON.stringify({items})});
            said.push(answer.ok ? (await answer.json()).results : answer.status);
          }
          return said;
        }""",
        kept,
    )
