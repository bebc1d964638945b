"""Why a task is left out: the first filter that stops it, and changes that truly make room."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatch import (
    Caregiver,
    Load,
    Places,
    Problem,
    Rest,
    Task,
    Unassigned,
    WouldHelp,
    check,
    insert,
    problem_sha256,
)
from dispatch.cost import totals_of
from dispatch.io import caregiver_from_json
from dispatch.plan import Engine, Plan, Route, Stop
from dispatch.reasons import why_left_out
from tests.dispatch.exhaustive import cheapest, plan_of, random_problem


def with_change(problem: Problem, task_id: str, change: WouldHelp) -> Problem:
    """Return the problem with that one change, and nothing else."""
    task = problem.task(task_id)

    def with_task(**facts) -> Problem:
        fresh = replace(task, **facts)
        return replace(problem, tasks=tuple(fresh if t.id == task_id else t for t in problem.tasks))

    def with_caregiver(**facts) -> Problem:
        people = tuple(
            replace(each, **facts) if each.id == change.caregiver else each
            for each in problem.caregivers
        )
        return replace(problem, caregivers=people)

    if change.change == "window":
        old, new = tuple(change.from_), tuple(change.to)
        assert old in task.windows
        return with_task(windows=tuple(new if w == old else w for w in task.windows))
    if change.change == "vendor":
        assert change.from_ == sorted(task.vendors)
        return with_task(vendors=frozenset(change.to))
    if change.change == "forbidden":
        assert change.from_ == sorted(task.forbidden)
        return with_task(forbidden=frozenset(change.to))
    if change.change == "ready_s":
        assert change.from_ == task.load.ready_s
        return with_task(load=replace(task.load, ready_s=change.to))
    if change.change == "circle_s":
        assert change.from_ == problem.circle_s
        return replace(problem, circle_s=change.to)
    if change.change == "extra_caregiver":
        return replace(problem, caregivers=(*problem.caregivers, caregiver_from_json(change.to)))
    caregiver = problem.caregiver(change.caregiver)
    if change.change == "skill":
        assert change.from_ == sorted(caregiver.skills)
        return with_caregiver(skills=frozenset(change.to))
    if change.change == "capacity":
        assert change.from_ == caregiver.capacity
        return with_caregiver(capacity=change.to)
    assert change.change == "shift"
    old, new = tuple(change.from_), tuple(change.to)
    assert old in caregiver.shifts
    return with_caregiver(shifts=tuple(new if s == old else s for s in caregiver.shifts))


def assert_helps(problem: Problem, plan: Plan, left: Unassigned) -> None:
    """Make each change that is named, by itself, and hold it to letting the task in."""
    for change in left.would_help:
        changed = with_change(problem, left.task, change)
        totals = totals_of(changed, plan.routes)
        same = replace(plan, problem_sha256=problem_sha256(changed), totals=totals)
        assert check(changed, same) == []
        answer = insert(changed, same, changed.task(left.task))
        assert answer.placed, change
        assert answer.other_changes == ()
        assert check(changed, answer.plan) == []
        going = {
            route.caregiver
            for route in answer.plan.routes
            for stop in route.stops
            if stop.task == left.task
        }
        assert going


@pytest.mark.parametrize("seed", range(80))
def test_every_change_that_is_named_lets_the_task_in(seed):
    problem = random_problem(seed)
    plan = plan_of(problem, cheapest(problem)[1])
    reasons = why_left_out(problem, plan.routes, seconds=None)
    assert [each.task for each in reasons] == [each.task for each in plan.unassigned]
    for left in reasons:
        assert_helps(problem, plan, left)


SECONDS = [[600 * abs(i - j) for j in range(6)] for i in range(6)]


def day(*tasks: Task, people: tuple[Caregiver, ...], circle_s: int = 1800) -> Problem:
    return Problem(
        places=Places(seconds=SECONDS), circle_s=circle_s, caregivers=people, tasks=tasks
    )


def person(name: str = "c1", **facts) -> Caregiver:
    given = {
        "id": name,
        "vendor": "v1",
        "base": 0,
        "skills": frozenset({"GEN"}),
        "shifts": ((28800, 43200),),
    }
    return Caregiver(**{**given, **facts})


def task(name: str = "t", **facts) -> Task:
    given = {
        "id": name,
        "place": 2,
        "service_s": 3600,
        "windows": ((32400, 36000),),
        "skills": frozenset({"GEN"}),
    }
    return Task(**{**given, **facts})


def why(problem: Problem, *routes: Route) -> Unassigned:
    """Return the only task left out, its changes held to their word."""
    plan = Plan(
        problem_sha256=problem_sha256(problem),
        seed=1,
        engine=Engine("by hand", 0.0),
        routes=routes,
        unassigned=why_left_out(problem, routes, seconds=None),
        totals=totals_of(problem, routes),
    )
    assert check(problem, plan) == []
    (left,) = plan.unassigned
    assert_helps(problem, plan, left)
    return left


def counts(left: Unassigned) -> list[int]:
    rest = left.remaining
    return [rest.skill, rest.allowed, rest.vendor, rest.circle, rest.shift, rest.insertion]


def kinds(left: Unassigned) -> set[str]:
    return {change.change for change in left.would_help}


def busy(name: str = "c1") -> tuple[Task, Route]:
    """Return a task that fills the morning of *name*, and the route that serves it."""
    long = Task("long", 2, 9000, ((31200, 31200),), frozenset({"GEN"}))
    stop = Stop("task", 2, 30000, 31200, 40200, task="long")
    return long, Route(name, 0, 28800, 41400, 2400, (stop,))


def test_nobody_has_the_skill():
    left = why(day(task(skills=frozenset({"NURSE"})), people=(person(), person("c2"))))
    assert (left.reason, counts(left)) == ("no_skill", [0, 0, 0, 0, 0, 0])
    assert kinds(left) == {"skill", "extra_caregiver"}
    skill = next(change for change in left.would_help if change.change == "skill")
    assert (skill.from_, skill.to, skill.caregiver) == (["GEN"], ["GEN", "NURSE"], "c1")


def test_everybody_with_the_skill_is_forbidden():
    left = why(day(task(forbidden=frozenset({"c1"})), people=(person(),)))
    assert (left.reason, counts(left)) == ("all_forbidden", [1, 0, 0, 0, 0, 0])
    forbidden = next(change for change in left.would_help if change.change == "forbidden")
    assert (forbidden.from_, forbidden.to, forbidden.caregiver) == (["c1"], [], "c1")


def test_the_vendor_has_nobody():
    left = why(day(task(vendors=frozenset({"v2"})), people=(person(),)))
    assert (left.reason, counts(left)) == ("vendor_has_nobody", [1, 1, 0, 0, 0, 0])
    vendor = next(change for change in left.would_help if change.change == "vendor")
    assert (vendor.from_, vendor.to, vendor.caregiver) == (["v2"], ["v1", "v2"], "c1")


def test_nobody_starts_within_the_circle():
    left = why(day(task(), people=(person(),), circle_s=900))
    assert (left.reason, counts(left)) == ("no_caregiver_in_circle", [1, 1, 1, 0, 0, 0])
    circle = next(change for change in left.would_help if change.change == "circle_s")
    assert (circle.from_, circle.to, circle.caregiver) == (900, 1200, "c1")


def test_no_shift_has_time_for_it():
    left = why(day(task(windows=((39000, 41000),)), people=(person(),)))
    assert (left.reason, counts(left)) == ("outside_all_shifts", [1, 1, 1, 1, 0, 0])
    window = next(change for change in left.would_help if change.change == "window")
    assert (window.from_, window.to) == ([39000, 41000], [38400, 41000])
    shift = next(change for change in left.would_help if change.change == "shift")
    assert (shift.from_, shift.to, shift.caregiver) == ([28800, 43200], [28800, 43800], "c1")


def test_everybody_is_busy():
    long, route = busy()
    left = why(day(long, task(), people=(person(),)), route)
    assert (left.reason, counts(left)) == ("no_room", [1, 1, 1, 1, 1, 0])
    assert "extra_caregiver" in kinds(left)


def test_singles_fit_but_no_two_together():
    people = (person("c1"), person("c2", vendor="v2"))
    left = why(day(task(crew=2), people=people))
    assert (left.reason, counts(left)) == ("no_crew", [2, 2, 2, 2, 2, 2])
    assert "extra_caregiver" in kinds(left)


def test_a_crew_of_which_one_is_busy_has_no_crew():
    long, route = busy()
    left = why(day(long, task(crew=2), people=(person("c1"), person("c2"))), route)
    assert (left.reason, counts(left)) == ("no_crew", [2, 2, 2, 2, 2, 1])


def test_the_load_is_ready_too_late():
    meal = task(
        service_s=300,
        windows=((36000, 37800),),
        load=Load(place=1, units=1, ready_s=38000, hold_s=1800),
    )
    left = why(day(meal, people=(person(),)))
    assert (left.reason, counts(left)) == ("load_too_late", [1, 1, 1, 1, 1, 0])
    ready = next(change for change in left.would_help if change.change == "ready_s")
    assert (ready.from_, ready.to) == (38000, 37200)


def test_the_load_does_not_fit():
    meal = task(service_s=300, load=Load(place=1, units=3, ready_s=30000, hold_s=1800))
    left = why(day(meal, people=(person(capacity=2),)))
    assert left.reason == "no_room"
    capacity = next(change for change in left.would_help if change.change == "capacity")
    assert (capacity.from_, capacity.to, capacity.caregiver) == (2, 3, "c1")


def test_a_rest_that_would_be_lost_leaves_no_room():
    tired = person(rest=Rest(31200, 37200, 5400), shifts=((28800, 37200),))
    left = why(day(task(windows=((31200, 33600),)), people=(tired,)))
    assert left.reason == "no_room"
    assert counts(left)[4:] == [1, 0]


def test_what_could_be_served_but_is_not_counts_who_could():
    left = why(day(task(), people=(person(), person("c2"))))
    assert counts(left) == [2, 2, 2, 2, 2, 2]


def test_nothing_left_out_gives_no_reasons():
    long, route = busy()
    assert why_left_out(day(long, people=(person(),)), (route,)) == ()
