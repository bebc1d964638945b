"""Both languages are complete: no sentence without its Chinese, no Chinese without its sentence."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import marketplace
import vendors
from marketplace.kernel.errors import DomainError
from marketplace.orders import rules
from marketplace.web.words.refusals import ERRORS, UNSAFE

WEB = Path(__file__).resolve().parents[2] / "marketplace" / "web"
SPEAKERS = (WEB, WEB.parent / "commands")
"""Who may say sentences: pages and the command line."""
PO = WEB / "translations" / "zh_Hans_CN" / "LC_MESSAGES" / "messages.po"
KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "lazy_gettext": None,
    "lazy_ngettext": (1, 2),
    "_l": None,
    "_n": (1, 2),
    "pgettext": ((1, "c"), 2),
    "lazy_pgettext": ((1, "c"), 2),
}
METHODS = [("**.py", "python"), ("**.html", "jinja2")]
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def extracted() -> Catalog:
    """Every sentence that the code and the templates may say."""
    catalogue = Catalog()
    options = {"**.html": {"silent": "false", "trimmed": "true"}}
    for room in SPEAKERS:
        for _file, line, message, _comments, context in extract_from_dir(
            room, METHODS, options, keywords=KEYWORDS
        ):
            catalogue.add(message, locations=[(_file, line)], context=context)
    return catalogue


@pytest.fixture(scope="module")
def chinese() -> Catalog:
    with PO.open("rb") as source:
        return read_po(source, locale="zh_Hans_CN")


def keys(catalogue: Catalog) -> set[tuple[str, str | None]]:
    return {(m.id[0] if isinstance(m.id, tuple) else m.id, m.context) for m in catalogue if m.id}


def test_no_sentence_lacks_its_chinese(chinese):
    assert sorted(keys(extracted()) - keys(chinese), key=str) == []


def test_no_translation_is_left_without_its_sentence(chinese):
    assert sorted(keys(chinese) - keys(extracted()), key=str) == []


def test_no_translation_is_empty_or_doubtful(chinese):
    bad = []
    for message in chinese:
        if not message.id:
            continue
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        if message.fuzzy or not all(texts):
            bad.append(message.id)
    assert bad == []


def test_a_translation_fills_in_the_same_values(chinese):
    bad = []
    for message in chinese:
        if not message.id:
            continue
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        wanted = set(PLACEHOLDER.findall(ids[-1]))
        bad += [message.id for text in texts if set(PLACEHOLDER.findall(text)) != wanted]
    assert bad == []


def test_every_refusal_has_its_sentence():
    for package in (marketplace, vendors):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "migrations" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    codes = {e.code.fget(e.__new__(e)) for e in refusals(DomainError)}
    assert sorted(codes - set(ERRORS)) == []


def test_every_rule_that_finds_a_service_unsafe_says_what_to_choose():
    assert set(re.findall(r'rule="(\w+)"', inspect.getsource(rules))) == set(UNSAFE)


def refusals(kind: type[DomainError]) -> set[type[DomainError]]:
    """Every refusal that this code may raise."""
    below = {e for e in kind.__subclasses__() if not e.__module__.startswith("tests")}
    return below | {deeper for e in below for deeper in refusals(e)}


def test_the_packaged_programmes_name_their_sources_in_chinese(chinese):
    ours = {str(m.id) for m in chinese if m.id and not isinstance(m.id, tuple)}
    latin = re.compile(r"[a-z]{3}")
    said = set()
    for path in (WEB.parent / "vouchers" / "programmes").glob("*.toml"):
        for source in re.findall(r'source = "([^"]*)"', path.read_text()):
            head, _colon, rest = re.sub("^assumption; ", "assumption: ", source).partition(": ")
            said |= {part for part in (head, rest) if latin.search(part) and part != "assumption"}
    assert sorted(said - ours) == []
