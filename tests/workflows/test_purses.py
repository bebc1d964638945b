"""Grants on application, the charity purse, hours of helping, and a month's package with its visits."""

from __future__ import annotations

import threading
import tomllib
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.db import prepare_engine, transaction
from marketplace.kernel.errors import BadInput, NotAllowed, NotFound, NumberTaken, WrongState
from marketplace.queries.purse_history import movements
from marketplace.vouchers import programmes, service
from marketplace.vouchers.ledger import EntitlementTooSmall
from marketplace.vouchers.models import LedgerAccount
from marketplace.vouchers.purses import GrantedBefore, HoursCapped, NoHours, home_sha256
from marketplace.vouchers.service import PackageNotDelivered
from marketplace.workflows.lapse import lapse
from marketplace.workflows.ledger import verify_ledger
from marketplace.workflows.purses import (
    ApplyForGrant,
    CreditHours,
    DecideApplication,
    GiveHours,
    NotEntitled,
    TopUp,
    apply_for_grant,
    credit_hours,
    decide_application,
    give_hours,
    top_up,
)
from tests.builders import (
    DISTRICT,
    NOW,
    a_caregiver,
    a_hold,
    a_service,
    a_vendor,
    a_visit,
    an_assessment,
    an_elder,
    granted,
)
from tests.workflows.months import proven
from tests.workflows.world import TOWN, key

WORKER = Actor("u-worker", Role.COMMUNITY, district_code=DISTRICT, town_code=TOWN)
STREET = Actor("u-street", Role.STREET, district_code=DISTRICT, town_code=TOWN)
BUREAU = Actor("u-bureau", Role.BUREAU, district_code=DISTRICT)
OWN_SELF = Actor("u-elder", Role.ELDER, elder_ids=frozenset({"E1"}))


@pytest.fixture
def register(session):
    """E1 poor and 80, with E2 in one home; E3 elsewhere, not poor. None has hours of a programme."""
    of_all = {"town_code": TOWN, "hukou_local": False}
    with transaction(session):
        for id in ("E1", "E2"):
            an_elder(session, id, income_class="dibao", address="人民路 １ 号", **of_all)
        an_elder(session, "E3", address="人民路 2 号", **of_all)
        a_vendor(session)
        a_caregiver(session)
    return session


def left(session, account_id):
    session.rollback()
    a = session.get_one(LedgerAccount, account_id)
    return a.credits_posted - a.debits_posted - a.debits_pending


def applied(session, ports, elder="E1", actor=WORKER):
    request = ApplyForGrant(elder, "ADAPT", "handrails in the bath")
    return apply_for_grant(session, ports, actor, key=key(), request=request).application_id


def decided(session, ports, application, actor=STREET, approve=True, k=None):
    request = DecideApplication(application, approve, "seen at home")
    return decide_application(session, ports, actor, key=k or key(), request=request)


def filled(session, ports, fen, actor=WORKER, k=None, receipt=None):
    request = TopUp("E1", fen, receipt or k or key())
    return top_up(session, ports, actor, key=k or key(), request=request)


def credited(session, ports, minutes, elder="E1", actor=STREET, record=None):
    request = CreditHours(elder, minutes, record or key())
    return credit_hours(session, ports, actor, key=key(), request=request)


def given(session, ports, minutes, actor=OWN_SELF, to="E2"):
    request = GiveHours("E1", to, minutes, "sister")
    return give_hours(session, ports, actor, key=key(), request=request)


# Home adaptation


def test_an_approved_adaptation_pays_base_items_in_full_up_to_3000_yuan(register, ports):
    done = decided(register, ports, applied(register, ports))
    assert (done.state, done.amount) == ("approved", 300_000)
    with transaction(register):
        rail = a_service(register, "SG003", price_fen=40_000, unit="项")
        receipt = a_hold(register, version=rail)
    assert [(s.programme_code, s.fen) for s in receipt.shares] == [("ADAPT", 40_000)]
    assert left(register, done.account_id) == 260_000
    assert left(register, f"budget:ADAPT:{DISTRICT}:2026") == 3_000_000_000 - 300_000
    assert verify_ledger(register).is_proven


def test_a_home_is_adapted_once_in_five_years(register, ports, clock):
    decided(register, ports, applied(register, ports))
    for elder in ("E1", "E2"):
        with pytest.raises(GrantedBefore) as refused:
            decided(register, ports, applied(register, ports, elder))
        assert refused.value.facts["last_on"] == "2026-11-23"
    clock.at = datetime(2031, 11, 22, 1, tzinfo=UTC)
    with pytest.raises(GrantedBefore):
        decided(register, ports, applied(register, ports, "E2"))
    clock.at = datetime(2031, 11, 23, 1, tzinfo=UTC)
    assert decided(register, ports, applied(register, ports, "E2")).state == "approved"


def test_one_home_written_in_two_ways_is_one_home():
    assert home_sha256(DISTRICT, "人民路 １ 号") == home_sha256(DISTRICT, "人民路1号")
    assert home_sha256(DISTRICT, "人民路1号") != home_sha256(DISTRICT, "人民路2号")


def test_of_two_approvals_of_one_home_at_once_one_is_granted(register, ports, database_url):
    applications = [applied(register, ports, elder) for elder in ("E1", "E2")]
    register.rollback()
    together, outcomes = threading.Barrier(2), []

    def approve(application):
        engine = create_engine(database_url)
        prepare_engine(engine)
        with Session(engine) as mine:
            together.wait()
            try:
                outcomes.append(decided(mine, ports, application, k=f"k-{application}").state)
            except GrantedBefore:
                outcomes.append("granted before")
        engine.dispose()

    threads = [threading.Thread(target=approve, args=(a,)) for a in applications]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["approved", "granted before"]


def test_who_is_not_poor_hears_the_rule_that_decided(register, ports):
    with pytest.raises(NotEntitled) as refused:
        applied(register, ports, "E3")
    assert refused.value.facts["fact"] == "income_class"


def test_who_applied_does_not_decide(register, ports):
    application = applied(register, ports, actor=OWN_SELF)
    with pytest.raises(NotAllowed):
        decided(register, ports, application, actor=WORKER)
    with pytest.raises(NotAllowed):
        decided(register, ports, application, actor=Actor("u-elder", Role.BUREAU))
    elsewhere = Actor("u-far", Role.STREET, district_code=DISTRICT, town_code="321204999")
    with pytest.raises(NotFound):
        decided(register, ports, application, actor=elsewhere)


def test_a_decision_is_made_once_and_repeats_its_answer(register, ports):
    application = applied(register, ports)
    first = decided(register, ports, application, k="d")
    assert decided(register, ports, application, k="d") == first
    with pytest.raises(WrongState):
        decided(register, ports, application, approve=False)


def test_a_refused_application_grants_nothing_and_leaves_the_home_free(register, ports):
    assert decided(register, ports, applied(register, ports), approve=False).amount == 0
    assert decided(register, ports, applied(register, ports)).state == "approved"


# The charity purse


def test_a_hundred_topped_up_is_a_hundred_and_fifty_to_use(register, ports):
    done = filled(register, ports, 10_000)
    assert (done.own, done.gift, done.ends_on) == (10_000, 5_000, date(2027, 10, 31))
    assert left(register, done.account_id) == 15_000
    with transaction(register):
        receipt = a_hold(register, version=a_service(register, price_fen=12_000))
    assert ("CHAR", 12_000) in [(s.programme_code, s.fen) for s in receipt.shares]
    assert verify_ledger(register).is_proven


def test_the_gift_ends_at_the_years_cap_and_begins_again_in_the_next(register, ports, clock):
    assert filled(register, ports, 190_000).gift == 95_000
    assert filled(register, ports, 190_000).gift == 5_000
    assert filled(register, ports, 1_000).gift == 0
    clock.at = datetime(2027, 1, 4, 1, tzinfo=UTC)
    assert filled(register, ports, 1_001).gift == 500
    assert verify_ledger(register).is_proven


def test_a_repeated_top_up_is_one(register, ports):
    assert filled(register, ports, 10_000, k="t") == filled(register, ports, 10_000, k="t")
    assert left(register, "ent:CHAR:E1:2026-11") == 15_000


def test_one_receipt_fills_one_purse_once_whoever_brings_it(register, ports):
    account = filled(register, ports, 10_000, receipt="收据 7").account_id
    with pytest.raises(NumberTaken):
        filled(register, ports, 10_000, actor=STREET, receipt=" 收据７")
    request = TopUp("E3", 10_000, "收据 7")
    with pytest.raises(NumberTaken):
        top_up(register, ports, WORKER, key=key(), request=request)
    assert left(register, account) == 15_000


def test_one_entry_of_the_volunteer_register_is_credited_once(register, ports):
    account = credited(register, ports, 120, record="12").account_id
    with pytest.raises(NumberTaken):
        credited(register, ports, 120, actor=BUREAU, record="12")
    assert left(register, account) == 120


@pytest.mark.parametrize("fen", [0, -1, 1_000_001])
def test_a_top_up_of_no_sense_is_refused(register, ports, fen):
    with pytest.raises(BadInput):
        filled(register, ports, fen)


def test_at_the_purses_end_own_money_is_credited_and_the_gift_goes_back(register, ports, clock):
    account = filled(register, ports, 10_000).account_id
    with transaction(register):
        a_hold(register, version=a_service(register, price_fen=3_000))
        redeem(register, "W1")
    clock.at = datetime(2027, 10, 31, 1, tzinfo=UTC)
    assert lapse(register, ports).entitlements == 0
    clock.at = datetime(2027, 11, 5, 1, tzinfo=UTC)
    assert lapse(register, ports).entitlements == 1
    assert left(register, account) == 0
    # The gift counts as used first: all of the elder's own 100 yuan stands to their credit.
    assert left(register, "owed:E1") == 10_000
    assert left(register, f"gift:CHAR:{DISTRICT}") == -3_000
    assert verify_ledger(register).is_proven


def test_a_hold_that_outlives_the_purse_turns_no_gift_into_money(register, ports, clock):
    account = filled(register, ports, 10_000).account_id
    clock.at = datetime(2027, 10, 20, 1, tzinfo=UTC)
    with transaction(register):
        version = a_service(register, price_fen=6_000)
        a_hold(register, version=version, visit_on=date(2027, 10, 30))
    clock.at = datetime(2027, 11, 5, 1, tzinfo=UTC)
    lapse(register, ports)
    assert left(register, "owed:E1") == 9_000
    with transaction(register):
        service.release(register, work_order_id="W1", at=clock.at, reason="expired", expire=True)
    assert lapse(register, ports).fen == 0
    assert left(register, account) == 0
    assert left(register, "owed:E1") == 10_000
    assert left(register, f"gift:CHAR:{DISTRICT}") == 0
    assert verify_ledger(register).is_proven


def test_own_money_taken_back_after_the_purses_end_stays_the_elders(register, ports, clock):
    filled(register, ports, 10_000)
    with transaction(register):
        a_hold(register, version=a_service(register, price_fen=15_000))
        redeem(register, "W1")
    clock.at = datetime(2027, 11, 5, 1, tzinfo=UTC)
    lapse(register, ports)
    with transaction(register):
        service.reverse(
            register, work_order_id="W1", at=clock.at, reason="service_fault", actor="u"
        )
    clock.at = datetime(2027, 12, 25, 1, tzinfo=UTC)
    lapse(register, ports)
    assert left(register, "owed:E1") == 10_000
    assert left(register, f"gift:CHAR:{DISTRICT}") == 0
    # It is the first money of this elder on the books: the bank that gives it out is the district's.
    assert register.get_one(LedgerAccount, "owed:E1").district_code == DISTRICT
    assert verify_ledger(register).is_proven


# Hours of helping


def test_an_hour_helped_is_an_hour_kept_and_never_money(register, ports):
    done = credited(register, ports, 120)
    assert left(register, done.account_id) == 120
    with transaction(register):
        receipt = a_hold(register, version=a_service(register))
    assert [s.programme_code for s in receipt.shares] == ["OWN"]
    assert verify_ledger(register).is_proven


def test_nobody_keeps_more_than_fifteen_hundred_hours(register, ports):
    credited(register, ports, 90_000 - 60)
    with pytest.raises(HoursCapped):
        credited(register, ports, 75)
    assert credited(register, ports, 60).own == 60


def test_hours_may_be_given_to_kin_and_only_what_is_there(register, ports):
    credited(register, ports, 60)
    credited(register, ports, 90)
    done = given(register, ports, 105)
    assert left(register, done.account_id) == 105
    assert left(register, "ent:TB:E1:2026-11") == 0
    assert left(register, "ent:TB:E1:2026-11:1") == 45
    with pytest.raises(EntitlementTooSmall):
        given(register, ports, 60)
    assert left(register, "ent:TB:E1:2026-11:1") == 45
    assert verify_ledger(register).is_proven


def test_who_has_no_hours_gives_none(register, ports):
    with pytest.raises(NoHours):
        given(register, ports, 60)


def test_hours_come_in_whole_blocks_from_whoever_may_credit_them(register, ports):
    with pytest.raises(BadInput):
        credited(register, ports, 50)
    with pytest.raises(NotAllowed):
        credited(register, ports, 60, actor=WORKER)


# The care bed at home


@pytest.fixture
def bed(session):
    """An elder with a care bed at home, granted for November, and a package that is held."""
    with_bed(session)
    return session


def with_bed(session):
    with transaction(session):
        an_elder(session, special="bed")
        an_assessment(session, level=2)
        a_vendor(session)
        a_caregiver(session)
        granted(session)
        package = a_service(session, "HL031", unit="月", price_fen=40_000, duration_min=600)
        a_hold(session, "P", version=package)


def deliver(session, visits, minutes):
    with transaction(session):
        version = a_service(session, "HL001", duration_min=minutes, price_fen=100)
        for n in range(visits):
            a_hold(session, f"W{n}", version=version, visit_on=date(2026, 11, 1 + n))
            redeem(session, f"W{n}")


def redeem(session, id, late=False):
    from marketplace.orders.models import WorkOrder

    visit = a_visit(session, f"X{id}", work_order=session.get(WorkOrder, id)).id
    return service.capture(
        session, work_order_id=id, visit_id=visit, vendor_id="V1", at=NOW, decided_late=late
    )


def test_a_package_without_twelve_visits_is_not_paid_and_stays_held(bed):
    deliver(bed, 11, 60)
    with pytest.raises(PackageNotDelivered) as refused, transaction(bed):
        redeem(bed, "P")
    assert refused.value.facts["visits"] == 11
    assert service.shares_of(bed, "P")[0].state == "held"


def test_the_twelfth_visit_pays_the_package(bed):
    deliver(bed, 12, 60)
    with transaction(bed):
        assert redeem(bed, "P").fen_by_programme == {"BED": 40_000}
    assert proven(bed) == []


def test_twenty_hours_in_fewer_visits_pay_it_too(bed):
    deliver(bed, 5, 240)
    with transaction(bed):
        assert redeem(bed, "P").fen_by_programme == {"BED": 40_000}


def test_a_large_home_is_not_twenty_hours(bed):
    with transaction(bed):
        windows = a_service(bed, "ZJ005", unit="平方米", price_fen=500, subsidised=False)
        a_hold(bed, "W", version=windows, quantity=20)
        redeem(bed, "W")
    with pytest.raises(PackageNotDelivered) as refused, transaction(bed):
        redeem(bed, "P")
    assert (refused.value.facts["visits"], refused.value.facts["minutes"]) == (1, 60)


@pytest.mark.parametrize("left_out", ["least_minutes", "least_visits"])
def test_the_one_rule_that_a_package_has_is_asked_for(session, monkeypatch, left_out):
    packaged = programmes.packaged()
    contents = {code: ("file", packaged.content(code)) for code in packaged.codes()}
    file = (programmes.FOLDER / "bed.toml").read_text(encoding="utf-8")
    lines = [line for line in file.splitlines() if not line.startswith(left_out)]
    contents["BED"] = ("file", tomllib.loads("\n".join(lines)))
    monkeypatch.setattr(programmes, "packaged", lambda: programmes.Book(contents))
    with_bed(session)
    # Eleven visits of an hour are too few; twelve are enough visits, and not enough hours.
    deliver(session, 11, 60)
    with pytest.raises(PackageNotDelivered), transaction(session):
        redeem(session, "P")
    with transaction(session):
        version = a_service(session, "HL002", duration_min=60, price_fen=100)
        a_hold(session, "W11", version=version)
        redeem(session, "W11")
    if left_out == "least_visits":
        with pytest.raises(PackageNotDelivered), transaction(session):
            redeem(session, "P")
    else:
        with transaction(session):
            assert redeem(session, "P").fen_by_programme == {"BED": 40_000}


def test_a_person_may_pay_a_package_that_lacks_a_visit(bed):
    deliver(bed, 11, 60)
    with transaction(bed):
        assert redeem(bed, "P", late=True).price_fen == 40_000


def test_in_bulk_a_package_that_lacks_visits_is_left_alone(bed):
    from marketplace.orders.models import WorkOrder

    with transaction(bed):
        visit = a_visit(bed, "XP", work_order=bed.get(WorkOrder, "P")).id
        asked = [service.CaptureRequest("P", visit, "V1")]
        assert service.capture_many(bed, asked, at=NOW) == []
    assert service.shares_of(bed, "P")[0].state == "held"


# What a purse's history tells


def balanced(session, elder="E1"):
    """Return the movements of an elder, each purse's sum held against what is left in it."""
    found = movements(session, elder, NOW.date())
    for account_id in {m.account_id for m in found}:
        assert sum(m.amount for m in found if m.account_id == account_id) == left(
            session, account_id
        )
    return [(m.programme_code, m.what, m.amount, m.work_order_id) for m in found]


def test_a_charity_purse_tells_money_gift_hold_and_use(register, ports):
    filled(register, ports, 10_000)
    version = a_service(register, price_fen=3_000)
    register.commit()
    with transaction(register):
        a_hold(register, "W1", version=version)
        a_hold(register, "W2", version=version, visit_on=date(2026, 11, 24))
        a_hold(register, "W3", version=version, visit_on=date(2026, 11, 25))
        redeem(register, "W1")
        service.release(register, work_order_id="W3", at=NOW, reason="cancelled")
    assert balanced(register) == [
        ("CHAR", "used", -3_000, "W1"),
        ("CHAR", "held", -3_000, "W2"),
        ("CHAR", "gift", 5_000, None),
        ("CHAR", "own_money", 10_000, None),
    ]


def test_what_is_taken_back_comes_back_into_the_purse(register, ports):
    filled(register, ports, 10_000)
    with transaction(register):
        a_hold(register, "W1", version=a_service(register, price_fen=3_000))
        redeem(register, "W1")
        service.reverse(register, work_order_id="W1", at=NOW, reason="x", actor="b")
    assert balanced(register)[0] == ("CHAR", "given_back", 3_000, "W1")


def test_hours_tell_who_gave_and_who_got(register, ports):
    credited(register, ports, 60)
    given(register, ports, 45)
    assert balanced(register) == [
        ("TB", "given_away", -45, None),
        ("TB", "granted", 60, None),
    ]
    assert balanced(register, "E2") == [("TB", "gift", 45, None)]


def test_a_purse_that_ended_a_year_ago_is_told_no_more(register, ports):
    filled(register, ports, 10_000)
    assert movements(register, "E1", date(2028, 10, 31)) != []
    assert movements(register, "E1", date(2028, 11, 2)) == []
