"""What was not used goes back where it came from, once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from marketplace.elders.models import Elder
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from marketplace.vouchers import service
from marketplace.vouchers.models import LedgerAccount
from marketplace.workflows.lapse import lapse
from tests.builders import (
    DISTRICT,
    NOW,
    a_hold,
    a_service,
    a_vendor,
    an_assessment,
    an_elder,
    granted,
)
from tests.workflows.test_settlement import proven


@pytest.fixture
def november(session):
    with transaction(session):
        an_elder(session, income_class="dibao")
        an_assessment(session, level=2)
        a_vendor(session)
        granted(session)


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
