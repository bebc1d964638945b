"""Why this caregiver and not another; why nobody, and what would help.

For a visit that is served: the next best caregivers (for a crew, the next best crews), what each
would cost more, term by term, and for those who cannot come the rule that binds, found by setting
rules aside one at a time. For one left out: the reason, the counts and changes that were tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dispatch import chain
from dispatch.board import UNBOUND, Board, Options
from dispatch.candidates import LADDER, eligible
from dispatch.errors import UnknownName
from dispatch.io import unassigned_to_json
from dispatch.model import Problem, Task
from dispatch.offers import placements, share_step
from dispatch.plan import Plan, Unassigned
from dispatch.reasons import left_out
from dispatch.wording import Audience, Language, sentences

Json = dict[str, Any]

# Rules of the day that may bind, in the order in which they are set aside.
_DAY_RULES = (
    ("work", chain.NO_WORK),
    ("rest", chain.NO_REST),
    ("capacity", chain.NO_CAPACITY),
    ("load", chain.NO_HOLD | chain.NO_READY),
    ("shift", chain.NO_BEGIN | chain.NO_END),
    ("window", chain.NO_WINDOW),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What a plan would cost more (below 0: less) by term, in the problem's weights."""

    travel: int
    unpreferred: int
    vendor_share: int

    @property
    def total(self) -> int:
        """The sum of the terms."""
        return self.travel + self.unpreferred + self.vendor_share

    def __sub__(self, other: Difference) -> Difference:
        """Return what this costs more than *other*, term by term."""
        return Difference(
            self.travel - other.travel,
            self.unpreferred - other.unpreferred,
            self.vendor_share - other.vendor_share,
        )


@dataclass(frozen=True, slots=True)
class Alternative:
    """Somebody else, or another crew: when, for how much more; or the rule that binds.

    ``binding`` is None where it could be done; else one of skill, forbidden, fixed, vendor, circle,
    shift, work, rest, capacity, load, window, others (other visits would have to move far), crew
    (no second one at the time), room.
    """

    caregivers: tuple[str, ...]
    start_s: int | None
    added: Difference | None
    binding: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer to "why?" for one task.

    Served: ``caregivers``, ``start_s`` and what the visit adds to the plan (``added``). Left out:
    ``unassigned``, and what serving it is ``worth``. ``alternatives``: who else could come,
    cheapest first, with what that costs more than the plan has it (left out: than not coming), then
    who cannot, nearest first. ``counts`` are the caregivers left after each filter, in the ladder's
    order.
    """

    task: Task
    caregivers: tuple[str, ...]
    start_s: int | None
    added: Difference | None
    counts: tuple[tuple[str, int], ...]
    alternatives: tuple[Alternative, ...]
    unassigned: Unassigned | None
    worth: int = 0

    def words(self, *, language: Language = "en", audience: Audience = "auditor") -> str:
        """Return sentences for an elder, a vendor or an auditor, in English or Chinese."""
        return "\n".join(sentences(self, language=language, audience=audience))

    def to_json(self) -> Json:
        """Return the facts as JSON values."""
        return {
            "task": self.task.id,
            "caregivers": list(self.caregivers),
            "start_s": self.start_s,
            "added": _terms(self.added),
            "counts": dict(self.counts),
            "alternatives": [
                {
                    "caregivers": list(each.caregivers),
                    "start_s": each.start_s,
                    "added": _terms(each.added),
                    "binding": each.binding,
                }
                for each in self.alternatives
            ],
            "unassigned": None if self.unassigned is None else unassigned_to_json(self.unassigned),
        }


def _terms(difference: Difference | None) -> Json | None:
    if difference is None:
        return None
    return {
        "travel": difference.travel,
        "unpreferred": difference.unpreferred,
        "vendor_share": difference.vendor_share,
        "total": difference.total,
    }


def explain(problem: Problem, plan: Plan, task_id: str, *, most: int = 5) -> Explanation:
    """Return why the task is served as it is, with up to *most* alternatives, or why it is not.

    Raises `UnknownName` where the problem has no such task. Costs are those of changing this visit
    and nothing else: other visits stay with their caregivers and move by a quarter of an hour at
    most.
    """
    if task_id not in problem.task_index:
        raise UnknownName("task", f"the problem has no task {task_id}")
    return _Explainer(problem, plan, problem.task_index[task_id], most).run()


_NOTHING = Difference(0, 0, 0)
# More than any way costs.
_DRAW = 1 << 50


class _Explainer:
    def __init__(self, problem: Problem, plan: Plan, at: int, most: int) -> None:
        self.problem, self.at, self.most = problem, at, most
        self.task = problem.tasks[at]
        self.board = Board(problem, plan.routes)
        found = eligible(problem, tasks=[self.task], people=self.board.reach)
        self.counts = tuple(zip(LADDER, found.remaining[0].tolist(), strict=True))
        self.candidates = found.of(0).tolist()

    def run(self) -> Explanation:
        crew = self.board.crews.get(self.at, ())
        if not crew:
            reason = left_out(self.board, [self.task], seconds=None)[0]
            others = self._others(self.board, frozenset(), _NOTHING)
            worth = self.problem.weights.unassigned * self.task.priority
            return Explanation(self.task, (), None, None, self.counts, others, reason, worth)
        start = self.board.days[crew[0]].start_of(self.at)
        bare = self._without(crew)
        saved = sum(self.board.days[w].travel - bare.days[w].travel for w in crew)
        now = self._difference(bare, crew, saved)
        others = self._others(bare, frozenset(crew), now)
        names = tuple(sorted(self.board.people[who].id for who in crew))
        return Explanation(self.task, names, start, now, self.counts, others, None)

    def _others(
        self, bare: Board, crew: frozenset[int], now: Difference
    ) -> tuple[Alternative, ...]:
        """Return who else could come, against what the visit adds now, then who could not."""
        options = bare.options(self.at, self.candidates)
        can = self._who_can(bare, options, crew, now)
        able = crew.union(*can)
        cannot = self._who_cannot(bare, able, set(options.who.tolist()))
        cheapest_first = sorted(can.values(), key=lambda each: each.added.total)
        return (*cheapest_first[: self.most], *cannot)

    def _without(self, crew: Sequence[int]) -> Board:
        """Return the day without the visit; where a detour is shorter, with its times as free."""
        bare = self.board.copy()
        for who in crew:
            day = bare.without(bare.days[who], [self.at], slack=UNBOUND)
            if day is not None:
                bare.put(day)
        return bare

    def _difference(self, bare: Board, crew: Sequence[int], travel_s: int) -> Difference:
        """Return what the visit costs on top of *bare* with this crew and so much more travel."""
        weights, preferred = self.problem.weights, self.task.preferred
        strangers = 0
        if preferred:
            strangers = sum(bare.people[who].id not in preferred for who in crew)
        share = share_step(bare, crew[0]) if self.task.vendors is None else 0
        return Difference(weights.travel * travel_s, weights.unpreferred * strangers, share)

    def _who_can(
        self, bare: Board, options: Options, crew: frozenset[int], now: Difference
    ) -> dict[frozenset[int], Alternative]:
        """Return for everybody who could come, alone or in a crew, the cheapest way in which."""
        found: dict[frozenset[int], Alternative] = {}
        for who in dict.fromkeys(options.who.tolist()):
            # Where this one is much cheaper than all others, the cheapest crew is one with them.
            drawn = replace(options, cost=options.cost - _DRAW * (options.who == who))
            for way in placements(bare, self.at, drawn):
                members = frozenset(each for each, _ in way.members)
                if who not in members or members == crew:
                    continue
                travel = sum(int(option[chain.TRAVEL]) for _, option in way.members)
                more = self._difference(bare, sorted(members), travel) - now
                names = tuple(sorted(bare.people[each].id for each in members))
                found.setdefault(members, Alternative(names, way.start_s, more, None))
                break
        return found

    def _who_cannot(
        self, bare: Board, able: frozenset[int], fitting: set[int]
    ) -> tuple[Alternative, ...]:
        """Return the usual caregivers, candidates, then the nearest, with the rule that binds."""
        index = self.problem.caregiver_index
        usual = [index[name] for name in sorted(self.task.preferred) if name in index]
        found = []
        for who in dict.fromkeys([*usual, *self.candidates, *self._nearest(bare)]):
            if who in able:
                continue
            if len(found) >= max(self.most, len(usual)):
                break
            rule = self._binding(bare, who, who in fitting)
            found.append(Alternative((bare.people[who].id,), None, None, rule))
        return tuple(found)

    def _nearest(self, bare: Board) -> list[int]:
        """Return who has the skills, the nearest first; as many as are shown."""
        skilled = [at for at, one in enumerate(bare.people) if self.task.skills <= one.skills]
        bases = np.array([bare.people[who].base for who in skilled], dtype=np.int64)
        go = bare.travel.pairs(bases, np.full(len(bases), self.task.place))
        return [skilled[at] for at in np.argsort(go, kind="stable")[: 2 * self.most]]

    def _binding(self, bare: Board, who: int, fits_alone: bool) -> str:
        """Return the rule without which *who* could take the visit, or part in it."""
        person, task = bare.people[who], self.task
        if not task.skills <= person.skills:
            return "skill"
        if person.id in task.forbidden:
            return "forbidden"
        settled = task.fixed.caregivers if task.fixed is not None else ()
        if len(settled) == task.crew and person.id not in settled:
            return "fixed"
        if task.vendors is not None and person.vendor not in task.vendors:
            return "vendor"
        if bare.travel.between(person.base, task.place) > bare.circle_s:
            return "circle"
        if fits_alone:
            return "crew"
        for name, relax in _DAY_RULES:
            if len(bare.options(self.at, [who], relax=relax)):
                return name
        if len(bare.options(self.at, [who], slack=UNBOUND)):
            return "others"
        return "room"
