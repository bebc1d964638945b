"""What the house needs from outside, as protocols. ``marketplace.app`` chooses the adapters."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from marketplace.kernel.clock import Clock
from marketplace.kernel.crypto import Vault


class Notifier(Protocol):
    """Sends one message to a person. Raises ``DeliveryFailed`` when it should be tried again."""

    def send(self, *, channel: str, to: str, text: str, message_id: str) -> None: ...


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


class Subscription(Protocol):
    """What one listener hears."""

    def get(self, timeout_s: float) -> dict[str, Any] | None:
        """Return the next message, or ``None`` when none came in time."""
        ...


class LiveFeed(Protocol):
    """Tells open screens that something changed; loss is harmless, the database is the truth."""

    def publish(self, topic: str, message: dict[str, Any]) -> None: ...

    def subscribe(self, *topics: str) -> AbstractContextManager[Subscription]: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything that a workflow may ask of the world beside its database session."""

    clock: Clock
    vault: Vault
    notifier: Notifier
    geocoder: Geocoder
    live: LiveFeed
