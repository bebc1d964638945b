"""A planned town behind a running server: what the demonstration makes, small."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

from sqlalchemy import select

from marketplace.app import create_app, db
from marketplace.commands.demo import MORNING_S, NIGHT_S, _build
from marketplace.config import Settings
from marketplace.kernel.clock import FrozenClock, instant_of
from marketplace.orders.models import Assignment, WorkOrder
from marketplace.orders.states import State
from marketplace.workflows import demo as city
from tests.journeys.conftest import Town, serving

DAY = date(2026, 11, 23)


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


@contextmanager
def served(folder: Path, *, orders: int = 260, elders: int = 600) -> Iterator[Town]:
    """Serve the planned town; its first vendor, helper and elder are the demonstration's accounts."""
    app, clock = build(folder, orders=orders, elders=elders, seconds=2.0)
    with serving(app) as url:
        yield Town(url, app, None, clock)


def afternoon_visit(app) -> tuple[str, str, str]:
    """Return a visit of one, planned for the afternoon at the demonstration's vendor: id, who, vendor."""
    from marketplace.accounts.models import Account

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
