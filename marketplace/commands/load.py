"""``marketplace load`` and ``marketplace export``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import force_locale, gettext
from rich.console import Console
from rich.table import Table

from marketplace.commands import load_words
from marketplace.kernel.actor import SYSTEM
from marketplace.kernel.errors import DomainError
from marketplace.kernel.progress import progress
from marketplace.workflows.load import export as exporting
from marketplace.workflows.load import run
from marketplace.workflows.load.refused import write_refused
from marketplace.workflows.load.run import FilePreview, Preview

_SHOWN = 50


@contextmanager
def _ticking(label: str) -> Iterator[run.Tick]:
    with progress(label, None) as advance:
        yield lambda _file, n: advance(n)


@click.command("load")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--preview", "preview_only", is_flag=True, help="Say what would change; write nothing."
)
@click.option("--yes", is_flag=True, help="Do not ask before writing.")
@click.option("--strict", is_flag=True, help="Write nothing at all while any row is refused.")
@click.option(
    "--refused",
    "refused_to",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write refused rows to this folder, to be mended and loaded again.",
)
@click.option("--lang", type=click.Choice(["zh_Hans_CN", "en"]), default="zh_Hans_CN")
@with_appcontext
def load(
    folder: Path, preview_only: bool, yes: bool, strict: bool, refused_to: Path | None, lang: str
) -> None:
    """Load registers and orders from the CSV or XLSX files of FOLDER.

    First a preview of what is new, changed and refused; then each file in one transaction: all of
    its accepted rows or none. Exit status 1 where rows were refused, 2 where nothing could be done.
    """
    session = current_app.extensions["sqlalchemy"].session
    ports = current_app.extensions["ports"]
    with force_locale(lang):
        try:
            with _ticking("load_preview") as tick:
                plan = run.preview(session, ports, SYSTEM, folder, tick=tick)
            _print_preview(plan.files)
            blocked = strict and bool(plan.refused)
            if not preview_only and not blocked and plan.to_write:
                if not yes and sys.stdin.isatty():
                    click.confirm(gettext("Write this?"), abort=True)
                with _ticking("load_write") as tick:
                    for done in run.apply(session, ports, SYSTEM, plan, tick=tick):
                        click.echo(
                            gettext(
                                "%(file)s: %(new)s new, %(changed)s changed, %(visits)s work orders",
                                file=done.name,
                                new=done.new,
                                changed=done.changed,
                                visits=done.work_orders,
                            )
                        )
        except DomainError as no:
            click.echo(f"{no}", err=True)
            sys.exit(2)
        _print_refused(plan)
        if refused_to is not None and plan.refused:
            write_refused(folder, refused_to, plan.refused, load_words.problem, load_words.cure)
            click.echo(
                gettext("Refused rows stand in %(folder)s.", folder=str(refused_to)), err=True
            )
        sys.exit(1 if plan.refused else 0)


def _print_preview(files: list[FilePreview]) -> None:
    table = Table(gettext("File"))
    for heading in (gettext("New"), gettext("Changed"), gettext("Unchanged"), gettext("Refused")):
        table.add_column(heading, justify="right")
    for f in files:
        table.add_row(f.name, str(f.new), str(f.changed), str(f.unchanged), str(len(f.refused)))
    Console(soft_wrap=True).print(table)


def _print_refused(plan: Preview) -> None:
    for r in plan.refused[:_SHOWN]:
        value = f" “{r.value}”" if r.value else ""
        click.echo(
            f"{r.file}:{r.line} {r.field}{value}: {load_words.problem(r)}; {load_words.cure(r)}",
            err=True,
        )
    if len(plan.refused) > _SHOWN:
        more = len(plan.refused) - _SHOWN
        click.echo(gettext("... and %(n)s more; --refused writes them all", n=more), err=True)


@click.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--xlsx", is_flag=True, help="Write XLSX in place of CSV.")
@click.option("--reason", required=True, help="Why the registers leave the house; it is logged.")
@with_appcontext
def export(folder: Path, xlsx: bool, reason: str) -> None:
    """Write the registers and orders to FOLDER in the files that ``load`` reads."""
    session = current_app.extensions["sqlalchemy"].session
    ports = current_app.extensions["ports"]
    with _ticking("export") as tick:
        for name, rows in exporting.export(
            session, ports, SYSTEM, folder, reason=reason, xlsx=xlsx, tick=tick
        ):
            click.echo(f"{name}: {rows}")
