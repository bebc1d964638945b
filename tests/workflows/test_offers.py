"""Offers: one of two wins, a no or a silence asks the next best, three at most."""

import pytest
from sqlalchemy import delete, select

from marketplace.kernel.actor import SYSTEM
from marketplace.kernel.errors import BadInput, DomainError, NotFound, WrongState
from marketplace.kernel.outbox import OutboxMessage
from marketplace.orders import service as orders
from marketplace.workflows.accept import (
    AnswerRequest,
    accept_offer,
    decline_offer,
    expire_offers,
)
from marketplace.workflows.accept_many import AcceptManyRequest, accept_many
from marketplace.workflows.advise import advise_offers
from marketplace.workflows.offer import OfferRequest, back_to_pool, offer_to, ranking
from marketplace.workflows.upkeep import upkeep
from tests import builders
from tests.processes import answers, at_once
from tests.workflows import world
from tests.workflows.world import HOTLINE, V1, V2, V3, key, placed, state_of
from vendors import offers
from vendors.models import JobOffer, Vendor, VendorCategory
from vendors.offers import OfferExpired
from vendors.rules import VendorCannotServe


def broadcast(session, ports, vendors=("V1", "V2", "V3")):
    work_order_id = placed(session, ports)
    made = offer_to(
        session, ports, HOTLINE, key=key(), request=OfferRequest(work_order_id, list(vendors))
    )
    return work_order_id, made.offer_ids


def test_the_first_yes_has_it_and_the_others_are_closed(city, ports):
    work_order_id, (first, second, _) = broadcast(city, ports)
    answer = accept_offer(city, ports, V1, key=key(), request=AnswerRequest(first))
    assert (answer.offer_state, answer.work_order_state) == ("accepted", "accepted")
    states = {o.vendor_id: o.state for o in offers.of_work_order(city, work_order_id)}
    assert states == {"V1": "accepted", "V2": "closed", "V3": "closed"}
    with pytest.raises(WrongState):
        accept_offer(city, ports, V2, key=key(), request=AnswerRequest(second))
    assert orders.work_order(city, work_order_id).vendor_id == "V1"


def test_a_vendor_does_not_answer_for_another(city, ports):
    _, (first, *_) = broadcast(city, ports)
    with pytest.raises(NotFound):
        accept_offer(city, ports, V2, key=key(), request=AnswerRequest(first))


def test_repeating_an_acceptance_gives_the_first_answer(city, ports):
    _, (first, *_) = broadcast(city, ports)
    once = accept_offer(city, ports, V1, key="k", request=AnswerRequest(first))
    assert accept_offer(city, ports, V1, key="k", request=AnswerRequest(first)) == once


def test_after_the_deadline_an_offer_is_gone(city, ports, clock):
    _, (first, *_) = broadcast(city, ports)
    clock.advance(minutes=31)
    with pytest.raises(OfferExpired):
        accept_offer(city, ports, V1, key=key(), request=AnswerRequest(first))


def test_a_no_needs_a_reason_and_asks_the_next_best(city, ports):
    work_order_id = placed(city, ports, vendor_id="V3")
    [offer] = offers.of_work_order(city, work_order_id)
    with pytest.raises(BadInput):
        decline_offer(city, ports, V3, key=key(), request=AnswerRequest(offer.id, "mood"))
    answer = decline_offer(city, ports, V3, key=key(), request=AnswerRequest(offer.id, "too_far"))
    assert answer.next_vendor_id == "V1"
    assert state_of(city, work_order_id) == "offered"
    assert orders.work_order(city, work_order_id).vendor_id == "V1"


def test_silence_asks_the_next_best_and_after_three_a_person_is_told(city, ports, clock):
    work_order_id = placed(city, ports, vendor_id="V3")
    asked = []
    for _ in range(4):
        clock.advance(minutes=31)
        expire_offers(city, ports)
        asked.append(orders.work_order(city, work_order_id).vendor_id)
    assert asked == ["V1", "V2", None, None]
    assert state_of(city, work_order_id) == "pooled"
    told = city.scalars(select(OutboxMessage).where(OutboxMessage.template == "nobody_accepts"))
    assert [m.values["work_order_id"] for m in told] == [work_order_id]


def test_an_offer_that_is_not_due_does_not_expire(city, ports, clock):
    placed(city, ports, vendor_id="V1")
    clock.advance(minutes=30)
    assert expire_offers(city, ports) == 0


def test_the_ranking_says_why(city, ports):
    work_order_id = placed(city, ports)
    city.get(Vendor, "V2").status = "suspended"
    city.get(Vendor, "V1").credit = 50
    city.commit()
    ranked = ranking(city, orders.work_order(city, work_order_id))
    assert ranked[0].vendor_id == "V3"
    assert {r.vendor_id: r.excluded for r in ranked} == {
        "V3": None,
        "V1": "credit",
        "V2": "suspended",
    }


def test_a_vendor_without_the_licence_is_not_asked(city, ports):
    lunch = {"service_code": "ZC006", "window_start_s": 38_400, "window_end_s": 42_600}
    work_order_id = placed(city, ports, **lunch)
    ask = OfferRequest(work_order_id, ["V2"])
    with pytest.raises(VendorCannotServe) as refused:
        offer_to(city, ports, HOTLINE, key=key(), request=ask)
    assert refused.value.facts["why"] == "licence"


def test_accepting_a_plan_once_is_a_yes_to_all_of_it(city, ports):
    first = world.accepted(city, ports, rrule="FREQ=DAILY", starts_on=world.MONDAY)
    order = orders.order(city, orders.work_order(city, first).order_id)
    assert order.standing_since is not None


def accept(session, ports, vendor, offer_id, said):
    try:
        accept_offer(session, ports, vendor, key=f"k-{offer_id}", request=AnswerRequest(offer_id))
        said.put((vendor.vendor_id, "won"))
    except DomainError as refused:
        said.put((vendor.vendor_id, refused.code))


def test_of_vendors_accepting_at_once_one_wins(city, ports, clock, database_url, tmp_path):
    work_order_id, ids = broadcast(city, ports)
    city.rollback()
    queue = answers()
    each = [(v, o, queue) for v, o in zip((V1, V2, V3), ids, strict=True)]
    assert at_once(accept, database_url, tmp_path, clock.now(), each=each) == [0, 0, 0]
    said = dict(queue.get(timeout=10) for _ in each)
    assert sorted(said.values()) == ["won", "wrong_state", "wrong_state"]
    winner = next(v for v, what in said.items() if what == "won")
    assert orders.work_order(city, work_order_id).vendor_id == winner
    states = sorted(o.state for o in offers.of_work_order(city, work_order_id))
    assert states == ["accepted", "closed", "closed"]


def remote_service(session):
    builders.a_service(
        session, "ZL001", mode="remote", skill_code="CALL", duration_min=15, price_fen=500
    )
    for n in (1, 2, 3):
        session.add(VendorCategory(vendor_id=f"V{n}", category_code="ZL"))
    session.commit()


def test_what_no_plan_will_pick_up_is_offered_at_once(city, ports):
    remote_service(city)
    work_order_id = placed(city, ports, service_code="ZL001")
    row = orders.work_order(city, work_order_id)
    assert (row.state, row.vendor_id, row.is_stop) == ("offered", "V1", False)


def test_upkeep_asks_for_what_a_list_brought_and_spreads_it(city, ports):
    remote_service(city)
    for n in range(4):
        work_order_id = placed(city, ports, service_code="ZL001", window_start_s=30_000 + n)
        back_to_pool(city, work_order_id, at=ports.clock.now(), actor=SYSTEM, reason="test")
        city.execute(delete(JobOffer).where(JobOffer.work_order_id == work_order_id))
        city.commit()
    assert upkeep(city, ports).offered == 4
    assert upkeep(city, ports).offered == 0


def test_the_hotline_is_told_once_where_nobody_may_be_asked(city, ports):
    remote_service(city)
    for vendor in city.scalars(select(Vendor)):
        vendor.status = "suspended"
    city.commit()
    placed(city, ports, service_code="ZL001")
    for _ in range(2):
        upkeep(city, ports)
    told = city.scalars(select(OutboxMessage).where(OutboxMessage.template == "nobody_accepts"))
    assert len(told.all()) == 1


def test_many_offers_are_accepted_in_one_step_as_each_would_be_alone(city, ports):
    ids = [placed(city, ports, vendor_id="V1", starts_on=world.TUESDAY) for _ in range(3)]
    asked = [offers.of_work_order(city, i)[-1].id for i in ids]
    once = key()
    done = accept_many(city, ports, V1, key=once, request=AcceptManyRequest(asked))
    assert (done.accepted, done.gone) == (asked, [])
    assert {orders.work_order(city, i).state for i in ids} == {"accepted"}
    assert [h.to_state for h in orders.history(city, ids[0])] == ["offered", "accepted"]
    assert accept_many(city, ports, V1, key=once, request=AcceptManyRequest(asked)) == done


def test_of_many_offers_those_that_are_gone_are_named_and_harm_no_other(city, ports, clock):
    late = placed(city, ports, vendor_id="V1", starts_on=world.MONDAY, window_end_s=63_000)
    gone = offers.of_work_order(city, late)[-1].id
    clock.advance(minutes=20)
    fresh = placed(city, ports, vendor_id="V1", starts_on=world.TUESDAY)
    good = offers.of_work_order(city, fresh)[-1].id
    request = AcceptManyRequest([gone, good])
    done = accept_many(city, ports, V1, key=key(), request=request)
    assert (done.accepted, done.gone) == ([good], [gone])
    assert orders.work_order(city, late).state == "offered"


def test_nobody_accepts_many_in_the_name_of_another_vendor(city, ports):
    theirs = offers.of_work_order(city, placed(city, ports, vendor_id="V2"))[-1].id
    mine = placed(city, ports, vendor_id="V1")
    own = offers.of_work_order(city, mine)[-1].id
    with pytest.raises(NotFound):
        accept_many(city, ports, V1, key=key(), request=AcceptManyRequest([own, theirs]))
    assert orders.work_order(city, mine).state == "offered"


def test_a_yes_to_many_stands_for_the_plans_that_named_the_vendor(city, ports):
    weekly = placed(city, ports, vendor_id="V1", rrule="FREQ=DAILY")
    first = offers.of_work_order(city, weekly)[-1].id
    accept_many(city, ports, V1, key=key(), request=AcceptManyRequest([first]))
    row = orders.work_order(city, weekly)
    assert orders.order(city, row.order_id).standing_since is not None


def test_a_telephone_call_is_advised_without_a_way(city, ports):
    session = city
    builders.a_service(session, "ZL001", mode="remote", duration_min=3, price_fen=200)
    session.add_all(VendorCategory(vendor_id=v, category_code="ZL") for v in ("V1", "V2", "V3"))
    builders.an_elder(session, "E9", lat=33.2, lng=120.9)
    session.commit()
    world.placed(session, ports, world.HOTLINE, elder_id="E9", service_code="ZL001",
                 vendor_id="V1", reference="REC-1")  # fmt: skip
    [advice] = advise_offers(session, ports, world.V1).values()
    assert (advice.why_not, advice.travel_s) == (None, None)
    assert advice.caregiver_ids
