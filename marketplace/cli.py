"""The ``marketplace`` command: the application's commands, with their application."""

from __future__ import annotations

import click
from flask.cli import FlaskGroup

from marketplace.app import create_app


@click.group(cls=FlaskGroup, create_app=create_app, add_version_option=False)
def cli() -> None:
    """暖居 Nuanju: home care of a city, from order to settlement."""
