"""A phone's time: told what to do where it is wrong, moved to the day of a demonstration."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from marketplace.accounts.models import Account
from marketplace.app import db
from marketplace.kernel.clock import ShiftedClock
from marketplace.kernel.errors import BadInput
from marketplace.web.words.refusals import error_sentence
from tests.databases import filled
from tests.web.conftest import one_for_each_role
from tests.workflows import world


@filled
def phone_world(app) -> dict[str, str]:
    """The small city; the caregiver's account is its second helper."""
    ids = one_for_each_role()
    world.build(db.session)
    helper = db.session.get_one(Account, ids["caregiver"])
    helper.vendor_id, helper.caregiver_id = "V1", "C2"
    db.session.commit()
    return ids


@pytest.fixture
def accounts(phone_world) -> dict[str, str]:
    return phone_world


def test_a_phone_whose_time_is_wrong_is_told_to_set_it(app):
    with app.test_request_context():
        assert "自动设置时间" in error_sentence(BadInput(field="at_device", value="2030"))
        assert "自动设置时间" not in error_sentence(BadInput(field="note", value=""))


def test_on_an_ordinary_day_the_phones_own_time_counts(browser):
    browser.sign_in("caregiver")
    assert 'data-shift="0"' in browser.get("/next").text


def test_in_a_demonstration_the_phone_is_moved_to_its_day(app, browser):
    ports = app.extensions["ports"]
    app.extensions["ports"] = replace(ports, clock=ShiftedClock(timedelta(hours=25)))
    browser.sign_in("caregiver")
    assert f'data-shift="{25 * 3_600_000}"' in browser.get("/next").text
