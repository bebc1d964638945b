"""``marketplace dispatch``: plan a day, look at the plan, write the day's problem for replay."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_sqlalchemy import SQLAlchemy

from marketplace.kernel.actor import SYSTEM, Scope
from marketplace.kernel.errors import DomainError, NotFound
from marketplace.kernel.ids import new_id
from marketplace.kernel.ports import Ports
from marketplace.kernel.progress import progress
from marketplace.queries.day_plan import day_plan
from marketplace.workflows.assign import AssignRequest, DayPlanned, assign_day, export_day
from marketplace.workflows.prove import ProveRequest, prove_day

Day = click.DateTime(formats=["%Y-%m-%d"])


def _session() -> Any:
    db: SQLAlchemy = current_app.extensions["sqlalchemy"]
    return db.session


def _ports() -> Ports:
    ports: Ports = current_app.extensions["ports"]
    return ports


@click.group("dispatch")
def dispatch() -> None:
    """Plan a day: who goes where and when."""


@dispatch.command("run")
@click.option("--day", type=Day, required=True, help="the day, such as 2026-11-23")
@click.option("--seconds", type=click.FloatRange(1, 3600), default=60.0, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True)
@click.option("--workers", type=click.IntRange(1, 256), default=2, show_default=True)
@click.option("--key", help="a key of your own: with the same key the day is planned once")
@with_appcontext
def run(day: Any, seconds: float, seed: int, workers: int, key: str | None) -> None:
    """Plan a day, check the plan, write assignments and say what was left out and why."""
    begun = time.monotonic()
    request = AssignRequest(day=day.date(), seconds=seconds, seed=seed, workers=workers)
    with progress(f"plan {request.day}", total=round(seconds)) as advance:
        shown = 0

        def tell(step: Any) -> None:
            nonlocal shown
            done = min(round(step.elapsed_s), round(seconds))
            if done > shown:
                advance(done - shown)
                shown = done

        try:
            answer = assign_day(
                _session(),
                _ports(),
                SYSTEM,
                key=key or f"cli/{new_id()}",
                request=request,
                progress=tell,
            )
        except DomainError as refused:
            raise click.ClickException(str(refused)) from refused
    _print(answer, time.monotonic() - begun)


def _print(answer: DayPlanned, wall_s: float) -> None:
    click.echo(
        f"{answer.day}: {answer.tasks} stops, {answer.assigned} assigned, "
        f"{answer.offered} offered to the chosen caregiver's vendor, "
        f"{answer.unchanged} unchanged, {answer.left_out} left out"
    )
    if answer.passed or answer.changed_meanwhile:
        click.echo(
            f"  {answer.passed} not planned because their window has passed, "
            f"{answer.changed_meanwhile} changed while the plan was made and left alone"
        )
    click.echo(
        f"  travel {answer.travel_s / 3600:.1f} h, cost {answer.cost}, "
        f"solver {answer.solver_seconds:.1f} s, all {wall_s:.1f} s"
    )
    _table(answer.by_reason)
    click.echo(f"  checker: {answer.violations} violations (run {answer.run_id})")


def _table(by_reason: dict[str, int]) -> None:
    for reason, count in sorted(by_reason.items(), key=lambda x: (-x[1], x[0])):
        click.echo(f"  {count:6d}  {reason}")


@dispatch.command("bound")
@click.option("--day", type=Day, required=True, help="the day, such as 2026-11-23")
@click.option("--seconds", type=click.FloatRange(1, 86_400), default=600.0, show_default=True)
@click.option("--workers", type=click.IntRange(1, 256), default=2, show_default=True)
@click.option("--key", help="a key of your own: with the same key the bound is computed once")
@with_appcontext
def bound(day: Any, seconds: float, workers: int, key: str | None) -> None:
    """Prove how far the day's latest plan can be from the best, and keep that with the plan."""
    request = ProveRequest(day=day.date(), seconds=seconds, workers=workers)
    try:
        answer = prove_day(
            _session(), _ports(), SYSTEM, key=key or f"cli/{new_id()}", request=request
        )
    except NotFound as missing:
        raise click.ClickException(
            f"{request.day} has not been planned; run: marketplace dispatch run"
        ) from missing
    except DomainError as refused:
        raise click.ClickException(str(refused)) from refused
    click.echo(
        f"{answer.day}: no plan costs less than {answer.bound}, this one costs {answer.cost}: "
        f"at most {100 * answer.gap:.2f} % could be saved ({answer.seconds:.0f} s)"
    )
    for rule in answer.relaxed:
        click.echo(f"  the proof leaves aside  {rule}")


@dispatch.command("export")
@click.option("--day", type=Day, required=True)
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@with_appcontext
def export(day: Any, file: Path) -> None:
    """Write a day's problem as the contract's JSON, for `python -m dispatch solve`."""
    content = export_day(_session(), _ports(), SYSTEM, day=day.date())
    file.write_bytes(content)
    click.echo(f"{file}: {len(content)} bytes")


@dispatch.command("show")
@click.option("--day", type=Day, required=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@with_appcontext
def show(day: Any, limit: int) -> None:
    """Show a day's latest plan and the first work orders that were left out, with their reasons."""
    on: date = day.date()
    plan = day_plan(_session(), Scope(everything=True), day=on, limit=limit)
    if plan.run is None:
        raise click.ClickException(f"{on} has not been planned; run: marketplace dispatch run")
    run = plan.run
    click.echo(
        f"{on}: run {run.id} at {run.started_at.isoformat(timespec='seconds')}, {run.seconds:.1f} s"
    )
    click.echo(f"  {run.assigned} of {run.tasks} stops served, {run.violations} violations")
    if run.could_save is not None:
        click.echo(f"  proven: at most {100 * run.could_save:.2f} % of the cost could be saved")
    _table(plan.reasons)
    for line in plan.left_out:
        help_text = ", ".join(str(h.get("change")) for h in line.would_help) or "nothing small"
        click.echo(
            f"  {line.work_order_id}  {line.service_en}  {_clock(line.window_start_s)}-"
            f"{_clock(line.window_end_s)}  {line.reason}  would help: {help_text}"
        )


def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}"
