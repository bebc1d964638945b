"""``marketplace purses``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from flask.cli import with_appcontext

from marketplace.commands.surroundings import by_option, operator, ports, session
from marketplace.kernel.errors import DomainError
from marketplace.kernel.ids import new_id
from marketplace.kernel.money import fen_from_yuan, yuan_from_fen
from marketplace.workflows import purses as workflow

A = TypeVar("A")
KEY = click.option("--key", help="Repeat the same key to repeat the same answer.")


@click.group("purses")
def purses() -> None:
    """Grants on application, the charity purse, hours of helping."""


@purses.command("apply")
@click.argument("elder")
@click.argument("programme", default="ADAPT")
@click.option("--note", required=True, help="What is wanted.")
@KEY
@by_option
@with_appcontext
def apply(elder: str, programme: str, note: str, key: str | None, by: str) -> None:
    """Ask for a grant for an ELDER; a second person decides."""
    request = workflow.ApplyForGrant(elder, programme, note)
    done = _run(workflow.apply_for_grant, request, key, by)
    click.echo(f"application {done.application_id}: {done.state}")


@purses.command("decide")
@click.argument("application")
@click.option("--approve/--refuse", required=True)
@click.option("--reason", required=True)
@KEY
@by_option
@with_appcontext
def decide(application: str, approve: bool, reason: str, key: str | None, by: str) -> None:
    """Approve or refuse an APPLICATION; not by whoever entered it."""
    request = workflow.DecideApplication(application, approve, reason)
    done = _run(workflow.decide_application, request, key, by)
    granted = f", {yuan_from_fen(done.amount)} yuan" if done.amount else ""
    click.echo(f"application {done.application_id}: {done.state}{granted}")


@purses.command("top-up")
@click.argument("elder")
@click.argument("yuan")
@click.option("--receipt", required=True, help="The payment's number.")
@KEY
@by_option
@with_appcontext
def top_up(elder: str, yuan: str, receipt: str, key: str | None, by: str) -> None:
    """Put an ELDER's own money (100 or 100.50) into the charity purse; the gift is added."""
    try:
        fen = fen_from_yuan(yuan)
    except ValueError as error:
        raise click.ClickException(f"{yuan!r} is no sum of yuan; write 100 or 100.50") from error
    done = _run(workflow.top_up, workflow.TopUp(elder, fen, receipt), key or receipt, by)
    click.echo(
        f"{yuan_from_fen(done.own)} own, {yuan_from_fen(done.gift)} gift, until {done.ends_on}"
    )


@purses.command("credit-hours")
@click.argument("elder")
@click.argument("minutes", type=int)
@click.option("--record", required=True, help="The volunteer register's entry.")
@KEY
@by_option
@with_appcontext
def credit_hours(elder: str, minutes: int, record: str, key: str | None, by: str) -> None:
    """Credit verified MINUTES of helping to an ELDER's account."""
    request = workflow.CreditHours(elder, minutes, record)
    done = _run(workflow.credit_hours, request, key or record, by)
    click.echo(f"{done.own} minutes in {done.account_id}")


@purses.command("give-hours")
@click.argument("elder")
@click.argument("kin")
@click.argument("minutes", type=int)
@click.option("--relation", required=True)
@KEY
@by_option
@with_appcontext
def give_hours(elder: str, kin: str, minutes: int, relation: str, key: str | None, by: str) -> None:
    """Give an ELDER's earned MINUTES to their KIN."""
    request = workflow.GiveHours(elder, kin, minutes, relation)
    done = _run(workflow.give_hours, request, key, by)
    click.echo(f"{done.gift} minutes in {done.account_id}")


def _run(step: Callable[..., A], request: Any, key: str | None, by: str) -> A:
    try:
        return step(session(), ports(), operator(by), key=key or new_id(), request=request)
    except DomainError as error:
        raise click.ClickException(str(error)) from error
