"""The roster: leave hands visits over or frees them, shifts free what they hold no more."""

from __future__ import annotations

import pytest

from marketplace.kernel.clock import instant_of
from marketplace.kernel.errors import BadInput, NotAllowed, NotFound
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.workflows.board import preview_absence
from marketplace.workflows.shifts import (
    DayShifts,
    EndLeaveRequest,
    LeaveRequest,
    WeekRequest,
    end_leave,
    write_leave,
    write_week,
)
from tests.workflows import world
from tests.workflows.world import BUREAU, MONDAY, TUESDAY, V1, V2, crew_of, key
from vendors import roster


@pytest.fixture(autouse=True)
def city(small_world):
    """Every test's database holds the small city."""


@pytest.fixture
def visit(session, ports) -> str:
    work_order_id = world.accepted(session, ports)
    world.given(session, ports, work_order_id, "C1", 9 * 3600)
    return work_order_id


def away(who: str, **more) -> LeaveRequest:
    values = {
        "caregiver_id": who,
        "from_at": instant_of(TUESDAY, 0),
        "to_at": instant_of(TUESDAY, 86_400),
        "reason": "illness",
    }
    return LeaveRequest(**{**values, **more})


def test_one_action_writes_the_leave_and_hands_the_visits_over(session, ports, visit):
    [ill] = crew_of(session, visit)
    seen = preview_absence(session, ports, V1, caregiver_id=ill, day=TUESDAY)
    request = away(ill, day=TUESDAY, seats=seen.seats)
    done = write_leave(session, ports, V1, key=key(), request=request)
    assert (done.handed_over, done.freed) == ([visit], [])
    assert crew_of(session, visit) == [{"C1": "C2", "C2": "C1"}[ill]]
    assert ill not in {p.facts.id for p in roster.on_day(session, TUESDAY)}


def test_a_leave_without_substitutes_frees_the_visits(session, ports, visit):
    [ill] = crew_of(session, visit)
    done = write_leave(session, ports, V1, key=key(), request=away(ill))
    assert done.freed == [visit]
    assert orders.work_order(session, visit).state == State.ACCEPTED
    assert crew_of(session, visit) == []


def test_a_leave_that_is_taken_back_lets_the_caregiver_work_again(session, ports, visit):
    [ill] = crew_of(session, visit)
    done = write_leave(session, ports, V1, key=key(), request=away(ill))
    end_leave(session, ports, V1, key=key(), request=EndLeaveRequest(done.leave_id))
    assert ill in {p.facts.id for p in roster.on_day(session, TUESDAY)}


def test_a_shorter_shift_frees_what_it_holds_no_more_and_nothing_else(session, ports, visit):
    [who] = crew_of(session, visit)
    afternoon = WeekRequest(who, [DayShifts(TUESDAY, [world.EVENING])])
    done = write_week(session, ports, V1, key=key(), request=afternoon)
    assert (done.changed, done.freed) == ([TUESDAY], [visit])
    again = WeekRequest(who, [DayShifts(TUESDAY, [world.EVENING])])
    assert write_week(session, ports, V1, key=key(), request=again).changed == []


def test_the_same_shifts_free_nothing(session, ports, visit):
    [who] = crew_of(session, visit)
    same = WeekRequest(who, [DayShifts(TUESDAY, [world.MORNING, world.EVENING])])
    assert write_week(session, ports, V1, key=key(), request=same).freed == []
    assert crew_of(session, visit) == [who]


@pytest.mark.parametrize(
    ("on", "shifts"),
    [
        (TUESDAY, [(28_800, 28_800)]),
        (TUESDAY, [(28_800, 40_000), (39_000, 50_000)]),
        (TUESDAY, [(28_800, 90_000)]),
        (MONDAY.replace(day=20), [(28_800, 40_000)]),
    ],
)
def test_shifts_that_cannot_be_are_refused(session, ports, on, shifts):
    request = WeekRequest("C1", [DayShifts(on, shifts)])
    with pytest.raises(BadInput):
        write_week(session, ports, V1, key=key(), request=request)


def test_only_the_caregivers_own_vendor_writes_the_roster(session, ports):
    with pytest.raises(NotFound):
        write_leave(session, ports, V2, key=key(), request=away("C1"))
    with pytest.raises(NotAllowed):
        write_leave(session, ports, BUREAU, key=key(), request=away("C1"))


def test_a_leave_ends_after_it_begins(session, ports):
    request = away("C1", to_at=instant_of(TUESDAY, 0))
    with pytest.raises(BadInput):
        write_leave(session, ports, V1, key=key(), request=request)
