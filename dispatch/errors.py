"""The errors that a bad problem or plan ends in, and the checks of single values that raise them.

Every error names the place (``tasks[17].windows[0]``), what stands there, and the cure.
"""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Collection, Iterable
from typing import Any

# Larger numbers of seconds are mistakes of unit; up to here a city's sums stay within 64 bits.
MAX_S = 1_000_000_000


class BadInput(ValueError):
    """An input that cannot be used; ``path`` says where, ``problem`` what and how to cure it."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem

    def under(self, prefix: str) -> BadInput:
        """Return the same error with the place named from further outside."""
        if not self.path:
            return type(self)(prefix, self.problem)
        joint = "" if self.path.startswith("[") else "."
        return type(self)(f"{prefix}{joint}{self.path}", self.problem)


class BadProblem(BadInput):
    """A problem that breaks the contract."""


class BadPlan(BadInput):
    """A plan that is not one in form; whether it keeps the rules is for `check`."""


class UnknownName(BadInput):
    """A task or caregiver was asked for that the problem does not have."""


def shown(value: Any) -> str:
    """Return *value* short enough to stand in a message."""
    if isinstance(value, str):
        text = f'"{value}"'
    elif value is None:
        text = "null"
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int) and value.bit_length() > 200:
        text = "a number of more than 60 digits"
    elif isinstance(value, dict):
        text = "an object"
    elif isinstance(value, (list, tuple, set, frozenset)):
        text = "a list" if len(value) > 4 else "[" + ", ".join(shown(each) for each in value) + "]"
    else:
        text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def whole(
    value: Any,
    path: str,
    error: type[BadInput],
    *,
    least: int = 0,
    most: int = MAX_S,
    what: str = "whole seconds",
) -> int:
    """Return *value* as an int within ``least`` and ``most``; booleans, fractions are refused."""
    if type(value) is int:
        number = value
    elif isinstance(value, (bool, float, str)) or value is None:
        raise error(
            path, f"is {shown(value)}; give {what} as a whole number from {least} to {most}"
        )
    else:
        try:
            number = operator.index(value)
        except TypeError:
            raise error(
                path, f"is {shown(value)}; give {what} as a whole number from {least} to {most}"
            ) from None
    if least <= number <= most:
        return number
    hint = "it is negative" if number < 0 <= least else f"it lies outside {least} to {most}"
    raise error(path, f"is {shown(number)}: {hint}; give {what} from {least} to {most}")


def real(
    value: Any, path: str, error: type[BadInput], *, least: float, most: float, what: str
) -> float:
    """Return *value* as a finite float within ``least`` and ``most``."""
    if isinstance(value, (bool, str)) or value is None:
        raise error(path, f"is {shown(value)}; give {what}, a number from {least:g} to {most:g}")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise error(
            path, f"is {shown(value)}; give {what}, a number from {least:g} to {most:g}"
        ) from None
    if math.isfinite(number) and least <= number <= most:
        return number
    raise error(path, f"is {shown(number)}; give {what}, a number from {least:g} to {most:g}")


def text(value: Any, path: str, error: type[BadInput], *, what: str = "an id") -> str:
    """Return *value* if it is a string that is not empty."""
    if isinstance(value, str) and value:
        return value
    raise error(path, f"is {shown(value)}; give {what} as text that is not empty")


def sequence(
    value: Any, path: str, error: type[BadInput], *, what: str
) -> list[Any] | tuple[Any, ...]:
    """Return *value* if it is a list or tuple."""
    if isinstance(value, (list, tuple)):
        return value
    raise error(path, f"is {shown(value)}; give {what} as a list")


def texts(value: Any, path: str, error: type[BadInput], *, what: str) -> tuple[str, ...]:
    """Return *value* as a tuple of strings, sets in sorted order."""
    if isinstance(value, (frozenset, set)):
        value = sorted(value)
    items = sequence(value, path, error, what=what)
    for index, item in enumerate(items):
        if not (isinstance(item, str) and item):
            raise error(f"{path}[{index}]", f"is {shown(item)}; give text that is not empty")
    return tuple(items)


def interval(
    value: Any, path: str, error: type[BadInput], *, what: str = "[start, end]"
) -> tuple[int, int]:
    """Return *value* as two whole seconds in order; both ends belong to the interval."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise error(path, f"is {shown(value)}; give {what} in seconds since midnight")
    start, end = value
    # The plain case is met first: a problem has a hundred thousand of these.
    if type(start) is int and type(end) is int and 0 <= start <= end <= MAX_S:
        return start, end
    start = whole(start, f"{path}[0]", error)
    end = whole(end, f"{path}[1]", error)
    if start > end:
        raise error(path, f"ends at {end} before it starts at {start}; give {what} in that order")
    return start, end


def fields(
    value: Any,
    path: str,
    error: type[BadInput],
    *,
    needed: Collection[str],
    known: frozenset[str],
) -> dict[str, Any]:
    """Return *value* if it is an object with all ``needed`` keys and none that is not ``known``."""
    if not isinstance(value, dict):
        raise error(path, f"is {shown(value)}; give an object with {_names(needed or known)}")
    if not value.keys() <= known:
        key = next(key for key in value if key not in known)
        near = difflib.get_close_matches(key, known, n=1)
        cure = f'did you mean "{near[0]}"?' if near else f"known are {_names(sorted(known))}"
        raise error(f"{path}.{key}" if path else str(key), f"is not a key of the contract; {cure}")
    for key in needed:
        if key not in value:
            raise error(f"{path}.{key}" if path else key, "is missing; it must be given")
    return value


def _names(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
