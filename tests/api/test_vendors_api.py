"""Suspending over HTTP: civil affairs acts, everybody who asks sees whom it could not move."""

from tests.api.test_api import accepted, ok


def test_civil_affairs_suspends_and_a_second_person_reinstates(people):
    work_order_id = accepted(people)
    because = {"reason": "three false visits"}
    done = ok(people["bureau"].post("/vendors/V1/suspension", because))
    assert (done["offered"], done["not_moved"], done["elders_told"]) == (1, [], 1)
    assert people["bureau"].post("/vendors/V1/suspension", because).status_code == 409
    [seen] = ok(people["hotline"].get("/vendors/V1/suspensions"))["items"]
    assert [m["work_order_id"] for m in seen["moves"]] == [work_order_id]
    assert people["vendor"].get("/vendors/V1/suspensions").status_code == 403
    assert people["bureau"].post("/vendors/V1/reinstatement", because).status_code == 403
    back = ok(people["second"].post("/vendors/V1/reinstatement", because))
    assert back["state"] == "active"


def test_nobody_else_suspends_and_a_reason_is_needed(people):
    for who in ("elder", "vendor", "hotline", "auditor", "street"):
        assert people[who].post("/vendors/V1/suspension", {"reason": "x"}).status_code == 403
    assert people["bureau"].post("/vendors/V1/suspension", {"reason": " "}).status_code == 422
    assert people["bureau"].post("/vendors/V9/suspension", {"reason": "x"}).status_code == 404
