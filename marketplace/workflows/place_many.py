"""Place orders in bulk, as a bureau's list brings them: the same rules, a handful of statements.

Called by the loader inside its own transaction; ``check_rows`` writes nothing and serves its preview.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.catalogue import service as catalogue
from marketplace.catalogue.models import ServiceVersion
from marketplace.elders import access
from marketplace.elders.access import ElderFacts
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import local
from marketplace.kernel.errors import BadInput, DomainError, NotFound
from marketplace.orders import recurrence, rules
from marketplace.orders import service as orders
from marketplace.orders.models import Order
from marketplace.orders.recurrence import Recurrence
from marketplace.orders.rules import Window
from marketplace.workflows import materialise
from marketplace.workflows.materialise import Due, Plan
from marketplace.workflows.place import SiteNeeded
from vendors import caregivers, registry
from vendors import rules as vendor_rules
from vendors.caregivers import CaregiverFacts
from vendors.rules import CaregiverCannotServe, VendorCannotServe, VendorFacts, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """One order of a list. ``standing``: the vendor has taken the plan on, so that its visits need no
    offer; it asks for a ``vendor_id``. ``sha256`` is the loader's hash of the row."""

    order_id: str
    elder_id: str
    service_code: str
    starts_on: date
    window_start_s: int
    window_end_s: int
    quantity: int = 1
    ends_on: date | None = None
    rrule: str | None = None
    skip_holidays: bool = False
    vendor_id: str | None = None
    caregiver_id: str | None = None
    site_id: str | None = None
    standing: bool = True
    note: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Row number (from 0) and the rule's error, whose ``field`` names a field of ``OrderRow``."""

    row: int
    error: DomainError


@dataclass(frozen=True, slots=True)
class Added:
    """How many orders and work orders were made."""

    orders: int
    work_orders: int


@dataclass(frozen=True, slots=True)
class _Register:
    """Everything that the rows may name."""

    versions: dict[date, dict[str, ServiceVersion]]
    elders: dict[str, ElderFacts]
    vendors: dict[str, VendorFacts]
    caregivers: dict[str, CaregiverFacts]
    sites: Mapping[str, object]


def known_orders(session: Session, ids: Sequence[str]) -> dict[str, str]:
    """Return the row hash of those orders that exist."""
    found: dict[str, str] = {}
    for part in orders.chunks(ids):
        for order_id, sha in session.execute(
            select(Order.id, Order.row_sha256).where(Order.id.in_(part))
        ):
            found[order_id] = sha
    return found


def check_rows(session: Session, rows: Sequence[OrderRow], *, at: datetime) -> list[Refusal]:
    """Return every row that breaks a rule, with the first rule it breaks; writes nothing.

    A list's elders, vendors, caregivers and sites must be in the register already. Contraindications
    are not asked: the bureau screened its own plans, and a person may have decided otherwise.
    """
    register = _read(session, rows, local(at).date())
    refused: list[Refusal] = []
    seen: set[str] = set()
    for n, row in enumerate(rows):
        try:
            if row.order_id in seen:
                raise BadInput(field="order_id", value=row.order_id, expected="each order once")
            seen.add(row.order_id)
            _check(row, register, at)
        except DomainError as error:
            refused.append(Refusal(n, error))
    return refused


def _read(session: Session, rows: Sequence[OrderRow], today: date) -> _Register:
    days = {r.starts_on for r in rows}
    # The catalogue changes a few times a year: one read a day that occurs is enough.
    return _Register(
        versions={on: catalogue.versions_in_force(session, on) for on in sorted(days)},
        elders=access.facts_of(session, (r.elder_id for r in rows), on=today),
        vendors=registry.vendor_facts(session),
        caregivers=caregivers.facts_of(session, on=today),
        sites=registry.sites(session),
    )


def _check(row: OrderRow, register: _Register, at: datetime) -> None:
    version = register.versions[row.starts_on].get(row.service_code)
    if version is None:
        raise catalogue.ServiceNotInForce(
            field="service_code", code=row.service_code, on=row.starts_on.isoformat()
        )
    elder = register.elders.get(row.elder_id)
    if elder is None:
        raise NotFound(field="elder_id", kind="elder", id=row.elder_id)
    if not elder.is_served(row.starts_on, row.service_code):
        raise rules.ElderNotServed(field="elder_id", elder_id=elder.id, status=elder.status)
    if not 1 <= row.quantity <= rules.MOST_QUANTITY:
        raise BadInput(field="quantity", value=row.quantity, expected=f"1 to {rules.MOST_QUANTITY}")
    today = local(at).date()
    first = row.starts_on
    if row.rrule is not None:
        plan = _recurrence(row)
        if row.ends_on is not None and row.ends_on < row.starts_on:
            raise BadInput(
                field="ends_on", value=row.ends_on.isoformat(), expected="not before starts_on"
            )
        # A plan that began long ago is judged by its days to come.
        first = max(plan.starts_on, today + timedelta(days=1))
    rules.check_window(
        Window(row.window_start_s, row.window_end_s),
        visit_on=first,
        now=at,
        time_class=version.time_class,
        unit=version.unit,
    )
    _check_supply(row, register, elder, version, first)


def _check_supply(
    row: OrderRow, register: _Register, elder: ElderFacts, version: ServiceVersion, first: date
) -> None:
    if row.vendor_id is not None:
        vendor = register.vendors.get(row.vendor_id)
        if vendor is None:
            raise NotFound(field="vendor_id", kind="vendor", id=row.vendor_id)
        work = Work(row.service_code[:2], version.skill_code, elder.district_code, first)
        why = vendor_rules.why_not(vendor, work)
        if why is not None:
            raise VendorCannotServe(field="vendor_id", vendor_id=row.vendor_id, why=why)
    if row.caregiver_id is not None:
        person = register.caregivers.get(row.caregiver_id)
        if person is None:
            raise NotFound(field="caregiver_id", kind="caregiver", id=row.caregiver_id)
        if row.vendor_id is not None and person.vendor_id != row.vendor_id:
            raise CaregiverCannotServe(
                field="caregiver_id", caregiver_id=row.caregiver_id, why="vendor"
            )
    if row.site_id is not None and row.site_id not in register.sites:
        raise NotFound(field="site_id", kind="site", id=row.site_id)
    if version.mode == "site" and row.site_id is None:
        raise SiteNeeded(field="site_id", value=None, expected="the id of a site")


def _recurrence(row: OrderRow) -> Recurrence:
    if row.rrule is None:
        raise ValueError("the row has one date only")
    return Recurrence(
        rule=recurrence.check_rule(row.rrule),
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        skip_holidays=row.skip_holidays,
    )


def add_rows(
    session: Session,
    rows: Sequence[OrderRow],
    *,
    at: datetime,
    actor: Actor,
    until: date,
    tick: Callable[[int], None] | None = None,
) -> Added:
    """Add checked rows as orders, and their work orders from today up to ``until``.

    Runs inside the caller's transaction. ``tick`` is told how many work orders came on.
    """
    orders.add_orders(session, [_columns(r, at, actor, until) for r in rows])
    today = local(at).date()
    yesterday = today - timedelta(days=1)
    due: list[Due] = []
    for row in rows:
        plan = _plan(row)
        if row.rrule is None:
            if today <= row.starts_on:
                due.append(Due(plan, row.starts_on))
            continue
        due += [
            Due(plan, on) for on in recurrence.dates(_recurrence(row), after=yesterday, until=until)
        ]
    facts = materialise.read_facts(session, due, today=today)
    made = 0
    for i in range(0, len(due), 2_000):
        made += len(
            materialise.make(
                session, due[i : i + 2_000], at=at, actor=actor, facts=facts, tick=tick
            )
        )
    return Added(len(rows), made)


def _plan(row: OrderRow) -> Plan:
    return Plan(
        order_id=row.order_id,
        elder_id=row.elder_id,
        service_code=row.service_code,
        window=Window(row.window_start_s, row.window_end_s),
        quantity=row.quantity,
        vendor_id=row.vendor_id,
        caregiver_id=row.caregiver_id,
        site_id=row.site_id,
        standing=row.standing and row.vendor_id is not None,
    )


def _columns(row: OrderRow, at: datetime, actor: Actor, until: date) -> dict[str, Any]:
    standing = row.standing and row.vendor_id is not None
    return {
        "id": row.order_id,
        "elder_id": row.elder_id,
        "service_code": row.service_code,
        "channel": "import",
        "placed_at": at,
        "placed_by": actor.user_id,
        "placed_role": actor.role.value,
        "authority": "import",
        "vendor_id": row.vendor_id,
        "caregiver_id": row.caregiver_id,
        "site_id": row.site_id,
        "starts_on": row.starts_on,
        "ends_on": row.ends_on,
        "rrule": recurrence.check_rule(row.rrule) if row.rrule else None,
        "skip_holidays": row.skip_holidays,
        "window_start_s": row.window_start_s,
        "window_end_s": row.window_end_s,
        "quantity": row.quantity,
        "note": row.note,
        "state": "active",
        "standing_since": at if standing else None,
        "generated_until": until if row.rrule else None,
        "row_sha256": row.sha256,
    }
