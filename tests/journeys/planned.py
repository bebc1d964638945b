"""A planned town behind a running server: what the demonstration makes, small."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

from sqlalchemy import select

from marketplace.accounts.models import Account
from marketplace.app import create_app, db
from marketplace.commands.demo import MORNING_S, NIGHT_S, _build
from marketplace.config import Settings
from marketplace.kernel.clock import FrozenClock, Period, instant_of
from marketplace.orders.models import Assignment, WorkOrder
from marketplace.orders.states import State
from marketplace.settlement.models import Statement
from marketplace.workflows import demo as city
from marketplace.workflows.confirm import auto_confirm
from marketplace.workflows.settle import close_month
from tests.journeys.conftest import Town, serving

DAY = date(2026, 11, 23)
PERIOD = Period.of(DAY)
NOON_S = 12 * 3600
CONFIRMED = date(2026, 11, 28)
"""A day on which silence has confirmed the visits of the day."""


def build(
    folder: Path, *, orders: int, elders: int, seconds: float, **more
) -> tuple[object, FrozenClock]:
    """Make, load, grant and plan a city; return the application, its clock at half past seven."""
    clock = FrozenClock(instant_of(DAY, NIGHT_S))
    settings = Settings(
        instance=folder,
        secret_key="s" * 40,
        data_key="d" * 40,
        demo=True,
        log_level="ERROR",
        **more,
    )
    app = create_app(settings, clock=clock)
    with app.app_context():
        ports = replace(app.extensions["ports"], clock=clock)
        _build(db.session, ports, folder / "city", orders, elders, 1, DAY, seconds)
        start = city.latest_second(db.session, DAY, MORNING_S)
        clock.at = instant_of(DAY, start)
        db.session.remove()
    return app, clock


def closed(folder: Path, **size) -> tuple[object, str]:
    """Copy a built town, end its morning's visits and close their month; the copy and a statement.

    The statement is the longest one of the demonstration's vendor. A copy that is there already is
    taken as it is.
    """
    there = folder / "closed"
    if not there.exists():
        shutil.copytree(folder, there, ignore=shutil.ignore_patterns("closed"))
    app, clock = build(there, **size)
    clock.at = instant_of(DAY, MORNING_S)
    with app.app_context():
        ports, session = replace(app.extensions["ports"], clock=clock), db.session
        if not session.scalar(select(Statement.id).limit(1)):
            city.play_morning(session, ports, DAY, until_s=NOON_S, advance=lambda _n: None)
            clock.at = instant_of(CONFIRMED, NOON_S)
            while auto_confirm(session, ports).confirmed:
                pass
            clock.at = instant_of(PERIOD.next().first, NOON_S)
            close_month(session, ports, city.RELEASER, period=PERIOD)
        clock.at = instant_of(PERIOD.next().first, NOON_S)
        vendor_id = session.scalar(select(Account.vendor_id).where(Account.username == "vendor"))
        statement_id = session.scalar(
            select(Statement.id)
            .where(Statement.vendor_id == vendor_id)
            .order_by(Statement.lines.desc())
            .limit(1)
        )
        session.remove()
    assert statement_id is not None, "the vendor has no statement"
    return app, statement_id


@contextmanager
def served(folder: Path, *, orders: int = 260, elders: int = 600) -> Iterator[Town]:
    """Serve the planned town; its first vendor, helper and elder are the demonstration's accounts."""
    app, clock = build(folder, orders=orders, elders=elders, seconds=2.0)
    with serving(app) as url:
        yield Town(url, app, None, clock)


def afternoon_visit(app) -> tuple[str, str, str]:
    """Return a visit of one, planned for the afternoon at the demonstration's vendor: id, who, vendor."""
    with app.app_context():
        vendor_id = db.session.scalar(select(Account.vendor_id).where(Account.username == "vendor"))
        row = db.session.execute(
            select(WorkOrder.id, Assignment.caregiver_id)
            .join(Assignment, Assignment.work_order_id == WorkOrder.id)
            .where(
                WorkOrder.vendor_id == vendor_id,
                WorkOrder.visit_on == DAY,
                WorkOrder.state == State.ASSIGNED,
                WorkOrder.crew == 1,
                WorkOrder.skill_code != "MEAL",
                Assignment.locked.is_(False),
                Assignment.starts_at > instant_of(DAY, 10 * 3600),
            )
            .order_by(Assignment.caregiver_id, Assignment.starts_at)
            .limit(1)
        ).first()
        db.session.remove()
    assert row is not None, "the planned town has no visit of one in the afternoon"
    return row[0], row[1], vendor_id
