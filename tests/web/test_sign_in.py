"""Signing in: passwords, second factor, form tokens, the end of sessions."""

from __future__ import annotations

import re
import time

import pytest
from flask import request
from passlib.totp import TOTP

from marketplace.accounts.demo import DEMO_PASSWORD, DEMO_ROLES
from marketplace.accounts.models import Account
from marketplace.app import create_app, db
from marketplace.config import Settings
from tests.web.conftest import Browser


def is_signed_in(browser: Browser) -> bool:
    """Ending sessions is open to every role and to nobody else."""
    return browser.get("/sign-in").status_code == 302


def test_a_right_password_opens_a_session(browser):
    answer = browser.sign_in("Bureau ")
    assert answer.status_code == 302
    assert is_signed_in(browser)


@pytest.mark.parametrize(("name", "password"), [("bureau", "wrong-password"), ("nobody", "x")])
def test_a_wrong_name_and_a_wrong_password_read_the_same(browser, name, password):
    answer = browser.sign_in(name, password)
    assert answer.status_code == 200
    assert "名字和密码对不上" in answer.text
    assert not is_signed_in(browser)


def test_a_form_without_its_token_is_refused(browser):
    answer = browser.client.post("/sign-in", data={"username": "bureau", "password": "nuanju-demo"})
    assert answer.status_code == 400
    assert not is_signed_in(browser)


def test_signing_in_is_slowed_after_failures(browser):
    statuses = [browser.sign_in("elder", f"wrong-{n}").status_code for n in range(11)]
    assert statuses[:10] == [200] * 10
    assert statuses[10] == 429
    assert browser.sign_in("elder").status_code == 429
    assert browser.sign_in("family").status_code == 302


class Guesser:
    """Somebody who tries passwords, from where they like."""

    def __init__(self, browser: Browser) -> None:
        self.client, self.token = browser.client, browser.token()

    def tries(
        self,
        name: str,
        *,
        address: str = "10.1.1.1",
        password: str = "wrong",
        forwarded: str | None = None,
    ) -> int:
        form = {"csrf_token": self.token, "username": name, "password": password}
        more = {"X-Forwarded-For": forwarded} if forwarded else {}
        where = {"REMOTE_ADDR": address}
        answer = self.client.post("/sign-in", data=form, environ_base=where, headers=more)
        return answer.status_code


@pytest.fixture
def guesser(browser, monkeypatch) -> Guesser:
    """Wrong passwords are found wrong without the slow hash."""
    right = Account.verify_and_update_password
    monkeypatch.setattr(
        Account,
        "verify_and_update_password",
        lambda self, password: password != "wrong" and right(self, password),
    )
    return Guesser(browser)


def test_one_address_does_not_try_one_password_on_every_name(guesser):
    names = [r.value for r in DEMO_ROLES]
    said = [guesser.tries(name) for name in names for _ in range(10)]
    said += [guesser.tries("nobody") for _ in range(100 - len(said))]
    assert set(said) == {200}
    assert guesser.tries("somebody-else") == 429
    assert guesser.tries("somebody-else", address="10.1.1.2") == 200


def test_an_address_that_the_caller_writes_is_not_believed(guesser):
    for n in range(10):
        guesser.tries("elder", forwarded=f"192.0.2.{n}")
    assert guesser.tries("elder", forwarded="192.0.2.99") == 429


def test_behind_our_proxy_each_caller_has_an_address(settings, clock, database_url):
    app = create_app(settings.model_copy(update={"proxies": 1}), clock=clock)
    with app.test_client() as client:
        client.get("/healthz", headers={"X-Forwarded-For": "203.0.113.9, 198.51.100.7"})
        assert request.remote_addr == "198.51.100.7"
    with app.app_context():
        db.engine.dispose()


def test_one_account_is_not_tried_from_everywhere_without_end(guesser):
    said = [guesser.tries("elder", address=f"10.0.{n // 8}.7") for n in range(200)]
    assert set(said) == {200}
    assert guesser.tries("elder", address="10.9.9.9", password="nuanju-demo") == 429
    assert guesser.tries("family", address="10.9.9.9", password="nuanju-demo") == 302


def test_one_address_alone_shuts_no_account(guesser):
    said = [guesser.tries("elder") for _ in range(230)]
    assert said.count(200) == 10
    assert guesser.tries("elder", address="10.9.9.9", password="nuanju-demo") == 302


def test_who_signs_in_after_a_long_pause_is_not_signed_out_at_once(browser, monkeypatch):
    browser.sign_in("bureau")
    assert is_signed_in(browser)
    browser.post("/sign-out", {}, page="/no-such-page")
    later = __import__("time").time() + 45 * 60
    monkeypatch.setattr("marketplace.web.auth.time.time", lambda: later)
    browser.sign_in("bureau")
    assert is_signed_in(browser)


def test_signing_out_everywhere_ends_the_other_device_too(app, browser):
    other = Browser(app.test_client())
    other.sign_in("hotline")
    browser.sign_in("hotline")
    assert is_signed_in(other)
    browser.post("/sessions/end", {}, page="/no-such-page")
    assert not is_signed_in(browser)
    assert not is_signed_in(other)


def test_signing_out_needs_a_form_not_a_link(browser):
    browser.sign_in("elder")
    assert browser.get("/sign-out").status_code == 405
    assert browser.post("/sign-out", {}, page="/no-such-page").status_code == 302
    assert not is_signed_in(browser)


def test_an_idle_desk_is_signed_out_and_an_elder_is_not(app, browser, monkeypatch):
    elder = Browser(app.test_client())
    browser.sign_in("bureau")
    elder.sign_in("elder")
    assert is_signed_in(browser)
    assert is_signed_in(elder)
    later = __import__("time").time() + 31 * 60
    monkeypatch.setattr("marketplace.web.auth.time.time", lambda: later)
    assert not is_signed_in(browser)
    assert is_signed_in(elder)


def test_the_way_back_after_signing_in_stays_on_this_site(browser):
    form = {"username": "elder", "password": "nuanju-demo", "next": "https://example.org/"}
    answer = browser.post("/sign-in", form)
    assert "example.org" not in answer.headers.get("Location", "")
    for back in ("//example.org", "https://example.org", "/\\example.org"):
        answer = browser.post("/look", {"lang": "en", "back": back}, page="/no-such-page")
        assert answer.headers["Location"] == "/"


def test_the_language_is_kept_on_the_device(browser):
    assert 'lang="zh-CN"' in browser.get("/sign-in").text
    browser.post("/look", {"lang": "en", "back": "/sign-in"})
    page = browser.get("/sign-in").text
    assert '<html lang="en"' in page
    assert "Name for signing in" in page


def test_every_answer_carries_the_strict_headers(browser):
    for path in ("/sign-in", "/no-such-page", "/healthz"):
        headers = browser.get(path).headers
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_demonstration_asks_nobody_for_a_second_factor(app, browser):
    app.extensions["settings"].second_factor = None
    app.extensions["settings"].demo = True
    browser.sign_in("bureau")
    assert is_signed_in(browser)


class TestSecondFactor:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"second_factor": True})

    def test_an_elder_needs_none(self, browser):
        browser.sign_in("elder")
        assert is_signed_in(browser)

    @pytest.fixture
    def phone(self, browser) -> TOTP:
        """The app on the telephone of the bureau's account, set up with its first code."""
        browser.sign_in("bureau")
        shown = browser.post("/tf-setup", {"setup": "authenticator"}, page="/no-such-page")
        key = re.search(r'class="hash">([^<]+)<', shown.text).group(1)
        totp = TOTP(key=key.replace(" ", "").replace("-", ""), format="base32")
        browser.post("/tf-validate", {"code": totp.generate().token}, page="/no-such-page")
        assert is_signed_in(browser)
        return totp

    def test_a_code_is_used_once(self, app, browser, phone):
        now = int(time.time())
        later = phone.generate(time=now + 60).token
        for who, code, gets_in in (
            ("the one who saw it typed", phone.generate(time=now).token, False),
            ("the owner with the next", later, True),
            ("the one who saw that", later, False),
            ("and with one from between", phone.generate(time=now + 30).token, False),
        ):
            other = Browser(app.test_client())
            other.sign_in("bureau")
            answer = other.post("/tf-validate", {"code": code}, page="/no-such-page")
            assert is_signed_in(other) is gets_in, who
            assert ("等下一个码出来再输" in answer.text) is not gets_in, who

    def test_a_code_that_opened_a_page_gives_no_token(self, app, browser, phone):
        asked = {"username": "bureau", "password": DEMO_PASSWORD}
        code = phone.generate(time=int(time.time()) + 30).token
        client = app.test_client()
        assert client.post("/api/v1/tokens", json={**asked, "code": code}).status_code == 201
        again = client.post("/api/v1/tokens", json={**asked, "code": code})
        assert (again.status_code, again.get_json()["field"]) == (403, "code")
        other = Browser(app.test_client())
        other.sign_in("bureau")
        other.post("/tf-validate", {"code": code}, page="/no-such-page")
        assert not is_signed_in(other)

    def test_staff_set_it_up_once_and_give_the_code_ever_after(self, app, browser):
        answer = browser.sign_in("bureau")
        assert not is_signed_in(browser)
        answer = browser.sign_in("bureau")
        assert answer.headers["Location"].startswith("/tf-setup")
        shown = browser.post("/tf-setup", {"setup": "authenticator"}, page="/no-such-page")
        key = re.search(r'class="hash">([^<]+)<', shown.text).group(1)
        totp = TOTP(key=key.replace(" ", "").replace("-", ""), format="base32")
        wrong = browser.post("/tf-validate", {"code": "000000"}, page="/no-such-page")
        assert wrong.status_code != 302 or "tf" in wrong.headers["Location"]
        browser.post("/tf-validate", {"code": totp.generate().token}, page="/no-such-page")
        assert is_signed_in(browser)
        with browser.client.session_transaction() as session:
            session["fs_paa"] -= 11 * 60
            session.pop("fs_gexp", None)
        asked = browser.post("/tf-setup", {"setup": "authenticator"}, page="/no-such-page")
        assert "/verify" in asked.headers["Location"]
        assert "请再输一次密码" in browser.get(asked.headers["Location"]).text
        other = Browser(app.test_client())
        answer = other.sign_in("bureau")
        assert answer.headers["Location"].startswith("/tf-validate")
        assert other.get("/").headers["Location"].endswith("/sign-in")
