"""Changes of one fact each that would let a task be served, every one of them tried.

A change is found by setting one rule aside and seeing how far it would have to give; it counts
only when the visit then fits into the day with the changed fact and the checker agrees.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from dispatch import chain
from dispatch.board import Board, Options
from dispatch.io import caregiver_to_json
from dispatch.model import Caregiver, Task
from dispatch.offers import carry_out, cheapest, placements
from dispatch.plan import WouldHelp
from dispatch.touched import violations_of

Array = np.ndarray

# What is asked of people or clients is rounded outward to five minutes, as it would be said.
GRAIN_S = 300
# Nobody is asked to work more than two hours longer.
OVERTIME_S = 7_200
# Of those who fail one filter, so many of the nearest are tried.
_NEAREST = 8
DAY_S = 86_400


def changes_that_help(board: Board, at: int, *, until: float | None = None) -> list[WouldHelp]:
    """Return at most one change of each kind, each tried, while time lasts (`time.monotonic`)."""
    helping = _Help(board, at)
    found = []
    for way in (
        helping.window,
        helping.ready,
        helping.shift,
        helping.vendor,
        helping.forbidden,
        helping.circle,
        helping.capacity,
        helping.skill,
        helping.extra_caregiver,
    ):
        if until is not None and time.monotonic() > until:
            break
        tried = next(way(), None)
        if tried is not None:
            found.append(tried)
    return found


@dataclass(frozen=True, slots=True)
class _Filters:
    """For each caregiver whether each filter lets the task pass, and the way from the base."""

    skill: Array
    allowed: Array
    vendor: Array
    circle: Array
    go_s: Array

    def all_but(self, name: str) -> Array:
        """Return who passes all filters but this one, and fails it, nearest first."""
        passes = ~getattr(self, name)
        for other in ("skill", "allowed", "vendor", "circle"):
            if other != name:
                passes = passes & getattr(self, other)
        who = np.flatnonzero(passes)
        return who[np.argsort(self.go_s[who], kind="stable")]


class _Help:
    def __init__(self, board: Board, at: int) -> None:
        self.board, self.at, self.task = board, at, board.tasks[at]
        self.filters = self._filters()
        self.able = board.candidates(self.task)
        passing = self.filters.skill & self.filters.allowed & self.filters.vendor
        self.near = np.flatnonzero(passing & self.filters.circle).tolist()

    def _filters(self) -> _Filters:
        board, task = self.board, self.task
        people = board.people
        named = set(task.fixed.caregivers) if task.fixed is not None else set()
        settled = len(named) == task.crew
        here = np.array([who not in board.closed for who in range(len(people))], dtype=bool)
        allowed = np.array(
            [p.id not in task.forbidden and (not settled or p.id in named) for p in people], bool
        )
        bases = np.array([p.base for p in people], dtype=np.int64)
        go = board.travel.pairs(bases, np.full(len(people), task.place))
        vendors = task.vendors
        return _Filters(
            skill=np.array([task.skills <= p.skills for p in people], dtype=bool) & here,
            allowed=allowed,
            vendor=np.array([vendors is None or p.vendor in vendors for p in people], dtype=bool),
            circle=go <= board.circle_s,
            go_s=go,
        )

    # --- the trial -------------------------------------------------------------------------------

    def _tried(
        self,
        who: Sequence[int],
        *,
        task: Task | None = None,
        caregiver: Caregiver | None = None,
        circle_s: int | None = None,
        must: int | None = None,
    ) -> str | None:
        """Return who goes (one of the crew) once the visit is placed with one fact changed.

        ``task`` or ``caregiver`` replace theirs; ``must`` has to be among the crew. None where it
        does not fit, or the checker finds fault.
        """
        board = self.board.copy()
        at = self.at
        if task is not None:
            at = board.add_task(task)
        if caregiver is not None and must is not None:
            board.set_caregiver(must, caregiver)
        if circle_s is not None:
            board.circle_s = circle_s
        return _place(board, at, who, must)

    def _best(self, who: Sequence[int], relax: int) -> Options:
        return self.board.options(self.at, who, relax=relax)

    # --- one kind of change each -----------------------------------------------------------------

    def window(self) -> Iterator[WouldHelp]:
        """A window that opens earlier or closes later."""
        if self.task.fixed is not None and self.task.fixed.start_s is not None:
            return
        found: list[tuple[int, tuple[int, int], tuple[int, int]]] = []
        who = self.able or self.near
        options = self._best(who, chain.NO_WINDOW)
        for first, last in _spans(self.board, self.at, options):
            found += _widened(self.task.windows, first, last)
        found.sort()
        for _, old, new in found[:3]:
            windows = tuple(new if each == old else each for each in self.task.windows)
            goes = self._tried(who, task=replace(self.task, windows=windows))
            if goes is not None:
                yield WouldHelp("window", list(old), list(new), goes)

    def ready(self) -> Iterator[WouldHelp]:
        """A load that is ready earlier."""
        load = self.task.load
        if load is None:
            return
        options = self._best(self.near, chain.NO_READY)
        for by in sorted({int(x) for x in options.rows[:, chain.LOAD_BY]}, reverse=True)[:3]:
            ready = max(0, by // GRAIN_S * GRAIN_S)
            if ready >= load.ready_s:
                continue
            changed = replace(self.task, load=replace(load, ready_s=ready))
            goes = self._tried(self.near, task=changed)
            if goes is not None:
                yield WouldHelp("ready_s", load.ready_s, ready, goes)

    def shift(self) -> Iterator[WouldHelp]:
        """Somebody's shift that begins earlier or ends later."""
        found: list[tuple[int, int, tuple[int, int], tuple[int, int]]] = []
        for relax in (chain.NO_END, chain.NO_BEGIN):
            options = self._best(self.near, relax)
            for k in range(len(options)):
                who = int(options.who[k])
                number = self._shift_of(who, options.rows[k])
                begin, end = self.board.people[who].shifts[number]
                if relax == chain.NO_END:
                    late = -(-int(options.rows[k, chain.HOME_AT]) // GRAIN_S) * GRAIN_S
                    new = (begin, max(end, late))
                else:
                    early = int(options.rows[k, chain.LEAVE_BY]) // GRAIN_S * GRAIN_S
                    new = (max(0, min(begin, early)), end)
                longer = new[1] - new[0] - (end - begin)
                if 0 < longer <= OVERTIME_S:
                    found.append((longer, who, (begin, end), new))
        found.sort()
        for _, who, old, new in found[:6]:
            caregiver = self.board.people[who]
            shifts = tuple(new if each == old else each for each in caregiver.shifts)
            if any(a[1] > b[0] for a, b in pairwise(shifts)):
                continue
            crew = [*(w for w in self.able if w != who), who]
            goes = self._tried(crew, caregiver=replace(caregiver, shifts=shifts), must=who)
            if goes is not None:
                yield WouldHelp("shift", list(old), list(new), caregiver.id)

    def _shift_of(self, who: int, option: Array) -> int:
        if option[chain.IN_SHIFT] >= 0:
            return int(option[chain.IN_SHIFT])
        rows = self.board.days[who].rows[: int(option[chain.AFTER]) + 1]
        return int(rows[rows[:, chain.KIND] == chain.LEAVE, chain.SHIFT][-1])

    def vendor(self) -> Iterator[WouldHelp]:
        """Another vendor that is asked as well."""
        task = self.task
        if task.vendors is None:
            return
        who = self.filters.all_but("vendor").tolist()
        for vendor in dict.fromkeys(self.board.people[each].vendor for each in who):
            team = [each for each in who if self.board.people[each].vendor == vendor]
            wider = replace(task, vendors=task.vendors | {vendor})
            goes = self._tried(team, task=wider)
            if goes is not None:
                yield WouldHelp("vendor", sorted(task.vendors), sorted(wider.vendors), goes)

    def forbidden(self) -> Iterator[WouldHelp]:
        """Somebody who is forbidden now."""
        for who in self.filters.all_but("allowed").tolist():
            name = self.board.people[who].id
            if name not in self.task.forbidden:
                continue
            changed = replace(self.task, forbidden=self.task.forbidden - {name})
            goes = self._tried([*self.able, who], task=changed, must=who)
            if goes is not None:
                before, after = sorted(self.task.forbidden), sorted(changed.forbidden)
                yield WouldHelp("forbidden", before, after, name)

    def circle(self) -> Iterator[WouldHelp]:
        """A circle just wide enough for somebody farther away."""
        who = self.filters.all_but("circle")
        for far in who[:_NEAREST].tolist():
            reach = int(self.filters.go_s[far])
            team = who[self.filters.go_s[who] <= reach].tolist()
            goes = self._tried([*self.able, *team], circle_s=reach)
            if goes is not None:
                yield WouldHelp("circle_s", self.board.circle_s, reach, goes)

    def capacity(self) -> Iterator[WouldHelp]:
        """Somebody who can carry more."""
        if self.task.load is None:
            return
        options = self._best(self.near, chain.NO_CAPACITY)
        for k in np.argsort(options.rows[:, chain.BOARD], kind="stable")[:3].tolist():
            who, units = int(options.who[k]), int(options.rows[k, chain.BOARD])
            caregiver = self.board.people[who]
            if caregiver.capacity is None or units <= caregiver.capacity:
                continue
            larger = replace(caregiver, capacity=units)
            if self._tried([who], caregiver=larger, must=who) is not None:
                yield WouldHelp("capacity", caregiver.capacity, units, caregiver.id)

    def skill(self) -> Iterator[WouldHelp]:
        """Somebody near who learns what is missing."""
        for who in self.filters.all_but("skill")[:_NEAREST].tolist():
            if who in self.board.closed:
                continue
            caregiver = self.board.people[who]
            skilled = replace(caregiver, skills=caregiver.skills | self.task.skills)
            goes = self._tried([*self.able, who], caregiver=skilled, must=who)
            if goes is not None:
                before, after = sorted(caregiver.skills), sorted(skilled.skills)
                yield WouldHelp("skill", before, after, caregiver.id)

    def extra_caregiver(self) -> Iterator[WouldHelp]:
        """One more like somebody near, with nothing else to do."""
        models = self.able or self.near or self._models()
        for who in models[:_NEAREST]:
            model = self.board.people[who]
            extra = replace(
                model, id=_free_name(self.board, model.id), skills=model.skills | self.task.skills
            )
            board = self.board.copy()
            fresh = board.add_caregiver(extra)
            if _place(board, self.at, [*self.able, fresh], fresh) is not None:
                yield WouldHelp("extra_caregiver", None, caregiver_to_json(extra), extra.id)

    def _models(self) -> list[int]:
        """Return who would do but for skill, nearest first: nobody who has it is near."""
        fit = np.flatnonzero(self.filters.vendor & self.filters.circle)
        return fit[np.argsort(self.filters.go_s[fit], kind="stable")].tolist()


def _place(board: Board, at: int, who: Sequence[int], must: int | None) -> str | None:
    """Return one of the crew that takes the visit on, *must* where given; None without one."""
    options = board.options(at, list(dict.fromkeys(who)))
    ways = [cheapest(board, at, options)] if must is None else placements(board, at, options)
    for placement in ways:
        if placement is None:
            continue
        crew = [each for each, _ in placement.members]
        if must is not None and must not in crew:
            continue
        days = carry_out(board, at, placement)
        if days is None:
            continue
        for day in days:
            board.put(day)
        if not violations_of(board, crew):
            return board.people[crew[0] if must is None else must].id
    return None


def _spans(board: Board, at: int, options: Options) -> list[tuple[int, int]]:
    """Return from when to when a whole crew could start."""
    if board.tasks[at].crew == 1:
        return list(zip(options.first.tolist(), options.last.tolist(), strict=True))
    ways = placements(board, at, options)
    return [(way.start_s, way.start_s) for way in ways]


def _widened(
    windows: Sequence[tuple[int, int]], first: int, last: int
) -> list[tuple[int, tuple[int, int], tuple[int, int]]]:
    """Return (how much longer, window, the window widened) for starts from *first* to *last*."""
    found = []
    for opens, closes in windows:
        if last < opens:
            new = (max(0, last // GRAIN_S * GRAIN_S), closes)
        elif first > closes:
            new = (opens, -(-first // GRAIN_S) * GRAIN_S)
        else:
            continue
        longer = new[1] - new[0] - (closes - opens)
        if longer <= DAY_S:
            found.append((longer, (opens, closes), new))
    return found


def _free_name(board: Board, name: str) -> str:
    taken = {each.id for each in board.people}
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"
