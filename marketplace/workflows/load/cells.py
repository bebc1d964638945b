"""The kinds of cell that a file may hold, each read from text or refused with a code and what is right.

``expected`` names a kind of value (``date``, ``phone`` ...) that the translations put into words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import phonenumbers
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError
from stdnum.cn import ric, uscc
from stdnum.exceptions import ValidationError as StdnumError

_FORMULA = ("=", "+", "-", "@")
_DAY_S = 86_400


def _refuse(code: str, expected: str) -> PydanticCustomError:
    return PydanticCustomError(code, "refused", {"expected": expected})  # type: ignore[arg-type]


def _plain(value: Any, longest: int) -> str:
    """Return safe text. A spreadsheet would run a text that begins like a formula, so none may."""
    text = str(value)
    if text.startswith(_FORMULA):
        raise _refuse("formula", "no_formula")
    if not text.isprintable():
        raise _refuse("control_character", "printable")
    if len(text) > longest:
        raise _refuse("too_long", f"at_most_{longest}")
    return text


def text(longest: int) -> Any:
    """A text of 1 to ``longest`` characters."""

    def parse(value: Any) -> str:
        if not value:
            raise _refuse("missing_value", "a_value")
        return _plain(value, longest)

    return Annotated[str, BeforeValidator(parse)]


def money_id(longest: int) -> Any:
    """The id of whoever has accounts: their names join it with colons and slashes, so it has none."""

    def parse(value: Any) -> str:
        if not value:
            raise _refuse("missing_value", "a_value")
        if any(sign in str(value) for sign in ":/"):
            raise _refuse("joining_sign", "no_colon_or_slash")
        return _plain(value, longest)

    return Annotated[str, BeforeValidator(parse)]


def optional_text(longest: int) -> Any:
    """A text of at most ``longest`` characters; empty is allowed."""
    return Annotated[str, BeforeValidator(lambda v: _plain(v, longest))]


def _parsed(kind: str, parse: Callable[[str], Any], code: str) -> Callable[[Any], Any]:
    def run(value: Any) -> Any:
        if value == "":
            raise _refuse("missing_value", kind)
        try:
            return parse(str(value))
        except PydanticCustomError:
            raise
        except (ValueError, InvalidOperation, KeyError):
            raise _refuse(code, kind) from None

    return run


def _or_none(required: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value == "" else required(value)


def choice(*values: str) -> Any:
    """One of the values, as written."""

    def parse(value: str) -> str:
        if value not in values:
            raise ValueError(value)
        return value

    return Annotated[
        str, BeforeValidator(_parsed("one_of:" + "|".join(values), parse, "unknown_choice"))
    ]


def choices(*values: str) -> Any:
    """Any of the values, joined by semicolons, as a sorted tuple; may be empty."""

    def parse(value: Any) -> tuple[str, ...]:
        parts = {p.strip() for p in str(value).split(";") if p.strip()}
        if not parts <= set(values):
            raise _refuse("unknown_choice", "some_of:" + "|".join(values))
        return tuple(sorted(parts))

    return Annotated[tuple[str, ...], BeforeValidator(parse)]


def codes(pattern: str, kind: str) -> Any:
    """One or more codes of a pattern, joined by semicolons, as a sorted tuple."""
    shape = re.compile(pattern)

    def parse(value: Any) -> tuple[str, ...]:
        parts = {p.strip() for p in str(value).split(";") if p.strip()}
        if not parts:
            raise _refuse("missing_value", kind)
        if not all(shape.fullmatch(p) for p in parts):
            raise _refuse("bad_code", kind)
        return tuple(sorted(parts))

    return Annotated[tuple[str, ...], BeforeValidator(parse)]


def _date(value: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError(value)
    return date.fromisoformat(value)


def _clock(value: str) -> int:
    """Read ``HH:MM`` as seconds from midnight; up to 48:00, since a night shift ends tomorrow."""
    match = re.fullmatch(r"(\d{1,2}):([0-5]\d)", value)
    if match is None:
        raise ValueError(value)
    seconds = int(match[1]) * 3600 + int(match[2]) * 60
    if seconds > 2 * _DAY_S:
        raise ValueError(value)
    return seconds


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"-?\d{1,18}", value):
            raise ValueError(value)
        number = int(value)
        if not least <= number <= most:
            raise _refuse("out_of_range", f"{least}_to_{most}")
        return number

    return parse


def whole(least: int, most: int) -> Any:
    """A whole number within bounds."""
    return Annotated[
        int, BeforeValidator(_parsed(f"{least}_to_{most}", _whole(least, most), "not_a_number"))
    ]


def optional_whole(least: int, most: int) -> Any:
    """A whole number within bounds, or nothing."""
    run = _parsed(f"{least}_to_{most}", _whole(least, most), "not_a_number")
    return Annotated[int | None, BeforeValidator(_or_none(run))]


def _degrees(most: int) -> Callable[[str], float]:
    def parse(value: str) -> float:
        number = Decimal(value)
        if not number.is_finite():
            raise ValueError(value)
        if abs(number) > most:
            raise _refuse("out_of_range", f"-{most}_to_{most}")
        return float(number)

    return parse


def _share(value: str) -> float:
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(value)
    if not 0 <= number <= 1:
        raise _refuse("out_of_range", "0_to_1")
    return float(number)


def _hours(value: str) -> int:
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(value)
    if not 0 < number <= 24:
        raise _refuse("out_of_range", "hours_to_24")
    return int(number * 3600)


def _phone(value: str) -> str:
    """Return a mainland number as digits without country code; mobile or landline."""
    number = phonenumbers.parse(value, "CN")
    if number.country_code != 86 or not phonenumbers.is_possible_number(number):
        raise ValueError(value)
    national = str(number.national_number)
    if national.startswith("1"):
        if not re.fullmatch(r"1[3-9]\d{9}", national):
            raise ValueError(value)
        return national
    if not phonenumbers.is_valid_number(number):
        raise ValueError(value)
    return "0" + national


def _phone_or_refuse(value: str) -> str:
    # A formula sign before digits is an international number; anything else after it is not.
    if value.startswith(_FORMULA) and not re.fullmatch(r"\+?[\d\s-]+", value):
        raise _refuse("formula", "no_formula")
    try:
        return _phone(value)
    except phonenumbers.NumberParseException:
        raise ValueError(value) from None


def _id_number(value: str) -> str:
    # The library's whole check asks that the county existed in the year of birth; numbers were first
    # given out in 1984, to the elders of today with the county codes of that and later years.
    compact = str(ric.compact(value)).upper()
    if not re.fullmatch(r"[1-9]\d{16}[\dX]", compact) or compact[-1] != ric.calc_check_digit(
        compact
    ):
        raise ValueError(value)
    try:
        ric.get_birth_date(compact)
    except StdnumError:
        raise ValueError(value) from None
    return compact


def _uscc(value: str) -> str:
    if not uscc.is_valid(value):
        raise ValueError(value)
    return str(uscc.compact(value))


_yes_no = {"Y": True, "N": False}.__getitem__

Date = Annotated[date, BeforeValidator(_parsed("date", _date, "not_a_date"))]
OptionalDate = Annotated[
    date | None, BeforeValidator(_or_none(_parsed("date", _date, "not_a_date")))
]
Clock = Annotated[int, BeforeValidator(_parsed("clock", _clock, "not_a_time"))]
OptionalClock = Annotated[
    int | None, BeforeValidator(_or_none(_parsed("clock", _clock, "not_a_time")))
]
YesNo = Annotated[bool, BeforeValidator(_parsed("yes_no", _yes_no, "unknown_choice"))]
Latitude = Annotated[
    float | None, BeforeValidator(_or_none(_parsed("latitude", _degrees(180), "not_a_number")))
]
Longitude = Annotated[
    float | None, BeforeValidator(_or_none(_parsed("longitude", _degrees(180), "not_a_number")))
]
Share = Annotated[
    float | None, BeforeValidator(_or_none(_parsed("0_to_1", _share, "not_a_number")))
]
Hours = Annotated[int | None, BeforeValidator(_or_none(_parsed("hours", _hours, "not_a_number")))]
Phone = Annotated[str, BeforeValidator(_parsed("phone", _phone_or_refuse, "bad_phone"))]
OptionalPhone = Annotated[
    str | None, BeforeValidator(_or_none(_parsed("phone", _phone_or_refuse, "bad_phone")))
]
IdNumber = Annotated[str, BeforeValidator(_parsed("id_number", _id_number, "bad_id_number"))]
Uscc = Annotated[str, BeforeValidator(_parsed("uscc", _uscc, "bad_uscc"))]
