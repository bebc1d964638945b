"""A caregiver's phone: hours, a mistake, a visit given back, a photo, the home's picture code."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from marketplace.app import db
from marketplace.orders.models import Assignment, WorkOrder
from marketplace.visits.homecode import code_of
from marketplace.visits.models import Correction, Evidence, Visit, VisitPhoto
from tests.journeys.conftest import Town
from tests.journeys.test_pages import violations

pytestmark = [pytest.mark.browser, pytest.mark.slow]

JPEG = (
    "const c = document.createElement('canvas'); c.width = 640; c.height = 480;"
    "const p = c.getContext('2d'); p.fillStyle = '#c93'; p.fillRect(60, 60, 300, 200);"
)


def stops(town: Town) -> list[tuple[str, str]]:
    """Return the caregiver's open visits of today, by their start: work order and elder."""
    with town.app.app_context():
        return [
            (r[0], r[1])
            for r in db.session.execute(
                select(WorkOrder.id, WorkOrder.elder_id)
                .join(Assignment, Assignment.work_order_id == WorkOrder.id)
                .where(
                    Assignment.caregiver_id == town.city.caregiver_id,
                    WorkOrder.state == "assigned",
                    WorkOrder.visit_on == town.city.day,
                )
                .order_by(Assignment.starts_at, WorkOrder.id)
            )
        ]


def test_a_visit_that_cannot_be_made_is_given_back_with_a_reason(desk, town: Town):
    work_order_id = stops(town)[-1][0]
    here = desk("caregiver", width=390).open("/next")
    page = here.page
    page.evaluate(
        """(id) => document.querySelectorAll('[data-stop]').forEach(
          (stop) => { stop.hidden = stop.dataset.stop !== id; })""",
        work_order_id,
    )
    stop = page.locator(f"article[data-stop='{work_order_id}']")
    stop.locator("summary:has-text('去不了')").click()
    assert violations(page) == []
    here.picture("caregiver-cannot")
    stop.locator("text=车坏了").click()
    stop.locator("button:has-text('换人去')").click()
    page.wait_for_selector(".bar--ok")
    with town.app.app_context():
        crew = db.session.scalars(
            select(Assignment.caregiver_id).where(Assignment.work_order_id == work_order_id)
        ).all()
    assert town.city.caregiver_id not in crew


def test_the_homes_picture_code_checks_in_and_a_photo_of_the_work_is_kept(desk, town: Town):
    with town.app.app_context():
        row = db.session.execute(
            select(WorkOrder.id, WorkOrder.elder_id)
            .join(Assignment, Assignment.work_order_id == WorkOrder.id)
            .where(
                Assignment.caregiver_id == town.city.caregiver_id,
                WorkOrder.state == "assigned",
                WorkOrder.visit_on == town.city.day,
            )
            .order_by(Assignment.starts_at, WorkOrder.id)
        ).first()
        db.session.execute(
            WorkOrder.__table__.update()
            .where(WorkOrder.id == row.id)
            .values(
                category_code="ZJ",
                skill_code="GEN",
                window_start_s=10 * 3600,
                window_end_s=11 * 3600,
            )
        )
        db.session.commit()
        text = code_of(town.app.extensions["ports"].vault, row.elder_id, town.clock.now()).qr
    before = photos_of(town)
    here = desk("caregiver", width=390)
    page = here.page
    page.add_init_script(
        f"""window.BarcodeDetector = class {{ async detect() {{ return [{{ rawValue: {text!r} }}]; }} }};
        navigator.mediaDevices.getUserMedia = async () => {{
          {JPEG} return c.captureStream(5); }};"""
    )
    page.clock.set_fixed_time(town.clock.now())
    here.open("/next")
    stop = page.locator(f"article[data-stop='{row.id}']")
    stop.locator("[data-scan=check_in]").click()
    stop.locator("[data-part=out]").wait_for(state="visible")
    page.wait_for_selector("#phone[data-sent='1']", state="attached")
    picture = page.evaluate(f"() => {{ {JPEG} return c.toDataURL('image/jpeg').split(',')[1]; }}")
    stop.locator("[data-photo] input").set_input_files(
        {"name": "work.jpg", "mimeType": "image/jpeg", "buffer": base64.b64decode(picture)}
    )
    page.wait_for_selector("#phone[data-sent='2']", state="attached")
    assert "1" in stop.locator("[data-photo-word]").inner_text()
    assert violations(page) == []
    here.picture("caregiver-photo")
    with town.app.app_context():
        kinds = db.session.execute(
            select(Evidence.kind, Evidence.method)
            .join(Visit, Visit.id == Evidence.visit_id)
            .where(Visit.work_order_id == row.id)
            .order_by(Evidence.kind)
        ).all()
    assert [tuple(k) for k in kinds] == [("check_in", "home_code"), ("photo", "gps_photo")]
    assert photos_of(town) == before + 1


def photos_of(town: Town) -> int:
    with town.app.app_context():
        return db.session.scalar(select(func.count()).select_from(VisitPhoto))


@contextmanager
def checked_in(town: Town, *, category: str, skill: str) -> Iterator[str]:
    """Put the caregiver into the next home, for a service of that category, and out at the end.

    The phone shows the visit that somebody is in before all others: left open, it would hide theirs.
    """
    work_order_id, elder_id = stops(town)[0]
    with town.app.app_context():
        work = db.session.get(WorkOrder, work_order_id)
        work.state, work.category_code, work.skill_code = "in_service", category, skill
        db.session.add(
            Visit(
                id=f"visit-{work_order_id}",
                work_order_id=work_order_id,
                caregiver_id=town.city.caregiver_id,
                elder_id=elder_id,
                service_code=work.service_code,
                visit_on=town.city.day,
                check_in_at=town.clock.now(),
                verdict="open",
                findings=[],
            )
        )
        db.session.commit()
    yield work_order_id
    with town.app.app_context():
        db.session.get(WorkOrder, work_order_id).state = "done"
        db.session.commit()


def test_a_photo_without_a_signal_is_kept_and_sent_once(desk, town: Town):
    with checked_in(town, category="ZJ", skill="GEN") as work_order_id:
        here = desk("caregiver", width=390)
        page = here.page
        page.clock.set_fixed_time(town.clock.now())
        here.open("/next")
        before = photos_of(town)
        stop = page.locator(f"article[data-stop='{work_order_id}']")
        picture = page.evaluate(
            f"() => {{ {JPEG} return c.toDataURL('image/jpeg').split(',')[1]; }}"
        )
        page.context.set_offline(True)
        stop.locator("[data-photo] input").set_input_files(
            {"name": "work.jpg", "mimeType": "image/jpeg", "buffer": base64.b64decode(picture)}
        )
        # Not a wait for an expression: a page of ours lets nobody evaluate text later on.
        page.wait_for_selector("#queue:visible:has-text('1')")
        assert page.evaluate("JSON.parse(localStorage.getItem('nuanju-kept')).length") == 1
        assert photos_of(town) == before
        page.context.set_offline(False)
        page.wait_for_selector("#phone[data-sent]", state="attached")
        for _ in range(2):
            page.evaluate("dispatchEvent(new Event('online'))")
        assert page.evaluate("localStorage.getItem('nuanju-kept')") == "[]"
        assert photos_of(town) == before + 1


def test_nobody_is_asked_for_a_photo_of_a_bath(desk, town: Town):
    with checked_in(town, category="ZY", skill="BATH") as work_order_id:
        stop = (
            desk("caregiver", width=390)
            .open("/next")
            .page.locator(f"article[data-stop='{work_order_id}']")
        )
        assert stop.locator("[data-photo]").count() == 0
        assert "不拍照" in (stop.text_content() or "")


def test_hours_and_a_mistake_that_keeps_the_first_record(desk, town: Town):
    with town.app.app_context():
        work = db.session.scalars(
            select(WorkOrder)
            .join(Assignment, Assignment.work_order_id == WorkOrder.id)
            .where(Assignment.caregiver_id == town.city.caregiver_id, WorkOrder.state == "assigned")
            .order_by(WorkOrder.id.desc())
        ).first()
        work.state = "done"
        at = town.clock.now() - timedelta(hours=2)
        db.session.add(
            Visit(
                id="visit-hours",
                work_order_id=work.id,
                caregiver_id=town.city.caregiver_id,
                elder_id=work.elder_id,
                service_code=work.service_code,
                visit_on=town.city.day,
                check_in_at=at,
                check_out_at=at + timedelta(minutes=50),
                verdict="verified",
                findings=[],
            )
        )
        db.session.commit()
    here = desk("caregiver").open("/next/hours")
    for width in (320, 390, 1440):
        here.resize(width)
        assert violations(here.page) == []
        assert here.overflow() <= 0
    page = here.page
    assert "50" in page.locator("li:has-text('8:12')").inner_text()
    line = page.locator("li:has-text('8:12')")
    line.locator("summary:has-text('时间不对')").click()
    assert violations(page) == []
    here.picture("caregiver-hours")
    line.locator("input[name=says_out]").fill("09:20")
    line.locator("input[name=reason]").fill("忘了签退，后来才点")
    line.locator("button:has-text('交更正')").click()
    page.wait_for_selector(".bar--ok")
    assert re.search("等着审核", page.locator("main").inner_text())
    with town.app.app_context():
        asked = db.session.scalars(select(Correction)).one()
        visit = db.session.get(Visit, "visit-hours")
        assert (asked.state, asked.was_out_at) == ("asked", visit.check_out_at)
