"""Read caregivers with the skills that their certificates give on a day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel.errors import NotFound
from vendors.models import Caregiver, Certificate
from vendors.rules import skills_held


@dataclass(frozen=True, slots=True)
class CaregiverFacts:
    """Whose they are, from where they leave, what they may do on a day, what they can carry.

    ``skills`` are those of certificates valid on the day, with the grades they include.
    """

    id: str
    vendor_id: str
    status: str
    base_site_id: str
    skills: frozenset[str]
    max_work_s: int | None
    rest: tuple[int, int, int] | None
    meal_capacity: int | None
    phone_index: str | None


def facts_of(
    session: Session,
    *,
    on: date,
    only: Collection[str] | None = None,
    vendor_id: str | None = None,
) -> dict[str, CaregiverFacts]:
    """Return caregivers by id: all, those of ``only``, or one vendor's."""
    people = select(Caregiver)
    held = select(Certificate.caregiver_id, Certificate.skill_code).where(
        Certificate.valid_from <= on, Certificate.valid_until >= on
    )
    if only is not None:
        people = people.where(Caregiver.id.in_(list(only)))
        held = held.where(Certificate.caregiver_id.in_(list(only)))
    if vendor_id is not None:
        people = people.where(Caregiver.vendor_id == vendor_id)
    codes: dict[str, set[str]] = defaultdict(set)
    for caregiver_id, code in session.execute(held):
        codes[caregiver_id].add(code)
    return {c.id: _facts(c, codes[c.id]) for c in session.scalars(people.order_by(Caregiver.id))}


def _facts(row: Caregiver, codes: set[str]) -> CaregiverFacts:
    rest = None
    if row.rest_s and row.rest_from_s is not None and row.rest_to_s is not None:
        rest = (row.rest_from_s, row.rest_to_s, row.rest_s)
    return CaregiverFacts(
        id=row.id,
        vendor_id=row.vendor_id,
        status=row.status,
        base_site_id=row.base_site_id,
        skills=skills_held(codes),
        max_work_s=row.max_work_s,
        rest=rest,
        meal_capacity=row.meal_capacity,
        phone_index=row.phone_index,
    )


def facts(session: Session, caregiver_id: str, *, on: date) -> CaregiverFacts:
    """Return one caregiver; raises ``NotFound``."""
    found = facts_of(session, on=on, only=[caregiver_id])
    if caregiver_id not in found:
        raise NotFound(field="caregiver_id", kind="caregiver", id=caregiver_id)
    return found[caregiver_id]


def lock(session: Session, caregiver_ids: Collection[str]) -> None:
    """Hold caregivers' rows until the transaction ends, so that they are booked one after another."""
    session.execute(
        select(Caregiver.id)
        .where(Caregiver.id.in_(list(caregiver_ids)))
        .order_by(Caregiver.id)
        .with_for_update()
    ).all()
