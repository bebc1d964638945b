"""Stand-ins for development and tests: they keep what they were told and send nothing."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class OutboxNotifier:
    """Keeps the last messages in memory instead of sending them."""

    sent: list[dict[str, str]] = field(default_factory=list)

    def send(self, *, channel: str, to: str, text: str, message_id: str) -> None:
        self.sent.append({"channel": channel, "to": to, "text": text, "message_id": message_id})
        del self.sent[:-1000]
