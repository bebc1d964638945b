"""``marketplace crosscheck``: other authorities' lists."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from flask.cli import with_appcontext

from marketplace.commands.surroundings import by_option, operator, ports, session
from marketplace.queries.crosschecks import flags
from marketplace.workflows import crosscheck as workflow


@click.group("crosscheck")
def crosscheck() -> None:
    """Lists of households, assistance, deaths, stays and long-term care insurance."""


@crosscheck.command("run")
@click.argument("feed", type=click.Choice(sorted(workflow.FEEDS)))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@by_option
@with_appcontext
def run(feed: str, file: Path, by: str) -> None:
    """Act on a list; lines taken before are skipped, refused ones are named."""
    done = workflow.run(session(), ports(), operator(by), feed=feed, name=str(file))
    click.echo(
        f"{feed}: {done.applied} applied, {done.unchanged} known before, {done.unknown} not in the "
        f"register, {len(done.refused)} refused; run {done.run_id}"
    )
    click.echo(
        f"  {done.effects.facts} facts changed, {done.effects.called_off} visits called off, "
        f"{done.effects.orders_ended} orders ended, {done.effects.flagged} visits flagged"
    )
    for no in done.refused:
        click.echo(
            f"  {no.file}:{no.line} {no.field}: {no.code} {no.value} {no.expected}", err=True
        )
    if done.refused:
        raise SystemExit(1)


@crosscheck.command("flags")
@with_appcontext
def show_flags() -> None:
    """Show the visits that a list speaks against and nobody has decided yet."""
    found = [asdict(f) for f in flags(session())]
    click.echo(json.dumps(found, ensure_ascii=False, indent=2, default=str))
