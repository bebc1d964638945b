"""Read the packaged catalogue; publish versions into the database; never change a published one."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from importlib import resources
from io import StringIO

from pypinyin import Style, lazy_pinyin
from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import Category, Service, ServiceVersion
from marketplace.catalogue.rules import CategoryRow, ServiceRow
from marketplace.kernel.errors import DomainError
from marketplace.kernel.money import fen_from_yuan


class CatalogueFileBad(DomainError):
    """A row of the catalogue's file cannot be read. Facts: ``file``, ``line``, ``value``, ``expected``."""

    kind = "bad_input"


class VersionIsPublished(DomainError):
    """A published version was to be changed; a change takes a new date. Facts: ``code``, ``valid_from``."""

    kind = "conflict"


class ServiceNotInForce(DomainError):
    """No version of the service is in force on the day. Facts: ``code``, ``on``."""

    kind = "not_found"


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did."""

    categories: int
    new_versions: int
    unchanged: int


def packaged() -> tuple[list[CategoryRow], list[ServiceRow]]:
    """Return the catalogue that the product carries."""
    folder = resources.files("marketplace.catalogue") / "data"
    categories = [
        CategoryRow(r["code"], r["name_zh"], r["name_en"], int(r["position"]))
        for r in csv.DictReader(StringIO((folder / "categories.csv").read_text("utf-8")))
    ]
    return categories, read_services((folder / "services.csv").read_text("utf-8"), "services.csv")


def read_services(text: str, file: str) -> list[ServiceRow]:
    """Return the services of a CSV text; raises ``CatalogueFileBad`` naming line and field."""
    return [_row(r, file, n) for n, r in enumerate(csv.DictReader(StringIO(text)), start=2)]


def _row(raw: dict[str, str], file: str, line: int) -> ServiceRow:
    def take(name: str, parse: object, expected: str) -> object:
        value = (raw.get(name) or "").strip()
        try:
            return parse(value)  # type: ignore[operator]
        except (ValueError, KeyError) as exc:
            raise CatalogueFileBad(
                field=name, file=file, line=line, value=value, expected=expected
            ) from exc

    yes_no = {"Y": True, "N": False}.__getitem__
    return ServiceRow(
        code=str(take("code", str, "ZC001")),
        category_code=str(take("category_code", str, "ZC")),
        valid_from=take("valid_from", date.fromisoformat, "2026-01-01"),  # type: ignore[arg-type]
        name_zh=str(take("name_zh", str, "a name")),
        name_en=str(take("name_en", str, "a name")),
        unit=str(take("unit", str, "次")),
        duration_min=take("duration_min", int, "whole minutes"),  # type: ignore[arg-type]
        price_fen=take("price_yuan", fen_from_yuan, "yuan with at most two decimals"),  # type: ignore[arg-type]
        caregivers=take("caregivers", int, "1 or 2"),  # type: ignore[arg-type]
        skill_code=str(take("skill_code", str, "GEN")),
        mode=str(take("mode", str, "home")),
        subsidised=take("subsidised", yes_no, "Y or N"),  # type: ignore[arg-type]
        time_class=str(take("time_class", str, "appointment")),
    )


def publish(
    session: Session, categories: Sequence[CategoryRow], services: Sequence[ServiceRow]
) -> Published:
    """Add what is new, inside the caller's transaction; publishing the same again changes nothing.

    Raises ``VersionIsPublished`` when a row has a published code and date but other content: orders
    may have been sold with it.
    """
    known = set(session.scalars(select(Category.code)))
    for c in categories:
        if c.code not in known:
            session.add(
                Category(code=c.code, name_zh=c.name_zh, name_en=c.name_en, position=c.position)
            )
    session.flush()
    lasting = set(session.scalars(select(Service.code)))
    for s in services:
        if s.code not in lasting:
            session.add(Service(code=s.code, category_code=s.category_code))
            lasting.add(s.code)
    session.flush()
    versions = {(v.service_code, v.valid_from): v for v in session.scalars(select(ServiceVersion))}
    new = 0
    for s in services:
        published = versions.get((s.code, s.valid_from))
        values = _version_values(s)
        if published is None:
            session.add(ServiceVersion(**values))
            new += 1
        elif any(getattr(published, k) != v for k, v in values.items()):
            raise VersionIsPublished(code=s.code, valid_from=s.valid_from.isoformat())
    session.flush()
    return Published(len(categories) - len(known), new, len(services) - new)


def _version_values(row: ServiceRow) -> dict[str, object]:
    syllables = lazy_pinyin(row.name_zh, errors="ignore")
    letters = lazy_pinyin(row.name_zh, style=Style.FIRST_LETTER, errors="ignore")
    columns = {f.name for f in fields(ServiceRow)} - {"code", "category_code"}
    return {
        "service_code": row.code,
        "initials": "".join(letters).lower(),
        "pinyin": "".join(syllables).lower(),
        **{k: v for k, v in asdict(row).items() if k in columns},
    }


def version_in_force(session: Session, code: str, on: date) -> ServiceVersion:
    """Return the version of a service in force on a day; raises ``ServiceNotInForce``."""
    version = session.scalars(
        select(ServiceVersion)
        .where(ServiceVersion.service_code == code, ServiceVersion.valid_from <= on)
        .order_by(ServiceVersion.valid_from.desc())
        .limit(1)
    ).first()
    if version is None or version.withdrawn:
        raise ServiceNotInForce(field="service_code", code=code, on=on.isoformat())
    return version


def versions_in_force(session: Session, on: date) -> dict[str, ServiceVersion]:
    """Return every service in force on a day by its code: for bulk work, two statements in all."""
    latest: dict[str, ServiceVersion] = {}
    for v in session.scalars(
        select(ServiceVersion)
        .where(ServiceVersion.valid_from <= on)
        .order_by(ServiceVersion.valid_from)
    ):
        latest[v.service_code] = v
    return {code: v for code, v in latest.items() if not v.withdrawn}
