"""What a command needs: the application's session and ports, who types, and honest progress."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click
from flask import current_app
from sqlalchemy.orm import Session

from marketplace.kernel import log
from marketplace.kernel.actor import Actor, Role
from marketplace.kernel.clock import Period
from marketplace.kernel.ports import Ports


def session() -> Session:
    """Return the application's session."""
    found: Session = current_app.extensions["sqlalchemy"].session
    return found


def ports() -> Ports:
    """Return the application's ports."""
    found: Ports = current_app.extensions["ports"]
    return found


class PeriodType(click.ParamType):
    """A month as ``2026-11``."""

    name = "month"

    def convert(self, value: Any, param: Any, ctx: Any) -> Period:
        if isinstance(value, Period):
            return value
        try:
            return Period.parse(value)
        except ValueError:
            self.fail(f"{value!r} is no month; write it as 2026-11", param, ctx)


by_option = click.option(
    "--by",
    required=True,
    help="Who does it: the account that the audit trail names. Preview and release need two.",
)


def operator(name: str) -> Actor:
    """Return the actor of a command: whoever may type here acts for the system, under their name."""
    return Actor(user_id=name[:40], role=Role.SYSTEM)


def teller(task: str) -> Callable[[str, int], None]:
    """Return what tells of progress: one line that is rewritten in a terminal, else log lines."""
    if sys.stderr.isatty():
        return lambda what, rows: click.echo(
            f"\r\033[K{task}: {what} {rows or ''}", err=True, nl=False
        )
    logger = log.get_logger(f"marketplace.{task}")
    return lambda what, rows: logger.info(task, what=what, rows=rows)
