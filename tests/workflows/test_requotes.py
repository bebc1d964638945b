"""A work order is split anew while the same purses move: nobody waits in a circle, nothing is lost."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.db import prepare_engine, transaction
from marketplace.orders.models import WorkOrder
from marketplace.vouchers import requotes, service
from marketplace.vouchers.ledger import EntitlementTooSmall
from marketplace.vouchers.models import LedgerAccount
from marketplace.workflows.grants import grant_period
from marketplace.workflows.ledger import verify_ledger
from marketplace.workflows.outside import tell_outside_payers
from marketplace.workflows.purses import TopUp, top_up
from tests.builders import (
    DISTRICT,
    NOVEMBER,
    NOW,
    TODAY,
    a_caregiver,
    a_hold,
    a_service,
    a_vendor,
    a_visit,
    a_work_order,
    an_assessment,
    an_elder,
)
from tests.workflows.test_outside import ONE, TWO, shares, spend_elsewhere

BUREAU = Actor("u-bureau", Role.BUREAU, district_code=DISTRICT)
CHAR, NV = "ent:CHAR:E1:2026-11", "ent:NV:E1:2026-11"


@pytest.fixture
def refused(session, ports):
    """Four work orders that hold the national voucher, which was spent elsewhere; then a charity purse."""
    with transaction(session):
        an_elder(session, hukou_local=False, income_class="ordinary")
        an_assessment(session, level=2)
        a_vendor(session)
        a_caregiver(session)
    grant_period(session, ports, ONE, TWO, period=NOVEMBER)
    spend_elsewhere(ports, 80_000)
    with transaction(session):
        version = a_service(session, price_fen=10_000)
        for n in range(4):
            a_hold(session, id=f"W{n}", version=version)
    top_up(session, ports, BUREAU, key="top", request=TopUp("E1", 8_000, "R-1"))
    session.rollback()
    return version


def locked(session, account_id):
    """Lock an account as a step does that changes its counters."""
    a = LedgerAccount
    session.execute(select(a.id).where(a.id == account_id).with_for_update())


def in_a_thread(url, step):
    """Run a step with a session of its own; return the thread and the list of what came of it."""
    came = []

    def run():
        engine = create_engine(url)
        prepare_engine(engine)
        try:
            with Session(engine) as mine:
                came.append(step(mine))
        except Exception as error:
            came.append(error)
        finally:
            engine.dispose()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, came


def proven(session):
    session.rollback()
    return [str(f) for f in verify_ledger(session).findings]


def test_accounts_are_taken_in_the_order_in_which_every_other_step_takes_them(
    session, ports, refused, database_url
):
    """A step that holds the charity purse and then asks for the voucher's is never waited for by one
    that holds the voucher's: the requote asks for the charity purse first."""
    with transaction(session):
        locked(session, CHAR)
        thread, came = in_a_thread(database_url, lambda s: tell_outside_payers(s, ports, limit=1))
        time.sleep(1.0)
        locked(session, NV)
    thread.join(timeout=60)
    [told] = came
    assert getattr(told, "requoted", told) == ("W0",)
    assert shares(session, "W0") == {"CHAR": 10_000}
    assert proven(session) == []


def test_a_requote_that_was_overtaken_looks_at_the_purses_again(
    session, ports, refused, monkeypatch
):
    real, seen = requotes.quote_again, []

    def stale_once(session, request, *, freed):
        seen.append(freed)
        more = {CHAR: 5_000_000, NV: 5_000_000} if len(seen) == 1 else {}
        both = {a: freed.get(a, 0) + more.get(a, 0) for a in freed.keys() | more.keys()}
        return real(session, request, freed=both)

    for n in range(1, 4):
        with transaction(session):
            service.release(session, work_order_id=f"W{n}", at=NOW, reason="cancelled")
    with transaction(session):
        a_hold(session, id="Z1", version=a_service(session, "ZJ002", price_fen=11_000))
    monkeypatch.setattr(requotes, "quote_again", stale_once)
    assert "W0" in tell_outside_payers(session, ports, limit=1).requoted
    assert len(seen) == 2
    assert proven(session) == []


def test_holds_captures_and_requotes_of_one_elder_at_once_all_end(
    session, ports, refused, database_url
):
    version_id = refused.id
    with transaction(session):
        for n in range(6):
            a_work_order(session, id=f"Z{n}", version=refused)
            a_visit(session, id=f"X-Z{n}", work_order=session.get(WorkOrder, f"Z{n}"))

    def hold_and_end(s):
        done = []
        for n in range(6):
            try:
                with transaction(s):
                    version = s.get(type(refused), version_id)
                    quote = service.quote(
                        s, elder_id="E1", service_version=version, on=TODAY, district_code=DISTRICT
                    )
                    service.hold(s, work_order_id=f"Z{n}", elder_id="E1", quote=quote, at=NOW)
            except EntitlementTooSmall:
                done.append("too small")
                continue
            with transaction(s):
                if n % 2:
                    service.release(s, work_order_id=f"Z{n}", at=NOW, reason="cancelled")
                else:
                    visit = f"X-Z{n}"
                    service.capture(
                        s, work_order_id=f"Z{n}", visit_id=visit, vendor_id="V1", at=NOW
                    )
            done.append("ended")
        return done

    def requote_all(s):
        return [r for _ in range(8) for r in tell_outside_payers(s, ports, limit=2).requoted]

    running = [in_a_thread(database_url, step) for step in (requote_all, hold_and_end)]
    for thread, _ in running:
        thread.join(timeout=120)
    (requoted,), (ended,) = (came for _, came in running)
    assert isinstance(requoted, list), requoted
    assert isinstance(ended, list), ended
    assert len(ended) == 6
    assert {"W0", "W1", "W2", "W3"} <= set(requoted)
    assert proven(session) == []
