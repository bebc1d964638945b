"""``marketplace demo``: a whole city, its day planned and served, from one command."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from flask_migrate import upgrade

from marketplace.accounts.demo import DEMO_PASSWORD
from marketplace.commands.serve import run_server
from marketplace.kernel.actor import SYSTEM
from marketplace.kernel.clock import FrozenClock, ShiftedClock, instant_of, local
from marketplace.kernel.ports import Ports
from marketplace.kernel.progress import progress
from marketplace.workflows import demo as city
from marketplace.workflows.assign import AssignRequest, assign_day
from marketplace.workflows.demo_city import MOST_ORDERS, write_city
from marketplace.workflows.load import run as loading
from marketplace.workflows.publish import publish_packaged
from marketplace.workflows.upkeep import ask_for_pooled

DAY = "2026-11-23"
"""A Monday without a holiday: the demonstration's day, so that one seed is one city on any date."""
AHEAD = timedelta(days=1)
"""Enough to order for tomorrow; upkeep makes the later visits of recurring plans."""
NIGHT_S = 5 * 3600 + 1800
MORNING_S = 7 * 3600 + 1800


@click.command("demo")
@click.option("--orders", type=click.IntRange(1, MOST_ORDERS), default=5_200, show_default=True)
@click.option("--elders", type=click.IntRange(0, 2_000_000), default=12_000, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True)
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), default=DAY, show_default=True)
@click.option("--seconds", type=click.FloatRange(1, 3600), default=20.0, show_default=True)
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="Where the CSV files go."
)
@click.option(
    "--files-only", is_flag=True, help="Write the CSV files and their hashes; load nothing."
)
@click.option("--serve/--no-serve", default=False, help="Serve the pages when the day is planned.")
@with_appcontext
def demo(
    orders: int,
    elders: int,
    seed: int,
    day: datetime,
    seconds: float,
    folder: Path | None,
    files_only: bool,
    serve: bool,
) -> None:
    """Make a synthetic city of Taizhou, load it, plan its day and serve it.

    A second run finds what is there and goes on from it. The demonstration's clock stands at 07:30 of
    its day when it starts and runs from there.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    settings = app.extensions["settings"]
    settings.demo = True
    on = day.date()
    folder = folder or settings.instance / f"city-{orders}-{elders}-{seed}-{on}"
    if files_only:
        _hashes(write_city(folder, orders=orders, elders=elders, seed=seed, day=on).folder)
        return
    begun = time.monotonic()
    night = replace(app.extensions["ports"], clock=FrozenClock(instant_of(on, NIGHT_S)))
    session = app.extensions["sqlalchemy"].session
    _build(session, night, folder, orders, elders, seed, on, seconds)
    click.echo(f"ready after {time.monotonic() - begun:.0f} s")
    start = city.latest_second(session, on, MORNING_S)
    shift = instant_of(on, start) - datetime.now(UTC)
    app.extensions["ports"] = replace(night, clock=ShiftedClock(shift))
    _print_welcome(settings.host, settings.port, on, start, session)
    session.remove()
    if serve:
        run_server(app, host=settings.host, port=settings.port, workers=settings.web_workers)


def _build(
    session: Any,
    ports: Ports,
    folder: Path,
    orders: int,
    elders: int,
    seed: int,
    on: date,
    seconds: float,
) -> None:
    upgrade()
    publish_packaged(session, ports, SYSTEM)
    there = city.standing(session, on)
    if not there.elders:
        write_city(folder, orders=orders, elders=elders, seed=seed, day=on)
        with progress("read the city's files") as advance:
            plan = loading.preview(session, ports, SYSTEM, folder, tick=lambda _f, n: advance(n))
        with progress("load the city") as advance:
            loading.apply(session, ports, SYSTEM, plan, tick=lambda _f, n: advance(n), ahead=AHEAD)
        click.echo("; ".join(f"{f.new} {f.name}" for f in plan.files))
        for refusal in plan.refused[:10]:
            click.echo(f"refused: {refusal}", err=True)
    click.echo(f"{city.grant_month(session, ports, on)} grants of {on:%Y-%m}")
    if not there.planned:
        _plan(session, ports, on, seconds, seed)
    city.sign_ins(session, on)


def _plan(session: Any, ports: Ports, on: date, seconds: float, seed: int) -> None:
    click.echo(
        "planning the day; the first time, the engine is compiled (about a minute)", err=True
    )
    with progress("plan the day", total=round(seconds)) as advance:
        shown = 0

        def tell(step: Any) -> None:
            nonlocal shown
            done = min(round(step.elapsed_s), round(seconds))
            advance(max(0, done - shown))
            shown = max(shown, done)

        request = AssignRequest(day=on, seconds=seconds, seed=seed)
        done = assign_day(session, ports, SYSTEM, key=f"demo/{on}", request=request, progress=tell)
    ask_for_pooled(session, ports)
    with progress("vendors accept", None) as advance:
        accepted = city.accept_most(session, ports, on, advance=advance)
    with progress("the first visits of the morning", None) as advance:
        came = city.play_morning(session, ports, on, until_s=MORNING_S, advance=advance)
    click.echo(
        f"{on}: {done.tasks} visits on the road, {done.assigned + done.offered} have somebody "
        f"({accepted} just accepted by their vendors), {done.left_out} left out, checker: "
        f"{done.violations} violations, {done.travel_s / 3600:.0f} h of travel"
    )
    click.echo(f"{came} visits have begun by 07:30")
    for reason, count in sorted(done.by_reason.items(), key=lambda x: (-x[1], x[0])):
        click.echo(f"  left out, {reason}: {count}")


def _hashes(folder: Path) -> None:
    for path in sorted(folder.glob("*.csv")):
        click.echo(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")


def _print_welcome(host: str, port: int, on: date, start: int, session: Any) -> None:
    who = city.sign_ins(session, on)
    at = local(instant_of(on, 0) + timedelta(seconds=start))
    click.echo(f"\n暖居 Nuanju  http://{host}:{port}   ({at:%Y-%m-%d %H:%M})")
    click.echo(f"sign in at http://{host}:{port}/sign-in with password {DEMO_PASSWORD}:")
    for role, name in who.items():
        click.echo(f"  {role.value:<10} {name}")
