"""Candidates and the counts of the ladder are those that looking at every pair gives."""

from __future__ import annotations

import numpy as np
import pytest

from dispatch import Caregiver, Fixed, Places, Problem, Task
from dispatch.candidates import eligible
from tests.dispatch.exhaustive import random_problem, ways


def by_looking_at_every_pair(problem: Problem) -> tuple[list[list[int]], list[list[int]]]:
    """Return (candidates, counts of the ladder) of each task."""
    way = ways(problem)
    chosen, counts = [], []
    for task in problem.tasks:
        left = list(range(len(problem.caregivers)))
        rows = []
        for keep in (_skilled, _allowed, _of_vendor, _in_circle, _in_shift):
            left = [at for at in left if keep(problem, way, task, problem.caregivers[at])]
            rows.append(len(left))
        counts.append(rows)
        chosen.append([at for at in left if _alone(problem, way, task, problem.caregivers[at])])
    return chosen, counts


def _skilled(problem: Problem, way, task: Task, who: Caregiver) -> bool:
    return task.skills <= who.skills


def _allowed(problem: Problem, way, task: Task, who: Caregiver) -> bool:
    settled = task.fixed is not None and len(task.fixed.caregivers) == task.crew
    return who.id not in task.forbidden and (not settled or who.id in task.fixed.caregivers)


def _of_vendor(problem: Problem, way, task: Task, who: Caregiver) -> bool:
    return task.vendors is None or who.vendor in task.vendors


def _in_circle(problem: Problem, way, task: Task, who: Caregiver) -> bool:
    return way[who.base][task.place] <= problem.circle_s


def _in_shift(problem: Problem, way, task: Task, who: Caregiver) -> bool:
    return _fits(task, who, way[who.base][task.place], way[task.place][who.base], 0)


def _fits(task: Task, who: Caregiver, go: int, back: int, soonest: int) -> bool:
    start = task.fixed.start_s if task.fixed else None
    for opens, closes in task.windows:
        if start is not None:
            if not opens <= start <= closes:
                continue
            opens = closes = start
        for begin, end in who.shifts:
            if max(opens, begin + go, soonest) <= min(closes, end - back - task.service_s):
                return True
    return False


def _alone(problem: Problem, way, task: Task, who: Caregiver) -> bool:
    go, back, soonest = way[who.base][task.place], way[task.place][who.base], 0
    if task.load is not None:
        leg = way[task.load.place][task.place]
        if leg > task.load.hold_s:
            return False
        if who.capacity is not None and task.load.units > who.capacity:
            return False
        go, soonest = way[who.base][task.load.place] + leg, task.load.ready_s + leg
    if who.max_work_s is not None and go + back + task.service_s > who.max_work_s:
        return False
    return _fits(task, who, go, back, soonest)


@pytest.mark.parametrize("seed", range(120))
def test_candidates_are_those_of_looking_at_every_pair(seed):
    problem = random_problem(seed)
    found = eligible(problem)
    candidates, counts = by_looking_at_every_pair(problem)
    assert found.remaining.tolist() == counts
    assert [sorted(found.of(at).tolist()) for at in range(len(problem.tasks))] == candidates
    assert found.alone.tolist() == [len(each) for each in candidates]


def test_the_nearest_come_first_and_most_cuts_the_rest_but_not_the_counts():
    places = Places([[32.4, 119.9 + step / 1000] for step in (5, 1, 3, 0)])
    people = tuple(Caregiver(f"c{at}", "v", at, frozenset(), ((0, 9000),)) for at in range(3))
    problem = Problem(places, people, (Task("t", 3, 60, ((0, 9000),)),))
    assert eligible(problem).of(0).tolist() == [1, 2, 0]
    cut = eligible(problem, most=2)
    assert cut.of(0).tolist() == [1, 2]
    assert cut.alone.tolist() == [3]
    assert (np.diff(cut.go_s) >= 0).all()


def test_settled_for_somebody_unknown_leaves_nobody():
    places = Places([[32.4, 119.9]])
    people = (Caregiver("c", "v", 0, frozenset(), ((0, 9000),)),)
    task = Task("t", 0, 60, ((0, 9000),), fixed=Fixed(("gone",)))
    found = eligible(Problem(places, people, (task,)))
    assert found.remaining.tolist() == [[1, 0, 0, 0, 0]]


@pytest.mark.parametrize("people", [0, 3])
@pytest.mark.parametrize("tasks", [0, 1])
def test_days_without_people_or_tasks_are_met(people, tasks):
    problem = Problem(
        Places([[32.4, 119.9]]),
        tuple(Caregiver(f"c{at}", "v", 0, frozenset(), ()) for at in range(people)),
        tuple(Task(f"t{at}", 0, 60, ((0, 9000),)) for at in range(tasks)),
    )
    found = eligible(problem)
    assert len(found.caregivers) == 0
    assert found.remaining.shape == (tasks, 5)
    assert found.parts(people) == []


def test_parts_are_tasks_that_share_candidates():
    places = Places([[32.4, 119.9], [32.4, 120.9]])
    people = tuple(Caregiver(f"c{at}", "v", at, frozenset(), ((0, 9000),)) for at in range(2))
    tasks = tuple(Task(f"t{at}", at % 2, 60, ((0, 9000),)) for at in range(5))
    found = eligible(Problem(places, people, tasks)).parts(2)
    assert [(who.tolist(), own.tolist()) for who, own in found] == [
        ([0], [0, 2, 4]),
        ([1], [1, 3]),
    ]


def test_five_thousand_tasks_at_one_point_are_met():
    places = Places([[32.4, 119.9]] * 2)
    people = tuple(Caregiver(f"c{at}", "v", 0, frozenset(), ((0, 90000),)) for at in range(100))
    tasks = tuple(Task(f"t{at}", 1, 60, ((0, 9000),)) for at in range(5000))
    found = eligible(Problem(places, people, tasks))
    assert (found.remaining == 100).all()
    assert len(found.caregivers) == 500_000
