"""Who may sign in: made with the scope of the role, closed at once, never with a password kept."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from marketplace.accounts.models import Account
from marketplace.accounts.service import NewAccount
from marketplace.app import db
from marketplace.config import Settings
from marketplace.kernel.actor import SYSTEM, Actor, Role
from marketplace.kernel.errors import BadInput, NotAllowed, NotFound
from marketplace.workflows.sign_in import (
    add_account,
    forget_second_factor,
    new_password,
    set_active,
)
from tests.web.conftest import Browser
from tests.workflows import world

OPERATOR = Actor("office-1", Role.SYSTEM)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"second_factor": False})


@pytest.fixture
def city(app):
    """The small city; each step has a context of its own, as each request has."""
    with app.app_context():
        world.build(db.session)
        db.session.commit()
    return app


def take(app, step, actor=OPERATOR, **asked):
    with app.app_context():
        return step(db.session, app.extensions["ports"], actor, **asked)


def made(app, **changed):
    values = {"username": "zhou", "display_name": "周敏", "role": Role.BUREAU}
    return take(app, add_account, request=NewAccount(**{**values, **changed}))


def account(name: str) -> Account:
    return db.session.query(Account).filter_by(username=name).one()


def signs_in(app, username: str, password: str) -> bool:
    browser = Browser(app.test_client())
    return browser.sign_in(username, password).status_code == 302


@pytest.mark.parametrize(
    ("role", "bound", "field"),
    [
        (Role.STREET, {}, "town_code"),
        (Role.STREET, {"town_code": "321202"}, "town_code"),
        (Role.COMMUNITY, {}, "town_code"),
        (Role.VENDOR, {}, "vendor_id"),
        (Role.CAREGIVER, {}, "caregiver_id"),
        (Role.ELDER, {}, "elder_id"),
        (Role.HOTLINE, {"vendor_id": "V1"}, "vendor_id"),
        (Role.BUREAU, {"elder_id": "E1"}, "elder_id"),
        (Role.BUREAU, {"district_code": "3212"}, "district_code"),
        (Role.FAMILY, {}, "role"),
    ],
)
def test_an_account_has_the_scope_of_its_role_and_no_other(city, role, bound, field):
    with pytest.raises(BadInput) as refused:
        made(city, role=role, **bound)
    assert refused.value.field == field


def test_a_caregivers_account_is_its_vendors_and_an_offices_its_districts(city):
    made(city, username="li.mei", role=Role.CAREGIVER, caregiver_id="C1")
    made(city, username="street", role=Role.STREET, town_code="321202001")
    with city.app_context():
        assert account("li.mei").vendor_id == "V1"
        assert account("street").district_code == "321202"
    with pytest.raises(NotFound):
        made(city, username="ghost", role=Role.VENDOR, vendor_id="V-none")
    with pytest.raises(BadInput):
        made(city, username="li.mei")


def test_an_account_lives_from_its_first_password_to_its_end(city):
    first = made(city).password
    assert signs_in(city, "zhou", first)
    second = take(city, new_password, username="Zhou ").password
    assert not signs_in(city, "zhou", first)
    desk = Browser(city.test_client())
    assert desk.sign_in("zhou", second).status_code == 302
    take(city, set_active, username="zhou", active=False, reason="left the office")
    assert desk.get("/today").headers["Location"].startswith("/sign-in")
    assert not signs_in(city, "zhou", second)
    take(city, set_active, username="zhou", active=True, reason="came back")
    assert signs_in(city, "zhou", second)
    with city.app_context():
        kept = " ".join(str(r) for r in db.session.execute(text("SELECT * FROM audit_event")))
        kept += " ".join(str(r) for r in db.session.execute(text("SELECT * FROM account")))
    assert "close_account" in kept
    assert first not in kept
    assert second not in kept


def test_a_lost_phone_is_forgotten(city):
    made(city)
    with city.app_context():
        row = account("zhou")
        row.tf_primary_method, row.tf_totp_secret = "authenticator", "sealed"
        db.session.commit()
    take(city, forget_second_factor, username="zhou")
    with city.app_context():
        assert account("zhou").tf_totp_secret is None
        assert account("zhou").tf_primary_method is None


def test_nobody_keeps_accounts_but_the_machines_keeper(city):
    bureau = Actor("u-bureau", Role.BUREAU)
    asked = NewAccount(username="zhou", display_name="周敏", role=Role.BUREAU)
    with pytest.raises(NotAllowed):
        take(city, add_account, bureau, request=asked)
    with pytest.raises(NotFound):
        take(city, new_password, SYSTEM, username="nobody")
    with pytest.raises(BadInput):
        take(city, set_active, SYSTEM, username="nobody", active=False, reason=" ")


def test_whoever_signs_in_changes_the_password_and_is_out_elsewhere(city):
    first = made(city).password
    here, elsewhere = Browser(city.test_client()), Browser(city.test_client())
    here.sign_in("zhou", first)
    elsewhere.sign_in("zhou", first)
    form = {"password": first, "new_password": "短", "new_password_confirm": "短"}
    assert "至少 10 个字符" in here.post("/password", form, page="/no-such-page").text
    form = {"password": "wrong", "new_password": "x" * 12, "new_password_confirm": "x" * 12}
    assert "旧密码不对" in here.post("/password", form, page="/no-such-page").text
    form["password"] = first
    assert here.post("/password", form, page="/no-such-page").status_code == 302
    assert elsewhere.get("/today").headers["Location"].startswith("/sign-in")
    assert here.get("/today").status_code == 200
    assert signs_in(city, "zhou", "x" * 12)


def test_a_demonstrations_passwords_stay(city):
    first = made(city).password
    city.extensions["settings"].demo = True
    here = Browser(city.test_client())
    here.sign_in("zhou", first)
    form = {"password": first, "new_password": "x" * 12, "new_password_confirm": "x" * 12}
    assert here.post("/password", form, page="/no-such-page").status_code == 403


def test_the_command_line_makes_an_account_and_shows_its_password_once(city):
    asked = ["account", "add", "wu", "--role", "hotline", "--name", "坐席", "--by", "office-1"]
    answer = city.test_cli_runner().invoke(args=asked)
    assert answer.exit_code == 0, answer.output
    assert '"password"' in answer.output
    listed = city.test_cli_runner().invoke(args=["account", "list"]).output
    assert "wu\thotline\t*\topen\t-" in listed
    assert city.test_cli_runner().invoke(args=asked).exit_code == 1
