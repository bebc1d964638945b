"""Signing in: passwords, second factor, form tokens, the end of sessions."""

from __future__ import annotations

import re

import pytest
from passlib.totp import TOTP

from marketplace.config import Settings
from tests.web.conftest import Browser


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"second_factor": False})


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
        other = Browser(app.test_client())
        answer = other.sign_in("bureau")
        assert answer.headers["Location"].startswith("/tf-validate")
        assert other.get("/").headers["Location"].endswith("/sign-in")
