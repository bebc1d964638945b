"""Time: instants are UTC, dates and periods are Asia/Shanghai, seconds count from local midnight."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Clock(Protocol):
    """Where the present comes from; injected, so that a test can stand at a month's end."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ShiftedClock:
    """The machine's time moved by a constant: a demonstration's day goes on whatever the date."""

    shift: timedelta

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift


@dataclass
class FrozenClock:
    """A clock that stands still until it is moved."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def advance(self, **delta: float) -> None:
        """Move on by ``timedelta(**delta)``."""
        self.at += timedelta(**delta)


def local(instant: datetime) -> datetime:
    """Return the instant as Asia/Shanghai wall time."""
    return instant.astimezone(SHANGHAI)


def today(clock: Clock) -> date:
    """Return the date in Asia/Shanghai."""
    return local(clock.now()).date()


def instant_of(day: date, second: int) -> datetime:
    """Return the UTC instant ``second`` seconds after local midnight of ``day`` (may pass 24 h)."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
    return (midnight + timedelta(seconds=second)).astimezone(UTC)


def second_of(day: date, instant: datetime) -> int:
    """Return whole seconds from local midnight of ``day`` to ``instant``."""
    return int((instant - instant_of(day, 0)).total_seconds())


@dataclass(frozen=True, order=True, slots=True)
class Period:
    """A calendar month in Asia/Shanghai, the unit of entitlement and settlement."""

    year: int
    month: int

    @classmethod
    def of(cls, day: date) -> Period:
        return cls(day.year, day.month)

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read ``2026-11``; raises ``ValueError`` on anything else."""
        year, month = text.split("-")
        if len(year) != 4 or len(month) != 2:
            raise ValueError(text)
        period = cls(int(year), int(month))
        calendar.monthrange(period.year, period.month)
        return period

    @property
    def first(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def last(self) -> date:
        return date(self.year, self.month, calendar.monthrange(self.year, self.month)[1])

    def next(self) -> Period:
        return Period.of(self.last + timedelta(days=1))

    def previous(self) -> Period:
        return Period.of(self.first - timedelta(days=1))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"
