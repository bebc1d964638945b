"""When a task could be served, by whom and at what added cost: single visits and crews alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dispatch.board import MOVED_S, Board, Day, Options

Array = np.ndarray
_NO = np.iinfo(np.int64).max // 8


@dataclass(frozen=True, slots=True)
class Offer:
    """From ``from_s`` to ``to_s`` the visit may start; ``caregivers`` go for ``cost`` more.

    The cost is the least for these starts, all terms but the priority of the task itself.
    """

    from_s: int
    to_s: int
    cost: int
    caregivers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """One way to serve a task: the start, the added cost, and each member with the way it takes."""

    start_s: int
    cost: int
    members: tuple[tuple[int, Array], ...]


def offers_of(board: Board, task: int, options: Options) -> tuple[Offer, ...]:
    """Return all starts that *options* leave for a whole crew, each at its least cost, in order."""
    names = [each.id for each in board.people]
    found: list[Offer] = []
    for begin, end, cost, members in _segments(board, task, options):
        crew = tuple(sorted(names[int(options.who[at])] for at in members))
        if found and (found[-1].to_s + 1, found[-1].cost, found[-1].caregivers) == (
            begin,
            cost,
            crew,
        ):
            found[-1] = Offer(found[-1].from_s, end, cost, crew)
        else:
            found.append(Offer(begin, end, cost, crew))
    return tuple(found)


def placements(
    board: Board, task: int, options: Options, *, start_s: int | None = None
) -> list[Placement]:
    """Return the ways to serve the task, cheapest first, then earliest; at *start_s* if given."""
    found = []
    for begin, end, cost, members in _segments(board, task, options):
        if start_s is not None and not begin <= start_s <= end:
            continue
        crew = tuple((int(options.who[at]), options.rows[at]) for at in members)
        found.append(Placement(begin if start_s is None else start_s, cost, crew))
    found.sort(key=lambda each: (each.cost, each.start_s))
    return found


def cheapest(board: Board, task: int, options: Options) -> Placement | None:
    """Return the first of `placements`, found without the others where one goes alone."""
    if not len(options):
        return None
    if board.tasks[task].crew > 1:
        found = placements(board, task, options)
        return found[0] if found else None
    cost = options.cost + _share(board, task, options)
    best = int(np.lexsort((options.first, cost))[0])
    crew = ((int(options.who[best]), options.rows[best]),)
    return Placement(int(options.first[best]), int(cost[best]), crew)


def carry_out(
    board: Board,
    task: int,
    placement: Placement,
    *,
    slack: int = MOVED_S,
    days: dict[int, Day] | None = None,
) -> list[Day] | None:
    """Return the days of the members with the visit in them; None where times do not fit after
    all."""
    made = []
    for who, option in placement.members:
        day = (days or {}).get(who, board.days[who])
        changed = board.with_visit(task, who, option, placement.start_s, slack=slack, day=day)
        if changed is None:
            return None
        made.append(changed)
    return made


def _share(board: Board, task: int, options: Options) -> Array:
    """Return for each option what the share term gets cheaper or dearer by."""
    if board.tasks[task].vendors is not None or not board.problem.vendor_share:
        return np.zeros(len(options), np.int64)
    return np.array([share_step(board, int(who)) for who in options.who])


def share_step(board: Board, who: int) -> int:
    """Return how the share term changes where the vendor of *who* serves one more open task."""
    vendor = board.people[who].vendor
    return board.shares.cost(vendor) - board.shares.cost()


def _segments(
    board: Board, task: int, options: Options
) -> list[tuple[int, int, int, tuple[int, ...]]]:
    """Return (first start, last start, cost, options taken), cut where any option begins or ends."""
    if not len(options):
        return []
    points = np.unique(np.concatenate([options.first, options.last + 1]))
    begins, ends = points[:-1], points[1:] - 1
    open_then = (options.first[:, None] <= begins) & (options.last[:, None] >= ends)
    price = np.where(open_then, options.cost[:, None], _NO)
    # One row a caregiver: the cheapest option of each at each time.
    people, group = np.unique(options.who, return_inverse=True)
    best = np.full((len(people), len(begins)), _NO)
    chosen = np.zeros((len(people), len(begins)), dtype=np.int64)
    for at in range(len(options)):
        row = group[at]
        better = price[at] < best[row]
        best[row][better] = price[at][better]
        chosen[row][better] = at
    cost, crew = _crews(board, task, people, best)
    return [
        (int(begins[k]), int(ends[k]), int(cost[k]), tuple(int(chosen[who, k]) for who in crew[k]))
        for k in range(len(begins))
        if cost[k] < _NO
    ]


def _crews(
    board: Board, task: int, people: Array, best: Array
) -> tuple[Array, list[tuple[int, ...]]]:
    """Return for each time the cheapest crew of one vendor: its cost and its rows of *best*."""
    asked = board.tasks[task]
    size = asked.crew
    named = set(asked.fixed.caregivers) if asked.fixed is not None else set()
    times = best.shape[1]
    cost = np.full(times, _NO)
    crew: list[tuple[int, ...]] = [()] * times
    vendors: dict[str, list[int]] = {}
    for row, who in enumerate(people.tolist()):
        vendors.setdefault(board.people[who].vendor, []).append(row)
    for rows in vendors.values():
        must = [r for r in rows if board.people[int(people[r])].id in named]
        if len(must) < len(named) or len(rows) < size:
            continue
        free = np.array([r for r in rows if r not in must], dtype=np.int64)
        order = free[np.argsort(best[free], axis=0, kind="stable")[: size - len(must)]]
        step = share_step(board, int(people[rows[0]])) if asked.vendors is None else 0
        for k in range(times):
            members = [*must, *(order[:, k].tolist() if len(free) else [])]
            prices = [int(best[r, k]) for r in members]
            total = sum(prices) + step
            if max(prices) < _NO and total < cost[k]:
                cost[k], crew[k] = total, tuple(members)
    return cost, crew


def all_options(
    board: Board,
    task: int,
    who: Sequence[int] | None = None,
    *,
    slack: int = MOVED_S,
    days: dict[int, Day] | None = None,
) -> Options:
    """Return the options of all candidates, or of *who*."""
    asked = board.candidates(board.tasks[task]) if who is None else who
    return board.options(task, asked, slack=slack, days=days)
