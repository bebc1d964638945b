"""The monthly settlement: what was closed, each vendor's statement, who signed it, what was held back.

Statements and their lines are written once when a month closes and never change; a correction is a
line of a later month. How far a statement has come is what was signed on it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kernel.db import ID, Base, Instant
from marketplace.kernel.ids import new_id
from marketplace.kernel.immutable import freeze

STEPS = ("vendor_confirmed", "street_checked", "county_approved", "released")
"""The signatures of a statement, in their order."""


class SettlementRun(Base):
    """One month of one district, closed once. ``sha256`` is over its statements' hashes in order."""

    __tablename__ = "settlement_run"
    __table_args__ = (UniqueConstraint("period", "district_code"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    period: Mapped[str] = mapped_column(String(7))
    district_code: Mapped[str] = mapped_column(String(6))
    closed_at: Mapped[datetime] = mapped_column(Instant)
    closed_by: Mapped[str] = mapped_column(ID)
    statements: Mapped[int]
    lines: Mapped[int]
    held: Mapped[int]
    total_fen: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))


class Statement(Base):
    """结算单: one vendor's month in one district. Totals are in fen and may be negative.

    ``payable_fen`` is what the bureau pays, ``outside_fen`` what outside payers owe, ``own_fen`` what
    elders owe; ``by_programme`` gives each payer's part. ``holdback_fen`` of the payable waits for the
    quarter's quality score.
    """

    __tablename__ = "statement"
    __table_args__ = (
        UniqueConstraint("period", "vendor_id", "district_code"),
        CheckConstraint("total_fen = payable_fen + outside_fen + own_fen", name="total"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("settlement_run.id"), index=True)
    period: Mapped[str] = mapped_column(String(7))
    vendor_id: Mapped[str] = mapped_column(ForeignKey("vendor.id"), index=True)
    vendor_name: Mapped[str] = mapped_column(String(80))
    district_code: Mapped[str] = mapped_column(String(6))
    lines: Mapped[int]
    total_fen: Mapped[int] = mapped_column(BigInteger)
    payable_fen: Mapped[int] = mapped_column(BigInteger)
    outside_fen: Mapped[int] = mapped_column(BigInteger)
    own_fen: Mapped[int] = mapped_column(BigInteger)
    holdback_fen: Mapped[int] = mapped_column(BigInteger)
    by_programme: Mapped[dict[str, int]] = mapped_column(JSON)
    sha256: Mapped[str] = mapped_column(String(64))


class StatementLine(Base):
    """One work order on a statement; ``kind``: visit, fee or reversal. Each at most once, ever."""

    __tablename__ = "statement_line"
    __table_args__ = (
        UniqueConstraint("work_order_id", "kind"),
        CheckConstraint("kind IN ('visit', 'fee', 'reversal')", name="kind"),
    )

    statement_id: Mapped[str] = mapped_column(ForeignKey("statement.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_order.id"))
    visit_id: Mapped[str | None] = mapped_column(ID)
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"))
    service_code: Mapped[str] = mapped_column(String(8))
    visit_on: Mapped[date]
    origin_period: Mapped[str] = mapped_column(String(7))
    minutes: Mapped[int]
    total_fen: Mapped[int] = mapped_column(BigInteger)
    by_programme: Mapped[dict[str, int]] = mapped_column(JSON)


class SettlementHeld(Base):
    """A work order that a closing left out, with the reason that its vendor can answer."""

    __tablename__ = "settlement_held"

    run_id: Mapped[str] = mapped_column(ForeignKey("settlement_run.id"), primary_key=True)
    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_order.id"), primary_key=True)
    vendor_id: Mapped[str | None] = mapped_column(ForeignKey("vendor.id"), index=True)
    reason: Mapped[str] = mapped_column(String(30))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)


class HeldAnswer(Base):
    """What a vendor answered to a held work order; answers add up, none is changed."""

    __tablename__ = "held_answer"
    __table_args__ = (
        ForeignKeyConstraint(
            ["run_id", "work_order_id"],
            ["settlement_held.run_id", "settlement_held.work_order_id"],
            name="fk_held_answer_held",
        ),
        Index("ix_held_answer_of", "run_id", "work_order_id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    run_id: Mapped[str] = mapped_column(ID)
    work_order_id: Mapped[str] = mapped_column(ID)
    at: Mapped[datetime] = mapped_column(Instant)
    by: Mapped[str] = mapped_column(ID)
    text: Mapped[str] = mapped_column(String(500))
    text_sha256: Mapped[str] = mapped_column(String(64))


class StatementSignature(Base):
    """One step of a statement's way: who signed, in which role, over which content.

    A step needs the one before it (``previous``); approval and release are by two persons.
    """

    __tablename__ = "statement_signature"
    __table_args__ = (
        ForeignKeyConstraint(
            ["statement_id", "previous"],
            ["statement_signature.statement_id", "statement_signature.number"],
            name="fk_statement_signature_previous",
        ),
        CheckConstraint("number BETWEEN 1 AND 4", name="number"),
        CheckConstraint(
            "(number = 1 AND previous IS NULL) OR previous = number - 1", name="in_order"
        ),
        UniqueConstraint("statement_id", "by"),
    )

    statement_id: Mapped[str] = mapped_column(ForeignKey("statement.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    previous: Mapped[int | None]
    step: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(Instant)
    by: Mapped[str] = mapped_column(ID)
    role: Mapped[str] = mapped_column(String(20))
    note: Mapped[str] = mapped_column(String(200), default="")
    content_sha256: Mapped[str] = mapped_column(String(64))


class SampleResult(Base):
    """What the county found of one sampled line, in the field or by telephone; written once.

    ``way``: ``field`` or ``call``. ``outcome``: ``confirmed`` or ``doubtful``; what is doubtful has to
    be reversed before the statement is approved.
    """

    __tablename__ = "sample_result"
    __table_args__ = (
        ForeignKeyConstraint(
            ["statement_id", "number"],
            ["statement_line.statement_id", "statement_line.number"],
            name="fk_sample_result_line",
        ),
        CheckConstraint("way IN ('field', 'call')", name="way"),
        CheckConstraint("outcome IN ('confirmed', 'doubtful')", name="outcome"),
    )

    statement_id: Mapped[str] = mapped_column(ID, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    way: Mapped[str] = mapped_column(String(5), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(10))
    note: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column(Instant)
    by: Mapped[str] = mapped_column(ID)


class WithheldLine(Base):
    """A visit's line that the release of its statement did not pay: it was taken back before.

    The line of a later month that reverses it takes nothing away again.
    """

    __tablename__ = "withheld_line"
    __table_args__ = (
        ForeignKeyConstraint(
            ["statement_id", "number"],
            ["statement_line.statement_id", "statement_line.number"],
            name="fk_withheld_line_line",
        ),
        UniqueConstraint("work_order_id"),
    )

    statement_id: Mapped[str] = mapped_column(ID, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_order.id"))
    at: Mapped[datetime] = mapped_column(Instant)


class HoldbackStep(Base):
    """质量保证金: step 1 scores a vendor's quarter, step 2, by a second person, pays or keeps it.

    ``quarter`` as ``2026Q4``. ``percent`` of the quarter's holdback is paid, the rest goes back to the
    budgets that it came from. ``paid_fen`` and ``kept_fen`` are its sums.
    """

    __tablename__ = "holdback_step"
    __table_args__ = (
        ForeignKeyConstraint(
            ["quarter", "vendor_id", "district_code", "previous"],
            [
                "holdback_step.quarter",
                "holdback_step.vendor_id",
                "holdback_step.district_code",
                "holdback_step.number",
            ],
            name="fk_holdback_step_previous",
        ),
        UniqueConstraint("quarter", "vendor_id", "district_code", "by"),
        CheckConstraint(
            "(number = 1 AND previous IS NULL) OR (number = 2 AND previous = 1)", name="in_order"
        ),
        CheckConstraint("percent BETWEEN 0 AND 100 AND score BETWEEN 0 AND 100", name="score"),
    )

    quarter: Mapped[str] = mapped_column(String(6), primary_key=True)
    vendor_id: Mapped[str] = mapped_column(ForeignKey("vendor.id"), primary_key=True)
    district_code: Mapped[str] = mapped_column(String(6), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    previous: Mapped[int | None]
    score: Mapped[int]
    percent: Mapped[int]
    paid_fen: Mapped[int] = mapped_column(BigInteger)
    kept_fen: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column(Instant)
    by: Mapped[str] = mapped_column(ID)


class WriteOffStep(Base):
    """坏账核销: step 1 proposes to give up what a vendor owes, step 2, by a second person, does it.

    ``fen`` of the vendor's debt in one district, with the reason of each person.
    """

    __tablename__ = "write_off_step"
    __table_args__ = (
        ForeignKeyConstraint(
            ["id", "previous"],
            ["write_off_step.id", "write_off_step.number"],
            name="fk_write_off_step_previous",
        ),
        UniqueConstraint("id", "by"),
        CheckConstraint(
            "(number = 1 AND previous IS NULL) OR (number = 2 AND previous = 1)", name="in_order"
        ),
        CheckConstraint("fen > 0", name="fen"),
        Index("ix_write_off_step_vendor", "vendor_id", "district_code"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    previous: Mapped[int | None]
    vendor_id: Mapped[str] = mapped_column(ForeignKey("vendor.id"))
    district_code: Mapped[str] = mapped_column(String(6))
    fen: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column(Instant)
    by: Mapped[str] = mapped_column(ID)


for _model in (
    SettlementRun,
    Statement,
    StatementLine,
    SettlementHeld,
    HeldAnswer,
    StatementSignature,
    SampleResult,
    WithheldLine,
    HoldbackStep,
    WriteOffStep,
):
    freeze(_model.__table__)  # type: ignore[arg-type]
