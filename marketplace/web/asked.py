"""What an address or a form asks for, read within bounds: days, months, hours, pages of a list.

Whatever the database or the calendar could not hold is refused here by its field, never met as a fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import chain

from apiflask import APIFlask
from flask import request

from marketplace.kernel.clock import Period
from marketplace.kernel.errors import BadInput
from marketplace.kernel.money import fen_from_yuan
from marketplace.web.formats import today_here

FIRST_YEAR, LAST_YEAR = 2000, 2099
"""The years that a day or a month may lie in, as in the API."""

LAST_SECOND = 115_200
"""Seconds of a day go on counting past midnight until eight in the morning."""

MOST_BYTES = 8 * 2**20
"""Bytes of the largest request: a phone sends some 400 kB of kept pictures at once."""

_MOST_OFFSET = 1_000_000


def register(app: APIFlask) -> None:
    """Refuse, before any page reads it, what is too large and text that no database keeps."""
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    app.before_request(_refuse_unkept)


def day_of(text: str, *, field: str) -> date:
    """Return the date of ``2026-11-24``; raises ``BadInput``."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise BadInput(field=field, value=text[:40], expected="2026-11-24")
    return day


def period_of(text: str, *, field: str) -> Period:
    """Return the month of ``2026-11``; raises ``BadInput``."""
    try:
        period = Period.parse(text)
    except ValueError:
        period = None
    if period is None or not FIRST_YEAR <= period.year <= LAST_YEAR:
        raise BadInput(field=field, value=text[:40], expected="2026-11")
    return period


def second_of(text: str, *, field: str) -> int:
    """Return the second of the day of ``34200``, ``9:30`` or ``24:00``; raises ``BadInput``."""
    hours, colon, minutes = text.partition(":")
    parts = (hours, minutes) if colon else (hours,)
    if all(p.isdecimal() and len(p) <= 6 for p in parts):
        second = int(hours) * 3600 + int(minutes) * 60 if colon else int(hours)
        if second <= LAST_SECOND and not (colon and int(minutes) > 59):
            return second
    raise BadInput(field=field, value=text[:40], expected="9:30")


def fen_of(text: str, *, field: str) -> int:
    """Return the fen of ``150`` or ``150.00`` yuan; raises ``BadInput``."""
    try:
        return fen_from_yuan(text)
    except ValueError:
        raise BadInput(field=field, value=text[:40], expected="150.00") from None


def day(field: str = "day") -> date:
    """Return the day that the address asks for, today where it asks for none; raises ``BadInput``."""
    text = request.args.get(field, "")
    return day_of(text, field=field) if text else today_here()


def period(default: Period) -> Period:
    """Return the month that the address or the form asks for; raises ``BadInput``."""
    text = request.values.get("month", "")
    return period_of(text, field="month") if text else default


def offset() -> int:
    """Return from which line on the address asks for a list, the first where it asks for none."""
    return min(max(request.args.get("from", 0, type=int), 0), _MOST_OFFSET)


def _refuse_unkept() -> None:
    given: Iterable[tuple[str, str]] = chain(
        ((k, v) for k, v in (request.view_args or {}).items() if isinstance(v, str)),
        request.args.items(multi=True),
        request.form.items(multi=True),
    )
    for field, value in given:
        if "\0" in value or "\0" in field:
            raise BadInput(
                field=field.replace("\0", "")[:40], value="", expected="text without control codes"
            )
