"""Purses over the API: what is in them and how it moved, and the steps that fill them."""

from __future__ import annotations

import pytest

from marketplace.app import db
from marketplace.elders.models import Elder, FileLook
from marketplace.kernel.db import transaction


@pytest.fixture
def poor(app, people):
    """The first elder is poor, so that the home may be adapted."""
    with app.app_context(), transaction(db.session):
        db.session.get(Elder, "E1").income_class = "dibao"
    return people


def test_a_top_up_stands_in_the_purse_with_its_gift(people):
    done = people["street"].post("/elders/E1/top-ups", {"fen": 10_000, "receipt": "R-7"})
    assert (done.status_code, done.get_json()["gift"]) == (201, 5_000)
    for who in ("elder", "hotline", "bureau", "auditor", "street", "community"):
        found = people[who].get("/elders/E1/purses").get_json()
        [purse] = [p for p in found["purses"] if p["programme_code"] == "CHAR"]
        assert (purse["granted"], purse["left"], purse["held"]) == (15_000, 15_000, 0), who
        moved = [m for m in found["movements"] if m["programme_code"] == "CHAR"]
        assert [(m["what"], m["amount"]) for m in moved] == [("gift", 5_000), ("own_money", 10_000)]
        assert found["owed_fen"] == 0


def test_purses_are_closed_to_vendors_caregivers_and_relatives_without_the_power(people):
    for who in ("vendor", "caregiver", "family"):
        assert people[who].get("/elders/E1/purses").status_code == 403, who
    assert people["elder"].get("/elders/E2/purses").status_code == 404
    assert people["stranger"].get("/elders/E1/purses").status_code == 401


def test_a_look_into_a_purse_is_kept(app, people):
    people["hotline"].get("/elders/E1/purses")
    people["elder"].get("/elders/E1/purses")
    with app.app_context():
        looks = db.session.query(FileLook).filter_by(elder_id="E1", what="money").all()
        assert [look.role for look in looks] == ["hotline"]


def test_an_application_is_decided_by_a_second_person(poor):
    asked = {"programme_code": "ADAPT", "note": "handrails"}
    made = poor["community"].post("/elders/E1/grant-applications", asked)
    assert (made.status_code, made.get_json()["state"]) == (201, "applied")
    address = f"/grant-applications/{made.get_json()['application_id']}/decision"
    decision = {"approve": True, "reason": "seen at home"}
    assert poor["community"].post(address, decision).status_code == 403
    done = poor["bureau"].post(address, decision).get_json()
    assert (done["state"], done["amount"]) == ("approved", 300_000)
    found = poor["elder"].get("/elders/E1/purses").get_json()
    assert [p["left"] for p in found["purses"] if p["programme_code"] == "ADAPT"] == [300_000]


def test_hours_are_credited_and_given_to_kin(people):
    hours = {"minutes": 60, "record": "V-12"}
    assert people["street"].post("/elders/E1/hours", hours).status_code == 201
    gift = {"to_elder_id": "E2", "minutes": 45, "relation": "sister"}
    assert people["elder"].post("/elders/E1/hours/given", gift).status_code == 201
    found = people["bureau"].get("/elders/E2/purses").get_json()
    assert [p["left"] for p in found["purses"] if p["programme_code"] == "TB"] == [45]
    more = people["elder"].post("/elders/E1/hours/given", gift)
    assert (more.status_code, more.get_json()["code"]) == (422, "entitlement_too_small")


@pytest.mark.parametrize(
    ("who", "path", "body", "field"),
    [
        ("street", "/elders/E1/top-ups", {"fen": 0, "receipt": "R"}, "fen"),
        ("street", "/elders/E1/hours", {"minutes": 50, "record": "R"}, "minutes"),
        ("community", "/elders/E1/grant-applications", {"programme_code": "gp"}, "programme_code"),
    ],
)
def test_what_makes_no_sense_names_its_field(people, who, path, body, field):
    answer = people[who].post(path, body)
    assert (answer.status_code, answer.get_json()["field"]) == (422, field)
