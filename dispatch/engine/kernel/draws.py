"""Random numbers of the compiled search: one stream a block, the same on every machine."""

from __future__ import annotations

import numpy as np

from dispatch.engine.kernel.compiled import compiled


def stream(*seeds: int) -> np.ndarray:
    """Return the state of a stream that depends on all of *seeds*; uint64 [1], never 0."""
    state = np.random.SeedSequence([seed & 0xFFFFFFFF for seed in seeds]).generate_state(
        1, np.uint64
    )
    state[0] |= np.uint64(1)
    return state


@compiled
def draw(state):
    """Return the next number of [0, 1): xorshift64* (Vigna 2016), 53 bits."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return np.float64((x * np.uint64(2685821657736338717)) >> np.uint64(11)) * (
        1.0 / 9007199254740992.0
    )


@compiled
def draw_below(state, n):
    """Return a whole number of 0 .. n-1."""
    return np.int64(draw(state) * n)
