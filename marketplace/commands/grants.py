"""``marketplace grants``."""

from __future__ import annotations

import csv
from datetime import date, datetime
from pathlib import Path

import click
from flask.cli import with_appcontext

from marketplace.commands.surroundings import (
    PeriodType,
    by_option,
    operator,
    ports,
    session,
    teller,
)
from marketplace.kernel.clock import Period, local
from marketplace.kernel.errors import DomainError
from marketplace.kernel.money import yuan_from_fen
from marketplace.queries import entitlements as query
from marketplace.workflows import grants as workflow


@click.group("grants")
def grants() -> None:
    """Grants of a month: preview, then release by a second person."""


@grants.command("preview")
@click.option("--period", type=PeriodType(), required=True)
@click.option("--district", help="Six digits; every district where none is given.")
@by_option
@with_appcontext
def preview(period: Period, district: str | None, by: str) -> None:
    """Count new, changed, ended and duplicate grants, and hold the total against the budget."""
    codes = [district] if district else workflow.districts(session())
    for code in codes:
        done = workflow.preview_grants(
            session(), ports(), operator(by), period=period, district_code=code
        )
        click.echo(
            f"{code} {done.period}: {done.new} new, {done.changed} changed, {done.ended} ended, "
            f"{done.duplicates} granted before; run {done.run_id}"
        )
        for t in done.totals:
            budget = (
                "outside"
                if t.budget_left_fen is None
                else f"of {yuan_from_fen(t.budget_left_fen)} yuan left"
            )
            click.echo(
                f"  {t.programme_code:6} {t.people:7} people  {yuan_from_fen(t.fen):>16} yuan  {budget}"
            )
        if not done.within_budget:
            click.echo("  more than the budget: a release will be refused", err=True)


@grants.command("release")
@click.option("--run", "runs", multiple=True, required=True, help="As the preview named it.")
@by_option
@with_appcontext
def release(runs: tuple[str, ...], by: str) -> None:
    """Make the grants of a preview; not by whoever previewed it."""
    tell = teller("grants")
    for run in runs:
        try:
            done = workflow.release_grants(
                session(),
                ports(),
                operator(by),
                run_id=run,
                progress=lambda rows, run=run: tell(run, rows),  # type: ignore[misc]
            )
        except DomainError as error:
            raise click.ClickException(str(error)) from error
        click.echo(
            f"{done.district_code} {done.period}: {done.granted} granted, "
            f"{done.held} waiting work orders held, {len(done.requoted)} with another own share"
        )


_DAY = click.option(
    "--on", "on", type=click.DateTime(["%Y-%m-%d"]), help="As of this day; today without."
)


@grants.command("rights")
@click.argument("elder")
@_DAY
@with_appcontext
def rights(elder: str, on: datetime | None) -> None:
    """Tell what an ELDER is entitled to on a day, which rule decided, and what would change it."""
    try:
        found = query.rights(session(), elder, _day(on))
    except DomainError as error:
        raise click.ClickException(str(error)) from error
    for a in found.answers:
        fixed = a.grant in ("monthly", "outside", "application")
        amount = f"{a.tier} {a.amount} {a.unit}" if a.entitled and fixed else a.tier
        click.echo(f"{a.programme_code:6} {a.says:11} {amount:24} {a.decided_by}")
        for finding in a.decision.findings:
            click.echo(
                f"         {finding.fact} {finding.wanted}: {finding.found} "
                f"({finding.source_of_fact}; {finding.source_of_rule})"
            )
        if a.bring:
            click.echo(f"         bring: {', '.join(a.bring)}")
    for change in found.changes:
        when = f"{change.on} " if change.on else ""
        click.echo(
            f"{when}{change.cause}: gains {', '.join(change.gains) or '-'}, "
            f"loses {', '.join(change.loses) or '-'}"
        )


@grants.command("register")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--district", help="Six digits; every district where none is given.")
@_DAY
@with_appcontext
def register(file: Path, district: str | None, on: datetime | None) -> None:
    """Write every programme's answer for every elder of the register to a CSV FILE."""
    tell, count = teller("rights"), 0
    with file.open("w", encoding="utf-8", newline="") as out:
        write = csv.writer(out).writerow
        write(query.RegisterRow.__slots__)
        for count, row in enumerate(query.register_rights(session(), _day(on), district), start=1):
            values = [getattr(row, name) for name in query.RegisterRow.__slots__]
            write([*values[:-1], " ".join(row.bring)])
            if count % 500_000 == 0:
                tell(row.district_code, count)
    click.echo(f"{count} answers in {file}")


def _day(on: datetime | None) -> date:
    return on.date() if on else local(ports().clock.now()).date()
