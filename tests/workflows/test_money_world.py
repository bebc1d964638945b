"""Any order of steps leaves the books right; ``tests.bench.simulate`` runs 100,000 of them."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy.orm import Session

from tests.bench.server import create_tables, engine_of
from tests.bench.simulate import WEIGHTS, World, drive

_folder = Path(tempfile.gettempdir())
STEPS = st.sampled_from([name for name, weight in WEIGHTS.items() for _ in range(weight)])


class Money(RuleBasedStateMachine):
    """Hypothesis chooses the steps; it finds the shortest list that breaks the books."""

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp(prefix="nuanju-world-"))
        url = f"sqlite:///{self.folder / 'world.sqlite3'}"
        create_tables(url)
        self.engine = engine_of(url)
        self.world = World(Session(self.engine), self.folder)

    @rule(name=STEPS, number=st.integers(min_value=0, max_value=10**6))
    def step(self, name, number):
        self.world.step(name, number)

    @invariant()
    def books_are_right(self):
        if hasattr(self, "world"):
            self.world.balance()

    def teardown(self):
        if hasattr(self, "world"):
            self.world.prove()
            self.world.session.close()
            self.engine.dispose()
            shutil.rmtree(self.folder)


Money.TestCase.settings = settings(
    max_examples=4,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
TestAnyOrderOfStepsLeavesTheBooksRight = pytest.mark.slow(Money.TestCase)


@pytest.mark.slow
def test_a_long_random_run_leaves_the_books_right(session, tmp_path):
    world = World(session, tmp_path)
    drive(world, random.Random(7), range(1, 301), prove_every=150)
    for step in ("accept", "redeem", "refund", "cancel", "repeated"):
        assert world.ended[step] > 2, world.ended
