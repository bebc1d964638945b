"""The search against looking at every plan, on small problems that mix all rules."""

from __future__ import annotations

import os

import pytest

from tests.dispatch.against_exhaustive import compare

PROBLEMS = int(os.environ.get("NUANJU_SMALL_PROBLEMS", "120"))


@pytest.mark.slow
def test_search_is_never_better_than_the_cheapest_plan_and_nearly_always_as_good():
    compared = list(compare(0, PROBLEMS, iterations=3000))
    assert [each.seed for each in compared if each.is_impossible] == []
    dearer = [each.seed for each in compared if not each.is_equal]
    assert len(dearer) <= PROBLEMS / 100, f"dearer than the cheapest plan: {dearer}"
