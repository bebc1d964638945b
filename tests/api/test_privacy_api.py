"""Personal data over HTTP, and the walk of a vendor through everything that it can open."""

from __future__ import annotations

import pytest

from marketplace.app import db
from marketplace.elders.models import Elder
from marketplace.kernel.actor import Role
from marketplace.orders.models import WorkOrder
from marketplace.web.auth import access_of
from tests import builders
from tests.api.conftest import PASSWORD, Caller
from tests.api.test_api import confirmed, ok, placed
from tests.web.conftest import Browser

NUMBER = "321204194603040028"
SECRETS = (
    NUMBER,
    "dibao",
    "低保",
    "minimum living",
    "tefu",
    "特扶",
    "severe_disability",
    "重度失能",
    "GP-A",
    "GP-B",
    "gp_a",
)
"""What would tell a vendor of income or ability, or who somebody is."""


@pytest.fixture
def told(app, people):
    """The people, with an elder of whom there is much to tell."""
    with app.app_context():
        elder = db.session.get(Elder, "E1")
        vault = app.extensions["ports"].vault
        elder.id_number_sealed, elder.id_number_index = vault.seal(NUMBER), vault.index(NUMBER)
        elder.income_class, elder.special = "dibao", "severe_disability,tefu"
        builders.an_assessment(db.session, "E1", level=3)
        builders.granted(db.session, run="again")
        db.session.commit()
    return people


def test_the_elder_is_told_who_looked_and_why(told):
    work_order_id = placed(told)
    ok(told["hotline"].get(f"/work-orders/{work_order_id}"))
    shown = ok(told["bureau"].post("/elders/E1/id-number", {"reason": "household book"}))
    assert shown["id_number"] == NUMBER
    looks = ok(told["elder"].get("/elders/E1/looks"))["items"]
    assert [(x["role"], x["what"], x["reason"]) for x in looks] == [
        ("bureau", "id_number", "household book"),
        ("hotline", "visit", ""),
    ]
    assert [x["what"] for x in ok(told["auditor"].get("/elders/E1/looks"))["items"]]
    assert told["vendor"].get("/elders/E1/looks").status_code == 403
    assert told["hotline"].post("/elders/E1/id-number", {"reason": "x y"}).status_code == 403


def test_a_list_with_addresses_is_a_look_into_each_file(told):
    placed(told)
    [line] = ok(told["hotline"].get("/work-orders"))["items"]
    assert line["elder"]["address"]
    [masked] = ok(told["auditor"].get("/work-orders"))["items"]
    assert masked["elder"]["address"] is None
    looks = ok(told["elder"].get("/elders/E1/looks"))["items"]
    assert [(x["role"], x["what"]) for x in looks] == [("hotline", "visit")]


def test_a_refused_look_is_not_kept(told):
    assert told["vendor"].get("/elders/E1/as-of", on="2026-11-23").status_code == 403
    assert ok(told["elder"].get("/elders/E1/looks"))["items"] == []


def test_an_elder_withdraws_a_consent_and_the_family_sees_no_more(told):
    placed(told)
    assert ok(told["family"].get("/work-orders"))["items"]
    body = {"purpose": "family_view", "holds": False}
    assert not ok(told["elder"].post("/elders/E1/consents", body))["holds"]
    assert ok(told["family"].get("/work-orders"))["items"] == []
    listed = {
        c["purpose"]: c["holds"] for c in ok(told["elder"].get("/elders/E1/consents"))["items"]
    }
    assert (listed["family_view"], listed["photo"], listed["kin_care"]) == (False, True, False)


def test_a_file_is_put_back_to_a_day(told):
    placed(told)
    past = ok(told["bureau"].get("/elders/E1/as-of", on="2026-11-23"))
    assert {f["name"]: f["value"] for f in past["facts"]}["income_class"] == "dibao"
    assert (past["level"], len(past["visits"])) == (3, 1)
    assert told["elder"].get("/elders/E1/as-of", on="2026-11-23").status_code == 403


def test_a_refused_caregiver_is_listed(told):
    body = {"caregiver_id": "C1", "reason": "too loud"}
    assert ok(told["elder"].post("/elders/E1/refused-caregivers", body))["is_refused"]
    [row] = ok(told["elder"].get("/elders/E1/refused-caregivers"))["items"]
    assert (row["caregiver_id"], row["withdrawn_at"]) == ("C1", None)
    ok(told["elder"].post("/elders/E1/refused-caregivers", {**body, "is_refused": False}))


def _filled(rule, ids):
    """Return a route's addresses with every id that fits its place."""
    places = list(rule.arguments)
    return rule.rule if not places else _put(rule.rule, places, ids)


def _put(path, places, ids):
    for place in places:
        value = ids.get(place)
        if value is None:
            return None
        for kind in ("string:", "int:", "path:", "filename:", ""):
            path = path.replace(f"<{kind}{place}>", value)
    return None if "<" in path else path


@pytest.mark.parametrize("username", ["vendor", "caregiver"])
def test_the_supply_side_opens_everything_and_never_reads_of_income_or_ability(
    app, told, clock, username
):
    work_order_id = confirmed(told, clock)
    clock.advance(days=8)
    ok(told["bureau"].post("/periods/2026-11/close", {"district_code": builders.DISTRICT}))
    [statement] = ok(told["bureau"].get("/statements", period="2026-11"))["items"]
    with app.app_context():
        order_id = db.session.get(WorkOrder, work_order_id).order_id
    ids = {
        "work_order_id": work_order_id,
        "order_id": order_id,
        "elder_id": "E1",
        "visit_id": "X1",
        "vendor_id": "V1",
        "caregiver_id": "C1",
        "site_id": "K1",
        "period": "2026-11",
        "day": "2026-11-24",
        "service_code": "ZJ001",
        "code": "ZJ001",
        "statement_id": statement["statement_id"],
    }
    role = Role(username)
    browser = Browser(app.test_client())
    browser.sign_in(username, PASSWORD)
    caller: Caller = told[username]
    opened = {True: 0, False: 0}
    for rule in app.url_map.iter_rules():
        path = _filled(rule, ids)
        if "GET" not in rule.methods or path is None or "stream" in rule.rule:
            continue
        if role not in (access_of(app, rule.endpoint) or ()):
            continue
        headers = caller.headers() if path.startswith("/api/") else {"Accept-Language": "zh-CN"}
        client = caller.client if path.startswith("/api/") else browser.client
        answer = client.get(path, headers=headers)
        assert answer.status_code < 500, path
        if answer.mimetype == "text/event-stream":
            answer.close()
            continue
        body = answer.get_data(as_text=True)
        is_api = path.startswith("/api/")
        opened[is_api] += answer.status_code == 200
        hit = [s for s in SECRETS if s in body and "openapi" not in path]
        assert hit == [], path
    assert min(opened.values()) >= 1, opened
    assert sum(opened.values()) >= 7, opened


def test_an_offer_tells_a_vendor_no_name_before_it_accepts(told):
    work_order_id = placed(told, vendor_id="V1")
    offers = told["vendor"].get("/offers").get_data(as_text=True)
    detail = told["vendor"].get(f"/work-orders/{work_order_id}").get_data(as_text=True)
    assert work_order_id in offers
    assert "张桂兰" not in offers + detail
