"""When somebody could come: the dispatcher's own answer for one home.

Proposing reads only the caregivers around the home, as their day stands now, and writes nothing;
``take`` takes a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

import dispatch
from dispatch import Task
from dispatch.live import LiveDay
from dispatch.offers import Offer
from marketplace.catalogue import service as catalogue
from marketplace.catalogue.models import ServiceVersion
from marketplace.catalogue.rules import is_stop
from marketplace.elders import access
from marketplace.elders.access import ElderFacts
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import local, second_of
from marketplace.kernel.errors import BadInput
from marketplace.kernel.ports import Ports
from marketplace.orders import listed, plans, rules, standing
from marketplace.orders import service as orders
from marketplace.orders.rules import Meal, Screening, Window
from marketplace.visits.models import Visit
from marketplace.workflows import materialise, policy, subjects
from marketplace.workflows.day_part import WITHIN_M, Home, Part, open_kitchens, read_part
from marketplace.workflows.policy import Action
from vendors import registry, roster
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


@dataclass(frozen=True, slots=True)
class SlotQuery:
    """What is wanted, for whom. ``on``: one day; else the days from today on.

    ``instead_of``: the elder's visit that the time is for; its own time counts as free.
    """

    elder_id: str
    service_code: str
    quantity: int = 1
    vendor_id: str | None = None
    on: date | None = None
    instead_of: str | None = None


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
    asked = Question.of(session, query, elder, at)
    if query.on is not None:
        return list(_spread(asked.free(query.on)))[:SHOWN]
    shown: list[Slot] = []
    for day in asked.days_from(today):
        shown += _halves(asked.free(day))
        enough = len(shown) >= SHOWN
        if enough and (not asked.usual or any(s.usual for s in shown)):
            break
    return _choose(shown)


def propose_instead(
    session: Session, ports: Ports, actor: Actor, *, work_order_id: str
) -> list[Slot]:
    """Return up to three times to which a visit could be moved; none for a service without slots."""
    row = orders.work_order(session, work_order_id)
    policy.require(actor, Action.RESCHEDULE, subjects.about_work_order(session, actor, row))
    version = catalogue.version_in_force(session, row.service_code, local(ports.clock.now()).date())
    if not has_slots(
        unit=version.unit,
        duration_min=version.duration_min,
        mode=version.mode,
        time_class=version.time_class,
    ):
        return []
    query = SlotQuery(
        elder_id=row.elder_id,
        service_code=row.service_code,
        quantity=row.quantity,
        vendor_id=orders.order(session, row.order_id).vendor_id,
        instead_of=row.id,
    )
    return propose_slots(session, ports, actor, query=query)


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
class Question:
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
    taken: frozenset[tuple[date, int]] = frozenset()
    """Starts that the order has had: nothing is moved to where it is, or was."""

    @classmethod
    def of(cls, session: Session, query: SlotQuery, elder: ElderFacts, at: datetime) -> Question:
        on = query.on or local(at).date()
        taken: frozenset[tuple[date, int]] = frozenset()
        if query.instead_of is not None:
            old = orders.work_order(session, query.instead_of)
            if (old.elder_id, old.service_code) != (query.elder_id, query.service_code):
                raise BadInput(
                    field="instead_of", value=query.instead_of, expected="a visit of this order"
                )
            taken = standing.starts_of_order(session, old.order_id)
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
            taken=taken,
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
        offers = self._without_the_old(part).feasible_starts(task)
        fits = Fits(self, on)
        found: list[tuple[int, Offer]] = []
        for grain_s in (GRAIN_S, GRAIN_S // 2):
            found = found or [
                (s, o)
                for s, o in _on_grain(offers, grain_s)
                if (on, s) not in self.taken and fits(s)
            ]
        names = _names(self.session, {c for _, o in found for c in o.caregivers})
        return [self._slot(on, start_s, offer, names) for start_s, offer in found]

    def _without_the_old(self, part: Part) -> LiveDay:
        """Return the day without the visit that is to be moved; with it where it has begun."""
        old = self.query.instead_of
        if old is None or old not in part.live.problem.task_index:
            return part.live
        try:
            return part.live.take(part.live.cancel(old))
        except dispatch.BadInput:
            return part.live

    def _slot(self, on: date, start_s: int, offer: Offer, names: dict[str, str]) -> Slot:
        going = tuple(
            sorted(
                (Going(c, names[c], self.usual.get(c, 0)) for c in offer.caregivers),
                key=lambda g: (-g.times, g.caregiver_id),
            )
        )
        lasts = materialise.service_seconds(self.version, self.query.quantity)
        return Slot(on, start_s, start_s + lasts, going, all(g.times for g in going))


class Fits:
    """Says whether the elder can be visited at a time: rules of care, and no other visit then.

    ``but``: a work order that does not count, because the time is for it.
    """

    def __init__(self, asked: Question, on: date, *, but: str | None = None) -> None:
        self._asked = asked
        left_out = {asked.query.instead_of, but}
        day = listed.elder_day(asked.session, asked.elder.id, on)
        others = [w for w in day if w.id not in left_out]
        self._meals = tuple(
            Meal(Window(w.window_start_s, w.window_end_s))
            for w in others
            if w.time_class == "meal_window"
        )
        crews = plans.assignments(
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
