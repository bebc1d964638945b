"""What a plan costs, term by term, derived from its routes and the problem alone."""

from __future__ import annotations

import copy
from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction
from math import lcm

import numpy as np

from dispatch.model import Caregiver, Problem
from dispatch.plan import Cost, Plan, Route, Totals
from dispatch.travel import Travel


def plan_cost(problem: Problem, plan: Plan) -> Cost:
    """Return the cost of *plan* by term, derived from its routes; the sum is ``.total``.

    The routes must be about caregivers and tasks that the problem has, as `check` finds.
    """
    return totals_of(problem, plan.routes).by_term


def totals_of(problem: Problem, routes: Sequence[Route]) -> Totals:
    """Return the totals of *routes*, every task without a stop being left out."""
    crews: dict[str, list[Caregiver]] = defaultdict(list)
    for route in routes:
        for stop in route.stops:
            if stop.kind == "task":
                crews[stop.task].append(problem.caregiver(route.caregiver))
    weights = problem.weights
    travel_s = sum(sum(way) for way in route_legs(problem, routes))
    left_out = sum(task.priority for task in problem.tasks if task.id not in crews)
    strangers = 0
    for task_id, crew in crews.items():
        preferred = problem.task(task_id).preferred
        if preferred:
            strangers += sum(member.id not in preferred for member in crew)
    cost = Cost(
        travel=weights.travel * travel_s,
        unassigned=weights.unassigned * left_out,
        unpreferred=weights.unpreferred * strangers,
        vendor_share=_share_term(problem, crews),
    )
    return Totals(
        tasks=len(problem.tasks),
        assigned=len(crews),
        travel_s=travel_s,
        cost=cost.total,
        by_term=cost,
    )


class Shares:
    """The share term as open tasks come and go: ``served`` by vendor, ``open_tasks`` in all.

    Whole numbers throughout, so that it is the same as in fractions; rounded half up once. Without
    open tasks there is nothing to share and the term is 0.
    """

    def __init__(self, problem: Problem, served: Counter[str], open_tasks: int) -> None:
        self.served, self.open_tasks = served, open_tasks
        self.weight = problem.weights.vendor_share
        shares = {v: Fraction(repr(part)) for v, part in (problem.vendor_share or {}).items()}
        self._unit = lcm(*(share.denominator for share in shares.values()))
        self._asked = {v: int(share * self._unit) for v, share in shares.items()}

    def copy(self) -> Shares:
        """Return one that can be counted on apart."""
        other = copy.copy(self)
        other.served = self.served.copy()
        return other

    def cost(self, extra: str | None = None) -> int:
        """Return the term, with one more task served by vendor *extra* where given."""
        if not self._asked or not self.open_tasks:
            return 0
        missing = 0
        for vendor, asked in self._asked.items():
            served = self.served[vendor] + (vendor == extra)
            missing += max(0, 100 * (asked * self.open_tasks - self._unit * served))
        whole = self._unit * self.open_tasks
        return (2 * missing * self.weight + whole) // (2 * whole)


def share_cost(problem: Problem, served: Counter[str], open_tasks: int) -> int:
    """Return the share term where each vendor serves so many of the problem's open tasks."""
    return Shares(problem, served, open_tasks).cost()


def _share_term(problem: Problem, crews: dict[str, list[Caregiver]]) -> int:
    if not problem.vendor_share:
        return 0
    served: Counter[str] = Counter()
    open_tasks = 0
    for task in problem.tasks:
        if task.vendors is None:
            open_tasks += 1
            # A crew is of one vendor; of a plan that breaks this, each vendor counts once.
            served.update({member.vendor for member in crews.get(task.id, ())})
    return share_cost(problem, served, open_tasks)


def route_legs(
    problem: Problem, routes: Sequence[Route], travel: Travel | None = None
) -> list[list[int]]:
    """Return for each route the seconds from base to the first stop, ..., from the last to base."""
    starts: list[int] = []
    ends: list[int] = []
    for route in routes:
        base = problem.caregiver(route.caregiver).base
        places = [stop.place for stop in route.stops]
        if places:
            starts += [base, *places]
            ends += [*places, base]
    ways = Travel.of(problem) if travel is None else travel
    seconds = ways.pairs(np.array(starts, int), np.array(ends, int)).tolist()
    result = []
    at = 0
    for route in routes:
        size = len(route.stops) + 1 if route.stops else 0
        result.append(seconds[at : at + size])
        at += size
    return result
