"""Two at once and one killed in the middle: the database lets one through and keeps no halves."""

import os
import signal

import pytest
from sqlalchemy import func, select

import dispatch
from marketplace.orders import plans
from marketplace.orders.models import Assignment, DispatchRun, WorkOrder, WorkOrderEvent
from marketplace.vouchers.service import entries_of
from marketplace.workflows import assign, recur
from marketplace.workflows.assign import AssignRequest, assign_day
from marketplace.workflows.confirm import auto_confirm
from tests.processes import alone, at_once
from tests.workflows import world
from tests.workflows.test_visits import served
from tests.workflows.world import CITY, MONDAY, TUESDAY, accepted, crew_of, placed, state_of


def make_the_next_days(session, ports):
    recur.generate(session, ports)


def test_two_generators_make_each_date_once(city, ports, clock, database_url, tmp_path):
    for n in range(5):
        placed(city, ports, rrule="FREQ=DAILY", starts_on=MONDAY, window_start_s=30_000 + n)
    clock.advance(days=1)
    city.rollback()
    assert at_once(make_the_next_days, database_url, tmp_path, clock.now()) == [0, 0]
    days = city.execute(
        select(
            WorkOrder.order_id, func.count(), func.count(WorkOrder.visit_on.distinct())
        ).group_by(WorkOrder.order_id)
    ).all()
    assert [(n, distinct) for _, n, distinct in days] == [(4, 4)] * 5
    ids = city.scalars(select(WorkOrder.id))
    assert all(sum(e.unit == "fen" for e in entries_of(city, i)) <= 2 for i in ids)


def confirm_silence(session, ports):
    auto_confirm(session, ports)


def test_two_rounds_of_silence_capture_once(city, ports, clock, database_url, tmp_path):
    work_order_id = served(city, ports, clock)
    clock.advance(hours=49)
    city.rollback()
    assert at_once(confirm_silence, database_url, tmp_path, clock.now()) == [0, 0]
    assert state_of(city, work_order_id) == "confirmed"
    posts = [e for e in entries_of(city, work_order_id) if e.kind == "post" and e.unit == "fen"]
    assert sum(e.amount for e in posts) == 6_000


def _solve(problem, **kw):
    return dispatch.solve(problem, iterations=50, seed=1)


def _die(*args, **kw):
    os.kill(os.getpid(), signal.SIGKILL)


def killed_while_solving(session, ports):
    request = AssignRequest(day=TUESDAY)
    assign_day(session, ports, CITY, key="killed", request=request, solve=_die)


def killed_while_writing(session, ports):
    # The moves and offers are written already, the assignments are not, nothing is committed.
    assign.plans.add_assignments = _die
    request = AssignRequest(day=TUESDAY)
    assign_day(session, ports, CITY, key="killed", request=request, solve=_solve)


@pytest.mark.parametrize("moment", [killed_while_solving, killed_while_writing])
def test_a_plan_that_is_killed_leaves_nothing_half_written(
    city, ports, clock, database_url, tmp_path, moment
):
    mine = accepted(city, ports)
    pooled = placed(city, ports, service_code="HL001")
    before = city.scalar(select(func.count()).select_from(WorkOrderEvent))
    city.rollback()
    assert alone(moment, database_url, tmp_path, clock.now()) == -signal.SIGKILL
    assert (state_of(city, mine), state_of(city, pooled)) == ("accepted", "pooled")
    for table, expected in ((Assignment, 0), (DispatchRun, 0), (WorkOrderEvent, before)):
        assert city.scalar(select(func.count()).select_from(table)) == expected
    request = AssignRequest(day=TUESDAY)
    answer = assign_day(city, ports, CITY, key="killed", request=request, solve=_solve)
    assert (answer.assigned, answer.offered) == (1, 1)
    assert crew_of(city, mine)
    assert plans.assignments(city, [pooled])


def test_the_small_city_is_planned_by_the_clock_too(city, ports):
    accepted(city, ports)
    request = AssignRequest(day=TUESDAY, seconds=1.0, workers=1)
    answer = assign_day(city, ports, CITY, key=world.key(), request=request)
    assert (answer.assigned, answer.violations) == (1, 0)
