"""Reads public benchmark files and best known values; every error names file and line.

Solomon and Gehring-Homberger files are text in columns; home health care files (Mankowska) are JSON.
"""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dispatch.errors import BadInput, fields, real, sequence, shown, text, whole

Array = np.ndarray
LARGEST = 1e7
"""Coordinates, times and demands beyond this are mistakes; up to here sums stay exact."""


@dataclass(frozen=True, slots=True, eq=False)
class VrptwFile:
    """A vehicle routing problem with time windows, as the file says it; row 0 is the depot."""

    name: str
    vehicles: int  # an upper bound
    capacity: int
    numbers: tuple[int, ...]  # how the file numbers its customers
    spots: Array  # (n, 2) x and y
    demand: Array
    ready: Array
    due: Array
    service: Array


@dataclass(frozen=True, slots=True)
class Visit:
    """One service that a patient needs; ``patient`` is the row of the distance matrix."""

    patient: int
    service: str
    duration: float


@dataclass(frozen=True, slots=True)
class Patient:
    """Who is visited, from when (hard) and until when (soft, costs tardiness).

    ``gap`` says how much later than the first visit the second starts, least and most; (0, 0) is
    at the same time. With one visit it is None.
    """

    id: str
    opens: float
    closes: float
    visits: tuple[Visit, ...]
    gap: tuple[float, float] | None


@dataclass(frozen=True, slots=True, eq=False)
class HomeCareFile:
    """A home health care problem: patient *i* has row *i* + 1 of ``distance``, the office row 0."""

    name: str
    patients: tuple[Patient, ...]
    caregivers: tuple[str, ...]
    abilities: tuple[frozenset[str], ...]
    distance: Array


# --- Solomon and Gehring-Homberger -----------------------------------------------------------------


def read_vrptw(path: str | Path) -> VrptwFile:
    """Read a Solomon or Gehring-Homberger file. Raises `BadInput` with file and line."""
    rows: list[tuple[int, list[str]]] = []
    for number, line in enumerate(_text_of(path).splitlines(), start=1):
        words = line.split()
        if words and _looks_numeric(words[0]):
            rows.append((number, words))
    if len(rows) < 3:
        raise BadInput(
            f"{path}:{rows[-1][0] if rows else 1}",
            "has fewer than three rows of numbers; a Solomon file has one with vehicles and "
            "capacity, then one for the depot and one for each customer",
        )
    vehicles, capacity = _numbers(path, rows[0], 2, "number of vehicles and capacity")
    where = f"{path}:{rows[0][0]}"
    customers = [
        _numbers(path, row, 7, "number, x, y, demand, ready time, due date, service time")
        for row in rows[1:]
    ]
    lines = [number for number, _ in rows[1:]]
    _check_customers(path, customers, lines, capacity)
    table = np.array(customers, float)
    return VrptwFile(
        name=Path(path).name,
        vehicles=whole(_integral(vehicles), where, BadInput, least=1, what="vehicles"),
        capacity=whole(_integral(capacity), where, BadInput, least=0, what="the capacity"),
        numbers=tuple(int(row[0]) for row in customers),
        spots=table[:, 1:3],
        demand=table[:, 3],
        ready=table[:, 4],
        due=table[:, 5],
        service=table[:, 6],
    )


def _check_customers(
    path: str | Path, customers: list[list[float]], lines: list[int], capacity: float
) -> None:
    """Raise `BadInput` where a customer can by itself not be served, or is named twice."""
    depot = customers[0]
    seen: dict[float, int] = {}
    for row, line in zip(customers, lines, strict=True):
        number, x, y, demand, ready, due, service = row
        where = f"{path}:{line}"
        if number in seen:
            raise BadInput(where, f"customer {number:g} stands in line {seen[number]} already")
        seen[number] = line
        if number != int(number) or number < 0:
            raise BadInput(where, f"customer number {number:g}; give a whole number from 0 on")
        if min(demand, service, ready) < 0 or ready > due:
            raise BadInput(where, "needs demand, service and ready time from 0 on, ready <= due")
        if demand > capacity or demand != int(demand):
            raise BadInput(where, f"demand {demand:g}; give a whole number up to {capacity:g}")
        away = math.hypot(x - depot[1], y - depot[2])
        if depot[4] + away > due or max(depot[4] + away, ready) + service + away > depot[5]:
            raise BadInput(
                where, f"no vehicle reaches customer {number:g} in its window and is back in time"
            )


def _looks_numeric(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _integral(value: float) -> int | float:
    return int(value) if value == int(value) else value


def _numbers(
    path: str | Path, row: tuple[int, list[str]], count: int, what: str
) -> list[float]:  # fmt: skip
    line, words = row
    if len(words) != count:
        raise BadInput(f"{path}:{line}", f"has {len(words)} columns; give {count}: {what}")
    found = []
    for word in words:
        if not _looks_numeric(word) or not abs(float(word)) <= LARGEST:
            raise BadInput(
                f"{path}:{line}", f"is {shown(word)} among {what}; give a number up to {LARGEST:g}"
            )
        found.append(float(word))
    return found


def _text_of(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BadInput(str(path), "is not a text file in UTF-8") from None


# --- home health care ------------------------------------------------------------------------------


def read_home_care(path: str | Path) -> HomeCareFile:
    """Read a home health care file. Raises `BadInput` with file and key, or line if no JSON."""
    try:
        said = json.loads(_text_of(path))
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}:{error.lineno}", f"is not JSON: {error.msg}") from None
    try:
        return _home_care(Path(path).name, said)
    except BadInput as error:
        raise BadInput(
            f"{path}: {error.path}" if error.path else str(path), error.problem
        ) from None


def _home_care(name: str, said: Any) -> HomeCareFile:
    known = frozenset({"patients", "services", "caregivers", "central_offices", "distances"})
    needed = ("patients", "caregivers", "distances")
    fields(said, "", BadInput, needed=needed, known=known)
    offices = said.get("central_offices", [{}])
    if not isinstance(offices, list) or len(offices) != 1:
        raise BadInput("central_offices", "must name one office; the first row of distances is it")
    caregivers, abilities = _caregivers(said["caregivers"])
    usual = _usual_durations(said.get("services", []))
    listed = sequence(said["patients"], "patients", BadInput, what="patients")
    patients = tuple(_patient(each, at, usual) for at, each in enumerate(listed))
    if not patients or not caregivers:
        raise BadInput("patients" if not patients else "caregivers", "is empty; give at least one")
    if len({patient.id for patient in patients}) < len(patients):
        raise BadInput("patients", "has an id twice")
    for at, patient in enumerate(patients):
        for visit in patient.visits:
            if not any(visit.service in each for each in abilities):
                raise BadInput(
                    f"patients[{at}]", f"needs {shown(visit.service)}, which no caregiver can do"
                )
        who = [{v for v, a in enumerate(abilities) if s.service in a} for s in patient.visits]
        if len(who) == 2 and len(who[0] | who[1]) < 2:
            raise BadInput(f"patients[{at}]", "needs two caregivers; only one can do the services")
    return HomeCareFile(
        name, patients, caregivers, abilities, _matrix(said["distances"], len(patients) + 1)
    )


def _caregivers(listed: Any) -> tuple[tuple[str, ...], tuple[frozenset[str], ...]]:
    ids, abilities = [], []
    for at, each in enumerate(sequence(listed, "caregivers", BadInput, what="caregivers")):
        where = f"caregivers[{at}]"
        if not isinstance(each, dict):
            raise BadInput(where, f"is {shown(each)}; give an object")
        ids.append(text(each.get("id"), f"{where}.id", BadInput))
        able = sequence(each.get("abilities"), f"{where}.abilities", BadInput, what="services")
        abilities.append(
            frozenset(
                text(one, f"{where}.abilities[{k}]", BadInput, what="a service")
                for k, one in enumerate(able)
            )
        )
    if len(set(ids)) < len(ids):
        raise BadInput("caregivers", "has an id twice")
    return tuple(ids), tuple(abilities)


def _usual_durations(listed: Any) -> dict[str, Any]:
    found = {}
    for at, each in enumerate(sequence(listed, "services", BadInput, what="services")):
        if not isinstance(each, dict):
            raise BadInput(f"services[{at}]", f"is {shown(each)}; give an object")
        found[text(each.get("id"), f"services[{at}].id", BadInput)] = each.get("default_duration")
    return found


def _patient(said: Any, at: int, usual: dict[str, Any]) -> Patient:
    where = f"patients[{at}]"
    if not isinstance(said, dict):
        raise BadInput(where, f"is {shown(said)}; give an object")
    window = sequence(
        said.get("time_window"), f"{where}.time_window", BadInput, what="[opens, closes]"
    )
    if len(window) != 2:
        raise BadInput(f"{where}.time_window", "needs two numbers, [opens, closes]")
    opens, closes = (_time(value, f"{where}.time_window[{k}]") for k, value in enumerate(window))
    if opens > closes:
        raise BadInput(f"{where}.time_window", f"opens at {opens:g} after it closes at {closes:g}")
    listed = sequence(
        said.get("required_caregivers"), f"{where}.required_caregivers", BadInput, what="services"
    )
    if len(listed) not in (1, 2):
        raise BadInput(f"{where}.required_caregivers", "needs one service or two")
    visits = []
    for k, each in enumerate(listed):
        place = f"{where}.required_caregivers[{k}]"
        if not isinstance(each, dict):
            raise BadInput(place, f"is {shown(each)}; give an object")
        service = text(each.get("service"), f"{place}.service", BadInput, what="a service")
        lasts = each.get("duration")
        lasts = usual.get(service) if lasts is None else lasts
        visits.append(Visit(at + 1, service, _time(lasts, f"{place}.duration")))
    gap = _gap(said.get("synchronization"), where) if len(visits) == 2 else None
    if gap is not None and visits[0].service == visits[1].service:
        raise BadInput(f"{where}.required_caregivers", "names one service twice")
    return Patient(text(said.get("id"), f"{where}.id", BadInput), opens, closes, tuple(visits), gap)


def _gap(said: Any, where: str) -> tuple[float, float]:
    where = f"{where}.synchronization"
    if not isinstance(said, dict):
        raise BadInput(where, "is missing; two services are simultaneous or sequential")
    if said.get("type") == "simultaneous":
        return 0.0, 0.0
    if said.get("type") != "sequential":
        raise BadInput(
            f"{where}.type", f"is {shown(said.get('type'))}; give simultaneous or sequential"
        )
    apart = sequence(said.get("distance"), f"{where}.distance", BadInput, what="[least, most]")
    if len(apart) != 2:
        raise BadInput(f"{where}.distance", "needs two numbers, [least, most]")
    least, most = (_time(value, f"{where}.distance[{k}]") for k, value in enumerate(apart))
    if least > most:
        raise BadInput(f"{where}.distance", f"has the least, {least:g}, above the most, {most:g}")
    return least, most


def _time(value: Any, where: str) -> float:
    return real(value, where, BadInput, least=0.0, most=LARGEST, what="a time")


def _matrix(said: Any, size: int) -> Array:
    rows = sequence(said, "distances", BadInput, what="a matrix")
    if len(rows) != size or any(not isinstance(row, list) or len(row) != size for row in rows):
        raise BadInput(
            "distances", f"must be {size} x {size}: the office, then the patients in order"
        )
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            if type(value) not in (int, float) or not 0 <= value <= LARGEST:
                _time(value, f"distances[{i}][{j}]")
    return np.array(rows, float)


# --- best known values -----------------------------------------------------------------------------


def read_best_known(path: str | Path) -> dict[str, tuple[float, str | None]]:
    """Return best known value and rounding (if said) by file name, from columns of those names."""
    found: dict[str, tuple[float, str | None]] = {}
    reader = csv.DictReader(_text_of(path).splitlines())
    if not {"file", "best_known"} <= set(reader.fieldnames or ()):
        raise BadInput(f"{path}:1", 'needs the columns "file" and "best_known"')
    for row in reader:
        value = row["best_known"] or ""
        if not _looks_numeric(value) or not 0 < float(value) < math.inf:
            raise BadInput(
                f"{path}:{reader.line_num}", f"best_known is {shown(value)}; give a number above 0"
            )
        found[row["file"]] = (float(value), row.get("rounding") or None)
    return found
