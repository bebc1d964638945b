"""The engine against every plan there is, on problems small enough for that."""

from __future__ import annotations

from tests.dispatch.against_exhaustive import compare


def test_the_engine_is_never_better_than_every_plan_and_seldom_worse():
    compared = list(compare(2000, 60, iterations=2000))
    assert not [each for each in compared if each.is_impossible]
    # 99 % is the goal over a thousand, which the kept bench shows; here only a collapse is caught.
    assert sum(each.is_equal for each in compared) >= 50
