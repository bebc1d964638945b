"""``marketplace settlement``."""

from __future__ import annotations

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
from marketplace.kernel.clock import Period
from marketplace.kernel.errors import DomainError
from marketplace.kernel.money import yuan_from_fen
from marketplace.queries import statements as query
from marketplace.settlement import export as sheets
from marketplace.workflows import settle


@click.group("settlement")
def settlement() -> None:
    """The monthly settlement."""


@settlement.command("close")
@click.option("--period", type=PeriodType(), required=True)
@click.option("--district", help="Six digits; every district where none is given.")
@by_option
@with_appcontext
def close(period: Period, district: str | None, by: str) -> None:
    """Match order, visit and ledger, and write each vendor's statement; safe to run again."""
    try:
        done = settle.close_month(
            session(),
            ports(),
            operator(by),
            period=period,
            district_code=district,
            progress=teller("close"),
        )
    except DomainError as error:
        raise click.ClickException(str(error)) from error
    for c in done:
        before = ", closed before" if c.closed_before else ""
        click.echo(
            f"{c.district_code} {c.period}: {c.statements} statements, {c.lines} lines, "
            f"{yuan_from_fen(c.total_fen)} yuan, {c.held} held, {c.sha256}{before}"
        )


@settlement.command("export")
@click.option("--period", type=PeriodType(), required=True)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@with_appcontext
def export(period: Period, folder: Path) -> None:
    """Write every statement of a month as CSV, XLSX and a printable sheet."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = query.statement_ids(session(), str(period))
    for number in ids:
        doc = query.document(session(), number)
        (folder / f"{number}.csv").write_bytes(sheets.to_csv(doc))
        (folder / f"{number}.xlsx").write_bytes(sheets.to_xlsx(doc))
        (folder / f"{number}.html").write_bytes(sheets.to_html(doc))
    click.echo(f"{len(ids)} statements in {folder}")
