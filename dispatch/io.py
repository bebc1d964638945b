"""Problem and plan as JSON, both ways.

Reading refuses what the contract does not know and names the place of it; writing gives one form
only (sorted sets, keys in the contract's order, nothing left out), so that equal problems have
equal bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from dispatch.errors import BadInput, BadPlan, BadProblem, fields, sequence, shown
from dispatch.model import (
    Caregiver,
    Fixed,
    Load,
    Places,
    Problem,
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

T = TypeVar("T")
Json = dict[str, Any]

_PROBLEM = frozenset(
    {
        "schema",
        "day",
        "places",
        "travel",
        "circle_s",
        "caregivers",
        "tasks",
        "vendor_share",
        "weights",
    }
)
_CAREGIVER = frozenset(
    {"id", "vendor", "base", "skills", "shifts", "max_work_s", "rest", "capacity"}
)
_TASK = frozenset(
    {
        "id",
        "place",
        "service_s",
        "windows",
        "skills",
        "crew",
        "vendors",
        "preferred",
        "forbidden",
        "priority",
        "load",
        "fixed",
    }
)
_PLAN = frozenset({"schema", "problem_sha256", "seed", "engine", "routes", "unassigned", "totals"})
_ROUTE = frozenset({"caregiver", "shift", "depart_s", "return_s", "travel_s", "stops"})
_STOP = frozenset({"kind", "task", "place", "units", "arrive_s", "start_s", "end_s"})
_UNASSIGNED = frozenset({"task", "reason", "remaining", "would_help"})
_REMAINING = ("skill", "allowed", "vendor", "circle", "shift", "insertion")
_HELP = frozenset({"change", "from", "to", "caregiver"})
_TOTALS = ("tasks", "assigned", "travel_s", "cost", "by_term")
_TERMS = ("travel", "unassigned", "unpreferred", "vendor_share")


# --- reading ---------------------------------------------------------------------------------


def read_problem(path: str | Path) -> Problem:
    """Return the problem in the file at *path*, with the SHA-256 of its bytes.

    Raises `BadProblem` for a file that is missing, not JSON, or against the contract.
    """
    content = _bytes(path, BadProblem)
    digest = hashlib.sha256(content).hexdigest()
    return problem_from_json(_parse(content, BadProblem), sha256=digest)


def read_task(path: str | Path) -> Task:
    """Return the single task in the file at *path*; raises `BadProblem`."""
    return task_from_json(_parse(_bytes(path, BadProblem), BadProblem))


def read_plan(path: str | Path) -> Plan:
    """Return the plan in the file at *path*; raises `BadPlan` where it is not one in form."""
    return plan_from_json(_parse(_bytes(path, BadPlan), BadPlan))


def problem_from_json(value: Any, *, sha256: str | None = None) -> Problem:
    """Return the problem that parsed JSON describes; raises `BadProblem`."""
    needed = ("schema", "places", "caregivers", "tasks")
    given = fields(value, "", BadProblem, needed=needed, known=_PROBLEM)
    options: Json = {"schema": given["schema"], "day": given.get("day")}
    if "circle_s" in given:
        options["circle_s"] = given["circle_s"]
    if "travel" in given:
        options["travel"] = _made(TravelModel, given["travel"], "travel", BadProblem)
    if "weights" in given:
        options["weights"] = _made(Weights, given["weights"], "weights", BadProblem)
    return Problem(
        places=_made(Places, given["places"], "places", BadProblem),
        caregivers=_each(given["caregivers"], "caregivers", BadProblem, caregiver_from_json),
        tasks=_each(given["tasks"], "tasks", BadProblem, task_from_json),
        vendor_share=given.get("vendor_share"),
        sha256=sha256,
        **options,
    )


def caregiver_from_json(value: Any) -> Caregiver:
    """Return the caregiver that parsed JSON describes; raises `BadProblem`."""
    needed = ("id", "vendor", "base", "skills", "shifts")
    given = fields(value, "", BadProblem, needed=needed, known=_CAREGIVER)
    return Caregiver(**given)


def task_from_json(value: Any) -> Task:
    """Return the task that parsed JSON describes; raises `BadProblem`."""
    needed = ("id", "place", "service_s", "windows")
    given = fields(value, "", BadProblem, needed=needed, known=_TASK)
    if given.get("load") is None and given.get("fixed") is None:
        return Task(**given)
    parts = dict(given)
    if parts.get("load") is not None:
        load = ("place", "units", "ready_s", "hold_s")
        parts["load"] = _made(Load, parts["load"], "load", BadProblem, needed=load)
    if parts.get("fixed") is not None:
        fixed = {
            key: each for key, each in _object(parts["fixed"], "fixed").items() if each is not None
        }
        parts["fixed"] = _made(Fixed, fixed, "fixed", BadProblem)
    return Task(**parts)


def plan_from_json(value: Any) -> Plan:
    """Return the plan that parsed JSON describes; raises `BadPlan`."""
    given = fields(value, "", BadPlan, needed=sorted(_PLAN), known=_PLAN)
    return Plan(
        problem_sha256=given["problem_sha256"],
        seed=given["seed"],
        engine=_made(Engine, given["engine"], "engine", BadPlan, needed=("version", "seconds")),
        routes=_each(given["routes"], "routes", BadPlan, _route),
        unassigned=_each(given["unassigned"], "unassigned", BadPlan, _unassigned),
        totals=_within("totals", _totals, given["totals"]),
        schema=given["schema"],
    )


def _route(value: Any) -> Route:
    given = dict(fields(value, "", BadPlan, needed=sorted(_ROUTE), known=_ROUTE))
    given["stops"] = _each(given["stops"], "stops", BadPlan, _stop)
    return Route(**given)


def _stop(value: Any) -> Stop:
    needed = ("kind", "place", "arrive_s", "start_s", "end_s")
    return Stop(**fields(value, "", BadPlan, needed=needed, known=_STOP))


def _unassigned(value: Any) -> Unassigned:
    needed = ("task", "reason", "remaining")
    given = fields(value, "", BadPlan, needed=needed, known=_UNASSIGNED)
    return Unassigned(
        task=given["task"],
        reason=given["reason"],
        remaining=_made(Remaining, given["remaining"], "remaining", BadPlan, needed=_REMAINING),
        would_help=_each(given.get("would_help", []), "would_help", BadPlan, _would_help),
    )


def _would_help(value: Any) -> WouldHelp:
    given = fields(value, "", BadPlan, needed=("change",), known=_HELP)
    return WouldHelp(given["change"], given.get("from"), given.get("to"), given.get("caregiver"))


def _totals(value: Any) -> Totals:
    given = dict(fields(value, "", BadPlan, needed=_TOTALS, known=frozenset(_TOTALS)))
    given["by_term"] = _made(Cost, given["by_term"], "by_term", BadPlan, needed=_TERMS)
    return Totals(**given)


def _made(
    kind: Callable[..., T],
    value: Any,
    path: str,
    error: type[BadInput],
    *,
    needed: tuple[str, ...] = (),
) -> T:
    """Return ``kind`` made from an object whose keys are its fields, errors placed at *path*."""
    known = frozenset(kind.__slots__)  # type: ignore[attr-defined]
    given = fields(value, path, error, needed=needed, known=known)
    return _within(path, lambda _: kind(**given), None)


def _within(path: str, make: Callable[[Any], T], value: Any) -> T:
    try:
        return make(value)
    except BadInput as error:
        raise error.under(path) from None


def _each(value: Any, path: str, error: type[BadInput], make: Callable[[Any], T]) -> tuple[T, ...]:
    made = []
    try:
        for item in sequence(value, "", error, what=path):
            made.append(make(item))
    except BadInput as bad:
        # Only the error itself has no place yet: the list, or the item that came next.
        at = path if not isinstance(value, (list, tuple)) else f"{path}[{len(made)}]"
        raise bad.under(at) from None
    return tuple(made)


def _object(value: Any, path: str) -> Json:
    if not isinstance(value, dict):
        raise BadProblem(path, f"is {shown(value)}; give an object or null")
    return value


def _bytes(path: str | Path, error: type[BadInput]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as reason:
        raise error(str(path), f"cannot be read: {reason.strerror or reason}") from None


def _parse(content: bytes, error: type[BadInput]) -> Any:
    try:
        decoded = content.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        raise error("", f"is not UTF-8 text at byte {reason.start}; save it as UTF-8") from None

    def once(pairs: list[tuple[str, Any]]) -> Json:
        made = dict(pairs)
        if len(made) != len(pairs):
            _twice(pairs, error)
        return made

    try:
        return json.loads(decoded, object_pairs_hook=once)
    except json.JSONDecodeError as reason:
        raise error(
            "", f"is not JSON: {reason.msg} at line {reason.lineno} column {reason.colno}"
        ) from None
    except RecursionError:
        raise error("", "is nested too deep to be a problem or a plan") from None
    except BadInput:
        raise
    except ValueError:
        raise error("", "has a number of too many digits; give seconds as plain numbers") from None


def _twice(pairs: list[tuple[str, Any]], error: type[BadInput]) -> NoReturn:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            named = next((shown(each) for name, each in pairs if name == "id"), "without an id")
            raise error("", f'the key "{key}" stands twice in the object {named}; give it once')
        seen.add(key)
    raise AssertionError("called without a key that stands twice")


# --- writing ---------------------------------------------------------------------------------


def write_problem(problem: Problem, path: str | Path) -> str:
    """Write *problem* to *path* in the canonical form and return the SHA-256 of the bytes."""
    content = problem_bytes(problem)
    _write(path, content)
    return hashlib.sha256(content).hexdigest()


def write_plan(plan: Plan, path: str | Path) -> None:
    """Write *plan* to *path*; a reader sees the old file or the new one, never a half."""
    text = json.dumps(plan_to_json(plan), ensure_ascii=False, separators=(",", ":"))
    _write(path, text.encode() + b"\n")


def _write(path: str | Path, content: bytes) -> None:
    path = Path(path)
    if path.exists() and not path.is_file():
        # A pipe or /dev/stdout cannot be replaced, only written to.
        path.write_bytes(content)
        return
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def problem_bytes(problem: Problem) -> bytes:
    """Return the canonical file of *problem*: what `write_problem` writes."""
    text = json.dumps(problem_to_json(problem), ensure_ascii=False, separators=(",", ":"))
    return text.encode() + b"\n"


def canonical_sha256(problem: Problem) -> str:
    """Return the SHA-256 of the canonical file of *problem*, whatever file it was read from."""
    return hashlib.sha256(problem_bytes(problem)).hexdigest()


def problem_sha256(problem: Problem) -> str:
    """Return the SHA-256 of the file *problem* was read from, or else of its canonical file."""
    return problem.sha256 or canonical_sha256(problem)


def problem_to_json(problem: Problem) -> Json:
    """Return *problem* as JSON values, every key given."""
    places = problem.places
    share = problem.vendor_share
    return {
        "schema": problem.schema,
        "day": problem.day,
        "places": {
            "coordinates": None if places.coordinates is None else places.coordinates.tolist(),
            "seconds": None if places.seconds is None else places.seconds.tolist(),
        },
        "travel": _plain(problem.travel),
        "circle_s": problem.circle_s,
        "caregivers": [caregiver_to_json(each) for each in problem.caregivers],
        "tasks": [task_to_json(each) for each in problem.tasks],
        "vendor_share": None if share is None else dict(sorted(share.items())),
        "weights": _plain(problem.weights),
    }


def caregiver_to_json(caregiver: Caregiver) -> Json:
    """Return *caregiver* as JSON values, every key given."""
    rest = caregiver.rest
    return {
        "id": caregiver.id,
        "vendor": caregiver.vendor,
        "base": caregiver.base,
        "skills": sorted(caregiver.skills),
        "shifts": [list(each) for each in caregiver.shifts],
        "max_work_s": caregiver.max_work_s,
        "rest": None if rest is None else [rest.start_s, rest.end_s, rest.lasts_s],
        "capacity": caregiver.capacity,
    }


def task_to_json(task: Task) -> Json:
    """Return *task* as JSON values, every key given."""
    fixed: Json | None = None
    if task.fixed is not None:
        fixed = {"caregivers": list(task.fixed.caregivers)} if task.fixed.caregivers else {}
        if task.fixed.start_s is not None:
            fixed["start_s"] = task.fixed.start_s
    return {
        "id": task.id,
        "place": task.place,
        "service_s": task.service_s,
        "windows": [list(each) for each in task.windows],
        "skills": sorted(task.skills),
        "crew": task.crew,
        "vendors": None if task.vendors is None else sorted(task.vendors),
        "preferred": sorted(task.preferred),
        "forbidden": sorted(task.forbidden),
        "priority": task.priority,
        "load": None if task.load is None else _plain(task.load),
        "fixed": fixed,
    }


def plan_to_json(plan: Plan) -> Json:
    """Return *plan* as JSON values in the contract's form."""
    return {
        "schema": plan.schema,
        "problem_sha256": plan.problem_sha256,
        "seed": plan.seed,
        "engine": _plain(plan.engine),
        "routes": [
            {
                "caregiver": route.caregiver,
                "shift": route.shift,
                "depart_s": route.depart_s,
                "return_s": route.return_s,
                "travel_s": route.travel_s,
                "stops": [_stop_to_json(stop) for stop in route.stops],
            }
            for route in plan.routes
        ],
        "unassigned": [unassigned_to_json(each) for each in plan.unassigned],
        "totals": {**_plain(plan.totals), "by_term": _plain(plan.totals.by_term)},
    }


def unassigned_to_json(left: Unassigned) -> Json:
    """Return a task left out as JSON values in the contract's form."""
    return {
        "task": left.task,
        "reason": left.reason,
        "remaining": _plain(left.remaining),
        "would_help": [
            {"change": each.change, "from": each.from_, "to": each.to, "caregiver": each.caregiver}
            for each in left.would_help
        ],
    }


def _stop_to_json(stop: Stop) -> Json:
    made: Json = {"kind": stop.kind}
    if stop.kind == "task":
        made["task"] = stop.task
    made["place"] = stop.place
    if stop.kind == "load":
        made["units"] = stop.units
    made["arrive_s"] = stop.arrive_s
    made["start_s"] = stop.start_s
    made["end_s"] = stop.end_s
    return made


def _plain(value: Any) -> Json:
    """Return the fields of a dataclass whose values are plain, in their order."""
    return {name: getattr(value, name) for name in value.__slots__}
