"""Public benchmark files, and the peers beside ours: read, solve, recompute, report the gap."""

from dispatch.bench.command import main

__all__ = ["main"]
