"""How far a plan can be from the best: proven apart, kept with the run, told to open screens."""

import pytest
from sqlalchemy import select

import dispatch
from marketplace.kernel.actor import Scope
from marketplace.kernel.errors import NotAllowed, NotFound
from marketplace.kernel.ports import DESKS
from marketplace.orders import plans
from marketplace.orders.models import DispatchRun
from marketplace.queries.day_plan import day_plan
from marketplace.workflows.prove import ProveRequest, prove_day
from tests.workflows.world import CITY, TUESDAY, V1, accepted, key, planned

REQUEST = ProveRequest(day=TUESDAY, seconds=60, workers=1)


def shown(session):
    return day_plan(session, Scope(everything=True), day=TUESDAY).run


def test_the_bound_of_a_days_plan_is_kept_with_its_run(city, ports):
    accepted(city, ports)
    planned(city, ports)
    assert shown(city).could_save is None
    answer = prove_day(city, ports, CITY, key=key(), request=REQUEST)
    run = city.scalars(select(DispatchRun).execution_options(populate_existing=True)).one()
    assert answer.run_id == run.id
    assert 0 < answer.bound <= answer.cost == run.totals["cost"]
    assert run.totals["bound"]["value"] == answer.bound
    assert shown(city).could_save == answer.gap


def test_a_weaker_proof_never_takes_the_place_of_a_better_one(city, ports, monkeypatch):
    accepted(city, ports)
    planned(city, ports)
    best = prove_day(city, ports, CITY, key=key(), request=REQUEST)
    weaker = {"value": best.bound - 1, "cost": best.cost, "relaxed": ["work: x"], "seconds": 1.0}
    assert plans.keep_bound(city, best.run_id, weaker)["value"] == best.bound
    city.commit()
    better = {**weaker, "value": best.bound + 1}
    assert plans.keep_bound(city, best.run_id, better) == better
    city.commit()
    assert shown(city).relaxed == ("work: x",)
    again = prove_day(city, ports, CITY, key=key(), request=REQUEST)
    assert (again.bound, again.relaxed) == (best.bound + 1, ("work: x",))


def test_a_repeated_key_does_not_prove_again(city, ports, monkeypatch):
    accepted(city, ports)
    planned(city, ports)
    first = prove_day(city, ports, CITY, key="proof", request=REQUEST)

    def never(*_args, **_more):
        raise AssertionError("proven twice")

    monkeypatch.setattr(dispatch, "lower_bound", never, raising=False)
    assert prove_day(city, ports, CITY, key="proof", request=REQUEST) == first


def test_a_day_without_a_plan_has_no_bound(city, ports):
    with pytest.raises(NotFound):
        prove_day(city, ports, CITY, key=key(), request=REQUEST)


def test_only_civil_affairs_proves(city, ports):
    with pytest.raises(NotAllowed):
        prove_day(city, ports, V1, key=key(), request=REQUEST)


def test_open_screens_hear_of_a_plan_and_of_its_bound_once_they_can_read_them(city, ports):
    accepted(city, ports)
    with ports.live.subscribe(DESKS) as heard:
        planned(city, ports)
        assert heard.get(0.1) == {"changed": True}
        prove_day(city, ports, CITY, key=key(), request=REQUEST)
        assert heard.get(0.1) == {"changed": True}
        assert heard.get(0.01) is None
