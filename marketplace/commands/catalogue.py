"""``marketplace catalogue``."""

from __future__ import annotations

import sys

import click

from marketplace.workflows import publish


@click.group("catalogue")
def catalogue() -> None:
    """The 11 categories and 247 services."""


@catalogue.command("check")
def check() -> None:
    """Prove that the catalogue has 11 categories, 247 services, unique codes and no bad value."""
    categories, services, findings = publish.check_packaged()
    for f in findings:
        click.echo(f"{f.code} {f.field}: {f.problem}. Expected: {f.cure}", err=True)
    click.echo(
        f"{categories} categories, {services} services: "
        + ("clean" if not findings else f"{len(findings)} findings")
    )
    sys.exit(1 if findings else 0)
