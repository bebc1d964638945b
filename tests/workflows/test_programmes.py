"""A change of a programme: read, tried on last month's orders, proposed by one, released by another."""

from __future__ import annotations

from datetime import date, datetime, timezone

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from marketplace.app import db
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.audit import AuditEvent
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import BadInput, NotAllowed, NotFound, WrongState
from marketplace.queries import programmes as query
from marketplace.vouchers import changes
from marketplace.vouchers.changes import ChangeOutdated, ChangeRefused
from marketplace.vouchers.models import Entitlement, LedgerAccount
from marketplace.vouchers.programmes import FOLDER
from marketplace.vouchers.verify import verify
from marketplace.workflows.grants import PreviewOutdated, preview_grants, release_grants
from marketplace.workflows.programmes import (
    ProposeChange,
    ReleaseChange,
    TryChange,
    WithdrawChange,
    propose_change,
    release_change,
    try_change,
    withdraw_change,
)
from tests.builders import DISTRICT, NOVEMBER, a_hold, a_service, an_assessment, an_elder, granted

ONE, TWO = Actor("u-one", Role.BUREAU), Actor("u-two", Role.BUREAU)
JANUARY = Period(2027, 1)
FILE = (FOLDER / "gp_c.toml").read_text(encoding="utf-8")


def changed(*replacements: tuple[str, str], valid_from: str = "2027-01-01", more: str = "") -> str:
    """Return the file of the universal hours with one more version."""
    version = FILE[FILE.index("[[version]]") :].replace("2026-01-01", valid_from)
    for old, new in replacements:
        assert old in version
        version = version.replace(old, new)
    return f"{FILE}\n{version}\n{more}"


MORE_HOURS = changed(("amount = 120", "amount = 180"))
FROM_85 = changed(("at_least = 80\nsource", "at_least = 85\nsource"))


@pytest.fixture
def register(session):
    """Two of 80 (one poor and disabled), one of 90; E1 has three cleanings in November."""
    with transaction(session):
        an_elder(session, "E1")
        an_elder(session, "E2", income_class="dibao")
        an_assessment(session, "E2", level=2)
        an_elder(session, "E3", born_on=date(1936, 3, 4))
        granted(session)
        version = a_service(session)
        for n in range(1, 4):
            a_hold(session, f"W{n}", version=version, visit_on=date(2026, 11, 23 + n))
    return session


def tried(session, ports, file, actor=ONE):
    return try_change(session, ports, actor, request=TryChange(file, "2026-11"))


def proposed(session, ports, file=MORE_HOURS, actor=ONE, key="p1"):
    request = ProposeChange(file, "decision 12", "2026-11")
    return propose_change(session, ports, actor, key=key, request=request)


def released(session, ports, change, actor=TWO, key="r1"):
    return release_change(session, ports, actor, key=key, request=ReleaseChange(change.change_id))


def grant(session, ports, period):
    run = preview_grants(session, ports, ONE, period=period, district_code=DISTRICT)
    release_grants(session, ports, TWO, run_id=run.run_id)


def hours(session, period):
    rows = session.execute(
        select(Entitlement.elder_id, Entitlement.granted, Entitlement.programme_version).where(
            Entitlement.period == str(period), Entitlement.slot == "GP"
        )
    )
    found = {row[0]: (row[1], row[2].isoformat()) for row in rows}
    session.rollback()
    return found


def test_more_hours_are_tried_on_the_month_to_the_fen(register, ports):
    trial = tried(register, ports, MORE_HOURS).trial
    assert (trial.elders, trial.gaining, trial.losing) == (3, 1, 0)
    # The third cleaning found the two hours used up: now an hour pays 25 of its 60 yuan.
    assert (trial.work_orders, trial.paying_less, trial.paying_less_fen) == (3, 1, 2_500)
    assert (trial.paying_more, trial.public_fen) == (0, 2_500)
    assert [(p.programme_code, p.fen_before, p.fen_after) for p in trial.payers] == [
        ("GP-C", 5_000, 7_500),
        ("OWN", 13_000, 10_500),
    ]
    assert [(t.tier, t.people_before, t.people_after) for t in trial.tiers] == [("GP-C1", 1, 1)]
    assert trial.bound_fen == 2_500
    assert trial.most_less[0].elder_id == "E1"


def test_a_higher_age_names_who_loses_and_what_they_would_have_paid(register, ports):
    trial = tried(register, ports, FROM_85).trial
    assert (trial.gaining, trial.losing) == (0, 1)
    assert (trial.paying_more, trial.paying_more_fen, trial.public_fen) == (1, 5_000, -5_000)
    assert [(t.tier, t.people_before, t.people_after) for t in trial.tiers] == [("GP-C1", 1, 0)]


def test_a_trial_writes_nothing(register, ports):
    tried(register, ports, MORE_HOURS)
    assert query.programme_changes(register) == ()


def test_what_a_file_moves_is_named_value_by_value(register, ports):
    moved = tried(register, ports, MORE_HOURS).differences
    assert [(d.what, d.before, d.after) for d in moved] == [
        ("tier GP-C1", "120", "180"),
        ("valid_from", "2026-01-01", "2027-01-01"),
    ]


TWICE = '[[version.tier]]\nname = "GP-C1"\namount = 99_999\nsource = "nobody"\n'
"""A class named twice: the greater amount would be granted, the other be shown."""
RATE = '[[version.rate]]\nmodes = ["home"]\nsource = "nobody"\npercent = '
HALF_AS_MUCH_AGAIN, TWO_RATES = f"{RATE}150\n", f"{RATE}90\n{RATE}50\n"


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("code = ", "it is no TOML"),
        (FILE, "must change exactly one version, and changes 0"),
        (changed(valid_from="2027-01-15"), "first day of a month"),
        (changed(valid_from="2026-11-01"), "must lie after 2026-11-23"),
        (MORE_HOURS.replace('slot = "GP"', 'slot = "LV"', 1), "slot of a programme never changes"),
        (MORE_HOURS.replace('slot = "GP"', 'slot = "XX"', 1), "not in the order of payers"),
        (MORE_HOURS.replace("amount = 300", "amount = 301", 1), "changes 2"),
        (changed(('fact = "hukou_local"', 'fact = "shoe_size"')), "no register has the fact"),
        (changed(("at_least = 80\nsource", 'at_least = "old"\nsource')), "of the wrong kind"),
        (changed(("block_min = { value = 15", "block_min = { value = 7")), "whole fen"),
        (changed(('amount = 300\nsource = "assumption"', "amount = 300")), "no source"),
        (changed(("carry_months =", "cary_months =")), "unknown word cary_months"),
        (changed(("services = { subsidised", "services = { subsidized")), "word subsidized"),
        (changed(("amount = 300", "amount = 300\namuont = 400")), "unknown word amuont"),
        (changed(("block_min = { value", "block_min = { unit = 1, value")), "unknown word unit"),
        (changed(more="[version.district.321204]\nvalid_from = 2027-02-01"), "word valid_from"),
        (changed(more="[version.district.jiangyan]\n"), "six digits"),
        (changed(("amount = 120", "amount = 120.5")), "amount is no whole number"),
        (changed(("amount = 120", "amount = -120")), "amount is no whole number"),
        (changed(("block_min = { value = 15", 'block_min = { value = "15"')), "of the wrong kind"),
        (changed(('units = ["小时", "次"]', 'units = "小时"')), "units is no list"),
        (
            changed(('fact = "hukou_local"\nis = true', 'fact = "special"\nhas_any = "bed"')),
            "no fact",
        ),
        (changed(more=TWICE), "GP-C1 is named twice"),
        (changed(more=HALF_AS_MUCH_AGAIN), "percent is more than 100"),
        (changed(more=TWO_RATES), "home is named twice"),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_what_is_wrong(register, ports, file, problem):
    with pytest.raises(ChangeRefused) as refused:
        tried(register, ports, file)
    assert problem in refused.value.facts["problem"]


MEALS = (FOLDER / "meal.toml").read_text(encoding="utf-8")
BOUNDLESS = MEALS[MEALS.index("[[version]]") :].replace("2026-01-01", "2027-01-01")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("per_item_fen = 200", "per_item_fen = 200\namount = 900_000_000", "tier MEAL-60"),
        ('exclude = ["ZC001", "ZC005"]', "codes = []", "services codes"),
    ],
)
def test_nothing_moves_that_is_not_shown(register, ports, old, new, what):
    """What is not shown would be released unseen, and a district could move it for the city."""
    assert old in BOUNDLESS
    moved = tried(register, ports, f"{MEALS}\n{BOUNDLESS.replace(old, new)}").differences
    assert what in {d.what for d in moved}


def test_a_month_that_is_granted_keeps_its_terms(register, ports):
    grant(register, ports, Period(2026, 12))
    with pytest.raises(ChangeRefused) as refused:
        tried(register, ports, changed(("amount = 120", "amount = 180"), valid_from="2026-12-01"))
    assert "2026-12, which is granted" in refused.value.facts["problem"]


def test_a_released_change_holds_from_its_month_on_and_not_before(register, ports):
    change = proposed(register, ports)
    grant(register, ports, Period(2026, 12))
    released(register, ports, change)
    grant(register, ports, JANUARY)
    assert hours(register, Period(2026, 12))["E1"] == (120, "2026-01-01")
    assert hours(register, JANUARY)["E1"] == (180, "2027-01-01")
    assert hours(register, NOVEMBER)["E1"] == (120, "2026-01-01")


def test_a_proposal_alone_changes_nothing(register, ports):
    proposed(register, ports)
    grant(register, ports, Period(2026, 12))
    grant(register, ports, JANUARY)
    assert hours(register, JANUARY)["E1"] == (120, "2026-01-01")


def test_a_preview_of_grants_by_the_old_terms_is_outdated(register, ports):
    change = proposed(register, ports)
    run = preview_grants(register, ports, ONE, period=JANUARY, district_code=DISTRICT)
    released(register, ports, change)
    with pytest.raises(PreviewOutdated):
        release_grants(register, ports, TWO, run_id=run.run_id)


def test_who_proposed_may_not_release(register, ports):
    change = proposed(register, ports)
    for actor in (ONE, Actor("u-one", Role.SYSTEM)):
        with pytest.raises(NotAllowed):
            released(register, ports, change, actor)
    assert query.programme_change(register, change.change_id).line.state == "proposed"


@pytest.mark.parametrize("role", [Role.HOTLINE, Role.VENDOR, Role.STREET, Role.AUDITOR])
def test_only_civil_affairs_change_a_programme(register, ports, role):
    with pytest.raises(NotAllowed):
        proposed(register, ports, actor=Actor("u", role))


OWN_AMOUNT = (
    f"[[version.district.{DISTRICT}.tier]]\n"
    'name = "GP-C1"\namount = 240\nsource = "decision of the district"\n'
)
HERE = Actor("u-here", Role.BUREAU, district_code=DISTRICT)
HERE_TOO = Actor("u-here-too", Role.BUREAU, district_code=DISTRICT)
ELSEWHERE = Actor("u-elsewhere", Role.BUREAU, district_code="321281")


def test_a_district_changes_its_own_values_by_two_of_its_people(register, ports):
    change = proposed(register, ports, changed(more=OWN_AMOUNT), HERE)
    with pytest.raises(NotFound):
        released(register, ports, change, ELSEWHERE)
    with pytest.raises(NotAllowed):
        released(register, ports, change, HERE)
    released(register, ports, change, HERE_TOO)
    grant(register, ports, JANUARY)
    assert hours(register, JANUARY)["E1"] == (240, "2027-01-01")


@pytest.mark.parametrize(
    ("file", "actor"),
    [
        (MORE_HOURS, HERE),
        (changed(more=OWN_AMOUNT), ELSEWHERE),
        (changed(("amount = 300", "amount = 360"), more=OWN_AMOUNT), HERE),
    ],
)
def test_a_district_changes_nothing_of_the_city_and_of_no_other(register, ports, file, actor):
    with pytest.raises(ChangeRefused) as refused:
        tried(register, ports, file, actor)
    assert "more than the values of your own district" in refused.value.facts["problem"]


def test_who_gains_and_who_loses_is_listed_by_name_of_the_file(register, ports):
    people = []
    request = TryChange(MORE_HOURS, "2026-11")
    try_change(register, ports, ONE, request=request, each=people.append)
    assert [(m.elder_id, m.rights_before, m.rights_after) for m in people] == [
        ("E1", "GP-C1 120", "GP-C1 180")
    ]
    assert (people[0].own_before_fen, people[0].own_after_fen) == (13_000, 10_500)
    people.clear()
    request = TryChange(FROM_85, "2026-11")
    try_change(register, ports, ONE, request=request, each=people.append)
    assert [(m.elder_id, m.rights_before, m.rights_after) for m in people] == [
        ("E1", "GP-C1 120", "")
    ]


def test_the_list_of_people_is_recorded_as_taken(register, ports):
    request = TryChange(MORE_HOURS, "2026-11")
    try_change(register, ports, ONE, request=request, each=lambda _: None)
    event = register.scalars(select(AuditEvent).where(AuditEvent.action == "list_trial")).one()
    assert (event.actor_id, event.facts["people"]) == ("u-one", 1)


def test_a_change_begins_with_the_file_in_force(register, ports):
    assert query.programme_file(register, "GP-C") == FILE
    released(register, ports, proposed(register, ports))
    assert query.programme_file(register, "GP-C") == MORE_HOURS
    with pytest.raises(NotFound):
        query.programme_file(register, "NONE")


def test_of_two_proposals_on_one_base_the_second_must_be_made_again(register, ports):
    first = proposed(register, ports)
    second = proposed(register, ports, FROM_85, key="p2")
    released(register, ports, first)
    with pytest.raises(ChangeOutdated):
        released(register, ports, second, key="r2")


def test_a_proposal_whose_day_has_come_is_not_released(register, ports, clock):
    change = proposed(register, ports)
    clock.at = datetime(2027, 1, 5, tzinfo=timezone.utc)  # noqa: UP017
    with pytest.raises(ChangeRefused):
        released(register, ports, change)


def test_a_repeated_step_gives_the_first_answer(register, ports):
    change = proposed(register, ports)
    assert proposed(register, ports) == change
    first = released(register, ports, change)
    assert released(register, ports, change) == first
    with pytest.raises(WrongState):
        released(register, ports, change, key="another")
    assert len(query.programme_changes(register)) == 1


def test_a_withdrawn_proposal_cannot_be_released(register, ports):
    change = proposed(register, ports)
    request = WithdrawChange(change.change_id, "the council said no")
    assert withdraw_change(register, ports, ONE, key="w", request=request).state == "withdrawn"
    with pytest.raises(WrongState):
        released(register, ports, change)


def test_a_change_needs_its_reason(register, ports):
    request = ProposeChange(MORE_HOURS, "  ")
    with pytest.raises(BadInput):
        propose_change(register, ports, ONE, key="k", request=request)


def test_a_district_may_have_its_own_amount(register, ports):
    change = proposed(register, ports, changed(more=OWN_AMOUNT))
    view = query.programme_change(register, change.change_id)
    mine = [(d.what, d.after) for d in view.differences if d.district_code == DISTRICT]
    assert ("tier GP-C1", "240") in mine
    released(register, ports, change)
    grant(register, ports, JANUARY)
    assert hours(register, JANUARY)["E1"] == (240, "2027-01-01")
    versions = query.programme(register, "GP-C").versions
    assert [(v.valid_from.year, v.district_code) for v in versions] == [
        (2026, ""),
        (2027, ""),
        (2027, DISTRICT),
    ]


def test_a_budget_that_changes_within_the_year_holds_from_its_month_on(register, ports):
    """Also where the new version asks for less, and a past month that is granted later."""
    budget = f"budget:GP-C:{DISTRICT}:2027"

    def left():
        register.rollback()
        a = register.get_one(LedgerAccount, budget)
        return a.credits_posted - a.debits_posted

    grant(register, ports, JANUARY)
    granted_fen = 60_000_000_000 - left()
    released(register, ports, proposed(register, ports, less_budget(5_000_000), key="p2"), key="r2")
    preview = preview_grants(register, ports, ONE, period=Period(2027, 2), district_code=DISTRICT)
    [total] = [t for t in preview.totals if t.programme_code == "GP-C"]
    assert total.budget_left_fen == 5_000_000 - granted_fen
    release_grants(register, ports, TWO, run_id=preview.run_id)
    assert left() == 5_000_000 - 2 * granted_fen
    with transaction(register):
        an_elder(register, "E9")
    grant(register, ports, JANUARY)
    assert left() == 5_000_000 - 2 * granted_fen - 5_000
    assert verify(register.connection()).findings == ()


def less_budget(fen):
    return changed(("value = 60000000000", f"value = {fen}"), valid_from="2027-02-01")


def test_a_new_programme_may_be_added(register, ports):
    file = MORE_HOURS.replace('code = "GP-C"', 'code = "GP-D"', 1)
    file = file[: file.index("[[version]]")] + file[file.rindex("[[version]]") :]
    released(register, ports, proposed(register, ports, file))
    codes = [p.code for p in query.programmes(register, date(2026, 11, 23))]
    assert len(codes) == 15
    assert [t.code for t in changes.book(register).all_terms(date(2026, 12, 31))].count("GP-D") == 0
    assert [t.code for t in changes.book(register).all_terms(date(2027, 1, 1))].count("GP-D") == 1


def test_a_screen_gets_plain_values_of_a_change(register, ports):
    change = proposed(register, ports)
    released(register, ports, change)
    register.rollback()
    (line,) = query.programme_changes(register, state="released")
    assert (line.programme_code, line.proposed_by, line.released_by) == ("GP-C", "u-one", "u-two")
    assert (line.gaining, line.losing, line.public_fen) == (1, 0, 2_500)
    view = query.programme_change(register, change.change_id)
    assert view.trial.most_less[0].before_fen == 13_000
    assert view.content == MORE_HOURS
    universal = next(p for p in query.programmes(register, date(2026, 12, 1)) if p.code == "GP-C")
    assert universal.next_from == date(2027, 1, 1)


def test_each_step_is_recorded_with_who_and_why(register, ports):
    released(register, ports, proposed(register, ports))
    rows = register.execute(
        select(AuditEvent.action, AuditEvent.actor_id, AuditEvent.reason).where(
            AuditEvent.subject_kind == "programme_change"
        )
    ).all()
    assert [tuple(r) for r in rows] == [
        ("propose_change", "u-one", "decision 12"),
        ("release_change", "u-two", "decision 12"),
    ]


def test_the_database_refuses_to_rewrite_a_change(register, ports):
    proposed(register, ports)
    with pytest.raises(DatabaseError):
        register.execute(text("UPDATE programme_change SET content = ''"))
    register.rollback()
    with pytest.raises(DatabaseError):
        register.execute(text("DELETE FROM programme_change"))
    register.rollback()


def test_the_commands_walk_a_change_from_preview_to_release(app, tmp_path):
    with app.app_context(), transaction(db.session):
        an_elder(db.session)
    file = tmp_path / "gp_c.toml"
    file.write_text(MORE_HOURS, encoding="utf-8")
    with app.app_context():
        run = app.test_cli_runner().invoke
        seen = run(args=["programmes", "preview", str(file), "--by", "one"])
        assert "tier GP-C1: 120 -> 180" in seen.output
        assert "1 gain, 0 lose" in seen.output
        people = tmp_path / "people.csv"
        told = run(
            args=["programmes", "preview", str(file), "--people", str(people), "--by", "one"]
        )
        assert f"1 people in {people}" in told.output
        assert "E1,321204,GP-C1 120,GP-C1 180" in people.read_text(encoding="utf-8-sig")
        shown = run(args=["programmes", "file", "GP-C"])
        assert shown.output == FILE
        kept = run(
            args=["programmes", "propose", str(file), "--reason", "decision 12", "--by", "one"]
        )
        change = kept.output.rsplit("change ", 1)[1].split(":")[0]
        own = run(args=["programmes", "release", change, "--by", "one"])
        assert own.exit_code == 1
        assert "second_person_needed" in own.output
        done = run(args=["programmes", "release", change, "--by", "two"])
        assert "GP-C from 2027-01-01, released" in done.output
        listed = run(args=["programmes", "list", "--on", "2026-12-01"])
        assert "from 2027-01-01 another" in listed.output
