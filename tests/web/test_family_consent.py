"""What a relative sees once the elder has taken the consent for relatives back: not even the name."""

from __future__ import annotations

import pytest

from marketplace.app import db
from marketplace.elders import consents
from marketplace.elders.models import FamilyLink
from marketplace.kernel import outbox
from tests import builders
from tests.builders import NOW

NAMES = {"E1": "欧阳桂花", "E2": "诸葛长青"}


@pytest.fixture
def child(app, accounts, browser):
    """A child of two parents, signed in; something was said of the first."""
    with app.app_context():
        for elder_id, name in NAMES.items():
            builders.an_elder(db.session, elder_id, name=name)
            db.session.add(
                FamilyLink(
                    id=f"L-{elder_id}",
                    elder_id=elder_id,
                    account_id=accounts["family"],
                    name="张敏",
                    relation="女儿",
                    powers="see_visits,order,see_money",
                    confirmed_at=NOW,
                )
            )
        for kind, who in (("relative", "L-E1"), ("family", "E1")):
            outbox.post(
                db.session,
                due_at=app.extensions["ports"].clock.now(),
                channel="screen",
                recipient_kind=kind,
                recipient_id=who,
                template="needs_help",
                about="x",
            )
        db.session.commit()
    browser.sign_in("family")
    return browser


def withdraw(app, elder_id):
    with app.app_context():
        consents.withdraw(db.session, elder_id, "family_view", at=NOW, by="E1")
        db.session.commit()


def test_a_withdrawn_consent_takes_the_elder_off_the_familys_home(app, child):
    page = child.get("/home?of=E2").text
    assert all(name[:1] in page for name in NAMES.values())
    assert "您的家人需要帮助" in child.get("/messages").text
    withdraw(app, "E1")
    for path in ("/home", "/home?of=E2"):
        page = child.get(path).text
        assert "欧" not in page
        assert "E1" not in page
        assert "诸" in page
    assert child.get("/home?of=E1").status_code == 403
    assert child.get("/home/bill?of=E1").status_code == 403
    assert "您的家人需要帮助" not in child.get("/messages").text


def test_a_child_of_one_parent_who_withdrew_is_linked_to_nobody(app, child):
    for elder_id in NAMES:
        withdraw(app, elder_id)
    page = child.get("/home").text
    assert "还没有绑定老人" in page
    assert "欧" not in page
    assert "诸" not in page
    assert child.get("/home/bill").status_code == 403
    assert child.get("/api/v1/me").get_json()["elder_ids"] == []
