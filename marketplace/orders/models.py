"""Orders, work orders, their history, assignments and the day's planning runs."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kernel.db import ID, Base, Instant
from marketplace.kernel.ids import new_id
from marketplace.kernel.immutable import freeze

SERIAL = BigInteger().with_variant(Integer, "sqlite")


class Order(Base):
    """What was bought: one service, on one date or by a recurrence rule.

    ``rrule`` is an RFC 5545 rule without DTSTART (``FREQ=WEEKLY;BYDAY=MO,TH``) or ``None`` for one
    date. ``generated_until`` is the last date for which work orders were made. ``authority`` says by
    what right someone else ordered: ``self``, ``family:<link>``, ``recording:<id>``, ``visit:<id>``,
    ``plan`` or ``import``. ``standing_since`` is when the named vendor took on the whole plan: from
    then on its work orders are made as accepted.
    """

    __tablename__ = "order_"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'paused', 'ended')", name="state"),
        CheckConstraint("window_start_s < window_end_s", name="window"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"), index=True)
    service_code: Mapped[str] = mapped_column(ForeignKey("service.code"))
    channel: Mapped[str] = mapped_column(String(20))
    placed_at: Mapped[datetime] = mapped_column(Instant)
    placed_by: Mapped[str] = mapped_column(ID)
    placed_role: Mapped[str] = mapped_column(String(20))
    authority: Mapped[str] = mapped_column(String(80))
    vendor_id: Mapped[str | None] = mapped_column(ForeignKey("vendor.id"))
    caregiver_id: Mapped[str | None] = mapped_column(ForeignKey("caregiver.id"))
    site_id: Mapped[str | None] = mapped_column(ForeignKey("site.id"))
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
    rrule: Mapped[str | None] = mapped_column(String(200))
    skip_holidays: Mapped[bool] = mapped_column(default=False)
    window_start_s: Mapped[int]
    window_end_s: Mapped[int]
    quantity: Mapped[int] = mapped_column(default=1)
    note: Mapped[str] = mapped_column(String(200), default="")
    state: Mapped[str] = mapped_column(String(10), default="active")
    standing_since: Mapped[datetime | None] = mapped_column(Instant)
    generated_until: Mapped[date | None]
    row_sha256: Mapped[str] = mapped_column(String(64), default="")


class WorkOrder(Base):
    """One dated visit: the unit of acceptance, dispatch and redemption.

    Facts that must not change later are copied here when it is made: price, service version, place.
    The window bounds the start of service, in seconds from local midnight of ``visit_on``, ends
    inclusive. ``version`` grows with each change; writers guard on it or on ``state``.
    ``is_stop`` is false for what is no stop of a day route (remote calls, services at a site, items
    billed by day, month, shift or night, projects).
    """

    __tablename__ = "work_order"
    __table_args__ = (
        UniqueConstraint("order_id", "visit_on", "window_start_s"),
        CheckConstraint("price_fen >= 0", name="price"),
        Index("ix_work_order_day", "visit_on", "state"),
        Index("ix_work_order_vendor_day", "vendor_id", "visit_on"),
        Index("ix_work_order_elder_day", "elder_id", "visit_on"),
        Index("ix_work_order_state", "state", "visit_on"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    order_id: Mapped[str] = mapped_column(ForeignKey("order_.id"))
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"))
    visit_on: Mapped[date]
    window_start_s: Mapped[int]
    window_end_s: Mapped[int]
    state: Mapped[str] = mapped_column(String(12))
    version: Mapped[int] = mapped_column(default=1)
    service_code: Mapped[str] = mapped_column(ForeignKey("service.code"))
    service_version_id: Mapped[str] = mapped_column(ForeignKey("service_version.id"))
    price_fen: Mapped[int]
    service_s: Mapped[int]
    crew: Mapped[int]
    quantity: Mapped[int] = mapped_column(default=1)
    category_code: Mapped[str] = mapped_column(String(4))
    skill_code: Mapped[str] = mapped_column(String(10))
    mode: Mapped[str] = mapped_column(String(10))
    time_class: Mapped[str] = mapped_column(String(20))
    is_stop: Mapped[bool]
    priority: Mapped[int] = mapped_column(default=1)
    lat: Mapped[float] = mapped_column(Float)
    lng: Mapped[float] = mapped_column(Float)
    district_code: Mapped[str] = mapped_column(String(6))
    town_code: Mapped[str | None] = mapped_column(String(9))
    vendor_named: Mapped[bool] = mapped_column(default=False)
    vendor_id: Mapped[str | None] = mapped_column(ForeignKey("vendor.id"))
    preferred_caregiver_id: Mapped[str | None] = mapped_column(ForeignKey("caregiver.id"))
    site_id: Mapped[str | None] = mapped_column(ForeignKey("site.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)


class WorkOrderEvent(Base):
    """The history of a work order: every move, never changed."""

    __tablename__ = "work_order_event"

    id: Mapped[int] = mapped_column(SERIAL, primary_key=True, autoincrement=True)
    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_order.id"), index=True)
    at: Mapped[datetime] = mapped_column(Instant)
    from_state: Mapped[str | None] = mapped_column(String(12))
    to_state: Mapped[str] = mapped_column(String(12))
    actor_id: Mapped[str] = mapped_column(ID)
    role: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(String(200))


class DispatchRun(Base):
    """One planning of a day: the problem it solved, the plan, the checker's verdict.

    ``problem`` and ``plan`` are the contract's JSON, gzip-compressed, so that any day can be replayed.
    """

    __tablename__ = "dispatch_run"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    day: Mapped[date] = mapped_column(index=True)
    started_at: Mapped[datetime] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    state: Mapped[str] = mapped_column(String(12))
    seed: Mapped[int]
    seconds: Mapped[float] = mapped_column(Float)
    tasks: Mapped[int]
    assigned: Mapped[int]
    violations: Mapped[int]
    totals: Mapped[dict[str, Any]] = mapped_column(JSON)
    problem: Mapped[bytes | None] = mapped_column(LargeBinary)
    plan: Mapped[bytes | None] = mapped_column(LargeBinary)


class Assignment(Base):
    """A caregiver and a time given to a work order. A crew of two has two rows with one start."""

    __tablename__ = "assignment"
    __table_args__ = (
        UniqueConstraint("work_order_id", "caregiver_id"),
        Index("ix_assignment_caregiver_start", "caregiver_id", "starts_at"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_order.id"))
    caregiver_id: Mapped[str] = mapped_column(ForeignKey("caregiver.id"))
    run_id: Mapped[str | None] = mapped_column(ForeignKey("dispatch_run.id"))
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    locked: Mapped[bool] = mapped_column(default=False)


class LeftOut(Base):
    """Why a work order has nobody, as the dispatcher's latest run found it."""

    __tablename__ = "left_out"

    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_order.id"), primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("dispatch_run.id"))
    reason: Mapped[str] = mapped_column(String(40))
    remaining: Mapped[dict[str, Any]] = mapped_column(JSON)
    would_help: Mapped[list[Any]] = mapped_column(JSON)


freeze(WorkOrderEvent.__table__)  # type: ignore[arg-type]
