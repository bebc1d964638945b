"""What a question to a live day is answered with: every change, and the plan as it is then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from dispatch.board import MOVED_S, Board
from dispatch.cost import totals_of
from dispatch.io import canonical_sha256
from dispatch.model import Problem
from dispatch.plan import Plan, Unassigned
from dispatch.reasons import left_out
from dispatch.touched import violations_of

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One visit before and after: who comes and when; nobody and None where it is not served."""

    task: str
    from_caregivers: tuple[str, ...]
    from_start_s: int | None
    to_caregivers: tuple[str, ...]
    to_start_s: int | None

    @property
    def counts(self) -> bool:
        """Whether it is more than a move of up to `MOVED_S` with the same caregivers."""
        if set(self.from_caregivers) != set(self.to_caregivers):
            return True
        if self.from_start_s is None or self.to_start_s is None:
            return self.from_start_s != self.to_start_s
        return abs(self.from_start_s - self.to_start_s) > MOVED_S

    def to_json(self) -> Json:
        """Return the change as JSON values."""
        return {
            "task": self.task,
            "from": {"caregivers": list(self.from_caregivers), "start_s": self.from_start_s},
            "to": {"caregivers": list(self.to_caregivers), "start_s": self.to_start_s},
        }


class Answer:
    """The changes that a question leads to; plan and problem are made when they are asked for.

    ``subjects`` are the ids of the visits that the question was about; ``lost`` those of visits
    that had a caregiver and have none now. ``added_cost`` is that of the plan after against the
    plan before, the priorities of lost and won visits included.
    """

    def __init__(
        self,
        problem: Problem,
        plan: Plan,
        board: Board,
        changes: Sequence[Change],
        subjects: frozenset[str],
    ) -> None:
        self._old_problem, self._old_plan, self._board = problem, plan, board
        self.changes = tuple(changes)
        self.subjects = subjects

    @property
    def placed(self) -> bool:
        """Whether all visits that the question was about are served."""
        return all(
            self._board.is_served(self._board.task_index[task])
            for task in self.subjects
            if task in self._board.task_index
        )

    @property
    def lost(self) -> tuple[str, ...]:
        """Visits that were served before and are left out now."""
        return tuple(
            each.task
            for each in self.changes
            if each.from_caregivers and not each.to_caregivers
            if each.task in self._board.task_index
        )

    @property
    def other_changes(self) -> tuple[Change, ...]:
        """The changes that count against a budget: of visits the question was not about."""
        return tuple(
            each for each in self.changes if each.task not in self.subjects and each.counts
        )

    @property
    def added_cost(self) -> int:
        """What the plan costs more than before."""
        return self.plan.totals.cost - self._old_plan.totals.cost

    @cached_property
    def problem(self) -> Problem:
        """The problem that the plan answers: with the task that came or without the one that went."""
        tasks = tuple(self._board.current_tasks())
        if tasks == self._old_problem.tasks:
            return self._old_problem
        changed = replace(self._old_problem, tasks=tasks, sha256=None)
        return replace(changed, sha256=canonical_sha256(changed))

    @cached_property
    def plan(self) -> Plan:
        """The whole plan after the changes."""
        problem = self.problem
        routes = self._board.routes()
        served = {stop.task for route in routes for stop in route.stops if stop.kind == "task"}
        known = {each.task: each for each in self._old_plan.unassigned}
        missing = [task for task in problem.tasks if task.id not in served]
        fresh = left_out(self._board, [task for task in missing if task.id not in known])
        listed = {**known, **{each.task: each for each in fresh}}
        unassigned: list[Unassigned] = [listed[task.id] for task in missing]
        same = problem is self._old_problem
        return replace(
            self._old_plan,
            problem_sha256=self._old_plan.problem_sha256 if same else problem.sha256,
            routes=tuple(routes),
            unassigned=tuple(unassigned),
            totals=totals_of(problem, routes),
        )

    def to_json(self) -> Json:
        """Return placed, lost, the budgeted number and every change as JSON values."""
        return {
            "placed": self.placed,
            "lost": list(self.lost),
            "others_changed": len(self.other_changes),
            "changes": [each.to_json() for each in self.changes],
        }


def settle_answer(
    problem: Problem, plan: Plan, before: Board, after: Board, subjects: Iterable[int]
) -> Answer:
    """Return the answer that leads from one board to the other, its touched routes checked.

    Raises `RuntimeError` where one breaks a rule: that is a fault of this program, and no plan is
    better than a wrong one.
    """
    touched = [who for who in range(len(after.days)) if after.days[who] is not before.days[who]]
    violations = violations_of(after, touched)
    if violations:
        raise RuntimeError(f"a change would break a rule: {violations[0]}")
    names = frozenset(after.tasks[task].id for task in subjects)
    return Answer(problem, plan, after, _changes(before, after, touched), names)


def _changes(before: Board, after: Board, touched: Sequence[int]) -> list[Change]:
    tasks: set[int] = set()
    for who in touched:
        tasks |= set(before.days[who].tasks()) | set(after.days[who].tasks())
    found = []
    for task in sorted(tasks):
        old, new = _state(before, task), _state(after, task)
        if old != new:
            found.append(Change(after.tasks[task].id, *old, *new))
    return found


def _state(board: Board, task: int) -> tuple[tuple[str, ...], int | None]:
    crew = board.crews.get(task, ())
    if not crew:
        return (), None
    names = tuple(sorted(board.people[who].id for who in crew))
    return names, board.days[crew[0]].start_of(task)
