"""Structured logs: a fixed event name and ids; personal values are masked before they are written."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import structlog

# An 18-digit identity number or an 11-digit mobile number, standing alone.
_PERSONAL = re.compile(r"(?<!\d)(\d{17}[\dXx]|1[3-9]\d{9})(?!\d)")


def mask_personal(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Replace identity numbers and mobile phones in every text value by their last two characters."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _PERSONAL.sub(lambda m: "*" * 8 + m.group()[-2:], value)
    return event


class _PresentStderr:
    """Whatever standard error is at the moment of writing; it may be replaced after the set-up."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure(*, level: str = "INFO", json: bool | None = None) -> None:
    """Set up logging for the process: JSON lines, or readable lines where stderr is a terminal."""
    as_json = not sys.stderr.isatty() if json is None else json
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: list[Any] = (
        [
            structlog.processors.format_exc_info,
            mask_personal,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
        if as_json
        else [mask_personal, structlog.dev.ConsoleRenderer()]
    )
    structlog.configure(
        processors=shared + render,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(_PresentStderr()),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> Any:
    """Return a logger that carries its module's name."""
    return structlog.get_logger(module=name)
