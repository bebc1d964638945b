"""The plan: routes, what is left out and why, and what it costs.

Made from a file it is checked in form only; whether it keeps the rules is for `dispatch.check`.
Raised by every constructor: `BadPlan` with the place relative to the object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dispatch.errors import BadPlan, real, sequence, shown, text, whole

PLAN_SCHEMA = 1
KINDS = ("task", "load", "rest")
REASONS = (
    "no_skill",
    "no_caregiver_in_circle",
    "vendor_has_nobody",
    "all_forbidden",
    "outside_all_shifts",
    "no_crew",
    "load_too_late",
    "no_room",
)
CHANGES = (
    "window",
    "skill",
    "vendor",
    "circle_s",
    "shift",
    "forbidden",
    "capacity",
    "ready_s",
    "extra_caregiver",
)
TERMS = ("travel", "unassigned", "unpreferred", "vendor_share")


def _set(target: object, name: str, value: object) -> None:
    object.__setattr__(target, name, value)


# No plan is longer than this in any number: the cost of a hundred thousand tasks of priority 9.
_MOST = 10**18


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of a route: a visit (``task``), a fetching of ``units`` (``load``), a ``rest``."""

    kind: str
    place: int
    arrive_s: int
    start_s: int
    end_s: int
    task: str | None = None
    units: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadPlan("kind", f"is {shown(self.kind)}; give one of {', '.join(KINDS)}")
        for name in ("place", "arrive_s", "start_s", "end_s"):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= _MOST:
                _set(self, name, whole(value, name, BadPlan, most=_MOST))
        if self.kind == "task":
            text(self.task, "task", BadPlan, what="the id of a task")
        elif self.task is not None:
            raise BadPlan("task", f"belongs to stops of kind task, not {self.kind}; leave it out")
        if self.kind == "load":
            _set(self, "units", whole(self.units, "units", BadPlan, what="units"))
        elif self.units is not None:
            raise BadPlan("units", f"belongs to stops of kind load, not {self.kind}; leave it out")


@dataclass(frozen=True, slots=True)
class Route:
    """What one caregiver does in one shift (its number in ``Caregiver.shifts``)."""

    caregiver: str
    shift: int
    depart_s: int
    return_s: int
    travel_s: int
    stops: tuple[Stop, ...]

    def __post_init__(self) -> None:
        text(self.caregiver, "caregiver", BadPlan, what="the id of a caregiver")
        for name in ("shift", "depart_s", "return_s", "travel_s"):
            _set(self, name, whole(getattr(self, name), name, BadPlan, most=_MOST))
        _set(self, "stops", tuple(sequence(self.stops, "stops", BadPlan, what="stops")))


@dataclass(frozen=True, slots=True)
class Remaining:
    """How many caregivers are left after each filter, cumulative in this order."""

    skill: int
    allowed: int
    vendor: int
    circle: int
    shift: int
    insertion: int = 0

    def __post_init__(self) -> None:
        for name in ("skill", "allowed", "vendor", "circle", "shift", "insertion"):
            _set(self, name, whole(getattr(self, name), name, BadPlan, what="a number of people"))


@dataclass(frozen=True, slots=True)
class WouldHelp:
    """One change that was tried and makes room: ``change`` moves from ``from_`` to ``to``.

    ``from_`` and ``to`` are in the problem's own form for that key, or None where the change has
    none. ``caregiver`` is who then goes, or whose facts the change is about.
    """

    change: str
    from_: Any = None
    to: Any = None
    caregiver: str | None = None

    def __post_init__(self) -> None:
        if self.change not in CHANGES:
            raise BadPlan("change", f"is {shown(self.change)}; give one of {', '.join(CHANGES)}")
        if self.caregiver is not None:
            text(self.caregiver, "caregiver", BadPlan, what="the id of a caregiver")


@dataclass(frozen=True, slots=True)
class Unassigned:
    """A task that is left out, the first filter that stops it, and what would help."""

    task: str
    reason: str
    remaining: Remaining
    would_help: tuple[WouldHelp, ...] = ()

    def __post_init__(self) -> None:
        text(self.task, "task", BadPlan, what="the id of a task")
        if self.reason not in REASONS:
            raise BadPlan("reason", f"is {shown(self.reason)}; give one of {', '.join(REASONS)}")
        _set(self, "would_help", tuple(self.would_help))


@dataclass(frozen=True, slots=True)
class Cost:
    """Weighted cost by term; whole numbers."""

    travel: int = 0
    unassigned: int = 0
    unpreferred: int = 0
    vendor_share: int = 0

    def __post_init__(self) -> None:
        for name in TERMS:
            _set(self, name, whole(getattr(self, name), name, BadPlan, most=_MOST, what="a cost"))

    @property
    def total(self) -> int:
        """The sum of the terms: what a plan is judged by, smaller is better."""
        return self.travel + self.unassigned + self.unpreferred + self.vendor_share


@dataclass(frozen=True, slots=True)
class Totals:
    """How many tasks there are and are served, the seconds travelled, and the cost."""

    tasks: int
    assigned: int
    travel_s: int
    cost: int
    by_term: Cost

    def __post_init__(self) -> None:
        for name in ("tasks", "assigned", "travel_s", "cost"):
            value = whole(getattr(self, name), name, BadPlan, most=_MOST, what="a sum")
            _set(self, name, value)


@dataclass(frozen=True, slots=True)
class Engine:
    """What made the plan, and in how many seconds."""

    version: str
    seconds: float

    def __post_init__(self) -> None:
        text(self.version, "version", BadPlan, what="a version")
        seconds = real(
            self.seconds, "seconds", BadPlan, least=0.0, most=1e9, what="the seconds it took"
        )
        _set(self, "seconds", seconds)


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer to a problem; ``problem_sha256`` names which."""

    problem_sha256: str
    seed: int
    engine: Engine
    routes: tuple[Route, ...]
    unassigned: tuple[Unassigned, ...]
    totals: Totals
    schema: int = field(default=PLAN_SCHEMA)

    def __post_init__(self) -> None:
        if self.schema != PLAN_SCHEMA or isinstance(self.schema, bool):
            raise BadPlan("schema", f"is {shown(self.schema)}; this program reads {PLAN_SCHEMA}")
        text(self.problem_sha256, "problem_sha256", BadPlan, what="a hash")
        _set(self, "seed", whole(self.seed, "seed", BadPlan, most=2**63 - 1, what="a seed"))
        _set(self, "routes", tuple(self.routes))
        _set(self, "unassigned", tuple(self.unassigned))
