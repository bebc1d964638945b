"""Distinct routes that the search has held, kept for those who recombine routes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from dispatch.engine.kernel.facts import GAP

Array = np.ndarray


class SeenRoute(NamedTuple):
    """One shift's tasks in order, by number; whether loads and rests fit in is for the reader."""

    caregiver: int
    shift: int
    tasks: tuple[int, ...]


class RoutePool:
    """A bounded set of routes; when it is full the oldest go first."""

    def __init__(self, total_tasks: int, most: int = 400_000) -> None:
        self.total_tasks, self.most = total_tasks, most
        self._routes: dict[SeenRoute, None] = {}

    def __len__(self) -> int:
        return len(self._routes)

    def __iter__(self) -> Iterator[SeenRoute]:
        return iter(self._routes)

    def add_days(self, seen: Iterable[tuple[int, Array]]) -> None:
        """Add the routes of (caregiver, day) in the codes of `dispatch.engine.whole`."""
        for who, codes in seen:
            shift = 0
            tasks: list[int] = []
            for code in codes.tolist():
                if code <= GAP:
                    self._add(who, shift, tasks)
                    shift += 1
                    tasks = []
                elif code < self.total_tasks:
                    tasks.append(code)
            self._add(who, shift, tasks)

    def _add(self, who: int, shift: int, tasks: list[int]) -> None:
        if not tasks:
            return
        route = SeenRoute(who, shift, tuple(tasks))
        # Seen again is seen last: what stays in the plan stays in the pool.
        self._routes.pop(route, None)
        self._routes[route] = None
        if len(self._routes) > self.most:
            del self._routes[next(iter(self._routes))]
