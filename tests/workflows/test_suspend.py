"""Suspending a vendor: its visits go to others, holds stay, elders are told, what is stuck is named."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import func, select

from marketplace.kernel.actor import SYSTEM, Actor, Role
from marketplace.kernel.audit import AuditEvent
from marketplace.kernel.errors import BadInput, NotAllowed, NotFound, WrongState
from marketplace.kernel.outbox import OutboxMessage
from marketplace.orders import listed
from marketplace.orders import service as orders
from marketplace.orders.models import Order, WorkOrder
from marketplace.queries.suspensions import suspensions_of
from marketplace.vouchers import service as vouchers
from marketplace.workflows import suspend
from marketplace.workflows.accept import AnswerRequest, accept_offer
from marketplace.workflows.load.run import apply, preview
from marketplace.workflows.offer import OfferRequest, offer_to
from marketplace.workflows.recur import generate
from marketplace.workflows.shown import Shown
from marketplace.workflows.substitute import SubstituteRequest, substitute
from marketplace.workflows.suspend import SuspendRequest, reinstate_vendor, suspend_vendor
from marketplace.workflows.upkeep import upkeep
from marketplace.workflows.visit import CheckInRequest, CheckOutRequest, check_in, check_out
from tests import files
from tests.workflows import world
from tests.workflows.world import (
    BUREAU,
    C3,
    HOTLINE,
    TUESDAY,
    V1,
    V2,
    accepted,
    crew_of,
    key,
    placed,
    state_of,
)
from vendors import offers
from vendors.models import Vendor
from vendors.rules import VendorCannotServe

WEDNESDAY = date(2026, 11, 25)
SECOND = Actor("u-bureau-2", Role.BUREAU, district_code=BUREAU.district_code)
FAR = Actor("u-far", Role.BUREAU, district_code="321281")


def suspended(session, ports, vendor="V1", actor=BUREAU, **kw):
    return suspend_vendor(
        session, ports, actor, key=kw.get("key") or key(), request=SuspendRequest(vendor, "fraud")
    )


def assigned(session, ports, **changed):
    work_order_id = accepted(session, ports, **changed)
    ask = SubstituteRequest(work_order_id, ["C1"], 9 * 3600)
    substitute(session, ports, V1, key=key(), request=ask)
    return work_order_id


def test_an_accepted_visit_goes_to_the_next_best_with_its_hold_as_it_was(city, ports):
    work_order_id = assigned(city, ports)
    before = vouchers.shares_of(city, work_order_id)
    done = suspended(city, ports)
    row = orders.work_order(city, work_order_id)
    assert (row.state, row.vendor_id, crew_of(city, work_order_id)) == ("offered", "V2", [])
    assert (done.offered, done.pooled, done.not_moved, done.elders_told) == (1, 0, [], 1)
    assert vouchers.shares_of(city, work_order_id) == before
    assert {s.state for s in before} == {"held"}


def test_the_new_vendor_captures_the_hold_that_the_old_one_had(city, ports, clock):
    work_order_id = accepted(city, ports)
    suspended(city, ports)
    [offer] = [o for o in offers.of_work_order(city, work_order_id) if o.state == "open"]
    accept_offer(city, ports, V2, key=key(), request=AnswerRequest(offer.id))
    ask = SubstituteRequest(work_order_id, ["C3"], 9 * 3600)
    substitute(city, ports, V2, key=key(), request=ask)
    clock.at = world.local(TUESDAY, 9)
    shown = {"method": "nfc", "lat": 32.51, "lng": 120.14, "device_id": "D3"}
    ask = CheckInRequest(
        work_order_id=work_order_id,
        visit_id="X1",
        shown=Shown(evidence_id="a", at_device=clock.now(), **shown),
    )
    check_in(city, ports, C3, key=key(), request=ask)
    clock.advance(hours=1)
    ask = CheckOutRequest(
        visit_id="X1", shown=Shown(evidence_id="b", at_device=clock.now(), **shown)
    )
    check_out(city, ports, C3, key=key(), request=ask)
    clock.advance(hours=49)
    assert upkeep(city, ports).confirmed == 1
    [share] = {e.credit_account.split(":")[1] for e in vouchers.entries_of(city, work_order_id)
               if e.credit_account.startswith("due:")}  # fmt: skip
    assert share == "V2"


def test_later_dates_of_a_plan_that_named_the_vendor_are_open_to_any(city, ports, clock):
    placed(city, ports, vendor_id="V1", rrule="FREQ=DAILY")
    [offer] = [o for o in offers.of_work_order(city, _first(city)) if o.state == "open"]
    accept_offer(city, ports, V1, key=key(), request=AnswerRequest(offer.id))
    done = suspended(city, ports)
    assert done.plans == 1
    clock.advance(days=3)
    generate(city, ports)
    made = listed.in_hand_of(city, "V1", since=date(2026, 11, 1))
    assert made == []
    assert city.scalar(select(Order.standing_since)) is None


def _first(session):
    return session.scalar(select(WorkOrder.id).order_by(WorkOrder.visit_on).limit(1))


def test_a_visit_of_a_day_that_is_still_to_be_planned_waits_for_its_plan(city, ports):
    work_order_id = accepted(city, ports, starts_on=WEDNESDAY)
    done = suspended(city, ports)
    assert (done.offered, done.pooled) == (0, 1)
    row = orders.work_order(city, work_order_id)
    assert (row.state, row.vendor_id, row.vendor_named) == ("pooled", None, False)


def test_of_several_that_were_asked_the_others_keep_their_offers(city, ports):
    work_order_id = placed(city, ports)
    offer_to(city, ports, HOTLINE, key=key(), request=OfferRequest(work_order_id, ["V1", "V3"]))
    done = suspended(city, ports)
    assert (done.offered, done.not_moved) == (1, [])
    states = {o.vendor_id: o.state for o in offers.of_work_order(city, work_order_id)}
    assert states == {"V1": "closed", "V3": "open"}


def test_whom_nobody_can_have_is_listed_with_the_reason_and_the_hotline_told(city, ports):
    lunch = {"service_code": "ZC006", "window_start_s": 38_400, "window_end_s": 42_600}
    work_order_id = accepted(city, ports, **lunch)
    done = suspended(city, ports)
    assert [(n.work_order_id, n.why) for n in done.not_moved] == [(work_order_id, "licence")]
    assert state_of(city, work_order_id) == "pooled"
    told = city.scalars(
        select(OutboxMessage).where(OutboxMessage.template == "visit_not_moved")
    ).one()
    day = city.get_one(WorkOrder, work_order_id).visit_on.isoformat()
    assert told.values == {"work_order_id": work_order_id, "day": day, "why": "licence"}


def test_a_visit_that_is_being_served_is_left_and_listed(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 9)
    shown = Shown(
        evidence_id="a", method="nfc", at_device=clock.now(), lat=32.51, lng=120.14, device_id="D1"
    )
    ask = CheckInRequest(work_order_id=work_order_id, visit_id="X1", shown=shown)
    check_in(city, ports, world.C1, key=key(), request=ask)
    done = suspended(city, ports)
    assert [(n.work_order_id, n.why) for n in done.not_moved] == [(work_order_id, "in_service")]
    assert (state_of(city, work_order_id), done.elders_told) == ("in_service", 0)


def test_an_elder_is_told_once_of_all_visits(city, ports):
    first = accepted(city, ports)
    second = accepted(city, ports, starts_on=WEDNESDAY)
    suspended(city, ports)
    told = city.scalars(select(OutboxMessage).where(OutboxMessage.template == "vendor_changes"))
    [message] = list(told)
    assert (message.recipient_id, sorted(message.values["visits"])) == (
        "E1",
        sorted([first, second]),
    )


def test_a_suspended_vendor_cannot_be_named_or_accept(city, ports):
    work_order_id = placed(city, ports)
    made = offer_to(city, ports, HOTLINE, key=key(), request=OfferRequest(work_order_id, ["V1"]))
    suspended(city, ports)
    with pytest.raises(WrongState):
        accept_offer(city, ports, V1, key=key(), request=AnswerRequest(made.offer_ids[0]))
    with pytest.raises(VendorCannotServe):
        placed(city, ports, vendor_id="V1")


def test_repeating_it_changes_nothing_and_answers_the_same(city, ports):
    accepted(city, ports)
    first = suspended(city, ports, key="once")
    events = city.scalar(select(func.count()).select_from(AuditEvent))
    assert suspended(city, ports, key="once") == first
    with pytest.raises(WrongState):
        suspended(city, ports, key="again")
    assert city.scalar(select(func.count()).select_from(AuditEvent)) == events


def test_killed_between_batches_it_goes_on_where_it_stopped(city, ports, monkeypatch):
    mine = accepted(city, ports)
    other = _of_second(city, ports)
    monkeypatch.setattr(suspend, "BATCH", 1)
    whole = suspend._tell
    calls = []

    def killed(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(*args)

    monkeypatch.setattr(suspend, "_tell", killed)
    with pytest.raises(KeyboardInterrupt):
        suspended(city, ports, key="killed")
    assert sorted(state_of(city, w) for w in (mine, other)) == ["accepted", "offered"]
    assert city.get(Vendor, "V1").status == "suspended"
    city.rollback()
    monkeypatch.setattr(suspend, "_tell", whole)
    done = suspended(city, ports, key="killed")
    assert (done.offered, done.elders_told) == (2, 2)
    assert {orders.work_order(city, w).vendor_id for w in (mine, other)} <= {"V2", "V3"}


def _of_second(session, ports):
    work_order_id = placed(session, ports, HOTLINE, elder_id="E2", vendor_id="V1", reference="r-1")
    [offer] = offers.of_work_order(session, work_order_id)
    accept_offer(session, ports, V1, key=key(), request=AnswerRequest(offer.id))
    return work_order_id


def test_upkeep_moves_what_reached_a_suspended_vendor_late(city, ports):
    suspended(city, ports)
    work_order_id = placed(city, ports)
    # A placing that had read the vendor as active commits after the suspension.
    orders.move(
        city,
        work_order_id,
        expected=orders.State.POOLED,
        to=orders.State.OFFERED,
        at=ports.clock.now(),
        actor=HOTLINE,
        vendor_id="V1",
    )
    city.commit()
    assert upkeep(city, ports).moved == 1
    assert orders.work_order(city, work_order_id).vendor_id == "V2"
    assert upkeep(city, ports).moved == 0


def test_only_civil_affairs_of_a_district_that_it_serves_suspends(city, ports):
    with pytest.raises(NotAllowed):
        suspended(city, ports, actor=HOTLINE)
    with pytest.raises(NotAllowed):
        suspended(city, ports, actor=V1)
    with pytest.raises(NotFound):
        suspended(city, ports, actor=FAR)
    with pytest.raises(BadInput):
        suspend_vendor(city, ports, BUREAU, key=key(), request=SuspendRequest("V1", "  "))


def test_a_second_person_lets_it_back_in_and_its_visits_stay_where_they_are(city, ports):
    work_order_id = accepted(city, ports)
    done = suspended(city, ports)
    ask = SuspendRequest("V1", "paid back")
    with pytest.raises(NotAllowed):
        reinstate_vendor(city, ports, BUREAU, key=key(), request=ask)
    back = reinstate_vendor(city, ports, SECOND, key=key(), request=ask)
    assert (back.suspension_id, back.state) == (done.suspension_id, "active")
    assert orders.work_order(city, work_order_id).vendor_id == "V2"
    assert placed(city, ports, vendor_id="V1", starts_on=WEDNESDAY)
    with pytest.raises(WrongState):
        reinstate_vendor(city, ports, SECOND, key=key(), request=ask)
    [view] = suspensions_of(city, "V1")
    assert (view.lifted_by, view.is_moving, len(view.moves)) == ("u-bureau-2", False, 1)


def test_a_list_does_not_let_a_suspended_vendor_back_in(city, ports, tmp_path):
    suspended(city, ports)
    row = {**files.FOLDER["vendors"][0], "district_codes": "321204"}
    files.write(tmp_path, {"vendors": [row]})
    apply(city, ports, SYSTEM, preview(city, ports, SYSTEM, tmp_path))
    city.expire_all()
    vendor = city.get(Vendor, "V1")
    assert (vendor.name, vendor.status) == ("金康养老", "suspended")


@pytest.mark.parametrize("status", ["suspended", "left"])
def test_the_visits_of_a_vendor_that_a_list_took_off_the_market_can_be_moved(city, ports, status):
    work_order_id = accepted(city, ports)
    city.get(Vendor, "V1").status = status
    city.commit()
    done = suspended(city, ports)
    assert done.offered + done.pooled + len(done.not_moved) == 1
    assert state_of(city, work_order_id) in ("offered", "pooled")
    with pytest.raises(WrongState):
        suspended(city, ports)
    request = SuspendRequest("V1", "back")
    reinstate_vendor(city, ports, SECOND, key=key(), request=request)
    city.expire_all()
    assert city.get(Vendor, "V1").status == ("left" if status == "left" else "active")
