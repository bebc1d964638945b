"""Sorting indices by a key, in arrays that are there already."""

from __future__ import annotations

from dispatch.engine.kernel.compiled import compiled

FEW = 40


@compiled
def sort_by(key, order, n):
    """Fill ``order[:n]`` with 0 .. n-1, smallest ``key`` first; equal keys in any fixed order."""
    for x in range(n):
        order[x] = x
    if n <= FEW:
        _insert(key, order, n)
        return
    for top in range(n // 2 - 1, -1, -1):
        _sift(key, order, top, n)
    for last in range(n - 1, 0, -1):
        order[0], order[last] = order[last], order[0]
        _sift(key, order, 0, last)


@compiled
def _insert(key, order, n):
    for x in range(1, n):
        here = order[x]
        y = x - 1
        while y >= 0 and key[order[y]] > key[here]:
            order[y + 1] = order[y]
            y -= 1
        order[y + 1] = here


@compiled
def _sift(key, order, top, n):
    """Let ``order[top]`` sink to where it belongs in the heap of the first *n*."""
    here = order[top]
    while 2 * top + 1 < n:
        child = 2 * top + 1
        if child + 1 < n and key[order[child + 1]] > key[order[child]]:
            child += 1
        if key[order[child]] <= key[here]:
            break
        order[top] = order[child]
        top = child
    order[top] = here
