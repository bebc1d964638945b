"""What the house needs from outside, as protocols. ``marketplace.app`` chooses the adapters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from marketplace.kernel.clock import Clock
from marketplace.kernel.crypto import Vault
from marketplace.kernel.errors import DomainError


class Notifier(Protocol):
    """Sends one message to a person. Raises ``DeliveryFailed`` when it should be tried again."""

    def send(self, *, channel: str, to: str, text: str, message_id: str) -> None: ...


class Wording(Protocol):
    """Puts a message into words for those who get it without a screen: in Chinese."""

    def text(self, template: str, values: Mapping[str, Any]) -> str: ...


class DeliveryFailed(Exception):
    """The gateway did not take the message; it stays in the outbox."""


@dataclass(frozen=True, slots=True)
class Located:
    """A point for an address. ``level``: exact, community, town or district; WGS-84."""

    lat: float
    lng: float
    level: str
    district_code: str
    town_code: str | None
    community_code: str | None
    source: str


@dataclass(frozen=True, slots=True)
class NamedPlace:
    """A community, or a town without any, under the name that an address begins with."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """A box of WGS-84 degrees."""

    south: float
    north: float
    west: float
    east: float

    def contain(self, lat: float, lng: float) -> bool:
        """Return whether the point lies in the box, edges included."""
        return self.south <= lat <= self.north and self.west <= lng <= self.east


class Geocoder(Protocol):
    """Turns an address of the city into a point, or ``None`` when it is not known."""

    @property
    def bounds(self) -> Bounds:
        """The box outside which no address of the city lies."""
        ...

    def locate(self, address: str) -> Located | None: ...

    def place(self, code: str) -> Located | None:
        """Return the point of a district (6 digits), town (9) or community (12)."""
        ...

    def named(self, text: str, *, limit: int = 8) -> list[NamedPlace]:
        """Return the communities whose path of names holds each word of the text, for a picker.

        Words are parts of names or pinyin initials, in any order.
        """
        ...

    def name(self, code: str) -> str | None:
        """Return the name of such a place."""
        ...


class Subscription(Protocol):
    """What one listener hears."""

    def get(self, timeout_s: float) -> dict[str, Any] | None:
        """Return the next message, or ``None`` when none came in time or the feed was closed."""
        ...

    @property
    def is_over(self) -> bool:
        """Say whether the feed was closed: nothing comes any more."""
        ...


DESKS = "desks"
"""The topic of all staff screens. A message carries no facts, only that something changed."""


class LiveFeed(Protocol):
    """Tells open screens that something changed; loss is harmless, the database is the truth."""

    def publish(self, topic: str, message: dict[str, Any]) -> None: ...

    def subscribe(self, *topics: str) -> AbstractContextManager[Subscription]: ...

    def close(self) -> None:
        """End every subscription of this process, now and from now on: it is about to stop."""
        ...


@dataclass(frozen=True, slots=True)
class OutsideVoucher:
    """What an outside payer promises one person for one month."""

    person_id: str
    period: str
    cap_fen: int
    left_fen: int


class OutsideRefused(Exception):
    """The outside payer said no; trying again will not help. ``args``: its reason code."""


class OutsidePayer(Protocol):
    """An outside system that pays a part, such as the national voucher. Every write is safe to repeat
    with the same ``hold_id``. Raises ``OutsideRefused``, or ``DeliveryFailed`` to be tried again."""

    def quote(self, person_ids: Sequence[str], period: str) -> dict[str, OutsideVoucher]: ...
    def hold(self, *, hold_id: str, person_id: str, period: str, fen: int) -> None: ...
    def capture(self, *, hold_id: str, fen: int) -> None: ...
    def release(self, *, hold_id: str) -> None: ...
    def refund(self, *, hold_id: str, fen: int) -> None: ...
    def reconcile(self, period: str) -> dict[str, tuple[str, int]]:
        """Return hold id -> (state, fen) of a month as the outside system sees it."""
        ...


@dataclass(frozen=True, slots=True)
class PaymentReceived:
    """Own money that a family paid by a bill, in fen."""

    bill_id: str
    elder_id: str
    fen: int


class PaymentProvider(Protocol):
    """The family account's provider; we keep no gateway of our own. Every write is safe to repeat with
    the same id. Raises ``OutsideRefused``, or ``DeliveryFailed`` to be tried again."""

    def ask(self, *, bill_id: str, elder_id: str, fen: int) -> str:
        """Make a bill and return the code that the family pays by."""
        ...

    def received(self) -> Sequence[PaymentReceived]:
        """Return what was paid and not acknowledged yet."""
        ...

    def acknowledge(self, bill_id: str) -> None: ...
    def refund(self, *, refund_id: str, bill_id: str, fen: int) -> None: ...


class NoPrinter(DomainError):
    """This machine cannot print PDF. Facts: ``needs``, ``error``."""


class Printer(Protocol):
    """Turns a printable page into PDF. Raises ``NoPrinter``."""

    def pdf(self, html: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class FeedLine:
    """One line of another authority's list: its cells by column, or what is wrong with it.

    ``line`` counts from 1 with the heading as line 1; 0 is the whole list. ``refused``: a stable code,
    empty where the line could be read; ``column``, ``value`` and ``expected`` say more.
    """

    line: int
    cells: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""
    column: str = ""
    value: str = ""
    expected: str = ""


class CrossChecks(Protocol):
    """Lists of other authorities: households, assistance, deaths, stays, long-term care insurance."""

    def lines(self, name: str, columns: Sequence[str]) -> Iterator[FeedLine]:
        """Yield the lines of a list by its name; the same name may be read again from the start."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything that a workflow may ask of the world beside its database session."""

    clock: Clock
    vault: Vault
    notifier: Notifier
    geocoder: Geocoder
    live: LiveFeed
    wording: Wording
    outside: Mapping[str, OutsidePayer] = field(default_factory=dict)
    printer: Printer | None = None
    payments: PaymentProvider | None = None
    crosschecks: CrossChecks | None = None
