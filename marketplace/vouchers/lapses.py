"""Ending what was not used: holds of past months, entitlements past their last day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from marketplace.kernel.clock import Period
from marketplace.vouchers import changes
from marketplace.vouchers.grants import budget_account
from marketplace.vouchers.ledger import Account, Entry, open_accounts, post
from marketplace.vouchers.models import (
    AccountKind,
    Entitlement,
    LedgerAccount,
    LedgerTransfer,
)
from marketplace.vouchers.programmes import OWN
from marketplace.vouchers.splits import fund_account, owed_account
from marketplace.vouchers.terms import Terms

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
    return _give_back(session, Entitlement.ends_on < on, on=on, at=at, limit=limit)


def lapse_of(
    session: Session, whose: Select[tuple[str]], *, on: date, at: datetime, limit: int = 5_000
) -> Lapsed:
    """Take back what is free on the entitlements of these elders, whatever their last day.

    For people who died: what is held for visits before stays until its hold is resolved.
    """
    return _give_back(session, Entitlement.elder_id.in_(whose), on=on, at=at, limit=limit)


def _give_back(session: Session, which: Any, *, on: date, at: datetime, limit: int) -> Lapsed:
    rows = list(
        session.execute(
            select(Entitlement, _FREE.label("free"))
            .join(_A, _A.id == Entitlement.account_id)
            .where(which, _FREE > 0)
            .order_by(Entitlement.ends_on, Entitlement.account_id)
            .limit(limit)
        )
    )
    turn = _turns(session, [e.account_id for e, _ in rows], "lapse")
    book = changes.book(session)
    entries: list[Entry] = []
    own: list[tuple[Entitlement, int]] = []
    fen = minutes = 0
    for e, free in rows:
        terms = book.terms_of(e.programme_code, e.programme_version, e.district_code)
        if terms.grant == "top_up":
            own.append((e, free))
            continue
        home = home_of(terms, e.district_code, int(e.period[:4]))
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
    entries += _own_money_back(session, own, turn, str(Period.of(on)))
    post(session, entries, at=at)
    return Lapsed(len(rows), fen, minutes)


def _own_money_back(
    session: Session,
    purses: Sequence[tuple[Entitlement, int]],
    turn: dict[str, int],
    period: str,
) -> list[Entry]:
    """Return what ends a charity purse: the gift counts as used first, own money is never lost.

    The elder's own part stands to their credit on what they owe; the gift goes back to its giver. A purse
    may end in parts, and what is taken back after its end in a replacement: of all of them together the
    elder gets what was paid in, and no gift.
    """
    filled = _fillings(session, [e for e, _ in purses])
    own_left = _own_left(session, filled)
    entries: list[Entry] = []
    accounts: list[Account] = []
    for e, free in purses:
        filling = filled[e.account_id]
        own = min(free, own_left[filling])
        own_left[filling] -= own
        owed = Account(
            owed_account(e.elder_id),
            AccountKind.OWED,
            "fen",
            programme_code=OWN,
            elder_id=e.elder_id,
            district_code=e.district_code,
        )
        gift = f"gift:{e.programme_code}:{e.district_code}"
        if own:
            accounts.append(owed)
        number = turn.get(e.account_id, 0) + 1
        entries += [
            Entry(
                id=f"lapse/{e.account_id}/{number}/{what}",
                kind="direct",
                code="lapse",
                unit="fen",
                debit=e.account_id,
                credit=credit,
                amount=amount,
                period=period,
            )
            for what, credit, amount in (("own", owed.id, own), ("gift", gift, free - own))
            if amount
        ]
    open_accounts(session, accounts)
    return entries


def _fillings(session: Session, purses: Sequence[Entitlement]) -> dict[str, str]:
    """Return the filling that each purse of these elders comes from: itself, or what it replaces."""
    elders = sorted({e.elder_id for e in purses})
    slots = {e.slot for e in purses}
    replaces: dict[str, str | None] = {}
    for start in range(0, len(elders), 2000):
        for account, before in session.execute(
            select(Entitlement.account_id, Entitlement.replaces_id).where(
                Entitlement.elder_id.in_(elders[start : start + 2000]), Entitlement.slot.in_(slots)
            )
        ):
            replaces[account] = before
    first = {}
    for account in replaces:
        first[account] = account
        while before := replaces[first[account]]:
            first[account] = before
    return first


def _own_left(session: Session, filled: Mapping[str, str]) -> dict[str, int]:
    """Return by filling the own money that was paid in and has not gone back to the elder."""
    t = LedgerTransfer
    left = dict.fromkeys(filled.values(), 0)
    accounts = list(filled)
    for start in range(0, len(accounts), 2000):
        part = accounts[start : start + 2000]
        for account, amount in session.execute(
            select(t.credit_account, t.amount).where(t.credit_account.in_(part), t.code == "top_up")
        ):
            left[filled[account]] += amount
        for account, amount in session.execute(
            select(t.debit_account, t.amount).where(
                t.debit_account.in_(part), t.code == "lapse", t.credit_account.like("owed:%")
            )
        ):
            left[filled[account]] -= amount
    return left


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


def sweep_funds(session: Session, *, on: date, at: datetime, limit: int = 2_000) -> int:
    """Return to their budgets the fen of past months' funds behind which no minutes stand any more.

    A visit that costs less than its minutes are worth leaves the difference in the fund: public money
    that nobody could use again. What backs minutes that are held, or free in a replacement, stays.
    Months that ended before ``on``; returns the fen. ``reversals`` puts back what returned minutes need.
    """
    month = str(Period.of(on))
    free = list(
        session.execute(
            select(_A.id, _A.programme_code, _A.district_code, _A.period)
            .where(_A.kind == "fund", _A.period < month, _FREE > 0)
            .order_by(_A.id)
            .limit(limit)
        )
    )
    ended = [row for row in free if Period.parse(row.period).last < on]
    book = changes.book(session)
    homes = {}
    for row in ended:
        first = Period.parse(row.period).first
        terms = book.terms_of(row.programme_code, first, row.district_code)
        homes[row.id] = home_of(terms, row.district_code, int(row.period[:4]))
    balance = _locked(session, sorted({*homes, *homes.values()}))
    behind = _worth_of_minutes(
        session, {(r.programme_code, r.district_code, r.period) for r in ended}
    )
    turn = _turns(session, sorted(homes), "residue")
    entries = [
        Entry(
            id=f"residue/{fund}/{turn.get(fund, 0) + 1}",
            kind="direct",
            code="residue",
            unit="fen",
            debit=fund,
            credit=home,
            amount=balance[fund] - behind.get(fund, 0),
            period=month,
        )
        for fund, home in sorted(homes.items())
        if balance[fund] > behind.get(fund, 0)
    ]
    post(session, entries, at=at)
    return sum(e.amount for e in entries)


def home_of(terms: Terms, district_code: str, year: int) -> str:
    """Return where a programme's money comes from: its outside payer, or the district's budget."""
    if terms.grant == "outside":
        return f"outside:{terms.code}:{district_code}"
    return budget_account(terms.code, district_code, year)


def _locked(session: Session, accounts: Sequence[str]) -> dict[str, int]:
    """Return what is posted on accounts, held fen included, and let nobody change them meanwhile."""
    found: dict[str, int] = {}
    for start in range(0, len(accounts), 2000):
        for row in session.execute(
            select(_A.id, _A.credits_posted - _A.debits_posted)
            .where(_A.id.in_(accounts[start : start + 2000]))
            .order_by(_A.id)
            .with_for_update()
        ):
            found[row[0]] = int(row[1])
    return found


def _worth_of_minutes(session: Session, months: set[tuple[str, str, str]]) -> dict[str, int]:
    """Return the fen that each fund needs: for minutes that are free, and for those that are held."""
    book = changes.book(session)
    needed: dict[str, int] = {}
    for code, district, period in sorted(months):
        for e, left in session.execute(
            select(Entitlement, _A.credits_posted - _A.debits_posted)
            .join(_A, _A.id == Entitlement.account_id)
            .where(
                Entitlement.period == period,
                Entitlement.programme_code == code,
                Entitlement.district_code == district,
                _A.credits_posted > _A.debits_posted,
            )
        ):
            fund = fund_account(code, district, period, e.elder_id)
            worth = book.terms_of(code, e.programme_version, district).fen_of_minutes(left)
            needed[fund] = needed.get(fund, 0) + worth
    return needed
