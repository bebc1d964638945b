"""Real processes race for the same money; the long runs are in ``tests.bench.redeem``."""

from __future__ import annotations

import pytest

from tests.bench.redeem import RACES, run_race


@pytest.mark.slow
@pytest.mark.parametrize("race", RACES)
def test_of_many_at_once_one_wins_and_the_books_are_right(database_url, race):
    ended = run_race(database_url, race, processes=12)
    assert sum(ended.values()) == 12
    assert 1 <= ended["done"] <= (6 if race == "cancel" else 1)
