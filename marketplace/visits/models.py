"""Visits and their evidence.

The six facts of a visit (service, elder, caregiver, date, place, start and end) are not null in a
verified one. Evidence rows are append-only; their id is made on the caregiver's phone, so that a
late or repeated sending is one row.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Float, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kernel.db import ID, Base, Instant
from marketplace.kernel.immutable import freeze


class Visit(Base):
    """One caregiver's presence at one work order; a crew has one row for each member.

    ``verdict``: ``open`` (checked in), ``verified``, ``held`` (a rule asks for a person) or
    ``blocked``. ``findings`` lists the rules that spoke, with their facts.
    """

    __tablename__ = "visit"
    __table_args__ = (
        CheckConstraint("verdict IN ('open', 'verified', 'held', 'blocked')", name="verdict"),
        Index("ix_visit_work_order", "work_order_id", "caregiver_id", unique=True),
        Index("ix_visit_caregiver_day", "caregiver_id", "visit_on"),
        Index("ix_visit_elder_day", "elder_id", "visit_on"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_order.id"))
    caregiver_id: Mapped[str] = mapped_column(ForeignKey("caregiver.id"))
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"))
    service_code: Mapped[str] = mapped_column(ForeignKey("service.code"))
    visit_on: Mapped[date]
    lat: Mapped[float | None] = mapped_column(Float)
    lng: Mapped[float | None] = mapped_column(Float)
    check_in_at: Mapped[datetime] = mapped_column(Instant)
    check_out_at: Mapped[datetime | None] = mapped_column(Instant)
    verdict: Mapped[str] = mapped_column(String(10))
    findings: Mapped[list[Any]] = mapped_column(JSON, default=list)


class Evidence(Base):
    """One piece of evidence: a check-in, a check-out, a photo, a correction.

    ``method``: ``nfc``, ``home_code``, ``card``, ``gps_photo``, ``gps``, ``landline``, ``paper`` or
    ``manual``; their trust ranks stand in ``visits.rules``. ``at_device`` is the phone's own time.
    """

    __tablename__ = "evidence"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    visit_id: Mapped[str] = mapped_column(ForeignKey("visit.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    method: Mapped[str] = mapped_column(String(20))
    at_device: Mapped[datetime] = mapped_column(Instant)
    received_at: Mapped[datetime] = mapped_column(Instant)
    lat: Mapped[float | None] = mapped_column(Float)
    lng: Mapped[float | None] = mapped_column(Float)
    accuracy_m: Mapped[int | None]
    device_id: Mapped[str | None] = mapped_column(ID, index=True)
    offline: Mapped[bool] = mapped_column(default=False)
    by_account: Mapped[str] = mapped_column(ID)
    note: Mapped[str] = mapped_column(String(200), default="")
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


freeze(Evidence.__table__)  # type: ignore[arg-type]


class VisitPhoto(Base):
    """The picture behind a piece of photo evidence, sealed; never of a person being washed.

    The evidence row keeps its hash for good; the picture itself may be deleted when its time is over.
    """

    __tablename__ = "visit_photo"

    evidence_id: Mapped[str] = mapped_column(ForeignKey("evidence.id"), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class Correction(Base):
    """What a caregiver says a visit's times really were; a person decides, the first record stays.

    ``was_in_at`` and ``was_out_at`` copy the visit as it stood when the mistake was reported.
    """

    __tablename__ = "visit_correction"
    __table_args__ = (
        CheckConstraint("state IN ('asked', 'approved', 'refused')", name="state"),
        Index("ix_visit_correction_state", "state", "asked_at"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    visit_id: Mapped[str] = mapped_column(ForeignKey("visit.id"), index=True)
    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_order.id"))
    caregiver_id: Mapped[str] = mapped_column(ForeignKey("caregiver.id"), index=True)
    was_in_at: Mapped[datetime] = mapped_column(Instant)
    was_out_at: Mapped[datetime | None] = mapped_column(Instant)
    says_in_at: Mapped[datetime] = mapped_column(Instant)
    says_out_at: Mapped[datetime] = mapped_column(Instant)
    reason: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(10), default="asked")
    asked_at: Mapped[datetime] = mapped_column(Instant)
    asked_by: Mapped[str] = mapped_column(ID)
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
    decided_by: Mapped[str | None] = mapped_column(ID)
    decision: Mapped[str] = mapped_column(String(200), default="")
