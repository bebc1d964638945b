"""A relative joins with a parent's code and a name of their own choice."""

from __future__ import annotations

import threading

from sqlalchemy import select

from marketplace.accounts.models import Account
from marketplace.app import db
from marketplace.elders.models import FamilyLink, LinkCode
from marketplace.kernel.errors import BadInput
from marketplace.workflows.link import (
    JoinRequest,
    LinkCodeRequest,
    join_family,
    make_link_code,
)
from tests import builders
from tests.workflows.world import ELDER

PASSWORD = "nine-and-one-10"


def a_code(app, elder_id="E1") -> str:
    """The code of a parent who is in the register."""
    with app.app_context():
        builders.an_elder(db.session, elder_id)
        db.session.commit()
        whose = ELDER.__class__(f"u-{elder_id}", ELDER.role, elder_ids=frozenset({elder_id}))
        asked = LinkCodeRequest(elder_id=elder_id, powers=["see_visits"])
        return make_link_code(db.session, app.extensions["ports"], whose, request=asked).code


def form_of(code, username):
    return {
        "code": code,
        "name": "张敏",
        "relation": "女儿",
        "username": username,
        "password": PASSWORD,
    }


def test_a_name_that_somebody_has_is_marked_on_the_form_and_the_code_stays_good(app, browser):
    code = a_code(app)
    page = browser.post("/join", form_of(code, "family"), page="/join")
    assert page.status_code == 200
    assert 'id="username-error"' in page.text
    assert "别人没用过的" in page.text
    assert browser.post("/join", form_of(code, "zhangmin"), page="/join").status_code == 302


def test_of_two_who_join_under_one_name_at_once_one_is_asked_for_another(app, accounts):
    codes = [a_code(app, "E1"), a_code(app, "E2")]
    together, outcomes = threading.Barrier(2), []

    def join(code):
        with app.app_context():
            asked = JoinRequest(name="张敏", relation="女儿", username="zhangmin")
            together.wait()
            try:
                linked = join_family(
                    db.session,
                    app.extensions["ports"],
                    code=code,
                    password=PASSWORD,
                    request=asked,
                )
                outcomes.append(linked.elder_id)
            except BadInput as refused:
                outcomes.append(refused.field)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=join, args=(code,)) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context():
        [account] = db.session.scalars(select(Account).where(Account.username == "zhangmin"))
        [link] = db.session.scalars(select(FamilyLink))
        assert link.account_id == account.id
        assert sorted(outcomes) == [link.elder_id, "username"]
        unused = db.session.scalars(select(LinkCode.elder_id).where(LinkCode.used_at.is_(None)))
        assert set(unused) == {"E1", "E2"} - {link.elder_id}
