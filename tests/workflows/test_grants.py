"""Grants of a month: two persons, exactly once, all or nothing, against the register of the day."""

from __future__ import annotations

import threading
from datetime import date

import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from marketplace.elders.models import Elder
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import Period
from marketplace.kernel.db import prepare_engine, transaction
from marketplace.kernel.errors import NotAllowed, WrongState
from marketplace.vouchers.models import Entitlement, GrantRun, LedgerAccount, LedgerTransfer
from marketplace.workflows.grants import PreviewOutdated, preview_grants, release_grants
from marketplace.workflows.ledger import verify_ledger
from tests.builders import DISTRICT, NOVEMBER, an_assessment, an_elder

ONE, TWO = Actor("u-one", Role.BUREAU), Actor("u-two", Role.BUREAU)


@pytest.fixture
def register(session):
    """Four elders of one district: universal, poor and disabled, away, dead."""
    with transaction(session):
        an_elder(session, "E1", born_on=date(1940, 5, 1))
        an_elder(session, "E2", income_class="dibao")
        an_assessment(session, "E2", level=3)
        an_elder(session, "E3", status="away", status_from=date(2026, 10, 1))
        an_elder(session, "E4", status="dead", status_from=date(2026, 10, 1))
    return session


def preview(session, ports, period=NOVEMBER, by=ONE):
    return preview_grants(session, ports, by, period=period, district_code=DISTRICT)


def held(session):
    rows = session.execute(select(Entitlement.elder_id, Entitlement.tier).order_by("elder_id"))
    found = sorted((elder, tier) for elder, tier in rows)
    session.rollback()
    return found


def counts(session):
    models = (Entitlement, LedgerAccount, LedgerTransfer)
    found = [session.scalar(select(func.count()).select_from(m)) for m in models]
    session.rollback()
    return found


def test_a_month_is_granted_to_who_lives_at_home_and_to_nobody_dead(register, ports):
    run = preview(register, ports)
    assert (run.new, run.changed, run.ended, run.duplicates) == (6, 0, 0, 0)
    release_grants(register, ports, TWO, run_id=run.run_id)
    assert held(register) == [
        ("E1", "GP-C1"),
        ("E1", "MEAL-80"),
        ("E2", "GP-A1"),
        ("E2", "LV-3"),
        ("E2", "MEAL-HARD"),
        ("E2", "NV"),
    ]
    assert verify_ledger(register).is_proven


def test_a_preview_holds_each_programme_against_its_budget(register, ports):
    totals = {t.programme_code: t for t in preview(register, ports).totals}
    assert totals["GP-A1"].amount == 1_800
    assert totals["GP-A1"].fen == 75_000
    assert totals["GP-A1"].budget_left_fen == 60_000_000_000
    assert totals["NV"].budget_left_fen is None


def test_the_same_person_may_not_release_what_they_previewed(register, ports):
    run = preview(register, ports)
    with pytest.raises(NotAllowed):
        release_grants(register, ports, ONE, run_id=run.run_id)
    assert counts(register) == [0, 0, 0]


def test_a_second_release_changes_nothing(register, ports):
    run = preview(register, ports)
    first = release_grants(register, ports, TWO, run_id=run.run_id)
    before = counts(register)
    again = release_grants(register, ports, TWO, run_id=run.run_id)
    assert again.granted == first.granted == 6
    assert counts(register) == before
    with pytest.raises(WrongState):
        release_grants(register, ports, Actor("u-three", Role.BUREAU), run_id=run.run_id)


def test_a_second_preview_of_a_granted_month_counts_only_duplicates(register, ports):
    release_grants(register, ports, TWO, run_id=preview(register, ports).run_id)
    run = preview(register, ports)
    assert (run.new, run.duplicates) == (0, 6)


def test_who_joins_later_is_granted_by_a_second_run_of_the_month(register, ports):
    release_grants(register, ports, TWO, run_id=preview(register, ports).run_id)
    with transaction(register):
        an_elder(register, "E5", born_on=date(1926, 11, 1))
    run = preview(register, ports)
    assert (run.new, run.duplicates) == (2, 6)
    release_grants(register, ports, TWO, run_id=run.run_id)
    assert ("E5", "GP-C3") in held(register)
    assert verify_ledger(register).is_proven


def test_who_moved_to_another_district_is_not_granted_the_month_twice(register, ports):
    release_grants(register, ports, TWO, run_id=preview(register, ports).run_id)
    with transaction(register):
        register.get_one(Elder, "E1").district_code = "321202"
    run = preview_grants(register, ports, ONE, period=NOVEMBER, district_code="321202")
    assert (run.new, run.duplicates) == (0, 2)


def test_the_next_month_names_who_changed_and_who_ended(register, ports):
    release_grants(register, ports, TWO, run_id=preview(register, ports).run_id)
    with transaction(register):
        elder = register.get_one(Elder, "E2")
        elder.income_class = "ordinary"
    run = preview(register, ports, Period(2026, 12))
    # At 80 E2 gets the universal hours and the lower meal rate; only the local voucher ends.
    assert (run.new, run.changed, run.ended) == (5, 2, 1)


def test_a_register_that_changed_since_the_preview_asks_for_another_look(register, ports):
    run = preview(register, ports)
    with transaction(register):
        register.get_one(Elder, "E1").born_on = date(1930, 1, 1)
    with pytest.raises(PreviewOutdated):
        release_grants(register, ports, TWO, run_id=run.run_id)
    assert counts(register) == [0, 0, 0]


def test_a_release_that_is_killed_half_way_leaves_nothing_and_runs_again(register, ports):
    class Killed(BaseException):
        pass

    def kill(_granted):
        raise Killed

    run = preview(register, ports)
    with pytest.raises(Killed):
        release_grants(register, ports, TWO, run_id=run.run_id, progress=kill)
    assert counts(register) == [0, 0, 0]
    assert register.get_one(GrantRun, run.run_id).state == "previewed"
    assert release_grants(register, ports, TWO, run_id=run.run_id).granted == 6
    assert verify_ledger(register).is_proven


def test_of_two_previews_of_one_month_released_at_once_one_grants(register, ports, database_url):
    runs = [preview(register, ports).run_id for _ in range(2)]
    register.rollback()
    together, outcomes = threading.Barrier(2), []

    def release(run_id):
        engine = create_engine(database_url)
        prepare_engine(engine)
        with Session(engine) as mine:
            together.wait()
            try:
                outcomes.append(release_grants(mine, ports, TWO, run_id=run_id).granted)
            except PreviewOutdated:
                outcomes.append("outdated")
        engine.dispose()

    threads = [threading.Thread(target=release, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["6", "outdated"]
    assert len(held(register)) == 6
    assert verify_ledger(register).is_proven
