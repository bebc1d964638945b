"""What was so on a day: an elder's facts, purses and visits, and what we knew of them at an instant.

Facts come from the history of the register, levels from the assessments, visits from their moves and
purses from the ledger's transfers, none of which is ever changed. So any screen can be put back to
any day, and to what was written down by any instant.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, aliased

from marketplace.catalogue.models import ServiceVersion
from marketplace.elders import history
from marketplace.elders.facts import age_on
from marketplace.elders.models import Assessment, Elder
from marketplace.kernel.clock import Period, instant_of
from marketplace.kernel.errors import NotFound
from marketplace.orders.models import WorkOrder, WorkOrderEvent
from marketplace.vouchers.models import Entitlement, LedgerTransfer


@dataclass(frozen=True, slots=True)
class FactAsOf:
    """A fact on the day. ``from_on``: since when, ``None`` where it never changed."""

    name: str
    value: str
    from_on: date | None
    source: str


@dataclass(frozen=True, slots=True)
class PurseAsOf:
    """A purse at the day's end, in fen or minutes: granted so far, used, held for visits, left."""

    account_id: str
    programme_code: str
    period: str
    unit: str
    granted: int
    used: int
    held: int
    left: int


@dataclass(frozen=True, slots=True)
class VisitAsOf:
    """A visit of the day's month and its state at the day's end."""

    work_order_id: str
    visit_on: date
    service_code: str
    service_zh: str
    service_en: str
    price_fen: int
    state: str


@dataclass(frozen=True, slots=True)
class ElderAsOf:
    """Everything of an elder as of a day; ``known_at`` where later reports are left out."""

    elder_id: str
    on: date
    known_at: datetime | None
    age: int
    level: int | None
    score: int | None
    assessed_on: date | None
    facts: list[FactAsOf] = field(default_factory=list)
    stays: list[str] = field(default_factory=list)
    purses: list[PurseAsOf] = field(default_factory=list)
    visits: list[VisitAsOf] = field(default_factory=list)


def elder_as_of(
    session: Session, elder_id: str, on: date, *, known_at: datetime | None = None
) -> ElderAsOf:
    """Return what was so of an elder on a day; raises ``NotFound``.

    Visits and purses are those at the end of the day, or at ``known_at`` where that is earlier.
    """
    elder = session.execute(select(Elder.__table__).where(Elder.id == elder_id)).first()
    if elder is None:
        raise NotFound(kind="elder", id=elder_id)
    until = instant_of(on, 86_400)
    if known_at is not None:
        until = min(until, known_at)
    known = history.as_of(session, [elder_id], on, known_at=known_at).get(elder_id, {})
    assessed = session.execute(
        select(Assessment.__table__)
        .where(
            Assessment.elder_id == elder_id,
            Assessment.assessed_on <= on,
            Assessment.valid_until >= on,
        )
        .order_by(Assessment.assessed_on.desc())
        .limit(1)
    ).first()
    stays = history.stays_of(session, [elder_id]).get(elder_id, ())
    return ElderAsOf(
        elder_id=elder_id,
        on=on,
        known_at=known_at,
        age=age_on(elder.born_on, on),
        level=None if assessed is None else assessed.level,
        score=None if assessed is None else assessed.score,
        assessed_on=None if assessed is None else assessed.assessed_on,
        facts=[_fact(name, elder, known.get(name), on) for name in history.NAMES],
        stays=sorted(s.kind for s in stays if s.covers(on)),
        purses=_purses(session, elder_id, on, until),
        visits=_visits(session, elder_id, Period.of(on), until),
    )


def _fact(name: str, elder: object, known: history.Known | None, on: date) -> FactAsOf:
    if known is not None:
        since = None if known.from_on == history.BEGINNING else known.from_on
        return FactAsOf(name, known.value, since, known.source)
    value = getattr(elder, name)
    since = getattr(elder, "status_from", None) if name == "status" else None
    if since is not None and on < since:
        return FactAsOf(name, "active", None, history.REGISTER)
    return FactAsOf(name, history.as_text(name, value), since, history.REGISTER)


def _purses(session: Session, elder_id: str, on: date, until: datetime) -> list[PurseAsOf]:
    """Return the purses that could be used on the day, as their transfers before an instant leave them."""
    rows = session.execute(
        select(Entitlement.__table__)
        .where(
            Entitlement.elder_id == elder_id,
            Entitlement.valid_from <= on,
            Entitlement.ends_on >= on,
        )
        .order_by(Entitlement.ends_on, Entitlement.account_id)
    ).all()
    found = []
    for e in rows:
        granted, used, held = _counters(session, e.account_id, until)
        if granted:
            found.append(
                PurseAsOf(
                    account_id=e.account_id,
                    programme_code=e.programme_code,
                    period=e.period,
                    unit=e.unit,
                    granted=granted,
                    used=used,
                    held=held,
                    left=granted - used - held,
                )
            )
    return found


def _counters(session: Session, account_id: str, until: datetime) -> tuple[int, int, int]:
    """Return what was granted, used and held of an account before an instant.

    What was taken back is not used any more, and was not granted twice.
    """
    t = LedgerTransfer.__table__.c
    moved = t.kind.in_(["post", "direct"])

    def total(*which: object) -> int:
        return int(session.scalar(select(func.sum(t.amount)).where(t.at < until, *which)) or 0)

    r = aliased(LedgerTransfer)
    resolved = exists().where(r.pending_id == t.id, r.at < until)
    held = total(t.debit_account == account_id, t.kind == "pending", ~resolved)
    given_back = total(t.credit_account == account_id, t.kind == "reversal")
    return (
        total(t.credit_account == account_id, moved),
        total(t.debit_account == account_id, moved) - given_back,
        held,
    )


def _visits(session: Session, elder_id: str, period: Period, until: datetime) -> list[VisitAsOf]:
    w, e = WorkOrder.__table__.c, WorkOrderEvent.__table__.c
    latest = (
        select(e.work_order_id, func.max(e.id).label("id"))
        .join(WorkOrder, w.id == e.work_order_id)
        .where(
            w.elder_id == elder_id,
            w.visit_on.between(period.first, period.last),
            e.at < until,
        )
        .group_by(e.work_order_id)
        .subquery()
    )
    rows = session.execute(
        select(
            w.id,
            w.visit_on,
            w.service_code,
            ServiceVersion.name_zh,
            ServiceVersion.name_en,
            w.price_fen,
            e.to_state,
        )
        .join(latest, latest.c.work_order_id == w.id)
        .join(ServiceVersion, ServiceVersion.id == w.service_version_id)
        .join(WorkOrderEvent, e.id == latest.c.id)
        .order_by(w.visit_on, w.id)
    )
    return [VisitAsOf(*r) for r in rows]
