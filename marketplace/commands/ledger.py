"""``marketplace ledger``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

import click
from flask.cli import with_appcontext

from marketplace.commands.surroundings import PeriodType, ports, session, teller
from marketplace.kernel.clock import Period
from marketplace.kernel.findings import Finding
from marketplace.kernel.money import yuan_from_fen
from marketplace.vouchers.verify import as_json
from marketplace.workflows import ledger as workflow
from marketplace.workflows import outside

_KEPT = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("ledger")
def ledger() -> None:
    """The ledger: prove it, seal it, give it to an independent checker."""


@ledger.command("verify")
@click.option("--json", "json_", is_flag=True, help="One JSON object.")
@click.option("--witness", type=_KEPT, help="Seals kept outside, as `ledger witness` wrote them.")
@with_appcontext
def verify(json_: bool, witness: Path | None) -> None:
    """Compute every counter, pair, sum, hash and statement again; name the first wrong rows."""
    kept = _kept(witness) if witness else None
    verdict = workflow.verify_ledger(session(), progress=teller("verify"), kept=kept)
    if json_:
        click.echo(as_json(verdict))
    else:
        _tell(verdict.findings)
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


@ledger.command("witness")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@with_appcontext
def witness(path: Path) -> None:
    """Hold the books to the seals in a file, then add the new ones to it.

    Keep the file where nobody who can write the database can write, with an auditor or on paper.
    """
    kept = _kept(path) if path.exists() else {}
    seals = workflow.seals_of(session())
    findings = workflow.against_witness(seals, kept)
    _tell(findings)
    if findings:
        sys.exit(1)
    fresh = {number: sha256 for number, sha256 in seals.items() if number not in kept}
    with path.open("a", encoding="utf-8") as out:
        out.writelines(f"{number} {sha256}\n" for number, sha256 in fresh.items())
    click.echo(f"{len(kept)} seals kept, {len(fresh)} added")


def _tell(findings: Iterable[Finding]) -> None:
    """Print the wrong rows, then what to do about them."""
    lines = [str(f) for f in findings]
    if lines:
        lines.append(
            "Pay nothing out yet: hold these rows against the last backup that was proven."
        )
        click.echo("\n".join(lines))


def _kept(path: Path) -> dict[int, str]:
    """Return the seals of a witness's file; raises ``BadParameter`` naming the line."""
    found: dict[int, str] = {}
    for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        seal = re.fullmatch(r"(\d+) ([0-9a-f]{64})", line.strip())
        if seal is None:
            raise click.BadParameter(f"line {n} of {path} is no seal: expected number and hash")
        found[int(seal[1])] = seal[2]
    return found


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


@ledger.command("reconcile")
@click.option("--payer", default="NV", show_default=True, help="The outside payer's code.")
@click.option("--period", type=PeriodType(), required=True)
@with_appcontext
def reconcile(payer: str, period: Period) -> None:
    """Hold a month against an outside payer's own book; list each hold on which they differ."""
    if payer not in ports().outside:
        known = ", ".join(sorted(ports().outside)) or "none"
        raise click.BadParameter(f"{payer!r} is no outside payer here; known: {known}")
    differences = outside.reconcile(session(), ports(), payer_code=payer, period=str(period))
    for d in differences:
        click.echo(f"{d.hold_id}: ours {_side(d.ours)}, theirs {_side(d.theirs)}")
    click.echo(
        f"{payer} {period}: " + (f"{len(differences)} differences" if differences else "agreed")
    )
    sys.exit(1 if differences else 0)


def _side(side: tuple[str, int] | None) -> str:
    return f"{side[0]} {yuan_from_fen(side[1])} yuan" if side else "nothing"
