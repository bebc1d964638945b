"""What goes over the wire: compressed pages, one style sheet, files kept for good, live events at once."""

from __future__ import annotations

import gzip
import json
import re

import brotli
import pytest

from marketplace.kernel.ports import DESKS

BROWSERS = "gzip, deflate, br, zstd"


@pytest.fixture
def client(app, accounts):
    return app.test_client()


@pytest.mark.parametrize(
    ("accepts", "encoding", "unpack"),
    [(BROWSERS, "br", brotli.decompress), ("gzip", "gzip", gzip.decompress)],
)
def test_a_page_travels_compressed_as_the_browser_likes_it(client, accepts, encoding, unpack):
    plain = client.get("/services")
    packed = client.get("/services", headers={"Accept-Encoding": accepts})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == encoding
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 2
    assert "暖居" in unpack(packed.data).decode()


def test_the_api_answers_compressed_too(client):
    packed = client.get("/api/v1/openapi.json", headers={"Accept-Encoding": BROWSERS})
    assert packed.headers["Content-Encoding"] == "br"
    assert json.loads(brotli.decompress(packed.data))["openapi"].startswith("3.1")


def test_a_page_asks_for_one_style_sheet_that_holds_the_three(client):
    page = client.get("/services").text
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)
    assert len(sheets) == 1
    sheet = client.get(sheets[0]).text
    for word in ("--paper:", ".btn--main", ".citymap"):
        assert word in sheet


def test_files_named_by_their_hash_are_compressed_and_kept_for_good(client):
    page = client.get("/services").text
    for url in set(re.findall(r'(?:src|href)="(/static/[^"#]+)', page)):
        plain = client.get(url)
        packed = client.get(url, headers={"Accept-Encoding": BROWSERS})
        assert "immutable" in packed.headers["Cache-Control"]
        if len(plain.data) > 1000:
            assert packed.headers["Content-Encoding"] == "br"
            assert brotli.decompress(packed.data) == plain.data


def test_a_live_event_leaves_when_it_happens_and_as_it_is(app, browser):
    browser.sign_in("vendor")
    answer = browser.get("/live", headers={"Accept-Encoding": BROWSERS}, buffered=False)
    try:
        heard = answer.iter_encoded()
        assert next(heard) == b"retry: 1000\n\n"
        app.extensions["ports"].live.publish(DESKS, {"changed": True})
        assert next(heard) == b"event: changed\ndata: 1\n\n"
        assert "Content-Encoding" not in answer.headers
    finally:
        answer.close()
