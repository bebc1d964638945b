"""The facts of a day's tasks and caregivers as arrays, the way `dispatch.chain` reads them."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from dispatch import chain
from dispatch.model import Caregiver, Problem, Task
from dispatch.travel import Travel

Array = np.ndarray
UNBOUND = chain.AGES >> 2
NONE = np.empty(0, np.int64)


class Facts:
    """Who can go and what is asked for: the problem's, and what comes along during the day.

    ``now_s``: what began before stays as it is, and nothing new begins earlier. ``ready`` says from
    when somebody who is late can go on. Arrays are replaced, never written to, so that a copy may
    share them.
    """

    def __init__(self, problem: Problem, *, now_s: int = 0) -> None:
        self.problem = problem
        self.now_s = now_s
        self.ready: dict[int, int] = {}
        self.travel = Travel.of(problem)
        self.people: list[Caregiver] = list(problem.caregivers)
        self.tasks: list[Task] = list(problem.tasks)
        self.task_index = dict(problem.task_index)
        self.persons = np.array([_person(each) for each in problem.caregivers], dtype=np.int64)
        self.persons = self.persons.reshape(len(problem.caregivers), chain.PERSON)
        self.shifts = [_shifts(each) for each in problem.caregivers]
        self.facts, self.windows = _facts(self.tasks, 0)

    def copy(self) -> Facts:
        """Return facts that can be changed without changing these."""
        other = copy.copy(self)
        other.people, other.shifts = list(self.people), list(self.shifts)
        other.tasks, other.task_index = list(self.tasks), dict(self.task_index)
        other.ready = dict(self.ready)
        return other

    def now_of(self, who: int) -> int:
        """Return the earliest that somebody can set out for something new."""
        return max(self.now_s, self.ready.get(who, 0))

    def add_task(self, task: Task) -> int:
        """Take a task on that is not in the problem yet; return its position.

        A task of an id that is there already replaces that one in what is asked from now on.
        """
        at = len(self.tasks)
        facts, windows = _facts([task], len(self.windows))
        self.facts = np.concatenate([self.facts, facts])
        self.windows = np.concatenate([self.windows, windows])
        self.tasks.append(task)
        self.task_index[task.id] = at
        return at

    def add_caregiver(self, caregiver: Caregiver) -> int:
        """Take somebody on; return the position."""
        self.people.append(caregiver)
        self.persons = np.concatenate([self.persons, [_person(caregiver)]])
        self.shifts.append(_shifts(caregiver))
        return len(self.people) - 1

    def set_caregiver(self, who: int, caregiver: Caregiver) -> None:
        """Let the facts of the caregiver at that position be others from now on."""
        self.people[who] = caregiver
        self.persons = self.persons.copy()
        self.persons[who] = _person(caregiver)
        self.shifts[who] = _shifts(caregiver)


def _person(caregiver: Caregiver) -> list[int]:
    rest = caregiver.rest
    return [
        UNBOUND if caregiver.max_work_s is None else caregiver.max_work_s,
        0 if rest is None else rest.start_s,
        0 if rest is None else rest.end_s,
        0 if rest is None else rest.lasts_s,
        UNBOUND if caregiver.capacity is None else caregiver.capacity,
        caregiver.base,
    ]


def _shifts(caregiver: Caregiver) -> Array:
    return np.array(caregiver.shifts, np.int64).reshape(-1, 2)


def _facts(tasks: Sequence[Task], at: int) -> tuple[Array, Array]:
    """Return rows of facts and windows; ``at`` is where the windows will stand."""
    facts, windows = [], []
    for task in tasks:
        own = task.windows
        if task.fixed is not None and task.fixed.start_s is not None:
            start = task.fixed.start_s
            own = ((start, start),) if any(a <= start <= b for a, b in own) else ()
        load = task.load
        facts.append(
            [
                task.service_s,
                at,
                at + len(own),
                -1 if load is None else load.place,
                0 if load is None else load.units,
                0 if load is None else load.ready_s,
                0 if load is None else load.hold_s,
                task.place,
            ]
        )
        windows += own
        at += len(own)
    return (
        np.array(facts, np.int64).reshape(len(facts), chain.FACTS),
        np.array(windows, np.int64).reshape(len(windows), 2),
    )
