"""``marketplace upkeep``: what time does by itself, once or for ever."""

from __future__ import annotations

import time
from dataclasses import asdict

import click
from flask import current_app
from flask.cli import with_appcontext

from marketplace.kernel.log import get_logger
from marketplace.workflows.upkeep import Kept
from marketplace.workflows.upkeep import upkeep as keep

log = get_logger(__name__)


@click.command("upkeep")
@click.option(
    "--watch", type=click.FloatRange(1, 86_400), help="go on, with so many seconds between rounds"
)
@with_appcontext
def upkeep(watch: float | None) -> None:
    """Expire offers, make the next days' work orders, confirm silence, end days, send messages.

    Safe to run twice at once and to kill at any moment.
    """
    while True:
        kept = _round()
        if watch is None:
            for name, count in asdict(kept).items():
                click.echo(f"{name.replace('_', ' ')}: {count}")
            return
        if any(asdict(kept).values()):
            log.info("upkeep", **asdict(kept))
        time.sleep(watch)


def _round() -> Kept:
    session = current_app.extensions["sqlalchemy"].session
    try:
        return keep(session, current_app.extensions["ports"])
    finally:
        session.remove()
