"""A plan's routes as the columns of the parts they lie in, and what the plan pays in each part."""

from __future__ import annotations

import numpy as np

from dispatch.engine.classes import ShiftClass, Split
from dispatch.model import Plan, Problem, Route
from dispatch.travel import Travel

Path = tuple[int, ...]


class Whereabouts:
    """Where each task and each caregiver's shift lies in a split day."""

    def __init__(self, problem: Problem, split: Split) -> None:
        self.problem, self.split = problem, split
        self.part_of = {int(j): at for at, part in enumerate(split.parts) for j in part.tasks}
        self.class_of = {
            (member, at): number
            for at, part in enumerate(split.parts)
            for number, each in enumerate(part.classes)
            for member in each.members
        }

    def place(self, caregiver: int, shift: int, tasks: list[int]) -> tuple[int, int] | None:
        """Return (part, class) of a route over ``tasks``; None where no class has them all."""
        part = self.part_of.get(tasks[0])
        number = self.class_of.get(((caregiver, shift), part))
        if number is None:
            return None
        within = set(self.split.parts[part].classes[number].tasks.tolist())
        return (part, number) if within.issuperset(tasks) else None

    def path(self, route: Route) -> tuple[int, int, Path] | None:
        """Return (part, class, nodes) of a plan's route; None where it is no route of a class."""
        problem = self.problem
        tasks = [problem.task_index[s.task] for s in route.stops if s.kind == "task"]
        at = problem.caregiver_index[route.caregiver]
        found = self.place(at, route.shift, tasks) if tasks else None
        if found is None:
            return None
        part, number = found
        each = self.split.parts[part].classes[number]
        node = {int(j): k for k, j in enumerate(each.tasks)}
        path = []
        for stop in route.stops:
            if stop.kind == "task":
                path.append(node[problem.task_index[stop.task]])
            elif stop.kind == "load" and each.sources:
                source = _source(each, stop.place, stop.start_s)
                if source is None:
                    return None
                path.append(source)
        return part, number, tuple(path)


def _source(each: ShiftClass, place: int, second: int) -> int | None:
    """Return the node where all that is ready at a load place by then is loaded."""
    ready = [k for k, (p, r) in enumerate(each.sources) if p == place and r <= second]
    return len(each.tasks) + ready[-1] if ready else None


def plan_columns(
    problem: Problem, split: Split, plan: Plan
) -> tuple[list[list[tuple[int, Path]]], np.ndarray]:
    """Return (columns of each part, what the plan costs in each part).

    Counted are travel, what is left out and who is not preferred; shares are the day's. Travel
    that lies in no part (a route without tasks) counts nowhere.
    """
    where = Whereabouts(problem, split)
    columns: list[list[tuple[int, Path]]] = [[] for _ in split.parts]
    cost = np.zeros(len(split.parts), np.int64)
    travel = Travel.of(problem)
    for route in plan.routes:
        served = [problem.task_index[s.task] for s in route.stops if s.kind == "task"]
        if not served:
            continue
        caregiver = problem.caregiver(route.caregiver)
        places = np.array([caregiver.base, *(s.place for s in route.stops), caregiver.base])
        part = where.part_of[served[0]]
        seconds = int(travel.pairs(places[:-1], places[1:]).sum(dtype=np.int64))
        cost[part] += seconds * problem.weights.travel
        for j in served:
            preferred = problem.tasks[j].preferred
            if preferred and route.caregiver not in preferred:
                cost[part] += problem.weights.unpreferred
        found = where.path(route)
        if found is not None:
            columns[part].append(found[1:])
    for left in plan.unassigned:
        part = where.part_of.get(problem.task_index[left.task])
        if part is not None:
            priority = problem.task(left.task).priority
            cost[part] += problem.weights.unassigned * priority
    return columns, cost
