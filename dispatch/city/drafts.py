"""Orders and homes while a day is drawn up, and where they fit into somebody's hours."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dispatch.city.demand import HOUR
from dispatch.city.shapes import Interval, Visit
from dispatch.city.supply import Worker

SECONDS_A_METRE = 1.35 / 4.1667 * 1.004
STOP_S = 60
TRIP_S = 3480  # the last meal of a trip is handed over within so many seconds of loading


@dataclass(slots=True)
class Draft:
    """An order while it is drawn up: a visit, its base and spot, and who would serve it."""

    visit: Visit
    base: int
    spot: tuple[float, float]
    profile: str
    booked: tuple[int, ...] = ()
    lost: bool = False


@dataclass(slots=True)
class Household:
    """A home on the plane, in metres."""

    base: int
    spot: tuple[float, float]
    community: str
    rural: bool
    meals: bool = False


def ride_s(one: tuple[float, float], other: tuple[float, float]) -> int:
    """Return the seconds from spot to spot, a little more than the contract will ask."""
    return math.ceil(math.dist(one, other) * SECONDS_A_METRE) + STOP_S


def one_trip(
    drafts: list[Draft], kitchen: tuple[float, float]
) -> tuple[list[Draft], list[Draft]]:  # fmt: skip
    """Return as many of the first drafts as one courier can bring in time, and the others."""
    opens, closes = drafts[0].visit.window
    limit = min(closes, opens - 180 + TRIP_S)
    trip: list[Draft] = []
    for draft in drafts[:11]:
        open_stops = [*trip, draft]
        spot, at = kitchen, opens - 180
        # Nearest first is a poor tour and therefore leaves an engine room.
        while open_stops:
            nearest = min(open_stops, key=lambda d: math.dist(d.spot, spot))
            open_stops.remove(nearest)
            at = max(opens, at + ride_s(spot, nearest.spot))
            spot, last = nearest.spot, at
            at += nearest.visit.service_s
        if last > limit and trip:
            break
        trip.append(draft)
    return trip, drafts[len(trip) :]


def gap(
    worker: Worker, spot: tuple[float, float], service_s: int, window: Interval
) -> tuple[int, int, int, int] | None:
    """Return (added ride, piece, position, start) of the first gap that takes the stop."""
    base = worker.base.spot
    there = ride_s(base, spot)
    if worker.work_s + service_s + 2 * there > 7.6 * HOUR:
        return None
    for number, (begin, end) in enumerate(worker.pieces):
        if begin > window[1] or end < window[0]:
            continue
        free_at, last = begin, base
        for position in range(len(worker.stops[number]) + 1):
            stops = worker.stops[number]
            to_next = ride_s(spot, stops[position][2:] if position < len(stops) else base)
            until = stops[position][0] if position < len(stops) else end
            to = there if last is base else ride_s(last, spot)
            start = max(window[0], free_at + to)
            if start > window[1]:
                break
            if start + service_s + to_next <= until:
                return to + to_next, number, position, start
            if position < len(stops):
                free_at, last = stops[position][1], stops[position][2:]
    return None


def take(
    worker: Worker, slot: tuple[int, int, int], spot: tuple[float, float], service_s: int
) -> None:
    """Book the stop into the (piece, position, start) of the worker's day."""
    piece, position, start = slot
    worker.stops[piece].insert(position, (start, start + service_s, *spot))
    worker.work_s += service_s + 420
