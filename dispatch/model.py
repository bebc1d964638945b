"""The problem of one day and the plan that answers it, as the contract writes them.

Every class mirrors an object of the contract key by key and is checked when it is made, so that
whoever holds one need not ask again. Times are whole seconds since local midnight, durations whole
seconds, coordinates WGS-84 with the latitude first; both ends of an interval belong to it.

Raised by every constructor: `BadProblem` or `BadPlan` with the place relative to the object.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dispatch.errors import (
    MAX_S,
    BadProblem,
    interval,
    real,
    sequence,
    shown,
    text,
    texts,
    whole,
)
from dispatch.plan import (
    Cost,
    Engine,
    Plan,
    Remaining,
    Route,
    Stop,
    Totals,
    Unassigned,
    WouldHelp,
)

__all__ = [
    "Caregiver",
    "Cost",
    "Engine",
    "Fixed",
    "Load",
    "Places",
    "Plan",
    "Problem",
    "Remaining",
    "Rest",
    "Route",
    "Stop",
    "Task",
    "Totals",
    "TravelModel",
    "Unassigned",
    "Weights",
    "WouldHelp",
]

SCHEMA = 1
Interval = tuple[int, int]


def _set(target: object, name: str, value: object) -> None:
    object.__setattr__(target, name, value)


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where things are: coordinates, or seconds of travel between any two, or both.

    ``coordinates`` is n x 2 float64 (latitude, longitude); ``seconds`` is n x n int32, row from,
    column to. Where ``seconds`` is given it alone counts. Both arrays are read-only. Sums of
    ``seconds`` need 64 bits.
    """

    coordinates: np.ndarray | None = None
    seconds: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.coordinates is None and self.seconds is None:
            raise BadProblem("coordinates", "is missing; give coordinates, or seconds instead")
        if self.coordinates is not None:
            _set(self, "coordinates", _coordinates(self.coordinates))
        if self.seconds is not None:
            _set(self, "seconds", _seconds(self.seconds))
            if self.coordinates is not None and len(self.coordinates) != len(self.seconds):
                raise BadProblem(
                    "seconds",
                    f"has {len(self.seconds)} rows for {len(self.coordinates)} coordinates; "
                    "give one row and one column a place",
                )

    def __len__(self) -> int:
        given = self.seconds if self.seconds is not None else self.coordinates
        return len(given)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Places):
            return NotImplemented
        return _same(self.coordinates, other.coordinates) and _same(self.seconds, other.seconds)

    __hash__ = None  # type: ignore[assignment]


def _same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.array_equal(one, other))


def _coordinates(value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim == 2:
        array = value.astype(np.float64)
    else:
        rows = value.tolist() if isinstance(value, np.ndarray) else value
        rows = sequence(rows, "coordinates", BadProblem, what="[latitude, longitude] pairs")
        for index, row in enumerate(rows):
            if not isinstance(row, (list, tuple)) or len(row) != 2:
                raise BadProblem(
                    f"coordinates[{index}]", f"is {shown(row)}; give [latitude, longitude]"
                )
            # Booleans and texts would pass silently into an array of floats.
            for axis, number in enumerate(row):
                if type(number) is not float and type(number) is not int:
                    _degrees(number, f"coordinates[{index}][{axis}]", 180.0)
        try:
            array = np.array(rows, dtype=np.float64).reshape(len(rows), 2)
        except OverflowError:
            raise BadProblem("coordinates", "has a number too large for a degree") from None
    if array.shape[1:] != (2,):
        raise BadProblem("coordinates", f"has {array.shape[1]} columns; give latitude, longitude")
    limit = np.array([90.0, 180.0])
    wrong = ~(np.abs(array) <= limit)
    if wrong.any():
        index, axis = (int(each) for each in np.argwhere(wrong)[0])
        _degrees(array[index, axis], f"coordinates[{index}][{axis}]", limit[axis])
    array.flags.writeable = False
    return array


def _degrees(number: Any, path: str, most: float) -> float:
    what = "the latitude in degrees (it comes first)" if most == 90.0 else "degrees"
    return real(number, path, BadProblem, least=-most, most=most, what=what)


def _seconds(value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray):
        array = value
    else:
        rows = sequence(value, "seconds", BadProblem, what="rows of seconds")
        for index, row in enumerate(rows):
            if not isinstance(row, (list, tuple)) or len(row) != len(rows):
                size = len(row) if isinstance(row, (list, tuple)) else shown(row)
                raise BadProblem(
                    f"seconds[{index}]", f"has {size} entries for {len(rows)} rows; it is n x n"
                )
        try:
            array = np.array(rows).reshape(len(rows), len(rows))
        except (ValueError, TypeError, OverflowError):
            array = np.array(rows, dtype=object)
        if not rows:
            array = array.astype(np.int32)
        # A boolean would pass silently into an array of whole numbers.
        if array.dtype.kind != "i" or any(bool in set(map(type, row)) for row in rows):
            for index, row in enumerate(rows):
                for column, number in enumerate(row):
                    whole(number, f"seconds[{index}][{column}]", BadProblem)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.dtype.kind not in "iu":
        raise BadProblem("seconds", "is not a square of whole numbers; it is n x n")
    wrong = (array < 0) | (array > MAX_S)
    if wrong.any():
        index, column = (int(each) for each in np.argwhere(wrong)[0])
        whole(int(array[index, column]), f"seconds[{index}][{column}]", BadProblem)
    diagonal = np.flatnonzero(np.diagonal(array))
    if len(diagonal):
        at = int(diagonal[0])
        raise BadProblem(
            f"seconds[{at}][{at}]",
            f"is {int(array[at, at])}; from a place to itself takes 0",
        )
    array = array.astype(np.int32)
    array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True)
class TravelModel:
    """How metres become seconds where ``Places.seconds`` is not given.

    ``ceil(geodesic x detour / speed_mps) + stop_s``; 0 from a place to itself.
    """

    speed_mps: float = 4.1667
    detour: float = 1.35
    stop_s: int = 60

    def __post_init__(self) -> None:
        # The bounds keep the longest way round the globe within 32 bits of seconds.
        speed = real(
            self.speed_mps, "speed_mps", BadProblem, least=0.1, most=1000.0, what="metres a second"
        )
        detour = real(
            self.detour, "detour", BadProblem, least=0.1, most=10.0, what="way over straight line"
        )
        _set(self, "speed_mps", speed)
        _set(self, "detour", detour)
        _set(self, "stop_s", whole(self.stop_s, "stop_s", BadProblem, most=10_000_000))


@dataclass(frozen=True, slots=True)
class Rest:
    """A rest of ``lasts_s`` that begins not before ``start_s`` and ends not after ``end_s``."""

    start_s: int
    end_s: int
    lasts_s: int

    def __post_init__(self) -> None:
        interval((self.start_s, self.end_s), "", BadProblem)
        whole(self.lasts_s, "[2]", BadProblem)
        if self.lasts_s > self.end_s - self.start_s:
            raise BadProblem(
                "[2]",
                f"a rest of {self.lasts_s} s does not fit from {self.start_s} to {self.end_s}; "
                "give [earliest start, latest end, length]",
            )


@dataclass(frozen=True, slots=True)
class Caregiver:
    """One who goes: starts each shift at the place ``base`` and is back there at its end.

    ``max_work_s`` bounds service plus travel over the day, ``capacity`` the units on board; None
    is no bound. ``rest`` may be given as three numbers.
    """

    id: str
    vendor: str
    base: int
    skills: frozenset[str]
    shifts: tuple[Interval, ...]
    max_work_s: int | None = None
    rest: Rest | None = None
    capacity: int | None = None

    def __post_init__(self) -> None:
        text(self.id, "id", BadProblem)
        text(self.vendor, "vendor", BadProblem)
        _set(self, "base", whole(self.base, "base", BadProblem, what="the number of a place"))
        if type(self.skills) is not frozenset:
            _set(self, "skills", frozenset(texts(self.skills, "skills", BadProblem, what="skills")))
        shifts = sequence(self.shifts, "shifts", BadProblem, what="[start, end] pairs")
        shifts = tuple(
            interval(each, f"shifts[{index}]", BadProblem) for index, each in enumerate(shifts)
        )
        for index in range(1, len(shifts)):
            if shifts[index][0] < shifts[index - 1][1]:
                raise BadProblem(
                    f"shifts[{index}]",
                    f"starts at {shifts[index][0]} before the shift before it ends at "
                    f"{shifts[index - 1][1]}; give shifts in order and disjoint",
                )
        _set(self, "shifts", shifts)
        if self.max_work_s is not None:
            _set(self, "max_work_s", whole(self.max_work_s, "max_work_s", BadProblem))
        if self.capacity is not None:
            capacity = whole(self.capacity, "capacity", BadProblem, what="units")
            _set(self, "capacity", capacity)
        if self.rest is not None and not isinstance(self.rest, Rest):
            _set(self, "rest", _rest(self.rest))


def _rest(value: Any) -> Rest:
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        raise BadProblem(
            "rest", f"is {shown(value)}; give [earliest start, latest end, length] or null"
        )
    try:
        return Rest(*(whole(each, f"[{index}]", BadProblem) for index, each in enumerate(value)))
    except BadProblem as error:
        raise error.under("rest") from None


@dataclass(frozen=True, slots=True)
class Load:
    """What is fetched at ``place`` from ``ready_s`` on, then at most ``hold_s`` on the way."""

    place: int
    units: int
    ready_s: int
    hold_s: int

    def __post_init__(self) -> None:
        _set(self, "place", whole(self.place, "place", BadProblem, what="the number of a place"))
        _set(self, "units", whole(self.units, "units", BadProblem, what="units"))
        _set(self, "ready_s", whole(self.ready_s, "ready_s", BadProblem))
        _set(self, "hold_s", whole(self.hold_s, "hold_s", BadProblem))


@dataclass(frozen=True, slots=True)
class Fixed:
    """What is settled already: who goes (all named, at most the crew), when, or both."""

    caregivers: tuple[str, ...] = ()
    start_s: int | None = None

    def __post_init__(self) -> None:
        named = texts(self.caregivers, "caregivers", BadProblem, what="ids of caregivers")
        if len(set(named)) != len(named):
            raise BadProblem("caregivers", "names somebody twice; name each once")
        _set(self, "caregivers", named)
        if self.start_s is not None:
            _set(self, "start_s", whole(self.start_s, "start_s", BadProblem))


@dataclass(frozen=True, slots=True)
class Task:
    """One visit that is asked for.

    ``windows`` bound the start of service; they are kept sorted and, where they overlap, merged.
    ``vendors`` is None for an open task that any vendor may serve; an empty set leaves nobody.
    """

    id: str
    place: int
    service_s: int
    windows: tuple[Interval, ...]
    skills: frozenset[str] = frozenset()
    crew: int = 1
    vendors: frozenset[str] | None = None
    preferred: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()
    priority: int = 1
    load: Load | None = None
    fixed: Fixed | None = None

    def __post_init__(self) -> None:
        text(self.id, "id", BadProblem)
        _set(self, "place", whole(self.place, "place", BadProblem, what="the number of a place"))
        _set(self, "service_s", whole(self.service_s, "service_s", BadProblem))
        _set(self, "windows", _windows(self.windows))
        for name in ("skills", "preferred", "forbidden", "vendors"):
            value = getattr(self, name)
            if type(value) is not frozenset and not (name == "vendors" and value is None):
                _set(self, name, frozenset(texts(value, name, BadProblem, what=name)))
        crew = whole(
            self.crew, "crew", BadProblem, least=1, most=9, what="the number of caregivers"
        )
        _set(self, "crew", crew)
        priority = whole(
            self.priority, "priority", BadProblem, least=1, most=9, what="the priority"
        )
        _set(self, "priority", priority)
        if self.load is not None and crew != 1:
            raise BadProblem("crew", f"is {crew}; a task with a load has a crew of 1")
        if self.fixed is not None and len(self.fixed.caregivers) > crew:
            raise BadProblem(
                "fixed.caregivers",
                f"names {len(self.fixed.caregivers)} for a crew of {crew}; name at most the crew",
            )


def _windows(value: Any) -> tuple[Interval, ...]:
    items = sequence(value, "windows", BadProblem, what="[start, end] pairs")
    if not items:
        raise BadProblem("windows", "is empty; give at least one [start, end]")
    found = [interval(each, f"windows[{i}]", BadProblem) for i, each in enumerate(items)]
    if len(found) == 1:
        return (found[0],)
    found.sort()
    merged = [found[0]]
    for start, end in found[1:]:
        if start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


@dataclass(frozen=True, slots=True)
class Weights:
    """What one unit of each cost term counts; whole numbers."""

    travel: int = 1
    unassigned: int = 100_000
    unpreferred: int = 300
    vendor_share: int = 50

    def __post_init__(self) -> None:
        for name in ("travel", "unassigned", "unpreferred", "vendor_share"):
            _set(self, name, whole(getattr(self, name), name, BadProblem, what="a weight"))


@dataclass(frozen=True, slots=True)
class Problem:
    """One day: who can go, what is asked for, and what counts.

    ``sha256`` is that of the file's bytes where the problem was read from one; `dispatch.io.
    problem_sha256` answers for problems made in memory too. ``caregiver_index`` and ``task_index``
    give the position of an id.
    """

    places: Places
    caregivers: tuple[Caregiver, ...]
    tasks: tuple[Task, ...]
    day: str | None = None
    travel: TravelModel = TravelModel()
    circle_s: int = 900
    vendor_share: Mapping[str, float] | None = None
    weights: Weights = Weights()
    schema: int = SCHEMA
    sha256: str | None = field(default=None, compare=False, repr=False)
    caregiver_index: dict[str, int] = field(init=False, repr=False, compare=False)
    task_index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.schema != SCHEMA or isinstance(self.schema, bool):
            raise BadProblem("schema", f"is {shown(self.schema)}; this program reads {SCHEMA}")
        if self.day is not None:
            _check_day(self.day)
        _set(self, "caregivers", tuple(self.caregivers))
        _set(self, "tasks", tuple(self.tasks))
        _set(self, "circle_s", whole(self.circle_s, "circle_s", BadProblem))
        if self.vendor_share is not None:
            _set(self, "vendor_share", _shares(self.vendor_share))
        _set(self, "caregiver_index", _index("caregivers", self.caregivers))
        _set(self, "task_index", _index("tasks", self.tasks))
        n = len(self.places)
        for at, caregiver in enumerate(self.caregivers):
            if caregiver.base >= n:
                raise _no_place(f"caregivers[{at}].base", caregiver.base, n)
        for at, task in enumerate(self.tasks):
            if task.place >= n:
                raise _no_place(f"tasks[{at}].place", task.place, n)
            if task.load is not None and task.load.place >= n:
                raise _no_place(f"tasks[{at}].load.place", task.load.place, n)

    def caregiver(self, caregiver_id: str) -> Caregiver:
        """Return the caregiver of that id; KeyError where there is none."""
        return self.caregivers[self.caregiver_index[caregiver_id]]

    def task(self, task_id: str) -> Task:
        """Return the task of that id; KeyError where there is none."""
        return self.tasks[self.task_index[task_id]]


def _check_day(value: Any) -> None:
    try:
        if not isinstance(value, str) or len(value) != 10:
            raise ValueError
        dt.date.fromisoformat(value)
    except ValueError:
        raise BadProblem("day", f'is {shown(value)}; give a date such as "2026-11-23"') from None


def _shares(value: Any) -> Mapping[str, float]:
    if not isinstance(value, Mapping):
        raise BadProblem("vendor_share", f"is {shown(value)}; give an object of vendor and part")
    return {
        text(vendor, "vendor_share", BadProblem): real(
            share, f"vendor_share.{vendor}", BadProblem, least=0.0, most=1.0, what="a part of 1"
        )
        for vendor, share in value.items()
    }


def _index(key: str, items: tuple[Any, ...]) -> dict[str, int]:
    index = {item.id: at for at, item in enumerate(items)}
    if len(index) != len(items):
        for at, item in enumerate(items):
            if index[item.id] != at:
                raise BadProblem(
                    f"{key}[{index[item.id]}].id",
                    f"is {shown(item.id)}, as {key}[{at}].id is; give each its own",
                )
    return index


def _no_place(path: str, place: int, n: int) -> BadProblem:
    known = f"places has 0 to {n - 1}" if n else "places is empty"
    return BadProblem(path, f"is {place}, which is no place; {known}")
