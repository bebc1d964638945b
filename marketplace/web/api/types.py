"""What the API takes: strict models whose every number and text has a bound."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
)

_FIRST, _LAST = date(2000, 1, 1), date(2099, 12, 31)


def _whole(value: Any) -> Any:
    """Refuse booleans and texts; take ``811370.0``, which JSON Schema calls an integer."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("give a whole number")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("give a number")
    return value


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("give a text")
    return value


def _printable(value: str) -> str:
    if any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF for c in value):
        raise ValueError("control characters are not taken")
    return value


def _in_century(value: date) -> date:
    if not _FIRST <= value <= _LAST:
        raise ValueError("give a date from 2000 to 2099")
    return value


def _instant(value: datetime) -> datetime:
    try:
        moved = value.astimezone(UTC)
    except OverflowError:
        raise ValueError("give an instant from 2000 to 2099") from None
    if not _FIRST <= moved.date() <= _LAST:
        raise ValueError("give an instant from 2000 to 2099")
    return moved


Id = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_.:-]+$")]
"""An id of a register, a UUID, or one that a client made."""

Day = Annotated[date, BeforeValidator(_text), AfterValidator(_in_century)]
Moment = Annotated[AwareDatetime, BeforeValidator(_text), AfterValidator(_instant)]
SecondOfDay = Annotated[int, Field(ge=0, le=115_200), BeforeValidator(_whole)]
"""Seconds from local midnight; past midnight goes on counting."""

Quantity = Annotated[int, Field(ge=1, le=100), BeforeValidator(_whole)]
Minutes = Annotated[int, Field(ge=1, le=1_440), BeforeValidator(_whole)]
Metres = Annotated[int, Field(ge=0, le=100_000), BeforeValidator(_whole)]
Latitude = Annotated[float, Field(ge=-90, le=90), BeforeValidator(_number)]
Longitude = Annotated[float, Field(ge=-180, le=180), BeforeValidator(_number)]
Seconds = Annotated[float, Field(ge=1, le=600), BeforeValidator(_number)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1), BeforeValidator(_whole)]
Workers = Annotated[int, Field(ge=1, le=64), BeforeValidator(_whole)]
Fen = Annotated[int, Field(ge=1, le=10_000_000), BeforeValidator(_whole)]
Debt = Annotated[int, Field(ge=1, le=10**12), BeforeValidator(_whole)]
Percent = Annotated[int, Field(ge=0, le=100), BeforeValidator(_whole)]
LineNumber = Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(_whole)]
Note = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
Short = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_printable)]
Reference = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_.-]+$")]
Rule = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Code = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_printable)]
Limit = Annotated[int, Field(ge=1, le=200)]
Cursor = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_=.:-]+$")]
Flag = StrictBool


class Body(BaseModel):
    """A request's body: what it does not know it refuses by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Query(BaseModel):
    """A request's query."""

    model_config = ConfigDict(extra="forbid", frozen=True)
