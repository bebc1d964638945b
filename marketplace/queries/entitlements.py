"""An elder's rights and purses for screens: what they hold, what they are entitled to and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.elders.facts import facts_of, facts_of_district
from marketplace.elders.models import Assessment, Elder
from marketplace.kernel.errors import NotFound
from marketplace.kernel.facts import Facts
from marketplace.vouchers import changes, explain
from marketplace.vouchers.eligibility import best_of_slots
from marketplace.vouchers.explain import Answer, Change
from marketplace.vouchers.models import Entitlement, LedgerAccount, LedgerTransfer


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
    e, a, t = Entitlement, LedgerAccount, LedgerTransfer
    # What was taken back is not used any more, and was not granted twice.
    given_back = (
        select(func.coalesce(func.sum(t.amount), 0))
        .where(t.credit_account == e.account_id, t.kind == "reversal")
        .scalar_subquery()
    )
    rows = session.execute(
        select(e, a, given_back)
        .join(a, a.id == e.account_id)
        .where(e.elder_id == elder_id, e.valid_from <= on, e.ends_on >= on)
        .order_by(e.ends_on, e.account_id)
    )
    found = []
    book = changes.book(session)
    for ent, account, back in rows:
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
                used=account.debits_posted - int(back),
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


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """One programme's answer for one elder of the register, in one line of plain values.

    ``says``: yes, other_class, no, open. ``rule`` is the one that decided: fact, wanted, found.
    """

    elder_id: str
    district_code: str
    programme_code: str
    says: str
    tier: str
    amount: int
    unit: str
    rule: str
    source_of_rule: str
    source_of_fact: str
    bring: tuple[str, ...]


def register_rights(
    session: Session, on: date, district_code: str | None = None
) -> Iterator[RegisterRow]:
    """Yield every programme's answer for every elder of the register as of a day.

    District by district in the order of the elders' ids. People whose facts are alike are decided
    once in each chunk; memory does not grow with the register.
    """
    book = changes.book(session)
    codes = [district_code] if district_code else _districts(session)
    for code in codes:
        terms = book.all_terms(on, code)
        for people in facts_of_district(session, code, on, chunk=20_000):
            decided: dict[int, tuple[Facts, list[tuple[Any, ...]]]] = {}
            for elder_id, facts in people:
                if id(facts) not in decided:
                    lines = [_line(a) for a in explain.answers(terms, facts)]
                    decided[id(facts)] = (facts, lines)
                for line in decided[id(facts)][1]:
                    yield RegisterRow(elder_id, code, *line)


def _districts(session: Session) -> list[str]:
    return list(
        session.scalars(select(Elder.district_code).distinct().order_by(Elder.district_code))
    )


def _line(answer: Answer) -> tuple[Any, ...]:
    deciding = answer.decision.deciding
    return (
        answer.programme_code,
        answer.says,
        answer.tier,
        answer.amount,
        answer.unit,
        answer.decided_by,
        deciding.source_of_rule if deciding else "",
        deciding.source_of_fact if deciding else "",
        answer.bring,
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
