"""Every rule: a plan at its limit is accepted, the same one second or one step further is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dispatch import check, plan_cost
from tests.dispatch.limit_day import limit_day, plan_json, problem_json

Json = dict[str, Any]


def broken(change: Callable[[Json, Json], None]) -> list[str]:
    """Return the names of the rules that the limit day breaks after *change*, once each."""
    problem, plan = problem_json(), plan_json()
    change(problem, plan)
    return list(dict.fromkeys(each.rule for each in check(*limit_day(problem, plan))))


def test_a_plan_at_the_limit_of_every_rule_is_accepted():
    assert check(*limit_day()) == []


def test_cost_of_the_limit_day_by_term():
    cost = plan_cost(*limit_day())
    assert (cost.travel, cost.unassigned, cost.unpreferred, cost.vendor_share) == (
        5400,
        200000,
        300,
        2500,
    )
    assert cost.total == 208200


def caregiver(at: int, key: str, value: Any) -> Callable[[Json, Json], None]:
    return lambda problem, plan: problem["caregivers"][at].__setitem__(key, value)


def task(at: int, key: str, value: Any) -> Callable[[Json, Json], None]:
    return lambda problem, plan: problem["tasks"][at].__setitem__(key, value)


def load(at: int, key: str, value: Any) -> Callable[[Json, Json], None]:
    return lambda problem, plan: problem["tasks"][at]["load"].__setitem__(key, value)


def way(start: int, end: int, seconds: int) -> Callable[[Json, Json], None]:
    def change(problem: Json, plan: Json) -> None:
        problem["places"]["seconds"][start][end] = seconds

    return change


def stop(route: int, at: int, **values: Any) -> Callable[[Json, Json], None]:
    return lambda problem, plan: plan["routes"][route]["stops"][at].update(values)


def route(at: int, **values: Any) -> Callable[[Json, Json], None]:
    return lambda problem, plan: plan["routes"][at].update(values)


ONE_SECOND_TOO_MUCH = {
    "arrives before the way is over": (stop(0, 0, arrive_s=29399), "travel"),
    "starts before arriving": (stop(1, 0, arrive_s=43201), "travel"),
    "is back before the way is over": (route(2, return_s=46499), "travel"),
    "leaves too late for the first visit": (route(0, depart_s=28801), "travel"),
    "says less travel than there is": (route(1, travel_s=1199), "travel"),
    "serves at another place": (stop(1, 0, place=5), "travel"),
    "stops where no place is": (stop(0, 4, place=8), "travel"),
    "goes one second beyond the circle": (
        lambda problem, plan: problem.update(circle_s=599),
        "circle",
    ),
    "leaves before the shift begins": (
        caregiver(0, "shifts", [[28801, 42000], [42000, 46500]]),
        "route",
    ),
    "is back after the shift ends": (
        caregiver(0, "shifts", [[28800, 41999], [42000, 46500]]),
        "route",
    ),
    "has a route in a shift that is not there": (route(2, shift=1), "route"),
    "has two routes in one shift": (route(1, shift=0), "route"),
    "is nobody the problem knows": (route(2, caregiver="c7"), "route"),
    "starts after the window": (task(0, "windows", [[27000, 28000], [29000, 29399]]), "window"),
    "starts before the window": (task(1, "windows", [[38401, 39000]]), "window"),
    "starts between two windows": (task(0, "windows", [[27000, 29399], [29401, 29500]]), "window"),
    "stays longer than the service": (task(0, "service_s", 3599), "window"),
    "rests too short": (stop(0, 4, end_s=41399), "rest"),
    "rests after the window": (caregiver(0, "rest", [39599, 41399, 1800]), "rest"),
    "rests before the window": (caregiver(0, "rest", [39601, 41401, 1800]), "rest"),
    "has one second less free before the route": (
        caregiver(1, "rest", [40801, 42601, 1800]),
        "rest",
    ),
    "works one second too much": (caregiver(0, "max_work_s", 11099), "work"),
    "fetches before it is ready": (load(1, "ready_s", 37801), "load"),
    "holds one second too long": (load(2, "hold_s", 1499), "load"),
    "has one unit too many on board": (caregiver(0, "capacity", 1), "load"),
    "says other units than are served": (stop(0, 1, units=3), "load"),
    "fetches at another place": (load(1, "place", 3), "load"),
    "takes time to load": (stop(0, 1, start_s=37799, end_s=37800), "load"),
    "starts apart": (stop(1, 0, start_s=43201, end_s=45901), "crew"),
    "is of two vendors": (caregiver(1, "vendor", "v2"), "crew"),
    "lacks a third": (task(3, "crew", 3), "crew"),
    "goes where somebody else is settled": (task(3, "fixed", {"caregivers": ["c3"]}), "fixed"),
    "starts at another time than settled": (task(0, "fixed", {"start_s": 29399}), "fixed"),
    "lacks a skill": (task(0, "skills", ["GEN", "CARE5"]), "skill"),
    "is of a vendor not asked for": (task(0, "vendors", ["v2"]), "vendor"),
    "is forbidden": (task(0, "forbidden", ["c1"]), "forbidden"),
    "says another cost": (
        lambda problem, plan: plan["totals"].update(cost=208199),
        "totals",
    ),
    "says another share term": (
        lambda problem, plan: plan["totals"]["by_term"].update(vendor_share=2501),
        "totals",
    ),
    "answers another problem": (
        lambda problem, plan: plan.update(problem_sha256="0" * 64),
        "problem",
    ),
}


@pytest.mark.parametrize("case", ONE_SECOND_TOO_MUCH)
def test_a_plan_beyond_the_limit_is_rejected_by_the_rule_it_breaks(case):
    change, rule = ONE_SECOND_TOO_MUCH[case]
    assert rule in broken(change)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (stop(0, 0, arrive_s=29399), "travel"),
        (task(0, "windows", [[29000, 29399]]), "window"),
        (caregiver(0, "max_work_s", 11099), "work"),
        (caregiver(0, "rest", [39599, 41399, 1800]), "rest"),
        (load(2, "hold_s", 1499), "load"),
        (task(0, "forbidden", ["c1"]), "forbidden"),
        (way(3, 4, 700), None),
    ],
)
def test_only_the_broken_rule_is_named(change, rule):
    assert broken(change) == ([] if rule is None else [rule])


def test_routes_of_one_caregiver_may_touch_but_not_overlap():
    def overlap(problem: Json, plan: Json) -> None:
        problem["caregivers"][0]["shifts"] = [[28800, 42000], [42000, 46500]]
        plan["routes"][1]["depart_s"] = 41999

    assert "route" in broken(overlap)


def test_a_rest_stop_of_somebody_who_waits_in_the_route_is_no_rest():
    def wait_instead(problem: Json, plan: Json) -> None:
        plan["routes"][0]["stops"].pop()

    assert broken(wait_instead) == ["rest"]


def test_a_task_served_twice_is_rejected():
    def twice(problem: Json, plan: Json) -> None:
        again = dict(plan["routes"][0]["stops"][0])
        again.update(arrive_s=33000, start_s=33000, end_s=36600)
        plan["routes"][0]["stops"].insert(1, again)

    assert "once" in broken(twice)


def test_a_task_neither_served_nor_listed_is_rejected():
    assert "once" in broken(lambda problem, plan: plan.update(unassigned=[]))


def test_a_task_both_served_and_listed_is_rejected():
    def both(problem: Json, plan: Json) -> None:
        plan["unassigned"].append({**plan["unassigned"][0], "task": "t1"})

    assert broken(both) == ["once"]


def test_a_task_that_is_not_in_the_problem_is_rejected():
    assert "once" in broken(stop(0, 0, task="t77"))


def test_a_crew_that_holds_one_person_twice_is_rejected():
    def twice(problem: Json, plan: Json) -> None:
        problem["tasks"][3].pop("fixed")
        plan["routes"].pop()
        again = dict(plan["routes"][1]["stops"][0], arrive_s=43200)
        plan["routes"][1]["stops"].append(again)

    assert "crew" in broken(twice)


def test_what_is_fetched_serves_from_the_last_stop_at_its_place():
    def fetch_again(problem: Json, plan: Json) -> None:
        plan["routes"][0]["stops"].insert(
            2,
            {
                "kind": "load",
                "place": 4,
                "arrive_s": 37800,
                "start_s": 37800,
                "end_s": 37800,
                "units": 2,
            },
        )
        plan["routes"][0]["stops"][1]["units"] = 0

    assert broken(fetch_again) == []

    def claim_the_first(problem: Json, plan: Json) -> None:
        fetch_again(problem, plan)
        plan["routes"][0]["stops"][1]["units"] = 1
        plan["routes"][0]["stops"][2]["units"] = 1

    assert broken(claim_the_first) == ["load"]


def test_capacity_counts_what_is_on_board_from_all_places_together():
    def two_kitchens(problem: Json, plan: Json) -> None:
        problem["tasks"][2]["load"]["place"] = 0
        problem["caregivers"][0]["capacity"] = 1
        stops = plan["routes"][0]["stops"]
        stops[1]["units"] = 1
        first = {
            "kind": "load",
            "place": 0,
            "arrive_s": 28800,
            "start_s": 28800,
            "end_s": 28800,
            "units": 1,
        }
        problem["tasks"][2]["load"].update(ready_s=28800, hold_s=20000)
        stops.insert(0, first)

    assert broken(two_kitchens) == ["load"]

    def with_room(problem: Json, plan: Json) -> None:
        two_kitchens(problem, plan)
        problem["caregivers"][0]["capacity"] = 2

    assert broken(with_room) == []


def test_a_free_stretch_between_two_routes_is_a_rest():
    def go_home_first(problem: Json, plan: Json) -> None:
        problem["caregivers"][0]["rest"] = [36000, 46000, 600]
        plan["routes"][0]["stops"].pop()
        plan["routes"][0]["return_s"] = 40200

    assert broken(go_home_first) == []

    def too_long(problem: Json, plan: Json) -> None:
        go_home_first(problem, plan)
        problem["caregivers"][0]["rest"] = [36000, 46000, 1801]

    assert broken(too_long) == ["rest"]


def test_who_does_not_go_has_rested():
    def nobody_goes(problem: Json, plan: Json) -> None:
        problem["caregivers"][2]["rest"] = [40800, 42600, 1800]

    assert broken(nobody_goes) == []


def test_the_share_term_rounds_half_up_once():
    def thirds(problem: Json, plan: Json) -> None:
        problem["weights"] = {"vendor_share": 1}
        problem["vendor_share"] = {"v1": 0.0, "v2": 0.005, "v3": 0.02}
        # 0.5 + 2 = 2.5 points are missing.
        plan["totals"]["by_term"]["vendor_share"] = 3
        plan["totals"]["cost"] = 205703

    assert broken(thirds) == []


def test_a_problem_with_the_same_meaning_but_other_bytes_is_the_same_problem(tmp_path):
    import json

    from dispatch import read_problem

    path = tmp_path / "problem.json"
    path.write_text(json.dumps(problem_json(), indent=3))
    _, plan = limit_day()
    problem = read_problem(path)
    assert problem.sha256 != plan.problem_sha256
    assert check(problem, plan) == []


def test_messages_name_who_what_and_the_numbers():
    problem, plan = limit_day({**problem_json(), "circle_s": 599})
    message = str(check(problem, plan)[0])
    assert message == ("circle: t1 is 600 s from the base of c1; at most 599 s are allowed")
