"""Make the demonstration ready: a city's registers, its month's grants, and one sign-in for each role.

Every step walks the path that a bureau's own data takes. Each may be repeated and changes nothing then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from marketplace.accounts.demo import DEMO_PASSWORD
from marketplace.accounts.service import NewAccount, create_accounts
from marketplace.elders.models import Elder, FamilyLink
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.audit import AuditEvent
from marketplace.kernel.clock import FrozenClock, Period, instant_of
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import NotFound
from marketplace.kernel.ports import Ports
from marketplace.orders.models import Assignment, DispatchRun, WorkOrder
from marketplace.orders.states import State
from marketplace.vouchers.models import Entitlement
from marketplace.workflows.accept_many import AcceptManyRequest, accept_many
from marketplace.workflows.grants import grant_period
from marketplace.workflows.shown import Shown
from marketplace.workflows.visit import CheckInRequest, CheckOutRequest, check_in, check_out
from vendors.models import Caregiver, JobOffer, Vendor

PREPARER = Actor(user_id="demo-preparer", role=Role.BUREAU)
RELEASER = Actor(user_id="demo-releaser", role=Role.BUREAU)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a demonstration's database has come, for a day."""

    elders: int
    granted: int
    planned: bool


def standing(session: Session, day: date) -> Standing:
    """Return what is there already, so that a second start need not do it again."""
    period = str(Period.of(day))
    found = Standing(
        elders=session.scalar(select(func.count()).select_from(Elder)) or 0,
        granted=session.scalar(
            select(func.count()).select_from(Entitlement).where(Entitlement.period == period)
        )
        or 0,
        planned=session.scalar(select(DispatchRun.id).where(DispatchRun.day == day).limit(1))
        is not None,
    )
    session.rollback()
    return found


def grant_month(session: Session, ports: Ports, day: date) -> int:
    """Grant the month of the day, prepared and released by two; return how many grants there are."""
    if not standing(session, day).granted:
        grant_period(session, ports, PREPARER, RELEASER, period=Period.of(day))
    return standing(session, day).granted


def accept_most(
    session: Session, ports: Ports, day: date, *, advance: Callable[[int], None]
) -> int:
    """Let vendors accept the day's open offers, all but one in twelve; return how many they took."""
    rows = session.execute(
        select(JobOffer.id, JobOffer.vendor_id)
        .join(WorkOrder, WorkOrder.id == JobOffer.work_order_id)
        .where(WorkOrder.visit_on == day, JobOffer.state == "open")
        .order_by(WorkOrder.window_start_s, WorkOrder.order_id)
    ).all()
    session.rollback()
    by_vendor: dict[str, list[str]] = defaultdict(list)
    for n, (offer_id, vendor_id) in enumerate(rows):
        if n % 12:
            by_vendor[vendor_id].append(offer_id)
    taken = 0
    for vendor_id, ids in sorted(by_vendor.items()):
        done = accept_many(
            session,
            ports,
            Actor(user_id=f"demo-{vendor_id}", role=Role.VENDOR, vendor_id=vendor_id),
            key=f"demo/accept/{day}/{vendor_id}",
            request=AcceptManyRequest(ids),
        )
        taken += len(done.accepted)
        advance(len(ids))
    return taken


def play_morning(
    session: Session, ports: Ports, day: date, *, until_s: int, advance: Callable[[int], None]
) -> int:
    """Let caregivers check in and out as planned until a second of the day; one in 25 does not come.

    Each step is the caregiver's own, at its own time, with a photo and a position at the door. Returns
    how many visits began.
    """
    until = instant_of(day, until_s)
    planned = session.execute(
        select(
            WorkOrder.id,
            WorkOrder.lat,
            WorkOrder.lng,
            Assignment.caregiver_id,
            Caregiver.vendor_id,
            Assignment.starts_at,
            Assignment.ends_at,
        )
        .join(Assignment, Assignment.work_order_id == WorkOrder.id)
        .join(Caregiver, Caregiver.id == Assignment.caregiver_id)
        .where(WorkOrder.visit_on == day, WorkOrder.state == State.ASSIGNED.value)
        .where(Assignment.starts_at <= until)
        .order_by(Assignment.starts_at, WorkOrder.id, Assignment.caregiver_id)
    ).all()
    session.rollback()
    came = [row for n, row in enumerate(planned) if n % 25]
    steps = [(row.starts_at, "check_in", row) for row in came]
    steps += [(row.ends_at, "check_out", row) for row in came if row.ends_at <= until]
    for at, step, row in sorted(steps, key=lambda s: (s[0], s[1], s[2].id, s[2].caregiver_id)):
        _play(session, replace(ports, clock=FrozenClock(at)), step, row)
        advance(1)
    return len(came)


def _play(session: Session, ports: Ports, step: str, row: Any) -> None:
    at = ports.clock.now()
    visit_id = f"{row.id}-{row.caregiver_id}"[-40:]
    actor = Actor(
        user_id=f"demo-{row.caregiver_id}",
        role=Role.CAREGIVER,
        vendor_id=row.vendor_id,
        caregiver_id=row.caregiver_id,
    )
    shown = Shown(
        evidence_id=f"{step}-{visit_id}"[-40:],
        method="gps_photo",
        at_device=at,
        lat=row.lat,
        lng=row.lng,
        accuracy_m=20,
        device_id=f"phone-{row.caregiver_id}",
    )
    if step == "check_in":
        begin = CheckInRequest(work_order_id=row.id, visit_id=visit_id, shown=shown)
        check_in(session, ports, actor, key=f"demo/in/{visit_id}", request=begin)
    else:
        end = CheckOutRequest(visit_id=visit_id, shown=shown)
        check_out(session, ports, actor, key=f"demo/out/{visit_id}", request=end)


def latest_second(session: Session, day: date, start_s: int) -> int:
    """Return when the demonstration's day goes on: at ``start_s``, or after what was last done in it.

    In seconds from local midnight of ``day``.
    """
    last = session.scalar(select(func.max(AuditEvent.at)))
    session.rollback()
    if last is None:
        return start_s
    return max(start_s, int((last - instant_of(day, 0)).total_seconds()) + 1)


def sign_ins(session: Session, day: date) -> dict[Role, str]:
    """Make one account for each role, bound to people of the day's plan; return role -> who it is.

    Raises ``NotFound`` before the day is planned.
    """
    with transaction(session):
        elder, caregiver = _visited(session, day)
        vendor = session.get_one(Vendor, _busiest_vendor(session, caregiver))
        helper = caregiver if caregiver.vendor_id == vendor.id else _helper(session, vendor, day)
        accounts = [
            NewAccount(
                username="elder", display_name=elder.name, role=Role.ELDER, elder_id=elder.id
            ),
            NewAccount(username="family", display_name=f"{elder.name}的家属", role=Role.FAMILY),
            NewAccount(username="hotline", display_name="热线坐席 01", role=Role.HOTLINE),
            NewAccount(
                username="community",
                display_name="社区工作者",
                role=Role.COMMUNITY,
                district_code=elder.district_code,
                town_code=elder.town_code,
            ),
            NewAccount(
                username="vendor", display_name=vendor.name, role=Role.VENDOR, vendor_id=vendor.id
            ),
            NewAccount(
                username="caregiver",
                display_name=helper.name,
                role=Role.CAREGIVER,
                vendor_id=helper.vendor_id,
                caregiver_id=helper.id,
            ),
            NewAccount(
                username="street",
                display_name="街道民政办",
                role=Role.STREET,
                district_code=elder.district_code,
                town_code=elder.town_code,
            ),
            NewAccount(username="bureau", display_name="市民政局", role=Role.BUREAU),
            NewAccount(username="auditor", display_name="审计", role=Role.AUDITOR),
        ]
        ids = create_accounts(session, accounts, password=DEMO_PASSWORD)
        _bind_family(session, elder.id, ids["family"], instant_of(day, 0))
        return {a.role: a.display_name for a in accounts}


def _visited(session: Session, day: date) -> tuple[Elder, Caregiver]:
    """Return an elder with a bath at home, else with most visits of the day, and who comes first."""
    baths = select(WorkOrder.elder_id).where(
        WorkOrder.visit_on == day,
        WorkOrder.state == State.ASSIGNED.value,
        WorkOrder.skill_code == "BATH",
        WorkOrder.site_id.is_(None),
    )
    visits = (
        select(WorkOrder.elder_id, func.count().label("n"))
        .join(FamilyLink, FamilyLink.elder_id == WorkOrder.elder_id)
        .where(WorkOrder.visit_on == day, WorkOrder.state == State.ASSIGNED.value)
        .group_by(WorkOrder.elder_id)
        .subquery()
    )
    row = session.execute(
        select(WorkOrder.elder_id, Assignment.caregiver_id)
        .join(Assignment, Assignment.work_order_id == WorkOrder.id)
        .join(visits, visits.c.elder_id == WorkOrder.elder_id)
        .where(WorkOrder.visit_on == day, WorkOrder.state == State.ASSIGNED.value)
        .order_by(
            WorkOrder.elder_id.in_(baths).desc(),
            visits.c.n.desc(),
            WorkOrder.elder_id,
            Assignment.starts_at,
        )
        .limit(1)
    ).first()
    if row is None:
        raise NotFound(field="day", kind_of="plan", id=day.isoformat())
    return session.get_one(Elder, row[0]), session.get_one(Caregiver, row[1])


def _busiest_vendor(session: Session, caregiver: Caregiver) -> str:
    """Return the vendor with most open offers, else the caregiver's own."""
    row = session.execute(
        select(JobOffer.vendor_id, func.count().label("n"))
        .where(JobOffer.state == "open")
        .group_by(JobOffer.vendor_id)
        .order_by(func.count().desc(), JobOffer.vendor_id)
        .limit(1)
    ).first()
    return row[0] if row else caregiver.vendor_id


def _helper(session: Session, vendor: Vendor, day: date) -> Caregiver:
    """Return the vendor's caregiver with most visits of the day."""
    row = session.execute(
        select(Assignment.caregiver_id)
        .join(WorkOrder, WorkOrder.id == Assignment.work_order_id)
        .join(Caregiver, Caregiver.id == Assignment.caregiver_id)
        .where(
            WorkOrder.visit_on == day,
            WorkOrder.state == State.ASSIGNED.value,
            Caregiver.vendor_id == vendor.id,
        )
        .group_by(Assignment.caregiver_id)
        .order_by(func.count().desc(), Assignment.caregiver_id)
        .limit(1)
    ).first()
    if row is None:
        return (
            session.scalars(
                select(Caregiver).where(Caregiver.vendor_id == vendor.id).order_by(Caregiver.id)
            ).first()
            or session.scalars(select(Caregiver).order_by(Caregiver.id)).one()
        )
    return session.get_one(Caregiver, row[0])


def _bind_family(session: Session, elder_id: str, account_id: str, at: object) -> None:
    session.execute(
        update(FamilyLink)
        .where(FamilyLink.elder_id == elder_id, FamilyLink.account_id.is_(None))
        .values(account_id=account_id, confirmed_at=at, powers="order,see_visits,see_money,cancel")
    )
