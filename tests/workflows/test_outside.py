"""The national voucher is another's book: we mirror what it confirmed and tell it what we did."""

from __future__ import annotations

import pytest

from marketplace.adapters.national_voucher import FileVoucherSystem
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.db import transaction
from marketplace.kernel.ports import OutsideRefused
from marketplace.orders.models import WorkOrder
from marketplace.vouchers import service
from marketplace.vouchers.models import Entitlement
from marketplace.workflows.grants import grant_period
from marketplace.workflows.outside import reconcile, tell_outside_payers
from tests.builders import (
    NOVEMBER,
    NOW,
    a_caregiver,
    a_hold,
    a_service,
    a_vendor,
    a_visit,
    an_assessment,
    an_elder,
)

ONE, TWO = Actor("one", Role.SYSTEM), Actor("two", Role.SYSTEM)


@pytest.fixture
def november(session, ports):
    with transaction(session):
        an_elder(session, hukou_local=False, income_class="ordinary")
        an_assessment(session, level=2)
        a_vendor(session)
        a_caregiver(session)
    grant_period(session, ports, ONE, TWO, period=NOVEMBER)


def held(session, id="W1"):
    a_hold(session, id=id, version=a_service(session, "ZJ001", price_fen=28_000))
    return a_visit(session, id=f"X-{id}", work_order=session.get(WorkOrder, id)).id


def test_we_mirror_what_the_outside_system_confirmed(session, ports, november):
    assert session.get(Entitlement, "ent:NV:E1:2026-11").granted == 80_000


def test_hold_capture_and_refund_are_told_and_the_books_agree(session, ports, november):
    with transaction(session):
        visit = held(session)
    assert reconcile(session, ports, payer_code="NV", period="2026-11")[0].theirs is None
    assert tell_outside_payers(session, ports).taken == 1
    assert reconcile(session, ports, payer_code="NV", period="2026-11") == []
    with transaction(session):
        service.capture(session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=NOW)
    tell_outside_payers(session, ports)
    assert reconcile(session, ports, payer_code="NV", period="2026-11") == []
    with transaction(session):
        service.reverse(session, work_order_id="W1", at=NOW, reason="x", actor="b")
    tell_outside_payers(session, ports)
    assert reconcile(session, ports, payer_code="NV", period="2026-11") == []
    left = ports.outside["NV"].quote(["E1"], "2026-11")["E1"].left_fen
    assert left == 80_000


def test_a_release_frees_the_outside_voucher(session, ports, november):
    with transaction(session):
        held(session)
        service.release(session, work_order_id="W1", at=NOW, reason="cancelled")
    assert tell_outside_payers(session, ports).taken == 2
    assert reconcile(session, ports, payer_code="NV", period="2026-11") == []


def test_what_was_spent_elsewhere_is_refused_and_stays_for_a_person(session, ports, november):
    outside = ports.outside["NV"]
    outside.hold(hold_id="hold/elsewhere", person_id="E1", period="2026-11", fen=80_000)
    with transaction(session):
        held(session)
    assert tell_outside_payers(session, ports).refused == 1
    differences = reconcile(session, ports, payer_code="NV", period="2026-11")
    assert [d.hold_id for d in differences] == ["hold/W1/1/1", "hold/elsewhere"]


def test_the_stand_in_never_gives_more_than_the_cap_and_repeats_nothing(tmp_path):
    system = FileVoucherSystem(tmp_path / "nv.sqlite3", cap_fen=1_000)
    system.quote(["E1"], "2026-11")
    for _ in range(2):
        system.hold(hold_id="h", person_id="E1", period="2026-11", fen=700)
    with pytest.raises(OutsideRefused):
        system.hold(hold_id="g", person_id="E1", period="2026-11", fen=400)
    for _ in range(2):
        system.capture(hold_id="h", fen=500)
    assert system.quote(["E1"], "2026-11")["E1"].left_fen == 500
    with pytest.raises(OutsideRefused):
        system.release(hold_id="h")
