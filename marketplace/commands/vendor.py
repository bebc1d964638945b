"""``marketplace vendor``: take a vendor off the market and let it back in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click
from flask.cli import with_appcontext

from marketplace.commands.surroundings import by_option, operator, ports, session
from marketplace.kernel.errors import DomainError
from marketplace.kernel.ids import new_id
from marketplace.queries.suspensions import suspensions_of
from marketplace.workflows import suspend as workflow


@click.group("vendor")
def vendor() -> None:
    """Suspend and reinstate vendors."""


key_option = click.option("--key", help="A key of your own: repeated, the step is done once.")
reason_option = click.option("--reason", required=True, help="Kept, and shown to the vendor.")


def _run(step: Callable[..., Any], vendor_id: str, reason: str, by: str, key: str | None) -> None:
    request = workflow.SuspendRequest(vendor_id=vendor_id, reason=reason)
    try:
        done = step(session(), ports(), operator(by), key=key or f"cli/{new_id()}", request=request)
    except DomainError as refused:
        raise click.ClickException(str(refused)) from refused
    _show(asdict(done))


def _show(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


@vendor.command("suspend")
@click.argument("vendor_id")
@reason_option
@by_option
@key_option
@with_appcontext
def suspend(vendor_id: str, reason: str, by: str, key: str | None) -> None:
    """Suspend a vendor and move its visits; prints whom it could not move, and why."""
    _run(workflow.suspend_vendor, vendor_id, reason, by, key)


@vendor.command("reinstate")
@click.argument("vendor_id")
@reason_option
@by_option
@key_option
@with_appcontext
def reinstate(vendor_id: str, reason: str, by: str, key: str | None) -> None:
    """Let a suspended vendor back in."""
    _run(workflow.reinstate_vendor, vendor_id, reason, by, key)


@vendor.command("suspensions")
@click.argument("vendor_id")
@with_appcontext
def suspensions(vendor_id: str) -> None:
    """Show a vendor's suspensions and what became of each visit."""
    _show([asdict(s) for s in suspensions_of(session(), vendor_id)])
