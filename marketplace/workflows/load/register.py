"""How the rows of each file stand in the database: what is known, what a row becomes, how it is written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from geopy.distance import great_circle
from pypinyin import Style, lazy_pinyin
from sqlalchemy import Table, delete, select, update
from sqlalchemy.orm import Session

from marketplace.catalogue.models import Category
from marketplace.elders import history, witness
from marketplace.elders.models import Assessment, CaregiverRefusal, Elder, FamilyLink
from marketplace.kernel.bulk import upsert
from marketplace.kernel.db import Base
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Located, Ports
from marketplace.workflows.load.callers import Callers, settled, with_ours
from marketplace.workflows.load.refusals import RowRefused
from marketplace.workflows.load.rows import (
    CaregiverRow,
    CertificateRow,
    ElderRow,
    FamilyRow,
    FileRow,
    LicenceRow,
    RefusalRow,
    ShiftRow,
    SiteRow,
    VendorRow,
)
from vendors import suspensions
from vendors.models import (
    Caregiver,
    Certificate,
    Shift,
    Site,
    Vendor,
    VendorCategory,
    VendorDistrict,
    VendorLicence,
)

_FAR_KM = 60.0
"""Farther from where its address lies than any two places of one district: a wrong coordinate."""

Values = dict[str, Any]


def sha(row: FileRow) -> str:
    """Return the hash of a row's content, by which an unchanged row is known."""
    text = "\x1f".join(f"{k}={v}" for k, v in row)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Context:
    """What one run knows. ``known``: ids that rows may name, by kind, stored or accepted before."""

    session: Session
    ports: Ports
    now: datetime
    today: date
    known: dict[str, set[str]] = field(default_factory=dict)
    people: dict[bytes, str] = field(default_factory=dict)
    shifts: dict[tuple[str, date], list[tuple[int, int]]] = field(default_factory=dict)
    located: dict[str, Located | None] = field(default_factory=dict)
    placed: dict[str, str] = field(default_factory=dict)
    callers: Callers = field(default_factory=Callers)

    def require(self, kind: str, name: str, value: str) -> None:
        """Refuse a row that names what is neither stored nor loaded before it."""
        if value not in self.known[kind]:
            raise RowRefused(name, f"unknown_{kind}", value, f"known_{kind}")

    def locate(self, row: SiteRow | ElderRow) -> Located:
        """Return where a row's address lies; its own coordinates win when they can be true."""
        if row.address not in self.located:
            if len(self.located) > 20_000:
                self.located.clear()
            self.located[row.address] = self.ports.geocoder.locate(row.address)
        found = self.located[row.address]
        if found is None:
            raise RowRefused("address", "address_unknown", row.address, "address")
        if row.lat is None or row.lng is None:
            return found
        here = (found.lat, found.lng)
        if abs(row.lat) > 90 or great_circle((row.lat, row.lng), here).km > _FAR_KM:
            if abs(row.lng) <= 90 and great_circle((row.lng, row.lat), here).km <= _FAR_KM:
                raise RowRefused("lat", "coordinates_swapped", f"{row.lat},{row.lng}", "lat_lng")
            raise RowRefused("lat", "coordinates_elsewhere", f"{row.lat},{row.lng}", "near_address")
        return Located(
            row.lat,
            row.lng,
            "exact",
            found.district_code,
            found.town_code,
            found.community_code,
            "file",
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """One file: its model, what is stored of it, and how rows are checked and written.

    ``stored``: natural key -> hash of the row as the database has it. ``check`` holds a row against
    the others. ``settle`` gives a row our number of an elder where the register has another; ``write``
    gets new and changed rows of a chunk.
    """

    name: str
    model: type[FileRow]
    stored: Callable[[Session], dict[str, str]]
    check: Callable[[Context, Any], None]
    write: Callable[[Context, Sequence[Any], Sequence[Any]], None]
    registers: str | None = None
    prepare: Callable[[Context], None] = lambda _context: None
    settle: Callable[[Context, Any], Any] = lambda _context, row: row


def _hashes(model: type[Base]) -> Callable[[Session], dict[str, str]]:
    def read(session: Session) -> dict[str, str]:
        columns = model.__table__.c
        return {r[0]: r[1] for r in session.execute(select(columns.id, columns.row_sha256))}

    return read


def _same_rows(read: Callable[[Session], Iterable[FileRow]]) -> Callable[[Session], dict[str, str]]:
    return lambda session: {row.key(): sha(row) for row in read(session)}


def _write(context: Context, model: type[Base], rows: Iterable[Values]) -> None:
    """Add rows, or change those whose key exists; all have the same columns."""
    rows = list(rows)
    if rows:
        columns = list(rows[0])
        upsert(context.session, model, columns, ([r[c] for c in columns] for r in rows))


# ---------------------------------------------------------------- vendors


def _check_vendor(context: Context, row: VendorRow) -> None:
    unknown = [c for c in row.category_codes if c not in context.known["category"]]
    if unknown:
        raise RowRefused("category_codes", "unknown_category", ";".join(unknown), "known_category")


def _write_vendors(
    context: Context, new: Sequence[VendorRow], changed: Sequence[VendorRow]
) -> None:
    suspended = {x.vendor_id for x in suspensions.in_force(context.session)}

    def values(row: VendorRow) -> Values:
        # A list does not let back in whom civil affairs suspended; that is a step with its own reason.
        kept = {"status": "suspended"} if row.id in suspended and row.status == "active" else {}
        return {
            **row.model_dump(exclude={"district_codes", "category_codes"}),
            **kept,
            "row_sha256": sha(row),
            "updated_at": context.now,
        }

    _write(context, Vendor, map(values, [*new, *changed]))
    ids = [r.id for r in changed]
    for model in (VendorDistrict, VendorCategory):
        if ids:
            context.session.execute(delete(model).where(model.vendor_id.in_(ids)))
    both = [*new, *changed]
    _write(
        context,
        VendorDistrict,
        [{"vendor_id": r.id, "district_code": c} for r in both for c in r.district_codes],
    )
    _write(
        context,
        VendorCategory,
        [{"vendor_id": r.id, "category_code": c} for r in both for c in r.category_codes],
    )


# ---------------------------------------------------------------- licences and certificates


def licence_rows(session: Session) -> Iterable[LicenceRow]:
    """Return the stored licences as their file writes them."""
    for v in session.scalars(select(VendorLicence).order_by(VendorLicence.vendor_id)):
        yield LicenceRow.model_construct(
            vendor_id=v.vendor_id,
            kind=v.kind,
            number=v.number,
            valid_from=v.valid_from,
            valid_until=v.valid_until,
        )


def certificate_rows(session: Session) -> Iterable[CertificateRow]:
    """Return the stored certificates as their file writes them."""
    for c in session.scalars(select(Certificate).order_by(Certificate.caregiver_id)):
        yield CertificateRow.model_construct(
            caregiver_id=c.caregiver_id,
            skill_code=c.skill_code,
            number=c.number,
            valid_from=c.valid_from,
            valid_until=c.valid_until,
        )


def _write_by_key(
    model: type[Base], rename: dict[str, str] | None = None
) -> Callable[[Context, Sequence[Any], Sequence[Any]], None]:
    names = rename or {}

    def write(context: Context, new: Sequence[FileRow], changed: Sequence[FileRow]) -> None:
        def values(row: FileRow) -> Values:
            return {names.get(k, k): v for k, v in row}

        table = model.__table__
        assert isinstance(table, Table)
        _write(context, model, [{"id": new_id(), **values(r)} for r in new])
        for row in changed:
            key = [table.c[names.get(k, k)] == getattr(row, k) for k in row.KEY]
            context.session.execute(update(table).where(*key).values(**values(row)))

    return write


# ---------------------------------------------------------------- sites and caregivers


def _check_site(context: Context, row: SiteRow) -> None:
    if row.vendor_id:
        context.require("vendor", "vendor_id", row.vendor_id)
    context.locate(row)


def _write_sites(context: Context, new: Sequence[SiteRow], changed: Sequence[SiteRow]) -> None:
    def values(row: SiteRow) -> Values:
        at = context.locate(row)
        return {
            "id": row.id,
            "kind": row.kind,
            "name": row.name,
            "vendor_id": row.vendor_id or None,
            "address": row.address,
            "district_code": at.district_code,
            "town_code": at.town_code,
            "lat": at.lat,
            "lng": at.lng,
            "meals_ready_s": row.meals_ready,
            "row_sha256": sha(row),
        }

    _write(context, Site, map(values, [*new, *changed]))


def _check_caregiver(context: Context, row: CaregiverRow) -> None:
    context.require("vendor", "vendor_id", row.vendor_id)
    context.require("site", "base_site_id", row.base_site_id)


def _write_caregivers(
    context: Context, new: Sequence[CaregiverRow], changed: Sequence[CaregiverRow]
) -> None:
    def values(row: CaregiverRow) -> Values:
        return {
            "id": row.id,
            "vendor_id": row.vendor_id,
            "name": row.name,
            "gender": row.gender,
            **_sealed_phone(context, row.phone),
            "base_site_id": row.base_site_id,
            "max_work_s": row.max_work_h,
            "rest_from_s": row.rest_from,
            "rest_to_s": row.rest_to,
            "rest_s": None if row.rest_min is None else row.rest_min * 60,
            "meal_capacity": row.meal_capacity,
            "status": row.status,
            "row_sha256": sha(row),
            "updated_at": context.now,
        }

    _write(context, Caregiver, map(values, [*new, *changed]))


def _sealed_phone(context: Context, phone: str | None) -> Values:
    if phone is None:
        return {"phone_sealed": None, "phone_index": None}
    vault = context.ports.vault
    return {"phone_sealed": vault.seal(phone), "phone_index": vault.index(phone)}


# ---------------------------------------------------------------- shifts


def shift_rows(session: Session) -> Iterable[ShiftRow]:
    """Return the stored shifts as their file writes them."""
    for s in session.scalars(select(Shift).order_by(Shift.works_on, Shift.caregiver_id)):
        yield ShiftRow.model_construct(
            caregiver_id=s.caregiver_id, works_on=s.works_on, starts=s.starts_s, ends=s.ends_s
        )


def _prepare_shifts(context: Context) -> None:
    for s in context.session.execute(
        select(Shift.caregiver_id, Shift.works_on, Shift.starts_s, Shift.ends_s).where(
            Shift.works_on >= context.today - timedelta(days=1)
        )
    ):
        context.shifts.setdefault((s[0], s[1]), []).append((s[2], s[3]))


def _check_shift(context: Context, row: ShiftRow) -> None:
    context.require("caregiver", "caregiver_id", row.caregiver_id)
    taken = context.shifts.setdefault((row.caregiver_id, row.works_on), [])
    others = [s for s in taken if s[0] != row.starts]
    if any(row.starts < end and start < row.ends for start, end in others):
        raise RowRefused("starts", "shift_overlaps", "", "no_overlap")
    taken[:] = [*others, (row.starts, row.ends)]


# ---------------------------------------------------------------- elders and families


def _prepare_elders(context: Context) -> None:
    for elder_id, index in context.session.execute(select(Elder.id, Elder.id_number_index)):
        context.people[bytes.fromhex(index)[:16]] = elder_id


def _settle_elder(context: Context, row: ElderRow) -> ElderRow:
    return settled(context.callers, context.ports.vault, row, context.known["elder"])


def settle_elder_of(context: Context, row: FileRow) -> Any:
    """Return a row about an elder with our number of the elder."""
    return with_ours(context.callers, row, "elder_id")


def _check_elder(context: Context, row: ElderRow) -> None:
    context.locate(row)
    person = bytes.fromhex(context.ports.vault.index(row.id_number))[:16]
    other = context.people.setdefault(person, row.id)
    if other != row.id:
        raise RowRefused(
            "id_number", "person_twice", row.id_number[-4:], "one_row_a_person", id=other
        )


def _write_elders(context: Context, new: Sequence[ElderRow], changed: Sequence[ElderRow]) -> None:
    since = _status_dates(context, changed)
    before = _fact_columns(context, [r.id for r in changed])
    values = {r.id: _elder_values(context, r, since.get(r.id)) for r in (*new, *changed)}
    _keep_the_dead(context, values, before)
    _write(context, Elder, values.values())
    witness.record_elders(context.session, values.values(), at=context.now)
    history.note_changes(
        context.session,
        before,
        {r.id: values[r.id] for r in changed},
        today=context.today,
        source="elders file",
        at=context.now,
        by="load",
    )
    assessed = [r for r in (*new, *changed) if r.assessed_on is not None]
    ids = [r.id for r in changed]
    kept: dict[tuple[str, date], str] = {}
    if ids:
        rows = context.session.execute(
            select(Assessment.elder_id, Assessment.assessed_on, Assessment.id).where(
                Assessment.elder_id.in_(ids)
            )
        )
        kept = {(r[0], r[1]): r[2] for r in rows}
    fresh = [_assessment(r, new_id()) for r in assessed if (r.id, r.assessed_on) not in kept]
    again = [
        _assessment(r, kept[(r.id, r.assessed_on)])
        for r in assessed
        if r.assessed_on is not None and (r.id, r.assessed_on) in kept
    ]
    _write(context, Assessment, [*fresh, *again])
    witness.record(context.session, "assessment", [*fresh, *again], at=context.now)


def _fact_columns(context: Context, ids: Sequence[str]) -> dict[str, Values]:
    """Return what the register says of elders that a file changes."""
    columns = [Elder.__table__.c[name] for name in ("id", "status_from", *history.NAMES)]
    rows = context.session.execute(select(*columns).where(Elder.id.in_(list(ids))))
    return {r.id: dict(r._mapping) for r in rows}


def _keep_the_dead(context: Context, values: dict[str, Values], before: dict[str, Values]) -> None:
    """Leave dead whom the list of deaths named: an older list of elders brings nobody back."""
    dead = [i for i, v in before.items() if v["status"] == "dead" and values[i]["status"] != "dead"]
    known = history.as_of(context.session, dead, context.today)
    for elder_id in dead:
        status = known.get(elder_id, {}).get("status")
        if status is not None and status.source.startswith("deaths"):
            values[elder_id] |= {k: before[elder_id][k] for k in ("status", "status_from")}


def _status_dates(context: Context, changed: Sequence[ElderRow]) -> dict[str, date | None]:
    """Return since when those whose status the file leaves as it is have had it."""
    status = {r.id: r.status for r in changed}
    rows = context.session.execute(
        select(Elder.id, Elder.status, Elder.status_from).where(Elder.id.in_(list(status)))
    )
    return {r[0]: r[2] for r in rows if status[r[0]] == r[1]}


def _elder_values(context: Context, row: ElderRow, since: date | None) -> Values:
    at = context.locate(row)
    vault = context.ports.vault
    return {
        "id": row.id,
        "name": row.name,
        "initials": "".join(lazy_pinyin(row.name, style=Style.FIRST_LETTER, errors="ignore"))[:20],
        "gender": row.gender,
        "born_on": row.born_on,
        "id_number_sealed": vault.seal(row.id_number),
        "id_number_index": vault.index(row.id_number),
        **_sealed_phone(context, row.phone),
        "address": row.address,
        "district_code": at.district_code,
        "town_code": at.town_code,
        "community_code": at.community_code,
        "lat": at.lat,
        "lng": at.lng,
        "location_level": at.level,
        "hukou_local": row.hukou_local,
        "income_class": row.income_class,
        "lives_alone": row.lives_alone,
        "special": ",".join(row.special),
        "door_notes": row.door_notes,
        "status": row.status,
        "status_from": None if row.status == "active" else since or context.today,
        "row_sha256": sha(row),
        "register_id": context.callers.theirs.get(row.id),
        "updated_at": context.now,
    }


def _assessment(row: ElderRow, id_: str) -> Values:
    assert row.assessed_on is not None
    # Valid twelve months: a result from the last twelve months counts for the national voucher.
    first = row.assessed_on
    last = date(first.year + 1, first.month, min(first.day, 28) if first.month == 2 else first.day)
    return {
        "id": id_,
        "elder_id": row.id,
        "assessed_on": first,
        "valid_until": last,
        "score": row.score,
        "level": row.level,
        "assessor": "",
    }


def family_rows(session: Session, ports: Ports) -> Iterable[FamilyRow]:
    """Return the stored families as their file writes them."""
    for f in session.scalars(select(FamilyLink).order_by(FamilyLink.elder_id)):
        yield FamilyRow.model_construct(
            elder_id=f.elder_id,
            name=f.name,
            relation=f.relation,
            phone=None if f.phone_sealed is None else ports.vault.open(f.phone_sealed),
            powers=tuple(p for p in f.powers.split(",") if p),
        )


def _write_families(
    context: Context, new: Sequence[FamilyRow], changed: Sequence[FamilyRow]
) -> None:
    def values(row: FamilyRow) -> Values:
        return {
            "elder_id": row.elder_id,
            "name": row.name,
            "relation": row.relation,
            **_sealed_phone(context, row.phone),
            "powers": ",".join(row.powers),
        }

    _write(
        context,
        FamilyLink,
        [{"id": new_id(), "confirmed_at": context.now, **values(r)} for r in new],
    )
    for row in changed:
        context.session.execute(
            update(FamilyLink)
            .where(
                FamilyLink.elder_id == row.elder_id,
                FamilyLink.name == row.name,
                FamilyLink.relation == row.relation,
            )
            .values(**values(row))
        )


def refusal_rows(session: Session) -> Iterable[RefusalRow]:
    """Return the refused caregivers as their file writes them."""
    for r in session.scalars(
        select(CaregiverRefusal)
        .where(CaregiverRefusal.withdrawn_at.is_(None))
        .order_by(CaregiverRefusal.elder_id, CaregiverRefusal.caregiver_id)
    ):
        yield RefusalRow.model_construct(
            elder_id=r.elder_id, caregiver_id=r.caregiver_id, reason=r.reason
        )


def _check_refusal(context: Context, row: RefusalRow) -> None:
    context.require("elder", "elder_id", row.elder_id)
    context.require("caregiver", "caregiver_id", row.caregiver_id)


def _write_refusals(
    context: Context, new: Sequence[RefusalRow], changed: Sequence[RefusalRow]
) -> None:
    _write(
        context,
        CaregiverRefusal,
        [
            {
                "id": new_id(),
                **dict(r),
                "asked_by": "load",
                "asked_role": "system",
                "asked_at": context.now,
            }
            for r in new
        ],
    )
    for row in changed:
        context.session.execute(
            update(CaregiverRefusal)
            .where(
                CaregiverRefusal.elder_id == row.elder_id,
                CaregiverRefusal.caregiver_id == row.caregiver_id,
                CaregiverRefusal.withdrawn_at.is_(None),
            )
            .values(reason=row.reason)
        )


def _needs(kind: str, name: str) -> Callable[[Context, Any], None]:
    return lambda context, row: context.require(kind, name, getattr(row, name))


def kinds(ports: Ports) -> tuple[Kind, ...]:
    """Return the register files in the order in which they lean on one another."""
    return (
        Kind("vendors", VendorRow, _hashes(Vendor), _check_vendor, _write_vendors, "vendor"),
        Kind(
            "licences",
            LicenceRow,
            _same_rows(licence_rows),
            _needs("vendor", "vendor_id"),
            _write_by_key(VendorLicence),
        ),
        Kind("sites", SiteRow, _hashes(Site), _check_site, _write_sites, "site"),
        Kind(
            "caregivers",
            CaregiverRow,
            _hashes(Caregiver),
            _check_caregiver,
            _write_caregivers,
            "caregiver",
        ),
        Kind(
            "certificates",
            CertificateRow,
            _same_rows(certificate_rows),
            _needs("caregiver", "caregiver_id"),
            _write_by_key(Certificate),
        ),
        Kind(
            "shifts",
            ShiftRow,
            _same_rows(shift_rows),
            _check_shift,
            _write_by_key(Shift, {"starts": "starts_s", "ends": "ends_s"}),
            prepare=_prepare_shifts,
        ),
        Kind(
            "elders",
            ElderRow,
            _hashes(Elder),
            _check_elder,
            _write_elders,
            "elder",
            prepare=_prepare_elders,
            settle=_settle_elder,
        ),
        Kind(
            "families",
            FamilyRow,
            _same_rows(lambda session: family_rows(session, ports)),
            _needs("elder", "elder_id"),
            _write_families,
            settle=settle_elder_of,
        ),
        Kind(
            "refusals",
            RefusalRow,
            _same_rows(refusal_rows),
            _check_refusal,
            _write_refusals,
            settle=settle_elder_of,
        ),
    )


def known_categories(session: Session) -> set[str]:
    """Return the codes of the published categories."""
    return set(session.scalars(select(Category.code)))
