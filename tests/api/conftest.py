"""The small city behind the API, with one account for each role and its token."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from flask.testing import FlaskClient

from marketplace.accounts.service import NewAccount, create_accounts
from marketplace.app import db
from marketplace.config import Settings
from marketplace.elders.models import FamilyLink
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from marketplace.workflows.grants import grant_period
from tests.builders import DISTRICT, NOW
from tests.databases import filled
from tests.workflows import world

PASSWORD = "spring-water-1946"
ACCOUNTS = (
    NewAccount(username="elder", display_name="张桂兰", role=Role.ELDER, elder_id="E1"),
    NewAccount(username="family", display_name="王芳", role=Role.FAMILY),
    NewAccount(username="hotline", display_name="坐席", role=Role.HOTLINE),
    NewAccount(
        username="community",
        display_name="社工",
        role=Role.COMMUNITY,
        district_code=DISTRICT,
        town_code=world.TOWN,
    ),
    NewAccount(username="vendor", display_name="德寿", role=Role.VENDOR, vendor_id="V1"),
    NewAccount(username="other", display_name="和合缘", role=Role.VENDOR, vendor_id="V2"),
    NewAccount(
        username="caregiver",
        display_name="李梅",
        role=Role.CAREGIVER,
        vendor_id="V1",
        caregiver_id="C1",
    ),
    NewAccount(
        username="street",
        display_name="街道",
        role=Role.STREET,
        district_code=DISTRICT,
        town_code=world.TOWN,
    ),
    NewAccount(username="bureau", display_name="民政", role=Role.BUREAU, district_code=DISTRICT),
    NewAccount(username="second", display_name="民政", role=Role.BUREAU, district_code=DISTRICT),
    NewAccount(username="city", display_name="市民政", role=Role.BUREAU),
    NewAccount(username="auditor", display_name="审计", role=Role.AUDITOR),
)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Programs of staff bring a code; tests of that say so, the others go without."""
    return settings.model_copy(update={"second_factor": False})


@dataclass
class Caller:
    """A program that signs in with a token and brings a fresh key to every write."""

    client: FlaskClient
    token: str | None = None

    _keys = itertools.count(1)

    def headers(self, key: str | None = None) -> dict[str, str]:
        made = {"Accept-Language": "en", "Idempotency-Key": key or f"api-key-{next(self._keys)}"}
        return made | ({"Authentication-Token": self.token} if self.token else {})

    def get(self, path: str, **query):
        return self.client.get(f"/api/v1{path}", query_string=query, headers=self.headers())

    def post(self, path: str, body: dict | None = None, *, key: str | None = None):
        more = {} if body is None else {"json": body}
        return self.client.post(f"/api/v1{path}", headers=self.headers(key), **more)


def populate(app) -> dict[str, str]:
    """Build the city and the accounts; return user name -> account id."""
    with app.app_context():
        world.build(db.session)
        one, two = (Actor(f"u-grants-{n}", Role.BUREAU) for n in (1, 2))
        grant_period(db.session, app.extensions["ports"], one, two, period=Period(2026, 11))
        with transaction(db.session):
            ids = create_accounts(db.session, ACCOUNTS, password=PASSWORD)
        db.session.add(
            FamilyLink(
                elder_id="E1",
                account_id=ids["family"],
                name="王芳",
                relation="daughter",
                powers="order,see_visits,cancel",
                confirmed_at=NOW,
            )
        )
        db.session.commit()
    return ids


def sign_in(app, username: str) -> Caller:
    """Return a caller with a token of its own."""
    stranger = Caller(app.test_client())
    answer = stranger.post("/tokens", {"username": username, "password": PASSWORD})
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return Caller(app.test_client(), answer.get_json()["token"])


@filled
def tokens(app) -> dict[str, str]:
    """The city and its accounts; each account's token, by user name."""
    populate(app)
    found = {a.username: sign_in(app, a.username).token for a in ACCOUNTS}
    return {name: token for name, token in found.items() if token is not None}


@pytest.fixture
def people(app, tokens) -> dict[str, Caller]:
    """A signed-in caller for each account, by user name; ``stranger`` is not signed in."""
    callers = {name: Caller(app.test_client(), token) for name, token in tokens.items()}
    return callers | {"stranger": Caller(app.test_client())}
