"""The machine that a figure was measured on, in one line."""

from __future__ import annotations

import platform
from pathlib import Path

from dispatch.arguments import cores


def machine_line() -> str:
    """Return processor, cores that this process may use, Python and system."""
    return (
        f"{_processor()}, {cores()} cores, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}"
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "processor unknown"
