"""Months of one vendor for tests of settlement: served, closed, signed, paid, taken back."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy.orm import Session

from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import Period, instant_of
from marketplace.kernel.db import transaction
from marketplace.vouchers import service
from marketplace.vouchers.models import LedgerAccount
from marketplace.workflows.ledger import verify_ledger
from marketplace.workflows.own_money import CashRequest, owed_fen, take_cash
from marketplace.workflows.reverse import ReverseRequest, reverse
from marketplace.workflows.sampling import record_check, sample_of
from marketplace.workflows.settle import close_month
from marketplace.workflows.statements import sign_statement
from tests.builders import (
    DISTRICT,
    NOVEMBER,
    NOW,
    a_captured_visit,
    a_confirmed_visit,
    a_hold,
    a_poor_elder,
    a_service,
    granted,
)

DECEMBER, JANUARY = Period(2026, 12), Period(2027, 1)
DECEMBER_2 = datetime(2026, 12, 2, 1, 0, tzinfo=UTC)
JANUARY_2 = datetime(2027, 1, 2, 1, 0, tzinfo=UTC)
FEBRUARY_2 = datetime(2027, 2, 2, 1, 0, tzinfo=UTC)
BUREAU = Actor("bureau-1", Role.BUREAU, district_code=DISTRICT)
BUREAU_2 = Actor("bureau-2", Role.BUREAU, district_code=DISTRICT)
STREET = Actor("street-1", Role.STREET, district_code=DISTRICT, town_code="321204100")
VENDOR = Actor("vendor-1", Role.VENDOR, vendor_id="V1")
ST = f"ST-2026-11-{DISTRICT}-V1"
DECEMBERS = f"ST-2026-12-{DISTRICT}-V1"
Q4 = {"quarter": "2026Q4", "vendor_id": "V1", "district_code": DISTRICT}
BUREAUS = ("GP-A2", "LV")
"""The programmes that the bureau pays of what november holds."""

SIGNERS = {
    "vendor_confirmed": VENDOR,
    "street_checked": STREET,
    "county_approved": BUREAU,
    "released": BUREAU_2,
}


def serve_november(session: Session) -> None:
    """Two captured visits, one disputed, one late cancellation."""
    a_poor_elder(session)
    version = a_service(session, price_fen=28_000)
    a_captured_visit(session, "W1", version)
    a_captured_visit(session, "W2", version, visit_on=date(2026, 11, 24))
    a_hold(session, id="W3", version=version, visit_on=date(2026, 11, 25), vendor_id="V1")
    a_confirmed_visit(session, "W3", "disputed")
    a_hold(session, id="W4", version=version, visit_on=date(2026, 11, 26), vendor_id="V1")
    service.capture_fee(session, work_order_id="W4", vendor_id="V1", at=NOW, kind="late_cancel")


def served_in(session, month, *work_orders):
    """Captured visits of a month that was granted."""
    with transaction(session):
        granted(session, month, run="later")
        version = a_service(session, f"ZJ1{month.month:02d}", price_fen=10_000)
        for n, i in enumerate(work_orders, start=5):
            day = month.first.replace(day=n)
            a_captured_visit(session, i, version, visit_on=day, at=instant_of(day, 12 * 3600))


def serve_own(session, id="Y1", vendor="V1", price_fen=1_000, day=27):
    """A captured visit that only own money pays; return its own share."""
    version = a_service(session, f"SG0{day}", price_fen=price_fen, subsidised=False)
    a_captured_visit(session, id, version, vendor_id=vendor, visit_on=date(2026, 11, day))
    return {s.programme_code: s.fen for s in service.shares_of(session, id)}["OWN"]


def paid_at_door(session, ports):
    """A visit that only own money pays, and everything that is owed given in cash; return its price."""
    with transaction(session):
        fen = serve_own(session)
    request = CashRequest("Y1", owed_fen(session, "E1"))
    take_cash(session, ports, VENDOR, key="cash", request=request)
    return fen


def close(session, ports, period=NOVEMBER):
    return close_month(session, ports, BUREAU, period=period, district_code=DISTRICT)[0]


def close_quarter(session, ports):
    """Close what is left of the year's last quarter."""
    for month in (10, 12):
        close(session, ports, Period(2026, month))


def check_all(session, ports, outcome="confirmed", statement=ST):
    """Look at every line that was drawn."""
    for s in sample_of(session, statement):
        record_check(
            session,
            ports,
            BUREAU,
            statement_id=statement,
            number=s.number,
            way=s.way,
            outcome=outcome,
            note="回访",
        )


def sign_all(session, ports, statement=ST, *, until="released", note="", **by):
    """Sign a statement step by step, its sample checked and its notice over; return the last answer.

    ``by`` names who signs a step in another's place, ``note`` is what the first signature says.
    """
    for step, actor in (SIGNERS | by).items():
        if step == "county_approved":
            check_all(session, ports, statement=statement)
        elif step == "released":
            ports.clock.advance(days=3)
        done = sign_statement(session, ports, actor, statement_id=statement, step=step, note=note)
        note = ""
        if step == until:
            break
    return done


def settle(session, ports, month):
    """Close a month and sign its statement to the end; return what the release paid."""
    close(session, ports, month)
    return sign_all(session, ports, f"ST-{month}-{DISTRICT}-V1")


def take_back(session, ports, *work_orders):
    for i in work_orders:
        request = ReverseRequest(i, "invalidated", "回访老人否认上门")
        reverse(session, ports, BUREAU, key=f"back-{i}", request=request)


def due(session, code="OWN", vendor="V1"):
    """Return what a vendor is still to get of a payer."""
    return _credit(session, f"due:{vendor}:{code}")


def bank(session):
    """Return what left the district's bank."""
    return _credit(session, f"bank:{DISTRICT}")


def _credit(session, account_id):
    account = session.get(LedgerAccount, account_id, populate_existing=True)
    found = account.credits_posted - account.debits_posted
    session.rollback()
    return found


def proven(session):
    """Return what the proof of the books finds; grants made by a builder leave no trail of requests."""
    session.rollback()
    return [str(f) for f in verify_ledger(session).findings if not str(f).startswith("grant_run")]
