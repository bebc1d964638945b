"""Whatever is posted to a person is a sentence, in both languages, with its facts filled in."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from flask_babel import force_locale

import marketplace
from marketplace.app import create_app
from marketplace.config import Settings
from marketplace.kernel.outbox import FOR_PEOPLE, FOR_SYSTEMS, post
from marketplace.web.messages import MESSAGES, message_sentence

HOUSE = Path(marketplace.__file__).parent
VALUES = {
    "day": "2026-11-24",
    "num": 2,
    "start_s": 34_200,
    "period": "2026-11",
    "fen": 12_050,
    "own_before_fen": 1_000,
    "own_after_fen": 2_000,
    "programme_code": "ADAPT",
    "reason": "scores",
    "bill_id": "B-1",
    "elder_id": "E1",
    "vendor_id": "V1",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory):
    """The application, never asked for data."""
    return create_app(Settings(instance=tmp_path_factory.mktemp("messages")))


@cache
def posts() -> list[tuple[str, ast.expr]]:
    """File and line of every posting, and what it names as its template."""
    found = []
    for path in sorted(HOUSE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                named = {k.arg: k.value for k in node.keywords}
                if node.func.attr == "post" and "template" in named:
                    found.append((f"{path.relative_to(HOUSE)}:{node.lineno}", named["template"]))
    return found


def patterns(named: ast.expr) -> list[str]:
    """What a template may be, as patterns: its text, its choices, or a text with a part left open."""
    if isinstance(named, ast.Constant):
        return [re.escape(named.value)]
    if isinstance(named, ast.IfExp):
        return patterns(named.body) + patterns(named.orelse)
    if isinstance(named, ast.JoinedStr):
        parts = [re.escape(v.value) if isinstance(v, ast.Constant) else ".+" for v in named.values]
        return ["".join(parts)]
    return [".+"]


def test_every_message_that_the_code_posts_is_named():
    known = FOR_PEOPLE | FOR_SYSTEMS
    unnamed = [
        (where, pattern)
        for where, named in posts()
        for pattern in patterns(named)
        if not any(re.fullmatch(pattern, name) for name in known)
    ]
    assert len(posts()) > 20
    assert unnamed == []


def test_every_named_message_stands_in_the_code():
    source = "".join(p.read_text() for p in HOUSE.rglob("*.py") if p.name != "outbox.py")
    source = source.replace((HOUSE / "web" / "messages.py").read_text(), "")
    open_ended = [pattern for _, named in posts() for pattern in patterns(named) if pattern != ".+"]
    silent = [
        name
        for name in sorted(FOR_PEOPLE | FOR_SYSTEMS)
        if f'"{name}"' not in source and not any(re.fullmatch(p, name) for p in open_ended)
    ]
    assert silent == []


def test_every_message_to_a_person_has_its_sentence():
    assert set(MESSAGES) == FOR_PEOPLE


@pytest.mark.parametrize("template", sorted(FOR_PEOPLE))
def test_a_message_says_its_facts_in_both_languages(app, template):
    said = {}
    for language in ("zh_Hans_CN", "en"):
        with app.test_request_context(), force_locale(language):
            said[language] = message_sentence(template, VALUES)
    assert re.search(r"[\u4e00-\u9fff]", said["zh_Hans_CN"])
    assert re.fullmatch(r"[\x20-\x7e\u2013\u2019]+", said["en"])
    for text in said.values():
        assert "%" not in text
        assert "  " not in text


def test_a_text_message_is_chinese_and_signed(app):
    text = app.extensions["ports"].wording.text("please_confirm", {"day": "2026-11-24"})
    assert text == "【暖居】11月24日的上门服务已结束。没有问题就不用回复；有问题请打 12349。"


def test_a_message_without_a_sentence_is_not_taken():
    with pytest.raises(ValueError, match="no such message: hello"):
        post(
            None,  # type: ignore[arg-type]
            due_at=None,  # type: ignore[arg-type]
            channel="sms",
            recipient_kind="elder",
            recipient_id="E1",
            template="hello",
            about="x",
        )
