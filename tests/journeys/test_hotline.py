"""The hotline by keyboard alone: ring, repeat, new caller, calls that are owed, what callers ask for."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from marketplace.app import db
from marketplace.elders.follow_ups import NewFollowUp, open_one
from marketplace.elders.models import Elder, FollowUp
from marketplace.kernel.db import transaction
from marketplace.orders.models import Assignment, WorkOrder
from tests.journeys.conftest import Town
from tests.journeys.test_pages import violations

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CALLER = "13800000000"
"""The telephone of 张桂兰, E000000."""


class Keys:
    """Presses keys and counts them."""

    def __init__(self, page) -> None:
        self.page = page
        self.count = 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.count += 1
            self.page.keyboard.press(key)


def ring(here, phone: str, call: str) -> int:
    """Let the telephone system say that this operator's telephone rings."""
    return here.page.evaluate(
        """async ([phone, call]) => {
          const token = document.querySelector('input[name=csrf_token]').value;
          const answer = await fetch('/api/v1/rings', {method: 'POST',
            headers: {'Content-Type': 'application/json', 'X-CSRFToken': token},
            body: JSON.stringify({phone, call})});
          return answer.status;
        }""",
        [phone, call],
    )


def orders_of(town: Town, elder_id: str) -> int:
    with town.app.app_context():
        return db.session.scalar(
            select(func.count()).select_from(WorkOrder).where(WorkOrder.elder_id == elder_id)
        )


def test_from_ring_to_read_back_takes_at_most_three_keys(desk, town):
    here = desk("hotline").open("/hotline")
    page = here.page
    page.wait_for_selector("html[data-live='1']", state="attached")
    before = orders_of(town, "E000000")
    assert ring(here, CALLER, "REC-100") == 202
    page.wait_for_selector("#card")
    keys = Keys(page)
    keys.press("1")
    assert page.locator(".usual[open] .say").inner_text().startswith("张")
    keys.press("Enter")
    page.wait_for_selector(".bar--ok")
    assert "念一遍" in page.locator(".bar--ok").inner_text()
    assert keys.count <= 3
    assert orders_of(town, "E000000") == before + 1


def test_a_ring_never_takes_an_open_card_away(desk, town):
    here = desk("hotline").open(f"/hotline?phone={CALLER}&call=REC-101")
    page = here.page
    page.wait_for_selector("html[data-live='1']", state="attached")
    ring(here, "13800000001", "REC-102")
    page.wait_for_selector("#ringing:visible")
    assert page.locator("#card h1").inner_text() == "张*兰"
    assert "0001" in page.locator("#ringing").inner_text()
    page.keyboard.press("F4")
    page.wait_for_url(re.compile("REC-102"))


def test_an_unknown_number_is_taken_on_in_five_fields_by_keyboard(desk, town):
    here = desk("hotline").open("/hotline?phone=13911112222&call=REC-103")
    page = here.page
    page.wait_for_selector("#newcaller")
    assert violations(page) == []
    here.picture("hotline-new-caller")
    page.keyboard.type("顾巧英")
    page.keyboard.press("Tab")
    page.keyboard.type("hl cd")
    page.wait_for_selector("#places [role=option]")
    assert violations(page) == []
    page.keyboard.press("Enter")
    assert page.locator("#n-address").input_value().startswith("海陵区城东街道")
    page.keyboard.type("春晖里 6 幢 301")
    page.keyboard.press("Tab")
    page.keyboard.type("1042")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_selector("#n-year-error")
    assert page.locator("#n-name").input_value() == "顾巧英"
    assert page.evaluate("document.activeElement.id") == "n-year"
    here.picture("hotline-new-caller-refused")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("1944")
    page.keyboard.press("Enter")
    page.wait_for_selector("#card h1")
    assert page.locator("#card h1").inner_text() == "顾*英"
    assert violations(page) == []
    with town.app.app_context():
        known = db.session.scalars(select(Elder).where(Elder.name == "顾巧英")).one()
        assert known.district_code == "321202"


def owed(town: Town, kind: str, reason: str, elder_id: str, work_order_id: str | None) -> str:
    with town.app.app_context(), transaction(db.session):
        new = NewFollowUp(
            kind=kind,
            dedup_key=f"{kind}/{reason}/{elder_id}/test",
            elder_id=elder_id,
            work_order_id=work_order_id,
            reason=reason,
            due_at=town.clock.now() - timedelta(minutes=26),
        )
        open_one(db.session, new, at=town.clock.now(), by="test")
        return db.session.scalar(select(FollowUp.id).where(FollowUp.dedup_key == new.dedup_key))


def result_of(town: Town, follow_up_id: str) -> str:
    with town.app.app_context():
        return db.session.scalar(select(FollowUp.result).where(FollowUp.id == follow_up_id))


def test_the_calls_that_are_owed_are_worked_off_by_keyboard(desk, town):
    welfare = owed(town, "welfare", "shut_door", "E000002", "W000002")
    back = owed(town, "call_back", "first_visit", "E000003", "W000003")
    here = desk("hotline").open("/hotline")
    page = here.page
    assert violations(page) == []
    here.picture("hotline-queue")
    page.keyboard.press("F4")
    page.wait_for_selector("#task-panel")
    assert page.evaluate("document.activeElement.value") == "well"
    assert violations(page) == []
    here.picture("hotline-welfare")
    page.keyboard.press("Enter")
    page.wait_for_selector(".bar--ok")
    assert result_of(town, welfare) == "well"
    assert page.locator("#task-panel input[name=came]").count() == 2
    for answers in range(4):
        page.keyboard.press("Space")
        if answers == 3:
            for _ in range(4):
                page.keyboard.press("ArrowRight")
        page.keyboard.press("Tab")
    here.picture("hotline-call-back")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("hotline"))
    page.wait_for_selector(".bar--ok")
    assert result_of(town, back) == "satisfied"


def late_visit(town: Town) -> tuple[str, str]:
    """Return a visit of this morning to which nobody has come, and its elder's telephone."""
    with town.app.app_context():
        row = db.session.execute(
            select(WorkOrder.id, WorkOrder.elder_id)
            .join(Assignment, Assignment.work_order_id == WorkOrder.id)
            .where(
                WorkOrder.state == "assigned",
                WorkOrder.crew == 1,
                WorkOrder.window_end_s <= 10 * 3600,
                Assignment.starts_at < town.clock.now() - timedelta(minutes=20),
            )
            .order_by(WorkOrder.id)
        ).first()
    return row.id, f"138{int(row.elder_id[1:]):08d}"


def test_a_helper_who_did_not_come_is_replaced_in_two_keys(desk, town):
    work_order_id, phone = late_visit(town)
    here = desk("hotline").open(f"/hotline?phone={phone}&call=REC-104")
    page = here.page
    keys = Keys(page)
    keys.press("n")
    here.picture("hotline-nobody-came")
    assert violations(page) == []
    keys.press("Enter")
    page.wait_for_selector(".notes .bar")
    assert keys.count == 2
    with town.app.app_context():
        state = db.session.scalar(select(WorkOrder.state).where(WorkOrder.id == work_order_id))
        crew = db.session.scalars(
            select(Assignment.locked).where(Assignment.work_order_id == work_order_id)
        ).all()
    assert (state, crew) in (("assigned", [True]), ("offered", []), ("pooled", []))


def test_where_is_my_helper_stands_on_the_card(desk):
    here = desk("hotline").open(f"/hotline?phone={CALLER}")
    words = here.page.locator("[data-live=helper]").inner_text()
    assert re.search(r"预计 \d+:\d\d 到|到的，正在做|没有下单|没人|还没有订", words), words


def test_a_visit_is_moved_in_three_keys_and_a_complaint_is_linked_to_it(desk, town):
    here = desk("hotline").open("/hotline?phone=13800000007&call=REC-105")
    page = here.page
    keys = Keys(page)
    keys.press("r")
    page.wait_for_selector("details[open] [data-times] input:focus")
    assert page.locator("[data-times] .say").inner_text().endswith("您要哪个时间？")
    assert violations(page) == []
    here.picture("hotline-another-time")
    keys.press("2", "Enter")
    page.wait_for_selector(".bar--ok")
    assert keys.count == 3
    keys = Keys(page)
    keys.press("c", "3")
    assert page.locator("input[name=category]:checked").input_value() == "attitude"
    here.picture("hotline-complaint")
    assert violations(page) == []
    keys.press("Enter")
    page.wait_for_selector(".bar--ok")
    with town.app.app_context():
        reasons = db.session.scalars(
            select(FollowUp.reason).where(
                FollowUp.elder_id == "E000007", FollowUp.kind == "complaint"
            )
        ).all()
    assert reasons == ["attitude"]


def test_a_code_for_a_relative_is_read_out(desk):
    here = desk("hotline").open("/hotline?phone=13800000008&call=REC-106")
    page = here.page
    page.keyboard.press("l")
    page.locator("details[open] input[name=consent]").check()
    assert violations(page) == []
    page.locator("details[open][data-key=l] button").click()
    page.wait_for_selector(".bar--ok")
    assert re.search(r"[2-9A-Z]{4} [2-9A-Z]{4}", page.locator(".bar--ok").inner_text())
