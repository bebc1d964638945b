"""Dividing the work: parts that are too large, rounds, and who searches what for how long."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dispatch.engine.rota import Rota
from dispatch.engine.whole import Whole

Array = np.ndarray
LARGEST = 900
"""Tasks of the largest part that is searched in one piece."""
PIECE = 500
"""Tasks of a piece of a larger part."""
ROUNDS = 8
"""How often the borders between pieces are drawn anew."""
SHARE_ROUNDS = 4
"""Rounds where only the vendors' shares ask for more than one."""
SMALL = 200
"""Parts of fewer tasks are searched together, so that less time goes into getting ready."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Caregivers and tasks that are searched together in one round.

    ``frozen`` marks the tasks whose crew reaches into another piece; ``share_goal`` is the number
    of open tasks that each vendor should serve in it.
    """

    caregivers: Array
    tasks: Array
    frozen: Array | None = None
    share_goal: Array | None = None


def grouped(parts: Sequence[tuple[Array, Array]]) -> list[tuple[Array, Array]]:
    """Return the parts with the small ones put together, largest first; numbers ascend in each."""
    small = [part for part in parts if len(part[1]) < SMALL]
    result = [part for part in parts if len(part[1]) >= SMALL]
    weights = [len(tasks) for _, tasks in small]
    for members in packed(weights, math.ceil(sum(weights) / SMALL)):
        result.append(
            (
                np.sort(np.concatenate([small[at][0] for at in members])),
                np.sort(np.concatenate([small[at][1] for at in members])),
            )
        )
    return sorted(result, key=lambda part: -len(part[1]))


def schedule_rounds(parts: Sequence[tuple[Array, Array]], again: bool) -> list[list[int]]:
    """Return for each round the parts that are searched in it.

    Large parts are in every round, and all parts if *again*; the others are spread so that rounds
    are equally long.
    """
    large = [at for at, (_, tasks) in enumerate(parts) if len(tasks) > LARGEST]
    if not large:
        return [list(range(len(parts)))] * (SHARE_ROUNDS if again else 1)
    rounds: list[list[int]] = [list(large) for _ in range(ROUNDS)]
    small = [at for at in range(len(parts)) if len(parts[at][1]) <= LARGEST]
    if again:
        return [some + small for some in rounds]
    for some, bin_ in zip(rounds, packed([len(parts[at][1]) for at in small], ROUNDS), strict=True):
        some.extend(small[at] for at in bin_)
    return rounds


def packed(weights: Sequence[float], bins: int) -> list[list[int]]:
    """Return which items go into which bin so that bins weigh about the same: heaviest first."""
    result: list[list[int]] = [[] for _ in range(bins)]
    total = [0.0] * bins
    for item in sorted(range(len(weights)), key=lambda at: -weights[at]):
        lightest = total.index(min(total))
        result[lightest].append(item)
        total[lightest] += weights[item]
    return result


def divide(
    whole: Whole, part: tuple[Array, Array], rota: Rota, turn: int, seed: int
) -> list[Piece]:
    """Cut a large part into pieces of neighbouring days, along other borders in every turn."""
    caregivers, tasks = part
    pieces = math.ceil(len(tasks) / PIECE)
    if pieces < 2 or len(caregivers) < 2:
        return [Piece(caregivers, tasks)]
    draw = np.random.default_rng([seed, turn])
    load = np.array([1.0 + _tasks_of(whole, rota, int(who)) for who in caregivers])
    spots = _spots(whole, caregivers, rota, draw)
    label = np.zeros(len(caregivers), dtype=np.int64)
    _bisect(spots, load, np.arange(len(caregivers)), pieces, 0, label, draw.uniform(0, math.pi))
    return _collect(whole, caregivers, tasks, rota, label, draw)


def _tasks_of(whole: Whole, rota: Rota, who: int) -> int:
    codes = rota.days.get(who)
    return 0 if codes is None else int(((codes >= 0) & (codes < len(whole.place))).sum())


def _spots(whole: Whole, caregivers: Array, rota: Rota, draw: np.random.Generator) -> Array:
    """Return a point a caregiver, people x 2: the middle of the day's tasks, or the base.

    Without coordinates, the ways from two places drawn by lot stand for them.
    """
    places = whole.problem.places
    if places.coordinates is not None:
        point = places.coordinates * [1.0, math.cos(math.radians(places.coordinates[:, 0].mean()))]
    else:
        landmarks = draw.choice(len(places), size=2)
        point = places.seconds[landmarks].T.astype(float)
    spots = point[whole.base[caregivers]].copy()
    for at, who in enumerate(caregivers.tolist()):
        codes = rota.days.get(who)
        if codes is not None:
            own = codes[(codes >= 0) & (codes < len(whole.place))]
            if len(own):
                spots[at] = point[whole.place[own]].mean(axis=0)
    return spots


def _bisect(
    spots: Array, load: Array, members: Array, pieces: int, first: int, label: Array, angle: float
) -> None:
    """Label *members* with ``first .. first + pieces - 1``, halves of like load side by side."""
    if pieces == 1:
        label[members] = first
        return
    turned = spots[members] @ np.array([math.cos(angle), math.sin(angle)])
    across = spots[members] @ np.array([-math.sin(angle), math.cos(angle)])
    along = turned if np.ptp(turned) >= np.ptp(across) else across
    order = members[np.argsort(along, kind="stable")]
    left = pieces // 2
    done = np.cumsum(load[order])
    cut = int(np.searchsorted(done, done[-1] * left / pieces))
    cut = min(max(cut, 1), len(order) - 1) if len(order) > 1 else len(order)
    _bisect(spots, load, order[:cut], left, first, label, angle)
    if cut < len(order):
        _bisect(spots, load, order[cut:], pieces - left, first + left, label, angle)


def _collect(
    whole: Whole,
    caregivers: Array,
    tasks: Array,
    rota: Rota,
    label: Array,
    draw: np.random.Generator,
) -> list[Piece]:
    """Return the pieces with the tasks of their days, and of those left out a fair part each."""
    piece_of = np.full(len(whole.base), -1, dtype=np.int64)
    piece_of[caregivers] = label
    where: dict[int, set[int]] = {}
    for who in caregivers.tolist():
        codes = rota.days.get(who)
        if codes is not None:
            for task in codes[(codes >= 0) & (codes < len(whole.place))].tolist():
                where.setdefault(task, set()).add(int(piece_of[who]))
    chosen: list[list[int]] = [[] for _ in range(int(label.max()) + 1)]
    frozen: list[list[bool]] = [[] for _ in chosen]
    for task in tasks.tolist():
        homes = where.get(task)
        if homes is None:
            count = np.bincount(piece_of[whole.candidates.of(task)], minlength=len(chosen))
            at = int(count.argmax())
            if count[at] < 0.6 * count.sum():
                at = int(draw.choice(len(count), p=count / count.sum()))
            homes = {at}
        for at in sorted(homes):
            chosen[at].append(task)
            frozen[at].append(len(homes) > 1)
    return [
        Piece(caregivers[label == at], np.array(some, dtype=np.int64), np.array(stay, dtype=bool))
        for at, (some, stay) in enumerate(zip(chosen, frozen, strict=True))
        if some and (label == at).any()
    ]
