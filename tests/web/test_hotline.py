"""The hotline's screen: what one operator may do alone, and what it says where a second is needed."""

from __future__ import annotations

from marketplace.app import db
from marketplace.elders.models import FollowUp
from marketplace.kernel.actor import Actor, Role
from tests.builders import NOW
from tests.workflows import world


def call_about_a_visit(app, placed_by: str) -> str:
    """A call-back on a visit that somebody of the hotline ordered; return its id."""
    with app.app_context():
        world.build(db.session)
        operator = Actor(placed_by, Role.HOTLINE)
        work_order_id = world.placed(
            db.session, app.extensions["ports"], operator, reference="call-1"
        )
        call = FollowUp(
            kind="call_back",
            dedup_key="call_back/1",
            elder_id="E1",
            work_order_id=work_order_id,
            reason="first_visit",
            made_at=NOW,
            made_by="system",
            due_at=NOW,
        )
        db.session.add(call)
        db.session.commit()
        return call.id


def test_the_page_says_that_a_colleague_asks_about_the_operators_own_order(app, browser, accounts):
    call_id = call_about_a_visit(app, accounts["hotline"])
    browser.sign_in("hotline")
    page = browser.get(f"/hotline?elder=E1&task={call_id}").text
    assert "这一单是您自己接下的，上门情况请同事来问。" in page
    assert 'value="answered"' not in page
    assert 'value="no_answer"' in page
    form = {"task": call_id, "elder": "E1", "result": "answered", "key": "k1", "score": "5"}
    form |= {"came": "yes", "on_time": "yes", "all_done": "yes"}
    said = browser.post("/hotline/call", form, page="/hotline", follow_redirects=True).text
    assert "这是您自己录入的，这一步要由另一个人来做：请交给同事。" in said
    assert browser.get("/hotline/next").location == "/hotline"


def test_the_page_lets_an_operator_ask_about_a_colleagues_order(app, browser, accounts):
    call_id = call_about_a_visit(app, "u-colleague")
    browser.sign_in("hotline")
    page = browser.get(f"/hotline?elder=E1&task={call_id}").text
    assert 'value="answered"' in page
    assert f"task={call_id}" in browser.get("/hotline/next").location
