"""What a right rests on: facts of an elder, their values, tests of a rule, papers to bring."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from marketplace.web.formats import is_chinese

FACTS: dict[str, Any] = {
    "age": _l("age"),
    "hukou_local": _l("household registered here"),
    "at_home": _l("lives at home"),
    "income_class": _l("income class"),
    "lives_alone": _l("lives alone"),
    "special": _l("special group"),
    "level": _l("ability level"),
    "status": _l("state in the register"),
    "address": _l("address"),
}
"""Fact of an elder that programmes ask for -> its name."""

FACT_VALUES: dict[str, Any] = {
    "yes": _l("yes"),
    "no": _l("no"),
    "True": _l("yes"),
    "False": _l("no"),
    "Y": _l("yes"),
    "N": _l("no"),
    "?": _l("not known"),
    "none": _l("none"),
    "tekun": _l("destitute"),
    "dibao": _l("minimum living allowance"),
    "dibao_edge": _l("just above the allowance"),
    "low": _l("low income"),
    "ordinary": _l("ordinary"),
    "tefu": _l("family-planning hardship"),
    "youfu": _l("veterans and families"),
    "severe_disability": _l("severe disability"),
    "jizhong": _l("central care grant"),
    "tisheng": _l("upgrade programme"),
    "ltci": _l("care insurance in payment"),
    "tekun_agreement": _l("care agreement for the destitute"),
    "bed": _l("care bed at home"),
    "active": _l("in the register"),
    "away": _l("away"),
    "moved": _l("moved away"),
    "dead": _l("deceased"),
}

WANTED: dict[str, Any] = {
    "at_least": _l("%(value)s or more"),
    "at_most": _l("%(value)s or less"),
    "is": _l("must be: %(value)s"),
    "is_not": _l("must not be: %(value)s"),
    "one_of": _l("one of: %(value)s"),
    "has_any": _l("any of: %(value)s"),
    "has_none": _l("none of: %(value)s"),
}
"""Test of a rule -> how it is said."""


def wanted_words(text: str) -> str:
    """Return a rule's test in words: ``at_least 60`` -> 60 or more."""
    operator, _space, value = text.partition(" ")
    if operator not in WANTED:
        return text
    return str(WANTED[operator]) % {"value": fact_value(value)}


def cause_word(code: str) -> str:
    """Return what would change an elder's rights: another ability level, a birthday, an end."""
    if code.startswith("level_"):
        return _("ability level %(level)s", level=code.removeprefix("level_"))
    return str(CAUSES.get(code, code))


CAUSES: dict[str, Any] = {
    "birthday": _l("birthday"),
    "no_assessment": _l("the assessment ends"),
}


def fact_value(text: str) -> str:
    """Return a fact's value in words where it is a code."""
    codes = text.split(", ") if ", " in text else text.split(",")
    parts = [str(FACT_VALUES.get(p, p)) for p in codes]
    return ("、" if is_chinese() else ", ").join(parts)


PAPERS: dict[str, Any] = {
    "ability_assessment": _l("an ability assessment"),
    "income_statement": _l("the income statement"),
    "household_register": _l("the household register"),
    "identity_card": _l("the identity card"),
    "community_statement": _l("a statement of the community"),
    "group_certificate": _l("the certificate of the group"),
    "discharge_paper": _l("the discharge paper"),
}
"""What a person brings when a fact is not on file."""
