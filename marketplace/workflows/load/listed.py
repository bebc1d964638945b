"""The list of orders: held against the order rules, then placed in bulk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel.actor import Actor
from marketplace.orders.models import Order
from marketplace.workflows import place_many
from marketplace.workflows.load.kind import Context, Kind, sha
from marketplace.workflows.load.persons import settle_elder_of
from marketplace.workflows.load.refusals import Refusal, RowRefused
from marketplace.workflows.load.rows import OrderFileRow
from marketplace.workflows.place_many import Added, OrderRow

_COLUMN = {
    "order_id": "id",
    "window_start_s": "window_start",
    "window_end_s": "window_end",
    "window": "window_start",
    "on": "starts_on",
}
"""Where a rule names a field of its own, the file's column."""


def _stored(session: Session) -> dict[str, str]:
    return {r[0]: r[1] for r in session.execute(select(Order.id, Order.row_sha256))}


def _check(context: Context, row: OrderFileRow) -> None:
    context.require("elder", "elder_id", row.elder_id)
    for kind, name in (
        ("vendor", "vendor_id"),
        ("caregiver", "caregiver_id"),
        ("site", "site_id"),
    ):
        if value := getattr(row, name):
            context.require(kind, name, value)
    before = context.placed.get(row.id)
    if before is not None and before != sha(row):
        raise RowRefused("id", "order_is_placed", row.id, "new_order_id")


def _prepare(context: Context) -> None:
    context.placed = _stored(context.session)


def _never(_context: Context, _new: Sequence[Any], _changed: Sequence[Any]) -> None:
    raise AssertionError("orders are placed by add(), never written as a register")


KIND = Kind(
    "orders", OrderFileRow, _stored, _check, _never, prepare=_prepare, settle=settle_elder_of
)


def _order(row: OrderFileRow) -> OrderRow:
    return OrderRow(
        order_id=row.id,
        elder_id=row.elder_id,
        service_code=row.service_code,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        rrule=row.rrule or None,
        skip_holidays=row.skip_holidays,
        window_start_s=row.window_start,
        window_end_s=row.window_end,
        quantity=row.quantity,
        vendor_id=row.vendor_id or None,
        caregiver_id=row.caregiver_id or None,
        site_id=row.site_id or None,
        standing=bool(row.vendor_id),
        note=row.note,
        sha256=sha(row),
    )


def sift(
    context: Context, rows: Sequence[tuple[int, OrderFileRow]]
) -> tuple[list[OrderRow], list[Refusal]]:
    """Return the rows that keep the order rules, and the refusals of the others with their lines."""
    orders = [_order(row) for _, row in rows]
    refused = {
        r.row: r.error for r in place_many.check_rows(context.session, orders, at=context.now)
    }
    refusals = []
    for n, error in refused.items():
        name = _COLUMN.get(error.field or "", error.field or "*")
        refusals.append(
            Refusal(
                "orders",
                rows[n][0],
                name,
                error.code,
                str(getattr(rows[n][1], name, "")),
                str(error.facts.get("expected", "")),
                error.facts,
            )
        )
    return [o for n, o in enumerate(orders) if n not in refused], refusals


def add(
    context: Context,
    rows: Sequence[OrderRow],
    *,
    actor: Actor,
    until: date,
    tick: Callable[[int], None] | None,
) -> Added:
    """Place the rows inside the caller's transaction."""
    return place_many.add_rows(
        context.session, rows, at=context.now, actor=actor, until=until, tick=tick
    )
