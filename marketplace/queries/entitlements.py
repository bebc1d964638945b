"""An elder's rights and purses for screens: what they hold, what they are entitled to and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.elders.facts import facts_of, facts_of_district
from marketplace.elders.models import Assessment, Elder
from marketplace.kernel.errors import NotFound
from marketplace.vouchers import changes, explain
from marketplace.vouchers.eligibility import best_of_slots
from marketplace.vouchers.explain import Answer, Change
from marketplace.vouchers.models import Entitlement, LedgerAccount


@dataclass(frozen=True, slots=True)
class Purse:
    """What an elder holds of one programme: granted, used, held for visits to come, and left."""

    account_id: str
    programme_code: str
    name_zh: str
    name_en: str
    tier: str
    unit: str
    period: str
    granted: int
    used: int
    held: int
    left: int
    ends_on: date


@dataclass(frozen=True, slots=True)
class Rights:
    """Every programme's answer for one elder on one day, and what would change it."""

    elder_id: str
    on: date
    answers: tuple[Answer, ...]
    changes: tuple[Change, ...]


def purses(session: Session, elder_id: str, on: date) -> list[Purse]:
    """Return what an elder may use on a day, what ends first first."""
    e, a = Entitlement, LedgerAccount
    rows = session.execute(
        select(e, a)
        .join(a, a.id == e.account_id)
        .where(e.elder_id == elder_id, e.valid_from <= on, e.ends_on >= on)
        .order_by(e.ends_on, e.account_id)
    )
    found = []
    book = changes.book(session)
    for ent, account in rows:
        terms = book.terms_of(ent.programme_code, ent.programme_version, ent.district_code)
        found.append(
            Purse(
                account_id=ent.account_id,
                programme_code=ent.programme_code,
                name_zh=terms.name_zh,
                name_en=terms.name_en,
                tier=ent.tier,
                unit=ent.unit,
                period=ent.period,
                granted=ent.granted,
                used=account.debits_posted,
                held=account.debits_pending,
                left=account.credits_posted - account.debits_posted - account.debits_pending,
                ends_on=ent.ends_on,
            )
        )
    return found


def owed_fen(session: Session, elder_id: str) -> int:
    """Return what an elder owes in own money; less than nothing is a refund due."""
    account = session.get(LedgerAccount, f"owed:{elder_id}")
    return account.debits_posted - account.credits_posted if account else 0


def rights(session: Session, elder_id: str, on: date) -> Rights:
    """Return what an elder is entitled to on a day, and why; raises ``NotFound``."""
    elder = session.get(Elder, elder_id)
    if elder is None:
        raise NotFound(kind="elder", id=elder_id)
    facts = facts_of(session, [elder_id], on)[elder_id]
    terms = changes.book(session).all_terms(on, elder.district_code)
    until = session.scalar(
        select(func.max(Assessment.valid_until)).where(
            Assessment.elder_id == elder_id,
            Assessment.assessed_on <= on,
            Assessment.valid_until >= on,
        )
    )
    return Rights(
        elder_id=elder_id,
        on=on,
        answers=explain.answers(terms, facts),
        changes=explain.changes(terms, facts, born_on=elder.born_on, assessed_until=until, on=on),
    )


def entitled_people(session: Session, district_code: str, on: date) -> dict[str, int]:
    """Return how many elders of a district are entitled to each programme, by tier."""
    terms = changes.book(session).all_terms(on, district_code)
    count: dict[str, int] = {}
    for people in facts_of_district(session, district_code, on):
        for _, facts in people:
            for _, tier in best_of_slots(terms, facts):
                count[tier.name] = count.get(tier.name, 0) + 1
    return dict(sorted(count.items()))
