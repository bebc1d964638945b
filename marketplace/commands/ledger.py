"""``marketplace ledger``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from flask.cli import with_appcontext

from marketplace.commands.surroundings import ports, session, teller
from marketplace.vouchers.verify import as_json
from marketplace.workflows import ledger as workflow


@click.group("ledger")
def ledger() -> None:
    """The ledger: prove it, seal it, give it to an independent checker."""


@ledger.command("verify")
@click.option("--json", "json_", is_flag=True, help="One JSON object.")
@with_appcontext
def verify(json_: bool) -> None:
    """Compute every counter, pair, sum, hash and statement again; name the first wrong rows."""
    verdict = workflow.verify_ledger(session(), progress=teller("verify"))
    if json_:
        click.echo(as_json(verdict))
    else:
        for finding in verdict.findings:
            click.echo(str(finding))
        click.echo(
            f"{verdict.accounts} accounts, {verdict.transfers} transfers, {verdict.sealed} sealed: "
            + ("proven" if verdict.is_proven else f"{len(verdict.findings)} findings")
        )
    sys.exit(0 if verdict.is_proven else 1)


@ledger.command("seal")
@with_appcontext
def seal() -> None:
    """Seal what is final, in hashed and chained batches."""
    made = workflow.seal_ledger(session(), ports())
    for s in made:
        click.echo(f"seal {s.id}: {s.transfers} transfers to serial {s.to_serial}, {s.sha256}")
    if not made:
        click.echo("everything is sealed")


@ledger.command("export")
@click.option("--beancount", "path", type=click.Path(path_type=Path), required=True)
@with_appcontext
def export(path: Path) -> None:
    """Write the ledger as Beancount text, for ``bean-check``."""
    lines = 0
    with path.open("w", encoding="utf-8") as out:
        for line in workflow.export_beancount(session()):
            out.write(line)
            lines += 1
    click.echo(f"{lines} directives in {path}")
