"""Small random days for tests of bounds and columns: coordinates near Taizhou, times by the hour."""

from __future__ import annotations

import numpy as np

from dispatch.model import Caregiver, Load, Places, Problem, Task, TravelModel, Weights

CENTRE = np.array([32.49, 119.91])
SPLIT = ((27_000, 41_400), (48_600, 63_000))


def plain_day(
    rng: np.random.Generator,
    *,
    tasks: int = 6,
    caregivers: int = 2,
    span_deg: float = 0.03,
    shifts: tuple[tuple[int, int], ...] = SPLIT,
) -> Problem:
    """Return a day of single visits with windows, skills, preferences and priorities."""
    spots = CENTRE + rng.uniform(0, span_deg, (tasks + caregivers, 2))
    people = [
        Caregiver(
            id=f"c{k}",
            vendor=f"v{rng.integers(2)}",
            base=tasks + k,
            skills=frozenset(s for s in ("A", "B") if rng.random() < 0.7),
            shifts=shifts if rng.random() < 0.8 else shifts[:1],
        )
        for k in range(caregivers)
    ]
    asked = []
    for j in range(tasks):
        start = int(rng.integers(28_000, 60_000))
        windows = [(start, start + int(rng.integers(600, 9_000)))]
        if rng.random() < 0.2:
            windows.append((windows[0][1] + 1_800, windows[0][1] + 5_400))
        asked.append(
            Task(
                id=f"t{j}",
                place=j,
                service_s=int(rng.integers(300, 4_800)),
                windows=tuple(windows),
                skills=frozenset(s for s in ("A", "B") if rng.random() < 0.3),
                vendors=frozenset({"v0"}) if rng.random() < 0.2 else None,
                preferred=frozenset({"c0"}) if rng.random() < 0.2 else frozenset(),
                forbidden=frozenset({"c1"}) if rng.random() < 0.1 else frozenset(),
                priority=int(rng.choice([1, 1, 1, 2, 5])),
            )
        )
    return Problem(
        places=Places(spots),
        caregivers=tuple(people),
        tasks=tuple(asked),
        travel=TravelModel(stop_s=int(rng.choice([0, 60]))),
        weights=Weights(unassigned=int(rng.choice([3_000, 100_000]))),
    )


def meal_day(rng: np.random.Generator, *, tasks: int = 6, caregivers: int = 2) -> Problem:
    """Return a noon of meals from one or two kitchens: readiness, hold, capacity, rests."""
    kitchens = int(rng.integers(1, 3))
    spots = CENTRE + rng.uniform(0, 0.03, (tasks + caregivers + kitchens, 2))
    people = [
        Caregiver(
            id=f"c{k}",
            vendor="v0",
            base=tasks + k,
            skills=frozenset(),
            shifts=((36_000, 45_000),),
            rest=(36_000, 45_000, 1_200) if rng.random() < 0.4 else None,
            capacity=int(rng.integers(1, 5)) if rng.random() < 0.8 else None,
        )
        for k in range(caregivers)
    ]
    asked = []
    for j in range(tasks):
        start = int(rng.integers(38_000, 42_000))
        load = Load(
            place=tasks + caregivers + int(rng.integers(kitchens)),
            units=int(rng.integers(1, 3)),
            ready_s=int(rng.choice([36_600, 38_400, 39_600])),
            hold_s=int(rng.choice([900, 1_800, 3_600])),
        )
        asked.append(
            Task(
                id=f"t{j}",
                place=j,
                service_s=240,
                windows=((start, start + int(rng.integers(600, 3_600))),),
                load=load if rng.random() < 0.85 else None,
            )
        )
    return Problem(places=Places(spots), caregivers=tuple(people), tasks=tuple(asked))
