"""Orders and work orders as an actor may see them; what is out of its fields is absent, not masked
in the page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, and_, or_, select, tuple_
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.elders.models import Elder
from marketplace.kernel.actor import Scope
from marketplace.kernel.crypto import Vault, mask_name
from marketplace.kernel.errors import BadInput, NotFound
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.models import LeftOut, Order, WorkOrder
from marketplace.orders.states import State
from marketplace.queries.papers import is_unread
from marketplace.queries.reach import work_orders_in
from marketplace.visits import service as visits
from marketplace.vouchers import service as vouchers
from vendors import offers

_BEFORE_ACCEPTANCE = (State.POOLED.value, State.OFFERED.value)


@dataclass(frozen=True, slots=True)
class Person:
    """Whose home it is. What the actor may not see is ``None``; the name is masked then."""

    id: str
    name: str
    phone: str | None = None
    address: str | None = None
    door_notes: str | None = None
    lat: float | None = None
    lng: float | None = None


@dataclass(frozen=True, slots=True)
class Going:
    """Who goes when; the times are instants."""

    caregiver_id: str
    starts_at: datetime
    ends_at: datetime
    locked: bool


@dataclass(frozen=True, slots=True)
class WorkOrderView:
    """One work order in a list. Windows are seconds from local midnight of ``visit_on``."""

    id: str
    order_id: str
    elder: Person
    visit_on: date
    window_start_s: int
    window_end_s: int
    state: str
    service_code: str
    service_zh: str
    service_en: str
    quantity: int
    service_s: int
    crew: int
    mode: str
    price_fen: int | None
    vendor_id: str | None
    town_code: str | None
    going: list[Going] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class WorkOrderPage:
    """A page of work orders; ``next`` asks for the one after it, ``None`` at the end."""

    items: list[WorkOrderView]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """One move of a work order's history."""

    at: datetime
    from_state: str | None
    to_state: str
    role: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class VisitView:
    """One caregiver's visit with its evidence, for those who may see it."""

    id: str
    caregiver_id: str
    check_in_at: datetime
    check_out_at: datetime | None
    verdict: str
    findings: list[dict[str, Any]] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class WorkOrderDetail:
    """One work order with its history and, as far as the actor may see them, money and visits."""

    work_order: WorkOrderView
    history: list[Move]
    shares: list[dict[str, Any]] | None
    visits: list[VisitView] | None
    left_out: dict[str, Any] | None


def work_order_page(
    session: Session,
    scope: Scope,
    *,
    vault: Vault,
    day: date | None = None,
    state: str | None = None,
    elder_id: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> WorkOrderPage:
    """Return a page of the work orders in scope, by day, window and id (keyset)."""
    w = WorkOrder
    wanted = [work_orders_in(scope)]
    if day is not None:
        wanted.append(w.visit_on == day)
    if state is not None:
        wanted.append(w.state == state)
    if elder_id is not None:
        wanted.append(w.elder_id == elder_id)
    if after is not None:
        on, start_s, id_ = _cursor(after)
        wanted.append(
            or_(
                w.visit_on > on,
                and_(w.visit_on == on, tuple_(w.window_start_s, w.id) > tuple_(start_s, id_)),
            )
        )
    rows = session.execute(
        select(WorkOrder.__table__)
        .where(*wanted)
        .order_by(w.visit_on, w.window_start_s, w.id)
        .limit(limit + 1)
    ).all()
    page = rows[:limit]
    last = page[-1] if len(rows) > limit else None
    following = None if last is None else _write_cursor(last)
    return WorkOrderPage(_views(session, page, scope, vault), following)


def _write_cursor(row: Row[Any]) -> str:
    text = f"{row.visit_on.isoformat()}|{row.window_start_s}|{row.id}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def _cursor(text: str) -> tuple[date, int, str]:
    try:
        on, start_s, id_ = base64.urlsafe_b64decode(text.encode()).decode().split("|", 2)
        return date.fromisoformat(on), min(int(start_s), 2**31 - 1), id_
    except (ValueError, binascii.Error, UnicodeError):
        raise BadInput(
            field="after", value=text[:80], expected="the next value of a page"
        ) from None


def _views(
    session: Session, rows: Sequence[Row[Any]], scope: Scope, vault: Vault
) -> list[WorkOrderView]:
    elders = {
        e.id: e
        for e in session.scalars(select(Elder).where(Elder.id.in_({r.elder_id for r in rows})))
    }
    names = {
        v.id: v
        for v in session.scalars(
            select(ServiceVersion).where(
                ServiceVersion.id.in_({r.service_version_id for r in rows})
            )
        )
    }
    crews = plans.assignments(session, [r.id for r in rows])
    return [
        _view(r, elders[r.elder_id], names[r.service_version_id], crews.get(r.id, []), scope, vault)
        for r in rows
    ]


def _view(
    row: Row[Any],
    elder: Elder,
    version: ServiceVersion,
    crew: Iterable[Row[Any]],
    scope: Scope,
    vault: Vault,
) -> WorkOrderView:
    accepted = row.state not in _BEFORE_ACCEPTANCE
    shown = scope.fields_once_accepted if accepted else scope.fields
    sees_price = "money" in shown or scope.vendor_id is not None
    return WorkOrderView(
        id=row.id,
        order_id=row.order_id,
        elder=_person(elder, shown, vault),
        visit_on=row.visit_on,
        window_start_s=row.window_start_s,
        window_end_s=row.window_end_s,
        state=row.state,
        service_code=row.service_code,
        service_zh=version.name_zh,
        service_en=version.name_en,
        quantity=row.quantity,
        service_s=row.service_s,
        crew=row.crew,
        mode=row.mode,
        price_fen=row.price_fen if sees_price else None,
        vendor_id=row.vendor_id,
        town_code=row.town_code,
        going=[Going(a.caregiver_id, a.starts_at, a.ends_at, a.locked) for a in crew],
    )


def _person(elder: Elder, shown: frozenset[str], vault: Vault) -> Person:
    address = "address" in shown
    phone = None
    if "phone" in shown and elder.phone_sealed is not None:
        phone = vault.open(elder.phone_sealed)
    return Person(
        id=elder.id,
        name=elder.name if "name" in shown else mask_name(elder.name),
        phone=phone,
        address=elder.address if address else None,
        door_notes=elder.door_notes if "door_notes" in shown else None,
        lat=elder.lat if address else None,
        lng=elder.lng if address else None,
    )


def work_order_detail(
    session: Session, scope: Scope, work_order_id: str, *, vault: Vault
) -> WorkOrderDetail:
    """Return one work order that the policy has let the actor see, in the fields of ``scope``."""
    row = orders.work_order(session, work_order_id)
    [view] = _views(session, [row], scope, vault)
    shown = scope.fields_once_accepted
    left = session.get(LeftOut, work_order_id)
    return WorkOrderDetail(
        work_order=view,
        history=[
            Move(e.at, e.from_state, e.to_state, e.role, e.reason)
            for e in orders.history(session, work_order_id)
        ],
        shares=_shares(session, work_order_id) if "money" in shown else None,
        visits=_visits(session, work_order_id, row.state) if "evidence" in shown else None,
        left_out=None
        if left is None
        else {
            "reason": left.reason,
            "remaining": left.remaining,
            "would_help": left.would_help,
        },
    )


def _shares(session: Session, work_order_id: str) -> list[dict[str, Any]]:
    try:
        return [asdict(s) for s in vouchers.shares_of(session, work_order_id)]
    except NotFound:
        return []


def _visits(session: Session, work_order_id: str, state: str) -> list[VisitView]:
    made = visits.of_work_order(session, work_order_id)
    proofs = {v.id: visits.evidence_of(session, v.id) for v in made}
    return [
        VisitView(
            id=v.id,
            caregiver_id=v.caregiver_id,
            check_in_at=v.check_in_at,
            check_out_at=v.check_out_at,
            verdict=v.verdict,
            findings=list(v.findings),
            evidence=[
                {
                    "id": e.id,
                    "kind": e.kind,
                    "method": e.method,
                    "at_device": e.at_device.isoformat(),
                    "received_at": e.received_at.isoformat(),
                    "offline": e.offline,
                    "note": e.note,
                    **e.facts,
                }
                for e in proofs[v.id]
            ],
        )
        for v in made
        if not any(is_unread(state, e.method) for e in proofs[v.id])
    ]


def ledger(session: Session, work_order_id: str) -> list[dict[str, Any]]:
    """Return every ledger transfer of a work order, oldest first."""
    return [asdict(e) for e in vouchers.entries_of(session, work_order_id)]


@dataclass(frozen=True, slots=True)
class OrderView:
    """What was bought, with the ids and states of its latest work orders."""

    id: str
    elder_id: str
    service_code: str
    state: str
    starts_on: date
    ends_on: date | None
    rrule: str | None
    skip_holidays: bool
    window_start_s: int
    window_end_s: int
    quantity: int
    vendor_id: str | None
    authority: str
    work_orders: list[dict[str, Any]] = field(default_factory=list)


def order_view(session: Session, order_id: str) -> OrderView:
    """Return one order with its latest fifty work orders, newest first."""
    row = session.get(Order, order_id)
    if row is None:
        raise NotFound(kind="order", id=order_id)
    made = session.execute(
        select(WorkOrder.id, WorkOrder.visit_on, WorkOrder.state)
        .where(WorkOrder.order_id == order_id)
        .order_by(WorkOrder.visit_on.desc(), WorkOrder.id)
        .limit(50)
    )
    return OrderView(
        id=row.id,
        elder_id=row.elder_id,
        service_code=row.service_code,
        state=row.state,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        rrule=row.rrule,
        skip_holidays=row.skip_holidays,
        window_start_s=row.window_start_s,
        window_end_s=row.window_end_s,
        quantity=row.quantity,
        vendor_id=row.vendor_id,
        authority=row.authority,
        work_orders=[
            {"id": m.id, "visit_on": m.visit_on.isoformat(), "state": m.state} for m in made
        ],
    )


@dataclass(frozen=True, slots=True)
class OfferView:
    """A job offer; whose home it is comes with acceptance."""

    id: str
    work_order_id: str
    vendor_id: str
    state: str
    offered_at: datetime
    offer_deadline_at: datetime
    reason: str | None


def offers_of(session: Session, scope: Scope, work_order_id: str) -> list[OfferView]:
    """Return the offers of a work order, a vendor's own only where the scope is a vendor's."""
    return [
        OfferView(
            o.id, o.work_order_id, o.vendor_id, o.state, o.offered_at, o.offer_deadline_at, o.reason
        )
        for o in offers.of_work_order(session, work_order_id)
        if scope.vendor_id in (None, o.vendor_id)
    ]


def open_offer_page(
    session: Session, scope: Scope, *, after: str | None = None, limit: int = 50
) -> list[OfferView]:
    """Return open offers in scope by deadline and id; ``after`` is the last id of the page before."""
    o = offers.OFFER.c
    wanted = [o.state == "open"]
    if scope.vendor_id is not None:
        wanted.append(o.vendor_id == scope.vendor_id)
    if after is not None:
        last = session.execute(select(o.offer_deadline_at, o.id).where(o.id == after)).first()
        if last is None:
            raise BadInput(field="after", value=after[:80], expected="the id of an offer")
        wanted.append(
            or_(
                o.offer_deadline_at > last.offer_deadline_at,
                and_(o.offer_deadline_at == last.offer_deadline_at, o.id > last.id),
            )
        )
    rows = session.execute(
        select(offers.OFFER).where(*wanted).order_by(o.offer_deadline_at, o.id).limit(limit)
    )
    return [
        OfferView(
            r.id, r.work_order_id, r.vendor_id, r.state, r.offered_at, r.offer_deadline_at, r.reason
        )
        for r in rows
    ]
