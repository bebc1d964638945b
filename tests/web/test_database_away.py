"""While the database is away nobody is taken for a stranger: programs and people hear what to do."""

from __future__ import annotations

import socket

import pytest

from marketplace.accounts.models import Account
from marketplace.app import create_app
from marketplace.config import Settings
from tests.web.conftest import Browser


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory):
    """The application in front of a port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Settings(
        database_url=f"postgresql://nobody@127.0.0.1:{port}/none",
        instance=tmp_path_factory.mktemp("away"),
    )
    app = create_app(settings)
    app.config["TESTING"] = True
    return app


@pytest.fixture
def token(app) -> str:
    """A token that was given while the database still answered."""
    with app.app_context():
        account = Account(id="u1", fs_uniquifier="f" * 32, fs_token_uniquifier="f" * 32)
        return account.get_auth_token()


def assert_told(answer) -> None:
    assert answer.status_code == 503
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["Retry-After"] == "30"
    told = answer.get_json()
    assert told["code"] == "database_away"
    assert "Try again in a minute" in told["detail"]


def english(app):
    client = app.test_client()
    client.set_cookie("lang", "en")
    return client


def test_a_program_with_a_token_is_told_to_try_again(app, token):
    answer = english(app).get("/api/v1/work-orders", headers={"Authentication-Token": token})
    assert_told(answer)


def test_a_program_that_writes_is_told_to_try_again(app, token):
    headers = {"Authentication-Token": token, "Idempotency-Key": "away-away-1"}
    assert_told(english(app).post("/api/v1/orders", json={}, headers=headers))


def test_a_program_that_signs_in_is_told_to_try_again(app):
    body = {"username": "elder", "password": "spring-water-1946"}
    assert_told(english(app).post("/api/v1/tokens", json=body))


def test_a_person_with_a_session_gets_a_page_that_says_so(app):
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = "f" * 32
        session["_fresh"] = True
    for path in ("/home", "/today", "/"):
        answer = client.get(path)
        assert answer.status_code == 503, path
        assert answer.mimetype == "text/html"
        assert answer.headers["Retry-After"] == "30"
        page = answer.get_data(as_text=True)
        assert "请过一分钟再试" in page
        assert "tel:12349" in page


def test_a_person_who_signs_in_gets_the_same_page(app):
    answer = Browser(app.test_client()).sign_in("elder", "x" * 12)
    assert answer.status_code == 503
    assert "请过一分钟再试" in answer.get_data(as_text=True)


def test_a_stranger_without_a_token_is_still_asked_to_sign_in(app):
    assert english(app).get("/api/v1/work-orders").status_code == 401
