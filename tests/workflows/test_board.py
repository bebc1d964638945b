"""The board: reasons, what a change would cost, keeping it as it was seen, or not at all."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from marketplace.kernel.clock import second_of
from marketplace.kernel.errors import NotAllowed, NotFound
from marketplace.kernel.outbox import OutboxMessage
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.states import State
from marketplace.workflows.board import preview_absence, preview_fill, preview_move, why
from marketplace.workflows.keep import (
    KeepRequest,
    LockRequest,
    MoveBreaksRule,
    VisitMoved,
    keep_changes,
    lock_visit,
)
from marketplace.workflows.seats import Seat
from tests.workflows import world
from tests.workflows.world import BUREAU, ELDER, STREET, TUESDAY, V1, V2, crew_of, key

NINE = 9 * 3600


@pytest.fixture(autouse=True)
def city(small_world):
    """Every test's database holds the small city."""


@pytest.fixture
def visit(session, ports) -> str:
    """A cleaning on Tuesday between nine and ten, planned for somebody of the first vendor."""
    work_order_id = world.accepted(session, ports)
    world.planned(session, ports)
    return work_order_id


def other_than(session, work_order_id: str) -> str:
    [now] = crew_of(session, work_order_id)
    return {"C1": "C2", "C2": "C1"}[now]


def start_of(session, work_order_id: str) -> int:
    [given] = plans.assignments(session, [work_order_id])[work_order_id]
    return second_of(TUESDAY, given.starts_at)


def keep(session, ports, preview, actor=V1, **more):
    request = KeepRequest(preview.day, preview.seats, **more)
    return keep_changes(session, ports, actor, key=key(), request=request)


def test_the_board_says_who_goes_and_who_could_instead(session, ports, visit):
    said = why(session, ports, V1, visit)
    assert [p.id for p in said.people] == crew_of(session, visit)
    assert said.others[0].people[0].id == other_than(session, visit)
    assert said.others[0].binding is None


def test_the_board_says_why_nobody_goes_and_what_would_help(session, ports):
    noon = {"window_start_s": 42_000, "window_end_s": 42_600}
    work_order_id = world.accepted(session, ports, **noon)
    world.planned(session, ports)
    said = why(session, ports, V1, work_order_id)
    assert said.people == ()
    assert said.reason == "outside_all_shifts"
    assert said.would_help


def test_looking_at_a_move_writes_nothing(session, ports, visit):
    before = orders.work_order(session, visit)
    seen = preview_move(
        session,
        ports,
        V1,
        work_order_id=visit,
        caregiver_ids=[other_than(session, visit)],
        start_s=NINE + 1800,
    )
    assert seen.why_not is None
    assert [(c.work_order_id, c.after_s) for c in seen.changes] == [(visit, NINE + 1800)]
    assert orders.work_order(session, visit) == before


def test_a_move_that_was_seen_is_kept_and_locked_where_asked(session, ports, visit):
    to = other_than(session, visit)
    seen = preview_move(
        session, ports, V1, work_order_id=visit, caregiver_ids=[to], start_s=NINE + 600
    )
    keep(session, ports, seen, lock=[visit])
    assert crew_of(session, visit) == [to]
    assert start_of(session, visit) == NINE + 600
    assert plans.assignments(session, [visit])[visit][0].locked
    world.planned(session, ports)
    assert (crew_of(session, visit), start_of(session, visit)) == ([to], NINE + 600)


def test_a_start_outside_the_window_becomes_the_nearest_inside(session, ports, visit):
    seen = preview_move(
        session,
        ports,
        V1,
        work_order_id=visit,
        caregiver_ids=[other_than(session, visit)],
        start_s=15 * 3600,
    )
    assert seen.changes[0].after_s == 10 * 3600


def test_two_desks_with_one_picture_keep_one_change(session, ports, visit):
    to = other_than(session, visit)
    seen = preview_move(session, ports, V1, work_order_id=visit, caregiver_ids=[to], start_s=NINE)
    keep(session, ports, seen)
    with pytest.raises(VisitMoved):
        keep(session, ports, seen, BUREAU)
    assert crew_of(session, visit) == [to]


def test_a_day_that_would_break_a_rule_is_not_kept(session, ports, visit):
    row, before = orders.work_order(session, visit), crew_of(session, visit)
    late = Seat(visit, row.version, [other_than(session, visit)], 20 * 3600)
    with pytest.raises(MoveBreaksRule):
        keep_changes(session, ports, V1, key=key(), request=KeepRequest(TUESDAY, [late]))
    assert crew_of(session, visit) == before


def test_two_visits_at_one_time_are_not_kept(session, ports, visit):
    second = world.accepted(session, ports)
    [who] = crew_of(session, visit)
    row = orders.work_order(session, second)
    twice = Seat(second, row.version, [who], start_of(session, visit))
    with pytest.raises(MoveBreaksRule):
        keep_changes(session, ports, V1, key=key(), request=KeepRequest(TUESDAY, [twice]))
    assert crew_of(session, second) == []


def test_somebody_without_the_skill_cannot_be_chosen_and_the_rule_is_named(session, ports):
    care = world.accepted(session, ports, service_code="HL001")
    world.planned(session, ports)
    assert crew_of(session, care) == ["C1"]
    seen = preview_move(session, ports, V1, work_order_id=care, caregiver_ids=["C2"])
    assert (seen.why_not, seen.changes) == ("skill", ())


def test_visits_without_anybody_are_filled_with_the_least_change(session, ports, visit):
    fresh = world.accepted(session, ports)
    seen = preview_fill(session, ports, V1, day=TUESDAY, vendor_id="V1")
    assert fresh in {c.work_order_id for c in seen.changes}
    assert seen.left == ()
    keep(session, ports, seen)
    assert orders.work_order(session, fresh).state == State.ASSIGNED
    assert len(crew_of(session, visit)) == 1


def test_who_is_absent_is_replaced_and_what_nobody_can_do_is_named(session, ports):
    cleaning = world.accepted(session, ports)
    care = world.accepted(
        session, ports, service_code="HL001", window_start_s=50_400, window_end_s=54_000
    )
    world.planned(session, ports)
    [ill] = crew_of(session, care)
    seen = preview_absence(session, ports, V1, caregiver_id=ill, day=TUESDAY)
    assert seen.lost == (care,)
    keep(session, ports, seen)
    assert orders.work_order(session, care).state == State.ACCEPTED
    assert crew_of(session, care) == []
    assert ill not in crew_of(session, cleaning)


def test_a_lock_holds_against_planning_until_it_is_taken_off(session, ports, visit):
    lock_visit(session, ports, V1, key=key(), request=LockRequest(visit, True))
    assert plans.assignments(session, [visit])[visit][0].locked
    lock_visit(session, ports, BUREAU, key=key(), request=LockRequest(visit, False))
    assert not plans.assignments(session, [visit])[visit][0].locked


def test_only_its_vendor_and_civil_affairs_of_its_district_may_move_a_visit(session, ports, visit):
    asked = {"work_order_id": visit, "caregiver_ids": [other_than(session, visit)]}
    with pytest.raises(NotFound):
        preview_move(session, ports, V2, **asked)
    for actor in (ELDER, STREET):
        with pytest.raises(NotAllowed):
            preview_move(session, ports, actor, **asked)
    assert preview_move(session, ports, BUREAU, **asked).why_not is None


def told(session) -> set[tuple[str, str, str, str]]:
    """Return every message about a change of a plan: channel, kind and id of who, template."""
    m = OutboxMessage
    about = ("helper_changed", "visit_moved", "stop_moved", "stop_added", "stop_taken_over")
    rows = session.execute(
        select(m.channel, m.recipient_kind, m.recipient_id, m.template).where(
            m.template.in_((*about, "visit_changed", "nobody_goes"))
        )
    )
    return {tuple(r) for r in rows}


def moved(session, ports, visit, who: str, start_s: int, actor=V1) -> None:
    seen = preview_move(
        session, ports, actor, work_order_id=visit, caregiver_ids=[who], start_s=start_s
    )
    keep(session, ports, seen, actor)


def test_elder_relative_and_both_helpers_hear_of_a_kept_change_of_helper(session, ports, visit):
    world.link_family(session)
    [was], to = crew_of(session, visit), other_than(session, visit)
    moved(session, ports, visit, to, start_of(session, visit))
    assert told(session) == {
        ("sms", "elder", "E1", "helper_changed"),
        ("sms", "relative", "L1", "helper_changed"),
        ("screen", "caregiver", was, "stop_taken_over"),
        ("screen", "caregiver", to, "stop_added"),
    }


def test_a_vendor_hears_what_civil_affairs_moved(session, ports, visit):
    [who], start_s = crew_of(session, visit), start_of(session, visit)
    moved(session, ports, visit, who, start_s + 1800, BUREAU)
    assert told(session) == {
        ("sms", "elder", "E1", "visit_moved"),
        ("screen", "caregiver", who, "stop_moved"),
        ("screen", "vendor", "V1", "visit_changed"),
    }


def test_an_elder_is_not_called_for_a_shift_of_minutes(session, ports, visit):
    [who], start_s = crew_of(session, visit), start_of(session, visit)
    moved(session, ports, visit, who, start_s + 600)
    assert told(session) == {("screen", "caregiver", who, "stop_moved")}


def test_relatives_who_may_not_see_visits_hear_nothing(session, ports, visit):
    world.link_family(session, powers="see_money")
    moved(session, ports, visit, other_than(session, visit), start_of(session, visit))
    assert "relative" not in {kind for _, kind, _, _ in told(session)}


def test_a_change_that_is_kept_twice_is_told_once(session, ports, visit):
    to = other_than(session, visit)
    seen = preview_move(session, ports, V1, work_order_id=visit, caregiver_ids=[to], start_s=NINE)
    request, again = KeepRequest(seen.day, seen.seats), key()
    keep_changes(session, ports, V1, key=again, request=request)
    before = session.scalar(select(func.count()).select_from(OutboxMessage))
    keep_changes(session, ports, V1, key=again, request=request)
    assert session.scalar(select(func.count()).select_from(OutboxMessage)) == before


def test_a_visit_that_loses_its_people_is_told_to_the_hotline(session, ports):
    care = world.accepted(
        session, ports, service_code="HL001", window_start_s=50_400, window_end_s=54_000
    )
    world.planned(session, ports)
    [ill] = crew_of(session, care)
    keep(session, ports, preview_absence(session, ports, V1, caregiver_id=ill, day=TUESDAY))
    assert told(session) == {
        ("screen", "caregiver", ill, "stop_taken_over"),
        ("screen", "role", "hotline", "nobody_goes"),
    }
