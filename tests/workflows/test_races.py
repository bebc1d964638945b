"""Real processes race for the same money; the long runs are in ``tests.bench.redeem``."""

from __future__ import annotations

import pytest

from tests.bench.races import RACES
from tests.bench.redeem import crowd


@pytest.mark.slow
@pytest.mark.parametrize("race", RACES)
def test_of_many_at_once_one_wins_and_the_books_are_right(database_url, race):
    with crowd(database_url, race, processes=12) as runners:
        for r in range(2):
            ended = runners.run(r)
            assert sum(ended.values()) == 12
