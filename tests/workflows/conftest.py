"""The small city for every test of a step that asks for it."""

import pytest

from marketplace.app import db
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import Period
from marketplace.kernel.db import transaction
from marketplace.workflows.grants import grant_period
from tests.databases import filled
from tests.workflows import months, world


@filled
def small_world(app):
    """The small city before any grant."""
    world.build(db.session)


@filled
def granted_world(app):
    """The small city, this month's grants released."""
    world.build(db.session)
    one, two = (Actor(f"u-grants-{n}", Role.BUREAU) for n in (1, 2))
    grant_period(db.session, app.extensions["ports"], one, two, period=Period(2026, 11))


@filled
def month_served(app):
    """One vendor's November, still open."""
    with transaction(db.session):
        months.serve_november(db.session)


@pytest.fixture
def november(month_served, session, clock):
    """Two captured visits, one disputed, one late cancellation; the clock stands in December."""
    clock.at = months.DECEMBER_2


@pytest.fixture
def city(granted_world, session):
    """The session on the small city, this month's grants released."""
    return session
