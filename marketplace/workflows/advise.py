"""Say which open offers a vendor's people can serve, and who could go instead. Writes nothing.

A guide for ticking offers, not a plan: people are counted one after another in the order of the
windows, by shift, valid certificate, work they already have, and travel from their base. The
dispatcher plans the day exactly.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from dispatch import Places, TravelModel
from dispatch.travel import Travel
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import second_of
from marketplace.kernel.errors import NotAllowed
from marketplace.kernel.ports import Ports
from marketplace.orders import plans
from marketplace.orders import service as orders
from marketplace.orders.models import Assignment, WorkOrder
from marketplace.visits.models import Visit
from marketplace.workflows import policy, subjects
from marketplace.workflows.policy import Action, scope
from vendors.models import Caregiver, Certificate, JobOffer, Shift, Site

CIRCLE_S = 900
"""The 15-minute circle: nobody is proposed for a home farther from the base."""


@dataclass(frozen=True, slots=True)
class Advice:
    """For one offer: the people proposed (ids and names, empty where it exceeds the capacity), the
    seconds of travel from the first one's base (``None`` where nobody travels), and else why not."""

    offer_id: str
    caregiver_ids: tuple[str, ...]
    names: tuple[str, ...]
    travel_s: int | None
    why_not: str | None


@dataclass(slots=True)
class _Person:
    id: str
    name: str
    base: tuple[float, float]
    skills: frozenset[str]
    shifts: dict[date, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    busy: dict[date, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))

    def start_in(
        self, on: date, window: tuple[int, int], lasts_s: int, travel_s: int
    ) -> int | None:
        """Return the earliest start in the window that fits shift and other work, else ``None``."""
        for begins, ends in self.shifts[on]:
            at = max(window[0], begins + travel_s)
            for other_begins, other_ends in sorted(self.busy[on]):
                if at + lasts_s + travel_s <= other_begins:
                    break
                if at < other_ends + travel_s:
                    at = max(at, other_ends + travel_s)
            if at <= window[1] and at + lasts_s + travel_s <= ends:
                return at
        return None


def advise_offers(session: Session, ports: Ports, actor: Actor) -> dict[str, Advice]:
    """Return advice by offer id for the actor's vendor, in five statements."""
    reach = scope(actor, Action.SEE_OFFERS)
    if reach.vendor_id is None:
        raise NotAllowed(action=Action.SEE_OFFERS.value, role=actor.role.value)
    offers = session.execute(
        select(JobOffer.id, WorkOrder)
        .join(WorkOrder, WorkOrder.id == JobOffer.work_order_id)
        .where(
            JobOffer.vendor_id == reach.vendor_id,
            JobOffer.state == "open",
            JobOffer.offer_deadline_at >= ports.clock.now(),
        )
        .order_by(WorkOrder.visit_on, WorkOrder.window_start_s, JobOffer.id)
        .limit(200)
    ).all()
    if not offers:
        return {}
    days = sorted({work.visit_on for _, work in offers})
    people = _people(session, reach.vendor_id, days)
    seconds = _seconds(people, offers)
    return {
        offer_id: _advise(offer_id, work, people, seconds[:, n])
        for n, (offer_id, work) in enumerate(offers)
    }


def _people(session: Session, vendor_id: str, days: list[date]) -> list[_Person]:
    first, last = days[0], days[-1]
    skills: dict[str, set[str]] = defaultdict(set)
    for caregiver_id, skill in session.execute(
        select(Certificate.caregiver_id, Certificate.skill_code)
        .join(Caregiver, Caregiver.id == Certificate.caregiver_id)
        .where(
            Caregiver.vendor_id == vendor_id,
            Certificate.valid_from <= first,
            Certificate.valid_until >= last,
        )
    ):
        skills[caregiver_id].add(skill)
    people = {
        row.id: _Person(row.id, row.name, (row.lat, row.lng), frozenset(skills[row.id]))
        for row in session.execute(
            select(Caregiver.id, Caregiver.name, Site.lat, Site.lng)
            .join(Site, Site.id == Caregiver.base_site_id)
            .where(Caregiver.vendor_id == vendor_id, Caregiver.status == "active")
            .order_by(Caregiver.id)
        )
    }
    for caregiver_id, on, begins, ends in session.execute(
        select(Shift.caregiver_id, Shift.works_on, Shift.starts_s, Shift.ends_s)
        .where(Shift.works_on.in_(days), Shift.caregiver_id.in_(people))
        .order_by(Shift.starts_s)
    ):
        people[caregiver_id].shifts[on].append((begins, ends))
    for caregiver_id, on, starts_at, ends_at in session.execute(
        select(
            Assignment.caregiver_id, WorkOrder.visit_on, Assignment.starts_at, Assignment.ends_at
        )
        .join(WorkOrder, WorkOrder.id == Assignment.work_order_id)
        .where(WorkOrder.visit_on.in_(days), Assignment.caregiver_id.in_(people))
    ):
        people[caregiver_id].busy[on].append((second_of(on, starts_at), second_of(on, ends_at)))
    return list(people.values())


def _seconds(people: list[_Person], offers: list[Row[Any]]) -> np.ndarray:
    """Return travel seconds, one row a person, one column an offer."""
    if not people:
        return np.zeros((0, len(offers)), dtype=np.int32)
    spots = [p.base for p in people] + [(work.lat, work.lng) for _, work in offers]
    travel = Travel(Places(coordinates=np.array(spots, dtype=np.float64)), TravelModel())
    return travel.block(np.arange(len(people)), np.arange(len(people), len(spots)))


def _advise(offer_id: str, work: WorkOrder, people: list[_Person], seconds: np.ndarray) -> Advice:
    skilled = [(int(s), p) for s, p in zip(seconds, people, strict=True) if _may(p, work)]
    if len(skilled) < work.crew:
        return Advice(offer_id, (), (), None, "no_skill")
    if not work.is_stop:
        return _advise_at_desk(offer_id, work, [p for _, p in skilled])
    near = sorted(((s, p) for s, p in skilled if s <= CIRCLE_S), key=lambda sp: (sp[0], sp[1].id))
    if len(near) < work.crew:
        nearest = min(s for s, _ in skilled)
        return Advice(offer_id, (), (), nearest, "no_caregiver_in_circle")
    window = (work.window_start_s, work.window_end_s)
    fits = [
        (at, s, p)
        for s, p in near
        if (at := p.start_in(work.visit_on, window, work.service_s, s)) is not None
    ]
    chosen = fits[: work.crew]
    if len(chosen) < work.crew:
        return Advice(offer_id, (), (), near[0][0], "no_room")
    begins = max(at for at, _, _ in chosen)
    for _, _, person in chosen:
        person.busy[work.visit_on].append((begins, begins + work.service_s))
    return Advice(
        offer_id,
        tuple(p.id for _, _, p in chosen),
        tuple(p.name for _, _, p in chosen),
        chosen[0][1],
        None,
    )


def _advise_at_desk(offer_id: str, work: WorkOrder, skilled: list[_Person]) -> Advice:
    """Advise on what is no stop of a route, by telephone or at a site: who is on shift then can do it."""
    last = work.window_end_s
    there = [
        p
        for p in skilled
        if any(a <= last and b > work.window_start_s for a, b in p.shifts[work.visit_on])
    ][: work.crew]
    if len(there) < work.crew:
        return Advice(offer_id, (), (), None, "outside_all_shifts")
    return Advice(offer_id, tuple(p.id for p in there), tuple(p.name for p in there), None, None)


_HIGHER = {"CARE5": {"CARE4", "CARE3"}, "CARE4": {"CARE3"}}


def _may(person: _Person, work: WorkOrder | Row[Any]) -> bool:
    """A higher grade may do a lower grade's work (care grades five, four, three)."""
    return bool(person.skills & ({work.skill_code} | _HIGHER.get(work.skill_code, set())))


@dataclass(frozen=True, slots=True)
class Substitute:
    """Somebody who could go instead: when they could begin, how far from their base, whether the
    elder knows them."""

    caregiver_id: str
    name: str
    start_s: int
    travel_s: int
    familiar: bool


def advise_substitutes(
    session: Session, actor: Actor, work_order_id: str, *, most: int = 5
) -> list[Substitute]:
    """Return who of the vendor could serve a one-person visit, known faces first, then the nearest.

    Raises ``NotFound`` or ``NotAllowed`` where the actor may not send anybody. Whom to send is
    checked again by the step itself.
    """
    row = orders.work_order(session, work_order_id)
    policy.require(actor, Action.ASSIGN_BY_HAND, subjects.about_work_order(session, actor, row))
    if row.crew != 1 or actor.vendor_id is None:
        return []
    return substitutes_for(session, row, actor.vendor_id, most=most)


def substitutes_for(
    session: Session,
    row: Row[Any],
    vendor_id: str,
    *,
    most: int,
    window: tuple[int, int] | None = None,
) -> list[Substitute]:
    """Return who of a vendor could serve a one-person work order, and who goes now is left out.

    ``window``: first and last start in seconds from local midnight, the work order's own by default.
    """
    going = {a.caregiver_id for a in plans.assignments(session, [row.id]).get(row.id, [])}
    people = [p for p in _people(session, vendor_id, [row.visit_on]) if p.id not in going]
    able = [p for p in people if _may(p, row)]
    if not able:
        return []
    spots = [p.base for p in able] + [(row.lat, row.lng)]
    travel = Travel(Places(coordinates=np.array(spots, dtype=np.float64)), TravelModel())
    seconds = travel.block(np.arange(len(able)), np.array([len(able)]))[:, 0]
    known = set(session.scalars(select(Visit.caregiver_id).where(Visit.elder_id == row.elder_id)))
    first, last = window or (row.window_start_s, row.window_end_s)
    found = []
    for person, way in zip(able, map(int, seconds), strict=True):
        # A window of its own begins now, so that the way comes on top.
        starts = (first + way if window else first, last)
        start = person.start_in(row.visit_on, starts, row.service_s, way)
        if way <= CIRCLE_S and start is not None:
            found.append(Substitute(person.id, person.name, start, way, person.id in known))
    return sorted(found, key=lambda x: (not x.familiar, x.travel_s, x.caregiver_id))[:most]
