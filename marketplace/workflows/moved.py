"""Who hears that a planned visit changed: the elder and relatives, the helpers, the vendor.

A shift of a few minutes that stays within what was promised is told to the helpers alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from marketplace.elders import links
from marketplace.kernel import outbox
from marketplace.kernel.actor import Actor
from marketplace.kernel.clock import second_of

NOTED_FROM = timedelta(minutes=15)
"""An elder is told of another time from so much on."""

To = tuple[str, str, str, str]
"""Channel, kind and id of a recipient, template."""


def tell_moved(
    session: Session,
    rows: Sequence[Row[Any]],
    before: Mapping[str, Sequence[Row[Any]]],
    after: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    at: datetime,
    actor: Actor,
    to_vendor: str,
) -> None:
    """Tell those concerned about work orders whose people or time changed, once per change.

    ``before`` and ``after`` are the assignments by work order id; ``to_vendor`` is the message that a
    vendor gets who did not do it itself.
    """
    watching = links.who_see_visits(session, sorted({r.elder_id for r in rows}))
    for row in rows:
        was, will = before.get(row.id, ()), after.get(row.id, ())
        begins = min((a["starts_at"] for a in will), default=None)
        told = _told(row, was, will, watching, actor, to_vendor)
        when = {} if begins is None else {"start_s": second_of(row.visit_on, begins)}
        tell(session, row, told, at=at, **when)


def tell(
    session: Session, row: Row[Any], told: Sequence[To], *, at: datetime, **values: Any
) -> None:
    """Post what is told of one work order, each message once per change."""
    for channel, kind, who, template in told:
        outbox.post(
            session,
            due_at=at,
            channel=channel,
            recipient_kind=kind,
            recipient_id=who,
            template=template,
            about=f"{row.id}/{at.isoformat()}",
            day=row.visit_on.isoformat(),
            work_order_id=row.id,
            **values,
        )


def _told(
    row: Row[Any],
    was: Sequence[Row[Any]],
    will: Sequence[Mapping[str, Any]],
    watching: Mapping[str, Sequence[str]],
    actor: Actor,
    to_vendor: str,
) -> list[To]:
    old = {a.caregiver_id: a.starts_at for a in was}
    new = {a["caregiver_id"]: a["starts_at"] for a in will}
    if old == new:
        return []
    told: list[To] = [("screen", "caregiver", c, "stop_taken_over") for c in old.keys() - new]
    told += [("screen", "caregiver", c, "stop_added") for c in new.keys() - old]
    told += [("screen", "caregiver", c, "stop_moved") for c in new if old.get(c, new[c]) != new[c]]
    if actor.vendor_id != row.vendor_id:
        told.append(("screen", "vendor", row.vendor_id, to_vendor if new else "nobody_goes"))
    if not new:
        told.append(("screen", "role", "hotline", "nobody_goes"))
        return told
    if not old:
        return told
    template = "helper_changed" if old.keys() != new.keys() else "visit_moved"
    shift = abs(min(new.values()) - min(old.values()))
    if template == "helper_changed" or shift >= NOTED_FROM:
        told.append(("sms", "elder", row.elder_id, template))
        told += [("sms", "relative", w, template) for w in watching.get(row.elder_id, ())]
    return told
