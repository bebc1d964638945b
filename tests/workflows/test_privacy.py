"""Personal data: full numbers with a reason, every look kept, consents with their effect, refused people."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from marketplace.elders.models import Elder
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.commands import CommandKey
from marketplace.kernel.errors import BadInput, NotAllowed, NotFound
from marketplace.orders import service as orders
from marketplace.orders.rules import ElderNotServed
from marketplace.visits import service as visits
from marketplace.workflows import privacy
from marketplace.workflows.confirm import ConfirmRequest, confirm
from marketplace.workflows.day_problem import read_day
from marketplace.workflows.photo import PhotoForbidden, add_photo
from marketplace.workflows.policy import Action
from marketplace.workflows.privacy import (
    ConsentRequest,
    RefuseRequest,
    RevealRequest,
    allow_caregiver,
    consents_of,
    give_consent,
    looks_into,
    refuse_caregiver,
    reveal_id_number,
    withdraw_consent,
    write_looks,
)
from marketplace.workflows.reach import reach, see_work_order
from marketplace.workflows.see import see_elder
from marketplace.workflows.substitute import SubstituteRequest, substitute
from marketplace.workflows.visit import CheckInRequest, CheckOutRequest, check_in, check_out
from tests.workflows import world
from tests.workflows.test_caregiver import pictured
from tests.workflows.test_visits import assigned, shown
from tests.workflows.world import (
    BUREAU,
    C1,
    COMMUNITY,
    ELDER,
    FAMILY,
    HOTLINE,
    STREET,
    TUESDAY,
    V1,
    accepted,
    crew_of,
    key,
    link_family,
    placed,
    state_of,
)
from vendors.rules import CaregiverCannotServe

NUMBER = "321204194603040028"
AUDITOR = Actor("u-auditor", Role.AUDITOR)


@pytest.fixture
def city(city, ports):
    elder = city.get(Elder, "E1")
    elder.id_number_sealed = ports.vault.seal(NUMBER)
    elder.id_number_index = ports.vault.index(NUMBER)
    city.commit()
    return city


# ---------------------------------------------------------------- the identity number


def test_a_number_is_shown_with_a_reason_and_the_look_is_kept(city, ports):
    ask = RevealRequest("E1", "compare with the household book")
    assert reveal_id_number(city, ports, BUREAU, key=key(), request=ask).id_number == NUMBER
    [look] = looks_into(city, ports, ELDER, "E1")
    assert (look.actor_id, look.role, look.what) == ("u-bureau", "bureau", "id_number")
    assert look.reason == "compare with the household book"
    actions = city.scalars(text("SELECT action FROM audit_event")).all()
    assert "reveal_id_number" in actions


def test_every_showing_is_a_look_of_its_own(city, ports):
    for reason in ("first", "second"):
        reveal_id_number(city, ports, BUREAU, key=key(), request=RevealRequest("E1", reason))
    assert [x.reason for x in looks_into(city, ports, AUDITOR, "E1")] == ["second", "first"]


def test_a_repeat_with_the_same_key_opens_the_number_again_and_is_kept_again(city, ports, clock):
    ask = RevealRequest("E1", "household book")
    reveal_id_number(city, ports, BUREAU, key="one-key", request=ask)
    clock.advance(days=30)
    assert reveal_id_number(city, ports, BUREAU, key="one-key", request=ask).id_number == NUMBER
    assert len(looks_into(city, ports, AUDITOR, "E1")) == 2
    moved = Actor(BUREAU.user_id, Role.BUREAU, district_code="321281")
    with pytest.raises(NotFound):
        reveal_id_number(city, ports, moved, key="one-key", request=ask)


def test_the_number_stands_in_no_kept_answer_and_sealed_in_its_row(city, ports):
    reveal_id_number(city, ports, BUREAU, key=key(), request=RevealRequest("E1", "check"))
    kept = " ".join(str(r) for r in city.execute(select(CommandKey.__table__)))
    kept += " ".join(str(r) for r in city.execute(text("SELECT * FROM audit_event")))
    kept += " ".join(str(r) for r in city.execute(text("SELECT * FROM elder")))
    assert NUMBER not in kept


@pytest.mark.parametrize("actor", [HOTLINE, COMMUNITY, STREET, V1, C1, ELDER, AUDITOR])
def test_nobody_else_is_shown_a_number(city, ports, actor):
    with pytest.raises(NotAllowed):
        reveal_id_number(city, ports, actor, key=key(), request=RevealRequest("E1", "curious"))
    assert looks_into(city, ports, ELDER, "E1") == []


def test_another_district_and_no_reason_are_refused(city, ports):
    far = Actor("u-far", Role.BUREAU, district_code="321281")
    with pytest.raises(NotFound):
        reveal_id_number(city, ports, far, key=key(), request=RevealRequest("E1", "check"))
    with pytest.raises(BadInput):
        reveal_id_number(city, ports, BUREAU, key=key(), request=RevealRequest("E1", " "))


# ---------------------------------------------------------------- who looked at whose file


def test_whoever_opens_a_file_is_kept_once_in_ten_minutes(city, ports, clock):
    work_order_id = placed(city, ports)
    for _ in range(2):
        see_elder(city, ports, HOTLINE, "E1")
        see_work_order(city, BUREAU, work_order_id, Action.SEE_WORK_ORDER)
        write_looks(city, ports)
    clock.advance(minutes=11)
    see_elder(city, ports, HOTLINE, "E1")
    assert write_looks(city, ports) == 1
    found = sorted((x.actor_id, x.what) for x in looks_into(city, ports, ELDER, "E1"))
    assert found == [("u-bureau", "visit"), ("u-hotline", "file"), ("u-hotline", "file")]


def test_the_own_file_is_no_look_and_a_refused_look_is_none(city, ports):
    see_elder(city, ports, ELDER, "E1")
    with pytest.raises(NotAllowed):
        see_elder(city, ports, V1, "E1")
    assert write_looks(city, ports) == 0


def test_an_elder_asks_for_the_own_file_only_and_vendors_never(city, ports):
    with pytest.raises(NotFound):
        looks_into(city, ports, ELDER, "E2")
    for actor in (V1, C1, COMMUNITY, STREET):
        with pytest.raises(NotAllowed):
            looks_into(city, ports, actor, "E1")


def test_a_look_can_not_be_taken_out_of_the_book(city, ports):
    reveal_id_number(city, ports, BUREAU, key=key(), request=RevealRequest("E1", "check"))
    for change in ("DELETE FROM file_look", "UPDATE file_look SET actor_id = 'x'"):
        with pytest.raises(DatabaseError):
            city.execute(text(change))
        city.rollback()


# ---------------------------------------------------------------- consents


def consent(session, ports, purpose, holds, actor=ELDER, reference=""):
    step = give_consent if holds else withdraw_consent
    ask = ConsentRequest("E1", purpose, reference)
    return step(session, ports, actor, key=key(), request=ask)


def holding(session, ports):
    return {c.purpose for c in consents_of(session, ports, ELDER, "E1") if c.holds}


def test_a_consent_is_withdrawn_and_given_again(city, ports):
    assert holding(city, ports) == {"service", "family_view", "photo", "hotline_recording"}
    assert consent(city, ports, "photo", holds=False).changed
    assert not consent(city, ports, "photo", holds=False).changed
    assert "photo" not in holding(city, ports)
    assert consent(city, ports, "photo", holds=True).changed
    assert "photo" in holding(city, ports)
    rows = city.execute(text("SELECT withdrawn_at FROM consent ORDER BY given_at, id")).all()
    assert [r.withdrawn_at is None for r in rows] == [False, True]


def test_without_the_family_consent_relatives_see_nothing(city, ports):
    link_family(city)
    placed(city, ports)
    assert reach(city, FAMILY, Action.SEE_WORK_ORDER).elder_ids == {"E1"}
    consent(city, ports, "family_view", holds=False)
    assert reach(city, FAMILY, Action.SEE_WORK_ORDER).elder_ids == frozenset()
    with pytest.raises(NotAllowed):
        placed(city, ports, FAMILY)


def test_without_consent_to_service_nothing_new_is_ordered(city, ports):
    consent(city, ports, "service", holds=False, actor=HOTLINE, reference="call-3")
    with pytest.raises(ElderNotServed):
        placed(city, ports)
    consent(city, ports, "service", holds=True)
    assert placed(city, ports)


def test_without_consent_to_photos_a_position_alone_is_kept(city, ports, clock):
    consent(city, ports, "photo", holds=False)
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 9)
    entered = shown(clock, phash="0123456789abcdef", taken_at=clock.now())
    ask = CheckInRequest(work_order_id=work_order_id, visit_id="X1", shown=entered)
    check_in(city, ports, C1, key=key(), request=ask)
    [evidence] = visits.evidence_of(city, "X1")
    assert (evidence.method, evidence.facts) == ("gps", {"trust": 3})


def test_without_consent_to_photos_no_picture_is_taken_in(city, ports, clock):
    consent(city, ports, "photo", holds=False)
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 9)
    entered = shown(clock, method="nfc")
    ask = CheckInRequest(work_order_id=work_order_id, visit_id="X1", shown=entered)
    check_in(city, ports, C1, key=key(), request=ask)
    with pytest.raises(PhotoForbidden):
        add_photo(city, ports, C1, key=key(), request=pictured(work_order_id, clock))


def test_without_consent_to_recording_a_call_confirms_nothing(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 9)
    ask = CheckInRequest(work_order_id=work_order_id, visit_id="X1", shown=shown(clock))
    check_in(city, ports, C1, key=key(), request=ask)
    clock.advance(hours=1)
    ask = CheckOutRequest(visit_id="X1", shown=shown(clock, "out"))
    check_out(city, ports, C1, key=key(), request=ask)
    consent(city, ports, "hotline_recording", holds=False)
    ask = ConfirmRequest(work_order_id, "voice", reference="call-4")
    with pytest.raises(BadInput):
        confirm(city, ports, HOTLINE, key=key(), request=ask)
    assert state_of(city, work_order_id) == "done"


def test_only_civil_affairs_writes_that_kin_may_be_paid_and_others_say_where_it_was_said(
    city, ports
):
    with pytest.raises(NotAllowed):
        consent(city, ports, "kin_care", holds=True)
    assert consent(city, ports, "kin_care", True, BUREAU, "visit-1").holds
    with pytest.raises(BadInput):
        consent(city, ports, "photo", holds=False, actor=HOTLINE)
    with pytest.raises(NotAllowed):
        consent(city, ports, "photo", holds=False, actor=V1)


# ---------------------------------------------------------------- caregivers whom the elder refuses


def refuse(session, ports, caregiver="C1", actor=ELDER, elder="E1"):
    ask = RefuseRequest(elder, caregiver, "not this one")
    return refuse_caregiver(session, ports, actor, key=key(), request=ask)


def test_a_refused_caregiver_is_forbidden_in_the_days_problem(city, ports):
    one = accepted(city, ports)
    other = placed(city, ports, HOTLINE, elder_id="E2", reference="r-1")
    refuse(city, ports)
    day = read_day(city, TUESDAY, now=ports.clock.now())
    forbidden = {t.id: t.forbidden for t in day.problem.tasks}
    assert "C1" in forbidden[one]
    assert "C1" not in forbidden[other]
    city.rollback()


def test_a_visit_planned_with_them_goes_back_to_its_vendor(city, ports):
    work_order_id = assigned(city, ports)
    answer = refuse(city, ports, actor=HOTLINE)
    assert answer.given_back == [work_order_id]
    assert (state_of(city, work_order_id), crew_of(city, work_order_id)) == ("accepted", [])
    ask = SubstituteRequest(work_order_id, ["C1"], 9 * 3600)
    with pytest.raises(CaregiverCannotServe) as no:
        substitute(city, ports, V1, key=key(), request=ask)
    assert no.value.facts["why"] == "refused"
    ask = SubstituteRequest(work_order_id, ["C2"], 9 * 3600)
    substitute(city, ports, V1, key=key(), request=ask)
    assert crew_of(city, work_order_id) == ["C2"]


def test_a_plan_that_asked_for_them_asks_no_more(city, ports):
    work_order_id = placed(city, ports, vendor_id="V1", caregiver_id="C1")
    refuse(city, ports)
    assert orders.work_order(city, work_order_id).preferred_caregiver_id is None
    with pytest.raises(CaregiverCannotServe):
        placed(city, ports, vendor_id="V1", caregiver_id="C1", window_end_s=11 * 3600)


def test_a_refusal_is_taken_back(city, ports):
    work_order_id = accepted(city, ports)
    refuse(city, ports)
    refuse(city, ports)
    ask = RefuseRequest("E1", "C1")
    assert not allow_caregiver(city, ports, ELDER, key=key(), request=ask).is_refused
    ask = SubstituteRequest(work_order_id, ["C1"], 9 * 3600)
    assert substitute(city, ports, V1, key=key(), request=ask).caregiver_ids == ["C1"]
    [row] = privacy.refusals_of(city, ports, ELDER, "E1")
    assert row.withdrawn_at is not None


def test_a_family_needs_the_power_and_a_vendor_has_no_say(city, ports):
    link_family(city, powers="see_visits")
    for actor in (FAMILY, V1, C1):
        with pytest.raises(NotAllowed):
            refuse(city, ports, actor=actor)
    with pytest.raises(NotFound):
        refuse(city, ports, caregiver="C9")
