"""The numbers that steer the search; the defaults are what measured best on a city's day."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Tuning:
    """How ruin and recreate behave. The order of the fields is that of `kernel.facts.Desk.knob`.

    Taken over from Christiaens and Vanden Berghe (2020): mean_out 10, longest 10, blink 0.01.
    """

    mean_out: float = 10.0
    """How many tasks an iteration takes out on average."""
    longest: float = 10.0
    """The longest string of tasks of one day."""
    split: float = 0.5
    """How often a string keeps some tasks in its middle."""
    grow: float = 0.9
    """How often that middle grows by one more."""
    blink: float = 0.01
    """How often a place is overlooked."""
    blind: float = 0.5
    """How often in an iteration that strays, so that whole days may change hands."""
    stray: float = 0.03
    """How often an iteration strays."""
    bold: float = 0.1
    """How often tasks come back even where leaving them out is cheaper: two may share a long way."""
    move_starts: float = 0.2
    """How often an iteration begins with a new agreed start of a crew near by."""

    def knobs(self) -> np.ndarray:
        """Return the numbers as the compiled code reads them."""
        return np.array(astuple(self), dtype=np.float64)
