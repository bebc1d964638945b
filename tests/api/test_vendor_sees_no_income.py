"""Whatever a vendor can ask for, no programme, income class or level of ability is in the answer."""

from __future__ import annotations

import json
import re

import pytest

from marketplace.app import db
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from marketplace.web.auth import access_of
from marketplace.workflows.settle import close_month
from tests.api.conftest import PASSWORD
from tests.builders import DISTRICT, a_captured_visit, a_service
from tests.workflows.months import DECEMBER_2

TELLS = re.compile(
    r"\b(GP(-[ABC]\d)?|LV|NV|TQ|LTCI|MEAL|ADAPT|BED|CHAR|income_class|dibao|tekun|level)\b"
    r"|低保|特困|低收入|失能|政府购买|养老服务券|消费补贴"
)


@pytest.fixture
def closed(app, people, clock):
    """A month of the small city closed, with one visit that programmes paid a part of."""
    with app.app_context():
        with transaction(db.session):
            a_captured_visit(db.session, "W1", a_service(db.session, "ZJ002", price_fen=28_000))
        clock.at = DECEMBER_2
        bureau = Actor("u-close", Role.BUREAU, district_code=DISTRICT)
        ports = app.extensions["ports"]
        run = close_month(
            db.session, ports, bureau, period=Period(2026, 11), district_code=DISTRICT
        )
        assert run[0].lines == 1
    answer = people["vendor"].client.post(
        "/api/v1/tokens", json={"username": "vendor", "password": PASSWORD}
    )
    people["vendor"].token = answer.get_json()["token"]
    return people["vendor"]


def test_a_vendors_statement_says_government_and_own(closed):
    (row,) = closed.get("/statements").get_json()["items"]
    found = closed.get(f"/statements/{row['statement_id']}").get_json()
    assert set(found["by_programme"]) <= {"government", "OWN"}
    assert found["by_programme"]["government"] > 0
    assert sum(found["by_programme"].values()) == found["total_fen"]
    assert not TELLS.search(json.dumps(found, ensure_ascii=False).replace(found["sha256"], ""))


def test_nothing_that_a_vendor_can_read_tells_of_income_or_ability(app, closed):
    values = {
        "statement_id": closed.get("/statements").get_json()["items"][0]["statement_id"],
        "work_order_id": "W1",
        "elder_id": "E1",
        "visit_id": "X-W1",
        "vendor_id": "V1",
        "caregiver_id": "C1",
        "day": "2026-11-23",
        "on": "2026-11-23",
        "period": "2026-11",
        "month": "2026-11",
    }
    answered, telling = [], []
    for rule in app.url_map.iter_rules():
        roles = access_of(app, rule.endpoint) or frozenset()
        is_page = "GET" in rule.methods and not rule.rule.startswith(("/live", "/static"))
        if Role.VENDOR not in roles or not is_page or rule.arguments - values.keys():
            continue
        url = rule.build({a: values[a] for a in rule.arguments})[1]
        answer = closed.client.get(url, headers=closed.headers())
        if answer.status_code == 200:
            answered.append(rule.endpoint)
            text = re.sub(r"[0-9a-f]{64}", "", answer.get_data(as_text=True))
            text = re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.S)
            if found := TELLS.search(text):
                telling.append((rule.endpoint, found.group()))
    assert len(answered) > 10, answered
    assert {"api_periods.get_statement", "vendor_money.money_page"} <= set(answered)
    assert telling == []
