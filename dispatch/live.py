"""A plan that is being carried out: offer a time, add an order, cancel one, repair an absence.

`LiveDay` reads problem and plan once and then answers in milliseconds; the functions of this
module do both for one question. What began before the moment of asking stays as it is. Another
visit counts as changed when another caregiver comes or it starts more than `MOVED_S` earlier or
later; the change budget bounds how many are. Every route that an answer touches has been checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from dispatch import chain
from dispatch.answer import Answer, settle_answer
from dispatch.board import MOVED_S, UNBOUND, Board, Day
from dispatch.engine.warm import warm_up as warm_up_search
from dispatch.errors import BadInput, BadProblem, UnknownName
from dispatch.mending import Mender
from dispatch.model import Problem, Task
from dispatch.offers import Offer, all_options, carry_out, cheapest, offers_of, placements
from dispatch.plan import Plan
from dispatch.timing import ready_after

__all__ = [
    "MOVED_S",
    "Answer",
    "LiveDay",
    "Offer",
    "cancel",
    "delay",
    "feasible_starts",
    "insert",
    "repair",
    "warm_up",
]

REPAIR_S = 0.8


def warm_up() -> None:
    """Load or compile all that live questions run, so that the first one is as quick as the rest."""
    chain.warm_up()
    warm_up_search()


@dataclass(frozen=True, slots=True)
class _State:
    """What a live day stands on: replaced as a whole when an answer is taken over."""

    problem: Problem
    plan: Plan


class LiveDay:
    """A day's plan with all that is needed to answer quickly.

    Made in a fraction of a second for 5,000 visits. Questions change nothing; `take` adopts an
    answer. ``now_s`` is the moment of asking; `at` moves it on.
    """

    def __init__(self, problem: Problem, plan: Plan, *, now_s: int = 0) -> None:
        for number, route in enumerate(plan.routes):
            if route.caregiver not in problem.caregiver_index:
                raise UnknownName(
                    f"routes[{number}].caregiver", f"the problem has no {route.caregiver}"
                )
            for stop in route.stops:
                if stop.task is not None and stop.task not in problem.task_index:
                    raise UnknownName(
                        f"routes[{number}].stops", f"the problem has no task {stop.task}"
                    )
        self._state = _State(problem, plan)
        self._board = Board(problem, plan.routes, now_s=now_s)

    @property
    def problem(self) -> Problem:
        """The problem that the plan answers now."""
        return self._state.problem

    @property
    def plan(self) -> Plan:
        """The plan as it stands."""
        return self._state.plan

    @property
    def now_s(self) -> int:
        """The moment of asking."""
        return self._board.now_s

    def at(self, now_s: int) -> LiveDay:
        """Return the same day at another moment."""
        return self if now_s == self._board.now_s else LiveDay(self.problem, self.plan, now_s=now_s)

    def take(self, answer: Answer) -> LiveDay:
        """Return the day as it is once *answer* is carried out."""
        return LiveDay(answer.problem, answer.plan, now_s=self._board.now_s)

    # --- questions -------------------------------------------------------------------------------

    def feasible_starts(self, task: Task, *, change_budget: int | None = 0) -> tuple[Offer, ...]:
        """Return every start at which *task* can be served, with cost and caregivers, in order.

        With a budget of 0 no other visit is moved by more than `MOVED_S`, with None they may move
        as far as their windows let them. Crews of other visits keep their time.
        """
        board, at = self._with(task)
        slack = MOVED_S if change_budget == 0 else UNBOUND
        return offers_of(board, at, all_options(board, at, slack=slack))

    def insert(
        self,
        task: Task,
        *,
        change_budget: int | None = 0,
        start_s: int | None = None,
        caregivers: Iterable[str] | None = None,
    ) -> Answer:
        """Add *task* with the least change; ``placed`` of the answer tells whether there is room.

        ``start_s`` and ``caregivers`` ask for an offer that was made before. Of several ways the
        one that changes fewest visits is taken, of those the cheapest, of those the earliest.
        """
        board, at = self._with(task)
        who = None
        if caregivers is not None:
            index = self.problem.caregiver_index
            wanted = {index[name] for name in caregivers if name in index}
            who = [each for each in board.candidates(task) if each in wanted]
        options = all_options(board, at, who)
        for placement in (
            placements(board, at, options, start_s=start_s)
            if start_s is not None
            else filter(None, [cheapest(board, at, options)])
        ):
            days = carry_out(board, at, placement)
            if days is not None:
                for day in days:
                    board.put(day)
                break
        else:
            if change_budget != 0 and start_s is None and caregivers is None:
                Mender(board, self._board, {at}, change_budget, REPAIR_S).place([at])
        return self._settled(board, {at})

    def cancel(self, task_id: str) -> Answer:
        """Take the task out of the day and of the problem; nobody else moves."""
        at = self._served_or_known(task_id)
        board = self._board.copy()
        for who in board.crews.get(at, ()):
            row = board.days[who].row_of(at)
            if board.has_begun(board.days[who], row):
                raise BadInput("task", f"{task_id} has begun already and cannot be cancelled")
            day = board.without(board.days[who], [at], slack=UNBOUND)
            if day is None:
                raise BadInput("task", f"the way without {task_id} takes longer than with it")
            board.put(day)
        board.drop_task(at)
        return self._settled(board, {at})

    def repair(
        self,
        absent: str,
        *,
        from_s: int | None = None,
        change_budget: int | None = None,
        seconds: float = REPAIR_S,
    ) -> Answer:
        """Take a caregiver out of the day from *from_s* (or now) on and find others for the visits.

        Visits begun before stay. First the day of others is only filled, then visits may change
        hands within the budget while *seconds* last; at last a visit of low priority gives way to
        one of higher.
        """
        if from_s is not None and from_s != self._board.now_s:
            return self.at(from_s).repair(absent, change_budget=change_budget, seconds=seconds)
        who = self._caregiver(absent)
        board = self._board.copy()
        board.closed |= {who}
        day = board.days[who]
        lost = _ahead(board, day)
        return self._shed(
            board, day, lost, Mender(board, self._board, set(lost), change_budget, seconds)
        )

    def delay(
        self,
        caregiver: str,
        late_s: int,
        *,
        from_s: int | None = None,
        change_budget: int | None = None,
        seconds: float = REPAIR_S,
    ) -> Answer:
        """Let a caregiver reach the next stop *late_s* later than planned, and all that follows.

        Visits that the delay makes impossible there go to others, as few as need be. The question
        is about all that this caregiver has still to do; the budget bounds what changes beside.
        """
        if from_s is not None and from_s != self._board.now_s:
            return self.at(from_s).delay(
                caregiver, late_s, change_budget=change_budget, seconds=seconds
            )
        if late_s < 0:
            raise BadInput("late_s", f"is {late_s}; give the seconds of delay, 0 or more")
        board = self._board.copy()
        day = board.days[self._caregiver(caregiver)]
        ready = ready_after(day, late_s) if late_s else None
        if ready is not None:
            board.ready[day.who] = ready
        ahead = _ahead(board, day)
        moved = board.retimed(day, day.rows, slack=UNBOUND)
        if moved is not None:
            board.put(moved)
            return self._settled(board, ahead)
        mender = Mender(board, self._board, set(ahead), change_budget, seconds)
        lost = mender.too_much(day)
        return self._shed(board, day, lost, mender)

    # --- the inside ------------------------------------------------------------------------------

    def _shed(self, board: Board, day: Day, lost: list[int], mender: Mender) -> Answer:
        """Take visits off *day* and give them to others; the question was about the mender's own."""
        kept = board.without(day, lost, slack=UNBOUND)
        if kept is None:
            raise BadInput("", "the way without these visits takes longer than with them")
        board.put(kept)
        mender.complete_crews(lost)
        mender.place([task for task in lost if not board.is_served(task)])
        return self._settled(board, mender.own)

    def _settled(self, board: Board, subjects: Iterable[int]) -> Answer:
        return settle_answer(self._state.problem, self._state.plan, self._board, board, subjects)

    def _with(self, task: Task) -> tuple[Board, int]:
        """Return a board that has *task*, unserved, and its position."""
        board = self._board.copy()
        known = board.task_index.get(task.id)
        if known is None:
            _check_places(board.problem, task)
            return board, board.add_task(task)
        if known in board.crews:
            raise BadProblem("task.id", f"{task.id} is served already; cancel it first")
        if board.tasks[known] != task:
            raise BadProblem("task.id", f"the problem has another task {task.id}; give a new id")
        return board, known

    def _served_or_known(self, task_id: str) -> int:
        if task_id not in self._board.task_index:
            raise UnknownName("task", f"the problem has no task {task_id}")
        return self._board.task_index[task_id]

    def _caregiver(self, name: str) -> int:
        if name not in self.problem.caregiver_index:
            raise UnknownName("caregiver", f"the problem has no caregiver {name}")
        return self.problem.caregiver_index[name]


def _ahead(board: Board, day: Day) -> list[int]:
    """Return the visits of a day that have not begun."""
    return [task for task in day.tasks() if not board.has_begun(day, day.row_of(task))]


def _check_places(problem: Problem, task: Task) -> None:
    """Raise `BadProblem` where the task is at no place; `Problem` checks the others of its own."""
    small = replace(problem, caregivers=(), tasks=(), vendor_share=None, sha256=None)
    try:
        replace(small, tasks=(task,))
    except BadProblem as error:
        raise BadProblem(error.path.removeprefix("tasks[0]."), error.problem) from None


def _asked(problem: Problem, plan: Plan, from_s: int, ask: Callable[[LiveDay], Answer]) -> Answer:
    return ask(LiveDay(problem, plan, now_s=from_s))


def feasible_starts(
    problem: Problem, plan: Plan, task: Task, *, from_s: int = 0, change_budget: int | None = 0
) -> tuple[Offer, ...]:
    """Return what `LiveDay.feasible_starts` does, for one question."""
    return LiveDay(problem, plan, now_s=from_s).feasible_starts(task, change_budget=change_budget)


def insert(
    problem: Problem,
    plan: Plan,
    task: Task,
    *,
    change_budget: int | None = 0,
    from_s: int = 0,
) -> Answer:
    """Return what `LiveDay.insert` does, for one order."""
    return _asked(problem, plan, from_s, lambda day: day.insert(task, change_budget=change_budget))


def cancel(problem: Problem, plan: Plan, task_id: str, *, from_s: int = 0) -> Answer:
    """Return what `LiveDay.cancel` does, for one order."""
    return _asked(problem, plan, from_s, lambda day: day.cancel(task_id))


def repair(
    problem: Problem,
    plan: Plan,
    *,
    absent: str,
    from_s: int = 0,
    change_budget: int | None = None,
    seconds: float = REPAIR_S,
) -> Answer:
    """Return what `LiveDay.repair` does, for one absence."""
    return _asked(
        problem,
        plan,
        from_s,
        lambda day: day.repair(absent, change_budget=change_budget, seconds=seconds),
    )


def delay(
    problem: Problem,
    plan: Plan,
    *,
    caregiver: str,
    late_s: int,
    from_s: int = 0,
    change_budget: int | None = None,
) -> Answer:
    """Return what `LiveDay.delay` does, for one delay."""
    return _asked(
        problem,
        plan,
        from_s,
        lambda day: day.delay(caregiver, late_s, change_budget=change_budget),
    )
