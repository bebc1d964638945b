"""The monthly rules on a real database: what is read is what is judged, within one's reach."""

from datetime import date, timedelta

from sqlalchemy import update

from marketplace.kernel.actor import Scope
from marketplace.kernel.clock import Period
from marketplace.orders.models import WorkOrder
from marketplace.queries.month_fraud import month_findings
from marketplace.visits.models import Evidence
from tests import builders
from tests.builders import NOW

EVERYTHING = Scope(everything=True)
NOVEMBER = Period(2026, 11)


def a_month(session, visits=20, by_hand=2, price=6_000):
    """Twenty even visits in the last days of November, some of them corrected by hand."""
    builders.a_vendor(session)
    builders.a_caregiver(session)
    builders.an_elder(session)
    version = builders.a_service(session)
    for n in range(visits):
        day = date(2026, 11, 28) + timedelta(days=n % 3)
        row = builders.a_work_order(
            session, f"W{n}", version=version, visit_on=day, vendor_id="V1", state="confirmed",
            window_start_s=8 * 3600 + n,
        )  # fmt: skip
        visit = builders.a_visit(session, f"X{n}", row)
        if n < by_hand:
            session.add(
                Evidence(
                    id=f"ev{n}",
                    visit_id=visit.id,
                    kind="check_out",
                    method="manual",
                    at_device=NOW,
                    received_at=NOW,
                    by_account="u-v1",
                    note="phone was empty",
                )
            )
    session.commit()


def test_a_vendor_by_hand_and_an_even_caregiver_are_found(session):
    a_month(session)
    found = {f.rule: f for f in month_findings(session, EVERYTHING, period=NOVEMBER)}
    assert set(found) == {"F08", "F12"}
    assert found["F08"].facts == {"visits": 20, "by_hand": 2}
    assert found["F12"].facts["alike"] == 20


def test_another_month_and_another_district_have_nothing(session):
    a_month(session)
    assert month_findings(session, EVERYTHING, period=Period(2026, 10)) == []
    assert month_findings(session, Scope(district_code="321281"), period=NOVEMBER) == []


def test_vouchers_redeemed_at_the_very_end_are_found(session):
    builders.an_elder(session, income_class="dibao", hukou_local=True)
    builders.an_assessment(session, level=2)
    builders.granted(session)
    version = builders.a_service(session, price_fen=200)
    builders.a_vendor(session)
    builders.a_caregiver(session)
    for n in range(20):
        builders.a_hold(
            session, f"W{n}", version=version, visit_on=date(2026, 11, 29), vendor_id="V1",
            window_start_s=8 * 3600 + n,
        )  # fmt: skip
        row = session.get(WorkOrder, f"W{n}")
        builders.a_visit(session, f"X{n}", row)
    session.execute(update(WorkOrder).values(state="confirmed"))
    session.commit()
    rules = {f.rule for f in month_findings(session, EVERYTHING, period=NOVEMBER)}
    assert "F17" in rules
