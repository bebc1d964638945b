"""The words of a programme: its conditions, its values and what a change moves, as a person reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask_babel import gettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from marketplace.vouchers.changes import Difference
from marketplace.web.formats import cny, count, is_chinese, minutes
from marketplace.web.words.rights import FACTS, wanted_words

VALUES: dict[str, Any] = {
    "rate_fen_per_hour": _l("contract rate for an hour"),
    "block_min": _l("hours are used in blocks of"),
    "step_fen": _l("the voucher pays in steps of"),
    "items_per_day": _l("items a day at most"),
    "carry_months": _l("months it may be carried over"),
    "budget_fen_per_year": _l("budget of a district for a year"),
    "once_years": _l("years between two grants for a home"),
    "gift_percent": _l("gift on what is put in, percent"),
    "gift_cap_fen_per_year": _l("most gifts in a year"),
    "cap_minutes": _l("most hours that may be kept"),
    "least_visits": _l("least visits a month"),
    "least_minutes": _l("or least time a month"),
    "valid_from": _l("begins"),
    "name_zh": _l("Chinese name"),
    "name_en": _l("English name"),
    "slot": _l("place in the order of payers"),
    "kind": _l("kind of payment"),
    "grant": _l("how it is granted"),
    "unit": _l("counted in"),
    "code": _l("code"),
}
"""Value of a programme -> what it is."""

SERVICES: dict[str, Any] = {
    "subsidised": _l("only subsidised services"),
    "categories": _l("kinds of service"),
    "codes": _l("services"),
    "units": _l("billed by"),
    "modes": _l("where"),
    "exclude": _l("not these services"),
}
"""Test on a service -> what it asks."""


def condition_words(text: str) -> str:
    """Return a condition (``age at_least 60 and at_most 89``) as a person says it."""
    both, either = ("，且", "；或者 ") if is_chinese() else (" and ", "; or ")
    return either.join(
        both.join(_one_test(item) for item in choice.split(" and "))
        for choice in text.split(" or ")
    )


def _one_test(text: str) -> str:
    fact, _space, rest = text.partition(" ")
    if fact not in FACTS:
        return wanted_words(text)
    return f"{FACTS[fact]}{'：' if is_chinese() else ': '}{wanted_words(rest)}"


SOURCES: dict[str, Any] = {
    "elder register": _l("the register of elders"),
    "no assessment in force": _l("no assessment in force"),
    "list of institution stays": _l("the list of institution stays"),
    "households": _l("the police's list of households"),
    "assistance": _l("the list of social assistance"),
    "deaths": _l("the list of deaths"),
    "stays": _l("the list of hospital and institution stays"),
    "ltci": _l("the insurer's list"),
}
"""Where a fact is from -> words; a document stands as it is called."""


_ASSUMED = re.compile(r"assumption(?:[:;] |$)")


def source_words(text: str) -> str:
    """Return where a rule or a fact is from, in the reader's language where that is known.

    What is only assumed says so. The remarks of packaged programmes stand in `words.remarks`.
    """
    if text in SOURCES:
        return str(SOURCES[text])
    if text.startswith("assessment of "):
        return _("assessment of %(date)s", date=text.removeprefix("assessment of "))
    if assumed := _ASSUMED.match(text):
        said, rest = _("assumption, to be confirmed"), text[assumed.end() :]
    else:
        head, _colon, rest = text.partition(": ")
        said = gettext(head)
    return f"{said}{'：' if is_chinese() else ': '}{gettext(rest)}" if rest else said


FILE_PROBLEMS: dict[str, Any] = {
    "not_toml": _l(
        "line %(line)s cannot be read as TOML: look at its quotes, brackets and equals signs"
    ),
    "cut_off": _l("it ends in the middle of a value: close the last quote or bracket"),
    "missing": _l("%(what)s is missing: add it"),
    "wrong_kind": _l(
        "a value is of the wrong kind: write numbers without quotes and dates as 2027-01-01"
    ),
    "unknown_kind": _l(
        "kind or grant has an unknown value: take it over from a programme in force"
    ),
    "unknown_word": _l("%(where)s has no word %(what)s: correct it or take it out"),
    "no_date": _l("valid_from of a version is no date: write it as 2027-01-01 without quotes"),
    "district_code": _l("district %(what)s: its code has six digits"),
    "no_services": _l("a version needs services with a source"),
    "no_tier": _l("a version needs at least one tier"),
    "broken_block": _l(
        "rate_fen_per_hour times block_min must be whole fen an hour: change one of them"
    ),
    "tier_grants_nothing": _l("tier %(what)s grants nothing: give it an amount above zero"),
    "no_whole_number": _l("%(what)s must be a whole number, zero or more"),
    "too_great": _l("%(what)s must be at most %(most)s"),
    "no_list": _l("%(what)s must be a list in square brackets"),
    "named_twice": _l("%(what)s is named twice: keep one of the two"),
    "no_source": _l("no source stands beside %(what)s: add one"),
    "bare_value": _l("%(what)s needs a value and its source"),
    "bad_condition": _l("a condition needs a fact and a known test: %(what)s"),
    "unknown_fact": _l(
        "no register has the fact %(what)s: take one that a programme in force asks for"
    ),
    "slot_unknown": _l("slot %(what)s is not in the order of payers: take one that is"),
    "fixed": _l("%(what)s of a programme never changes: put back %(known)s"),
    "same_day": _l("two versions begin on the same day: give each its own valid_from"),
    "one_version": _l(
        "it must change exactly one version, and changes %(what)s: leave the others as they are"
    ),
    "not_first_of_month": _l("valid_from must be the first day of a month"),
    "begins_too_early": _l("valid_from must lie after %(what)s"),
    "month_is_granted": _l("valid_from must lie after %(what)s, which is granted already"),
    "own_district": _l("it changes more than the values of your own district: put the rest back"),
}
"""Why a programme's file is refused -> the word at fault, and what mends it."""

FILE_TABLES: dict[str, Any] = {
    "a programme": _l("the programme"),
    "a version": _l("a version"),
    "a district": _l("a district's own values"),
    "services": _l("services"),
    "a tier": _l("a tier"),
    "a rate": _l("a rate"),
    "a value": _l("a value"),
}
"""Part of a programme's file -> words."""

_LINE = re.compile(r"at line (\d+)")


def file_problem(facts: Mapping[str, Any]) -> str:
    """Return what is wrong with a programme's file and what mends it; words of the file stay as they are."""
    reason, said = facts["reason"], dict(facts)
    if reason == "not_toml":
        line = _LINE.search(facts["what"])
        said["line"] = line[1] if line else ""
        reason = reason if line else "cut_off"
    if "where" in said:
        said["where"] = FILE_TABLES[said["where"]]
    return str(FILE_PROBLEMS[reason]) % said


def amount_words(amount: int, unit: str, grant: str) -> str:
    """Return what a class gives: a month's hours or money, or at most so much on application."""
    if grant not in ("monthly", "outside", "application"):
        return ""
    said = minutes(amount) if unit == "minutes" else cny(amount)
    if grant == "application":
        return _("up to %(sum)s", sum=said)
    return _("%(sum)s a month", sum=said)


def value_words(name: str, value: int) -> tuple[str, str]:
    """Return what a plain value is, and the value with its unit."""
    word = str(VALUES.get(name, name))
    if "_fen" in name:
        return word, cny(value)
    return word, minutes(value) if name.endswith(("_min", "_minutes")) else count(value)


def difference_words(moved: Difference, unit: str = "") -> tuple[str, str, str]:
    """Return what a change moves, and the value before and after. ``unit``: the programme's."""
    kind, _space, name = moved.what.partition(" ")
    texts = (moved.before, moved.after)
    if kind == "who":
        return _("condition %(number)s", number=name), *_both(condition_words, texts)
    if kind == "tier" and name.endswith(" when"):
        what = _("class %(name)s, for whom", name=name.removesuffix(" when"))
        return what, *_both(condition_words, texts)
    if kind == "tier" and name.endswith(" item"):
        what = _("class %(name)s, for each item", name=name.removesuffix(" item"))
        return what, *_both(lambda t: _amount(t, unit), texts)
    if kind == "tier":
        return _("class %(name)s", name=name), *_both(lambda t: _amount(t, unit), texts)
    if kind == "rate":
        return _("rate for %(name)s", name=name.removeprefix("of ")), *texts
    if kind == "source":
        source = name.removeprefix("of ")
        return _("source of: %(name)s", name=VALUES.get(source, source)), *_both(
            source_words, texts
        )
    if kind == "services":
        return str(SERVICES.get(name, name)), *texts
    if moved.what in VALUES and all(t.isdigit() for t in texts if t):
        return str(VALUES[moved.what]), *_both(lambda t: value_words(moved.what, int(t))[1], texts)
    return str(VALUES.get(moved.what, moved.what)), *texts


def _both(words: Any, texts: tuple[str, str]) -> tuple[str, str]:
    before, after = (words(t) if t else "" for t in texts)
    return before, after


def _amount(text: str, unit: str) -> str:
    if unit == "fen":
        return cny(int(text))
    return minutes(int(text)) if unit == "minutes" else text
