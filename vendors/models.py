"""Vendors, licences, sites, caregivers, certificates, shifts, leave and job offers."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import (
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kernel.db import ID, Base, Instant
from marketplace.kernel.ids import new_id
from marketplace.kernel.immutable import freeze


class Vendor(Base):
    """A service vendor. ``id`` is the register's number. ``uscc``: 统一社会信用代码.

    ``open_share`` is the fair share of open work orders that the bureau publishes (0 to 1).
    ``credit`` starts at 100 and loses points for no-shows and cancelled visits.
    """

    __tablename__ = "vendor"
    __table_args__ = (CheckConstraint("status IN ('active', 'suspended', 'left')", name="status"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    uscc: Mapped[str] = mapped_column(String(18), unique=True)
    size: Mapped[str] = mapped_column(String(10))
    phone: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(10), default="active")
    open_share: Mapped[float | None] = mapped_column(Float)
    daily_capacity: Mapped[int | None]
    credit: Mapped[int] = mapped_column(default=100)
    row_sha256: Mapped[str] = mapped_column(String(64), default="")
    updated_at: Mapped[datetime] = mapped_column(Instant)


class VendorCategory(Base):
    """A category that a vendor may serve."""

    __tablename__ = "vendor_category"

    vendor_id: Mapped[str] = mapped_column(ForeignKey("vendor.id"), primary_key=True)
    category_code: Mapped[str] = mapped_column(ForeignKey("category.code"), primary_key=True)


class VendorDistrict(Base):
    """A district that a vendor serves."""

    __tablename__ = "vendor_district"

    vendor_id: Mapped[str] = mapped_column(ForeignKey("vendor.id"), primary_key=True)
    district_code: Mapped[str] = mapped_column(String(6), primary_key=True)


class VendorLicence(Base):
    """A licence with its last valid day, such as 食品经营许可证 or 医疗机构执业许可证."""

    __tablename__ = "vendor_licence"
    __table_args__ = (UniqueConstraint("vendor_id", "kind", "number"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    vendor_id: Mapped[str] = mapped_column(ForeignKey("vendor.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    number: Mapped[str] = mapped_column(String(60))
    valid_from: Mapped[date]
    valid_until: Mapped[date]


class Site(Base):
    """A place run for elders: ``centre`` 居家养老服务中心, ``meal`` 助餐点, ``bath`` 助浴点, ``day_care``.

    Bases of caregivers, kitchens of meals, and where site services are given.
    """

    __tablename__ = "site"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), index=True)
    name: Mapped[str] = mapped_column(String(80))
    vendor_id: Mapped[str | None] = mapped_column(ForeignKey("vendor.id"))
    address: Mapped[str] = mapped_column(String(200))
    district_code: Mapped[str] = mapped_column(String(6), index=True)
    town_code: Mapped[str | None] = mapped_column(String(9))
    lat: Mapped[float] = mapped_column(Float)
    lng: Mapped[float] = mapped_column(Float)
    meals_ready_s: Mapped[int | None]
    row_sha256: Mapped[str] = mapped_column(String(64), default="")


class Caregiver(Base):
    """A person who goes. Leaves from and returns to ``base_site_id``.

    ``max_work_s``: service plus travel over a day. ``meal_capacity``: boxes on board, ``None`` where
    they carry none. The rest begins no earlier than ``rest_from_s`` and ends by ``rest_to_s``.
    """

    __tablename__ = "caregiver"
    __table_args__ = (CheckConstraint("status IN ('active', 'left')", name="status"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    vendor_id: Mapped[str] = mapped_column(ForeignKey("vendor.id"), index=True)
    name: Mapped[str] = mapped_column(String(40))
    gender: Mapped[str] = mapped_column(String(1))
    phone_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    phone_index: Mapped[str | None] = mapped_column(String(64), index=True)
    base_site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    max_work_s: Mapped[int | None]
    rest_from_s: Mapped[int | None]
    rest_to_s: Mapped[int | None]
    rest_s: Mapped[int | None]
    meal_capacity: Mapped[int | None]
    status: Mapped[str] = mapped_column(String(10), default="active")
    row_sha256: Mapped[str] = mapped_column(String(64), default="")
    updated_at: Mapped[datetime] = mapped_column(Instant)


class Certificate(Base):
    """A skill that a caregiver holds, with its first and last valid day."""

    __tablename__ = "certificate"
    __table_args__ = (UniqueConstraint("caregiver_id", "skill_code", "valid_from"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    caregiver_id: Mapped[str] = mapped_column(ForeignKey("caregiver.id"), index=True)
    skill_code: Mapped[str] = mapped_column(String(10))
    number: Mapped[str] = mapped_column(String(60))
    valid_from: Mapped[date]
    valid_until: Mapped[date]


class Shift(Base):
    """A stretch of one day in which a caregiver may be on the road; several a day do not overlap."""

    __tablename__ = "shift"
    __table_args__ = (
        UniqueConstraint("caregiver_id", "works_on", "starts_s"),
        CheckConstraint("starts_s < ends_s", name="order"),
        Index("ix_shift_day", "works_on"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    caregiver_id: Mapped[str] = mapped_column(ForeignKey("caregiver.id"))
    works_on: Mapped[date]
    starts_s: Mapped[int]
    ends_s: Mapped[int]


class Leave(Base):
    """Time in which a caregiver cannot work: booked leave, or illness reported in the day."""

    __tablename__ = "leave"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    caregiver_id: Mapped[str] = mapped_column(ForeignKey("caregiver.id"), index=True)
    from_at: Mapped[datetime] = mapped_column(Instant)
    to_at: Mapped[datetime] = mapped_column(Instant)
    reason: Mapped[str] = mapped_column(String(40))


class JobOffer(Base):
    """A work order offered to one vendor until a deadline. At most one offer of it is accepted.

    ``state``: open, accepted, declined, expired or closed (another won, or it was cancelled).
    """

    __tablename__ = "job_offer"
    __table_args__ = (
        CheckConstraint(
            "state IN ('open', 'accepted', 'declined', 'expired', 'closed')", name="state"
        ),
        Index(
            "uq_job_offer_accepted",
            "work_order_id",
            unique=True,
            sqlite_where=text("state = 'accepted'"),
            postgresql_where=text("state = 'accepted'"),
        ),
        Index("ix_job_offer_vendor_state", "vendor_id", "state"),
        Index("ix_job_offer_due", "state", "offer_deadline_at"),
        UniqueConstraint("work_order_id", "vendor_id", "round"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_order.id"), index=True)
    vendor_id: Mapped[str] = mapped_column(ForeignKey("vendor.id"))
    round: Mapped[int] = mapped_column(default=1)
    state: Mapped[str] = mapped_column(String(10), default="open")
    offered_at: Mapped[datetime] = mapped_column(Instant)
    offer_deadline_at: Mapped[datetime] = mapped_column(Instant)
    answered_at: Mapped[datetime | None] = mapped_column(Instant)
    reason: Mapped[str | None] = mapped_column(String(40))


class Suspension(Base):
    """A vendor taken off the market by civil affairs, from ``at`` until it is lifted.

    ``plans``: how many orders named the vendor and are open to any now. ``moved_at``: when its last
    work order had been looked at; ``None`` while some still wait for it.
    """

    __tablename__ = "vendor_suspension"
    __table_args__ = (
        Index(
            "uq_vendor_suspension_open",
            "vendor_id",
            unique=True,
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    vendor_id: Mapped[str] = mapped_column(ForeignKey("vendor.id"), index=True)
    reason: Mapped[str] = mapped_column(String(200))
    suspended_by: Mapped[str] = mapped_column(ID)
    at: Mapped[datetime] = mapped_column(Instant)
    plans: Mapped[int] = mapped_column(default=0)
    moved_at: Mapped[datetime | None] = mapped_column(Instant)
    lifted_at: Mapped[datetime | None] = mapped_column(Instant)
    lifted_by: Mapped[str | None] = mapped_column(ID)
    lift_reason: Mapped[str | None] = mapped_column(String(200))


class SuspensionMove(Base):
    """What became of one work order of a suspended vendor, written once.

    ``outcome``: ``offered`` (to ``to_vendor_id``, or to others that hold offers already), ``pooled``
    (the day's plan chooses) or ``stuck``, with ``why`` nobody can have it by itself.
    """

    __tablename__ = "suspension_move"
    __table_args__ = (
        CheckConstraint("outcome IN ('offered', 'pooled', 'stuck')", name="outcome"),
        CheckConstraint("(outcome = 'stuck') = (why <> '')", name="why"),
    )

    suspension_id: Mapped[str] = mapped_column(ForeignKey("vendor_suspension.id"), primary_key=True)
    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_order.id"), primary_key=True)
    elder_id: Mapped[str] = mapped_column(ID)
    visit_on: Mapped[date]
    outcome: Mapped[str] = mapped_column(String(10))
    why: Mapped[str] = mapped_column(String(40), default="")
    to_vendor_id: Mapped[str | None] = mapped_column(ForeignKey("vendor.id"))
    at: Mapped[datetime] = mapped_column(Instant)


freeze(SuspensionMove.__table__)  # type: ignore[arg-type]
