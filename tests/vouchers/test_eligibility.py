"""Who is entitled, which rule decided, what is missing and what would change it."""

from __future__ import annotations

from datetime import date

import pytest

from marketplace.app import db
from marketplace.kernel.db import transaction
from marketplace.kernel.facts import Fact
from marketplace.queries.entitlements import register_rights, rights
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


def test_a_choice_that_holds_does_not_hide_the_rule_that_refused():
    decision = decide(programmes.terms_of("ADAPT", DAY), person(age=82))
    assert decision.entitled is False
    assert decision.deciding.fact == "income_class"
    assert [f.fact for f in decision.findings] == ["income_class", "age"]


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


def test_rights_of_a_past_day_are_decided_on_the_facts_of_that_day(session):
    an_elder(session, income_class="dibao", born_on=date(1946, 3, 4))
    an_assessment(session, level=2, assessed_on=date(2026, 3, 1), valid_until=date(2026, 8, 31))
    an_assessment(session, level=3, assessed_on=date(2026, 9, 1), valid_until=date(2027, 8, 31))

    def holds(day):
        return {a.tier for a in rights(session, "E1", day).answers if a.says == "yes"}

    assert holds(date(2026, 2, 1)) == {"MEAL-HARD", "CHAR", "TB"}
    assert holds(date(2026, 3, 3)) == {"GP-A2", "LV-2", "MEAL-HARD", "NV", "ADAPT", "CHAR", "TB"}
    assert holds(date(2026, 10, 1)) == {"GP-A1", "LV-3", "MEAL-HARD", "NV", "ADAPT", "CHAR", "TB"}


def test_an_answer_is_one_of_four_words(session):
    an_elder(session, income_class="dibao")
    says = {a.programme_code: a.says for a in rights(session, "E1", TODAY).answers}
    assert says["GP-A1"] == "open"
    assert says["GP-C"] == "yes"
    assert says["TQ"] == "no"
    an_assessment(session, level=2)
    says = {a.programme_code: a.says for a in rights(session, "E1", TODAY).answers}
    assert says["GP-C"] == "other_class"


def test_the_end_of_an_assessment_and_another_level_are_told(session):
    an_elder(session, income_class="dibao")
    an_assessment(session, level=2)
    found = {c.cause: c for c in rights(session, "E1", TODAY).changes}
    assert found["no_assessment"].on == date(2027, 3, 1)
    assert "GP-A2" in found["no_assessment"].loses
    assert {"GP-A1", "LV-3"} <= set(found["level_3"].gains)


def test_the_whole_register_is_answered_as_each_elder_alone(session):
    an_elder(session, "E1", income_class="dibao")
    an_elder(session, "E2", income_class="dibao", born_on=date(1930, 1, 1))
    an_elder(session, "E3", district_code="321202", lives_alone=True)
    an_elder(session, "E4", income_class="dibao")
    an_assessment(session, "E4", level=3)
    rows = list(register_rights(session, TODAY))
    assert len(rows) == 4 * 14
    for elder_id in ("E1", "E2", "E3", "E4"):
        alone = {
            (a.programme_code, a.says, a.tier, a.decided_by, a.bring)
            for a in rights(session, elder_id, TODAY).answers
        }
        mine = {
            (r.programme_code, r.says, r.tier, r.rule, r.bring)
            for r in rows
            if r.elder_id == elder_id
        }
        assert mine == alone


def test_the_command_tells_rule_fact_and_paper(app):
    with app.app_context():
        with transaction(db.session):
            an_elder(db.session, income_class="dibao")
        told = app.test_cli_runner().invoke(args=["grants", "rights", "E1", "--on", "2026-11-23"])
    assert told.exit_code == 0
    assert "LV     open" in told.output
    assert "level at_least 2: ?" in told.output
    assert "bring: ability_assessment" in told.output


def test_the_register_is_written_to_a_file(app, tmp_path):
    with app.app_context():
        with transaction(db.session):
            an_elder(db.session)
        path = str(tmp_path / "rights.csv")
        told = app.test_cli_runner().invoke(args=["grants", "register", path])
    assert told.output.startswith("14 answers")
    lines = (tmp_path / "rights.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 15
