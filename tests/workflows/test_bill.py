"""An elder's month: what stands on the page is what the ledger took, to the fen."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from marketplace.kernel.clock import Period
from marketplace.queries.bill import bill
from marketplace.vouchers.models import Redemption
from marketplace.workflows.cancel import CancelRequest, cancel
from marketplace.workflows.confirm import ConfirmRequest, confirm
from tests.workflows import world
from tests.workflows.test_visits import assigned, entries_of, served
from tests.workflows.world import ELDER, TUESDAY, key

NOVEMBER = Period(2026, 11)


def test_a_month_without_visits_is_empty(city, ports):
    month = bill(city, "E1", period=NOVEMBER)
    assert (month.visits, month.total_fen, month.own_fen, month.waiting) == (0, 0, 0, 0)


def test_the_bill_adds_up_to_what_was_redeemed(city, ports, clock):
    work_order_id = served(city, ports, clock)
    assert bill(city, "E1", period=NOVEMBER).waiting == 1
    request = ConfirmRequest(work_order_id, "tap")
    paid = confirm(city, ports, ELDER, key=key(), request=request)
    month = bill(city, "E1", period=NOVEMBER)
    redeemed = city.scalar(select(func.sum(Redemption.price_fen)))
    assert month.total_fen == redeemed == paid.captured_fen == 6_000
    assert {p.programme_code: p.fen for p in month.payers if p.fen} == paid.fen_by_programme
    assert [(k.category_code, k.times, k.fen) for k in month.kinds] == [("ZJ", 1, 6_000)]
    assert sum(k.own_fen for k in month.kinds) == month.own_fen
    assert month.waiting == 0
    assert bill(city, "E2", period=NOVEMBER).total_fen == 0
    assert bill(city, "E1", period=NOVEMBER.previous()).total_fen == 0


def test_a_late_cancellation_stands_as_a_fee_of_own_money(city, ports, clock):
    work_order_id = assigned(city, ports)
    clock.at = world.local(TUESDAY, 9) - timedelta(minutes=90)
    done = cancel(city, ports, ELDER, key=key(), request=CancelRequest(work_order_id))
    month = bill(city, "E1", period=NOVEMBER)
    assert (month.fees_fen, month.own_fen, month.visits) == (done.fee_fen, done.fee_fen, 0)
    fees = [e.amount for e in entries_of(city, work_order_id) if e.code == "fee"]
    assert sum(fees) == done.fee_fen
