"""The supply side's files: vendors, licences, sites, caregivers, certificates and shifts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from marketplace.workflows.load.kind import (
    Context,
    Kind,
    Values,
    hashes,
    needs,
    same_rows,
    sealed_phone,
    sha,
    write_by_key,
    write_rows,
)
from marketplace.workflows.load.refusals import RowRefused
from marketplace.workflows.load.rows import (
    CaregiverRow,
    CertificateRow,
    LicenceRow,
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

    write_rows(context, Vendor, map(values, [*new, *changed]))
    ids = [r.id for r in changed]
    for model in (VendorDistrict, VendorCategory):
        if ids:
            context.session.execute(delete(model).where(model.vendor_id.in_(ids)))
    both = [*new, *changed]
    write_rows(
        context,
        VendorDistrict,
        [{"vendor_id": r.id, "district_code": c} for r in both for c in r.district_codes],
    )
    write_rows(
        context,
        VendorCategory,
        [{"vendor_id": r.id, "category_code": c} for r in both for c in r.category_codes],
    )


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

    write_rows(context, Site, map(values, [*new, *changed]))


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
            **sealed_phone(context, row.phone),
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

    write_rows(context, Caregiver, map(values, [*new, *changed]))


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


KINDS = (
    Kind("vendors", VendorRow, hashes(Vendor), _check_vendor, _write_vendors, "vendor"),
    Kind(
        "licences",
        LicenceRow,
        same_rows(licence_rows),
        needs("vendor", "vendor_id"),
        write_by_key(VendorLicence),
    ),
    Kind("sites", SiteRow, hashes(Site), _check_site, _write_sites, "site"),
    Kind(
        "caregivers",
        CaregiverRow,
        hashes(Caregiver),
        _check_caregiver,
        _write_caregivers,
        "caregiver",
    ),
    Kind(
        "certificates",
        CertificateRow,
        same_rows(certificate_rows),
        needs("caregiver", "caregiver_id"),
        write_by_key(Certificate),
    ),
    Kind(
        "shifts",
        ShiftRow,
        same_rows(shift_rows),
        _check_shift,
        write_by_key(Shift, {"starts": "starts_s", "ends": "ends_s"}),
        prepare=_prepare_shifts,
    ),
)
"""In the order in which they lean on one another."""
