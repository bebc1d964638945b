"""The command line. Thin: each command calls one workflow or query."""

from __future__ import annotations

from flask import Flask

from marketplace.commands.catalogue import catalogue
from marketplace.commands.load import export, load
from marketplace.commands.serve import serve


def register(app: Flask) -> None:
    """Add every command to the application's command line."""
    for command in (catalogue, load, export, serve):
        app.cli.add_command(command)
