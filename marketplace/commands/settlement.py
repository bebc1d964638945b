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
from marketplace.kernel.actor import SYSTEM
from marketplace.kernel.clock import Period
from marketplace.kernel.errors import DomainError
from marketplace.kernel.money import yuan_from_fen
from marketplace.kernel.ports import NoPrinter
from marketplace.queries import statements as query
from marketplace.settlement import export as sheets
from marketplace.workflows import evidence, sampling, settle, vendor_debts


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
@click.option("--pdf", is_flag=True, help="Print each statement as PDF too; needs nuanju[pdf].")
@click.option(
    "--programmes",
    is_flag=True,
    help="The office's copy with a column for each programme, which tells of income and ability;"
    " without it the vendor's copy.",
)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@with_appcontext
def export(period: Period, pdf: bool, programmes: bool, folder: Path) -> None:
    """Write every statement of a month as CSV, XLSX and a printable sheet."""
    folder.mkdir(parents=True, exist_ok=True)
    printer = ports().printer
    ids = query.statement_ids(session(), str(period))
    for number in ids:
        doc = query.document(session(), number, for_vendor=not programmes)
        page = sheets.to_html(doc)
        (folder / f"{number}.csv").write_bytes(sheets.to_csv(doc))
        (folder / f"{number}.xlsx").write_bytes(sheets.to_xlsx(doc))
        (folder / f"{number}.html").write_bytes(page)
        if pdf and printer is not None:
            try:
                (folder / f"{number}.pdf").write_bytes(printer.pdf(page))
            except NoPrinter as error:
                raise click.ClickException(str(error)) from error
    click.echo(f"{len(ids)} statements in {folder}")


@settlement.command("notice")
@click.option("--period", type=PeriodType(), required=True)
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@with_appcontext
def notice(period: Period, path: Path) -> None:
    """Write the public notice of a month as CSV: vendors and sums, nobody's name."""
    rows = query.notice(session(), str(period))
    path.write_bytes(sheets.notice_csv(str(period), rows))
    click.echo(f"{len(rows)} statements in {path}")


@settlement.command("debts")
@with_appcontext
def debts() -> None:
    """Show what vendors owe the districts' banks, what came in, and what is proposed to be given up."""
    found = vendor_debts.debts_of(session(), SYSTEM)
    for d in found:
        click.echo(
            f"{d.vendor_id} {d.vendor_name} ({d.status}), {d.district_code}: owes"
            f" {yuan_from_fen(d.debt_fen)} yuan, of it {yuan_from_fen(d.own_fen)} of families;"
            f" repaid or given up {yuan_from_fen(d.repaid_fen)}"
        )
        for number in d.statements:
            click.echo(f"  carried: {number}")
        for number in d.waiting:
            click.echo(f"  below zero and not released: {number}")
        for number, fen in d.proposed.items():
            click.echo(f"  to be given up: {yuan_from_fen(fen)} yuan, {number}")
    if not found:
        click.echo("no vendor owes anything")


@settlement.command("sample")
@click.argument("statement_id")
@with_appcontext
def sample(statement_id: str) -> None:
    """Show which visits the county has to look at, and what it found."""
    try:
        drawn = sampling.sample_of(session(), statement_id)
    except DomainError as error:
        raise click.ClickException(str(error)) from error
    for s in drawn:
        click.echo(f"line {s.number}, {s.work_order_id}, {s.way}: {s.outcome or 'open'}")
    if not drawn:
        click.echo("no sample yet: the street has not checked")


@settlement.command("pack")
@click.option("--sample", "count", type=click.IntRange(1), default=5, show_default=True)
@click.option("--draw", default="", help="The auditor's own word; the same word draws the same.")
@click.option("--reason", required=True, help="Why the evidence is taken; it is recorded.")
@by_option
@click.argument("statement_id")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@with_appcontext
def pack(count: int, draw: str, reason: str, by: str, statement_id: str, path: Path) -> None:
    """Write a statement's evidence and a sample of its visits as ZIP, with a script that checks it."""
    try:
        done = evidence.make_pack(
            session(),
            ports(),
            operator(by),
            statement_id=statement_id,
            sample=count,
            draw=draw,
            reason=reason,
            path=path,
            sheet=sheets.to_csv(query.document(session(), statement_id)),
        )
    except DomainError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{path}: {', '.join(done.work_orders)}; {done.sha256}")
    click.echo(f"check it anywhere: unzip {path.name}, then python3 verify.py")
