"""The small city for every test of a step that asks for it."""

import pytest

from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import Period
from marketplace.workflows.grants import grant_period
from tests.workflows import world


@pytest.fixture
def city(session, ports):
    """The session on the small city, this month's grants released."""
    world.build(session)
    one, two = (Actor(f"u-grants-{n}", Role.BUREAU) for n in (1, 2))
    grant_period(session, ports, one, two, period=Period(2026, 11))
    return session
