"""Known routes as the columns of the parts they lie in, and what a plan pays in each part."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dispatch.engine.classes import ShiftClass, Split
from dispatch.engine.daybook import Visit
from dispatch.model import Plan, Problem
from dispatch.travel import Travel

Path = tuple[int, ...]
Seen = tuple[int, int, list[Visit]]


def columns_of(
    problem: Problem, split: Split, seen: Iterable[Seen]
) -> list[list[tuple[int, Path]]]:
    """Return for each part the columns (class, nodes) that routes seen make there.

    A route is (caregiver, shift, visits). One that its class cannot have, or that has no task, is
    left out. Tasks alone will do: a route without a loading gets those that it needs.
    """
    part_of = {int(j): at for at, part in enumerate(split.parts) for j in part.tasks}
    class_of = {
        (member, at): number
        for at, part in enumerate(split.parts)
        for number, each in enumerate(part.classes)
        for member in each.members
    }
    found: list[list[tuple[int, Path]]] = [[] for _ in split.parts]
    for who, shift, visits in seen:
        tasks = [visit.task for visit in visits if visit.task is not None]
        part = part_of.get(tasks[0]) if tasks else None
        number = class_of.get(((who, shift), part))
        if number is not None:
            each = split.parts[part].classes[number]
            if each.sources and all(visit.task is not None for visit in visits):
                visits = _loaded(problem, visits)
            path = _path(problem, each, visits)
            if path is not None:
                found[part].append((number, path))
    return found


def _loaded(problem: Problem, visits: list[Visit]) -> list[Visit]:
    """Return the visits with one loading at each place, before the first who is served from it."""
    found: list[Visit] = []
    loaded: set[int] = set()
    for visit in visits:
        load = problem.tasks[visit.task].load
        if load is not None and load.place not in loaded:
            loaded.add(load.place)
            found.append(Visit(load_at=load.place))
        found.append(visit)
    return found


def _path(problem: Problem, each: ShiftClass, visits: list[Visit]) -> Path | None:
    """Return the nodes of a route in its class; None where the class has not all of its tasks."""
    node = {int(j): k for k, j in enumerate(each.tasks)}
    path: list[int] = []
    for at, visit in enumerate(visits):
        if visit.task is not None:
            if visit.task not in node:
                return None
            path.append(node[visit.task])
        elif each.sources:
            source = _source(problem, each, visits[at + 1 :], visit.load_at)
            if source is not None:
                path.append(len(each.tasks) + source)
    return tuple(path)


def _source(problem: Problem, each: ShiftClass, after: list[Visit], place: int) -> int | None:
    """Return the source that a loading at ``place`` must be, for all that is served from it."""
    ready = -1
    for visit in after:
        if visit.task is None:
            if visit.load_at == place:
                break
            continue
        load = problem.tasks[visit.task].load
        if load is not None and load.place == place:
            ready = max(ready, load.ready_s)
    return each.sources.index((place, ready)) if (place, ready) in each.sources else None


def plan_columns(
    problem: Problem, split: Split, plan: Plan
) -> tuple[list[list[tuple[int, Path]]], np.ndarray]:
    """Return (columns of each part, what the plan costs in each part).

    Counted are travel, what is left out and who is not preferred; shares are the day's. Travel
    that lies in no part (a route without tasks) counts nowhere.
    """
    part_of = {int(j): at for at, part in enumerate(split.parts) for j in part.tasks}
    cost = np.zeros(len(split.parts), np.int64)
    travel = Travel.of(problem)
    seen: list[Seen] = []
    for route in plan.routes:
        served = [problem.task_index[s.task] for s in route.stops if s.kind == "task"]
        if not served or served[0] not in part_of:
            continue
        part = part_of[served[0]]
        caregiver = problem.caregiver(route.caregiver)
        places = np.array([caregiver.base, *(s.place for s in route.stops), caregiver.base])
        seconds = int(travel.pairs(places[:-1], places[1:]).sum(dtype=np.int64))
        cost[part] += seconds * problem.weights.travel
        for j in served:
            preferred = problem.tasks[j].preferred
            if preferred and route.caregiver not in preferred:
                cost[part] += problem.weights.unpreferred
        visits = [
            Visit(load_at=stop.place)
            if stop.kind == "load"
            else Visit(task=problem.task_index[stop.task])
            for stop in route.stops
            if stop.kind != "rest"
        ]
        seen.append((problem.caregiver_index[route.caregiver], route.shift, visits))
    for left in plan.unassigned:
        part = part_of.get(problem.task_index[left.task])
        if part is not None:
            priority = problem.task(left.task).priority
            cost[part] += problem.weights.unassigned * priority
    return columns_of(problem, split, seen), cost
