"""The catalogue as people search it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import Category, Service, ServiceVersion
from marketplace.kernel.errors import NotFound


@dataclass(frozen=True, slots=True)
class CategoryView:
    """A category and how many services it has in force."""

    code: str
    name_zh: str
    name_en: str
    services: int


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service as it is sold on a day. ``price_fen`` in fen for one ``unit``."""

    code: str
    category_code: str
    category_zh: str
    category_en: str
    name_zh: str
    name_en: str
    unit: str
    duration_min: int
    price_fen: int
    caregivers: int
    skill_code: str
    mode: str
    time_class: str
    subsidised: bool
    valid_from: date


def _in_force(on: date) -> Select[tuple[ServiceVersion, Category]]:
    newest = (
        select(ServiceVersion.service_code, func.max(ServiceVersion.valid_from).label("since"))
        .where(ServiceVersion.valid_from <= on)
        .group_by(ServiceVersion.service_code)
        .subquery()
    )
    return (
        select(ServiceVersion, Category)
        .join(
            newest,
            (newest.c.service_code == ServiceVersion.service_code)
            & (newest.c.since == ServiceVersion.valid_from),
        )
        .join(Service, Service.code == ServiceVersion.service_code)
        .join(Category, Category.code == Service.category_code)
        .where(ServiceVersion.withdrawn.is_(False))
    )


def _view(v: ServiceVersion, c: Category) -> ServiceView:
    return ServiceView(
        code=v.service_code,
        category_code=c.code,
        category_zh=c.name_zh,
        category_en=c.name_en,
        name_zh=v.name_zh,
        name_en=v.name_en,
        unit=v.unit,
        duration_min=v.duration_min,
        price_fen=v.price_fen,
        caregivers=v.caregivers,
        skill_code=v.skill_code,
        mode=v.mode,
        time_class=v.time_class,
        subsidised=v.subsidised,
        valid_from=v.valid_from,
    )


def search(
    session: Session, text: str = "", *, on: date, category: str | None = None, limit: int = 50
) -> list[ServiceView]:
    """Return services in force that match, best first: one statement.

    Matches a part of the Chinese name, of the pinyin or its initials, every word of an English name, or
    the start of the code. A name that begins with the text comes before one that contains it.
    """
    query = _in_force(on)
    if category:
        query = query.where(Category.code == category)
    text = text.strip()
    if text:
        letters = text.lower().replace(" ", "")
        name = func.lower(ServiceVersion.name_en)
        starts = or_(
            ServiceVersion.name_zh.startswith(text, autoescape=True),
            ServiceVersion.initials.startswith(letters, autoescape=True),
            ServiceVersion.pinyin.startswith(letters, autoescape=True),
            name.startswith(text.lower(), autoescape=True),
            func.lower(ServiceVersion.service_code).startswith(letters, autoescape=True),
        )
        query = query.where(
            or_(
                starts,
                ServiceVersion.name_zh.contains(text, autoescape=True),
                ServiceVersion.initials.contains(letters, autoescape=True),
                ServiceVersion.pinyin.contains(letters, autoescape=True),
                and_(*(name.contains(word, autoescape=True) for word in text.lower().split())),
            )
        ).order_by(case((starts, 0), else_=1))
    query = query.order_by(Category.position, ServiceVersion.service_code).limit(limit)
    return [_view(v, c) for v, c in session.execute(query)]


def service(session: Session, code: str, *, on: date) -> ServiceView:
    """Return one service as it is sold on a day; raises ``NotFound``."""
    row = session.execute(_in_force(on).where(ServiceVersion.service_code == code)).first()
    if row is None:
        raise NotFound(field="service_code", kind_of="service", id=code)
    return _view(*row)


def names(session: Session, codes: Collection[str], *, on: date) -> dict[str, tuple[str, str]]:
    """Return the Chinese and English names of services as they are called on a day, by code."""
    wanted = _in_force(on).where(ServiceVersion.service_code.in_(list(codes)))
    return {
        version.service_code: (version.name_zh, version.name_en)
        for version, _category in session.execute(wanted)
    }


def categories(session: Session, *, on: date) -> list[CategoryView]:
    """Return the categories in their order, with the number of services in force."""
    in_force = _in_force(on).subquery()
    counted = (
        select(Service.category_code, func.count())
        .join(in_force, in_force.c.service_code == Service.code)
        .group_by(Service.category_code)
    )
    counts = {row[0]: row[1] for row in session.execute(counted)}
    return [
        CategoryView(c.code, c.name_zh, c.name_en, counts.get(c.code, 0))
        for c in session.scalars(select(Category).order_by(Category.position))
    ]
