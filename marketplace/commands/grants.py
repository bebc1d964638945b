"""``marketplace grants``."""

from __future__ import annotations

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
from marketplace.kernel.clock import Period
from marketplace.kernel.errors import DomainError
from marketplace.kernel.money import yuan_from_fen
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
