"""Plan a day: candidates, parts, search, merge, check. What comes out keeps every rule.

The problem falls into parts that share no caregiver, and each is searched by itself; a part that
is too large is cut along other borders in every round. The compiled search holds no Python lock,
so that the workers are threads unless an executor is handed in.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

import dispatch
from dispatch import chain
from dispatch.candidates import eligible
from dispatch.check import Violation, check, check_routes
from dispatch.cost import totals_of
from dispatch.engine.block import COLD, Budget, Found, search_block
from dispatch.engine.columns import recombine
from dispatch.engine.pieces import LARGEST, Piece, divide, grouped, packed, schedule_rounds
from dispatch.engine.rota import Rota
from dispatch.engine.routes import routes_of
from dispatch.engine.shares import share_goals
from dispatch.engine.warm import is_compiled, warm_up, warm_up_pricing
from dispatch.engine.whole import Block, Whole
from dispatch.io import problem_sha256
from dispatch.model import Problem
from dispatch.plan import Engine, Plan, Remaining, Route, Unassigned
from dispatch.reasons import HELP_S, why_left_out
from dispatch.travel import Travel

logger = logging.getLogger(__name__)

Array = np.ndarray
MOST_TRIALS = 60
"""For so many tasks left out, the highest priorities first, changes that would help are tried."""
FINISH_A_TASK_S = 6e-5
"""Kept back at the end a task, for routes and check."""
HELP_PART = 0.04
"""The part of the time for that."""
RECOMBINE_FROM_S = 15.0
"""From so many seconds on, part of the time goes to recombination with priced routes."""
SEARCH_PART = ((30.0, 0.6), (RECOMBINE_FROM_S, 0.75), (0.0, 1.0))
"""From so many seconds on, that part of the time stays with the search."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of planning: what is going on, and since when."""

    step: str
    elapsed_s: float
    cost: int | None = None
    unassigned: int | None = None

    def __str__(self) -> str:
        cost = "" if self.cost is None else f", cost {self.cost:,}"
        left = "" if self.unassigned is None else f", {self.unassigned} left out"
        return f"{self.elapsed_s:7.1f} s  {self.step}{left}{cost}"


def solve(
    problem: Problem,
    *,
    seconds: float = 10.0,
    iterations: int | None = None,
    seed: int = 1,
    workers: int = 1,
    start: Plan | None = None,
    executor: Executor | None = None,
    progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Plan:
    """Return the best plan found in the time; `dispatch.check` finds no fault with it.

    With *iterations* (of ruin and recreate, over all parts) instead of *seconds* the plan depends
    on problem, seed, iterations and start alone: not on the machine, nor on *workers*. *start* is
    a plan to go on from; of one that breaks rules, the days that keep them are taken. *executor*
    takes the parts where they shall run, *workers* at a time. *should_stop* is asked many times a
    second (with an executor: between parts) and ends the search with the best plan so far.
    """
    planner = _Planner(problem, seconds, iterations, seed, workers, progress, should_stop)
    return planner.run(start, executor)


@dataclass(frozen=True, slots=True)
class _Job:
    """A piece and for how long it is searched."""

    piece: Piece
    budget: Budget


class _Planner:
    """One run of `solve`."""

    def __init__(
        self,
        problem: Problem,
        seconds: float,
        iterations: int | None,
        seed: int,
        workers: int,
        progress: Callable[[Progress], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self.problem = problem
        self.iterations, self.seed, self.workers = iterations, seed, max(1, workers)
        self.seconds = 0.0 if iterations is not None else float(seconds)
        self.progress, self.should_stop = progress, should_stop
        self.began = time.perf_counter()
        self.blocks: dict[int, Block] = {}

    def run(self, start: Plan | None, executor: Executor | None) -> Plan:
        if not (is_compiled() and chain.is_compiled()):
            self._say("compiling the search for this machine; this takes a minute, and only once")
        warm_up()
        chain.warm_up()
        if self._search_part() < 1.0:
            warm_up_pricing()
        self.began = time.perf_counter()
        self._say("reading who can serve what")
        self.candidates = eligible(self.problem)
        self.whole = Whole(self.problem, self.candidates, Travel.of(self.problem))
        best = self._first_plan(start)
        parts = grouped(self.candidates.parts(len(self.problem.caregivers)))
        if parts:
            rota = Rota.of(self.problem, self.candidates, start)
            self._search(parts, rota, executor)
            routes = routes_of(self.problem, rota.days, rota.times)
            found = self._checked(self._recombined(routes, executor))
            best = min(found, best, key=lambda plan: plan.totals.cost)
        self._say("planned", best)
        return self._with_reasons(best)

    def _with_reasons(self, plan: Plan) -> Plan:
        """Return *plan* with counts of the whole ladder and tried changes for what is left out."""
        if not plan.unassigned:
            return plan
        # By iterations the plan must not depend on the clock, so that a number bounds the trials.
        reasons = why_left_out(
            self.problem,
            plan.routes,
            candidates=self.candidates,
            seconds=None if self.iterations is not None else self._help_s(),
            most=0 if self._stopped() else MOST_TRIALS,
        )
        return replace(plan, unassigned=reasons)

    def _help_s(self) -> float:
        """Return the seconds for trying what would help those who are left out."""
        return min(HELP_S, HELP_PART * self.seconds)

    def _say(self, step: str, plan: Plan | None = None) -> None:
        if self.progress is None:
            return
        elapsed = time.perf_counter() - self.began
        if plan is None:
            self.progress(Progress(step, elapsed))
        else:
            self.progress(Progress(step, elapsed, plan.totals.cost, len(plan.unassigned)))

    # --- search -------------------------------------------------------------------------------

    def _search(
        self, parts: Sequence[tuple[Array, Array]], rota: Rota, executor: Executor | None
    ) -> None:
        """Search all parts, round after round, and leave the best days in *rota*."""
        rounds = schedule_rounds(parts, again=self.whole.has_shares and len(parts) > 1)
        deadline = self.began + (self.seconds - self._kept()) * self._search_part()
        own = ThreadPoolExecutor(self.workers) if executor is None else None
        try:
            for turn, chosen in enumerate(rounds):
                pieces: list[_Job] = []
                for at in chosen:
                    often = sum(at in some for some in rounds)
                    pieces += self._pieces(parts[at], rota, turn if often > 1 else 0, often)
                pieces = self._with_goals(pieces, rota)
                left = max(0.0, deadline - time.perf_counter()) / (len(rounds) - turn)
                self._say(f"round {turn + 1} of {len(rounds)}: {len(pieces)} pieces")
                if own is not None:
                    results = self._in_threads(pieces, rota, turn, left, own)
                else:
                    results = self._elsewhere(pieces, rota, turn, left, executor)
                for found in results:
                    rota.take(found)
                if self._stopped():
                    return
        finally:
            if own is not None:
                own.shutdown()

    def _kept(self) -> float:
        """Return the seconds kept back for routes, check and reasons at the end."""
        return FINISH_A_TASK_S * len(self.problem.tasks) + self._help_s()

    def _search_part(self) -> float:
        """Return the part of the time that is for the search; the rest is for recombination."""
        return next(part for least, part in SEARCH_PART if self.seconds >= least)

    def _recombined(self, routes: list[Route], executor: Executor | None) -> list[Route]:
        """Return the routes after OR-Tools has decided what local search cannot."""
        if self._search_part() == 1.0 or self._stopped() or check_routes(self.problem, routes):
            return routes
        left = self.began + self.seconds - self._kept() - time.perf_counter()
        self._say("recombining with priced routes")
        return recombine(
            self.problem,
            routes,
            seconds=left,
            workers=self.workers,
            executor=executor,
            progress=self._say,
            should_stop=self._stopped,
        )

    def _stopped(self) -> bool:
        return self.should_stop is not None and self.should_stop()

    def _pieces(self, part: tuple[Array, Array], rota: Rota, turn: int, rounds: int) -> list[_Job]:
        """Return what is searched of a part in one of its rounds, and at which temperatures."""
        hot, cold = COLD ** (turn / rounds), COLD ** ((turn + 1) / rounds)
        pieces = [Piece(*part)]
        if len(part[1]) > LARGEST:
            pieces = divide(self.whole, part, rota, turn, self.seed)
        return [
            _Job(
                piece,
                Budget(iterations=self._share_of(len(piece.tasks), rounds), hot=hot, cold=cold),
            )
            for piece in pieces
        ]

    def _with_goals(self, jobs: Sequence[_Job], rota: Rota) -> list[_Job]:
        pieces = [(job.piece.caregivers, job.piece.tasks) for job in jobs]
        goals = share_goals(self.whole, pieces, rota)
        return [
            replace(job, piece=replace(job.piece, share_goal=goal))
            for job, goal in zip(jobs, goals, strict=True)
        ]

    def _share_of(self, tasks: int, rounds: int) -> int | None:
        """Return the iterations for so many tasks of all, in one of so many rounds."""
        if self.iterations is None:
            return None
        return round(self.iterations * tasks / max(1, len(self.problem.tasks)) / rounds)

    def _in_threads(
        self,
        pieces: Sequence[_Job],
        rota: Rota,
        turn: int,
        seconds: float,
        threads: ThreadPoolExecutor,
    ) -> list[Found]:
        """Search the pieces in threads of this process, each with its share of them."""
        ends = time.perf_counter() + seconds
        shares = packed([len(job.piece.tasks) for job in pieces], self.workers)
        futures = [
            threads.submit(self._work, [pieces[at] for at in share], rota, turn, ends)
            for share in shares
        ]
        return [found for future in futures for found in future.result()]

    def _work(self, jobs: Sequence[_Job], rota: Rota, turn: int, ends: float) -> list[Found]:
        """Search some pieces one after the other; each has its part of the time that is left."""
        results = []
        ahead = sum(len(job.piece.tasks) for job in jobs)
        for job in jobs:
            block, seeds, days, starts = self._packet(job.piece, rota, turn)
            tasks = len(job.piece.tasks)
            seconds = max(0.0, ends - time.perf_counter()) * tasks / ahead
            budget = replace(job.budget, seconds=seconds)
            results.append(search_block(block, seeds, budget, days, starts, self.should_stop))
            ahead -= tasks
        return results

    def _elsewhere(
        self,
        pieces: Sequence[_Job],
        rota: Rota,
        turn: int,
        seconds: float,
        executor: Executor,
    ) -> list[Found]:
        """Search the pieces wherever *executor* does; every packet holds all that it needs."""
        futures = []
        for share in packed([len(job.piece.tasks) for job in pieces], self.workers):
            total = sum(len(pieces[at].piece.tasks) for at in share)
            for job in (pieces[at] for at in share):
                budget = replace(job.budget, seconds=seconds * len(job.piece.tasks) / total)
                block, seeds, days, starts = self._packet(job.piece, rota, turn)
                futures.append(executor.submit(search_block, block, seeds, budget, days, starts))
        return [future.result() for future in futures]

    def _packet(
        self, piece: Piece, rota: Rota, turn: int
    ) -> tuple[Block, tuple[int, ...], dict[int, Array], dict[int, int]]:
        """Return the block of a piece, its seeds, and the days and starts that it begins with."""
        # A piece that is cut the same way in every round is cut once.
        block = self.blocks.get(int(piece.tasks[0])) if piece.frozen is None else None
        if block is None:
            block = self.whole.cut(
                piece.caregivers, piece.tasks, share_goal=piece.share_goal, frozen=piece.frozen
            )
            if piece.frozen is None:
                self.blocks[int(piece.tasks[0])] = block
        elif piece.share_goal is not None:
            block = replace(block, facts=block.facts._replace(share_goal=piece.share_goal))
        days = {who: rota.days[who] for who in piece.caregivers.tolist() if who in rota.days}
        starts = {task: rota.starts[task] for task in piece.tasks.tolist() if task in rota.starts}
        return block, (self.seed, turn, int(piece.tasks[0])), days, starts

    # --- plans --------------------------------------------------------------------------------

    def _first_plan(self, start: Plan | None) -> Plan:
        """Return the plan to fall back on: *start* if it keeps every rule, or one of no routes."""
        if start is not None and not check_routes(self.problem, start.routes):
            return self._plan(start.routes)
        return self._plan(())

    def _checked(self, routes: Sequence[Route]) -> Plan:
        """Return the plan of those routes that keep every rule; that all do is what we expect."""
        while True:
            plan = self._plan(routes)
            violations = check(self.problem, plan)
            if not violations:
                return plan
            logger.error(
                "plan_with_violations",
                extra={"violations": len(violations), "first": str(violations[0])},
            )
            routes = _without(routes, violations)

    def _plan(self, routes: Sequence[Route]) -> Plan:
        """Return the plan of these routes; why tasks are left out is found for the last one."""
        served = {stop.task for route in routes for stop in route.stops if stop.kind == "task"}
        return Plan(
            problem_sha256=problem_sha256(self.problem),
            seed=self.seed,
            engine=Engine(dispatch.__version__, self.seconds),
            routes=tuple(routes),
            unassigned=tuple(
                Unassigned(task.id, "no_room", Remaining(*counts))
                for task, counts in zip(
                    self.problem.tasks, self.candidates.remaining.tolist(), strict=True
                )
                if task.id not in served
            ),
            totals=totals_of(self.problem, routes),
        )


def _without(routes: Sequence[Route], violations: Sequence[Violation]) -> list[Route]:
    """Return the routes that no violation is about; all are dropped where none is named."""
    people = {each.caregiver for each in violations} - {None}
    tasks = {each.task for each in violations} - {None}
    kept = [
        route
        for route in routes
        if route.caregiver not in people and not any(stop.task in tasks for stop in route.stops)
    ]
    return kept if len(kept) < len(routes) else []
