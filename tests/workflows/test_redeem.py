"""Redemption without a smartphone: card, printed code, phone call, paper typed in by two people."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select, text

from marketplace.elders.models import Elder
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.commands import CommandKey
from marketplace.kernel.errors import (
    BadInput,
    NotAllowed,
    NotFound,
    SecondPersonNeeded,
    WrongState,
)
from marketplace.kernel.outbox import OutboxMessage
from marketplace.visits import cards as visit_cards
from marketplace.visits import service as visits
from marketplace.visits.cards import CardTaken, CardUnknown
from marketplace.visits.models import CardCode, ElderCard
from marketplace.visits.papers import SlipUsed
from marketplace.visits.rules import TooEarly
from marketplace.vouchers.service import entries_of, shares_of
from marketplace.workflows.accept import AnswerRequest, accept_offer
from marketplace.workflows.cards import IssueRequest, RevokeRequest, cards_of, issue, revoke
from marketplace.workflows.redeem_at_site import SiteReading, read_at_site
from marketplace.workflows.redeem_by_phone import PhoneReport, report_by_phone
from marketplace.workflows.redeem_on_paper import PaperEntry, enter_paper
from marketplace.workflows.upkeep import upkeep
from marketplace.workflows.visit import CheckInRequest, CheckOutRequest, check_in, check_out
from tests import builders
from tests.workflows import world
from tests.workflows.test_visits import assigned, shown
from tests.workflows.world import (
    BUREAU,
    C1,
    COMMUNITY,
    ELDER,
    HOTLINE,
    STREET,
    TUESDAY,
    V1,
    V2,
    key,
    placed,
    state_of,
)
from vendors import offers
from vendors.rules import CaregiverCannotServe

CARD_NUMBER = "3212 0400 8812"
UNTIL = date(2027, 12, 31)
PHONE = "13812342210"


def a_card(session, ports, elder_id="E1", number=CARD_NUMBER, until=UNTIL):
    ask = IssueRequest(elder_id, until, number=number)
    return issue(session, ports, COMMUNITY, key=key(), request=ask).card_id


def a_sheet(session, ports, codes=3):
    return issue(
        session, ports, COMMUNITY, key=key(), request=IssueRequest("E1", UNTIL, codes=codes)
    )


def served_by_card(session, ports, clock, code_in, code_out=None):
    """Check in and out at the door by what the elder shows; return the work order and the answer."""
    work_order_id = assigned(session, ports)
    clock.at = world.local(TUESDAY, 9)
    entered = shown(clock, method="card", code=code_in)
    ask = CheckInRequest(work_order_id=work_order_id, visit_id="X1", shown=entered)
    check_in(session, ports, C1, key=key(), request=ask)
    clock.advance(hours=1)
    left = shown(clock, "out", method="card", code=code_out or code_in)
    ask = CheckOutRequest(visit_id="X1", shown=left)
    return work_order_id, check_out(session, ports, C1, key=key(), request=ask)


def test_a_card_at_the_door_is_the_elders_word_and_captures_the_hold(city, ports, clock):
    a_card(city, ports)
    work_order_id, answer = served_by_card(city, ports, clock, CARD_NUMBER)
    assert (answer.state, answer.verdict, answer.findings) == ("confirmed", "verified", [])
    assert {s.state for s in shares_of(city, work_order_id)} == {"captured"}
    posted = [e for e in entries_of(city, work_order_id) if e.kind == "post"]
    assert posted
    assert {e.visit_id for e in posted} == {"X1"}
    facts = [e.facts for e in visits.evidence_of(city, "X1")]
    assert [f["card"] for f in facts] == ["ok", "ok"]
    assert [f["trust"] for f in facts] == [5, 5]


@pytest.mark.parametrize("why", ["revoked", "expired", "another_elder"])
def test_a_card_that_proves_nothing_keeps_the_hold_and_says_why(city, ports, clock, why):
    if why == "another_elder":
        a_card(city, ports, "E2")
    else:
        until = date(2026, 11, 23) if why == "expired" else UNTIL
        card_id = a_card(city, ports, until=until)
    if why == "revoked":
        revoke(city, ports, HOTLINE, key=key(), request=RevokeRequest(card_id, "lost"))
    work_order_id, answer = served_by_card(city, ports, clock, CARD_NUMBER)
    assert (answer.state, answer.verdict) == ("disputed", "held")
    assert [(f["rule"], f["facts"]) for f in answer.findings] == [("CARD", {"why": why})]
    assert {s.state for s in shares_of(city, work_order_id)} == {"held"}
    assert visits.evidence_of(city, "X1")[0].facts["trust"] == 1


def test_a_number_that_nobody_has_is_turned_away_as_mistyped(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 9)
    for code, refusal in (
        ("3212 0400 0000", CardUnknown),
        (None, BadInput),
        ("1234567890", BadInput),
    ):
        entered = shown(clock, method="card", code=code)
        ask = CheckInRequest(work_order_id=work_order_id, visit_id="X1", shown=entered)
        with pytest.raises(refusal):
            check_in(city, ports, C1, key=key(), request=ask)
    assert state_of(city, work_order_id) == "assigned"


def test_a_printed_code_is_good_for_one_visit(city, ports, clock):
    sheet = a_sheet(city, ports)
    _, answer = served_by_card(city, ports, clock, sheet.codes[0])
    assert answer.state == "confirmed"
    again = visit_cards.read(city, ports.vault, sheet.codes[0], at=clock.now())
    used = visit_cards.use(
        city, ports.vault, sheet.codes[0], at=clock.now(), work_order_id="other", found=again
    )
    assert used.why == "used"
    city.rollback()
    [view] = cards_of(city, ports, ELDER, "E1")
    assert (view.kind, view.codes_left) == ("sheet", 2)


def test_neither_number_nor_code_stands_in_the_database(city, ports):
    card_id = a_card(city, ports)
    sheet = issue(city, ports, COMMUNITY, key="s", request=IssueRequest("E1", UNTIL, codes=2))
    again = issue(city, ports, COMMUNITY, key="s", request=IssueRequest("E1", UNTIL, codes=2))
    assert again == sheet
    rows = [
        *city.execute(select(ElderCard.__table__)),
        *city.execute(select(CardCode.__table__)),
        *city.execute(select(CommandKey.__table__)),
        *city.execute(text("SELECT * FROM audit_event")),
    ]
    stored = " ".join(str(r) for r in rows)
    assert card_id in stored
    for secret in (CARD_NUMBER.replace(" ", ""), *(c.replace(" ", "") for c in sheet.codes)):
        assert secret not in stored
    with pytest.raises(CardTaken):
        a_card(city, ports, "E2")


def test_a_lost_card_is_replaced_by_another_of_the_same_number(city, ports):
    first = a_card(city, ports)
    revoke(city, ports, HOTLINE, key=key(), request=RevokeRequest(first, "lost"))
    with pytest.raises(WrongState):
        revoke(city, ports, HOTLINE, key=key(), request=RevokeRequest(first, "lost"))
    second = a_card(city, ports)
    assert visit_cards.read(city, ports.vault, CARD_NUMBER, at=ports.clock.now()).card_id == second


def test_only_who_knows_the_elder_gives_out_cards(city, ports):
    for actor in (V1, C1, HOTLINE, ELDER):
        with pytest.raises(NotAllowed):
            issue(city, ports, actor, key=key(), request=IssueRequest("E1", UNTIL, codes=1))
    elsewhere = Actor("u-c", Role.COMMUNITY, town_code="321281100")
    with pytest.raises(NotFound):
        issue(city, ports, elsewhere, key=key(), request=IssueRequest("E1", UNTIL, codes=1))
    with pytest.raises(BadInput):
        issue(city, ports, COMMUNITY, key=key(), request=IssueRequest("E1", UNTIL))


# ---------------------------------------------------------------- at a meal site


def booked_meal(session, ports, **changed):
    if changed.pop("build", True):
        terms = {"unit": "餐", "skill_code": "MEAL", "duration_min": 5, "price_fen": 1_200}
        builders.a_service(
            session, "ZC009", **terms, mode="site", time_class="meal_window", name_zh="堂食"
        )
        session.commit()
    lunch = {
        "service_code": "ZC009",
        "site_id": "K1",
        "vendor_id": "V1",
        "window_start_s": 11 * 3600,
        "window_end_s": 12 * 3600,
    }
    work_order_id = placed(session, ports, **{**lunch, **changed})
    [offer] = offers.of_work_order(session, work_order_id)
    accept_offer(session, ports, V1, key=key(), request=AnswerRequest(offer.id))
    return work_order_id


def at_site(session, ports, code=CARD_NUMBER, actor=V1, people=("C2",), reading=None):
    ask = SiteReading("K1", reading or key(), code, list(people))
    return read_at_site(session, ports, actor, key=key(), request=ask)


def test_a_meal_at_a_site_is_handed_over_at_one_reading(city, ports, clock):
    a_card(city, ports)
    work_order_id = booked_meal(city, ports)
    clock.at = world.local(TUESDAY, 11.5)
    answer = at_site(city, ports)
    assert (answer.state, answer.why, answer.findings) == ("confirmed", "", [])
    assert answer.captured_fen == 1_200
    [visit] = visits.of_work_order(city, work_order_id)
    assert (visit.caregiver_id, visit.verdict) == ("C2", "verified")
    assert (visit.lat, visit.lng) == (32.512, 120.142)
    assert {e.method for e in visits.evidence_of(city, visit.id)} == {"card"}
    posted = len(entries_of(city, work_order_id))
    told = select(OutboxMessage).where(OutboxMessage.template == "card_refused")
    again = at_site(city, ports)
    assert (again.work_order_id, again.state, again.why, again.captured_fen) == (
        work_order_id,
        "refused",
        "already_taken",
        0,
    )
    assert len(entries_of(city, work_order_id)) == posted
    assert city.scalars(told).all() == [], "a slip of the hand rings nobody"
    clock.advance(minutes=5)
    assert at_site(city, ports).why == "already_taken"
    assert city.scalars(told).one().values["why"] == "already_taken"


def test_a_card_of_somebody_who_booked_nothing_at_the_site_starts_nothing(city, ports, clock):
    a_card(city, ports)
    clock.at = world.local(TUESDAY, 11.5)
    answer = at_site(city, ports)
    assert (answer.work_order_id, answer.state, answer.why) == (None, "refused", "nothing_booked")


def test_a_longer_service_at_a_site_begins_and_ends_by_the_card(city, ports, clock):
    a_card(city, ports)
    builders.a_service(
        city,
        "ZY015",
        skill_code="BATH",
        duration_min=40,
        price_fen=3_000,
        mode="site",
        time_class="appointment",
        name_zh="助浴点助浴",
    )
    city.commit()
    work_order_id = booked_meal(
        city, ports, service_code="ZY015", build=False, window_start_s=36_000, window_end_s=39_600
    )
    clock.at = world.local(TUESDAY, 10)
    assert at_site(city, ports).state == "in_service"
    clock.advance(seconds=30)
    assert at_site(city, ports).why == "just_begun"
    clock.advance(minutes=40)
    assert at_site(city, ports).state == "confirmed"
    kinds = [
        e.kind for e in visits.evidence_of(city, visits.of_work_order(city, work_order_id)[0].id)
    ]
    assert kinds == ["check_in", "check_out"]


def test_a_revoked_card_at_a_site_starts_nothing_and_the_hotline_is_told(city, ports, clock):
    card_id = a_card(city, ports)
    work_order_id = booked_meal(city, ports)
    revoke(city, ports, ELDER, key=key(), request=RevokeRequest(card_id, "stolen"))
    clock.at = world.local(TUESDAY, 11.5)
    answer = at_site(city, ports)
    assert (answer.work_order_id, answer.elder_id, answer.why) == (None, None, "revoked")
    assert state_of(city, work_order_id) == "accepted"
    assert {s.state for s in shares_of(city, work_order_id)} == {"held"}
    told = city.scalars(select(OutboxMessage).where(OutboxMessage.template == "card_refused")).one()
    assert (told.recipient_id, told.values["why"]) == ("hotline", "revoked")


def test_another_vendor_reads_no_card_at_the_site_and_its_own_people_serve(city, ports, clock):
    a_card(city, ports)
    booked_meal(city, ports)
    clock.at = world.local(TUESDAY, 11.5)
    with pytest.raises(NotFound):
        at_site(city, ports, actor=V2)
    with pytest.raises(CaregiverCannotServe):
        at_site(city, ports, people=("C3",))
    clock.at = world.local(TUESDAY, 10)
    with pytest.raises(TooEarly):
        at_site(city, ports)


# ---------------------------------------------------------------- by phone


def with_phone(session, ports):
    elder = session.get(Elder, "E1")
    elder.phone_index = ports.vault.index(PHONE)
    session.commit()


def by_phone(session, ports, clock, work_order_id, number=PHONE, actor=HOTLINE, **changed):
    values = {
        "work_order_id": work_order_id,
        "caregiver_ids": ["C1"],
        "began_at": world.local(TUESDAY, 9),
        "ended_at": world.local(TUESDAY, 10),
        "recording": "call-77",
        "number": number,
    }
    ask = PhoneReport(**{**values, **changed})
    return report_by_phone(session, ports, actor, key=key(), request=ask)


def test_what_the_elder_says_from_the_own_number_captures_the_hold(city, ports, clock):
    with_phone(city, ports)
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 10.5)
    answer = by_phone(city, ports, clock, work_order_id)
    assert (answer.state, answer.findings) == ("confirmed", [])
    [visit] = visits.of_work_order(city, work_order_id)
    evidence = visits.evidence_of(city, visit.id)
    assert [(e.kind, e.method, e.note) for e in evidence] == [
        ("check_in", "landline", "call-77"),
        ("check_out", "landline", "call-77"),
    ]
    assert PHONE not in str([tuple(r) for r in city.execute(select(CommandKey.__table__))])


def test_the_operator_who_took_an_order_does_not_also_redeem_it_by_phone(city, ports, clock):
    with_phone(city, ports)
    work_order_id = assigned(city, ports, actor=HOTLINE, reference="call-1")
    clock.at = world.local(TUESDAY, 10.5)
    with pytest.raises(SecondPersonNeeded) as refused:
        by_phone(city, ports, clock, work_order_id)
    assert refused.value.facts == {"action": "redeem_by_phone", "role": "hotline"}
    assert state_of(city, work_order_id) == "assigned"
    assert {s.state for s in shares_of(city, work_order_id)} == {"held"}
    assert visits.of_work_order(city, work_order_id) == []
    colleague = Actor("u-colleague", Role.HOTLINE)
    assert by_phone(city, ports, clock, work_order_id, actor=colleague).state == "confirmed"


def test_a_call_from_an_unknown_number_keeps_the_hold_for_a_person(city, ports, clock):
    with_phone(city, ports)
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 10.5)
    answer = by_phone(city, ports, clock, work_order_id, number="13900000000")
    assert (answer.state, answer.why) == ("disputed", "PHONE")
    assert {s.state for s in shares_of(city, work_order_id)} == {"held"}
    told = city.scalars(
        select(OutboxMessage).where(OutboxMessage.template == "visit_not_verified")
    ).one()
    assert told.values == {
        "work_order_id": work_order_id,
        "day": TUESDAY.isoformat(),
        "why": "PHONE",
    }


def test_the_rules_look_at_a_call_as_at_any_visit(city, ports, clock):
    with_phone(city, ports)
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 10.5)
    short = world.local(TUESDAY, 9.25)
    answer = by_phone(city, ports, clock, work_order_id, ended_at=short)
    assert (answer.state, answer.findings) == ("disputed", ["F04"])


def test_a_call_must_be_of_the_hotline_in_time_and_of_those_who_were_sent(city, ports, clock):
    with_phone(city, ports)
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 10.5)
    with pytest.raises(NotAllowed):
        by_phone(city, ports, clock, work_order_id, actor=COMMUNITY)
    with pytest.raises(CaregiverCannotServe):
        by_phone(city, ports, clock, work_order_id, caregiver_ids=["C2"])
    with pytest.raises(BadInput):
        by_phone(city, ports, clock, work_order_id, ended_at=world.local(TUESDAY, 11))
    clock.advance(days=4)
    with pytest.raises(BadInput):
        by_phone(city, ports, clock, work_order_id)


# ---------------------------------------------------------------- on paper


def paper(session, ports, work_order_id, actor=COMMUNITY, **changed):
    values = {
        "work_order_id": work_order_id,
        "slip_no": "P-1",
        "caregiver_ids": ["C1"],
        "began_at": world.local(TUESDAY, 9),
        "ended_at": world.local(TUESDAY, 10),
        "signed_by": "elder",
    }
    ask = PaperEntry(**{**values, **changed})
    return enter_paper(session, ports, actor, key=key(), request=ask)


def test_two_people_who_read_the_same_end_the_visit_and_silence_captures_it(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 15)
    first = paper(city, ports, work_order_id)
    assert (first.state, first.why) == ("in_service", "second_person")
    second = paper(city, ports, work_order_id, STREET)
    assert (second.state, second.findings) == ("done", [])
    [visit] = visits.of_work_order(city, work_order_id)
    who = {e.by_account for e in visits.evidence_of(city, visit.id)}
    assert who == {"u-community", "u-street"}
    clock.advance(hours=49)
    upkeep(city, ports)
    assert state_of(city, work_order_id) == "confirmed"


def test_one_person_cannot_be_both(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 15)
    paper(city, ports, work_order_id)
    with pytest.raises(NotAllowed):
        paper(city, ports, work_order_id)
    with pytest.raises(NotAllowed):
        paper(city, ports, work_order_id, V1)
    with pytest.raises(NotAllowed):
        paper(city, ports, work_order_id, BUREAU)
    assert state_of(city, work_order_id) == "in_service"


def test_where_two_people_read_differently_the_hold_stays_and_the_fields_are_named(
    city, ports, clock
):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 15)
    paper(city, ports, work_order_id)
    other = world.local(TUESDAY, 9) + timedelta(minutes=50)
    answer = paper(city, ports, work_order_id, STREET, ended_at=other)
    assert (answer.state, answer.why, answer.findings) == ("disputed", "ended_at", ["PAPER"])
    assert {s.state for s in shares_of(city, work_order_id)} == {"held"}


def test_no_second_paper_is_taken_once_the_visit_has_ended(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 15)
    paper(city, ports, work_order_id)
    paper(city, ports, work_order_id, STREET)
    with pytest.raises(WrongState):
        paper(city, ports, work_order_id, HOTLINE)


def test_a_paper_that_only_one_person_typed_goes_to_a_person(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 15)
    paper(city, ports, work_order_id)
    clock.advance(days=2)
    upkeep(city, ports)
    assert state_of(city, work_order_id) == "disputed"
    assert {s.state for s in shares_of(city, work_order_id)} == {"held"}


def test_a_slip_number_stands_for_one_work_order_only(city, ports, clock):
    one = assigned(city, ports)
    other = assigned(city, ports, crew=("C2",))
    clock.at = world.local(TUESDAY, 15)
    paper(city, ports, one)
    with pytest.raises(SlipUsed):
        paper(city, ports, other, caregiver_ids=["C2"])
    assert state_of(city, other) == "assigned"
