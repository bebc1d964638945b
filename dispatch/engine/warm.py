"""Compiling the search, or loading it from disk, before the clock starts."""

from __future__ import annotations

import time

import numpy as np

from dispatch.candidates import eligible
from dispatch.engine.block import Budget, search_block
from dispatch.engine.classes import split_day
from dispatch.engine.generation import PartSearch
from dispatch.engine.kernel.compiled import is_warm
from dispatch.engine.kernel.search import advance
from dispatch.engine.pricing import cheapest_routes
from dispatch.engine.whole import Whole
from dispatch.model import Caregiver, Places, Problem, Task
from dispatch.travel import Travel

__all__ = ["is_compiled", "warm_up", "warm_up_pricing"]

LONG_S = 3600.0


def is_compiled() -> bool:
    """Say whether the search runs at once; if not, `warm_up` takes a minute or so."""
    return is_warm(advance)


def warm_up() -> None:
    """Run the search on a day of one task, so that everything is compiled or loaded."""
    problem = _small_day()
    whole = Whole(problem, eligible(problem), Travel.of(problem))
    block = whole.cut(np.array([0]), np.array([0]))
    search_block(block, (0,), Budget(iterations=1), {}, {})


def warm_up_pricing() -> None:
    """Price the routes of that day, so that what recombines routes is compiled or loaded as well.

    Processes that are forked from this one afterwards find it in their memory.
    """
    if not cheapest_routes.signatures:
        PartSearch(split_day(_small_day()).parts[0]).advance(time.monotonic() + LONG_S)


def _small_day() -> Problem:
    return Problem(
        places=Places(seconds=np.array([[0, 60], [60, 0]])),
        caregivers=(Caregiver("c", "v", 0, frozenset(), ((0, 7200),)),),
        tasks=(Task("t", 1, 600, ((0, 3600),)),),
    )
