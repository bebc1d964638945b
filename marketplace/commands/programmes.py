"""``marketplace programmes``."""

from __future__ import annotations

import csv
from datetime import datetime
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
from marketplace.kernel.ids import new_id
from marketplace.kernel.money import yuan_from_fen
from marketplace.queries import programmes as query
from marketplace.vouchers.changes import Difference
from marketplace.vouchers.trial import Moved, Trial
from marketplace.workflows import programmes as workflow

FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
MONTH = click.option("--period", type=PeriodType(), help="The month to try; the last one without.")


@click.group("programmes")
def programmes() -> None:
    """Programmes as data: what is in force, and a change by two persons."""


@programmes.command("list")
@click.option("--on", "on", type=click.DateTime(["%Y-%m-%d"]), help="A day; today without.")
@with_appcontext
def listed(on: datetime | None) -> None:
    """Show every programme, its version in force and the one to come; then changes that wait."""
    day = on.date() if on else local(ports().clock.now()).date()
    for p in query.programmes(session(), day):
        to_come = f", from {p.next_from} another" if p.next_from else ""
        click.echo(f"{p.code:6} {p.valid_from} {p.kind:8} {p.unit:8} {p.name_en}{to_come}")
    for c in query.programme_changes(session(), state="proposed"):
        click.echo(
            f"waits: {c.id} {c.programme_code} from {c.valid_from}, by {c.proposed_by}: {c.reason}"
        )


@programmes.command("file")
@click.argument("code")
@with_appcontext
def file_of(code: str) -> None:
    """Print the file of programme CODE as it holds now: where a change begins."""
    try:
        click.echo(query.programme_file(session(), code), nl=False)
    except DomainError as error:
        raise click.ClickException(str(error)) from error


@programmes.command("preview")
@FILE
@MONTH
@click.option(
    "--people",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write everybody who gains or loses to this CSV; that the list was taken is recorded.",
)
@by_option
@with_appcontext
def preview(file: Path, period: Period | None, people: Path | None, by: str) -> None:
    """Try a programme FILE on last month: who gains, who loses, what it costs. Changes nothing."""
    moved: list[Moved] = []
    try:
        tried = workflow.try_change(
            session(),
            ports(),
            operator(by),
            request=workflow.TryChange(_text(file), str(period) if period else None),
            progress=teller("programmes"),
            each=moved.append if people else None,
        )
    except DomainError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{tried.programme_code} from {tried.valid_from}, file {tried.sha256[:16]}")
    _tell(tried.differences, tried.trial)
    if people is not None:
        with people.open("w", encoding="utf-8-sig", newline="") as out:
            write = csv.writer(out).writerow
            write(Moved.__slots__)
            for one in moved:
                write([getattr(one, name) for name in Moved.__slots__])
        click.echo(f"{len(moved)} people in {people}")


@programmes.command("propose")
@FILE
@MONTH
@click.option("--reason", required=True, help="Why: a document's number, a decision.")
@click.option("--key", help="Repeat the same key to repeat the same answer.")
@by_option
@with_appcontext
def propose(file: Path, period: Period | None, reason: str, key: str | None, by: str) -> None:
    """Keep a programme FILE with its trial for a second person to release."""
    try:
        done = workflow.propose_change(
            session(),
            ports(),
            operator(by),
            key=key or new_id(),
            request=workflow.ProposeChange(_text(file), reason, str(period) if period else None),
            progress=teller("programmes"),
        )
    except DomainError as error:
        raise click.ClickException(str(error)) from error
    view = query.programme_change(session(), done.change_id)
    _tell(view.differences, view.trial)
    click.echo(f"change {done.change_id}: {done.programme_code} from {done.valid_from}, proposed")


@programmes.command("release")
@click.argument("change")
@by_option
@with_appcontext
def release(change: str, by: str) -> None:
    """Let a proposed CHANGE hold from its day on; not by whoever proposed it."""
    try:
        done = workflow.release_change(
            session(),
            ports(),
            operator(by),
            key=f"release/{change}",
            request=workflow.ReleaseChange(change),
        )
    except DomainError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"change {done.change_id}: {done.programme_code} from {done.valid_from}, released")


@programmes.command("withdraw")
@click.argument("change")
@click.option("--reason", required=True)
@by_option
@with_appcontext
def withdraw(change: str, reason: str, by: str) -> None:
    """Take a proposed CHANGE back."""
    try:
        workflow.withdraw_change(
            session(),
            ports(),
            operator(by),
            key=f"withdraw/{change}",
            request=workflow.WithdrawChange(change, reason),
        )
    except DomainError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"change {change}: withdrawn")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file} is not UTF-8: {error.reason}") from error


def _tell(differences: tuple[Difference, ...], trial: Trial) -> None:
    for d in differences:
        where = f"{d.district_code} " if d.district_code else ""
        click.echo(f"  {where}{d.what}: {d.before or '-'} -> {d.after or '-'}")
    click.echo(f"rights of {trial.elders} elders: {trial.gaining} gain, {trial.losing} lose")
    for t in trial.tiers:
        click.echo(
            f"  {t.tier:9} {t.people_before} -> {t.people_after} people, "
            f"{yuan_from_fen(t.fen_before)} -> {yuan_from_fen(t.fen_after)} yuan a month"
        )
    for line in trial.districts:
        click.echo(
            f"  {line.district_code}    {line.people_before} -> {line.people_after} people, "
            f"{yuan_from_fen(line.fen_before)} -> {yuan_from_fen(line.fen_after)} yuan a month"
        )
    click.echo(
        f"{trial.work_orders} work orders of {trial.period}: "
        f"{trial.paying_less} elders pay {yuan_from_fen(trial.paying_less_fen)} yuan less, "
        f"{trial.paying_more} pay {yuan_from_fen(trial.paying_more_fen)} yuan more; "
        f"programmes pay {yuan_from_fen(trial.public_fen)} yuan more"
    )
    for p in trial.payers:
        click.echo(
            f"  {p.programme_code:6} {yuan_from_fen(p.fen_before)} -> {yuan_from_fen(p.fen_after)}"
        )
    for who in (*trial.most_less[:5], *trial.most_more[:5]):
        click.echo(
            f"  {who.elder_id}: {yuan_from_fen(who.before_fen)} -> {yuan_from_fen(who.after_fen)}"
        )
