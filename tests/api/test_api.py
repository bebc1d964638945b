"""The API: one order's life over HTTP, keys, refusals, what each role sees, every route and role."""

import pytest
from passlib.totp import TOTP

from marketplace.accounts.models import Account
from marketplace.accounts.service import NewAccount, create_accounts
from marketplace.app import db
from marketplace.kernel.actor import Role
from marketplace.kernel.db import transaction
from marketplace.web.auth import access_of
from tests.api.conftest import ACCOUNTS, PASSWORD
from tests.web.conftest import Browser

TUESDAY = "2026-11-24"
ORDER = {
    "elder_id": "E1",
    "service_code": "ZJ001",
    "starts_on": TUESDAY,
    "window_start_s": 32_400,
    "window_end_s": 36_000,
}


def ok(answer, status=200):
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.get_json()


def placed(people, who="elder", **changed):
    made = ok(people[who].post("/orders", {**ORDER, **changed}), 201)
    return made["work_orders"][0]["work_order_id"]


def accepted(people):
    work_order_id = placed(people, vendor_id="V1")
    [offer] = ok(people["vendor"].get("/offers"))["items"]
    ok(people["vendor"].post(f"/offers/{offer['id']}/accept"))
    return work_order_id


def assigned(people):
    work_order_id = accepted(people)
    body = {"caregiver_ids": ["C1"], "start_s": 32_400}
    ok(people["vendor"].post(f"/work-orders/{work_order_id}/assignment", body))
    return work_order_id


def evidence(clock, tail):
    return {
        "evidence_id": f"ev-{tail}",
        "method": "gps_photo",
        "at_device": clock.now().isoformat(),
        "lat": 32.51,
        "lng": 120.14,
        "accuracy_m": 12,
        "device_id": "D1",
    }


def visited(people, clock):
    """A visit was checked in and out; return its work order and what the check-out answered."""
    work_order_id = assigned(people)
    clock.advance(days=1, minutes=30)
    entered = {"visit_id": "X1", "shown": evidence(clock, "in")}
    ok(people["caregiver"].post(f"/work-orders/{work_order_id}/check-in", entered), 201)
    clock.advance(hours=1)
    shown = {"shown": evidence(clock, "out")}
    return work_order_id, ok(people["caregiver"].post("/visits/X1/check-out", shown))


def confirmed(people, clock):
    work_order_id, _ = visited(people, clock)
    ok(people["elder"].post(f"/work-orders/{work_order_id}/confirm", {"method": "tap"}))
    return work_order_id


def test_one_order_lives_from_placing_to_capture(people, clock):
    work_order_id, out = visited(people, clock)
    assert (out["state"], out["verdict"]) == ("done", "verified")
    paid = ok(people["elder"].post(f"/work-orders/{work_order_id}/confirm", {"method": "tap"}))
    assert (paid["state"], paid["captured_fen"]) == ("confirmed", 6_000)
    detail = ok(people["elder"].get(f"/work-orders/{work_order_id}"))
    assert [m["to_state"] for m in detail["history"]] == [
        "offered",
        "accepted",
        "assigned",
        "in_service",
        "done",
        "confirmed",
    ]
    entries = ok(people["auditor"].get(f"/work-orders/{work_order_id}/ledger"))["entries"]
    assert {e["kind"] for e in entries} == {"pending", "post"}


def test_the_same_key_gets_the_first_answer_and_other_content_a_refusal(people):
    first = ok(people["elder"].post("/orders", ORDER, key="same-key-1"), 201)
    assert ok(people["elder"].post("/orders", ORDER, key="same-key-1"), 201) == first
    answer = people["elder"].post("/orders", {**ORDER, "quantity": 2}, key="same-key-1")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "key_reused")


def test_a_write_without_a_key_is_refused_and_told_which_header(people):
    caller = people["elder"]
    answer = caller.client.post(
        "/api/v1/orders", json=ORDER, headers={"Authentication-Token": caller.token}
    )
    assert answer.status_code == 422
    assert answer.get_json()["field"] == "Idempotency-Key"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"quantity": True}, "quantity"),
        ({"quantity": "2"}, "quantity"),
        ({"quantity": 10**30}, "quantity"),
        ({"starts_on": 20261124}, "starts_on"),
        ({"starts_on": "9999-12-31"}, "starts_on"),
        ({"colour": "red"}, "colour"),
        ({"service_code": "zj001"}, "service_code"),
        ({"elder_id": None}, "elder_id"),
        ({"vendor_id": "V404"}, "vendor_id"),
        ({"rrule": "FREQ=NEVER"}, "rrule"),
    ],
)
def test_a_bad_value_is_refused_by_field(people, changed, field):
    answer = people["elder"].post("/orders", {**ORDER, **changed})
    problem = answer.get_json()
    assert answer.status_code in (404, 422)
    assert answer.mimetype == "application/problem+json"
    assert problem["field"] == field
    assert problem["code"]
    assert problem["detail"]


def test_an_integer_with_a_zero_fraction_is_an_integer(people):
    ok(people["elder"].post("/orders", {**ORDER, "quantity": 1.0}), 201)


def test_the_vendor_sees_the_address_only_after_it_accepted(people):
    work_order_id = placed(people, vendor_id="V1")
    before = ok(people["vendor"].get(f"/work-orders/{work_order_id}"))["work_order"]["elder"]
    assert (before["name"], before["address"], before["lat"]) == ("张*兰", None, None)
    [offer] = ok(people["vendor"].get("/offers"))["items"]
    ok(people["vendor"].post(f"/offers/{offer['id']}/accept"))
    detail = ok(people["vendor"].get(f"/work-orders/{work_order_id}"))
    assert detail["work_order"]["elder"]["address"] == "姜堰区"
    assert detail["shares"] is None
    other = people["other"].get(f"/work-orders/{work_order_id}")
    assert (other.status_code, other.get_json()["code"]) == (404, "not_found")


def test_the_caregiver_sees_a_job_when_it_is_theirs(people):
    work_order_id = accepted(people)
    assert people["caregiver"].get(f"/work-orders/{work_order_id}").status_code == 404
    body = {"caregiver_ids": ["C1"], "start_s": 32_400}
    ok(people["vendor"].post(f"/work-orders/{work_order_id}/assignment", body))
    shown = ok(people["caregiver"].get(f"/work-orders/{work_order_id}"))
    assert shown["work_order"]["elder"]["address"] == "姜堰区"
    assert shown["work_order"]["price_fen"] is None
    assert shown["shares"] is None


def test_the_family_sees_visits_and_no_money_without_the_power(people):
    work_order_id = placed(people, "family")
    assert ok(people["family"].get(f"/work-orders/{work_order_id}"))["shares"] is None
    answer = people["family"].get(f"/work-orders/{work_order_id}/ledger")
    assert answer.status_code == 403
    assert answer.get_json()["facts"]["needs_power"] == "see_money"


def test_a_relative_who_may_not_see_the_money_learns_no_programme(people, clock):
    shown = ok(people["family"].post("/orders/preview", ORDER))
    assert {s["programme_code"] for s in shown["shares"]} <= {"government", "OWN"}
    assert sum(s["fen"] for s in shown["shares"]) == shown["price_fen"]
    assert shown["left_after"] == {}
    assert ok(people["elder"].post("/orders/preview", ORDER))["left_after"]
    made = ok(people["family"].post("/orders", {**ORDER, "vendor_id": "V1"}), 201)
    [work] = made["work_orders"]
    assert {s["programme_code"] for s in work["shares"]} <= {"government", "OWN"}
    assert sum(s["fen"] for s in work["shares"]) == work["price_fen"]


def test_pages_follow_one_another_without_gap_or_repeat(people):
    for start in (28_800, 30_600, 32_400, 34_200, 36_000):
        placed(people, window_start_s=start, window_end_s=start + 1_800)
    seen, after = [], None
    while True:
        query = {"limit": 2} | ({"after": after} if after else {})
        page = ok(people["hotline"].get("/work-orders", **query))
        seen += [w["window_start_s"] for w in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == [28_800, 30_600, 32_400, 34_200, 36_000]
    assert people["hotline"].get("/work-orders", after="nonsense").status_code == 422


def test_the_home_code_is_the_elders_and_opens_the_visit(people, clock):
    work_order_id = assigned(people)
    clock.advance(hours=24, minutes=30)
    assert people["caregiver"].get("/elders/E1/home-code").status_code == 403
    code = ok(people["elder"].get("/elders/E1/home-code"))["code"]
    shown = evidence(clock, "in") | {"method": "home_code", "code": code}
    body = {"visit_id": "X1", "shown": shown}
    ok(people["caregiver"].post(f"/work-orders/{work_order_id}/check-in", body), 201)


def test_nobody_guesses_a_homes_code_by_trying(people, clock):
    work_order_id = assigned(people)
    clock.advance(hours=24, minutes=30)
    said = []
    for n in range(35):
        shown = evidence(clock, f"try-{n}") | {"method": "home_code", "code": f"{n:06d}"}
        body = {"visit_id": f"X{n}", "shown": shown}
        answer = people["caregiver"].post(f"/work-orders/{work_order_id}/check-in", body)
        said.append(answer.status_code)
    assert set(said[:30]) == {422}
    assert set(said[30:]) == {429}


def test_nobody_guesses_a_homes_code_with_a_phone_full_of_tries(app, people, clock):
    work_order_id = assigned(people)
    clock.advance(hours=24, minutes=30)
    browser = Browser(app.test_client())
    browser.sign_in("caregiver", PASSWORD)
    items = [
        {
            "id": f"guess-{n:06d}",
            "kind": "check_in",
            "work_order_id": work_order_id,
            "visit_id": f"visit-{n:06d}",
            "method": "home_code",
            "code": f"{n:06d}",
        }
        for n in range(60)
    ]
    headers = {"X-CSRFToken": browser.token("/no-such-page"), "Accept": "application/json"}
    first = browser.client.post("/next/send", json={"items": items}, headers=headers)
    assert [r["code"] for r in first.get_json()["results"]] == ["code_wrong"] * 30
    second = browser.client.post("/next/send", json={"items": items[30:]}, headers=headers)
    assert second.status_code == 429


def test_the_days_problem_reads_as_the_contract(people):
    from dispatch.io import problem_from_json

    work_order_id = accepted(people)
    problem = problem_from_json(ok(people["city"].get(f"/days/{TUESDAY}/problem")))
    assert [t.id for t in problem.tasks] == [work_order_id]
    assert people["city"].get("/days/today/problem").status_code == 422


def test_a_districts_account_gets_no_problem_of_the_whole_city(people):
    answer = people["bureau"].get(f"/days/{TUESDAY}/problem")
    assert answer.status_code == 403
    assert answer.get_json()["facts"]["needs"] == "the whole city's account"


def test_a_wrong_password_says_no_more_than_an_unknown_name(people):
    stranger = people["stranger"]
    wrong = stranger.post("/tokens", {"username": "elder", "password": "wrong"})
    unknown = stranger.post("/tokens", {"username": "nobody", "password": PASSWORD})
    assert wrong.status_code == unknown.status_code == 403
    assert wrong.get_json() == unknown.get_json()


def test_a_program_of_staff_brings_the_second_factor_or_is_sent_to_set_it_up(app, people):
    app.extensions["settings"].second_factor = True
    stranger = people["stranger"]
    body = {"username": "bureau", "password": PASSWORD}
    refused = stranger.post("/tokens", body)
    assert refused.status_code == 403
    assert refused.get_json()["code"] == "second_factor_missing"
    totp = TOTP.new(digits=6)
    with app.app_context():
        bureau = db.session.query(Account).filter_by(username="bureau").one()
        bureau.tf_primary_method, bureau.tf_totp_secret = "authenticator", totp.to_json()
        db.session.commit()
    assert stranger.post("/tokens", body).get_json()["field"] == "code"
    code = totp.generate().token
    assert stranger.post("/tokens", {**body, "code": code}).status_code == 201


def test_passwords_are_tried_against_one_account_ten_times_by_one_address(people):
    stranger = people["stranger"]
    body = {"username": "elder", "password": "wrong-password"}
    assert {stranger.post("/tokens", body).status_code for _ in range(10)} == {403}
    assert stranger.post("/tokens", {**body, "password": PASSWORD}).status_code == 429


def test_a_password_is_the_same_however_its_letters_were_typed(app, people):
    with app.app_context(), transaction(db.session):
        new = NewAccount(username="wide", display_name="李", role=Role.HOTLINE)
        create_accounts(db.session, [new], password="ｗａｒｍ－ｈｏｍｅ－１９４６")
    browser = Browser(app.test_client())
    for typed in ("ｗａｒｍ－ｈｏｍｅ－１９４６", "warm-home-1946"):
        body = {"username": "wide", "password": typed}
        assert people["stranger"].post("/tokens", body).status_code == 201
        assert browser.sign_in("wide", typed).status_code == 302


def test_a_token_in_an_address_opens_nothing(app, people):
    query = {"auth_token": people["elder"].token}
    assert app.test_client().get("/api/v1/me", query_string=query).status_code == 401


def api_routes(app):
    """Return (rule, method, declared roles) of every route of the API."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/v1/") and rule.endpoint != "openapi.spec":
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                yield rule.rule, method, access_of(app, rule.endpoint)


def test_every_route_declares_its_roles(app):
    undeclared = [
        r.endpoint
        for r in app.url_map.iter_rules()
        if r.endpoint != "static" and access_of(app, r.endpoint) is None
    ]
    assert undeclared == []
    assert len(list(api_routes(app))) >= 28


OF_THE_WHOLE_CITY = {
    ("POST", "/api/v1/days/<string:day>/plan"),
    ("GET", "/api/v1/days/<string:day>/problem"),
}
"""More than the role decides here; the tests of planning ask it."""


def test_every_route_refuses_every_role_that_it_does_not_name(app, people):
    refused = 0
    for rule, method, roles in sorted(api_routes(app), key=str):
        path = rule.removeprefix("/api/v1").replace("<string:day>", TUESDAY)
        path = "/".join("none-such" if p.startswith("<") else p for p in path.split("/"))
        if not roles:
            continue
        stranger = people["stranger"]
        call = stranger.get if method == "GET" else stranger.post
        assert call(path).status_code == 401, (method, rule)
        for account in ACCOUNTS:
            if account.role is Role.BUREAU and (method, rule) in OF_THE_WHOLE_CITY:
                continue
            caller = people[account.username]
            answer = caller.get(path) if method == "GET" else caller.post(path, {})
            named = account.role in roles
            is_refused = answer.status_code == 403
            assert is_refused is not named, (method, rule, account.username, answer.status_code)
            refused += is_refused
    assert refused > 100


def test_the_document_is_openapi_3_1_and_holds_only_the_api(app):
    answer = app.test_client().get("/api/v1/openapi.json")
    document = answer.get_json()
    assert document["openapi"].startswith("3.1")
    assert all(path.startswith("/api/v1/") for path in document["paths"])
    assert "$defs" not in answer.get_data(as_text=True)


def test_no_vendor_asks_which_of_its_visits_the_county_looks_at(people):
    """A lot known to the vendor would tell it which visits to mend."""
    path = "/statements/ST-2026-11-321204-V1/sample"
    assert people["vendor"].get(path).status_code == 403
    for who in ("street", "bureau", "auditor"):
        assert people[who].get(path).status_code == 404


def test_cash_at_the_door_and_a_bill_settle_what_the_elder_owes(people, clock):
    work_order_id = confirmed(people, clock)
    paid = ok(people["caregiver"].post(f"/work-orders/{work_order_id}/cash", {"fen": 100}))
    assert paid["owed_fen"] > 0
    bill = ok(people["hotline"].post("/elders/E1/bill"))
    assert (bill["fen"], bill["elder_id"]) == (paid["owed_fen"], "E1")
    assert people["bureau"].post("/elders/E1/bill").status_code == 403


def test_cash_of_a_visit_that_was_taken_back_is_given_back(people, clock):
    work_order_id = confirmed(people, clock)
    ok(people["caregiver"].post(f"/work-orders/{work_order_id}/cash", {"fen": 300}))
    back = f"/work-orders/{work_order_id}/cash-back"
    early = people["caregiver"].post(back, {"fen": 300})
    assert (early.status_code, early.get_json()["field"]) == (422, "fen")
    reversal = {"reason": "service_fault", "finding": "not done"}
    ok(people["bureau"].post(f"/work-orders/{work_order_id}/reverse", reversal))
    assert ok(people["caregiver"].post(back, {"fen": 100}))["credit_fen"] == 200
    refund = {"fen": 200, "receipt": "R-7"}
    own = people["bureau"].post("/elders/E1/refunds", refund)
    assert (own.status_code, own.get_json()["code"]) == (403, "second_person_needed")
    given = ok(people["second"].post("/elders/E1/refunds", refund))
    assert (given["fen"], given["credit_fen"]) == (200, 0)
    assert (
        people["hotline"].post("/elders/E1/refunds", {"fen": 1, "receipt": "R"}).status_code == 403
    )


def test_a_time_proposed_for_a_bath_is_taken_once_and_held(people):
    asked = {"elder_id": "E1", "service_code": "ZY010", "on": TUESDAY}
    slot = ok(people["elder"].get("/slots", **asked))["slots"][0]
    body = {
        **asked,
        "start_s": slot["start_s"],
        "caregiver_ids": [g["caregiver_id"] for g in slot["going"]],
    }
    made = ok(people["elder"].post("/slots", body), 201)
    assert made["work_orders"][0]["state"] == "offered"
    late = people["hotline"].post("/slots", {**body, "elder_id": "E2", "reference": "REC-9"})
    assert (late.status_code, late.get_json()["code"]) == (409, "slot_gone")


def test_times_are_not_proposed_for_what_no_caregiver_comes_for(people):
    answer = people["elder"].get("/slots", elder_id="E1", service_code="ZJ001")
    assert (answer.status_code, answer.get_json()["field"]) == (422, "service_code")
