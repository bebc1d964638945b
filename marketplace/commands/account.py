"""``marketplace account``: who may sign in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click
from flask.cli import with_appcontext

from marketplace.accounts.service import NewAccount
from marketplace.commands.surroundings import by_option, operator, ports, session
from marketplace.kernel.actor import Role
from marketplace.kernel.errors import DomainError
from marketplace.queries.people import accounts
from marketplace.workflows import sign_in as workflow


@click.group("account")
def account() -> None:
    """Make accounts, give new passwords, close accounts."""


def _run(step: Callable[..., Any], by: str, **asked: Any) -> None:
    try:
        done = step(session(), ports(), operator(by), **asked)
    except DomainError as refused:
        raise click.ClickException(str(refused)) from refused
    shown = {k: v for k, v in asdict(done).items() if v != ""}
    click.echo(json.dumps(shown, ensure_ascii=False, indent=2))


@account.command("add")
@click.argument("username")
@click.option("--role", type=click.Choice([r.value for r in workflow.BINDINGS]), required=True)
@click.option("--name", required=True, help="As it stands on the pages.")
@click.option("--elder", help="Whose home: for an elder.")
@click.option("--vendor", help="Whose jobs: for a vendor.")
@click.option("--caregiver", help="Whose visits: for a caregiver.")
@click.option("--district", help="6 digits, for civil affairs and auditors; else the whole city.")
@click.option("--town", help="9 digits, for street offices and community workers.")
@by_option
@with_appcontext
def add(username: str, role: str, name: str, by: str, **bound: str | None) -> None:
    """Make an account and show its first password, once; its owner changes it at /password."""
    new = NewAccount(
        username=username,
        display_name=name,
        role=Role(role),
        elder_id=bound["elder"],
        vendor_id=bound["vendor"],
        caregiver_id=bound["caregiver"],
        district_code=bound["district"],
        town_code=bound["town"],
    )
    _run(workflow.add_account, by, request=new)


@account.command("password")
@click.argument("username")
@by_option
@with_appcontext
def password(username: str, by: str) -> None:
    """Give a new password and show it, once; the account is signed out everywhere."""
    _run(workflow.new_password, by, username=username)


@account.command("lost-phone")
@click.argument("username")
@by_option
@with_appcontext
def lost_phone(username: str, by: str) -> None:
    """Forget the second factor; the next sign-in sets up another."""
    _run(workflow.forget_second_factor, by, username=username)


reason_option = click.option("--reason", required=True, help="Kept in the audit trail.")


@account.command("close")
@click.argument("username")
@reason_option
@by_option
@with_appcontext
def close(username: str, reason: str, by: str) -> None:
    """Close an account: it is signed out everywhere and cannot sign in."""
    _run(workflow.set_active, by, username=username, active=False, reason=reason)


@account.command("open")
@click.argument("username")
@reason_option
@by_option
@with_appcontext
def reopen(username: str, reason: str, by: str) -> None:
    """Open a closed account again."""
    _run(workflow.set_active, by, username=username, active=True, reason=reason)


@account.command("list")
@with_appcontext
def show() -> None:
    """List the accounts: name, role, scope, whether open, whether it has a second factor."""
    for row in accounts(session()):
        state = "open" if row.active else "closed"
        code = "second factor" if row.has_second_factor else "-"
        click.echo("\t".join((row.username, row.role, row.scope, state, code)))
