"""As of a day: facts, purses and visits as they were, and as they were known then."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.elders import history
from marketplace.elders.models import Elder
from marketplace.kernel.actor import SYSTEM
from marketplace.kernel.clock import local
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import NotFound
from marketplace.queries.as_of import elder_as_of
from marketplace.queries.entitlements import purses
from marketplace.workflows.cancel import CancelRequest, cancel
from marketplace.workflows.load.run import apply, preview
from marketplace.workflows.reverse import ReverseRequest, reverse
from marketplace.workflows.upkeep import upkeep
from tests import builders, files
from tests.workflows.test_crosscheck import served
from tests.workflows.world import BUREAU, ELDER, MONDAY, TUESDAY, accepted, key

LATER = date(2026, 12, 10)


def facts(session, on, **kw):
    return {f.name: f.value for f in elder_as_of(session, "E1", on, **kw).facts}


def changed(session, clock, name, value, from_on):
    with transaction(session):
        history.change(
            session, "E1", name, value, from_on=from_on, today=clock.now().date(),
            source="test", at=clock.now(), by="u",
        )  # fmt: skip


def test_a_fact_is_what_it_was_on_the_day(city, clock):
    changed(city, clock, "income_class", "dibao", MONDAY)
    changed(city, clock, "income_class", "low", LATER)
    days = (MONDAY - timedelta(days=1), MONDAY, LATER)
    found = [facts(city, d)["income_class"] for d in days]
    assert found == ["ordinary", "dibao", "low"]


def test_what_was_reported_later_was_not_known_then(city, clock):
    before = clock.now()
    clock.advance(days=9)
    changed(city, clock, "hukou_local", False, MONDAY)
    assert facts(city, TUESDAY)["hukou_local"] == "N"
    assert facts(city, TUESDAY, known_at=before)["hukou_local"] == "Y"


def test_every_change_of_a_list_is_kept_with_its_day(city, ports, clock, tmp_path):
    row = {**files.ELDER, "income_class": "ordinary"}
    for elder_id in ("E1", "E2"):
        city.get(Elder, elder_id).id_number_index = ports.vault.index(elder_id)
    city.commit()
    for n, income in enumerate(("low", "dibao")):
        folder = files.write(tmp_path / str(n), {"elders": [{**row, "income_class": income}]})
        apply(city, ports, SYSTEM, preview(city, ports, SYSTEM, folder))
        clock.advance(days=5)
    seen = [facts(city, MONDAY + timedelta(days=d))["income_class"] for d in (-1, 0, 4, 5, 9)]
    assert seen == ["ordinary", "low", "low", "dibao", "dibao"]
    city.expire_all()
    assert city.get(Elder, "E1").income_class == "dibao"


def test_a_purse_and_a_visit_stand_as_they_did_on_each_day(city, ports, clock):
    city.get(Elder, "E1").born_on = date(1940, 1, 1)
    city.commit()
    builders.granted(city, run="again")
    city.commit()
    work_order_id = served(city, ports, clock)
    clock.advance(hours=49)
    upkeep(city, ports)
    on = {d: elder_as_of(city, "E1", d) for d in (MONDAY, TUESDAY, date(2026, 11, 26))}
    states = [v.state for d in on for v in on[d].visits if v.work_order_id == work_order_id]
    assert states == ["assigned", "done", "confirmed"]
    purse = [(p.used, p.held, p.left) for d in on for p in on[d].purses if p.unit == "minutes"]
    assert purse == [(0, 60, 60), (0, 60, 60), (60, 0, 60)]


def test_the_present_day_is_what_the_screens_say(city, ports, clock):
    city.get(Elder, "E1").born_on = date(1940, 1, 1)
    city.commit()
    builders.granted(city, run="again")
    city.commit()
    kept = accepted(city, ports)
    gone = accepted(city, ports, window_start_s=50_400, window_end_s=54_000)
    cancel(city, ports, ELDER, key=key(), request=CancelRequest(gone))
    now = elder_as_of(city, "E1", MONDAY)
    shown = {p.account_id: (p.granted, p.used, p.held, p.left) for p in purses(city, "E1", MONDAY)}
    assert {p.account_id: (p.granted, p.used, p.held, p.left) for p in now.purses} == shown
    assert {v.work_order_id: v.state for v in now.visits} == {kept: "accepted", gone: "cancelled"}


def test_what_was_taken_back_is_not_used_and_was_not_granted_twice(city, ports, clock):
    city.get(Elder, "E1").born_on = date(1940, 1, 1)
    city.commit()
    builders.granted(city, run="again")
    city.commit()
    work_order_id = served(city, ports, clock)
    clock.advance(hours=49)
    upkeep(city, ports)
    served_on, clock.at = clock.at, clock.at + timedelta(days=1)
    request = ReverseRequest(work_order_id, "service_fault", "漏做")
    reverse(city, ports, BUREAU, key=key(), request=request)
    today, before = local(clock.at).date(), local(served_on).date()
    [then] = [p for p in elder_as_of(city, "E1", before).purses if p.unit == "minutes"]
    assert (then.granted, then.used, then.held, then.left) == (120, 60, 0, 60)
    [now] = [p for p in elder_as_of(city, "E1", today).purses if p.unit == "minutes"]
    [shown] = [p for p in purses(city, "E1", today) if p.unit == "minutes"]
    for p in (now, shown):
        assert (p.granted, p.used, p.held, p.left) == (120, 0, 0, 120)


def test_a_level_is_that_of_the_assessment_in_force(city):
    builders.an_assessment(city, "E1", level=3, assessed_on=TUESDAY)
    city.commit()
    assert elder_as_of(city, "E1", MONDAY).level is None
    assert elder_as_of(city, "E1", TUESDAY).level == 3


def test_nobody_is_known_by_no_id(city):
    with pytest.raises(NotFound):
        elder_as_of(city, "E9", MONDAY)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.integers(-20, 20), st.sampled_from(["low", "dibao", "ordinary"])), max_size=8
    )
)
def test_the_register_is_always_the_history_of_today(city, clock, changes):
    city.execute(history.FACT.select())
    city.rollback()
    today = clock.now().date()
    for days, value in changes:
        changed(city, clock, "income_class", value, today + timedelta(days=days))
    city.expire_all()
    assert facts(city, today)["income_class"] == city.get(Elder, "E1").income_class
    city.rollback()
