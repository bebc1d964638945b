"""Stand-ins for development and tests: they keep what they were told and send nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class OutboxNotifier:
    """Keeps the last messages in memory instead of sending them."""

    sent: list[dict[str, str]] = field(default_factory=list)

    def send(self, *, channel: str, to: str, text: str, message_id: str) -> None:
        self.sent.append({"channel": channel, "to": to, "text": text, "message_id": message_id})
        del self.sent[:-1000]


class BareWording:
    """Says a message's name instead of its sentence, where no pages are loaded that know sentences."""

    def text(self, template: str, values: Mapping[str, Any]) -> str:
        return template
