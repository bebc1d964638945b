"""Who holds a thread of this process open with a live stream: bounded for one account and for all."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from marketplace.kernel.ids import new_id

OF_ONE = 4
"""Streams of one account in one process: the screens that one person has open."""

OF_ALL = 24
"""Streams of one process: of the 32 threads of a worker the others answer everybody's requests."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One open stream and whose it is."""

    id: str
    account_id: str


class Seats:
    """The open streams of a process, the oldest first. The newest always gets a place.

    The oldest is most often a page that was left: the server hears of that only when it next writes.
    """

    def __init__(self, *, of_one: int = OF_ONE, of_all: int = OF_ALL) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, Seat] = {}
        self._of_one, self._of_all = of_one, of_all

    def take(self, account_id: str) -> tuple[Seat, list[Seat]]:
        """Give a place; return it and who must go for it: of the same account, else the oldest."""
        seat = Seat(new_id(), account_id)
        with self._lock:
            mine = [s for s in self._open.values() if s.account_id == account_id]
            gone = mine[: max(0, len(mine) + 1 - self._of_one)]
            for s in gone:
                del self._open[s.id]
            rest = list(self._open.values())
            more = rest[: max(0, len(rest) + 1 - self._of_all)]
            for s in more:
                del self._open[s.id]
            self._open[seat.id] = seat
        return seat, gone + more

    def leave(self, seat: Seat) -> None:
        """Give a place back; harmless for one that had to go."""
        with self._lock:
            self._open.pop(seat.id, None)

    def holds(self, seat: Seat) -> bool:
        """Say whether a stream still has its place."""
        return seat.id in self._open
