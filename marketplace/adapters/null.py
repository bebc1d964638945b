"""Stand-ins for development and tests: they keep what they were told and send nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class OutboxNotifier:
    """Keeps the last messages in memory instead of sending them."""

    sent: list[dict[str, str]] = field(default_factory=list)

    def send(self, *, channel: str, to: str, text: str, message_id: str) -> None:
        self.sent.append({"channel": channel, "to": to, "text": text, "message_id": message_id})
        del self.sent[:-1000]


@dataclass
class QuietFeed:
    """A live feed that nobody listens to."""

    published: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def publish(self, topic: str, message: dict[str, Any]) -> None:
        self.published.append((topic, message))
        del self.published[:-1000]
