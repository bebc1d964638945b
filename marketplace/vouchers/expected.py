"""Holding what was promised before a month was granted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel.clock import Period
from marketplace.vouchers.holds import hold_many
from marketplace.vouchers.models import PriceShare, PriceSplit
from marketplace.vouchers.programmes import OWN
from marketplace.vouchers.quotes import QuoteRequest, quote_many
from marketplace.vouchers.receipts import HoldRequest


@dataclass(frozen=True, slots=True)
class OwnChanged:
    """A work order whose own share is now another than was promised, in fen."""

    work_order_id: str
    elder_id: str
    use_on: date
    own_before_fen: int
    own_after_fen: int


@dataclass(frozen=True, slots=True)
class ExpectedHeld:
    """``held``: how many work orders; ``changed``: those whose own share is now another."""

    held: int
    changed: tuple[OwnChanged, ...]

    @property
    def requoted(self) -> tuple[str, ...]:
        """Return the work orders whose own share changed."""
        return tuple(c.work_order_id for c in self.changed)


@dataclass(frozen=True, slots=True)
class Sold:
    """The service facts of a waiting work order, as they were sold."""

    service_code: str
    unit: str
    mode: str
    subsidised: bool
    duration_min: int
    price_fen: int


def hold_expected(
    session: Session, *, period: Period, district_code: str, at: datetime
) -> ExpectedHeld:
    """Quote every waiting work order of the month anew and hold it, in the order they were placed.

    Where the grants differ from what was expected, the own share changes: those are returned, so that
    the elder is told.
    """
    waiting = session.execute(
        select(
            PriceSplit.work_order_id,
            PriceSplit.elder_id,
            PriceSplit.use_on,
            PriceSplit.revision,
            PriceSplit.sold,
        )
        .where(
            PriceSplit.state == "expected",
            PriceSplit.period == str(period),
            PriceSplit.district_code == district_code,
        )
        .order_by(PriceSplit.at, PriceSplit.work_order_id)
    ).all()
    if not waiting:
        return ExpectedHeld(0, ())
    quotes = quote_many(
        session,
        [
            QuoteRequest(
                elder_id=w.elder_id,
                service_version=Sold(**{k: v for k, v in w.sold.items() if k != "quantity"}),
                on=w.use_on,
                district_code=district_code,
                quantity=w.sold["quantity"],
            )
            for w in waiting
        ],
    )
    before = _own_before(session, [(w.work_order_id, w.revision) for w in waiting])
    hold_many(
        session,
        [
            HoldRequest(work_order_id=w.work_order_id, elder_id=w.elder_id, quote=q)
            for w, q in zip(waiting, quotes, strict=True)
        ],
        at=at,
    )
    changed = tuple(
        OwnChanged(w.work_order_id, w.elder_id, w.use_on, before.get(w.work_order_id, 0), q.own_fen)
        for w, q in zip(waiting, quotes, strict=True)
        if before.get(w.work_order_id, 0) != q.own_fen
    )
    return ExpectedHeld(len(waiting), changed)


def _own_before(session: Session, revisions: list[tuple[str, int]]) -> dict[str, int]:
    wanted = dict(revisions)
    own: dict[str, int] = {}
    ids = list(wanted)
    for start in range(0, len(ids), 2000):
        for row in session.execute(
            select(PriceShare.work_order_id, PriceShare.revision, PriceShare.fen).where(
                PriceShare.work_order_id.in_(ids[start : start + 2000]),
                PriceShare.programme_code == OWN,
            )
        ):
            if wanted[row[0]] == row[1]:
                own[row[0]] = row[2]
    return own
