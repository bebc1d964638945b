"""What the hotline owes and does: calls, complaints, repairs, new callers, codes for a family."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from marketplace.elders import witness
from marketplace.elders.links import AlreadyLinked, LinkCodeWrong
from marketplace.elders.models import Consent, Elder, FamilyLink, FollowUp, LinkCode
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.errors import (
    BadInput,
    NotAllowed,
    NotFound,
    SecondPersonNeeded,
    WrongState,
)
from marketplace.kernel.outbox import OutboxMessage
from marketplace.orders.models import WorkOrderEvent
from marketplace.queries import follow_ups
from marketplace.queries.people import bound_elder_ids
from marketplace.vouchers import service as vouchers
from marketplace.vouchers.service import PackageNotDelivered
from marketplace.workflows import policy
from marketplace.workflows import repair as repairing
from marketplace.workflows.cancel import TooSoon
from marketplace.workflows.complain import (
    ComplaintRequest,
    RingBackRequest,
    ask_ring_back,
    complain,
)
from marketplace.workflows.follow_up import ResultRequest, find_due, record_result
from marketplace.workflows.link import (
    LinkCodeRequest,
    PowersRequest,
    make_link_code,
    set_powers,
    use_link_code,
)
from marketplace.workflows.onboard import CallerRequest, onboard_caller
from marketplace.workflows.repair import RepairRequest, WithdrawRequest, repair, withdraw
from marketplace.workflows.see import see_elder
from tests import builders
from tests.workflows import world
from tests.workflows.test_visits import assigned, closed_door, kinds, served
from tests.workflows.world import (
    C1,
    COMMUNITY,
    ELDER,
    FAMILY,
    HOTLINE,
    TUESDAY,
    crew_of,
    key,
    state_of,
)

GOOD = {"came": True, "on_time": True, "all_done": True, "score": 5}


def waiting(session, kind=None):
    query = select(FollowUp).where(FollowUp.result == "").order_by(FollowUp.id)
    return list(session.scalars(query if kind is None else query.where(FollowUp.kind == kind)))


def answered(session, ports, call, actor=HOTLINE, **answers):
    request = ResultRequest(follow_up_id=call.id, result="answered", answers=GOOD | answers)
    return record_result(session, ports, actor, key=key(), request=request)


# ---------------------------------------------------------------- call-backs


def test_a_first_visit_is_rung_about_once(city, ports, clock):
    work_order_id = served(city, ports, clock)
    assert find_due(city, ports).call_backs == 1
    assert find_due(city, ports).call_backs == 0
    call = waiting(city, "call_back")[0]
    assert (call.work_order_id, call.reason, call.elder_id) == (work_order_id, "first_visit", "E1")


def test_a_satisfied_elder_confirms_by_telephone_and_the_money_is_taken(city, ports, clock):
    work_order_id = served(city, ports, clock)
    find_due(city, ports)
    assert answered(city, ports, waiting(city)[0]).result == "satisfied"
    assert state_of(city, work_order_id) == "confirmed"
    assert kinds(city, work_order_id) == ["pending", "post"]


@pytest.mark.parametrize("asker", [HOTLINE, COMMUNITY], ids=lambda a: a.role.value)
def test_who_took_an_order_does_not_ask_whether_its_visit_was_good(city, ports, clock, asker):
    work_order_id = served(city, ports, clock, actor=asker, reference="call-1")
    find_due(city, ports)
    call = waiting(city)[0]
    with pytest.raises(SecondPersonNeeded):
        answered(city, ports, call, actor=asker)
    assert (state_of(city, work_order_id), kinds(city, work_order_id)) == ("done", ["pending"])
    everywhere = policy.scope(asker, policy.Action.FOLLOW_UP)
    assert follow_ups.waiting(city, everywhere, caller_id=asker.user_id) == []
    assert [c.id for c in follow_ups.waiting(city, everywhere, caller_id="u-other")] == [call.id]
    colleague = Actor("u-colleague", Role.HOTLINE)
    assert answered(city, ports, call, actor=colleague).result == "satisfied"
    assert state_of(city, work_order_id) == "confirmed"


def test_an_elder_who_saw_nobody_keeps_the_money_held_and_a_complaint_waits(city, ports, clock):
    work_order_id = served(city, ports, clock)
    find_due(city, ports)
    answer = answered(city, ports, waiting(city)[0], came=False)
    assert (answer.result, answer.opened) == ("denied", "complaint")
    assert state_of(city, work_order_id) == "disputed"
    assert kinds(city, work_order_id) == ["pending"]
    assert [c.reason for c in waiting(city, "complaint")] == ["denied"]


def test_a_call_ends_once_and_a_missing_answer_is_named(city, ports, clock):
    served(city, ports, clock)
    find_due(city, ports)
    call = waiting(city)[0]
    with pytest.raises(BadInput) as refused:
        answered(city, ports, call, score=6)
    assert refused.value.field == "score"
    answered(city, ports, call)
    with pytest.raises(WrongState):
        answered(city, ports, call)


def test_nobody_reached_is_tried_again_three_times_and_then_no_more(city, ports, clock):
    served(city, ports, clock)
    find_due(city, ports)
    call_id = waiting(city)[0].id
    for _ in range(2):
        request = ResultRequest(follow_up_id=call_id, result="no_answer")
        answer = record_result(city, ports, HOTLINE, key=key(), request=request)
        assert answer.due_at == clock.now() + timedelta(hours=2)
        clock.advance(hours=2)
    request = ResultRequest(follow_up_id=call_id, result="no_answer")
    assert record_result(city, ports, HOTLINE, key=key(), request=request).result == "no_answer"
    assert waiting(city) == []


def test_a_community_worker_rings_its_own_town_only(city, ports, clock):
    served(city, ports, clock)
    find_due(city, ports)
    elsewhere = Actor("u-x", Role.COMMUNITY, district_code="321202", town_code="321202001")
    with pytest.raises(NotFound):
        answered(city, ports, waiting(city)[0], actor=elsewhere)
    assert answered(city, ports, waiting(city)[0], actor=COMMUNITY).result == "satisfied"


# ---------------------------------------------------------------- welfare


def test_who_is_eighty_alone_and_silent_for_a_week_is_rung_once_a_week(city, ports, clock):
    builders.an_elder(city, "E8", born_on=date(1940, 1, 1), lives_alone=True)
    builders.an_elder(city, "E7", born_on=date(1950, 1, 1), lives_alone=True)
    builders.an_elder(city, "E6", born_on=date(1940, 1, 1), lives_alone=True, status="away")
    city.commit()
    assert find_due(city, ports).welfare == 1
    assert find_due(city, ports).welfare == 0
    call = waiting(city, "welfare")[0]
    assert (call.elder_id, call.reason) == ("E8", "silent")
    request = ResultRequest(follow_up_id=call.id, result="well")
    record_result(city, ports, HOTLINE, key=key(), request=request)
    clock.advance(days=6)
    assert find_due(city, ports).welfare == 0
    clock.advance(days=3)
    assert find_due(city, ports).welfare == 1


def test_a_shut_door_owes_a_look_within_half_an_hour(city, ports, clock):
    work_order_id, _ = closed_door(city, ports, clock)
    call = waiting(city, "welfare")[0]
    assert (call.work_order_id, call.reason) == (work_order_id, "shut_door")
    assert call.due_at == clock.now() + timedelta(minutes=30)


def test_somebody_sent_to_a_door_is_asked_about_again(city, ports, clock):
    closed_door(city, ports, clock)
    request = ResultRequest(follow_up_id=waiting(city)[0].id, result="sent_somebody")
    assert record_result(city, ports, HOTLINE, key=key(), request=request).opened == "welfare"
    again = waiting(city, "welfare")[0]
    assert (again.reason, again.due_at) == ("looked_in", clock.now() + timedelta(hours=1))


def test_who_needs_help_is_told_to_the_family(city, ports, clock):
    closed_door(city, ports, clock)
    request = ResultRequest(follow_up_id=waiting(city)[0].id, result="needs_help")
    record_result(city, ports, HOTLINE, key=key(), request=request)
    told = city.scalars(
        select(OutboxMessage.template).where(OutboxMessage.template == "needs_help")
    )
    assert len(told.all()) == 1


def test_a_satisfied_answer_is_kept_where_a_months_package_lacks_its_visits(
    city, ports, clock, monkeypatch
):
    work_order_id = served(city, ports, clock)
    find_due(city, ports)

    def refuse(*_, **__):
        raise PackageNotDelivered(visits=1, minutes=60, least_visits=12, least_minutes=1_200)

    monkeypatch.setattr(vouchers, "capture", refuse)
    [call] = waiting(city, "call_back")
    assert answered(city, ports, call).result == "satisfied"
    # Its money waits for a person, as where silence confirms.
    assert (state_of(city, work_order_id), waiting(city, "call_back")) == ("disputed", [])


# ---------------------------------------------------------------- complaints


def test_a_complaint_of_a_visit_keeps_its_money_and_owes_a_call_within_a_day(city, ports, clock):
    work_order_id = served(city, ports, clock)
    request = ComplaintRequest(
        elder_id="E1", category="late", text="来晚了", work_order_id=work_order_id
    )
    answer = complain(city, ports, HOTLINE, key="k", request=request)
    assert answer.money_is_held
    assert state_of(city, work_order_id) == "disputed"
    assert complain(city, ports, HOTLINE, key="k", request=request) == answer
    calls = waiting(city, "complaint")
    assert [(c.reason, c.note) for c in calls] == [("late", "来晚了")]
    assert calls[0].due_at == clock.now() + timedelta(hours=24)


def test_two_complaints_whose_long_keys_begin_alike_are_both_owed_a_call(city, ports, clock):
    work_order_id = served(city, ports, clock)
    for n, category in enumerate(("late", "theft")):
        request = ComplaintRequest(elder_id="E1", category=category, work_order_id=work_order_id)
        complain(city, ports, HOTLINE, key="a-client-of-long-keys/" * 8 + str(n), request=request)
        asked = RingBackRequest(elder_id="E1", text=category)
        ask_ring_back(city, ports, HOTLINE, key="r" * 150 + str(n), request=asked)
    assert [c.reason for c in waiting(city, "complaint")] == ["late", "theft"]
    assert [c.note for c in waiting(city, "ring_back")] == ["late", "theft"]
    told = select(OutboxMessage.values).where(OutboxMessage.template == "complaint")
    assert sorted(v["category"] for v in city.scalars(told)) == ["late", "theft"]


def test_a_complaint_of_theft_is_due_within_the_hour_and_needs_no_visit(city, ports, clock):
    request = ComplaintRequest(elder_id="E1", category="theft")
    answer = complain(city, ports, ELDER, key=key(), request=request)
    assert (answer.money_is_held, answer.contact_by) == (False, clock.now() + timedelta(hours=1))


def test_nobody_complains_of_anothers_visit_or_for_a_stranger(city, ports, clock):
    work_order_id = served(city, ports, clock)
    request = ComplaintRequest(elder_id="E2", category="late", work_order_id=work_order_id)
    with pytest.raises(BadInput):
        complain(city, ports, HOTLINE, key=key(), request=request)
    with pytest.raises(NotFound):
        complain(city, ports, ELDER, key=key(), request=request)


# ---------------------------------------------------------------- repair


def test_a_missing_helper_is_replaced_and_everybody_is_told(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 9.5)
    could = repairing.repairs(city, ports, HOTLINE, work_order_id)
    assert [s.caregiver_id for s in could] == ["C2"]
    assert could[0].start_s >= 9.5 * 3600
    request = RepairRequest(work_order_id, "C2", could[0].start_s)
    answer = repair(city, ports, HOTLINE, key="k", request=request)
    assert (answer.state, crew_of(city, work_order_id)) == ("assigned", ["C2"])
    assert repair(city, ports, HOTLINE, key="k", request=request) == answer
    told = set(city.scalars(select(OutboxMessage.template)))
    assert {"helper_changed", "stop_taken_over", "stop_added", "visit_repaired"} <= told


def test_a_repair_waits_a_quarter_of_an_hour(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 9.2)
    with pytest.raises(TooSoon):
        repair(city, ports, HOTLINE, key=key(), request=RepairRequest(work_order_id, "C2"))


def test_where_nobody_of_the_vendor_is_free_the_next_vendor_is_asked(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 9.5)
    answer = repair(city, ports, HOTLINE, key=key(), request=RepairRequest(work_order_id))
    assert (answer.state, crew_of(city, work_order_id)) == ("offered", [])
    assert answer.next_vendor_id in ("V2", "V3")


def test_a_caregiver_who_cannot_make_a_later_visit_leaves_it_to_the_vendor(city, ports, clock):
    work_order_id = assigned(city, ports)
    request = WithdrawRequest(work_order_id, "ill")
    answer = withdraw(city, ports, C1, key=key(), request=request)
    assert (answer.state, answer.caregiver_id) == ("accepted", None)
    assert crew_of(city, work_order_id) == []
    last = city.scalars(
        select(WorkOrderEvent.reason)
        .where(WorkOrderEvent.work_order_id == work_order_id)
        .order_by(WorkOrderEvent.id)
    ).all()[-1]
    assert last == "withdrawn:ill"


def test_a_caregiver_who_cannot_make_the_next_visit_is_replaced_at_once(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 8)
    answer = withdraw(city, ports, C1, key=key(), request=WithdrawRequest(work_order_id, "vehicle"))
    assert (answer.state, crew_of(city, work_order_id)) == ("assigned", ["C2"])


def test_nobody_withdraws_from_anothers_visit(city, ports, clock):
    work_order_id = assigned(city, ports)
    with pytest.raises(NotFound):
        withdraw(city, ports, world.C3, key=key(), request=WithdrawRequest(work_order_id, "ill"))


# ---------------------------------------------------------------- new callers


def caller(**changed) -> CallerRequest:
    values = {
        "phone": "13812342210",
        "name": "顾巧英",
        "address": "海陵区城东街道春晖里 6 幢 301",
        "born_year": 1944,
        "consent": "REC-1",
    }
    return CallerRequest(**{**values, **changed})


def test_a_new_caller_is_known_after_five_fields_and_may_order(city, ports):
    known = onboard_caller(city, ports, HOTLINE, key="k", request=caller())
    assert onboard_caller(city, ports, HOTLINE, key="k", request=caller()) == known
    row = city.get(Elder, known.elder_id)
    assert list(witness.verify(city.connection())) == []
    assert (row.initials, row.district_code, row.born_on) == ("gqy", "321202", date(1944, 12, 31))
    consents = city.scalars(select(Consent.purpose).where(Consent.elder_id == known.elder_id))
    assert sorted(consents) == ["hotline_recording", "service"]
    assert see_elder(city, ports, HOTLINE, known.elder_id)


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("phone", {"phone": "12"}),
        ("name", {"name": "顾"}),
        ("address", {"address": "somewhere"}),
        ("born_year", {"born_year": 1042}),
        ("consent", {"consent": " "}),
    ],
)
def test_a_field_that_does_not_fit_is_named(city, ports, field, changed):
    with pytest.raises(BadInput) as refused:
        onboard_caller(city, ports, HOTLINE, key=key(), request=caller(**changed))
    assert refused.value.field == field
    assert city.scalar(select(func.count()).select_from(Elder)) == 2


def test_the_same_caller_is_not_taken_on_twice(city, ports):
    onboard_caller(city, ports, HOTLINE, key=key(), request=caller())
    with pytest.raises(BadInput) as refused:
        onboard_caller(city, ports, HOTLINE, key=key(), request=caller())
    assert refused.value.field == "phone"


def test_only_the_desks_take_callers_on(city, ports):
    with pytest.raises(NotAllowed):
        onboard_caller(city, ports, ELDER, key=key(), request=caller())


# ---------------------------------------------------------------- a code for the family

CHILD = Actor("u-child", Role.FAMILY)


@pytest.fixture
def child(city):
    from marketplace.accounts.models import Account

    city.add(
        Account(
            id="u-child",
            username="child",
            email="c@example.invalid",
            display_name="女儿",
            fs_uniquifier="y",
        )
    )
    city.commit()
    return city


def code_for(session, ports, actor=ELDER, powers=("see_visits",), **changed):
    request = LinkCodeRequest(elder_id="E1", powers=list(powers), **changed)
    return make_link_code(session, ports, actor, request=request).code


def use(session, ports, code, **changed):
    values = {"name": "张敏", "relation": "女儿"} | changed
    return use_link_code(session, ports, CHILD, key=key(), code=code, **values)


def test_a_code_links_once_with_the_powers_that_the_parent_chose(child, ports):
    code = code_for(child, ports, powers=("order", "see_visits"))
    typed = f"{code[:4].lower()} {code[4:]}"
    linked = use(child, ports, typed)
    assert (linked.elder_id, linked.powers) == ("E1", ["see_visits", "order"])
    assert bound_elder_ids(child, "u-child") == {"E1"}
    with pytest.raises(LinkCodeWrong):
        use(child, ports, code)


def test_a_code_is_kept_as_a_hash_only_and_dies_after_half_an_hour(child, ports, clock):
    code = code_for(child, ports)
    row = child.scalars(select(LinkCode)).one()
    assert code not in repr(row.__dict__)
    clock.advance(minutes=31)
    with pytest.raises(LinkCodeWrong):
        use(child, ports, code)
    assert bound_elder_ids(child, "u-child") == set()


def test_a_new_code_ends_the_one_before_it(child, ports):
    first, second = code_for(child, ports), code_for(child, ports)
    with pytest.raises(LinkCodeWrong):
        use(child, ports, first)
    use(child, ports, second)
    with pytest.raises(AlreadyLinked):
        use(child, ports, code_for(child, ports))


def test_the_hotline_needs_the_parents_spoken_yes(child, ports):
    with pytest.raises(BadInput) as refused:
        code_for(child, ports, actor=HOTLINE)
    assert refused.value.field == "reference"
    use(child, ports, code_for(child, ports, actor=HOTLINE, reference="REC-9"))
    given = child.scalars(select(Consent).where(Consent.purpose == "family_view")).one()
    assert given.given_by == "voice:REC-9"


def test_a_child_cannot_make_a_code_and_a_parent_cannot_give_what_is_no_power(child, ports):
    with pytest.raises(NotAllowed):
        code_for(child, ports, actor=FAMILY)
    with pytest.raises(BadInput):
        code_for(child, ports, powers=("see_everything",))


def test_a_parent_narrows_and_ends_what_a_child_may_do(child, ports):
    use(child, ports, code_for(child, ports, powers=("order", "see_visits", "see_money")))
    link = child.scalars(select(FamilyLink)).one()
    narrowed = PowersRequest(link_id=link.id, powers=["see_visits"])
    set_powers(child, ports, ELDER, key=key(), request=narrowed)
    reach = Actor("u-child", Role.FAMILY, elder_ids=bound_elder_ids(child, "u-child"))
    seen = see_elder(child, ports, reach, "E1")
    assert ("money" in seen.fields, "evidence" in seen.fields) == (False, True)
    ended = PowersRequest(link_id=link.id, powers=[])
    set_powers(child, ports, ELDER, key=key(), request=ended)
    assert bound_elder_ids(child, "u-child") == set()
