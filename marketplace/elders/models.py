"""Elders, families, care assessments, consents and what the hotline owes them.

Identity numbers and phones are sealed (``kernel.crypto.Vault``) and found by their keyed hash.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
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
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kernel.db import ID, Base, Instant
from marketplace.kernel.ids import new_id
from marketplace.kernel.immutable import freeze


class IncomeClass(StrEnum):
    """收入类别. All but ``ordinary`` count as hard-pressed (``hard``) in the programmes."""

    TEKUN = "tekun"  # 特困分散供养
    DIBAO = "dibao"  # 低保
    DIBAO_EDGE = "dibao_edge"  # 低保边缘
    LOW = "low"  # 低收入
    ORDINARY = "ordinary"


UNKNOWN_GENDER = "U"
"""Of a caller whom no register has named yet."""


class Elder(Base):
    """A person served. ``id`` is the bureau's register number and never changes.

    A caller whom the hotline took on keeps the provisional ``id``; ``register_id`` is the bureau's
    number of the same person once its register has named it.

    ``location_level`` says how well the coordinates are known: exact, community, town or district.
    ``special`` lists programme groups, comma-separated: ``tefu`` 计划生育特扶, ``youfu`` 重点优抚,
    ``severe_disability`` 重残, ``jizhong`` 集中照护补助, ``tisheng`` 提升行动, ``ltci`` 长护险在享,
    ``tekun_agreement`` 特困照料协议, ``bed`` 家庭养老床位.
    """

    __tablename__ = "elder"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'away', 'moved', 'dead')", name="status"),
        Index("ix_elder_area", "district_code", "town_code"),
        Index("uq_elder_register_id", "register_id", unique=True),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    initials: Mapped[str] = mapped_column(String(20), index=True)
    gender: Mapped[str] = mapped_column(String(1))
    born_on: Mapped[date]
    id_number_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    id_number_index: Mapped[str] = mapped_column(String(64), unique=True)
    phone_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    phone_index: Mapped[str | None] = mapped_column(String(64), index=True)
    address: Mapped[str] = mapped_column(String(200))
    district_code: Mapped[str] = mapped_column(String(6))
    town_code: Mapped[str | None] = mapped_column(String(9))
    community_code: Mapped[str | None] = mapped_column(String(12))
    lat: Mapped[float] = mapped_column(Float)
    lng: Mapped[float] = mapped_column(Float)
    location_level: Mapped[str] = mapped_column(String(10))
    hukou_local: Mapped[bool]
    income_class: Mapped[str] = mapped_column(String(12))
    lives_alone: Mapped[bool]
    special: Mapped[str] = mapped_column(String(120), default="")
    door_notes: Mapped[str] = mapped_column(String(200), default="")
    status: Mapped[str] = mapped_column(String(10), default="active")
    status_from: Mapped[date | None]
    row_sha256: Mapped[str] = mapped_column(String(64), default="")
    register_id: Mapped[str | None] = mapped_column(ID)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class Assessment(Base):
    """An ability assessment by GB/T 42195-2022: score 0-90 (higher is better) and level 0-4.

    ``level`` is the final level after the standard's upgrade rules, stored beside the score because
    the score alone does not determine it. Valid twelve months unless it says otherwise.
    """

    __tablename__ = "assessment"
    __table_args__ = (
        UniqueConstraint("elder_id", "assessed_on"),
        CheckConstraint("score BETWEEN 0 AND 90", name="score"),
        CheckConstraint("level BETWEEN 0 AND 4", name="level"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"), index=True)
    assessed_on: Mapped[date]
    valid_until: Mapped[date]
    score: Mapped[int]
    level: Mapped[int]
    assessor: Mapped[str] = mapped_column(String(80), default="")


class FamilyLink(Base):
    """A relative or proxy bound to an elder, and what the elder allowed them.

    ``powers``: comma-separated of ``order``, ``see_visits``, ``see_money``, ``cancel``.
    """

    __tablename__ = "family_link"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"), index=True)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("account.id"), index=True)
    name: Mapped[str] = mapped_column(String(40))
    relation: Mapped[str] = mapped_column(String(20))
    phone_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    phone_index: Mapped[str | None] = mapped_column(String(64), index=True)
    powers: Mapped[str] = mapped_column(String(60))
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class Consent(Base):
    """A consent for one purpose, withdrawable (PIPL art. 29): rows are ended, never deleted.

    ``purpose``: one of ``elders.consents.PURPOSES``.
    """

    __tablename__ = "consent"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(30))
    given_at: Mapped[datetime] = mapped_column(Instant)
    given_by: Mapped[str] = mapped_column(String(40))
    text_version: Mapped[str] = mapped_column(String(20))
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant)


class LinkCode(Base):
    """A code that lets one relative link an account to an elder, once, within minutes.

    Only its keyed hash is kept. ``consent``: how the elder agreed (``home`` at their own page,
    ``voice:<recording>`` on the telephone). ``powers`` as in ``FamilyLink``.
    """

    __tablename__ = "link_code"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"), index=True)
    code_index: Mapped[str] = mapped_column(String(64), unique=True)
    powers: Mapped[str] = mapped_column(String(60))
    consent: Mapped[str] = mapped_column(String(80))
    made_at: Mapped[datetime] = mapped_column(Instant)
    made_by: Mapped[str] = mapped_column(ID)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
    used_by: Mapped[str | None] = mapped_column(ID)


class FollowUp(Base):
    """A call or a look that somebody owes an elder, until it has a result.

    ``kind``: ``call_back`` (questions on a visit), ``welfare`` (is the elder well?), ``complaint``
    (contact within a day) or ``ring_back`` (the caller asked for it). ``dedup_key`` makes a second
    opening of the same one harmless. ``result`` is empty while it waits; nobody reached moves
    ``due_at`` and counts in ``attempts``. ``answers`` are the call-back's, by question.
    """

    __tablename__ = "follow_up"
    __table_args__ = (
        UniqueConstraint("dedup_key"),
        CheckConstraint("kind IN ('call_back', 'welfare', 'complaint', 'ring_back')", name="kind"),
        Index("ix_follow_up_due", "result", "due_at"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(12))
    dedup_key: Mapped[str] = mapped_column(String(120))
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"), index=True)
    work_order_id: Mapped[str | None] = mapped_column(ForeignKey("work_order.id"), index=True)
    reason: Mapped[str] = mapped_column(String(40))
    note: Mapped[str] = mapped_column(String(400), default="")
    made_at: Mapped[datetime] = mapped_column(Instant)
    made_by: Mapped[str] = mapped_column(ID)
    due_at: Mapped[datetime] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(default=0)
    result: Mapped[str] = mapped_column(String(20), default="")
    result_note: Mapped[str] = mapped_column(String(400), default="")
    answers: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    done_at: Mapped[datetime | None] = mapped_column(Instant)
    done_by: Mapped[str | None] = mapped_column(ID)


class ElderFact(Base):
    """One fact of an elder from a day on, as one source reported it; rows are only ever added.

    A fact that never changed has no row: then the register's column holds for all days. The first
    change adds two rows, the old value from ``BEGINNING`` on and the new one from its day on. ``value``
    is text: ``Y`` and ``N`` for yes and no, tags joined by commas.
    """

    __tablename__ = "elder_fact"
    __table_args__ = (
        CheckConstraint(
            "name IN ('status', 'address', 'hukou_local', 'income_class', 'lives_alone', 'special')",
            name="name",
        ),
        Index("ix_elder_fact_elder", "elder_id", "name", "from_on"),
        Index("ix_elder_fact_from", "from_on"),
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"))
    name: Mapped[str] = mapped_column(String(20))
    value: Mapped[str] = mapped_column(String(200))
    from_on: Mapped[date]
    source: Mapped[str] = mapped_column(String(80))
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    recorded_by: Mapped[str] = mapped_column(ID)


class ElderStay(Base):
    """A stay in a hospital or an institution. ``until_on``: the last day in it, ``None`` while it lasts."""

    __tablename__ = "elder_stay"
    __table_args__ = (
        UniqueConstraint("elder_id", "kind", "from_on"),
        CheckConstraint("kind IN ('hospital', 'institution')", name="kind"),
        CheckConstraint("until_on IS NULL OR until_on >= from_on", name="order"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"))
    kind: Mapped[str] = mapped_column(String(12))
    place: Mapped[str] = mapped_column(String(80), default="")
    from_on: Mapped[date]
    until_on: Mapped[date | None]
    source: Mapped[str] = mapped_column(String(80))
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class CrossCheckLine(Base):
    """A line of another authority's list that was taken, so that the same line never acts twice."""

    __tablename__ = "cross_check_line"

    feed: Mapped[str] = mapped_column(String(20), primary_key=True)
    row_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    run_id: Mapped[str] = mapped_column(ID, index=True)
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"), index=True)
    at: Mapped[datetime] = mapped_column(Instant)


class CrossCheckRun(Base):
    """One reading of another authority's list, with what came of it."""

    __tablename__ = "cross_check_run"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    feed: Mapped[str] = mapped_column(String(20), index=True)
    file: Mapped[str] = mapped_column(String(120))
    by_account: Mapped[str] = mapped_column(ID)
    at: Mapped[datetime] = mapped_column(Instant)
    applied: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    unknown: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)


class CrossCheckFlag(Base):
    """A visit that another authority's list speaks against, for a person; never judged by itself."""

    __tablename__ = "cross_check_flag"
    __table_args__ = (UniqueConstraint("work_order_id", "kind"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_order.id"))
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"), index=True)
    kind: Mapped[str] = mapped_column(String(30))
    run_id: Mapped[str] = mapped_column(ID)
    at: Mapped[datetime] = mapped_column(Instant)


class FileLook(Base):
    """Somebody looked into an elder's file. One row for a person, a part and ten minutes.

    ``what``: ``file``, ``visit``, ``photo``, ``money``, ``as_of``, or ``id_number``, which always has a
    ``reason``.
    """

    __tablename__ = "file_look"
    __table_args__ = (
        CheckConstraint("what <> 'id_number' OR reason <> ''", name="reason"),
        UniqueConstraint("slot"),
        Index("ix_file_look_elder", "elder_id", "at"),
        Index("ix_file_look_actor", "actor_id", "at"),
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    at: Mapped[datetime] = mapped_column(Instant)
    actor_id: Mapped[str] = mapped_column(ID)
    role: Mapped[str] = mapped_column(String(20))
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"))
    what: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(200), default="")
    slot: Mapped[str] = mapped_column(String(160))


class CaregiverRefusal(Base):
    """An elder or the family does not want one caregiver; withdrawn, it stays with its days."""

    __tablename__ = "caregiver_refusal"
    __table_args__ = (
        Index(
            "uq_caregiver_refusal_open",
            "elder_id",
            "caregiver_id",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
        Index("ix_caregiver_refusal_caregiver", "caregiver_id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    elder_id: Mapped[str] = mapped_column(ForeignKey("elder.id"))
    caregiver_id: Mapped[str] = mapped_column(ForeignKey("caregiver.id"))
    reason: Mapped[str] = mapped_column(String(200), default="")
    asked_by: Mapped[str] = mapped_column(ID)
    asked_role: Mapped[str] = mapped_column(String(20))
    asked_at: Mapped[datetime] = mapped_column(Instant)
    withdrawn_by: Mapped[str | None] = mapped_column(ID)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant)


freeze(FileLook.__table__)  # type: ignore[arg-type]
freeze(ElderFact.__table__)  # type: ignore[arg-type]
freeze(CrossCheckLine.__table__)  # type: ignore[arg-type]
freeze(CrossCheckFlag.__table__)  # type: ignore[arg-type]
