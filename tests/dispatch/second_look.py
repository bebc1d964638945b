"""A second opinion on a plan: the contract once more, on the JSON, one rule after another.

Slow and plain on purpose. It shares nothing with the package, not even the classes.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from geopy.distance import geodesic

Json = dict[str, Any]


def keeps_every_rule(problem: Json, plan: Json) -> bool:
    """Return whether *plan* keeps the contract (its hash apart)."""
    return _Look(problem, plan).all()


class _Look:
    def __init__(self, problem: Json, plan: Json) -> None:
        self.p, self.plan = problem, plan
        self.carers = {each["id"]: each for each in problem["caregivers"]}
        self.tasks = {each["id"]: each for each in problem["tasks"]}

    def way(self, a: int, b: int) -> int:
        if a == b:
            return 0
        if self.p["places"]["seconds"] is not None:
            return self.p["places"]["seconds"][a][b]
        model, points = self.p["travel"], self.p["places"]["coordinates"]
        metres = geodesic(points[a], points[b]).m
        return math.ceil(metres * model["detour"] / model["speed_mps"]) + model["stop_s"]

    def all(self) -> bool:
        return (
            self.names()
            and all(self.route(route) for route in self.plan["routes"])
            and all(self.person(name) for name in self.carers)
            and all(self.visit(name) for name in self.tasks)
            and self.sums()
        )

    def names(self) -> bool:
        n = len(self.p["places"]["coordinates"] or self.p["places"]["seconds"])
        for route in self.plan["routes"]:
            if route["caregiver"] not in self.carers:
                return False
            if route["shift"] >= len(self.carers[route["caregiver"]]["shifts"]):
                return False
            for stop in route["stops"]:
                if stop["place"] >= n:
                    return False
                if stop["kind"] == "task" and (
                    stop["task"] not in self.tasks
                    or stop["place"] != self.tasks[stop["task"]]["place"]
                ):
                    return False
        return all(each["task"] in self.tasks for each in self.plan["unassigned"])

    def route(self, route: Json) -> bool:
        carer = self.carers[route["caregiver"]]
        begin, end = carer["shifts"][route["shift"]]
        if not begin <= route["depart_s"] <= route["return_s"] <= end:
            return False
        place, time, total = carer["base"], route["depart_s"], 0
        for stop in route["stops"]:
            leg = self.way(place, stop["place"])
            total += leg
            if not time + leg <= stop["arrive_s"] <= stop["start_s"] <= stop["end_s"]:
                return False
            if stop["kind"] == "load" and stop["start_s"] != stop["end_s"]:
                return False
            place, time = stop["place"], stop["end_s"]
        if route["stops"]:
            leg = self.way(place, carer["base"])
            total += leg
            if time + leg > route["return_s"]:
                return False
        return total == route["travel_s"] and self.board(carer, route)

    def board(self, carer: Json, route: Json) -> bool:
        stops = route["stops"]
        source: dict[int, int] = {}
        for at, stop in enumerate(stops):
            load = self.tasks[stop["task"]]["load"] if stop["kind"] == "task" else None
            if load is None:
                continue
            before = [
                k
                for k in range(at)
                if stops[k]["kind"] == "load" and stops[k]["place"] == load["place"]
            ]
            if not before:
                return False
            source[at] = before[-1]
            fetched = stops[before[-1]]["start_s"]
            if fetched < load["ready_s"] or stop["start_s"] - fetched > load["hold_s"]:
                return False
        for at, stop in enumerate(stops):
            if stop["kind"] != "load":
                continue
            units = sum(
                self.tasks[stops[k]["task"]]["load"]["units"]
                for k, origin in source.items()
                if origin == at
            )
            if stop["units"] != units:
                return False
            on_board = sum(
                self.tasks[stops[k]["task"]]["load"]["units"]
                for k, origin in source.items()
                if origin <= at < k
            )
            if carer["capacity"] is not None and on_board > carer["capacity"]:
                return False
        return True

    def person(self, name: str) -> bool:
        carer = self.carers[name]
        own = [route for route in self.plan["routes"] if route["caregiver"] == name]
        if len({route["shift"] for route in own}) != len(own):
            return False
        for a in own:
            for b in own:
                if a is not b and a["depart_s"] < b["return_s"] and b["depart_s"] < a["return_s"]:
                    return False
                # A route without length inside another one overlaps it as well.
                if a is not b and b["depart_s"] < a["depart_s"] < b["return_s"]:
                    return False
        stops = [stop for route in own for stop in route["stops"]]
        work = sum(route["travel_s"] for route in own) + sum(
            self.tasks[stop["task"]]["service_s"] for stop in stops if stop["kind"] == "task"
        )
        if carer["max_work_s"] is not None and work > carer["max_work_s"]:
            return False
        return carer["rest"] is None or self.rests(carer["rest"], own, stops)

    def rests(self, rest: list[int], own: list[Json], stops: list[Json]) -> bool:
        begin, end, lasts = rest
        if any(
            stop["kind"] == "rest"
            and begin <= stop["start_s"]
            and stop["end_s"] <= end
            and stop["end_s"] - stop["start_s"] >= lasts
            for stop in stops
        ):
            return True
        # A free stretch that is long enough begins where the window or a route's end lets it.
        starts = [begin] + [route["return_s"] for route in own]
        return any(
            begin <= s
            and s + lasts <= end
            and not any(
                max(s, route["depart_s"]) < min(s + lasts, route["return_s"]) for route in own
            )
            for s in starts
        )

    def visit(self, name: str) -> bool:
        task = self.tasks[name]
        crew = [
            (self.carers[route["caregiver"]], stop)
            for route in self.plan["routes"]
            for stop in route["stops"]
            if stop["kind"] == "task" and stop["task"] == name
        ]
        listed = sum(each["task"] == name for each in self.plan["unassigned"])
        if not crew:
            return listed == 1
        names = {carer["id"] for carer, _ in crew}
        if listed or len(crew) != task["crew"] or len(names) != task["crew"]:
            return False
        if len({carer["vendor"] for carer, _ in crew}) > 1:
            return False
        if len({stop["start_s"] for _, stop in crew}) > 1:
            return False
        fixed = task["fixed"] or {}
        if not names >= set(fixed.get("caregivers") or ()):
            return False
        return all(self.one(task, carer, stop) for carer, stop in crew)

    def one(self, task: Json, carer: Json, stop: Json) -> bool:
        fixed = task["fixed"] or {}
        return (
            set(task["skills"]) <= set(carer["skills"])
            and (task["vendors"] is None or carer["vendor"] in task["vendors"])
            and carer["id"] not in task["forbidden"]
            and self.way(carer["base"], task["place"]) <= self.p["circle_s"]
            and any(a <= stop["start_s"] <= b for a, b in task["windows"])
            and stop["end_s"] - stop["start_s"] == task["service_s"]
            and fixed.get("start_s") in (None, stop["start_s"])
        )

    def sums(self) -> bool:
        said, weights = self.plan["totals"], self.p["weights"]
        crews: dict[str, list[str]] = {}
        for route in self.plan["routes"]:
            for stop in route["stops"]:
                if stop["kind"] == "task":
                    crews.setdefault(stop["task"], []).append(route["caregiver"])
        travel = sum(route["travel_s"] for route in self.plan["routes"])
        left = sum(task["priority"] for name, task in self.tasks.items() if name not in crews)
        strangers = sum(
            member not in self.tasks[name]["preferred"]
            for name, crew in crews.items()
            if self.tasks[name]["preferred"]
            for member in crew
        )
        terms = {
            "travel": weights["travel"] * travel,
            "unassigned": weights["unassigned"] * left,
            "unpreferred": weights["unpreferred"] * strangers,
            "vendor_share": self.share(crews) if self.p["vendor_share"] else 0,
        }
        return said == {
            "tasks": len(self.tasks),
            "assigned": len(crews),
            "travel_s": travel,
            "cost": sum(terms.values()),
            "by_term": terms,
        }

    def share(self, crews: dict[str, list[str]]) -> int:
        openly = [name for name, task in self.tasks.items() if task["vendors"] is None]
        if not openly:
            return 0
        # Multiplied by the number of open tasks everything stays a decimal number.
        n, missing = len(openly), Decimal(0)
        for vendor, share in self.p["vendor_share"].items():
            served = sum(
                name in crews and self.carers[crews[name][0]]["vendor"] == vendor for name in openly
            )
            missing += max(Decimal(0), 100 * Decimal(str(share)) * n - 100 * served)
        with localcontext() as context:
            context.prec = 60
            term = missing * self.p["weights"]["vendor_share"] / n
            return int(term.quantize(Decimal(1), rounding=ROUND_HALF_UP))
