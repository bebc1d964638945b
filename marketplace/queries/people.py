"""Who is bound to whom, and who may sign in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.accounts.models import Account
from marketplace.elders import consents
from marketplace.elders.models import FamilyLink


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account, and what it is bound to; ``*`` is the whole city."""

    username: str
    role: str
    scope: str
    active: bool
    has_second_factor: bool


def accounts(session: Session) -> list[AccountLine]:
    """Return every account by name: two statements."""
    return [
        AccountLine(
            username=a.username,
            role=",".join(sorted(role.name for role in a.roles)),
            scope=a.elder_id
            or a.caregiver_id
            or a.vendor_id
            or a.town_code
            or a.district_code
            or "*",
            active=a.active,
            has_second_factor=a.tf_primary_method is not None,
        )
        for a in session.scalars(select(Account).order_by(Account.username))
    ]


def bound_elder_ids(session: Session, account_id: str) -> frozenset[str]:
    """Return the elders who confirmed that this account may act for them, and did not end it.

    Whose consent for relatives is withdrawn is not among them: not even the name is shown then.
    """
    bound = session.scalars(
        select(FamilyLink.elder_id).where(
            FamilyLink.account_id == account_id,
            FamilyLink.confirmed_at.is_not(None),
            FamilyLink.ended_at.is_(None),
        )
    ).all()
    resting = consents.withdrawn_of(session, bound)
    return frozenset(e for e in bound if "family_view" not in resting.get(e, ()))


def account_names(session: Session, account_ids: Iterable[str]) -> dict[str, str]:
    """Return the names of accounts by id; what is no account (a command line) is missing."""
    rows = session.execute(
        select(Account.id, Account.display_name).where(Account.id.in_(set(account_ids)))
    )
    return {row[0]: row[1] for row in rows}
