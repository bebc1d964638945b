"""Personal data over HTTP: looks, consents, refused people, a day put back."""

from __future__ import annotations

import pytest

from marketplace.app import db
from marketplace.elders.models import Elder
from tests import builders
from tests.api.test_api import ok, placed

NUMBER = "321204194603040028"


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


def test_an_offer_tells_a_vendor_no_name_before_it_accepts(told):
    work_order_id = placed(told, vendor_id="V1")
    offers = told["vendor"].get("/offers").get_data(as_text=True)
    detail = told["vendor"].get(f"/work-orders/{work_order_id}").get_data(as_text=True)
    assert work_order_id in offers
    assert "张桂兰" not in offers + detail
