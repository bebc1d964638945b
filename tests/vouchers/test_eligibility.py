"""Who is entitled, which rule decided, what is missing and what would change it."""

from __future__ import annotations

from datetime import date

import pytest

from marketplace.kernel.facts import Fact
from marketplace.queries.entitlements import rights
from marketplace.vouchers import programmes
from marketplace.vouchers.eligibility import best_of_slots, decide
from marketplace.vouchers.explain import changes
from tests.builders import TODAY, an_assessment, an_elder

DAY = date(2026, 11, 23)


def person(**values):
    facts = {
        "age": 72,
        "hukou_local": True,
        "at_home": True,
        "income_class": "ordinary",
        "lives_alone": False,
        "special": frozenset(),
        "level": 0,
    } | values
    return {name: Fact(value, "test") for name, value in facts.items()}


def held(**values):
    terms = programmes.all_terms(DAY)
    return {t.code: tier.name for t, tier in best_of_slots(terms, person(**values))}


def gp(**values):
    return {c: t for c, t in held(**values).items() if c.startswith("GP")}


def test_there_are_fourteen_programmes_each_with_its_sources():
    terms = programmes.all_terms(DAY)
    assert len(terms) == 14
    assert all(tier.source for t in terms for tier in t.tiers)
    assert all(condition.source for t in terms for condition in t.who)


@pytest.mark.parametrize(
    ("facts", "tier"),
    [
        ({"income_class": "dibao", "level": 3}, "GP-A1"),
        ({"income_class": "low", "level": 4}, "GP-A1"),
        ({"income_class": "dibao_edge", "level": 2}, "GP-A2"),
        ({"income_class": "dibao", "level": 1}, "GP-B1"),
        ({"special": frozenset({"tefu"}), "age": 60}, "GP-B2"),
        ({"lives_alone": True, "age": 70}, "GP-B2"),
        ({"age": 80}, "GP-C1"),
        ({"age": 89}, "GP-C1"),
        ({"age": 90}, "GP-C2"),
        ({"age": 100}, "GP-C3"),
    ],
)
def test_an_elder_holds_one_class_of_hours_the_best(facts, tier):
    assert list(gp(**facts).values()) == [tier]


@pytest.mark.parametrize(
    "facts",
    [
        {"lives_alone": True, "age": 69},
        {"age": 79},
        {"income_class": "dibao", "level": 3, "hukou_local": False},
        {"income_class": "dibao", "level": 3, "at_home": False},
        {"income_class": "dibao", "level": 3, "age": 59},
    ],
)
def test_who_meets_no_class_gets_no_hours(facts):
    assert gp(**facts) == {}


@pytest.mark.parametrize(("level", "tier"), [(2, "LV-2"), (3, "LV-3"), (4, "LV-4")])
def test_the_local_voucher_grows_with_the_ability_level(level, tier):
    assert held(income_class="dibao", level=level)["LV"] == tier


def test_the_national_voucher_needs_a_moderate_level_and_no_other_full_support():
    assert "NV" in held(level=2)
    assert "NV" not in held(level=1)
    assert "NV" not in held(level=2, income_class="tekun")
    assert "NV" not in held(level=2, special=frozenset({"tisheng"}))


def test_a_missing_assessment_leaves_the_answer_open_and_says_what_is_missing():
    decision = decide(programmes.terms_of("GP-A1", DAY), person(income_class="dibao", level=None))
    assert decision.entitled is None
    assert decision.missing == ("level",)


def test_a_fact_that_refuses_decides_though_another_is_missing():
    decision = decide(programmes.terms_of("GP-A1", DAY), person(level=None))
    assert decision.entitled is False
    assert decision.missing == ()
    assert decision.deciding.fact == "income_class"


def test_the_next_birthday_that_changes_anything_is_told():
    terms = programmes.all_terms(DAY)
    found = changes(terms, person(age=78), born_on=date(1948, 2, 29), assessed_until=None, on=DAY)
    birthday = next(c for c in found if c.cause == "birthday")
    assert birthday.on == date(2028, 2, 29)
    assert birthday.gains == ("GP-C1", "MEAL-80")


def test_rights_on_file_quote_rule_fact_and_source(session):
    an_elder(session, income_class="dibao")
    an_assessment(session, level=2)
    by_code = {a.programme_code: a for a in rights(session, "E1", TODAY).answers}
    assert by_code["GP-A2"].held
    assert not by_code["GP-C"].held
    assert by_code["GP-C"].entitled
    assert by_code["GP-A1"].entitled is False
    assert by_code["GP-A1"].decided_by == "level at_least 3: 2"
    assert by_code["GP-A1"].decision.deciding.source_of_fact == "assessment of 2026-03-01"


def test_without_an_assessment_the_elder_is_told_what_to_bring(session):
    an_elder(session, income_class="dibao")
    by_code = {a.programme_code: a for a in rights(session, "E1", TODAY).answers}
    assert by_code["LV"].entitled is None
    assert by_code["LV"].bring == ("ability_assessment",)
