"""``marketplace order`` and ``marketplace visit``: each step of an order's life from the command line.

An operator's tool: it acts in the role and for the scope that are named, and the same policy asks.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from marketplace.kernel.actor import SYSTEM, Actor, Role
from marketplace.kernel.errors import DomainError
from marketplace.kernel.ids import new_id
from marketplace.workflows import accept, cancel, confirm, place, visit
from marketplace.workflows.reach import home_code
from marketplace.workflows.shown import Shown

Day = click.DateTime(formats=["%Y-%m-%d"])


def _run(step: Any, actor: Actor, request: Any, key: str | None) -> None:
    session = current_app.extensions["sqlalchemy"].session
    ports = current_app.extensions["ports"]
    try:
        answer = step(session, ports, actor, key=key or f"cli/{new_id()}", request=request)
    except DomainError as refused:
        raise click.ClickException(str(refused)) from refused
    _show(asdict(answer))


def _show(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


key_option = click.option("--key", help="a key of your own: repeated, the step is done once")


@click.group("order")
def order() -> None:
    """Place, accept, decline, cancel and confirm."""


@order.command("place")
@click.option("--elder", required=True)
@click.option("--service", required=True)
@click.option("--day", type=Day, required=True)
@click.option("--from", "start", required=True, help="start of the window, such as 09:00")
@click.option("--to", "end", required=True, help="end of the window, such as 10:00")
@click.option("--vendor")
@click.option("--caregiver")
@click.option("--site")
@click.option("--quantity", default=1)
@click.option("--rrule", help="RFC 5545, such as FREQ=WEEKLY;BYDAY=MO,TH")
@key_option
@with_appcontext
def place_command(
    elder: str,
    service: str,
    day: Any,
    start: str,
    end: str,
    vendor: str | None,
    caregiver: str | None,
    site: str | None,
    quantity: int,
    rrule: str | None,
    key: str | None,
) -> None:
    """Place an order on the authority of a plan."""
    request = place.OrderRequest(
        elder_id=elder,
        service_code=service,
        starts_on=day.date(),
        window_start_s=_second(start),
        window_end_s=_second(end),
        vendor_id=vendor,
        caregiver_id=caregiver,
        site_id=site,
        quantity=quantity,
        rrule=rrule,
        channel="command",
    )
    _run(place.place_order, SYSTEM, request, key)


def _second(text: str) -> int:
    try:
        hours, minutes = (int(x) for x in text.split(":"))
    except ValueError:
        raise click.BadParameter(f"{text!r}; give a time such as 09:30") from None
    return hours * 3600 + minutes * 60


@order.command("accept")
@click.argument("offer")
@click.option("--vendor", required=True)
@key_option
@with_appcontext
def accept_command(offer: str, vendor: str, key: str | None) -> None:
    """Accept an offer for a vendor."""
    actor = Actor(f"cli/{vendor}", Role.VENDOR, vendor_id=vendor)
    _run(accept.accept_offer, actor, accept.AnswerRequest(offer), key)


@order.command("decline")
@click.argument("offer")
@click.option("--vendor", required=True)
@click.option("--reason", type=click.Choice(accept.DECLINE_REASONS), required=True)
@key_option
@with_appcontext
def decline_command(offer: str, vendor: str, reason: str, key: str | None) -> None:
    """Decline an offer for a vendor, with its reason."""
    actor = Actor(f"cli/{vendor}", Role.VENDOR, vendor_id=vendor)
    _run(accept.decline_offer, actor, accept.AnswerRequest(offer, reason), key)


@order.command("cancel")
@click.argument("work_order")
@click.option("--reason", default="")
@key_option
@with_appcontext
def cancel_command(work_order: str, reason: str, key: str | None) -> None:
    """Call a visit off."""
    _run(cancel.cancel, SYSTEM, cancel.CancelRequest(work_order, reason), key)


@order.command("confirm")
@click.argument("work_order")
@key_option
@with_appcontext
def confirm_command(work_order: str, key: str | None) -> None:
    """Confirm a visit and capture its hold."""
    _run(confirm.confirm, SYSTEM, confirm.ConfirmRequest(work_order, "auto"), key)


@click.group("visit")
def visits() -> None:
    """Check in and out as a caregiver does."""


@visits.command("check-in")
@click.argument("work_order")
@click.option("--caregiver", required=True)
@click.option("--visit", "visit_id", required=True, help="an id of your own")
@click.option("--code", required=True, help="the six digits that the home shows")
@key_option
@with_appcontext
def check_in_command(
    work_order: str, caregiver: str, visit_id: str, code: str, key: str | None
) -> None:
    """Begin a visit by the home's code."""
    request = visit.CheckInRequest(
        work_order_id=work_order, visit_id=visit_id, shown=_by_code(f"{visit_id}/in", code)
    )
    _run(visit.check_in, _caregiver(caregiver), request, key)


@visits.command("check-out")
@click.argument("visit_id")
@click.option("--caregiver", required=True)
@click.option("--code", required=True)
@key_option
@with_appcontext
def check_out_command(visit_id: str, caregiver: str, code: str, key: str | None) -> None:
    """End a visit by the home's code."""
    request = visit.CheckOutRequest(visit_id=visit_id, shown=_by_code(f"{visit_id}/out", code))
    _run(visit.check_out, _caregiver(caregiver), request, key)


@visits.command("home-code")
@click.argument("elder")
@with_appcontext
def home_code_command(elder: str) -> None:
    """Show the code that an elder's home shows now."""
    session = current_app.extensions["sqlalchemy"].session
    ports = current_app.extensions["ports"]
    try:
        shown = home_code(session, ports, SYSTEM, elder)
    except DomainError as refused:
        raise click.ClickException(str(refused)) from refused
    _show(asdict(shown))


def _caregiver(caregiver_id: str) -> Actor:
    return Actor(f"cli/{caregiver_id}", Role.CAREGIVER, caregiver_id=caregiver_id)


def _by_code(evidence_id: str, code: str) -> Shown:
    ports = current_app.extensions["ports"]
    now: datetime = ports.clock.now().astimezone(UTC)
    return Shown(evidence_id=evidence_id, method="home_code", at_device=now, code=code)
