"""How far a search has come: by the clock, or by iterations, which gives the same on any machine."""

from __future__ import annotations

import time
from collections.abc import Iterator

FIRST_STEPS = 200
CHUNK_S = 0.05


def chunks(
    *, seconds: float, iterations: int | None, fixed: int = 1000
) -> Iterator[tuple[int, float, float]]:
    """Yield (steps, progress before, progress after) until the time or the iterations are used up.

    With *iterations* the chunks are of *fixed* steps, whatever the machine. By the clock they last
    about `CHUNK_S`, measured on the ones before.
    """
    if iterations is not None:
        for done in range(0, iterations, fixed):
            steps = min(fixed, iterations - done)
            yield steps, done / iterations, (done + steps) / iterations
        return
    began = time.perf_counter()
    steps, last = FIRST_STEPS, 0.0
    while last < seconds:
        yield steps, last / seconds, min(1.0, (last + CHUNK_S) / seconds)
        now = time.perf_counter() - began
        pace = steps / max(1e-6, now - last)
        last = now
        steps = max(1, int(pace * min(CHUNK_S, max(0.0, seconds - now))))
