"""Why this caregiver and not another; why nobody, and what would help.

For a visit that is served: the next best caregivers (for a crew, the next best crews), what each
would cost more, term by term, and for those who cannot come the rule that binds, found by setting
rules aside one at a time. For one left out: the reason, the counts and changes that were tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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

    Served: ``caregivers``, ``start_s``, what the visit adds to the plan (``added``) and
    ``alternatives``, cheapest first, those who cannot come after them, nearest first. Left out:
    ``unassigned``. ``counts`` are the caregivers left after each filter, in the ladder's order.
    """

    task: Task
    caregivers: tuple[str, ...]
    start_s: int | None
    added: Difference | None
    counts: tuple[tuple[str, int], ...]
    alternatives: tuple[Alternative, ...]
    unassigned: Unassigned | None

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
            others = self._who_cannot(self.board, frozenset(), {})
            return Explanation(self.task, (), None, None, self.counts, others, reason)
        start = self.board.days[crew[0]].start_of(self.at)
        bare = self._without(crew)
        saved = sum(self.board.days[w].travel - bare.days[w].travel for w in crew)
        now = self._difference(bare, crew, saved)
        options = bare.options(self.at, self.candidates)
        others = self._who_can(bare, options, frozenset(crew), now)
        fitting = set(options.who.tolist())
        cannot = self._who_cannot(bare, frozenset(crew), dict.fromkeys(fitting, True))
        names = tuple(sorted(self.board.people[who].id for who in crew))
        return Explanation(self.task, names, start, now, self.counts, (*others, *cannot), None)

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
    ) -> tuple[Alternative, ...]:
        found: dict[frozenset[int], Alternative] = {}
        for way in placements(bare, self.at, options):
            members = frozenset(who for who, _ in way.members)
            if members == crew or members in found:
                continue
            travel = sum(int(option[chain.TRAVEL]) for _, option in way.members)
            then = self._difference(bare, sorted(members), travel)
            more = Difference(
                then.travel - now.travel,
                then.unpreferred - now.unpreferred,
                then.vendor_share - now.vendor_share,
            )
            names = tuple(sorted(bare.people[who].id for who in members))
            found[members] = Alternative(names, way.start_s, more, None)
        # A segment shows its cheapest crew only; single caregivers are each looked up for themselves.
        if self.task.crew == 1:
            for who in dict.fromkeys(options.who.tolist()):
                if frozenset((who,)) not in found and who not in crew:
                    found[frozenset((who,))] = self._alone(bare, options, who, now)
        return tuple(sorted(found.values(), key=lambda each: each.added.total)[: self.most])

    def _alone(self, bare: Board, options: Options, who: int, now: Difference) -> Alternative:
        own = [k for k in range(len(options)) if options.who[k] == who]
        best = min(own, key=lambda k: (int(options.cost[k]), int(options.first[k])))
        then = self._difference(bare, [who], int(options.rows[best, chain.TRAVEL]))
        more = Difference(
            then.travel - now.travel,
            then.unpreferred - now.unpreferred,
            then.vendor_share - now.vendor_share,
        )
        return Alternative((bare.people[who].id,), int(options.first[best]), more, None)

    def _who_cannot(
        self, bare: Board, crew: frozenset[int], fitting: dict[int, bool]
    ) -> tuple[Alternative, ...]:
        """Return the usual caregivers first, then the nearest, each with the rule that binds."""
        index = self.problem.caregiver_index
        usual = [index[name] for name in sorted(self.task.preferred) if name in index]
        asked = list(dict.fromkeys([*usual, *self.candidates]))
        found = []
        for who in asked:
            if who in crew or (who in fitting and self.task.crew == 1):
                continue
            if len(found) >= max(self.most, len(usual)):
                break
            rule = self._binding(bare, who, who in fitting)
            found.append(Alternative((bare.people[who].id,), None, None, rule))
        return tuple(found)

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
