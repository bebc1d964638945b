"""Planning a day: who is chosen, what is offered, what is left out, what changed meanwhile."""

import gzip
import json

import pytest
from sqlalchemy import select

import dispatch
from dispatch.io import plan_from_json, problem_from_json
from marketplace.kernel.errors import NotAllowed
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.models import DispatchRun, LeftOut
from marketplace.workflows.accept import AnswerRequest, accept_offer, decline_offer
from marketplace.workflows.assign import AssignRequest, assign_day, export_day
from marketplace.workflows.cancel import CancelRequest, cancel
from tests.workflows import world
from tests.workflows.world import (
    CITY,
    ELDER,
    TUESDAY,
    V1,
    accepted,
    crew_of,
    key,
    placed,
    planned,
    state_of,
)
from vendors import offers
from vendors.models import Caregiver, Leave


def test_an_accepted_work_order_gets_a_caregiver_of_its_vendor(city, ports):
    work_order_id = accepted(city, ports)
    answer = planned(city, ports)
    assert (answer.assigned, answer.left_out, answer.violations) == (1, 0, 0)
    assert state_of(city, work_order_id) == "assigned"
    assert crew_of(city, work_order_id)[0] in {"C1", "C2"}


def test_the_usual_caregiver_goes(city, ports):
    work_order_id = accepted(city, ports, caregiver_id="C2")
    planned(city, ports)
    assert crew_of(city, work_order_id) == ["C2"]


def test_a_pooled_one_is_offered_to_the_vendor_of_the_caregiver_chosen(city, ports):
    work_order_id = placed(city, ports, service_code="HL001")
    answer = planned(city, ports)
    row = orders.work_order(city, work_order_id)
    [offer] = offers.of_work_order(city, work_order_id)
    assert (answer.offered, row.state, row.vendor_id) == (1, "offered", offer.vendor_id)
    assert crew_of(city, work_order_id)
    vendor = world.V1 if row.vendor_id == "V1" else world.V2
    accept_offer(city, ports, vendor, key=key(), request=AnswerRequest(offer.id))
    assert state_of(city, work_order_id) == "assigned"


def test_a_refused_plan_leaves_no_caregiver_behind_and_does_not_ask_again(city, ports):
    work_order_id = placed(city, ports, service_code="HL001")
    planned(city, ports)
    [offer] = offers.of_work_order(city, work_order_id)
    first = world.V1 if offer.vendor_id == "V1" else world.V2
    request = AnswerRequest(offer.id, "no_capacity")
    answer = decline_offer(city, ports, first, key=key(), request=request)
    assert answer.next_vendor_id not in (None, offer.vendor_id)
    assert crew_of(city, work_order_id) == []


def test_a_bath_gets_two_at_the_same_time(city, ports):
    work_order_id = accepted(city, ports, service_code="ZY010")
    planned(city, ports)
    crew = plans.assignments(city, [work_order_id])[work_order_id]
    assert [a.caregiver_id for a in crew] == ["C1", "C2"]
    assert crew[0].starts_at == crew[1].starts_at


def test_a_meal_is_fetched_at_its_kitchen(city, ports):
    lunch = {"service_code": "ZC006", "window_start_s": 38_400, "window_end_s": 42_600}
    work_order_id = accepted(city, ports, **lunch)
    planned(city, ports)
    run = city.scalars(select(DispatchRun)).one()
    problem = problem_from_json(json.loads(gzip.decompress(run.problem)))
    load = problem.task(work_order_id).load
    assert (load.ready_s, load.units) == (37_800, 1)
    assert problem.places.coordinates[load.place].tolist() == [32.512, 120.142]
    assert crew_of(city, work_order_id) == ["C2"]


def test_what_is_left_out_says_why(city, ports):
    for caregiver_id in ("C1", "C2"):
        city.add(
            Leave(
                caregiver_id=caregiver_id,
                from_at=world.local(TUESDAY, 0),
                to_at=world.local(TUESDAY, 24),
                reason="ill",
            )
        )
    city.commit()
    work_order_id = accepted(city, ports)
    answer = planned(city, ports)
    assert (answer.assigned, answer.left_out) == (0, 1)
    assert answer.by_reason == {"vendor_has_nobody": 1}
    assert city.get(LeftOut, work_order_id).reason == "vendor_has_nobody"
    assert state_of(city, work_order_id) == "accepted"


def test_the_reason_is_forgotten_when_somebody_is_found(city, ports):
    leave = Leave(
        caregiver_id="C3",
        from_at=world.local(TUESDAY, 0),
        to_at=world.local(TUESDAY, 24),
        reason="ill",
    )
    city.add(leave)
    city.commit()
    work_order_id = accepted(city, ports, vendor=world.V2)
    planned(city, ports)
    assert city.get(LeftOut, work_order_id) is not None
    city.delete(leave)
    city.commit()
    planned(city, ports)
    city.expire_all()
    assert city.get(LeftOut, work_order_id) is None
    assert state_of(city, work_order_id) == "assigned"


def test_planning_again_changes_nothing_that_is_good(city, ports):
    work_order_id = accepted(city, ports)
    planned(city, ports)
    before = orders.work_order(city, work_order_id).version
    again = planned(city, ports)
    assert (again.assigned, again.unchanged) == (0, 1)
    assert orders.work_order(city, work_order_id).version == before


def test_a_repeated_key_does_not_plan_again(city, ports):
    accepted(city, ports)

    def solve(problem, **kw):
        return dispatch.solve(problem, iterations=50, seed=1)

    request = AssignRequest(day=TUESDAY)
    first = assign_day(city, ports, CITY, key="day", request=request, solve=solve)

    def never(problem, **kw):
        raise AssertionError("solved twice")

    assert assign_day(city, ports, CITY, key="day", request=request, solve=never) == first


def meanwhile(session, change):
    """Return a solver during whose work something changes."""

    def solve(problem, **kw):
        plan = dispatch.solve(problem, iterations=50, seed=1)
        change()
        return plan

    return solve


def test_what_was_cancelled_while_we_solved_is_left_alone(city, ports):
    gone, stays = accepted(city, ports), accepted(city, ports, window_start_s=37_000,
                                                  window_end_s=40_000)  # fmt: skip

    def change():
        cancel(city, ports, ELDER, key=key(), request=CancelRequest(gone))

    answer = assign_day(
        city, ports, CITY, key=key(), request=AssignRequest(day=TUESDAY),
        solve=meanwhile(city, change),
    )  # fmt: skip
    assert (answer.assigned, answer.changed_meanwhile) == (1, 1)
    assert (state_of(city, gone), state_of(city, stays)) == ("cancelled", "assigned")
    assert crew_of(city, gone) == []


def test_who_fell_ill_while_we_solved_is_not_sent(city, ports):
    work_order_id = accepted(city, ports, caregiver_id="C1")

    def change():
        city.get(Caregiver, "C1").status = "left"
        city.commit()

    answer = assign_day(
        city, ports, CITY, key=key(), request=AssignRequest(day=TUESDAY),
        solve=meanwhile(city, change),
    )  # fmt: skip
    assert answer.changed_meanwhile == 1
    assert state_of(city, work_order_id) == "accepted"


def test_a_run_can_be_replayed_from_what_it_kept(city, ports):
    accepted(city, ports)
    planned(city, ports)
    run = city.scalars(select(DispatchRun)).one()
    content = gzip.decompress(run.problem)
    problem = problem_from_json(json.loads(content))
    plan = plan_from_json(json.loads(gzip.decompress(run.plan)))
    assert dispatch.check(problem, plan) == []


def test_the_days_file_reads_as_the_contract(city, ports):
    work_order_id = accepted(city, ports)
    problem = problem_from_json(json.loads(export_day(city, ports, CITY, day=TUESDAY)))
    assert [t.id for t in problem.tasks] == [work_order_id]
    assert {c.id for c in problem.caregivers} == {"C1", "C2", "C3", "C4"}
    assert problem.caregiver("C1").skills == {"GEN", "CARE3", "CARE4", "CARE5", "BATH"}


def test_only_civil_affairs_plans(city, ports):
    with pytest.raises(NotAllowed):
        assign_day(city, ports, V1, key=key(), request=AssignRequest(day=TUESDAY))
