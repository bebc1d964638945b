"""Link a relative's account to an elder by a code that is short-lived and used once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from marketplace.elders import consents
from marketplace.elders.models import Consent, FamilyLink, LinkCode
from marketplace.kernel.crypto import Vault
from marketplace.kernel.errors import BadInput, Conflict, NotFound
from marketplace.kernel.ids import new_id

LINK = FamilyLink.__table__
CODE = LinkCode.__table__
POWERS = ("see_visits", "order", "cancel", "see_money")
"""What an elder may allow a relative, from little to much."""

LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LENGTH = 8
GOOD_FOR = timedelta(minutes=30)
CONSENT_TEXT = "family-2026-11"


class LinkCodeWrong(BadInput):
    """No code of that text is good now: mistyped, used, or older than half an hour."""


class AlreadyLinked(Conflict):
    """This account is linked to the elder already."""


@dataclass(frozen=True, slots=True)
class Code:
    """A fresh code as it is shown, once, and until when it is good."""

    text: str
    expires_at: datetime


def index_of(vault: Vault, text: str) -> str:
    """Return the keyed hash of a code, however its letters and groups were typed."""
    letters = "".join(c for c in text.upper() if c.isalnum())
    return vault.index(f"link-code/{letters}")


def make_code(
    session: Session,
    vault: Vault,
    *,
    elder_id: str,
    powers: list[str],
    consent: str,
    at: datetime,
    by: str,
) -> Code:
    """Make a code; the elder's earlier unused ones are good no longer."""
    session.execute(
        update(CODE)
        .where(CODE.c.elder_id == elder_id, CODE.c.used_at.is_(None), CODE.c.expires_at > at)
        .values(expires_at=at)
    )
    text = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    session.execute(
        CODE.insert().values(
            id=new_id(),
            elder_id=elder_id,
            code_index=index_of(vault, text),
            powers=",".join(p for p in POWERS if p in powers),
            consent=consent[:80],
            made_at=at,
            made_by=by,
            expires_at=at + GOOD_FOR,
        )
    )
    return Code(text, at + GOOD_FOR)


def use_code(
    session: Session, vault: Vault, text: str, *, account_id: str, at: datetime
) -> Row[Any]:
    """Take a code, once; return its row. Raises ``LinkCodeWrong``."""
    row = session.execute(
        update(CODE)
        .where(
            CODE.c.code_index == index_of(vault, text),
            CODE.c.used_at.is_(None),
            CODE.c.expires_at > at,
        )
        .values(used_at=at, used_by=account_id)
        .returning(*CODE.c)
    ).first()
    if row is None:
        raise LinkCodeWrong(field="code", expected="the eight letters, not older than 30 minutes")
    return row


def add_link(
    session: Session,
    *,
    code: Row[Any],
    account_id: str,
    name: str,
    relation: str,
    at: datetime,
) -> str:
    """Bind the account with the code's powers, and keep the elder's consent; return the link's id."""
    known = session.scalar(
        select(LINK.c.id).where(
            LINK.c.elder_id == code.elder_id,
            LINK.c.account_id == account_id,
            LINK.c.ended_at.is_(None),
        )
    )
    if known is not None:
        raise AlreadyLinked(elder_id=code.elder_id)
    link_id = new_id()
    session.execute(
        LINK.insert().values(
            id=link_id,
            elder_id=code.elder_id,
            account_id=account_id,
            name=name[:40],
            relation=relation[:20],
            powers=code.powers,
            confirmed_at=at,
        )
    )
    session.execute(
        Consent.__table__.insert().values(  # type: ignore[attr-defined]
            id=new_id(),
            elder_id=code.elder_id,
            purpose="family_view",
            given_at=code.made_at,
            given_by=code.consent[:40],
            text_version=CONSENT_TEXT,
        )
    )
    return link_id


def link_of(session: Session, link_id: str) -> Row[Any]:
    """Return a link's row; raises ``NotFound``."""
    row = session.execute(select(LINK).where(LINK.c.id == link_id)).first()
    if row is None:
        raise NotFound(kind="family_link", id=link_id)
    return row


def who_see_visits(session: Session, elder_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return by elder the links in force whose relatives may see visits; others are missing."""
    resting = consents.withdrawn_of(session, elder_ids)
    found: dict[str, list[str]] = {}
    for row in session.execute(
        select(LINK.c.id, LINK.c.elder_id, LINK.c.powers)
        .where(
            LINK.c.elder_id.in_(list(elder_ids)),
            LINK.c.confirmed_at.is_not(None),
            LINK.c.ended_at.is_(None),
        )
        .order_by(LINK.c.id)
    ):
        rests = "family_view" in resting.get(row.elder_id, frozenset())
        if "see_visits" in row.powers.split(",") and not rests:
            found.setdefault(row.elder_id, []).append(row.id)
    return found


def set_powers(session: Session, link_id: str, powers: list[str], *, at: datetime) -> bool:
    """Give a link other powers; none at all ends it. Return whether it was still in force."""
    kept = [p for p in POWERS if p in powers]
    values: dict[str, Any] = {"powers": ",".join(kept)} if kept else {"ended_at": at}
    changed = session.execute(
        update(LINK).where(LINK.c.id == link_id, LINK.c.ended_at.is_(None)).values(**values)
    )
    return bool(changed.rowcount)  # type: ignore[attr-defined]
