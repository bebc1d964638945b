"""Whatever may happen after the commit is a row here, delivered by ``upkeep``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import JSON, Index, String, UniqueConstraint
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from marketplace.kernel.db import ID, Base, Instant
from marketplace.kernel.ids import new_id

FOR_PEOPLE = frozenset(
    {
        "card_refused",
        "complaint",
        "family_linked",
        "grant.approved",
        "grant.refused",
        "helper_changed",
        "holdback.released",
        "money.given_back",
        "money.requoted",
        "money.reversed",
        "needs_help",
        "no_access",
        "nobody_accepts",
        "nobody_goes",
        "offer_made",
        "payment_aside",
        "please_confirm",
        "statement.issued",
        "statement.released",
        "stop_added",
        "stop_moved",
        "stop_taken_over",
        "vendor_changes",
        "vendor_frauds",
        "vendor_reinstated",
        "vendor_suspended",
        "visit_cancelled",
        "visit_changed",
        "visit_flagged",
        "visit_interrupted",
        "visit_moved",
        "visit_not_moved",
        "visit_not_verified",
        "visit_repaired",
        "welfare_check",
    }
)
"""What is said to people. Each has its sentence in the pages' words; a house test compares them."""

FOR_SYSTEMS = frozenset(
    {"outside.hold", "outside.capture", "outside.release", "outside.refund", "own_refund"}
)
"""What is told to another authority's system, which reads the values and no sentence."""


class OutboxMessage(Base):
    """A message to be delivered once. ``dedup_key`` makes a second posting of the same one harmless.

    ``channel``: ``sms``, ``voice``, ``screen`` (server-sent), ``bureau`` (a file or API of another
    authority). ``template`` names the text; ``values`` fill it. The recipient is an id, never a phone.
    """

    __tablename__ = "outbox_message"
    __table_args__ = (
        UniqueConstraint("dedup_key"),
        Index("ix_outbox_message_due", "delivered_at", "due_at"),
        Index("ix_outbox_message_recipient", "recipient_kind", "recipient_id", "due_at"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    dedup_key: Mapped[str] = mapped_column(String(160))
    channel: Mapped[str] = mapped_column(String(20))
    recipient_kind: Mapped[str] = mapped_column(String(20))
    recipient_id: Mapped[str] = mapped_column(ID)
    template: Mapped[str] = mapped_column(String(60))
    values: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    due_at: Mapped[datetime] = mapped_column(Instant)
    delivered_at: Mapped[datetime | None] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(String(200))


class Recipient(TypedDict):
    """Whom a message is for: the two arguments of ``post`` that say it."""

    recipient_kind: str
    recipient_id: str


HOTLINE: Recipient = {"recipient_kind": "role", "recipient_id": "hotline"}
"""Everybody at the hotline's desks."""


def office(*, district_code: str, town_code: str | None = None) -> Recipient:
    """Return the office that answers for a place: the town's street office, else the district's bureau.

    A message names a visit of somebody's home, so it goes to the office of that area, not to all.
    """
    if town_code is not None:
        return {"recipient_kind": "town", "recipient_id": town_code}
    return {"recipient_kind": "district", "recipient_id": district_code}


def post(
    session: Session,
    *,
    due_at: datetime,
    channel: str,
    recipient_kind: str,
    recipient_id: str,
    template: str,
    about: str,
    **values: Any,
) -> None:
    """Post one message about ``about`` (an id): one per recipient, template and channel, ever.

    ``day`` among the values is the date of the visit that it is about, as text; ``why`` and ``reason``
    are codes. Raises ``ValueError`` for a template that nobody put into words.
    """
    if template not in FOR_PEOPLE | FOR_SYSTEMS:
        raise ValueError(
            f"no such message: {template}; name it in FOR_PEOPLE and give it a sentence"
        )
    engine = session.get_bind().dialect.name
    insert = postgresql.insert if engine == "postgresql" else sqlite.insert
    message = insert(OutboxMessage).values(
        id=new_id(),
        dedup_key=f"{about}/{template}/{channel}/{recipient_id}",
        channel=channel,
        recipient_kind=recipient_kind,
        recipient_id=recipient_id,
        template=template,
        values=values,
        due_at=due_at,
        attempts=0,
    )
    session.execute(message.on_conflict_do_nothing())
