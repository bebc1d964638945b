"""What was not used goes back where it came from, once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from marketplace.elders.models import Elder
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from marketplace.orders.models import WorkOrder
from marketplace.vouchers import service
from marketplace.vouchers.models import LedgerAccount
from marketplace.vouchers.splits import fund_account
from marketplace.vouchers.verify import verify
from marketplace.workflows.lapse import lapse
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


@pytest.fixture
def november(session):
    with transaction(session):
        an_elder(session, income_class="dibao")
        an_assessment(session, level=2)
        a_vendor(session)
        granted(session)


def proven(session):
    """Return what the books of money find wrong; these tests change elders by hand."""
    session.rollback()
    findings = [str(f) for f in verify(session.connection()).findings]
    session.rollback()
    return findings


def account(session, id):
    session.rollback()
    a = session.get(LedgerAccount, id)
    return a.credits_posted - a.debits_posted - a.debits_pending


def test_hours_end_with_their_month_and_their_fen_return_to_the_budget(
    session, ports, clock, november
):
    budget = account(session, f"budget:GP-A2:{DISTRICT}:2026")
    clock.at = datetime(2026, 12, 5, 1, tzinfo=UTC)
    done = lapse(session, ports)
    # Hours, the national voucher and the month of meals end; the local voucher runs to December.
    assert done.entitlements == 3
    assert done.minutes == 1_200
    assert account(session, "ent:GP:E1:2026-11") == 0
    assert account(session, "ent:LV:E1:2026-11") == 10_000
    assert account(session, f"budget:GP-A2:{DISTRICT}:2026") == budget + 50_000
    assert lapse(session, ports).entitlements == 0
    assert proven(session) == []


def test_what_is_still_held_lapses_when_its_hold_is_gone(session, ports, clock, november):
    with transaction(session):
        a_hold(session, version=a_service(session, price_fen=2_500))
    clock.at = datetime(2026, 12, 5, 1, tzinfo=UTC)
    assert lapse(session, ports).minutes == 1_140
    with transaction(session):
        service.release(session, work_order_id="W1", at=clock.at, reason="expired", expire=True)
    assert lapse(session, ports).minutes == 60
    assert proven(session) == []


def test_days_of_grace_are_waited_for(session, ports, clock, november):
    clock.at = datetime(2026, 12, 3, 1, tzinfo=UTC)
    assert lapse(session, ports).entitlements == 0


def test_meals_not_taken_return_to_the_month_of_meals(session, ports, clock, november):
    with transaction(session):
        lunch = a_service(session, "ZC002", unit="餐", price_fen=1_000, mode="site")
        a_hold(session, version=lunch)
    assert account(session, "ent:MEAL:E1:2026-11") == 31_000 - 1_000
    clock.at = NOW + timedelta(days=5)
    lapse(session, ports)
    assert account(session, "ent:MEAL:E1:2026-11") == 31_000 - 500
    assert proven(session) == []


def test_a_voucher_that_carries_ends_a_month_later(session, ports, clock, november):
    with transaction(session):
        granted(session, Period(2026, 12))
    clock.at = datetime(2027, 1, 5, 1, tzinfo=UTC)
    lapse(session, ports)
    assert account(session, "ent:LV:E1:2026-11") == 0
    assert account(session, "ent:LV:E1:2026-12") == 10_000
    assert proven(session) == []


def test_what_is_free_of_the_dead_goes_back_and_what_is_held_stays(session, ports, clock, november):
    with transaction(session):
        a_hold(session, version=a_service(session, price_fen=2_500))
        elder = session.get_one(Elder, "E1")
        elder.status, elder.status_from = "dead", date(2026, 11, 23)
    budget = account(session, f"budget:LV:{DISTRICT}:2026")
    assert lapse(session, ports).entitlements == 0
    clock.at = NOW + timedelta(days=4)
    assert lapse(session, ports).entitlements == 4
    assert account(session, "ent:LV:E1:2026-11") == 0
    assert account(session, f"budget:LV:{DISTRICT}:2026") == budget + 10_000
    assert service.shares_of(session, "W1")[0].state == "held"
    assert lapse(session, ports).entitlements == 0
    assert proven(session) == []


def test_the_dead_are_granted_no_further_month(session, ports, november):
    with transaction(session):
        elder = session.get_one(Elder, "E1")
        elder.status, elder.status_from = "dead", date(2026, 11, 23)
    with transaction(session):
        granted(session, Period(2026, 12))
    assert account_or_none(session, "ent:GP:E1:2026-12") is None


def account_or_none(session, id):
    session.rollback()
    return session.get(LedgerAccount, id)


def cheap(session, price_fen=1_000):
    """A captured visit whose hour is worth 2,500 fen and costs less."""
    a_caregiver(session)
    version = a_service(session, price_fen=price_fen)
    a_hold(session, version=version, vendor_id="V1")
    visit = a_visit(session, work_order=session.get(WorkOrder, "W1"))
    service.capture(session, work_order_id="W1", visit_id=visit.id, vendor_id="V1", at=NOW)


def fund(session):
    return account(session, fund_account("GP-A2", DISTRICT, "2026-11", "E1"))


def test_what_a_cheap_visit_leaves_of_its_minutes_goes_back_to_the_budget(
    session, ports, clock, november
):
    budget = account(session, f"budget:GP-A2:{DISTRICT}:2026")
    with transaction(session):
        cheap(session)
    clock.at = datetime(2026, 12, 3, 1, tzinfo=UTC)
    lapse(session, ports)
    assert fund(session) == 49_000
    clock.at = datetime(2026, 12, 5, 1, tzinfo=UTC)
    lapse(session, ports)
    assert fund(session) == 0
    assert account(session, f"budget:GP-A2:{DISTRICT}:2026") == budget + 49_000
    lapse(session, ports)
    assert account(session, f"budget:GP-A2:{DISTRICT}:2026") == budget + 49_000
    assert proven(session) == []


def test_minutes_that_come_back_later_have_their_full_worth_behind_them(
    session, ports, clock, november
):
    with transaction(session):
        cheap(session)
    clock.at = datetime(2026, 12, 5, 1, tzinfo=UTC)
    lapse(session, ports)
    with transaction(session):
        service.reverse(session, work_order_id="W1", at=clock.at, reason="x", actor="b")
    # A replacement of 60 minutes, which the next visit may cost in full.
    assert fund(session) == 2_500
    assert lapse(session, ports).minutes == 0
    assert fund(session) == 2_500
    with transaction(session):
        dear = a_service(session, "ZJ002", price_fen=2_500)
        a_hold(session, id="W2", version=dear, vendor_id="V1", visit_on=date(2026, 12, 8))
        assert service.shares_of(session, "W2")[0].minutes == 60
    clock.at = datetime(2027, 1, 20, 1, tzinfo=UTC)
    with transaction(session):
        service.release(session, work_order_id="W2", at=clock.at, reason="expired", expire=True)
    assert lapse(session, ports).minutes == 60
    assert fund(session) == 0
    assert proven(session) == []


def test_what_backs_held_minutes_is_not_swept(session, ports, clock, november):
    with transaction(session):
        a_hold(session, version=a_service(session, price_fen=1_000))
    clock.at = datetime(2026, 12, 5, 1, tzinfo=UTC)
    lapse(session, ports)
    assert fund(session) == 1_500
    with transaction(session):
        service.release(session, work_order_id="W1", at=clock.at, reason="expired", expire=True)
    assert lapse(session, ports).minutes == 60
    assert fund(session) == 0
    assert proven(session) == []
