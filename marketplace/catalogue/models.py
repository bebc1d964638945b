"""Categories, services and their effective-dated versions."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kernel.db import ID, Base
from marketplace.kernel.ids import new_id


class Category(Base):
    """One of the 11 categories, such as 助浴."""

    __tablename__ = "category"

    code: Mapped[str] = mapped_column(String(4), primary_key=True)
    name_zh: Mapped[str] = mapped_column(String(40))
    name_en: Mapped[str] = mapped_column(String(80))
    position: Mapped[int]


class Service(Base):
    """A service by its lasting code. What it costs and needs stands in its versions."""

    __tablename__ = "service"

    code: Mapped[str] = mapped_column(String(8), primary_key=True)
    category_code: Mapped[str] = mapped_column(ForeignKey("category.code"), index=True)


class ServiceVersion(Base):
    """What a service is from ``valid_from`` on, until its next version; ``withdrawn`` ends it.

    ``unit`` is the billing unit (餐, 次, 小时, 天, 月 ...). ``mode``: home, site or remote.
    ``time_class``: meal_window, appointment, flexible_day or emergency. ``caregivers``: crew of 1 or 2.
    ``duration_min``: minutes of one caregiver for a typical visit. ``initials`` and ``pinyin`` are
    the Chinese name in lower-case letters without tones, for search.
    """

    __tablename__ = "service_version"
    __table_args__ = (
        UniqueConstraint("service_code", "valid_from"),
        CheckConstraint("price_fen >= 0", name="price"),
        CheckConstraint("duration_min > 0", name="duration"),
        CheckConstraint("caregivers BETWEEN 1 AND 4", name="caregivers"),
        CheckConstraint("mode IN ('home', 'site', 'remote')", name="mode"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    service_code: Mapped[str] = mapped_column(ForeignKey("service.code"), index=True)
    valid_from: Mapped[date]
    withdrawn: Mapped[bool] = mapped_column(default=False)
    name_zh: Mapped[str] = mapped_column(String(80))
    name_en: Mapped[str] = mapped_column(String(120))
    initials: Mapped[str] = mapped_column(String(80))
    pinyin: Mapped[str] = mapped_column(String(300))
    unit: Mapped[str] = mapped_column(String(10))
    price_fen: Mapped[int]
    duration_min: Mapped[int]
    caregivers: Mapped[int]
    skill_code: Mapped[str] = mapped_column(String(10))
    mode: Mapped[str] = mapped_column(String(10))
    time_class: Mapped[str] = mapped_column(String(20))
    subsidised: Mapped[bool]
