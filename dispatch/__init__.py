"""Give each task of a day a caregiver and a time that break no rule, and say why.

A pure library: dataclasses in, a checked plan out. It knows neither Flask nor a database.
"""

from __future__ import annotations

import importlib
from typing import Any

from dispatch.check import Violation, check
from dispatch.cost import plan_cost
from dispatch.errors import BadInput, BadPlan, BadProblem, UnknownName
from dispatch.io import (
    plan_from_json,
    plan_to_json,
    problem_from_json,
    problem_sha256,
    problem_to_json,
    read_plan,
    read_problem,
    read_task,
    task_from_json,
    task_to_json,
    write_plan,
    write_problem,
)
from dispatch.model import (
    Caregiver,
    Fixed,
    Load,
    Places,
    Problem,
    Rest,
    Task,
    TravelModel,
    Weights,
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

__version__ = "1.0.0"

# Loading the compiler and the solvers takes seconds, reading a plan does not: what stands here is
# imported when it is first asked for (PEP 562). `dispatch.bound.bound` has another name here, because
# the name of a module that is loaded later would take the function's place.
_LATER = {
    "cancel": ("dispatch.live", "cancel"),
    "delay": ("dispatch.live", "delay"),
    "feasible_starts": ("dispatch.live", "feasible_starts"),
    "insert": ("dispatch.live", "insert"),
    "lower_bound": ("dispatch.bound", "bound"),
    "repair": ("dispatch.live", "repair"),
    "solve": ("dispatch.planner", "solve"),
}

__all__ = [
    "BadInput",
    "BadPlan",
    "BadProblem",
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
    "UnknownName",
    "Violation",
    "Weights",
    "WouldHelp",
    "check",
    "plan_cost",
    "plan_from_json",
    "plan_to_json",
    "problem_from_json",
    "problem_sha256",
    "problem_to_json",
    "read_plan",
    "read_problem",
    "read_task",
    "task_from_json",
    "task_to_json",
    "write_plan",
    "write_problem",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'dispatch' has no attribute {name!r}")
    module, attribute = _LATER[name]
    return getattr(importlib.import_module(module), attribute)
