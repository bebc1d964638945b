"""The command line. Thin: each command calls one workflow or query."""

from __future__ import annotations

from flask import Flask

from marketplace.commands.account import account
from marketplace.commands.catalogue import catalogue
from marketplace.commands.crosscheck import crosscheck
from marketplace.commands.demo import demo
from marketplace.commands.dispatch import dispatch
from marketplace.commands.grants import grants
from marketplace.commands.ledger import ledger
from marketplace.commands.load import export, load
from marketplace.commands.order import order, visits
from marketplace.commands.programmes import programmes
from marketplace.commands.purses import purses
from marketplace.commands.serve import serve
from marketplace.commands.settlement import settlement
from marketplace.commands.upkeep import upkeep
from marketplace.commands.vendor import vendor


def register(app: Flask) -> None:
    """Add every command to the application's command line."""
    for command in (
        account,
        catalogue,
        crosscheck,
        demo,
        dispatch,
        export,
        grants,
        ledger,
        load,
        order,
        programmes,
        purses,
        serve,
        settlement,
        upkeep,
        vendor,
        visits,
    ):
        app.cli.add_command(command)
