"""Readings of other authorities' lists, and the visits that they speak against, for screens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.elders.models import CrossCheckFlag, CrossCheckRun
from marketplace.kernel.actor import Scope
from marketplace.orders.models import WorkOrder
from marketplace.orders.states import State


@dataclass(frozen=True, slots=True)
class FlagView:
    """A visit that a list speaks against. ``is_open``: it is paid or may still be; a person decides."""

    work_order_id: str
    elder_id: str
    kind: str
    visit_on: date
    service_code: str
    vendor_id: str | None
    state: str
    price_fen: int
    at: datetime
    is_open: bool


@dataclass(frozen=True, slots=True)
class RunView:
    """One reading of a list."""

    run_id: str
    feed: str
    file: str
    by_account: str
    at: datetime
    applied: int
    unchanged: int
    unknown: int
    refused: int


_OPEN = (State.DONE, State.DISPUTED, State.CONFIRMED, State.SETTLED)


def flags(
    session: Session, scope: Scope | None = None, *, limit: int = 500, all_of_them: bool = False
) -> list[FlagView]:
    """Return flagged visits within a scope, the latest first; those decided only where asked for."""
    f, w = CrossCheckFlag.__table__.c, WorkOrder.__table__.c
    wanted = select(
        f.work_order_id,
        f.elder_id,
        f.kind,
        w.visit_on,
        w.service_code,
        w.vendor_id,
        w.state,
        w.price_fen,
        f.at,
    ).join(WorkOrder, w.id == f.work_order_id)
    if not all_of_them:
        wanted = wanted.where(w.state.in_([s.value for s in _OPEN]))
    if scope is not None and not scope.everything:
        if scope.district_code is not None:
            wanted = wanted.where(w.district_code == scope.district_code)
        if scope.town_code is not None:
            wanted = wanted.where(w.town_code == scope.town_code)
    states = {s.value for s in _OPEN}
    rows = session.execute(wanted.order_by(f.at.desc(), f.work_order_id).limit(limit))
    return [FlagView(**r._mapping, is_open=r.state in states) for r in rows]


def runs(session: Session, *, limit: int = 50) -> list[RunView]:
    """Return the latest readings of lists."""
    r = CrossCheckRun.__table__.c
    rows = session.execute(
        select(
            r.id.label("run_id"),
            r.feed,
            r.file,
            r.by_account,
            r.at,
            r.applied,
            r.unchanged,
            r.unknown,
            r.refused,
        )
        .order_by(r.at.desc(), r.id.desc())
        .limit(limit)
    )
    return [RunView(**row._mapping) for row in rows]
