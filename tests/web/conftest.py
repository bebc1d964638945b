"""A running application with one account for each role; browsers of Werkzeug's kind."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from marketplace.accounts.demo import DEMO_PASSWORD, DEMO_ROLES
from marketplace.accounts.service import NewAccount, create_accounts
from marketplace.app import db
from marketplace.config import Settings
from marketplace.kernel.db import transaction
from tests.databases import filled

TOKEN = re.compile(rb'name="csrf_token" value="([^"]+)"')


class Browser:
    """A client that keeps cookies and fills form tokens in, as a person's browser does."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **kw):
        return self.client.get(path, **kw)

    def token(self, path: str = "/sign-in") -> str:
        page = self.client.get(path, follow_redirects=True)
        found = TOKEN.search(page.data)
        assert found, f"{path} has no form"
        return found.group(1).decode()

    def post(self, path: str, form: dict[str, object], *, page: str = "/sign-in", **kw):
        return self.client.post(path, data={"csrf_token": self.token(page), **form}, **kw)

    def sign_in(self, username: str, password: str = DEMO_PASSWORD, **kw):
        return self.post("/sign-in", {"username": username, "password": password}, **kw)


def one_for_each_role() -> dict[str, str]:
    """Make the accounts; return user name -> account id."""
    with transaction(db.session):
        return create_accounts(
            db.session,
            [NewAccount(username=r.value, display_name="张桂兰", role=r) for r in DEMO_ROLES],
            password=DEMO_PASSWORD,
        )


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Nobody is asked for a second factor; a test of it asks for it."""
    return settings.model_copy(update={"second_factor": False})


@filled
def accounts_alone(app) -> dict[str, str]:
    """User name -> account id, one for each role."""
    return one_for_each_role()


@pytest.fixture
def accounts(accounts_alone) -> dict[str, str]:
    """User name -> account id; a file whose accounts live in a town says so in its own."""
    return accounts_alone


@pytest.fixture
def browser(app, accounts) -> Browser:
    return Browser(app.test_client())
