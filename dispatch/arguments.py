"""Types of command line arguments: what may be typed, and what is said of anything else."""

from __future__ import annotations

import argparse
import os


def natural(text: str, least: int = 0) -> int:
    """Return a whole number from ``least`` on."""
    if not text.strip().isdecimal() or len(text) > 18 or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r}; give a whole number from {least} on")
    return int(text)


def count(text: str) -> int:
    """Return a whole number from 1 on."""
    return natural(text, least=1)


def duration(text: str) -> float:
    """Return a number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1e7:
        raise argparse.ArgumentTypeError(f"{text!r}; give seconds, more than 0")
    return value


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
