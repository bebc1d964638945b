"""Visits and their evidence.

The six facts of a visit (service, elder, caregiver, date, place, start and end) are not null in a
verified one. Evidence rows are append-only; their id is made on the caregiver's phone, so that a
late or repeated sending is one row.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Float, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kernel.db import ID, Base, Instant
from marketplace.kernel.ids import new_id
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


class ElderCard(Base):
    """What an elder without a smartphone shows: a card with a number, or a sheet of printed codes.

    Only keyed hashes are kept; ``tail`` is the end of a card's number, to tell cards apart. A revoked
    card stays, so that whoever shows it is told why.
    """

    __tablename__ = "elder_card"
    __table_args__ = (
        CheckConstraint("kind IN ('card', 'sheet')", name="kind"),
        CheckConstraint("(kind = 'card') = (number_index IS NOT NULL)", name="number"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revoked"),
        Index(
            "uq_elder_card_number",
            "number_index",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    number_index: Mapped[str | None] = mapped_column(String(64))
    tail: Mapped[str] = mapped_column(String(4), default="")
    issued_at: Mapped[datetime] = mapped_column(Instant)
    issued_by: Mapped[str] = mapped_column(ID)
    valid_until: Mapped[date]
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_by: Mapped[str | None] = mapped_column(ID)
    revoke_reason: Mapped[str | None] = mapped_column(String(200))


class CardCode(Base):
    """One printed code of a sheet, good for one visit: the first that shows it has it."""

    __tablename__ = "card_code"
    __table_args__ = (
        CheckConstraint("(used_at IS NULL) = (used_for IS NULL)", name="used"),
        Index("ix_card_code_card", "card_id", "position", unique=True),
    )

    code_index: Mapped[str] = mapped_column(String(64), primary_key=True)
    card_id: Mapped[str] = mapped_column(ForeignKey("elder_card.id"))
    position: Mapped[int]
    used_at: Mapped[datetime | None] = mapped_column(Instant)
    used_for: Mapped[str | None] = mapped_column(ForeignKey("work_order.id"))


class PaperSlip(Base):
    """A paper record of a visit, typed in twice by two people who do not see each other's typing.

    ``state``: ``first`` (waits for the second), ``same`` or ``differs``, in ``fields``.
    """

    __tablename__ = "paper_slip"
    __table_args__ = (
        CheckConstraint("second_by IS NULL OR second_by <> first_by", name="four_eyes"),
        CheckConstraint("state IN ('first', 'same', 'differs')", name="state"),
        CheckConstraint("(state = 'first') = (second_by IS NULL)", name="second"),
    )

    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_order.id"), primary_key=True)
    slip_no: Mapped[str] = mapped_column(String(40), unique=True)
    state: Mapped[str] = mapped_column(String(10), default="first")
    first: Mapped[dict[str, Any]] = mapped_column(JSON)
    first_by: Mapped[str] = mapped_column(ID)
    first_at: Mapped[datetime] = mapped_column(Instant)
    second: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    second_by: Mapped[str | None] = mapped_column(ID)
    second_at: Mapped[datetime | None] = mapped_column(Instant)
    fields: Mapped[list[Any]] = mapped_column(JSON, default=list)


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
