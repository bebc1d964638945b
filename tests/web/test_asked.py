"""Whatever an address or a form asks for is answered or refused by its field, never met as a fault."""

from __future__ import annotations

import json

import pytest

from marketplace.accounts.models import Account
from marketplace.app import db
from marketplace.kernel.clock import Period
from tests import builders
from tests.web.conftest import Browser
from tests.workflows import world

HUGE = "9" * 30
LONG = "x" * 3_000

ADDRESSES = {
    "bureau": (
        "/plan?day=9999-12-31",
        "/plan?day=0001-01-01",
        f"/plan?from={HUGE}",
        "/plan/map.json?day=9999-12-31",
        "/board?day=9999-12-31",
        f"/board?from={HUGE}",
        f"/board?visit={LONG}",
        "/grants?month=9999-12",
        "/settlement?month=0001-01",
        "/fairness?month=0001-01",
        f"/cases?from={HUGE}",
        "/cases?q=%00",
        "/cases/%00",
        "/visits/%00",
        f"/visits/{LONG}",
        f"/statements/x?from={HUGE}",
        "/programmes/%00",
    ),
    "vendor": (
        "/vendor/people?week=9999-12-31",
        f"/vendor/people?from={HUGE}",
        "/vendor/fair?day=9999-12-31",
        f"/vendor/fair?from={HUGE}",
        f"/board?visit=x&who=C1&at={HUGE}:00",
    ),
    "hotline": ("/hotline?q=%00", "/hotline?phone=%001234567", f"/hotline?q={LONG}"),
    "elder": (
        "/home/bill?month=0001-01",
        "/home/bill?month=2026-1x",
        "/services?q=%00",
        "/services/ZJ001?day=9999-12-31",
    ),
}

SEATS = json.dumps([{"work_order_id": "W", "version": 1, "caregiver_ids": [], "start_s": None}])

FORMS = {
    "vendor": (
        ("/visits/W/send", {"who": f"C1@{HUGE}"}),
        ("/vendor/people/C1/week", {"week": "9999-12-31"}),
        ("/vendor/people/C1/week", {"from-6-a": f"{HUGE}:00", "to-6-a": "24:00"}),
        ("/vendor/people/C1/leave", {"first": "9999-12-31", "last": "9999-12-31"}),
        ("/vendor/people/C1/leave", {"first": "2026-11-25", "last": "2026-11-25", "key": LONG}),
        ("/vendor/people/C1/leave", {"first": "2026-11-25", "last": "2026-11-25", "reason": "\0"}),
        ("/board/keep", {"day": "2026-11-24", "seats": SEATS.replace("null", "Infinity")}),
        ("/board/keep", {"day": "2026-11-24", "seats": SEATS.replace(": 1,", f": {HUGE},")}),
        ("/board/keep", {"day": "2026-11-24", "seats": "[" * 100_000}),
        ("/board/keep", {"day": "9999-12-31", "seats": SEATS}),
        ("/vendor/offers", {"offer": LONG, "answer": "decline", "reason": "no_capacity"}),
    ),
    "hotline": (
        ("/hotline/act", {"act": "reschedule", "time": f"2026-11-25/{HUGE}-{HUGE}"}),
        ("/hotline/act", {"act": "reschedule", "time": "9999-12-31/28800-36000"}),
        ("/hotline/act", {"act": "no_show", "who": f"C1@{HUGE}"}),
        ("/hotline/act", {"act": "cancel", "call": LONG, "visit": LONG}),
        ("/hotline/new", {"phone": HUGE, "name": LONG, "address": LONG, "born_year": HUGE}),
    ),
    "elder": (
        ("/services/ZJ001/check", {"on": "9999-12-31", "window": "28800-36000"}),
        ("/services/ZJ001/check", {"on": "2026-11-25", "window": f"{HUGE}-{HUGE}"}),
        ("/services/ZJ001/check", {"slot": f"2026-11-25/{HUGE}/C1"}),
        ("/services/ZJ001/order", {"on": "2026-11-25", "window": "28800-36000", "key": LONG}),
    ),
    "caregiver": (
        ("/next/mistake", {"on": "9999-12-31", "says_in": "9:30", "says_out": "10:30"}),
        ("/next/mistake", {"on": "2026-11-23", "says_in": f"{HUGE}:30", "says_out": "10:30"}),
        ("/next/cannot", {"visit": "\0", "reason": "illness"}),
    ),
}


@pytest.fixture
def town(app, accounts):
    """The small city, each account bound to somebody in it; a visit W that one of V1 goes to."""
    with app.app_context():
        world.build(db.session)
        builders.granted(db.session, Period(2026, 11))
        for name, bound in {
            "vendor": {"vendor_id": "V1"},
            "elder": {"elder_id": "E1"},
            "caregiver": {"vendor_id": "V1", "caregiver_id": "C1"},
        }.items():
            account = db.session.query(Account).filter_by(username=name).one()
            for column, value in bound.items():
                setattr(account, column, value)
        db.session.commit()
        ports = app.extensions["ports"]
        work_order_id = world.accepted(db.session, ports)
        world.given(db.session, ports, work_order_id, "C1", 9 * 3600)
    return work_order_id


def test_no_address_ends_in_a_fault(app, town):
    for role, addresses in ADDRESSES.items():
        browser = Browser(app.test_client())
        browser.sign_in(role)
        said = {address: browser.get(address).status_code for address in addresses}
        assert set(said.values()) <= {200, 302, 404, 422}, (role, said)


def test_no_form_ends_in_a_fault(app, town):
    for role, forms in FORMS.items():
        browser = Browser(app.test_client())
        browser.sign_in(role)
        token = browser.token("/no-such-page")
        for path, form in forms:
            sent = {"csrf_token": token, "key": "key-of-the-form", "visit": town, "elder": "E1"}
            path = path.replace("/W/", f"/{town}/")
            answer = browser.client.post(path, data={**sent, **form})
            assert answer.status_code in {200, 302, 404, 409, 422}, (role, path, form)
    with app.app_context():
        assert world.crew_of(db.session, town) == ["C1"]


def test_a_phone_that_sends_what_cannot_be_is_refused(app, town):
    browser = Browser(app.test_client())
    browser.sign_in("caregiver")
    item = {
        "id": "evidence-1",
        "kind": "check_in",
        "work_order_id": town,
        "visit_id": "visit-0001",
        "method": "gps",
        "lat": 32.5,
        "lng": 120.1,
    }
    headers = {"X-CSRFToken": browser.token("/no-such-page"), "Accept": "application/json"}
    for changed in (
        {"visit_id": "visit\x000001"},
        {"at_device": "0001-01-01T00:00:00+14:00"},
        {"note": "a\0b"},
        {"id": "x" * 41},
    ):
        body = {"items": [{**item, **changed}]}
        answer = browser.client.post("/next/send", json=body, headers=headers)
        assert answer.status_code == 422, changed


def test_a_request_that_is_too_large_is_refused_before_it_is_read(browser):
    answer = browser.client.post(
        "/api/v1/tokens", data=b"[" * (9 * 2**20), content_type="application/json"
    )
    assert answer.status_code == 413


def test_a_day_that_the_calendar_lacks_is_named(app, town):
    browser = Browser(app.test_client())
    browser.sign_in("bureau")
    answer = browser.get("/plan?day=9999-12-31", headers={"Accept": "application/json"})
    assert answer.status_code == 422
    assert answer.get_json()["field"] == "day"
