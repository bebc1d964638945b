"""When somebody could come: the dispatcher's own answer for one home, and taking one of its times.

Proposing reads only the caregivers around the home, as their day stands now. Taking a time asks the
dispatcher once more, under locks on those who would go: a time that went to somebody else meanwhile
is refused and nothing of the order is kept. What is taken is held: the crew stands on the work order,
locked, while their vendor answers the offer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dispatch import Task
from dispatch.offers import Offer
from marketplace.catalogue import service as catalogue
from marketplace.catalogue.models import ServiceVersion
from marketplace.catalogue.rules import is_stop
from marketplace.elders import access
from marketplace.elders.access import ElderFacts
from marketplace.kernel import audit
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import instant_of, local, second_of
from marketplace.kernel.errors import BadInput, DomainError
from marketplace.kernel.ports import Ports
from marketplace.orders import rules
from marketplace.orders import service as orders
from marketplace.orders.rules import Meal, Screening, Window
from marketplace.orders.states import State
from marketplace.visits.models import Visit
from marketplace.workflows import materialise, policy, subjects
from marketplace.workflows.day_part import WITHIN_M, Home, Part, open_kitchens, read_part
from marketplace.workflows.offer import make_offers
from marketplace.workflows.place import OrderRequest, Placed, place_within
from marketplace.workflows.policy import Action
from marketplace.workflows.seats import Seat, write_seats
from marketplace.workflows.step import run_step
from vendors import caregivers, registry, roster
from vendors import rules as vendor_rules
from vendors.models import Caregiver, Site
from vendors.rules import LOWEST_CREDIT, Work

SHOWN = 3
DAYS_AHEAD = 7
MOST_DAYS = 4
"""A week is looked at, today included, and of it so many days on which somebody near works."""

FROM_S, TO_S = 8 * 3600, 18 * 3600
GRAIN_S = 1_800
"""Times are offered on the half hour, and on the quarter where that leaves none."""

NOON_S = 12 * 3600
GRACE_S = 900
"""A visit promised for 9:30 may begin until 9:45."""

USUAL_DAYS = 180
MOST_NEAR = 60
"""Of those who could go, so many of the nearest are asked about; a circle holds fewer."""

NEW = "new"


class SlotGone(DomainError):
    """The time was taken meanwhile, or nobody can come then. Facts: ``on``, ``start_s``."""

    kind = "conflict"


@dataclass(frozen=True, slots=True)
class SlotQuery:
    """What is wanted, for whom. ``on``: one day; else the days from today on."""

    elder_id: str
    service_code: str
    quantity: int = 1
    vendor_id: str | None = None
    on: date | None = None


@dataclass(frozen=True, slots=True)
class Going:
    """One of those who would come. ``times``: how often they came to this elder for the like."""

    caregiver_id: str
    name: str
    times: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A time at which the visit can begin, and who would come. ``usual``: all of them are known."""

    on: date
    start_s: int
    end_s: int
    going: tuple[Going, ...]
    usual: bool


@dataclass(frozen=True, slots=True)
class SlotRequest:
    """An order and the time and the people that were proposed for it."""

    order: OrderRequest
    start_s: int
    caregiver_ids: list[str] = field(default_factory=list)


def has_slots(*, unit: str, duration_min: int, mode: str, time_class: str) -> bool:
    """Say whether the dispatcher is asked for times: a visit at home by appointment."""
    stop = is_stop(unit=unit, duration_min=duration_min, mode=mode)
    return stop and mode == "home" and time_class == "appointment"


def propose_slots(session: Session, ports: Ports, actor: Actor, *, query: SlotQuery) -> list[Slot]:
    """Return up to three times, the earliest first; where the usual helper is free, one with them.

    Raises what placing would raise for the elder, and ``BadInput`` for a service without slots.
    """
    at = ports.clock.now()
    today = local(at).date()
    elder = access.facts(session, query.elder_id, on=today)
    policy.require(actor, Action.PLACE_ORDER, subjects.about_elder(session, actor, elder))
    asked = _Asked.of(session, query, elder, at)
    if query.on is not None:
        return list(_spread(asked.free(query.on)))[:SHOWN]
    shown: list[Slot] = []
    for day in asked.days_from(today):
        shown += _halves(asked.free(day))
        enough = len(shown) >= SHOWN
        if enough and (not asked.usual or any(s.usual for s in shown)):
            break
    return _choose(shown)


def _choose(found: Sequence[Slot]) -> list[Slot]:
    """Return the first three; without a known face among them the last gives way to one."""
    first = list(found[:SHOWN])
    if first and not any(s.usual for s in first):
        first[2:] = [*[s for s in found if s.usual][:1], *first[2:]][: SHOWN - 2]
    return first


def _halves(found: Sequence[Slot]) -> list[Slot]:
    """Return the best of a morning and of an afternoon: known faces first, then the earliest."""
    best: dict[bool, Slot] = {}
    for slot in found:
        half = slot.start_s >= NOON_S
        if half not in best or (slot.usual and not best[half].usual):
            best[half] = slot
    return [best[half] for half in sorted(best)]


def _spread(found: Sequence[Slot]) -> Iterator[Slot]:
    """Yield the times of one day two hours apart at least, known faces before others."""
    taken: list[int] = []
    for slot in sorted(found, key=lambda s: (not s.usual, s.start_s)):
        if all(abs(slot.start_s - t) >= 7200 for t in taken) and len(taken) < SHOWN:
            taken.append(slot.start_s)
            yield slot


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question: what would be done where, and the faces that the elder knows."""

    session: Session
    elder: ElderFacts
    version: ServiceVersion
    query: SlotQuery
    at: datetime
    usual: dict[str, int]
    near: list[str]
    good_vendors: frozenset[str]
    kitchens: dict[str, Site] = field(default_factory=dict)

    @classmethod
    def of(cls, session: Session, query: SlotQuery, elder: ElderFacts, at: datetime) -> _Asked:
        on = query.on or local(at).date()
        version = catalogue.version_in_force(session, query.service_code, on)
        if not has_slots(
            unit=version.unit,
            duration_min=version.duration_min,
            mode=version.mode,
            time_class=version.time_class,
        ):
            raise BadInput(
                field="service_code", value=query.service_code, expected="a visit by appointment"
            )
        work = Work(query.service_code[:2], version.skill_code, elder.district_code, on)
        facts = registry.vendor_facts(session)
        return cls(
            session=session,
            elder=elder,
            version=version,
            query=query,
            at=at,
            usual=_faces(session, elder.id, query.service_code[:2], on),
            near=roster.near(
                session,
                lat=elder.lat,
                lng=elder.lng,
                within_m=WITHIN_M,
                vendor_id=query.vendor_id,
            ),
            good_vendors=frozenset(
                v.id
                for v in facts.values()
                if vendor_rules.why_not(v, work) is None and v.credit >= LOWEST_CREDIT
            ),
            kitchens=open_kitchens(session, facts),
        )

    def days_from(self, today: date) -> list[date]:
        """Return the next days on which somebody near works."""
        last = today + timedelta(days=DAYS_AHEAD - 1)
        return roster.days_worked(self.session, self.near, today, last)[:MOST_DAYS]

    def task(self, place: int, people: Part, windows: tuple[tuple[int, int], ...]) -> Task:
        """Return the visit as the dispatcher sees it; those who may not be sent are excluded."""
        on_shift = people.people.keys()
        vendors = None
        if self.query.vendor_id is not None:
            vendors = frozenset({self.query.vendor_id})
        return Task(
            id=NEW,
            place=place,
            service_s=materialise.service_seconds(self.version, self.query.quantity),
            windows=windows,
            skills=frozenset({self.version.skill_code}),
            crew=self.version.caregivers,
            vendors=vendors,
            preferred=frozenset(self.usual.keys() & on_shift),
            forbidden=frozenset(on_shift - self._may_go(people))
            | people.refused.get(self.elder.id, frozenset()),
        )

    def _may_go(self, part: Part) -> set[str]:
        """Return whose vendor may serve here: category, district, licence, credit."""
        people = part.people.items()
        return {p for p, who in people if who.facts.vendor_id in self.good_vendors}

    def part(self, on: date, *, only: Sequence[str] | None = None) -> Part:
        """Return the day of those around the home who have the skill."""
        home = Home(self.elder.id, self.elder.lat, self.elder.lng)
        return read_part(
            self.session,
            on,
            now=self.at,
            people=only or self.near,
            skill=self.version.skill_code,
            most=MOST_NEAR,
            homes=[home],
            kitchens=self.kitchens,
        )

    def free(self, on: date) -> list[Slot]:
        """Return every time of the day on the half hour, or else on the quarter, in order."""
        part = self.part(on)
        if not part.people:
            return []
        task = self.task(part.places[self.elder.id], part, ((FROM_S, TO_S),))
        offers = part.live.feasible_starts(task)
        fits = _Fits(self, on)
        found = [(s, o) for s, o in _on_grain(offers, GRAIN_S) if fits(s)]
        found = found or [(s, o) for s, o in _on_grain(offers, GRAIN_S // 2) if fits(s)]
        names = _names(self.session, {c for _, o in found for c in o.caregivers})
        return [self._slot(on, start_s, offer, names) for start_s, offer in found]

    def _slot(self, on: date, start_s: int, offer: Offer, names: dict[str, str]) -> Slot:
        going = tuple(
            sorted(
                (Going(c, names[c], self.usual.get(c, 0)) for c in offer.caregivers),
                key=lambda g: (-g.times, g.caregiver_id),
            )
        )
        lasts = materialise.service_seconds(self.version, self.query.quantity)
        return Slot(on, start_s, start_s + lasts, going, all(g.times for g in going))


class _Fits:
    """Says whether the elder can be visited at a time: rules of care, and no other visit then."""

    def __init__(self, asked: _Asked, on: date) -> None:
        self._asked = asked
        others = orders.elder_day(asked.session, asked.elder.id, on)
        self._meals = tuple(
            Meal(Window(w.window_start_s, w.window_end_s))
            for w in others
            if w.time_class == "meal_window"
        )
        crews = orders.assignments(
            asked.session, [w.id for w in others if w.time_class != "meal_window"]
        )
        self._busy = [
            (second_of(on, a.starts_at), second_of(on, a.ends_at))
            for crew in crews.values()
            for a in crew
        ]

    def __call__(self, start_s: int) -> bool:
        version = self._asked.version
        lasts = materialise.service_seconds(version, self._asked.query.quantity)
        if any(a < start_s + lasts and b > start_s for a, b in self._busy):
            return False
        case = Screening(
            category_code=self._asked.query.service_code[:2],
            skill_code=version.skill_code,
            mode=version.mode,
            crew=version.caregivers,
            service_s=lasts,
            window=Window(start_s, start_s + GRACE_S),
            level=self._asked.elder.level,
            meals=self._meals,
        )
        try:
            rules.screen(case)
        except rules.Contraindicated:
            return False
        return True


def _on_grain(offers: Sequence[Offer], grain_s: int) -> Iterator[tuple[int, Offer]]:
    """Yield each time on the grain with the cheapest crew for it, in order."""
    for offer in offers:
        first = -(-offer.from_s // grain_s) * grain_s
        for start_s in range(first, offer.to_s + 1, grain_s):
            yield start_s, offer


def _faces(session: Session, elder_id: str, category: str, on: date) -> dict[str, int]:
    """Return who has come to the elder for a service of this category, and how often."""
    rows = session.execute(
        select(Visit.caregiver_id, func.count())
        .where(
            Visit.elder_id == elder_id,
            Visit.visit_on >= on - timedelta(days=USUAL_DAYS),
            Visit.service_code.like(f"{category}%"),
        )
        .group_by(Visit.caregiver_id)
    ).all()
    return dict(Counter(dict(rows)).most_common(6))


def _names(session: Session, ids: set[str]) -> dict[str, str]:
    return dict(
        session.execute(select(Caregiver.id, Caregiver.name).where(Caregiver.id.in_(ids))).all()
    )


def take_slot(
    session: Session, ports: Ports, actor: Actor, *, key: str, request: SlotRequest
) -> Placed:
    """Place the order for the time that was proposed and hold the people for it.

    Raises ``SlotGone`` when they cannot come then any more, and what placing raises; in both cases
    nothing is kept.
    """
    return run_step(
        session,
        ports,
        actor,
        key=key,
        command="take_slot",
        request=request,
        answer=Placed,
        run=lambda at: _take(session, actor, request, at),
    )


def _take(session: Session, actor: Actor, request: SlotRequest, at: datetime) -> Placed:
    asked_for = replace(
        request.order,
        window_start_s=request.start_s,
        window_end_s=request.start_s + GRACE_S,
        rrule=None,
    )
    elder = access.facts(session, asked_for.elder_id, on=local(at).date())
    policy.require(actor, Action.PLACE_ORDER, subjects.about_elder(session, actor, elder))
    on = asked_for.starts_on
    query = SlotQuery(elder.id, asked_for.service_code, asked_for.quantity, asked_for.vendor_id, on)
    asked = _Asked.of(session, query, elder, at)
    crew = sorted(set(request.caregiver_ids))
    if len(crew) != asked.version.caregivers:
        raise BadInput(
            field="caregiver_ids", value=crew, expected=f"{asked.version.caregivers} caregivers"
        )
    # Whoever is to go is locked first: of two that take the same hour the second finds it taken.
    caregivers.lock(session, crew)
    part = asked.part(on, only=crew)
    here = all(c in part.live.problem.caregiver_index for c in crew)
    if not here or not _Fits(asked, on)(request.start_s):
        raise SlotGone(on=on.isoformat(), start_s=request.start_s)
    window = ((request.start_s, request.start_s + GRACE_S),)
    task = asked.task(part.places[elder.id], part, window)
    answer = part.live.insert(task, start_s=request.start_s, caregivers=crew)
    if not answer.placed or part.now_s > request.start_s:
        raise SlotGone(on=on.isoformat(), start_s=request.start_s)
    placed = place_within(session, actor, asked_for, at)
    made = placed.work_orders[0].work_order_id
    vendor_id = part.people[crew[0]].facts.vendor_id
    state = _ask_vendor(session, made, vendor_id, at=at, actor=actor)
    orders.add_assignments(
        session,
        [
            {
                "work_order_id": made,
                "caregiver_id": c,
                "run_id": None,
                "starts_at": instant_of(on, request.start_s),
                "ends_at": instant_of(on, request.start_s + task.service_s),
                "locked": True,
            }
            for c in crew
        ],
    )
    moved = [
        Seat(c.task, part.rows[c.task].version, list(c.to_caregivers), c.to_start_s)
        for c in answer.changes
        if c.task != NEW
    ]
    write_seats(session, actor, on, moved, at=at, reason="made_room")
    audit.record(
        session,
        at=at,
        actor=actor,
        action="take_slot",
        subject_kind="work_order",
        subject_id=made,
        caregivers=crew,
        start_s=request.start_s,
    )
    first = replace(placed.work_orders[0], state=state)
    return replace(placed, work_orders=[first, *placed.work_orders[1:]])


def _ask_vendor(
    session: Session, work_order_id: str, vendor_id: str, *, at: datetime, actor: Actor
) -> str:
    """Offer the held visit to the vendor of those who are to go, unless it has the offer already."""
    row: Any = orders.work_order(session, work_order_id)
    if row.state == State.POOLED.value:
        row = orders.move(
            session,
            work_order_id,
            expected=State.POOLED,
            to=State.OFFERED,
            at=at,
            actor=actor,
            reason="slot_taken",
            vendor_id=vendor_id,
        )
        make_offers(session, [(row, vendor_id)], at=at)
    return str(row.state)
