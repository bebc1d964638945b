"""Write the registers and orders to the files that the loader reads: a round trip changes nothing."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.elders.models import UNKNOWN_GENDER, Assessment, Elder
from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.db import transaction
from marketplace.kernel.ports import Ports
from marketplace.orders.models import Order
from marketplace.workflows.load import persons, supply
from marketplace.workflows.load.callers import read_callers
from marketplace.workflows.load.rows import (
    CaregiverRow,
    CertificateRow,
    ElderRow,
    FamilyRow,
    FileRow,
    LicenceRow,
    OrderFileRow,
    RefusalRow,
    ShiftRow,
    SiteRow,
    VendorRow,
)
from marketplace.workflows.load.run import Tick
from marketplace.workflows.policy import Action, require
from vendors.models import Caregiver, Site, Vendor, VendorCategory, VendorDistrict

_CLOCKS = {"starts", "ends", "rest_from", "rest_to", "meals_ready", "window_start", "window_end"}
_BATCH = 2_000


def cell(name: str, value: Any) -> str:
    """Return a field's value as the file writes it."""
    if value is None:
        return ""
    if name in _CLOCKS:
        return f"{value // 3600:02d}:{value % 3600 // 60:02d}"
    if name == "max_work_h":
        return f"{value / 3600:g}"
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return ";".join(value)
    if isinstance(value, float):
        return repr(value)
    return str(value)


def export(
    session: Session,
    ports: Ports,
    actor: Actor,
    folder: Path,
    *,
    reason: str,
    xlsx: bool = False,
    tick: Tick | None = None,
) -> Iterator[tuple[str, int]]:
    """Write each file and yield its name and number of rows. Who took it and why is recorded first."""
    require(actor, Action.LOAD)
    with transaction(session):
        audit.record(
            session,
            at=ports.clock.now(),
            actor=actor,
            action="export",
            subject_kind="register",
            subject_id="all",
            reason=reason,
        )
    folder.mkdir(parents=True, exist_ok=True)
    write = _write_xlsx if xlsx else _write_csv
    for name, model, rows in _files(session, ports):
        counted = _counted(rows, name, tick)
        total = write(folder, name, tuple(model.model_fields), counted)
        yield name, total
    session.rollback()


def _counted(rows: Iterable[FileRow], name: str, tick: Tick | None) -> Iterator[FileRow]:
    for n, row in enumerate(rows, start=1):
        if tick and n % 1_000 == 0:
            tick(name, 1_000)
        yield row


def _write_csv(folder: Path, name: str, columns: tuple[str, ...], rows: Iterable[FileRow]) -> int:
    written = 0
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(columns)
        for row in rows:
            out.writerow([cell(k, v) for k, v in row])
            written += 1
    return written


def _write_xlsx(folder: Path, name: str, columns: tuple[str, ...], rows: Iterable[FileRow]) -> int:
    written = 0
    book = Workbook(write_only=True)
    sheet = book.create_sheet(name)
    sheet.append(list(columns))
    for row in rows:
        sheet.append([_as_text(sheet, cell(k, v)) for k, v in row])
        written += 1
    book.save(folder / f"{name}.xlsx")
    return written


def _as_text(sheet: Any, text: str) -> Any:
    """Return a cell that no spreadsheet computes: a note that begins like a formula stays a note."""
    if not text.startswith("="):
        return text
    written = WriteOnlyCell(sheet, text)
    written.data_type = "s"
    return written


Files = Iterator[tuple[str, type[FileRow], Iterable[FileRow]]]


def _files(session: Session, ports: Ports) -> Files:
    yield "vendors", VendorRow, _vendors(session)
    yield "licences", LicenceRow, supply.licence_rows(session)
    yield "sites", SiteRow, _sites(session)
    yield "caregivers", CaregiverRow, _caregivers(session, ports)
    yield "certificates", CertificateRow, supply.certificate_rows(session)
    yield "shifts", ShiftRow, supply.shift_rows(session)
    yield "elders", ElderRow, _elders(session, ports)
    numbers = read_callers(session).theirs
    yield "families", FamilyRow, _numbered(persons.family_rows(session, ports), numbers)
    yield "refusals", RefusalRow, _numbered(persons.refusal_rows(session), numbers)
    yield "orders", OrderFileRow, _numbered(_orders(session), numbers)


def _numbered(rows: Iterable[FileRow], numbers: dict[str, str]) -> Iterator[FileRow]:
    """Yield rows about elders with the register's numbers, where ours differ."""
    for row in rows:
        number = numbers.get(row.elder_id)  # type: ignore[attr-defined]
        yield row if number is None else row.model_copy(update={"elder_id": number})


def _vendors(session: Session) -> Iterator[VendorRow]:
    districts: dict[str, list[str]] = {}
    for v, d in session.execute(select(VendorDistrict.vendor_id, VendorDistrict.district_code)):
        districts.setdefault(v, []).append(d)
    categories: dict[str, list[str]] = {}
    for v, c in session.execute(select(VendorCategory.vendor_id, VendorCategory.category_code)):
        categories.setdefault(v, []).append(c)
    for v in session.scalars(select(Vendor).order_by(Vendor.id)):
        yield VendorRow.model_construct(
            id=v.id,
            name=v.name,
            uscc=v.uscc,
            size=v.size,
            phone=v.phone,
            status=v.status,
            district_codes=tuple(sorted(districts.get(v.id, ()))),
            category_codes=tuple(sorted(categories.get(v.id, ()))),
            open_share=v.open_share,
            daily_capacity=v.daily_capacity,
        )


def _sites(session: Session) -> Iterator[SiteRow]:
    for s in session.scalars(select(Site).order_by(Site.id)):
        yield SiteRow.model_construct(
            id=s.id,
            kind=s.kind,
            name=s.name,
            vendor_id=s.vendor_id or "",
            address=s.address,
            lat=s.lat,
            lng=s.lng,
            meals_ready=s.meals_ready_s,
        )


def _opened(ports: Ports, sealed: bytes | None) -> str | None:
    return None if sealed is None else ports.vault.open(sealed)


def _caregivers(session: Session, ports: Ports) -> Iterator[CaregiverRow]:
    for c in session.scalars(select(Caregiver).order_by(Caregiver.id)):
        yield CaregiverRow.model_construct(
            id=c.id,
            vendor_id=c.vendor_id,
            name=c.name,
            gender=c.gender,
            phone=_opened(ports, c.phone_sealed),
            base_site_id=c.base_site_id,
            max_work_h=c.max_work_s,
            rest_from=c.rest_from_s,
            rest_to=c.rest_to_s,
            rest_min=None if c.rest_s is None else c.rest_s // 60,
            meal_capacity=c.meal_capacity,
            status=c.status,
        )


def _elders(session: Session, ports: Ports) -> Iterator[ElderRow]:
    after = ""
    while True:
        batch = session.scalars(
            select(Elder)
            # The bureau's list holds nobody whom it has not named; the callers wait for that.
            .where(Elder.id > after, Elder.gender != UNKNOWN_GENDER)
            .order_by(Elder.id)
            .limit(_BATCH)
        ).all()
        if not batch:
            return
        ids = [e.id for e in batch]
        latest: dict[str, Assessment] = {}
        for a in session.scalars(
            select(Assessment).where(Assessment.elder_id.in_(ids)).order_by(Assessment.assessed_on)
        ):
            latest[a.elder_id] = a
        for e in batch:
            yield _elder(e, latest.get(e.id), ports)
        after = ids[-1]
        session.expunge_all()


def _elder(e: Elder, a: Assessment | None, ports: Ports) -> ElderRow:
    # Coordinates that the gazetteer gave are left out, so that a better gazetteer can give better.
    exact = e.location_level == "exact"
    return ElderRow.model_construct(
        id=e.register_id or e.id,
        name=e.name,
        gender=e.gender,
        born_on=e.born_on,
        id_number=ports.vault.open(e.id_number_sealed),
        phone=_opened(ports, e.phone_sealed),
        address=e.address,
        lat=e.lat if exact else None,
        lng=e.lng if exact else None,
        hukou_local=e.hukou_local,
        income_class=e.income_class,
        lives_alone=e.lives_alone,
        special=tuple(s for s in e.special.split(",") if s),
        door_notes=e.door_notes,
        status=e.status,
        assessed_on=a.assessed_on if a else None,
        score=a.score if a else None,
        level=a.level if a else None,
    )


def _orders(session: Session) -> Iterator[OrderFileRow]:
    for o in session.scalars(select(Order).order_by(Order.id).execution_options(yield_per=_BATCH)):
        yield OrderFileRow.model_construct(
            id=o.id,
            elder_id=o.elder_id,
            service_code=o.service_code,
            starts_on=o.starts_on,
            ends_on=o.ends_on,
            rrule=o.rrule or "",
            skip_holidays=o.skip_holidays,
            window_start=o.window_start_s,
            window_end=o.window_end_s,
            vendor_id=o.vendor_id or "",
            caregiver_id=o.caregiver_id or "",
            site_id=o.site_id or "",
            quantity=o.quantity,
            note=o.note,
        )
