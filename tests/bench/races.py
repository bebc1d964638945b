"""The races of ``tests.bench.redeem``: how each is set up, what one process does, what may come of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from marketplace.catalogue.models import ServiceVersion
from marketplace.elders.facts import facts_of
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import FrozenClock, Period, instant_of
from marketplace.kernel.db import transaction
from marketplace.kernel.errors import DomainError
from marketplace.kernel.ports import Ports
from marketplace.orders.models import Assignment, Order, WorkOrder
from marketplace.visits.models import Visit
from marketplace.vouchers import service
from marketplace.vouchers.models import LedgerAccount
from marketplace.workflows.accept import AnswerRequest, accept_offer
from marketplace.workflows.cancel import CancelRequest, cancel
from marketplace.workflows.grants import preview_grants, release_grants
from marketplace.workflows.settle import close_month
from marketplace.workflows.shown import Shown
from marketplace.workflows.visit import CheckInRequest, CheckOutRequest, check_in, check_out
from tests.builders import (
    NOVEMBER,
    NOW,
    TODAY,
    a_caregiver,
    a_service,
    a_vendor,
    a_work_order,
    an_assessment,
    an_elder,
)
from vendors.models import JobOffer

ONE, TWO = Actor("one", Role.SYSTEM), Actor("two", Role.SYSTEM)
HOTLINE = Actor("u-hotline", Role.HOTLINE)
DECEMBER = FrozenClock(datetime(2026, 12, 2, 1, 0, tzinfo=UTC))
VISIT_PRICE = 10_000
WON = "done"


def services(session: Session, processes: int) -> None:
    """Insert what every round needs: services, two vendors, a caregiver for each process."""
    a_service(session, "ZX001", price_fen=VISIT_PRICE, mode="remote")
    a_service(session, "ZJ001", price_fen=3_000)
    for v in ("V1", "V2"):
        a_vendor(session, id=v)
    for n in range(processes):
        a_caregiver(session, id=f"K{n}")


def _version(session: Session, code: str) -> ServiceVersion:
    return session.scalars(select(ServiceVersion).where(ServiceVersion.service_code == code)).one()


def an_elder_of(session: Session, ports: Ports, r: int, **values: object) -> str:
    """Return a new elder of this round, alone in a district of its own, with the month granted."""
    elder = f"E{r}"
    district = district_of(r)
    with transaction(session):
        an_elder(session, id=elder, district_code=district, **values)
        an_assessment(session, elder, level=2)
    preview = preview_grants(session, ports, ONE, period=NOVEMBER, district_code=district)
    release_grants(session, ports, TWO, run_id=preview.run_id)
    return elder


def district_of(r: int) -> str:
    """Return the district of a round: each closes its own month."""
    return f"32{r:04d}"


def work_orders(
    session: Session, r: int, code: str, ids: list[str], **values: object
) -> ServiceVersion:
    """Insert one order with many work orders, as quickly as possible."""
    version = _version(session, code)
    common = {"district_code": district_of(r), "vendor_id": "V1", **values}
    first = a_work_order(session, id=ids[0], elder_id=f"E{r}", version=version, **common)
    row = {c.name: getattr(first, c.name) for c in WorkOrder.__table__.columns}
    if len(ids) > 1:
        order = {c.name: getattr(session.get(Order, first.order_id), c.name)
                 for c in Order.__table__.columns}  # fmt: skip
        session.execute(insert(Order), [order | {"id": f"O-{i}"} for i in ids[1:]])
        session.execute(insert(WorkOrder), [row | {"id": i, "order_id": f"O-{i}"} for i in ids[1:]])
    return version


def _quote(session: Session, r: int, version: ServiceVersion, on: date = TODAY) -> service.Quote:
    elder = f"E{r}"
    return service.quote(
        session,
        elder_id=elder,
        service_version=version,
        on=on,
        district_code=district_of(r),
        facts=facts_of(session, [elder], on)[elder],
    )


# One voucher of 100 yuan, a work order of 100 yuan for each process.


def _one_voucher(session: Session, ports: Ports, r: int, processes: int) -> service.Quote:
    an_elder_of(session, ports, r, income_class="dibao", hukou_local=False)
    with transaction(session):
        version = work_orders(session, r, "ZX001", [f"W{r}-{n}" for n in range(processes)])
        return _quote(session, r, version)


def _hold_what_was_quoted(session: Session, ports: Ports, r: int, number: int) -> str:
    # Every process is shown the quote as it was before any of them ordered.
    quote = QUOTES[r]
    with transaction(session):
        service.hold(session, work_order_id=f"W{r}-{number}", elder_id=f"E{r}", quote=quote, at=NOW)
    return WON


QUOTES: dict[int, service.Quote] = {}
"""The quote of the round, which each process read before the start."""


# The last hour of an entitlement to hours.


def _last_hour(session: Session, ports: Ports, r: int, processes: int) -> service.Quote:
    """An elder of 80 to 89 has two hours a month; one is held already."""
    elder = an_elder_of(session, ports, r)
    with transaction(session):
        version = work_orders(session, r, "ZJ001", [f"W{r}-before"])
        quote = _quote(session, r, version)
        service.hold(session, work_order_id=f"W{r}-before", elder_id=elder, quote=quote, at=NOW)
        work_orders(session, r, "ZJ001", [f"W{r}-{n}" for n in range(processes)])
        return _quote(session, r, version)


# One held work order; every process redeems it, each with a visit of its own.


def _one_visit(session: Session, ports: Ports, r: int, processes: int) -> None:
    elder = an_elder_of(session, ports, r, income_class="dibao", hukou_local=False)
    with transaction(session):
        version = work_orders(session, r, "ZX001", [f"W{r}"])
        service.hold(
            session,
            work_order_id=f"W{r}",
            elder_id=elder,
            quote=_quote(session, r, version),
            at=NOW,
        )
        session.execute(insert(Visit), [a_visit_row(r, n) for n in range(processes)])


def a_visit_row(r: int, n: int) -> dict[str, object]:
    """Return a visit of the round's work order by the n-th caregiver."""
    return {
        "id": f"X{r}-{n}",
        "work_order_id": f"W{r}",
        "caregiver_id": f"K{n}",
        "elder_id": f"E{r}",
        "service_code": "ZX001",
        "visit_on": TODAY,
        "lat": 32.51,
        "lng": 120.14,
        "check_in_at": instant_of(TODAY, 9 * 3600),
        "check_out_at": instant_of(TODAY, 10 * 3600),
        "verdict": "verified",
        "findings": [],
    }


def _capture(session: Session, ports: Ports, r: int, number: int) -> str:
    with transaction(session):
        service.capture(
            session, work_order_id=f"W{r}", visit_id=f"X{r}-{number}", vendor_id="V1", at=NOW
        )
    return WON


def _release_or_capture(session: Session, ports: Ports, r: int, number: int) -> str:
    if number % 2:
        return _capture(session, ports, r, number)
    with transaction(session):
        service.capture_fee(
            session, work_order_id=f"W{r}", vendor_id="V1", at=NOW, kind="late_cancel"
        )
    return "released"


# Two vendors, one work order.


def _two_offers(session: Session, ports: Ports, r: int, processes: int) -> None:
    elder = an_elder_of(session, ports, r)
    with transaction(session):
        version = work_orders(session, r, "ZJ001", [f"W{r}"], state="offered", vendor_id=None)
        service.hold(
            session,
            work_order_id=f"W{r}",
            elder_id=elder,
            quote=_quote(session, r, version),
            at=NOW,
        )
        for v in ("V1", "V2"):
            session.add(
                JobOffer(
                    id=f"J{r}-{v}",
                    work_order_id=f"W{r}",
                    vendor_id=v,
                    state="open",
                    offered_at=NOW,
                    offer_deadline_at=NOW + timedelta(minutes=30),
                )
            )


def _accept(session: Session, ports: Ports, r: int, number: int) -> str:
    vendor = f"V{1 + number % 2}"
    accept_offer(
        session,
        ports,
        Actor(f"u-{vendor}-{number}", Role.VENDOR, vendor_id=vendor),
        key=f"accept-{r}-{number}",
        request=AnswerRequest(f"J{r}-{vendor}"),
    )
    return WON


# Half of the processes call the visit off, half are at the door: in, an hour's work, out.


def _assigned(session: Session, ports: Ports, r: int, processes: int) -> None:
    elder = an_elder_of(session, ports, r)
    begins = NOW - timedelta(minutes=60)
    with transaction(session):
        version = work_orders(
            session, r, "ZJ001", [f"W{r}"], state="assigned", window_start_s=7 * 3600
        )
        service.hold(
            session,
            work_order_id=f"W{r}",
            elder_id=elder,
            quote=_quote(session, r, version),
            at=NOW,
        )
        session.add(
            Assignment(
                work_order_id=f"W{r}",
                caregiver_id="K0",
                starts_at=begins,
                ends_at=NOW,
                locked=True,
            )
        )


def _cancel_or_visit(session: Session, ports: Ports, r: int, number: int) -> str:
    if number % 2:
        request = CancelRequest(f"W{r}", "away")
        cancel(session, ports, HOTLINE, key=f"cancel-{r}-{number}", request=request)
        return "cancelled"
    caregiver = Actor("u-K0", Role.CAREGIVER, vendor_id="V1", caregiver_id="K0")
    shown = Shown(
        evidence_id=f"in-{r}-{number}",
        method="gps",
        at_device=NOW - timedelta(minutes=60),
        lat=32.51,
        lng=120.14,
        accuracy_m=10,
        offline=True,
    )
    check_in(
        session,
        ports,
        caregiver,
        key=f"in-{r}-{number}",
        request=CheckInRequest(work_order_id=f"W{r}", visit_id=f"X{r}-{number}", shown=shown),
    )
    check_out(
        session,
        ports,
        caregiver,
        key=f"out-{r}-{number}",
        request=CheckOutRequest(
            visit_id=f"X{r}-{number}",
            shown=replace(shown, evidence_id=f"out-{r}-{number}", at_device=NOW, offline=False),
        ),
    )
    return WON


# A month of twenty captured visits, closed by all at once.


def _a_month(session: Session, ports: Ports, r: int, processes: int) -> None:
    elder = an_elder_of(session, ports, r, income_class="dibao", hukou_local=False)
    ids = [f"W{r}-{n:02d}" for n in range(20)]
    with transaction(session):
        version = work_orders(session, r, "ZX001", ids, state="confirmed")
        for n, work_order in enumerate(ids):
            quote = _quote(session, r, version)
            service.hold(session, work_order_id=work_order, elder_id=elder, quote=quote, at=NOW)
            visit = a_visit_row(r, n) | {"work_order_id": work_order, "caregiver_id": "K0"}
            session.execute(insert(Visit), [visit])
            service.capture(
                session, work_order_id=work_order, visit_id=f"X{r}-{n}", vendor_id="V1", at=NOW
            )


def _close(session: Session, ports: Ports, r: int, number: int) -> str:
    [done] = close_month(
        session,
        replace(ports, clock=DECEMBER),
        Actor(f"clerk-{number}", Role.BUREAU, district_code=district_of(r)),
        period=Period(2026, 11),
        district_code=district_of(r),
    )
    return "closed before" if done.closed_before else WON


def _one_won(ended: Counter[str], processes: int) -> bool:
    return ended[WON] == 1


def _released_or_captured(ended: Counter[str], processes: int) -> bool:
    # A release that came first may be repeated: it answers as the first time.
    half = processes // 2 + processes % 2
    return (ended[WON], ended["released"]) in {(1, 0), (0, half)}


def _cancelled_or_visited(ended: Counter[str], processes: int) -> bool:
    return (ended[WON], ended["cancelled"]) in {(1, 0), (0, 1)}


@dataclass(frozen=True)
class Race:
    """``refused``: how the losers may be answered, and nothing else."""

    prepare: Callable[[Session, Ports, int, int], service.Quote | None]
    act: Callable[[Session, Ports, int, int], str]
    refused: frozenset[str]
    lawful: Callable[[Counter[str], int], bool] = _one_won


_TOO_SMALL, _WRONG = frozenset({"entitlement_too_small"}), frozenset({"wrong_state"})

RACES: dict[str, Race] = {
    "voucher": Race(_one_voucher, _hold_what_was_quoted, _TOO_SMALL),
    "minutes": Race(_last_hour, _hold_what_was_quoted, _TOO_SMALL),
    "capture": Race(_one_visit, _capture, _WRONG),
    "release": Race(_one_visit, _release_or_capture, _WRONG, lawful=_released_or_captured),
    "accept": Race(_two_offers, _accept, _WRONG),
    # Where the cancellation came first, nobody is of the crew any more.
    "cancel": Race(
        _assigned,
        _cancel_or_visit,
        _WRONG | {"bad_input", "not_found"},
        lawful=_cancelled_or_visited,
    ),
    "close": Race(_a_month, _close, frozenset({"closed before"})),
}


def attempt(race: Race, session: Session, ports: Ports, r: int, number: int) -> str:
    """Act once and name how it ended; what no rule foresees is an error and fails the race."""
    try:
        return race.act(session, ports, r, number)
    except DomainError as refusal:
        return refusal.code
    except OperationalError as error:
        return f"error: {error.orig}"


def spent_once(session: Session, r: int) -> bool:
    """Return whether no voucher of a round's elder is held or spent for more than it has."""
    a = LedgerAccount
    rows = session.execute(
        select(a.credits_posted, a.debits_posted, a.debits_pending).where(
            a.elder_id == f"E{r}", a.guarded
        )
    ).all()
    return bool(rows) and all(c >= d + p for c, d, p in rows)
