"""Read what decides whether a vendor may and should be asked; write its credit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from vendors.models import Site, Vendor, VendorCategory, VendorDistrict, VendorLicence
from vendors.rules import Licence, VendorFacts


def vendor_facts(
    session: Session,
    *,
    only: Collection[str] | None = None,
    load: Mapping[str, int] | None = None,
    open_load: Mapping[str | None, int] | None = None,
) -> dict[str, VendorFacts]:
    """Return the facts of vendors by id (all of them, or those of ``only``).

    ``load`` and ``open_load`` are the day's work orders by vendor, counted by the orders' side.
    """
    wanted, sold = select(Vendor), select(VendorCategory.vendor_id, VendorCategory.category_code)
    where = select(VendorDistrict.vendor_id, VendorDistrict.district_code)
    held = select(VendorLicence)
    if only is not None:
        ids = list(only)
        wanted = wanted.where(Vendor.id.in_(ids))
        held = held.where(VendorLicence.vendor_id.in_(ids))
        sold = sold.where(VendorCategory.vendor_id.in_(ids))
        where = where.where(VendorDistrict.vendor_id.in_(ids))
    categories: dict[str, set[str]] = defaultdict(set)
    districts: dict[str, set[str]] = defaultdict(set)
    licences: dict[str, list[Licence]] = defaultdict(list)
    for vendor_id, code in session.execute(sold):
        categories[vendor_id].add(code)
    for vendor_id, code in session.execute(where):
        districts[vendor_id].add(code)
    for x in session.scalars(held):
        licences[x.vendor_id].append(Licence(x.kind, x.valid_from, x.valid_until))
    opened = sum((open_load or {}).values())
    return {
        v.id: VendorFacts(
            id=v.id,
            status=v.status,
            categories=frozenset(categories[v.id]),
            districts=frozenset(districts[v.id]),
            licences=tuple(licences[v.id]),
            daily_capacity=v.daily_capacity,
            credit=v.credit,
            open_share=v.open_share,
            load=(load or {}).get(v.id, 0),
            open_part=(open_load or {}).get(v.id, 0) / opened if opened else 0.0,
        )
        for v in session.scalars(wanted)
    }


def take_credit(session: Session, vendor_id: str, points: int) -> None:
    """Take credit points from a vendor, never below zero."""
    session.execute(
        update(Vendor)
        .where(Vendor.id == vendor_id, Vendor.credit >= points)
        .values(credit=Vendor.credit - points)
    )


def sites(session: Session, *, kind: str | None = None) -> dict[str, Site]:
    """Return sites by id, of one kind or all."""
    statement = select(Site)
    if kind is not None:
        statement = statement.where(Site.kind == kind)
    return {s.id: s for s in session.scalars(statement)}


def known_sites(session: Session, ids: Collection[str]) -> frozenset[str]:
    """Return those of the ids that are sites."""
    return frozenset(session.scalars(select(Site.id).where(Site.id.in_(list(ids)))))


def vendor_names(session: Session, vendor_ids: Iterable[str]) -> dict[str, str]:
    """Return the names of vendors by id; who is no vendor is missing."""
    ids, names = sorted(set(vendor_ids)), {}
    for start in range(0, len(ids), 2000):
        part = select(Vendor.id, Vendor.name).where(Vendor.id.in_(ids[start : start + 2000]))
        names.update({row.id: row.name for row in session.execute(part)})
    return names
