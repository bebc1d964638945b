"""Find room for visits that lost their caregiver, with as little change to others as there can be.

Five steps, each only for what the step before could not place: into the days as they are, other
visits moving at most `MOVED_S`; with other visits moving as far as they may; with one other visit
handed over to make room; with the people around planned anew (`dispatch.reseat`); with a visit of
lower priority giving way. Every change but those of the visits asked for is counted against the
budget.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import combinations

from dispatch.board import MOVED_S, UNBOUND, Board, Day
from dispatch.offers import Placement, all_options, carry_out, cheapest, placements
from dispatch.reseat import replanned

# How many ways to make room are compared before the cheapest is taken.
_COMPARED = 4
# The part of the time that handing single visits over may take, and what planning anew needs.
_HANDING_OVER = 0.35
_LEAST_S, _AFTER_S = 0.12, 0.05
_WAYS_TRIED = 12


class Mender:
    """Places visits on a board that it changes; ``before`` is what changes are counted against.

    ``own`` are the visits that may change freely; ``budget`` bounds how many others do (None: any
    number); what needs more than ``seconds`` in all is given up.
    """

    def __init__(
        self, board: Board, before: Board, own: set[int], budget: int | None, seconds: float
    ) -> None:
        self.board, self.before, self.own = board, before, set(own)
        self.budget = UNBOUND if budget is None else budget
        begun = time.monotonic()
        self.until = begun + seconds
        self.handing_over_until = begun + _HANDING_OVER * seconds

    # --- all that is to be placed ----------------------------------------------------------------

    def place(self, tasks: Sequence[int]) -> list[int]:
        """Place what can be placed, and return what cannot."""
        left = self._by_regret(list(tasks), MOVED_S)
        if left and self.budget > 0:
            left = self._by_regret(left, UNBOUND)
        left = [task for task in self._hardest_first(left) if not self._make_room(task)]
        left = self._replanned(left)
        return [task for task in self._hardest_first(left) if not self._oust(task)]

    def _replanned(self, left: list[int]) -> list[int]:
        """Let the people around be planned anew, the clock allowing; return what is still left."""
        remaining = self.until - time.monotonic()
        if not left or self.changes() >= self.budget or remaining < _LEAST_S:
            return left
        found = replanned(self.board, self.before, left, seconds=remaining - _AFTER_S)
        if found is None:
            return left
        kept = self.board.copy()
        self.board.take_over(found)
        if self.changes() > self.budget:
            self.board.take_over(kept)
            return left
        # Who gave way to a visit of higher priority is looked after like the others.
        served = {*kept.crews, *left} - self.board.crews.keys()
        return sorted(served)

    def _hardest_first(self, tasks: Iterable[int]) -> list[int]:
        return sorted(tasks, key=lambda task: (-self.board.tasks[task].priority, task))

    def _by_regret(self, tasks: list[int], slack: int) -> list[int]:
        """Insert again and again the visit that would lose most by waiting; return the rest."""
        left = set(tasks)
        ways = {task: self._ways(task, slack) for task in tasks}
        while left:
            ready = [task for task in left if ways[task]]
            if not ready:
                break
            task = max(ready, key=lambda each: (self._urgency(each, ways[each]), -each))
            left.discard(task)
            placed = next((p for p in ways[task] if self._try(task, p, slack)), None)
            if placed is None:
                ways[task] = []
                left.add(task)
                continue
            touched = {who for who, _ in placed.members}
            for other in left:
                if any(who in touched for way in ways[other] for who, _ in way.members):
                    ways[other] = self._ways(other, slack)
        return sorted(left)

    def _urgency(self, task: int, ways: list[Placement]) -> tuple[int, int]:
        """Return priority, then how much dearer the next best caregiver is than the best."""
        second = next(
            (way.cost for way in ways if way.members[0][0] != ways[0].members[0][0]), None
        )
        regret = UNBOUND if second is None else second - ways[0].cost
        return self.board.tasks[task].priority, regret

    def _ways(self, task: int, slack: int) -> list[Placement]:
        """Return the ways to serve the visit, cheapest first, the best few of each caregiver."""
        options = all_options(self.board, task, slack=slack)
        return placements(self.board, task, options)[:_WAYS_TRIED]

    # --- one visit -------------------------------------------------------------------------------

    def _try(self, task: int, placement: Placement, slack: int) -> bool:
        """Carry the placement out where that stays within the budget."""
        days = carry_out(self.board, task, placement, slack=slack)
        if days is None:
            return False
        kept = [self.board.days[day.who] for day in days]
        for day in days:
            self.board.put(day)
        if slack <= MOVED_S or self.changes() <= self.budget:
            return True
        for day in kept:
            self.board.put(day)
        return False

    def changes(self) -> int:
        """Return how many visits beside the own ones have another caregiver or another time."""
        return len(changed_visits(self.before, self.board) - self.own)

    def _out_of_time(self) -> bool:
        return time.monotonic() > self.handing_over_until

    def _make_room(self, task: int) -> bool:
        """Hand one other visit over to somebody else so that this one fits."""
        if self.board.tasks[task].crew > 1 or self.changes() >= self.budget or self._out_of_time():
            return False
        base = self.board
        found: list[tuple[int, Board]] = []
        for who in base.candidates(base.tasks[task]):
            for other in self._movable(who, task):
                if self._out_of_time():
                    break
                attempt = self._instead(base, task, who, other)
                if attempt is None:
                    continue
                self.board = attempt
                if self._is_settled(other) and self.changes() <= self.budget:
                    found.append((_cost(self.board), self.board))
                self.board = base
            if len(found) >= _COMPARED or self._out_of_time():
                break
        if not found:
            return False
        base.take_over(min(found, key=lambda each: each[0])[1])
        return True

    def _movable(self, who: int, instead_of: int) -> list[int]:
        """Return the visits of a day that somebody else could be asked for."""
        day = self.board.days[who]
        found = []
        for task in day.tasks():
            asked = self.board.tasks[task]
            if task == instead_of or asked.crew > 1 or self.board.has_begun(day, day.row_of(task)):
                continue
            if asked.fixed is None or not asked.fixed.caregivers:
                found.append(task)
        return found

    def _instead(self, base: Board, task: int, who: int, other: int) -> Board | None:
        """Return a board where *who* serves *task* instead of *other*, which nobody does."""
        day = base.without(base.days[who], [other])
        if day is None:
            return None
        options = base.options(task, [who], days={who: day})
        placement = cheapest(base, task, options)
        if placement is None:
            return None
        made = carry_out(base, task, placement, days={who: day})
        if made is None:
            return None
        attempt = base.copy()
        attempt.put(made[0])
        return attempt

    def _is_settled(self, task: int) -> bool:
        """Give the visit to whom it costs least, where anybody has room."""
        placement = cheapest(self.board, task, all_options(self.board, task))
        return placement is not None and self._try(task, placement, MOVED_S)

    def _oust(self, task: int) -> bool:
        """Let a visit of lower priority give way; it is then left out."""
        if self.board.tasks[task].crew > 1 or self.changes() >= self.budget:
            return False
        found: list[tuple[int, int, Board]] = []
        for who in self.board.candidates(self.board.tasks[task]):
            for other in self._movable(who, task):
                rank = self.board.tasks[other].priority
                if rank >= self.board.tasks[task].priority:
                    continue
                attempt = self._instead(self.board, task, who, other)
                if attempt is not None:
                    found.append((rank, _cost(attempt), attempt))
        if not found:
            return False
        self.board.take_over(min(found, key=lambda each: each[:2])[2])
        return True

    # --- crews -----------------------------------------------------------------------------------

    def complete_crews(self, tasks: Iterable[int]) -> None:
        """Find one more for each crew that lost a member, at its time; else free the others."""
        for task in self._hardest_first(tasks):
            crew = self.board.crews.get(task, ())
            if not crew:
                continue
            if not self._replace_member(task, crew):
                for who in crew:
                    day = self.board.without(self.board.days[who], [task], slack=UNBOUND)
                    if day is not None:
                        self.board.put(day)

    def _replace_member(self, task: int, crew: tuple[int, ...]) -> bool:
        board = self.board
        start = board.days[crew[0]].start_of(task)
        vendor = board.people[crew[0]].vendor
        fresh = [
            who
            for who in board.candidates(board.tasks[task])
            if who not in crew and board.people[who].vendor == vendor
        ]
        options = board.options(task, fresh)
        inside = [
            at for at in range(len(options)) if options.first[at] <= start <= options.last[at]
        ]
        named = board.tasks[task].fixed.caregivers if board.tasks[task].fixed else ()
        if set(named) - {board.people[who].id for who in crew}:
            return False
        missing = board.tasks[task].crew - len(crew)
        chosen: dict[int, int] = {}
        for at in sorted(inside, key=lambda each: int(options.cost[each])):
            chosen.setdefault(int(options.who[at]), at)
        if len(chosen) < missing:
            return False
        for who, at in list(chosen.items())[:missing]:
            day = board.with_visit(task, who, options.rows[at], start)
            if day is None:
                return False
            board.put(day)
        return True

    # --- delays ----------------------------------------------------------------------------------

    def too_much(self, day: Day) -> list[int]:
        """Return the fewest visits without which the day of somebody delayed can be kept.

        Of equally few those of the lowest priority, then those that others take over cheapest.
        """
        movable = [task for task in day.tasks() if task in self.own]
        for count in range(1, len(movable) + 1):
            # Beyond three the combinations are too many to weigh; the last visits go first.
            groups = combinations(movable, count) if count <= 3 else [movable[-count:]]
            fitting = [
                group
                for group in groups
                if self.board.without(day, group, slack=UNBOUND) is not None
            ]
            if fitting:
                return list(min(fitting, key=self._loss))
        return movable

    def _loss(self, group: Sequence[int]) -> tuple[int, int]:
        lost = price = 0
        for task in group:
            options = all_options(self.board, task)
            if self.board.tasks[task].crew > 1:
                price += self.board.problem.weights.unpreferred
            placement = cheapest(self.board, task, options)
            if placement is None:
                lost += self.board.tasks[task].priority
            else:
                price += placement.cost
        return lost, price


def _cost(board: Board) -> int:
    """Return travel and shares as far as they tell two boards apart."""
    weights = board.problem.weights
    return weights.travel * sum(day.travel for day in board.days) + board.shares.cost()


def changed_visits(before: Board, after: Board) -> set[int]:
    """Return the visits that have other caregivers, or start more than `MOVED_S` off."""
    changed: set[int] = set()
    for who, day in enumerate(after.days):
        old = before.days[who]
        if day is old:
            continue
        was = {task: old.start_of(task) for task in old.tasks()}
        now = {task: day.start_of(task) for task in day.tasks()}
        changed |= was.keys() ^ now.keys()
        changed |= {t for t in was.keys() & now.keys() if abs(was[t] - now[t]) > MOVED_S}
    return changed
