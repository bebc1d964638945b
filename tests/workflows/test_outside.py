"""The national voucher is another's book: we mirror what it confirmed and tell it what we did."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from marketplace.adapters.national_voucher import FileVoucherSystem
from marketplace.kernel import outbox
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.db import transaction
from marketplace.kernel.outbox import OutboxMessage
from marketplace.kernel.ports import DeliveryFailed, OutsideRefused
from marketplace.orders.models import WorkOrder
from marketplace.vouchers import service
from marketplace.vouchers.models import Entitlement, GrantRun
from marketplace.workflows.grants import (
    OutsideAway,
    PreviewOutdated,
    grant_period,
    preview_grants,
    release_grants,
)
from marketplace.workflows.ledger import verify_ledger
from marketplace.workflows.outside import reconcile, tell_outside_payers
from tests.builders import (
    DISTRICT,
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
    a_hold(session, id=id, version=a_service(session, f"ZJ00{id[1:]}", price_fen=28_000))
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


def spend_elsewhere(ports, fen):
    ports.outside["NV"].hold(hold_id="hold/elsewhere", person_id="E1", period="2026-11", fen=fen)


def shares(session, id="W1"):
    found = {s.programme_code: s.fen for s in service.shares_of(session, id)}
    session.rollback()
    return found


def test_what_was_spent_elsewhere_is_quoted_anew_and_the_elder_is_told(session, ports, november):
    spend_elsewhere(ports, 75_000)
    with transaction(session):
        held(session)
    assert shares(session) == {"NV": 14_000, "OWN": 14_000}
    told = tell_outside_payers(session, ports)
    assert (told.refused, told.requoted) == (0, ("W1",))
    assert shares(session) == {"NV": 5_000, "OWN": 23_000}
    assert tell_outside_payers(session, ports).taken == 1
    assert {d.hold_id for d in reconcile(session, ports, payer_code="NV", period="2026-11")} == {
        "hold/elsewhere"
    }
    message = session.scalars(
        select(OutboxMessage).where(OutboxMessage.template == "money.requoted")
    ).one()
    assert message.recipient_id == "E1"
    assert (message.values["own_before_fen"], message.values["own_after_fen"]) == (14_000, 23_000)
    assert verify_ledger(session).is_proven


def test_a_voucher_used_up_elsewhere_leaves_own_money(session, ports, november):
    spend_elsewhere(ports, 80_000)
    with transaction(session):
        held(session)
    assert tell_outside_payers(session, ports).requoted == ("W1",)
    assert shares(session) == {"OWN": 28_000}
    assert verify_ledger(session).is_proven


def test_a_requote_is_captured_as_any_other(session, ports, november):
    spend_elsewhere(ports, 75_000)
    with transaction(session):
        visit = held(session)
    tell_outside_payers(session, ports)
    with transaction(session):
        service.capture(session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=NOW)
    assert tell_outside_payers(session, ports).taken == 2
    assert ports.outside["NV"].reconcile("2026-11")["hold/W1/2/1"] == ("captured", 5_000)
    assert verify_ledger(session).is_proven


def test_of_two_holds_the_purse_pays_what_it_has_and_never_more(session, ports, november):
    spend_elsewhere(ports, 60_000)
    with transaction(session):
        held(session)
        held(session, "W2")
    for _ in range(4):
        tell_outside_payers(session, ports)
    given = [shares(session, w).get("NV", 0) for w in ("W1", "W2")]
    assert given == [14_000, 6_000]
    assert ports.outside["NV"].quote(["E1"], "2026-11")["E1"].left_fen == 0
    assert verify_ledger(session).is_proven


def test_what_was_captured_before_the_refusal_stays_for_a_person(session, ports, november):
    spend_elsewhere(ports, 80_000)
    with transaction(session):
        visit = held(session)
        service.capture(session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=NOW)
    told = tell_outside_payers(session, ports)
    assert (told.refused, told.requoted) == (2, ())
    differences = reconcile(session, ports, payer_code="NV", period="2026-11")
    assert [d.hold_id for d in differences] == ["hold/W1/1/1", "hold/elsewhere"]


@pytest.fixture
def away(monkeypatch):
    """The outside system cannot be reached; calls that came through all the same are kept."""
    calls = []

    def down(self, **what):
        calls.append(what)
        raise DeliveryFailed("timeout")

    for verb in ("hold", "capture", "release"):
        monkeypatch.setattr(FileVoucherSystem, verb, down)
    return calls


def test_an_outage_of_a_day_loses_no_message(session, ports, clock, november, away, monkeypatch):
    with transaction(session):
        visit = held(session)
        held(session, "W2")
        service.capture(session, work_order_id="W1", visit_id=visit, vendor_id="V1", at=NOW)
    for _ in range(24):
        told = tell_outside_payers(session, ports)
        assert (told.taken, told.refused, told.again) == (0, 0, 1)
        clock.advance(hours=1)
    assert len(away) == 24, "a payer that is away is asked once a round"
    monkeypatch.undo()
    assert tell_outside_payers(session, ports).taken == 3
    assert reconcile(session, ports, payer_code="NV", period="2026-11") == []


def test_a_timeout_after_the_thing_was_done_does_it_once(
    session, ports, clock, november, monkeypatch
):
    with transaction(session):
        held(session)
    real = FileVoucherSystem.hold

    def late(self, **what):
        real(self, **what)
        raise DeliveryFailed("timeout")

    with monkeypatch.context() as patched:
        patched.setattr(FileVoucherSystem, "hold", late)
        assert tell_outside_payers(session, ports).again == 1
    clock.advance(minutes=10)
    assert tell_outside_payers(session, ports).taken == 1
    assert ports.outside["NV"].quote(["E1"], "2026-11")["E1"].left_fen == 66_000
    assert reconcile(session, ports, payer_code="NV", period="2026-11") == []


def test_messages_to_a_payer_that_is_not_connected_keep_nobody_waiting(session, ports, november):
    with transaction(session):
        for n in range(3):
            outbox.post(
                session,
                due_at=NOW,
                channel="bureau",
                recipient_kind="system",
                recipient_id="LTCI",
                template="outside.hold",
                about=f"hold/L{n}/1/1",
            )
        held(session)
    assert tell_outside_payers(session, ports, limit=3).taken == 1


def test_an_insurers_hold_names_the_person_and_the_month(session, ports, monkeypatch):
    with transaction(session):
        an_elder(session, hukou_local=False, income_class="ordinary", special="ltci")
        a_vendor(session)
    grant_period(session, ports, ONE, TWO, period=NOVEMBER)
    insurer, heard = ports.outside["NV"], []
    monkeypatch.setattr(FileVoucherSystem, "hold", lambda _, **what: heard.append(what))
    with transaction(session):
        a_hold(session, version=a_service(session, "HL001", price_fen=4_500))
    assert "LTCI" in shares(session)
    tell_outside_payers(session, replace(ports, outside={"LTCI": insurer}))
    assert [(h["person_id"], h["period"]) for h in heard] == [("E1", "2026-11")]


def test_a_payer_that_cannot_be_asked_what_is_left_stops_nothing(
    session, ports, clock, november, monkeypatch
):
    spend_elsewhere(ports, 80_000)
    with transaction(session):
        held(session)

    def down(self, *_):
        raise DeliveryFailed("timeout")

    with monkeypatch.context() as patched:
        patched.setattr(FileVoucherSystem, "quote", down)
        assert tell_outside_payers(session, ports).again == 1
    clock.advance(minutes=10)
    assert tell_outside_payers(session, ports).requoted == ("W1",)


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


class Watched(FileVoucherSystem):
    """The voucher's system as the network is: whoever asks it waits, so nothing may wait with them."""

    def __init__(self, path, session) -> None:
        super().__init__(path)
        self.session, self.open, self.then = session, [], lambda: None

    def quote(self, person_ids, period):
        self.open.append(self.session.in_transaction() or "in_workflow" in self.session.info)
        found = super().quote(person_ids, period)
        self.then()
        return found


@pytest.fixture
def watched(session, ports, tmp_path):
    """The ports with a watched payer, and one elder for whom it pays."""
    with transaction(session):
        an_elder(session, hukou_local=False, income_class="ordinary")
        an_assessment(session, level=2)
    payer = Watched(tmp_path / "watched.sqlite", session)
    return replace(ports, outside={"NV": payer})


def nv_of(session):
    found = session.execute(
        select(Entitlement.elder_id, Entitlement.granted).where(Entitlement.slot == "NV")
    )
    rows = sorted(tuple(r) for r in found)
    session.rollback()
    return rows


def another_elder(session):
    with transaction(session):
        an_elder(session, "E2", hukou_local=False, income_class="ordinary")
        an_assessment(session, "E2", level=2)


def test_the_outside_is_asked_with_no_transaction_open(session, watched):
    run = preview_grants(session, watched, ONE, period=NOVEMBER, district_code=DISTRICT)
    release_grants(session, watched, TWO, run_id=run.run_id)
    payer = watched.outside["NV"]
    assert payer.open == [False, False]
    assert nv_of(session) == [("E1", 80_000)]
    release_grants(session, watched, TWO, run_id=run.run_id)
    assert len(payer.open) == 2, "a repeat asks nobody"


def test_who_came_to_the_register_while_the_outside_was_asked_is_asked_about_too(session, watched):
    payer = watched.outside["NV"]

    def once():
        payer.then = lambda: None
        another_elder(session)

    payer.then = once
    run = preview_grants(session, watched, ONE, period=NOVEMBER, district_code=DISTRICT)
    assert len(payer.open) == 2
    release_grants(session, watched, TWO, run_id=run.run_id)
    assert nv_of(session) == [("E1", 80_000), ("E2", 80_000)]


def test_a_release_is_held_to_the_register_as_it_stands_after_the_outside_was_asked(
    session, watched
):
    run = preview_grants(session, watched, ONE, period=NOVEMBER, district_code=DISTRICT)
    watched.outside["NV"].then = lambda: another_elder(session)
    with pytest.raises(PreviewOutdated):
        release_grants(session, watched, TWO, run_id=run.run_id)
    assert nv_of(session) == []


def test_an_outside_that_promises_less_than_at_the_preview_asks_for_another_look(
    session, watched, tmp_path
):
    run = preview_grants(session, watched, ONE, period=NOVEMBER, district_code=DISTRICT)
    less = replace(watched, outside={"NV": FileVoucherSystem(tmp_path / "less", cap_fen=100)})
    with pytest.raises(PreviewOutdated):
        release_grants(session, less, TWO, run_id=run.run_id)
    assert nv_of(session) == []


def test_an_outside_that_is_away_grants_nothing_and_is_named(session, watched):
    def away():
        raise DeliveryFailed("timeout")

    watched.outside["NV"].then = away
    with pytest.raises(OutsideAway) as refused:
        preview_grants(session, watched, ONE, period=NOVEMBER, district_code=DISTRICT)
    assert refused.value.facts == {"programme_code": "NV"}
    assert session.query(GrantRun).count() == 0
