"""From the door to the money: check in, check out, confirm, dispute, and what goes wrong."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import (
    BadInput,
    NotAllowed,
    NotFound,
    SecondPersonNeeded,
    WrongState,
)
from marketplace.kernel.outbox import OutboxMessage
from marketplace.visits import homecode
from marketplace.visits.models import Evidence, Visit
from marketplace.visits.rules import CodeWrong, TooEarly, WaitAtTheDoor
from marketplace.visits.service import IdTaken
from marketplace.vouchers.service import entries_of
from marketplace.workflows.cancel import (
    CancelRequest,
    NoShowRequest,
    RescheduleRequest,
    TooSoon,
    cancel,
    report_no_show,
    reschedule,
)
from marketplace.workflows.confirm import (
    ConfirmRequest,
    DisputeRequest,
    ResolveRequest,
    VisitNotEnded,
    auto_confirm,
    confirm,
    dispute,
    resolve,
)
from marketplace.workflows.interrupt import InterruptRequest, interrupt
from marketplace.workflows.no_access import NoAccessRequest, report_no_access
from marketplace.workflows.shown import Shown
from marketplace.workflows.substitute import SubstituteRequest, substitute
from marketplace.workflows.upkeep import upkeep
from marketplace.workflows.visit import CheckInRequest, CheckOutRequest, check_in, check_out
from tests import builders
from tests.workflows import world
from tests.workflows.world import (
    C1,
    COMMUNITY,
    ELDER,
    HOTLINE,
    STREET,
    TUESDAY,
    V1,
    V2,
    accepted,
    key,
    state_of,
)
from vendors.models import Vendor
from vendors.rules import CaregiverCannotServe

HOME = {"lat": 32.51, "lng": 120.14, "accuracy_m": 10}


def assigned(session, ports, *, service="ZJ001", crew=("C1",), actor=ELDER, **changed):
    """Return a work order of tomorrow at nine, with its crew sent by hand."""
    order = {
        "service_code": service,
        "window_start_s": 9 * 3600,
        "window_end_s": 10 * 3600,
        "actor": actor,
    }
    work_order_id = accepted(session, ports, **{**order, **changed})
    request = SubstituteRequest(work_order_id, list(crew), 9 * 3600)
    substitute(session, ports, V1, key=key(), request=request)
    return work_order_id


def shown(clock, tail="in", **changed):
    values = {"evidence_id": key() + tail, "method": "gps_photo", "at_device": clock.now(), **HOME}
    return Shown(**{**values, "device_id": "D1", **changed})


def enter(session, ports, clock, work_order_id, *, hour=9.0, actor=C1, visit="X1", **changed):
    clock.at = world.local(TUESDAY, hour)
    request = CheckInRequest(
        work_order_id=work_order_id, visit_id=visit, shown=shown(clock, **changed)
    )
    return check_in(session, ports, actor, key=key(), request=request)


def leave(session, ports, clock, *, minutes=60, actor=C1, visit="X1", **changed):
    clock.advance(minutes=minutes)
    request = CheckOutRequest(visit_id=visit, shown=shown(clock, "out", **changed))
    return check_out(session, ports, actor, key=key(), request=request)


def served(session, ports, clock, **changed):
    work_order_id = assigned(session, ports, **changed)
    enter(session, ports, clock, work_order_id)
    leave(session, ports, clock)
    return work_order_id


def kinds(session, work_order_id):
    return sorted({e.kind for e in entries_of(session, work_order_id)})


def tap(work_order_id):
    return ConfirmRequest(work_order_id, "tap")


def test_a_clean_visit_is_verified_confirmed_and_captured(city, ports, clock):
    work_order_id = assigned(city, ports)
    assert enter(city, ports, clock, work_order_id).state == "in_service"
    out = leave(city, ports, clock)
    assert (out.state, out.verdict, out.findings) == ("done", "verified", [])
    answer = confirm(city, ports, ELDER, key=key(), request=tap(work_order_id))
    assert (answer.state, answer.captured_fen) == ("confirmed", 6_000)
    assert kinds(city, work_order_id) == ["pending", "post"]


def test_repeating_a_confirmation_captures_once(city, ports, clock):
    work_order_id = served(city, ports, clock)
    first = confirm(city, ports, ELDER, key="k", request=tap(work_order_id))
    before = len(entries_of(city, work_order_id))
    assert confirm(city, ports, ELDER, key="k", request=tap(work_order_id)) == first
    with pytest.raises(WrongState):
        confirm(city, ports, ELDER, key=key(), request=tap(work_order_id))
    assert len(entries_of(city, work_order_id)) == before


def test_a_phone_that_sends_twice_makes_one_visit_and_one_row(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 9)
    evidence = shown(clock)
    request = CheckInRequest(work_order_id=work_order_id, visit_id="X1", shown=evidence)
    for _ in range(2):
        check_in(city, ports, C1, key=key(), request=request)
    assert city.scalar(select(func.count()).select_from(Visit)) == 1
    assert city.scalar(select(func.count()).select_from(Evidence)) == 1


def test_an_id_that_stands_for_another_visit_is_refused(city, ports, clock):
    first = assigned(city, ports)
    second = assigned(city, ports, window_start_s=8 * 3600, crew=("C2",))
    enter(city, ports, clock, first)
    with pytest.raises(IdTaken):
        enter(city, ports, clock, second, actor=world.C2, visit="X1")


def test_nobody_but_the_crew_checks_in(city, ports, clock):
    work_order_id = assigned(city, ports)
    with pytest.raises(NotFound):
        enter(city, ports, clock, work_order_id, actor=world.C3)
    with pytest.raises(NotAllowed):
        enter(city, ports, clock, work_order_id, actor=ELDER)


def test_the_code_of_the_home_opens_and_another_does_not(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 9)
    other = homecode.code_of(ports.vault, "E2", clock.now()).code
    with pytest.raises(CodeWrong):
        enter(city, ports, clock, work_order_id, method="home_code", code=other)
    code = homecode.code_of(ports.vault, "E1", clock.now()).code
    assert enter(city, ports, clock, work_order_id, method="home_code", code=code)


def test_too_early_waits_and_late_is_recorded(city, ports, clock):
    work_order_id = assigned(city, ports)
    with pytest.raises(TooEarly):
        enter(city, ports, clock, work_order_id, hour=8.4)
    enter(city, ports, clock, work_order_id, hour=11)
    out = leave(city, ports, clock)
    assert [(f["rule"], f["action"]) for f in out.findings] == [("LATE", "review")]
    assert out.state == "done"


def test_off_the_fence_is_held_and_the_money_stays(city, ports, clock):
    work_order_id = assigned(city, ports)
    enter(city, ports, clock, work_order_id, lat=32.52)
    out = leave(city, ports, clock)
    assert (out.state, out.verdict) == ("disputed", "held")
    assert kinds(city, work_order_id) == ["pending"]
    with pytest.raises(WrongState):
        confirm(city, ports, ELDER, key=key(), request=tap(work_order_id))


@pytest.mark.parametrize("method", ["manual", "paper", "landline"])
def test_a_caregivers_word_alone_proves_no_visit(city, ports, clock, method):
    work_order_id = assigned(city, ports)
    nowhere = {"lat": None, "lng": None, "accuracy_m": None, "note": "I was there"}
    with pytest.raises(BadInput) as refused:
        enter(city, ports, clock, work_order_id, method=method, **nowhere)
    assert refused.value.field == "method"


def test_a_tag_that_nobody_checked_counts_where_the_phone_is(city, ports, clock):
    work_order_id = assigned(city, ports)
    with pytest.raises(BadInput):
        enter(city, ports, clock, work_order_id, method="nfc", lat=None, lng=None)
    enter(city, ports, clock, work_order_id, method="nfc", lat=32.52)
    assert leave(city, ports, clock).findings[0]["rule"] == "F03"


def test_a_visit_that_nobody_ended_is_not_paid_however_short(city, ports, clock):
    """It would be on no statement: the elder would pay and nobody get the money."""
    with transaction(city):
        builders.a_service(city, "ZJ009", duration_min=10)
    work_order_id = assigned(city, ports, service="ZJ009")
    enter(city, ports, clock, work_order_id)
    clock.advance(days=2)
    upkeep(city, ports)
    clock.advance(days=3)
    upkeep(city, ports)
    assert state_of(city, work_order_id) == "disputed"
    request = ResolveRequest(work_order_id, "pay", "the elder says she came")
    with pytest.raises(VisitNotEnded):
        resolve(city, ports, STREET, key=key(), request=request)
    assert kinds(city, work_order_id) == ["pending"]
    request = ResolveRequest(work_order_id, "void", "no end was ever told")
    assert resolve(city, ports, STREET, key=key(), request=request).captured_fen == 0


def test_a_short_visit_is_blocked(city, ports, clock):
    work_order_id = assigned(city, ports)
    enter(city, ports, clock, work_order_id)
    assert leave(city, ports, clock, minutes=20).verdict == "blocked"


def test_a_visit_sent_late_from_offline_keeps_the_phones_time(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 15)
    nine = world.local(TUESDAY, 9)
    early = shown(clock, at_device=nine, offline=True)
    request = CheckInRequest(work_order_id=work_order_id, visit_id="X1", shown=early)
    check_in(city, ports, C1, key=key(), request=request)
    late = shown(clock, "out", at_device=nine + timedelta(hours=1), offline=True)
    out = CheckOutRequest(visit_id="X1", shown=late)
    answer = check_out(city, ports, C1, key=key(), request=out)
    assert (answer.check_in_at, answer.verdict) == (nine, "verified")


def test_a_crew_is_done_when_both_are_out(city, ports, clock):
    work_order_id = assigned(city, ports, service="ZY010", crew=("C1", "C2"))
    enter(city, ports, clock, work_order_id)
    enter(city, ports, clock, work_order_id, actor=world.C2, visit="X2", device_id="D2")
    assert leave(city, ports, clock, minutes=90).state == "in_service"
    out = leave(city, ports, clock, minutes=0, actor=world.C2, visit="X2", device_id="D2")
    assert (out.state, out.verdict) == ("done", "verified")


def test_one_of_two_is_looked_at_by_a_person(city, ports, clock):
    work_order_id = assigned(city, ports, service="ZY010", crew=("C1", "C2"))
    enter(city, ports, clock, work_order_id)
    leave(city, ports, clock, minutes=90)
    clock.advance(days=2)
    upkeep(city, ports)
    assert state_of(city, work_order_id) == "disputed"
    request = ResolveRequest(work_order_id, "pay_part", "one came", minutes=45)
    answer = resolve(city, ports, STREET, key=key(), request=request)
    assert (answer.state, answer.captured_fen) == ("confirmed", 14_000)


def test_a_decision_may_void_the_visit_and_gives_everything_back(city, ports, clock):
    work_order_id = assigned(city, ports)
    enter(city, ports, clock, work_order_id, lat=32.52)
    leave(city, ports, clock)
    request = ResolveRequest(work_order_id, "void", "nobody was there")
    answer = resolve(city, ports, STREET, key=key(), request=request)
    assert (answer.state, answer.released_fen) == ("invalidated", 6_000)
    assert kinds(city, work_order_id) == ["pending", "void"]


def test_an_elder_who_denies_the_visit_blocks_it(city, ports, clock):
    work_order_id = served(city, ports, clock)
    request = DisputeRequest(work_order_id, "nobody came", nobody_came=True)
    assert dispute(city, ports, ELDER, key=key(), request=request).state == "disputed"
    assert city.scalars(select(Visit.verdict)).all() == ["blocked"]


def test_silence_confirms_after_two_days_and_not_before(city, ports, clock):
    work_order_id = served(city, ports, clock)
    clock.advance(hours=47)
    assert auto_confirm(city, ports).confirmed == 0
    clock.advance(hours=1)
    assert auto_confirm(city, ports).confirmed == 1
    assert state_of(city, work_order_id) == "confirmed"
    assert auto_confirm(city, ports).confirmed == 0


def test_the_hotline_confirms_by_voice_with_a_recording(city, ports, clock):
    work_order_id = served(city, ports, clock)
    with pytest.raises(BadInput):
        confirm(city, ports, HOTLINE, key=key(), request=ConfirmRequest(work_order_id, "voice"))
    request = ConfirmRequest(work_order_id, "voice", reference="rec-1")
    assert confirm(city, ports, HOTLINE, key=key(), request=request).state == "confirmed"


def test_a_pin_is_the_code_that_the_home_shows(city, ports, clock):
    work_order_id = served(city, ports, clock)
    with pytest.raises(CodeWrong):
        confirm(
            city, ports, ELDER, key=key(), request=ConfirmRequest(work_order_id, "pin", pin="1")
        )
    pin = homecode.code_of(ports.vault, "E1", clock.now()).code
    request = ConfirmRequest(work_order_id, "pin", pin=pin)
    assert confirm(city, ports, ELDER, key=key(), request=request).state == "confirmed"


def test_a_community_worker_does_not_confirm_what_they_ordered(city, ports, clock):
    work_order_id = served(city, ports, clock, actor=COMMUNITY, reference="v-8")
    request = ConfirmRequest(work_order_id, "worker", reference="v-9")
    with pytest.raises(SecondPersonNeeded):
        confirm(city, ports, COMMUNITY, key=key(), request=request)


def test_an_operator_does_not_confirm_by_voice_what_they_ordered(city, ports, clock):
    work_order_id = served(city, ports, clock, actor=HOTLINE, reference="call-1")
    request = ConfirmRequest(work_order_id, "voice", reference="call-2")
    with pytest.raises(SecondPersonNeeded):
        confirm(city, ports, HOTLINE, key=key(), request=request)
    assert (state_of(city, work_order_id), kinds(city, work_order_id)) == ("done", ["pending"])
    colleague = Actor("u-colleague", Role.HOTLINE)
    assert confirm(city, ports, colleague, key=key(), request=request).state == "confirmed"


def test_a_vendor_corrects_by_hand_only_with_a_reason(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 9)
    request = CheckInRequest(
        work_order_id=work_order_id, visit_id="X1", shown=shown(clock), caregiver_id="C1"
    )
    with pytest.raises(NotAllowed):
        check_in(city, ports, V1, key=key(), request=request)
    by_hand = shown(clock, method="manual", note="her phone was empty")
    request = CheckInRequest(
        work_order_id=work_order_id, visit_id="X1", shown=by_hand, caregiver_id="C1"
    )
    assert check_in(city, ports, V1, key=key(), request=request).caregiver_id == "C1"


def test_a_visit_that_breaks_off_waits_for_a_person(city, ports, clock):
    work_order_id = assigned(city, ports)
    enter(city, ports, clock, work_order_id)
    clock.advance(minutes=10)
    request = InterruptRequest(visit_id="X1", reason="illness", shown=shown(clock, "stop"))
    assert interrupt(city, ports, C1, key=key(), request=request).state == "disputed"
    assert kinds(city, work_order_id) == ["pending"]


def closed_door(session, ports, clock, day_hour=9.5):
    work_order_id = assigned(session, ports)
    clock.at = world.local(TUESDAY, day_hour)
    request = NoAccessRequest(
        work_order_id=work_order_id, visit_id=f"N-{work_order_id}", shown=shown(clock)
    )
    return work_order_id, report_no_access(session, ports, C1, key=key(), request=request)


def test_a_closed_door_pays_the_way_and_gives_the_rest_back(city, ports, clock):
    work_order_id, answer = closed_door(city, ports, clock)
    assert (answer.state, answer.fee_fen, answer.welfare_check) == ("no_access", 1_000, False)
    assert "void" in kinds(city, work_order_id)


def test_a_second_closed_door_in_a_row_asks_to_look_after_the_elder(city, ports, clock):
    first = assigned(city, ports)
    second = assigned(city, ports, window_start_s=8 * 3600, crew=("C2",))
    clock.at = world.local(TUESDAY, 9.5)
    for work_order_id, who in ((first, C1), (second, world.C2)):
        request = NoAccessRequest(
            work_order_id=work_order_id, visit_id=f"N-{work_order_id}", shown=shown(clock)
        )
        answer = report_no_access(city, ports, who, key=key(), request=request)
    assert answer.welfare_check
    told = city.scalars(select(OutboxMessage).where(OutboxMessage.template == "welfare_check"))
    assert len(told.all()) == 1


def test_a_caregiver_waits_ten_minutes_at_the_door(city, ports, clock):
    with pytest.raises(WaitAtTheDoor):
        closed_door(city, ports, clock, day_hour=9.1)


def test_cancelling_in_time_costs_nothing(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 7)
    answer = cancel(city, ports, ELDER, key=key(), request=CancelRequest(work_order_id))
    assert (answer.state, answer.fee_fen, answer.released_fen) == ("cancelled", 0, 6_000)


def test_cancelling_late_keeps_a_fifth_of_own_money(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 7.5)
    own = sum(
        e.amount for e in entries_of(city, work_order_id) if e.debit_account.startswith("owed:")
    )
    answer = cancel(city, ports, ELDER, key=key(), request=CancelRequest(work_order_id))
    assert (answer.state, answer.fee_fen) == ("cancelled", own // 5)


def test_what_has_begun_is_not_cancelled(city, ports, clock):
    work_order_id = assigned(city, ports)
    enter(city, ports, clock, work_order_id)
    with pytest.raises(WrongState):
        cancel(city, ports, ELDER, key=key(), request=CancelRequest(work_order_id))


def test_a_vendor_that_gives_a_visit_back_loses_credit_and_another_is_asked(city, ports):
    work_order_id = assigned(city, ports)
    answer = cancel(city, ports, V1, key=key(), request=CancelRequest(work_order_id, "ill"))
    assert (answer.state, answer.next_vendor_id) == ("offered", "V2")
    assert city.get(Vendor, "V1").credit == 99
    with pytest.raises(NotFound):
        cancel(city, ports, V1, key=key(), request=CancelRequest(work_order_id))


def test_nobody_came_and_another_vendor_is_asked(city, ports, clock):
    work_order_id = assigned(city, ports)
    request = NoShowRequest(work_order_id)
    clock.at = world.local(TUESDAY, 10)
    with pytest.raises(TooSoon):
        report_no_show(city, ports, ELDER, key=key(), request=request)
    clock.at = world.local(TUESDAY, 10.5)
    answer = report_no_show(city, ports, ELDER, key=key(), request=request)
    assert (answer.state, answer.next_vendor_id) == ("offered", "V2")
    assert city.get(Vendor, "V1").credit == 98


def test_a_visit_that_is_moved_is_a_new_one_with_its_own_hold(city, ports):
    work_order_id = assigned(city, ports)
    request = RescheduleRequest(work_order_id, TUESDAY, 14 * 3600, 15 * 3600)
    moved = reschedule(city, ports, ELDER, key=key(), request=request)
    assert state_of(city, work_order_id) == "cancelled"
    assert (moved.state, kinds(city, moved.new_work_order_id)) == ("offered", ["pending"])


def test_nobody_is_sent_who_cannot_go(city, ports):
    work_order_id = assigned(city, ports)
    another = SubstituteRequest(work_order_id, ["C3"], 9 * 3600)
    with pytest.raises(CaregiverCannotServe) as refused:
        substitute(city, ports, V1, key=key(), request=another)
    assert refused.value.facts["why"] == "vendor"
    with pytest.raises(CaregiverCannotServe) as refused:
        assigned(city, ports, service="HL001", crew=("C2",))
    assert refused.value.facts["why"] == "skill"
    with pytest.raises(CaregiverCannotServe) as refused:
        assigned(city, ports, service="ZJ001", window_start_s=8 * 3600)
    assert refused.value.facts["why"] == "busy"


def test_a_day_that_passed_unserved_ends_and_gives_its_money_back(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.advance(days=3)
    kept = upkeep(city, ports)
    assert (kept.days_ended, state_of(city, work_order_id)) == (1, "expired")
    assert kinds(city, work_order_id) == ["expire", "pending"]
    again = upkeep(city, ports)
    assert (again.days_ended, again.confirmed, again.delivered) == (0, 0, 0)


def test_messages_leave_once(city, ports, clock):
    work_order_id = served(city, ports, clock)
    kept = upkeep(city, ports)
    assert kept.delivered > 0
    asked = [m for m in ports.notifier.sent if m["text"] == "please_confirm"]
    assert len(asked) == 1
    assert upkeep(city, ports).delivered == 0
    assert work_order_id
    assert V2.vendor_id == "V2"
