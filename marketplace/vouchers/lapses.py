"""Ending what was not used: holds of past months, entitlements past their last day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.kernel.clock import Period
from marketplace.vouchers import changes
from marketplace.vouchers.grants import budget_account
from marketplace.vouchers.ledger import Entry, post
from marketplace.vouchers.models import Entitlement, LedgerAccount, LedgerTransfer
from marketplace.vouchers.splits import fund_account

_A = LedgerAccount
_FREE = _A.credits_posted - _A.debits_posted - _A.debits_pending


@dataclass(frozen=True, slots=True)
class Lapsed:
    """How many entitlements ended, and what went back to budgets and mints."""

    entitlements: int
    fen: int
    minutes: int


def lapse_ended(session: Session, *, on: date, at: datetime, limit: int = 5_000) -> Lapsed:
    """Take back what is free on entitlements whose last day is before ``on``, oldest first.

    Fen return to the budget they came from, minutes to the mint, and the fen behind the minutes to
    the budget; what is still held stays until its hold is resolved, and lapses on a later call. Days
    that have passed are emptied first. Repeating it takes nothing twice.
    """
    _empty_days(session, on=on, at=at, limit=limit)
    rows = list(
        session.execute(
            select(Entitlement, _FREE.label("free"))
            .join(_A, _A.id == Entitlement.account_id)
            .where(Entitlement.ends_on < on, _FREE > 0)
            .order_by(Entitlement.ends_on, Entitlement.account_id)
            .limit(limit)
        )
    )
    turn = _turns(session, [e.account_id for e, _ in rows], "lapse")
    book = changes.book(session)
    entries: list[Entry] = []
    fen = minutes = 0
    for e, free in rows:
        terms = book.terms_of(e.programme_code, e.programme_version, e.district_code)
        year = int(e.period[:4])
        home = (
            f"outside:{e.programme_code}:{e.district_code}"
            if terms.grant == "outside"
            else budget_account(e.programme_code, e.district_code, year)
        )
        number = turn.get(e.account_id, 0) + 1
        period = str(Period.of(on))
        back = f"mint:{e.programme_code}:{e.district_code}" if e.unit == "minutes" else home
        entries.append(
            Entry(
                id=f"lapse/{e.account_id}/{number}",
                kind="direct",
                code="lapse",
                unit=e.unit,
                debit=e.account_id,
                credit=back,
                amount=free,
                period=period,
            )
        )
        if e.unit == "fen":
            fen += free
            continue
        minutes += free
        worth = terms.fen_of_minutes(free)
        if worth:
            fen += worth
            entries.append(
                Entry(
                    id=f"lapse/{e.account_id}/{number}/fen",
                    kind="direct",
                    code="lapse",
                    unit="fen",
                    debit=fund_account(e.programme_code, e.district_code, e.period, e.elder_id),
                    credit=home,
                    amount=worth,
                    period=period,
                )
            )
    post(session, entries, at=at)
    return Lapsed(len(rows), fen, minutes)


def _turns(session: Session, accounts: Sequence[str], code: str) -> dict[str, int]:
    """Return how often each account was emptied before."""
    count: dict[str, int] = {}
    for start in range(0, len(accounts), 2000):
        for account in session.scalars(
            select(LedgerTransfer.debit_account).where(
                LedgerTransfer.debit_account.in_(accounts[start : start + 2000]),
                LedgerTransfer.code == code,
            )
        ):
            count[account] = count.get(account, 0) + 1
    return count


def _empty_days(session: Session, *, on: date, at: datetime, limit: int) -> None:
    """Move what past days did not use back to the month they were taken from."""
    rows = session.execute(
        select(_A.id, _FREE)
        .where(_A.kind == "day", _A.period < on.isoformat(), _FREE > 0)
        .order_by(_A.id)
        .limit(limit)
    ).all()
    ids = [row[0] for row in rows]
    turn = _turns(session, ids, "day_over")
    filled: dict[str, str] = {}
    for start in range(0, len(ids), 2000):
        for row in session.execute(
            select(LedgerTransfer.credit_account, LedgerTransfer.debit_account).where(
                LedgerTransfer.credit_account.in_(ids[start : start + 2000]),
                LedgerTransfer.code == "day",
            )
        ):
            filled[row[0]] = row[1]
    post(
        session,
        [
            Entry(
                id=f"day_over/{account}/{turn.get(account, 0) + 1}",
                kind="direct",
                code="day_over",
                unit="fen",
                debit=account,
                credit=filled[account],
                amount=free,
                period=str(Period.of(on)),
            )
            for account, free in rows
            if account in filled
        ],
        at=at,
    )
