"""Reversals that meet one another: each capture goes back once, and nobody sees an internal error."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import func, select

from marketplace.kernel.db import transaction
from marketplace.kernel.errors import WrongState
from marketplace.kernel.outbox import OutboxMessage
from marketplace.vouchers import programmes, service
from marketplace.vouchers.models import Entitlement, LedgerTransfer
from marketplace.workflows.ledger import verify_ledger
from marketplace.workflows.reverse import Reversed, ReverseRequest, reverse
from tests.builders import (
    DISTRICT,
    NOVEMBER,
    a_captured_visit,
    a_poor_elder,
    a_service,
)
from tests.workflows.months import BUREAU, DECEMBER_2
from tests.workflows.overlap import overlapping


@pytest.fixture
def december(session, clock):
    """Two captured visits of November that both took hours and the national voucher; its end is past."""
    with transaction(session):
        a_poor_elder(session)
        version = a_service(session, price_fen=28_000)
        a_captured_visit(session, "W1", version)
        a_captured_visit(session, "W2", version, visit_on=date(2026, 11, 24))
    session.rollback()
    clock.at = DECEMBER_2


def mirrored(session, at, work_order_id):
    return service.reverse(session, work_order_id=work_order_id, at=at, reason="x", actor="b")


def taken_back(session, ports, key, work_order_id="W1"):
    request = ReverseRequest(work_order_id, "service_fault", "漏做")
    return reverse(session, ports, BUREAU, key=key, request=request)


def proven(session):
    session.rollback()
    return [str(f) for f in verify_ledger(session).findings if not str(f).startswith("grant_run")]


def test_two_reversals_of_one_elder_at_once_replace_both_grants(
    session, ports, december, database_url
):
    at = ports.clock.now()
    first, second = overlapping(
        database_url,
        lambda s: mirrored(s, at, "W1"),
        lambda s: taken_back(s, ports, "r2", "W2"),
    )
    assert first.replacements == ("ent:GP:E1:2026-11:1", "ent:NV:E1:2026-11:1")
    assert isinstance(second, Reversed), second
    assert second.replacements == ["ent:GP:E1:2026-11:2", "ent:NV:E1:2026-11:2"]
    made = session.scalar(select(func.count()).where(Entitlement.sequence > 0))
    assert made == 4
    assert proven(session) == []


def test_of_two_that_reverse_one_capture_at_once_the_second_is_told_so(
    session, ports, december, database_url
):
    at = ports.clock.now()
    first, second = overlapping(
        database_url,
        lambda s: mirrored(s, at, "W1"),
        lambda s: mirrored_alone(s, at, "W1"),
    )
    assert second == first
    count = select(func.count()).where(LedgerTransfer.kind == "reversal")
    assert session.scalar(count.where(LedgerTransfer.unit == "fen")) == 4
    assert proven(session) == []


def mirrored_alone(session, at, work_order_id):
    with transaction(session):
        return mirrored(session, at, work_order_id)


@pytest.mark.parametrize("key", ["r1", "r2"])
def test_a_second_reversal_answers_the_same_or_is_refused(session, ports, december, key):
    first = taken_back(session, ports, "r1")
    if key == "r1":
        assert taken_back(session, ports, key) == first
    else:
        with pytest.raises(WrongState):
            taken_back(session, ports, key)


@pytest.mark.parametrize(
    ("limits", "asked"),
    [((2, 10**9), [2]), ((9, 28_000), [1, 2]), ((9, 56_000), [2]), ((9, 10**9), [])],
)
def test_frauds_as_many_or_as_dear_as_the_settings_say_ask_for_a_suspension(
    session, ports, december, monkeypatch, limits, asked
):
    now = programmes.settings_on(NOVEMBER.last)
    most, fen = limits
    settings = replace(now, frauds_to_suspend=most, fraud_fen_to_suspend=fen)
    monkeypatch.setattr(programmes, "settings_on", lambda on: settings)
    for n in (1, 2):
        request = ReverseRequest(f"W{n}", "fraud", "没有上门")
        reverse(session, ports, BUREAU, key=f"f{n}", request=request)
    told = session.scalars(
        select(OutboxMessage).where(OutboxMessage.template == "vendor_frauds")
    ).all()
    assert sorted(m.values["num"] for m in told) == asked
    assert {m.values["fen"] for m in told} <= {28_000, 56_000}
    assert {(m.recipient_kind, m.recipient_id) for m in told} <= {("district", DISTRICT)}
