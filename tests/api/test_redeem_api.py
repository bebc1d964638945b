"""Cards, codes, calls and papers over HTTP."""

from tests.api.test_api import assigned, ok

UNTIL = "2027-12-31"
TIMES = {"began_at": "2026-11-24T01:00:00+00:00", "ended_at": "2026-11-24T02:00:00+00:00"}


def test_a_sheet_is_printed_once_and_listed_without_its_codes(people):
    body = {"valid_until": UNTIL, "codes": 2}
    made = ok(people["community"].post("/elders/E1/cards", body), 201)
    assert [len(c) for c in made["codes"]] == [12, 12]
    listed = people["elder"].get("/elders/E1/cards")
    assert made["codes"][0] not in listed.get_data(as_text=True)
    assert ok(listed)["items"][0]["codes_left"] == 2
    gone = ok(people["elder"].post(f"/cards/{made['card_id']}/revocation", {"reason": "lost"}))
    assert gone["elder_id"] == "E1"
    assert people["vendor"].get("/elders/E1/cards").status_code == 403


def test_two_people_type_a_paper_and_the_first_cannot_be_the_second(people, clock):
    work_order_id = assigned(people)
    clock.advance(days=1, hours=6)
    body = {"slip_no": "P-1", "caregiver_ids": ["C1"], "signed_by": "elder", **TIMES}
    path = f"/work-orders/{work_order_id}/paper"
    assert ok(people["community"].post(path, body))["why"] == "second_person"
    assert people["community"].post(path, body).status_code == 403
    seen = people["street"].get(f"/work-orders/{work_order_id}")
    assert ok(seen)["visits"] == []
    assert "P-1" not in seen.get_data(as_text=True)
    assert ok(people["hotline"].post(path, body))["state"] == "done"
    [visit] = ok(people["street"].get(f"/work-orders/{work_order_id}"))["visits"]
    assert {e["method"] for e in visit["evidence"]} == {"paper"}


def test_an_unknown_number_keeps_the_hold(people, clock):
    work_order_id = assigned(people)
    clock.advance(days=1, hours=3)
    body = {"caregiver_ids": ["C1"], "recording": "call-1", "number": "13900000000", **TIMES}
    path = f"/work-orders/{work_order_id}/phone-report"
    answer = ok(people["hotline"].post(path, body))
    assert (answer["state"], answer["captured_fen"]) == ("disputed", 0)
    assert people["vendor"].post(path, body).status_code == 403


def test_a_site_reader_refuses_what_nobody_was_given(people):
    body = {"reading_id": "r-1", "code": "ABCDEF12", "caregiver_ids": ["C1"]}
    assert people["vendor"].post("/sites/K1/readings", body).status_code == 422
    assert people["other"].post("/sites/K1/readings", body).status_code == 404
