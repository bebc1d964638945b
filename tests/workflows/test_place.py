"""Placing orders: who may, what is checked, what is made and held."""

from datetime import date

import pytest
from sqlalchemy import func, select

from marketplace.elders.models import Elder
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.audit import AuditEvent
from marketplace.kernel.clock import Period
from marketplace.kernel.errors import BadInput, KeyReused, NotAllowed, NotFound
from marketplace.kernel.outbox import OutboxMessage
from marketplace.orders.models import Order, WorkOrder
from marketplace.orders.rules import Contraindicated, ElderNotServed
from marketplace.vouchers.service import entries_of
from marketplace.workflows.grants import grant_period
from marketplace.workflows.place import place_order
from marketplace.workflows.preview import preview_order
from marketplace.workflows.recur import EndRequest, end_order, generate
from tests import builders
from tests.workflows import world
from tests.workflows.world import COMMUNITY, ELDER, FAMILY, HOTLINE, MONDAY, TUESDAY, key, request
from vendors.models import JobOffer
from vendors.rules import VendorCannotServe


def place(session, ports, actor=ELDER, key_=None, **changed):
    return place_order(session, ports, actor, key=key_ or key(), request=request(**changed))


def test_an_order_without_a_vendor_is_pooled_and_its_price_is_held(city, ports):
    placed = place(city, ports)
    [made] = placed.work_orders
    assert (made.state, made.price_fen, placed.authority) == ("pooled", 6_000, "self")
    assert sum(s["fen"] for s in made.shares) == 6_000
    assert {e.kind for e in entries_of(city, made.work_order_id)} == {"pending"}


@pytest.mark.parametrize(("birthday", "payer"), [(10, {"OWN"}), (1, {"GP-C"})])
def test_what_is_promised_of_a_month_to_come_is_what_it_will_grant(city, ports, birthday, payer):
    """Who is 80 in the middle of a month has that class from the next, whatever day is ordered."""
    city.get(Elder, "E1").born_on = date(1946, 12, birthday)
    city.commit()
    ordered = request(starts_on=date(2026, 12, 15))
    seen = preview_order(city, ports, ELDER, request=ordered)
    [made] = place_order(city, ports, ELDER, key=key(), request=ordered).work_orders
    shared = {s["programme_code"] for s in made.shares} - {"OWN"} or {"OWN"}
    assert shared == payer
    assert seen.own_fen == sum(s["fen"] for s in made.shares if s["programme_code"] == "OWN")
    one, two = (Actor(f"u-{n}", Role.BUREAU) for n in "12")
    [done] = grant_period(city, ports, one, two, period=Period(2026, 12))
    assert done.requoted == ()


def test_who_is_granted_less_than_was_promised_is_told(city, ports):
    [made] = place(city, ports, starts_on=date(2026, 12, 15)).work_orders
    promised = sum(s["fen"] for s in made.shares if s["programme_code"] == "OWN")
    city.get(Elder, "E1").born_on = date(1950, 1, 1)
    city.commit()
    one, two = (Actor(f"u-{n}", Role.BUREAU) for n in "12")
    [done] = grant_period(city, ports, one, two, period=Period(2026, 12))
    assert done.requoted == (made.work_order_id,)
    told = city.scalars(
        select(OutboxMessage).where(OutboxMessage.template == "money.requoted")
    ).one()
    assert told.recipient_id == "E1"
    assert (told.values["own_before_fen"], told.values["own_after_fen"]) == (promised, 6_000)


def test_an_order_that_names_a_vendor_is_offered_to_it_with_a_deadline(city, ports, clock):
    [made] = place(city, ports, vendor_id="V1").work_orders
    offer = city.scalars(select(JobOffer)).one()
    assert (made.state, offer.vendor_id, offer.state) == ("offered", "V1", "open")
    assert (offer.offer_deadline_at - clock.now()).total_seconds() == 30 * 60


def test_repeating_the_key_makes_nothing_new_and_gives_the_first_answer(city, ports):
    first = place(city, ports, key_="same")
    assert place(city, ports, key_="same") == first
    assert city.scalar(select(func.count()).select_from(Order)) == 1


def test_the_same_key_with_another_content_is_refused(city, ports):
    place(city, ports, key_="same")
    with pytest.raises(KeyReused):
        place(city, ports, key_="same", quantity=2)


def test_the_family_orders_with_the_power_that_the_elder_gave(city, ports):
    with pytest.raises(NotAllowed):
        place(city, ports, FAMILY)
    world.link_family(city)
    assert place(city, ports, FAMILY).authority == "family:L1"


def test_the_hotline_orders_on_a_recording_and_not_without(city, ports):
    with pytest.raises(BadInput) as refused:
        place(city, ports, HOTLINE)
    assert refused.value.field == "reference"
    assert place(city, ports, HOTLINE, reference="rec-7").authority == "recording:rec-7"


def test_a_community_worker_orders_in_their_town_on_a_visit(city, ports):
    assert place(city, ports, COMMUNITY, reference="v-1").authority == "visit:v-1"
    builders.an_elder(city, "E9", town_code="321204101")
    city.commit()
    with pytest.raises(NotFound):
        place(city, ports, COMMUNITY, reference="v-1", elder_id="E9")


@pytest.mark.parametrize("actor", [world.V1, world.C1, world.BUREAU, world.STREET])
def test_nobody_else_orders(city, ports, actor):
    with pytest.raises(NotAllowed):
        place(city, ports, actor)
    assert city.scalar(select(func.count()).select_from(Order)) == 0


def test_a_refused_order_leaves_nothing_behind(city, ports):
    with pytest.raises(VendorCannotServe):
        place(city, ports, vendor_id="V2", service_code="ZC006", window_start_s=38_400,
              window_end_s=42_600)  # fmt: skip
    for table in (Order, WorkOrder, JobOffer):
        assert city.scalar(select(func.count()).select_from(table)) == 0
    assert city.scalars(select(AuditEvent).where(AuditEvent.action == "place_order")).all() == []


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("service_code", {"service_code": "XX999"}),
        ("quantity", {"quantity": 0}),
        ("window_end_s", {"window_end_s": 9 * 3600}),
        ("visit_on", {"starts_on": date(2026, 11, 20)}),
        ("vendor_id", {"vendor_id": "V404"}),
        ("caregiver_id", {"caregiver_id": "C404"}),
        ("caregiver_id", {"vendor_id": "V1", "caregiver_id": "C3"}),
        ("site_id", {"site_id": "S404"}),
        ("rrule", {"rrule": "FREQ=NEVER"}),
        ("rrule", {"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}),
        ("ends_on", {"rrule": "FREQ=DAILY", "ends_on": date(2026, 11, 1)}),
    ],
)
def test_each_refusal_names_its_field(city, ports, field, changed):
    with pytest.raises(Exception) as refused:
        place(city, ports, **changed)
    assert refused.value.field == field


def test_an_elder_who_died_is_not_served(city, ports):
    builders.an_elder(city, "E3", status="dead", status_from=MONDAY, town_code=world.TOWN)
    city.commit()
    with pytest.raises(ElderNotServed):
        place(city, ports, HOTLINE, reference="r", elder_id="E3")


def test_a_disabled_elder_is_not_bathed_by_one(city, ports):
    builders.an_assessment(city, "E1", level=2)
    city.commit()
    with pytest.raises(Contraindicated):
        place(city, ports, service_code="ZY007")
    assert place(city, ports, service_code="ZY010").work_orders


def test_a_bath_waits_an_hour_after_lunch(city, ports):
    lunch = {"service_code": "ZC006", "window_start_s": 38_400, "window_end_s": 42_600}
    place(city, ports, **lunch)
    with pytest.raises(Contraindicated) as refused:
        place(city, ports, service_code="ZY010", window_start_s=42_000, window_end_s=45_000)
    assert refused.value.facts["rule"] == "bath_after_meal"


def test_a_recurring_order_shows_ten_dates_and_makes_the_next_days(city, ports):
    placed = place(city, ports, rrule="FREQ=DAILY", starts_on=MONDAY)
    assert len(placed.next_dates) == 10
    assert [w.visit_on.day for w in placed.work_orders] == [23, 24, 25]


def test_the_next_days_are_made_exactly_once(city, ports, clock):
    place(city, ports, rrule="FREQ=DAILY", starts_on=MONDAY)
    assert generate(city, ports).work_orders == 0
    clock.advance(days=1)
    assert generate(city, ports).work_orders == 1
    assert generate(city, ports).work_orders == 0
    days = city.scalars(select(WorkOrder.visit_on).order_by(WorkOrder.visit_on)).all()
    assert [d.day for d in days] == [23, 24, 25, 26]


def test_days_on_which_nothing_ran_are_not_made_up_for(city, ports, clock):
    place(city, ports, rrule="FREQ=DAILY", starts_on=MONDAY)
    clock.advance(days=10)
    assert generate(city, ports).work_orders == 3


def test_an_ended_plan_makes_no_more(city, ports, clock):
    placed = place(city, ports, rrule="FREQ=DAILY", starts_on=MONDAY)
    ended = EndRequest(placed.order_id, TUESDAY)
    end_order(city, ports, ELDER, key=key(), request=ended)
    clock.advance(days=3)
    assert generate(city, ports).work_orders == 0


def test_an_old_work_order_keeps_the_price_it_was_made_with(city, ports, clock):
    place(city, ports, rrule="FREQ=DAILY", starts_on=MONDAY)
    builders.a_service(city, "ZJ001", valid_from=date(2026, 11, 26), price_fen=7_000)
    city.commit()
    clock.advance(days=1)
    generate(city, ports)
    prices = city.scalars(select(WorkOrder.price_fen).order_by(WorkOrder.visit_on)).all()
    assert prices == [6_000, 6_000, 6_000, 7_000]
