"""The policy table: what each role reaches and, above all, what it never does."""

import pytest

from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.errors import NotAllowed, NotFound, SecondPersonNeeded
from marketplace.workflows import policy
from marketplace.workflows.policy import About, Action, Field

WRITES = {a for a in Action if not a.value.startswith(("browse", "see_"))}


def actor(role: Role, **scope) -> Actor:
    return Actor(user_id=f"u-{role.value}", role=role, **scope)


ABOUT = About(
    kind="work_order",
    id="w1",
    elder_id="E1",
    vendor_id="V1",
    caregiver_ids=frozenset({"C1"}),
    district_code="321202",
    town_code="321202001",
)


def test_an_office_of_a_town_never_reaches_beyond_its_district():
    forgotten = actor(Role.STREET, town_code="321202001")
    policy.require(forgotten, Action.SEE_STATEMENT, ABOUT)
    assert policy.scope(forgotten, Action.SEE_STATEMENT).district_code == "321202"
    for beyond in (actor(Role.STREET, town_code="321281001"), actor(Role.STREET)):
        with pytest.raises(NotFound):
            policy.require(beyond, Action.SEE_STATEMENT, ABOUT)
        assert not policy.scope(beyond, Action.SEE_STATEMENT).everything


def test_a_district_does_not_plan_the_citys_day():
    policy.require(actor(Role.BUREAU), Action.PLAN_DAY)
    with pytest.raises(NotAllowed) as refused:
        policy.require(actor(Role.BUREAU, district_code="321202"), Action.PLAN_DAY)
    assert refused.value.facts["needs"] == "the whole city's account"


def test_every_action_has_a_row():
    assert set(policy.TABLE) == set(Action)


def test_auditor_only_reads():
    assert {a for a in WRITES if Role.AUDITOR in policy.roles_of(a)} == set()


@pytest.mark.parametrize("role", [Role.VENDOR, Role.CAREGIVER])
def test_supply_side_never_sees_income_ability_or_purses(role):
    shown = policy.fields(actor(role, vendor_id="V1", caregiver_id="C1"), accepted=True)
    assert not shown & {Field.INCOME, Field.ABILITY, Field.MONEY, Field.ID_NUMBER_MASKED}


@pytest.mark.parametrize("role", [Role.VENDOR, Role.CAREGIVER])
def test_address_is_hidden_before_acceptance_and_shown_after(role):
    who = actor(role, vendor_id="V1", caregiver_id="C1")
    assert Field.ADDRESS not in policy.fields(who, accepted=False)
    assert Field.ADDRESS in policy.fields(who, accepted=True)


@pytest.mark.parametrize("role", [r for r in Role if r is not Role.SYSTEM])
def test_nobody_sees_the_full_identity_number_in_passing(role):
    assert Field.ID_NUMBER_FULL not in policy.fields(actor(role), accepted=True)


def test_family_reaches_only_bound_elders():
    who = actor(Role.FAMILY, elder_ids=frozenset({"E2"}))
    with pytest.raises(NotFound):
        policy.require(who, Action.PLACE_ORDER, ABOUT)


def test_family_needs_the_power_that_the_elder_gave():
    who = actor(Role.FAMILY, elder_ids=frozenset({"E1"}))
    with pytest.raises(NotAllowed) as refused:
        policy.require(who, Action.PLACE_ORDER, ABOUT)
    assert refused.value.facts["needs_power"] == "order"
    allowed = About(elder_id="E1", powers=frozenset({"order"}))
    policy.require(who, Action.PLACE_ORDER, allowed)


def test_community_worker_does_not_confirm_what_they_entered():
    worker = actor(Role.COMMUNITY, town_code="321202001")
    entered = About(elder_id="E1", town_code="321202001", entered_by=worker.user_id)
    with pytest.raises(NotAllowed):
        policy.require(worker, Action.CONFIRM, entered)
    other = About(elder_id="E1", town_code="321202001", entered_by="somebody else")
    policy.require(worker, Action.CONFIRM, other)


@pytest.mark.parametrize("action", [Action.CONFIRM, Action.REDEEM_BY_PHONE])
def test_an_operator_does_not_confirm_by_phone_what_they_ordered(action):
    operator = actor(Role.HOTLINE)
    with pytest.raises(SecondPersonNeeded):
        policy.require(operator, action, About(entered_by=operator.user_id))
    policy.require(operator, action, About(entered_by="somebody else"))


def test_community_worker_stays_in_their_town():
    with pytest.raises(NotFound):
        policy.require(actor(Role.COMMUNITY, town_code="321202002"), Action.SEE_WORK_ORDER, ABOUT)


def test_a_district_bureau_does_not_reach_another_district_and_the_city_reaches_all():
    with pytest.raises(NotFound):
        policy.require(actor(Role.BUREAU, district_code="321203"), Action.SEE_WORK_ORDER, ABOUT)
    policy.require(actor(Role.BUREAU), Action.SEE_WORK_ORDER, ABOUT)


def test_a_vendor_sees_what_is_theirs_or_offered_and_nothing_else():
    policy.require(actor(Role.VENDOR, vendor_id="V1"), Action.SEE_WORK_ORDER, ABOUT)
    with pytest.raises(NotFound):
        policy.require(actor(Role.VENDOR, vendor_id="V2"), Action.SEE_WORK_ORDER, ABOUT)
    offered = About(offered_to=frozenset({"V2"}))
    policy.require(actor(Role.VENDOR, vendor_id="V2"), Action.SEE_WORK_ORDER, offered)


def test_a_vendor_without_an_id_reaches_nothing():
    with pytest.raises(NotFound):
        policy.require(actor(Role.VENDOR), Action.SEE_WORK_ORDER, About(vendor_id=None))
    assert policy.scope(actor(Role.VENDOR), Action.SEE_WORK_ORDER).vendor_id == "-"


def test_a_caregiver_acts_on_own_jobs_only():
    policy.require(actor(Role.CAREGIVER, caregiver_id="C1"), Action.CHECK_IN, ABOUT)
    with pytest.raises(NotFound):
        policy.require(actor(Role.CAREGIVER, caregiver_id="C2"), Action.CHECK_IN, ABOUT)


def test_scope_of_a_list_matches_the_reach_of_one_object():
    town = policy.scope(actor(Role.STREET, town_code="321202001"), Action.SEE_WORK_ORDER)
    assert (town.everything, town.town_code) == (False, "321202001")
    assert policy.scope(actor(Role.AUDITOR), Action.SEE_WORK_ORDER).everything
    with pytest.raises(NotAllowed):
        policy.scope(actor(Role.CAREGIVER, caregiver_id="C1"), Action.SEE_MONEY)
