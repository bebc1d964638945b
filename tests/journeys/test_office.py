"""Civil affairs at the desk, in a browser: grants by two persons, a correction, a held visit, exports."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from marketplace.app import db
from marketplace.orders.models import Assignment, WorkOrder, WorkOrderEvent
from marketplace.visits.models import Correction, Visit
from tests.journeys.conftest import Town
from tests.journeys.test_pages import violations

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_grant_is_previewed_and_waits_for_another_person(desk):
    here = desk("bureau").open("/grants?month=2026-12")
    page = here.page
    page.click("button[aria-label='预览海陵区']")
    page.wait_for_selector("text=还没有发放")
    assert violations(page) == []
    assert page.locator("button[aria-label='发放海陵区']").count() == 0
    here.picture("office-grants-preview")


def served(town: Town, work_order_id: str, visit_id: str, state: str) -> None:
    """Let a visit have happened an hour ago, with a correction that waits."""
    with town.app.app_context():
        work = db.session.get(WorkOrder, work_order_id)
        caregiver = (
            db.session.scalar(
                select(Assignment.caregiver_id).where(Assignment.work_order_id == work_order_id)
            )
            or town.city.caregiver_id
        )
        at = town.clock.now() - timedelta(hours=2)
        work.state = state
        db.session.add(
            Visit(
                id=visit_id,
                work_order_id=work.id,
                caregiver_id=caregiver,
                elder_id=work.elder_id,
                service_code=work.service_code,
                visit_on=town.city.day,
                check_in_at=at,
                check_out_at=at + timedelta(minutes=20),
                verdict="held",
                findings=[{"rule": "F04", "action": "hold", "facts": {}}],
            )
        )
        db.session.flush()
        db.session.add(
            WorkOrderEvent(
                work_order_id=work.id, at=at, from_state="done", to_state=state,
                actor_id="system", role="system", reason="F04",
            )
        )  # fmt: skip
        db.session.add(
            Correction(
                id=f"corr-{visit_id}",
                visit_id=visit_id,
                work_order_id=work.id,
                caregiver_id=caregiver,
                was_in_at=at,
                was_out_at=at + timedelta(minutes=20),
                says_in_at=at,
                says_out_at=at + timedelta(minutes=60),
                reason="忘了签退",
                state="asked",
                asked_at=town.clock.now(),
                asked_by="somebody",
                decision="",
            )
        )
        db.session.commit()


def test_a_correction_and_a_held_visit_are_decided_with_a_reason(desk, town: Town):
    served(town, "W000010", "visit-case", "disputed")
    here = desk("bureau").open("/cases")
    page = here.page
    assert violations(page) == []
    page.locator("article:has(input[value='corr-visit-case']) input[name=note]").fill("问过老人")
    page.locator("article:has(input[value='corr-visit-case']) button[value=approve]").click()
    page.wait_for_selector(".bar--ok")
    page.locator("article:has(input[value='W000010']) summary").click()
    assert violations(page) == []
    here.picture("office-cases-decide")
    page.locator("article:has(input[value='W000010']) input[name=note]").fill("电话核实")
    with page.expect_navigation():
        page.locator("article:has(input[value='W000010']) button[value=pay]").click()
    with town.app.app_context():
        asked = db.session.get(Correction, "corr-visit-case")
        visit = db.session.get(Visit, "visit-case")
        state = db.session.scalar(select(WorkOrder.state).where(WorkOrder.id == "W000010"))
        assert (asked.state, visit.check_out_at) == ("approved", asked.says_out_at)
    assert state == "confirmed"


def test_a_table_leaves_as_a_file(desk):
    here = desk("bureau").open("/fairness")
    with here.page.expect_download() as got:
        here.page.locator("a[href*='format=league']").click()
    assert got.value.suggested_filename.startswith("league-")


def test_an_auditor_draws_a_fen_and_walks_back(desk):
    here = desk("auditor").open("/money")
    here.page.click("text=随机抽一分钱")
    here.page.wait_for_load_state()
    assert here.page.locator("h1").count() == 1
    assert violations(here.page) == []
