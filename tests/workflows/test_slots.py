"""Times for a bath: what is proposed can be had, what is taken is held, what is gone is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from marketplace.elders import refusals
from marketplace.kernel.clock import second_of
from marketplace.kernel.errors import BadInput, DomainError
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.models import Assignment, Order, WorkOrder
from marketplace.orders.states import State
from marketplace.workflows.accept import AnswerRequest, accept_offer
from marketplace.workflows.slots import SlotQuery, propose_instead, propose_slots
from marketplace.workflows.substitute import SubstituteRequest, substitute
from marketplace.workflows.take import (
    MoveRequest,
    SlotGone,
    SlotRequest,
    move_to_slot,
    take_slot,
)
from tests import builders
from tests.workflows import world
from tests.workflows.world import ELDER, HOTLINE, MONDAY, TUESDAY, V1, key
from vendors import offers
from vendors.models import Leave

BATH = "ZY010"


@pytest.fixture(autouse=True)
def city(small_world):
    """Every test's database holds the small city."""


def proposed(session, ports, **changed):
    query = SlotQuery(**{"elder_id": "E1", "service_code": BATH, **changed})
    return propose_slots(session, ports, ELDER, query=query)


def taking(slot, **changed) -> SlotRequest:
    order = world.request(service_code=BATH, starts_on=slot.on, **changed)
    return SlotRequest(order, slot.start_s, [g.caregiver_id for g in slot.going])


def test_three_times_are_proposed_each_with_a_whole_crew(session, ports):
    slots = proposed(session, ports)
    assert len(slots) == 3
    assert [(s.on, s.start_s) for s in slots] == sorted((s.on, s.start_s) for s in slots)
    assert all({g.caregiver_id for g in s.going} == {"C1", "C2"} for s in slots)
    assert not any(s.usual for s in slots)


def test_nothing_is_proposed_before_somebody_could_be_sent(session, ports, clock):
    clock.advance(hours=2)
    first = proposed(session, ports, on=MONDAY)[0]
    assert first.start_s >= second_of(MONDAY, clock.now()) + 900


def test_known_faces_are_named_and_counted(session, ports):
    visited = builders.a_work_order(
        session,
        version=builders.a_service(session, "ZY011"),
        visit_on=MONDAY - timedelta(days=7),
        state="confirmed",
    )
    for n, caregiver in enumerate(("C1", "C2")):
        builders.a_visit(session, f"X{n}", visited, caregiver)
    session.commit()
    slots = proposed(session, ports)
    assert all(s.usual for s in slots)
    assert {(g.caregiver_id, g.times) for g in slots[0].going} == {("C1", 1), ("C2", 1)}


def test_a_time_that_is_taken_is_held_and_not_proposed_again(session, ports):
    slot = proposed(session, ports, on=TUESDAY)[0]
    placed = take_slot(session, ports, ELDER, key=key(), request=taking(slot))
    made = placed.work_orders[0]
    row = orders.work_order(session, made.work_order_id)
    crew = plans.assignments(session, [row.id])[row.id]
    assert made.state == row.state == State.OFFERED
    assert row.vendor_id == "V1"
    assert [(a.caregiver_id, a.locked) for a in crew] == [("C1", True), ("C2", True)]
    assert {second_of(TUESDAY, a.starts_at) for a in crew} == {slot.start_s}
    again = proposed(session, ports, on=TUESDAY, elder_id="E1")
    assert all(abs(s.start_s - slot.start_s) >= row.service_s for s in again)


def test_the_vendors_yes_makes_the_held_time_a_planned_visit(session, ports):
    slot = proposed(session, ports, on=TUESDAY)[0]
    made = take_slot(session, ports, ELDER, key=key(), request=taking(slot)).work_orders[0]
    offer = offers.of_work_order(session, made.work_order_id)[-1]
    accept_offer(session, ports, V1, key=key(), request=AnswerRequest(offer.id))
    assert orders.work_order(session, made.work_order_id).state == State.ASSIGNED
    world.planned(session, ports, TUESDAY)
    crew = plans.assignments(session, [made.work_order_id])[made.work_order_id]
    assert {second_of(TUESDAY, a.starts_at) for a in crew} == {slot.start_s}


def test_a_time_that_went_meanwhile_is_refused_and_nothing_is_kept(session, ports):
    slot = proposed(session, ports, on=TUESDAY)[0]
    take_slot(session, ports, ELDER, key=key(), request=taking(slot))
    before = session.scalar(select(func.count()).select_from(Order))
    other = taking(slot, elder_id="E2", reference="REC-1")
    with pytest.raises(SlotGone):
        take_slot(session, ports, HOTLINE, key=key(), request=other)
    assert session.scalar(select(func.count()).select_from(Order)) == before


def test_taking_twice_with_one_key_is_one_order(session, ports):
    slot = proposed(session, ports, on=TUESDAY)[0]
    once, request = key(), taking(slot)
    first = take_slot(session, ports, ELDER, key=once, request=request)
    assert take_slot(session, ports, ELDER, key=once, request=request) == first
    assert session.scalar(select(func.count()).select_from(WorkOrder)) == 1


def test_who_fell_ill_is_not_proposed(session, ports):
    day = world.local(TUESDAY, 0)
    session.add(
        Leave(caregiver_id="C2", from_at=day, to_at=day + timedelta(days=1), reason="illness")
    )
    session.commit()
    assert proposed(session, ports, on=TUESDAY) == []


def test_no_bath_is_proposed_within_an_hour_after_a_meal(session, ports):
    world.placed(
        session,
        ports,
        service_code="ZC006",
        starts_on=TUESDAY,
        window_start_s=9 * 3600,
        window_end_s=10 * 3600,
    )
    for slot in proposed(session, ports, on=TUESDAY):
        assert slot.end_s <= 9 * 3600 or slot.start_s >= 11 * 3600


def test_somebody_whose_day_was_broken_by_hand_is_put_aside(session, ports):
    one, two = (
        world.accepted(session, ports, service_code="ZY007", elder_id=e, reference="r")
        if e == "E2"
        else world.accepted(session, ports, service_code="ZY007")
        for e in ("E1", "E1")
    )
    for work_order_id in (one, two):
        session.execute(
            Assignment.__table__.insert().values(
                id=f"A-{work_order_id}"[:40],
                work_order_id=work_order_id,
                caregiver_id="C1",
                starts_at=world.local(TUESDAY, 9),
                ends_at=world.local(TUESDAY, 10),
                locked=True,
            )
        )
    session.commit()
    assert proposed(session, ports, on=TUESDAY) == []


def test_a_stranger_to_the_elder_gets_no_times(session, ports):
    from marketplace.kernel.errors import NotFound

    query = SlotQuery(elder_id="E2", service_code=BATH)
    with pytest.raises(NotFound):
        propose_slots(session, ports, ELDER, query=query)


def test_a_hand_that_books_the_same_people_wins_over_an_old_page(session, ports):
    slot = proposed(session, ports, on=TUESDAY)[0]
    work_order_id = world.accepted(
        session,
        ports,
        service_code="ZY007",
        window_start_s=slot.start_s,
        window_end_s=slot.start_s + 3600,
    )
    substitute(
        session,
        ports,
        V1,
        key=key(),
        request=SubstituteRequest(work_order_id, ["C1"], slot.start_s),
    )
    with pytest.raises(SlotGone):
        take_slot(session, ports, ELDER, key=key(), request=taking(slot))


def test_whom_the_elder_refuses_is_not_proposed(session, ports):
    at = ports.clock.now()
    refusals.refuse(session, "E1", "C2", reason="x", by="u-elder", role="elder", at=at)
    session.commit()
    assert proposed(session, ports, on=TUESDAY) == []


def booked(session, ports, **changed) -> tuple[str, int]:
    """Take the first time on Tuesday and let the vendor accept it; return the visit and its start."""
    slot = proposed(session, ports, on=TUESDAY)[0]
    made = take_slot(session, ports, ELDER, key=key(), request=taking(slot, **changed))
    work_order_id = made.work_orders[0].work_order_id
    offer = offers.of_work_order(session, work_order_id)[-1]
    accept_offer(session, ports, V1, key=key(), request=AnswerRequest(offer.id))
    return work_order_id, slot.start_s


def moving(session, ports, work_order_id: str, actor=HOTLINE):
    return propose_instead(session, ports, actor, work_order_id=work_order_id)


def test_a_visit_is_moved_to_a_time_that_was_proposed_and_its_people_are_held(session, ports):
    old, _start = booked(session, ports)
    slot = moving(session, ports, old)[-1]
    crew = [g.caregiver_id for g in slot.going]
    request = MoveRequest(old, slot.on, slot.start_s, crew)
    once = key()
    moved = move_to_slot(session, ports, HOTLINE, key=once, request=request)
    assert move_to_slot(session, ports, HOTLINE, key=once, request=request) == moved
    assert orders.work_order(session, old).state == State.CANCELLED
    assert plans.assignments(session, [old]) == {}
    row = orders.work_order(session, moved.new_work_order_id)
    held = plans.assignments(session, [row.id])[row.id]
    assert (row.state, moved.state) == (State.OFFERED, State.OFFERED)
    assert [(a.caregiver_id, second_of(slot.on, a.starts_at), a.locked) for a in held] == [
        (c, slot.start_s, True) for c in sorted(crew)
    ]


def test_the_visits_own_hour_is_free_for_moving_it_by_a_little(session, ports):
    old, start_s = booked(session, ports)
    query = SlotQuery("E1", BATH, on=TUESDAY, instead_of=old)
    times = {s.start_s for s in propose_slots(session, ports, HOTLINE, query=query)}
    assert start_s not in times
    assert any(abs(t - start_s) < 5400 for t in times)
    request = MoveRequest(old, TUESDAY, start_s + 1800, ["C1", "C2"])
    moved = move_to_slot(session, ports, HOTLINE, key=key(), request=request)
    assert moved.new_work_order_id != old


def test_a_visit_stays_as_it_was_when_the_new_time_has_gone(session, ports):
    old, start_s = booked(session, ports)
    request = MoveRequest(old, TUESDAY, start_s + 300, ["C1"])
    with pytest.raises(BadInput):
        move_to_slot(session, ports, HOTLINE, key=key(), request=request)
    gone = MoveRequest(old, TUESDAY, 22 * 3600, ["C1", "C2"])
    with pytest.raises(DomainError):
        move_to_slot(session, ports, HOTLINE, key=key(), request=gone)
    assert orders.work_order(session, old).state == State.ASSIGNED
    assert len(plans.assignments(session, [old])[old]) == 2


def test_times_are_proposed_only_for_a_visit_of_that_elder_and_service(session, ports):
    old, _start = booked(session, ports)
    with pytest.raises(BadInput):
        propose_slots(session, ports, HOTLINE, query=SlotQuery("E2", BATH, instead_of=old))


def test_a_service_without_times_of_its_own_has_none_to_move_to(session, ports):
    cleaning = world.accepted(session, ports)
    assert moving(session, ports, cleaning, ELDER) == []
