"""A vendor's people by week: shifts, leave, visits of each day, and how long certificates hold."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.kernel.clock import instant_of
from marketplace.kernel.errors import NotFound
from marketplace.orders.models import Assignment, WorkOrder
from marketplace.queries.today import GONE
from vendors.models import Caregiver, Certificate, Leave, Shift

PAGE = 15
DAYS = 7

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class LeaveView:
    """A stretch of time in which somebody is away."""

    id: str
    from_at: datetime
    to_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Day:
    """One day of one person."""

    on: date
    shifts: tuple[Span, ...]
    leave: tuple[LeaveView, ...]
    visits: int


@dataclass(frozen=True, slots=True)
class Paper:
    """A certificate: the skill, and its last valid day."""

    skill: str
    number: str
    until: date


@dataclass(frozen=True, slots=True)
class Person:
    """A caregiver's week. ``first_ends`` is the earliest end among the newest certificates."""

    id: str
    name: str
    days: tuple[Day, ...]
    papers: tuple[Paper, ...]

    @property
    def first_ends(self) -> date | None:
        """Return when the first of the certificates ends."""
        return min((p.until for p in self.papers), default=None)


def monday_of(day: date) -> date:
    """Return the Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def week(
    session: Session,
    vendor_id: str,
    *,
    monday: date,
    offset: int = 0,
    limit: int = PAGE,
    only: str | None = None,
) -> tuple[list[Person], int]:
    """Return a page of the vendor's people with their week, and how many people there are."""
    wanted = [Caregiver.vendor_id == vendor_id, Caregiver.status == "active"]
    if only is not None:
        wanted.append(Caregiver.id == only)
    count = session.scalar(select(func.count()).select_from(Caregiver).where(*wanted)) or 0
    people = session.execute(
        select(Caregiver.id, Caregiver.name)
        .where(*wanted)
        .order_by(Caregiver.id)
        .offset(offset)
        .limit(limit)
    ).all()
    ids = [i for i, _ in people]
    days = [monday + timedelta(days=n) for n in range(DAYS)]
    shifts, leave = _shifts(session, ids, days), _leave(session, ids, days)
    visits, papers = _visits(session, ids, days), _papers(session, ids)
    found = [
        Person(
            id=i,
            name=name,
            days=tuple(
                Day(
                    on,
                    tuple(shifts[(i, on)]),
                    tuple(x for x in leave[i] if _touches(x, on)),
                    visits.get((i, on), 0),
                )
                for on in days
            ),
            papers=tuple(papers[i]),
        )
        for i, name in people
    ]
    return found, count


def person(session: Session, vendor_id: str, caregiver_id: str, *, monday: date) -> Person:
    """Return one of the vendor's people; raises ``NotFound`` for anybody else's."""
    found, _ = week(session, vendor_id, monday=monday, only=caregiver_id)
    if not found:
        raise NotFound(field="caregiver_id", kind="caregiver", id=caregiver_id)
    return found[0]


def _touches(leave: LeaveView, on: date) -> bool:
    return leave.from_at < instant_of(on, 86_400) and leave.to_at > instant_of(on, 0)


def _shifts(session: Session, ids: list[str], days: list[date]) -> dict[tuple[str, date], list]:  # type: ignore[type-arg]
    found: dict[tuple[str, date], list[Span]] = defaultdict(list)
    for who, on, starts_s, ends_s in session.execute(
        select(Shift.caregiver_id, Shift.works_on, Shift.starts_s, Shift.ends_s)
        .where(Shift.caregiver_id.in_(ids), Shift.works_on.between(days[0], days[-1]))
        .order_by(Shift.starts_s)
    ):
        found[(who, on)].append((starts_s, ends_s))
    return found


def _leave(session: Session, ids: list[str], days: list[date]) -> dict[str, list[LeaveView]]:
    found: dict[str, list[LeaveView]] = defaultdict(list)
    begins, ends = instant_of(days[0], 0), instant_of(days[-1], 86_400)
    for row in session.scalars(
        select(Leave)
        .where(Leave.caregiver_id.in_(ids), Leave.from_at < ends, Leave.to_at > begins)
        .order_by(Leave.from_at)
    ):
        found[row.caregiver_id].append(LeaveView(row.id, row.from_at, row.to_at, row.reason))
    return found


def _visits(session: Session, ids: list[str], days: list[date]) -> dict[tuple[str, date], int]:
    rows = session.execute(
        select(Assignment.caregiver_id, WorkOrder.visit_on, func.count())
        .join(WorkOrder, WorkOrder.id == Assignment.work_order_id)
        .where(
            Assignment.caregiver_id.in_(ids),
            WorkOrder.visit_on.between(days[0], days[-1]),
            WorkOrder.state.not_in(GONE),
        )
        .group_by(Assignment.caregiver_id, WorkOrder.visit_on)
    )
    return {(who, on): n for who, on, n in rows}


def _papers(session: Session, ids: list[str]) -> dict[str, list[Paper]]:
    """Return the newest certificate of each skill by caregiver, the one that ends first before."""
    newest: dict[tuple[str, str], Paper] = {}
    for row in session.scalars(
        select(Certificate)
        .where(Certificate.caregiver_id.in_(ids))
        .order_by(Certificate.valid_until)
    ):
        newest[(row.caregiver_id, row.skill_code)] = Paper(
            row.skill_code, row.number, row.valid_until
        )
    found: dict[str, list[Paper]] = defaultdict(list)
    for (who, _), paper in sorted(newest.items(), key=lambda x: (x[1].until, x[0])):
        found[who].append(paper)
    return found
